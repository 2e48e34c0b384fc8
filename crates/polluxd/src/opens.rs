//! Opens: how a requester gets a path to the primary of a name.
//!
//! ```text
//!  requester     its daemon        clerk         the primary's daemon      primary
//!    Open ---------> | -- who is primary? -->|
//!                    | <-- record, number ---|
//!                    | ------ Path + one end of a new socket pair --> | --- NewPath --->
//!                    | <------------------------------- PathDone 0 -- |
//!    <-- Opened, the other end
//! ```
//!
//! While a takeover is under way nobody takes paths: the look is repeated for a tenth of a second. The opener that the
//! primary sees is made here from what the kernel and this daemon know of the requester (S16).

use crate::backups::{Asked, Wanted};
use crate::clerk::Job;
use crate::daemon::{Daemon, Timer};
use crate::limits::{ASKED_MAX, OPEN_RETRY_MS, OPEN_TRIES_MAX, PATHS_WAITING_MAX};
use crate::process::{Request, WaitingPath};
use pollux_coordinator::Error;
use pollux_os::socket_pair;
use pollux_wire::checkpoint::Opener;
use pollux_wire::control::{OpenDetails, StateKeeping, Target, ToProcess};
use pollux_wire::limits::SYNC_DEPTH_MAX;
use pollux_wire::mesh::{PathTo, ToPeer};
use pollux_wire::record::NameRecord;
use pollux_wire::{CpuNumber, Epoch, FileError, OpenId, Phandle};
use std::os::fd::OwnedFd;

/// An open on its way.
#[derive(Debug, Clone)]
pub(crate) struct OpenTry {
    pub(crate) asker: Request,
    pub(crate) target: Target,
    /// What the server hears of the open, in the opener's own words.
    pub(crate) details: OpenDetails,
    /// None before a new open got its number.
    pub(crate) open: Option<OpenId>,
    /// True when the open exists and wants a new path.
    pub(crate) again: bool,
    pub(crate) sync_depth: u16,
    pub(crate) nowait_depth: u16,
    pub(crate) tries: u32,
}

/// Who is told whether a path was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathOrigin {
    /// A request of this daemon.
    Own { request: u32 },
    /// A request of a peer.
    Peer { cpu: CpuNumber, request: u32 },
}

impl Daemon {
    /// A process opens a name, or wants a new path for `open`.
    pub(crate) fn start_open(
        &mut self,
        asker: Request,
        target: Target,
        open: Option<OpenId>,
        (sync_depth, nowait_depth): (u16, u16),
        details: OpenDetails,
    ) {
        let again = open.is_some();
        let attempt = OpenTry { asker, target, details, open, again, sync_depth, nowait_depth, tries: 0 };
        // S16: nobody speaks for a process of another instance.
        let of_other = |primary: Phandle| {
            let instance = |one: Phandle| (one.named, one.node, one.sequence);
            !primary.named || instance(primary) != instance(asker.process)
        };
        if attempt.details.primary.is_some_and(of_other) {
            self.open_failed(&attempt, FileError::NO_PRIMARY_OPEN);
        } else if sync_depth > SYNC_DEPTH_MAX || nowait_depth > SYNC_DEPTH_MAX {
            self.open_failed(&attempt, FileError::TOO_MANY_OUTSTANDING);
        } else if self.clerk.is_full() {
            self.open_failed(&attempt, FileError::NO_MORE_OPENS);
        } else {
            self.find_for_open(Box::new(attempt));
        }
    }

    /// Looks for the primary.
    pub(crate) fn find_for_open(&mut self, attempt: Box<OpenTry>) {
        if self.processes.get(attempt.asker.process).is_some() {
            self.clerk.ask(Job::FindForOpen { attempt });
        }
    }

    /// The record of the name to open is there.
    pub(crate) fn handle_found_for_open(
        &mut self,
        mut attempt: Box<OpenTry>,
        found: Result<(Option<NameRecord>, u64), Error>,
    ) {
        match found {
            Ok((record, number)) => match self.server_for(&attempt, record) {
                Ok((server, epoch)) => {
                    attempt.open.get_or_insert(OpenId(number));
                    self.offer_path(attempt, server, epoch);
                }
                Err(error) => self.open_failed(&attempt, error),
            },
            Err(error) => {
                tracing::error!(server_name = describe(&attempt.target), "cannot be opened: {error}");
                self.open_again_later(attempt);
            }
        }
    }

