//! Run-time library of Guardian C programs: the message system.
//!
//! A C program that was written for Guardian calls `FILE_OPEN_`, `WRITEREADX`, `READUPDATEX` and the like; here they are. What
//! two processes say to each other is in `pollux-wire`, what is sent again after a takeover in `pollux-core`.
//!
//! | Module | What it holds |
//! | --- | --- |
//! | `entry` | the way in from C: panic boundary, missing parameters, forms of results |
//! | `memory` | the memory of the C program |
//! | `procedures` | one function per procedure |
//! | `runtime` | who this process is, and the loop that makes progress inside calls |
//! | `files` | open files and their operations |
//! | `poll`, `waits` | one wait of the loop; what it waits for: whose token is whose |
//! | `server`, `server_path` | the opens of this process by others, and the paths they come over |
//! | `guardian` | what the procedures about processes, names and time decide |
//! | `sockets` | the TCP/IP sockets library |
//! | `receive` | the queue of `$RECEIVE` and the words of system messages |
//!
//! The program keeps its state itself ("active backup"): the daemons change the name's record, both halves run.
#![deny(unsafe_code)]

mod disk;
mod entry;
pub mod files;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod guardian;
pub mod memory;
mod messages;
mod node;
mod other_half;
mod poll;
#[allow(non_snake_case)]
mod procedures;
pub mod receive;
pub mod runtime;
mod server;
mod server_path;
mod sockets;
mod start;
mod stdio;
pub mod timers;
mod transfer;
mod waits;

#[allow(unsafe_code, clippy::upper_case_acronyms)]
mod entry_points {
    //! The entry points of the procedures, made from the table.
    include!(concat!(env!("OUT_DIR"), "/entry_points.rs"));
}
pub(crate) use entry_points::args;
