//! Channels whose bytes go through a ring: order, wake-ups, deaths and hostile peers.

// In a test, a wrong value ends the test: that is what unwrap is for.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::VecDeque;
use std::os::fd::{AsFd as _, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, ROLE, as_role, null, start, stdin_fd};
use pollux_os::{
    Among, Channel, DESCRIPTORS_PER_FRAME_MAX, Fill, Flush, Interest, Poller, RING_DESCRIPTORS, Signal, reap,
    signal, socket_pair, wait_gone,
};
use proptest::prelude::*;

const BODY_BYTES_MAX: usize = 2 << 20;
const OFFER: u8 = 1;
const TAKEN: u8 = 2;
const BEGUN: u8 = 3;
const DATA: u8 = 4;
/// Where the positions of the direction from the maker of a ring stand in its file.
const TAIL: u64 = 128 * 1024 + 1792;
const BASE: u64 = TAIL + 8;
const HEAD: u64 = TAIL + 128;
/// Where the first byte of that direction stands.
const FIRST_BYTE: u64 = 128 * 1024;

/// Two ends over a ring, as two processes would agree on it.
fn pair() -> (Channel, Channel) {
    let (mut near, mut far, _) = pair_and_memory();
    turn(&mut near, &mut far);
    (near, far)
}

/// Two ends of which one has offered a ring and the other taken it, and the ring's memory.
fn pair_and_memory() -> (Channel, Channel, OwnedFd) {
    let (near, far) = socket_pair().unwrap();
    let (mut near, mut far) = (Channel::new(near, BODY_BYTES_MAX), Channel::new(far, BODY_BYTES_MAX));
    let descriptors = near.offer_ring(Among::Many).unwrap();
    assert_eq!(descriptors.len(), RING_DESCRIPTORS);
    let memory = descriptors[0].try_clone().unwrap();
    near.queue_with(OFFER, descriptors, |_| {});
    assert_eq!(near.flush().unwrap(), Flush::Done);
    assert_eq!(far.fill().unwrap(), Fill::Open);
    let offer = far.next_frame().unwrap().unwrap().descriptors;
    far.take_ring(offer, Among::Many).unwrap();
    (near, far, memory)
}

fn turn(near: &mut Channel, far: &mut Channel) {
    for (kind, from, to) in [(TAKEN, 1, 0), (BEGUN, 0, 1)] {
        let ends = [&mut *near, &mut *far];
        ends[from].queue(kind, |_| {});
        ends[from].write_to_ring();
        assert_eq!(ends[from].flush().unwrap(), Flush::Done);
        assert_eq!(ends[to].fill().unwrap(), Fill::Open);
        assert_eq!(ends[to].next_frame().unwrap().unwrap().kind, kind);
        ends[to].read_from_ring().unwrap();
    }
}

fn body(kind: u8, length: usize) -> impl Iterator<Item = u8> {
    (0..length).map(move |at| (at as u8).wrapping_add(kind))
}

/// A poller for both that a channel waits for: 0 the socket, 1 the bell.
fn poller(channel: &Channel) -> Poller {
    let poller = Poller::new().unwrap();
    poller.add(channel.as_fd(), 0, Interest::READ).unwrap();
    poller.add(channel.bell().unwrap(), 1, Interest::READ | Interest::EDGE).unwrap();
    poller
}

/// Sleeps as a program must: never with something to read, and told of the socket.
fn sleep(channel: &mut Channel, poller: &mut Poller) {
    if channel.fall_asleep() {
        let interest = if channel.waits_for_socket() { Interest::READ_WRITE } else { Interest::READ };
        poller.modify(channel.as_fd(), 0, interest).unwrap();
        let events = poller.wait(Some(DEADLINE)).unwrap();
        assert!(!events.is_empty(), "a wake-up was lost");
        if events.iter().any(|event| event.token == 0) {
            channel.note_socket_ready();
        }
    }
}

