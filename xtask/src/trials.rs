//! `cargo xtask trials`: writes what the campaigns have counted into `docs/guarantees.md`.
//!
//! Each campaign keeps a tally among the build's files. A row whose campaign has no tally here stays as it is.

use crate::revisions;
use crate::run::{Outcome, root, target};
use serde_json::Value;
use std::fs;

const BEGIN: &str = "<!-- trials: written by `cargo xtask trials` -->\n";
const END: &str = "<!-- end of trials -->\n";
const HEAD: &str = "\
| Campaign | Promises | Trials | Broken | Bound at 95 % | At commits |
| --- | --- | --- | --- | --- | --- |
";

/// What one campaign has counted.
struct Row {
    campaign: &'static str,
    promises: &'static str,
    trials: String,
    broken: u64,
    bound: String,
}

/// A row, and the commits that it was counted on.
type Dated = (Row, String);

/// How a row is made of a tally; `None` if the tally has not what it needs.
type Reading = fn(&Value) -> Option<Row>;

const READINGS: [(&str, Reading); 6] = [
    ("sim", simulated),
    ("torture", killed),
    ("torture", paused),
    ("models", explored),
    ("fuzz", fuzzed),
    ("bugbank", bugs_found),
];

/// Reads the tallies and rewrites the table.
pub(crate) fn write() -> Outcome {
    let page = root().join("docs/guarantees.md");
    let text = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    let mut rows: Vec<Dated> = Vec::new();
    for (name, reading) in READINGS {
        let file = target().join(format!("{name}.json"));
        let Ok(tally) = fs::read_to_string(&file) else {
            println!("--- no {}: its row stays", file.display());
            continue;
        };
        let tally = serde_json::from_str(&tally).ok();
        let row =
            tally.as_ref().and_then(reading).ok_or_else(|| format!("{} is no tally", file.display()))?;
        rows.push((row, revisions::of(name).unwrap_or_else(|| "-".to_owned())));
    }
    let text = merged(&text, &rows)
        .ok_or_else(|| format!("{} has no place for the table:\n{BEGIN}{END}", page.display()))?;
    fs::write(&page, text).map_err(|error| format!("{}: {error}", page.display()))
}

/// The page with these rows instead of those of the same campaigns; new ones come last. `None` without a place for them.
fn merged(page: &str, rows: &[Dated]) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (table, after) = rest.split_once(END)?;
    let mut lines: Vec<String> = table.lines().skip(2).map(str::to_owned).collect();
    for (Row { campaign, promises, trials, broken, bound }, commits) in rows {
        let line = format!("| {campaign} | {promises} | {trials} | {broken} | {bound} | {commits} |");
        match lines.iter_mut().find(|line| line.starts_with(&format!("| {campaign} |"))) {
            Some(there) => *there = line,
            None => lines.push(line),
        }
    }
    let table: String = lines.into_iter().map(|line| line + "\n").collect();
    Some(format!("{before}{BEGIN}{HEAD}{table}{END}{after}"))
}

/// The highest share of trials that break a promise, when none of those counted did (the rule of three).
fn bound(trials: u64, broken: u64) -> String {
    if broken > 0 || trials < 3 { "none".to_owned() } else { format!("below 1 in {}", grouped(trials / 3)) }
}

/// With commas between the thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let chunks: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|it| std::str::from_utf8(it).ok()).collect();
    chunks.join(",")
}

fn count(tally: &Value, field: &str) -> Option<u64> {
    tally.get(field)?.as_u64()
}

fn simulated(tally: &Value) -> Option<Row> {
    let (takeovers, runs) = (count(tally, "takeovers")?, count(tally, "runs")?);
    let broken = tally.get("violations")?.as_array()?.len() as u64;
    Some(Row {
        campaign: "`xtask sim`: takeovers in drawn schedules",
        promises: "S1 to S9, S14, L1 to L3, T1, T2",
        trials: format!("{} in {} runs", grouped(takeovers), grouped(runs)),
        broken,
        bound: bound(takeovers, broken),
    })
}

