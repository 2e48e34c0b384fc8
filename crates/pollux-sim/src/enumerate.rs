//! Every crash point: a plan with no fault, with each fault at each place, with each second fault at each later place.

use crate::bugs::Bug;
use crate::plan::{Fault, Harm, Plan, Victim, When};
use crate::run::Run;
use std::sync::Arc;

/// The faults that are put: both halves, killed and stopped; and a backup that nobody but its primary finds hung. Where there is a
/// server, its halves, too, and the loss of a CPU that both have.
const FAULTS: [Fault; 9] = [
    Fault { harm: Harm::Kill, victim: Victim::Primary },
    Fault { harm: Harm::Kill, victim: Victim::Backup },
    Fault { harm: Harm::Pause, victim: Victim::Primary },
    Fault { harm: Harm::Pause, victim: Victim::Backup },
    Fault { harm: Harm::Hang, victim: Victim::Backup },
    Fault { harm: Harm::Kill, victim: Victim::ServerPrimary },
    Fault { harm: Harm::Kill, victim: Victim::ServerBackup },
    Fault { harm: Harm::Pause, victim: Victim::ServerPrimary },
    Fault { harm: Harm::LoseCpu, victim: Victim::ServerPrimary },
];

/// How much was played.
#[derive(Debug, Default, Clone, Copy)]
pub struct Count {
    /// Steps of the plan without a fault.
    pub steps: u32,
    /// Runs.
    pub runs: u64,
    /// Faults in them.
    pub faults: u64,
}

/// A promise that is not kept, and the plan that shows it.
#[derive(Debug)]
pub struct Violation {
    /// Which promise, and how.
    pub what: String,
    /// What to play.
    pub plan: Plan,
}

/// Plays the plan with up to so many faults at every place.
pub fn enumerate(plan: &Plan, bug: Bug, faults_max: u32) -> Result<Count, Box<Violation>> {
    let shared = Arc::new(plan.clone());
    let mut count = Count::default();
    let run = Run::new(&shared, bug).map_err(|what| Box::new(Violation { what, plan: plan.clone() }))?;
    play(run, faults_max, &mut Vec::new(), &mut count)?;
    Ok(count)
}

fn play(
    mut run: Run,
    faults_left: u32,
    faults: &mut Vec<(u32, Fault)>,
    count: &mut Count,
) -> Result<(), Box<Violation>> {
    count.runs += 1;
    loop {
        if faults_left > 0 {
            for fault in FAULTS {
                let mut branch = run.clone();
                if branch.inject(fault) {
                    count.faults += 1;
                    faults.push((run.world.now, fault));
                    play(branch, faults_left - 1, faults, count)?;
                    faults.pop();
                }
            }
        }
        match run.step() {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(what) => return Err(violation(&run, faults, what)),
        }
    }
    if faults.is_empty() {
        count.steps = run.world.now;
        let epoch = run.world.record.as_ref().map_or(0, |record| record.epoch.0);
        if run.world.plan.epoch_at_end.is_some_and(|expected| expected != epoch) {
            return Err(violation(&run, faults, format!("the story is not told to its end: epoch {epoch}")));
        }
    }
    run.check_end().map_err(|what| violation(&run, faults, what))
}

fn violation(run: &Run, faults: &[(u32, Fault)], what: String) -> Box<Violation> {
    let mut plan = Plan::clone(&run.world.plan);
    let mut before = 0;
    for (at, fault) in faults {
        plan.faults.push((When { after: at - before, mark: None }, *fault));
        before = *at;
    }
    Box::new(Violation { what, plan })
}
