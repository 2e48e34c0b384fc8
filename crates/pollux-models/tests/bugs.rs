//! A model that finds nothing proves nothing unless it finds these.

use pollux_models::alone::{self, AloneModel, Flaw};
use pollux_models::explore::{Effort, Explored, explore};
use pollux_models::pair::{Budget, PairModel};
use pollux_models::succession::{self, SuccessionModel};
use pollux_models::suite::{a_pair, pair_model};
use pollux_sim::bugs::Bug;
use pollux_sim::plan::Plan;
use pollux_sim::run::run;
use std::sync::Once;

/// Assertions that a bug breaks are told by the checker; their words on standard error would be noise.
fn quietly() {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            if std::thread::current().name().is_none_or(|name| !name.starts_with("checker")) {
                eprintln!("{info}");
            }
        }));
    });
}

/// The promises that were found broken; each with a way to it.
fn broken(explored: &Explored) -> Vec<String> {
    assert!(
        explored.violations.iter().all(|violation| !violation.trace.is_empty() && !violation.what.is_empty())
    );
    explored.violations.iter().map(|violation| violation.promise.clone()).collect()
}

fn pair_with(bug: Bug, kills: u8, pauses: u8) -> Explored {
    quietly();
    let budget = Budget { kills, pauses, outages: 0, impatience: 0 };
    a_pair("with a bug", &pair_model("requesters 1x1\nwhole", budget, bug, &[]), &Effort::default())
}

// Each of these loses, doubles or forges an answer in some order of steps; a checker that does not see it sees nothing.
#[test]
fn a_bug_of_the_pair_is_found() {
    for (bug, kills, pauses, promises) in [
        (Bug::ReplyBeforeAcknowledgement, 1, 0, &["S5"][..]),
        (Bug::AcknowledgeBeforeApply, 1, 0, &["S5"]),
        (Bug::RepliesNotCheckpointed, 1, 0, &["S3", "S4"]),
        (Bug::TornCheckpoint, 1, 0, &["S3"]),
        (Bug::StateWithoutReplies, 1, 0, &["S4"]),
        (Bug::AloneWithoutConsent, 1, 0, &["S6"]),
        (Bug::TakeoverUnrecorded, 1, 0, &["S6"]),
        (Bug::DeathBeforeLastWords, 2, 0, &["L1", "T1"]),
        (Bug::TakeoverOnSuspicion, 1, 1, &["S1", "S5"]),
    ] {
        let found = broken(&pair_with(bug, kills, pauses));
        assert!(!found.is_empty(), "{bug:?} stays unseen");
        assert!(found.iter().all(|one| promises.contains(&one.as_str())), "{bug:?}: {found:?}");
    }
}

// Steps that nobody else can see are taken together with the next one. If that left out an order that matters, a promise could
// break there unseen.
#[test]
fn steps_taken_together_hide_nothing() {
    quietly();
    let budget = Budget { kills: 1, pauses: 0, outages: 0, impatience: 0 };
    let bugs = [
        Bug::None,
        Bug::AcknowledgeBeforeApply,
        Bug::TornCheckpoint,
        Bug::StateWithoutReplies,
        Bug::TakeoverUnrecorded,
    ];
    for bug in bugs {
        let together = pair_model("requesters 1x1\nwhole", budget, bug, &[]);
        let apart = PairModel { apart: true, ..together.clone() };
        let (together, apart) =
            (a_pair("together", &together, &Effort::default()), a_pair("apart", &apart, &Effort::default()));
        assert_eq!(broken(&together).is_empty(), broken(&apart).is_empty(), "{bug:?}");
        assert_eq!(broken(&together).is_empty(), bug == Bug::None, "{bug:?}");
        if bug == Bug::None {
            assert_eq!((together.unique_states, apart.unique_states), (3_193, 6_105));
        }
    }
}

// A way of fifty steps is followed by nobody; as a plan it can be replayed, made small and kept.
#[test]
fn a_way_to_a_bug_is_written_as_a_plan() {
    let explored = pair_with(Bug::AloneWithoutConsent, 1, 0);
    let violation = &explored.violations[0];
    let plan: Plan = violation.scenario.as_ref().expect("it can be written").parse().expect("a plan");
    assert_eq!(plan.faults.len(), 1);
    let what = run(&plan, Bug::AloneWithoutConsent).violation.expect("it is broken there, too");
    assert!(what.starts_with("S6"), "{what}");
    assert_eq!(run(&plan, Bug::None).violation, None);
}

// Without the record's consent both halves would answer, each what it knows (S1, S5, S6).
#[test]
fn a_primary_that_goes_on_without_consent_is_found() {
    quietly();
    let budget = alone::Budget { requests: 2, halves: 3, suspicions: 1, deaths: 1, outages: 1, switches: 0 };
    for (flaw, promises) in [
        (Flaw::AloneUnrecorded, &["S5", "S6"][..]),
        (Flaw::RefusalIgnored, &["S5", "S6"]),
        (Flaw::AwayIsConsent, &["S5", "S6", "S11"]),
        (Flaw::GateIgnored, &["S5"]),
        (Flaw::EpochStandsStill, &["S1"]),
    ] {
        let model = AloneModel { budget, flaw: Some(flaw) };
        let found = broken(&explore("with a flaw", model, &Effort::default()).0);
        assert!(!found.is_empty(), "{flaw:?} stays unseen");
        assert!(found.iter().all(|one| promises.contains(&one.as_str())), "{flaw:?}: {found:?}");
    }
}

// Two acting masters, or a change that vanishes, is what the rules of succession are there to prevent (S2, S11, S13, S14).
#[test]
fn a_flaw_of_the_succession_is_found() {
    quietly();
    let with = succession::Budget { crashes: 1, changes: 1, ..succession::Budget::default() };
    for (flaw, budget, window, promise) in [
        (
            succession::Flaw::TakeoverIgnoresBeats,
            succession::Budget { sleeps: 1, changes: 0, ..with },
            8,
            "S13",
        ),
        (succession::Flaw::EpochNotRaised, with, 3, "S11"),
        (succession::Flaw::SavedTooEarly, with, 3, "S13"),
        (succession::Flaw::LostIsNotDone, succession::Budget { mishaps: 1, ..with }, 3, "S14"),
    ] {
        let model = SuccessionModel { servers: 4, budget, window, change_window: 8, flaw: Some(flaw) };
        let found = broken(&explore("with a flaw", model, &Effort::default()).0);
        assert_eq!(found, [promise], "{flaw:?}");
    }
}
