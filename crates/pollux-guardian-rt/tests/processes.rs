//! C programs that create, ask about and stop processes, compiled by the driver, in a node: proves that the procedures
//! reach the daemons and that C sees the documented words.
//!
//! This program plays the node's roles, too, by its first argument.

// Its functions are all tests, though not marked so.
#![allow(clippy::unwrap_used)]

use pollux_torture::{Node, Settings, cleanup};
use pollux_wire::admin::{AdminReply, ProgramSpec};
use std::ffi::OsString;
use std::path::Path;
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

/// The name of a test, and the program, CPU, process name and argument it runs.
const TESTS: [(&str, &str, u8, &str, &str); 7] = [
    ("handles_and_names", "own", 1, "$OWN", "handles"),
    ("file_names", "own", 1, "$OWN", "files"),
    ("times_and_digits", "own", 1, "$OWN", "times"),
    ("timers", "own", 1, "$OWN", "timers"),
    ("openers_and_children_that_are_lost", "own", 1, "$OWN", "losses"),
    ("children", "family", 0, "$FAM", "family"),
    ("a_pair_and_its_roles", "family", 0, "$FAM", "pairs"),
];

fn run_tests<'a>(mut arguments: impl Iterator<Item = &'a str>) {
    let wanted = arguments.find(|argument| !argument.starts_with('-'));
    let directory = tempfile::tempdir().unwrap();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
    for name in ["own", "family"] {
        let source = sources.join(format!("{name}.c"));
        let output = directory.path().join(name);
        let words = ["-g", "-Wall", "-o", output.to_str().unwrap(), source.to_str().unwrap()];
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        assert_eq!(guardian_cc::driver::run(&words), 0, "{name}.c compiles");
    }
    for (test, program, cpu, name, argument) in TESTS {
        if wanted.is_none_or(|wanted| test.contains(wanted)) {
            println!("test {test} ...");
            passes(&directory.path().join(program), cpu, name, argument);
            println!("test {test} ok");
        }
    }
}

/// Runs a program that says how it ended.
fn passes(program: &Path, cpu: u8, name: &str, argument: &str) {
    // A process that is suspended must not count as hung before it goes on.
    let settings = Settings { hang_after_ms: 60_000, ..Settings::default() };
    let node = Node::start_with(std::env::current_exe().unwrap(), settings);
    let spec = ProgramSpec {
        program: program.to_str().unwrap().to_owned(),
        arguments: vec![argument.to_owned()],
        environment: vec![("RUST_BACKTRACE".to_owned(), "1".to_owned())],
        directory: "/".to_owned(),
        pair: false,
    };
    let reply = node.run(cpu, Some(name), spec);
    assert!(matches!(reply, AdminReply::Started { .. }), "{reply:?}\n{}", node.logs());
    let passed = || node.log_of(name).lines().any(|line| line == "PASSED");
    node.wait_until("the program ends", || passed() || node.record(name).is_none());
    assert!(passed(), "{name}: {}\n{}", node.log_of(name), node.logs());
    node.finish();
}
