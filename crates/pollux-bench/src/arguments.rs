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
    /// Checkpointed requests per second, against the same server without a backup
    Replicated,
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
    /// Fewer and shorter rounds: about a minute
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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Rounds over all rows.
    pub(crate) rounds: u32,
    /// Length of one row in one round.
    pub(crate) row_time: Duration,
    /// Kills at each size of [`crate::takeover::SIZES_MIB`], for each placement.
    pub(crate) kills: [u32; 3],
    /// Only what is needed most.
    pub(crate) quick: bool,
}

impl Arguments {
    pub(crate) fn wants(&self, benchmark: Benchmark) -> bool {
        self.benchmarks.contains(&Benchmark::All) || self.benchmarks.contains(&benchmark)
    }

    pub(crate) fn plan(&self) -> Plan {
        let (rounds, row_ms, kills) =
            if self.quick { (3, 150, [30, 20, 10]) } else { (7, 500, [100, 100, 100]) };
        Plan {
            rounds: self.rounds.unwrap_or(rounds),
            row_time: Duration::from_millis(row_ms),
            kills,
            quick: self.quick,
        }
    }
}
