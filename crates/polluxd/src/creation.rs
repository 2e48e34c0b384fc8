//! Creating processes for processes (`PROCESS_CREATE_`), in this CPU or another one.
//!
//! ```text
//!  creator      its daemon              clerk            the place's daemon            process
//!    Create ---->| name, number -------->|
//!                | ----- StartProcess, 3 descriptors ---->| name on record, launch ---> runs
//!                |                                        | a backup joins the record
//!                | <---------------------- ProcessStarted |
//!    <- Created -|
//! ```
//!
//! The place's daemon puts a new name on record, since it gives the pin; a backup is on record before its creator hears
//! of it.

use crate::backups::Wanted;
use crate::children::{StartFailure, duplicates};
use crate::clerk::{Job, NumbersFor};
use crate::daemon::Daemon;
use crate::limits::{ASKED_MAX, SPEC_BYTES_MAX};
use crate::process::{Family, Process, Request, StartedFor, shortened};
use pollux_coordinator::Error;
use pollux_wire::admin::ProgramSpec;
use pollux_wire::control::{Creation, NameChoice, PRIORITY_MAX, StartAs, StateKeeping, ToProcess};
use pollux_wire::mesh::{StartOrder, ToPeer};
use pollux_wire::record::NameRecord;
use pollux_wire::startup::STARTUP_VARIABLES;
use pollux_wire::{CpuNumber, Epoch, FileError, Phandle, ProcessName, encode};
use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;

/// As what a process is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// Without a name.
    Unnamed,
    /// The first process of this name.
    Named(ProcessName),
    /// The backup of its creator, whose record has this epoch.
    Backup { name: ProcessName, epoch: Epoch },
}

/// Numbers of the parameters of `PROCESS_CREATE_`, as its error detail gives them.
const PARAMETER_PROGRAM: u16 = 1;
const PARAMETER_PRIORITY: u16 = 5;

fn failure(error: u16, detail: u16, why: impl Into<String>) -> StartFailure {
    StartFailure { error, detail, why: why.into() }
}

fn name_failure(detail: FileError, why: impl Into<String>) -> StartFailure {
    failure(11, detail.0, why)
}

impl Daemon {
    /// A process creates another one.
    pub(crate) fn handle_create(&mut self, asker: Request, creation: Creation) {
        if let Err(failure) = self.begin_creation(asker, creation) {
            self.creation_failed(asker, failure);
        }
    }

    fn begin_creation(&mut self, asker: Request, creation: Creation) -> Result<(), StartFailure> {
        let Some(creator) = self.processes.get(asker.process) else { return Ok(()) };
        if self.asked.len() >= ASKED_MAX || self.clerk.is_full() {
            return Err(failure(15, 0, "this CPU has too much in hand"));
        }
        let program = creation.spec.as_ref().unwrap_or(&creator.spec).program.as_str();
        if program.is_empty() {
            return Err(failure(
                2,
                PARAMETER_PROGRAM,
                "its creator was not started by a daemon: which program?",
            ));
        }
        if !program.starts_with('/') {
            let why = format!("cannot run {}: not an absolute path", shortened(program));
            return Err(failure(1, FileError::BAD_NAME.0, why));
        }
        if creation.priority > PRIORITY_MAX {
            return Err(failure(2, PARAMETER_PRIORITY, format!("a priority is 1 to {PRIORITY_MAX}")));
        }
        let role = match &creation.name {
            NameChoice::None {} => Role::Unnamed,
            NameChoice::Given { name } => Role::Named(name.clone()),
            NameChoice::Generated { long } => {
                let long = *long;
                let creation = Box::new(creation);
                self.clerk.ask(Job::NameForCreation { asker, creation, long });
                return Ok(());
            }
            NameChoice::Callers {} => {
                if creator.name.is_none() || !creator.is_active() {
                    let why = "only a named process that keeps its state itself has a backup of this kind";
                    return Err(failure(22, 0, why));
                }
                self.clerk.ask(Job::FindForCreation { asker, creation: Box::new(creation) });
                return Ok(());
            }
        };
        self.ask_creation_number(asker, Box::new(creation), role);
        Ok(())
    }

