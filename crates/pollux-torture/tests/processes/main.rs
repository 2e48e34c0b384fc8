//! Pairs as real processes, under real signals. What the parts decide is tested beside them; here the promises are
//! checked from outside, by requesters and clients that compare every answer with what it must be.

// Its functions are all tests, though not all are marked so.
#![allow(clippy::unwrap_used)]

mod counter;
mod cpus;
mod ends;
mod held;
mod hostile;
mod objects;
mod order;
mod redis;
mod rings;
mod sockets;
mod tcp;
mod tiers;

use pollux_torture::{Node, Settings};

/// A node of two CPUs.
fn node() -> Node {
    Node::start(env!("CARGO_BIN_EXE_pollux-torture-node"))
}

/// A node as described.
fn node_with(settings: Settings) -> Node {
    Node::start_with(env!("CARGO_BIN_EXE_pollux-torture-node"), settings)
}
