//! Stopping processes: by themselves (`Stopping`), by others (`PROCESS_STOP_`), by commands.
//!
//! ```text
//!  stopper        its daemon                 clerk           the halves' daemons
//!    StopOther --->| both halves? --------->  name off the record
//!                  | ---------- StopProcess, quietly ------------->| SIGKILL, seen gone
//!                  |<---------- ProcessStopped --------------------|
//!                  | ancestor told once
//!    <-- Answer ---|
//! ```
//!
//! A process whose stop mode is 2 is stopped when it sets another one; its stopper is told so at once (error 638). That
//! holds for the stop of a single process by another one, not for commands and not for the stop of both halves.
//!
//! Invariant: when both halves are to go, the name is off the record before the first of them is killed, so that no
//! half ever takes over from one that was stopped with it.

use crate::backups::Wanted;
use crate::clerk::Job;
use crate::daemon::{Daemon, Timer, label};
use crate::endings::{EndReport, Stopper};
use crate::limits::{ASKED_MAX, COORDINATOR_RETRY_MS, STOP_WAIT_MS};
use crate::process::{Origin, Request, Stage};
use pollux_coordinator::Error;
use pollux_os::{Pid, Signal, signal};
use pollux_wire::control::{Answer, PRIORITY_MAX, STOP_MODE_NOBODY, Setting, StopReport, ToProcess};
use pollux_wire::mesh::ToPeer;
use pollux_wire::record::NameRecord;
use pollux_wire::{FileError, Phandle};
use rustix::process::{PidfdFlags, pidfd_open};

/// A value that there is not (FEBADPARMVALUE).
const BAD_VALUE: FileError = FileError(590);
/// The stop is done when the process lets it (FEQUEUEDSTOPMODE1).
const STOP_WAITS: FileError = FileError(638);

/// A name that is to end with both its halves.
#[derive(Debug, Clone)]
pub(crate) struct TakeOff {
    /// One of them.
    pub(crate) half: Phandle,
    pub(crate) by: StopsBoth,
}

/// Who ends a name with both halves.
#[derive(Debug, Clone)]
pub(crate) enum StopsBoth {
    /// The half itself, which waits for `StopNow`.
    Itself { asker: Request, report: StopReport },
    /// Somebody else.
    Other { origin: Origin, stopper: Stopper },
}

/// What is done when the processes of a [`Dismissal`] are gone.
#[derive(Debug)]
pub(crate) enum Afterwards {
    /// Somebody is answered.
    Answer(Origin),
    /// A process that waits for it ends, too.
    StopNow(Request),
}

/// Processes on their way out on somebody's order.
#[derive(Debug)]
pub(crate) struct Dismissal {
    /// How many are not gone yet.
    left: usize,
    /// Why the last one that could not be stopped could not.
    error: FileError,
    /// The name that ends with them, and what its ancestor is told.
    ended: Option<(NameRecord, EndReport)>,
    afterwards: Afterwards,
}

impl Daemon {
    /// A process is about to end by itself.
    pub(crate) fn handle_stopping(&mut self, asker: Request, both: bool, report: StopReport) {
        let Some(process) = self.processes.get_mut(asker.process) else { return };
        process.stopping = Some(report.clone());
        let pair = process.name.is_some() && process.is_active() && !process.off_record;
        if both && pair {
            let by = StopsBoth::Itself { asker, report };
            self.take_off(TakeOff { half: asker.process, by });
        } else {
            self.tell(asker.process, &ToProcess::StopNow { request: asker.request });
        }
    }

    /// A process stops another one.
    pub(crate) fn handle_stop_other(&mut self, asker: Request, target: Phandle, both: bool, abend: bool) {
        let origin = Origin::Process(asker);
        let Some(process) = self.processes.get(asker.process) else { return };
        // All that this node has started runs under one user.
        let may = process.uid == 0 || process.uid == rustix::process::geteuid().as_raw();
        let own_pair = process.name.is_some()
            && (target.named, target.node, target.sequence)
                == (true, asker.process.node, asker.process.sequence);
        let partner = process.partner();
        let why = format!("stopped by process {}", asker.process);
        let stopper = Stopper { abend, killer: Some(asker.process), switch: false, why };
        if !may {
            self.answer_error(origin, FileError::SECURITY_VIOLATION);
        } else if both && own_pair {
            // The caller ends itself when this one is gone.
            match partner {
                Some(partner) => self.dismiss(&[partner], &stopper, None, Afterwards::Answer(origin)),
                None => self.answer_error(origin, FileError::OK),
            }
        } else if target == asker.process {
            self.answer_error(origin, FileError::INVALID_OPERATION);
        } else if both && target.named {
            self.take_off(TakeOff { half: target, by: StopsBoth::Other { origin, stopper } });
        } else {
            self.dismiss(&[target], &stopper, None, Afterwards::Answer(origin));
        }
    }

