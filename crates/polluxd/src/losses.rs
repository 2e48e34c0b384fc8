//! What follows when a CPU is lost: its record, the names that were there, its restart.
//!
//! Each survivor looks; the compare-and-set on the record decides who reports the loss and starts the CPU again (S12).

use crate::clerk::Job;
use crate::daemon::{Daemon, Timer};
use crate::endings::EndReport;
use crate::ledger::{Loss, Survey};
use crate::limits::{
    ANNOUNCE_WAIT_MS, COORDINATOR_RETRY_MS, RELOAD_MS_MAX, RELOAD_MS_MIN, RELOAD_SETTLED_MS,
};
use crate::start::unix_ms;
use crate::starter::StartJob;
use pollux_coordinator::Error;
use pollux_wire::event::EventKind;
use pollux_wire::system::SystemMessage;
use pollux_wire::{CpuNumber, Epoch};
use std::io;
use std::process::Child;

/// The restart of a failed CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reload {
    /// The pause before the next start, milliseconds.
    delay_ms: u64,
    /// True when it has failed, so that the next failure soon after is one "again".
    failed: bool,
    /// True while that pause or the start is under way.
    scheduled: bool,
}

/// The loss of a CPU that waits until the records are corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Announcement {
    /// The epoch that ended.
    epoch: Epoch,
    /// True when the CPU came up meanwhile.
    up_again: bool,
}

/// A CPU that this daemon has started. It is a child of ours, though it outlives us.
#[derive(Debug)]
pub(crate) struct CpuStart {
    pub(crate) cpu: CpuNumber,
    /// True when it said hello.
    pub(crate) was_up: bool,
    child: Child,
}

impl Reload {
    /// Nothing has failed yet.
    fn new(reload_after_ms: u32) -> Self {
        Self { delay_ms: reload_after_ms.into(), failed: false, scheduled: false }
    }

    /// The CPU was up for so long and failed: L6, one that keeps failing is not started in a loop.
    fn note_uptime(&mut self, uptime_ms: u64, reload_after_ms: u32) {
        let again = std::mem::replace(&mut self.failed, true) && uptime_ms < RELOAD_SETTLED_MS;
        self.delay_ms = if again {
            (self.delay_ms * 2).clamp(RELOAD_MS_MIN, RELOAD_MS_MAX)
        } else {
            reload_after_ms.into()
        };
    }
}

impl Daemon {
    /// Puts the loss of a CPU on record.
    pub(crate) fn record_loss(&mut self, cpu: CpuNumber, epoch: Epoch, on_purpose: bool) {
        let witness = self.witness();
        self.clerk.ask(Job::LoseCpu { cpu, epoch, on_purpose, witness });
    }

    /// The loss is on record, by us or by somebody else.
    pub(crate) fn handle_cpu_lost(
        &mut self,
        cpu: CpuNumber,
        epoch: Epoch,
        on_purpose: bool,
        result: Result<Loss, Error>,
    ) {
        let loss = match result {
            Ok(loss) => loss,
            Err(error) => {
                tracing::error!(%cpu, epoch = epoch.0, "its loss cannot be recorded: {error}");
                return self.after_ms(COORDINATOR_RETRY_MS, Timer::LoseCpu { cpu, epoch, on_purpose });
            }
        };
        if loss.won {
            let cause = if on_purpose { "stopped on purpose" } else { "its daemon died" };
            let text = format!("CPU {cpu}: {cause}");
            tracing::warn!(%cpu, epoch = epoch.0, "recorded as down: {cause}");
            self.report(EventKind::CpuDown, (None, None), (epoch, epoch), text);
            if !on_purpose {
                self.schedule_reload(cpu);
            }
        }
        let cause = format!("CPU {cpu} is down");
        // In this order: who reads -2 finds its pair corrected, and hears of lost names behind it.
        self.follow_corrections(&loss.survey, &cause);
        self.announce_down(cpu);
        self.follow_survey(&loss.survey, &cause);
    }

    /// A CPU is lost: its loss is announced when the records are corrected, or after a bounded time.
    pub(crate) fn announce_down_later(&mut self, cpu: CpuNumber) {
        let epoch = self.lost_epochs.get(&cpu).copied().unwrap_or_default();
        self.announcing.insert(cpu, Announcement { epoch, up_again: false });
        self.after_ms(ANNOUNCE_WAIT_MS, Timer::AnnounceDown { cpu, epoch });
    }

    /// The records are not corrected in time.
    pub(crate) fn announce_down_late(&mut self, cpu: CpuNumber, epoch: Epoch) {
        if self.announcing.get(&cpu).is_some_and(|waits| waits.epoch == epoch) {
            tracing::warn!(%cpu, epoch = epoch.0, "announced as down before the records are corrected");
            self.announce_down(cpu);
        }
    }

    /// Announces the loss of a CPU, unless that was done.
    pub(crate) fn announce_down(&mut self, cpu: CpuNumber) {
        let Some(waited) = self.announcing.remove(&cpu) else { return };
        self.tell_all(&SystemMessage::CpuDown { cpu });
        self.tell_fates(cpu);
        if waited.up_again {
            self.tell_all(&SystemMessage::CpuUp { cpu });
        }
    }

