//! C programs, compiled by the driver, in a node: proves that what a program calls reaches what another one reads.
//!
//! This program plays the node's roles, too, by its first argument.

// Its functions are all tests, though not marked so.
#![allow(clippy::unwrap_used)]

use pollux_torture::{Node, cleanup};
use pollux_wire::admin::{AdminReply, ProgramSpec};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    match (arguments.first().and_then(|first| first.to_str()), rest) {
        (Some(polluxd::CPU_COMMAND), _) => polluxd::main(rest),
        (Some(pollux_os::LAUNCHER_COMMAND), _) => pollux_os::launcher_main(rest),
        (Some(cleanup::GUARD_COMMAND), [root]) => cleanup::guard_main(Path::new(root)),
        _ => {
            run_tests(arguments.iter().filter_map(|argument| argument.to_str()));
            ExitCode::SUCCESS
        }
    }
}

fn run_tests<'a>(mut arguments: impl Iterator<Item = &'a str>) {
    let tests: [(&str, fn(&Programs)); 7] = [
        ("requests_and_what_the_server_is_told", |programs| programs.ask("requests")),
        ("errors_by_number", |programs| programs.ask("errors")),
        ("nowait_operations_finish_as_documented", |programs| programs.ask("nowait")),
        ("nowait_opens", |programs| programs.ask("nowait_open")),
        ("control_messages_and_sync_blocks", |programs| programs.ask("control")),
        ("a_cancelled_request_is_told", |programs| programs.ask("cancel")),
        ("large_messages", |programs| programs.ask("large")),
    ];
    let wanted = arguments.find(|argument| !argument.starts_with('-'));
    let wanted = |name: &str| wanted.is_none_or(|wanted| name.contains(wanted));
    let programs = Programs::compile();
    for (name, test) in tests.iter().filter(|(name, _)| wanted(name)) {
        println!("test {name} ...");
        test(&programs);
        println!("test {name} ok");
    }
}

/// The compiled programs.
struct Programs {
    directory: tempfile::TempDir,
}

impl Programs {
    fn compile() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
        for name in ["server", "requester"] {
            let source = sources.join(format!("{name}.c"));
            let output = directory.path().join(name);
            let words = ["-g", "-Wall", "-o", output.to_str().unwrap(), source.to_str().unwrap()];
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            assert_eq!(guardian_cc::driver::run(&words), 0, "{name}.c compiles");
        }
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn spec(&self, program: &str, arguments: &[&str]) -> ProgramSpec {
        ProgramSpec {
            program: self.path(program).to_str().unwrap().to_owned(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment: vec![("RUST_BACKTRACE".to_owned(), "1".to_owned())],
            directory: "/".to_owned(),
            pair: false,
        }
    }

    fn start(&self, node: &Node, cpu: u8, name: &str, program: &str, arguments: &[&str]) {
        let reply = node.run(cpu, Some(name), self.spec(program, arguments));
        assert!(matches!(reply, AdminReply::Started { .. }), "{reply:?}\n{}", node.logs());
    }

    /// One test of the requester, in another CPU than the servers.
    fn ask(&self, test: &str) {
        let node = Node::start(std::env::current_exe().unwrap());
        self.start(&node, 0, "$SRV", "server", &["8"]);
        self.start(&node, 0, "$QUIET", "server", &["8", "1"]);
        self.passes(&node, 1, "$REQ", "requester", &[test]);
        node.finish();
    }

    /// Runs a program that says how it ended.
    fn passes(&self, node: &Node, cpu: u8, name: &str, program: &str, arguments: &[&str]) {
        self.start(node, cpu, name, program, arguments);
        let log = || node.log_of(name);
        node.wait_until("the program ends", || log().contains("PASSED") || node.record(name).is_none());
        assert!(log().contains("PASSED"), "{name}: {}\n{}", log(), node.logs());
    }
}
