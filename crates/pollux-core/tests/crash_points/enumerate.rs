//! Runs a scenario in a fixed order of steps, once without a fault and then with faults at every place.

use crate::checks::{check, check_end};
use crate::scenario::{Bug, FAULTS, Fault, Scenario};
use crate::world::{Step, World};

/// A run that takes longer than any good one hangs.
const STEPS_MAX: u32 = 2_000;

/// How much was played.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Count {
    pub(crate) steps_without_fault: u32,
    pub(crate) runs: u64,
    pub(crate) faults: u64,
}

/// A promise that is not kept, and how to get there.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) what: String,
    pub(crate) faults: Vec<(u32, Fault)>,
}

/// A world and the place in the fixed order: round and round through the steps that are possible.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) world: World,
    last: Option<Step>,
}

impl Run {
    /// The scenario up to where its requesters begin.
    pub(crate) fn new(scenario: &Scenario, bug: Bug) -> Result<Self, String> {
        let mut run = Self { world: World::new(scenario, bug), last: None };
        if scenario.whole {
            while run.step()? {}
            assert!(run.world.is_whole(), "a pair without faults becomes whole");
        }
        run.world.begin();
        Ok(run)
    }

    /// The next step in the fixed order; false when there is none left.
    pub(crate) fn step(&mut self) -> Result<bool, String> {
        loop {
            let to_come = self.world.pass_time();
            if let Some(step) = self.next() {
                self.last = Some(step);
                self.world.perform(step);
                check(&self.world)?;
                return if self.world.now < STEPS_MAX { Ok(true) } else { Err("L1: no end".into()) };
            }
            if to_come {
                self.world.now += 1;
            } else if !self.world.lose_patience() {
                return Ok(false);
            }
        }
    }

    /// The first possible step after the last one, in the order of [`Step`], or else the first of all.
    fn next(&self) -> Option<Step> {
        let (mut first, mut after) = (None, None);
        self.world.each_possible(|step| {
            let slot = if Some(step) > self.last { &mut after } else { &mut first };
            if slot.is_none_or(|found| step < found) {
                *slot = Some(step);
            }
        });
        after.or(first)
    }
}

/// Plays the scenario with no fault, with each fault at each place, with each second fault at each later place, and so on.
pub(crate) fn enumerate(scenario: &Scenario, bug: Bug, faults_max: u32) -> Result<Count, Violation> {
    let mut count = Count::default();
    let mut faults = Vec::new();
    let run = Run::new(scenario, bug).map_err(|what| Violation { what, faults: Vec::new() })?;
    play(run, faults_max, &mut faults, &mut count)?;
    Ok(count)
}

fn play(
    mut run: Run,
    faults_left: u32,
    faults: &mut Vec<(u32, Fault)>,
    count: &mut Count,
) -> Result<(), Violation> {
    count.runs += 1;
    loop {
        if faults_left > 0 {
            for fault in FAULTS {
                let mut branch = run.clone();
                if branch.world.inject(fault) {
                    count.faults += 1;
                    faults.push((run.world.now, fault));
                    play(branch, faults_left - 1, faults, count)?;
                    faults.pop();
                }
            }
        }
        let violation = |what| Violation { what, faults: faults.clone() };
        if !run.step().map_err(violation)? {
            break;
        }
    }
    if faults.is_empty() {
        count.steps_without_fault = run.world.now;
        let epoch = run.world.record.as_ref().map_or(0, |record| record.epoch.0);
        assert_eq!(
            epoch, run.world.scenario.epoch_at_end,
            "{}: the story is told to its end",
            run.world.scenario.name
        );
    }
    check_end(&run.world).map_err(|what| Violation { what, faults: faults.clone() })
}
