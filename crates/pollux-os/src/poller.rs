//! Waiting for many descriptors at once: epoll, without its sharp edges.
//!
//! The poller knows tokens, not meanings. What a ready descriptor means is the caller's table.

use std::io;
use std::mem::MaybeUninit;
use std::ops::BitOr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

/// Ready descriptors taken per [`Poller::wait`]; more are told by the next call.
const EVENTS_PER_WAIT_MAX: usize = 256;

/// What to wait for; combine with `|`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest(u32);

impl Interest {
    /// Only errors and hang-up, which are always told.
    pub const NONE: Interest = Interest(0);
    /// Bytes, a connection, or the end of the stream.
    pub const READ: Interest = Interest(1);
    /// Room to write.
    pub const WRITE: Interest = Interest(2);
    /// Both directions.
    pub const READ_WRITE: Interest = Interest(3);
    /// Tell once per change (edge-triggered); the caller reads and writes until it would block.
    pub const EDGE: Interest = Interest(4);
    /// Both directions, told once per change: one `add` and never a `modify`.
    pub const EDGE_READ_WRITE: Interest = Interest(7);
    /// Wake one of several pollers that wait for the same listener. Only with `add`, never with `modify`.
    pub const EXCLUSIVE: Interest = Interest(8);

    /// Urgent bytes of a TCP connection; told as readable.
    pub const URGENT: Interest = Interest(16);

    fn has(self, other: Interest) -> bool {
        self.0 & other.0 == other.0
    }

    fn flags(self) -> EventFlags {
        let mut flags = EventFlags::empty();
        if self.has(Interest::READ) {
            flags |= EventFlags::IN;
            // The kernel refuses RDHUP together with EXCLUSIVE; a listener has no half-close anyway.
            if !self.has(Interest::EXCLUSIVE) {
                flags |= EventFlags::RDHUP;
            }
        }
        if self.has(Interest::WRITE) {
            flags |= EventFlags::OUT;
        }
        if self.has(Interest::URGENT) {
            flags |= EventFlags::PRI;
        }
        if self.has(Interest::EDGE) {
            flags |= EventFlags::ET;
        }
        if self.has(Interest::EXCLUSIVE) {
            flags |= EventFlags::EXCLUSIVE;
        }
        flags
    }
}

impl BitOr for Interest {
    type Output = Interest;
    fn bitor(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

/// One ready descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The token given to [`Poller::add`].
    pub token: u64,
    /// A read will not block: bytes, the end of the stream, or an error to fetch.
    pub readable: bool,
    /// A write will not block.
    pub writable: bool,
    /// The peer finished sending, hung up, or the descriptor is in error. There may still be bytes to read
    /// before the end, so read first.
    pub closed: bool,
}

/// What a poller looks at, for parts of a program that register their descriptors themselves while another part waits.
#[derive(Debug, Clone)]
pub struct Registry {
    epoll: Arc<OwnedFd>,
}

impl Registry {
    /// Starts waiting for `fd`. The poller does not keep it open: closing the last duplicate removes it.
    pub fn add(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(token), interest.flags())?)
    }

    /// Changes token and interest of `fd`. In edge mode this also tells again what is ready.
    pub fn modify(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, EventData::new_u64(token), interest.flags())?)
    }

    /// Stops waiting for `fd`. Needed before closing a descriptor of which duplicates live elsewhere: epoll
    /// watches the open file, and would go on telling a token that nobody knows.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, fd)?)
    }
}

/// An epoll instance. One thread waits; descriptors may be added from any thread.
#[derive(Debug)]
pub struct Poller {
    registry: Registry,
    events: Vec<Event>,
}

impl Poller {
    /// A poller with nothing to wait for.
    pub fn new() -> io::Result<Poller> {
        let epoll = Arc::new(epoll::create(CreateFlags::CLOEXEC)?);
        Ok(Poller { registry: Registry { epoll }, events: Vec::new() })
    }

