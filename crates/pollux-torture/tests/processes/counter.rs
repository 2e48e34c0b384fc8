//! A counter under every kind of fault.

use crate::node;
use pollux_torture::{Counts, Faults, Requester, seed};

const FAULTS: Counts = Counts { primary: 30, backup: 10, cpu: 5, stop: 3, switch: 10 };

fn torture(usual_seed: u64, requesters: &[&[&str]]) {
    let seed = seed(usual_seed);
    let node = node();
    node.run_pair("$COUNT", &["counter"]);
    let mut running: Vec<Requester> = requesters.iter().map(|words| node.requester(words)).collect();
    for requester in &mut running {
        requester.line();
    }
    Faults::plan(seed, &["$COUNT"], FAULTS).inflict(&node, &[]);
    let mut all = 0;
    for requester in running {
        let said = requester.finish();
        let total: u64 =
            said.lines().last().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
        all += total;
    }
    assert!(all >= 20_000, "{all}");
    assert_eq!(node.request("$COUNT", "").trim(), all.to_string(), "the count of all, seed {seed}");
    // Nobody took over who was not made to. Fewer are possible: a primary that is killed at once tells of no takeover.
    let takeovers = FAULTS.primary + FAULTS.cpu.div_ceil(2) + FAULTS.stop / 2;
    assert!(node.events_of("$COUNT", "takeover") <= takeovers, "seed {seed}");
    assert!(node.events_of("$COUNT", "switchover") <= FAULTS.switch, "seed {seed}");
    node.stop_pair("$COUNT");
    node.finish();
}

/// A user's counter would be wrong after a crash.
#[test]
fn one_requester_counts_through_all_faults() {
    torture(1, &[&["count", "$COUNT", "a", "20000", "1"]]);
}

/// Requests that are under way together would be lost, doubled or answered in another order.
#[test]
fn sixteen_requests_at_a_time_through_all_faults() {
    torture(2, &[&["count", "$COUNT", "a", "20000", "16"]]);
}

/// One requester's repetition would be taken for another's.
#[test]
fn eight_requesters_through_all_faults() {
    let keys: Vec<String> = (0..8).map(|n| format!("k{n}")).collect();
    let words: Vec<Vec<&str>> = keys
        .iter()
        .enumerate()
        .map(|(n, key)| vec!["count", "$COUNT", key, "2500", if n % 2 == 0 { "1" } else { "16" }])
        .collect();
    let words: Vec<&[&str]> = words.iter().map(Vec::as_slice).collect();
    torture(3, &words);
}

/// A program on tokio would see what others do not.
#[test]
fn a_tokio_requester_through_all_faults() {
    torture(4, &[&["count-tokio", "$COUNT", "8", "2500"]]);
}