    /// A name was made up.
    pub(crate) fn handle_named_for_creation(
        &mut self,
        asker: Request,
        creation: Box<Creation>,
        name: Result<Option<ProcessName>, Error>,
    ) {
        match name {
            Ok(Some(name)) => self.ask_creation_number(asker, creation, Role::Named(name)),
            Ok(None) => {
                let failure = name_failure(FileError::DIRECTORY_FULL, "no name could be made up");
                self.creation_failed(asker, failure);
            }
            Err(error) => self.creation_failed(asker, StartFailure::no_cpu(error.to_string())),
        }
    }

    /// The record of a process that wants a backup is there.
    pub(crate) fn handle_found_for_creation(
        &mut self,
        asker: Request,
        creation: Box<Creation>,
        found: Result<Option<NameRecord>, Error>,
    ) {
        let failure = match found {
            Ok(Some(record)) if record.primary == asker.process && record.backup.is_none() => {
                if record.keeps == StateKeeping::Active {
                    let role = Role::Backup { name: record.name, epoch: record.epoch };
                    return self.ask_creation_number(asker, creation, role);
                }
                failure(22, 0, "it is not on record yet that it keeps its state itself: try again")
            }
            Ok(Some(record)) => {
                name_failure(FileError::PAIR_FULL, format!("{} has both its halves already", record.name))
            }
            Ok(None) => name_failure(FileError::NO_SUCH_PROCESS, "its name is on no record"),
            Err(error) => StartFailure::no_cpu(error.to_string()),
        };
        self.creation_failed(asker, failure);
    }

    fn ask_creation_number(&mut self, asker: Request, creation: Box<Creation>, role: Role) {
        let purpose = NumbersFor::Creation { asker, creation, role };
        self.clerk.ask(Job::Numbers { count: 1, purpose });
    }

    /// The number for the new process's handle is there.
    pub(crate) fn handle_creation_number(
        &mut self,
        asker: Request,
        creation: Creation,
        role: Role,
        first: Result<u64, Error>,
    ) {
        let ordered = match first {
            Ok(number) => self.order_creation(asker, creation, role, number),
            Err(error) => Err(StartFailure::no_cpu(error.to_string())),
        };
        if let Err(failure) = ordered {
            self.creation_failed(asker, failure);
        }
    }

    fn order_creation(
        &mut self,
        asker: Request,
        creation: Creation,
        role: Role,
        number: u64,
    ) -> Result<(), StartFailure> {
        let cpu = match &role {
            Role::Backup { .. } => self.place_for_backup(creation.cpu)?,
            _ => self.place_for_process(creation.cpu)?,
        };
        let Some(creator) = self.processes.get(asker.process) else { return Ok(()) };
        let failed =
            |error: io::Error| StartFailure::no_cpu(format!("its descriptors cannot be made: {error}"));
        let stdio = match &creator.stdio {
            Some(stdio) => duplicates(stdio),
            None => nulls(),
        };
        let stdio = stdio.map_err(failed)?;
        let spec = with_variables(creation.spec.unwrap_or_else(|| creator.spec.clone()), creation.variables);
        if encode(&spec).len() > SPEC_BYTES_MAX {
            let why = format!("arguments and environment are larger than {SPEC_BYTES_MAX} bytes");
            return Err(failure(2, PARAMETER_PROGRAM, why));
        }
        let given_terminal = Some(creation.home_terminal).filter(|given| !given.is_empty());
        let (sequence, incarnation, start, name) = match role {
            Role::Unnamed => (number, 1, StartAs::Unnamed {}, None),
            // S11: see `handle_run_number`.
            Role::Named(name) => (number, 1, StartAs::Primary { epoch: Epoch(number) }, Some(name)),
            Role::Backup { name, epoch } => {
                let incarnation = crate::backups::incarnation(number, asker.process.incarnation);
                let start = StartAs::ActiveBackup { epoch, primary: asker.process };
                (asker.process.sequence, incarnation, start, Some(name))
            }
        };
        let order = StartOrder {
            name: name.clone(),
            sequence,
            incarnation,
            start,
            mom: Some(asker.process),
            home_terminal: given_terminal.unwrap_or_else(|| creator.family.home_terminal.clone()),
            job: creation.job.unwrap_or(creator.family.job),
            priority: if creation.priority == 0 { creator.family.priority } else { creation.priority },
            spec,
        };
        let request = self.ask(cpu, Wanted::Creation { asker, name });
        if cpu == self.cpu() {
            self.handle_start_order(cpu, request, order, stdio.into());
        } else if !self.send_peer(cpu, stdio.into(), &ToPeer::StartProcess { request, order }) {
            self.fail_creation_request(request, cpu);
        }
        Ok(())
    }

