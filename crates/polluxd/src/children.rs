//! Starting processes. Their ends are in `ends`.
//!
//! ```text
//!  command / peer      daemon                    clerk            starter          process
//!    Run ------------> pin, phandle
//!                      name? ------------------> on record
//!                      launch ------------------------------------> runs ---------> Attach
//!    <-------- Started
//! ```
//!
//! Invariant: a process is in the table before its name is on record, so that a survey of names never takes it for gone.

use crate::clerk::{Job, NumbersFor};
use crate::daemon::{Daemon, label, process_token};
use crate::endings::EndReport;
use crate::ledger::NameCreation;
use crate::limits::SPEC_BYTES_MAX;
use crate::links::{LinkId, Role};
use crate::process::{Family, PRIORITY_DEFAULT, Process, Stage, StartedFor, shortened};
use crate::start::unix_ms;
use crate::starter::StartJob;
use pollux_coordinator::Error;
use pollux_os::{Interest, Launch, LaunchError, Launched, Signal, signal, socket_pair};
use pollux_wire::admin::{ADMIN, AdminReply, ProgramSpec};
use pollux_wire::control::{
    CONTROL_DESCRIPTOR_VARIABLE, NODE_VARIABLE, RUN_DIRECTORY_VARIABLE, StartAs, ToProcess,
};
use pollux_wire::event::EventKind;
use pollux_wire::mesh::{MESH, ToPeer};
use pollux_wire::record::NameRecord;
use pollux_wire::startup::{PRIORITY_VARIABLE, TERM_VARIABLE};
use pollux_wire::system::SystemMessage;
use pollux_wire::{Epoch, FileError, Phandle, Pin, ProcessName, encode};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;

/// The number under which a program finds its control channel.
pub(crate) const CONTROL_NUMBER: RawFd = 3;

/// [`StartFailure::error`] of a backup that may be tried again.
const NOT_STARTED: u16 = 8;

/// Why a process could not be started: `error` and `detail` as `PROCESS_LAUNCH_` gives them.
#[derive(Debug, Clone)]
pub(crate) struct StartFailure {
    pub(crate) error: u16,
    pub(crate) detail: u16,
    pub(crate) why: String,
}

impl StartFailure {
    /// It runs: what goes with an answer of success.
    pub(crate) fn none() -> Self {
        Self { error: 0, detail: 0, why: String::new() }
    }

    /// There is no CPU for it: the primary waits until one comes up.
    pub(crate) fn no_cpu(why: impl Into<String>) -> Self {
        Self { error: 10, detail: FileError::PATH_DOWN.0, why: why.into() }
    }

    /// It could not be started, or ended before it joined the node: the primary tries again after a pause.
    pub(crate) fn not_started(why: impl Into<String>) -> Self {
        Self { error: NOT_STARTED, detail: 0, why: why.into() }
    }