    /// A process changes something of itself. Error 590 for a value that there is not.
    pub(crate) fn handle_set(&mut self, asker: Request, setting: Setting) {
        let Some(process) = self.processes.get_mut(asker.process) else { return };
        let error = match setting {
            Setting::Priority { value: value @ 1..=PRIORITY_MAX } => {
                process.family.priority = value;
                FileError::OK
            }
            Setting::StopMode { mode: mode @ 0..=STOP_MODE_NOBODY } => {
                process.stop_mode = mode;
                FileError::OK
            }
            Setting::Priority { .. } | Setting::StopMode { .. } => BAD_VALUE,
        };
        let waits = match process.stop_mode {
            STOP_MODE_NOBODY => None,
            _ => process.stop_that_waits.take(),
        };
        self.answer_error(Origin::Process(asker), error);
        if let Some(stopper) = waits {
            self.take_stop(asker.process, stopper, false, Origin::Nobody);
        }
    }

    /// A command stops a pair that keeps its state itself: its program understands no request to stop.
    pub(crate) fn stop_active(&mut self, half: Phandle) {
        let why = "stopped by a command".to_owned();
        let stopper = Stopper { abend: false, killer: None, switch: false, why };
        self.take_off(TakeOff { half, by: StopsBoth::Other { origin: Origin::Nobody, stopper } });
    }

    /// A command wants the backup of a pair that keeps its state itself to be the primary: the primary is stopped.
    pub(crate) fn switch_active(&mut self, primary: Phandle) {
        let why = "a command asked for a switchover: the primary was stopped".to_owned();
        let stopper = Stopper { abend: false, killer: None, switch: true, why };
        self.dismiss(&[primary], &stopper, None, Afterwards::Answer(Origin::Nobody));
    }

    /// Asks for a name to be taken off the record.
    pub(crate) fn take_off(&mut self, order: TakeOff) {
        self.clerk.ask(Job::TakeOff { order });
    }

    /// The name is off the record, or was not on it.
    pub(crate) fn handle_taken_off(&mut self, order: TakeOff, result: Result<Option<NameRecord>, Error>) {
        let record = match result {
            Ok(record) => record,
            Err(error) => {
                tracing::error!(process = %order.half, "its name cannot be ended: {error}");
                return self.after_ms(COORDINATOR_RETRY_MS, Timer::TakeOff(order));
            }
        };
        let halves = |record: &NameRecord| -> Vec<Phandle> {
            [Some(record.primary), record.backup].into_iter().flatten().collect()
        };
        match (order.by, record) {
            (StopsBoth::Itself { asker, .. }, None) => {
                self.tell(asker.process, &ToProcess::StopNow { request: asker.request });
            }
            (StopsBoth::Itself { asker, report }, Some(record)) => {
                let mut end = EndReport::said(&report);
                if let Some(process) = self.processes.get_mut(asker.process) {
                    process.off_record = true;
                    end.processor_us = crate::endings::processor_time_us(process.pid);
                    end.job = process.family.job;
                }
                let mut others = halves(&record);
                others.retain(|half| *half != asker.process);
                let why = format!("{} stopped with both its halves", record.name);
                let stopper =
                    Stopper { abend: report.abend, killer: Some(asker.process), switch: false, why };
                self.dismiss(&others, &stopper, Some((record, end)), Afterwards::StopNow(asker));
            }
            (StopsBoth::Other { origin, stopper }, None) => {
                self.dismiss(&[order.half], &stopper, None, Afterwards::Answer(origin));
            }
            (StopsBoth::Other { origin, stopper }, Some(record)) => {
                let (halves, end) = (halves(&record), EndReport::stopped(&stopper));
                self.dismiss(&halves, &stopper, Some((record, end)), Afterwards::Answer(origin));
            }
        }
    }

    /// Stops processes, wherever they are; when they are gone, or after a bounded time, does what comes afterwards. With
    /// `ended` their name is off the record: their ends are told to nobody but its ancestor.
    fn dismiss(
        &mut self,
        targets: &[Phandle],
        stopper: &Stopper,
        ended: Option<(NameRecord, EndReport)>,
        afterwards: Afterwards,
    ) {
        let quietly = ended.is_some();
        self.dismissal_last += 1;
        let id = self.dismissal_last;
        let dismissal = Dismissal { left: targets.len(), error: FileError::OK, ended, afterwards };
        self.dismissals.insert(id, dismissal);
        if targets.is_empty() {
            return self.finish_dismissal(id);
        }
        self.after_ms(STOP_WAIT_MS, Timer::Dismissal(id));
        for target in targets {
            let cpu = target.cpu;
            if cpu == self.cpu() {
                self.take_stop(*target, stopper.clone(), quietly, Origin::Dismissal(id));
                continue;
            }
            if self.asked.len() >= ASKED_MAX {
                self.one_dismissed(id, FileError::NO_MORE_OPENS);
                continue;
            }
            let request = self.ask(cpu, Wanted::Stop { id });
            let (target, abend, by) = (*target, stopper.abend, stopper.killer);
            let order = ToPeer::StopProcess { request, target, abend, by, quietly };
            if !self.send_peer(cpu, Vec::new(), &order) {
                self.handle_process_stopped(self.cpu(), request, FileError::PATH_DOWN);
            }
        }
    }

