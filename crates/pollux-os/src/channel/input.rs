//! Frames on their way in: from the socket, or from the ring.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};

use super::spares::{self, Spares};
use super::{BUFFER_BYTES, DESCRIPTORS_WAITING_MAX, FILL_BYTES_MAX, Fill, worth_shrinking};
use crate::frame::{DESCRIPTORS_PER_FRAME_MAX, FRAME_HEADER_BYTES, Frame, FrameError, FrameHeader};
use crate::ring::Ring;

/// Buffers of channels that held nothing when they were last looked at.
const SPARES_MAX: usize = 4;

thread_local! {
    /// All of [`BUFFER_BYTES`]. What is in them means nothing.
    static SPARES: Spares = const { Spares::new(Vec::new()) };
}

/// Frames on their way in. `bytes[start..end]` is received and not yet taken; the rest of `bytes` is room.
#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// In order; `None` for all of one frame, which were lost.
    descriptors: VecDeque<Option<OwnedFd>>,
    /// A frame whose descriptors were lost comes without them; else the channel is broken.
    pub(super) forgives_losses: bool,
    small_uses: u32,
}

impl Input {
    pub(super) fn fill(
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
            self.check_descriptors(body_bytes_max)?;
            let room = self.bytes.len() - self.end;
            let waiting = self.descriptors.len();
            match receive(fd, &mut self.bytes[self.end..], &mut self.descriptors, self.forgives_losses) {
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
                Err(errno) => return Err(fault(errno)),
            }
        }
    }

    /// Takes what is in the ring. `Open` says that it was empty a moment ago.
    pub(super) fn fill_from_ring(&mut self, ring: &mut Ring, body_bytes_max: usize) -> io::Result<Fill> {
        let mut taken_total = 0;
        loop {
            if taken_total >= FILL_BYTES_MAX || !self.make_room(body_bytes_max)? {
                return Ok(Fill::Full);
            }
            let room = self.bytes.len() - self.end;
            let taken = ring.read(&mut self.bytes[self.end..])?;
            self.end += taken;
            taken_total += taken;
            if taken < room {
                self.check_descriptors(body_bytes_max)?;
                return Ok(Fill::Open);
            }
        }
    }

    /// Takes the descriptors out of a socket beside which a ring carries the bytes; true at its end. Stops when
    /// enough wait for their frames.
    pub(super) fn drain_socket(&mut self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        let mut scrap = [0; 64];
        for _ in 0..DESCRIPTORS_WAITING_MAX {
            if self.has_many_descriptors() {
                return Ok(false);
            }
            match receive(fd, &mut scrap, &mut self.descriptors, self.forgives_losses) {
                Ok(0) | Err(Errno::CONNRESET) => return Ok(true),
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(false),
                Err(errno) => return Err(fault(errno)),
            }
        }
        Ok(false)
    }

    /// What is buffered is of no use any more: it came behind the last frame of the socket.
    pub(super) fn forget_bytes(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Descriptors that the next frame needs and that have not been received yet.
    #[inline]
    pub(super) fn lacks_descriptors(&self, body_bytes_max: usize) -> bool {
        let waiting = &self.bytes[self.start..self.end];
        if !FrameHeader::announces_descriptors(waiting) {
            return false;
        }
        let header = FrameHeader::decode(waiting, body_bytes_max);
        matches!(header, Ok(Some(header)) if self.take_count(header.descriptors).is_none())
    }

    /// How many entries of the queue belong to a frame with so many descriptors; `None` if they have not all come.
    fn take_count(&self, announced: usize) -> Option<usize> {
        match self.descriptors.front() {
            Some(None) => Some(1),
            _ => (self.descriptors.len() >= announced).then_some(announced),
        }
    }

    /// S15: descriptors wait for frames that are here, not for ever.
    fn check_descriptors(&self, body_bytes_max: usize) -> io::Result<()> {
        if !self.has_many_descriptors() {
            return Ok(());
        }
        let waiting = &self.bytes[self.start..self.end];
        match FrameHeader::decode(waiting, body_bytes_max) {
            Ok(Some(header)) if waiting.len() < FRAME_HEADER_BYTES + header.body_bytes => {}
            Ok(None) => {}
            // Complete, or broken, which next_frame tells.
            _ => return Ok(()),
        }
        let text = "the peer sent descriptors that belong to no frame";
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }

    fn has_many_descriptors(&self) -> bool {
        self.descriptors.len() > DESCRIPTORS_WAITING_MAX - DESCRIPTORS_PER_FRAME_MAX
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
            self.bytes = spares::take(&SPARES).unwrap_or_else(|| vec![0; BUFFER_BYTES]);
        }
        // A broken header is told by next_frame, which the caller is sent to with `Full`.
        let Ok(header) = FrameHeader::decode(&self.bytes[self.start..self.end], body_bytes_max) else {
            return Ok(false);
        };
        let frame_bytes = FRAME_HEADER_BYTES + header.map_or(0, |header| header.body_bytes);
        let has_frame = header.is_some() && self.end - self.start >= frame_bytes;
        if self.has_many_descriptors() && has_frame {
            return Ok(false);
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

    /// A channel that holds nothing needs no buffer: the next one that is read uses it, while it is in the processor's cache.
    pub(super) fn lay_down(&mut self) {
        if self.start == self.end && self.bytes.len() == BUFFER_BYTES {
            (self.start, self.end) = (0, 0);
            spares::keep(&SPARES, SPARES_MAX, std::mem::take(&mut self.bytes));
        }
    }

    #[inline]
    pub(super) fn next_frame(&mut self, body_bytes_max: usize) -> Result<Option<Frame<'_>>, FrameError> {
        let Some(header) = FrameHeader::decode(&self.bytes[self.start..self.end], body_bytes_max)? else {
            self.lay_down();
            return Ok(None);
        };
        let body_start = self.start + FRAME_HEADER_BYTES;
        let body_end = body_start + header.body_bytes;
        if body_end > self.end {
            return Ok(None);
        }
        let descriptors = match header.descriptors {
            0 => Vec::new(),
            announced => {
                let missing = FrameError::MissingDescriptors { announced, arrived: self.descriptors.len() };
                let count = self.take_count(announced).ok_or(missing)?;
                self.descriptors.drain(..count).flatten().collect()
            }
        };
        self.start = body_end;
        Ok(Some(Frame { kind: header.kind, body: &self.bytes[body_start..body_end], descriptors }))
    }
}

/// Reads into `room`, and descriptors to the end of the queue. A sender gives those of one frame in one message, so it is one frame
/// that has lost them when they were too many.
fn receive(
    fd: BorrowedFd<'_>,
    room: &mut [u8],
    descriptors: &mut VecDeque<Option<OwnedFd>>,
    forgives_losses: bool,
) -> rustix::io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_PER_FRAME_MAX))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(fd, &mut [IoSliceMut::new(room)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let before = descriptors.len();
    for part in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = part {
            descriptors.extend(received.map(Some));
        }
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        if !forgives_losses {
            return Err(Errno::MSGSIZE);
        }
        descriptors.truncate(before);
        descriptors.push_back(None);
    }
    Ok(message.bytes)
}

fn fault(errno: Errno) -> io::Error {
    if errno == Errno::MSGSIZE {
        let text = "descriptors were lost: the peer sent too many or our descriptor table is full";
        return io::Error::new(io::ErrorKind::InvalidData, text);
    }
    errno.into()
}
