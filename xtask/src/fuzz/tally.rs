//! The tally over all runs: processor time, executions and crashes of each target.

use super::engine::Groups;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What was done with one target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    processor_us: u64,
    executions: u64,
    /// Whose inputs still break a promise, or were not tried again yet.
    crashes: u64,
}

/// The sums.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    targets: BTreeMap<String, Sum>,
}

impl Tally {
    /// The tally in a file; empty if there is none.
    pub(super) fn read(file: PathBuf) -> Result<Self, String> {
        match fs::read_to_string(&file) {
            Ok(text) => {
                Self::from_json(&text).ok_or_else(|| format!("{} is no tally: move it away", file.display()))
            }
            Err(_) => Ok(Self::default()),
        }
    }

    fn from_json(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let mut tally = Self::default();
        for (name, sum) in value.get("targets")?.as_object()? {
            let number = |field: &str| sum.get(field)?.as_u64();
            let sum = Sum {
                processor_us: number("processor_us")?,
                executions: number("executions")?,
                crashes: number("crashes")?,
            };
            tally.targets.insert(name.clone(), sum);
        }
        Some(tally)
    }

    /// Adds what a slice did.
    pub(super) fn add(&mut self, name: &str, processor_us: u64, executions: u64, crashes: u64) {
        let sum = self.targets.entry(name.to_owned()).or_default();
        sum.processor_us += processor_us;
        sum.executions += executions;
        sum.crashes += crashes;
    }

    /// Takes off a crash whose input keeps every promise by now.
    pub(super) fn mended(&mut self, name: &str) {
        if let Some(sum) = self.targets.get_mut(name) {
            sum.crashes = sum.crashes.saturating_sub(1);
        }
    }

    /// Writes the file, at one stroke: a run that is cut leaves the tally before or behind.
    pub(super) fn write(&self, file: PathBuf, groups: &Groups) -> Result<(), String> {
        let failed = |path: &Path, error: std::io::Error| format!("cannot write {}: {error}", path.display());
        let new = file.with_extension("json.new");
        fs::write(&new, self.to_json(groups)).map_err(|error| failed(&new, error))?;
        fs::rename(&new, &file).map_err(|error| failed(&file, error))
    }

    /// For programs.
    pub(super) fn to_json(&self, groups: &Groups) -> String {
        let total = self.sum(self.targets.keys());
        let object = |sum: &Sum| json!({ "processor_us": sum.processor_us, "executions": sum.executions, "crashes": sum.crashes });
        let targets: serde_json::Map<String, Value> =
            self.targets.iter().map(|(name, sum)| (name.clone(), object(sum))).collect();
        let groups: serde_json::Map<String, Value> =
            groups.iter().map(|(name, members)| (name.clone(), object(&self.sum(members)))).collect();
        format!("{:#}\n", json!({ "targets": targets, "groups": groups, "total": object(&total) }))
    }

    /// For people: the targets named, the groups, and the total of all.
    pub(super) fn to_table(&self, names: &[String], groups: &Groups) -> String {
        let mut text = format!("{:<20} {:>12} {:>14} {:>8}\n", "target", "processor s", "inputs", "crashes");
        let mut line = |name: &str, sum: &Sum| {
            let seconds = sum.processor_us as f64 / 1e6;
            let _ = writeln!(text, "{name:<20} {seconds:>12.1} {:>14} {:>8}", sum.executions, sum.crashes);
        };
        for (name, sum) in self.targets.iter().filter(|(name, _)| names.contains(name)) {
            line(name, sum);
        }
        for (group, members) in groups {
            line(&format!("group {group}"), &self.sum(members));
        }
        line("all of all runs", &self.sum(self.targets.keys()));
        text
    }

    /// What these have had in all runs.
    pub(super) fn processor_us(&self, names: &[String]) -> u64 {
        self.sum(names).processor_us
    }

    fn sum<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> Sum {
        let sums = names.into_iter().filter_map(|name| self.targets.get(name));
        sums.fold(Sum::default(), |all, sum| Sum {
            processor_us: all.processor_us + sum.processor_us,
            executions: all.executions + sum.executions,
            crashes: all.crashes + sum.crashes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Hours of a campaign that was cut must count for the next one.
    #[test]
    fn sums_add_up_over_runs() {
        let mut tally = Tally::default();
        tally.add("ring", 1_500_000, 10, 0);
        tally.add("ring", 500_000, 5, 1);
        tally.add("nof", 1, 1, 0);
        let groups = Groups::from([("frames".to_owned(), vec!["ring".to_owned(), "channel".to_owned()])]);
        let mut again = Tally::from_json(&tally.to_json(&groups)).unwrap();
        assert_eq!(again, tally);
        again.add("nof", 9, 9, 0);
        assert_eq!(
            again.sum(again.targets.keys()),
            Sum { processor_us: 2_000_010, executions: 25, crashes: 1 }
        );
        assert_eq!(again.processor_us(&groups["frames"]), 2_000_000);
        let mut mended = again.clone();
        mended.mended("ring");
        mended.mended("nof");
        assert_eq!(mended.sum(mended.targets.keys()).crashes, 0);
        let table = again.to_table(&["ring".to_owned()], &groups);
        for line in [
            "ring                          2.0             15        1",
            "group frames                  2.0             15        1",
        ] {
            assert!(table.contains(line), "{table}");
        }
        assert_eq!(Tally::from_json("{}"), None);
    }
}
