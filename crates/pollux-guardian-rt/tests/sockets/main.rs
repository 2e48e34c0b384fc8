//! The sockets library in real nodes, with a real provider: what each call does by the manual, pairs whose connections outlive their
//! primaries, and providers that are killed.
//!
//! | Variable | Means |
//! | --- | --- |
//! | `POLLUX_SOCKET_KILLS` | kills of the serving pair for each way of killing, and of the client pair, 12 |
//! | `POLLUX_LISTENER_KILLS` | kills of the pairs whose listener alone is in the backup, 12 |
//! | `POLLUX_SOCKET_CLIENTS` | clients of the serving pair, 20 |
//! | `POLLUX_PROVIDER_KILLS` | kills of the provider under load, 20 |

// Its functions are all tests, though not marked so.
#![allow(clippy::unwrap_used)]

mod client_pair;
mod clients;
#[path = "../common/mod.rs"]
mod common;
mod kills;
mod listeners;
mod pairs;
mod providers;
mod rules;

use common::{Programs, spec};
use pollux_torture::Node;
use std::path::Path;
use std::process::ExitCode;

/// The role of the provider.
const PROVIDER_COMMAND: &str = "tcpip-provider";
/// Programs of the tests.
const PROGRAMS: [&str; 6] = [
    "sockets_rules",
    "sockets_waited",
    "sockets_errors",
    "sockets_accept",
    "sockets_old_client",
    "sockets_limits",
];
/// The examples are compiled without a warning.
const STRICT: [&str; 3] = ["-Wall", "-Wextra", "-Werror"];

fn main() -> ExitCode {
    common::play(|arguments| match arguments {
        [PROVIDER_COMMAND] => {
            pollux_sockets::provider::serve().unwrap();
            ExitCode::SUCCESS
        }
        _ => common::run_tests(
            arguments,
            &compile(),
            rules::TESTS
                .iter()
                .chain(pairs::TESTS)
                .chain(providers::TESTS)
                .chain(listeners::TESTS)
                .chain(client_pair::TESTS)
                .chain(kills::TESTS),
        ),
    })
}

fn compile() -> Programs {
    let programs = Programs::of(&PROGRAMS);
    let network =
        programs.compile(common::SOURCES, "sockets_waited", "network_order", &["-DPOLLUX_NETWORK_ORDER"]);
    assert!(network, "with real network order");
    for name in ["tcp_server", "tcp_client", "tcp_echo"] {
        assert!(programs.compile(EXAMPLES, name, name, &STRICT), "{name}.c compiles without a warning");
    }
    let steps = common::source(common::SOURCES, "tcp_steps.h");
    let options = ["-include", steps.to_str().unwrap()];
    assert!(programs.compile(EXAMPLES, "tcp_server", "killed_server", &options), "with steps");
    for (name, killed) in
        [("sockets_listener_pair", "killed_listener"), ("sockets_client_pair", "killed_client")]
    {
        assert!(programs.compile(common::SOURCES, name, killed, &options), "{name}.c with steps");
    }
    programs
}

const EXAMPLES: &str = "../../examples/c";

/// A node with a provider, which is a pair.
fn node() -> Node {
    let node = common::node();
    start_provider(&node, "$ZTC0");
    node
}

/// The port that a server says it listens on.
fn port(node: &Node, name: &str) -> u16 {
    let said = || {
        let log = node.log_of(name);
        log.lines().find_map(|line| line.strip_prefix("PORT ")).and_then(|port| port.trim().parse().ok())
    };
    node.wait_until("the server listens", || said().is_some() || node.record(name).is_none());
    said().unwrap_or_else(|| panic!("{name} does not listen: {}", node.logs()))
}

fn start_provider(node: &Node, name: &str) {
    start_provider_with(node, name, "exec \"$0\" \"$@\"");
}

/// A provider that a line of the shell starts: `$0` with the arguments `$@`.
fn start_provider_with(node: &Node, name: &str, line: &str) {
    let program = std::env::current_exe().unwrap();
    let mut provider =
        spec(Path::new("/bin/sh"), &["-c", line, program.to_str().unwrap(), PROVIDER_COMMAND], &[]);
    provider.pair = true;
    common::start(node, 0, Some(name), provider);
    node.wait_until("the provider is a pair", || {
        node.record(name).is_some_and(|record| record.backup.is_some())
    });
}

/// A number from the environment.
fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}