    /// Stops a process of this CPU; `origin` is answered when it is gone.
    pub(crate) fn take_stop(&mut self, target: Phandle, stopper: Stopper, quietly: bool, origin: Origin) {
        let Some(process) = self.processes.get_mut(target) else {
            return self.answer_stop(origin, FileError::NOT_FOUND);
        };
        // A name that is off the record must have no processes, and an operator must be able to stop everything.
        if process.stop_mode == STOP_MODE_NOBODY && stopper.killer.is_some() && !quietly {
            process.stop_that_waits.get_or_insert(stopper);
            return self.answer_stop(origin, STOP_WAITS);
        }
        tracing::info!(process = label(process), epoch = process.epoch.0, "{}", stopper.why);
        // One that is being started is killed as soon as it runs.
        let starting = matches!(process.stage, Stage::Registering | Stage::Launching(_));
        let sent = match (&process.pidfd, starting) {
            (Some(pidfd), _) => signal(pidfd, Signal::KILL).map_err(|error| error.raw_os_error()),
            (None, true) => Ok(()),
            // It came by itself, and is alive as long as its connection is.
            (None, false) => Pid::from_raw(i32::try_from(process.pid).unwrap_or(0))
                .ok_or(None)
                .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).map_err(|_| None))
                .and_then(|pidfd| signal(&pidfd, Signal::KILL).map_err(|error| error.raw_os_error())),
        };
        if let Err(error) = sent {
            let refused = error == Some(rustix::io::Errno::PERM.raw_os_error());
            let error = if refused { FileError::SECURITY_VIOLATION } else { FileError::NOT_FOUND };
            return self.answer_stop(origin, error);
        }
        process.off_record |= quietly;
        process.stopped_by.get_or_insert(stopper);
        process.stop_waiters.push(origin);
    }

    /// Says that a process is gone, or why it cannot be stopped.
    pub(crate) fn answer_stop(&mut self, origin: Origin, error: FileError) {
        match origin {
            Origin::Dismissal(id) => self.one_dismissed(id, error),
            Origin::Peer { cpu, request } => {
                self.send_peer(cpu, Vec::new(), &ToPeer::ProcessStopped { request, error });
            }
            Origin::Process(_) | Origin::Nobody => {}
        }
    }

    /// A process in another CPU is gone, or was not there.
    pub(crate) fn handle_process_stopped(
        &mut self,
        from: pollux_wire::CpuNumber,
        request: u32,
        error: FileError,
    ) {
        if let Some(Wanted::Stop { id }) = self.answered(from, request) {
            self.one_dismissed(id, error);
        }
    }

    fn one_dismissed(&mut self, id: u64, error: FileError) {
        let Some(dismissal) = self.dismissals.get_mut(&id) else { return };
        dismissal.left = dismissal.left.saturating_sub(1);
        if error != FileError::OK {
            dismissal.error = error;
        }
        if dismissal.left == 0 {
            self.finish_dismissal(id);
        }
    }

    /// It takes too long: a process hangs in the kernel, or a CPU does not answer.
    pub(crate) fn dismissal_late(&mut self, id: u64) {
        let Some(dismissal) = self.dismissals.get_mut(&id) else { return };
        tracing::warn!("{} processes that were stopped are not gone in time", dismissal.left);
        dismissal.error = FileError::TIMED_OUT;
        self.finish_dismissal(id);
    }

    fn finish_dismissal(&mut self, id: u64) {
        let Some(dismissal) = self.dismissals.remove(&id) else { return };
        // A name that is off the record is gone, whatever became of its processes.
        let error = if dismissal.ended.is_some() { FileError::OK } else { dismissal.error };
        if let Some((record, end)) = dismissal.ended {
            self.name_ended(&record, &end);
        }
        match dismissal.afterwards {
            Afterwards::Answer(origin) => self.answer_error(origin, error),
            Afterwards::StopNow(Request { process, request }) => {
                self.tell(process, &ToProcess::StopNow { request });
            }
        }
    }

    pub(crate) fn answer_error(&mut self, origin: Origin, error: FileError) {
        self.answer(origin, Answer::Done { error });
    }
}
