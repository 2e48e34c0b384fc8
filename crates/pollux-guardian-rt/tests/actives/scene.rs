//! A node, the programs that run in it, and what they report.

use crate::common::{Programs, SOURCES, source, spec, start};
use pollux_os::Signal;
use pollux_torture::{Node, Settings};
use pollux_wire::Phandle;
use pollux_wire::record::NameRecord;
use std::path::Path;

const EXAMPLES: &str = "../../examples/c";
const EXAMPLE_NAMES: [&str; 4] = ["pair_copy", "pair_server", "pair_requester", "nowait_server"];

/// The programs of the tests, compiled. The examples must compile without a warning: they are what people copy.
pub(crate) fn compile() -> Programs {
    let programs = Programs::of(&["row", "pair_requester_pair", "counting"]);
    for name in EXAMPLE_NAMES {
        assert!(programs.compile(EXAMPLES, name, name, &["-Wextra", "-Werror"]), "{name}.c compiles");
    }
    let steps = source(SOURCES, "steps.h");
    let options = ["-include", steps.to_str().unwrap()];
    assert!(programs.compile(EXAMPLES, "pair_copy", "pair_copy_steps", &options), "with steps.h");
    programs
}

/// The programs of the checks once more, with options; false if they do not compile so.
pub(crate) fn compile_checked(programs: &Programs, suffix: &str, options: &[&str]) -> bool {
    let mut all = EXAMPLE_NAMES.iter().map(|name| (EXAMPLES, *name)).chain([(SOURCES, "row")]);
    all.all(|(directory, name)| programs.compile(directory, name, &format!("{name}{suffix}"), options))
}

/// How patient a node is with daemons and processes that are silent: a machine that builds beside the tests is slow, and
/// a fault that no test has caused would be taken for one.
pub(crate) fn settings(cpus: u8) -> Settings {
    Settings { cpus, sick_after_ms: 10_000, hang_after_ms: 60_000, reload_after_ms: 50, full_logs: false }
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
        start(&self.node, cpu, name, spec(program, arguments, variables));
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
