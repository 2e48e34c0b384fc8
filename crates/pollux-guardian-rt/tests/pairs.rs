//! C programs in a node: files, streams, the start and the end of programs, and a copying pair that is killed while it copies.
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
use std::time::{Duration, Instant};

/// Lines that the pair copies.
const LINES: usize = 5_000;
/// Kills of one copy.
const KILLS: usize = 6;

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
    let tests: [(&str, Test); 6] = [
        ("a_failed_flush_loses_nothing", |programs| programs.passes("flush")),
        ("errors_of_streams_by_number", |programs| programs.passes("errors")),
        ("disk_files_by_number", |programs| programs.passes("numbers")),
        ("a_program_finds_its_start", |programs| programs.start()),
        ("an_undisturbed_pair_copies", |programs| programs.copy(0, 3)),
        ("a_killed_pair_copies_the_same", |programs| {
            for step in [1, 3, 10] {
                programs.copy(KILLS, step);
            }
        }),
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

/// One test of the compiled programs.
type Test = fn(&Programs);

/// The compiled programs.
struct Programs {
    directory: tempfile::TempDir,
}

impl Programs {
    fn compile() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
        for name in ["streams", "copy"] {
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

    fn spec(&self, program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> ProgramSpec {
        let owned = |pair: &(&str, &str)| (pair.0.to_owned(), pair.1.to_owned());
        ProgramSpec {
            program: self.path(program).to_str().unwrap().to_owned(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment: environment.iter().chain(&[("RUST_BACKTRACE", "1")]).map(owned).collect(),
            directory: "/".to_owned(),
            pair: false,
        }
    }

    fn run(&self, node: &Node, name: &str, spec: ProgramSpec) {
        let reply = node.run(0, Some(name), spec);
        assert!(matches!(reply, AdminReply::Started { .. }), "{reply:?}\n{}", node.logs());
    }

    fn passes(&self, test: &str) {
        let node = Node::start(std::env::current_exe().unwrap());
        let place = tempfile::tempdir().unwrap();
        let spec = self.spec("streams", &[test, place.path().to_str().unwrap()], &[]);
        self.run(&node, "$TEST", spec);
        self.wait_for(&node, "$TEST", "PASSED");
        node.finish();
    }

    fn start(&self) {
        let node = Node::start(std::env::current_exe().unwrap());
        let environment = [("POLLUX_STARTUP", "run"), ("POLLUX_PARAMS", "COLOUR=red")];
        let spec = self.spec("streams", &["start", "x", "two words"], &environment);
        self.run(&node, "$TEST", spec);
        self.wait_for(&node, "$TEST", "ATEXIT");
        node.finish();
    }

    /// A pair copies a file while its primary is killed now and then: the copy is what it copies from.
    fn copy(&self, kills: usize, step: usize) {
        let node = Node::start(std::env::current_exe().unwrap());
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        let lines: Vec<String> =
            (0..LINES).map(|line| format!("{line} {}\n", "x".repeat(line % 97))).collect();
        std::fs::write(&from, lines.concat()).unwrap();
        let arguments = [from.to_str().unwrap(), to.to_str().unwrap(), &step.to_string()];
        self.run(&node, "$COPY", self.spec("copy", &arguments, &[]));
        for kill in 0..kills {
            self.kill_primary(&node, kill);
        }
        self.wait_for(&node, "$COPY", "COPIED");
        assert_eq!(std::fs::read(&to).unwrap(), lines.concat().into_bytes(), "{}", node.logs());
        let takeovers = node.events_of("$COPY", "takeover");
        println!("  {step} lines between updates: {takeovers} takeovers");
        assert!(kills == 0 || takeovers > kills / 2, "the kills fell behind the work\n{}", node.logs());
        node.finish();
    }

    /// Kills the primary of the copying pair once its backup has a state, at a moment that nobody has chosen. A backup without
    /// a state must not go on: there is nothing to test then.
    fn kill_primary(&self, node: &Node, kill: usize) {
        let over = || node.log_of("$COPY").contains("COPIED") || node.record("$COPY").is_none();
        let ready = || node.log_of("$COPY").matches("READY").count() > kill;
        node.wait_until("the backup has a state, or all is copied", || over() || ready());
        // Not a wait for anything: the kill is to fall anywhere.
        let moment = Instant::now() + Duration::from_micros(1_700 * kill as u64);
        while Instant::now() < moment {}
        if let (false, Some(record)) = (over(), node.record("$COPY")) {
            node.signal(record.primary, Signal::KILL);
        }
    }

    fn wait_for(&self, node: &Node, name: &str, word: &str) {
        let log = || node.log_of(name);
        node.wait_until("the program ends", || log().contains(word) || node.record(name).is_none());
        assert!(log().contains(word), "{name}: {}\n{}", log(), node.logs());
    }
}
