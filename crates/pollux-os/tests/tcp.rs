//! TCP positions and peeking, over loopback connections.

// In a test, a wrong value ends the test: that is what unwrap is for.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{IoSlice, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};

use common::{DEADLINE, ROLE, as_role, start, stdin_fd, until};
use pollux_os::{
    Signal, discard, is_receive_buffer_crowded, peek, peek_offset_supported, reap, set_peek_offset, signal,
    stream_positions, wait_gone, write, write_vectored,
};

const STREAM_BYTES: usize = 16 << 20;

fn stream_byte(at: usize) -> u8 {
    (at * 31 + at / 65_521) as u8
}

/// What the child processes of these tests do.
#[test]
fn role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let socket = stdin_fd();
    match role.as_str() {
        // The primary: reads a request of 1000 of the 5000 bytes, then answers with a long stream.
        "primary" => {
            let mut request = [0; 1000];
            assert_eq!(rustix::io::read(&socket, &mut request), Ok(1000));
            let stream: Vec<u8> = (0..STREAM_BYTES).map(stream_byte).collect();
            let mut sent = 0;
            while sent < stream.len() {
                sent += rustix::io::write(&socket, &stream[sent..]).unwrap();
            }
        }
        other => panic!("no role {other}"),
    }
}

/// The connecting end and the accepted end of one connection.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_nodelay(true).unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    (peer, accepted)
}

/// A position off by one byte after a takeover corrupts the stream of every client.
#[test]
fn a_backup_goes_on_at_the_exact_byte() {
    let (mut peer, accepted) = connection();
    let dup: OwnedFd = accepted.as_fd().try_clone_to_owned().unwrap();
    peer.write_all(&[7; 5000]).unwrap();
    let primary = start(as_role("primary", accepted.into()));

    // Three million bytes prove that it is in the middle of sending: the buffers hold less than the rest.
    let mut received = vec![0; 3_000_000];
    peer.read_exact(&mut received).unwrap();
    signal(&primary.pidfd, Signal::KILL).unwrap();
    assert!(wait_gone(&primary.pidfd, DEADLINE).unwrap());
    assert!(reap(&primary.pidfd, false).unwrap().is_some());

    let positions = stream_positions(&dup).unwrap();
    assert_eq!((positions.received, positions.consumed(), positions.unread), (5000, 1000, 4000));
    assert!(!positions.peer_finished);
    let produced = usize::try_from(positions.produced()).unwrap();
    assert!((3_000_000..STREAM_BYTES).contains(&produced), "{produced}");

    // Closing with unread input would reset the connection and lose what is on its way.
    assert_eq!(discard(&dup, 5000, &mut [0; 5000]).unwrap(), 4000);
    let writer = std::thread::spawn(move || {
        let rest: Vec<u8> = (produced..STREAM_BYTES).map(stream_byte).collect();
        TcpStream::from(dup).write_all(&rest).unwrap();
    });
    peer.read_to_end(&mut received).unwrap();
    writer.join().unwrap();
    assert_eq!(received.len(), STREAM_BYTES);
    assert!(received.iter().enumerate().all(|(at, byte)| *byte == stream_byte(at)), "damaged stream");
}

