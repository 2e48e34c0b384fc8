//! What is around the pair: coordinator, daemon, operator, the passing of time, and the faults.

use crate::client::number;
use crate::process::{Notice, Process, Who};
use crate::scenario::{Bug, Fault, Order, Outage, PAUSE_STEPS};
use crate::world::{World, phandle, who_is};
use pollux_core::directory::{Ruling, ends_with, rule, survivor};
use pollux_core::pair::{Event, Pair};
use pollux_wire::FileError;
use pollux_wire::control::{Change, Recorded};

impl World {
    /// What happens by the passing of steps alone. Returns true while something is still to come.
    pub(crate) fn pass_time(&mut self) -> bool {
        let mut to_come = self.asked.iter().any(|(_, _, not_before)| *not_before > self.now);
        for who in 0..self.processes.len() {
            let Some(until) = self.processes[who].paused.filter(|_| self.processes[who].alive) else {
                continue;
            };
            to_come = true;
            if until <= self.now {
                let is_backup = !self.processes[who].pair.is_primary();
                let watched = self.record.as_ref().is_some_and(|record| who_is(record.primary) == who);
                self.processes[who].paused = None;
                if (watched || !is_backup) && self.bug != Bug::TakeoverOnSuspicion {
                    self.kill(who);
                }
            }
        }
        if self.now == self.scenario.no_cpu.end && self.scenario.no_cpu.end > 0 {
            for process in self.processes.iter_mut().filter(|process| process.alive) {
                process.inbox.push_back(Notice::Event(Event::CpuUp));
            }
        }
        to_come |= self.now < self.scenario.no_cpu.end || self.now < self.scenario.outage.end;
        to_come |= self.stop_told.is_some() && self.record.is_some();
        to_come
            || self.scenario.orders.get(self.orders_given).is_some_and(|(at, _)| self.begun && *at > self.now)
    }

    /// Puts a fault here. Returns false if there is nobody to have it.
    pub(crate) fn inject(&mut self, fault: Fault) -> bool {
        let primary = self.record.as_ref().map(|record| who_is(record.primary));
        let victim = match fault {
            Fault::KillPrimary | Fault::PausePrimary => primary.filter(|who| self.processes[*who].alive),
            Fault::KillBackup | Fault::PauseBackup => {
                (0..self.processes.len()).find(|who| Some(*who) != primary && self.processes[*who].alive)
            }
        };
        let pauses = matches!(fault, Fault::PausePrimary | Fault::PauseBackup);
        let Some(victim) = victim.filter(|who| !pauses || self.processes[*who].paused.is_none()) else {
            return false;
        };
        self.note_what_may_be_lost(victim, primary);
        if pauses {
            self.processes[victim].paused = Some(self.now + PAUSE_STEPS);
        } else {
            self.kill(victim);
        }
        true
    }

    /// A pair may be lost only if a fault hits its last healthy half that is on record.
    fn note_what_may_be_lost(&mut self, victim: Who, primary: Option<Who>) {
        let healthy = |who: Who| self.processes[who].alive && self.processes[who].paused.is_none();
        let backup = self.record.as_ref().and_then(|record| record.backup).map(who_is);
        let other = if Some(victim) == primary { backup } else { primary };
        let counts = Some(victim) == primary || Some(victim) == backup;
        self.ledger.may_be_lost |= counts && !other.is_some_and(healthy);
    }

    pub(crate) fn answer_path(&mut self, client: usize) {
        self.clients[client].asks = false;
        match self.record.as_ref().map(|record| who_is(record.primary)) {
            None => self.clients[client].requester.handle_path_refused(FileError::NO_SUCH_PROCESS),
            Some(primary) => {
                let way = self.make_path(client, primary, true);
                self.clients[client].requester.handle_standby(number(way));
                let open = self.clients[client].open;
                self.processes[primary].inbox.push_back(Notice::NewPath { open, way });
            }
        }
        self.send_requests(client);
    }

    pub(crate) fn rule(&mut self, who: Who) {
        let at = self.asked.iter().position(|(asker, ..)| *asker == who).expect("it has asked");
        let (_, change, _) = self.asked.remove(at);
        let out = self.begun && self.scenario.outage.contains(&self.now);
        // A switch whose answer is lost is not played: "unavailable" promises that nothing was written.
        let lost =
            out && self.scenario.outage_is == Outage::AnswersLost && !matches!(change, Change::Switch { .. });
        let outcome = if out && !lost { None } else { Some(self.decide(who, &change)) };
        let told = outcome.filter(|_| !lost).unwrap_or(Recorded::Unavailable { why: String::new() });
        self.processes[who].inbox.push_back(Notice::Event(Event::Recorded(told)));
    }

    fn decide(&mut self, who: Who, change: &Change) -> Recorded {
        let Some(record) = &self.record else {
            return Recorded::Refused { current: None, why: "there is no such name".into() };
        };
        match rule(record, phandle(who), change) {
            Ruling::Write(new) => {
                let epoch = new.epoch;
                self.record = Some(new);
                Recorded::Done { epoch }
            }
            Ruling::Already(epoch) => Recorded::Done { epoch },
            Ruling::Refuse(why) => Recorded::Refused { current: self.record.clone(), why: why.into() },
        }
    }

    pub(crate) fn start_backup(&mut self, who: Who) {
        self.processes[who].start_asked = false;
        let event = if self.begun && self.scenario.no_cpu.contains(&self.now) {
            Event::BackupFailed { wait_for_cpu: true }
        } else {
            let backup = phandle(self.processes.len());
            let pair = Pair::backup(self.processes[who].pair.epoch(), self.processes[who].phandle);
            self.processes.push(Process::new(backup, pair, self.bug));
            Event::BackupStarted { backup }
        };
        self.processes[who].inbox.push_back(Notice::Event(event));
    }

    pub(crate) fn give_order(&mut self) {
        let (_, order) = self.scenario.orders[self.orders_given];
        let primary = who_is(self.record.as_ref().expect("the name exists").primary);
        let event = if order == Order::Stop {
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
    pub(crate) fn name_is_lost(&self) -> bool {
        let Some(record) = &self.record else { return false };
        let dead = record.primary;
        !self.at(dead).alive
            && (ends_with(record, dead) || survivor(record, dead).is_some_and(|other| !self.at(other).alive))
    }
}
