//! Counts that add up over campaigns, in a file.

use super::Problem;
use pollux_sim::kept;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Of the kills of primaries this share must have caused a takeover, in percent: a campaign that caused fewer was blind. A few cause
/// none: the CPU of a pair whose halves have just changed places.
const TAKEOVERS_PERCENT_MIN: u64 = 90;

/// Of the words of a failure so much is kept.
const LINE_CHARS_MAX: usize = 400;

/// What was done and seen so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The seed to go on with.
    pub next_seed: u64,
    /// Rounds.
    pub rounds: u64,
    /// Milliseconds they took.
    pub milliseconds: u64,
    /// Kills, by who was killed.
    pub kills: BTreeMap<String, u64>,
    /// Pauses.
    pub pauses: u64,
    /// Exchanges of roles on request.
    pub switches: u64,
    /// Takeovers: the backup on record is the primary on record afterwards, and was not asked for it.
    pub takeovers: u64,
    /// Kills that must cause a takeover.
    pub takeovers_due: u64,
    /// Special faults, by kind.
    pub specials: BTreeMap<String, u64>,
    /// Special faults that this machine does not allow, and why.
    pub skipped: BTreeMap<String, String>,
    /// Things that hostile clients did.
    pub hostile: u64,
    /// Losses of both halves that were told as what they are.
    pub losses_told: u64,
    /// Requests.
    pub requests: u64,
    /// Histories of a pair that were judged.
    pub histories: u64,
    /// Of these: with a register that had too many requests to look for an order.
    pub too_long: u64,
    /// Acknowledged and lost (S2, S4).
    pub lost: u64,
    /// Done twice, or answered as if (S3, S8).
    pub doubled: u64,
    /// Errors that a requester saw, or answers it never got (T1, L1 to L3).
    pub errors: u64,
    /// Stale replies (S1, S7).
    pub stale: u64,
    /// Other broken promises.
    pub other: u64,
    /// Rounds in which the tester failed.
    pub harness: u64,
    /// Seeds of rounds that failed, and how.
    pub failures: Vec<(u64, String)>,
}

impl Tally {
    /// From a file; an empty one that begins with `seed` if there is none.
    pub fn load(file: Option<&Path>, seed: u64) -> Result<Self, String> {
        Ok(kept::load(file)?.unwrap_or_else(|| Self { next_seed: seed, ..Self::default() }))
    }

    /// All kills.
    pub fn all_kills(&self) -> u64 {
        self.kills.values().sum()
    }

    /// Takes in what one round did.
    pub fn add(&mut self, round: &Self) {
        let sum = |into: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>| {
            from.iter().for_each(|(kind, count)| *into.entry(kind.clone()).or_default() += count);
        };
        sum(&mut self.kills, &round.kills);
        sum(&mut self.specials, &round.specials);
        self.skipped.extend(round.skipped.clone());
        self.rounds += round.rounds;
        self.milliseconds += round.milliseconds;
        self.pauses += round.pauses;
        self.switches += round.switches;
        self.takeovers += round.takeovers;
        self.takeovers_due += round.takeovers_due;
        self.hostile += round.hostile;
        self.losses_told += round.losses_told;
        self.requests += round.requests;
        self.histories += round.histories;
        self.too_long += round.too_long;
        self.lost += round.lost;
        self.doubled += round.doubled;
        self.errors += round.errors;
        self.stale += round.stale;
        self.other += round.other;
        self.harness += round.harness;
        self.failures.extend(round.failures.iter().cloned());
    }

    /// Counts what went wrong in the round of a seed.
    pub fn note(&mut self, seed: u64, problem: &Problem) {
        match problem {
            Problem::Harness(_) => self.harness += 1,
            Problem::Broken(what) => {
                let promise =
                    what.split([':', ' ']).find(|word| word.len() == 2 && word.starts_with(['S', 'T', 'L']));
                *match promise.unwrap_or_default() {
                    "S2" | "S4" => &mut self.lost,
                    "S3" | "S8" => &mut self.doubled,
                    "T1" | "L1" | "L2" | "L3" => &mut self.errors,
                    "S1" | "S7" => &mut self.stale,
                    _ => &mut self.other,
                } += 1;
            }
        }
        // The logs that come with it are in the folder of the failure.
        let words = problem.to_string();
        let line = words.lines().next().unwrap_or_default();
        self.failures.push((seed, line.chars().take(LINE_CHARS_MAX).collect()));
    }

