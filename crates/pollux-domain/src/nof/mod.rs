//! The NOF verbs: layouts, codes, and the engine that answers them.
//!
//! What this decides: which code a verb returns, in the documented order of checks, and what it changes. What it does
//! not: call back, block, or reach another server; `libnof` and the daemon do.
//!
//! | Module | What it holds |
//! | --- | --- |
//! | [`numbers`] | every number, in one place, so that official ones can replace them |
//! | [`layout`] | every structure of both profiles, as a table |
//! | [`vcb`] | bytes to verbs and results to bytes |
//! | [`engine`] | the session of one program: handles, modes, registrations |
//! | [`view`] | what the engine must know of the domain |
//! | [`header`] | the text of `nof_c.h` and `values_c.h`, from the same tables |

pub mod engine;
pub mod header;
pub mod layout;
pub mod numbers;
mod query;
pub mod vcb;
pub mod view;

#[cfg(test)]
mod tests;
