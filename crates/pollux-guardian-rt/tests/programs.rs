//! C programs, compiled by the driver, in a node: proves that what a program calls reaches what another one reads.

// Its functions are all tests, though not marked so.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Programs, Test, node, run_tests, says};
use pollux_os::Signal;
use std::process::ExitCode;

const TESTS: &[Test] = &[
    ("requests_and_what_the_server_is_told", |programs| ask(programs, "requests")),
    ("errors_by_number", |programs| ask(programs, "errors")),
    ("nowait_operations_finish_as_documented", |programs| ask(programs, "nowait")),
    ("nowait_opens", |programs| ask(programs, "nowait_open")),
    ("control_messages_and_sync_blocks", |programs| ask(programs, "control")),
    ("a_cancelled_request_is_told", |programs| ask(programs, "cancel")),
    ("large_messages", |programs| ask(programs, "large")),
    ("what_one_read_takes", |programs| read(programs, "waited")),
    ("what_one_nowait_read_takes", |programs| read(programs, "nowait")),
    ("the_open_of_a_killed_requester_is_closed", kill_requester),
    ("a_backup_opens_what_its_primary_has_open", open_in_backup),
    ("sync_depth_1_hides_the_end_of_a_primary", |programs| ask_pair(programs, "depth_one")),
    ("a_request_that_was_not_begun_is_executed_once", |programs| ask_pair(programs, "unbegun")),
    ("sync_depth_0_tells_the_caller", |programs| ask_pair(programs, "depth_zero")),
    ("reply_200_turns_to_the_other_half", |programs| ask_pair(programs, "switch")),
];

fn main() -> ExitCode {
    common::play(|arguments| {
        let programs = Programs::of(&["server", "requester", "pair", "reader", "backup"]);
        run_tests(arguments, &programs, TESTS)
    })
}

/// One test of the requester, in another CPU than the servers.
fn ask(programs: &Programs, test: &str) {
    let node = node();
    programs.start(&node, 0, "$SRV", "server", &["8"]);
    programs.start(&node, 0, "$QUIET", "server", &["8", "1"]);
    programs.passes(&node, 1, "$REQ", "requester", &[test]);
    node.finish();
}

/// The requester's part and the server's part of one test.
fn read(programs: &Programs, how: &str) {
    let node = node();
    programs.start(&node, 0, "$READ", "reader", &[how]);
    programs.passes(&node, 1, "$REQ", "requester", &["reads"]);
    says(&node, "$READ", "PASSED");
    node.finish();
}

/// A server must not keep the opens of requesters that are gone.
fn kill_requester(programs: &Programs) {
    let node = node();
    programs.start(&node, 0, "$SRV", "server", &["8"]);
    programs.start(&node, 1, "$GONE", "requester", &["linger"]);
    programs.passes(&node, 1, "$WAIT", "requester", &["held"]);
    assert!(node.signal(node.record("$GONE").unwrap().primary, Signal::KILL));
    programs.passes(&node, 1, "$REQ", "requester", &["survivor"]);
    node.finish();
}

/// A requester that is a pair must go on after a takeover with the opens it has.
fn open_in_backup(programs: &Programs) {
    let node = node();
    programs.start(&node, 0, "$SRV", "server", &["8"]);
    programs.passes(&node, 1, "$BOTH", "backup", &["$BOTH"]);
    node.wait_until("both halves end", || node.record("$BOTH").is_none());
    node.finish();
}

/// One test of the requester against a pair.
fn ask_pair(programs: &Programs, test: &str) {
    let node = node();
    programs.start(&node, 0, "$PAIR", "pair", &["$PAIR"]);
    let has_backup = || node.record("$PAIR").is_some_and(|record| record.backup.is_some());
    node.wait_until("the pair is whole", has_backup);
    programs.passes(&node, 1, "$REQ", "requester", &[test]);
    node.finish();
}
