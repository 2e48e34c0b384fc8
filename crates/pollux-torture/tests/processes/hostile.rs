//! Programs that mean harm, or are broken: they hurt themselves only.

use crate::node;
use pollux_os::{Channel, connect_unix};
use pollux_torture::cleanup::descriptors_of;
use pollux_torture::wild::{garbage, is_closed, request, wild_frames};
use pollux_torture::{Fault, Node, Random, Visitor, faults};
use pollux_wire::limits::PATH_BODY_BYTES_MAX;
use pollux_wire::path;
use pollux_wire::{SyncId, Wire as _};
use std::io::Write as _;
use std::os::unix::net::UnixStream;

/// A broken program would take a CPU with it, and all pairs of that CPU.
#[test]
fn garbage_to_a_daemon_hurts_nobody() {
    let node = node();
    let record = node.run_pair("$GOOD", &["counter"]);
    let mut requester = node.requester(&["count", "$GOOD", "a", "1", "4"]);
    requester.line();
    let mut random = Random::new(8);
    let mut held = Vec::new();
    for round in 0..200 {
        let mut stream = UnixStream::from(connect_unix(&node.socket(round % 2)).unwrap());
        let garbage = garbage(&mut random, round.into());
        let _ = stream.write_all(&garbage);
        if round % 10 == 0 {
            held.push(stream);
        }
    }
    requester.line();
    drop(held);
    assert_eq!(node.wait_whole("$GOOD"), record, "nothing has happened to the pair");
    requester.finish();
    node.finish();
}

/// One requester would bring a server down for all others.
#[test]
fn wild_frames_on_a_path_end_that_path_only() {
    let node = node();
    let record = node.run_pair("$GOOD", &["counter"]);
    let mut requester = node.requester(&["count", "$GOOD", "a", "1", "4"]);
    requester.line();
    let mut visitor = Visitor::attach(&node, 1);
    // Frames that cannot be understood.
    for (kind, body) in wild_frames() {
        let mut channel = Channel::new(visitor.open("$GOOD", 4).unwrap(), PATH_BODY_BYTES_MAX);
        channel.queue(kind, |out| out.extend_from_slice(&body));
        let _ = channel.flush().unwrap();
        assert!(is_closed(channel.into_fd()), "the path of a frame of kind {kind}");
    }
    // A frame longer than any may be.
    let stream = UnixStream::from(visitor.open("$GOOD", 4).unwrap());
    let _ = (&stream).write_all(&[0xff; 64]);
    assert!(is_closed(stream.into()));
    // Frames that can be understood, but make no sense: sync ids out of any order, repeated, cancelled, too many.
    for syncs in [
        vec![u64::MAX, 1, u64::MAX, 5, 5, 0],
        vec![u64::MAX - 1, u64::MAX],
        vec![0, 0, 0],
        (1..500).rev().collect(),
    ] {
        let mut channel = Channel::new(visitor.open("$GOOD", 4).unwrap(), PATH_BODY_BYTES_MAX);
        for sync in syncs {
            channel.queue(path::REQUEST, |out| out.extend(request(sync, b"wild")));
            channel.queue(path::CANCEL, |out| SyncId(sync ^ 1).put(out));
            let _ = channel.flush();
            requester.line();
        }
        channel.queue(path::CLOSE, |_| {});
        let _ = channel.flush();
        assert!(is_closed(channel.into_fd()));
    }
    assert_eq!(
        node.wait_whole("$GOOD"),
        record,
        "nothing has happened to the pair:\n{}",
        node.log_of("$GOOD")
    );
    requester.finish();
    node.finish();
}

/// A requester that never reads would block a server, or fill its memory.
#[test]
fn a_requester_that_never_reads_waits_alone() {
    let node = node();
    node.run_pair("$GOOD", &["crasher"]);
    let mut visitor = Visitor::attach(&node, 1);
    let mut never: Vec<Channel> =
        (0..3).map(|_| Channel::new(visitor.open("$GOOD", 100).unwrap(), PATH_BODY_BYTES_MAX)).collect();
    for channel in &mut never {
        for sync in 1..=60 {
            channel.queue(path::REQUEST, |out| out.extend(request(sync, b"big")));
        }
        let _ = channel.flush().unwrap();
    }
    for round in 1..=20 {
        assert_eq!(node.request("$GOOD", "count").trim(), round.to_string());
        if round % 5 == 0 {
            faults::inflict(&node, "$GOOD", Fault::KillPrimary);
        }
    }
    node.wait_whole("$GOOD");
    drop(never);
    assert_eq!(node.request("$GOOD", "count").trim(), "21");
    node.stop_pair("$GOOD");
    node.finish();
}

fn descriptors(node: &Node) -> Vec<usize> {
    let record = node.wait_whole("$GOOD");
    let halves = [record.primary, record.backup.unwrap()].map(|half| node.process(half).unwrap().pid);
    halves
        .into_iter()
        .chain([0, 1].map(|cpu| node.daemon_pid(cpu)))
        .map(|pid| descriptors_of(pid).unwrap())
        .collect()
}

/// A server that is opened often enough would run out of descriptors.
#[test]
fn a_thousand_opens_leave_nothing_behind() {
    let node = node();
    node.run_pair("$GOOD", &["counter"]);
    // The first of each kind may leave something that is kept for good.
    drop(Visitor::attach(&node, 1).open("$GOOD", 4).unwrap());
    node.request("$GOOD", "");
    let settled = |node: &Node| {
        let mut last = descriptors(node);
        node.wait_for("the number of descriptors settles", || {
            let now = descriptors(node);
            let same = now == last;
            last = now;
            same.then(|| last.clone())
        })
    };
    let before = settled(&node);
    let mut visitor = Visitor::attach(&node, 1);
    for _ in 0..500 {
        drop(visitor.open("$GOOD", 4).unwrap());
        let mut channel = Channel::new(visitor.open("$GOOD", 4).unwrap(), PATH_BODY_BYTES_MAX);
        channel.queue(path::REQUEST, |out| out.extend(request(1, b"")));
        channel.queue(path::CLOSE, |_| {});
        let _ = channel.flush();
        assert!(is_closed(channel.into_fd()));
    }
    drop(visitor);
    node.wait_until(&format!("the descriptors are {before:?} again"), || descriptors(&node) == before);
    node.stop_pair("$GOOD");
    node.finish();
}
