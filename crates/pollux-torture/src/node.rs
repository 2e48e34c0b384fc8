//! A node under test.

use crate::cleanup::{self, GUARD_COMMAND, ROOT_PREFIX};
use crate::requester::Requester;
use crate::wait::{PATIENCE, wait_for, wait_until};
use pollux_os::{Channel, Fill, Interest, Pid, Poller, Signal, connect_unix, private_directory};
use pollux_wire::admin::{ADMIN, AdminReply, AdminRequest, ProcessInfo, ProgramSpec, Status};
use pollux_wire::control::{NODE_VARIABLE, PairState, RUN_DIRECTORY_VARIABLE};
use pollux_wire::limits::CONTROL_BODY_BYTES_MAX;
use pollux_wire::record::{CpuState, NameRecord};
use pollux_wire::{CpuNumber, Phandle, ProcessName, Wire as _, decode};
use rustix::process::{PidfdFlags, pidfd_open};
use serde_json::Value;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A daemon that has not answered by then is asked again, or another one is.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How a node is started.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// CPUs.
    pub cpus: u8,
    /// Silence after which a CPU counts as failed.
    pub sick_after_ms: u32,
    /// Time after which a process counts as hung.
    pub hang_after_ms: u32,
    /// Time after which a failed CPU is started again; 0 = never.
    pub reload_after_ms: u32,
    /// The logs are where nothing can be written.
    pub full_logs: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { cpus: 2, sick_after_ms: 1000, hang_after_ms: 250, reload_after_ms: 50, full_logs: false }
    }
}

/// CPUs of a node in a directory of its own. Dropped, all its processes are killed.
pub struct Node {
    program: PathBuf,
    settings: Settings,
    daemons: Vec<Child>,
    guard: Option<(Child, ChildStdin)>,
    directory: tempfile::TempDir,
    requesters: AtomicU32,
    patience: Duration,
}

impl Node {
    /// Starts a node of two CPUs. `program` is `pollux-torture-node`.
    pub fn start(program: impl Into<PathBuf>) -> Self {
        Self::start_with(program, Settings::default())
    }

    /// Starts a node and waits until all CPUs know each other.
    pub fn start_with(program: impl Into<PathBuf>, settings: Settings) -> Self {
        Self::start_in(program, settings, &std::env::temp_dir())
    }

    /// The same with all files of the node in a directory of its own below `parent`.
    pub fn start_in(program: impl Into<PathBuf>, settings: Settings, parent: &Path) -> Self {
        let program = program.into();
        let directory = tempfile::Builder::new().prefix(ROOT_PREFIX).tempdir_in(parent).unwrap();
        private_directory(&directory.path().join("TEST")).unwrap();
        let mut guard = Command::new(&program)
            .arg(GUARD_COMMAND)
            .arg(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pipe = guard.stdin.take().unwrap();
        let mut node = Self {
            program,
            settings,
            daemons: Vec::new(),
            guard: Some((guard, pipe)),
            directory,
            requesters: AtomicU32::new(0),
            patience: PATIENCE,
        };
        if settings.full_logs {
            for cpu in 0..settings.cpus {
                std::os::unix::fs::symlink("/dev/full", node.path().join(format!("cpu-{cpu}.log"))).unwrap();
            }
        }
        node.daemons = (0..settings.cpus).map(|cpu| node.start_daemon(cpu)).collect();
        node.wait_until("all CPUs are connected", || node.is_connected(settings.cpus));
        node
    }

    /// Waits so long instead of [`PATIENCE`]: for programs that are slow by intent.
    pub fn be_patient(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// The directory of all nodes, for `POLLUX_RUN_DIR`.
    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    /// The node's own directory.
    pub fn path(&self) -> PathBuf {
        self.root().join("TEST")
    }

    /// The socket of a CPU.
    pub fn socket(&self, cpu: u8) -> PathBuf {
        self.path().join(format!("cpu-{cpu}.sock"))
    }

    /// The program that plays all processes.
    pub fn program(&self) -> &Path {
        &self.program
    }

    fn start_daemon(&self, cpu: u8) -> Child {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.path().join(format!("cpu-{cpu}.log")))
            .unwrap();
        let Settings { cpus, sick_after_ms, hang_after_ms, reload_after_ms, .. } = self.settings;
        Command::new(&self.program)
            .arg(polluxd::CPU_COMMAND)
            .arg("--run-dir")
            .arg(self.path())
            .args(["--node", "\\TEST", "--cpu", &cpu.to_string(), "--cpus", &cpus.to_string()])
            .args([
                "--sick-after-ms",
                &sick_after_ms.to_string(),
                "--hang-after-ms",
                &hang_after_ms.to_string(),
            ])
            .args(["--reload-after-ms", &reload_after_ms.to_string()])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Waits for a condition; panics with the logs.
    pub fn wait_until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        self.wait_for(what, || condition().then_some(()));
    }

    /// Waits for a value; panics with the logs.
    pub fn wait_for<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        wait_for(self.patience, what, || self.logs(), look)
    }

