//! Paths through shared memory: what a requester writes there hurts itself only, and its death leaves nothing behind.

use crate::node;
use pollux_torture::cleanup::descriptors_of;
use pollux_torture::ring_path::{BYTES, HEAD, RingPath, Say, TAIL};
use pollux_torture::{Fault, Node, Random, Visitor, faults};
use pollux_wire::path;

/// One requester would bring a server down for all others, or make it read outside of the ring.
#[test]
fn what_a_requester_writes_into_its_ring_ends_its_path_only() {
    let node = node();
    let record = node.run_pair("$GOOD", &["counter"]);
    let mut requester = node.requester(&["count", "$GOOD", "a", "1", "4"]);
    requester.line();
    let mut visitor = Visitor::attach(&node, 1);
    let ring = |visitor: &mut Visitor| RingPath::open(visitor, "$GOOD", Say::Yes);
    for wild in [u64::MAX, 1 << 63, 1 << 20] {
        let mut path = ring(&mut visitor);
        path.scribble(TAIL, &wild.to_ne_bytes());
        assert!(path.ends(), "bytes that were never written: {wild}");
    }
    node.run_pair("$BIG", &["crasher"]);
    for wild in [1 << 63, 1 << 20] {
        let mut path = RingPath::open(&mut visitor, "$BIG", Say::Yes);
        path.scribble(HEAD, &u64::to_ne_bytes(wild));
        path.ask(b"big");
        assert!(path.ends(), "bytes were read that were never written: {wild}");
        requester.line();
    }
    assert!(!node.request("$BIG", "count").trim().is_empty());
    node.stop_pair("$BIG");
    // Every position is possible, and what stands there is not.
    let mut random = Random::new(16);
    for _ in 0..30 {
        let mut path = ring(&mut visitor);
        let garbage: Vec<u8> = (0..4000).map(|_| random.next() as u8).collect();
        path.scribble(BYTES, &[garbage.as_slice(), &[0xff; 8]].concat());
        path.scribble(TAIL, &(4000 + random.below(2000)).to_ne_bytes());
        assert!(path.ends());
        requester.line();
    }
    // Words about rings that make no sense.
    for body in [&[1][..], &[2], &[]] {
        let mut path = RingPath::open(&mut visitor, "$GOOD", Say::No);
        path.channel.queue(path::RING_TAKEN, |out| out.extend_from_slice(body));
        let _ = path.channel.flush().unwrap();
        assert!(path.ends(), "{body:?}");
    }
    let log = node.log_of("$GOOD");
    assert_eq!(node.wait_whole("$GOOD"), record, "nothing has happened to the pair:\n{log}");
    requester.finish();
    node.finish();
}

/// A requester that cannot have a ring, or does not know what it is, would be cut off.
#[test]
fn who_takes_no_ring_goes_on_over_the_socket() {
    let node = node();
    node.run_pair("$GOOD", &["counter"]);
    let mut visitor = Visitor::attach(&node, 1);
    for say in [Say::No, Say::Nothing] {
        let mut path = RingPath::open(&mut visitor, "$GOOD", say);
        for _ in 0..100 {
            path.ask(b"key");
            assert!(path.until(say, |path| path.answered == path.sent));
        }
        assert!(!path.begun);
    }
    node.stop_pair("$GOOD");
    node.finish();
}

/// A requester that never empties its ring would block a server, or fill its memory.
#[test]
fn a_requester_that_never_reads_its_ring_waits_alone() {
    let node = node();
    node.run_pair("$GOOD", &["crasher"]);
    let mut visitor = Visitor::attach(&node, 1);
    let mut never: Vec<RingPath> = (0..3).map(|_| RingPath::open(&mut visitor, "$GOOD", Say::Yes)).collect();
    for path in &mut never {
        for _ in 0..60 {
            path.ask(b"big");
        }
    }
    let before: u64 = node.request("$GOOD", "count").trim().parse().unwrap();
    for round in 1..=12 {
        assert_eq!(node.request("$GOOD", "count").trim(), (before + round).to_string());
        if round % 5 == 0 {
            faults::inflict(&node, "$GOOD", Fault::KillPrimary);
        }
    }
    node.wait_whole("$GOOD");
    drop(never);
    node.request("$GOOD", "count");
    node.stop_pair("$GOOD");
    node.finish();
}

fn descriptors(node: &Node) -> Vec<usize> {
    let record = node.wait_whole("$GOOD");
    let halves = [record.primary, record.backup.unwrap()].map(|half| node.process(half).unwrap().pid);
    halves.into_iter().map(|pid| descriptors_of(pid).unwrap()).collect()
}

/// A requester that dies while it writes would leave a server with half a request, or with its memory and its bells.
#[test]
fn requesters_that_are_killed_leave_nothing_behind() {
    let node = node();
    node.run_pair("$GOOD", &["counter"]);
    // The first ring of each half may leave something that is kept for good.
    node.requester(&["count", "$GOOD", "first", "1000", "4"]).finish();
    let mut before = descriptors(&node);
    node.wait_for("the number of descriptors settles", || {
        let now = descriptors(&node);
        (std::mem::replace(&mut before, now.clone()) == now).then_some(())
    });
    for round in 0..20 {
        let mut requesters: Vec<_> = (0..3)
            .map(|n| node.requester(&["count", "$GOOD", &format!("{round} {n}"), "1", ["1", "16", "64"][n]]))
            .collect();
        for requester in &mut requesters {
            requester.line();
            requester.line();
        }
        // Killed with requests under way, and half of them with the others still at work.
        drop(requesters);
    }
    let mut visitor = Visitor::attach(&node, 1);
    for bytes in [1, 7, 8, 9, 30] {
        // A frame of which only so much was published when its writer died.
        let path = RingPath::open(&mut visitor, "$GOOD", Say::Yes);
        let mut frame = 60u32.to_le_bytes().to_vec();
        frame.extend([path::REQUEST, 0, 0, 0]);
        frame.resize(68, 1);
        let tail = path.written();
        path.scribble(path.next_at(), &frame);
        path.scribble(TAIL, &(tail + bytes).to_ne_bytes());
    }
    drop(visitor);
    node.wait_until(&format!("the descriptors are {before:?} again"), || descriptors(&node) == before);
    assert!(!node.request("$GOOD", "").trim().is_empty());
    node.stop_pair("$GOOD");
    node.finish();
}
