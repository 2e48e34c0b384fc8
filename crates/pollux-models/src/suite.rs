//! Which models are explored, within which bounds.
//!
//! The small suite takes tens of seconds and is part of the tests. The large one takes long and is for a night.

use crate::alone::{self, AloneModel};
use crate::explore::{Effort, Explored, explore};
use crate::pair::{self, PairModel};
use crate::scenario::expressed;
use crate::succession::{self, SuccessionModel};
use pollux_sim::bugs::Bug;
use pollux_sim::sometimes::Situation;
use std::sync::Arc;

/// A pair's part of a suite: its name, the lines of its plan, its faults, what must be reachable.
type PairBounds = (&'static str, &'static str, pair::Budget, &'static [Situation]);

const fn faults(kills: u8, pauses: u8, outages: u8, impatience: u8) -> pair::Budget {
    pair::Budget { kills, pauses, outages, impatience }
}

/// What every pair with two crashes comes to.
const TWO_CRASHES: &[Situation] = &[
    Situation::TakeoverWithUnacknowledged,
    Situation::TakeoverWithReplyHeld,
    Situation::RemovalWithRepliesHeld,
    Situation::JoinOfADeadBackup,
    Situation::SavedReplySentAgain,
    Situation::BothHalvesLost,
];

const SMALL_PAIRS: &[PairBounds] = &[
    (
        "one request, a crash",
        "requesters 1x1\nwhole",
        faults(1, 0, 0, 0),
        &[Situation::TakeoverRecorded, Situation::RemovalRecorded],
    ),
    (
        "one request, a crash, a coordinator that fails once",
        "requesters 1x1\nwhole",
        faults(1, 0, 1, 0),
        &[Situation::TakeoverAskedAgain, Situation::AlreadyDone],
    ),
    ("one request, two crashes", "requesters 1x1\nwhole", faults(2, 0, 0, 0), TWO_CRASHES),
    (
        "one request, a pause",
        "requesters 1x1\nwhole",
        faults(0, 1, 0, 0),
        &[Situation::HungBackupKilled, Situation::StalledPrimaryGoesOn, Situation::StalledBackupGoesOn],
    ),
    (
        "three requests in turn, a crash",
        "requesters 1x3\nwhole",
        faults(1, 0, 0, 0),
        &[Situation::SavedReplySentAgain],
    ),
    (
        "two requests at once, a crash",
        "requesters 2x2\nwhole",
        faults(1, 0, 0, 0),
        &[Situation::TakeoverWithReplyHeld],
    ),
    (
        "one request, an exchange of roles, a crash",
        "requesters 1x1\nwhole\nswitch at 0",
        faults(1, 0, 0, 0),
        &[Situation::SwitchRecorded, Situation::SwitchGivenUp, Situation::TakeoverAfterSwitchOnRecord],
    ),
    (
        "one request while the pair begins, a crash",
        "requesters 1x1",
        faults(1, 0, 0, 0),
        &[Situation::BackupOnRecord, Situation::JoinOfADeadBackup, Situation::BothHalvesLost],
    ),
];

const LARGE_PAIRS: &[PairBounds] = &[
    ("three requests in turn, two crashes", "requesters 1x3\nwhole", faults(2, 0, 0, 0), TWO_CRASHES),
    ("three requests at once, two crashes", "requesters 3x3\nwhole", faults(2, 0, 0, 0), TWO_CRASHES),
    (
        "one request, two crashes, a coordinator that fails twice",
        "requesters 1x1\nwhole",
        faults(2, 0, 2, 0),
        TWO_CRASHES,
    ),
    (
        "one request without standby paths, a crash, an impatient requester",
        "requesters 1x1\nwhole\nno-standby-paths",
        faults(1, 0, 0, 1),
        &[Situation::PathAskedFor, Situation::TakeoverRecorded],
    ),
    (
        "two requesters, a crash",
        "requesters 1x1 1x1\nwhole",
        faults(1, 0, 0, 0),
        &[Situation::TakeoverRecorded],
    ),
    (
        "one request, an exchange of roles, two crashes",
        "requesters 1x1\nwhole\nswitch at 0",
        faults(2, 0, 0, 0),
        &[Situation::TakeoverAfterSwitchOnRecord],
    ),
    (
        "one request, a crash and a pause",
        "requesters 1x1\nwhole",
        faults(1, 1, 0, 0),
        &[Situation::HungBackupKilled, Situation::TakeoverRecorded],
    ),
    ("one request, two crashes and a pause", "requesters 1x1\nwhole", faults(2, 1, 0, 0), TWO_CRASHES),
];

/// Requests, halves, suspicions, deaths, outages, switches.
const fn doubts(
    requests: u8,
    halves: u8,
    suspicions: u8,
    deaths: u8,
    outages: u8,
    switches: u8,
) -> alone::Budget {
    alone::Budget { requests, halves, suspicions, deaths, outages, switches }
}

const SMALL_ALONE: &[(&str, alone::Budget)] = &[
    ("two requests, a wrong suspicion, an answer lost", doubts(2, 3, 1, 0, 1, 0)),
    ("two requests, a wrong suspicion, a death", doubts(2, 3, 1, 1, 0, 0)),
    ("a request, a wrong suspicion, an exchange of roles", doubts(1, 3, 1, 0, 0, 1)),
];

const LARGE_ALONE: &[(&str, alone::Budget)] = &[
    ("two requests, two wrong suspicions, an answer lost, an exchange of roles", doubts(2, 4, 2, 0, 1, 1)),
    ("three requests, two wrong suspicions, two answers lost", doubts(3, 4, 2, 0, 2, 0)),
    (
        "two requests, a wrong suspicion, a death, an answer lost, an exchange of roles",
        doubts(2, 4, 1, 1, 1, 1),
    ),
];

/// Crashes, restarts, sleeps, mishaps, changes; then the two windows.
const fn troubles(counts: [u8; 5], window: u64, change_window: u64) -> SuccessionModel {
    let [crashes, restarts, sleeps, mishaps, changes] = counts;
    let budget = succession::Budget { crashes, restarts, sleeps, mishaps, changes };
    SuccessionModel { servers: 4, budget, window, change_window, flaw: None }
}

const SMALL_SUCCESSION: &[(&str, SuccessionModel)] = &[
    ("four servers, two crashes, a change", troubles([2, 0, 0, 0, 1], 2, 8)),
    ("four servers, a crash and a restart, a mishap", troubles([1, 1, 0, 1, 0], 2, 2)),
    ("four servers, one that sleeps, a change", troubles([0, 0, 1, 0, 1], 2, 8)),
];

const LARGE_SUCCESSION: &[(&str, SuccessionModel)] = &[
    ("four servers, two crashes, a change, over more units", troubles([2, 0, 0, 0, 1], 6, 12)),
    ("four servers, two crashes, a restart, a change", troubles([2, 1, 0, 0, 1], 4, 10)),
    ("four servers, a crash, a mishap, a change", troubles([1, 0, 0, 1, 1], 6, 10)),
    ("four servers, a crash, one that sleeps, a mishap", troubles([1, 0, 1, 1, 0], 4, 4)),
    ("four servers, two crashes, a mishap, a change", troubles([2, 0, 0, 1, 1], 3, 8)),
];

/// Explores every model of the small suite, and with `large` those of the large one, too, whose names have `only` in them.
/// `done` is told of each.
pub fn all(large: bool, only: &str, effort: &Effort, mut done: impl FnMut(&Explored)) -> Vec<Explored> {
    let mut explored = Vec::new();
    let mut look = |kind: &str, name: &str, one: &dyn Fn(&str) -> Explored| {
        let name = format!("{kind}: {name}");
        if name.contains(only) {
            let one = one(&name);
            done(&one);
            explored.push(one);
        }
    };
    let more = |small: usize| if large { usize::MAX } else { small };
    for (name, plan, budget, reaches) in SMALL_PAIRS.iter().chain(LARGE_PAIRS).take(more(SMALL_PAIRS.len())) {
        look("pair", name, &|name| a_pair(name, &pair_model(plan, *budget, Bug::None, reaches), effort));
    }
    for (name, budget) in SMALL_ALONE.iter().chain(LARGE_ALONE).take(more(SMALL_ALONE.len())) {
        look("alone", name, &|name| explore(name, AloneModel { budget: *budget, flaw: None }, effort).0);
    }
    for (name, model) in SMALL_SUCCESSION.iter().chain(LARGE_SUCCESSION).take(more(SMALL_SUCCESSION.len())) {
        look("succession", name, &|name| explore(name, model.clone(), effort).0);
    }
    explored
}

/// A model of a pair from the lines of a plan.
///
/// # Panics
///
/// If the lines are no plan.
pub fn pair_model(plan: &str, budget: pair::Budget, bug: Bug, reaches: &'static [Situation]) -> PairModel {
    let plan = plan.parse().unwrap_or_else(|why| panic!("{why}"));
    PairModel { plan, budget, bug, apart: false, reaches, reached: Arc::default() }
}

/// Explores a pair; a broken promise is written as a plan of `pollux-sim`, if it can be.
pub fn a_pair(name: &str, model: &PairModel, effort: &Effort) -> Explored {
    let (mut explored, way) = explore(name, model.clone(), effort);
    for violation in &mut explored.violations {
        let plan = way.as_ref().and_then(|way| expressed(model, way, &violation.promise));
        violation.scenario = plan.map(|plan| plan.to_string());
    }
    explored
}
