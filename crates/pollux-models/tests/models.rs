//! The small suite: every state within its bounds.

use pollux_models::explore::{Effort, Explored};
use pollux_models::suite;

// If this fails, some order of steps that the product permits breaks a promise, and the way there is printed.
#[test]
fn every_promise_is_kept_in_every_state() {
    let explored = suite::all(false, "", &Effort::default(), |one| {
        println!(
            "{:>9} states, depth {:>3}, {:>5.1} s  {}",
            one.unique_states, one.depth, one.seconds, one.name
        );
    });
    for one in &explored {
        assert!(one.is_good(), "{one:#?}");
    }
    assert_eq!(explored.len(), 14);
    // A reduction that leaves out too much would show here first: these are the counts of the machines as they are.
    let states = |name: &str| {
        let found: Vec<&Explored> = explored.iter().filter(|one| one.name == name).collect();
        found.iter().map(|one| one.unique_states).sum::<usize>()
    };
    assert!(states("pair: one request, a crash") > 2_000);
    assert!(states("pair: one request, two crashes") > 40_000);
    assert!(states("alone: two requests, a wrong suspicion, an answer lost") > 20_000);
    assert!(states("succession: four servers, two crashes, a change") > 5_000);
}
