//! The run-time library of Guardian C programs.

pub(crate) mod disk;
