//! A framed, nonblocking unix stream socket that can carry descriptors, and leave its bytes to a ring.
//!
//! Both directions are buffered here, so that any number of small frames costs one system call. The channel
//! decides nothing: it does not poll, close or retry; the caller drives [`Channel::flush`] when the socket is
//! writable and [`Channel::fill`], then [`Channel::next_frame`], when it is readable.
//!
//! Invariants: frames arrive in the order they were queued; the descriptors of a frame arrive with it; memory
//! is bounded by what was queued here on the one side and by the longest allowed body on the other.
//!
//! # With a ring
//!
//! Both ends may agree, by frames of their own, that the bytes go through shared memory:
//!
//! ```text
//!  offer_ring ---- descriptors in a frame ------------> take_ring
//!                                                       queue a frame that says so,
//!  read_from_ring  <------ the last from the socket --- write_to_ring
//!  queue a frame that says so,
//!  write_to_ring ---- the last from the socket -------> read_from_ring
//! ```
//!
//! From there on the socket carries descriptors, each message of them one byte that means nothing, ahead of the frame
//! in the ring that announces them; and its end is the end of the channel. What the peer had put into the ring
//! before its end is still read. Who waits has to wait for the socket *and* for [`Channel::bell`], edge-triggered;
//! tells the channel by [`Channel::note_socket_ready`] that it was the socket; and calls [`Channel::fall_asleep`]
//! before each wait.

mod input;
mod output;
mod spares;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::frame::{DESCRIPTORS_PER_FRAME_MAX, FRAME_HEADER_BYTES, Frame, FrameError, FrameHeader};
use crate::ring::{Among, Ring};
use input::Input;
use output::Output;

/// Bytes one [`Channel::fill`] takes at most, so that one fast peer cannot starve the others of a loop.
pub const FILL_BYTES_MAX: usize = 1 << 20;

/// Received descriptors that may wait for their frames to be taken.
pub const DESCRIPTORS_WAITING_MAX: usize = 8 * DESCRIPTORS_PER_FRAME_MAX;

/// The input buffer of a channel that holds small frames, or a payload of 64 KiB with its headers; and what an output buffer is cut
/// back to.
const BUFFER_BYTES: usize = 68 * 1024;

/// The first part of a body that comes in two, at most.
const PART_HEAD_BYTES_MAX: usize = 24;

/// Small uses in a row before a buffer that a huge frame has grown is given back. One huge frame in so many
/// small ones keeps its buffer: allocating 2 MiB anew for each costs more than sending them.
const SMALL_USES_BEFORE_SHRINK: u32 = 64;

/// Two connected sockets: stream, close-on-exec, nonblocking.
pub fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// How far [`Channel::flush`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a blocked channel needs write interest in the poller"]
pub enum Flush {
    /// Everything queued is with the kernel.
    Done,
    /// The peer does not read; go on when the socket is writable.
    Blocked,
}

/// Why [`Channel::fill`] stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a closed channel stays readable for ever"]
pub enum Fill {
    /// Nothing more to read at the moment.
    Open,
    /// There may be more: take the frames, then call again.
    Full,
    /// The peer is gone. Frames that arrived before the end are still to be taken.
    Closed,
}

/// One end of a framed path.
#[derive(Debug)]
pub struct Channel {
    fd: OwnedFd,
    body_bytes_max: usize,
    stop_at_short_read: bool,
    input: Input,
    output: Output,
    ring: Option<Ring>,
    reads_ring: bool,
    socket_ready: bool,
    /// The end of the socket was seen; what is in the ring counts.
    ended: bool,
}

impl Channel {
    /// Wraps a connected unix stream socket and makes it nonblocking. Bodies longer than `body_bytes_max` are
    /// refused in both directions.
    pub fn new(fd: OwnedFd, body_bytes_max: usize) -> Channel {
        // Fails only for a descriptor that is not open, which an OwnedFd is not.
        let _ = rustix::io::ioctl_fionbio(&fd, true);
        assert!(u32::try_from(body_bytes_max).is_ok(), "the length field of a frame has 32 bits");
        Channel {
            fd,
            body_bytes_max,
            stop_at_short_read: false,
            input: Input::default(),
            output: Output::default(),
            ring: None,
            reads_ring: false,
            socket_ready: false,
            ended: false,
        }
    }

