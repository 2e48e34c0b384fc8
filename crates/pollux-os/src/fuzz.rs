//! What a hostile peer can send to this crate, for the fuzz targets: each function takes any bytes and panics when a
//! promise is broken (S15, S17). Behind the feature `fuzz`; no product calls it.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStringExt as _;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::channel::socket_pair;
use crate::frame::FrameHeader;
use crate::ring::{Among, Ring};
use crate::{Channel, FRAME_HEADER_BYTES, Fill};

/// Largest body of the channels here: small, so that a length beyond it is near.
const BODY_BYTES_MAX: usize = 3000;

/// A frame's header: what decodes encodes to the same bytes, and keeps its limits.
pub fn frame_header(bytes: &[u8]) {
    match FrameHeader::decode(bytes, BODY_BYTES_MAX) {
        Ok(Some(header)) => {
            assert!(header.body_bytes <= BODY_BYTES_MAX, "a length above the limit is refused");
            assert_eq!(header.encode(), bytes[..FRAME_HEADER_BYTES]);
        }
        Ok(None) => assert!(bytes.len() < FRAME_HEADER_BYTES, "a whole header has an answer"),
        Err(_) => {}
    }
}

/// The arguments of the launcher, one a line.
pub fn launch_order(bytes: &[u8]) {
    let arguments: Vec<OsString> =
        bytes.split(|byte| *byte == b'\n').map(|line| OsString::from_vec(line.to_vec())).collect();
    crate::process::fuzz_order(&arguments);
}

/// A stream of bytes at a channel, in pieces: the frames are those of the stream, whatever the pieces; a stream that is none
/// gives an error that stays. The first byte of `bytes` is the length of the pieces.
pub fn channel(bytes: &[u8]) {
    let Some((&piece, stream)) = bytes.split_first() else { return };
    let piece = usize::from(piece) * 16 + 1;
    let Ok((ours, theirs)) = socket_pair() else { return };
    let mut channel = Channel::new(ours, BODY_BYTES_MAX);
    let mut expected = stream;
    for part in stream.chunks(piece) {
        if rustix::io::write(&theirs, part).ok() != Some(part.len()) {
            return;
        }
        if !matches!(channel.fill(), Ok(Fill::Open | Fill::Full)) || !take_frames(&mut channel, &mut expected)
        {
            return;
        }
    }
    drop(theirs);
    assert!(matches!(channel.fill(), Ok(Fill::Closed | Fill::Full)), "the end of a stream is told");
    take_frames(&mut channel, &mut expected);
}

/// Takes what is there, and looks whether it is what stands in the stream. False at an error.
fn take_frames(channel: &mut Channel, expected: &mut &[u8]) -> bool {
    loop {
        match channel.next_frame() {
            Ok(None) => return true,
            Ok(Some(frame)) => {
                let bytes = FRAME_HEADER_BYTES + frame.body.len();
                assert_eq!(frame.kind, expected[4], "the kind of a frame");
                assert_eq!(frame.body, &expected[FRAME_HEADER_BYTES..bytes], "the body of a frame");
                assert!(frame.descriptors.is_empty(), "no descriptor was sent");
                *expected = &expected[bytes..];
            }
            Err(error) => {
                assert_eq!(channel.next_frame().err(), Some(error), "an error stays");
                return false;
            }
        }
    }
}

/// What a hostile peer does to a ring, and what this side does meanwhile.
enum Step {
    /// It writes any number to one of the control words.
    Word { place: u8, number: u64 },
    /// It goes on from what stands there: an offset that is nearly right.
    Nudge { place: u8, by: i8 },
    /// This side reads with so much room.
    Read(usize),
    /// This side writes so many bytes and shows them.
    Write(usize),
    /// This side is about to sleep.
    Sleep,
    /// The other side behaves: it reads, or writes.
    Peer { reads: bool, bytes: usize },
}

fn step(rest: &mut &[u8]) -> Option<Step> {
    let (&kind, tail) = rest.split_first()?;
    *rest = tail;
    let mut number = |width: usize| {
        let taken = width.min(rest.len());
        let (digits, tail) = rest.split_at(taken);
        *rest = tail;
        digits.iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
    };
    Some(match kind % 6 {
        0 => Step::Word { place: kind / 6, number: number(8) },
        1 => Step::Nudge { place: kind / 6, by: number(1) as u8 as i8 },
        2 => Step::Read(number(2) as usize),
        3 => Step::Write(number(2) as usize),
        4 => Step::Sleep,
        _ => Step::Peer { reads: (kind / 6).is_multiple_of(2), bytes: number(2) as usize },
    })
}

/// A ring whose peer writes what it likes to the words that it can reach: its side and ours. Reading and writing go on or
/// end with an error that says so; never more comes out than there is room.
pub fn ring(bytes: &[u8]) {
    let Ok((mut ours, descriptors)) = Ring::create(Among::Many) else { return };
    let Ok(mut theirs) = Ring::open(descriptors, Among::Many) else { panic!("a ring that was made opens") };
    let filler = [0x5a; 1 << 16];
    let mut room = [0; 1 << 16];
    let mut rest = bytes;
    while let Some(step) = step(&mut rest) {
        let done = match step {
            Step::Word { place, number } => {
                on_word(
                    &theirs,
                    place,
                    |word| word.store(number, Ordering::Release),
                    |word| {
                        word.store(number as u32, Ordering::Release);
                    },
                );
                Ok(())
            }
            Step::Nudge { place, by } => {
                let by = i64::from(by);
                on_word(
                    &theirs,
                    place,
                    |word| {
                        word.store(word.load(Ordering::Acquire).wrapping_add_signed(by), Ordering::Release)
                    },
                    |_| {},
                );
                Ok(())
            }
            Step::Read(bytes) => ours.read(&mut room[..bytes]).map(|taken| assert!(taken <= bytes)),
            Step::Write(bytes) => write(&mut ours, &filler[..bytes]),
            Step::Sleep => {
                ours.fall_asleep();
                Ok(())
            }
            Step::Peer { reads: true, bytes } => {
                let _ = theirs.read(&mut room[..bytes]);
                Ok(())
            }
            Step::Peer { reads: false, bytes } => {
                let _ = write(&mut theirs, &filler[..bytes]);
                Ok(())
            }
        };
        if let Err(error) = done {
            assert_eq!(error.kind(), ErrorKind::InvalidData, "a broken ring is named: {error}");
            return;
        }
    }
}

/// One of the words that both sides reach: positions as they are, flags as they are.
fn on_word(ring: &Ring, place: u8, position: impl FnOnce(&AtomicU64), flag: impl FnOnce(&AtomicU32)) {
    let direction = ring.direction_for_fuzz(usize::from(place / 5 % 2));
    match place % 5 {
        0 => position(&direction.writer.tail),
        1 => position(&direction.reader.head),
        2 => flag(&direction.writer.waits),
        3 => position(&direction.writer.base),
        _ => flag(&direction.reader.sleeps),
    }
}

/// As a channel writes: what fits, then it waits for room.
fn write(ring: &mut Ring, bytes: &[u8]) -> io::Result<()> {
    let taken = ring.write(bytes)?;
    assert!(taken <= bytes.len());
    ring.publish();
    if taken < bytes.len() && ring.wait_for_room()? {
        ring.stop_waiting_for_room();
    }
    Ok(())
}
