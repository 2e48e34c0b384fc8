//! C programs in a node: what they read of their start, files by their names, processes that they spawn, and stop modes.

// Its functions are all tests, though not marked so.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Programs, Test, node, run_tests, says, spec, start};
use std::process::ExitCode;

const TESTS: &[Test] = &[
    ("assigns_and_params_are_read_and_followed", read_start),
    ("files_by_their_names", use_names),
    ("spawned_processes_stop_modes_and_backups_of_ones_own", spawn),
];

fn main() -> ExitCode {
    common::play(|arguments| run_tests(arguments, &Programs::of(&["startup", "names", "spawn"]), TESTS))
}

/// A program that is told of other files than those it opens.
fn read_start(programs: &Programs) {
    let node = node();
    let place = tempfile::tempdir().unwrap();
    let (out, long) = (place.path().join("out"), place.path().join("a-name-longer-than-the-message-has-room-for"));
    let assigns = format!(
        "MASTER-X=$DATA.SUB.MASTER,EXCLUSIVE,INPUT\nSTDOUT={}\nLONG-NAME={}",
        out.display(),
        long.display()
    );
    let variables = [
        ("POLLUX_STARTUP", "run"),
        ("POLLUX_PARAMS", "COLOUR=deep red\nSIZE=7"),
        ("POLLUX_ASSIGNS", assigns.as_str()),
        ("POLLUX_OUT", "/nowhere/out"),
    ];
    let spec = spec(&programs.path("startup"), &[out.to_str().unwrap()], &variables);
    start(&node, 0, Some("$TEST"), spec);
    node.wait_until("the program ends", || node.record("$TEST").is_none());
    let said = std::fs::read_to_string(&out).unwrap_or_default();
    assert_eq!(said, "PASSED\n", "{}\n{}", node.log_of("$TEST"), node.logs());
    assert_eq!(std::fs::read_to_string(&long).unwrap(), "through an ASSIGN\n");
    node.finish();
}

/// Files that a program makes, finds and removes by Guardian names.
fn use_names(programs: &Programs) {
    let node = node();
    let place = tempfile::tempdir().unwrap();
    let volumes = format!("$DATA={}", place.path().display());
    let variables = [("POLLUX_STARTUP", "run"), ("POLLUX_VOLUMES", &volumes), ("POLLUX_DEFAULTS", "$DATA.SUB")];
    start(&node, 0, Some("$TEST"), spec(&programs.path("names"), &[], &variables));
    says(&node, "$TEST", "PASSED");
    assert!(place.path().join("new/third").is_file());
    node.finish();
}

fn spawn(programs: &Programs) {
    let node = node();
    programs.passes(&node, 0, "$SPAWN", "spawn", &[]);
    node.finish();
}
