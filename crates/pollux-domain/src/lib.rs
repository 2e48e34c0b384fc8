//! The domain configuration of Pollux.
#![forbid(unsafe_code)]

pub mod content;
pub mod list;
pub mod name;
pub mod succession;
pub mod simulation;
pub mod files;
pub mod acting;
pub mod configuration;
pub mod difference;
pub mod nof;
