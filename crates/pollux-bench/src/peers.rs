//! Peers: what a user would pick instead of Pollux, on the same work in the same run.
//!
//! | Benchmark | Peers |
//! | --- | --- |
//! | `peers-message` | ZeroMQ; Erlang, NATS, gRPC |
//! | `peers-replicated` | Redis with `WAIT 1 0`; Erlang, PostgreSQL, JetStream, etcd |
//! | `kv` | `redis-server` without a replica, under `redis-benchmark` |
//! | `peers-takeover` | restart under a supervisor; Redis Sentinel; keepalived |
//!
//! Each file opens with what is compared and why it is fair. A peer that cannot be had is a row that says why. With
//! `--quick` only Redis and ZeroMQ are.

mod erlang;
mod etcd;
mod grpc;
pub(crate) mod home;
mod keepalived;
mod kv;
mod lines;
mod nats;
mod packages;
mod piped;
mod postgres;
mod redis;
mod sentinel;
mod served;
mod supervisors;
mod takeover;
#[cfg(feature = "grpc")]
mod tonic_grpc;
mod zeromq;

use crate::Measure;
use crate::arguments::{Benchmark, Plan};
use crate::node::Bench;
use crate::peers::home::Store;
use crate::peers::served::or_missing;
use crate::report::Row;
use anyhow::{Result, bail};

pub(crate) const MEASURES: [(&[Benchmark], &str, Measure); 4] = [
    (&[Benchmark::PeersReplicated], "peers-replicated", measure_replicated),
    (&[Benchmark::PeersMessage], "peers-message", measure_messages),
    (&[Benchmark::Kv], "kv", kv::measure),
    (&[Benchmark::PeersTakeover], "peers-takeover", takeover::measure),
];

/// As rows say it.
const GRPC_NAME: &str = "gRPC, tonic";

/// Requests that reach a second copy before their reply.
fn measure_replicated(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    let mut rows = or_missing("replicated", redis::NAME, redis::measure(bench, plan));
    if plan.quick {
        return Ok(rows);
    }
    let mut add = |name, measured| rows.extend(or_missing("replicated", name, measured));
    add(erlang::PAIR_NAME, erlang::measure_replicated(bench, plan));
    add(nats::STREAM_NAME, nats::measure_replicated(bench, plan));
    for store in [Store::Memory, Store::Disk] {
        add(postgres::name(store), postgres::measure(bench, plan, store));
        add(etcd::name(store), etcd::measure(bench, plan, store));
    }
    Ok(rows)
}

/// Requests and replies without a second copy.
fn measure_messages(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    let mut rows = or_missing("roundtrip", zeromq::NAME, zeromq::measure(bench, plan));
    if plan.quick {
        return Ok(rows);
    }
    let mut add = |name, measured| rows.extend(or_missing("roundtrip", name, measured));
    add(erlang::NAME, erlang::measure_messages(bench, plan));
    add(nats::NAME, nats::measure_messages(bench, plan));
    #[cfg(feature = "grpc")]
    add(GRPC_NAME, tonic_grpc::measure(bench, plan));
    #[cfg(not(feature = "grpc"))]
    add(GRPC_NAME, Err(anyhow::anyhow!("built without the feature grpc")));
    Ok(rows)
}

/// Runs a process of a peer that is written here.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    match words {
        ["nats-responder", port] => nats::respond(port),
        #[cfg(feature = "grpc")]
        ["grpc-server", path] => tonic_grpc::serve(path),
        ["listen", path] => supervisors::listen(path),
        ["udp-echo", name] => keepalived::echo(name),
        ["udp-watch"] => keepalived::watch(),
        _ => bail!("usage: pollux-bench peer nats-responder PORT | listen PATH | udp-echo NAME | udp-watch"),
    }
}
