//! C programs in a node: what they read of their start, files by their names, processes that they spawn, stop modes, and
//! how backups end and take over their standard files.

// Its functions are all tests, though not marked so.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Programs, Test, node, run_tests, says, spec, start};
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const TESTS: &[Test] = &[
    ("assigns_and_params_are_read_and_followed", read_start),
    ("files_by_their_names", use_names),
    ("backups_end_in_every_way_and_leave_their_primary", end_backups),
    ("standard_files_of_a_backup_after_a_takeover", take_files),
    ("a_terminal_of_a_backup_after_a_takeover", take_terminal),
    ("a_backup_that_was_told_nothing_ends_with_its_primary", lose_primary_early),
    ("spawned_processes_stop_modes_and_backups_of_ones_own", spawn),
];

/// Primaries that die while they start their backups, each so many microseconds later than the one before.
const EARLY_ENDS: usize = 40;
const EARLY_STEP_US: usize = 100;
/// Much less than the time for which a backup waits to be told its start.
const EARLY_PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    common::play(|arguments| {
        run_tests(arguments, &Programs::of(&["startup", "names", "spawn", "endings", "half_begun"]), TESTS)
    })
}

/// A program that is told of other files than those it opens.
fn read_start(programs: &Programs) {
    let node = node();
    let place = tempfile::tempdir().unwrap();
    let (out, long) =
        (place.path().join("out"), place.path().join("a-name-longer-than-the-message-has-room-for"));
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
    let variables =
        [("POLLUX_STARTUP", "run"), ("POLLUX_VOLUMES", &volumes), ("POLLUX_DEFAULTS", "$DATA.SUB")];
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

/// An end of a backup, however it comes, must not end its primary or be taken for a takeover.
fn end_backups(programs: &Programs) {
    let node = node();
    programs.passes(&node, 0, "$END", "endings", &["ends"]);
    node.finish();
}

/// Writes the input that the pair copies.
fn input(place: &std::path::Path) -> PathBuf {
    let path = place.join("in");
    std::fs::write(&path, "one\ntwo\nthree\nfour\n").unwrap();
    path
}

/// A primary that dies at any moment of the start of its backup leaves nobody who keeps the name and serves nobody.
fn lose_primary_early(programs: &Programs) {
    let node = node();
    let place = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..EARLY_ENDS).map(|index| format!("$K{index}")).collect();
    for (index, name) in names.iter().enumerate() {
        let (after_us, first) = ((index + 1) * EARLY_STEP_US, place.path().join(format!("first-{index}")));
        programs.start(&node, 0, name, "half_begun", &[&after_us.to_string(), first.to_str().unwrap()]);
        node.wait_until("the primary has begun", || first.exists());
    }
    let begin = Instant::now();
    node.wait_until("all names are free", || names.iter().all(|name| node.record(name).is_none()));
    assert!(begin.elapsed() < EARLY_PATIENCE, "{:?}\n{}", begin.elapsed(), node.logs());
    node.finish();
}

/// IN and OUT are files: the backup reads and writes behind what its dead primary did, and nothing twice.
fn take_files(programs: &Programs) {
    let node = node();
    let place = tempfile::tempdir().unwrap();
    let (from, to) = (input(place.path()), place.path().join("out"));
    let variables = [
        ("POLLUX_STARTUP", "run"),
        ("POLLUX_IN", from.to_str().unwrap()),
        ("POLLUX_OUT", to.to_str().unwrap()),
    ];
    start(&node, 0, Some("$END"), spec(&programs.path("endings"), &["takes"], &variables));
    says(&node, "$END", "TAKEN");
    let copied = std::fs::read_to_string(&to).unwrap();
    assert_eq!(copied, "1p one\n2p two\n3s three\n4s four\n", "{}", node.logs());
    node.wait_until("the pair ends", || node.record("$END").is_none());
    node.finish();
}

/// OUT is read and written by lines, as a terminal is: the new primary's lines come behind the old one's.
fn take_terminal(programs: &Programs) {
    let node = node();
    let place = tempfile::tempdir().unwrap();
    let (from, to) = (input(place.path()), place.path().join("terminal"));
    rustix::fs::mkfifoat(rustix::fs::CWD, &to, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    // Open for both, so that nobody waits for the other end.
    let mut reader = std::fs::OpenOptions::new().read(true).write(true).open(&to).unwrap();
    let variables = [
        ("POLLUX_STARTUP", "run"),
        ("POLLUX_IN", from.to_str().unwrap()),
        ("POLLUX_OUT", to.to_str().unwrap()),
    ];
    start(&node, 0, Some("$END"), spec(&programs.path("endings"), &["takes"], &variables));
    says(&node, "$END", "TAKEN");
    let mut lines = [0; 200];
    let count = reader.read(&mut lines).unwrap();
    let lines = String::from_utf8_lossy(&lines[..count]);
    assert_eq!(lines, "1p one\n2p two\n3s three\n4s four\n", "{}", node.logs());
    node.wait_until("the pair ends", || node.record("$END").is_none());
    node.finish();
}
