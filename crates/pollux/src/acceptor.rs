//! The acceptor: a process of its own that accepts connections for a pair and hands them over.
//!
//! It serves one listener. To the pair it is a requester like any other, with sync depth 1: each accepted connection is a
//! request that carries the descriptor, and the reply says that both halves hold it. Until then the acceptor keeps its
//! own, and sends it again to a new primary. So a crash of the pair loses no connection; a crash of the acceptor
//! can lose the one between `accept` and the first send; those in the listen queue wait for the next acceptor.

use crate::engine::ACCEPTED_AHEAD_MAX;
use crate::error::{Context, Result};
use crate::link::Link;
use pollux_os::take_inherited;
use pollux_wire::OpenId;
use rustix::event::{PollFd, PollFlags};
use rustix::net::{SocketFlags, accept_with, getpeername, sockopt};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::time::Duration;

/// Descriptor under which an acceptor finds its listening socket.
pub const LISTENER_DESCRIPTOR: RawFd = 3;
/// Descriptor under which it finds its path to the pair.
pub const PATH_DESCRIPTOR: RawFd = 4;

/// While no descriptor is left for new connections, they wait in the listen queue so long.
const FULL_PAUSE: Duration = Duration::from_millis(100);
/// Between two looks at whether a half still speaks.
const LOOK_PAUSE: Duration = Duration::from_secs(5);

/// Runs an acceptor until its pair is gone. The daemon starts it; see `ToDaemon::StartAcceptor`.
pub fn run_acceptor() -> Result<()> {
    let listener = take_inherited(LISTENER_DESCRIPTOR).context("take over the listening socket")?;
    let path = take_inherited(PATH_DESCRIPTOR).context("take over the path to the pair")?;
    let mut link = Link::new(OpenId(0), path, ACCEPTED_AHEAD_MAX, ACCEPTED_AHEAD_MAX)?;
    loop {
        link.pump();
        while link.take_any_answer().is_some() {}
        if matches!(link.opened(), Some(Err(_))) || !link.has_paths() {
            return Ok(());
        }
        let mut pause = LOOK_PAUSE;
        let mut accepts = link.opened().is_some() && link.can_start();
        while accepts {
            match accept_with(&listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(connection) => {
                    hand_over(&mut link, connection)?;
                    accepts = link.can_start();
                }
                Err(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE | rustix::io::Errno::NOBUFS) => {
                    pause = FULL_PAUSE;
                    break;
                }
                // Nothing waits, or the peer has gone while it waited.
                Err(_) => break,
            }
        }
        if link.prepare_wait() {
            continue;
        }
        let mut fds = vec![PollFd::from_borrowed_fd(link.as_fd(), PollFlags::IN)];
        if link.opened().is_some() && link.can_start() && pause == LOOK_PAUSE {
            fds.push(PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN));
        }
        crate::daemon::wait_fds(&mut fds, Some(pause))?;
    }
}

fn hand_over(link: &mut Link, connection: OwnedFd) -> Result<()> {
    // Replies leave at once: the server gathers them itself. Not every socket family knows the option.
    let _ = sockopt::set_tcp_nodelay(&connection, true);
    let peer = match getpeername(&connection) {
        Ok(Some(address)) => SocketAddr::try_from(address).map_or_else(|_| "?".to_owned(), |a| a.to_string()),
        // Gone already: the pair finds out when it reads.
        Ok(None) | Err(_) => "?".to_owned(),
    };
    link.start(peer.into_bytes(), 0, Some(connection))?;
    Ok(())
}