    /// Lets [`fill`](Channel::fill) trust that a read which did not fill the buffer emptied the socket. Saves
    /// one system call per wake-up. Only for level-triggered polling: an end of stream that arrived together
    /// with the last bytes is then told by the next wake-up, which edge mode does not give.
    pub fn set_stop_at_short_read(&mut self, stop: bool) {
        self.stop_at_short_read = stop;
    }

    /// Without room in the table of descriptors what a frame carries is lost. With this the frame comes without any, for its
    /// reader to cope with; else the channel is broken.
    pub fn forgive_lost_descriptors(&mut self) {
        self.input.forgives_losses = true;
    }

    /// Appends a frame to the output; nothing is sent before [`flush`](Channel::flush). `write_body` appends the
    /// body to the vector it is given and leaves alone what is in it.
    ///
    /// # Panics
    ///
    /// If the body is longer than this channel allows: the other end would close on us.
    pub fn queue(&mut self, kind: u8, write_body: impl FnOnce(&mut Vec<u8>)) {
        self.output.append(kind, Vec::new(), self.body_bytes_max, write_body);
    }

    /// Like [`queue`](Channel::queue), for a body that is there in two parts. Where a ring has room it is copied once, straight into it.
    ///
    /// # Panics
    ///
    /// If the body is longer than this channel allows, or its first part longer than 24 bytes.
    #[inline]
    pub fn queue_parts<const HEAD: usize>(&mut self, kind: u8, head: &[u8; HEAD], payload: &[u8]) {
        let body_bytes = HEAD + payload.len();
        if self.output.is_through_to_ring()
            && body_bytes <= self.body_bytes_max
            && let Some(ring) = &mut self.ring
        {
            let mut front = [0; FRAME_HEADER_BYTES + PART_HEAD_BYTES_MAX];
            front[..FRAME_HEADER_BYTES]
                .copy_from_slice(&FrameHeader { body_bytes, kind, descriptors: 0 }.encode());
            front[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + HEAD].copy_from_slice(head);
            if ring.write_whole([&front[..FRAME_HEADER_BYTES + HEAD], payload]) {
                return;
            }
        }
        self.queue(kind, |out| {
            out.reserve(body_bytes);
            out.extend_from_slice(head);
            out.extend_from_slice(payload);
        });
    }

    /// Like [`queue`](Channel::queue), for a frame that carries descriptors. They are closed here once sent.
    ///
    /// # Panics
    ///
    /// If there are more than [`DESCRIPTORS_PER_FRAME_MAX`], or the body is too long.
    pub fn queue_with(&mut self, kind: u8, descriptors: Vec<OwnedFd>, write_body: impl FnOnce(&mut Vec<u8>)) {
        self.output.append(kind, descriptors, self.body_bytes_max, write_body);
    }

