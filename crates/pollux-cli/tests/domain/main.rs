//! Domains with real processes: servers that are nodes side by side, killed, stopped, and brought back; programs in C on `libnof`;
//! and, with the feature `etcd`, records in a real etcd.

// Its functions are all tests, though not all are marked so.
#![allow(clippy::unwrap_used)]

mod codes;
mod configuration;
#[cfg(feature = "etcd")]
mod etcd;
mod input;
mod legacy;
mod nof;
mod place;
mod said;
mod servers;
mod succession;
