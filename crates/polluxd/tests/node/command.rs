//! A node under test, and the parts of a command and of a requester.

use pollux_os::{Channel, Fill, LifePage, Pid, Signal, connect_unix, private_directory};
use pollux_wire::admin::{ADMIN, AdminReply, AdminRequest, ProcessInfo, ProgramSpec, Status};
use pollux_wire::control::{CONTROL, ToDaemon, ToProcess};
use pollux_wire::limits::{CONTROL_BODY_BYTES_MAX, PROTOCOL_VERSION};
use pollux_wire::record::{CpuRecord, NameRecord};
use pollux_wire::{FileError, Phandle, ProcessName, Wire, decode, encode};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// CPUs of a node in a directory of its own. Dropped, all of them are killed.
pub(crate) struct Node {
    directory: tempfile::TempDir,
    cpus: u8,
    reload_after_ms: u32,
    daemons: Vec<Child>,
}

impl Node {
    pub(crate) fn start(cpus: u8, reload_after_ms: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut node = Self { directory, cpus, reload_after_ms, daemons: Vec::new() };
        private_directory(&node.path()).unwrap();
        node.start_again();
        node
    }

    pub(crate) fn start_again(&mut self) {
        for mut daemon in self.daemons.drain(..) {
            daemon.wait().unwrap();
        }
        self.daemons = (0..self.cpus).map(|number| self.start_daemon(number, "log")).collect();
        self.wait_until("all are connected", || self.is_connected());
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("TEST")
    }