    /// Which process is meant, and the epoch of its name.
    fn server_for(
        &self,
        attempt: &OpenTry,
        record: Option<NameRecord>,
    ) -> Result<(Phandle, Epoch), FileError> {
        let wanted = match attempt.target {
            Target::Place { cpu, pin, sequence } => {
                // All processes without a name are the first in their place.
                let (named, node, incarnation) = (false, self.node_number, 1);
                return Ok((Phandle { named, cpu, pin, node, incarnation, sequence }, Epoch(0)));
            }
            Target::Name { sequence, .. } => sequence,
        };
        let record = record.ok_or(FileError::NO_SUCH_PROCESS)?;
        if wanted.is_some_and(|wanted| wanted != record.primary.sequence) {
            return Err(FileError::NO_SUCH_PROCESS);
        }
        let asker = attempt.asker.process;
        // A half that opens its own name means the other half.
        let server = if record.keeps == StateKeeping::Active && record.primary == asker {
            let process = self.processes.get(asker);
            let just_gone = process.is_some_and(|process| process.had_partner);
            let none = if just_gone { FileError::PATH_DOWN } else { FileError::NO_SUCH_PROCESS };
            record.backup.ok_or(none)?
        } else {
            record.primary
        };
        Ok((server, record.epoch))
    }

    /// Makes a path and offers one end to the server.
    fn offer_path(&mut self, attempt: Box<OpenTry>, server: Phandle, epoch: Epoch) {
        let Some(asker) = self.processes.get(attempt.asker.process) else { return };
        let opener = Opener {
            phandle: asker.phandle,
            name: asker.name.clone(),
            uid: asker.uid,
            sync_depth: attempt.sync_depth,
            nowait_depth: attempt.nowait_depth.max(1),
            details: attempt.details.clone(),
        };
        let Some(open) = attempt.open else { return };
        if self.asked.len() >= ASKED_MAX {
            return self.open_failed(&attempt, FileError::NO_MORE_OPENS);
        }
        let (near, far) = match socket_pair() {
            Ok(ends) => ends,
            Err(error) => {
                tracing::error!("no path can be made: {error}");
                return self.open_failed(&attempt, FileError::NO_BUFFER_SPACE);
            }
        };
        let again = attempt.again;
        let to = match attempt.target {
            Target::Name { .. } => PathTo::Process { phandle: server },
            Target::Place { pin, sequence, .. } => PathTo::Place { pin, sequence },
        };
        let request = self.ask(server.cpu, Wanted::Path { attempt, server, path: near });
        if server.cpu == self.cpu() {
            let origin = PathOrigin::Own { request };
            self.take_path(to, WaitingPath { origin, open, opener, again, epoch, path: far });
        } else if !self.send_peer(
            server.cpu,
            vec![far],
            &ToPeer::Path { request, to, open, opener, again, epoch },
        ) {
            self.handle_path_done(self.cpu(), request, FileError::PATH_DOWN);
        }
    }

    /// A path for a process that should be here.
    pub(crate) fn take_path(&mut self, to: PathTo, waiting: WaitingPath) {
        let (to, none) = match to {
            PathTo::Process { phandle } => (Some(phandle), FileError::PATH_DOWN),
            PathTo::Place { pin, sequence } => {
                let there = self.processes.at(pin).map(|process| process.phandle);
                let meant = there.filter(|there| !there.named && there.sequence == sequence);
                (meant, FileError::NO_SUCH_PROCESS)
            }
        };
        let Some(process) = to.and_then(|to| self.processes.get_mut(to)) else {
            return self.answer_path(waiting.origin, none);
        };
        let to = process.phandle;
        if process.is_attached() {
            // A managed backup takes no paths; if the record names it primary, it is about to know. One that keeps its
            // state itself answers what comes.
            let takes_paths = (process.is_active() || !process.is_backup()) && process.link.is_some();
            if takes_paths {
                self.hand_over_path(to, waiting);
            } else {
                self.answer_path(waiting.origin, FileError::PATH_DOWN);
            }
        } else if process.paths.len() >= PATHS_WAITING_MAX {
            self.answer_path(waiting.origin, FileError::NO_MORE_OPENS);
        } else {
            process.paths.push(waiting);
        }
    }

    /// Gives a path to an attached process.
    pub(crate) fn hand_over_path(&mut self, to: Phandle, waiting: WaitingPath) {
        let WaitingPath { origin, open, opener, again, epoch, path } = waiting;
        self.tell_with(to, vec![path], &ToProcess::NewPath { open, opener, again, epoch });
        self.answer_path(origin, FileError::OK);
    }

