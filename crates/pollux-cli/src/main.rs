//! The `pollux` command: one binary that is the operator's tool, the CPU daemon and the showcase server.
//!
//! | First argument | What runs |
//! | --- | --- |
//! | `__cpu`, `__launch`, `__acceptor`, `__provider`, `__kv`, `__keeper`, `__kept`, `__domain`, `__guard` | a part of Pollux that runs under its own process id ([`hidden`]) |
//! | anything else | the command line that people type ([`cli`]) |
//!
//! Here nothing is decided about pairs: the command asks the daemons and shows what they say. What it does decide
//! is when it is safe to carry out an order (`kill` waits until the pair is whole) and when one counts as done.
#![forbid(unsafe_code)]

mod cli;
mod client;
mod commands;
mod demo;
mod error;
mod events;
mod explore;
mod hidden;
mod json_view;
mod node;
mod order;
mod output;
mod place;
mod program;
mod random;
mod shutdown;
mod start;
mod survey;
mod table;
mod tcp;
#[cfg(test)]
mod testing;
mod time;

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    hidden::run(&arguments).unwrap_or_else(cli::run)
}
