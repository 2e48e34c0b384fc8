//! `pollux-bench`: how Pollux compares, in one run on this machine, with what it is made of and with its peers.
//!
//! | Benchmark | Measures | Against |
//! | --- | --- | --- |
//! | `roundtrip` | a request and its reply | the same bytes over a raw unix socket |
//! | `c-roundtrip` | the same between two C programs | the same between two Rust programs |
//! | `throughput` | requests from many requesters, or many at a time from one | a raw epoll server with as many connections |
//! | `replicated` | requests whose change is checkpointed, and what processor time they take | a raw chain of three processes |
//! | `replicated-pipelined` | the same with many outstanding | the raw chain, and the same server without a backup |
//! | `takeover` | the pause of a requester when the primary is killed | the same with no memory to free |
//! | `repair` | until a new backup has the state, and requests meanwhile | a copy through a socket, and requests before |
//! | `cpu-loss` | from the loss of a CPU until all its primaries answer again | fewer primaries |
//! | `footprint` | memory of a pair, of many pairs, of many opens | fewer pairs, fewer opens |
//! | `scale` | a request among many pairs, and many opens of one server | one pair; a raw server with as many sockets |
//! | `peers-...`, `kv` | the same work as above | what a user would pick instead: see `peers.rs` |
//!
//! Every figure is a median over rounds that visit all rows in turn, so that what disturbs the machine disturbs all of them;
//! a round in which others took much of the machine is taken again. Ratios are what counts: absolute times are the machine's.
//!
//! One program in several processes:
//!
//! ```text
//!  keeper (this command) --- pollux up, run, down; removes the run directory, also after a failure or Ctrl-C
//!    measurer (--inside-node) --- the requester; prints the table
//!      server (started by the node), raw echo, raw primary + backup (started by the measurer)
//!      C server (started by the node), C requester (started by the measurer)
//! ```
#![forbid(unsafe_code)]

mod arguments;
mod c_programs;
mod c_roundtrip;
mod compare;
mod cpu_loss;
mod fleet;
mod keeper;
mod load;
mod many;
mod many_opens;
mod memory;
mod node;
mod noise;
mod numbers;
mod peers;
mod placement;
mod progress;
mod raw;
mod repair;
mod replicated;
mod report;
mod roundtrip;
mod server;
mod takeover;
mod throughput;

use crate::arguments::{Arguments, Benchmark, Plan};
use crate::report::Row;
use clap::Parser;
use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["server", ref rest @ ..] => server::run(rest).map(|()| ExitCode::SUCCESS),
        // For a profiler: load on a server in a node of one's own.
        ["ask", name, bytes, outstanding, seconds] => {
            load::ask(name, bytes, outstanding, seconds).map(|()| ExitCode::SUCCESS)
        }
        ["ask-many", name, opens, active, seconds] => {
            many::ask(name, opens, active, seconds).map(|()| ExitCode::SUCCESS)
        }
        // For a tracer: takeovers in a node of one's own.
        ["kill", mib, kills] => takeover::kill(mib, kills).map(|()| ExitCode::SUCCESS),
        ["raw", ref rest @ ..] => raw::run(rest).map(|()| ExitCode::SUCCESS),
        ["peer", ref rest @ ..] => peers::run(rest).map(|()| ExitCode::SUCCESS),
        _ => {
            let arguments = Arguments::parse();
            if arguments.inside_node {
                measure(&arguments).map(|()| ExitCode::SUCCESS)
            } else {
                keeper::run_inside_node()
            }
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("pollux-bench: {error:#}");
        ExitCode::FAILURE
    })
}

/// Some benchmarks that are measured together: all their rows.
type Measure = fn(&node::Bench, &Plan) -> anyhow::Result<Vec<Row>>;

/// In this order; what leaves many processes behind comes last.
const MEASURES: [(&[Benchmark], &str, Measure); 8] = [
    (&[Benchmark::Roundtrip], "roundtrip", roundtrip::measure),
    (&[Benchmark::CRoundtrip], "c-roundtrip", c_roundtrip::measure),
    (&[Benchmark::Throughput], "throughput", throughput::measure),
    (&[Benchmark::Replicated], "replicated", replicated::measure),
    (&[Benchmark::ReplicatedPipelined], "replicated-pipelined", replicated::measure_pipelined),
    (&[Benchmark::Takeover], "takeover", takeover::measure),
    (&[Benchmark::Repair], "repair", repair::measure),
    (&[Benchmark::Footprint, Benchmark::Scale], "footprint and scale, many opens", many_opens::measure),
];

/// A benchmark that fails is a row that says why: the others are measured all the same.
fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let bench = node::Bench::find()?;
    let plan = arguments.plan();
    noise::allow_again(plan.again);
    let mut rows = Vec::new();
    for (benchmarks, name, measure) in MEASURES.into_iter().chain(peers::MEASURES) {
        if !benchmarks.iter().any(|benchmark| plan.wants(*benchmark)) {
            continue;
        }
        progress::begin(name);
        match measure(&bench, &plan) {
            Ok(measured) => rows.extend(measured),
            Err(error) => {
                rows.push(Row::missing(name, format!("{error:#}")));
                bench.stop_all();
            }
        }
        placement::Placement::Free.enter(&bench, 0)?;
    }
    // Last: the pairs end with the node.
    rows.extend(fleet::measure(&bench, &plan));
    placement::Placement::Free.enter(&bench, 0)?;
    progress::clear();
    report::print(&rows, arguments.json)
}
