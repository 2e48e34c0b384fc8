//! What was measured, as a table for people and as JSON for programs.

use crate::noise::NOISE_PERCENT_MAX;
use crate::placement::processors_allowed;
use anyhow::Result;
use serde::Serialize;
use std::io::{Write, stdout};

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    pub(crate) per_second: Option<f64>,
    /// Processor time of all processes together, for each request.
    pub(crate) cpu_us: Option<f64>,
    pub(crate) samples: usize,
}

/// Which number of a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    P50,
    PerSecond,
}

impl Value {
    fn of(self, figure: &Figure) -> f64 {
        match self {
            Value::P50 => figure.p50_us,
            Value::PerSecond => figure.per_second.unwrap_or(0.0),
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Value::P50 => "us",
            Value::PerSecond => "requests/s",
        }
    }
}

/// What is hoped for. Not a gate: the exit code is 0 either way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    ValueAtMost(f64),
    RatioAtMost(f64),
    RatioAtLeast(f64),
}

/// One line of the report.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) value: Value,
    pub(crate) figure: Figure,
    pub(crate) baseline: Option<(&'static str, Figure)>,
    pub(crate) target: Option<Target>,
    pub(crate) noise_percent: f64,
}

/// The fields of `--json`: a promise to scripts.
#[derive(Serialize)]
struct View<'a> {
    name: &'a str,
    value: f64,
    unit: &'static str,
    baseline: Option<f64>,
    baseline_name: Option<&'static str>,
    ratio: Option<f64>,
    target: Option<f64>,
    /// `value at most`, `ratio at most` or `ratio at least`.
    target_is: Option<&'static str>,
    /// None without a target, and when others took too much of the machine to tell.
    met: Option<bool>,
    noise_percent: f64,
    figure: &'a Figure,
    baseline_figure: Option<&'a Figure>,
}

impl Row {
    fn view(&self) -> View<'_> {
        let value = self.value.of(&self.figure);
        let baseline = self.baseline.as_ref().map(|(_, figure)| self.value.of(figure));
        let ratio = baseline.filter(|baseline| *baseline > 0.0).map(|baseline| value / baseline);
        let (target, target_is, met) = match self.target {
            None => (None, None, None),
            Some(Target::ValueAtMost(most)) => (Some(most), Some("value at most"), Some(value <= most)),
            Some(Target::RatioAtMost(most)) => {
                (Some(most), Some("ratio at most"), ratio.map(|ratio| ratio <= most))
            }
            Some(Target::RatioAtLeast(least)) => {
                (Some(least), Some("ratio at least"), ratio.map(|ratio| ratio >= least))
            }
        };
        // A neighbour can make either side slow: such a row says neither "met" nor "not met".
        let met = met.filter(|_| !self.is_noisy());
        View {
            name: &self.name,
            value,
            unit: self.value.unit(),
            baseline,
            baseline_name: self.baseline.as_ref().map(|(name, _)| *name),
            ratio,
            target,
            target_is,
            met,
            noise_percent: self.noise_percent,
            figure: &self.figure,
            baseline_figure: self.baseline.as_ref().map(|(_, figure)| figure),
        }
    }

    fn is_noisy(&self) -> bool {
        self.noise_percent > NOISE_PERCENT_MAX
    }

    fn cells(&self) -> Vec<String> {
        let view = self.view();
        let sides = [Some(&self.figure), view.baseline_figure];
        let of = |number: fn(&Figure) -> Option<f64>| sides.map(|side| figure_text(side.and_then(number)));
        let target = match self.target {
            None => "-".to_owned(),
            Some(Target::ValueAtMost(most)) => format!("<= {most} us"),
            Some(Target::RatioAtMost(most)) => format!("<= {most}"),
            Some(Target::RatioAtLeast(least)) => format!(">= {least}"),
        };
        let mut cells = vec![self.name.clone()];
        cells.extend(of(|figure| Some(figure.p50_us)));
        cells.extend(of(|figure| Some(figure.p99_us)));
        cells.push(figure_text(Some(self.figure.max_us)));
        cells.extend(of(|figure| figure.per_second));
        cells.extend(of(|figure| figure.cpu_us));
        cells.push(view.ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")));
        cells.push(target);
        let verdict = match (view.met, self.target) {
            (Some(true), _) => "met",
            (Some(false), _) => "NOT MET",
            (None, Some(_)) => "too noisy",
            (None, None) => "-",
        };
        cells.push(verdict.to_owned());
        cells.push(format!("{:.0} %", self.noise_percent));
        cells.push(view.baseline_name.unwrap_or("-").to_owned());
        cells
    }
}