/// A wake-up that is lost hangs a requester for good. Each side answers what it gets, and sleeps in between.
#[test]
fn many_messages_lose_no_wake_up() {
    const ROUNDS: u32 = 60_000;
    let (mut near, mut far) = pair();
    let echo = thread::spawn(move || {
        let mut poller = poller(&far);
        let mut replies: Vec<Vec<u8>> = Vec::new();
        loop {
            let filled = far.fill().unwrap();
            while let Some(frame) = far.next_frame().unwrap() {
                replies.push(frame.body.to_vec());
            }
            for reply in replies.drain(..) {
                far.queue(DATA, |out| out.extend(reply));
            }
            if filled == Fill::Closed {
                return;
            }
            let _ = far.flush().unwrap();
            sleep(&mut far, &mut poller);
        }
    });
    let mut poller = poller(&near);
    let (mut sent, mut heard) = (0u32, 0);
    while heard < ROUNDS {
        // Now one is on its way, now several, so that both sides meet each other awake, asleep, and just between.
        while sent < ROUNDS && sent - heard < sent % 5 + 1 {
            near.queue(DATA, |out| out.extend(sent.to_le_bytes()));
            if sent % 3 == 0 {
                let _ = near.flush().unwrap();
            }
            sent += 1;
        }
        let _ = near.flush().unwrap();
        sleep(&mut near, &mut poller);
        let _ = near.fill().unwrap();
        while let Some(frame) = near.next_frame().unwrap() {
            assert_eq!(frame.body, heard.to_le_bytes());
            heard += 1;
        }
    }
    drop(near);
    echo.join().unwrap();
}

/// A ring that is full must neither lose bytes nor leave its writer asleep.
#[test]
fn bodies_far_longer_than_the_ring_stream_through_it() {
    let (mut near, mut far) = pair();
    let reader = thread::spawn(move || {
        let mut poller = poller(&far);
        let mut expected = 0;
        while expected < 60 {
            sleep(&mut far, &mut poller);
            let _ = far.fill().unwrap();
            while let Some(frame) = far.next_frame().unwrap() {
                assert_eq!(frame.kind, expected);
                assert!(frame.body.iter().copied().eq(body(expected, usize::from(expected) * 30_000)));
                expected += 1;
            }
        }
    });
    let mut poller = poller(&near);
    for kind in 0..60u8 {
        near.queue(kind, |out| out.extend(body(kind, usize::from(kind) * 30_000)));
        while near.flush().unwrap() == Flush::Blocked {
            assert!(!near.waits_for_socket());
            sleep(&mut near, &mut poller);
        }
    }
    reader.join().unwrap();
}

/// A descriptor that comes to the wrong frame would be a connection of somebody else.
#[test]
fn descriptors_come_with_their_frames() {
    let (mut near, mut far) = pair();
    for kind in 10..40u8 {
        let fds = (0..kind).map(|_| null()).collect();
        near.queue_with(kind, fds, |out| out.extend(body(kind, usize::from(kind))));
        near.queue(kind, |_| {});
        if kind == 32 {
            break;
        }
    }
    let mut expected = VecDeque::from_iter((10..=32).flat_map(|kind| [(kind, usize::from(kind)), (kind, 0)]));
    while let Some((kind, count)) = expected.pop_front() {
        let _ = near.flush().unwrap();
        far.note_socket_ready();
        let _ = far.fill().unwrap();
        let frame = far.next_frame().unwrap().unwrap();
        assert_eq!((frame.kind, frame.descriptors.len()), (kind, count));
    }
    // Announced, and not there.
    let (mut near, mut far, memory) = pair_and_memory();
    turn(&mut near, &mut far);
    rustix::io::pwrite(&memory, &[0, 0, 0, 0, DATA, 1, 0, 0], FIRST_BYTE).unwrap();
    rustix::io::pwrite(&memory, &8u64.to_ne_bytes(), TAIL).unwrap();
    assert_eq!(far.fill().unwrap(), Fill::Open);
    assert!(far.next_frame().is_err());
    assert!(far.next_frame().is_err());
}

