//! Linux files as Guardian disk files.
//!
//! What a disk process does on NonStop, the processes that have a file open do here together, through one
//! small *control file* per data file in the run directory of the node:
//!
//! ```text
//!   data file            control file (layout)
//!   +---------+          +--------+--------------------------+-----------------+
//!   | bytes   |          | header | a slot for each open     | the write under |
//!   |         |          |        | key, rights, completions | way, and data   |
//!   +---------+          +--------+--------------------------+-----------------+
//! ```
//!
//! [`exclusion`] decides who may open beside whom, [`journal`] makes each write of an open with a sync depth happen
//! exactly once although either half of the pair may be killed between any two instructions, and [`control`] does
//! the I/O for both. [`file`] keeps the positions and gives Guardian's error numbers. [`entries`] makes, removes and
//! renames files, [`search`] finds them by patterns.

pub(crate) mod control;
pub(crate) mod entries;
pub(crate) mod errors;
pub(crate) mod exclusion;
pub(crate) mod file;
pub(crate) mod journal;
pub(crate) mod layout;
pub(crate) mod line_file;
pub(crate) mod names;
pub(crate) mod opening;
mod other;
pub(crate) mod search;
pub(crate) mod sync_block;
