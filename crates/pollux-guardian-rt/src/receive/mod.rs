//! `$RECEIVE`: the input of this process.
//!
//! | Module | What it holds |
//! | --- | --- |
//! | [`queue`] | which message comes next, which are read and not replied to |
//! | [`layout`] | system messages as the words that programs read |

pub mod layout;
pub mod queue;
#[cfg(test)]
mod queue_tests;
