//! Guardian C for Linux: everything that is known about a program before it runs.
//!
//! | Module | What it holds |
//! | --- | --- |
//! | [`table`] | the procedure table: the shape of each procedure, written once |
//! | [`entry`] | the Rust entry points of the run-time library, as text for its build script |
//! | [`headers`] | the C headers |
//! | [`mod@reference`] | the reference page |
//! | [`wrapped`] | the functions of the C library that the run-time library takes over |
//! | [`driver`] | `pollux cc` |
#![forbid(unsafe_code)]

pub mod driver;
pub mod entry;
pub mod headers;
pub mod reference;
pub mod table;
pub mod wrapped;

pub use table::Table;
