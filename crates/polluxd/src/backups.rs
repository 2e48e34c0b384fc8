//! Starting backups in other CPUs, from both ends.
//!
//! ```text
//!  primary        its daemon                        the other CPU's daemon       backup
//!  StartBackup --->| -- StartBackup, 6 descriptors -->| launch ---------------> runs
//!                  |                                  |<------------------------ Attach
//!                  |<- BackupStarted, page, pidfd ----|------------------------> Welcome: channel, page, pidfd
//!  <- BackupStarted: channel, page, pidfd
//! ```
//!
//! The backup is on no record yet; its primary puts it there when it is in step. Until then its end is its primary's
//! own affair.

use crate::children::{StartFailure, duplicates};
use crate::clerk::{Job, NumbersFor};
use crate::daemon::Daemon;
use crate::limits::ASKED_MAX;
use crate::opens::OpenTry;
use crate::process::{Process, Request, StartedFor};
use pollux_coordinator::Error;
use pollux_os::socket_pair;
use pollux_wire::admin::ProgramSpec;
use pollux_wire::control::{Query, StartAs, ToProcess};
use pollux_wire::mesh::ToPeer;
use pollux_wire::{CpuNumber, Epoch, Phandle, ProcessName};
use std::io;
use std::os::fd::OwnedFd;

/// A request that was not answered yet.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The CPU that has to answer.
    pub(crate) of: CpuNumber,
    pub(crate) wanted: Wanted,
}

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// That a server takes one end of a path; here is the other one.
    Path { attempt: Box<OpenTry>, server: Phandle, path: OwnedFd },
    /// That a backup is started; here is the primary's end of the pair's channel.
    Backup { asker: Request, channel: OwnedFd },
    /// That a process is started, under this name.
    Creation { asker: Request, name: Option<ProcessName> },
    /// That a process is stopped, for this dismissal.
    Stop { id: u64 },
    /// An answer to this question; none: that a process is adopted.
    Answer { asker: Request, query: Option<Query> },
}

impl Wanted {
    /// The process that wants it; none if its end changes nothing.
    pub(crate) fn asker(&self) -> Option<Request> {
        match self {
            Self::Path { attempt, .. } => Some(attempt.asker),
            Self::Backup { asker, .. } | Self::Creation { asker, .. } | Self::Answer { asker, .. } => {
                Some(*asker)
            }
            Self::Stop { .. } => None,
        }
    }
}

/// The order of a peer to start a backup.
#[derive(Debug)]
pub(crate) struct BackupOrder {
    pub(crate) request: u32,
    pub(crate) name: ProcessName,
    pub(crate) primary: Phandle,
    pub(crate) epoch: Epoch,
    pub(crate) incarnation: u16,
    pub(crate) spec: ProgramSpec,
}

impl Daemon {
    /// A primary wants a backup.
    pub(crate) fn handle_start_backup(&mut self, asker: Request, cpu: Option<CpuNumber>) {
        let Some(process) = self.processes.get(asker.process) else { return };
        let refusal = if process.name.is_none() || process.pidfd.is_none() {
            Some("only a named process that its daemon has started can have a backup")
        } else if self.asked.len() >= ASKED_MAX || self.clerk.is_full() {
            Some("this CPU has too much in hand")
        } else {
            None
        };
        match refusal {
            Some(why) => self.backup_failed(asker, StartFailure::not_started(why)),
            None => self.clerk.ask(Job::Numbers { count: 1, purpose: NumbersFor::Backup { asker, cpu } }),
        }
    }

    /// The number for a backup's incarnation is there.
    pub(crate) fn handle_backup_number(
        &mut self,
        asker: Request,
        cpu: Option<CpuNumber>,
        first: Result<u64, Error>,
    ) {
        let ordered = match first {
            Ok(number) => self.order_backup(asker, cpu, number),
            Err(error) => Err(StartFailure::not_started(error.to_string())),
        };
        if let Err(failure) = ordered {
            self.backup_failed(asker, failure);
        }
    }

    fn order_backup(
        &mut self,
        asker: Request,
        cpu: Option<CpuNumber>,
        number: u64,
    ) -> Result<(), StartFailure> {
        let cpu = self.place_for_backup(cpu)?;
        let failed = |error: io::Error| StartFailure::not_started(format!("cannot start a backup: {error}"));
        let Some(primary) = self.processes.get(asker.process) else { return Ok(()) };
        let (Some(name), Some(stdio), Some(life_page), Some(pidfd)) =
            (&primary.name, &primary.stdio, &primary.life_page, &primary.pidfd)
        else {
            return Err(StartFailure::not_started("it is not a process that can have a backup"));
        };
        let (near, far) = socket_pair().map_err(failed)?;
        let mut descriptors = Vec::from(duplicates(stdio).map_err(failed)?);
        descriptors.push(far);
        descriptors.push(life_page.try_clone().map_err(failed)?);
        descriptors.push(pidfd.try_clone().map_err(failed)?);
        let (name, spec) = (name.clone(), primary.spec.clone());
        let (primary, epoch) = (primary.phandle, primary.epoch);
        let incarnation = incarnation(number, primary.incarnation);
        let request = self.ask(cpu, Wanted::Backup { asker, channel: near });
        let order = ToPeer::StartBackup { request, name, primary, epoch, incarnation, spec };
        if !self.send_peer(cpu, descriptors, &order) {
            self.fail_backup_request(request, cpu);
        }
        Ok(())
    }

