//! Replicated objects that change while a new backup is brought in step.

use crate::node;
use pollux_torture::{Counts, Faults, seed};

/// After a takeover a map, cell, log or state machine would hold something that nobody put there.
#[test]
fn all_objects_equal_a_model_after_repairs_under_change() {
    let seed = seed(6);
    let node = node();
    node.run_pair("$OBJ", &["objects"]);
    let mut requester = node.requester(&["change", "$OBJ", &seed.to_string(), "10000"]);
    requester.line();
    let counts = Counts { primary: 15, backup: 8, cpu: 4, stop: 2, switch: 6 };
    Faults::plan(seed, &["$OBJ"], counts).inflict(&node, &[]);
    println!("{}", requester.finish());
    node.stop_pair("$OBJ");
    node.finish();
}
