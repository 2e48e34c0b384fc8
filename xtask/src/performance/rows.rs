//! What the benchmarks have printed. A field that is missing, or is not known here, is no error: the page is made from runs of
//! other ages, too.

use serde_json::Value;

/// One side of a comparison.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Figure {
    /// Microseconds; none for what is no time of requests.
    pub(super) p50_us: Option<f64>,
    pub(super) p99_us: Option<f64>,
    pub(super) cpu_us: Option<f64>,
    pub(super) memory_mib: Option<f64>,
    pub(super) spread_percent: Option<f64>,
}

/// What is hoped for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target {
    ValueAtMost(f64),
    RatioAtMost(f64),
    RatioAtLeast(f64),
}

/// One row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    /// None if it was not measured: then the note says why.
    pub(super) value: Option<f64>,
    pub(super) unit: String,
    pub(super) baseline: Option<f64>,
    pub(super) baseline_name: Option<String>,
    pub(super) ratio: Option<f64>,
    pub(super) target: Option<Target>,
    /// None without a target, and when the machine was too noisy to tell.
    pub(super) met: Option<bool>,
    pub(super) noise_percent: Option<f64>,
    pub(super) note: Option<String>,
    pub(super) figure: Figure,
    pub(super) baseline_figure: Option<Figure>,
}

impl Row {
    /// The benchmark that it belongs to: the first word of its name.
    pub(super) fn group(&self) -> &str {
        self.name.split([' ', ',', ':']).next().unwrap_or_default()
    }

    /// What it is within its benchmark.
    pub(super) fn label(&self) -> &str {
        let rest = self.name[self.group().len()..].trim_start_matches([' ', ',', ':']);
        if rest.is_empty() { &self.name } else { rest }
    }
}

/// All rows, in their order.
pub(super) fn read(text: &str) -> Result<Vec<Row>, String> {
    // What cargo or a progress line has left before the array is not ours.
    let text = text.find("\n[").map_or(text, |at| &text[at..]);
    let array: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    array.as_array().ok_or("not an array of rows")?.iter().map(row).collect()
}

/// The benchmarks in the order in which they first come, each with its rows.
pub(super) fn groups(rows: &[Row]) -> Vec<(String, Vec<Row>)> {
    let mut groups: Vec<(String, Vec<Row>)> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|(name, _)| name == row.group()) {
            Some((_, rows)) => rows.push(row.clone()),
            None => groups.push((row.group().to_owned(), vec![row.clone()])),
        }
    }
    groups
}

fn row(row: &Value) -> Result<Row, String> {
    let text = |field: &str| row[field].as_str().map(str::to_owned);
    let target = match (row["target_is"].as_str(), row["target"].as_f64()) {
        (Some("value at most"), Some(most)) => Some(Target::ValueAtMost(most)),
        (Some("ratio at most"), Some(most)) => Some(Target::RatioAtMost(most)),
        (Some("ratio at least"), Some(least)) => Some(Target::RatioAtLeast(least)),
        _ => None,
    };
    Ok(Row {
        name: text("name").filter(|name| !name.trim().is_empty()).ok_or("a row without a name")?,
        value: row["value"].as_f64(),
        unit: text("unit").unwrap_or_default(),
        baseline: row["baseline"].as_f64(),
        baseline_name: text("baseline_name"),
        ratio: row["ratio"].as_f64(),
        target,
        met: row["met"].as_bool(),
        noise_percent: row["noise_percent"].as_f64(),
        note: text("note"),
        figure: figure(&row["figure"]),
        baseline_figure: row["baseline_figure"].is_object().then(|| figure(&row["baseline_figure"])),
    })
}

fn figure(figure: &Value) -> Figure {
    // A figure that is no time of requests has zeros there.
    let time = |field: &str| figure[field].as_f64().filter(|us| *us > 0.0);
    Figure {
        p50_us: time("p50_us"),
        p99_us: time("p99_us"),
        cpu_us: time("cpu_us"),
        memory_mib: figure["memory_mib"].as_f64(),
        spread_percent: figure["spread_percent"].as_f64(),
    }
}
