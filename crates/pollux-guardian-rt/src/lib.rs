//! The run-time library of Guardian C programs.

pub(crate) mod disk;
pub(crate) mod start;
pub(crate) mod stdio;
