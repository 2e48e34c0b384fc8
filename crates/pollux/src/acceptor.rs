//! The acceptor: a process of its own that brings connections to a pair.
//!
//! It serves one listener. To the pair it is a requester like any other: each connection is a request that carries the
//! descriptor, and the reply says that both halves hold it. Until then the acceptor keeps its own, and sends it again to a
//! new primary. So a crash of the pair loses no connection.
//!
//! Where the node has a TCP/IP provider that one accepts, and has the connection as long as the acceptor does: a crash of
//! the acceptor loses none either. Without one the acceptor accepts itself, and its crash can lose the connection between
//! `accept` and the first send; those in the listen queue wait for the next acceptor. [`pollux_core::acceptor`] decides.

mod provider;

use crate::error::{Context, Error, Result};
use crate::link::Link;
use pollux_core::acceptor::{Acceptor, Command, IN_HAND_MAX, OWN_IN_HAND_MAX};
use pollux_os::take_inherited;
use pollux_wire::sockets::{SocketReply, SocketRequest};
use pollux_wire::{CpuNumber, OpenId, ProcessName, SocketId, SyncId};
use provider::{News, Provider};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with, getpeername};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

pub(crate) use provider::provider_of;

/// Descriptor under which an acceptor finds its listening socket.
pub const LISTENER_DESCRIPTOR: RawFd = 3;
/// Descriptor under which it finds its path to the pair.
pub const PATH_DESCRIPTOR: RawFd = 4;
/// Connections that an acceptor may have on their way to the pair.
pub(crate) const ACCEPTED_AHEAD_MAX: u16 = IN_HAND_MAX as u16;

/// While no descriptor is left for new connections, they wait in the listen queue so long.
const FULL_PAUSE: Duration = Duration::from_millis(100);
/// Between two looks at whether a half still speaks.
const LOOK_PAUSE: Duration = Duration::from_secs(5);

/// Runs an acceptor until its pair is gone. The daemon starts it, with the number of its CPU and the name of the provider;
/// see `ToDaemon::StartAcceptor`.
pub fn run_acceptor(arguments: &[OsString]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    let cpu = words.first().and_then(|word| word.parse().ok()).and_then(CpuNumber::new);
    let cpu = cpu.ok_or(Error::Misuse("the first argument of an acceptor is its CPU"))?;
    let provider = match words.get(1) {
        Some(name) => Some(Provider::new(ProcessName::new(name)?, cpu)),
        None => None,
    };
    let listener = take_inherited(LISTENER_DESCRIPTOR).context("take over the listening socket")?;
    let path = take_inherited(PATH_DESCRIPTOR).context("take over the path to the pair")?;
    let mut shell = Shell {
        machine: Acceptor::new(Instant::now(), provider.is_some()),
        pair: Link::new(OpenId(0), path, ACCEPTED_AHEAD_MAX, ACCEPTED_AHEAD_MAX)?,
        provider,
        listener,
        arrived: BTreeMap::new(),
        handed: BTreeMap::new(),
    };
    while shell.step()? {}
    // Whatever else ends this process is its death to the provider, which waits for the next acceptor.
    if let Some(provider) = &mut shell.provider {
        provider.close();
    }
    Ok(())
}

struct Shell {
    machine: Acceptor,
    pair: Link,
    provider: Option<Provider>,
    listener: OwnedFd,
    /// Connections that have come from the provider, and go to the pair with the machine's next commands.
    arrived: BTreeMap<SocketId, OwnedFd>,
    /// Requests to the pair about connections of the provider.
    handed: BTreeMap<SyncId, SocketId>,
}

impl Shell {
    /// One turn; false when the pair is gone.
    fn step(&mut self) -> Result<bool> {
        self.pair.pump();
        while let Some((sync, _)) = self.pair.take_any_answer() {
            if let Some(socket) = self.handed.remove(&sync) {
                self.machine.handle_taken(socket);
            }
        }
        if matches!(self.pair.opened(), Some(Err(_))) || !self.pair.has_paths() {
            return Ok(false);
        }
        self.hear_provider()?;
        self.carry_out()?;
        let (accepts, pause) = match self.can_accept() {
            true => self.accept()?,
            false => (false, LOOK_PAUSE),
        };
        self.wait(accepts, pause)?;
        Ok(true)
    }

