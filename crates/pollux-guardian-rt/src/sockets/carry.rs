//! Carries out the operations of sockets: one system call each, at the moment at which the program is told of it.
//!
//! Input is taken out of the kernel only when the program gets it, so a process that dies with posted operations has lost
//! nothing but the operations (TCP/IP Programming Manual, `recv_nw`; B3 of the specification).

use super::address;
use super::file::{Held, SocketFile};
use super::numbers::{
    ECONNRESET, EHAVEOOB, ENOBUFS, ENOTCONN, ESHUTDOWN, EWOULDBLOCK, MSG_DONTROUTE, MSG_OOB, MSG_PEEK, of_io,
    of_linux,
};
use super::place::Place;
use crate::files::operations::Outcome;
use crate::memory::Buffer;
use pollux_wire::{FileError, SocketId, SyncId};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recvfrom, send, sendto, shutdown, sockopt};
use rustix::time::Timespec;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};

/// How the sender of a datagram is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// Not at all.
    Untold,
    /// In a place of its own, and to `socket_get_info`.
    At(Place),
    /// In front of the data.
    Before(Buffer),
}

/// How the bytes sent are told, beside the count of AWAITIO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// By the count alone, or the result of a waited call.
    Count,
    /// In the `int` before the data (`send_nw`); the count of AWAITIO is 2.
    Before(Buffer),
    /// In the first 16 bits of the buffer (`t_sendto_nw`).
    First(Buffer),
    /// By `socket_get_len`.
    Kept,
}

/// What a posted operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// recv and its kin.
    Receive { buffer: Buffer, flags: i32, sender: Sender },
    /// send and its kin. `is_whole`: a waited send is not short; `done` bytes are sent.
    Send { buffer: Buffer, flags: i32, to: Option<SocketAddr>, told: Told, is_whole: bool, done: usize },
    /// A connection attempt that is under way.
    Connect,
    /// shutdown, behind what is to be sent.
    Shutdown(i32),
    /// The provider is asked for a connection.
    Accept(Place),
    /// The provider is asked for the descriptor of a connection.
    Claim,
    /// Done when it was posted; only its word is left to be said.
    Said,
}

/// What is known of an operation before AWAITIO tells it.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It has failed.
    Failed(FileError),
    /// It is done, with bytes for the program.
    Done { count: usize, stores: Vec<(Buffer, Vec<u8>)> },
    /// A connection waits to be claimed.
    Pending { remote: SocketAddr },
    /// A connection.
    Claimed { socket: SocketId, descriptor: OwnedFd },
}

/// Why a call has no result.
enum Stop {
    /// The kernel has nothing, or no room.
    Blocked,
    /// An error for the program.
    Failed(FileError),
}

impl From<FileError> for Stop {
    fn from(error: FileError) -> Self {
        Self::Failed(error)
    }
}

impl From<Errno> for Stop {
    fn from(error: Errno) -> Self {
        match error {
            Errno::AGAIN | Errno::INTR => Self::Blocked,
            error => Self::Failed(of_linux(error)),
        }
    }
}

impl SocketFile {
    /// Carries an operation out. `None` if it cannot be yet.
    pub(crate) fn carry_out(&mut self, id: SyncId) -> Option<Outcome> {
        let action = self.actions.get(&id).copied()?;
        let done = match self.answers.remove(&id) {
            Some((_, answer)) => self.take_answer(action, answer),
            None => match self.act(id, action) {
                Ok(count) => {
                    self.is_untried = true;
                    Ok(count)
                }
                Err(Stop::Failed(error)) => Err(error),
                Err(Stop::Blocked) => {
                    self.queue.blocked(id);
                    return None;
                }
            },
        };
        self.forget(id);
        Some(match done {
            Ok(count) => Outcome { count, ..Outcome::default() },
            Err(error) => Outcome::failed(error),
        })
    }

    /// The operation is finished or given up.
    pub(crate) fn forget(&mut self, id: SyncId) {
        self.actions.remove(&id);
        self.queue.remove(id);
    }

