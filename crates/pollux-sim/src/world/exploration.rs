//! What a model checker needs of a world: every step at every moment, and when two worlds are the same.
//!
//! A model checker looks at all orders of steps, so that no step may wait for a count of steps: a question is ruled on at
//! any moment, a pause ends at any moment, a half that is not answered loses its patience at any moment. Those moments
//! are steps of the checker's own.

use super::process::{Notice, Process, Who};
use super::{Step, World, who_is};
use crate::checks::check;
use crate::history::Call;
use crate::plan::OutageIs;
use pollux_core::pair::{Command, Event};
use pollux_wire::checkpoint::CHECKPOINT;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

impl World {
    /// From here on nothing waits for the clock.
    pub fn without_time(&mut self) {
        self.timeless = true;
        self.asked.iter_mut().for_each(|(_, _, not_before)| *not_before = 0);
    }

    /// A step, and with it the work that belongs to it: what a half does that nobody else can see is taken together with what
    /// it does next. A crash, a pause or a step of another between the two is one before both. The promises are looked at
    /// after each part.
    pub fn perform_as_one(&mut self, step: Step) -> Result<(), String> {
        let who = match step {
            Step::TakeNotice(who)
            | Step::TakeFrame(who)
            | Step::HearOfDeath(who)
            | Step::Read(who, _)
            | Step::Execute(who)
            | Step::FinishState(who)
            | Step::Drained(who)
            | Step::Work(who)
            | Step::Release(who) => who,
            _ => {
                self.perform(step);
                return check(self);
            }
        };
        let mut step = step;
        let mut seen = false;
        loop {
            seen |= self.is_seen(step);
            self.perform(step);
            check(self)?;
            let process = &self.processes[who];
            step = match process.work.front() {
                _ if !process.alive => return Ok(()),
                Some(_) => Step::Work(who),
                None if process.can_release() => Step::Release(who),
                None => return Ok(()),
            };
            if seen && self.is_seen(step) {
                return Ok(());
            }
        }
    }

    /// True if others than the half itself can see that it took this step.
    fn is_seen(&self, step: Step) -> bool {
        match step {
            Step::Execute(_) | Step::Read(..) | Step::FinishState(_) | Step::Drained(_) => false,
            Step::HearOfDeath(_) => false,
            Step::TakeNotice(who) => {
                matches!(self.processes[who].inbox.front(), Some(Notice::NewPath { .. }))
            }
            Step::TakeFrame(who) => {
                let partner = self.processes[who].pair.partner().map(who_is);
                let frames = partner.and_then(|partner| self.frames.get(&(partner, who)));
                frames.and_then(|frames| frames.front()).is_none_or(|frame| frame.kind == CHECKPOINT)
            }
            Step::Work(who) => !matches!(
                self.processes[who].next_command(),
                Some(
                    Command::SendState { .. }
                        | Command::Quiesce
                        | Command::Resume
                        | Command::Promote { .. }
                        | Command::Probe
                        | Command::Demote { .. }
                        | Command::ReportPaired { .. }
                        | Command::ReportAlone { .. }
                        | Command::ReportNotSwitched { .. }
                )
            ),
            _ => true,
        }
    }

    /// The halves that stand still.
    pub fn sleepers(&self) -> impl Iterator<Item = Who> {
        let sleeps = |process: &Process| process.alive && process.paused.is_some();
        (0..self.processes.len()).filter(move |who| sleeps(&self.processes[*who]))
    }

    /// The pause of half `who` is over: it goes on, or whoever watches it kills it.
    pub fn wake(&mut self, who: Who) {
        if let Some(paused) = self.processes[who].paused {
            self.end_pause(who, paused);
        }
    }

    /// The halves that have a question with the coordinator.
    pub fn askers(&self) -> impl Iterator<Item = Who> {
        self.asked.iter().map(|(who, ..)| *who)
    }

    /// The coordinator is away when half `who` asks, or its answer is lost.
    pub fn rule_badly(&mut self, who: Who, outage: OutageIs) {
        self.rule_in(who, Some(outage));
    }

    /// The halves whose timers run, and whether what they wait for stands still.
    pub fn waiters(&self) -> impl Iterator<Item = (Who, bool)> {
        let waits = |process: &&Process| {
            process.alive
                && process.paused.is_none()
                && process.work.is_empty()
                && !process.can_release()
                && process.pair.wants_ticks()
        };
        let partner_sleeps = |process: &Process| {
            let partner = process.pair.partner().map(|partner| self.at(partner));
            partner.is_none_or(|partner| partner.paused.is_some())
        };
        let numbered = self.processes.iter().enumerate();
        numbered.filter(move |(_, process)| waits(process)).map(move |(who, p)| (who, partner_sleeps(p)))
    }

    /// The timer of half `who` ticks until that has an effect.
    pub fn wait_long(&mut self, who: Who) {
        while self.processes[who].work.is_empty() && self.processes[who].pair.wants_ticks() {
            self.processes[who].tell(Event::Tick);
        }
    }

    /// True while a requester waits for a half to speak and has no question with the daemon.
    pub fn someone_is_stuck(&self) -> bool {
        self.clients.iter().any(|client| client.is_stuck() && !client.asks)
    }

    /// Everything on which the future and the promises depend. Two worlds without time that give the hasher the same go on in
    /// the same way: left out are counts for people, the clock, of which only the order of the requests' begins and ends
    /// counts, and what nobody can see any more.
    pub fn identity(&self, hasher: &mut impl Hasher) {
        self.record.hash(hasher);
        (self.begun, self.orders_given, self.stop_told.is_some()).hash(hasher);
        for process in &self.processes {
            process.alive.hash(hasher);
            if process.alive {
                process.hash(hasher);
            } else {
                process.app.hash(hasher);
            }
        }
        self.identity_of_clients(hasher);
        for path in &self.paths {
            (path.client, path.server, path.held, path.closed, path.end_told).hash(hasher);
            if self.processes[path.server].alive {
                (&path.requests, path.void_until).hash(hasher);
            }
            if !path.end_told {
                path.messages.hash(hasher);
            }
        }
        for (way, frames) in self.frames.iter().filter(|(_, frames)| !frames.is_empty()) {
            (way, frames).hash(hasher);
        }
        for (who, change, _) in &self.asked {
            (who, change).hash(hasher);
        }
        self.cpus_away.hash(hasher);
        self.ledger.identity(hasher);
    }

    fn identity_of_clients(&self, hasher: &mut impl Hasher) {
        let calls = || self.clients.iter().flat_map(|client| &client.calls);
        let moments = calls().flat_map(|call| [Some(call.began), call.ended.map(|end| end.at)]);
        let mut ranks: BTreeMap<u64, usize> = moments.flatten().map(|moment| (moment, 0)).collect();
        ranks.values_mut().enumerate().for_each(|(rank, place)| *place = rank);
        for client in &self.clients {
            (&client.requester, client.asks, client.outstanding()).hash(hasher);
            // What a request does follows from its entry.
            for Call { entry, began, ended, .. } in &client.calls {
                let ended = ended.map(|end| (ranks[&end.at], end.told, end.epoch));
                (entry, ranks[began], ended).hash(hasher);
            }
        }
    }
}
