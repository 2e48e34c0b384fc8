//! The hot paths of a request and of a checkpoint, in one thread and in an order that no scheduler decides: what they cost is
//! counted under `valgrind --tool=callgrind`, with `cargo xtask counts`.
//!
//! Requester, primary and backup are the real ones: the requester's link, the engine of a half twice, the rings between them with
//! their bells. Only the daemon is played. Each of the three has fallen asleep when another one rings it, as on an idle machine, so that
//! the wake-ups are among what is counted.
//!
//! ```text
//!   requester --ring--> primary (engine) --ring--> backup (engine)
//!                          |                          |
//!                          +--- played daemon --------+      only before the first request
//! ```
//!
//! A path runs N times what it is about; the counts of 2N less those of N, divided by N, are what one costs, without the start.
//!
//! | Module | What it holds |
//! | --- | --- |
//! | [`paths`] | the table of paths |
//! | [`node`] | a pair and a requester, and the daemon that is played for them |
//! | [`connections`] | clients of a pair over TCP, and the acceptor that is played for them |
#![forbid(unsafe_code)]

pub mod connections;
pub mod node;
pub mod paths;

/// Why a path could not be run, for people.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