    fn start_daemon(&self, number: u8, log: &str) -> Child {
        let log =
            File::options().append(true).create(true).open(self.path().join(format!("cpu-{number}.{log}")));
        let path = self.path();
        let (cpu, cpus, reload) =
            (number.to_string(), self.cpus.to_string(), self.reload_after_ms.to_string());
        Command::new(std::env::current_exe().unwrap())
            .arg(polluxd::CPU_COMMAND)
            .arg("--run-dir")
            .arg(path)
            .args(["--node", "\\TEST", "--cpu", &cpu, "--cpus", &cpus, "--reload-after-ms", &reload])
            .args(["--sick-after-ms", "1000", "--hang-after-ms", "200"])
            .env("POLLUX_LOG", "debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.unwrap())
            .spawn()
            .unwrap()
    }

    pub(crate) fn try_second_daemon(&self, number: u8) -> (ExitStatus, String) {
        let status = self.start_daemon(number, "second").wait().unwrap();
        let log = std::fs::read_to_string(self.path().join(format!("cpu-{number}.second"))).unwrap();
        (status, log)
    }

    pub(crate) fn socket(&self, number: u8) -> PathBuf {
        self.path().join(format!("cpu-{number}.sock"))
    }

    pub(crate) fn events(&self) -> String {
        std::fs::read_to_string(self.path().join("events.jsonl")).unwrap_or_default()
    }

    pub(crate) fn wait_until(&self, what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            if Instant::now() > deadline {
                panic!("not within {PATIENCE:?}: {what}\n{}", self.logs());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn logs(&self) -> String {
        let read = |number| std::fs::read_to_string(self.path().join(format!("cpu-{number}.log")));
        (0..self.cpus)
            .map(|number| format!("--- CPU {number}\n{}", read(number).unwrap_or_default()))
            .collect()
    }

    pub(crate) fn connect(&self, number: u8) -> Line {
        Line::new(connect_unix(&self.socket(number)).unwrap())
    }

    /// A command's request and its answer.
    pub(crate) fn ask(&self, number: u8, request: &AdminRequest) -> AdminReply {
        self.try_ask(number, request).unwrap_or_else(|| panic!("no answer to {request:?}\n{}", self.logs()))
    }

    fn try_ask(&self, number: u8, request: &AdminRequest) -> Option<AdminReply> {
        let mut line = Line::new(connect_unix(&self.socket(number)).ok()?);
        let descriptors = match request {
            AdminRequest::Run { .. } => (0..3).map(|_| File::open("/dev/null").unwrap().into()).collect(),
            _ => Vec::new(),
        };
        line.send_kind(ADMIN, request, descriptors);
        line.receive()
    }

    fn status(&self, number: u8) -> Option<Status> {
        match self.try_ask(number, &AdminRequest::Status {})? {
            AdminReply::Status { status } => Some(status),
            _ => None,
        }
    }

    fn any_status(&self) -> Status {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = (0..self.cpus).find_map(|number| self.status(number)) {
                return status;
            }
        }
        panic!("no CPU answers\n{}", self.logs())
    }

    pub(crate) fn is_connected(&self) -> bool {
        let full =
            |number| self.status(number).is_some_and(|one| one.connected.len() + 1 == usize::from(self.cpus));
        (0..self.cpus).all(full)
    }

    pub(crate) fn cpu_record(&self, number: u8) -> CpuRecord {
        self.any_status().cpus.into_iter().find(|record| record.cpu.get() == number).unwrap()
    }

    pub(crate) fn record(&self, name: &str) -> Option<NameRecord> {
        self.any_status().names.into_iter().find(|record| record.name.as_str() == name)
    }

    pub(crate) fn wait_for_record(&self, name: &str, wanted: impl Fn(&NameRecord) -> bool) -> NameRecord {
        self.wait_until(&format!("record of {name}"), || {
            self.record(name).is_some_and(|record| wanted(&record))
        });
        self.record(name).unwrap()
    }

    pub(crate) fn processes(&self, number: u8) -> Vec<ProcessInfo> {
        match self.ask(number, &AdminRequest::Processes {}) {
            AdminReply::Processes { processes } => processes,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn toy_spec(&self) -> ProgramSpec {
        ProgramSpec {
            program: std::env::current_exe().unwrap().to_str().unwrap().to_owned(),
            arguments: vec!["toy".to_owned()],
            environment: Vec::new(),
            directory: "/".to_owned(),
            pair: true,
        }
    }

    pub(crate) fn run(&self, number: u8, name: Option<&str>, spec: ProgramSpec) -> AdminReply {
        let name = name.map(|name| ProcessName::new(name).unwrap());
        self.ask(number, &AdminRequest::Run { name, spec })
    }

    pub(crate) fn run_toy(&self, number: u8, name: Option<&str>) -> Phandle {
        self.started(self.run(number, name, self.toy_spec()))
    }

    pub(crate) fn run_sleeper(&self, number: u8) -> Phandle {
        let (program, arguments) = ("/bin/sleep".to_owned(), vec!["1000".to_owned()]);
        self.started(self.run(number, None, ProgramSpec { program, arguments, ..self.toy_spec() }))
    }

    pub(crate) fn started(&self, reply: AdminReply) -> Phandle {
        match reply {
            AdminReply::Started { phandle, .. } => phandle,
            other => panic!("{other:?}\n{}", self.logs()),
        }
    }

    pub(crate) fn visit(&self, number: u8) -> Line {
        let mut line = self.connect(number);
        line.life.hold().unwrap();
        let attach = ToDaemon::Attach {
            version: PROTOCOL_VERSION,
            pid: std::process::id(),
            keeps: pollux_wire::control::StateKeeping::Managed,
        };
        let page = line.life.share().unwrap();
        line.send(&attach, vec![page]);
        line.wait_for(|message| matches!(message, ToProcess::Welcome { .. }));
        line
    }

    pub(crate) fn signal(&self, phandle: Phandle, signal: Signal) {
        let order = AdminRequest::Signal { phandle, signal: signal.as_raw() };
        let reply = self.ask(phandle.cpu.get(), &order);
        assert!(matches!(reply, AdminReply::Done {}), "{reply:?}\n{}", self.logs());
    }

    pub(crate) fn signal_cpu(&self, number: u8, signal: Signal) {
        let pid = std::fs::read_to_string(self.path().join(format!("pid-{number}")));
        let pid = match pid {
            Ok(pid) => pid.parse().unwrap(),
            Err(_) => {
                let pid = self.status(number).unwrap().pid;
                std::fs::write(self.path().join(format!("pid-{number}")), pid.to_string()).unwrap();
                pid
            }
        };
        rustix::process::kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
    }

    /// Takes the node down; each daemon must end as it should.
    pub(crate) fn stop(&self) {
        for number in 0..self.cpus {
            let _ = self.try_ask(number, &AdminRequest::CpuDown { node: true });
        }
        self.wait_until("all sockets are gone", || {
            (0..self.cpus).all(|number| !self.socket(number).exists())
        });
        assert!(!self.logs().contains("panicked"), "{}", self.logs());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for number in 0..self.cpus {
            let log = std::fs::read_to_string(self.path().join(format!("cpu-{number}.log")));
            if std::env::var_os("NODE_LOGS").is_some() {
                println!("--- CPU {number}\n{}", log.unwrap_or_default());
            }
            if let Ok(fd) = connect_unix(&self.socket(number))
                && let Ok(peer) = pollux_os::peer_credentials(fd)
                && let Some(pid) = Pid::from_raw(peer.pid)
            {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// A connection to a daemon.
pub(crate) struct Line {
    channel: Channel,
    life: LifePage,
    requests: u32,
}

impl Line {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        let life = LifePage::create().unwrap();
        Self { channel: Channel::new(fd, CONTROL_BODY_BYTES_MAX), life, requests: 0 }
    }

    /// A number for a request.
    pub(crate) fn next_request(&mut self) -> u32 {
        self.requests += 1;
        self.requests
    }

    /// All messages up to and with the wanted one.
    pub(crate) fn messages_until(&mut self, wanted: impl Fn(&ToProcess) -> bool) -> Vec<ToProcess> {
        let mut messages = Vec::new();
        loop {
            messages.push(self.receive().expect("the daemon is there"));
            if messages.last().is_some_and(&wanted) {
                return messages;
            }
        }
    }

    pub(crate) fn send(&mut self, message: &ToDaemon, descriptors: Vec<OwnedFd>) {
        self.send_kind(CONTROL, message, descriptors);
    }

    fn send_kind<T: Wire>(&mut self, kind: u8, message: &T, descriptors: Vec<OwnedFd>) {
        self.channel.queue_with(kind, descriptors, |out| out.extend(encode(message)));
        let _ = self.channel.flush();
    }

    /// The next message; none when the daemon closed.
    fn receive<T: Wire>(&mut self) -> Option<T> {
        self.receive_with().map(|(message, _)| message)
    }

    pub(crate) fn receive_with<T: Wire>(&mut self) -> Option<(T, Vec<OwnedFd>)> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let filled = self.channel.fill().unwrap_or(Fill::Closed);
            if let Some(frame) = self.channel.next_frame().unwrap() {
                return Some((decode(frame.body).unwrap(), frame.descriptors));
            }
            if filled == Fill::Closed {
                return None;
            }
            assert!(Instant::now() < deadline, "no answer");
            wait_readable(self.channel.as_fd(), Duration::from_millis(100));
        }
    }

    pub(crate) fn is_closed(&mut self) -> bool {
        self.receive::<ToProcess>().is_none()
    }

    pub(crate) fn wait_for(&mut self, wanted: impl Fn(&ToProcess) -> bool) -> (ToProcess, Vec<OwnedFd>) {
        loop {
            let (message, descriptors) = self.receive_with().expect("the daemon is there");
            if wanted(&message) {
                return (message, descriptors);
            }
        }
    }

    /// Opens a toy; what it says on the path.
    pub(crate) fn open(&mut self, name: &str) -> Result<String, FileError> {
        self.requests += 1;
        let (request, name) = (self.requests, ProcessName::new(name).unwrap());
        self.send(
            &ToDaemon::Open {
                request,
                target: pollux_wire::control::Target::Name { name, sequence: None },
                sync_depth: 1,
                nowait_depth: 1,
                details: Default::default(),
            },
            Vec::new(),
        );
        let (answer, descriptors) = self.wait_for(
            |message| matches!(message, ToProcess::Opened { request: answered, .. } if *answered == request),
        );
        let ToProcess::Opened { error: FileError::OK, .. } = answer else {
            let ToProcess::Opened { error, .. } = answer else { unreachable!() };
            return Err(error);
        };
        let path = descriptors.first().expect("a path");
        wait_readable(path.as_fd(), PATIENCE);
        let mut word = [0; 64];
        let length = rustix::io::read(path, &mut word).unwrap();
        Ok(String::from_utf8_lossy(&word[..length]).into_owned())
    }

    pub(crate) fn numbers(&mut self, count: u32) -> u64 {
        self.send(&ToDaemon::Numbers { request: 7, count }, Vec::new());
        let (answer, _) = self.wait_for(|message| matches!(message, ToProcess::Numbers { .. }));
        let ToProcess::Numbers { first, .. } = answer else { unreachable!() };
        first
    }
}

pub(crate) fn wait_readable(fd: impl AsFd, wait: Duration) {
    let mut poller = pollux_os::Poller::new().unwrap();
    poller.add(fd, 0, pollux_os::Interest::READ).unwrap();
    let _ = poller.wait(Some(wait)).unwrap();
}
