//! A world of servers over the production machines, driven by a plan of faults.
//!
//! What this decides: what happens when, from a seed or from an enumeration. What it does not: what is right; that is
//! `checks`. Everything is deterministic: the same plan and seed give the same run, so a seed is a bug report.
//!
//! A run has two phases. First faults and changes, with the safety checks after each event; then everything heals, and the
//! domain must become whole: one acting master, the first live server of the list, all in step, a change succeeds.

mod bugs;
mod checks;
mod exhaustive;
mod plan;
mod random;
mod world;

pub use bugs::Bug;
pub use checks::Violation;
pub use exhaustive::{Bounds, exhaustive};
pub use plan::{Action, Plan, Wish};
pub use random::Random;
pub use world::{Report, Sometimes};

use crate::succession::{Mode, Timing};

/// The times of simulated domains; ratios as in the defaults, but for a shorter `stable`.
pub const TIMING: Timing = Timing { beat: 10, fence: 30, deadline: 40, rank: 5, stable: 60, answer: 15 };

/// Runs one plan.
pub fn run(plan: &Plan, bug: Option<Bug>) -> Report {
    world::World::new(plan, bug).run()
}

/// Runs one plan and tells what every server did, one line each, but for what is regular.
pub fn trace(plan: &Plan, bug: Option<Bug>) -> (Report, Vec<String>) {
    world::World::new(plan, bug).traced()
}

/// Runs the plan that a seed stands for.
pub fn run_seed(mode: Mode, seed: u64, bug: Option<Bug>) -> Report {
    run(&Plan::random(mode, seed), bug)
}

#[cfg(test)]
mod tests;
