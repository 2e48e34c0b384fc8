//! What processes say to the daemon of their CPU.
//!
//! Nothing a process says about itself is believed where it matters: who asks is known from its channel (S16).

use crate::clerk::{Job, NumbersFor};
use crate::daemon::{Daemon, Timer, label};
use crate::limits::{COORDINATOR_RETRY_MS, NUMBERS_PER_REQUEST_MAX};
use crate::links::{LinkId, Role};
use crate::process::{Origin, Process, Request, Stage, StartedFor, cut, shortened};
use crate::start::unix_ms;
use pollux_coordinator::Error;
use pollux_os::LifeWatch;
use pollux_wire::admin::ProgramSpec;
use pollux_wire::control::{CONTROL, Change, Recorded, StartAs, StateKeeping, ToDaemon, ToProcess};
use pollux_wire::event::{Event, EventKind};
use pollux_wire::limits::PROTOCOL_VERSION;
use pollux_wire::mesh::ToPeer;
use pollux_wire::record::NameRecord;
use pollux_wire::{FileError, Phandle, ProcessName};
use std::io;
use std::os::fd::OwnedFd;

/// Bytes of the words a process gives with an event or its end; more are cut.
const TEXT_BYTES_MAX: usize = 4_096;

impl Daemon {
    /// A frame of a process of this CPU.
    pub(crate) fn handle_control(
        &mut self,
        link: LinkId,
        process: Phandle,
        message: ToDaemon,
        descriptors: Vec<OwnedFd>,
    ) {
        let Some(found) = self.processes.get_mut(process) else { return };
        if found.is_attached() == matches!(message, ToDaemon::Attach { .. }) {
            return self.fail_link(link, "it attached twice, or spoke before it attached");
        }
        let asker = |request| Request { process, request };
        match message {
            ToDaemon::Attach { version, pid: _, keeps } => {
                self.handle_attach(link, process, version, keeps, descriptors);
            }
            ToDaemon::State { state, epoch, backup: _, lag_bytes } => {
                if found.state != Some(state) || found.epoch != epoch {
                    tracing::info!(process = label(found), epoch = epoch.0, "state {state}");
                }
                (found.state, found.epoch, found.lag_bytes) = (Some(state), epoch, lag_bytes);
            }
            ToDaemon::Keeps { mut kept } => {
                kept.program = shortened(&kept.program).to_owned();
                found.kept = Some(kept);
            }
            ToDaemon::Open { request, target, sync_depth, nowait_depth, details } => {
                self.start_open(asker(request), target, None, (sync_depth, nowait_depth), details);
            }
            ToDaemon::Repath { request, target, open, sync_depth, nowait_depth, details } => {
                self.start_open(asker(request), target, Some(open), (sync_depth, nowait_depth), details);
            }
            ToDaemon::Change { request, change } => self.handle_change(asker(request), change),
            ToDaemon::Prepare { .. } => {
                self.fail_link(link, "it sent a frame that belongs on a takeover line")
            }
            ToDaemon::StartBackup { request, cpu } => self.handle_start_backup(asker(request), cpu),
            ToDaemon::StartAcceptor { request, listener: _, provider } => {
                self.start_acceptor(asker(request), provider, descriptors);
            }
            ToDaemon::Report { event } => self.handle_report(process, event),
            ToDaemon::Stopping { request, both, report } => {
                self.handle_stopping(asker(request), both, report);
            }
            ToDaemon::Numbers { request, count } => self.ask_numbers(asker(request), count),
            ToDaemon::Create { request, creation } => self.handle_create(asker(request), creation),
            ToDaemon::StopOther { request, target, both, abend } => {
                self.handle_stop_other(asker(request), target, both, abend);
            }
            ToDaemon::Query { request, query } => {
                self.handle_query(Origin::Process(asker(request)), query);
            }
            ToDaemon::BecomeMomOf { request, child } => self.handle_become_mom(asker(request), child),
            ToDaemon::Set { request, setting } => self.handle_set(asker(request), setting),
        }
    }

