//! A node, the programs that run in it, and what they report.

use pollux_os::Signal;
use pollux_torture::{Node, Settings};
use pollux_wire::Phandle;
use pollux_wire::admin::{AdminReply, ProgramSpec};
use pollux_wire::record::NameRecord;
use std::path::{Path, PathBuf};

/// The programs of the tests, compiled.
pub(crate) struct Programs {
    directory: tempfile::TempDir,
}

/// Where the sources are, from this package.
const TESTS: &str = "tests/c";
const EXAMPLES: &str = "../../examples/c";

impl Programs {
    /// Compiles all of them. The examples must compile without a warning: they are what people copy.
    pub(crate) fn compile() -> Self {
        let programs = Self { directory: tempfile::tempdir().unwrap() };
        for (directory, name) in [(TESTS, "row"), (TESTS, "pair_requester_pair"), (TESTS, "counting")] {
            assert!(programs.compile_one(directory, name, name, &[]), "{name}.c compiles");
        }
        for name in ["pair_copy", "pair_server", "pair_requester", "nowait_server"] {
            assert!(programs.compile_one(EXAMPLES, name, name, &["-Wextra", "-Werror"]), "{name}.c compiles");
        }
        let steps = source(TESTS, "steps.h");
        let options = ["-include", steps.to_str().unwrap()];
        assert!(programs.compile_one(EXAMPLES, "pair_copy", "pair_copy_steps", &options), "with steps.h");
        programs
    }

    /// The programs of the checks once more, with options; false if they do not compile so.
    pub(crate) fn compile_checked(&self, suffix: &str, options: &[&str]) -> bool {
        let examples = ["pair_copy", "pair_server", "pair_requester", "nowait_server"];
        let mut all = examples.iter().map(|name| (EXAMPLES, *name)).chain([(TESTS, "row")]);
        all.all(|(directory, name)| self.compile_one(directory, name, &format!("{name}{suffix}"), options))
    }

    fn compile_one(&self, directory: &str, name: &str, result: &str, options: &[&str]) -> bool {
        let (source, output) = (source(directory, &format!("{name}.c")), self.path(result));
        let words = ["-g", "-Wall", "-o", output.to_str().unwrap(), source.to_str().unwrap()];
        let words: Vec<String> = words.iter().chain(options).map(|&word| word.to_owned()).collect();
        guardian_cc::driver::run(&words) == 0
    }

    /// Where a compiled program is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn source(directory: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(directory).join(name)
}

/// How patient a node is with daemons and processes that are silent: a machine that builds beside the tests is slow, and
/// a fault that no test has caused would be taken for one.
pub(crate) fn settings(cpus: u8) -> Settings {
    Settings { cpus, sick_after_ms: 10_000, hang_after_ms: 60_000, reload_after_ms: 50 }
}

/// A node of its own, and a directory for files.
pub(crate) struct Scene<'a> {
    /// The programs.
    pub(crate) programs: &'a Programs,
    /// The node.
    pub(crate) node: Node,
    /// Files and reports.
    pub(crate) place: tempfile::TempDir,
}

impl<'a> Scene<'a> {
    /// A node with the given CPUs.
    pub(crate) fn of(programs: &'a Programs, cpus: u8) -> Self {
        Self::with(programs, settings(cpus))
    }

    /// A node with these settings.
    pub(crate) fn with(programs: &'a Programs, settings: Settings) -> Self {
        let node = Node::start_with(std::env::current_exe().unwrap(), settings);
        Self { programs, node, place: tempfile::tempdir().unwrap() }
    }

    /// A file in the directory.
    pub(crate) fn file(&self, name: &str) -> String {
        self.place.path().join(name).to_str().unwrap().to_owned()
    }

    /// What is in a file.
    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// Starts a program, with variables of the environment.
    pub(crate) fn run_with(
        &self,
        cpu: u8,
        name: Option<&str>,
        program: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) {
        self.run_path(cpu, name, &self.programs.path(program), arguments, variables);
    }

