//! The parts of Pollux that run as processes of their own out of this one binary.
//!
//! One binary means one file to install and no search for helpers: a daemon that restarts another, or an acceptor
//! that a pair needs, starts exactly the code it was built with. The names are not for people, so they are looked
//! at before clap and appear in no help text.

use std::ffi::OsString;
use std::process::ExitCode;

/// The daemon of one CPU.
pub(crate) const CPU: &str = "__cpu";
/// The acceptor of a pair's listening socket.
const ACCEPTOR: &str = "__acceptor";
/// The key-value server that is built in as a showcase.
pub(crate) const KV: &str = "__kv";
/// The TCP/IP provider.
pub(crate) const PROVIDER: &str = "__provider";
/// One half of a node's domain server.
pub(crate) const DOMAIN: &str = "__domain";
/// Cleans up after a demo that was killed.
pub(crate) const GUARD: &str = "__guard";

/// Runs a hidden part, if the first argument names one.
pub(crate) fn run(arguments: &[OsString]) -> Option<ExitCode> {
    let (name, rest) = arguments.split_first()?;
    match name.to_str()? {
        CPU => Some(cpu(rest)),
        pollux_os::LAUNCHER_COMMAND => Some(pollux_os::launcher_main(rest)),
        ACCEPTOR => Some(acceptor(rest)),
        KV => Some(kv(rest)),
        PROVIDER => Some(provider()),
        pollux_keeper::KEEPER_COMMAND => Some(pollux_keeper::keeper_main(rest)),
        pollux_keeper::THRESHOLD_COMMAND => Some(pollux_keeper::threshold_main(rest)),
        DOMAIN => Some(pollux_domaind::server::main(rest)),
        GUARD => Some(crate::place::guard_main(rest)),
        _ => None,
    }
}

fn cpu(arguments: &[OsString]) -> ExitCode {
    // A session of its own, so that closing the terminal or Ctrl-C in it does not reach the daemon. Fails only for
    // a process group leader, which a daemon started by another daemon is: that one has left the terminal already.
    let _ = rustix::process::setsid();
    polluxd::main(arguments)
}

fn acceptor(arguments: &[OsString]) -> ExitCode {
    match pollux::run_acceptor(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pollux: acceptor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn provider() -> ExitCode {
    match pollux_sockets::provider::serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pollux: TCP/IP provider: {error}");
            ExitCode::FAILURE
        }
    }
}

fn kv(arguments: &[OsString]) -> ExitCode {
    let name = OsString::from("pollux-kv");
    pollux_kv::server::main(std::iter::once(name).chain(arguments.iter().cloned()))
}