    /// A process that this daemon started wants to be one of the node.
    fn handle_attach(
        &mut self,
        link: LinkId,
        phandle: Phandle,
        version: u16,
        keeps: StateKeeping,
        descriptors: Vec<OwnedFd>,
    ) {
        let life_page = match checked_life_page(version, descriptors) {
            Ok(life_page) => life_page,
            Err((error, why)) => return self.refuse_attach(link, error, why),
        };
        let Some(process) = self.processes.get_mut(phandle) else { return };
        let other_kind = match process.start {
            StartAs::Backup { .. } => keeps == StateKeeping::Active,
            StartAs::ActiveBackup { .. } => keeps == StateKeeping::Managed,
            StartAs::Primary { .. } | StartAs::Unnamed {} => false,
        };
        if other_kind {
            let why = "its primary keeps its state in another way".to_owned();
            self.refuse_attach(link, FileError::INVALID_OPERATION, why)
        } else if process.attach_waits.is_some() {
            self.fail_link(link, "it attached twice")
        } else if process.joining {
            process.attach_waits = Some((keeps, life_page));
        } else {
            self.take_in_attached(phandle, keeps, life_page);
        }
    }

    /// A process is one of the node from here on.
    pub(crate) fn take_in_attached(&mut self, phandle: Phandle, keeps: StateKeeping, life_page: OwnedFd) {
        let Some(process) = self.processes.get_mut(phandle) else { return };
        let Some(link) = process.link else { return };
        process.life_page = Some(life_page);
        process.stage = Stage::Attached;
        process.keeps = keeps;
        tracing::info!(process = label(process), epoch = process.epoch.0, pid = process.pid, "attached");
        let gifts = std::mem::take(&mut process.start_descriptors);
        let paths = std::mem::take(&mut process.paths);
        let messages = std::mem::take(&mut process.messages);
        let first_active = process.is_active() && matches!(process.start, StartAs::Primary { .. });
        if let Some(name) = process.name.clone().filter(|_| first_active) {
            self.mark_active(name, phandle);
        }
        self.welcome(link, phandle, gifts);
        self.give_takeover_line(link, phandle);
        if let Err(error) = self.announce_backup(phandle) {
            let why = format!("its descriptors cannot be passed on: {error}");
            return self.kill_process(phandle, &why);
        }
        for message in messages {
            self.tell(phandle, &message);
        }
        for waiting in paths {
            self.hand_over_path(phandle, waiting);
        }
    }

    /// Somebody who came by itself wants to be a process of the node: a requester.
    pub(crate) fn handle_visitor(&mut self, link: LinkId, version: u16, descriptors: Vec<OwnedFd>) {
        let life_page = match checked_life_page(version, descriptors) {
            Ok(_) if self.leaving.is_some() => {
                let why = "this CPU goes down".to_owned();
                return self.refuse_attach(link, FileError::PATH_DOWN, why);
            }
            Ok(life_page) => life_page,
            Err((error, why)) => return self.refuse_attach(link, error, why),
        };
        if let Some(found) = self.links.get_mut(link) {
            found.role = Role::Arriving(life_page);
            self.clerk.ask(Job::Numbers { count: 1, purpose: NumbersFor::Visitor { link } });
        }
    }

    /// The sequence number of a visitor is there.
    pub(crate) fn handle_visitor_number(&mut self, link: LinkId, first: Result<u64, Error>) {
        let sequence = match first {
            Ok(first) => first,
            Err(error) => return self.refuse_attach(link, FileError::NO_BUFFER_SPACE, error.to_string()),
        };
        if self.links.get_mut(link).is_none() {
            return;
        }
        let Some(phandle) = self.new_phandle(false, sequence, 1) else {
            return self.refuse_attach(link, FileError::NO_MORE_OPENS, self.full_text());
        };
        let Some(found) = self.links.get_mut(link) else { return };
        let Role::Arriving(life_page) = std::mem::replace(&mut found.role, Role::Process(phandle)) else {
            return self.fail_link(link, "its connection is not that of an arriving process");
        };
        let (uid, pid) = (found.uid, found.pid);
        let (none, start) = (ProgramSpec::none(), StartAs::Unnamed {});
        let mut process = Process::new(phandle, None, none, start, StartedFor::Itself, None);
        process.stage = Stage::Attached;
        process.link = Some(link);
        (process.uid, process.pid) = (uid, pid);
        process.accepts_for = self.owner_of_acceptor(pid);
        process.life_page = Some(life_page);
        process.started_unix_ms = unix_ms();
        self.processes.insert(process);
        tracing::debug!(%phandle, pid, uid, "attached by itself");
        self.welcome(link, phandle, Vec::new());
    }

