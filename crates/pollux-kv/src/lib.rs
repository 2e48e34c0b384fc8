//! The engine of `pollux-kv`, a key-value server that runs as a process pair and speaks RESP2.
//!
//! It decides what a command answers and what it changes. It opens no socket, reads no clock and draws
//! no chance that it was not handed; the server binding does that around it.
//!
//! ```text
//!  bytes --> Parser --> execute (primary only) --+--> reply bytes, held until the backup acknowledged
//!                         | clock, chance        +--> effects, encoded --> checkpoint
//!                         v                                                   |
//!                       Store  ===== always equal after the same effects ===  v
//!                                                            Store::apply_all (backup)
//! ```
//!
//! * **Decide.** [`execute`] looks at the store, the clock and the chance in [`Context`], and appends a
//!   reply and zero or more *effects*. What depends on time or chance is settled here: an effect carries
//!   absolute expiry times and the members that were chosen.
//! * **Apply.** [`Store::apply`] is deterministic and cannot fail, so the backup never decides again.
//!
//! Invariant (S2, S4): a store that has applied the effects of another store, from the same start and in
//! order, equals it. Commands cannot break it by accident: they reach the store only through
//! `keyspace::Keyspace`, which changes the store and appends the effect in one place.
//!
//! There is **no per-connection state**: one database, no transactions, no subscriptions, RESP2 only,
//! client names are accepted and forgotten. So a connection that survives a takeover goes on at the
//! byte where the dead primary stopped, and nothing else of it has to be replicated.

#![forbid(unsafe_code)]

mod bytes;
pub mod command;
mod dict;
pub mod effect;
mod glob;
mod keyspace;
mod number;
pub mod reply;
pub mod resp;
pub mod server;
mod snapshot;
mod sorted;
pub mod store;

pub use command::{BackupState, Context, Flow, Role, Status, execute};
pub use effect::{DecodeError, Effect};
pub use resp::{Args, Parsed, Parser, ProtocolError};
pub use snapshot::SnapshotPosition;
pub use store::Store;
