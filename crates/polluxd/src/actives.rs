//! Pairs that keep their state themselves ("active backup"): what the daemons do for them that a managed primary does
//! for itself.
//!
//! ```text
//!  half ends      its daemon            clerk                     the other half's daemon     the other half
//!    pidfd ------> end report --------> record without it
//!                  <------------------- the new record
//!                  -------------------------------- RecordChanged --------------------------->
//!                  -------------------------------- System -101 ----------------------------->
//! ```
//!
//! Invariants: the record is changed before a half hears of an end, so that whoever reads -101 or -2 finds itself
//! single when it asks `PROCESS_GETPAIRINFO_`; a half hears of each newer record once, and never of an older one.

use crate::children::StartFailure;
use crate::clerk::Job;
use crate::daemon::{Daemon, Timer};
use crate::ends::GoneProcess;
use crate::ledger::{Correction, Survey};
use crate::limits::{COORDINATOR_RETRY_MS, MESSAGES_WAITING_MAX};
use pollux_coordinator::Error;
use pollux_wire::control::{Change, Recorded, StartAs, ToProcess};
use pollux_wire::event::EventKind;
use pollux_wire::mesh::ToPeer;
use pollux_wire::record::NameRecord;
use pollux_wire::{FileError, Phandle, ProcessName};

impl Daemon {
    /// The first process of a name keeps its state itself.
    pub(crate) fn mark_active(&mut self, name: ProcessName, process: Phandle) {
        if self.processes.get(process).is_some() {
            self.clerk.ask(Job::MarkActive { name, process });
        }
    }

    /// The record says so, or does not have the process.
    pub(crate) fn handle_marked_active(
        &mut self,
        name: ProcessName,
        process: Phandle,
        result: Result<Option<NameRecord>, Error>,
    ) {
        match result {
            Ok(Some(record)) => {
                if let Some(found) = self.processes.get_mut(process) {
                    // It knows this one from its welcome.
                    found.record.get_or_insert(record);
                }
            }
            Ok(None) => tracing::warn!(%name, %process, "keeps its state itself and is not on record"),
            Err(error) => {
                tracing::error!(%name, %process, "cannot be recorded as keeping its state itself: {error}");
                self.after_ms(COORDINATOR_RETRY_MS, Timer::MarkActive { name, process });
            }
        }
    }

    /// A backup runs: it is put on record before its creator hears of it.
    pub(crate) fn join_active(&mut self, backup: Phandle) {
        let Some(process) = self.processes.get(backup) else { return };
        let (Some(name), StartAs::ActiveBackup { epoch, primary }) = (&process.name, &process.start) else {
            return;
        };
        let (name, epoch, primary) = (name.clone(), *epoch, *primary);
        self.clerk.ask(Job::JoinActive { name, primary, epoch, backup });
    }

    /// A backup is on record, or not.
    pub(crate) fn handle_joined_active(
        &mut self,
        backup: Phandle,
        outcome: Recorded,
        written: Option<NameRecord>,
    ) {
        if let Some(record) = &written {
            let cause = format!("backup {backup} joined");
            let before = pollux_wire::Epoch(record.epoch.0.saturating_sub(1));
            let subject = (Some(&record.name), Some(backup));
            self.report(EventKind::Paired, subject, (before, record.epoch), cause);
            self.tell_record(record);
        }
        let failure = match outcome {
            Recorded::Done { epoch } => {
                let Some(process) = self.processes.get_mut(backup) else { return };
                process.joining = false;
                process.epoch = epoch;
                if let StartAs::ActiveBackup { epoch: on_record, .. } = &mut process.start {
                    *on_record = epoch;
                }
                let waits = process.attach_waits.take();
                self.answer_created(backup);
                if let Some((keeps, life_page)) = waits {
                    self.take_in_attached(backup, keeps, life_page);
                }
                return;
            }
            Recorded::Refused { why, .. } => {
                StartFailure { error: 11, detail: FileError::PAIR_FULL.0, why: format!("no backup: {why}") }
            }
            Recorded::Unavailable { why } => StartFailure::no_cpu(format!("no backup: {why}")),
        };
        self.fail_creation_of(backup, &failure);
    }

    /// Tells both halves of a name what its record is.
    pub(crate) fn tell_record(&mut self, record: &NameRecord) {
        for half in [Some(record.primary), record.backup].into_iter().flatten() {
            if half.cpu == self.cpu() {
                self.take_record(half, record);
            } else {
                let message = ToPeer::RecordChanged { to: half, record: record.clone() };
                self.send_peer(half.cpu, Vec::new(), &message);
            }
        }
    }

