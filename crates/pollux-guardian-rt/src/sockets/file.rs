//! A socket as an open file: its own descriptor, what the program has done with it, and its posted operations.

use super::carry::{Action, Answer};
use super::numbers::{
    AF_INET, AF_INET6, EAFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM,
    SOCK_STREAM_NONFT, of_linux,
};
use super::queue::Queue;
use pollux_wire::{FileError, SocketId, SyncId};
use rustix::net::{AddressFamily, RawProtocol, SocketFlags, SocketType, ipproto, socket_with};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What a socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A stream with a backup open.
    Stream,
    /// A stream without one.
    StreamWithoutBackup,
    /// UDP.
    Datagram,
    /// IP itself.
    Raw,
}

impl Shape {
    /// True for connections.
    pub(crate) fn is_stream(self) -> bool {
        matches!(self, Self::Stream | Self::StreamWithoutBackup)
    }

    /// What `SO_TYPE` says.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Stream => SOCK_STREAM,
            Self::StreamWithoutBackup => SOCK_STREAM_NONFT,
            Self::Datagram => SOCK_DGRAM,
            Self::Raw => SOCK_RAW,
        }
    }
}

/// What `socket` and `socket_nw` are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    family: AddressFamily,
    shape: Shape,
    protocol: i32,
}

/// The first protocol that no stream or datagram has.
const PROTOCOL_MAX: i32 = 255;
const UDP: i32 = 17;

impl Wish {
    /// Checks the three numbers of a program.
    pub(crate) fn new(family: i32, shape: i32, protocol: i32) -> Result<Self, FileError> {
        let family = match family {
            AF_INET => AddressFamily::INET,
            AF_INET6 => AddressFamily::INET6,
            _ => return Err(EAFNOSUPPORT),
        };
        let shape = match shape {
            SOCK_STREAM => Shape::Stream,
            SOCK_STREAM_NONFT => Shape::StreamWithoutBackup,
            SOCK_DGRAM => Shape::Datagram,
            SOCK_RAW => Shape::Raw,
            _ => return Err(ESOCKTNOSUPPORT),
        };
        let is_known = match shape {
            Shape::Stream | Shape::StreamWithoutBackup | Shape::Raw => (0..=PROTOCOL_MAX).contains(&protocol),
            Shape::Datagram => matches!(protocol, 0 | UDP),
        };
        if is_known { Ok(Self { family, shape, protocol }) } else { Err(EPROTONOSUPPORT) }
    }

    /// Version 6, the type, the protocol.
    pub(crate) fn parts(self) -> (bool, i32, i32) {
        (self.family == AddressFamily::INET6, self.shape.number(), self.protocol)
    }

    /// A Linux socket.
    pub(crate) fn descriptor(self) -> Result<OwnedFd, FileError> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (kind, protocol) = match self.shape {
            Shape::Stream | Shape::StreamWithoutBackup => (SocketType::STREAM, Some(ipproto::TCP)),
            Shape::Datagram => (SocketType::DGRAM, Some(ipproto::UDP)),
            Shape::Raw => {
                let number = RawProtocol::new(self.protocol.unsigned_abs());
                (SocketType::RAW, number.map(rustix::net::Protocol::from_raw))
            }
        };
        socket_with(self.family, kind, flags, protocol).map_err(of_linux)
    }
}

/// Input that was given to the program and stays in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    /// So many bytes.
    pub(crate) bytes: u64,
    /// So many may stay.
    pub(crate) limit: u64,
}

