//! Peers: what a user would pick instead of Pollux, on the same work in the same run.
//!
//! | Benchmark | Peers |
//! | --- | --- |
//! | `peers-message` | ZeroMQ |
//! | `peers-replicated` | Redis with `WAIT 1 0` |
//! | `kv` | `redis-server` without a replica, under `redis-benchmark` |
//!
//! Each file opens with what is compared and why it is fair. A peer that cannot be had is a row that says why.

pub(crate) mod compare;
pub(crate) mod home;
pub(crate) mod kv;
pub(crate) mod lines;
pub(crate) mod packages;
pub(crate) mod piped;
pub(crate) mod redis;
pub(crate) mod zeromq;

use crate::Measure;
use crate::arguments::{Benchmark, Plan};
use crate::node::Bench;
use crate::peers::compare::or_missing;
use crate::report::Row;
use anyhow::Result;

pub(crate) const MEASURES: [(Benchmark, &str, Measure); 3] = [
    (Benchmark::PeersReplicated, "peers-replicated", measure_replicated),
    (Benchmark::PeersMessage, "peers-message", measure_messages),
    (Benchmark::Kv, "kv", kv::measure),
];

/// Requests that reach a second copy before their reply.
fn measure_replicated(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    Ok(or_missing("replicated", redis::NAME, redis::measure(bench, plan)))
}

/// Requests and replies without a second copy.
fn measure_messages(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    Ok(or_missing("roundtrip", zeromq::NAME, zeromq::measure(bench, plan)))
}
