//! What the command takes.

use clap::Parser;
use std::path::PathBuf;

/// Kills and pauses the halves of real process pairs while requesters write down every answer, and judges what they wrote.
///
/// Goes on with the tally of the last campaign until it has so many kills and pauses. Exit code: 0 when every promise was kept,
/// 1 when one was broken or the kills caused too few takeovers, 2 when the command is wrong, 3 when the tester itself has failed.
#[derive(Debug, Clone, Parser)]
#[command(name = "pollux-torture", bin_name = "cargo xtask torture")]
pub struct Options {
    /// Kills in all, those of earlier campaigns in the same tally counted
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub kills: u64,
    /// Pauses (SIGSTOP and SIGCONT) in all
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub pauses: u64,
    /// The seed of the first round of a new tally; each round takes the next one
    #[arg(long, default_value_t = 0, value_name = "S")]
    pub seed: u64,
    /// Plays the round of this seed alone, without the tally
    #[arg(long, value_name = "SEED", conflicts_with_all = ["kills", "pauses", "seed"])]
    pub replay: Option<u64>,
    /// The file that keeps the tally; none is kept without it
    #[arg(long, value_name = "FILE")]
    pub tally: Option<PathBuf>,
    /// Where the folder of a failure goes
    #[arg(long, value_name = "DIRECTORY", default_value = "torture-failures")]
    pub failures: PathBuf,
    /// The tally as JSON on standard output
    #[arg(long)]
    pub json: bool,
}
