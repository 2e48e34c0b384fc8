//! What this process waits for while a procedure waits: one poller, and who is meant by each of its tokens.
//!
//! | [`Source`] | Descriptors | Registered by |
//! | --- | --- | --- |
//! | `Daemon` | the line to the daemon | the run-time, from its attach on |
//! | `Link` | paths and bells of an open of this process | `pollux::binding::Link`, which takes them out when it is dropped |
//! | `Path`, `Lingering` | the paths of an opener, and of one whose last words wait for room | [`crate::server_path::Path`], the same |
//! | `File` | one of a file of another kind | the run-time, as [`crate::files::OtherFile::waits_for`] says before each wait |
//!
//! Timers have no descriptor: the next deadline limits the wait.
//!
//! # A file with a descriptor
//!
//! A socket, say, implements [`crate::files::OtherFile`] and needs nothing here. `start` tries the transfer at once and keeps
//! what would block; `waits_for` gives the descriptor with the interest of what is kept, and none when nothing is, since a
//! descriptor that has ended is told for ever; `note_ready` hears what it is ready for; `poll`, which is asked each time that
//! anything happens, makes no system call before it has heard so. `AWAITIOX` finishes what `poll` gives.
//!
//! A kind of descriptor that belongs to no file gets a [`Source`], an owner that registers it under that token and takes it out
//! before it is closed, and an arm in `Runtime::poll`.

use pollux::binding::LINK_TOKEN_BITS;
use pollux_os::{Interest, Poller, Registry};
use pollux_wire::OpenId;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Tokens: the kind in the top byte, numbers below.
const KIND_SHIFT: u32 = 56;
const NUMBER: u64 = (1 << KIND_SHIFT) - 1;
const DAEMON: u64 = 1;
const LINK: u64 = 2;
const PATH: u64 = 3;
const RING: u64 = 4;
const LINGERING: u64 = 5;
const FILE: u64 = 6;

/// Whom a ready descriptor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The line to the daemon.
    Daemon,
    /// Something of the link of the process file with this serial number; the rest of the token is the link's.
    Link(u64),
    /// The socket of an opener's path.
    Path(OpenId),
    /// The bell of an opener's path.
    Ring(OpenId),
    /// A path that is closed and has words to send.
    Lingering,
    /// The descriptor of the file of another kind with this serial number.
    File(u64),
}

impl Source {
    /// The token to register with; that of a link is the first of its tokens.
    pub(crate) fn token(self) -> u64 {
        let (kind, number) = match self {
            Self::Daemon => (DAEMON, 0),
            Self::Link(serial) => (LINK, serial << LINK_TOKEN_BITS),
            Self::Path(open) => (PATH, open.0),
            Self::Ring(open) => (RING, open.0),
            Self::Lingering => (LINGERING, 0),
            Self::File(serial) => (FILE, serial),
        };
        kind << KIND_SHIFT | number & NUMBER
    }

    fn of(token: u64) -> Option<Self> {
        let number = token & NUMBER;
        Some(match token >> KIND_SHIFT {
            DAEMON => Self::Daemon,
            LINK => Self::Link(number >> LINK_TOKEN_BITS),
            PATH => Self::Path(OpenId(number)),
            RING => Self::Ring(OpenId(number)),
            LINGERING => Self::Lingering,
            FILE => Self::File(number),
            _ => return None,
        })
    }
}

/// A ready descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ready {
    /// Whose.
    pub(crate) source: Source,
    /// What the poller has told, with the token.
    pub(crate) event: pollux_os::Event,
}

/// The poller of this process.
pub(crate) struct Waits {
    poller: Poller,
}

impl Waits {
    /// One that waits for nothing.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { poller: Poller::new()? })
    }

    /// Where descriptors are registered.
    pub(crate) fn registry(&self) -> Registry {
        self.poller.registry()
    }

    /// Waits until something is ready or the time is over, and adds what is ready.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        for event in self.poller.wait(timeout)? {
            ready.extend(Source::of(event.token).map(|source| Ready { source, event: *event }));
        }
        Ok(())
    }
}

