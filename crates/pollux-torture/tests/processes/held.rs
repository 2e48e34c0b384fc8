//! Descriptors that a pair holds for its program.

use crate::node;
use pollux_torture::cleanup::descriptors_of;
use pollux_torture::{Counts, Faults, Node, seed};

fn descriptors(node: &Node, name: &str) -> [usize; 2] {
    let record = node.wait_whole(name);
    let backup = record.backup.expect("a whole pair has a backup");
    [record.primary, backup].map(|half| {
        let process = node.process(half).expect("it runs");
        descriptors_of(process.pid).expect("it runs")
    })
}

/// A listener that was handed to a pair for safe keeping would be closed by the death of its primary.
#[test]
fn held_descriptors_outlive_every_primary() {
    let node = node();
    node.run_pair("$SHELF", &["shelf"]);
    let mut requester = node.requester(&["shelve", "$SHELF", "100"]);
    assert_eq!(requester.line(), "begun");
    let counts = Counts { primary: 20, backup: 6, cpu: 2, stop: 2, switch: 8 };
    Faults::plan(seed(11), &["$SHELF"], counts).inflict(&node, &[]);
    println!("{}", requester.finish());
    assert_eq!(node.request("$SHELF", "labels").trim(), "");
    node.stop_pair("$SHELF");
    node.finish();
}

/// A pair that keeps what it was told to drop, or what a requester sent for nothing, runs out of descriptors.
#[test]
fn nothing_is_left_of_what_was_dropped() {
    let node = node();
    node.run_pair("$SHELF", &["shelf"]);
    node.requester(&["shelve", "$SHELF", "1"]).finish();
    let before = descriptors(&node, "$SHELF");
    node.requester(&["shelve", "$SHELF", "300"]).finish();
    node.requester(&["waste", "$SHELF", "300"]).finish();
    node.wait_until("the descriptors are as before", || descriptors(&node, "$SHELF") == before);
    node.finish();
}
