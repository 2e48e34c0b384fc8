//! A path with a ring, frame by frame: what a hostile requester could do, the library does not.

use crate::visitor::Visitor;
use crate::wait::PATIENCE;
use pollux_os::{Among, Channel, Fill, Interest, Poller};
use pollux_wire::limits::PATH_BODY_BYTES_MAX;
use pollux_wire::path::{self, IoType, Reply, Request};
use pollux_wire::{SyncId, Wire as _};
use std::os::fd::OwnedFd;

/// Where the word stands in the memory of a ring that says what the requester has written.
pub const TAIL: u64 = CONTROL + 256;
/// The same for what it has read.
pub const HEAD: u64 = CONTROL + 128;
/// Where the byte of the requester stands from which on places are counted; see [`RingPath::next_at`].
pub const BYTES: u64 = CONTROL + 512;
/// Where the control words begin in a ring of 128 KiB in each direction.
const CONTROL: u64 = 1792 + 128 * 1024;

/// A requester's end of a path with a ring, frame by frame.
pub struct RingPath {
    /// The socket.
    pub channel: Channel,
    poller: Poller,
    memory: Option<OwnedFd>,
    bells: Vec<OwnedFd>,
    /// What comes comes through the ring.
    pub begun: bool,
    /// Requests.
    pub sent: u64,
    /// Replies, as the highest sync id says.
    pub answered: u64,
}

/// What a requester says to the offer of a ring.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// It takes it.
    Yes,
    /// It does not.
    No,
    /// It does not know what that is.
    Nothing,
}

impl RingPath {
    /// Opens a server and asks it until it offers a ring.
    pub fn open(visitor: &mut Visitor, name: &str, say: Say) -> Self {
        Self::open_with(visitor, name, say, b"")
    }

    /// The same with these words.
    pub fn open_with(visitor: &mut Visitor, name: &str, say: Say, words: &[u8]) -> Self {
        let channel = Channel::new(visitor.open(name, 100).unwrap(), PATH_BODY_BYTES_MAX);
        let poller = Poller::new().unwrap();
        poller.add(channel.as_fd(), 0, Interest::READ).unwrap();
        let (memory, bells) = (None, Vec::new());
        let mut path = Self { channel, poller, memory, bells, begun: false, sent: 0, answered: 0 };
        while path.memory.is_none() {
            path.ask(words);
            path.until(say, |path| path.answered == path.sent);
        }
        if say == Say::Yes {
            path.until(say, |path| path.begun);
        }
        path
    }

    /// Sends a request.
    pub fn ask(&mut self, payload: &[u8]) {
        self.sent += 1;
        let (sync, io) = (SyncId(self.sent), IoType::WriteRead);
        let request = Request { sync, reply_bytes_max: 1 << 21, io, again: false, payload };
        self.channel.queue(path::REQUEST, |out| request.put(out));
        let _ = self.channel.flush().unwrap();
    }

    /// Reads until the condition holds; false if the path ends before.
    pub fn until(&mut self, say: Say, condition: impl Fn(&Self) -> bool) -> bool {
        while !condition(self) {
            match self.channel.fill() {
                Ok(Fill::Closed) | Err(_) => return false,
                Ok(_) => {}
            }
            let mut offer = None;
            let mut turned = false;
            while let Ok(Some(frame)) = self.channel.next_frame() {
                match frame.kind {
                    path::REPLY => {
                        self.answered = Reply::decode(frame.body).unwrap().sync.0.max(self.answered)
                    }
                    path::RING_OFFER => offer = Some(frame.descriptors),
                    path::RING_BEGUN => turned = true,
                    _ => {}
                }
            }
            if let Some(descriptors) = offer {
                self.answer_offer(say, descriptors);
            }
            if turned {
                self.channel.read_from_ring().unwrap();
                self.begun = true;
                continue;
            }
            if !condition(self) && self.channel.fall_asleep() {
                let events = self.poller.wait(Some(PATIENCE)).unwrap();
                assert!(!events.is_empty(), "nothing more comes");
                if events.iter().any(|event| event.token == 0) {
                    self.channel.note_socket_ready();
                }
            }
        }
        true
    }

    fn answer_offer(&mut self, say: Say, descriptors: Vec<OwnedFd>) {
        self.memory = Some(descriptors[0].try_clone().unwrap());
        self.bells = descriptors[1..].iter().map(|bell| bell.try_clone().unwrap()).collect();
        if say == Say::Yes {
            self.channel.take_ring(descriptors, Among::Many).unwrap();
            self.poller.add(self.channel.bell().unwrap(), 1, Interest::READ | Interest::EDGE).unwrap();
        }
        if say != Say::Nothing {
            self.channel.queue(path::RING_TAKEN, |out| (say == Say::Yes).put(out));
        }
        if say == Say::Yes {
            self.channel.write_to_ring();
        }
        let _ = self.channel.flush().unwrap();
    }

    /// Writes to the memory as it pleases, and rings.
    pub fn scribble(&self, at: u64, bytes: &[u8]) {
        rustix::io::pwrite(self.memory.as_ref().unwrap(), bytes, at).unwrap();
        rustix::io::write(&self.bells[1], &1u64.to_ne_bytes()).unwrap();
    }

    /// Waits for the end of the path; true if it is that.
    pub fn ends(&mut self) -> bool {
        !self.until(Say::Nothing, |_| false)
    }

    /// Bytes that this requester has written so far.
    pub fn written(&self) -> u64 {
        self.word(TAIL)
    }

    /// Where in the memory the next byte of this requester stands, unless it begins anew.
    pub fn next_at(&self) -> u64 {
        BYTES + self.written() - self.word(TAIL + 8)
    }

    fn word(&self, at: u64) -> u64 {
        let mut bytes = [0; 8];
        rustix::io::pread(self.memory.as_ref().unwrap(), &mut bytes, at).unwrap();
        u64::from_ne_bytes(bytes)
    }
}
