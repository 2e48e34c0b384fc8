//! System messages that the run-time makes itself.

pub(crate) mod process;