    fn place_for_process(&self, wanted: Option<CpuNumber>) -> Result<CpuNumber, StartFailure> {
        let up =
            |cpu: CpuNumber| cpu == self.cpu() || self.peers.get(&cpu).is_some_and(|peer| peer.is_usable());
        let cpu = wanted.unwrap_or(self.cpu());
        if up(cpu) { Ok(cpu) } else { Err(StartFailure::no_cpu(format!("CPU {cpu} is not up"))) }
    }

    /// A process of CPU `cpu` wants a process started here.
    pub(crate) fn handle_start_order(
        &mut self,
        cpu: CpuNumber,
        request: u32,
        order: StartOrder,
        descriptors: Vec<OwnedFd>,
    ) {
        if let Err(failure) = self.take_start_order(cpu, request, order, descriptors) {
            self.answer_creation(cpu, request, None, failure);
        }
    }

    fn take_start_order(
        &mut self,
        cpu: CpuNumber,
        request: u32,
        order: StartOrder,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), StartFailure> {
        if self.leaving.is_some() {
            return Err(StartFailure::no_cpu(format!("CPU {} goes down", self.cpu())));
        }
        let stdio = <[OwnedFd; 3]>::try_from(descriptors)
            .map_err(|_| StartFailure::not_started("StartProcess carries three descriptors"))?;
        let StartOrder { name, sequence, incarnation, start, mom, home_terminal, job, priority, spec } =
            order;
        let phandle = self.new_phandle(name.is_some(), sequence, incarnation);
        let phandle = phandle.ok_or_else(|| failure(15, 0, self.full_text()))?;
        let new_name = match (&name, &start) {
            (Some(name), StartAs::Primary { epoch }) => Some((name.clone(), *epoch)),
            _ => None,
        };
        let program = shortened(&spec.program).to_owned();
        let starter = StartedFor::Creation { cpu, request };
        let mut process = Process::new(phandle, name.clone(), spec, start, starter, Some(stdio));
        // The ancestor of a name stands on its record; the mom of a half is its other half.
        let told = if name.is_none() { mom } else { None };
        process.family = Family { creator: mom, mom: told, home_terminal, job, priority };
        self.processes.insert(process);
        match new_name {
            Some((name, epoch)) => {
                let (backup, ancestor, keeps) = (None, mom, StateKeeping::Managed);
                let record = NameRecord { name, epoch, primary: phandle, backup, ancestor, program, keeps };
                self.clerk.ask(Job::CreateName { pin: phandle.pin, record });
            }
            None => self.launch_process(phandle),
        }
        Ok(())
    }

