//! Model checks: every order of steps that a small world permits, over the machines of the product.
//!
//! The simulator draws schedules; a model check visits all of them, within bounds that make it end. What runs is the
//! production code of `pollux-core` and `pollux-domain`. What stands in for the rest is small: channels, one record, disks.
//!
//! | File | What is explored |
//! | --- | --- |
//! | [`pair`] | a pair, its requesters and the record, in the world of `pollux-sim` (S1-S8, S11, L1-L3, T1) |
//! | [`alone`] | two halves that may be wrong about each other's death, and the record (S1, S2, S5, S6) |
//! | [`succession`] | servers of a domain over the coordinator's records (S2, S11-S14) |
//! | [`explore`] | runs the checker, counts, tells the way to a broken promise |
//! | [`scenario`] | writes that way as a plan of `pollux-sim` |
//! | [`suite`] | which bounds are explored |
#![forbid(unsafe_code)]

pub mod alone;
pub mod explore;
pub mod pair;
pub mod scenario;
pub mod succession;
pub mod suite;