    /// Where descriptors are registered, for others than the one who waits.
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// Waits until something is ready or the time is over; `None` waits for ever. An interrupting signal ends
    /// the wait with no events. A timeout is rounded up to what the kernel can tell apart, never down: a loop
    /// that waits for a deadline does not spin before it.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<&[Event]> {
        self.events.clear();
        let timeout = timeout.map(timespec);
        // On the stack, and not initialised: a poller is cheap, and may move to another thread.
        let mut raw_events = [const { MaybeUninit::uninit() }; EVENTS_PER_WAIT_MAX];
        match epoll::wait(&self.registry.epoll, &mut raw_events[..], timeout.as_ref()) {
            Ok((ready, _)) => self.events.extend(ready.iter().map(|event| decode(*event))),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(&self.events)
    }

    /// See [`Registry::add`].
    pub fn add(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        self.registry.add(fd, token, interest)
    }

    /// See [`Registry::modify`].
    pub fn modify(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        self.registry.modify(fd, token, interest)
    }

    /// See [`Registry::remove`].
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        self.registry.remove(fd)
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.registry.epoll.as_fd()
    }
}

fn decode(event: epoll::Event) -> Event {
    let flags = event.flags;
    let broken = flags.intersects(EventFlags::HUP | EventFlags::ERR);
    Event {
        token: event.data.u64(),
        readable: broken || flags.intersects(EventFlags::IN | EventFlags::PRI | EventFlags::RDHUP),
        writable: broken || flags.contains(EventFlags::OUT),
        closed: broken || flags.contains(EventFlags::RDHUP),
    }
}

pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Doorbell, socket_pair};

    /// A loop that misses readiness, or hears of it under the wrong token, hangs a requester.
    #[test]
    fn readiness_is_told_under_its_token() {
        let (near, far) = socket_pair().unwrap();
        let mut poller = Poller::new().unwrap();
        poller.add(&near, 7, Interest::READ).unwrap();
        assert!(poller.wait(Some(Duration::ZERO)).unwrap().is_empty());
        rustix::io::write(&far, b"x").unwrap();
        let events = poller.wait(Some(Duration::from_secs(5))).unwrap();
        assert_eq!(events, [Event { token: 7, readable: true, writable: false, closed: false }]);
        poller.modify(&near, 8, Interest::READ_WRITE).unwrap();
        drop(far);
        let events = poller.wait(Some(Duration::from_secs(5))).unwrap();
        assert_eq!(events, [Event { token: 8, readable: true, writable: true, closed: true }]);
        poller.remove(&near).unwrap();
        assert!(poller.wait(Some(Duration::ZERO)).unwrap().is_empty());
    }

    /// An edge told twice costs CPU; an edge told never loses a message.
    #[test]
    fn an_edge_is_told_once_per_change() {
        let bell = Doorbell::new().unwrap();
        let mut poller = Poller::new().unwrap();
        poller.add(&bell, 1, Interest::READ | Interest::EDGE).unwrap();
        for _ in 0..3 {
            bell.ring();
            assert_eq!(poller.wait(Some(Duration::from_secs(5))).unwrap().len(), 1);
            assert!(poller.wait(Some(Duration::ZERO)).unwrap().is_empty());
        }
    }

    /// Two daemons that share a listener would fail to start if the flags were refused by the kernel.
    #[test]
    fn an_exclusive_listener_is_accepted() {
        let bell = Doorbell::new().unwrap();
        let mut poller = Poller::new().unwrap();
        poller.add(&bell, 1, Interest::READ | Interest::EXCLUSIVE).unwrap();
        bell.ring();
        assert!(poller.wait(None).unwrap()[0].readable);
    }

    /// A wait that returns before its deadline makes a timer loop spin at full CPU.
    #[test]
    fn a_wait_lasts_at_least_its_timeout() {
        let mut poller = Poller::new().unwrap();
        let wait = Duration::from_micros(1_300);
        let start = std::time::Instant::now();
        assert!(poller.wait(Some(wait)).unwrap().is_empty());
        assert!(start.elapsed() >= wait);
    }
}
