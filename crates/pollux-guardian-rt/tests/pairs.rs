//! C programs in a node: files, streams, the start and the end of programs, and a copying pair that is killed while it copies.

// Its functions are all tests, though not marked so.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Programs, Test, node, run_tests, says, spec, start};
use pollux_os::Signal;
use pollux_torture::Node;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Lines that the pair copies.
const LINES: usize = 5_000;
/// Kills of one copy.
const KILLS: usize = 6;

const TESTS: &[Test] = &[
    ("a_failed_flush_loses_nothing", |programs| passes(programs, "flush")),
    ("errors_of_streams_by_number", |programs| passes(programs, "errors")),
    ("disk_files_by_number", |programs| passes(programs, "numbers")),
    ("a_program_finds_its_start", find_start),
    ("an_undisturbed_pair_copies", |programs| copy(programs, 0, 3)),
    ("a_killed_pair_copies_the_same", |programs| {
        for step in [1, 3, 10] {
            copy(programs, KILLS, step);
        }
    }),
];

fn main() -> ExitCode {
    common::play(|arguments| run_tests(arguments, &Programs::of(&["streams", "copy"]), TESTS))
}

fn passes(programs: &Programs, test: &str) {
    let node = node();
    let place = tempfile::tempdir().unwrap();
    programs.passes(&node, 0, "$TEST", "streams", &[test, place.path().to_str().unwrap()]);
    node.finish();
}

fn find_start(programs: &Programs) {
    let node = node();
    let variables = [("POLLUX_STARTUP", "run"), ("POLLUX_PARAMS", "COLOUR=red")];
    let spec = spec(&programs.path("streams"), &["start", "x", "two words"], &variables);
    start(&node, 0, Some("$TEST"), spec);
    says(&node, "$TEST", "ATEXIT");
    node.finish();
}

/// A pair copies a file while its primary is killed now and then: the copy is what it copies from.
fn copy(programs: &Programs, kills: usize, step: usize) {
    let node = node();
    let place = tempfile::tempdir().unwrap();
    let (from, to) = (place.path().join("from"), place.path().join("to"));
    let lines: Vec<String> = (0..LINES).map(|line| format!("{line} {}\n", "x".repeat(line % 97))).collect();
    std::fs::write(&from, lines.concat()).unwrap();
    let arguments = [from.to_str().unwrap(), to.to_str().unwrap(), &step.to_string()];
    programs.start(&node, 0, "$COPY", "copy", &arguments);
    for kill in 0..kills {
        kill_primary(&node, kill);
    }
    says(&node, "$COPY", "COPIED");
    assert_eq!(std::fs::read(&to).unwrap(), lines.concat().into_bytes(), "{}", node.logs());
    let takeovers = node.events_of("$COPY", "takeover");
    println!("  {step} lines between updates: {takeovers} takeovers");
    assert!(kills == 0 || takeovers > kills / 2, "the kills fell behind the work\n{}", node.logs());
    node.finish();
}

/// Kills the primary of the copying pair once its backup has a state, at a moment that nobody has chosen. A backup without
/// a state must not go on: there is nothing to test then.
fn kill_primary(node: &Node, kill: usize) {
    let over = || node.log_of("$COPY").contains("COPIED") || node.record("$COPY").is_none();
    let ready = || node.log_of("$COPY").matches("READY").count() > kill;
    node.wait_until("the backup has a state, or all is copied", || over() || ready());
    // Not a wait for anything: the kill is to fall anywhere.
    let moment = Instant::now() + Duration::from_micros(1_700 * kill as u64);
    while Instant::now() < moment {}
    if let (false, Some(record)) = (over(), node.record("$COPY")) {
        node.signal(record.primary, Signal::KILL);
    }
}
