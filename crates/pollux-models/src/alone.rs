//! Alone needs consent (S6): two halves that may be wrong about each other, and the record between them.
//!
//! On one host a death is proven before anybody hears of it. Here it is not: a half may be told that the other one is dead
//! while that one lives, goes on, and comes back with a question of its own. What is left is the record. It must be enough:
//! whoever loses there ends, and answers nothing that the winner does not know.
//!
//! ```text
//!   half 0 (primary) ---- checkpoints ----> half 1 (backup)        a cut channel loses what is in it;
//!        \                                   /                     each side hears of "the other's death"
//!         `-- remove half 1 --> record <-- take over from half 0 --'
//! ```
//!
//! The machines are `Pair`, `OutputQueue` and `directory::rule`. A request is a number that is appended to a log. Questions
//! wait at the coordinator and answers on their way for any time, in any order between the halves; some are lost.

use crate::explore::{Told, guarded};
use pollux_core::directory::{Ruling, rule};
use pollux_core::output::OutputQueue;
use pollux_core::pair::{Command, Event, Handled, Pair};
use pollux_wire::control::{Change, Recorded, StateKeeping};
use pollux_wire::record::NameRecord;
use pollux_wire::{CheckpointNumber, CpuNumber, Epoch, Phandle, Pin, ProcessName};
use stateright::{Model, Property};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// A half, by its place.
pub type Who = usize;

/// How much may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Requests.
    pub requests: u8,
    /// Halves that there ever are.
    pub halves: u8,
    /// Halves that are told that the other one is dead while it lives.
    pub suspicions: u8,
    /// Halves that die.
    pub deaths: u8,
    /// Questions to which the coordinator is away, or whose answer is lost.
    pub outages: u8,
    /// Exchanges of roles that the operator wants.
    pub switches: u8,
}

/// An error that is put in around the machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// A primary takes a removal for done without asking.
    AloneUnrecorded,
    /// A half takes a refusal for consent.
    RefusalIgnored,
    /// A half takes "away" for consent.
    AwayIsConsent,
    /// Replies do not wait for the gate.
    GateIgnored,
    /// A change does not raise the epoch.
    EpochStandsStill,
}

/// What is explored.
#[derive(Debug, Clone)]
pub struct AloneModel {
    /// How much may happen.
    pub budget: Budget,
    /// What is wrong.
    pub flaw: Option<Flaw>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Frame {
    Checkpoint { number: CheckpointNumber, log: Vec<u8> },
    Acknowledge(CheckpointNumber),
    InStep,
    OnRecord(Epoch),
    Switch(Epoch),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Half {
    pair: Pair,
    alive: bool,
    log: Vec<u8>,
    held: OutputQueue<u8>,
    sent: CheckpointNumber,
    takes_input: bool,
    start_asked: bool,
    answers: VecDeque<Recorded>,
    /// The channel to this half has ended, and it was not told yet.
    cut: Option<Who>,
}

/// The halves, the record, what is on its way, what was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    halves: Vec<Half>,
    record: NameRecord,
    asked: Vec<(Who, Change)>,
    frames: BTreeMap<(Who, Who), VecDeque<Frame>>,
    /// Answered requests and their places in the log.
    answered: BTreeMap<u8, usize>,
    speakers: BTreeMap<Epoch, Who>,
    left: Budget,
    broken: Option<String>,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A half that takes itself for the primary executes a request.
    Execute(Who),
    /// A reply leaves.
    Reply(Who),
    /// A half takes in a frame of another.
    Take(Who, Who),
    /// The coordinator rules.
    Rule(Who),
    /// The coordinator is away.
    Away(Who),
    /// The coordinator rules, and its answer is lost.
    AnswerLost(Who),
    /// A half takes in an answer.
    Hear(Who),
    /// A half is told that the other one is dead: its channel has ended.
    HearOfDeath(Who),
    /// The channel between two halves is cut while both live.
    Cut(Who, Who),
    /// A half dies.
    Die(Who),
    /// The daemon starts a backup.
    StartBackup(Who),
    /// An operator wants the roles exchanged.
    Switch(Who),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Execute(who) => write!(f, "half {who} executes a request"),
            Self::Reply(who) => write!(f, "half {who} lets a reply go"),
            Self::Take(who, from) => write!(f, "half {who} takes in a frame of half {from}"),
            Self::Rule(who) => write!(f, "the coordinator rules on what half {who} asked"),
            Self::Away(who) => write!(f, "FAULT: the coordinator is away when half {who} asks"),
            Self::AnswerLost(who) => write!(f, "FAULT: the answer to half {who} is lost"),
            Self::Hear(who) => write!(f, "half {who} hears what the coordinator said"),
            Self::HearOfDeath(who) => write!(f, "half {who} is told that the other half is dead"),
            Self::Cut(one, two) => write!(f, "FAULT: halves {one} and {two} hear no more of each other"),
            Self::Die(who) => write!(f, "FAULT: half {who} dies"),
            Self::StartBackup(who) => write!(f, "the daemon starts a backup for half {who}"),
            Self::Switch(who) => write!(f, "an operator tells half {who} to exchange the roles"),
        }
    }
}