/// A socket.
pub(crate) struct SocketFile {
    /// None once it is torn down, until the number gets another connection.
    pub(crate) descriptor: Option<OwnedFd>,
    /// What it was made as.
    pub(crate) wish: Wish,
    /// The flag word of `socket_nw`.
    pub(crate) flags: i32,
    /// Its number at the provider, once it is there.
    pub(crate) id: Option<SocketId>,
    /// Bound by the program.
    pub(crate) is_bound: bool,
    /// A connection.
    pub(crate) is_connected: bool,
    /// This side has connected: the kernel counts its SYN among the bytes.
    pub(crate) is_active: bool,
    /// Length of the queue of connections; 0 before `listen`.
    pub(crate) backlog: u16,
    /// Shut down for receiving, for sending.
    pub(crate) is_shut: [bool; 2],
    /// The number stands for nothing any more (`sock_close_reuse_nw` on a socket that has a backup open): error 60.
    pub(crate) is_void: bool,
    /// The connection did not live through the takeover (mode `strict`).
    pub(crate) is_lost: bool,
    /// Made by `socket_backup`.
    pub(crate) is_backup_open: bool,
    /// Input that was given to the program stays in the kernel.
    pub(crate) held: Option<Held>,
    /// An operation may be possible though the poller says nothing: with held input it tells of changes only.
    pub(crate) is_untried: bool,
    /// What may be carried out.
    pub(crate) queue: Queue,
    /// What each posted operation does.
    pub(crate) actions: BTreeMap<SyncId, Action>,
    /// Results that wait for AWAITIO, with their place in the order of events.
    pub(crate) answers: BTreeMap<SyncId, (u64, Answer)>,
    /// Far addresses of connections that came for an accept that was cancelled, or could not be taken.
    pub(crate) given_back: VecDeque<SocketAddr>,
    /// For `socket_get_info`.
    pub(crate) last_from: Option<SocketAddr>,
    /// For `socket_get_len`.
    pub(crate) last_length: i32,
    /// Options that are kept and have no effect, by level and name.
    pub(crate) kept_options: BTreeMap<(i32, i32), i32>,
}

impl SocketFile {
    /// A socket with this descriptor.
    pub(crate) fn new(wish: Wish, flags: i32, descriptor: OwnedFd) -> Self {
        Self {
            descriptor: Some(descriptor),
            wish,
            flags,
            id: None,
            is_bound: false,
            is_connected: false,
            is_active: false,
            backlog: 0,
            is_shut: [false; 2],
            is_void: false,
            is_lost: false,
            is_backup_open: false,
            held: None,
            is_untried: true,
            queue: Queue::default(),
            actions: BTreeMap::new(),
            answers: BTreeMap::new(),
            given_back: VecDeque::new(),
            last_from: None,
            last_length: 0,
            kept_options: BTreeMap::new(),
        }
    }

    /// What it is.
    pub(crate) fn shape(&self) -> Shape {
        self.wish.shape
    }

    /// True for addresses of version 6.
    pub(crate) fn is_v6(&self) -> bool {
        self.wish.family == AddressFamily::INET6
    }

    /// Its descriptor. Error 60 for a number that stands for nothing, 4123 for one without a connection.
    pub(crate) fn fd(&self) -> Result<BorrowedFd<'_>, FileError> {
        if self.is_void {
            return Err(FileError::WRONG_ID);
        }
        self.descriptor.as_ref().map(AsFd::as_fd).ok_or(super::numbers::ENOTCONN)
    }

    /// Since when an operation may be carried out.
    pub(crate) fn ready_at(&self, id: SyncId) -> Option<u64> {
        self.answers.get(&id).map(|(at, _)| *at).or_else(|| self.queue.ready_at(id))
    }

    /// A connection that the provider has accepted takes the place of what was there.
    pub(crate) fn become_connection(&mut self, id: SocketId, descriptor: OwnedFd) {
        self.descriptor = Some(descriptor);
        self.id = Some(id);
        (self.is_bound, self.is_connected, self.is_active) = (true, true, false);
        self.is_shut = [false; 2];
        self.held = None;
    }

    /// The connection is torn down, the number stays.
    pub(crate) fn tear_down(&mut self) -> Option<SocketId> {
        self.descriptor = None;
        (self.is_bound, self.is_connected, self.is_active) = (false, false, false);
        self.is_shut = [false; 2];
        self.held = None;
        self.backlog = 0;
        self.id.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_checked() {
        assert_eq!(Wish::new(1, SOCK_STREAM, 0), Err(EAFNOSUPPORT));
        assert_eq!(Wish::new(AF_INET, 77, 0), Err(ESOCKTNOSUPPORT));
        assert_eq!(Wish::new(AF_INET, SOCK_STREAM, 256), Err(EPROTONOSUPPORT));
        assert_eq!(Wish::new(AF_INET, SOCK_DGRAM, 6), Err(EPROTONOSUPPORT));
        assert!(Wish::new(AF_INET, SOCK_STREAM, 17).is_ok(), "streams ignore the protocol");
        assert!(Wish::new(AF_INET6, SOCK_DGRAM, 17).is_ok());
    }
}
