//! What the procedures that do no input or output decide, without the runtime: pure functions and tables.

pub(crate) mod calendar;
pub(crate) mod digits;
pub(crate) mod file_name;
pub(crate) mod handle;
pub(crate) mod losses;
pub(crate) mod old_file_name;
pub(crate) mod timers;
pub(crate) mod words;
