//! One server under the quorum rules.
//!
//! What this decides: when to propose what to the coordinator, and when this server acts. What it does not: which of
//! two proposals wins.
//!
//! What makes two acting masters impossible, in the order of the argument:
//! 1. An acting master renews with a proposal that compares `acting` with its own record, and acts only until `fence`
//!    after the *sending* of the last one that got through.
//! 2. Who takes over compares, in one proposal, `acting`, the stamp of the content it has on disk, and the signs of life it
//!    watched unchanged for `deadline` of the old master and of each better-ranked server. So a renewal before it makes it
//!    fail, and one after it fails itself.
//! 3. A mastership belongs to one life of a server. Who finds itself on record without knowing why (restart, lost
//!    answer) takes a new epoch, which kills all that is still under way for the old one.
//! 4. Who hands over stops to act *before* the proposal is sent.
//!
//! Each proposal also renews the proposer's sign of life and compares the previous one, so a server that cannot hear the
//! coordinator falls silent though it can be heard.

use super::copies::{Copies, Saved};
use super::records::{Acting, Beat, Expect, Incarnation, Proposal, Records};
use super::watch::Watch;
use super::{
    Answer, Command, Event, Notice, Outcome, Problem, RECOVERY_EPOCH_STEP, REQUESTS_WAITING_MAX, Role,
    Status, Tick, Timing,
};
use crate::content::{Change, Content, RequestId, View};
use crate::name::{Aliases, ServerName};
use pollux_wire::Epoch;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Ours is what the proposal was for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Purpose {
    Beat,
    Take(Epoch),
    Change { request: RequestId, content: Arc<Content>, hands_over: bool },
    HandOver,
    Leave,
    Create(Epoch, Arc<Content>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct UnderWay {
    number: u64,
    sent: Tick,
    beat: Option<Beat>,
    purpose: Purpose,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    /// Not acting.
    Following,
    /// Acting until `fence` after `renewed`.
    Acting { epoch: Epoch, renewed: Tick },
    /// Does nothing more but leave its record.
    Left,
}

/// A server's machine under the quorum rules.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Quorum {
    me: ServerName,
    incarnation: Incarnation,
    timing: Timing,
    aliases: Aliases,
    state: State,
    records: Records,
    /// The records were read after the last proposal ended, so they show what it did.
    records_fresh: bool,
    watch: Watch,
    saved: Saved,
    local: Option<Arc<Content>>,
    /// The local content has its domain file text.
    whole: bool,
    highest_epoch: Epoch,
    highest_order: (Epoch, u64),
    read: Option<(u64, Tick)>,
    read_next: Tick,
    proposal: Option<UnderWay>,
    number: u64,
    beat_next: Tick,
    vacant_since: Option<Tick>,
    /// Changes wait since then, so that a better-ranked server can catch up.
    held_since: Option<Tick>,
    leaving: bool,
    create: Option<bool>,
    requests: VecDeque<(RequestId, Epoch, Change)>,
    told_master: Option<(ServerName, Epoch)>,
    told_problem: Option<Problem>,
    commands: VecDeque<Command>,
}

impl Quorum {
    pub(super) fn new(me: ServerName, incarnation: Incarnation, timing: Timing, copies: Copies) -> Self {
        let saved = Saved::new(&copies);
        let (local, whole) = copies.newest().map_or((None, false), |(content, whole)| (Some(content), whole));
        Self {
            me,
            incarnation,
            timing,
            aliases: Aliases::new(),
            state: State::Following,
            records: Records::default(),
            records_fresh: false,
            watch: Watch::default(),
            highest_epoch: saved.epoch(),
            saved,
            highest_order: local.as_ref().map_or((Epoch(0), 0), |content| content.stamp.order()),
            local,
            whole,
            read: None,
            read_next: Tick(0),
            proposal: None,
            number: 0,
            beat_next: Tick(0),
            vacant_since: None,
            held_since: None,
            leaving: false,
            create: None,
            requests: VecDeque::new(),
            told_master: None,
            told_problem: None,
            commands: VecDeque::new(),
        }
    }

    pub(super) fn handle(&mut self, now: Tick, event: Event) {
        self.look_at_the_clock(now);
        match event {
            Event::Tick => {}
            Event::Read { number, records } => self.handle_read(now, number, records),
            Event::Proposed { number, outcome } => self.handle_proposed(now, number, outcome),
            Event::Saved { number, done } => self.handle_saved(now, number, done),
            Event::Message { .. } | Event::Known { .. } => {}
            Event::Request { request, epoch, change } => self.handle_request(now, request, epoch, change),
            Event::Leave => self.leaving = true,
            Event::Create { recover } => self.create = Some(recover),
        }
        self.decide(now);
    }

    pub(super) fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    pub(super) fn status(&self, now: Tick) -> Status {
        let mut running: BTreeSet<ServerName> = self.watch.living().cloned().collect();
        running.insert(self.me.clone());
        Status {
            role: role(self.content(), &self.me),
            acting: self.master(now),
            acts: self.acts(now),
            in_step: self.in_step(),
            running: running.into_iter().collect(),
        }
    }

    pub(super) fn acts_in(&self, now: Tick) -> Option<Epoch> {
        self.epoch().filter(|_| self.acts(now))
    }

    pub(super) fn content(&self) -> Option<&Arc<Content>> {
        self.records.content.as_ref().or(self.local.as_ref())
    }

    /// What DNS said about names; used by changes from the next on.
    pub fn set_aliases(&mut self, aliases: Aliases) {
        self.aliases = aliases;
    }

    fn master(&self, now: Tick) -> Option<(ServerName, Epoch)> {
        let acting = self.records.acting.as_ref()?;
        let there = if acting.server == self.me { self.acts(now) } else { self.watch.lives(&acting.server) };
        there.then(|| (acting.server.clone(), acting.epoch))
    }

    fn acts(&self, now: Tick) -> bool {
        matches!(self.state, State::Acting { renewed, .. } if now.since(renewed) < self.timing.fence)
    }

    fn listed(&self) -> bool {
        self.records.content.as_ref().is_some_and(|content| content.list.contains(&self.me))
    }

    fn in_step(&self) -> bool {
        let stamp = self.records.content.as_ref().map(|content| &content.stamp);
        stamp.is_some_and(|stamp| self.saved.holds(stamp, self.listed()))
    }

    // ---- events ----

    fn look_at_the_clock(&mut self, now: Tick) {
        if self.read.is_some_and(|(_, sent)| now.since(sent) >= self.timing.answer) {
            self.read = None;
        }
        if let Some(number) =
            self.proposal.as_ref().filter(|p| now.since(p.sent) >= self.timing.answer).map(|p| p.number)
        {
            self.handle_proposed(now, number, Outcome::Unknown);
        }
        if matches!(self.state, State::Acting { .. }) && !self.acts(now) {
            self.step_down(now);
        }
    }

    fn handle_read(&mut self, now: Tick, number: u64, records: Option<Records>) {
        let Some((_, sent)) = self.read.take_if(|(wanted, _)| *wanted == number) else { return };
        let Some(records) = records else { return };
        self.read_next = Tick(sent.0 + self.timing.beat);
        if self.went_back(now, &records) {
            return;
        }
        for (name, running) in self.watch.read(sent, now, &records.beats, &self.timing) {
            self.notice(Notice::Server { name, running });
        }
        if records.content != self.records.content
            && let Some(content) = &records.content
        {
            self.notice(Notice::Content { stamp: content.stamp.clone(), by: content.done.last().copied() });
        }
        self.records = records;
        self.records_fresh = true;
        let mine = self.records.acting.as_ref().filter(|acting| acting.server == self.me);
        if let State::Acting { epoch, .. } = self.state
            && mine.is_none_or(|acting| acting.epoch != epoch || acting.incarnation != Some(self.incarnation))
        {
            self.step_down(now);
        }
        self.tell_master(now);
    }

    /// S11: a coordinator that holds an older epoch than this server saw has lost changes. Nothing is taken from it.
    fn went_back(&mut self, now: Tick, records: &Records) -> bool {
        let found = records.acting.as_ref().map_or(Epoch(0), |acting| acting.epoch);
        let problem = match &records.content {
            None => Problem::NoRecords,
            Some(content) if found < self.highest_epoch || content.stamp.order() < self.highest_order => {
                Problem::CoordinatorWentBack { found, seen: self.highest_epoch }
            }
            Some(content) => {
                self.highest_epoch = found;
                self.highest_order = content.stamp.order();
                return false;
            }
        };
        // The store's own acting master and beats stay known: an operator's recovery compares them.
        self.records = Records { content: None, ..records.clone() };
        self.records_fresh = true;
        self.step_down(now);
        self.problem(problem);
        true
    }

    fn handle_proposed(&mut self, now: Tick, number: u64, outcome: Outcome) {
        let Some(ended) = self.proposal.take_if(|proposal| proposal.number == number) else { return };
        match outcome {
            Outcome::Committed => self.committed(now, ended),
            Outcome::NotDone => {
                // Surely as before; the next beat asks again.
                self.beat_next = Tick(now.0 + self.timing.beat);
                if matches!(ended.purpose, Purpose::HandOver | Purpose::Change { hands_over: true, .. }) {
                    self.answer_waiting(ended.purpose, Answer::Busy);
                    self.read_again();
                }
            }
            // The records here are older than the coordinator's. A change waits in `requests` and is judged anew.
            Outcome::Conflict => {
                if let Purpose::Change { request, hands_over: true, .. } = ended.purpose {
                    self.answer(request, Answer::NotMaster);
                }
                self.read_again();
            }
            Outcome::Unknown => {
                self.answer_waiting(ended.purpose, Answer::Unknown);
                self.read_again();
            }
        }
    }

    fn committed(&mut self, now: Tick, ended: UnderWay) {
        // A read that is under way may show the time before the commit.
        self.read = None;
        if let Some(beat) = ended.beat {
            Arc::make_mut(&mut self.records.beats).insert(self.me.clone(), beat);
        }
        if let State::Acting { renewed, .. } = &mut self.state {
            *renewed = ended.sent;
        }
        match ended.purpose {
            Purpose::Beat => {}
            Purpose::Take(epoch) => self.begin_to_act(now, epoch, ended.sent),
            Purpose::Create(epoch, content) => {
                self.highest_order = content.stamp.order();
                self.records.content = Some(content);
                self.begin_to_act(now, epoch, ended.sent);
            }
            Purpose::Change { request, content, hands_over } => {
                // Outside the fence a successor may act already; "unknown" is always true (S14).
                let answer = if hands_over || self.acts(now) {
                    Answer::Done(content.stamp.clone())
                } else {
                    Answer::Unknown
                };
                self.notice(Notice::Content { stamp: content.stamp.clone(), by: Some(request) });
                self.answer_waiting(
                    Purpose::Change { request, content: content.clone(), hands_over },
                    answer,
                );
                self.records.content = Some(content);
                if hands_over {
                    self.read_again();
                }
            }
            Purpose::HandOver => self.read_again(),
            Purpose::Leave => self.state = State::Left,
        }
    }

    fn begin_to_act(&mut self, now: Tick, epoch: Epoch, sent: Tick) {
        debug_assert!(epoch >= self.highest_epoch, "S11");
        self.highest_epoch = epoch;
        let (server, incarnation) = (self.me.clone(), Some(self.incarnation));
        self.records.acting = Some(Acting { server, incarnation, epoch });
        self.state = State::Acting { epoch, renewed: sent };
        self.vacant_since = None;
        self.tell_master(now);
    }

    fn handle_saved(&mut self, now: Tick, number: u64, done: bool) {
        let retry_at = Tick(now.0 + self.timing.beat);
        if self.saved.answered(number, done, retry_at) {
            // The others should soon know that this server is able to act.
            self.beat_next = now;
        } else if !done {
            self.problem(Problem::CannotSave);
        }
    }

    fn handle_request(&mut self, now: Tick, request: RequestId, epoch: Epoch, change: Change) {
        if self.requests.iter().any(|(waiting, ..)| *waiting == request) {
            return; // Repeated while it waits: one answer.
        }
        let answer = match &self.records.content {
            Some(content) if self.acts(now) && content.has_done(request) => {
                Answer::Done(content.stamp.clone())
            }
            _ if !self.acts(now) || self.epoch() != Some(epoch) || self.leaving => Answer::NotMaster,
            _ if self.requests.len() >= REQUESTS_WAITING_MAX => Answer::Busy,
            _ => return self.requests.push_back((request, epoch, change)),
        };
        self.answer(request, answer);
    }

    // ---- decisions ----

    fn decide(&mut self, now: Tick) {
        if matches!(self.state, State::Left) {
            return;
        }
        self.keep_files(now);
        if self.proposal.is_none() && self.records_fresh {
            self.propose(now);
        }
        let due = !self.records_fresh || now >= self.read_next;
        if self.read.is_none() && due {
            self.number += 1;
            self.read = Some((self.number, now));
            self.commands.push_back(Command::Read { number: self.number });
        }
    }

    fn keep_files(&mut self, now: Tick) {
        let Some(content) = self.records.content.clone() else { return };
        let save = self.saved.save(now, &content, self.highest_epoch, self.listed(), None);
        self.commands.extend(save);
    }

    /// At most one proposal, the most urgent first.
    fn propose(&mut self, now: Tick) {
        if let Some(recover) = self.create {
            return self.propose_create(now, recover);
        }
        if self.records.content.is_none() {
            return;
        }
        match self.state {
            State::Acting { epoch, .. } => self.propose_as_master(now, epoch),
            State::Following if self.leaving => self.propose_leave(now),
            State::Following => {
                if let Some(proposal) = self.pass_on(now) {
                    self.send(now, proposal, Purpose::HandOver);
                } else if let Some(proposal) = self.may_take(now) {
                    let epoch = proposal.acting.as_ref().map_or(self.highest_epoch, |acting| acting.epoch);
                    self.send(now, proposal, Purpose::Take(epoch));
                } else if now >= self.beat_next {
                    self.send(now, Proposal::default(), Purpose::Beat);
                }
            }
            State::Left => {}
        }
    }

    fn propose_as_master(&mut self, now: Tick, epoch: Epoch) {
        let as_master =
            Proposal { acting_is: Expect::Is(self.records.acting.clone()), ..Proposal::default() };
        let heir = self.heir();
        if heir.is_none() && self.leaving {
            // Nobody is able at this moment; whoever is first will see that this server's record is gone.
            return self.step_down(now);
        }
        if let Some(heir) = heir {
            self.step_down(now);
            let acting = Some(Acting { server: heir, incarnation: None, epoch: epoch.next() });
            let stamp_is = Expect::Is(self.records.content.as_ref().map(|content| content.stamp.clone()));
            return self.send(now, Proposal { acting, stamp_is, ..as_master }, Purpose::HandOver);
        }
        if now >= self.beat_next {
            return self.send(now, as_master, Purpose::Beat);
        }
        if self.holds_changes(now) {
            return;
        }
        let Some((request, _, change)) = self.requests.front().cloned() else { return };
        let Some(old) = self.records.content.clone() else { return };
        if old.has_done(request) {
            self.requests.pop_front();
            return self.answer(request, Answer::Done(old.stamp.clone()));
        }
        let running = self.running();
        let view = View { aliases: &self.aliases, running: &running };
        let new = match old.changed(epoch, &self.me, request, &change, &view) {
            Ok(new) => Arc::new(new),
            Err(refusal) => {
                self.requests.pop_front();
                return self.answer(request, Answer::Refused(refusal));
            }
        };
        // DELETE_BACKUP of the acting master: one proposal removes and hands over.
        let next = new.list.entries().iter().find(|name| running.contains(*name)).cloned();
        let hands_over = !new.list.contains(&self.me);
        let acting = next.filter(|_| hands_over);
        let acting = acting.map(|server| Acting { server, incarnation: None, epoch: epoch.next() });
        if hands_over {
            self.requests.pop_front();
            self.step_down(now);
        }
        let stamp_is = Expect::Is(Some(old.stamp.clone()));
        let proposal = Proposal { acting, stamp_is, content: Some(new.clone()), ..as_master };
        self.send(now, proposal, Purpose::Change { request, content: new, hands_over });
    }

    /// To whom the mastership goes at this moment, if to anyone else.
    fn heir(&self) -> Option<ServerName> {
        let content = self.records.content.as_ref()?;
        let ready =
            |name: &&ServerName| **name != self.me && self.watch.lives(name) && self.is_able(name, content);
        let entries = content.list.entries();
        if self.leaving {
            return entries.iter().find(ready).cloned();
        }
        // L4, and no flapping: the better-ranked server must have been there for a while.
        let rank = content.list.position(&self.me).unwrap_or(entries.len());
        entries[..rank].iter().find(|name| ready(name) && self.watch.steady(name, &self.timing)).cloned()
    }

    /// Whether changes wait, for one of two reasons.
    ///
    /// A commit voids the read that is under way, so an unbroken row of changes would hide from this server who came and who went.
    ///
    /// And a better-ranked server that has been back for a while must come to hold the newest content: with a change in each of its
    /// beats it never would, and the mastership would stay here (L4). It has a deadline for it; one that cannot catch up, as
    /// its disk is broken, delays changes once in a stable time.
    fn holds_changes(&mut self, now: Tick) -> bool {
        if now.since(self.read_next) >= self.timing.fence {
            return true;
        }
        let Some(content) = &self.records.content else { return false };
        let entries = content.list.entries();
        let rank = content.list.position(&self.me).unwrap_or(entries.len());
        let lags = |name: &ServerName| self.watch.steady(name, &self.timing) && !self.is_able(name, content);
        if !entries[..rank].iter().any(lags) {
            return false;
        }
        let again = self.timing.deadline + self.timing.stable;
        let since = self.held_since.filter(|since| now.since(*since) < again).unwrap_or(now);
        self.held_since = Some(since);
        now.since(since) < self.timing.deadline
    }

    /// This server is on record and cannot act: it left the list, or its files cannot be brought in step. It gives signs of life,
    /// so nobody would take over from it.
    fn pass_on(&mut self, now: Tick) -> Option<Proposal> {
        let content = self.records.content.clone()?;
        let acting = self.records.acting.clone().filter(|acting| acting.server == self.me)?;
        let able = self.listed() && self.in_step();
        let since = *self.vacant_since.get_or_insert(now);
        if able || (self.listed() && now.since(since) < self.timing.deadline) {
            return None;
        }
        let ready =
            |name: &&ServerName| **name != self.me && self.watch.lives(name) && self.is_able(name, &content);
        let heir = content.list.entries().iter().find(ready).cloned()?;
        Some(Proposal {
            acting: Some(Acting { server: heir, incarnation: None, epoch: acting.epoch.next() }),
            acting_is: Expect::Is(Some(acting)),
            stamp_is: Expect::Is(Some(content.stamp.clone())),
            ..Proposal::default()
        })
    }

    fn is_able(&self, name: &ServerName, content: &Content) -> bool {
        self.records.beats.get(name).is_some_and(|beat| beat.in_step.as_ref() == Some(&content.stamp))
    }

    /// The proposal to take the mastership, if this server should.
    fn may_take(&mut self, now: Tick) -> Option<Proposal> {
        let content = self.records.content.clone()?;
        let rank = content.list.position(&self.me)?;
        if !self.in_step() {
            return None; // S13: the older domain file is replaced before its server acts.
        }
        let old = self.records.acting.clone();
        let mut beats_are = Vec::new();
        let mut epoch = old.as_ref().map_or(self.highest_epoch, |acting| acting.epoch).next();
        match &old {
            Some(acting) if acting.server == self.me => {
                if acting.incarnation.is_none() {
                    epoch = acting.epoch; // It was handed to this server, in an epoch that nobody used yet.
                }
            }
            _ => {
                let gone = old.as_ref().is_none_or(|acting| !self.watch.lives(&acting.server));
                let better = &content.list.entries()[..rank];
                let first = !better.iter().any(|name| self.watch.lives(name) && self.is_able(name, &content));
                if !gone || !first {
                    self.vacant_since = None;
                    return None;
                }
                let since = *self.vacant_since.get_or_insert(now);
                if now.since(since) < rank as u64 * self.timing.rank {
                    return None;
                }
                // S13: all who would come first are still as silent as they were when they were last looked at.
                let old = old.iter().map(|acting| &acting.server).filter(|server| !better.contains(server));
                for name in better.iter().chain(old) {
                    beats_are.push((name.clone(), self.records.beats.get(name).cloned()));
                }
            }
        }
        Some(Proposal {
            acting_is: Expect::Is(old),
            stamp_is: Expect::Is(Some(content.stamp.clone())),
            beats_are,
            acting: Some(Acting { server: self.me.clone(), incarnation: Some(self.incarnation), epoch }),
            ..Proposal::default()
        })
    }

    fn propose_leave(&mut self, now: Tick) {
        let own = self.records.beats.get(&self.me).cloned();
        let proposal = Proposal {
            beats_are: vec![(self.me.clone(), own)],
            beat: Some((self.me.clone(), None)),
            ..Proposal::default()
        };
        self.send_raw(now, proposal, None, Purpose::Leave);
    }

    fn propose_create(&mut self, now: Tick, recover: bool) {
        self.create = None;
        let Some(mut local) = self.local.clone().filter(|_| self.whole) else {
            return self.problem(Problem::NoRecords);
        };
        let found =
            self.records.acting.as_ref().map_or(Epoch(0), |acting| acting.epoch).max(self.highest_epoch);
        let epoch =
            if recover { Epoch(found.0 + RECOVERY_EPOCH_STEP) } else { found.max(local.stamp.epoch).next() };
        if recover {
            local = Arc::new(local.recovered(epoch, &self.me));
        }
        let (server, incarnation) = (self.me.clone(), Some(self.incarnation));
        let proposal = Proposal {
            acting_is: Expect::Is(self.records.acting.clone()),
            // A second creation must not replace a domain that lives.
            stamp_is: if recover { Expect::Any } else { Expect::Is(None) },
            acting: Some(Acting { server, incarnation, epoch }),
            content: Some(local.clone()),
            ..Proposal::default()
        };
        self.send(now, proposal, Purpose::Create(epoch, local));
    }

    /// Sends a proposal with this server's next sign of life.
    fn send(&mut self, now: Tick, mut proposal: Proposal, purpose: Purpose) {
        let own = self.records.beats.get(&self.me).cloned();
        let same_life = own.as_ref().filter(|beat| beat.incarnation == self.incarnation);
        let in_step = self.records.content.as_ref().filter(|_| self.in_step() && !self.leaving);
        let beat = Beat {
            incarnation: self.incarnation,
            count: same_life.map_or(1, |beat| beat.count + 1),
            in_step: in_step.map(|content| content.stamp.clone()),
        };
        proposal.beats_are.push((self.me.clone(), own));
        proposal.beat = Some((self.me.clone(), Some(beat.clone())));
        self.send_raw(now, proposal, Some(beat), purpose);
    }

    fn send_raw(&mut self, now: Tick, proposal: Proposal, beat: Option<Beat>, purpose: Purpose) {
        self.number += 1;
        self.beat_next = Tick(now.0 + self.timing.beat);
        self.proposal = Some(UnderWay { number: self.number, sent: now, beat, purpose });
        self.commands.push_back(Command::Propose { number: self.number, proposal: Box::new(proposal) });
    }

    // ---- small steps ----

    fn step_down(&mut self, now: Tick) {
        self.state = State::Following;
        // Those that were never sent, or surely refused, are not done. The one that is under way gets its own answer.
        let sent = self.proposal.as_ref().and_then(|proposal| match &proposal.purpose {
            Purpose::Change { request, .. } => Some(*request),
            _ => None,
        });
        for (request, ..) in std::mem::take(&mut self.requests) {
            self.answer(request, if Some(request) == sent { Answer::Unknown } else { Answer::NotMaster });
        }
        self.tell_master(now);
    }

    fn read_again(&mut self) {
        self.records_fresh = false;
        self.read = None;
    }

    fn answer_waiting(&mut self, purpose: Purpose, answer: Answer) {
        if let Purpose::Change { request, hands_over, .. } = purpose {
            let before = self.requests.len();
            self.requests.retain(|(waiting, ..)| *waiting != request);
            if hands_over || self.requests.len() < before {
                self.answer(request, answer);
            }
        }
    }

    fn answer(&mut self, request: RequestId, answer: Answer) {
        self.commands.push_back(Command::Answer { request, answer });
    }

    fn notice(&mut self, notice: Notice) {
        self.commands.push_back(Command::Notice(notice));
    }

    fn problem(&mut self, problem: Problem) {
        if self.told_problem.as_ref() != Some(&problem) {
            self.told_problem = Some(problem.clone());
            self.notice(Notice::Problem(problem));
        }
    }

    fn tell_master(&mut self, now: Tick) {
        let acting = self.master(now);
        if acting != self.told_master {
            self.told_master.clone_from(&acting);
            self.notice(Notice::Master { acting });
        }
    }

    fn epoch(&self) -> Option<Epoch> {
        match self.state {
            State::Acting { epoch, .. } => Some(epoch),
            State::Following | State::Left => None,
        }
    }

    fn running(&self) -> BTreeSet<ServerName> {
        let mut running: BTreeSet<ServerName> = self.watch.living().cloned().collect();
        if self.leaving {
            running.remove(&self.me);
        } else {
            running.insert(self.me.clone());
        }
        running
    }
}

pub(super) fn role(content: Option<&Arc<Content>>, me: &ServerName) -> Role {
    match content.and_then(|content| content.list.position(me)) {
        Some(0) => Role::Master,
        Some(_) => Role::Backup,
        None => Role::Peer,
    }
}
