//! What waits for the program, and what it is handed: between the two a turn begins.

use super::InputData;
use pollux_wire::path::IoType;
use pollux_wire::system::SystemMessage;
use pollux_wire::{ConnectionId, HeldId, ListenerId, OpenId, SyncId};
use std::os::fd::OwnedFd;

/// What waits to be handed to the program. Kept small, since hundreds may wait: the rare large ones are boxed.
pub(crate) enum Ready {
    Request(Arrived),
    System(Box<SystemMessage>),
    OpenerLost(OpenId),
    Readable(HeldId),
    Local(u32),
    Accepted { open: OpenId, sync: SyncId, listener: ListenerId, peer: String, fd: OwnedFd },
    Input(ConnectionId),
    Disconnected(ConnectionId),
    Tick,
}

/// A request as it has arrived.
pub(crate) struct Arrived {
    pub(crate) open: OpenId,
    pub(crate) sync: SyncId,
    pub(crate) io: IoType,
    pub(crate) reply_bytes_max: u32,
    pub(crate) payload: Vec<u8>,
    pub(crate) descriptor: Option<OwnedFd>,
}

/// What is handed to the program.
pub(crate) enum Delivery {
    /// A request, and how often this half had become the primary when it was handed out.
    Request(Arrived, u64),
    System(Box<SystemMessage>),
    OpenerLost(OpenId),
    Readable(HeldId),
    Local(u32),
    Connected(ConnectionId),
    Input(InputData),
    Disconnected(ConnectionId),
    Tick,
}
