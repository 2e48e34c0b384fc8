//! A pair that calls a pair.

use crate::node;
use pollux_torture::{Counts, Faults, seed};

/// An order would be booked twice, or not at all, when the shop or its bank dies between booking and answer.
#[test]
fn each_order_is_booked_once_through_faults_of_both() {
    let seed = seed(5);
    let node = node();
    node.run_pair("$BANK", &["bank"]);
    node.run_pair_in(1, "$SHOP", &["shop"]);
    let mut buyer = node.requester(&["buy", "5000"]);
    buyer.line();
    let counts = Counts { primary: 25, backup: 5, cpu: 3, stop: 2, switch: 8 };
    Faults::plan(seed, &["$BANK", "$SHOP"], counts).inflict(&node, &[]);
    buyer.finish();
    node.stop_pair("$SHOP");
    node.stop_pair("$BANK");
    node.finish();
}
