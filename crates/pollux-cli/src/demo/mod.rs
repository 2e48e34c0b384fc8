//! `pollux demo`: a pair under load, killed again and again, with every acknowledged write checked in the end.
//!
//! | Part | Does |
//! | --- | --- |
//! | [`crate::place`] | the node in a temporary directory, and its end |
//! | [`fill`] | the large state |
//! | [`load`], [`model`] | the clients, and what each may be answered |
//! | [`faults`] | whom to kill, and when that is repaired |
//! | [`run`] | the course of it all |
//! | [`live`], [`report`] | what people see |

mod collection;
mod counts;
#[cfg(test)]
mod fake;
mod faults;
mod fill;
mod live;
mod load;
mod model;
mod progress;
mod report;
mod resp;
mod run;
mod slots;
mod tally;
mod words;

use std::process::ExitCode;

use clap::Args;

use crate::error::{Result, code};
use crate::output;
use faults::FaultChoice;
use live::Live;

/// Run a key-value pair under load, kill it again and again, and check every acknowledged write
///
/// Starts a node of its own in a temporary directory, runs the built-in pollux-kv as a pair, drives it with many
/// clients, kills the primary, the backup or the whole CPU in turn, then reads everything back. Nothing is left
/// behind, not even after kill -9 of this command. Exit code 1 if anything was lost, doubled or refused, or if the pair was not whole again after a fault.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Faults
    #[arg(long, default_value_t = 10, value_name = "N")]
    kills: u32,
    /// Least time between two faults
    #[arg(long, default_value_t = 500, value_name = "MS")]
    every: u64,
    /// What fails
    #[arg(long, value_enum, default_value_t = FaultChoice::Mix)]
    fault: FaultChoice,
    /// Clients, each with 16 requests outstanding
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: u32,
    /// State that the pair carries along
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=65_536))]
    state_mib: u64,
    /// CPUs of the node
    #[arg(long, default_value_t = 2, value_name = "2..16", value_parser = clap::value_parser!(u8).range(2..=16))]
    cpus: u8,
    /// Brings the same faults and requests back
    #[arg(long, default_value_t = 42, value_name = "N")]
    seed: u64,
    /// Leave the node's directory with its logs and events
    #[arg(long)]
    keep: bool,
    /// Print one object: takeovers, requests, acknowledged, lost, duplicated, client_errors, reconnects, pause_ms, repaired, ...
    #[arg(long)]
    json: bool,
}

impl Demo {
    /// Runs it.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut live = Live::new(self.json);
        let report = run::run(&self, &mut live)?;
        if self.json {
            output::json(&report)?;
        } else {
            output::print(&report.render())?;
        }
        Ok(ExitCode::from(if report.passed() { 0 } else { code::FAILED }))
    }
}
