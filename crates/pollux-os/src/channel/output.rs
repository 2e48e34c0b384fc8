//! Frames on their way out: into the socket, or into the ring.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::spares::{self, Spares};
use super::{BUFFER_BYTES, Flush, worth_shrinking};
use crate::frame::{DESCRIPTORS_PER_FRAME_MAX, FRAME_HEADER_BYTES, FrameHeader};
use crate::ring::Ring;

/// Buffers of channels that have nothing to send: at most so many.
const SPARES_MAX: usize = 64;

/// A larger buffer stays with its channel.
const SPARE_BYTES_MAX: usize = 4096;

thread_local! {
    /// Empty. With thousands of channels the one that sends next finds a buffer that is in the processor's cache, and the others
    /// have none.
    static SPARES: Spares = const { Spares::new(Vec::new()) };
}

/// Frames on their way out. `bytes[sent..]` is still to be sent.
#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    sent: usize,
    /// Descriptors with the position in `bytes` of the first byte of their frame, in order.
    attachments: VecDeque<Attachment>,
    small_uses: u32,
    /// Where in `bytes` the part for the socket ends and the part for the ring begins.
    ring_from: Option<usize>,
    /// What could not be sent waits for the socket, not for the ring.
    waits_for_socket: bool,
}

#[derive(Debug)]
struct Attachment {
    position: usize,
    descriptors: Vec<OwnedFd>,
}

impl Output {
    pub(super) fn append(
        &mut self,
        kind: u8,
        descriptors: Vec<OwnedFd>,
        body_bytes_max: usize,
        write_body: impl FnOnce(&mut Vec<u8>),
    ) {
        assert!(descriptors.len() <= DESCRIPTORS_PER_FRAME_MAX, "too many descriptors for one frame");
        if self.bytes.capacity() == 0 {
            self.bytes = spares::take(&SPARES).unwrap_or_default();
        }
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
    #[inline]
    fn drop_sent(&mut self) {
        if self.sent >= BUFFER_BYTES && self.sent >= self.unsent() {
            self.move_unsent();
        }
    }

    fn move_unsent(&mut self) {
        let unsent = self.unsent();
        self.bytes.copy_within(self.sent.., 0);
        self.bytes.truncate(unsent);
        for attachment in &mut self.attachments {
            attachment.position -= self.sent;
        }
        self.ring_from = self.ring_from.map(|from| from.saturating_sub(self.sent));
        self.sent = 0;
    }

    /// Everything that is appended from here on goes through the ring.
    pub(super) fn turn_to_ring(&mut self) {
        self.ring_from.get_or_insert(self.bytes.len());
    }

    pub(super) fn is_for_ring(&self) -> bool {
        self.ring_from.is_some()
    }

    /// Whether the next frame may go straight into the ring: nothing waits here that is to leave before it.
    pub(super) fn is_through_to_ring(&self) -> bool {
        self.is_for_ring() && self.unsent() == 0
    }

    pub(super) fn unsent(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub(super) fn waits_for_socket(&self) -> bool {
        self.waits_for_socket && self.unsent() > 0
    }

    pub(super) fn flush(&mut self, fd: BorrowedFd<'_>, ring: Option<&mut Ring>) -> io::Result<Flush> {
        self.waits_for_socket = true;
        let socket_end = self.ring_from.unwrap_or(self.bytes.len());
        while self.sent < socket_end {
            match self.send_piece(fd, socket_end) {
                Ok(taken) => self.sent += taken,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Flush::Blocked),
                Err(errno) => return Err(errno.into()),
            }
        }
        if let Some(ring) = ring.filter(|ring| self.unsent() > 0 || ring.unpublished() > 0) {
            let outcome = self.flush_to_ring(fd, ring);
            // Also what came before an obstacle is for the peer to see.
            ring.publish();
            if outcome? == Flush::Blocked {
                return Ok(Flush::Blocked);
            }
            ring.stop_waiting_for_room();
        }
        self.reset();
        Ok(Flush::Done)
    }

    fn flush_to_ring(&mut self, fd: BorrowedFd<'_>, ring: &mut Ring) -> io::Result<Flush> {
        while self.sent < self.bytes.len() {
            match self.attachments.front() {
                // The socket is ahead of the ring, by one frame: who sees a frame finds its descriptors there, and
                // hardly any descriptors wait for a frame.
                Some(first) if first.position == self.sent => {
                    ring.publish();
                    match send_with(fd, &[0], &first.descriptors) {
                        Ok(_) => drop(self.attachments.pop_front()),
                        Err(Errno::INTR) => {}
                        Err(Errno::AGAIN) => return Ok(Flush::Blocked),
                        Err(errno) => return Err(errno.into()),
                    }
                }
                _ => {
                    let end = self.attachments.front().map_or(self.bytes.len(), |next| next.position);
                    let taken = ring.write(&self.bytes[self.sent..end])?;
                    self.sent += taken;
                    if taken == 0 {
                        ring.publish();
                        if !ring.wait_for_room()? {
                            self.waits_for_socket = false;
                            return Ok(Flush::Blocked);
                        }
                    }
                }
            }
        }
        Ok(Flush::Done)
    }

    /// Sends up to the next frame with descriptors, which must start a message of its own.
    fn send_piece(&mut self, fd: BorrowedFd<'_>, limit: usize) -> rustix::io::Result<usize> {
        let Some(first) = self.attachments.front().filter(|first| first.position < limit) else {
            return rustix::net::send(fd, &self.bytes[self.sent..limit], SendFlags::NOSIGNAL);
        };
        if first.position > self.sent {
            return rustix::net::send(fd, &self.bytes[self.sent..first.position], SendFlags::NOSIGNAL);
        }
        let end = self.attachments.get(1).map_or(limit, |next| next.position.min(limit));
        let taken = send_with(fd, &self.bytes[self.sent..end], &first.descriptors)?;
        // The descriptors went with the first byte, however few bytes were taken.
        self.attachments.pop_front();
        Ok(taken)
    }

    fn reset(&mut self) {
        let used = self.bytes.len();
        self.bytes.clear();
        self.sent = 0;
        self.ring_from = self.ring_from.map(|_| 0);
        if (1..=SPARE_BYTES_MAX).contains(&self.bytes.capacity()) {
            spares::keep(&SPARES, SPARES_MAX, std::mem::take(&mut self.bytes));
        } else if self.bytes.capacity() > BUFFER_BYTES && worth_shrinking(used, &mut self.small_uses) {
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
