//! What is around the pair: coordinator, daemons, operator, the passing of time, and the faults.

use super::client::number;
use super::process::{Notice, Paused, Process, Then, Who};
use super::{World, who_is};
use crate::bugs::Bug;
use crate::plan::{CPU_AWAY_STEPS, Fault, Harm, Mark, Order, OutageIs, PAUSE_STEPS, STALL_STEPS, Victim};
use crate::sometimes::Situation;
use pollux_core::directory::{Ruling, ends_with, rule, survivor};
use pollux_core::pair::{Event, Pair};
use pollux_wire::control::{Change, PairState, Recorded};
use pollux_wire::record::NameRecord;
use pollux_wire::{CpuNumber, FileError, Phandle, Pin};

impl World {
    /// What happens by the passing of steps alone. Returns true while something is still to come.
    pub fn pass_time(&mut self) -> bool {
        let mut to_come = self.asked.iter().any(|(_, _, not_before)| *not_before > self.now);
        for who in 0..self.processes.len() {
            let Some(paused) = self.processes[who].paused.filter(|_| self.processes[who].alive) else {
                continue;
            };
            // Who is killed may have been the one whose business another hung half was.
            to_come |= paused.until > self.now || self.end_pause(who, paused);
        }
        to_come |= self.cpus_return();
        to_come |= self.now < self.plan.no_cpu.end;
        to_come |= self.plan.outages.iter().any(|(steps, _)| self.now < steps.end);
        to_come |= self.stop_told.is_some() && self.record.is_some();
        let next_order = self.plan.orders.get(self.orders_given);
        to_come | next_order.is_some_and(|(at, _)| self.begun && *at > self.now)
    }

    /// Returns true if it was killed.
    pub(super) fn end_pause(&mut self, who: Who, paused: Paused) -> bool {
        let is_primary = self.processes[who].pair.is_primary();
        // The backup of a live primary is that one's business; all others are watched by their daemons.
        let has_primary = |other: &Process| {
            other.alive && other.pair.is_primary() && other.pair.partner().map(who_is) == Some(who)
        };
        let is_on_record = self.record.as_ref().is_some_and(|record| who_is(record.primary) == who);
        let is_watched = is_primary
            || is_on_record
            || (paused.then == Then::IsKilled && !self.processes.iter().any(has_primary));
        if paused.then == Then::GoesOn {
            self.processes[who].paused = None;
            let goes_on =
                if is_primary { Situation::StalledPrimaryGoesOn } else { Situation::StalledBackupGoesOn };
            self.met.note(goes_on);
        } else if is_watched && self.bug != Bug::TakeoverOnSuspicion {
            self.met.note(Situation::PausedPrimaryKilled);
            self.kill(who);
        } else if paused.then == Then::IsKilledOrGoesOn {
            self.processes[who].paused = None;
        }
        !self.processes[who].alive
    }

    /// Returns true while a CPU is away.
    fn cpus_return(&mut self) -> bool {
        let away = self.cpus_away.len();
        self.cpus_away.retain(|_, until| *until > self.now);
        let ended = self.now == self.plan.no_cpu.end && self.plan.no_cpu.end > 0;
        if ended || self.cpus_away.len() < away {
            for process in self.processes.iter_mut().filter(|process| process.alive) {
                process.inbox.push_back(Notice::Event(Event::CpuUp));
            }
        }
        !self.cpus_away.is_empty()
    }

    /// Puts a fault here. Returns who has it, if somebody does.
    pub fn inject(&mut self, fault: Fault) -> Option<Who> {
        let primary = self.record.as_ref().map(|record| who_is(record.primary));
        let victim = match fault.victim {
            Victim::Primary | Victim::ServerPrimary => primary.filter(|who| self.processes[*who].alive),
            Victim::Backup | Victim::ServerBackup => {
                (0..self.processes.len()).find(|who| Some(*who) != primary && self.processes[*who].alive)
            }
        };
        let pauses = matches!(fault.harm, Harm::Pause | Harm::Hang | Harm::Stall);
        let victim = victim.filter(|who| !pauses || self.processes[*who].paused.is_none())?;
        // Who goes on after a stall has lost nothing.
        if fault.harm != Harm::Stall {
            self.ledger.disturbed = true;
            self.note_what_may_be_lost(victim, primary);
        }
        if primary == Some(victim) && !pauses {
            self.note_what_a_death_meets(victim);
        }
        match fault.harm {
            Harm::Kill => self.kill(victim),
            Harm::Pause => self.pause(victim, PAUSE_STEPS, Then::IsKilledOrGoesOn),
            Harm::Hang => self.pause(victim, PAUSE_STEPS, Then::IsKilled),
            Harm::Stall => self.pause(victim, STALL_STEPS, Then::GoesOn),
            Harm::LoseCpu => self.lose_cpu(self.processes[victim].phandle.cpu),
        }
        Some(victim)
    }

