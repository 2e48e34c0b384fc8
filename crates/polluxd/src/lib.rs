//! The CPU daemon: one process is one CPU, the unit of failure of a Pollux node.
//!
//! It starts processes and notices their ends, keeps the names on record, hands the paths of opens around, and
//! agrees with its peers on what follows when a CPU is lost. It is control plane only: no request and no checkpoint
//! passes through it. What is decided is decided in `pollux-core` ([`pollux_core::directory`],
//! [`pollux_core::regroup`]) and made atomic by the coordinator; this crate is the shell around them.
//!
//! ```text
//!                 +----------------------- daemon (one thread, epoll) -----------------------+
//!  processes ---->| control   opens   backups      admin <---- commands                      |
//!                 |    \        |       /            |                                       |
//!                 |     children (table of processes)       peers, losses <---- daemons      |
//!                 +----|-------------------|----------------------|-----------------|--------+
//!                   starter thread      clerk thread          watch threads     event thread
//!                   (launches)          (coordinator)         (life pages)      (events.jsonl)
//! ```
//!
//! Whatever may block runs on a thread of its own, takes jobs as values and rings a bell with its results, so that
//! the loop always beats: a daemon that does not beat is killed by its peers.
//!
//! Invariants: the daemon never answers for a record that is not committed (S6, S10); a path is handed out with an
//! opener that the daemon vouches for (S16); every table and queue has a limit (S15); no byte from a peer makes it
//! panic (S17).
#![forbid(unsafe_code)]

mod acceptors;
mod actives;
mod admin;
mod arguments;
mod backups;
mod children;
mod clerk;
mod control;
mod creation;
mod daemon;
mod endings;
mod ends;
mod events;
mod leave;
mod ledger;
mod limits;
mod lines;
mod links;
mod losses;
mod opens;
mod peers;
mod process;
mod processors;
mod queries;
mod start;
mod starter;
mod stops;
mod store;
mod tick;

use std::ffi::OsString;
use std::process::ExitCode;

pub use arguments::{Arguments, ArgumentsError, CPU_COMMAND};

/// Runs the daemon of a CPU until it is told to go; `arguments` are those behind [`CPU_COMMAND`].
///
/// Call it at once from the main thread of a fresh process: the life page is held by the calling thread, and panics
/// of any thread end the process from here on.
pub fn main(arguments: &[OsString]) -> ExitCode {
    let arguments = match Arguments::parse(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{CPU_COMMAND}: {error}");
            return ExitCode::from(2);
        }
    };
    start::install_log();
    match start::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}
