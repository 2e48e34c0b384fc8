//! A process that keeps the descriptors of another one open beyond its death, for as long as it takes to pass them on.
//!
//! ```text
//!  process ---clone---> guard (the same descriptor table)
//!     |                   |
//!  accept --------------> has the connection, too
//!     |                   |
//!   dies                  sees it by pidfd
//!                         |---- connections that are not close-on-exec ----> whoever has the other end
//!                       ends: now the descriptors close
//! ```
//!
//! Between the kernel's `accept` and the first copy in another process there is no moment in which the death of the
//! process takes the connection along. The flag close-on-exec says which connections are worth passing on: one that another
//! process has, too, is marked so. Nothing is lost by that in a program that starts no other one.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::{Errno, IoSliceMut};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{PidfdFlags, Signal, getpid, pidfd_open};

use crate::{raw, reap, signal, socket_pair, wait_gone};

/// Connections that arrive at a time.
pub const SAVED_PER_MESSAGE_MAX: usize = 8;
/// A process that was killed is gone by then, unless the machine stands still.
const END_PATIENCE: Duration = Duration::from_secs(10);

/// The guard of this process's connections. Dropped, it ends.
///
/// While there is one, what hangs on the last close of a descriptor comes a moment after the death of this process: end of
/// file at the other end of its sockets, the end of its locks on files.
#[derive(Debug)]
pub struct Guard {
    /// Pidfd of the guard.
    process: OwnedFd,
    /// Pidfd of this process.
    maker: OwnedFd,
    out: OwnedFd,
    saved: OwnedFd,
}

impl Guard {
    /// Starts it. It costs the least memory at the beginning of a program: the guard keeps a copy of what changes later.
    pub fn start() -> io::Result<Guard> {
        let maker = pidfd_open(getpid(), PidfdFlags::empty())?;
        let (out, saved) = socket_pair()?;
        Ok(Guard { process: start(&maker, &out)?, maker, out, saved })
    }

    /// The end at which connections arrive when this process has died: a duplicate of it belongs into the process that
    /// goes on, see [`take_saved`]. It is the same one for as long as this value lives.
    pub fn saved(&self) -> BorrowedFd<'_> {
        self.saved.as_fd()
    }

    /// Pidfd of the guard: readable when it is gone.
    pub fn process(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }

    /// Starts another one in the place of one that is gone.
    pub fn restart(&mut self) -> io::Result<()> {
        // Already reaped, if an attempt before this one has failed.
        let _ = reap(&self.process, false);
        self.process = start(&self.maker, &self.out)?;
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Before its descriptors go: their numbers could be given to others.
        let _ = signal(&self.process, Signal::KILL);
        let _ = wait_gone(&self.process, END_PATIENCE);
        let _ = reap(&self.process, false);
    }
}

fn start(maker: &OwnedFd, out: &OwnedFd) -> io::Result<OwnedFd> {
    let pid = raw::guard::start(maker.as_fd(), out.as_fd())?;
    // It is our child, and nobody has reaped it: the number is its own.
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// What has arrived at the end of a guard's channel.
#[derive(Debug)]
pub enum Saved {
    /// Connections, at most [`SAVED_PER_MESSAGE_MAX`]; there may be more. They are not close-on-exec here: as long as no
    /// other process has them, this one's own guard must count them among those that are worth passing on.
    Connections(Vec<OwnedFd>),
    /// Nothing yet.
    Nothing,
    /// Process and guard are gone, and everything has been taken.
    End,
}

/// Takes in one message of a guard: see [`Guard::saved`]. Never blocks.
pub fn take_saved(channel: impl AsFd) -> io::Result<Saved> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SAVED_PER_MESSAGE_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let taken = loop {
        match recvmsg(channel.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::DONTWAIT) {
            Ok(message) => break message.bytes,
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) => return Ok(Saved::Nothing),
            Err(errno) => return Err(errno.into()),
        }
    };
    if taken == 0 {
        return Ok(Saved::End);
    }
    let mut connections = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            connections.extend(fds);
        }
    }
    Ok(Saved::Connections(connections))
}
