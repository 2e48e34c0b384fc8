//! A framed, nonblocking unix stream socket that can carry descriptors.
//!
//! Both directions are buffered here, so that any number of small frames costs one system call. The channel
//! decides nothing: it does not poll, close or retry; the caller drives [`Channel::flush`] when the socket is
//! writable and [`Channel::fill`], then [`Channel::next_frame`], when it is readable.
//!
//! Invariants: frames arrive in the order they were queued; the descriptors of a frame arrive with it; memory
//! is bounded by what was queued here on the one side and by the longest allowed body on the other.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use crate::frame::{DESCRIPTORS_PER_FRAME_MAX, FRAME_HEADER_BYTES, Frame, FrameError, FrameHeader};

/// Bytes one [`Channel::fill`] takes at most, so that one fast peer cannot starve the others of a loop.
pub const FILL_BYTES_MAX: usize = 1 << 20;

/// Received descriptors that may wait for their frames to be taken.
pub const DESCRIPTORS_WAITING_MAX: usize = 8 * DESCRIPTORS_PER_FRAME_MAX;

/// The input buffer of a channel that carries small frames, and what an output buffer is cut back to.
const BUFFER_BYTES: usize = 64 * 1024;

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
        }
    }

    /// Lets [`fill`](Channel::fill) trust that a read which did not fill the buffer emptied the socket. Saves
    /// one system call per wake-up. Only for level-triggered polling: an end of stream that arrived together
    /// with the last bytes is then told by the next wake-up, which edge mode does not give.
    pub fn set_stop_at_short_read(&mut self, stop: bool) {
        self.stop_at_short_read = stop;
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
        self.output.flush(self.fd.as_fd())
    }

    /// Reads until the socket is empty or enough is buffered. An error is a broken peer or a full descriptor
    /// table; the channel cannot go on, since descriptors were lost.
    pub fn fill(&mut self) -> io::Result<Fill> {
        self.input.fill(self.fd.as_fd(), self.body_bytes_max, self.stop_at_short_read)
    }

    /// The next complete frame, if one is buffered. After an error each call gives the same error again.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        self.input.next_frame(self.body_bytes_max)
    }

    /// Bytes queued and not yet with the kernel: the caller's measure for back-pressure.
    pub fn queued_bytes(&self) -> usize {
        self.output.bytes.len() - self.output.sent
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

/// Frames on their way out. `bytes[sent..]` is still to be sent.
#[derive(Debug, Default)]
struct Output {
    bytes: Vec<u8>,
    sent: usize,
    /// Descriptors with the position in `bytes` of the first byte of their frame, in order.
    attachments: VecDeque<Attachment>,
    small_uses: u32,
}

#[derive(Debug)]
struct Attachment {
    position: usize,
    descriptors: Vec<OwnedFd>,
}

impl Output {
    fn append(
        &mut self,
        kind: u8,
        descriptors: Vec<OwnedFd>,
        body_bytes_max: usize,
        write_body: impl FnOnce(&mut Vec<u8>),
    ) {
        assert!(descriptors.len() <= DESCRIPTORS_PER_FRAME_MAX, "too many descriptors for one frame");
        self.drop_sent();
        let position = self.bytes.len();
        self.bytes.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
        write_body(&mut self.bytes);
        let body_start = position + FRAME_HEADER_BYTES;
        assert!(self.bytes.len() >= body_start, "the body writer removed bytes of earlier frames");
        let body_bytes = self.bytes.len() - body_start;
        assert!(body_bytes <= body_bytes_max, "body of {body_bytes} bytes on a channel for {body_bytes_max}");
        let header = FrameHeader { body_bytes, kind, descriptors: descriptors.len() };
        self.bytes[position..body_start].copy_from_slice(&header.encode());
        if !descriptors.is_empty() {
            self.attachments.push_back(Attachment { position, descriptors });
        }
    }

    /// Moves unsent bytes to the front when at least as many were sent: each byte is moved at most once per
    /// byte sent, so a slow reader does not make this quadratic.
    fn drop_sent(&mut self) {
        let unsent = self.bytes.len() - self.sent;
        if self.sent < BUFFER_BYTES || self.sent < unsent {
            return;
        }
        self.bytes.copy_within(self.sent.., 0);
        self.bytes.truncate(unsent);
        for attachment in &mut self.attachments {
            attachment.position -= self.sent;
        }
        self.sent = 0;
    }

    fn flush(&mut self, fd: BorrowedFd<'_>) -> io::Result<Flush> {
        while self.sent < self.bytes.len() {
            match self.send_piece(fd) {
                Ok(taken) => self.sent += taken,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Flush::Blocked),
                Err(errno) => return Err(errno.into()),
            }
        }
        self.reset();
        Ok(Flush::Done)
    }

    /// Sends up to the next frame with descriptors, which must start a message of its own.
    fn send_piece(&mut self, fd: BorrowedFd<'_>) -> rustix::io::Result<usize> {
        let Some(first) = self.attachments.front() else {
            return rustix::net::send(fd, &self.bytes[self.sent..], SendFlags::NOSIGNAL);
        };
        if first.position > self.sent {
            return rustix::net::send(fd, &self.bytes[self.sent..first.position], SendFlags::NOSIGNAL);
        }
        let end = self.attachments.get(1).map_or(self.bytes.len(), |next| next.position);
        let taken = send_with(fd, &self.bytes[self.sent..end], &first.descriptors)?;
        // The descriptors went with the first byte, however few bytes were taken.
        self.attachments.pop_front();
        Ok(taken)
    }

    fn reset(&mut self) {
        let used = self.bytes.len();
        self.bytes.clear();
        self.sent = 0;
        if self.bytes.capacity() > BUFFER_BYTES && worth_shrinking(used, &mut self.small_uses) {
            self.bytes.shrink_to(BUFFER_BYTES);
        }
    }
}

