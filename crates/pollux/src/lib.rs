//! Process pairs for Linux: servers whose state, requesters and TCP connections survive `kill -9`.
//!
//! A server runs as a *primary* and a *backup* of the same program in two CPUs of a node (a CPU is a daemon and the
//! processes it started; two of them run on one machine by default). The primary works; the backup holds its state in
//! step. When the primary, or its CPU, dies, the backup takes over in a fraction of a millisecond: requests that were
//! under way are sent again and executed once, connections go on at the very byte.
//!
//! ```no_run
//! use pollux::{Pair, ReceiveDepth};
//!
//! fn main() -> pollux::Result<()> {
//!     let pair = Pair::join()?;                               // the backup lives in here, applying checkpoints
//!     let accounts = pair.map::<String, u64>("accounts")?;    // in step with the backup
//!     let mut receive = pair.receive(ReceiveDepth::new(256)?)?;
//!     while let Some(request) = receive.next()? {
//!         let Ok(name) = request.parse() else { continue };   // dropped: answered with error 2
//!         let total = accounts.update(name, |n| n.unwrap_or(0) + 1)?;
//!         request.reply(total.to_string())?;                  // held until the backup has the change and the reply
//!     }
//!     Ok(())
//! }
//! ```
//!
//! * Servers: [`Pair`], its objects [`Map`], [`Cell`], [`Log`] and [`Machine`], its input [`Receive`].
//! * Requesters: [`Node`] and [`Server`], many of them at a time in [`Opens`]; asynchronous ones in `pollux::tokio`, with the feature of that name.
//! * TCP: [`Pair::listen`], [`Event::Connected`], [`Event::Input`].
//!
//! # What is promised
//!
//! For any single fault (crash, stop, loss of a CPU): a request that was answered is in every later primary; a request is
//! executed once, and its repetition gets the same reply; no byte of a connection is lost, doubled or reordered.
//! Nothing leaves the primary before the backup holds what it depends on, or the backup's removal is on record. The loss
//! of both halves loses the state, and is reported, never hidden.
#![forbid(unsafe_code)]

mod acceptor;
#[doc(hidden)]
pub mod binding;
#[cfg(feature = "counts")]
pub mod counts;
mod daemon;
mod engine;
mod error;
mod few;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod link;
mod objects;
mod opens;
mod pair;
mod path_ring;
mod receive;
mod requester;
mod spares;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use acceptor::{LISTENER_DESCRIPTOR, PATH_DESCRIPTOR, run_acceptor};
pub use error::{Error, Result};
pub use link::Answer;
pub use objects::cell::Cell;
pub use objects::log::Log;
pub use objects::machine::{Machine, StateMachine};
pub use objects::map::Map;
pub use opens::{OpenNumber, Opens};
pub use pair::{Pair, PairBuilder, PairServer};
pub use pollux_wire::checkpoint::Opener;
pub use pollux_wire::control::PairState;
pub use pollux_wire::path::IoType;
pub use pollux_wire::system::{Ending, SystemMessage};
pub use pollux_wire::{
    ConnectionId, CpuNumber, Epoch, FileError, HeldId, ListenerId, OpenId, Phandle, ProcessName, SyncId,
};
pub use receive::{Connection, Event, Input, Listener, Receive, ReceiveDepth, Request, WatchId};
pub use requester::{Node, OpenOptions, Server, Ticket};