    pub(crate) fn place_for_backup(&self, wanted: Option<CpuNumber>) -> Result<CpuNumber, StartFailure> {
        let mut places = self.peers.iter().filter(|(_, peer)| peer.is_usable()).map(|(cpu, _)| *cpu);
        match wanted {
            Some(cpu) => places
                .find(|place| *place == cpu)
                .ok_or_else(|| StartFailure::no_cpu(format!("CPU {cpu} is not up, or is the primary's own"))),
            None => {
                // Neighbours back each other, so that the load of a lost CPU is known beforehand.
                let places: Vec<CpuNumber> = places.collect();
                let neighbour = places.iter().find(|place| place.get() == self.cpu().get() ^ 1);
                let place = neighbour.or(places.first()).copied();
                place.ok_or_else(|| StartFailure::no_cpu("no other CPU is up"))
            }
        }
    }

    /// A peer wants a backup started here.
    pub(crate) fn handle_backup_order(
        &mut self,
        cpu: CpuNumber,
        order: BackupOrder,
        descriptors: Vec<OwnedFd>,
    ) {
        let request = order.request;
        if let Err(failure) = self.take_backup_order(cpu, order, descriptors) {
            let StartFailure { error, detail, why } = failure;
            let message = ToPeer::BackupStarted { request, backup: None, error, detail, why };
            self.send_peer(cpu, Vec::new(), &message);
        }
    }

    fn take_backup_order(
        &mut self,
        cpu: CpuNumber,
        order: BackupOrder,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), StartFailure> {
        if self.leaving.is_some() {
            return Err(StartFailure::not_started(format!("CPU {} goes down", self.cpu())));
        }
        let [stdin, stdout, stderr, channel, life_page, pidfd] = <[OwnedFd; 6]>::try_from(descriptors)
            .map_err(|_| StartFailure::not_started("StartBackup carries six descriptors"))?;
        let BackupOrder { request, name, primary, epoch, incarnation, spec } = order;
        let phandle = self.new_phandle(true, primary.sequence, incarnation);
        let phandle = phandle.ok_or_else(|| StartFailure::not_started(self.full_text()))?;
        let start = StartAs::Backup { epoch, primary };
        let starter = StartedFor::Peer { cpu, request };
        let stdio = Some([stdin, stdout, stderr]);
        let mut process = Process::new(phandle, Some(name), spec, start, starter, stdio);
        process.start_descriptors = vec![channel, life_page, pidfd];
        self.processes.insert(process);
        self.launch_process(phandle);
        Ok(())
    }

    /// A peer has started a backup, or could not.
    pub(crate) fn handle_backup_started(
        &mut self,
        from: CpuNumber,
        request: u32,
        backup: Option<Phandle>,
        failure: StartFailure,
        descriptors: Vec<OwnedFd>,
    ) {
        let Some(Wanted::Backup { asker, channel }) = self.answered(from, request) else { return };
        let Some(backup) = backup else { return self.backup_failed(asker, failure) };
        let Ok([life_page, pidfd]) = <[OwnedFd; 2]>::try_from(descriptors) else {
            return self
                .backup_failed(asker, StartFailure::not_started("the backup came without its descriptors"));
        };
        tracing::info!(primary = %asker.process, %backup, "backup started");
        let (request, why) = (asker.request, String::new());
        let message = ToProcess::BackupStarted { request, backup: Some(backup), error: 0, detail: 0, why };
        self.tell_with(asker.process, vec![channel, life_page, pidfd], &message);
    }

    /// The CPU that was to start a backup is gone.
    pub(crate) fn fail_backup_request(&mut self, request: u32, cpu: CpuNumber) {
        if let Some(Wanted::Backup { asker, .. }) = self.answered(self.cpu(), request) {
            let failure =
                StartFailure::not_started(format!("CPU {cpu} went down while it started the backup"));
            self.backup_failed(asker, failure);
        }
    }

    /// Tells a primary that it gets no backup. The event is the primary's to report: it knows whether it tries again.
    fn backup_failed(&mut self, asker: Request, failure: StartFailure) {
        let StartFailure { error, detail, why } = failure;
        if let Some(process) = self.processes.get(asker.process) {
            tracing::warn!(
                process = crate::daemon::label(process),
                epoch = process.epoch.0,
                "no backup: {why}"
            );
        }
        let request = asker.request;
        self.tell(asker.process, &ToProcess::BackupStarted { request, backup: None, error, detail, why });
    }
}

/// The incarnation of a backup: never that of its primary (S9).
pub(crate) fn incarnation(number: u64, of_primary: u16) -> u16 {
    let incarnation = (number & 0xffff) as u16;
    if incarnation == of_primary { incarnation.wrapping_add(1) } else { incarnation }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S9: two halves with one handle could not be told apart on record.
    #[test]
    fn halves_have_different_incarnations() {
        assert_eq!(incarnation(0x1_0005, 1), 5);
        assert_eq!(incarnation(5, 5), 6);
        assert_eq!(incarnation(0xffff, 0xffff), 0);
    }
}
