//! Starting processes, noticing their ends, and what follows from both.
//!
//! ```text
//!  command / peer      daemon                    clerk            starter          process
//!    Run ------------> pin, phandle
//!                      name? ------------------> on record
//!                      launch ------------------------------------> runs ---------> Attach
//!    <-------- Started
//!                      pidfd readable: read what it had said, then
//!                      gone -------------------> ended / survivor
//! ```
//!
//! Invariants: a process is in the table before its name is on record and until its end was seen, so that a survey of
//! names never takes it for gone; what a process had said is taken in before its end is.

use crate::clerk::{Job, NumbersFor};
use crate::daemon::{Daemon, Timer, label, process_token};
use crate::ledger::{Creation, Gone};
use crate::limits::{ACCEPTORS_MAX, COORDINATOR_RETRY_MS, SPEC_BYTES_MAX};
use crate::links::{LinkId, Role};
use crate::process::{EndReport, Process, Request, Stage, StartedFor, shortened};
use crate::start::unix_ms;
use crate::starter::{OWN_PROGRAM, StartJob};
use pollux_coordinator::Error;
use pollux_os::{Interest, Launch, LaunchError, Launched, ProcessEvent, Signal, reap, signal, socket_pair};
use pollux_wire::admin::{ADMIN, AdminReply, ProgramSpec};
use pollux_wire::control::{
    CONTROL_DESCRIPTOR_VARIABLE, NODE_VARIABLE, RUN_DIRECTORY_VARIABLE, StartAs, ToProcess,
};
use pollux_wire::event::EventKind;
use pollux_wire::mesh::{MESH, ToPeer};
use pollux_wire::record::NameRecord;
use pollux_wire::system::SystemMessage;
use pollux_wire::{Epoch, FileError, Phandle, Pin, ProcessName, encode};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;

/// The number under which a program finds its control channel.
const CONTROL_NUMBER: RawFd = 3;
/// The hidden command of an acceptor.
const ACCEPTOR_COMMAND: &str = "__acceptor";

/// A process that accepts connections for another one. It is no process of the node: it has no phandle.
#[derive(Debug)]
pub(crate) struct Acceptor {
    pidfd: OwnedFd,
    owner: Phandle,
}

/// Why a process could not be started: `error` and `detail` as `PROCESS_LAUNCH_` gives them.
#[derive(Debug)]
pub(crate) struct StartFailure {
    pub(crate) error: u16,
    pub(crate) detail: u16,
    pub(crate) why: String,
}

impl StartFailure {
    /// The CPU cannot take it.
    pub(crate) fn no_place(why: impl Into<String>) -> Self {
        Self { error: 10, detail: FileError::PATH_DOWN.0, why: why.into() }
    }

    /// The program ended, or was ended, before it joined the node.
    pub(crate) fn not_joined(why: impl Into<String>) -> Self {
        Self { error: 8, detail: 0, why: why.into() }
    }
}

impl Daemon {
    /// A command wants a program to run.
    pub(crate) fn handle_run(
        &mut self,
        link: LinkId,
        name: Option<ProcessName>,
        spec: ProgramSpec,
        descriptors: Vec<OwnedFd>,
    ) {
        let refusal = if self.leaving.is_some() {
            Some("this CPU goes down: run it in another one".to_owned())
        } else if !spec.program.starts_with('/') {
            Some(format!("cannot run {}: not an absolute path", shortened(&spec.program)))
        } else if encode(&spec).len() > SPEC_BYTES_MAX {
            Some(format!("arguments and environment are larger than {SPEC_BYTES_MAX} bytes"))
        } else {
            None
        };
        if let Some(text) = refusal {
            return self.refuse(link, text);
        }
        let Ok(stdio) = <[OwnedFd; 3]>::try_from(descriptors) else {
            return self.fail_link(link, "it sent Run without the three standard descriptors");
        };
        let purpose = NumbersFor::Run { link, name, spec: Box::new(spec), stdio };
        self.clerk.ask(Job::Numbers { count: 1, purpose });
    }

