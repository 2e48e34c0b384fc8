//! The procedures one by one, as compiled C against a live node: the normal case, each form with parameters left out, each error
//! number. What happens between processes when something fails is tested elsewhere.

// Its functions are all tests, though not marked so.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Programs, SOURCES, Test, run_tests, says, source};
use guardian_cc::table::{Language, Status};
use pollux_os::Signal;
use pollux_torture::{Node, Settings};
use pollux_wire::CpuNumber;
use std::process::ExitCode;

const TESTS: &[Test] = &[
    ("every_full_procedure_is_called", |_| every_full_procedure_is_called()),
    ("handles", |programs| alone(programs, "handles")),
    ("values", |programs| alone(programs, "values")),
    ("timers", |programs| alone(programs, "timers")),
    ("process_information", |programs| alone(programs, "process_info")),
    ("creations", |programs| alone(programs, "creation")),
    ("ends", |programs| alone(programs, "ends")),
    ("opens", |programs| beside_servers(programs, "opens")),
    ("requests_and_their_ends", |programs| beside_servers(programs, "completion")),
    ("messages_and_replies", receive),
    ("transfers_on_files", |programs| beside_servers(programs, "disk_io")),
    ("extensions_for_pairs", |programs| beside_servers(programs, "ns")),
    ("names_that_are_all_in_use", |programs| alone(programs, "names_full")),
    ("monitored_cpus", monitored),
];

/// The programs.
const PROGRAMS: &[&str] = &[
    "handles",
    "values",
    "timers",
    "process_info",
    "creation",
    "ends",
    "opens",
    "completion",
    "receive",
    "disk_io",
    "ns",
    "names_full",
    "server",
    "monitored",
];

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

/// The CPUs that a program monitors die and come back, and before them one that it does not.
fn monitored(programs: &Programs) {
    let settings = Settings { cpus: 3, ..Settings::default() };
    let node = Node::start_with(std::env::current_exe().unwrap(), settings);
    programs.start(&node, 0, "$OWN", "monitored", &[]);
    let kill = |cpu: u8| {
        let before = node.daemon_pid(cpu);
        assert!(node.signal_cpu(CpuNumber::new(cpu).unwrap(), Signal::KILL));
        node.wait_until("the CPU is back", || node.status(cpu).is_some_and(|status| status.pid != before));
        node.wait_until("all CPUs know each other", || node.is_connected(3));
    };
    for (monitored, other) in [(1, 2), (2, 1)] {
        says(&node, "$OWN", &format!("HEARS OF {monitored}"));
        kill(other);
        kill(monitored);
    }
    says(&node, "$OWN", "PASSED");
    node.finish();
}

/// All checks of a program, beside servers: `$SRV` takes all messages, `$QUIET` no file-management messages. It is told a directory.
fn beside_servers(programs: &Programs, program: &str) {
    let (node, place) = (node(), tempfile::tempdir().unwrap());
    programs.start(&node, 0, "$SRV", "server", &["8"]);
    programs.start(&node, 0, "$QUIET", "server", &["8", "1"]);
    programs.passes(&node, 1, "$OWN", program, &[place.path().to_str().unwrap()]);
    node.finish();
}

/// A receiver and a sender, step by step in the same order.
fn receive(programs: &Programs) {
    let node = node();
    programs.start(&node, 0, "$RCV", "receive", &[]);
    says(&node, "$RCV", "READY");
    programs.passes(&node, 1, "$CLI", "receive", &["client"]);
    says(&node, "$RCV", "PASSED");
    node.finish();
}

/// A procedure that is said to be provided in full is called by a C program of the tests: a new row without a test fails here.
fn every_full_procedure_is_called() {
    let files = std::fs::read_dir(source(SOURCES, "")).unwrap();
    let texts: Vec<String> =
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let is_called = |name: &str| texts.iter().any(|text| calls(text, name));
    assert!(!is_called("NO_SUCH_PROCEDURE_"), "the search finds only what is there");
    let table = guardian_cc::Table::built_in();
    let full = table.provided().filter(|one| one.status == Status::Full && one.language == Language::C);
    let missing: Vec<&str> = full.map(|one| one.name.as_str()).filter(|name| !is_called(name)).collect();
    assert!(missing.is_empty(), "no C program of tests/c calls {missing:?}");
}

/// True if the name stands in the text with a parenthesis behind it, and is not the end of another name.
fn calls(text: &str, name: &str) -> bool {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.match_indices(&format!("{name}(")).any(|(at, _)| !text[..at].ends_with(is_part))
}