/// What a dead primary had still written is true; a reply that is dropped because its sender is gone is lost.
#[test]
fn what_was_published_before_the_end_is_read() {
    let (mut near, mut far) = pair();
    near.queue(DATA, |out| out.extend(body(1, 100_000)));
    near.queue(DATA, |out| out.extend(body(2, 20_000)));
    assert_eq!(near.flush().unwrap(), Flush::Done);
    near.queue(DATA, |out| out.extend(body(3, 200_000)));
    assert_eq!(near.flush().unwrap(), Flush::Blocked);
    drop(near);
    let mut poller = poller(&far);
    let mut lengths = Vec::new();
    loop {
        far.note_socket_ready();
        let filled = far.fill().unwrap();
        while let Some(frame) = far.next_frame().unwrap() {
            lengths.push(frame.body.len());
        }
        if filled == Fill::Closed {
            break;
        }
        poller.wait(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!(lengths, [100_000, 20_000]);
    assert!(far.flush().is_err(), "nobody is there to read it");
}

/// In a test process that is killed: writes frames into the ring as fast as it can.
#[test]
fn role() {
    if std::env::var(ROLE).is_err() {
        return;
    }
    let mut channel = Channel::new(stdin_fd(), BODY_BYTES_MAX);
    let descriptors = channel.offer_ring(Among::Many).unwrap();
    channel.queue_with(OFFER, descriptors, |_| {});
    channel.queue(BEGUN, |_| {});
    channel.write_to_ring();
    let mut poller = poller(&channel);
    for number in 0u32.. {
        let length = number as usize * 7919 % 70_000;
        channel.queue(DATA, |out| {
            out.extend(number.to_le_bytes().into_iter().chain(body(number as u8, length)))
        });
        while channel.flush().unwrap() == Flush::Blocked {
            poller.wait(Some(DEADLINE)).unwrap();
        }
    }
}

/// kill -9 at any instruction of a writer must not make a reader hang, or read what was never said.
#[test]
fn a_writer_that_is_killed_leaves_whole_frames_and_an_end() {
    for round in 0..30u32 {
        let (near, far) = socket_pair().unwrap();
        let child = start(as_role("write", near));
        let mut far = Channel::new(far, BODY_BYTES_MAX);
        let mut poller = Poller::new().unwrap();
        poller.add(far.as_fd(), 0, Interest::READ).unwrap();
        let (mut expected, mut ended) = (0u32, false);
        let deadline = Instant::now() + DEADLINE;
        while !ended {
            assert!(Instant::now() < deadline, "no end of a writer that was killed");
            ended = far.fill().unwrap() == Fill::Closed;
            let mut taken = None;
            let mut turned = false;
            while let Some(frame) = far.next_frame().unwrap() {
                match frame.kind {
                    OFFER => taken = Some(frame.descriptors),
                    BEGUN => turned = true,
                    _ => {
                        let length = expected as usize * 7919 % 70_000;
                        let wanted = expected.to_le_bytes().into_iter().chain(body(expected as u8, length));
                        assert!(frame.body.iter().copied().eq(wanted), "frame {expected}");
                        expected += 1;
                    }
                }
                if expected == 1 + round * 5 {
                    signal(&child.pidfd, Signal::KILL).unwrap();
                }
            }
            if let Some(descriptors) = taken {
                far.take_ring(descriptors, Among::Many).unwrap();
                poller.add(far.bell().unwrap(), 1, Interest::READ | Interest::EDGE).unwrap();
            }
            if turned {
                far.read_from_ring().unwrap();
                ended = false;
            }
            if !ended && far.fall_asleep() {
                let events = poller.wait(Some(DEADLINE)).unwrap();
                assert!(!events.is_empty(), "neither frames nor an end");
                if events.iter().any(|event| event.token == 0) {
                    far.note_socket_ready();
                }
            }
        }
        assert!(expected > round * 5);
        assert!(wait_gone(&child.pidfd, DEADLINE).unwrap());
        let _ = reap(&child.pidfd, false);
    }
}

/// S17: a peer that writes nonsense into the control words must not make us read or write outside of the ring.
#[test]
fn hostile_positions_are_a_broken_channel() {
    for wild in [1 << 63, 128 * 1024 + 1, u64::MAX / 2, u64::MAX - (1 << 20)] {
        let (mut near, mut far, memory) = pair_and_memory();
        turn(&mut near, &mut far);
        rustix::io::pwrite(&memory, &wild.to_ne_bytes(), TAIL).unwrap();
        assert!(far.fill().is_err(), "tail {wild}");
        let (mut near, mut far, memory) = pair_and_memory();
        turn(&mut near, &mut far);
        rustix::io::pwrite(&memory, &wild.to_ne_bytes(), HEAD).unwrap();
        near.queue(DATA, |out| out.resize(1 << 20, 0));
        assert!(near.flush().is_err(), "head {wild}");
        let (mut near, mut far, memory) = pair_and_memory();
        turn(&mut near, &mut far);
        rustix::io::pwrite(&memory, &wild.to_ne_bytes(), HEAD).unwrap();
        for _ in 0..3 {
            near.queue_parts(DATA, &[0; 16], &[0; 64 * 1024]);
        }
        assert!(near.flush().is_err(), "head {wild}");
        // A wrong base gives other bytes, in so many as were said to be there.
        let (mut near, mut far, memory) = pair_and_memory();
        turn(&mut near, &mut far);
        rustix::io::pwrite(&memory, &wild.to_ne_bytes(), BASE).unwrap();
        rustix::io::pwrite(&memory, &(32u64 * 1024).to_ne_bytes(), TAIL).unwrap();
        assert_eq!(far.fill().unwrap(), Fill::Open, "base {wild}");
        let mut frames = 0;
        while far.next_frame().unwrap().is_some() {
            frames += 1;
        }
        assert_eq!(frames, 32 * 1024 / 8, "frames of zeros");
    }
    // Positions that are possible, and bytes that are no frame.
    let (mut near, mut far, memory) = pair_and_memory();
    turn(&mut near, &mut far);
    rustix::io::pwrite(&memory, &[0xff; 64], FIRST_BYTE).unwrap();
    rustix::io::pwrite(&memory, &64u64.to_ne_bytes(), TAIL).unwrap();
    assert_eq!(far.fill().unwrap(), Fill::Open);
    assert!(far.next_frame().is_err());
    drop(near);
}

/// A reply that is seen before its loop flushes could leave ahead of what it depends on, and one that does not count as queued would
/// never be flushed.
#[test]
fn a_frame_in_two_parts_leaves_with_the_flush() {
    let (mut near, mut far) = pair();
    near.queue_parts(DATA, b"head", b" and payload");
    assert!(near.is_blocked() && !near.waits_for_socket());
    assert_eq!(far.fill().unwrap(), Fill::Open);
    assert!(far.next_frame().unwrap().is_none());
    assert_eq!(near.flush().unwrap(), Flush::Done);
    assert!(!near.is_blocked());
    assert_eq!(far.fill().unwrap(), Fill::Open);
    assert_eq!(far.next_frame().unwrap().unwrap().body, b"head and payload");
}

/// SIGBUS kills: a file that can be cut off, or is too short, is refused. So is what is no ring at all.
#[test]
fn what_is_no_ring_is_refused() {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    let memory = |bytes: u64, seals: SealFlags| {
        let memfd = memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&memfd, bytes).unwrap();
        fcntl_add_seals(&memfd, seals).unwrap();
        memfd
    };
    let right = 8192 + 2 * 128 * 1024;
    let offers: Vec<(&str, Vec<OwnedFd>)> = vec![
        ("nothing", vec![]),
        ("no bells", vec![memory(right, seals)]),
        ("no seals", vec![memory(right, SealFlags::empty()), null(), null()]),
        ("may shrink", vec![memory(right, SealFlags::GROW | SealFlags::SEAL), null(), null()]),
        ("too short", vec![memory(right - 4096, seals), null(), null()]),
        ("too long", vec![memory(right + 1, seals), null(), null()]),
        ("not writable", vec![memory(right, seals | SealFlags::WRITE), null(), null()]),
        ("no memory", vec![null(), null(), null()]),
        ("too many", vec![memory(right, seals), null(), null(), null()]),
    ];
    for (what, offer) in offers {
        let (near, _far) = socket_pair().unwrap();
        let mut channel = Channel::new(near, BODY_BYTES_MAX);
        assert!(channel.take_ring(offer, Among::Many).is_err(), "{what}");
        assert!(channel.bell().is_none());
        assert!(channel.read_from_ring().is_err(), "{what}");
    }
    let (near, _far) = socket_pair().unwrap();
    let mut channel = Channel::new(near, BODY_BYTES_MAX);
    channel.take_ring(vec![memory(right, seals), null(), null()], Among::Many).unwrap();
    assert!(
        channel.take_ring(vec![memory(right, seals), null(), null()], Among::Many).is_err(),
        "a second one"
    );
}

/// A requester that shares a bell with a server could stop it by making its write to that bell block.
#[test]
fn a_bell_that_a_peer_has_filled_does_not_block() {
    let (near, _far) = socket_pair().unwrap();
    let mut near = Channel::new(near, BODY_BYTES_MAX);
    let bell = near.offer_ring(Among::Many).unwrap().remove(1);
    rustix::io::ioctl_fionbio(&bell, false).unwrap();
    rustix::io::write(&bell, &(u64::MAX - 2).to_ne_bytes()).unwrap();
    near.write_to_ring();
    near.queue(DATA, |_| {});
    assert_eq!(near.flush().unwrap(), Flush::Done);
}

/// S15: descriptors that no frame announces would use up the table of a server.
#[test]
fn descriptors_without_frames_break_the_channel() {
    let (near, far) = socket_pair().unwrap();
    let (mut near, mut far) = (Channel::new(near, BODY_BYTES_MAX), Channel::new(far, BODY_BYTES_MAX));
    far.take_ring(near.offer_ring(Among::Many).unwrap(), Among::Many).unwrap();
    far.read_from_ring().unwrap();
    let broken = (0..100).any(|_| {
        near.queue_with(DATA, (0..DESCRIPTORS_PER_FRAME_MAX).map(|_| null()).collect(), |_| {});
        let _ = near.flush().unwrap();
        far.note_socket_ready();
        far.fill().is_err()
    });
    assert!(broken);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// However the stream is cut into writes, flushes and reads, and wherever the ring wraps, the frames are the same.
    #[test]
    fn frames_survive_any_interleaving(frames in prop::collection::vec((any::<u8>(), 0usize..100_000, 0usize..4, any::<bool>(), any::<bool>()), 1..40)) {
        let (mut near, mut far) = pair();
        let mut expected = VecDeque::new();
        let take = |far: &mut Channel, expected: &mut VecDeque<(u8, usize, usize)>| {
            let _ = far.fill().unwrap();
            while let Some(frame) = far.next_frame().unwrap() {
                let (kind, length, descriptors) = expected.pop_front().unwrap();
                assert_eq!((frame.kind, frame.body.len(), frame.descriptors.len()), (kind, length, descriptors));
                assert!(frame.body.iter().copied().eq(body(kind, length)));
            }
        };
        for (kind, length, descriptors, flush, read) in frames {
            let bytes: Vec<u8> = body(kind, length).collect();
            // Three descriptors stand for a frame in two parts.
            if descriptors == 3 && let Some((head, payload)) = bytes.split_first_chunk::<16>() {
                near.queue_parts(kind, head, payload);
                expected.push_back((kind, length, 0));
            } else {
                let fds = (0..descriptors).map(|_| null()).collect();
                near.queue_with(kind, fds, |out| out.extend(&bytes));
                expected.push_back((kind, length, descriptors));
            }
            if flush { let _ = near.flush().unwrap(); }
            if read { take(&mut far, &mut expected); }
        }
        let deadline = Instant::now() + DEADLINE;
        while !expected.is_empty() {
            assert!(Instant::now() < deadline, "stalled");
            let _ = near.flush().unwrap();
            take(&mut far, &mut expected);
        }
    }
}