    /// The sequence number of a program to run is there.
    pub(crate) fn handle_run_number(
        &mut self,
        link: LinkId,
        name: Option<ProcessName>,
        spec: ProgramSpec,
        stdio: [OwnedFd; 3],
        first: Result<u64, Error>,
    ) {
        let sequence = match first {
            Ok(first) => first,
            Err(error) => return self.refuse(link, error.to_string()),
        };
        let Some(phandle) = self.new_phandle(name.is_some(), sequence, 1) else {
            return self.refuse(link, self.full_text());
        };
        // S11: the sequence number never repeats, so a later instance of the name begins above all epochs of this one.
        let epoch = Epoch(sequence);
        let start = if name.is_some() { StartAs::Primary { epoch } } else { StartAs::Unnamed {} };
        let program = shortened(&spec.program).to_owned();
        let starter = StartedFor::Command(link);
        self.processes.insert(Process::new(phandle, name.clone(), spec, start, starter, Some(stdio)));
        match name {
            Some(name) => {
                let record =
                    NameRecord { name, epoch, primary: phandle, backup: None, ancestor: None, program };
                self.clerk.ask(Job::CreateName { pin: phandle.pin, record });
            }
            None => self.launch_process(phandle),
        }
    }

    /// A name is on record, or not.
    pub(crate) fn handle_name_created(
        &mut self,
        pin: Pin,
        record: &NameRecord,
        result: Result<Creation, Error>,
    ) {
        let phandle = record.primary;
        debug_assert_eq!(pin, phandle.pin);
        let failure = match result {
            Ok(Creation::Created) if self.leaving.is_none() => {
                tracing::info!(name = %record.name, epoch = record.epoch.0, %phandle, "name on record");
                return self.launch_process(phandle);
            }
            Ok(Creation::Created) => "this CPU goes down: run it in another one".to_owned(),
            Ok(Creation::Taken(taken)) => taken_text(&taken),
            Err(error) => error.to_string(),
        };
        self.start_failed(phandle, &StartFailure::no_place(failure));
    }

    /// A handle for a new process, if there is a free pin.
    pub(crate) fn new_phandle(&mut self, named: bool, sequence: u64, incarnation: u16) -> Option<Phandle> {
        let pin = self.processes.free_pin()?;
        Some(Phandle { named, cpu: self.cpu(), pin, node: self.node_number, incarnation, sequence })
    }

    /// What a requester of one process too many reads.
    pub(crate) fn full_text(&self) -> String {
        let cpu = self.cpu();
        format!("CPU {cpu} is full: it has {} processes", crate::limits::PROCESSES_MAX)
    }

    /// Starts the program of a process that is in the table.
    pub(crate) fn launch_process(&mut self, phandle: Phandle) {
        if let Err(error) = self.try_launch(phandle) {
            self.start_failed(phandle, &StartFailure::no_place(format!("cannot start it: {error}")));
        }
    }

