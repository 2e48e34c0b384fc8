//! C streams over files of the run-time.

pub(crate) mod errno;
pub(crate) mod keeper;
pub(crate) mod mode;
pub(crate) mod state;
