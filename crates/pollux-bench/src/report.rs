//! What was measured, as a table for people and as JSON for programs.

use crate::noise::NOISE_PERCENT_MAX;
use crate::numbers::Samples;
use crate::placement::processors_allowed;
use anyhow::Result;
use serde::Serialize;
use std::io::{Write, stdout};

/// One side of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    pub(crate) per_second: Option<f64>,
    /// Processor time of all processes together, for each request.
    pub(crate) cpu_us: Option<f64>,
    /// What is not a time of a request: see [`Value::Amount`].
    pub(crate) amount: Option<f64>,
    /// Resident memory of the servers in MiB.
    pub(crate) memory_mib: Option<f64>,
    /// How far the rounds lie apart: the range of their times per request, as a share of the median.
    pub(crate) spread_percent: Option<f64>,
    pub(crate) samples: usize,
}

impl Figure {
    /// All of them together: one part has too few for a percentile of its own.
    pub(crate) fn of_samples<'a>(parts: impl IntoIterator<Item = &'a Samples>) -> Self {
        let mut all = Samples::default();
        parts.into_iter().for_each(|part| all.append(part));
        Self {
            p50_us: all.quantile_us(0.5),
            p99_us: all.quantile_us(0.99),
            max_us: all.max_us(),
            samples: all.len(),
            ..Self::default()
        }
    }

    /// A figure that is one number and no time of requests.
    pub(crate) fn of_amount(amount: f64, samples: usize) -> Self {
        Self { amount: Some(amount), samples, ..Self::default() }
    }
}

/// Which number of a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    P50,
    P99,
    PerSecond,
    /// Processor time for each request.
    Cpu,
    /// The figure's amount, in this unit.
    Amount(&'static str),
}

impl Value {
    /// `None` if the figure does not have it.
    fn of(self, figure: &Figure) -> Option<f64> {
        match self {
            Value::P50 => Some(figure.p50_us),
            Value::P99 => Some(figure.p99_us),
            Value::PerSecond => figure.per_second,
            Value::Cpu => figure.cpu_us,
            Value::Amount(_) => figure.amount,
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Value::P50 | Value::P99 => "us",
            Value::PerSecond => "requests/s",
            Value::Cpu => "us of processor per request",
            Value::Amount(unit) => unit,
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
    /// What a reader must know of it; for a row without a figure, why there is none.
    pub(crate) note: Option<String>,
}

impl Row {
    /// A row that could not be measured, and why.
    pub(crate) fn missing(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: Value::Amount("-"),
            figure: Figure::default(),
            baseline: None,
            target: None,
            noise_percent: 0.0,
            note: Some(why.into()),
        }
    }
}

/// The fields of `--json`: a promise to scripts.
#[derive(Serialize)]
struct View<'a> {
    name: &'a str,
    /// None for a row that could not be measured; `note` says why.
    value: Option<f64>,
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
    note: Option<&'a str>,
    figure: &'a Figure,
    baseline_figure: Option<&'a Figure>,
}

impl Row {
    fn view(&self) -> View<'_> {
        let value = self.value.of(&self.figure);
        let baseline = self.baseline.as_ref().and_then(|(_, figure)| self.value.of(figure));
        let ratio = baseline.filter(|baseline| *baseline > 0.0).and_then(|baseline| Some(value? / baseline));
        let (target, target_is, met) = match self.target {
            None => (None, None, None),
            Some(Target::ValueAtMost(most)) => {
                (Some(most), Some("value at most"), value.map(|value| value <= most))
            }
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
            note: self.note.as_deref(),
            figure: &self.figure,
            baseline_figure: self.baseline.as_ref().map(|(_, figure)| figure),
        }
    }

    fn is_noisy(&self) -> bool {
        self.noise_percent > NOISE_PERCENT_MAX
    }

    fn cells(&self) -> [String; HEADINGS.len()] {
        let view = self.view();
        let of_times = |number: fn(&Figure) -> f64| {
            figure_text((self.figure.p50_us > 0.0).then(|| number(&self.figure)))
        };
        let unit = match self.value {
            Value::Cpu => "us CPU",
            value => value.unit(),
        };
        let target = match self.target {
            None => "-".to_owned(),
            Some(Target::ValueAtMost(most)) => format!("<= {most} {unit}"),
            Some(Target::RatioAtMost(most)) => format!("<= {most} x"),
            Some(Target::RatioAtLeast(least)) => format!(">= {least} x"),
        };
        let verdict = match (view.met, self.target, view.value) {
            (_, _, None) => "not measured",
            (Some(true), ..) => "met",
            (Some(false), ..) => "NOT MET",
            (None, Some(_), _) => "too noisy",
            (None, None, _) => "-",
        };
        let remark = match (view.baseline_name, view.note) {
            (Some(name), Some(note)) => format!("{name}; {note}"),
            (name, note) => name.or(note).unwrap_or("-").to_owned(),
        };
        [
            self.name.clone(),
            figure_text(view.value),
            figure_text(view.baseline),
            unit.to_owned(),
            view.ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
            target,
            verdict.to_owned(),
            of_times(|figure| figure.p50_us),
            of_times(|figure| figure.p99_us),
            of_times(|figure| figure.max_us),
            figure_text(self.figure.per_second),
            figure_text(self.figure.cpu_us),
            figure_text(self.figure.memory_mib),
            self.figure.spread_percent.map_or("-".to_owned(), |spread| format!("{spread:.0} %")),
            format!("{:.0} %", self.noise_percent),
            remark,
        ]
    }
}