    /// The same with any path.
    pub(crate) fn run_path(
        &self,
        cpu: u8,
        name: Option<&str>,
        program: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) {
        let owned = |pair: &(&str, &str)| (pair.0.to_owned(), pair.1.to_owned());
        let spec = ProgramSpec {
            program: program.to_str().unwrap().to_owned(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment: variables.iter().chain(&[("RUST_BACKTRACE", "1")]).map(owned).collect(),
            directory: "/".to_owned(),
            pair: false,
        };
        let reply = self.node.run(cpu, name, spec);
        assert!(matches!(reply, AdminReply::Started { .. }), "{reply:?}\n{}", self.node.logs());
    }

    /// Starts a program.
    pub(crate) fn run(&self, cpu: u8, name: &str, program: &str, arguments: &[&str]) {
        self.run_with(cpu, Some(name), program, arguments, &[]);
    }

    /// Starts the program of the failure table; its report is a file with its name.
    pub(crate) fn puppet(&self, cpu: u8, name: &str, arguments: &[&str]) {
        let report = self.file(&name[1..]);
        let arguments: Vec<&str> =
            std::iter::once(report.as_str()).chain(arguments.iter().copied()).collect();
        self.run(cpu, name, "row", &arguments);
    }

    /// A process `$MOM` in CPU 2 creates `$P` in CPU 0.
    pub(crate) fn family(&self, arguments: &str) {
        self.puppet(2, "$MOM", &[]);
        let (program, report) = (self.programs.path("row"), self.file("P"));
        let words = format!("create {} $P 0 {report} {arguments}", program.display());
        assert_eq!(self.ask("$MOM", &words), "create 0 0 started 70");
    }

    /// What a request is answered.
    pub(crate) fn ask(&self, name: &str, commands: &str) -> String {
        self.node.request(name, commands)
    }

    /// Makes a pair of a puppet.
    pub(crate) fn pair_up(&self, name: &str) {
        assert_eq!(self.ask(name, "start;open"), "start 0 0 0 open 0", "{}", self.report(name));
    }

    /// All that a puppet has reported.
    pub(crate) fn report(&self, name: &str) -> String {
        self.text(&name[1..])
    }

    /// How often a puppet has reported this.
    pub(crate) fn times(&self, name: &str, words: &str) -> usize {
        self.report(name).lines().filter(|line| line.contains(words)).count()
    }

    /// Waits until a puppet reports this line.
    pub(crate) fn hears(&self, name: &str, line: &str) {
        let heard = || self.report(name).lines().any(|reported| reported == line);
        pollux_torture::wait_until(
            &format!("{name} reports {line:?}"),
            || format!("{name} has reported:\n{}\n{}", self.report(name), self.node.logs()),
            heard,
        );
    }

    /// Waits until a name is free.
    pub(crate) fn gone(&self, name: &str) {
        self.node.wait_until(&format!("{name} is gone"), || self.node.record(name).is_none());
    }

    /// The record of a name.
    pub(crate) fn record(&self, name: &str) -> NameRecord {
        self.node.wait_for(&format!("{name} is on record"), || self.node.record(name))
    }

    /// Waits for a record with a backup.
    pub(crate) fn paired(&self, name: &str) -> NameRecord {
        let look = || self.node.record(name).filter(|record| record.backup.is_some());
        self.node.wait_for(&format!("{name} has a backup"), look)
    }

    /// Kills a process that runs.
    pub(crate) fn kill(&self, phandle: Phandle) {
        assert!(self.node.signal(phandle, Signal::KILL), "{phandle} runs\n{}", self.node.logs());
    }

    /// Kills the daemon of a CPU, and with it all its processes.
    pub(crate) fn kill_cpu(&self, phandle: Phandle) {
        assert!(self.node.signal_cpu(phandle.cpu, Signal::KILL), "CPU {} is up", phandle.cpu);
    }
}