fn killed(tally: &Value) -> Option<Row> {
    let kills: u64 = tally.get("kills")?.as_object()?.values().filter_map(Value::as_u64).sum();
    let (takeovers, requests) = (count(tally, "takeovers")?, count(tally, "requests")?);
    let fields = ["lost", "doubled", "errors", "stale", "other"];
    let broken = fields.iter().map(|field| count(tally, field)).sum::<Option<u64>>()?;
    Some(Row {
        campaign: "`xtask torture`: kills of real processes",
        promises: "S1 to S8, L1 to L3, T1, T2",
        trials: format!(
            "{}; {} takeovers, {} requests",
            grouped(kills),
            grouped(takeovers),
            grouped(requests)
        ),
        broken,
        bound: bound(kills, broken),
    })
}

fn paused(tally: &Value) -> Option<Row> {
    let (pauses, stale) = (count(tally, "pauses")?, count(tally, "stale")?);
    Some(Row {
        campaign: "`xtask torture`: pauses of real processes",
        promises: "S1, S7",
        trials: grouped(pauses),
        broken: stale,
        bound: bound(pauses, stale),
    })
}

fn explored(tally: &Value) -> Option<Row> {
    let models = tally.as_array()?;
    let states = models.iter().map(|model| count(model, "unique_states")).sum::<Option<u64>>()?;
    let broken =
        models.iter().filter_map(|model| Some(model.get("violations")?.as_array()?.len() as u64)).sum();
    let is_whole = models.iter().all(|model| model.get("complete").is_some_and(|it| *it == true));
    Some(Row {
        campaign: "`xtask models`: every order of steps",
        promises: "S1 to S7, S11 to S13",
        trials: format!("{} states of {} models", grouped(states), models.len()),
        broken,
        bound: if is_whole { "complete within its bounds" } else { "cut off" }.to_owned(),
    })
}

fn fuzzed(tally: &Value) -> Option<Row> {
    let total = tally.get("total")?;
    let (inputs, crashes) = (count(total, "executions")?, count(total, "crashes")?);
    let minutes = count(total, "processor_us")? / 60_000_000;
    let targets = tally.get("targets")?.as_object()?.len();
    let groups = tally.get("groups")?.as_object()?;
    let least = groups.values().filter_map(|group| count(group, "processor_us")).min()? / 60_000_000;
    Some(Row {
        campaign: "`xtask fuzz`: inputs of decoders",
        promises: "S17",
        trials: format!(
            "{} for {targets} decoders in {} minutes of a processor; of {} groups of decoders each had {least} or more",
            grouped(inputs),
            grouped(minutes),
            groups.len()
        ),
        broken: crashes,
        bound: "coverage, not chance".to_owned(),
    })
}

fn bugs_found(tally: &Value) -> Option<Row> {
    let (patches, found, median) =
        (count(tally, "patches")?, count(tally, "found")?, count(tally, "median_seed")?);
    Some(Row {
        campaign: "`xtask bugbank`: bugs put back",
        promises: "the simulator itself",
        trials: format!("{patches}, found at a median of {median} seeds"),
        broken: patches.saturating_sub(found),
        bound: "-".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(campaign: &'static str, trials: u64, commits: &str) -> Dated {
        let (trials, bound) = (grouped(trials), bound(trials, 0));
        (Row { campaign, promises: "S1", trials, broken: 0, bound }, commits.to_owned())
    }

    #[test]
    fn rows_are_written_over_and_added_and_others_stay() {
        let page = format!("a\n{BEGIN}{END}b\n");
        let page = merged(&page, &[row("one", 30, "c1"), row("two", 6, "c1")]).unwrap();
        let page = merged(&page, &[row("three", 0, "c2"), row("one", 3_000_000, "c1, c2")]).unwrap();
        let table = "\
| one | S1 | 3,000,000 | 0 | below 1 in 1,000,000 | c1, c2 |
| two | S1 | 6 | 0 | below 1 in 2 | c1 |
| three | S1 | 0 | 0 | none | c2 |
";
        assert_eq!(page, format!("a\n{BEGIN}{HEAD}{table}{END}b\n"));
        assert_eq!(merged("a page without a place", &[]), None);
    }

    #[test]
    fn tallies_are_read_or_refused() {
        let tally = serde_json::json!({ "takeovers": 9, "runs": 2, "violations": [[1, "S2"]] });
        let row = simulated(&tally).unwrap();
        assert_eq!((row.trials.as_str(), row.broken, row.bound.as_str()), ("9 in 2 runs", 1, "none"));
        assert!(READINGS.iter().all(|(_, reading)| reading(&serde_json::json!({ "other": 1 })).is_none()));
    }
}
