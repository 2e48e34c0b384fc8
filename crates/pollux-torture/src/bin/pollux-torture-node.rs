//! Every process of a node under test, by its first argument.

use pollux_torture::{cleanup, programs};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let Some((first, rest)) = arguments.split_first() else { return usage() };
    match (first.to_str().unwrap_or_default(), rest) {
        (polluxd::CPU_COMMAND, _) => polluxd::main(rest),
        (pollux_os::LAUNCHER_COMMAND, _) => pollux_os::launcher_main(rest),
        ("__acceptor", _) => match pollux::run_acceptor(rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("acceptor: {error}");
                ExitCode::FAILURE
            }
        },
        ("__provider", _) => match pollux_sockets::provider::serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("provider: {error}");
                ExitCode::FAILURE
            }
        },
        ("__kv", _) => {
            pollux_kv::server::main(std::iter::once("pollux-kv".into()).chain(rest.iter().cloned()))
        }
        (cleanup::GUARD_COMMAND, [root]) => cleanup::guard_main(Path::new(root)),
        _ => {
            let words: Vec<String> =
                arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            programs::run(&words).unwrap_or_else(usage)
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("this program is started by the tests of pollux-torture");
    ExitCode::from(2)
}
