//! `libnof`: the NOF API of the domain for C programs, `nof()` and `nof_async()`.
//!
//! What a verb returns is decided in `pollux-domain`, how the domain is asked in `pollux-domaind`. Here a block of the C program
//! becomes a verb, and a result becomes its bytes.
//!
//! | Module | What it holds |
//! | --- | --- |
//! | `entry` | the way in from C: panic boundary, both layouts |
//! | `memory` | the memory of the C program, and its callbacks |
//! | `calls` | a verb from its bytes to its bytes |
//! | `callbacks` | which callback gets which indication, one at a time |
//!
//! A program that was compiled with `POLLUX_NOF_NAME_BYTES=64` calls `nof_n64` and `nof_async_n64`: the header says so.
#![deny(unsafe_code)]

mod callbacks;
mod calls;
mod entry;
mod memory;