/// A FIN counted as a byte makes the backup discard one byte too many, or send the last one twice.
#[test]
fn fins_are_not_counted() {
    let (mut peer, mut accepted) = connection();
    let dup: OwnedFd = accepted.as_fd().try_clone_to_owned().unwrap();
    let at = || {
        let positions = stream_positions(&dup).unwrap();
        (positions.consumed(), positions.produced(), positions.unread, positions.peer_finished)
    };
    assert_eq!(at(), (0, 0, 0, false));
    peer.write_all(b"hello").unwrap();
    until("hello received", || at() == (0, 0, 5, false));
    accepted.read_exact(&mut [0; 2]).unwrap();
    accepted.write_all(b"answer").unwrap();
    assert_eq!(at(), (2, 6, 3, false));

    // The peer finishes first, with input unread.
    peer.shutdown(Shutdown::Write).unwrap();
    until("the FIN received", || at() == (2, 6, 3, true));
    accepted.read_exact(&mut [0; 3]).unwrap();
    assert_eq!(at(), (5, 6, 0, true));
    assert_eq!(accepted.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(at(), (5, 6, 0, true));
    // Then we do: the FIN goes through the send queue and is acknowledged; it is never a byte.
    accepted.shutdown(Shutdown::Write).unwrap();
    until("both finished", || {
        assert_eq!(at(), (5, 6, 0, true));
        stream_positions(&dup).unwrap().state == 7
    });

    // The other order: we finish first.
    let (mut peer, mut accepted) = connection();
    let dup: OwnedFd = accepted.as_fd().try_clone_to_owned().unwrap();
    let at = || {
        let positions = stream_positions(&dup).unwrap();
        (positions.consumed(), positions.produced(), positions.unread, positions.peer_finished)
    };
    accepted.write_all(b"answer").unwrap();
    accepted.shutdown(Shutdown::Write).unwrap();
    until("our FIN acknowledged", || {
        assert_eq!(at(), (0, 6, 0, false));
        stream_positions(&dup).unwrap().state == 5
    });
    peer.write_all(b"late").unwrap();
    until("late bytes received", || at() == (0, 6, 4, false));
    accepted.read_exact(&mut [0; 4]).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    until("both finished", || at() == (4, 6, 0, true));
}

/// Unacknowledged output must count as written, with our FIN behind it as nothing.
#[test]
fn a_fin_behind_unsent_bytes_is_not_counted() {
    let (mut peer, accepted) = connection();
    accepted.set_nonblocking(true).unwrap();
    let mut produced = 0;
    // Until the peer's window and our queue are full.
    while let Ok(taken) = write(&accepted, &[1; 65_536]) {
        produced += taken as u64;
    }
    let dup: OwnedFd = accepted.as_fd().try_clone_to_owned().unwrap();
    assert_eq!(stream_positions(&dup).unwrap().produced(), produced);
    accepted.shutdown(Shutdown::Write).unwrap();
    let positions = stream_positions(&dup).unwrap();
    assert_eq!((positions.produced(), positions.state), (produced, 4));
    assert!(positions.unsent > 0);
    let mut received = Vec::new();
    peer.read_to_end(&mut received).unwrap();
    assert_eq!(received.len() as u64, produced);
    until("everything acknowledged", || {
        let positions = stream_positions(&dup).unwrap();
        assert_eq!(positions.produced(), produced);
        positions.unsent == 0 && positions.state == 5
    });
}

/// Peeking must leave bytes for the backup, and discarding must take exactly what was checkpointed.
#[test]
fn peeks_move_on_and_discards_move_back() {
    let (mut peer, accepted) = connection();
    let mut scratch = [0; 4];
    let mut buffer = [0; 4];
    assert_eq!(peek(&accepted, &mut buffer).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(discard(&accepted, 3, &mut scratch).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    peer.write_all(b"abcdefghijklmnop").unwrap();
    until("input", || stream_positions(&accepted).unwrap().unread == 16);

    // Without an offset each peek starts at the front.
    for _ in 0..2 {
        assert_eq!(peek(&accepted, &mut buffer).unwrap(), 4);
        assert_eq!(&buffer, b"abcd");
    }
    if peek_offset_supported() {
        set_peek_offset(&accepted, Some(0)).unwrap();
        for expected in [b"abcd", b"efgh"] {
            assert_eq!(peek(&accepted, &mut buffer).unwrap(), 4);
            assert_eq!(&buffer, expected);
        }
        // More than the scratch space holds, fewer than were peeked: the next peek goes on where the last ended.
        assert_eq!(discard(&accepted, 6, &mut scratch).unwrap(), 6);
        assert_eq!(stream_positions(&accepted).unwrap().consumed(), 6);
        assert_eq!(peek(&accepted, &mut buffer).unwrap(), 4);
        assert_eq!(&buffer, b"ijkl");
        // What a backup does that takes over: from the first unread byte.
        set_peek_offset(&accepted, None).unwrap();
    } else {
        assert_eq!(discard(&accepted, 6, &mut scratch).unwrap(), 6);
    }
    assert_eq!(peek(&accepted, &mut buffer).unwrap(), 4);
    assert_eq!(&buffer, b"ghij");
    assert_eq!(discard(&accepted, 100, &mut scratch).unwrap(), 10, "no more than there is");
    peer.shutdown(Shutdown::Write).unwrap();
    until("the end", || discard(&accepted, 1, &mut scratch).is_ok_and(|taken| taken == 0));
}

/// A server killed by SIGPIPE because one client hung up would take all its other clients along.
#[test]
fn writing_to_a_closed_connection_is_an_error() {
    let (peer, accepted) = connection();
    assert_eq!(write_vectored(&accepted, &[IoSlice::new(b"ab"), IoSlice::new(b"cd")]).unwrap(), 4);
    // Closing with unread input resets the connection.
    drop(peer);
    until("the reset", || write(&accepted, b"x").is_err());
    assert_eq!(write(&accepted, b"x").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    assert_eq!(stream_positions(&accepted).unwrap().state, 7);
}

/// Without the peek offset each batch would be peeked from the start again; `status` tells which it is.
#[test]
fn the_kernel_is_asked_once_for_the_peek_offset() {
    assert_eq!(peek_offset_supported(), peek_offset_supported());
}

/// A message whose end finds no room in the socket would never become whole: the server waits for it, and its client for room.
#[test]
fn few_bytes_crowd_a_receive_buffer() {
    let (mut peer, accepted) = connection();
    assert!(!is_receive_buffer_crowded(&accepted).unwrap(), "nothing has come");
    let mut scratch = vec![0; 32_000];
    peer.write_all(&[7; 32_000]).unwrap();
    until("the first part has come", || stream_positions(&accepted).unwrap().received == 32_000);
    let mut left = 31_900;
    while left > 0 {
        left -= discard(&accepted, left, &mut scratch).unwrap();
    }
    peer.write_all(&[7; 30_000]).unwrap();
    until("the second part has come", || stream_positions(&accepted).unwrap().received == 62_000);
    assert!(is_receive_buffer_crowded(&accepted).unwrap(), "the memory of what was read is still counted");
    let mut left = 30_100;
    while left > 0 {
        left -= discard(&accepted, left, &mut scratch).unwrap();
    }
    assert!(!is_receive_buffer_crowded(&accepted).unwrap());
}