    /// A created process runs its program, and is on record if it is a backup.
    pub(crate) fn answer_created(&mut self, phandle: Phandle) {
        let Some(process) = self.processes.get_mut(phandle) else { return };
        if let StartedFor::Creation { cpu, request } = process.starter {
            process.starter = StartedFor::Answered;
            self.answer_creation(cpu, request, Some(phandle), StartFailure::none());
        }
    }

    /// A created process that runs cannot stay.
    pub(crate) fn fail_creation_of(&mut self, phandle: Phandle, failure: &StartFailure) {
        let Some(process) = self.processes.get_mut(phandle) else { return };
        process.off_record = true;
        let starter = std::mem::replace(&mut process.starter, StartedFor::Answered);
        if let StartedFor::Creation { cpu, request } = starter {
            self.answer_creation(cpu, request, None, failure.clone());
        }
        self.kill_process(phandle, &failure.why);
    }

    /// Says what became of an order to start a process.
    pub(crate) fn answer_creation(
        &mut self,
        cpu: CpuNumber,
        request: u32,
        process: Option<Phandle>,
        failure: StartFailure,
    ) {
        if cpu == self.cpu() {
            return self.handle_process_started(cpu, request, process, failure);
        }
        let StartFailure { error, detail, why } = failure;
        let message = ToPeer::ProcessStarted { request, process, error, detail, why };
        self.send_peer(cpu, Vec::new(), &message);
    }

    /// A process that one of ours has created runs, or not.
    pub(crate) fn handle_process_started(
        &mut self,
        from: CpuNumber,
        request: u32,
        process: Option<Phandle>,
        failure: StartFailure,
    ) {
        let Some(Wanted::Creation { asker, name }) = self.answered(from, request) else { return };
        let Some(created) = process else { return self.creation_failed(asker, failure) };
        tracing::info!(creator = %asker.process, process = %created, "created");
        let (error, detail, why) = (0, 0, String::new());
        let request = asker.request;
        self.tell(asker.process, &ToProcess::Created { request, process, name, error, detail, why });
    }

    /// The CPU that was to start a process is gone.
    pub(crate) fn fail_creation_request(&mut self, request: u32, cpu: CpuNumber) {
        if let Some(Wanted::Creation { asker, .. }) = self.answered(self.cpu(), request) {
            let why = format!("CPU {cpu} went down while it started the process");
            self.creation_failed(asker, StartFailure::no_cpu(why));
        }
    }

    fn creation_failed(&mut self, asker: Request, failure: StartFailure) {
        let StartFailure { error, detail, why } = failure.for_creator();
        tracing::info!(creator = %asker.process, error, detail, "not created: {why}");
        let message =
            ToProcess::Created { request: asker.request, process: None, name: None, error, detail, why };
        self.tell(asker.process, &message);
    }
}

/// The spec with these variables in place of those of the same names, and without what a command has told another
/// program about its start.
fn with_variables(mut spec: ProgramSpec, variables: Vec<(String, String)>) -> ProgramSpec {
    let given = |name: &str| variables.iter().any(|(given, _)| given == name);
    spec.environment.retain(|(name, _)| !STARTUP_VARIABLES.contains(&name.as_str()) && !given(name));
    spec.environment.extend(variables);
    spec
}

fn nulls() -> io::Result<[OwnedFd; 3]> {
    let null = || OpenOptions::new().read(true).write(true).open("/dev/null").map(OwnedFd::from);
    Ok([null()?, null()?, null()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    // A child that reads its parent's IN file and parameters would work on the wrong data.
    #[test]
    fn what_a_command_told_is_not_inherited() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut spec = ProgramSpec::none();
        spec.environment = vec![pair("POLLUX_IN", "a"), pair("PATH", "b"), pair("HOME", "c")];
        let created = with_variables(spec, vec![pair("POLLUX_OUT", "d"), pair("PATH", "e")]);
        assert_eq!(created.environment, [pair("HOME", "c"), pair("POLLUX_OUT", "d"), pair("PATH", "e")]);
    }
}