const HEADINGS: [&str; 16] = [
    "BENCHMARK",
    "VALUE",
    "BASE",
    "UNIT",
    "RATIO",
    "TARGET",
    "",
    "P50 us",
    "P99 us",
    "MAX us",
    "OPS/s",
    "CPU us",
    "MEM MiB",
    "SPREAD",
    "NOISE",
    "BASE IS",
];
/// Columns of words, to the left.
const COLUMNS_OF_WORDS: [usize; 5] = [0, 3, 5, 6, 15];

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
        "\n{processors} processors. CPU us: all processes together, for each request. MEM: the servers. SPREAD: of the rounds. NOISE: share taken by others."
    )?;
    Ok(())
}

/// Text to the left, numbers to the right.
fn table(rows: &[Row]) -> String {
    let mut lines = vec![HEADINGS.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| row.cells().to_vec()));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cell = |(column, cell): (usize, &String)| {
            if COLUMNS_OF_WORDS.contains(&column) {
                format!("{cell:<0$}", widths[column])
            } else {
                format!("{cell:>0$}", widths[column])
            }
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
            samples: 9,
            ..Figure::default()
        };
        let baseline = Some(("raw", figure(base)));
        Row {
            name: "roundtrip".to_owned(),
            value: Value::P50,
            figure: figure(p50_us),
            baseline,
            target,
            noise_percent: 1.2,
            note: None,
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
        assert_eq!((noisy.cells()[6].as_str(), met(noisy)), ("too noisy", None));
        let value = serde_json::to_value(row(15.0, 10.0, Some(Target::RatioAtMost(1.5))).view()).unwrap();
        assert_eq!((value["ratio"].as_f64(), value["baseline"].as_f64()), (Some(1.5), Some(10.0)));
        assert_eq!(value["target_is"], "ratio at most");
    }

    // What could not be measured must not look like a figure, nor like a failure.
    #[test]
    fn a_missing_row_says_why() {
        let missing = Row::missing("scale", "no descriptors");
        let value = serde_json::to_value(missing.view()).unwrap();
        assert!(value["value"].is_null() && value["met"].is_null());
        assert_eq!(value["note"], "no descriptors");
        assert_eq!(missing.cells()[6], "not measured");
    }

    // A unit that does not belong to its number makes the row a lie.
    #[test]
    fn the_value_that_counts() {
        let figure = Figure { cpu_us: Some(4.0), ..Figure::of_amount(2.5, 1) };
        assert_eq!(Value::Cpu.of(&figure), Some(4.0));
        assert_eq!((Value::Amount("MiB").of(&figure), Value::Amount("MiB").unit()), (Some(2.5), "MiB"));
        assert_eq!(Value::PerSecond.of(&figure), None);
    }

    // The table must stay readable: columns in line, no cell without a heading.
    #[test]
    fn the_table() {
        let text = table(&[row(15.0, 10.0, Some(Target::RatioAtMost(1.5)))]);
        assert_eq!(
            text,
            "\
BENCHMARK  VALUE  BASE  UNIT  RATIO  TARGET         P50 us  P99 us  MAX us  OPS/s  CPU us  MEM MiB  SPREAD  NOISE  BASE IS
roundtrip   15.0  10.0  us     1.50  <= 1.5 x  met    15.0    30.0     400  50000       -        -       -    1 %  raw
"
        );
    }
}
