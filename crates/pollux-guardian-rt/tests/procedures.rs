//! The procedures one by one, as compiled C against a live node: the normal case, each form with parameters left out, each error
//! number. What happens between processes when something fails is tested elsewhere.

// Its functions are all tests, though not marked so.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Programs, Test, run_tests};
use pollux_torture::{Node, Settings};
use std::process::ExitCode;

const TESTS: &[Test] =
    &[("handles", |programs| alone(programs, "handles")), ("values", |programs| alone(programs, "values"))];

/// The programs.
const PROGRAMS: &[&str] = &["handles", "values"];

fn main() -> ExitCode {
    common::play(|arguments| run_tests(arguments, &Programs::of(PROGRAMS), TESTS))
}

/// A node whose processes do not count as hung when they compute or stand still.
fn node() -> Node {
    let settings = Settings { hang_after_ms: 60_000, ..Settings::default() };
    Node::start_with(std::env::current_exe().unwrap(), settings)
}

/// All checks of a program that needs no other one; it runs as `$OWN` in CPU 1.
fn alone(programs: &Programs, program: &str) {
    let node = node();
    programs.passes(&node, 1, "$OWN", program, &[]);
    node.finish();
}