    /// Sends what is queued until done or until the socket is full. A peer that is gone is an error
    /// (`EPIPE`, `ECONNRESET`), never a signal.
    pub fn flush(&mut self) -> io::Result<Flush> {
        if self.reads_ring {
            // A ring takes bytes also when nobody is left to read them.
            self.look_at_socket()?;
            if self.ended {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
        self.output.flush(self.fd.as_fd(), self.ring.as_mut())
    }

    /// Reads until the socket is empty or enough is buffered. An error is a broken peer or a full descriptor
    /// table; the channel cannot go on, since descriptors were lost.
    pub fn fill(&mut self) -> io::Result<Fill> {
        let filled = self.fill_input();
        self.input.lay_down();
        filled
    }

    fn fill_input(&mut self) -> io::Result<Fill> {
        if !self.reads_ring {
            return self.input.fill(self.fd.as_fd(), self.body_bytes_max, self.stop_at_short_read);
        }
        // The end is looked for first: then nothing can come behind what is read after it.
        self.look_at_socket()?;
        let ring = self.ring.as_mut().expect("it is read from");
        match self.input.fill_from_ring(ring, self.body_bytes_max)? {
            Fill::Open if self.ended => Ok(Fill::Closed),
            filled => Ok(filled),
        }
    }

    fn look_at_socket(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.socket_ready) && !self.ended {
            self.ended = self.input.drain_socket(self.fd.as_fd())?;
        }
        Ok(())
    }

    /// The next complete frame, if one is buffered. After an error each call gives the same error again.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        if self.reads_ring && self.input.lacks_descriptors(self.body_bytes_max) {
            // They were sent ahead. What is wrong with the socket shows as their absence.
            self.ended |= self.input.drain_socket(self.fd.as_fd()).unwrap_or(false);
        }
        self.input.next_frame(self.body_bytes_max)
    }

    /// Makes a ring, the larger one if the process has few such channels. The descriptors are for the peer's [`take_ring`](Channel::take_ring). Fails where descriptors or
    /// rings are used up; then all stays as it is.
    pub fn offer_ring(&mut self, among: Among) -> io::Result<Vec<OwnedFd>> {
        assert!(self.ring.is_none(), "a channel has one ring");
        let (ring, descriptors) = Ring::create(among)?;
        self.ring = Some(ring);
        Ok(descriptors)
    }

    /// Opens a ring that the peer has made. Fails if it is not one, or where rings are used up, or if there is one
    /// already; then all stays as it is.
    pub fn take_ring(&mut self, descriptors: Vec<OwnedFd>, among: Among) -> io::Result<()> {
        if self.ring.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.ring = Some(Ring::open(descriptors, among)?);
        Ok(())
    }

    /// The peer does not take the ring.
    pub fn withdraw_ring(&mut self) {
        if !self.reads_ring && !self.output.is_for_ring() {
            self.ring = None;
        }
    }

    /// Everything queued from here on goes through the ring. The frame before tells the peer so.
    pub fn write_to_ring(&mut self) {
        assert!(self.ring.is_some(), "there is a ring to write to");
        self.output.turn_to_ring();
    }

    /// Everything that comes from here on comes through the ring: the last frame has said so. An error if there is no
    /// ring, or if that was said before.
    pub fn read_from_ring(&mut self) -> io::Result<()> {
        if self.ring.is_none() || self.reads_ring {
            return Err(io::ErrorKind::InvalidData.into());
        }
        (self.reads_ring, self.socket_ready) = (true, true);
        // Bytes behind that frame came with descriptors, and mean nothing.
        self.input.forget_bytes();
        Ok(())
    }

    /// Whether what comes comes through the ring.
    pub fn reads_ring(&self) -> bool {
        self.reads_ring
    }

    /// Rings when the ring has something to read, or room to write. To be waited for edge-triggered, and not for level.
    pub fn bell(&self) -> Option<BorrowedFd<'_>> {
        self.ring.as_ref().map(Ring::bell)
    }

    /// The poller has told of the socket. Without this a channel with a ring does not look at it.
    pub fn note_socket_ready(&mut self) {
        self.socket_ready = true;
    }

    /// Before a wait: from here on the peer rings the bell. False if there is something to read already.
    pub fn fall_asleep(&mut self) -> bool {
        !self.reads_ring || self.ring.as_mut().is_none_or(Ring::fall_asleep)
    }

    /// Whether what could not be sent waits for room in the socket. Room in the ring is told by the bell.
    pub fn waits_for_socket(&self) -> bool {
        self.output.waits_for_socket()
    }

    /// Bytes queued and not yet sent: the caller's measure for back-pressure.
    pub fn queued_bytes(&self) -> usize {
        self.output.unsent() + self.ring.as_ref().map_or(0, Ring::unpublished)
    }

    /// Whether anything waits to be sent.
    pub fn is_blocked(&self) -> bool {
        self.queued_bytes() > 0
    }

    /// The socket, for the poller.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The bare socket; what is buffered is lost.
    pub fn into_fd(self) -> OwnedFd {
        self.fd
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether a buffer that is larger than usual was hardly used for a while.
fn worth_shrinking(used: usize, small_uses: &mut u32) -> bool {
    if used > BUFFER_BYTES {
        *small_uses = 0;
        return false;
    }
    *small_uses += 1;
    if *small_uses < SMALL_USES_BEFORE_SHRINK {
        return false;
    }
    *small_uses = 0;
    true
}