    fn welcome(&mut self, link: LinkId, phandle: Phandle, gifts: Vec<OwnedFd>) {
        let Some(process) = self.processes.get(phandle) else { return };
        let message = ToProcess::Welcome {
            phandle,
            name: process.name.clone(),
            node: self.arguments.node.clone(),
            start: process.start.clone(),
            program: process.spec.clone(),
            mom: process.family.creator,
            home_terminal: process.family.home_terminal.clone(),
            hang_after_ms: self.arguments.hang_after_ms,
        };
        self.links.send(link, CONTROL, gifts, &message);
    }

    fn refuse_attach(&mut self, link: LinkId, error: FileError, why: String) {
        self.links.send(link, CONTROL, Vec::new(), &ToProcess::Refused { error, why: why.clone() });
        // Closing sends what is queued.
        self.fail_link(link, format!("it was refused: {why}"));
    }

    fn handle_change(&mut self, asker: Request, change: Change) {
        let Some(process) = self.processes.get(asker.process) else { return };
        let refusal = match &process.name {
            None => Recorded::Refused {
                current: None,
                why: "a process without a name is on no record".to_owned(),
            },
            // The other half is not dead for long: its CPU goes down with all others. Takeovers would only fill the log.
            Some(_) if self.node_goes_down() => {
                Recorded::Unavailable { why: "the node goes down".to_owned() }
            }
            Some(_) if self.clerk.is_full() => {
                Recorded::Unavailable { why: "the coordinator does not keep up".to_owned() }
            }
            Some(name) => {
                let name = name.clone();
                return self.clerk.ask(Job::Change { asker, name, change });
            }
        };
        self.tell(asker.process, &ToProcess::Recorded { request: asker.request, outcome: refusal });
    }

    /// The ledger has ruled on a change; with `told` who asked knows it.
    pub(crate) fn handle_changed(
        &mut self,
        asker: Request,
        name: &ProcessName,
        change: &Change,
        outcome: Recorded,
        (written, told): (Option<&NameRecord>, bool),
    ) {
        let by = asker.process;
        // Halves that keep their state themselves know the record before the answer.
        if let Some(record) = written {
            self.follow_change(by, change, record);
        }
        // The answer first: a takeover waits for it.
        let message = ToProcess::Recorded { request: asker.request, outcome };
        if !told {
            self.tell(by, &message);
        }
        self.flush();
        let takes_over = matches!(change, Change::TakeOver { .. });
        let change = described(change);
        let ToProcess::Recorded { outcome, .. } = message else { return };
        match outcome {
            Recorded::Done { epoch } => {
                if takes_over && let Some(process) = self.processes.get_mut(by) {
                    process.unreported_takeover = Some(epoch);
                }
                tracing::info!(%name, epoch = epoch.0, process = %by, "recorded: {change}");
            }
            Recorded::Refused { why, .. } => {
                tracing::warn!(%name, process = %by, "refused: {change}: {why}");
            }
            Recorded::Unavailable { why } => {
                tracing::error!(%name, process = %by, "cannot record: {change}: {why}");
            }
        }
    }