    fn take_answer(&mut self, action: Action, answer: Answer) -> Result<usize, FileError> {
        match answer {
            Answer::Failed(error) => Err(error),
            Answer::Done { count, stores } => {
                for (buffer, bytes) in stores {
                    buffer.put(&bytes);
                }
                Ok(count)
            }
            Answer::Pending { remote } => {
                if let Action::Accept(place) = action {
                    place.put(remote);
                }
                self.last_from = Some(remote);
                Ok(0)
            }
            Answer::Claimed { socket, descriptor } => {
                self.become_connection(socket, descriptor);
                Ok(0)
            }
        }
    }

    fn act(&mut self, id: SyncId, action: Action) -> Result<usize, Stop> {
        // Posted before the word of the takeover came.
        if self.is_lost {
            return Err(ECONNRESET.into());
        }
        match action {
            Action::Receive { buffer, flags, sender } => self.receive(buffer, flags, sender),
            Action::Send { buffer, flags, to, told, is_whole, done } => {
                let rest = buffer.behind(done);
                let sent = done + self.send(rest, flags, to)?;
                if is_whole && sent < buffer.bytes() {
                    let action = Action::Send { buffer, flags, to, told, is_whole, done: sent };
                    self.actions.insert(id, action);
                    self.is_untried = true;
                    return Err(Stop::Blocked);
                }
                Ok(self.tell_sent(sent, told))
            }
            Action::Connect => self.connected().map(|()| 0),
            Action::Shutdown(how) => Ok(self.shut(how).map(|()| 0)?),
            Action::Accept(_) | Action::Claim | Action::Said => Err(Stop::Blocked),
        }
    }

    fn tell_sent(&mut self, sent: usize, told: Told) -> usize {
        /// What AWAITIO counts for `send_nw`.
        const SEND_NW_COUNT: usize = 2;
        match told {
            Told::Count => sent,
            Told::Kept => {
                self.last_length = sent as i32;
                sent
            }
            Told::Before(count) => {
                count.put(&(sent as i32).to_ne_bytes());
                SEND_NW_COUNT
            }
            Told::First(count) => {
                count.put(&(sent as u16).to_ne_bytes());
                sent
            }
        }
    }

    fn receive(&mut self, buffer: Buffer, flags: i32, sender: Sender) -> Result<usize, Stop> {
        if self.is_shut[0] {
            return Err(ESHUTDOWN.into());
        }
        let fd = self.fd()?;
        let is_stream = self.shape().is_stream();
        if is_stream && !self.is_connected {
            return Err(ENOTCONN.into());
        }
        if is_stream && flags & MSG_OOB == 0 && has_urgent(fd) {
            return Err(EHAVEOOB.into());
        }
        if let (Some(held), 0) = (self.held, flags & (MSG_OOB | MSG_PEEK)) {
            return self.receive_held(buffer, held);
        }
        let mut wanted = RecvFlags::DONTWAIT;
        wanted.set(RecvFlags::OOB, flags & MSG_OOB != 0);
        wanted.set(RecvFlags::PEEK, flags & MSG_PEEK != 0);
        let room = if let Sender::Before(_) = sender { buffer.behind(address::V4_BYTES) } else { buffer };
        let (count, _, from) =
            room.fill(|bytes| recvfrom(fd, bytes, wanted)).map_err(|error| match error {
                Errno::INVAL if flags & MSG_OOB != 0 => Stop::Failed(EWOULDBLOCK),
                Errno::AGAIN if flags & MSG_OOB != 0 => Stop::Failed(EWOULDBLOCK),
                error => error.into(),
            })?;
        let count = count.min(room.bytes());
        let from = from.and_then(|from| SocketAddr::try_from(from).ok());
        if !is_stream {
            self.last_from = from;
        }
        Ok(match (sender, from) {
            (Sender::Before(place), Some(from)) => {
                place.put(&address::encode(address::plain(from)));
                address::V4_BYTES + count
            }
            (Sender::At(place), Some(from)) => {
                place.put(from);
                count
            }
            _ => count,
        })
    }

