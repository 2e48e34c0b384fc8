//! How pairs end, and how they do not.

use crate::{node, node_with};
use pollux_os::Signal;
use pollux_torture::{Fault, Node, Settings, faults};
use pollux_wire::admin::AdminReply;

/// A pair that is stopped would come back, or hold its name for ever.
#[test]
fn a_stop_ends_both_halves_and_frees_the_name() {
    let node = node();
    for round in 1..=3 {
        let record = node.run_pair("$STOP", &["counter"]);
        assert_eq!(node.request("$STOP", "a").trim(), "1 1", "a new pair knows nothing of the old one");
        node.stop_pair("$STOP");
        node.wait_until("both processes are gone", || {
            node.process(record.primary).is_none() && node.process(record.backup.unwrap()).is_none()
        });
        node.wait_until("the event is written", || node.events_of("$STOP", "ended") == round);
    }
    // A program that stops its pair by itself; often, since it is a race of the reply with the end of the backup.
    for _ in 0..20 {
        node.run_pair("$STOP", &["crasher"]);
        assert_eq!(
            node.request("$STOP", "stop").trim(),
            "stopping",
            "what was answered before the stop arrives"
        );
        node.wait_until("the name is free", || node.record("$STOP").is_none());
    }
    assert_eq!(node.events_of("$STOP", "takeover"), 0);
    assert_eq!(node.request_error("$STOP", "a"), "14");
    node.finish();
}

/// A requester would wait for ever on a pair whose program has just gone home.
#[test]
fn a_program_that_returns_from_main_ends_like_any_death() {
    let node = node();
    node.run_pair("$HOME", &["crasher"]);
    assert_eq!(node.request("$HOME", "count").trim(), "1");
    // The first half returns, the second takes over, gets the request again, and returns too.
    assert_eq!(node.request("$HOME", "return").trim(), "error 201");
    node.wait_until("the name is free", || node.record("$HOME").is_none());
    node.finish();
}

fn quarantine(word: &str) {
    let node = node();
    node.run_pair("$BAD", &["crasher"]);
    for expected in ["1", "2", "3"] {
        assert_eq!(node.request("$BAD", "count").trim(), expected);
    }
    assert_eq!(node.request("$BAD", "drop").trim(), "error 2");
    assert_eq!(node.request("$BAD", "error").trim(), "error 300");
    assert_eq!(node.request("$BAD", word).trim(), "error 565", "{}", node.log_of("$BAD"));
    assert_eq!(node.request("$BAD", "count").trim(), "4", "the pair lives on with its state");
    node.wait_whole("$BAD");
    node.wait_until("the event is written", || node.events_of("$BAD", "quarantined") == 1);
    // Again, while others are served.
    let again = node.requester(&["ask", "$BAD", word]);
    for expected in ["5", "6", "7", "8"] {
        assert_eq!(node.request("$BAD", "count").trim(), expected);
    }
    assert_eq!(again.finish().trim(), "error 565");
    node.wait_whole("$BAD");
    node.finish();
}

/// A request that panics its server would take both halves, and all other requesters with them.
#[test]
fn a_request_that_panics_twice_is_set_aside() {
    quarantine("panic");
}

/// The same for one that aborts it.
#[test]
fn a_request_that_aborts_twice_is_set_aside() {
    quarantine("abort");
}

/// A hung backup would stop the primary's answers for ever, or take over later with an old state.
#[test]
fn a_stopped_backup_is_removed_on_record_and_replaced() {
    let node = node();
    node.run_pair("$HUNG", &["counter"]);
    let mut requester = node.requester(&["count", "$HUNG", "a", "1", "4"]);
    requester.line();
    for round in 1..=3 {
        let before = node.wait_whole("$HUNG");
        faults::inflict(&node, "$HUNG", Fault::StopBackup);
        requester.line();
        let after = node.wait_whole("$HUNG");
        assert_eq!(after.primary, before.primary, "the primary has stayed");
        assert_ne!(after.backup, before.backup);
        node.wait_until("the event is written", || node.events_of("$HUNG", "backup-removed") == round);
        requester.line();
    }
    requester.finish();
    assert_eq!(node.events_of("$HUNG", "takeover"), 0);
    node.finish();
}

fn kill_both(node: &Node, name: &str) {
    let record = node.wait_whole(name);
    // Stopped first, so that neither can do anything about the other's death.
    for half in [record.primary, record.backup.unwrap()] {
        assert!(node.signal(half, Signal::STOP));
    }
    for half in [record.primary, record.backup.unwrap()] {
        assert!(node.signal(half, Signal::KILL));
    }
}

/// Requesters of a pair that is lost would wait in silence.
#[test]
fn the_loss_of_both_halves_is_told() {
    // A stopped process must not be found hung before it is killed.
    let node = node_with(Settings { hang_after_ms: 5000, ..Settings::default() });
    node.run_pair("$LOST", &["counter"]);
    let mut requesters = [
        node.requester(&["count", "$LOST", "a", "1", "1"]),
        node.requester(&["count", "$LOST", "b", "1", "16"]),
    ];
    let mut tokio = node.requester(&["count-tokio", "$LOST", "4", "1"]);
    for requester in &mut requesters {
        requester.line();
    }
    tokio.line();
    kill_both(&node, "$LOST");
    for requester in requesters {
        let (status, said, errors) = requester.outcome();
        assert!(!status.success() && errors.contains("error 201"), "{status} {said} {errors}");
    }
    let (status, said, errors) = tokio.outcome();
    assert!(!status.success() && errors.contains("error 201"), "{status} {said} {errors}");
    node.wait_until("the name is free", || node.record("$LOST").is_none());
    node.wait_until("the event is written", || node.events_of("$LOST", "ended") == 1);
    assert!(matches!(node.run(1, Some("$LOST"), node.spec(&["counter"], true)), AdminReply::Started { .. }));
    node.wait_whole("$LOST");
    assert_eq!(node.request("$LOST", "a").trim(), "1 1", "nothing pretends to be the old state");
    node.finish();
}
