//! What the procedures that do no input or output decide, without the runtime: pure functions and tables.

pub(crate) mod attributes;
pub(crate) mod calendar;
pub(crate) mod creation;
pub(crate) mod digits;
pub(crate) mod file_name;
pub(crate) mod handle;
pub(crate) mod losses;
pub(crate) mod node;
pub(crate) mod old_file_name;
pub(crate) mod pair_info;
pub(crate) mod parameters;
pub(crate) mod usage;
pub(crate) mod words;
