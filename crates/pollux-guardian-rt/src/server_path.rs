//! A path of an opener: its channel, its ring, and what the poller of this process is told to look for.
//!
//! A path that is used gets a ring, like one to a pair of the Rust engine; when and how is `pollux`'s. The bell of the ring is
//! told once per change. Whoever reads a ring looks at it once more before the next wait ([`Path::fall_asleep`]), or the opener
//! does not ring.

use crate::waits::{Source, Watched};
use pollux::binding::{RingOffer, unwatch, watch_bell};
use pollux_os::{Channel, Fill, Interest, Registry};
use pollux_wire::OpenId;
use pollux_wire::limits::PATH_BODY_BYTES_MAX;
use std::io;
use std::os::fd::OwnedFd;

/// This process's end of a path.
pub(crate) struct Path {
    channel: Channel,
    registry: Registry,
    watched: Watched,
    open: OpenId,
    lingers: bool,
    offer: RingOffer,
    /// Its ring is in the list of those to look at before the next wait.
    pub(crate) is_awake: bool,
}

impl Path {
    /// A path that the daemon has handed out. Nothing is looked for before [`Path::watch`].
    pub(crate) fn new(registry: Registry, open: OpenId, fd: OwnedFd) -> Self {
        let mut channel = Channel::new(fd, PATH_BODY_BYTES_MAX);
        // It is polled by level: what a short read leaves is told again.
        channel.set_stop_at_short_read(true);
        Self {
            channel,
            registry,
            watched: Watched::default(),
            open,
            lingers: false,
            offer: RingOffer::default(),
            is_awake: false,
        }
    }

    /// Queues a frame.
    pub(crate) fn queue(&mut self, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        self.channel.queue(kind, write);
    }

    /// Sends what is queued, as far as there is room. A peer that is gone is found by the next read.
    pub(crate) fn flush(&mut self) {
        if self.channel.is_blocked() {
            let _ = self.channel.flush();
        }
    }

    /// Looks for room where something waits for it, and for what the opener sends if that is heard.
    pub(crate) fn watch(&mut self, hears: bool) {
        let wanted = match (hears, self.channel.waits_for_socket()) {
            (true, true) => Some(Interest::READ_WRITE),
            (true, false) => Some(Interest::READ),
            (false, true) => Some(Interest::WRITE),
            (false, false) => None,
        };
        // Only memory of the kernel can lack; the next change tries again.
        let _ = self.watched.set(&self.registry, self.source(), self.channel.as_fd(), wanted);
    }

    fn source(&self) -> Source {
        if self.lingers { Source::Lingering } else { Source::Path(self.open) }
    }

    /// A request has come; a ring is offered when there were enough.
    pub(crate) fn note_request(&mut self) {
        self.offer.note_request();
        if self.offer.is_due() {
            self.offer.make(&mut self.channel);
        }
    }

    /// The opener's answer to the offer. True if what comes next comes through the ring.
    pub(crate) fn handle_ring_answer(&mut self, taken: bool) -> io::Result<bool> {
        self.offer.handle_answer(&mut self.channel, taken)?;
        watch_bell(&self.registry, Source::Ring(self.open).token(), &self.channel)?;
        Ok(taken)
    }

    /// True if what the opener sends comes through a ring.
    pub(crate) fn reads_ring(&self) -> bool {
        self.channel.reads_ring()
    }

    /// The poller has told of the socket: with a ring it is not looked at otherwise.
    pub(crate) fn note_socket_ready(&mut self) {
        self.channel.note_socket_ready();
    }

    /// Before a wait: the opener rings from here on. False if there is something to read already.
    pub(crate) fn fall_asleep(&mut self) -> bool {
        self.channel.fall_asleep()
    }

    /// The open is closed: only the last words count. False if there are none, or nobody to hear them.
    pub(crate) fn linger(&mut self) -> bool {
        self.channel.note_socket_ready();
        if self.channel.flush().is_err() || !self.channel.is_blocked() {
            return false;
        }
        if !std::mem::replace(&mut self.lingers, true) {
            self.watched.hand_to(&self.registry, Source::Lingering, self.channel.as_fd());
            if let Some(bell) = self.channel.bell().filter(|_| self.channel.reads_ring()) {
                let interest = Interest::READ | Interest::EDGE;
                let _ = self.registry.modify(bell, Source::Lingering.token(), interest);
            }
        }
        self.watch(false);
        true
    }

    /// See [`Channel::fill`].
    pub(crate) fn fill(&mut self) -> io::Result<Fill> {
        self.channel.fill()
    }

    /// See [`Channel::next_frame`].
    pub(crate) fn next_frame(&mut self) -> Result<Option<pollux_os::Frame<'_>>, pollux_os::FrameError> {
        self.channel.next_frame()
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        unwatch(&self.registry, &self.channel);
    }
}
