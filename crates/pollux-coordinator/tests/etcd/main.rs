//! `Etcd` against real etcd servers that are killed, stopped, cut off and given wrong certificates.

#![allow(clippy::unwrap_used)]

mod cluster;
mod conformance;
mod faults;
mod latency;
mod proxy;
mod security;
