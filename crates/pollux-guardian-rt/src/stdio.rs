//! C streams over files of the run-time.

pub(crate) mod bridge;
pub(crate) mod errno;
pub(crate) mod glue;
pub(crate) mod keeper;
pub(crate) mod mode;
pub(crate) mod standard;
pub(crate) mod state;
pub(crate) mod streams;
mod wrapped;