    /// A CPU is lost in another world of the same node.
    pub fn share_cpu_loss(&mut self, cpu: CpuNumber) {
        let primary = self.record.as_ref().map(|record| who_is(record.primary));
        let here = |process: &Process| process.alive && process.phandle.cpu == cpu;
        let victims: Vec<Who> = (0..self.processes.len()).filter(|who| here(&self.processes[*who])).collect();
        for victim in victims {
            self.ledger.disturbed = true;
            self.note_what_may_be_lost(victim, primary);
        }
        self.lose_cpu(cpu);
    }

    fn pause(&mut self, who: Who, steps: u32, then: Then) {
        let until = if self.timeless { u32::MAX } else { self.now + steps };
        self.processes[who].paused = Some(Paused { until, then });
    }

    fn lose_cpu(&mut self, cpu: CpuNumber) {
        self.met.note(Situation::CpuLost);
        self.cpus_away.insert(cpu, self.now + CPU_AWAY_STEPS);
        for who in 0..self.processes.len() {
            if self.processes[who].alive && self.processes[who].phandle.cpu == cpu {
                self.kill(who);
            }
        }
    }

    /// A pair may be lost only if a fault hits its last healthy half that is on record.
    fn note_what_may_be_lost(&mut self, victim: Who, primary: Option<Who>) {
        let healthy = |who: Who| {
            self.processes[who].alive
                && !self.processes[who].paused.is_some_and(|paused| paused.then != Then::GoesOn)
        };
        let backup = self.record.as_ref().and_then(|record| record.backup).map(who_is);
        let other = if Some(victim) == primary { backup } else { primary };
        let counts = Some(victim) == primary || Some(victim) == backup;
        self.ledger.may_be_lost |= counts && !other.is_some_and(healthy);
    }

    fn note_what_a_death_meets(&mut self, primary: Who) {
        let process = &self.processes[primary];
        let marks = [
            (Mark::ReplyHeld, Situation::TakeoverWithReplyHeld),
            (Mark::ReplyOnItsWay, Situation::TakeoverWithReplyOnItsWay),
            (Mark::Unacknowledged, Situation::TakeoverWithUnacknowledged),
            (Mark::Switching, Situation::TakeoverWhileSwitching),
        ];
        let mut met = self.met;
        for (_, situation) in marks.into_iter().filter(|(mark, _)| self.is_at(*mark)) {
            met.note(situation);
        }
        if !process.in_hand.is_empty() {
            met.note(Situation::TakeoverWithRequestInHand);
        }
        self.met = met;
    }

    /// True at this moment.
    pub fn is_at(&self, mark: Mark) -> bool {
        let Some(record) = &self.record else { return false };
        let primary = self.at(record.primary);
        let is = |state| primary.alive && primary.pair.state() == state;
        let both_live = self.both_live(record);
        match mark {
            Mark::Whole => both_live && self.is_whole(),
            Mark::Unacknowledged => both_live && !primary.is_acknowledged(),
            Mark::ReplyHeld => both_live && !primary.outputs.is_empty(),
            Mark::ReplyOnItsWay => both_live && self.reply_is_on_its_way(),
            Mark::Syncing => is(PairState::Syncing) && primary.state_sent.is_none(),
            Mark::Joining => is(PairState::Syncing) && self.is_asked(|c| matches!(c, Change::Join { .. })),
            Mark::Removing => is(PairState::Removing),
            Mark::Switching => both_live && self.roles_are_changing(),
            Mark::TakingOver => self.is_asked(|change| matches!(change, Change::TakeOver { .. })),
        }
    }

    /// Both halves on record run and are not hung: one fault is only one.
    fn both_live(&self, record: &NameRecord) -> bool {
        let halves = [Some(record.primary), record.backup];
        halves
            .into_iter()
            .all(|half| half.is_some_and(|half| self.at(half).alive && self.at(half).paused.is_none()))
    }

    /// From the order until the new primary has heard of it.
    fn roles_are_changing(&self) -> bool {
        let Some(record) = &self.record else { return false };
        let halves = [Some(record.primary), record.backup].into_iter().flatten();
        halves.clone().any(|half| self.at(half).pair.state() == PairState::Switching)
            || self.at(record.primary).pair.state() == PairState::Following
    }

    fn is_asked(&self, what: impl Fn(&Change) -> bool) -> bool {
        self.asked.iter().any(|(_, change, _)| what(change))
    }

    pub(super) fn answer_path(&mut self, client: usize) {
        self.clients[client].asks = false;
        match self.record.as_ref().map(|record| who_is(record.primary)) {
            None => {
                self.met.note(Situation::PathRefused);
                self.clients[client].requester.handle_path_refused(FileError::NO_SUCH_PROCESS);
            }
            Some(primary) => {
                self.met.note(Situation::PathAskedFor);
                let way = self.make_path(client, primary, true);
                self.clients[client].requester.handle_standby(number(way));
                let open = self.clients[client].open;
                self.processes[primary].inbox.push_back(Notice::NewPath { open, way });
            }
        }
        self.send_requests(client);
    }

    /// The coordinator decides on what `who` asked for.
    pub(super) fn rule(&mut self, who: Who) {
        let outage = self.plan.outage(self.now).filter(|_| self.begun);
        self.rule_in(who, outage);
    }