    /// Says whether a path was handed over.
    pub(crate) fn answer_path(&mut self, origin: PathOrigin, error: FileError) {
        match origin {
            PathOrigin::Own { request } => self.handle_path_done(self.cpu(), request, error),
            PathOrigin::Peer { cpu, request } => {
                self.send_peer(cpu, Vec::new(), &ToPeer::PathDone { request, error });
            }
        }
    }

    /// A path was handed over, or not. `from` is the CPU that says so.
    pub(crate) fn handle_path_done(&mut self, from: CpuNumber, request: u32, error: FileError) {
        let Some(Wanted::Path { attempt, server, path }) = self.answered(from, request) else { return };
        match error {
            FileError::OK => self.opened(&attempt, server, path),
            FileError::PATH_DOWN => self.open_again_later(attempt),
            error => self.open_failed(&attempt, error),
        }
    }

    fn opened(&mut self, attempt: &OpenTry, server: Phandle, path: OwnedFd) {
        let Some(open) = attempt.open else { return };
        let target = describe(&attempt.target);
        tracing::debug!(server_name = target, %server, opener = %attempt.asker.process, open = open.0, "opened");
        let Request { process, request } = attempt.asker;
        let message = ToProcess::Opened { request, error: FileError::OK, open, server: Some(server) };
        self.tell_with(process, vec![path], &message);
    }

    fn open_again_later(&mut self, mut attempt: Box<OpenTry>) {
        attempt.tries += 1;
        if attempt.tries < OPEN_TRIES_MAX {
            self.after_ms(OPEN_RETRY_MS, Timer::Open(attempt));
        } else {
            self.open_failed(&attempt, FileError::PATH_DOWN);
        }
    }

    fn open_failed(&mut self, attempt: &OpenTry, error: FileError) {
        let target = describe(&attempt.target);
        tracing::debug!(server_name = target, opener = %attempt.asker.process, "not opened: {error}");
        let Request { process, request } = attempt.asker;
        let open = attempt.open.unwrap_or_default();
        self.tell(process, &ToProcess::Opened { request, error, open, server: None });
    }

    /// Notes a request to a CPU, its own included, and gives its number.
    pub(crate) fn ask(&mut self, of: CpuNumber, wanted: Wanted) -> u32 {
        loop {
            self.asked_last = self.asked_last.wrapping_add(1);
            if !self.asked.contains_key(&self.asked_last) {
                break;
            }
        }
        self.asked.insert(self.asked_last, Asked { of, wanted });
        self.asked_last
    }

    /// Takes a request off the table. Only the CPU that was asked can answer; for a CPU that is not there the own one
    /// does.
    pub(crate) fn answered(&mut self, from: CpuNumber, request: u32) -> Option<Wanted> {
        let asked = self.asked.get(&request)?;
        if asked.of != from && from != self.cpu() {
            tracing::warn!(cpu = %from, "answered a request that was not made to it");
            return None;
        }
        self.asked.remove(&request).map(|asked| asked.wanted)
    }

    /// Drops the requests of a process that is gone; what is answered to them later has no effect.
    pub(crate) fn forget_requests_of(&mut self, process: Phandle) {
        let of_process = |wanted: &Wanted| wanted.asker().is_some_and(|asker| asker.process == process);
        self.asked.retain(|_, asked| !of_process(&asked.wanted));
    }

    /// Fails what was asked of a CPU that is gone.
    pub(crate) fn fail_requests_to(&mut self, cpu: CpuNumber) {
        let lost = self.asked.iter().filter(|(_, asked)| asked.of == cpu);
        let lost: Vec<u32> = lost.map(|(request, _)| *request).collect();
        for request in lost {
            match self.asked.get(&request).map(|asked| &asked.wanted) {
                Some(Wanted::Path { .. }) => {
                    self.handle_path_done(self.cpu(), request, FileError::PATH_DOWN);
                }
                Some(Wanted::Backup { .. }) => self.fail_backup_request(request, cpu),
                Some(Wanted::Creation { .. }) => self.fail_creation_request(request, cpu),
                // A process in a lost CPU is stopped; one whose CPU only lost its connection is not for long.
                Some(Wanted::Stop { .. }) => {
                    self.handle_process_stopped(self.cpu(), request, FileError::PATH_DOWN);
                }
                Some(Wanted::Answer { .. }) => self.fail_query(request),
                None => {}
            }
        }
    }
}

/// What is opened, for the log.
fn describe(target: &Target) -> String {
    match target {
        Target::Name { name, sequence: None } => name.to_string(),
        Target::Name { name, sequence: Some(sequence) } => format!("{name}:{sequence}"),
        Target::Place { cpu, pin, sequence } => format!("$:{cpu}:{pin}:{sequence}"),
    }
}