    /// Promises that were broken.
    pub fn broken(&self) -> u64 {
        self.lost + self.doubled + self.errors + self.stale + self.other
    }

    /// True when the kills have caused too few takeovers to have tested them.
    pub fn is_blind(&self) -> bool {
        self.takeovers * 100 < self.takeovers_due * TAKEOVERS_PERCENT_MIN
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.milliseconds as f64 / 1000.0;
        writeln!(f, "{} rounds in {seconds:.0} s, {} requests", self.rounds, self.requests)?;
        let by_kind = |counts: &BTreeMap<String, u64>| {
            let words: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            words.join(", ")
        };
        writeln!(
            f,
            "{} kills ({}), {} pauses, {} switches",
            self.all_kills(),
            by_kind(&self.kills),
            self.pauses,
            self.switches
        )?;
        writeln!(f, "special faults: {}; hostile acts: {}", by_kind(&self.specials), self.hostile)?;
        for (kind, why) in &self.skipped {
            writeln!(f, "skipped: {kind}: {why}")?;
        }
        writeln!(
            f,
            "{} takeovers ({:.1} a second), {} losses of both halves, all told as such",
            self.takeovers,
            self.takeovers as f64 / seconds.max(0.001),
            self.losses_told
        )?;
        writeln!(
            f,
            "{} histories judged, {} with a register that is too long to look for an order",
            self.histories, self.too_long
        )?;
        writeln!(
            f,
            "{} lost, {} doubled, {} errors seen, {} stale replies, {} other broken promises, {} failures of the tester",
            self.lost, self.doubled, self.errors, self.stale, self.other, self.harness
        )?;
        for (seed, what) in &self.failures {
            writeln!(f, "seed {seed}: {what}\n  next: cargo xtask torture --replay {seed}")?;
        }
        if self.is_blind() {
            writeln!(
                f,
                "only {} of {} kills caused a takeover: the campaign was blind",
                self.takeovers, self.takeovers_due
            )?;
        }
        if self.broken() == 0 && self.takeovers > 0 {
            writeln!(
                f,
                "at 95 % confidence fewer than {:.1e} broken promises per takeover",
                3.0 / self.takeovers as f64
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A loss that is counted as something else is a loss that nobody sees.
    #[test]
    fn problems_are_counted_by_their_promise() {
        let mut tally = Tally::default();
        for what in
            ["$A: S2: lost", "$A: S3: twice", "$B: T1: error", "L2: not whole", "$A: S7: stale", "S9: other"]
        {
            tally.note(4, &Problem::Broken(what.to_owned()));
        }
        tally.note(5, &Problem::Harness("no compiler".to_owned()));
        assert_eq!((tally.lost, tally.doubled, tally.errors, tally.stale, tally.other), (1, 1, 2, 1, 1));
        assert_eq!((tally.broken(), tally.harness, tally.failures.len()), (6, 1, 7));
    }

    // A campaign that is cut and goes on must not begin anew, or count twice.
    #[test]
    fn a_tally_goes_on_from_its_file() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("torture.json");
        assert_eq!(Tally::load(Some(&file), 9).unwrap().next_seed, 9);
        let mut round = Tally { rounds: 1, takeovers: 50, takeovers_due: 52, ..Tally::default() };
        round.kills.insert("primary".to_owned(), 60);
        let mut tally = Tally { next_seed: 10, ..Tally::default() };
        tally.add(&round);
        tally.add(&round);
        kept::save(&tally, &file).unwrap();
        let read = Tally::load(Some(&file), 9).unwrap();
        assert_eq!(read, tally);
        assert_eq!((read.all_kills(), read.takeovers, read.rounds, read.next_seed), (120, 100, 2, 10));
        assert!(!read.is_blind());
        std::fs::write(&file, "x").unwrap();
        assert!(Tally::load(Some(&file), 0).unwrap_err().contains("no tally"));
    }

    // A run that did not reach its takeovers has shown nothing.
    #[test]
    fn too_few_takeovers_are_no_pass() {
        assert!(Tally { takeovers: 80, takeovers_due: 100, ..Tally::default() }.is_blind());
        assert!(!Tally { takeovers: 90, takeovers_due: 100, ..Tally::default() }.is_blind());
    }
}
