//! The server's side of a path's ring: when it is offered, and what the requester's answer changes. The same for the pair
//! engine and for run-time libraries of other languages; who waits for the bells is theirs.
//!
//! ```text
//!  requester                      primary
//!      |------ REQUEST ... ---------->|   the path has carried some: it is worth a ring
//!      |<----- RING_OFFER + fds ------|
//!      |------ RING_TAKEN ----------->|   the requester's last frame in the socket
//!      |<----- RING_BEGUN ------------|   the primary's last frame in the socket
//!      |====== ring, both ways =======|
//! ```

use pollux_os::{Among, Channel, Interest, Registry};
use pollux_wire::path;
use std::io;

/// A path that has carried so many requests is worth a ring.
const REQUESTS_BEFORE_RING: u32 = 16;

/// Whether a path has a ring, or is to get one.
#[derive(Debug, Default)]
pub struct RingOffer {
    requests: u32,
    is_made: bool,
}

impl RingOffer {
    /// A request has come over the path.
    pub fn note_request(&mut self) {
        self.requests = self.requests.saturating_add(1);
    }

    /// True for a path that has shown that it is used, and was offered none.
    pub fn is_due(&self) -> bool {
        !self.is_made && self.requests >= REQUESTS_BEFORE_RING
    }

    /// Queues the offer; false where descriptors or rings are used up: then the path goes on over its socket.
    pub fn make(&mut self, channel: &mut Channel) -> bool {
        self.is_made = true;
        match channel.offer_ring(Among::Many) {
            Ok(descriptors) => {
                channel.queue_with(path::RING_OFFER, descriptors, |_| {});
                true
            }
            Err(_) => false,
        }
    }

    /// RING_TAKEN. If the requester takes it, what comes next comes through the ring, and so does what is queued from here on.
    /// An error if it takes what was not offered.
    pub fn handle_answer(&self, channel: &mut Channel, taken: bool) -> io::Result<()> {
        if !taken {
            channel.withdraw_ring();
            return Ok(());
        }
        channel.read_from_ring()?;
        channel.queue(path::RING_BEGUN, |_| {});
        channel.write_to_ring();
        Ok(())
    }
}

/// Waits for the bell of a path that reads a ring; nothing for others. A bell that is added tells at once, so nothing is lost
/// that came before.
pub fn watch_bell(registry: &Registry, token: u64, channel: &Channel) -> io::Result<()> {
    match channel.bell().filter(|_| channel.reads_ring()) {
        Some(bell) => registry.add(bell, token, Interest::READ | Interest::EDGE),
        None => Ok(()),
    }
}

/// Looks at a channel no more. The other side holds the bell, too, so that closing it would leave it in the poller.
pub fn unwatch(registry: &Registry, channel: &Channel) {
    let _ = registry.remove(channel.as_fd());
    let _ = channel.bell().map(|bell| registry.remove(bell));
}
