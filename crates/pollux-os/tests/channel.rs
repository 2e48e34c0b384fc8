//! Channels over real sockets.

// In a test, a wrong value ends the test: that is what unwrap is for.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::Instant;

use common::{DEADLINE, next, null, say};
use pollux_os::{
    Channel, DESCRIPTORS_PER_FRAME_MAX, FRAME_HEADER_BYTES, Fill, Flush, FrameError, Interest, Poller,
    socket_pair,
};
use proptest::prelude::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const BODY_BYTES_MAX: usize = 2 << 20;

fn pair() -> (Channel, Channel) {
    let (near, far) = socket_pair().unwrap();
    (Channel::new(near, BODY_BYTES_MAX), Channel::new(far, BODY_BYTES_MAX))
}

fn temporary_file(text: &str) -> OwnedFd {
    use std::io::{Seek as _, Write as _};
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    file.into()
}

/// If small frames were not batched, each reply would cost its own system call and throughput would halve.
#[test]
fn small_frames_go_out_in_one_message() {
    // A seqpacket socket shows where one message ends and the next begins.
    let flags = rustix::net::SocketFlags::CLOEXEC;
    let kind = rustix::net::SocketType::SEQPACKET;
    let (near, far) = rustix::net::socketpair(rustix::net::AddressFamily::UNIX, kind, flags, None).unwrap();
    let mut channel = Channel::new(near, BODY_BYTES_MAX);
    for kind in 0..100 {
        channel.queue(kind, |out| out.extend_from_slice(&[kind; 10]));
    }
    assert_eq!(channel.queued_bytes(), 100 * (FRAME_HEADER_BYTES + 10));
    assert!(channel.is_blocked());
    assert_eq!(channel.flush().unwrap(), Flush::Done);
    assert!(!channel.is_blocked());
    let mut message = [0; 8192];
    assert_eq!(rustix::io::read(&far, &mut message), Ok(100 * (FRAME_HEADER_BYTES + 10)));
}

/// A reply that overtakes another, or a body with a wrong byte, is a wrong answer.
#[test]
fn frames_arrive_whole_and_in_order() {
    let (mut near, mut far) = pair();
    for kind in 0..=255u8 {
        near.queue(kind, |out| out.extend(std::iter::repeat_n(kind, usize::from(kind))));
    }
    assert_eq!(near.flush().unwrap(), Flush::Done);
    assert_eq!(far.fill().unwrap(), Fill::Open);
    for kind in 0..=255u8 {
        let frame = far.next_frame().unwrap().unwrap();
        assert_eq!((frame.kind, frame.body), (kind, &vec![kind; usize::from(kind)][..]));
        assert!(frame.descriptors.is_empty());
    }
    assert!(far.next_frame().unwrap().is_none());
    drop(near);
    assert_eq!(far.fill().unwrap(), Fill::Closed);
}

