//! The ends of processes, and what follows from them.
//!
//! ```text
//!  kernel            daemon                                clerk                   the other half's daemon
//!    pidfd --------> read what it had said
//!                    out of the table, waiters told
//!                    named? ------------------------------> last one: name ends
//!                                                           else: survivor -------> PartnerGone
//! ```
//!
//! Invariants: a process is in the table until its end was seen; what it had said is taken in before its end is.

use crate::children::StartFailure;
use crate::clerk::Job;
use crate::daemon::{Daemon, Timer, label};
use crate::endings::{EndReport, processor_time_us};
use crate::ledger::Gone;
use crate::limits::COORDINATOR_RETRY_MS;
use crate::process::{Process, StartedFor};
use pollux_coordinator::Error;
use pollux_os::{ProcessEvent, Signal, reap, signal, wait_gone};
use pollux_wire::admin::{ADMIN, AdminReply};
use pollux_wire::control::ToProcess;
use pollux_wire::event::EventKind;
use pollux_wire::mesh::ToPeer;
use pollux_wire::record::NameRecord;
use pollux_wire::{Epoch, FileError, Phandle, Pin, ProcessName};
use std::time::Duration;

/// The end of a named process, for its record.
#[derive(Debug, Clone)]
pub(crate) struct GoneProcess {
    pub(crate) name: ProcessName,
    pub(crate) dead: Phandle,
    pub(crate) end: EndReport,
    /// The managed primary for which it was started as backup.
    pub(crate) started_by: Option<Phandle>,
    /// False for one whose program never ran.
    pub(crate) ran: bool,
    /// True when a pair that keeps its state itself goes on with its other half.
    pub(crate) correct: bool,
}

/// Looks for the last frames of a dead process.
const LAST_LOOKS: u32 = 4;

impl Daemon {
    /// The kernel tells something about a process.
    pub(crate) fn handle_pidfd(&mut self, pin: Pin) {
        let Some(process) = self.processes.at(pin) else { return };
        let (phandle, Some(pidfd)) = (process.phandle, &process.pidfd) else { return };
        let used_us = if wait_gone(pidfd, Duration::ZERO).unwrap_or(false) {
            processor_time_us(process.pid)
        } else {
            0
        };
        let reaped = reap(pidfd, false);
        if let Some(process) = self.processes.get_mut(phandle) {
            process.processor_us = used_us;
        }
        match reaped {
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
            if wait_gone(pidfd, Duration::ZERO).unwrap_or(false) {
                process.processor_us = processor_time_us(process.pid);
            }
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
        // It may have taken over, which its end is to be told with.
        self.take_results();
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
        // Every takeover leaves one event, also that of a primary that did not live to report it.
        if let Some(epoch) = process.unreported_takeover {
            let subject = (process.name.as_ref(), Some(phandle));
            let cause =
                format!("the primary was gone; the new one ended before it could report more ({})", end.text);
            self.report(EventKind::Takeover, subject, (Epoch(epoch.0.saturating_sub(1)), epoch), cause);
        }
        let why = format!("the program did not join the node: {}", end.text);
        match process.starter {
            // It ran: its creator hears of its end as of that of any other child, also if it was not on record yet.
            StartedFor::Creation { cpu, request } if process.pidfd.is_some() => {
                self.answer_creation(cpu, request, Some(phandle), StartFailure::none());
            }
            _ => self.answer_starter(&process, &StartFailure::not_started(why)),
        }
        self.let_go(process, end);
    }

    /// Draws the consequences for a process that is out of the table.
    pub(crate) fn let_go(&mut self, process: Process, end: EndReport) {
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
        for origin in &process.stop_waiters {
            self.answer_stop(*origin, FileError::OK);
        }
        let ran = process.pidfd.is_some();
        if let Some(mom) = process.family.mom.filter(|_| ran) {
            self.send_system(mom, end.message(phandle, process.name.as_ref()));
        }
        let started_by = process.started_by();
        if let Some(name) = process.name.filter(|_| !process.off_record) {
            // With the whole node nobody goes on alone.
            let correct = !self.node_goes_down();
            self.record_gone(GoneProcess { name, dead: phandle, end, started_by, ran, correct });
        }
    }

    /// Tells the ledger of the end of a named process.
    pub(crate) fn record_gone(&mut self, gone: GoneProcess) {
        self.clerk.ask(Job::ProcessGone { gone });
    }

    /// The ledger says what the end of a process means for its name.
    pub(crate) fn handle_gone_recorded(&mut self, gone: GoneProcess, result: Result<Gone, Error>) {
        let (dead, end) = (gone.dead, &gone.end);
        match result {
            Ok(Gone::Ended(mut record)) => {
                // Whoever created a process that never ran was told so in another way.
                record.ancestor = record.ancestor.filter(|_| gone.ran);
                self.name_ended(&record, end);
            }
            Ok(Gone::Survivor(left)) => self.tell_partner_gone(left, dead, &end.text),
            Ok(Gone::Corrected(correction)) => self.half_gone(&correction, &gone),
            // A backup that never was on record: its primary waits for it.
            Ok(Gone::Unrelated) => {
                if let Some(primary) = gone.started_by {
                    self.tell_partner_gone(primary, dead, &end.text);
                }
            }
            Err(error) => {
                tracing::error!(name = %gone.name, process = %dead, "its end cannot be recorded: {error}");
                self.after_ms(COORDINATOR_RETRY_MS, Timer::ProcessGone(gone));
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
            self.send_system(ancestor, end.message(phandle, Some(&record.name)));
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
        if let Some(process) = self.processes.get(to) {
            // One that keeps its state itself hears of records and ends.
            if !process.is_active() {
                self.tell(to, &ToProcess::PartnerGone { phandle: dead, cause: cause.to_owned() });
            }
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

    /// Kills all processes and acceptors that this CPU has started.
    pub(crate) fn kill_all(&mut self, why: &str) {
        for phandle in self.processes.handles() {
            self.kill_process(phandle, why);
        }
        self.kill_acceptors();
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
}