    /// Reads behind what was read already, and leaves all of it in the kernel. Error 4121 when the kernel may not be able to
    /// keep more: the peer would wait for room, and the program for the peer.
    fn receive_held(&mut self, buffer: Buffer, held: Held) -> Result<usize, Stop> {
        if held.bytes >= held.limit {
            return Err(ENOBUFS.into());
        }
        let fd = self.fd()?;
        let skip = usize::try_from(held.bytes).map_err(|_| Stop::Failed(ENOBUFS))?;
        let mut bytes = vec![0; skip + buffer.bytes()];
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        let (_, seen) = rustix::net::recv(fd, &mut bytes[..], flags)?;
        let fresh = bytes.get(skip..seen).unwrap_or_default();
        if fresh.is_empty() && buffer.bytes() > 0 {
            let positions = pollux_os::stream_positions(fd).map_err(|error| of_io(&error))?;
            return if positions.peer_finished { Ok(0) } else { Err(Stop::Blocked) };
        }
        buffer.put(fresh);
        let count = fresh.len();
        self.held = Some(Held { bytes: held.bytes + count as u64, ..held });
        Ok(count)
    }

    /// Begins to hold input: the kernel is asked for all the room that it may give.
    pub(crate) fn begin_to_hold(&mut self) -> Result<(), FileError> {
        /// Half of what the kernel may keep: small packets take more room than their bytes.
        const SHARE: u64 = 2;
        let fd = self.fd()?;
        let mut value = [0; 4];
        let set = |value: i32| {
            pollux_os::set_socket_option(fd, libc::SOL_SOCKET, libc::SO_RCVLOWAT, &value.to_ne_bytes())
        };
        // The receive buffer grows with this mark, as far as the kernel's limit, and stays so.
        let limit = set(i32::MAX)
            .and_then(|()| pollux_os::socket_option(fd, libc::SOL_SOCKET, libc::SO_RCVLOWAT, &mut value))
            .and_then(|_| set(1));
        limit.map_err(|error| of_io(&error))?;
        let limit = u64::try_from(i32::from_ne_bytes(value)).unwrap_or(0) / SHARE;
        self.held = Some(Held { bytes: 0, limit });
        Ok(())
    }

    fn send(&mut self, buffer: Buffer, flags: i32, to: Option<SocketAddr>) -> Result<usize, Stop> {
        if self.is_shut[1] {
            return Err(ESHUTDOWN.into());
        }
        let fd = self.fd()?;
        let mut wanted = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        wanted.set(SendFlags::OOB, flags & MSG_OOB != 0);
        wanted.set(SendFlags::DONTROUTE, flags & MSG_DONTROUTE != 0);
        let is_connected = self.is_connected;
        let sent = buffer.view(|bytes| match to {
            Some(to) if !is_connected => sendto(fd, bytes, wanted, &to),
            _ => send(fd, bytes, wanted),
        });
        sent.map_err(|error| match error {
            // The peer has ended the connection, and an earlier call has told so.
            Errno::PIPE if is_connected => Stop::Failed(ECONNRESET),
            Errno::PIPE => Stop::Failed(ENOTCONN),
            error => error.into(),
        })
    }

    /// What became of a connection attempt.
    fn connected(&mut self) -> Result<(), Stop> {
        let fd = self.fd()?;
        if let Err(error) = sockopt::socket_error(fd)? {
            return Err(Stop::Failed(of_linux(error)));
        }
        if self.shape().is_stream() && matches!(rustix::net::getpeername(fd), Err(Errno::NOTCONN)) {
            return Err(Stop::Blocked);
        }
        self.is_connected = true;
        self.is_active = self.shape().is_stream();
        self.is_bound = true;
        Ok(())
    }

    /// Shuts a connection down: 0 for receiving, 1 for sending, 2 for both.
    pub(crate) fn shut(&mut self, how: i32) -> Result<(), FileError> {
        let fd = self.fd()?;
        if !self.shape().is_stream() {
            return Ok(());
        }
        let which = match how {
            0 => Shutdown::Read,
            1 => Shutdown::Write,
            _ => Shutdown::Both,
        };
        shutdown(fd, which).map_err(of_linux)?;
        self.is_shut = [self.is_shut[0] || how != 1, self.is_shut[1] || how != 0];
        Ok(())
    }
}

/// True if urgent data waits to be read with `MSG_OOB`.
fn has_urgent(fd: BorrowedFd<'_>) -> bool {
    if sockopt::socket_oobinline(fd).unwrap_or(false) {
        return false;
    }
    let mut asked = [PollFd::from_borrowed_fd(fd, PollFlags::PRI)];
    let asked_for = poll(&mut asked, Some(&Timespec::default()));
    asked_for.is_ok() && asked[0].revents().contains(PollFlags::PRI)
}