    /// The record of a half in this CPU, if it is news to it.
    pub(crate) fn take_record(&mut self, half: Phandle, record: &NameRecord) {
        let Some(process) = self.processes.get_mut(half) else { return };
        let known = process.record.as_ref().map(|known| known.epoch);
        if !process.is_active() || known.is_some_and(|known| known >= record.epoch) {
            return;
        }
        process.record = Some(record.clone());
        process.epoch = record.epoch;
        process.had_partner |= record.backup.is_some();
        self.tell_or_keep(half, ToProcess::RecordChanged { record: record.clone() });
    }

    /// Tells a process something that must not be lost because it has not attached yet.
    pub(crate) fn tell_or_keep(&mut self, process: Phandle, message: ToProcess) {
        let Some(found) = self.processes.get_mut(process) else { return };
        if found.is_attached() {
            return self.tell(process, &message);
        }
        if found.messages.len() < MESSAGES_WAITING_MAX {
            found.messages.push(message);
        } else {
            tracing::warn!(%process, "does not attach: a message for it is lost");
        }
    }

    /// One half is gone and off the record: the other one is told, first the record, then the end.
    pub(crate) fn half_gone(&mut self, correction: &Correction, gone: &GoneProcess) {
        let kind = if gone.end.switch { EventKind::Switchover } else { EventKind::Takeover };
        self.report_correction(correction, kind, &gone.end.text);
        self.tell_record(&correction.record);
        if gone.ran {
            let message = gone.end.message(gone.dead, Some(&gone.name));
            self.send_system(correction.record.primary, message);
        }
    }

    /// What a look over all names found about pairs that keep their state themselves.
    pub(crate) fn follow_corrections(&mut self, survey: &Survey, cause: &str) {
        for correction in &survey.corrected {
            // With the whole node nobody takes over for long.
            if !self.node_goes_down() {
                self.report_correction(correction, EventKind::Takeover, cause);
            }
            self.tell_record(&correction.record);
        }
        // What another daemon has corrected, and what it told on a connection that broke.
        for record in &survey.active_here {
            for half in [Some(record.primary), record.backup].into_iter().flatten() {
                if half.cpu == self.cpu() {
                    self.take_record(half, record);
                }
            }
        }
        self.end_forgotten_halves(survey);
    }

    /// Halves whose name was taken off the record by a daemon that died before it could stop them.
    fn end_forgotten_halves(&mut self, survey: &Survey) {
        let on_record = |half: Phandle| {
            survey.active_here.iter().any(|record| record.primary == half || record.backup == Some(half))
        };
        let forgotten: Vec<Phandle> = self
            .processes
            .iter()
            .filter(|process| process.record.is_some() && !process.off_record)
            .map(|process| process.phandle)
            .filter(|half| !on_record(*half))
            .collect();
        for half in forgotten {
            self.kill_process(half, "its name is off the record");
        }
    }

    /// The event of a half that is gone; `as_takeover` if that was the primary.
    fn report_correction(&self, correction: &Correction, as_takeover: EventKind, cause: &str) {
        let record = &correction.record;
        let Some(before) = &correction.before else { return };
        let (kind, text) = if before.primary == record.primary {
            let dead = before.backup.map(|dead| dead.to_string()).unwrap_or_default();
            (EventKind::BackupRemoved, format!("backup {dead} is gone: {cause}"))
        } else {
            (as_takeover, format!("primary {} is gone: {cause}", before.primary))
        };
        tracing::info!(name = %record.name, epoch = record.epoch.0, primary = %record.primary, "{kind}: {text}");
        let subject = (Some(&record.name), Some(record.primary));
        self.report(kind, subject, (before.epoch, record.epoch), text);
    }

    /// A half has changed the record itself: both hear of it.
    pub(crate) fn follow_change(&mut self, by: Phandle, change: &Change, record: &NameRecord) {
        if !self.processes.get(by).is_some_and(|process| process.is_active()) {
            return;
        }
        if let Change::Switch { .. } = change {
            let before = pollux_wire::Epoch(record.epoch.0.saturating_sub(1));
            let subject = (Some(&record.name), Some(record.primary));
            let text = format!("{} has become the primary by agreement of both halves", record.primary);
            self.report(EventKind::Switchover, subject, (before, record.epoch), text);
        }
        self.tell_record(record);
    }
}
