//! Pairs of C programs that keep their state themselves, in real nodes with real kills: the failure table of process pairs row by
//! row, and the programs of `examples/c`, unchanged, under faults at chosen and at random moments.
//!
//! | Variable | Means |
//! | --- | --- |
//! | `POLLUX_TORTURE_SEED` | other random moments |
//! | `POLLUX_COPY_KILLS` | kills of the copying pair at random moments, 20 |
//! | `POLLUX_SERVER_KILLS` | kills of the serving pair and around it, 30 |

// Its functions are all tests, though not marked so.
#![allow(clippy::unwrap_used)]

mod checked;
#[path = "../common/mod.rs"]
mod common;
mod copies;
mod scene;
mod servers;
mod table;

use std::process::ExitCode;

fn main() -> ExitCode {
    common::play(|arguments| match arguments {
        [servers::ADDS_COMMAND, ..] => servers::adds(&arguments[1..]),
        _ => {
            let tests = table::ROWS.iter().chain(copies::TESTS).chain(servers::TESTS).chain(checked::TESTS);
            common::run_tests(arguments, &scene::compile(), tests)
        }
    })
}

/// A number from the environment.
fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}