    /// The ends of all logs.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        let mut paths: Vec<PathBuf> =
            fs::read_dir(self.path()).unwrap().flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let log = path.extension().is_some_and(|extension| extension == "log" || extension == "jsonl");
            if log && path.is_file() {
                let content = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
                let lines: Vec<&str> = content.lines().collect();
                let tail = &lines[lines.len().saturating_sub(25)..];
                text += &format!("--- {}\n{}\n", path.display(), tail.join("\n"));
            }
        }
        for cpu in 0..self.settings.cpus {
            if let Some(status) = self.status(cpu) {
                text += &format!("--- CPU {cpu}: names {:?}\n", status.names);
                text += &format!("--- CPU {cpu}: processes {:?}\n", self.try_processes(cpu));
            }
        }
        text
    }

    /// A request to a CPU's daemon and its answer; none if it does not answer.
    pub fn ask(&self, cpu: u8, request: &AdminRequest, descriptors: Vec<OwnedFd>) -> Option<AdminReply> {
        let mut channel = Channel::new(connect_unix(&self.socket(cpu)).ok()?, CONTROL_BODY_BYTES_MAX);
        channel.queue_with(ADMIN, descriptors, |out| request.put(out));
        let _ = channel.flush().ok()?;
        let deadline = Instant::now() + ANSWER_MAX;
        let mut poller = Poller::new().unwrap();
        poller.add(channel.as_fd(), 0, Interest::READ).unwrap();
        loop {
            let filled = channel.fill().ok()?;
            if let Some(frame) = channel.next_frame().unwrap() {
                return Some(decode(frame.body).unwrap());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if filled == Fill::Closed || left.is_zero() {
                return None;
            }
            poller.wait(Some(left)).unwrap();
        }
    }

    /// The node as one CPU sees it.
    pub fn status(&self, cpu: u8) -> Option<Status> {
        match self.ask(cpu, &AdminRequest::Status {}, Vec::new())? {
            AdminReply::Status { status } => Some(status),
            _ => None,
        }
    }

    /// The node as any CPU sees it.
    pub fn any_status(&self) -> Status {
        self.wait_for("any CPU answers", || (0..self.settings.cpus).find_map(|cpu| self.status(cpu)))
    }

    /// True when `cpus` CPUs are up and each knows all others.
    pub fn is_connected(&self, cpus: u8) -> bool {
        let statuses: Vec<Status> = (0..self.settings.cpus).filter_map(|cpu| self.status(cpu)).collect();
        let up = |status: &Status| status.cpus.iter().filter(|cpu| cpu.state == CpuState::Up).count();
        statuses.len() == usize::from(cpus)
            && statuses.iter().all(|status| {
                up(status) == usize::from(cpus)
                    && status.connected.iter().filter(|cpu| **cpu != status.cpu).count() + 1
                        == usize::from(cpus)
            })
    }

    fn try_processes(&self, cpu: u8) -> Option<Vec<ProcessInfo>> {
        match self.ask(cpu, &AdminRequest::Processes {}, Vec::new())? {
            AdminReply::Processes { processes } => Some(processes),
            _ => None,
        }
    }

    /// All processes of the node.
    pub fn processes(&self) -> Vec<ProcessInfo> {
        (0..self.settings.cpus).filter_map(|cpu| self.try_processes(cpu)).flatten().collect()
    }

    /// A process of the node.
    pub fn process(&self, phandle: Phandle) -> Option<ProcessInfo> {
        self.try_processes(phandle.cpu.get())?.into_iter().find(|process| process.phandle == phandle)
    }

    /// The record of a name.
    pub fn record(&self, name: &str) -> Option<NameRecord> {
        let wanted = ProcessName::new(name).unwrap();
        self.any_status().names.into_iter().find(|record| record.name == wanted)
    }

    /// Where the primary of a name stands.
    pub fn state(&self, name: &str) -> Option<PairState> {
        self.process(self.record(name)?.primary)?.state
    }

    /// The record of a pair that is whole: a backup is on record and both halves know it.
    pub fn whole(&self, name: &str) -> Option<NameRecord> {
        let record = self.record(name)?;
        let primary = self.process(record.primary)?;
        let backup = self.process(record.backup?)?;
        let in_step = primary.state == Some(PairState::Paired) && backup.state == Some(PairState::Following);
        // Between a look at the record and one at the processes the roles may have changed.
        (in_step && self.record(name).as_ref() == Some(&record)).then_some(record)
    }

    /// Waits until a pair is whole.
    pub fn wait_whole(&self, name: &str) -> NameRecord {
        self.wait_for(&format!("{name} is whole"), || self.whole(name))
    }

    /// A description of a sample program.
    pub fn spec(&self, arguments: &[&str], pair: bool) -> ProgramSpec {
        let environment = vec![("RUST_BACKTRACE".to_owned(), "0".to_owned())];
        ProgramSpec { environment, pair, ..spec_of(&self.program, arguments) }
    }

    /// Runs a program; its output goes to a log that is shown with failures.
    pub fn run(&self, cpu: u8, name: Option<&str>, spec: ProgramSpec) -> AdminReply {
        let log = format!("{}.log", name.unwrap_or("unnamed").trim_start_matches('$'));
        let log = File::options().append(true).create(true).open(self.path().join(log)).unwrap();
        let input = File::open("/dev/null").unwrap();
        let descriptors = vec![input.into(), log.try_clone().unwrap().into(), log.into()];
        let name = name.map(|name| ProcessName::new(name).unwrap());
        let reply = self.ask(cpu, &AdminRequest::Run { name, spec }, descriptors);
        reply.unwrap_or_else(|| panic!("CPU {cpu} does not answer\n{}", self.logs()))
    }

    /// Runs a sample program as a pair and waits until it is whole.
    pub fn run_pair(&self, name: &str, arguments: &[&str]) -> NameRecord {
        self.run_pair_in(0, name, arguments)
    }

    /// As [`Node::run_pair`], with the primary in that CPU.
    pub fn run_pair_in(&self, cpu: u8, name: &str, arguments: &[&str]) -> NameRecord {
        let reply = self.run(cpu, Some(name), self.spec(arguments, true));
        assert!(matches!(reply, AdminReply::Started { .. }), "{reply:?}\n{}", self.logs());
        self.wait_whole(name)
    }

    /// The log of a named program.
    pub fn log_of(&self, name: &str) -> String {
        let path = self.path().join(format!("{}.log", name.trim_start_matches('$')));
        String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
    }

    /// Sends a signal to a process; false if it is gone.
    pub fn signal(&self, phandle: Phandle, signal: Signal) -> bool {
        let order = AdminRequest::Signal { phandle, signal: signal.as_raw() };
        matches!(self.ask(phandle.cpu.get(), &order, Vec::new()), Some(AdminReply::Done {}))
    }

    /// Sends a signal to a CPU's daemon; false if it does not run.
    pub fn signal_cpu(&self, cpu: CpuNumber, signal: Signal) -> bool {
        let Ok(socket) = connect_unix(&self.socket(cpu.get())) else { return false };
        let pid = pollux_os::peer_credentials(&socket).unwrap().pid;
        let Some(pid) = Pid::from_raw(pid) else { return false };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
        pollux_os::signal(&handle, signal).is_ok()
    }

    /// Process id of a CPU's daemon.
    pub fn daemon_pid(&self, cpu: u8) -> u32 {
        self.wait_for("the daemon answers", || self.status(cpu)).pid
    }

    /// An order that must be done.
    pub fn order(&self, cpu: CpuNumber, request: &AdminRequest) {
        let reply = self.ask(cpu.get(), request, Vec::new());
        assert!(matches!(reply, Some(AdminReply::Done {})), "{request:?}: {reply:?}\n{}", self.logs());
    }

    /// Asks a pair to stop and waits until its name is free.
    pub fn stop_pair(&self, name: &str) {
        let primary = self.record(name).expect("the name is taken").primary;
        self.order(primary.cpu, &AdminRequest::Stop { phandle: primary });
        self.wait_until("the name is free", || self.record(name).is_none());
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path().join("events.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Events of a name and kind.
    pub fn events_of(&self, name: &str, kind: &str) -> usize {
        self.events().iter().filter(|event| event["name"] == name && event["kind"] == kind).count()
    }

    /// A requester process of the sample programs.
    pub fn requester(&self, arguments: &[&str]) -> Requester {
        let number = self.requesters.fetch_add(1, Ordering::Relaxed);
        let mut command = Command::new(&self.program);
        command.args(arguments).env(RUN_DIRECTORY_VARIABLE, self.root()).env(NODE_VARIABLE, "\\TEST");
        // Ctrl-C must not reach it: a requester that is killed looks like one that was never answered.
        command.process_group(0);
        Requester::start(command, self.path().join(format!("requester-{number}.log")), &arguments.join(" "))
    }

    /// One request of a requester of its own, as text.
    pub fn request(&self, name: &str, payload: &str) -> String {
        self.requester(&["ask", name, payload]).finish()
    }

    /// The number of the error with which an open of a name is refused.
    pub fn request_error(&self, name: &str, payload: &str) -> String {
        let (status, said, errors) = self.requester(&["ask", name, payload]).outcome();
        assert!(!status.success(), "{name} has answered: {said}");
        let number = errors.split("error ").nth(1).and_then(|rest| rest.split(':').next());
        number.unwrap_or_else(|| panic!("no error number: {errors}")).to_owned()
    }

    /// Takes the node down and checks that nothing of it is left and nothing of it has panicked.
    pub fn finish(mut self) {
        let root = self.root().to_owned();
        wait_until(
            "no process is left",
            || format!("{:?}\n{}", cleanup::processes_of(&root), self.logs()),
            || {
                // Again for those that came up meanwhile: a CPU may be on its way after a fault.
                for cpu in 0..self.settings.cpus {
                    let _ = self.ask(cpu, &AdminRequest::CpuDown { node: true }, Vec::new());
                }
                cleanup::processes_of(&root).is_empty()
            },
        );
        for daemon in &mut self.daemons {
            daemon.wait().unwrap();
        }
        let daemons = (0..self.settings.cpus).map(|cpu| self.path().join(format!("cpu-{cpu}.log")));
        // What swallows all that is written gives zeros without end.
        for log in daemons.filter(|log| log.is_file()) {
            let text = fs::read_to_string(log).unwrap_or_default();
            assert!(!text.contains("panicked"), "a daemon has panicked:\n{text}");
        }
    }
}

/// How to run a program that keeps its state itself.
pub fn spec_of(program: &Path, arguments: &[&str]) -> ProgramSpec {
    ProgramSpec {
        program: program.to_str().unwrap().to_owned(),
        arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        environment: Vec::new(),
        directory: "/".to_owned(),
        pair: false,
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        cleanup::kill_all(self.root());
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        if let Some((mut guard, pipe)) = self.guard.take() {
            drop(pipe);
            let _ = guard.wait();
        }
    }
}