fn phandle(who: Who) -> Phandle {
    let cpu = CpuNumber::new(who as u8 % 2).expect("a CPU");
    Phandle { named: true, cpu, pin: Pin(1), node: 0, incarnation: who as u16, sequence: 1 }
}

fn who_is(phandle: Phandle) -> Who {
    Who::from(phandle.incarnation)
}

impl Half {
    fn new(pair: Pair) -> Self {
        Self {
            pair,
            alive: true,
            log: Vec::new(),
            held: OutputQueue::default(),
            sent: CheckpointNumber(0),
            takes_input: true,
            start_asked: false,
            answers: VecDeque::new(),
            cut: None,
        }
    }

    fn partner(&self) -> Option<Who> {
        self.pair.partner().map(who_is)
    }
}

impl State {
    fn fail(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    fn tell(&mut self, who: Who, event: Event, model: &AloneModel) {
        let epoch = self.halves[who].pair.epoch();
        if let Handled::Impossible(why) = self.halves[who].pair.handle(event.clone()) {
            self.fail(format!("assertion: half {who}: {event:?}: {why}"));
        }
        if self.halves[who].pair.epoch() < epoch {
            self.fail(format!("S11: half {who} goes back from epoch {epoch}"));
        }
        while let Some(command) = self.halves[who].pair.poll_command() {
            self.obey(who, command, model);
        }
    }

    fn obey(&mut self, who: Who, command: Command, model: &AloneModel) {
        match command {
            Command::StartBackup => self.halves[who].start_asked = true,
            Command::SendState { .. } => {
                self.halves[who].sent = CheckpointNumber(0);
                let number = self.checkpoint(who, model);
                self.tell(who, Event::StateSent { number }, model);
            }
            Command::TellInStep { .. } => self.send(who, Frame::InStep),
            Command::TellOnRecord { epoch } => self.send(who, Frame::OnRecord(epoch)),
            Command::OrderSwitch { epoch } => self.send(who, Frame::Switch(epoch)),
            Command::Record(Change::RemoveBackup { .. }) if model.flaw == Some(Flaw::AloneUnrecorded) => {
                let epoch = self.halves[who].pair.epoch().next();
                self.tell(who, Event::Recorded(Recorded::Done { epoch }), model);
            }
            Command::Record(change) | Command::RecordLater(change) => self.asked.push((who, change)),
            Command::DropPartner => {
                self.frames.retain(|(from, to), _| *from != who && *to != who);
                self.halves[who].cut = None;
            }
            Command::Quiesce => {
                self.halves[who].takes_input = false;
                self.drained(who, model);
            }
            Command::Resume => self.halves[who].takes_input = true,
            Command::Promote { epoch, .. } => {
                self.speaks(who, epoch);
                let half = &mut self.halves[who];
                (half.takes_input, half.sent) = (true, CheckpointNumber(0));
            }
            Command::Demote { .. } => {
                self.halves[who].held.clear();
                self.halves[who].sent = CheckpointNumber(0);
            }
            Command::End(_) => self.halves[who].alive = false,
            // Nobody is slow here, and nobody stops the pair.
            Command::KillPartner | Command::OrderEnd => self.fail(format!("assertion: {command:?}")),
            Command::Probe
            | Command::ReportPaired { .. }
            | Command::ReportAlone { .. }
            | Command::ReportNotSwitched { .. } => {}
        }
    }

    fn start_backup(&mut self, who: Who, model: &AloneModel) {
        self.halves[who].start_asked = false;
        if self.halves.len() >= usize::from(self.left.halves) {
            return self.tell(who, Event::BackupFailed { wait_for_cpu: true }, model);
        }
        let backup = phandle(self.halves.len());
        self.halves.push(Half::new(Pair::backup(self.halves[who].pair.epoch(), phandle(who))));
        self.tell(who, Event::BackupStarted { backup }, model);
    }

    /// S1: in one epoch one half speaks.
    fn speaks(&mut self, who: Who, epoch: Epoch) {
        let speaker = *self.speakers.entry(epoch).or_insert(who);
        if speaker != who {
            self.fail(format!("S1: halves {speaker} and {who} both speak in epoch {epoch}"));
        }
    }

    fn checkpoint(&mut self, who: Who, model: &AloneModel) -> CheckpointNumber {
        let half = &mut self.halves[who];
        half.sent = half.sent.next();
        let (number, log) = (half.sent, half.log.clone());
        self.tell(who, Event::Sent { number }, model);
        self.send(who, Frame::Checkpoint { number, log });
        number
    }

    fn send(&mut self, who: Who, frame: Frame) {
        let Some(partner) = self.halves[who].partner() else { return };
        let channel_lives = self.halves[who].cut != Some(partner) && self.halves[partner].cut != Some(who);
        if channel_lives && self.halves[partner].alive && self.halves[partner].partner() == Some(who) {
            self.frames.entry((who, partner)).or_default().push_back(frame);
        }
    }

    fn take(&mut self, who: Who, from: Who, model: &AloneModel) {
        let frames = self.frames.get_mut(&(from, who)).expect("there is a frame");
        let frame = frames.pop_front().expect("there is a frame");
        if frames.is_empty() {
            self.frames.remove(&(from, who));
        }
        match frame {
            Frame::Checkpoint { number, log } => {
                self.halves[who].log = log;
                self.send(who, Frame::Acknowledge(number));
            }
            Frame::Acknowledge(number) => {
                self.tell(who, Event::Acknowledged { number }, model);
                self.drained(who, model);
            }
            Frame::InStep => self.tell(who, Event::InStep, model),
            Frame::OnRecord(epoch) => self.tell(who, Event::OnRecord { epoch }, model),
            Frame::Switch(epoch) => self.tell(who, Event::SwitchOrdered { epoch }, model),
        }
    }

    /// Tells a half that is quiesced when everything has left.
    fn drained(&mut self, who: Who, model: &AloneModel) {
        let half = &self.halves[who];
        let acknowledged = half.pair.gate().admits(half.sent);
        if !half.takes_input && half.pair.is_primary() && half.held.is_empty() && acknowledged {
            self.tell(who, Event::Drained, model);
        }
    }

    fn rule(&mut self, who: Who, model: &AloneModel) -> (Change, Recorded) {
        let at = self.asked.iter().position(|(asker, _)| *asker == who).expect("it has asked");
        let (_, change) = self.asked.remove(at);
        let outcome = match rule(&self.record, phandle(who), &change) {
            Ruling::Write(mut new) => {
                if model.flaw == Some(Flaw::EpochStandsStill) {
                    new.epoch = self.record.epoch;
                } else if new.epoch <= self.record.epoch {
                    self.fail(format!("S11: the record goes from {} to {}", self.record.epoch, new.epoch));
                }
                self.record = new;
                Recorded::Done { epoch: self.record.epoch }
            }
            Ruling::Already(epoch) => Recorded::Done { epoch },
            Ruling::Refuse(_) if model.flaw == Some(Flaw::RefusalIgnored) => {
                Recorded::Done { epoch: self.halves[who].pair.epoch().next() }
            }
            Ruling::Refuse(why) => Recorded::Refused { current: None, why: why.into() },
        };
        (change, outcome)
    }

    fn away(&self, who: Who, model: &AloneModel) -> Recorded {
        if model.flaw == Some(Flaw::AwayIsConsent) {
            Recorded::Done { epoch: self.halves[who].pair.epoch().next() }
        } else {
            Recorded::Unavailable { why: String::new() }
        }
    }

    /// True if a question of this half waits that may lose its answer. "Unavailable" promises that no roles were exchanged.
    fn may_lose(&self, who: Who) -> bool {
        let question = self.asked.iter().find(|(asker, _)| *asker == who);
        question.is_some_and(|(_, change)| !matches!(change, Change::Switch { .. }))
    }

    fn act(&mut self, action: Action, model: &AloneModel) {
        match action {
            Action::Execute(who) => {
                let request = self.left.requests;
                self.left.requests -= 1;
                self.halves[who].log.push(request);
                if self.halves[who].pair.checkpoints() {
                    self.checkpoint(who, model);
                }
                let number = self.halves[who].sent;
                self.halves[who].held.hold(number, request);
            }
            Action::Reply(who) => self.reply(who, model),
            Action::Take(who, from) => self.take(who, from, model),
            Action::Rule(who) => {
                let (_, outcome) = self.rule(who, model);
                self.halves[who].answers.push_back(outcome);
            }
            Action::Away(who) => {
                self.left.outages -= 1;
                let at = self.asked.iter().position(|(asker, _)| *asker == who).expect("it has asked");
                self.asked.remove(at);
                let outcome = self.away(who, model);
                self.halves[who].answers.push_back(outcome);
            }
            Action::AnswerLost(who) => {
                self.left.outages -= 1;
                self.rule(who, model);
                let outcome = self.away(who, model);
                self.halves[who].answers.push_back(outcome);
            }
            Action::Hear(who) => {
                let outcome = self.halves[who].answers.pop_front().expect("there is an answer");
                self.tell(who, Event::Recorded(outcome), model);
            }
            Action::HearOfDeath(who) => {
                let partner = self.halves[who].cut.take().expect("its channel has ended");
                self.tell(who, Event::PartnerDead { partner: phandle(partner) }, model);
            }
            Action::Cut(one, two) => {
                self.left.suspicions -= 1;
                self.frames.retain(|ends, _| *ends != (one, two) && *ends != (two, one));
                (self.halves[one].cut, self.halves[two].cut) = (Some(two), Some(one));
            }
            Action::Die(who) => {
                self.left.deaths -= 1;
                self.halves[who].alive = false;
            }
            Action::StartBackup(who) => self.start_backup(who, model),
            Action::Switch(who) => {
                self.left.switches -= 1;
                self.tell(who, Event::SwitchWanted, model);
            }
        }
        self.forget_the_dead();
    }

    /// A dead half is told nothing; who was its partner hears of the death after the last frame.
    fn forget_the_dead(&mut self) {
        let dead: Vec<Who> = (0..self.halves.len()).filter(|who| !self.halves[*who].alive).collect();
        self.frames.retain(|(_, to), _| !dead.contains(to));
        self.asked.retain(|(who, _)| !dead.contains(who));
        for who in dead {
            self.halves[who].answers.clear();
            self.halves[who].cut = None;
            let others = 0..self.halves.len();
            let partners = others.filter(|other| self.halves[*other].partner() == Some(who));
            for partner in partners.collect::<Vec<_>>() {
                // A half that has taken a death in is no longer interested in it.
                if self.halves[partner].alive
                    && !self.knows(partner)
                    && !self.frames.contains_key(&(who, partner))
                {
                    self.halves[partner].cut = Some(who);
                }
            }
        }
    }

    /// True while a question about the partner's death is open, or a join that will find it.
    fn knows(&self, who: Who) -> bool {
        let half = &self.halves[who];
        !half.pair.checkpoints() && half.pair.is_primary()
            || self.asked.iter().any(|(asker, change)| *asker == who && is_about_death(change))
            || half.pair.state() == pollux_wire::control::PairState::TakingOver
    }

    fn reply(&mut self, who: Who, model: &AloneModel) {
        let gate = self.halves[who].pair.gate();
        let gate = if model.flaw == Some(Flaw::GateIgnored) { pollux_core::output::Gate::Open } else { gate };
        let request = self.halves[who].held.release(gate).expect("one may leave");
        let place = self.halves[who].log.iter().position(|one| *one == request).expect("it was executed");
        self.speaks(who, self.halves[who].pair.epoch());
        self.answered.insert(request, place);
        // S5: everybody on record knows it, whatever this half believes.
        for half in [Some(self.record.primary), self.record.backup].into_iter().flatten().map(who_is) {
            if self.halves[half].log.get(place) != Some(&request) {
                self.fail(format!(
                    "S5: half {who} answers request {request}, half {half} on record lacks it"
                ));
            }
        }
        self.drained(who, model);
    }

    fn check(&mut self) {
        let mut what = None;
        for (who, half) in self.halves.iter().enumerate().filter(|(_, half)| half.alive) {
            let on_record = who_is(self.record.primary) == who;
            if half.pair.gate() == pollux_core::output::Gate::Open
                && !(on_record && self.record.backup.is_none())
            {
                what = Some(format!("S6: half {who} speaks alone, the record does not say so"));
            }
            if on_record && half.pair.is_primary() {
                let lacks = self.answered.iter().find(|(one, place)| half.log.get(**place) != Some(*one));
                what = lacks
                    .map(|(one, _)| format!("S2: primary {who} lacks request {one}, which was answered"));
            }
            if let Some(partner) = half.partner().filter(|_| !half.pair.is_primary())
                && !self.halves[partner].log.starts_with(&half.log)
            {
                what = Some(format!("S4: the log of backup {who} is not a beginning of its primary's"));
            }
            if what.is_some() {
                break;
            }
        }
        if let Some(what) = what {
            self.fail(what);
        }
    }

    /// L1: when nothing moves, the half on record answers, unless it is dead and nobody is left that may take over.
    fn check_end(&mut self) {
        let primary = who_is(self.record.primary);
        let backup = self.record.backup.map(who_is);
        let half = &self.halves[primary];
        if half.alive && !(half.pair.is_primary() && (half.pair.checkpoints() || half.held.is_empty())) {
            self.fail(format!("L1: half {primary} is on record and does not answer"));
        } else if !half.alive && backup.is_some_and(|backup| self.halves[backup].alive) {
            self.fail(format!("L1: half {primary} is dead and its backup does not take over"));
        }
    }
}

fn is_about_death(change: &Change) -> bool {
    matches!(change, Change::TakeOver { .. } | Change::RemoveBackup { .. })
}

impl Told for AloneModel {
    fn broken(state: &State) -> Option<&str> {
        state.broken.as_deref()
    }
}

impl Model for AloneModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let record = NameRecord {
            name: ProcessName::new("$A").expect("a good name"),
            epoch: Epoch(1),
            primary: phandle(0),
            backup: None,
            ancestor: None,
            program: String::new(),
            keeps: StateKeeping::Managed,
        };
        let mut state = State {
            halves: vec![Half::new(Pair::primary(Epoch(1), true))],
            record,
            asked: Vec::new(),
            frames: BTreeMap::new(),
            answered: BTreeMap::new(),
            speakers: BTreeMap::from([(Epoch(1), 0)]),
            left: self.budget,
            broken: None,
        };
        while let Some(command) = state.halves[0].pair.poll_command() {
            state.obey(0, command, self);
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() {
            return;
        }
        let (left, mut busy) = (state.left, Vec::new());
        for (who, half) in state.halves.iter().enumerate().filter(|(_, half)| half.alive) {
            let ungated = self.flaw == Some(Flaw::GateIgnored) && half.pair.is_primary();
            // What may leave goes before the next event.
            let replies = half.held.has_ready(half.pair.gate()) || ungated && !half.held.is_empty();
            if left.deaths > 0 {
                actions.push(Action::Die(who));
            }
            if replies {
                busy.push(who);
                actions.push(Action::Reply(who));
                continue;
            }
            if half.start_asked {
                actions.push(Action::StartBackup(who));
            }
            if !half.answers.is_empty() {
                actions.push(Action::Hear(who));
            }
            if half.cut.is_some() {
                actions.push(Action::HearOfDeath(who));
            }
            if half.pair.is_primary() && half.takes_input && left.requests > 0 {
                actions.push(Action::Execute(who));
            }
            if left.switches > 0 && half.pair.is_primary() {
                actions.push(Action::Switch(who));
            }
            if let Some(partner) = half.partner().filter(|partner| state.halves[*partner].alive)
                && left.suspicions > 0
                && half.pair.is_primary()
                && half.cut.is_none()
                && state.halves[partner].partner() == Some(who)
                && state.halves[partner].cut.is_none()
            {
                actions.push(Action::Cut(who, partner));
            }
        }
        let frames = state.frames.keys().filter(|(_, to)| !busy.contains(to));
        actions.extend(frames.map(|(from, to)| Action::Take(*to, *from)));
        for (who, _) in &state.asked {
            actions.push(Action::Rule(*who));
            if left.outages > 0 {
                actions.push(Action::Away(*who));
                if state.may_lose(*who) {
                    actions.push(Action::AnswerLost(*who));
                }
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        if let Err(what) = guarded(|| state.act(action, self)) {
            state = State { broken: Some(what), ..last.clone() };
        }
        state.check();
        if state.broken.is_none() {
            let mut next = Vec::new();
            self.actions(&state, &mut next);
            let moves = |action: &Action| {
                !matches!(action, Action::Cut(..) | Action::Die(_) | Action::Switch(_) | Action::Execute(_))
            };
            if !next.iter().any(moves) {
                state.check_end();
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all: Vec<Property<Self>> =
            crate::promises!["S1", "S2", "S4", "S5", "S6", "S11", "L1", "assertion"];
        all.push(Property::sometimes(
            "the backup wins against a primary that lives",
            |model: &Self, state: &State| {
                state.left.deaths == model.budget.deaths && who_is(state.record.primary) == 1
            },
        ));
        all.push(Property::sometimes(
            "the primary wins against a backup that comes back",
            |model: &Self, state: &State| {
                let comes_back = state.halves.get(1).is_some_and(|half| !half.alive);
                state.left.deaths == model.budget.deaths
                    && comes_back
                    && who_is(state.record.primary) == 0
                    && state.record.epoch > Epoch(2)
            },
        ));
        all
    }
}
