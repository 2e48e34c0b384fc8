//! Many seeds, one after the other on each CPU, with counts that a later campaign adds to.

use crate::bugs::Bug;
use crate::run::run;
use crate::sometimes::Sometimes;
use crate::swarm;
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What was played so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The seed to go on with.
    pub next_seed: u64,
    /// Runs.
    pub runs: u64,
    /// Steps in them.
    pub steps: u64,
    /// Faults in them.
    pub faults: u64,
    /// Takeovers that came on record.
    pub takeovers: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Seeds that broke a promise, with what they broke.
    pub violations: Vec<(u64, String)>,
    /// Situations, and in how many runs they were met.
    pub sometimes: Sometimes,
}

impl Tally {
    /// The highest share of takeovers that break a promise, at 95 % confidence, when none of those played did.
    pub fn bound(&self) -> f64 {
        3.0 / self.takeovers.max(1) as f64
    }

    fn add(&mut self, other: &Self) {
        self.next_seed = self.next_seed.max(other.next_seed);
        self.runs += other.runs;
        self.steps += other.steps;
        self.faults += other.faults;
        self.takeovers += other.takeovers;
        self.answered += other.answered;
        self.violations.extend(other.violations.iter().cloned());
        self.sometimes.merge(&other.sometimes);
    }

    fn take_seed(&mut self, seed: u64, bug: Bug) {
        let plan = swarm::plan(seed);
        self.runs += 1;
        self.next_seed = self.next_seed.max(seed + 1);
        let Ok(outcome) = std::panic::catch_unwind(|| run(&plan, bug)) else {
            self.violations.push((seed, "an assertion of the machines fails".to_owned()));
            return;
        };
        self.steps += u64::from(outcome.steps);
        self.faults += outcome.faults as u64;
        self.takeovers += outcome.takeovers;
        self.answered += outcome.answered;
        outcome.met.all().for_each(|situation| self.sometimes.add(situation, 1));
        self.violations.extend(outcome.violation.map(|what| (seed, what)));
    }
}

/// Seeds that a thread takes at a time.
const BATCH: u64 = 64;
/// Violations after which it is pointless to go on.
const VIOLATIONS_MAX: usize = 20;

/// Plays seeds from `tally.next_seed` on until its takeovers have reached `takeovers`. `progress` is called after each batch.
pub fn run_until(
    tally: &mut Tally,
    takeovers: u64,
    bug: Bug,
    threads: usize,
    progress: impl Fn(&Tally) + Sync,
) {
    let next = AtomicU64::new(tally.next_seed);
    let shared = Mutex::new(std::mem::take(tally));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    {
                        let tally = shared.lock().expect("no run panics outside of its own catch");
                        if tally.takeovers >= takeovers || tally.violations.len() >= VIOLATIONS_MAX {
                            break;
                        }
                    }
                    let from = next.fetch_add(BATCH, Ordering::Relaxed);
                    let mut part = Tally::default();
                    (from..from + BATCH).for_each(|seed| part.take_seed(seed, bug));
                    let mut tally = shared.lock().expect("no run panics outside of its own catch");
                    tally.add(&part);
                    progress(&tally);
                }
            });
        }
    });
    *tally = shared.into_inner().expect("no run panics outside of its own catch");
    tally.violations.sort();
}

/// The first of `seeds` that finds the bug, with what it found.
pub fn first_that_finds(bug: Bug, seeds: std::ops::Range<u64>) -> Option<(u64, String)> {
    seeds.into_iter().find_map(|seed| {
        let mut tally = Tally::default();
        tally.take_seed(seed, bug);
        tally.violations.pop()
    })
}