/// A socket handed to the wrong open would give one requester the answers of another.
#[test]
fn descriptors_arrive_with_their_frame() {
    let (mut near, mut far) = pair();
    say(&mut near, 1, b"plain");
    near.queue(2, |out| out.extend_from_slice(b"plain"));
    near.queue_with(3, vec![temporary_file("one"), temporary_file("two")], |out| {
        out.extend_from_slice(b"two files")
    });
    near.queue(4, |_| {});
    near.queue_with(
        5,
        (0..DESCRIPTORS_PER_FRAME_MAX).map(|i| temporary_file(&i.to_string())).collect(),
        |_| {},
    );
    near.queue_with(6, vec![temporary_file("last")], |_| {});
    near.queue(7, |out| out.extend_from_slice(b"end"));
    assert_eq!(near.flush().unwrap(), Flush::Done);

    let mut seen = Vec::new();
    for _ in 0..7 {
        let (kind, _, descriptors) = next(&mut far).unwrap();
        let texts = descriptors.into_iter().map(|fd| {
            assert!(rustix::io::fcntl_getfd(&fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
            let mut text = String::new();
            File::from(fd).read_to_string(&mut text).unwrap();
            text
        });
        seen.push((kind, texts.collect::<Vec<_>>()));
    }
    let many = (0..DESCRIPTORS_PER_FRAME_MAX).map(|i| i.to_string()).collect();
    let expected = [
        (1, vec![]),
        (2, vec![]),
        (3, vec!["one".to_owned(), "two".to_owned()]),
        (4, vec![]),
        (5, many),
        (6, vec!["last".to_owned()]),
        (7, vec![]),
    ];
    assert_eq!(seen, expected);
}

/// A large request that stalls half-way, or blocks the loop while it is sent, hangs its requester.
#[test]
fn a_huge_body_goes_through_a_small_socket() {
    let (near, far) = socket_pair().unwrap();
    rustix::net::sockopt::set_socket_send_buffer_size(&near, 4096).unwrap();
    let (mut near, mut far) = (Channel::new(near, BODY_BYTES_MAX), Channel::new(far, BODY_BYTES_MAX));
    let body: Vec<u8> = (0..BODY_BYTES_MAX).map(|i| (i * 7 + i / 251) as u8).collect();
    let bodies = [&body[..], b"", &body[1..], b"small"];
    for (kind, body) in (0..).zip(bodies) {
        near.queue_with(kind, if kind == 2 { vec![null()] } else { vec![] }, |out| {
            out.extend_from_slice(body)
        });
    }

    let mut poller = Poller::new().unwrap();
    poller.add(near.as_fd(), 1, Interest::WRITE).unwrap();
    poller.add(far.as_fd(), 2, Interest::READ).unwrap();
    let deadline = Instant::now() + DEADLINE;
    let mut received = 0;
    let mut blocked = 0;
    while received < bodies.len() {
        let left = deadline.checked_duration_since(Instant::now()).expect("the body stalls");
        for event in poller.wait(Some(left)).unwrap().to_vec() {
            match event.token {
                1 if near.flush().unwrap() == Flush::Done => {
                    poller.modify(near.as_fd(), 1, Interest::NONE).unwrap()
                }
                1 => blocked += 1,
                _ => assert_ne!(far.fill().unwrap(), Fill::Closed),
            }
            while let Some(frame) = far.next_frame().unwrap() {
                assert_eq!(usize::from(frame.kind), received);
                assert!(frame.body == bodies[received], "body {received} is damaged");
                assert_eq!(frame.descriptors.len(), usize::from(received == 2));
                received += 1;
            }
        }
    }
    assert!(blocked > 10, "the socket was to be too small");
    assert!(!near.is_blocked());
}

/// Says to a test that it is in a process of its own, whose table of descriptors it may fill.
const ALONE: &str = "POLLUX_TEST_ALONE";

/// A path that breaks for want of a descriptor looks to its server like a process that died.
#[test]
fn a_frame_comes_without_the_descriptors_for_which_there_was_no_room() {
    if std::env::var_os(ALONE).is_none() {
        let name = "a_frame_comes_without_the_descriptors_for_which_there_was_no_room";
        let program = std::env::current_exe().unwrap();
        let status = std::process::Command::new(program)
            .args(["--exact", name, "--test-threads", "1"])
            .env(ALONE, "1")
            .status();
        assert!(status.unwrap().success());
        return;
    }
    for forgives in [true, false] {
        let (mut near, mut far) = pair();
        near.queue(0, |_| {});
        near.queue_with(1, vec![null(), null(), null()], |_| {});
        near.queue_with(2, vec![temporary_file("kept")], |_| {});
        assert_eq!(near.flush().unwrap(), Flush::Done);
        if forgives {
            far.forgive_lost_descriptors();
        }
        let usual = getrlimit(Resource::Nofile);
        // Room for two of the three.
        let (first, second) = (null(), null());
        let limit = u64::try_from(second.as_raw_fd()).unwrap() + 1;
        drop((first, second));
        setrlimit(Resource::Nofile, Rlimit { current: Some(limit), ..usual }).unwrap();
        let filled = far.fill();
        setrlimit(Resource::Nofile, usual).unwrap();
        if !forgives {
            assert_eq!(filled.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
            continue;
        }
        let mut frames = Vec::new();
        while let Some(frame) = far.next_frame().unwrap() {
            frames.push((frame.kind, frame.descriptors));
        }
        let counts: Vec<_> = frames.iter().map(|(kind, descriptors)| (*kind, descriptors.len())).collect();
        assert_eq!(counts, [(0, 0), (1, 0), (2, 1)]);
        let mut text = String::new();
        File::from(frames.pop().unwrap().1.pop().unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "kept", "the next frame has its own");
    }
}

/// A peer that announces gigabytes must not make the daemon reserve them.
#[test]
fn a_length_over_the_limit_is_refused_at_its_header() {
    let (near, far) = socket_pair().unwrap();
    let mut channel = Channel::new(far, 1000);
    rustix::io::write(&near, &[0xe8, 3, 0, 0, 1, 0, 0, 0]).unwrap();
    assert_eq!(channel.fill().unwrap(), Fill::Open);
    assert!(channel.next_frame().unwrap().is_none(), "1000 bytes are allowed and not here yet");

    let (near, far) = socket_pair().unwrap();
    let mut channel = Channel::new(far, 1000);
    rustix::io::write(&near, &[0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0]).unwrap();
    let error = FrameError::TooLong { length: 0xffff_ffff, max: 1000 };
    for _ in 0..2 {
        let _ = channel.fill().unwrap();
        assert_eq!(channel.next_frame().unwrap_err(), error);
    }
}

/// A frame without its descriptors must be refused, or the descriptors of the next frame would be taken for its own.
#[test]
fn missing_descriptors_and_bad_headers_are_refused() {
    for (header, error) in [
        ([0, 0, 0, 0, 1, 2, 0, 0], FrameError::MissingDescriptors { announced: 2, arrived: 0 }),
        ([0, 0, 0, 0, 1, 33, 0, 0], FrameError::BadHeader),
        ([0, 0, 0, 0, 1, 0, 1, 0], FrameError::BadHeader),
        ([0, 0, 0, 0, 1, 0, 0, 1], FrameError::BadHeader),
    ] {
        let (near, far) = socket_pair().unwrap();
        rustix::io::write(&near, &header).unwrap();
        let mut channel = Channel::new(far, 1000);
        let _ = channel.fill().unwrap();
        assert_eq!(channel.next_frame().unwrap_err(), error);
    }
}

/// A peer could otherwise fill our descriptor table with descriptors that belong to no frame.
#[test]
fn descriptors_without_frames_are_bounded() {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let (near, far) = socket_pair().unwrap();
    let mut channel = Channel::new(far, 1000);
    let fd = null();
    let error = (0..100).find_map(|_| {
        // Plain frames that announce nothing, each with a stowaway crowd.
        let descriptors = [fd.as_fd(); DESCRIPTORS_PER_FRAME_MAX];
        let mut space =
            [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_PER_FRAME_MAX))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
        sendmsg(&near, &[std::io::IoSlice::new(&[0; 8])], &mut ancillary, SendFlags::NOSIGNAL).unwrap();
        let error = channel.fill().err();
        while channel.next_frame().unwrap().is_some() {}
        error
    });
    assert_eq!(error.unwrap().kind(), std::io::ErrorKind::InvalidData);
}

/// More descriptors in one message than we have room for: the kernel drops some, so the stream is not to be trusted.
#[test]
fn lost_descriptors_are_an_error() {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let (near, far) = socket_pair().unwrap();
    let fd = null();
    let descriptors = [fd.as_fd(); 100];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(100))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let message = [0, 0, 0, 0, 1, 32, 0, 0];
    sendmsg(&near, &[std::io::IoSlice::new(&message)], &mut ancillary, SendFlags::NOSIGNAL).unwrap();
    let mut channel = Channel::new(far, 1000);
    assert_eq!(channel.fill().unwrap_err().kind(), std::io::ErrorKind::InvalidData);
}

/// The last words of a dying process must be read before its death is acted on (process-pairs.md, 3.4).
#[test]
fn what_was_sent_before_the_end_is_still_there() {
    let (mut near, mut far) = pair();
    // Unread input at the dead end turns the end into a reset; that must not eat the data either.
    say(&mut far, 9, b"never read");
    say(&mut near, 1, b"last");
    say(&mut near, 2, b"words");
    drop(near);
    assert_eq!(far.fill().unwrap(), Fill::Closed);
    assert_eq!(far.next_frame().unwrap().unwrap().body, b"last");
    assert_eq!(far.next_frame().unwrap().unwrap().body, b"words");
    assert!(far.next_frame().unwrap().is_none());
    assert_eq!(far.fill().unwrap(), Fill::Closed);
    far.queue(1, |_| {});
    let kind = far.flush().unwrap_err().kind();
    assert!(matches!(kind, std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset), "{kind}");
}

/// A slow reader must cost the writer memory for what is unread, not for all it ever sent.
#[test]
fn a_stream_that_never_empties_stays_bounded() {
    let (mut near, mut far) = pair();
    let mut sent: u64 = 0;
    let mut received: u64 = 0;
    for _ in 0..2_000 {
        for _ in 0..4 {
            near.queue(1, |out| {
                out.extend_from_slice(&sent.to_le_bytes());
                out.resize(out.len() + 5_000, 0);
            });
            sent += 1;
        }
        let _ = near.flush().unwrap();
        // Read only while the other side is blocked, so that its queue is hardly ever empty.
        while near.queued_bytes() > 100_000 {
            let _ = far.fill().unwrap();
            while let Some(frame) = far.next_frame().unwrap() {
                assert_eq!(frame.body[..8], received.to_le_bytes());
                received += 1;
            }
            let _ = near.flush().unwrap();
        }
    }
    while received < sent {
        let _ = near.flush().unwrap();
        let _ = far.fill().unwrap();
        while let Some(frame) = far.next_frame().unwrap() {
            assert_eq!(frame.body[..8], received.to_le_bytes());
            received += 1;
        }
    }
}

/// With the shortcut for level-triggered loops no byte, descriptor or end of stream may be lost.
#[test]
fn stopping_at_short_reads_loses_nothing() {
    let (mut near, mut far) = pair();
    far.set_stop_at_short_read(true);
    say(&mut near, 1, b"one");
    near.queue_with(2, vec![null()], |_| {});
    near.queue(3, |_| {});
    assert_eq!(near.flush().unwrap(), Flush::Done);
    drop(near);
    let kinds = std::iter::from_fn(|| next(&mut far)).map(|(kind, _, fds)| (kind, fds.len()));
    assert_eq!(kinds.collect::<Vec<_>>(), [(1, 0), (2, 1), (3, 0)]);
}

/// A write_body that is too long must stop us, not make the peer close on us.
#[test]
#[should_panic(expected = "body of 11 bytes")]
fn a_body_over_our_own_limit_is_a_bug() {
    let (near, _far) = socket_pair().unwrap();
    Channel::new(near, 10).queue(1, |out| out.extend_from_slice(&[0; 11]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// S17: any bytes decode to frames or a named error; a panic here is a daemon killed by a requester.
    #[test]
    fn any_bytes_are_frames_or_an_error(pieces in prop::collection::vec(prop::collection::vec(prop_oneof![3 => Just(0u8), 1 => any::<u8>()], 0..300), 1..8)) {
        let (near, far) = socket_pair().unwrap();
        let mut channel = Channel::new(far, 500);
        'pieces: for piece in &pieces {
            rustix::io::write(&near, piece).unwrap();
            let _ = channel.fill().unwrap();
            loop {
                match channel.next_frame() {
                    Ok(Some(frame)) => prop_assert!(frame.body.len() <= 500),
                    Ok(None) => break,
                    Err(_) => break 'pieces,
                }
            }
        }
    }

    /// However the stream is cut into writes, flushes and reads, the frames are the same.
    #[test]
    fn frames_survive_any_interleaving(frames in prop::collection::vec((any::<u8>(), 0usize..100_000, 0usize..3, any::<bool>(), any::<bool>()), 1..30)) {
        let (near, far) = socket_pair().unwrap();
        rustix::net::sockopt::set_socket_send_buffer_size(&near, 20_000).unwrap();
        let (mut near, mut far) = (Channel::new(near, 100_000), Channel::new(far, 100_000));
        let mut expected = std::collections::VecDeque::new();
        let take = |far: &mut Channel, expected: &mut std::collections::VecDeque<(u8, usize, usize)>| {
            let _ = far.fill().unwrap();
            while let Some(frame) = far.next_frame().unwrap() {
                let (kind, length, descriptors) = expected.pop_front().unwrap();
                assert_eq!((frame.kind, frame.body.len(), frame.descriptors.len()), (kind, length, descriptors));
                assert!(frame.body.iter().enumerate().all(|(at, byte)| *byte == (at as u8).wrapping_add(kind)));
            }
        };
        for (kind, length, descriptors, flush, read) in frames {
            let fds = (0..descriptors).map(|_| null()).collect();
            near.queue_with(kind, fds, |out| out.extend((0..length).map(|at| (at as u8).wrapping_add(kind))));
            expected.push_back((kind, length, descriptors));
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
