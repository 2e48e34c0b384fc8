//! Types and codecs: what Pollux's processes say to each other, byte by byte.
//!
//! Nothing here does I/O, reads a clock or decides anything. Each message travels as one *frame*
//! (a header with length, kind and descriptor count, then a body); this crate defines the kinds and the
//! bodies, `pollux-os` moves the frames.
//!
//! | Module | Who speaks to whom |
//! | --- | --- |
//! | [`path`] | requester and server, over an open's path |
//! | [`checkpoint`] | primary and backup, over the pair channel |
//! | [`control`] | a process and the daemon of its CPU |
//! | [`mesh`] | the daemons of a node among themselves |
//! | [`admin`] | the `pollux` command and a daemon |
//! | [`record`] | what the coordinator keeps |
//! | [`sockets`] | a program and the TCP/IP provider |
//! | [`startup`] | the environment of a program that a command starts |
//!
//! S17: any bytes decode to a value or to a named [`DecodeError`]; no decoder panics or allocates more
//! than the bytes it was given justify.
#![forbid(unsafe_code)]

pub mod admin;
pub mod checkpoint;
mod codec;
pub mod control;
mod error;
pub mod event;
mod ids;
pub mod limits;
pub mod mesh;
mod names;
pub mod path;
pub mod record;
pub mod sockets;
pub mod startup;
pub mod system;

pub use codec::{DecodeError, Reader, Wire, decode, encode};
pub use error::FileError;
pub use ids::{
    CheckpointNumber, ConnectionId, CpuNumber, Epoch, HeldId, ListenerId, ObjectId, OpenId, Phandle, Pin,
    SocketId, SyncId,
};
pub use names::{NameError, NodeName, ProcessName};
