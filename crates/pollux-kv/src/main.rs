//! The `pollux-kv` program; see `pollux_kv::server`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pollux_kv::server::main(std::env::args_os())
}
