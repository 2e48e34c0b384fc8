//! Writes a way to a broken promise as a plan of `pollux-sim`, so that it can be played, made small and kept.
//!
//! A plan says which faults come when; who is next is a fixed order or drawn from a seed. Not every order of a model check
//! can be written so. What is written has the same faults in the same order and breaks the same promise.

use crate::pair::{Action, PairModel};
use pollux_sim::bugs::Bug;
use pollux_sim::plan::{Fault, Plan, Schedule, When};
use pollux_sim::run::run;
use std::panic::catch_unwind;

/// Steps after the fault before it at which a fault is tried in the fixed order.
const AFTER_MAX: u32 = 60;
/// Drawn orders that are tried, and places of the faults in each.
const SEEDS: u64 = 200;
const PLACES: u32 = 12;

/// A plan with the faults of this way that breaks the promise, if there is one that can be written.
pub fn expressed(model: &PairModel, way: &[Action], promise: &str) -> Option<Plan> {
    let mut faults = Vec::new();
    for action in way {
        match action {
            Action::Fault(fault) => faults.push(*fault),
            // The coordinator's outages and slow halves have no place of their own in a plan.
            Action::Outage(..) => return None,
            _ => {}
        }
    }
    let mut plan = Plan { name: format!("a model check found {promise} broken"), ..model.plan.clone() };
    if let Some(found) = place(&mut plan, &faults, AFTER_MAX, promise, model.bug) {
        return Some(found);
    }
    (0..SEEDS).find_map(|seed| {
        plan.schedule = Schedule::Drawn(seed);
        place(&mut plan, &faults, PLACES, promise, model.bug)
    })
}

/// Tries the faults one after the other at every place.
fn place(plan: &mut Plan, faults: &[Fault], places: u32, promise: &str, bug: Bug) -> Option<Plan> {
    let Some((first, rest)) = faults.split_first() else {
        return (broken_by(plan, bug)? == promise).then(|| plan.clone());
    };
    (0..places).find_map(|after| {
        plan.faults.push((When { after, mark: None }, *first));
        let found = place(plan, rest, places, promise, bug);
        plan.faults.pop();
        found
    })
}

fn broken_by(plan: &Plan, bug: Bug) -> Option<String> {
    let violation = catch_unwind(|| run(plan, bug).violation).unwrap_or(Some("assertion".to_owned()))?;
    Some(violation.split(':').next().unwrap_or_default().to_owned())
}
