//! A path of an opener: its channel, and what the poller of this process is told to look for.

use crate::waits::{Source, Watched};
use pollux_os::{Channel, Fill, Interest, Registry};
use pollux_wire::OpenId;
use pollux_wire::limits::PATH_BODY_BYTES_MAX;
use std::os::fd::OwnedFd;

/// This process's end of a path.
pub(crate) struct Path {
    channel: Channel,
    registry: Registry,
    watched: Watched,
    source: Source,
}

impl Path {
    /// A path that the daemon has handed out. Nothing is looked for before [`Path::watch`].
    pub(crate) fn new(registry: Registry, open: OpenId, fd: OwnedFd) -> Self {
        let mut channel = Channel::new(fd, PATH_BODY_BYTES_MAX);
        // It is polled by level: what a short read leaves is told again.
        channel.set_stop_at_short_read(true);
        Self { channel, registry, watched: Watched::default(), source: Source::Path(open) }
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
        let _ = self.watched.set(&self.registry, self.source, self.channel.as_fd(), wanted);
    }

    /// The open is closed: only the last words count. False if there are none, or nobody to hear them.
    pub(crate) fn linger(&mut self) -> bool {
        if self.channel.flush().is_err() || !self.channel.is_blocked() {
            return false;
        }
        self.watched.hand_to(&self.registry, Source::Lingering, self.channel.as_fd());
        self.source = Source::Lingering;
        self.watch(false);
        true
    }

    /// See [`Channel::fill`].
    pub(crate) fn fill(&mut self) -> std::io::Result<Fill> {
        self.channel.fill()
    }

    /// See [`Channel::next_frame`].
    pub(crate) fn next_frame(&mut self) -> Result<Option<pollux_os::Frame<'_>>, pollux_os::FrameError> {
        self.channel.next_frame()
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = self.watched.set(&self.registry, self.source, self.channel.as_fd(), None);
    }
}
