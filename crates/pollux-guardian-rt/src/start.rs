//! How a program begins and how it ends.
//!
//! | Module | What it holds |
//! | --- | --- |
//! | [`messages`] | startup and PARAM messages |
//! | [`assign`] | ASSIGN messages |
//! | [`begin`] | where they come from, and what `main` gets |
//! | [`handover`] | what a primary tells its new backup |
//! | [`backup`] | `__ns_start_backup` |
//! | [`ending`] | which halves end with a program, and with which completion code |

pub(crate) mod assign;
pub(crate) mod backup;
pub(crate) mod begin;
pub(crate) mod ending;
pub(crate) mod handover;
pub(crate) mod messages;
