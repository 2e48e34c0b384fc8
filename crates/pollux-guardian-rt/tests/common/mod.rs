//! What the tests with C programs share: the roles that a test program plays, the choice of tests, C programs that are compiled by the
//! driver, and programs that say how they ended.
//!
//! Each test program is the node's daemons, too: the first argument says which role it plays.

// Its functions are all for tests, though not marked so.
#![allow(clippy::unwrap_used)]
#![allow(dead_code, reason = "each test program uses a part")]

use pollux_torture::{Node, cleanup, programs};
use pollux_wire::admin::{AdminReply, ProgramSpec};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// A test and its name.
pub(crate) type Test = (&'static str, fn(&Programs));

/// Plays the role that the first argument names, a daemon, a launcher or a sample program; without one runs `tests` with all arguments.
pub(crate) fn play(tests: impl FnOnce(&[&str]) -> ExitCode) -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match (words.first().copied(), rest) {
        (Some(polluxd::CPU_COMMAND), _) => polluxd::main(rest),
        (Some(pollux_os::LAUNCHER_COMMAND), _) => pollux_os::launcher_main(rest),
        (Some(cleanup::GUARD_COMMAND), [root]) => cleanup::guard_main(Path::new(root)),
        _ => programs::run(&words).unwrap_or_else(|| tests(&words)),
    }
}

/// Runs the tests whose name contains the first argument that is not an option; all of them without one.
pub(crate) fn run_tests<'a>(
    arguments: &[&str],
    programs: &Programs,
    tests: impl IntoIterator<Item = &'a Test>,
) -> ExitCode {
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    for (name, test) in tests {
        if wanted.is_none_or(|wanted| name.contains(wanted)) {
            let begin = Instant::now();
            println!("test {name} ...");
            test(programs);
            println!("test {name} ok ({:.1} s)", begin.elapsed().as_secs_f64());
        }
    }
    ExitCode::SUCCESS
}

/// Where the sources of the tests are, from this package.
pub(crate) const SOURCES: &str = "tests/c";

/// Compiled C programs, in a directory of their own.
pub(crate) struct Programs {
    directory: tempfile::TempDir,
}

impl Programs {
    /// Compiles programs of the tests.
    pub(crate) fn of(names: &[&str]) -> Self {
        let programs = Self { directory: tempfile::tempdir().unwrap() };
        for name in names {
            assert!(programs.compile(SOURCES, name, name, &[]), "{name}.c compiles");
        }
        programs
    }

    /// Compiles `name`.c of a directory to the program `result`, with options for gcc behind the usual ones; false if it does not compile.
    pub(crate) fn compile(&self, directory: &str, name: &str, result: &str, options: &[&str]) -> bool {
        let (source, output) = (source(directory, &format!("{name}.c")), self.path(result));
        let words = ["-g", "-Wall", "-o", output.to_str().unwrap(), source.to_str().unwrap()];
        let words: Vec<String> = words.iter().chain(options).map(|&word| word.to_owned()).collect();
        guardian_cc::driver::run(&words) == 0
    }

    /// Where a compiled program is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts a program.
    pub(crate) fn start(&self, node: &Node, cpu: u8, name: &str, program: &str, arguments: &[&str]) {
        start(node, cpu, Some(name), spec(&self.path(program), arguments, &[]));
    }

    /// Runs a program that says that it has passed.
    pub(crate) fn passes(&self, node: &Node, cpu: u8, name: &str, program: &str, arguments: &[&str]) {
        self.start(node, cpu, name, program, arguments);
        says(node, name, "PASSED");
    }
}

/// A file of a directory of this package.
pub(crate) fn source(directory: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(directory).join(name)
}

/// A node of two CPUs, whose daemons are this program.
pub(crate) fn node() -> Node {
    Node::start(std::env::current_exe().unwrap())
}

/// How a program is to run: from the root directory, with variables of the environment.
pub(crate) fn spec(program: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> ProgramSpec {
    let owned = |pair: &(&str, &str)| (pair.0.to_owned(), pair.1.to_owned());
    ProgramSpec {
        program: program.to_str().unwrap().to_owned(),
        arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        environment: variables.iter().chain(&[("RUST_BACKTRACE", "1")]).map(owned).collect(),
        directory: "/".to_owned(),
        pair: false,
    }
}

/// Starts a program, which must succeed.
pub(crate) fn start(node: &Node, cpu: u8, name: Option<&str>, spec: ProgramSpec) {
    let reply = node.run(cpu, name, spec);
    assert!(matches!(reply, AdminReply::Started { .. }), "{reply:?}\n{}", node.logs());
}

/// Waits until the log of a program has this line; the program's end without it is a failure.
pub(crate) fn says(node: &Node, name: &str, line: &str) {
    let has_said = || node.log_of(name).lines().any(|said| said == line);
    node.wait_until("the program ends", || has_said() || node.record(name).is_none());
    assert!(has_said(), "{name}: {}\n{}", node.log_of(name), node.logs());
}