/// How a descriptor is registered: what it is waited for. Whoever has the descriptor has this beside it.
#[derive(Debug, Default)]
pub(crate) struct Watched(Option<Interest>);

impl Watched {
    /// Waits for this from here on; for `None` not even for the end. Asks the kernel only for changes. An error where the
    /// descriptor cannot be waited for, as that of a disk file: then it is always ready.
    pub(crate) fn set(
        &mut self,
        registry: &Registry,
        source: Source,
        fd: BorrowedFd<'_>,
        wanted: Option<Interest>,
    ) -> io::Result<()> {
        match (self.0, wanted) {
            (was, is) if was == is => return Ok(()),
            (None, Some(interest)) => registry.add(fd, source.token(), interest)?,
            (Some(_), Some(interest)) => registry.modify(fd, source.token(), interest)?,
            (_, None) => registry.remove(fd)?,
        }
        self.0 = wanted;
        Ok(())
    }

    /// What is waited for stays; it is told for another from here on.
    pub(crate) fn hand_to(&self, registry: &Registry, source: Source, fd: BorrowedFd<'_>) {
        if let Some(interest) = self.0 {
            // It is registered: the kernel has nothing to refuse.
            let _ = registry.modify(fd, source.token(), interest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollux_os::socket_pair;
    use std::os::fd::AsFd;

    // A token that is taken for another's wakes the wrong file, and the right one sleeps for ever.
    #[test]
    fn every_source_has_its_tokens() {
        let sources = [
            Source::Daemon,
            Source::Link(1),
            Source::Link(1 << 30),
            Source::Path(OpenId(7)),
            Source::Ring(OpenId(7)),
            Source::Lingering,
            Source::File(1),
        ];
        for source in sources {
            assert_eq!(Source::of(source.token()), Some(source));
        }
        let last_of_link = Source::Link(5).token() | ((1 << LINK_TOKEN_BITS) - 1);
        assert_eq!(Source::of(last_of_link), Some(Source::Link(5)));
        assert_eq!(Source::of(0), None);
    }

    // A descriptor that is still told after nobody waits for it makes the program spin.
    #[test]
    fn what_is_waited_for_changes() {
        let (near, far) = socket_pair().unwrap();
        let mut waits = Waits::new().unwrap();
        let (registry, source, mut watched) = (waits.registry(), Source::File(3), Watched::default());
        let told = |waits: &mut Waits| -> Vec<(Source, bool, bool)> {
            let mut ready = Vec::new();
            waits.wait(Some(Duration::ZERO), &mut ready).unwrap();
            ready.iter().map(|ready| (ready.source, ready.event.readable, ready.event.writable)).collect()
        };
        let none: Vec<(Source, bool, bool)> = Vec::new();
        watched.set(&registry, source, near.as_fd(), Some(Interest::WRITE)).unwrap();
        assert_eq!(told(&mut waits), [(source, false, true)]);
        watched.set(&registry, source, near.as_fd(), Some(Interest::READ)).unwrap();
        assert_eq!(told(&mut waits), none);
        drop(far);
        watched.hand_to(&registry, Source::Lingering, near.as_fd());
        assert_eq!(told(&mut waits)[0].0, Source::Lingering);
        watched.set(&registry, source, near.as_fd(), None).unwrap();
        assert_eq!(told(&mut waits), none);
    }

    // A program that reads without wait from a descriptor which the kernel cannot wait for would not start.
    #[test]
    fn a_descriptor_that_cannot_be_waited_for_is_told_so() {
        let null = std::fs::File::open("/dev/null").unwrap();
        let waits = Waits::new().unwrap();
        let mut watched = Watched::default();
        let set = watched.set(&waits.registry(), Source::File(1), null.as_fd(), Some(Interest::READ));
        assert_eq!(set.unwrap_err().raw_os_error(), Some(libc::EPERM));
    }
}
