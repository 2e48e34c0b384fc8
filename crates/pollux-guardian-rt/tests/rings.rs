//! Rings of C servers: offered when a path is used, answered through, and what a requester does to its own hurts nobody else.

// Its functions are all tests, though not marked so.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Programs, Test, node, run_tests};
use pollux_torture::cleanup::descriptors_of;
use pollux_torture::ring_path::{BYTES, RingPath, Say, TAIL};
use pollux_torture::{Node, Random, Visitor};
use pollux_wire::path;
use std::process::ExitCode;

const TESTS: &[Test] = &[
    ("a_ring_is_offered_with_the_16th_request", offered),
    ("who_takes_no_ring_goes_on_over_the_socket", not_taken),
    ("more_requests_than_a_server_hears_are_all_answered", more_than_heard),
    ("what_a_requester_writes_into_its_ring_ends_its_path_only", hostile),
    ("requesters_that_are_gone_leave_nothing_behind", gone),
];

/// What the server says the same to.
const WORDS: &[u8] = b"echo words";

fn main() -> ExitCode {
    common::play(|arguments| run_tests(arguments, &Programs::of(&["server"]), TESTS))
}

/// A node with the server, and a requester in its own CPU.
fn scene(programs: &Programs) -> (Node, Visitor) {
    let node = node();
    programs.start(&node, 0, "$SRV", "server", &["8", "1"]);
    let visitor = Visitor::attach(&node, 1);
    (node, visitor)
}

fn open(visitor: &mut Visitor, say: Say) -> RingPath {
    RingPath::open_with(visitor, "$SRV", say, WORDS)
}

/// Asks so often, without waiting, and then waits for all answers.
fn ask(path: &mut RingPath, say: Say, times: usize) {
    for _ in 0..times {
        path.ask(WORDS);
    }
    assert!(path.until(say, |path| path.answered == path.sent), "{} of {}", path.answered, path.sent);
}

/// The ring is what makes C as fast as Rust.
fn offered(programs: &Programs) {
    let (node, mut visitor) = scene(programs);
    let mut path = open(&mut visitor, Say::Yes);
    assert_eq!((path.sent, path.begun), (16, true));
    let before = path.written();
    ask(&mut path, Say::Yes, 100);
    assert!(path.written() > before, "requests went through the ring");
    node.finish();
}

/// A requester that cannot have a ring, or does not know what it is, would be cut off.
fn not_taken(programs: &Programs) {
    let (node, mut visitor) = scene(programs);
    for say in [Say::No, Say::Nothing] {
        let mut path = open(&mut visitor, say);
        for _ in 0..100 {
            ask(&mut path, say, 1);
        }
        assert!(!path.begun);
    }
    node.finish();
}

/// With 255 messages unread a server takes in no more: a bell that rings meanwhile must not be forgotten.
fn more_than_heard(programs: &Programs) {
    let (node, mut visitor) = scene(programs);
    let mut paths: Vec<(RingPath, Say)> =
        [Say::Yes, Say::Yes, Say::No].map(|say| (open(&mut visitor, say), say)).into();
    for _ in 0..30 {
        for (path, _) in &mut paths {
            for _ in 0..300 {
                path.ask(WORDS);
            }
        }
        for (path, say) in &mut paths {
            ask(path, *say, 1);
        }
    }
    node.finish();
}

/// One requester would bring a server down for all others, or make it read outside of the ring.
fn hostile(programs: &Programs) {
    let (node, mut visitor) = scene(programs);
    let mut good = open(&mut visitor, Say::Yes);
    for wild in [u64::MAX, 1 << 63, 1 << 20] {
        let mut path = open(&mut visitor, Say::Yes);
        path.scribble(TAIL, &wild.to_ne_bytes());
        assert!(path.ends(), "bytes that were never written: {wild}");
        ask(&mut good, Say::Yes, 10);
    }
    let mut random = Random::new(17);
    for _ in 0..10 {
        let mut path = open(&mut visitor, Say::Yes);
        let garbage: Vec<u8> = (0..4000).map(|_| random.next() as u8).collect();
        path.scribble(BYTES, &[garbage.as_slice(), &[0xff; 8]].concat());
        path.scribble(TAIL, &(4000 + random.below(2000)).to_ne_bytes());
        assert!(path.ends());
        ask(&mut good, Say::Yes, 10);
    }
    for body in [&[1][..], &[2], &[]] {
        let mut path = open(&mut visitor, Say::No);
        path.channel.queue(path::RING_TAKEN, |out| out.extend_from_slice(body));
        let _ = path.channel.flush().unwrap();
        assert!(path.ends(), "{body:?}");
    }
    ask(&mut good, Say::Yes, 10);
    node.finish();
}

/// A server would keep the memory and the bells of each requester that ever was.
fn gone(programs: &Programs) {
    let (node, mut visitor) = scene(programs);
    let server = node.record("$SRV").unwrap().primary;
    let pid = node.process(server).unwrap().pid;
    drop(open(&mut visitor, Say::Yes));
    let mut before = 0;
    node.wait_until("the number of descriptors settles", || {
        let now = descriptors_of(pid).unwrap();
        std::mem::replace(&mut before, now) == now
    });
    for _ in 0..20 {
        let mut paths: Vec<RingPath> = (0..3).map(|_| open(&mut visitor, Say::Yes)).collect();
        for path in &mut paths {
            path.ask(WORDS);
        }
        // Gone with requests under way, and with an answer that nobody reads.
        drop(paths);
    }
    node.wait_until(&format!("there are {before} descriptors again"), || descriptors_of(pid) == Some(before));
    ask(&mut open(&mut visitor, Say::Yes), Say::Yes, 10);
    node.finish();
}