    /// As the creator of a process reads it, to whom 8 means its home terminal: the CPU could not do it.
    pub(crate) fn for_creator(self) -> Self {
        if self.error == NOT_STARTED { Self::no_cpu(self.why) } else { self }
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
        let told = |variable: &str| {
            let found = spec.environment.iter().find(|(name, _)| name == variable);
            found.map(|(_, value)| value.clone())
        };
        let home_terminal = told(TERM_VARIABLE).unwrap_or_default();
        let priority = told(PRIORITY_VARIABLE).and_then(|text| text.parse().ok());
        let priority = priority.unwrap_or(PRIORITY_DEFAULT);
        let mut process = Process::new(phandle, name.clone(), spec, start, starter, Some(stdio));
        process.family = Family { home_terminal, priority, ..Family::default() };
        self.processes.insert(process);
        match name {
            Some(name) => {
                let record = NameRecord {
                    name,
                    epoch,
                    primary: phandle,
                    backup: None,
                    ancestor: None,
                    program,
                    keeps: pollux_wire::control::StateKeeping::Managed,
                };
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
        result: Result<NameCreation, Error>,
    ) {
        let phandle = record.primary;
        debug_assert_eq!(pin, phandle.pin);
        let failure = match result {
            Ok(NameCreation::Created) if self.leaving.is_none() => {
                tracing::info!(name = %record.name, epoch = record.epoch.0, %phandle, "name on record");
                return self.launch_process(phandle);
            }
            Ok(NameCreation::Created) => StartFailure::no_cpu("this CPU goes down: run it in another one"),
            Ok(NameCreation::Taken(taken)) => {
                StartFailure { error: 11, detail: FileError::EXISTS.0, why: taken_text(&taken) }
            }
            Err(error) => StartFailure::not_started(error.to_string()),
        };
        self.start_failed(phandle, &failure);
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
            self.start_failed(phandle, &StartFailure::not_started(format!("cannot start it: {error}")));
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
            return self
                .start_failed(phandle, &StartFailure::not_started(format!("cannot watch it: {error}")));
        }
        let Some(process) = self.processes.get_mut(phandle) else { return };
        tracing::info!(process = label(process), pid, program = shortened(&process.spec.program), "started");
        let (name, start) = (process.name.clone(), process.start.clone());
        let (joining, stopped) = (process.joining, process.stopped_by.clone());
        let cause = match process.family.creator {
            Some(creator) => format!("created by process {creator}"),
            None => "run by a command".to_owned(),
        };
        if let StartedFor::Command(link) = process.starter {
            process.starter = StartedFor::Answered;
            self.links.send(link, ADMIN, Vec::new(), &AdminReply::Started { phandle, pid });
        }
        if joining {
            self.join_active(phandle);
        } else {
            self.answer_created(phandle);
        }
        if let (Some(name), StartAs::Primary { epoch }) = (&name, start) {
            self.report(EventKind::Started, (Some(name), Some(phandle)), (Epoch(0), epoch), cause);
        }
        if let Some(stopper) = stopped {
            self.kill_process(phandle, &stopper.why);
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
        let end = EndReport::not_started(&failure.why);
        self.answer_starter(&process, failure);
        self.let_go(process, end);
    }

    /// Sends a system message to a process of this CPU or of another.
    pub(crate) fn send_system(&mut self, to: Phandle, message: SystemMessage) {
        if to.cpu == self.cpu() {
            self.tell_or_keep(to, ToProcess::System { message });
        } else {
            self.send_peer(to.cpu, Vec::new(), &ToPeer::System { to, message });
        }
    }

    /// Answers a command that cannot have what it wants.
    pub(crate) fn refuse(&mut self, link: LinkId, text: impl Into<String>) {
        self.links.send(link, ADMIN, Vec::new(), &AdminReply::Refused { text: text.into() });
    }

    /// Tells whoever wanted the process that it will not come. No effect once that was answered.
    pub(crate) fn answer_starter(&mut self, process: &Process, failure: &StartFailure) {
        match process.starter {
            StartedFor::Itself | StartedFor::Answered => {}
            StartedFor::Command(link) => self.refuse(link, failure.why.clone()),
            StartedFor::Creation { cpu, request } => {
                self.answer_creation(cpu, request, None, failure.clone());
            }
            StartedFor::Peer { cpu, request } => {
                let StartFailure { error, detail, why } = failure;
                let (error, detail, why) = (*error, *detail, why.clone());
                let message = ToPeer::BackupStarted { request, backup: None, error, detail, why };
                self.send_peer(cpu, Vec::new(), &message);
            }
        }
    }

    /// What each program of the node finds in its environment.
    pub(crate) fn environment(&self) -> Vec<(OsString, OsString)> {
        vec![
            (CONTROL_DESCRIPTOR_VARIABLE.into(), CONTROL_NUMBER.to_string().into()),
            (RUN_DIRECTORY_VARIABLE.into(), self.arguments.run_root.clone().into()),
            (NODE_VARIABLE.into(), self.arguments.node.as_str().into()),
        ]
    }

    pub(crate) fn processors(&self) -> Option<Vec<usize>> {
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
        return StartFailure::not_started(error.to_string());
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
