//! C programs, compiled by the driver, in a node: proves that what a program calls reaches what another one reads.
//!
//! This program plays the node's roles, too, by its first argument.

// Its functions are all tests, though not marked so.
#![allow(clippy::unwrap_used)]

use pollux_os::Signal;
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

/// A test and its name.
type Test = (&'static str, fn(&Programs));

fn run_tests<'a>(mut arguments: impl Iterator<Item = &'a str>) {
    let tests: [Test; 15] = [
        ("requests_and_what_the_server_is_told", |programs| programs.ask("requests")),
        ("errors_by_number", |programs| programs.ask("errors")),
        ("nowait_operations_finish_as_documented", |programs| programs.ask("nowait")),
        ("nowait_opens", |programs| programs.ask("nowait_open")),
        ("control_messages_and_sync_blocks", |programs| programs.ask("control")),
        ("a_cancelled_request_is_told", |programs| programs.ask("cancel")),
        ("large_messages", |programs| programs.ask("large")),
        ("what_one_read_takes", |programs| programs.read("waited")),
        ("what_one_nowait_read_takes", |programs| programs.read("nowait")),
        ("the_open_of_a_killed_requester_is_closed", Programs::kill_requester),
        ("a_backup_opens_what_its_primary_has_open", Programs::open_in_backup),
        ("sync_depth_1_hides_the_end_of_a_primary", |programs| programs.ask_pair("depth_one")),
        ("a_request_that_was_not_begun_is_executed_once", |programs| programs.ask_pair("unbegun")),
        ("sync_depth_0_tells_the_caller", |programs| programs.ask_pair("depth_zero")),
        ("reply_200_turns_to_the_other_half", |programs| programs.ask_pair("switch")),
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
        for name in ["server", "requester", "pair", "reader", "backup"] {
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

    /// The requester's part and the server's part of one test.
    fn read(&self, how: &str) {
        let node = Node::start(std::env::current_exe().unwrap());
        self.start(&node, 0, "$READ", "reader", &[how]);
        self.passes(&node, 1, "$REQ", "requester", &["reads"]);
        let log = || node.log_of("$READ");
        node.wait_until("the server ends", || log().contains("PASSED") || log().contains("FAILED"));
        assert!(log().contains("PASSED"), "{}", log());
        node.finish();
    }

    /// A server must not keep the opens of requesters that are gone.
    fn kill_requester(&self) {
        let node = Node::start(std::env::current_exe().unwrap());
        self.start(&node, 0, "$SRV", "server", &["8"]);
        self.start(&node, 1, "$GONE", "requester", &["linger"]);
        self.passes(&node, 1, "$WAIT", "requester", &["held"]);
        assert!(node.signal(node.record("$GONE").unwrap().primary, Signal::KILL));
        self.passes(&node, 1, "$REQ", "requester", &["survivor"]);
        node.finish();
    }

    /// A requester that is a pair must go on after a takeover with the opens it has.
    fn open_in_backup(&self) {
        let node = Node::start(std::env::current_exe().unwrap());
        self.start(&node, 0, "$SRV", "server", &["8"]);
        self.passes(&node, 1, "$BOTH", "backup", &["$BOTH"]);
        node.wait_until("both halves end", || node.record("$BOTH").is_none());
        node.finish();
    }

    /// One test of the requester against a pair.
    fn ask_pair(&self, test: &str) {
        let node = Node::start(std::env::current_exe().unwrap());
        self.start(&node, 0, "$PAIR", "pair", &["$PAIR"]);
        let has_backup = || node.record("$PAIR").is_some_and(|record| record.backup.is_some());
        node.wait_until("the pair is whole", has_backup);
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