    fn handle_report(&mut self, process: Phandle, mut event: Event) {
        // That the takeover is on record is known before its report.
        self.take_results();
        let Some(found) = self.processes.get_mut(process) else { return };
        if event.kind == EventKind::Takeover {
            found.unreported_takeover = None;
        }
        let found = &*found;
        event.cpu = process.cpu;
        event.name = event.name.or_else(|| found.name.clone());
        event.phandle = event.phandle.or(Some(process));
        if event.at_unix_ms == 0 {
            event.at_unix_ms = unix_ms();
        }
        event.cause = cut(&event.cause, TEXT_BYTES_MAX).to_owned();
        tracing::info!(
            process = label(found),
            epoch_before = event.epoch_before.0,
            epoch = event.epoch_after.0,
            "{}: {}",
            event.kind,
            event.cause
        );
        self.events.write(event);
    }

    /// Asks for numbers on behalf of a process.
    pub(crate) fn ask_numbers(&mut self, asker: Request, count: u32) {
        let count = count.clamp(1, NUMBERS_PER_REQUEST_MAX);
        if self.processes.get(asker.process).is_some() {
            self.clerk.ask(Job::Numbers { count, purpose: NumbersFor::Process { asker } });
        }
    }

    /// The numbers for a process are there; there is no answer that says "none", so it is tried until there are.
    pub(crate) fn handle_numbers(&mut self, asker: Request, count: u32, first: Result<u64, Error>) {
        match first {
            Ok(first) => self.tell(asker.process, &ToProcess::Numbers { request: asker.request, first }),
            Err(error) => {
                tracing::error!(process = %asker.process, "no numbers: {error}");
                self.after_ms(COORDINATOR_RETRY_MS, Timer::Numbers { count, asker });
            }
        }
    }

    /// A half of a pair that Pollux keeps asks the clerk itself for takeovers. Without a line it asks here.
    fn give_takeover_line(&mut self, link: LinkId, phandle: Phandle) {
        let Some(process) = self.processes.get(phandle) else { return };
        let Some(name) = process.name.clone().filter(|_| process.spec.pair && !process.is_active()) else {
            return;
        };
        match self.clerk.line(phandle, name) {
            Ok(line) => self.links.send(link, CONTROL, vec![line], &ToProcess::TakeoverLine {}),
            Err(error) => tracing::warn!(process = label(process), "it gets no takeover line: {error}"),
        }
    }

    /// Tells the peer that wanted a backup that it is there. No effect on other processes.
    fn announce_backup(&mut self, phandle: Phandle) -> io::Result<()> {
        let Some(process) = self.processes.get_mut(phandle) else { return Ok(()) };
        let StartedFor::Peer { cpu, request } = process.starter else { return Ok(()) };
        let (Some(life_page), Some(pidfd)) = (&process.life_page, &process.pidfd) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let descriptors = vec![life_page.try_clone()?, pidfd.try_clone()?];
        process.starter = StartedFor::Answered;
        let (backup, why) = (Some(phandle), String::new());
        let message = ToPeer::BackupStarted { request, backup, error: 0, detail: 0, why };
        self.send_peer(cpu, descriptors, &message);
        Ok(())
    }
}

/// A change in words, for the log.
fn described(change: &Change) -> String {
    match change {
        Change::TakeOver { dead, .. } => format!("takeover from {dead}"),
        Change::RemoveBackup { backup, .. } => format!("backup {backup} removed"),
        Change::Join { backup, .. } => format!("backup {backup} joined"),
        Change::Switch { to, .. } => format!("switchover to {to}"),
    }
}

/// The life page of somebody who attaches, if it and the version are right.
fn checked_life_page(version: u16, descriptors: Vec<OwnedFd>) -> Result<OwnedFd, (FileError, String)> {
    if version != PROTOCOL_VERSION {
        let why = format!(
            "the program speaks version {version} of the protocol, the daemon {PROTOCOL_VERSION}: use the same Pollux for both"
        );
        return Err((FileError::INVALID_OPERATION, why));
    }
    let Ok([life_page]) = <[OwnedFd; 1]>::try_from(descriptors) else {
        return Err((FileError::BAD_COUNT, "Attach carries one descriptor, the life page".to_owned()));
    };
    let refuse = |error: io::Error| (FileError::INVALID_OPERATION, error.to_string());
    let copy = life_page.try_clone().map_err(refuse)?;
    LifeWatch::open(copy).map_err(refuse)?;
    Ok(life_page)
}
