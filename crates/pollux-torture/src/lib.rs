//! Nodes, faults and sample programs for tests with real processes and real signals.
//!
//! ```text
//!  test process                      pollux-torture-node (one program, many processes)
//!  Node::start  -------------------> __cpu 0, __cpu 1, ...     daemons
//!  node.run_pair("$A", "counter") -> counter, counter          the two halves
//!  node.requester("count", ...) ---> count                     checks every reply, says what it saw
//!  Faults::inflict                   kill -9, kill -STOP, switch, of halves and daemons
//! ```
//!
//! [`campaign`] does that thousands of times, and judges what all requesters were told (`cargo xtask torture`).
//!
//! Requesters are processes of their own: what a user's program sees is seen by a user's program. A node ends with the test
//! that started it, also when the test is killed: a guard process holds a pipe to it.
#![forbid(unsafe_code)]
// A helper that cannot go on ends its test; the message is the call's.
#![allow(clippy::unwrap_used)]

pub mod campaign;
pub mod cleanup;
pub mod faults;
pub mod node;
pub mod programs;
pub mod random;
pub mod requester;
pub mod ring_path;
pub mod stacks;
pub mod visitor;
pub mod wait;
pub mod wild;

pub use faults::{Counts, Fault, Faults};
pub use node::{Node, Settings};
pub use random::{Random, seed};
pub use requester::Requester;
pub use stacks::stacks;
pub use visitor::Visitor;
pub use wait::{PATIENCE, wait_until};
