//! The domain configuration: one master, an ordered list of backup masters, and what the domain runs.
//!
//! What this crate decides: who is acting master, how every server comes to the same content, what a change is answered, what
//! a verb returns. It opens no socket, starts no process and reads no clock; [`files::atomic`] is the one module that
//! touches a disk.
//!
//! | Question | Module |
//! | --- | --- |
//! | Which names are valid, and when do two mean one computer? | [`name`] |
//! | What do ADD_BACKUP and DELETE_BACKUP make of the list? | [`list`] |
//! | Which content is newer, which is of another history? (S13) | [`content`] |
//! | Who acts, when, with which content? (S11, S13, S14) | [`succession`] |
//! | How do the records stand in the coordinator? | [`store`] |
//! | What stands in the files, and are they whole? | [`files`] |
//! | What does the domain run? | [`configuration`] |
//! | What leads from one configuration to the next? | [`difference`], [`acting`] |
//! | What does a NOF verb return? | [`nof`] |
//! | What does a command line mean? | [`snaadmin`] |
//! | Does all that hold when things break? | [`simulation`] |
#![forbid(unsafe_code)]

pub mod acting;
pub mod configuration;
pub mod content;
pub mod difference;
pub mod files;
pub mod list;
pub mod name;
pub mod nof;
pub mod simulation;
pub mod snaadmin;
pub mod store;
pub mod succession;
mod words;
