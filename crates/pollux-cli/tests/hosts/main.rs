//! Servers of a domain on several hosts: each in a network namespace of its own, with links that can be cut, and TLS between
//! them. In quorum mode each host has an etcd member, too.
//!
//! Namespaces need root and iproute2; without them the tests say so and pass, and where `CI` is set they fail.

// Its functions are all tests, though not all are marked so.
#![allow(clippy::unwrap_used)]

mod certificates;
mod hosts;
mod legacy;
mod network;
#[path = "../domain/said.rs"]
mod said;
#[path = "../domain/servers.rs"]
mod servers;

#[cfg(feature = "etcd")]
mod etcd;
#[cfg(feature = "etcd")]
mod history;
#[cfg(feature = "etcd")]
mod quorum;
