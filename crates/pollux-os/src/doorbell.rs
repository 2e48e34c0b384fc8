//! A doorbell wakes an event loop from another thread: an eventfd that is rung and quieted.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};

/// Wakes a [`Poller`](crate::Poller) from another thread. Many rings before one [`quiet`](Doorbell::quiet)
/// are one wake-up; what happened is written elsewhere *before* the ring.
#[derive(Debug)]
pub struct Doorbell {
    fd: OwnedFd,
}

impl Doorbell {
    /// A silent bell.
    pub fn new() -> io::Result<Doorbell> {
        Ok(Doorbell { fd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)? })
    }

    /// Makes the bell readable. Cannot fail in a way that loses a ring: the one error a full counter gives
    /// means that it rings already.
    pub fn ring(&self) {
        let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
    }

    /// Takes all rings since the last call; true if there were any. Call it *before* looking for what
    /// happened, or a ring in between is lost.
    pub fn quiet(&self) -> bool {
        let mut rings = [0; 8];
        rustix::io::read(&self.fd, &mut rings).is_ok()
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without this a death noticed by a watch thread would never reach the event loop, or spin it for ever.
    #[test]
    fn rings_are_heard_once() {
        let bell = Doorbell::new().unwrap();
        assert!(!bell.quiet());
        bell.ring();
        bell.ring();
        assert!(bell.quiet());
        assert!(!bell.quiet());
    }
}
