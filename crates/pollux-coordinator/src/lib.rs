//! The coordinator: a small compare-and-set store that decides who owns a name, who is primary of a
//! pair in which epoch, and which CPUs are in the node.
//!
//! What it decides: which of several competing transactions happens, and in which order all of them
//! happened. What it does not: it never detects a death, keeps no time, and no checkpoint passes
//! through it; a caller first proves a death, then asks here.
//!
//! Invariant: a transaction happens wholly or not at all, at one [`Revision`], and of two transactions
//! that compare the same key against the same state and write it, exactly one commits. S6 (alone needs
//! consent), S10 (one owner per name), S11 (epochs never go back) and S12 (one outcome of a regroup)
//! rest on that sentence.
//!
//! ```text
//!  primary's CPU                coordinator                 backup's CPU
//!      | ValueIs(pair, e7) -> Put(pair, alone e8) |                |
//!      |---------------------->|<----------------------------------| ValueIs(pair, e7) -> Put(pair, me e8)
//!      |   Committed(r42)      |     Conflict { current: alone e8 }|
//!      |<----------------------|---------------------------------->|
//! ```
//!
//! Back ends behind the one trait [`Coordinator`]: [`Local`] (LMDB in the node's run directory, several
//! processes of one host), `Etcd` (several hosts; feature `etcd`) and [`Memory`] (deterministic, for tests
//! and the simulator). Each passes the one suite in `conformance` (feature of the same name). [`Place`]
//! reads which one a user means.
//!
//! # Example
//!
//! ```
//! use pollux_coordinator::{Coordinator, Key, Memory, Outcome, Transaction};
//! # fn main() -> Result<(), pollux_coordinator::Error> {
//! let mut store = Memory::new();
//! let name = Key::new("name/$KV")?;
//! let claim = Transaction::new().absent(name.clone()).put(name.clone(), "cpu 0");
//! assert!(matches!(store.commit(&claim)?, Outcome::Committed(_)));
//! assert!(matches!(store.commit(&claim)?, Outcome::Conflict { .. })); // S10: the name has its owner
//! # Ok(())
//! # }
//! ```

#![deny(unsafe_code)]

#[cfg(feature = "conformance")]
pub mod conformance;
mod coordinator;
mod error;
#[cfg(feature = "etcd")]
mod etcd;
/// Apart from the client, so that fuzz targets need no HTTP/2 stack.
#[cfg(any(feature = "etcd", feature = "fuzz"))]
#[cfg_attr(not(feature = "etcd"), allow(dead_code))]
#[path = "etcd/layout.rs"]
mod etcd_layout;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod key;
mod limits;
mod local;
mod memory;
mod place;
mod transaction;

pub use coordinator::{Change, Changes, Coordinator, Versioned};
pub use error::{Effect, Error};
#[cfg(feature = "etcd")]
pub use etcd::Etcd;
pub use key::{COUNTER_PREFIX, Key, Revision};
pub use limits::{
    CHANGES_BYTES_MAX, CHANGES_KEPT_MAX, DATA_BYTES_MAX, KEY_BYTES_MAX, NUMBER_ATTEMPTS_MAX,
    TRANSACTION_BYTES_MAX, TRANSACTION_OPERATIONS_MAX, VALUE_BYTES_MAX,
};
pub use local::Local;
pub use memory::Memory;
pub use place::{ENDPOINTS_MAX, EtcdPlace, PREFIX_BYTES_MAX, Place, TlsFiles, User};
pub use transaction::{Compare, Outcome, Transaction, Write};