const HEADINGS: [&str; 15] = [
    "BENCHMARK",
    "P50 us",
    "BASE",
    "P99 us",
    "BASE",
    "MAX us",
    "OPS/s",
    "BASE",
    "CPU us",
    "BASE",
    "RATIO",
    "TARGET",
    "",
    "NOISE",
    "BASE IS",
];

/// Prints all rows.
pub(crate) fn print(rows: &[Row], json: bool) -> Result<()> {
    let mut out = stdout().lock();
    if json {
        let views: Vec<View<'_>> = rows.iter().map(Row::view).collect();
        serde_json::to_writer_pretty(&mut out, &views)?;
        writeln!(out)?;
        return Ok(());
    }
    write!(out, "{}", table(rows))?;
    let processors = processors_allowed();
    writeln!(
        out,
        "\n{processors} processors. CPU us: all processes together, for each request. NOISE: share taken by others."
    )?;
    Ok(())
}

/// Text to the left, numbers to the right.
fn table(rows: &[Row]) -> String {
    let mut lines = vec![HEADINGS.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(Row::cells));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cell = |(column, cell): (usize, &String)| match column {
            0 | 11 | 12 | 14 => format!("{cell:<0$}", widths[column]),
            _ => format!("{cell:>0$}", widths[column]),
        };
        let cells: Vec<String> = line.iter().enumerate().map(cell).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Three digits that mean something.
fn figure_text(number: Option<f64>) -> String {
    match number {
        None => "-".to_owned(),
        Some(number) if number < 10.0 => format!("{number:.2}"),
        Some(number) if number < 100.0 => format!("{number:.1}"),
        Some(number) => format!("{number:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(p50_us: f64, base: f64, target: Option<Target>) -> Row {
        let figure = |p50_us| Figure {
            p50_us,
            p99_us: 30.0,
            max_us: 400.0,
            per_second: Some(5e4),
            cpu_us: None,
            samples: 9,
        };
        let baseline = Some(("raw", figure(base)));
        Row {
            name: "roundtrip".to_owned(),
            value: Value::P50,
            figure: figure(p50_us),
            baseline,
            target,
            noise_percent: 1.2,
        }
    }

    // Scripts read these fields by name, and whoever watches a figure over months reads `met`.
    #[test]
    fn targets_are_judged() {
        let met = |row: Row| serde_json::to_value(row.view()).unwrap()["met"].as_bool();
        assert_eq!(met(row(15.0, 10.0, Some(Target::RatioAtMost(1.5)))), Some(true));
        assert_eq!(met(row(15.1, 10.0, Some(Target::RatioAtMost(1.5)))), Some(false));
        assert_eq!(met(row(5.0, 10.0, Some(Target::RatioAtLeast(0.5)))), Some(true));
        assert_eq!(met(row(501.0, 10.0, Some(Target::ValueAtMost(500.0)))), Some(false));
        assert_eq!(met(row(1.0, 1.0, None)), None);
        let noisy = Row { noise_percent: 30.0, ..row(5.0, 10.0, Some(Target::RatioAtMost(1.5))) };
        assert_eq!((noisy.cells()[12].as_str(), met(noisy)), ("too noisy", None));
        let value = serde_json::to_value(row(15.0, 10.0, Some(Target::RatioAtMost(1.5))).view()).unwrap();
        assert_eq!((value["ratio"].as_f64(), value["baseline"].as_f64()), (Some(1.5), Some(10.0)));
        assert_eq!(value["target_is"], "ratio at most");
    }

    // The table must stay readable: columns in line, no cell without a heading.
    #[test]
    fn the_table() {
        let text = table(&[row(15.0, 10.0, Some(Target::RatioAtMost(1.5)))]);
        assert_eq!(
            text,
            "\
BENCHMARK  P50 us  BASE  P99 us  BASE  MAX us  OPS/s   BASE  CPU us  BASE  RATIO  TARGET       NOISE  BASE IS
roundtrip    15.0  10.0    30.0  30.0     400  50000  50000       -     -   1.50  <= 1.5  met    1 %  raw
"
        );
    }
}
