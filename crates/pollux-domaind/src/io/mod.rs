//! The threads that carry out what the core decides. None of them decides anything itself.

pub(crate) mod coordinator;
pub(crate) mod files;
pub(crate) mod peers;
pub(crate) mod programs;
pub(crate) mod runner;
