//! A process of the node whose words the test speaks: it hands its control channel and its life page to the test, and
//! ends with the exit code that the test sends.

use crate::command::{Line, Node};
use pollux_os::{Channel, LifePage, take_inherited};
use pollux_wire::admin::ProgramSpec;
use pollux_wire::checkpoint::Opener;
use pollux_wire::control::{
    Answer, Creation, NameChoice, OpenDetails, Query, StartAs, StateKeeping, StopReport, Target, ToDaemon,
    ToProcess,
};
use pollux_wire::limits::PROTOCOL_VERSION;
use pollux_wire::record::NameRecord;
use pollux_wire::system::SystemMessage;
use pollux_wire::{CpuNumber, Epoch, FileError, Phandle, ProcessName};
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::time::Duration;

/// Body bytes of the frame that hands over the descriptors.
const GREETING_BYTES_MAX: usize = 4_096;
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn main(arguments: &[OsString]) -> ExitCode {
    let life = LifePage::create().unwrap();
    life.hold().unwrap();
    let mut stream = UnixStream::connect(&arguments[0]).unwrap();
    let control = take_inherited(3).unwrap();
    let told = std::env::var("PUPPET").unwrap_or_default();
    let mut channel = Channel::new(stream.try_clone().unwrap().into(), GREETING_BYTES_MAX);
    channel.queue_with(1, vec![control, life.share().unwrap()], |out| out.extend(told.as_bytes()));
    let _ = channel.flush().unwrap();
    let mut code = [0];
    stream.set_nonblocking(false).unwrap();
    match stream.read(&mut code) {
        Ok(1) => ExitCode::from(code[0]),
        _ => ExitCode::from(99),
    }
}

/// Where puppets of a node report.
pub(crate) struct Stage {
    listener: UnixListener,
    path: String,
}

/// One of them.
pub(crate) struct Puppet {
    pub(crate) line: Line,
    pub(crate) me: Phandle,
    pub(crate) start: StartAs,
    pub(crate) mom: Option<Phandle>,
    /// Value of its environment variable `PUPPET`.
    pub(crate) told: String,
    strings: UnixStream,
}

impl Stage {
    pub(crate) fn of(node: &Node) -> Self {
        let path = node.path().join("stage");
        let listener = UnixListener::bind(&path).unwrap();
        Self { listener, path: path.to_str().unwrap().to_owned() }
    }

    pub(crate) fn spec(&self) -> ProgramSpec {
        ProgramSpec {
            program: std::env::current_exe().unwrap().to_str().unwrap().to_owned(),
            arguments: vec!["puppet".to_owned(), self.path.clone()],
            environment: Vec::new(),
            directory: "/".to_owned(),
            pair: false,
        }
    }

    /// Runs one by a command.
    pub(crate) fn run(&self, node: &Node, cpu: u8, name: Option<&str>) -> Puppet {
        let started = node.started(node.run(cpu, name, self.spec()));
        let puppet = self.enter();
        assert_eq!(puppet.me, started);
        puppet
    }

    /// The next one that reports, attached.
    pub(crate) fn enter(&self) -> Puppet {
        crate::command::wait_readable(&self.listener, PATIENCE);
        self.listener.set_nonblocking(true).unwrap();
        let (strings, _) = self.listener.accept().expect("a puppet comes in time");
        strings.set_nonblocking(true).unwrap();
        let mut channel = Channel::new(strings.try_clone().unwrap().into(), GREETING_BYTES_MAX);
        let (told, descriptors) = loop {
            crate::command::wait_readable(&strings, PATIENCE);
            let _ = channel.fill().unwrap();
            if let Some(frame) = channel.next_frame().unwrap() {
                break (String::from_utf8(frame.body.to_vec()).unwrap(), frame.descriptors);
            }
        };
        let [control, page] = <[OwnedFd; 2]>::try_from(descriptors).unwrap();
        let mut line = Line::new(control);
        let keeps = StateKeeping::Active;
        line.send(&ToDaemon::Attach { version: PROTOCOL_VERSION, pid: 0, keeps }, vec![page]);
        let (welcome, _) = line.wait_for(|message| matches!(message, ToProcess::Welcome { .. }));
        let ToProcess::Welcome { phandle: me, start, mom, .. } = welcome else { unreachable!() };
        Puppet { line, me, start, mom, told, strings }
    }
}

impl Puppet {
    /// Lets it end.
    pub(crate) fn exit(&mut self, code: u8) {
        self.strings.write_all(&[code]).unwrap();
    }

    /// Creates a process; the messages that came before the answer, and the answer.
    pub(crate) fn create(&mut self, creation: Creation) -> (Vec<ToProcess>, Result<Phandle, (u16, u16)>) {
        let request = self.line.next_request();
        self.line.send(&ToDaemon::Create { request, creation }, Vec::new());
        let mut messages = self.line.messages_until(
            |message| matches!(message, ToProcess::Created { request: answered, .. } if *answered == request),
        );
        match messages.pop() {
            Some(ToProcess::Created { process: Some(created), .. }) => (messages, Ok(created)),
            Some(ToProcess::Created { error, detail, .. }) => (messages, Err((error, detail))),
            other => panic!("{other:?}"),
        }
    }

