//! Pairs of C programs that keep their state themselves, in real nodes with real kills: the failure table of process pairs row by
//! row, and the programs of `examples/c`, unchanged, under faults at chosen and at random moments.
//!
//! | Variable | Means |
//! | --- | --- |
//! | `POLLUX_TORTURE_SEED` | other random moments |
//! | `POLLUX_COPY_KILLS` | kills of the copying pair at random moments, 20 |
//! | `POLLUX_SERVER_KILLS` | kills of the serving pair and around it, 30 |
//!
//! This program plays the node's roles, too, by its first argument.

// Its functions are all tests, though not marked so.
#![allow(clippy::unwrap_used)]

mod checked;
mod copies;
mod scene;
mod servers;
mod table;

use pollux_torture::{cleanup, programs};
use scene::Programs;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// A test and its name.
type Test = (&'static str, fn(&Programs));

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match (arguments.first().and_then(|first| first.to_str()), rest) {
        (Some(polluxd::CPU_COMMAND), _) => polluxd::main(rest),
        (Some(pollux_os::LAUNCHER_COMMAND), _) => pollux_os::launcher_main(rest),
        (Some(cleanup::GUARD_COMMAND), [root]) => cleanup::guard_main(Path::new(root)),
        (Some(servers::ADDS_COMMAND), _) => servers::adds(&words[1..]),
        _ => programs::run(&words).unwrap_or_else(|| {
            run_tests(&words);
            ExitCode::SUCCESS
        }),
    }
}

fn run_tests(arguments: &[&str]) {
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    let programs = Programs::compile();
    let tests = table::ROWS.iter().chain(copies::TESTS).chain(servers::TESTS).chain(checked::TESTS);
    for (name, test) in tests.filter(|(name, _)| wanted.is_none_or(|wanted| name.contains(wanted))) {
        let begin = std::time::Instant::now();
        println!("test {name} ...");
        test(&programs);
        println!("test {name} ok ({:.1} s)", begin.elapsed().as_secs_f64());
    }
}

/// A number from the environment.
fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}
