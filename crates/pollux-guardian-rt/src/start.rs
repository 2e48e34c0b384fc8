//! How a program begins and how it ends.

pub(crate) mod messages;
