//! `cargo xtask torture`: see [`pollux_torture::campaign`].

use std::process::ExitCode;

fn main() -> ExitCode {
    pollux_torture::campaign::run::main()
}