    /// Creates its backup, which is on record when this returns.
    pub(crate) fn create_backup(&mut self, stage: &Stage, cpu: Option<CpuNumber>) -> Puppet {
        let (before, backup) = self.create(Creation { cpu, ..creation(NameChoice::Callers {}) });
        let on_record = |message: &ToProcess| matches!(message, ToProcess::RecordChanged { record } if record.backup == backup.ok());
        assert!(before.iter().any(on_record), "the record is told before the answer: {before:?}");
        let puppet = stage.enter();
        assert_eq!(Ok(puppet.me), backup);
        puppet
    }

    pub(crate) fn query(&mut self, query: Query) -> Answer {
        let request = self.line.next_request();
        self.line.send(&ToDaemon::Query { request, query }, Vec::new());
        self.answer(request)
    }

    pub(crate) fn stop_other(&mut self, target: Phandle, both: bool) -> Answer {
        let request = self.line.next_request();
        self.line.send(&ToDaemon::StopOther { request, target, both, abend: false }, Vec::new());
        self.answer(request)
    }

    pub(crate) fn become_mom(&mut self, child: Phandle) -> Answer {
        let request = self.line.next_request();
        self.line.send(&ToDaemon::BecomeMomOf { request, child }, Vec::new());
        self.answer(request)
    }

    fn answer(&mut self, request: u32) -> Answer {
        let (answer, _) = self.line.wait_for(
            |message| matches!(message, ToProcess::Answer { request: answered, .. } if *answered == request),
        );
        let ToProcess::Answer { answer, .. } = answer else { unreachable!() };
        answer
    }

    /// Opens something; who took it.
    pub(crate) fn open(&mut self, target: Target, details: OpenDetails) -> Result<Phandle, FileError> {
        let (request, sync_depth, nowait_depth) = (self.line.next_request(), 1, 1);
        let open = ToDaemon::Open { request, target, sync_depth, nowait_depth, details };
        self.line.send(&open, Vec::new());
        let (answer, descriptors) = self.line.wait_for(
            |message| matches!(message, ToProcess::Opened { request: answered, .. } if *answered == request),
        );
        match answer {
            ToProcess::Opened { error: FileError::OK, server: Some(server), .. } => {
                assert_eq!(descriptors.len(), 1);
                Ok(server)
            }
            ToProcess::Opened { error, .. } => Err(error),
            other => panic!("{other:?}"),
        }
    }

    /// The next open of it: by whom, and the epoch.
    pub(crate) fn opened_by(&mut self) -> (Opener, Epoch) {
        let (message, _) = self.line.wait_for(|message| matches!(message, ToProcess::NewPath { .. }));
        let ToProcess::NewPath { opener, epoch, .. } = message else { unreachable!() };
        (opener, epoch)
    }

    /// Waits for a record; nothing about an end may come before it.
    pub(crate) fn wait_for_record(&mut self, wanted: impl Fn(&NameRecord) -> bool) -> NameRecord {
        let is_wanted =
            |message: &ToProcess| matches!(message, ToProcess::RecordChanged { record } if wanted(record));
        let mut messages = self.line.messages_until(is_wanted);
        let last = messages.pop();
        let ends = |message: &ToProcess| matches!(message, ToProcess::System { message } if matches!(message.number(), -101 | -2));
        assert!(!messages.iter().any(ends), "an end before the record: {messages:?}");
        let Some(ToProcess::RecordChanged { record }) = last else { unreachable!() };
        record
    }

    /// Waits for message -101.
    pub(crate) fn wait_for_end(&mut self) -> Ended {
        let (message, _) = self.line.wait_for(|message| {
            matches!(message, ToProcess::System { message: SystemMessage::ProcessEnded { .. } })
        });
        let ToProcess::System { message: SystemMessage::ProcessEnded { phandle, name, report, killer, .. } } =
            message
        else {
            unreachable!()
        };
        Ended { phandle, name, report, killer }
    }

    /// True if no message -101 has come; asks something so that all that was sent before has arrived.
    pub(crate) fn heard_of_no_end(&mut self) -> bool {
        let request = self.line.next_request();
        self.line.send(&ToDaemon::Query { request, query: Query::Cpus {} }, Vec::new());
        let messages = self.line.messages_until(
            |message| matches!(message, ToProcess::Answer { request: answered, .. } if *answered == request),
        );
        !messages
            .iter()
            .any(|message| matches!(message, ToProcess::System { message } if message.number() == -101))
    }
}

/// What message -101 says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) phandle: Phandle,
    pub(crate) name: Option<ProcessName>,
    pub(crate) report: StopReport,
    pub(crate) killer: Option<Phandle>,
}

/// The plainest creation.
pub(crate) fn creation(name: NameChoice) -> Creation {
    Creation {
        spec: None,
        variables: Vec::new(),
        name,
        cpu: None,
        home_terminal: String::new(),
        job: None,
        priority: 0,
    }
}

/// A name to open.
pub(crate) fn named(name: &str) -> Target {
    Target::Name { name: ProcessName::new(name).unwrap(), sequence: None }
}
