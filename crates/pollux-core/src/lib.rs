//! The decisions of Pollux, without I/O.
//!
//! Who is primary, what is checkpointed, when a takeover happens, what a retry gets as its reply: all of it
//! is ordinary synchronous code here. It opens no socket, reads no clock, spawns no thread and draws no
//! randomness. The runtime (`pollux`), the daemon (`polluxd`), the tests and the simulator run these same machines.
//!
//! | Question | Module |
//! | --- | --- |
//! | Who is primary, when may a primary go on alone, when is a pair whole? | [`pair`] |
//! | When may an output leave? (S5) | [`output`] |
//! | Is this request new, a repetition, too old? (S3, S8) | [`receive`] |
//! | What does a requester send again, to whom? | [`requester`] |
//! | Which requests has the pair itself sent before? (S3b) | [`calls`] |
//! | What was consumed and written of a TCP stream? | [`stream`] |
//! | From whom do a pair's connections come, and who has each meanwhile? | [`acceptor`] |
//! | What do both halves know? (S4) | [`replica`] |
//! | Is a change of a name's record allowed? (S6, S10) | [`directory`] |
//! | What follows when a CPU is lost? (S12) | [`regroup`] |
#![forbid(unsafe_code)]

pub mod acceptor;
pub mod by_sync;
pub mod calls;
pub mod directory;
pub mod output;
pub mod pair;
pub mod receive;
pub mod regroup;
pub mod replica;
pub mod requester;
pub mod room;
pub mod stream;