    /// Announces that a CPU is up; if its loss was not announced yet, behind that.
    pub(crate) fn announce_up(&mut self, cpu: CpuNumber) {
        match self.announcing.get_mut(&cpu) {
            Some(waits) => waits.up_again = true,
            None => self.tell_all(&SystemMessage::CpuUp { cpu }),
        }
    }

    /// Looks for names that nobody is left to end.
    pub(crate) fn survey(&mut self) {
        let witness = self.witness();
        self.clerk.ask(Job::Survey { witness });
    }

    /// A look over all names is done.
    pub(crate) fn handle_surveyed(&mut self, result: Result<Survey, Error>) {
        let survey = match result {
            Ok(survey) => survey,
            Err(error) => return tracing::error!("the names cannot be looked over: {error}"),
        };
        let cause = "its CPU is down or started anew";
        self.follow_corrections(&survey, cause);
        self.follow_survey(&survey, cause);
        // A failed CPU whose winner died before it could start it again.
        if survey.up.iter().min() == Some(&self.cpu()) {
            let patience = u64::from(self.arguments.reload_after_ms) + RELOAD_MS_MAX + RELOAD_SETTLED_MS;
            for (cpu, since) in survey.failed {
                if unix_ms().saturating_sub(since) > patience {
                    self.schedule_reload(cpu);
                }
            }
        }
    }

    /// Tells those who must know.
    pub(crate) fn follow_survey(&mut self, survey: &Survey, cause: &str) {
        for record in &survey.ended {
            self.name_ended(record, &EndReport::lost(cause));
        }
        for orphan in &survey.orphans {
            self.tell_partner_gone(orphan.left, orphan.dead, cause);
        }
    }

    /// A peer was up for so long and is dead.
    pub(crate) fn note_uptime(&mut self, cpu: CpuNumber, uptime_ms: u64) {
        let reload_after_ms = self.arguments.reload_after_ms;
        let reload = self.reloads.entry(cpu).or_insert_with(|| Reload::new(reload_after_ms));
        reload.note_uptime(uptime_ms, reload_after_ms);
    }

    fn schedule_reload(&mut self, cpu: CpuNumber) {
        let reload_after_ms = self.arguments.reload_after_ms;
        if reload_after_ms == 0 || self.leaving.is_some() || cpu.get() >= self.arguments.cpus {
            return;
        }
        let reload = self.reloads.entry(cpu).or_insert_with(|| Reload::new(reload_after_ms));
        if !std::mem::replace(&mut reload.scheduled, true) {
            let delay_ms = reload.delay_ms;
            tracing::info!(%cpu, delay_ms, "will be started again");
            self.after_ms(delay_ms, Timer::Reload(cpu));
        }
    }

    /// The pause is over.
    pub(crate) fn reload(&mut self, cpu: CpuNumber) {
        if self.leaving.is_some() || self.peers.contains_key(&cpu) {
            self.set_not_scheduled(cpu);
        } else {
            self.start_cpu(cpu);
        }
    }

    /// Starts a CPU of this node.
    pub(crate) fn start_cpu(&mut self, cpu: CpuNumber) {
        tracing::info!(%cpu, "starting");
        let arguments = self.arguments.for_cpu(cpu, &self.node_processors);
        let log = self.arguments.run_directory.join(format!("cpu-{cpu}.log"));
        self.starter.ask(StartJob::Cpu { cpu, arguments, log });
    }

    /// The daemon of a CPU runs, or could not be started.
    pub(crate) fn handle_cpu_launched(&mut self, cpu: CpuNumber, result: io::Result<Child>) {
        self.set_not_scheduled(cpu);
        match result {
            Ok(child) => {
                tracing::info!(%cpu, pid = child.id(), "started");
                self.cpu_starts.push(CpuStart { cpu, was_up: false, child });
            }
            Err(error) => {
                tracing::error!(%cpu, "cannot be started: {error}");
                self.note_uptime(cpu, 0);
                self.schedule_reload(cpu);
            }
        }
    }

    /// Reaps the daemons that this one has started.
    pub(crate) fn reap_cpus(&mut self) {
        let mut failed = Vec::new();
        self.cpu_starts.retain_mut(|start| match start.child.try_wait() {
            Ok(None) => true,
            Ok(Some(status)) => {
                if !start.was_up && !status.success() {
                    failed.push((start.cpu, status));
                }
                false
            }
            Err(_) => false,
        });
        for (cpu, status) in failed {
            if !self.peers.contains_key(&cpu) {
                tracing::error!(%cpu, "did not come up ({status}): see cpu-{cpu}.log");
                self.note_uptime(cpu, 0);
                self.schedule_reload(cpu);
            }
        }
    }

    fn set_not_scheduled(&mut self, cpu: CpuNumber) {
        if let Some(reload) = self.reloads.get_mut(&cpu) {
            reload.scheduled = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A CPU that dies at each start would keep the machine busy for ever.
    #[test]
    fn the_pause_doubles_until_the_cpu_settles() {
        let mut reload = Reload::new(500);
        reload.note_uptime(50, 500);
        assert_eq!(reload.delay_ms, 500, "the first time is not again");
        let pauses: Vec<u64> = (0..6)
            .map(|_| {
                reload.note_uptime(50, 500);
                reload.delay_ms
            })
            .collect();
        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        reload.note_uptime(RELOAD_SETTLED_MS, 500);
        assert_eq!(reload.delay_ms, 500);
    }
}
