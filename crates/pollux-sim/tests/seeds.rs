//! Random schedules and faults: the network and the scheduler owe nobody an order.

use pollux_sim::bugs::Bug;
use pollux_sim::campaign::{Tally, first_that_finds, run_until};
use pollux_sim::plan::{Plan, Schedule};
use pollux_sim::run::run;
use pollux_sim::shrink::shrink;
use pollux_sim::swarm;

// The longer campaign is `cargo xtask sim`; this one says within seconds that a change broke something.
#[test]
fn no_seed_breaks_a_promise() {
    let mut tally = Tally::default();
    run_until(&mut tally, 20_000, Bug::None, 2, |_| {});
    assert_eq!(tally.violations, []);
    assert!(tally.takeovers >= 20_000);
}

// A failure that does not come again with its seed cannot be looked at.
#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..300 {
        let plan = swarm::plan(seed);
        assert_eq!(swarm::plan(seed), plan);
        assert_eq!(run(&plan, Bug::None), run(&plan, Bug::None), "seed {seed}");
        let read: Plan = plan.to_string().parse().expect("the text of a plan");
        assert_eq!(read, plan, "what is printed is what is played");
    }
}

// Schedules must differ, or a million of them are one.
#[test]
fn different_seeds_are_different_runs() {
    let mut digests: Vec<u64> = (0..300).map(|seed| run(&swarm::plan(seed), Bug::None).digest).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 300);
}

// A campaign in two parts counts as much as one in one, and plays no seed twice.
#[test]
fn a_tally_adds_up() {
    let mut parts = Tally::default();
    run_until(&mut parts, 200, Bug::None, 1, |_| {});
    let text = serde_json::to_string(&parts).expect("a tally");
    let mut parts: Tally = serde_json::from_str(&text).expect("the tally again");
    let runs = parts.runs;
    run_until(&mut parts, 2_000, Bug::None, 1, |_| {});
    assert!(parts.runs > runs);
    let mut whole = Tally::default();
    run_until(&mut whole, 2_000, Bug::None, 1, |_| {});
    assert_eq!(parts, whole);
}

// Seeds must find what careless programmers do, and soon: the median of these errors within a hundred seeds.
#[test]
fn every_bug_is_found_by_a_seed() {
    let mut seeds: Vec<u64> = Bug::ALL
        .iter()
        .map(|bug| {
            let (seed, what) =
                first_that_finds(*bug, 0..20_000).unwrap_or_else(|| panic!("{bug:?} is not found"));
            println!("{bug:?}: seed {seed}: {what}");
            seed
        })
        .collect();
    seeds.sort_unstable();
    assert!(seeds[seeds.len() / 2] < 100, "{seeds:?}");
}

// A plan of forty lines is followed by nobody.
#[test]
fn a_failure_is_made_small() {
    let bug = Bug::ReplyBeforeAcknowledgement;
    let (seed, _) = first_that_finds(bug, 0..1_000).expect("it is found");
    let small = shrink(&swarm::plan(seed), bug);
    assert!(run(&small, bug).violation.is_some_and(|what| what.starts_with("S5")), "{small}");
    assert!(small.faults.len() <= 1 && small.requesters.len() == 1 && small.orders.is_empty(), "{small}");
    assert_eq!(small.schedule, Schedule::Fixed, "{small}");
    assert_eq!(run(&small, Bug::None).violation, None, "{small}");
}
