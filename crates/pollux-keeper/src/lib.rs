//! Keeps a program that knows nothing of Pollux running, and its listening sockets open.
//!
//! ```text
//!   CPU 0                                   CPU 1
//!   keeper, primary  == held descriptors == keeper, backup
//!     |  parent, gate in front of bind and listen
//!   the program, and what it starts
//! ```
//!
//! The keeper is a pair. Its primary has the program as its child; both halves hold every listening socket of the program.
//! When the program ends it is started again; when the primary, or its whole CPU, ends, the backup starts it. The sockets
//! stay open all the time, so connections wait in their queues, and none is refused.
//!
//! | File | What it does |
//! | --- | --- |
//! | `policy.rs` | whether there is a restart, and after which pause (pure) |
//! | `machine.rs` | the life of the program (pure) |
//! | `listeners.rs`, `address.rs` | which listener a `bind` means (pure) |
//! | `keeper.rs` | the loop: events of the pair in, descriptors and processes out |
//! | `calls.rs` | looks at a system call of the program |
//! | `child.rs` | starts, signals and finds processes |
//! | `threshold.rs` | the last steps before the program |
//! | `options.rs`, `given.rs`, `label.rs`, `timer.rs` | the command line, `--listen`, labels, a deadline |
#![forbid(unsafe_code)]

mod address;
mod calls;
mod child;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod given;
mod keeper;
mod label;
mod listeners;
mod machine;
mod options;
mod policy;
mod threshold;
mod timer;

pub use options::{LISTEN_MAX, ListenAddress, Options};
pub use policy::Restart;
pub use threshold::{THRESHOLD_COMMAND, threshold_main};

use std::ffi::OsString;
use std::process::ExitCode;

/// The hidden command under which a program calls [`keeper_main`].
pub const KEEPER_COMMAND: &str = "__keeper";

/// The body of a half of a keeper, with the arguments behind the hidden command; ends with the program's exit code.
pub fn keeper_main(arguments: &[OsString]) -> ExitCode {
    let Some(options) = Options::parse(arguments) else {
        eprintln!("{KEEPER_COMMAND} is for pollux itself; use pollux run --restart PROGRAM");
        return ExitCode::from(2);
    };
    match keeper::Keeper::run(options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("pollux: keeper: {error}");
            ExitCode::FAILURE
        }
    }
}
