//! Decides from whom the acceptor of a listener gets its connections, and what becomes of each until the pair has it.
//!
//! With a TCP/IP provider in the node the provider accepts. It has each connection until the acceptor *leaves* it, and the
//! acceptor leaves it only when both halves of the pair have it. So whoever dies, one process still has the connection: it
//! is offered to the next acceptor. Without a provider the acceptor accepts itself.
//!
//! ```text
//!  provider          acceptor                pair
//!    |<--- Accept ------|                      |   (eight of them, ahead of the connections)
//!    |---- Claimed ---->|-- request + socket ->|   (to the backup, too)
//!    |                  |<------- reply -------|
//!    |<--- Leave -------|                      |
//! ```
//!
//! What is offered again may be a connection that the pair has already: its acceptor died before it could leave.
//! [`is_new`] tells the pair.

use crate::stream::KernelPositions;
use pollux_wire::sockets::{SocketReply, SocketRequest};
use pollux_wire::{FileError, SocketId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Connections that may be on their way from the provider to the pair; further ones wait in the listen queue.
pub const IN_HAND_MAX: usize = 16;
/// Accepts that wait at the provider.
const ACCEPTS_MAX: usize = 8;
/// The same as [`IN_HAND_MAX`] where the acceptor accepts itself. One: should its CPU be lost together with the primary, only that one is
/// reset; all others still wait in the listen queue, which both halves hold.
pub const OWN_IN_HAND_MAX: usize = 1;
/// Between two looks for a provider that the node did not have, or that refused.
const OWN_PAUSE: Duration = Duration::from_secs(5);
/// Between two tries to open a provider that is changing hands.
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// A provider that is changing hands is waited for so long. Connections wait in the listen queue meanwhile.
const CHANGE_MAX: Duration = Duration::from_secs(10);
/// How often a descriptor that did not come is asked for.
const FETCH_TRIES_MAX: u8 = 2;

/// Whether a connection that an acceptor hands over is one that the pair does not know.
///
/// The pair has the same socket already: no. Somebody has read from it or written to it: no, since nobody but the pair
/// does that, so the pair has had it, and has closed it since. Without positions (`None`) nothing speaks against it.
pub fn is_new(is_held: bool, kernel: Option<KernelPositions>) -> bool {
    !is_held && kernel.is_none_or(|kernel| kernel.consumed == 0 && kernel.produced == 0)
}

/// What the shell is to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Open the provider. The answer is [`Acceptor::handle_opened`] or [`Acceptor::handle_refused`].
    Open,
    /// Drop the open without closing it, and what came over it: to the provider this acceptor has died, and what it had is
    /// offered again.
    Drop,
    /// Ask the provider; `Carry` with the listener, `Accept` and `Fetch` with a channel. The answer is
    /// [`Acceptor::handle_answer`].
    Ask(SocketRequest),
    /// Hand the descriptor that came for this socket to the pair. The answer is [`Acceptor::handle_taken`].
    HandOver {
        /// The connection's number in the provider.
        socket: SocketId,
        /// Its far address.
        remote: SocketAddr,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The acceptor accepts itself; the provider is looked for again at that time.
    Own { again: Option<Instant> },
    /// The provider was asked to be open. Waited for since then, over all tries.
    Opening { since: Instant },
    /// It is changing hands.
    Changing { since: Instant, again: Instant },
    /// It was shown the listener.
    Showing,
    /// It has the listener, and so many accepts wait there.
    Provider { listener: SocketId, asked: usize },
}

/// A connection that was claimed and has not gone to the pair.
#[derive(Debug, Clone, Copy)]
struct Fetched {
    remote: SocketAddr,
    tries: u8,
}

/// The acceptor of one listener.
#[derive(Debug)]
pub struct Acceptor {
    source: Source,
    fetches: BTreeMap<SocketId, Fetched>,
    with_pair: BTreeSet<SocketId>,
    commands: VecDeque<Command>,
}

impl Acceptor {
    /// An acceptor that looks for a provider, or knows of none.
    pub fn new(now: Instant, has_provider: bool) -> Self {
        let mut acceptor = Self {
            source: Source::Own { again: None },
            fetches: BTreeMap::new(),
            with_pair: BTreeSet::new(),
            commands: VecDeque::new(),
        };
        if has_provider {
            acceptor.open(now);
        }
        acceptor
    }

    /// True while connections come from the listener itself.
    pub fn accepts_itself(&self) -> bool {
        matches!(self.source, Source::Own { .. })
    }

    /// When [`Acceptor::handle_time`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.source {
            Source::Own { again } => again,
            Source::Opening { since } => Some(since + CHANGE_MAX),
            Source::Changing { again, .. } => Some(again),
            Source::Showing | Source::Provider { .. } => None,
        }
    }

    /// Time has passed.
    pub fn handle_time(&mut self, now: Instant) {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.source {
            Source::Own { .. } => self.open(now),
            Source::Changing { since, .. } => self.open(since),
            Source::Opening { .. } => {
                self.forget_all();
                self.accept_itself(now);
            }
            Source::Showing | Source::Provider { .. } => {}
        }
    }

    /// The provider has accepted the open.
    pub fn handle_opened(&mut self) {
        if matches!(self.source, Source::Opening { .. }) {
            self.source = Source::Showing;
            self.commands.push_back(Command::Ask(SocketRequest::Carry {}));
        }
    }

    /// There is no open to be had.
    pub fn handle_refused(&mut self, now: Instant, error: FileError) {
        let Source::Opening { since } = self.source else { return };
        if error == FileError::NO_SUCH_PROCESS || now >= since + CHANGE_MAX {
            self.accept_itself(now);
        } else {
            self.source = Source::Changing { since, again: now + RETRY_PAUSE };
        }
    }

    /// The provider has answered; `came` if the descriptor came for which it was asked.
    pub fn handle_answer(
        &mut self,
        now: Instant,
        asked: &SocketRequest,
        answer: Result<SocketReply, FileError>,
        came: bool,
    ) {
        if !matches!(self.source, Source::Showing | Source::Provider { .. }) {
            // Of an open that was dropped.
            return;
        }
        match (asked, answer) {
            (SocketRequest::Carry {}, Ok(SocketReply::Kept { socket })) => {
                self.source = Source::Provider { listener: socket, asked: 0 };
            }
            (SocketRequest::Carry {}, _) => {
                self.forget_all();
                self.accept_itself(now);
            }
            (SocketRequest::Accept { .. }, Ok(SocketReply::Claimed { socket, remote, .. })) => {
                if let Source::Provider { asked, .. } = &mut self.source {
                    *asked -= 1;
                }
                self.fetches.insert(socket, Fetched { remote, tries: 0 });
                self.look_at(now, socket, came);
            }
            (SocketRequest::Fetch { socket }, Ok(SocketReply::Fetched {})) => {
                self.look_at(now, *socket, came);
            }
            (SocketRequest::Fetch { socket }, Err(_)) => drop(self.fetches.remove(socket)),
            // What was left may be gone already.
            (SocketRequest::Leave { .. }, _) => {}
            (_, _) => self.lose(now),
        }
        self.ask_for_connections();
    }

    /// The open has ended, or the paths to the provider for good.
    pub fn handle_lost(&mut self, now: Instant) {
        self.lose(now);
    }

    /// Both halves of the pair have this connection.
    pub fn handle_taken(&mut self, socket: SocketId) {
        if self.with_pair.remove(&socket) {
            self.ask(SocketRequest::Leave { socket });
        }
        self.ask_for_connections();
    }

    /// What is to be done next.
    pub fn peek_command(&self) -> Option<&Command> {
        self.commands.front()
    }

    /// The same, taken off the list if it can be done.
    pub fn poll_command_if(&mut self, ready: bool) -> Option<Command> {
        if ready { self.commands.pop_front() } else { None }
    }

    fn open(&mut self, since: Instant) {
        self.source = Source::Opening { since };
        self.commands.push_back(Command::Open);
    }

    fn accept_itself(&mut self, now: Instant) {
        self.source = Source::Own { again: Some(now + OWN_PAUSE) };
    }

    fn ask(&mut self, request: SocketRequest) {
        self.commands.push_back(Command::Ask(request));
    }

    /// Accepts wait as long as there is room for what they may bring.
    fn ask_for_connections(&mut self) {
        let Source::Provider { listener, asked } = &mut self.source else { return };
        let in_hand = self.fetches.len() + self.with_pair.len();
        while *asked < ACCEPTS_MAX && in_hand + *asked < IN_HAND_MAX {
            *asked += 1;
            // The length of the queue is for a socket that does not listen yet.
            let request = SocketRequest::Accept { socket: *listener, queue: 1 };
            self.commands.push_back(Command::Ask(request));
        }
    }

    /// A claimed connection: hands it over, or asks for its descriptor.
    fn look_at(&mut self, now: Instant, socket: SocketId, came: bool) {
        let Some(fetched) = self.fetches.get_mut(&socket) else { return };
        if came {
            let remote = fetched.remote;
            self.fetches.remove(&socket);
            self.with_pair.insert(socket);
            self.commands.push_back(Command::HandOver { socket, remote });
        } else if fetched.tries < FETCH_TRIES_MAX {
            fetched.tries += 1;
            self.ask(SocketRequest::Fetch { socket });
        } else {
            // Begun anew, it is offered again.
            self.lose(now);
        }
    }

    fn lose(&mut self, now: Instant) {
        if matches!(self.source, Source::Opening { .. } | Source::Showing | Source::Provider { .. }) {
            self.forget_all();
            self.source = Source::Changing { since: now, again: now + RETRY_PAUSE };
        }
    }

    /// What is with the pair stays there, and nobody is told: the provider offers it again, and the pair knows it.
    fn forget_all(&mut self) {
        self.fetches.clear();
        self.with_pair.clear();
        self.commands.clear();
        self.commands.push_back(Command::Drop);
    }
}

#[cfg(test)]
#[path = "acceptor_tests.rs"]
mod tests;
