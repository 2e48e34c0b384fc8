//! C programs that create, ask about and stop processes, compiled by the driver, in a node: proves that the procedures
//! reach the daemons and that C sees the documented words.

// Its functions are all tests, though not marked so.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Programs, Test, run_tests};
use pollux_torture::{Node, Settings};
use std::process::ExitCode;

const TESTS: &[Test] = &[
    ("handles_and_names", |programs| own(programs, "handles")),
    ("file_names", |programs| own(programs, "files")),
    ("times_and_digits", |programs| own(programs, "times")),
    ("timers", |programs| own(programs, "timers")),
    ("openers_and_children_that_are_lost", |programs| own(programs, "losses")),
    ("children", |programs| passes(programs, "family", 0, "$FAM", "family")),
    ("a_pair_and_its_roles", |programs| passes(programs, "family", 0, "$FAM", "pairs")),
];

fn main() -> ExitCode {
    common::play(|arguments| run_tests(arguments, &Programs::of(&["own", "family"]), TESTS))
}

fn own(programs: &Programs, test: &str) {
    passes(programs, "own", 1, "$OWN", test);
}

fn passes(programs: &Programs, program: &str, cpu: u8, name: &str, test: &str) {
    // A process that is suspended must not count as hung before it goes on.
    let settings = Settings { hang_after_ms: 60_000, ..Settings::default() };
    let node = Node::start_with(std::env::current_exe().unwrap(), settings);
    programs.passes(&node, cpu, name, program, &[test]);
    node.finish();
}