    fn try_launch(&mut self, phandle: Phandle) -> io::Result<()> {
        let (environment, processors) = (self.environment(), self.processors());
        let Some(process) = self.processes.get_mut(phandle) else { return Ok(()) };
        let (near, far) = socket_pair()?;
        let [stdin, stdout, stderr] = match &process.stdio {
            Some(stdio) => duplicates(stdio)?,
            None => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let given = &process.spec.environment;
        let ours = |name: &str| environment.iter().any(|(our, _)| our == name);
        let mut variables: Vec<(OsString, OsString)> = given
            .iter()
            .filter(|(name, _)| !ours(name))
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        variables.extend(environment.iter().cloned());
        let launch = Launch {
            program: process.spec.program.clone().into(),
            arguments: process.spec.arguments.iter().map(OsString::from).collect(),
            argv0: None,
            environment: variables,
            directory: process.spec.directory.clone().into(),
            stdin,
            stdout,
            stderr,
            inherit: vec![(far, CONTROL_NUMBER)],
            processors,
            die_with_parent: true,
        };
        process.stage = Stage::Launching(near);
        self.starter.ask(StartJob::Process { phandle, launch: Box::new(launch) });
        Ok(())
    }

    /// The starter has started a program, or could not.
    pub(crate) fn handle_launched(&mut self, phandle: Phandle, result: Result<Launched, LaunchError>) {
        let launched = match result {
            Ok(launched) => launched,
            Err(error) => return self.start_failed(phandle, &launch_failure(&error)),
        };
        let pid = launched.pid.as_raw_pid().cast_unsigned();
        if let Err(error) = self.take_in_launched(phandle, launched, pid) {
            return self.start_failed(phandle, &StartFailure::no_place(format!("cannot watch it: {error}")));
        }
        let Some(process) = self.processes.get_mut(phandle) else { return };
        tracing::info!(process = label(process), pid, program = shortened(&process.spec.program), "started");
        let (name, start) = (process.name.clone(), process.start.clone());
        if let StartedFor::Command(link) = process.starter {
            process.starter = StartedFor::Answered;
            self.links.send(link, ADMIN, Vec::new(), &AdminReply::Started { phandle, pid });
        }
        if let (Some(name), StartAs::Primary { epoch }) = (&name, start) {
            self.report(
                EventKind::Started,
                (Some(name), Some(phandle)),
                (Epoch(0), epoch),
                "run by a command",
            );
        }
        if self.leaving.is_some() {
            self.kill_process(phandle, "its CPU goes down");
        }
    }

    fn take_in_launched(&mut self, phandle: Phandle, launched: Launched, pid: u32) -> io::Result<()> {
        let uid = rustix::process::geteuid().as_raw();
        // A failure below drops our ends: the program is killed first, since nobody would see its end.
        let kill = |error: io::Error| {
            let _ = signal(&launched.pidfd, Signal::KILL);
            error
        };
        let Some(process) = self.processes.get_mut(phandle) else {
            return Err(kill(io::ErrorKind::NotFound.into()));
        };
        let Stage::Launching(control) = std::mem::replace(&mut process.stage, Stage::Running) else {
            return Err(kill(io::ErrorKind::InvalidData.into()));
        };
        self.poller.add(&launched.pidfd, process_token(phandle.pin), Interest::READ).map_err(kill)?;
        let link = self.add_link(control, Role::Process(phandle), (uid, pid)).map_err(kill)?;
        let ticks = self.ticks;
        let process = self.processes.get_mut(phandle).expect("it was found above, and nothing removed it");
        process.link = Some(link);
        process.pid = pid;
        process.uid = uid;
        process.running_tick = ticks;
        process.started_unix_ms = unix_ms();
        process.pidfd = Some(launched.pidfd);
        Ok(())
    }

    /// A process that never ran, or never was on record, leaves the table; whoever wanted it is told.
    pub(crate) fn start_failed(&mut self, phandle: Phandle, failure: &StartFailure) {
        let Some(process) = self.processes.remove(phandle) else { return };
        tracing::warn!(process = label(&process), "not started: {}", failure.why);
        let end = EndReport {
            ending: pollux_wire::system::Ending::Abended,
            completion: 5,
            text: failure.why.clone(),
            code: None,
            signal: None,
        };
        self.answer_starter(&process, failure);
        self.let_go(process, end);
    }

    /// The kernel tells something about a process.
    pub(crate) fn handle_pidfd(&mut self, pin: Pin) {
        let Some(process) = self.processes.at(pin) else { return };
        let (phandle, Some(pidfd)) = (process.phandle, &process.pidfd) else { return };
        match reap(pidfd, false) {
            Ok(Some(event @ (ProcessEvent::Exited(_) | ProcessEvent::Killed { .. }))) => {
                self.process_gone(phandle, event);
            }
            Ok(_) => {}
            // Somebody else reaped it: it is gone, and nobody knows how.
            Err(error) => {
                tracing::error!(%phandle, "cannot ask how it ended: {error}");
                self.process_gone(phandle, ProcessEvent::Exited(-1));
            }
        }
    }

    /// A child stopped, went on or ended.
    pub(crate) fn reap_children(&mut self) {
        let mut gone = Vec::new();
        let ticks = self.ticks;
        for process in self.processes.iter_mut() {
            let Some(pidfd) = &process.pidfd else { continue };
            while let Ok(Some(event)) = reap(pidfd, true) {
                match event {
                    ProcessEvent::Stopped(_) => process.stopped_tick = Some(ticks),
                    ProcessEvent::Continued => process.stopped_tick = None,
                    ProcessEvent::Exited(_) | ProcessEvent::Killed { .. } => {
                        gone.push((process.phandle, event));
                        break;
                    }
                }
            }
        }
        for (phandle, event) in gone {
            self.process_gone(phandle, event);
        }
        let acceptors: Vec<u64> = self.acceptors.keys().copied().collect();
        for number in acceptors {
            self.reap_acceptor(number);
        }
        self.reap_cpus();
    }

    /// A process is proven gone.
    pub(crate) fn process_gone(&mut self, phandle: Phandle, event: ProcessEvent) {
        self.read_last_words(phandle);
        let Some(process) = self.processes.remove(phandle) else { return };
        if let Some(pidfd) = &process.pidfd {
            // Its duplicates live on with its partner, and the poller would go on telling.
            let _ = self.poller.remove(pidfd);
        }
        if let Some(link) = process.link {
            self.links.close(&self.poller, link);
        }
        let end = process.end_report(event);
        tracing::info!(process = label(&process), epoch = process.epoch.0, "gone: {}", end.text);
        let why = format!("the program did not join the node: {}", end.text);
        self.answer_starter(&process, &StartFailure::not_joined(why));
        self.let_go(process, end);
    }

    /// Draws the consequences for a process that is out of the table.
    fn let_go(&mut self, process: Process, end: EndReport) {
        let phandle = process.phandle;
        self.processes.keep_ended(phandle, end.code, end.signal);
        for link in &process.waiters {
            let ended = AdminReply::Ended { phandle, code: end.code, signal: end.signal };
            self.links.send(*link, ADMIN, Vec::new(), &ended);
        }
        for waiting in &process.paths {
            self.answer_path(waiting.origin, FileError::PATH_DOWN);
        }
        self.forget_requests_of(phandle);
        let started_by = process.started_by();
        if let Some(name) = process.name {
            self.record_gone(name, phandle, end, started_by);
        }
    }

    /// Tells the ledger of the end of a named process.
    pub(crate) fn record_gone(
        &mut self,
        name: ProcessName,
        dead: Phandle,
        end: EndReport,
        started_by: Option<Phandle>,
    ) {
        self.clerk.ask(Job::ProcessGone { name, dead, end, started_by });
    }

    /// The ledger says what the end of a process means for its name.
    pub(crate) fn handle_gone_recorded(
        &mut self,
        name: ProcessName,
        dead: Phandle,
        end: EndReport,
        started_by: Option<Phandle>,
        result: Result<Gone, Error>,
    ) {
        match result {
            Ok(Gone::Ended(record)) => self.name_ended(&record, &end),
            Ok(Gone::Survivor(left)) => self.tell_partner_gone(left, dead, &end.text),
            // A backup that never was on record: its primary waits for it.
            Ok(Gone::Unrelated) => {
                if let Some(primary) = started_by {
                    self.tell_partner_gone(primary, dead, &end.text);
                }
            }
            Err(error) => {
                tracing::error!(%name, process = %dead, "its end cannot be recorded: {error}");
                self.after_ms(COORDINATOR_RETRY_MS, Timer::ProcessGone { name, dead, end, started_by });
            }
        }
    }

    /// A name is off the record: the log and the ancestor are told.
    pub(crate) fn name_ended(&mut self, record: &NameRecord, end: &EndReport) {
        let phandle = record.primary;
        tracing::info!(name = %record.name, epoch = record.epoch.0, %phandle, "name ended: {}", end.text);
        let subject = (Some(&record.name), Some(phandle));
        self.report(EventKind::Ended, subject, (record.epoch, record.epoch), end.text.clone());
        if let Some(ancestor) = record.ancestor {
            let message = SystemMessage::ProcessEnded {
                phandle,
                name: Some(record.name.clone()),
                ending: end.ending,
                completion: end.completion,
                text: end.text.clone(),
            };
            self.send_system(ancestor, message);
        }
    }

    /// Sends a system message to a process of this CPU or of another.
    pub(crate) fn send_system(&mut self, to: Phandle, message: SystemMessage) {
        if to.cpu == self.cpu() {
            self.tell(to, &ToProcess::System { message });
        } else {
            self.send_peer(to.cpu, Vec::new(), &ToPeer::System { to, message });
        }
    }

    /// Tells a half that its other half is gone, in whatever CPU it is.
    pub(crate) fn tell_partner_gone(&mut self, to: Phandle, dead: Phandle, cause: &str) {
        if to.cpu == self.cpu() {
            self.handle_partner_gone(to, dead, cause);
        } else {
            self.send_peer(to.cpu, Vec::new(), &ToPeer::PartnerGone { to, dead, cause: cause.to_owned() });
        }
    }

    /// A half of a pair is gone whose other half, `to`, is or was here.
    pub(crate) fn handle_partner_gone(&mut self, to: Phandle, dead: Phandle, cause: &str) {
        if self.processes.get(to).is_some() {
            self.tell(to, &ToProcess::PartnerGone { phandle: dead, cause: cause.to_owned() });
        } else if to.cpu == self.cpu() {
            // Both are gone: nobody but us can know that.
            self.clerk.ask(Job::Bury { left: to, dead });
        }
    }

    /// A name whose halves are both gone is off the record, if it was this daemon that took it off.
    pub(crate) fn handle_buried(
        &mut self,
        left: Phandle,
        dead: Phandle,
        result: Result<Option<NameRecord>, Error>,
    ) {
        match result {
            Ok(Some(record)) => self.name_ended(&record, &EndReport::lost("both halves are gone")),
            Ok(None) => {}
            // The next survey tries again.
            Err(error) => tracing::error!(%left, %dead, "the end of a pair cannot be recorded: {error}"),
        }
    }

    /// Kills a process of this CPU; its end is seen as any other.
    pub(crate) fn kill_process(&mut self, phandle: Phandle, why: &str) {
        let Some(process) = self.processes.get_mut(phandle) else { return };
        let Some(pidfd) = &process.pidfd else { return };
        tracing::warn!(process = label(process), epoch = process.epoch.0, "killed: {why}");
        if let Err(error) = signal(pidfd, Signal::KILL) {
            tracing::error!(process = label(process), "cannot be killed: {error}");
        }
        process.killed_because.get_or_insert_with(|| why.to_owned());
    }

    /// The control channel of a process ended.
    pub(crate) fn handle_process_unlinked(&mut self, phandle: Phandle, why: &str) {
        let ticks = self.ticks;
        let Some(process) = self.processes.get_mut(phandle) else { return };
        process.link = None;
        if process.pidfd.is_none() {
            // It came by itself: without its channel it is none of ours.
            return self.process_gone(phandle, ProcessEvent::Continued);
        }
        process.unlinked_tick = Some(ticks);
        if why != crate::daemon::CLOSED {
            let why = format!("its control channel failed: {why}");
            self.kill_process(phandle, &why);
        }
    }

    /// Starts an acceptor for a process.
    pub(crate) fn start_acceptor(&mut self, asker: Request, descriptors: Vec<OwnedFd>) {
        let started = match <[OwnedFd; 2]>::try_from(descriptors) {
            Ok(_) if self.acceptors.len() >= ACCEPTORS_MAX => {
                Err((FileError::NO_MORE_OPENS, "too many acceptors".to_owned()))
            }
            Ok(descriptors) => self
                .launch_acceptor(asker, descriptors)
                .map_err(|error| (FileError::PATH_DOWN, format!("cannot start an acceptor: {error}"))),
            Err(_) => Err((FileError::BAD_COUNT, "an acceptor needs two descriptors".to_owned())),
        };
        if let Err((error, why)) = started {
            self.tell(asker.process, &ToProcess::AcceptorStarted { request: asker.request, error, why });
        }
    }

    fn launch_acceptor(&mut self, asker: Request, [listener, path]: [OwnedFd; 2]) -> io::Result<()> {
        let null = || -> io::Result<OwnedFd> {
            Ok(std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?.into())
        };
        let launch = Launch {
            program: OWN_PROGRAM.into(),
            arguments: vec![ACCEPTOR_COMMAND.into()],
            argv0: Some("pollux".into()),
            environment: self.environment(),
            directory: "/".into(),
            stdin: null()?,
            stdout: null()?,
            stderr: rustix::io::dup(io::stderr())?,
            inherit: vec![(listener, CONTROL_NUMBER), (path, CONTROL_NUMBER + 1)],
            processors: self.processors(),
            die_with_parent: true,
        };
        self.starter.ask(StartJob::Acceptor { asker, launch: Box::new(launch) });
        Ok(())
    }

    /// The starter has started an acceptor, or could not.
    pub(crate) fn handle_acceptor_launched(&mut self, asker: Request, result: Result<Launched, LaunchError>) {
        let (error, why) = match result.map_err(|error| error.to_string()).and_then(|launched| {
            self.acceptor_last += 1;
            let number = self.acceptor_last;
            let token = crate::daemon::acceptor_token(number);
            if let Err(error) = self.poller.add(&launched.pidfd, token, Interest::READ) {
                let _ = signal(&launched.pidfd, Signal::KILL);
                return Err(error.to_string());
            }
            self.acceptors.insert(number, Acceptor { pidfd: launched.pidfd, owner: asker.process });
            Ok(())
        }) {
            Ok(()) => (FileError::OK, String::new()),
            Err(why) => {
                tracing::warn!(process = %asker.process, "no acceptor: {why}");
                (FileError::PATH_DOWN, why)
            }
        };
        self.tell(asker.process, &ToProcess::AcceptorStarted { request: asker.request, error, why });
    }

    /// Takes an acceptor off the table if it has ended.
    pub(crate) fn reap_acceptor(&mut self, number: u64) {
        let Some(acceptor) = self.acceptors.get(&number) else { return };
        match reap(&acceptor.pidfd, false) {
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => {
                let _ = self.poller.remove(&acceptor.pidfd);
                tracing::debug!(process = %acceptor.owner, "its acceptor ended");
                self.acceptors.remove(&number);
            }
        }
    }

    /// Kills all processes and acceptors that this CPU has started.
    pub(crate) fn kill_all(&mut self, why: &str) {
        for phandle in self.processes.handles() {
            self.kill_process(phandle, why);
        }
        for acceptor in self.acceptors.values() {
            let _ = signal(&acceptor.pidfd, Signal::KILL);
        }
    }

    /// Answers a command that cannot have what it wants.
    pub(crate) fn refuse(&mut self, link: LinkId, text: impl Into<String>) {
        self.links.send(link, ADMIN, Vec::new(), &AdminReply::Refused { text: text.into() });
    }

    /// Tells whoever wanted the process that it will not come. No effect once that was answered.
    fn answer_starter(&mut self, process: &Process, failure: &StartFailure) {
        match process.starter {
            StartedFor::Itself | StartedFor::Answered => {}
            StartedFor::Command(link) => self.refuse(link, failure.why.clone()),
            StartedFor::Peer { cpu, request } => {
                let StartFailure { error, detail, why } = failure;
                let (error, detail, why) = (*error, *detail, why.clone());
                let message = ToPeer::BackupStarted { request, backup: None, error, detail, why };
                self.send_peer(cpu, Vec::new(), &message);
            }
        }
    }

    /// Takes in what a dead process had still said.
    fn read_last_words(&mut self, phandle: Phandle) {
        let Some(link) = self.processes.get(phandle).and_then(|process| process.link) else { return };
        // More than once: one look takes a bounded number of bytes.
        for _ in 0..LAST_LOOKS {
            if self.read_link(link).is_some() {
                return;
            }
        }
    }

    /// What each program of the node finds in its environment.
    fn environment(&self) -> Vec<(OsString, OsString)> {
        vec![
            (CONTROL_DESCRIPTOR_VARIABLE.into(), CONTROL_NUMBER.to_string().into()),
            (RUN_DIRECTORY_VARIABLE.into(), self.arguments.run_root.clone().into()),
            (NODE_VARIABLE.into(), self.arguments.node.as_str().into()),
        ]
    }

    fn processors(&self) -> Option<Vec<usize>> {
        (!self.own_processors.is_empty()).then(|| self.own_processors.clone())
    }

    /// Sends a frame to a peer; false if it is not connected.
    pub(crate) fn send_peer(
        &mut self,
        cpu: pollux_wire::CpuNumber,
        descriptors: Vec<OwnedFd>,
        message: &ToPeer,
    ) -> bool {
        let Some(link) = self.peers.get(&cpu).and_then(|peer| peer.link) else { return false };
        self.links.send(link, MESH, descriptors, message);
        true
    }
}

/// Looks for the last frames of a dead process.
const LAST_LOOKS: u32 = 4;

impl Process {
    /// A process that is about to be started.
    pub(crate) fn new(
        phandle: Phandle,
        name: Option<ProcessName>,
        spec: ProgramSpec,
        start: StartAs,
        starter: StartedFor,
        stdio: Option<[OwnedFd; 3]>,
    ) -> Self {
        let epoch = match start {
            StartAs::Primary { epoch } | StartAs::Backup { epoch, .. } => epoch,
            StartAs::Unnamed {} => Epoch(0),
        };
        Self {
            phandle,
            name,
            spec,
            stage: Stage::Registering,
            starter,
            start,
            start_descriptors: Vec::new(),
            stdio,
            link: None,
            pidfd: None,
            pid: 0,
            uid: 0,
            life_page: None,
            state: None,
            epoch,
            lag_bytes: 0,
            started_unix_ms: unix_ms(),
            running_tick: 0,
            stopped_tick: None,
            unlinked_tick: None,
            killed_because: None,
            paths: Vec::new(),
            waiters: Vec::new(),
            stopping: None,
        }
    }
}

impl EndReport {
    /// The end of processes that went with their CPUs.
    pub(crate) fn lost(text: impl Into<String>) -> Self {
        Self {
            ending: pollux_wire::system::Ending::CpuFailed,
            completion: -4,
            text: text.into(),
            code: None,
            signal: None,
        }
    }
}

/// Duplicates of a process's standard descriptors.
pub(crate) fn duplicates(stdio: &[OwnedFd; 3]) -> io::Result<[OwnedFd; 3]> {
    let [stdin, stdout, stderr] = stdio;
    Ok([stdin.try_clone()?, stdout.try_clone()?, stderr.try_clone()?])
}

fn taken_text(taken: &NameRecord) -> String {
    let (name, primary) = (&taken.name, taken.primary);
    format!(
        "{name} is taken: process {primary} in CPU {} has it; stop it with: pollux stop '{name}'",
        primary.cpu
    )
}

fn launch_failure(error: &LaunchError) -> StartFailure {
    let LaunchError::Program { program, step, source } = error else {
        return StartFailure::no_place(error.to_string());
    };
    let detail = match source.kind() {
        io::ErrorKind::PermissionDenied => FileError::SECURITY_VIOLATION,
        _ => FileError::NOT_FOUND,
    };
    let reason = source.to_string();
    let reason = reason.split(" (os error").next().unwrap_or_default();
    let why = match step.as_str() {
        "exec" => format!("cannot run {program}: {reason}"),
        step => format!("cannot run {program}: {step}: {reason}"),
    };
    StartFailure { error: 1, detail: detail.0, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    // An operator who mistypes a path must read which path and why.
    #[test]
    fn a_failed_exec_reads_like_the_shell_says_it() {
        let failed = |step: &str| LaunchError::Program {
            program: "/x/y".to_owned(),
            step: step.to_owned(),
            source: io::Error::from_raw_os_error(2),
        };
        assert_eq!(launch_failure(&failed("exec")).why, "cannot run /x/y: No such file or directory");
        let directory = launch_failure(&failed("enter directory /d"));
        assert_eq!(directory.why, "cannot run /x/y: enter directory /d: No such file or directory");
        assert_eq!((directory.error, directory.detail), (1, 11));
    }
}