fn send_with(fd: BorrowedFd<'_>, bytes: &[u8], descriptors: &[OwnedFd]) -> rustix::io::Result<usize> {
    let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_PER_FRAME_MAX))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fits = ancillary.push(SendAncillaryMessage::ScmRights(&borrowed));
    assert!(fits, "the space is computed for the largest frame");
    sendmsg(fd, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)
}

/// Frames on their way in. `bytes[start..end]` is received and not yet taken; the rest of `bytes` is room.
#[derive(Debug, Default)]
struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    descriptors: VecDeque<OwnedFd>,
    small_uses: u32,
}

impl Input {
    fn fill(
        &mut self,
        fd: BorrowedFd<'_>,
        body_bytes_max: usize,
        stop_at_short_read: bool,
    ) -> io::Result<Fill> {
        let mut taken_total = 0;
        loop {
            if taken_total >= FILL_BYTES_MAX || !self.make_room(body_bytes_max)? {
                return Ok(Fill::Full);
            }
            let room = self.bytes.len() - self.end;
            let waiting = self.descriptors.len();
            match self.receive(fd) {
                Ok(0) | Err(Errno::CONNRESET) => return Ok(Fill::Closed),
                Ok(taken) => {
                    self.end += taken;
                    taken_total += taken;
                    // A message with descriptors ends a read early, so it says nothing about what is behind it.
                    if stop_at_short_read && taken < room && self.descriptors.len() == waiting {
                        return Ok(Fill::Open);
                    }
                }
                Err(Errno::AGAIN) => return Ok(Fill::Open),
                Err(Errno::INTR) => {}
                Err(Errno::MSGSIZE) => {
                    let text =
                        "descriptors were lost: the peer sent too many or our descriptor table is full";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Makes room to read into; false if complete frames must be taken first.
    fn make_room(&mut self, body_bytes_max: usize) -> io::Result<bool> {
        if self.start == self.end {
            let used = self.end;
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > BUFFER_BYTES && worth_shrinking(used, &mut self.small_uses) {
                self.bytes.truncate(BUFFER_BYTES);
                self.bytes.shrink_to_fit();
            }
        }
        if self.bytes.is_empty() {
            self.bytes.resize(BUFFER_BYTES, 0);
        }
        // A broken header is told by next_frame, which the caller is sent to with `Full`.
        let Ok(header) = FrameHeader::decode(&self.bytes[self.start..self.end], body_bytes_max) else {
            return Ok(false);
        };
        let frame_bytes = FRAME_HEADER_BYTES + header.map_or(0, |header| header.body_bytes);
        let has_frame = header.is_some() && self.end - self.start >= frame_bytes;
        if self.descriptors.len() > DESCRIPTORS_WAITING_MAX - DESCRIPTORS_PER_FRAME_MAX {
            if has_frame {
                return Ok(false);
            }
            let text = "the peer sent descriptors that belong to no frame";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        if self.end < self.bytes.len() {
            return Ok(true);
        }
        if has_frame {
            return Ok(false);
        }
        if self.start > 0 {
            // Only the beginning of one frame is left over: moved once, since it then has the whole buffer.
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.bytes.len() {
            // The buffer doubles as bytes arrive: a header alone reserves nothing.
            let bytes = (self.bytes.len() * 2).min(frame_bytes.max(BUFFER_BYTES));
            self.bytes.resize(bytes, 0);
        }
        Ok(true)
    }

    fn receive(&mut self, fd: BorrowedFd<'_>) -> rustix::io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_PER_FRAME_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let room = &mut self.bytes[self.end..];
        let message = recvmsg(fd, &mut [IoSliceMut::new(room)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for part in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = part {
                self.descriptors.extend(received);
            }
        }
        if message.flags.contains(ReturnFlags::CTRUNC) {
            return Err(Errno::MSGSIZE);
        }
        Ok(message.bytes)
    }

    fn next_frame(&mut self, body_bytes_max: usize) -> Result<Option<Frame<'_>>, FrameError> {
        let Some(header) = FrameHeader::decode(&self.bytes[self.start..self.end], body_bytes_max)? else {
            return Ok(None);
        };
        let body_start = self.start + FRAME_HEADER_BYTES;
        let body_end = body_start + header.body_bytes;
        if body_end > self.end {
            return Ok(None);
        }
        let arrived = self.descriptors.len();
        if header.descriptors > arrived {
            return Err(FrameError::MissingDescriptors { announced: header.descriptors, arrived });
        }
        self.start = body_end;
        let descriptors = match header.descriptors {
            0 => Vec::new(),
            count => self.descriptors.drain(..count).collect(),
        };
        Ok(Some(Frame { kind: header.kind, body: &self.bytes[body_start..body_end], descriptors }))
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
