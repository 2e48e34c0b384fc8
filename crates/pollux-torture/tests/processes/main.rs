//! Pairs as real processes, under real signals. What the parts decide is tested beside them; here the promises are
//! checked from outside, by requesters and clients that compare every answer with what it must be.

// Its functions are all tests, though not all are marked so.
#![allow(clippy::unwrap_used)]

mod counter;
mod cpus;
mod ends;
mod held;
mod histories;
mod hostile;
mod http;
mod listeners;
mod objects;
mod opens;
mod order;
mod redis;
mod rings;
mod sockets;
mod tcp;
mod tiers;

use pollux_torture::{Fault, Node, Settings, faults};
use std::time::{Duration, Instant};

/// A node of two CPUs.
fn node() -> Node {
    Node::start(env!("CARGO_BIN_EXE_pollux-torture-node"))
}

/// A node as described.
fn node_with(settings: Settings) -> Node {
    Node::start_with(env!("CARGO_BIN_EXE_pollux-torture-node"), settings)
}

/// Kills the primary again and again until `done`; returns how often.
fn kill_until(node: &Node, name: &str, mut done: impl FnMut() -> bool) -> u32 {
    let mut kills = 0;
    while !done() {
        faults::inflict(node, name, Fault::KillPrimary);
        kills += 1;
        // What the load gets done between two kills decides how long the test takes, not what it shows.
        let epoch = node.wait_whole(name).epoch;
        let deadline = Instant::now() + Duration::from_millis(300);
        node.wait_until("the next kill is due", || {
            Instant::now() >= deadline || node.record(name).is_none_or(|record| record.epoch != epoch)
        });
    }
    kills
}
