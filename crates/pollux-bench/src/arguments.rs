//! The command line, and what `--quick` means in numbers.

use clap::{Parser, ValueEnum};
use std::time::Duration;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Benchmark {
    /// All of them
    All,
    /// The pause that a requester sees when the primary is killed, at 0, 256 and 2048 MiB of resident state
    Takeover,
    /// One request and its reply, against a raw unix socket
    Roundtrip,
    /// One request and its reply between two C programs, against the same in Rust
    CRoundtrip,
    /// Requests from many requesters and with many outstanding, against a raw epoll server
    Throughput,
    /// Checkpointed requests from 1, 16 and 64 requesters, and their processor time, against a raw chain
    Replicated,
    /// Checkpointed requests with many outstanding, against a raw chain
    ReplicatedPipelined,
    /// Until the pair is whole again and has its state, against a copy of as many bytes
    Repair,
    /// Loss of a CPU with many primaries, until all answer
    CpuLoss,
    /// Memory of a pair, of many pairs, and of many opens
    Footprint,
    /// What a request costs among many pairs, and among many opens
    Scale,
    /// Checkpointed requests, against Redis with WAIT and others that reply when a second copy is there
    PeersReplicated,
    /// Requests and replies, against ZeroMQ and others without a second copy
    PeersMessage,
    /// redis-benchmark on replicated pollux-kv, against redis-server without a replica
    Kv,
    /// From the end of a service to the next reply, of others than Pollux
    PeersTakeover,
}

/// Benchmarks of Pollux, as ratios taken in one run
#[derive(Debug, Parser)]
#[command(name = "pollux-bench", max_term_width = 110)]
pub(crate) struct Arguments {
    /// What to measure
    #[arg(value_enum, default_value = "all")]
    benchmarks: Vec<Benchmark>,
    /// Fewer and shorter rounds, smaller sizes: some two minutes
    #[arg(long)]
    quick: bool,
    /// Print an array of objects: name, value, unit, baseline, ratio, target, met and more
    #[arg(long)]
    pub(crate) json: bool,
    /// Rounds over all rows, of which medians are taken; default 7, with --quick 3
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// This process is the measurer; its node runs
    #[arg(long, hide = true)]
    pub(crate) inside_node: bool,
}

/// How much is measured.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// What is measured at all.
    benchmarks: Vec<Benchmark>,
    /// Rounds over all rows.
    pub(crate) rounds: u32,
    /// Length of one row in one round.
    pub(crate) row_time: Duration,
    /// How long noisy rounds may be taken again, altogether.
    pub(crate) again: Duration,
    /// Kills at each size of [`crate::takeover::SIZES_MIB`], for each placement.
    pub(crate) kills: [u32; 3],
    /// Only what is needed most.
    pub(crate) quick: bool,
    /// State of the pairs that are repaired.
    pub(crate) repair_mib: &'static [u32],
    /// Repairs of each.
    pub(crate) repairs: u32,
    /// Pairs in the node, ascending.
    pub(crate) pairs: &'static [usize],
    /// Losses of a CPU with each number of pairs; even, so that the primaries are back where they were.
    pub(crate) losses: u32,
    /// Opens of one server.
    pub(crate) opens: usize,
}

impl Plan {
    pub(crate) fn wants(&self, benchmark: Benchmark) -> bool {
        self.benchmarks.contains(&Benchmark::All) || self.benchmarks.contains(&benchmark)
    }
}

impl Arguments {
    pub(crate) fn plan(&self) -> Plan {
        let benchmarks = self.benchmarks.clone();
        let mut plan = if self.quick {
            Plan {
                benchmarks,
                rounds: 3,
                row_time: Duration::from_millis(150),
                again: Duration::from_secs(15),
                kills: [30, 15, 5],
                repair_mib: &[0, 64],
                repairs: 3,
                pairs: &[1, 100],
                losses: 2,
                opens: 1_000,
                quick: true,
            }
        } else {
            Plan {
                benchmarks,
                rounds: 7,
                row_time: Duration::from_millis(500),
                again: Duration::from_secs(240),
                kills: [200, 200, 200],
                repair_mib: &[0, 64, 256, 1024],
                repairs: 7,
                pairs: &[1, 100, 1_000],
                losses: 6,
                opens: 10_000,
                quick: false,
            }
        };
        plan.rounds = self.rounds.unwrap_or(plan.rounds);
        plan
    }
}