    fn hear_provider(&mut self) -> Result<()> {
        let now = Instant::now();
        let news = match &mut self.provider {
            Some(provider) => provider.pump(now)?,
            None => Vec::new(),
        };
        for news in news {
            match news {
                News::Opened => self.machine.handle_opened(),
                News::Refused(error) => self.machine.handle_refused(now, error),
                News::Lost => self.machine.handle_lost(now),
                News::Answered { asked, answer, descriptor } => {
                    let came = descriptor.is_some();
                    if let (Some(descriptor), Some(socket)) =
                        (descriptor, answer.as_ref().ok().and_then(|reply| number_of(reply, &asked)))
                    {
                        self.arrived.insert(socket, descriptor);
                    }
                    self.machine.handle_answer(now, &asked, answer, came);
                }
            }
        }
        self.machine.handle_time(now);
        Ok(())
    }

    fn carry_out(&mut self) -> Result<()> {
        while let (Some(command), Some(provider)) = (self.machine.peek_command(), &mut self.provider) {
            let ready = match command {
                Command::Open | Command::Drop => true,
                Command::Ask(_) => provider.can_ask(),
                Command::HandOver { .. } => self.pair.can_start(),
            };
            let Some(command) = self.machine.poll_command_if(ready) else { break };
            match command {
                Command::Open => {
                    if let Err(error) = provider.open() {
                        self.machine.handle_refused(Instant::now(), error);
                    }
                }
                Command::Drop => {
                    provider.abandon();
                    self.arrived.clear();
                }
                Command::Ask(request) => provider.ask(request, &self.listener)?,
                Command::HandOver { socket, remote } => {
                    let connection = self.arrived.remove(&socket);
                    let sync = self.pair.start(remote.to_string().into_bytes(), 0, connection)?;
                    self.handed.insert(sync, socket);
                }
            }
        }
        Ok(())
    }

    fn can_accept(&self) -> bool {
        self.machine.accepts_itself()
            && self.pair.opened().is_some()
            && self.pair.outstanding() < OWN_IN_HAND_MAX
    }

    /// Accepts what waits, as much as may be under way; whether more can be taken, and until when to wait for it.
    fn accept(&mut self) -> Result<(bool, Duration)> {
        while self.can_accept() {
            match accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(connection) => self.hand_over(connection)?,
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS) => return Ok((false, FULL_PAUSE)),
                // Nothing waits, or the peer has gone while it waited.
                Err(_) => return Ok((true, LOOK_PAUSE)),
            }
        }
        Ok((false, LOOK_PAUSE))
    }

    fn hand_over(&mut self, connection: OwnedFd) -> Result<()> {
        let peer = match getpeername(&connection) {
            Ok(Some(address)) => {
                SocketAddr::try_from(address).map_or_else(|_| "?".to_owned(), |a| a.to_string())
            }
            // Gone already: the pair finds out when it reads.
            Ok(None) | Err(_) => "?".to_owned(),
        };
        self.pair.start(peer.into_bytes(), 0, Some(connection))?;
        Ok(())
    }

    fn wait(&mut self, accepts: bool, pause: Duration) -> Result<()> {
        let provider_ready = self.provider.as_mut().is_some_and(Provider::prepare_wait);
        if self.pair.prepare_wait() || provider_ready {
            return Ok(());
        }
        let mut fds = vec![PollFd::from_borrowed_fd(self.pair.as_fd(), PollFlags::IN)];
        let provider = self.provider.as_ref();
        fds.extend(provider.and_then(Provider::as_fd).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        if accepts {
            fds.push(PollFd::from_borrowed_fd(self.listener.as_fd(), PollFlags::IN));
        }
        let deadlines = [self.machine.next_deadline(), provider.and_then(Provider::next_deadline)];
        let next = deadlines.into_iter().flatten().min();
        let left = next.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        crate::daemon::wait_fds(&mut fds, Some(left.map_or(pause, |left| left.min(pause))))
    }
}

/// The connection whose descriptor comes with this answer.
fn number_of(reply: &SocketReply, asked: &SocketRequest) -> Option<SocketId> {
    match (reply, asked) {
        (SocketReply::Claimed { socket, .. }, _) => Some(*socket),
        (SocketReply::Fetched {}, SocketRequest::Fetch { socket }) => Some(*socket),
        _ => None,
    }
}