    pub(super) fn rule_in(&mut self, who: Who, outage: Option<OutageIs>) {
        let at = self.asked.iter().position(|(asker, ..)| *asker == who).expect("it has asked");
        let (_, change, _) = self.asked.remove(at);
        // A switch whose answer is lost is not played: "unavailable" promises that nothing was written.
        let lost = outage == Some(OutageIs::AnswersLost) && !matches!(change, Change::Switch { .. });
        let outcome = if outage.is_some() && !lost { None } else { Some(self.decide(who, &change)) };
        if outcome.is_none() && matches!(change, Change::TakeOver { .. }) {
            self.met.note(Situation::TakeoverAskedAgain);
        }
        let told = outcome.filter(|_| !lost).unwrap_or(Recorded::Unavailable { why: String::new() });
        self.processes[who].inbox.push_back(Notice::Event(Event::Recorded(told)));
    }

    fn decide(&mut self, who: Who, change: &Change) -> Recorded {
        let Some(record) = &self.record else {
            return Recorded::Refused { current: None, why: "there is no such name".into() };
        };
        match rule(record, self.processes[who].phandle, change) {
            Ruling::Write(new) => {
                let (epoch, by) = (new.epoch, self.processes[who].phandle);
                self.met.note(match change {
                    Change::TakeOver { .. } if record.primary == by => Situation::TakeoverAfterSwitchOnRecord,
                    Change::TakeOver { .. } => Situation::TakeoverRecorded,
                    Change::RemoveBackup { .. } => Situation::RemovalRecorded,
                    Change::Switch { .. } => Situation::SwitchRecorded,
                    Change::Join { .. } => Situation::BackupOnRecord,
                });
                self.takeovers += u64::from(matches!(change, Change::TakeOver { .. }));
                self.record = Some(new);
                Recorded::Done { epoch }
            }
            Ruling::Already(epoch) => {
                self.met.note(Situation::AlreadyDone);
                Recorded::Done { epoch }
            }
            Ruling::Refuse(why) => {
                match change {
                    Change::TakeOver { .. } => self.met.note(Situation::TakeoverRefused),
                    Change::Join { .. } => self.met.note(Situation::JoinRefused),
                    Change::RemoveBackup { .. } | Change::Switch { .. } => {}
                }
                Recorded::Refused { current: self.record.clone(), why: why.into() }
            }
        }
    }

    pub(super) fn start_backup(&mut self, who: Who) {
        self.processes[who].start_asked = false;
        let free = self.free_cpu(self.processes[who].phandle.cpu);
        let event = match free.filter(|_| !(self.begun && self.plan.no_cpu.contains(&self.now))) {
            None => {
                self.met.note(Situation::NoCpuForBackup);
                self.processes[who].lacks_cpu = true;
                Event::BackupFailed { wait_for_cpu: true }
            }
            Some(cpu) => {
                if std::mem::take(&mut self.processes[who].lacks_cpu) {
                    self.met.note(Situation::BackupAfterCpuReturned);
                }
                let backup = Phandle { cpu, incarnation: self.processes.len() as u16, ..first_phandle() };
                let pair = Pair::backup(self.processes[who].pair.epoch(), self.processes[who].phandle);
                self.processes.push(Process::new(backup, pair, self.plan.calls, self.bug));
                Event::BackupStarted { backup }
            }
        };
        self.processes[who].inbox.push_back(Notice::Event(event));
    }

    /// The lowest CPU that is up, beside this one.
    fn free_cpu(&self, beside: CpuNumber) -> Option<CpuNumber> {
        let cpus = (0..self.plan.cpus).filter_map(CpuNumber::new);
        cpus.filter(|cpu| *cpu != beside).find(|cpu| !self.cpus_away.contains_key(cpu))
    }

    pub(super) fn give_order(&mut self) {
        let (_, order) = self.plan.orders[self.orders_given];
        let primary = who_is(self.record.as_ref().expect("the name exists").primary);
        self.ledger.disturbed = true;
        let event = if order == Order::Stop {
            if self.clients.iter().any(|client| client.outstanding() > 0) {
                self.met.note(Situation::StoppedWhileBusy);
            }
            self.stop_told = Some(self.now);
            self.ledger.may_be_lost = true;
            Event::StopWanted
        } else {
            self.orders_given += 1;
            Event::SwitchWanted
        };
        self.processes[primary].inbox.push_back(Notice::Event(event));
    }

    /// The last process on record is gone.
    pub(super) fn name_is_lost(&self) -> bool {
        let Some(record) = &self.record else { return false };
        let dead = record.primary;
        !self.at(dead).alive
            && (ends_with(record, dead) || survivor(record, dead).is_some_and(|other| !self.at(other).alive))
    }
}

/// The first process of the name.
pub(super) fn first_phandle() -> Phandle {
    let cpu = CpuNumber::new(0).expect("a CPU");
    Phandle { named: true, cpu, pin: Pin(1), node: 0, incarnation: 0, sequence: 1 }
}
