//! The generated part of docs/performance.md: a table and the plots of each benchmark.

use super::charts::Chart;
use super::rows::{Row, Target, groups};
use std::fs;

const BEGIN: &str = "<!-- results: written by cargo xtask performance -->";
const END: &str = "<!-- end of results -->";

/// The page with the results between its markers.
pub(super) fn filled(page: &str, rows: &[Row], charts: &[Chart], machine: &str) -> Result<String, String> {
    let missing = |marker: &str| format!("docs/performance.md lacks the line {marker}");
    let (before, rest) = page.split_once(BEGIN).ok_or_else(|| missing(BEGIN))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| missing(END))?;
    Ok(format!("{before}{BEGIN}\n\n{}{END}{after}", results(rows, charts, machine)))
}

fn results(rows: &[Row], charts: &[Chart], machine: &str) -> String {
    let with_target = rows.iter().filter(|row| row.target.is_some()).count();
    let count = |met: Option<bool>| rows.iter().filter(|row| row.target.is_some() && row.met == met).count();
    let mut text = format!(
        "Measured on: {machine}.\n\n{} rows, {with_target} of them with a target: {} met, {} not met, {} not judged (too noisy, or not measured).\n\n",
        rows.len(),
        count(Some(true)),
        count(Some(false)),
        count(None),
    );
    for (group, rows) in groups(rows) {
        text.push_str(&format!("### {}\n\n", cell(&group)));
        text.push_str("| Row | Pollux | p50 / p99 us | CPU us | MiB | Beside it | p50 / p99 us | CPU us | Ratio | Target | |\n");
        text.push_str("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
        rows.iter().for_each(|row| text.push_str(&line(row)));
        text.push('\n');
        for chart in charts.iter().filter(|chart| chart.group == group) {
            text.push_str(&format!("![{}](performance/{})\n\n", cell(&chart.title), chart.file));
        }
        for row in rows.iter().filter(|row| row.value.is_some()) {
            if let Some(note) = &row.note {
                text.push_str(&format!("* {}: {}\n", cell(row.label()), cell(note)));
            }
        }
        if text.ends_with("\n\n") {
            continue;
        }
        text.push('\n');
    }
    text
}

fn line(row: &Row) -> String {
    let Some(value) = row.value else {
        let why = row.note.as_deref().unwrap_or("no reason was given");
        return format!("| {} | not measured: {} | | | | | | | | | |\n", cell(row.label()), cell(why));
    };
    let times = |p50: Option<f64>, p99: Option<f64>| match (p50, p99) {
        (Some(p50), Some(p99)) => format!("{} / {}", number(p50), number(p99)),
        _ => "-".to_owned(),
    };
    let optional = |count: Option<f64>| count.map_or("-".to_owned(), number);
    let spread =
        row.figure.spread_percent.map(|spread| format!(" ±{:.0} %", spread / 2.0)).unwrap_or_default();
    let beside = match (row.baseline, &row.baseline_name) {
        (Some(baseline), Some(name)) => format!("{} {}: {}", number(baseline), cell(&row.unit), cell(name)),
        (Some(baseline), None) => format!("{} {}", number(baseline), cell(&row.unit)),
        (None, Some(name)) => format!("not measured: {}", cell(name)),
        (None, None) => "-".to_owned(),
    };
    let base = row.baseline_figure.clone().unwrap_or_default();
    let verdict = match (row.met, row.target) {
        (Some(true), _) => "met".to_owned(),
        (Some(false), _) => "**not met**".to_owned(),
        (None, Some(_)) => format!("too noisy ({} %)", optional(row.noise_percent)),
        (None, None) => String::new(),
    };
    format!(
        "| {} | {} {}{spread} | {} | {} | {} | {beside} | {} | {} | {} | {} | {verdict} |\n",
        cell(row.label()),
        number(value),
        cell(&row.unit),
        times(row.figure.p50_us, row.figure.p99_us),
        optional(row.figure.cpu_us),
        optional(row.figure.memory_mib),
        times(base.p50_us, base.p99_us),
        optional(base.cpu_us),
        row.ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
        target(row).unwrap_or_else(|| "-".to_owned()),
    )
}

/// A target as a reader takes it.
fn target(row: &Row) -> Option<String> {
    Some(match row.target? {
        Target::ValueAtMost(most) => format!("at most {} {}", number(most), cell(&row.unit)),
        Target::RatioAtMost(most) => format!("ratio at most {most}"),
        Target::RatioAtLeast(least) => format!("ratio at least {least}"),
    })
}

/// Three digits that mean something.
pub(super) fn number(number: f64) -> String {
    match number.abs() {
        size if size >= 1e6 => format!("{:.2} M", number / 1e6),
        size if size >= 1e4 => format!("{:.1} k", number / 1e3),
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    let mut safe = String::new();
    for letter in text.trim().chars() {
        match letter {
            '|' => safe.push_str("\\|"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '*' | '_' | '`' | '[' | ']' | '\\' => safe.extend(['\\', letter]),
            '\n' | '\r' => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

/// The machine that this runs on, in words.
pub(super) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        text.lines()
            .find(|line| line.starts_with(name))
            .and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let model = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".to_owned());
    let kib = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or(0);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{processors} processors ({model}), {} GiB, Linux {}", kib / 1024 / 1024, kernel.trim())
}
