//! The TCP/IP provider: a pair that owns every listener and every accepted connection and hands out duplicates.
//!
//! Data never goes through it. A crash of an application loses no connection, since the provider has each of them, too; a
//! crash of the provider disturbs none, since the applications have theirs.
//!
//! | File | What it does |
//! | --- | --- |
//! | [`state`] | decides: who is a member of which socket, who gets a connection, when one is closed; no I/O |
//! | `stored` | the form of a socket in the replicated map |
//! | [`provider`] | the pair around it: requests, descriptors, the kernel |
//! | [`client`] | the other end of the protocol, for Rust |
//! | [`errors`] | error numbers of sockets |
//!
//! The protocol is in [`pollux_wire::sockets`].
#![forbid(unsafe_code)]

pub mod client;
pub mod errors;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod provider;
pub mod state;
mod stored;

pub use client::Client;
pub use pollux_wire::sockets::PROVIDER_DEFAULT;
