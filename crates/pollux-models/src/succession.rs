//! The succession in a domain (quorum rules): servers, the coordinator's records, disks, and what goes wrong between them.
//!
//! The machines are `Succession` and `Records::commit`. Time goes in units, all clocks together: in each unit every server is
//! given the time once, and what the servers ask for (reads, proposals, the two steps of a save) is done one by one, in the
//! order of asking. Between any two of these a server can crash or fall asleep, and the next thing can be late by a unit,
//! or be done and its answer lost. Crashes come in the first units; the rest is played to an end, so that the domain
//! must be whole there.

use crate::explore::{Told, guarded};
use pollux_domain::content::{Change, Content, RequestId};
use pollux_domain::list::ServerList;
use pollux_domain::name::ServerName;
use pollux_domain::succession::{
    Acting, Answer, Command, Copies, Event, Expect, Incarnation, Mode, Outcome, Proposal, Records, Save,
    Succession, Tick, Timing,
};
use pollux_wire::Epoch;
use stateright::{Model, Property};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

/// The times, in units: the ratios that the product demands, no more.
const TIMING: Timing = Timing { beat: 1, fence: 3, deadline: 4, rank: 1, stable: 6, answer: 2 };
/// Units after which the domain is whole, and the faults begin.
const BEGIN: u64 = 14;
/// Units after the last fault in which the domain becomes whole: a deadline, the ranks, a start, a save, a fail-back and the
/// same once more for one that met a restart.
const HEALING: u64 = 40;
/// How long a sleeping server sleeps: longer than a deadline, so that another one takes over.
const SLEEP: u64 = 7;
/// The only request of a program.
const REQUEST: RequestId = RequestId { origin: 1, number: 1 };

/// How much may happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Crashes.
    pub crashes: u8,
    /// Crashed servers that start again.
    pub restarts: u8,
    /// Servers that sleep.
    pub sleeps: u8,
    /// Things asked of the coordinator or a disk that are late, or whose answer is lost.
    pub mishaps: u8,
    /// Changes that a program wants.
    pub changes: u8,
}

/// An error that is put in between the machines and their world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// A takeover does not compare the signs of life.
    TakeoverIgnoresBeats,
    /// A takeover keeps the epoch.
    EpochNotRaised,
    /// "Saved" is said before anything is on the disk.
    SavedTooEarly,
    /// A lost answer is taken for "not done".
    LostIsNotDone,
}

/// What is explored.
#[derive(Debug, Clone)]
pub struct SuccessionModel {
    /// Servers, all in the list.
    pub servers: usize,
    /// How much may happen.
    pub budget: Budget,
    /// Units in which servers crash, sleep and start again.
    pub window: u64,
    /// Units in which a program wants its change: longer, so that it meets a successor, too.
    pub change_window: u64,
    /// What is wrong.
    pub flaw: Option<Flaw>,
}

/// A change that a program wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wish {
    /// A line more in the domain file.
    Edit,
    /// A server leaves the list.
    Delete(usize),
    /// The last server goes to the front.
    MoveLastToFront,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What {
    Read(u64),
    Propose(u64, Box<Proposal>),
    SaveFile(Save),
    SaveNet(Save),
}

/// What a server asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The records.
    Read,
    /// A proposal.
    Propose,
    /// The domain file on its disk.
    SaveFile,
    /// The file with list and epoch on its disk.
    SaveNet,
}

impl What {
    fn kind(&self) -> Kind {
        match self {
            Self::Read(_) => Kind::Read,
            Self::Propose(..) => Kind::Propose,
            Self::SaveFile(_) => Kind::SaveFile,
            Self::SaveNet(_) => Kind::SaveNet,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    server: usize,
    life: u64,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Server {
    name: ServerName,
    machine: Option<Succession>,
    life: u64,
    disk: Copies,
    sleeps_until: u64,
    mail: Vec<Event>,
}

/// The servers, the records, what is asked, what was promised.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct State {
    now: u64,
    servers: Vec<Server>,
    records: Records,
    asked: VecDeque<Asked>,
    late: Vec<Asked>,
    left: Budget,
    /// Who acted in an epoch, and in which life.
    actors: BTreeMap<Epoch, (usize, u64)>,
    /// When a server's latest sign of life came on record.
    signs: BTreeMap<ServerName, u64>,
    answer: Option<Answer>,
    took_over: bool,
    broken: Option<String>,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A unit of time passes.
    Pass,
    /// A unit of time passes, and everything that is asked in it is done.
    WholeUnit,
    /// All units that are left pass.
    Rest,
    /// What was asked first, by this server, is done.
    Do(usize, Kind),
    /// It is done and its answer is lost.
    AnswerLost(usize, Kind),
    /// It is done a unit later.
    Late(usize, Kind),
    /// A server crashes.
    Crash(usize),
    /// It starts again.
    Restart(usize),
    /// A server sleeps.
    Sleep(usize),
    /// A program asks this server for a change.
    Wish(usize, Wish),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => write!(f, "a unit of time passes"),
            Self::WholeUnit => write!(f, "a unit of time passes, and all that is asked in it is done"),
            Self::Rest => write!(f, "nothing more goes wrong"),
            Self::Do(server, kind) => write!(f, "server {server}: {kind:?} is done"),
            Self::AnswerLost(server, kind) => {
                write!(f, "FAULT: server {server}: {kind:?} is done, and its answer is lost")
            }
            Self::Late(server, kind) => write!(f, "FAULT: server {server}: {kind:?} is late"),
            Self::Crash(server) => write!(f, "FAULT: server {server} crashes"),
            Self::Restart(server) => write!(f, "server {server} starts again"),
            Self::Sleep(server) => write!(f, "FAULT: server {server} sleeps"),
            Self::Wish(server, wish) => write!(f, "a program asks server {server} for a change: {wish:?}"),
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("now", &self.now)
            .field("acting", &self.records.acting)
            .field("left", &self.left)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

impl State {
    fn new(model: &SuccessionModel) -> Self {
        let names: Vec<ServerName> = (0..model.servers)
            .map(|n| ServerName::new(&format!("s{n}")).expect("letters and digits"))
            .collect();
        let content = Arc::new(Content {
            list: ServerList::from_entries(names.clone()).expect("all differ"),
            ..Content::new(names[0].clone(), "start")
        });
        let disk = Copies { net: Some((content.clone(), Epoch(1))), file: Some(content.clone()) };
        let acting = Acting { server: names[0].clone(), incarnation: None, epoch: Epoch(1) };
        let server = |name: &ServerName| Server {
            name: name.clone(),
            machine: None,
            life: 0,
            disk: disk.clone(),
            sleeps_until: 0,
            mail: Vec::new(),
        };
        let mut state = Self {
            now: 1,
            servers: names.iter().map(server).collect(),
            records: Records { acting: Some(acting), content: Some(content), beats: Arc::default() },
            asked: VecDeque::new(),
            late: Vec::new(),
            left: model.budget,
            actors: BTreeMap::new(),
            signs: BTreeMap::new(),
            answer: None,
            took_over: false,
            broken: None,
        };
        (0..model.servers).for_each(|server| state.start(server, model));
        while state.now < BEGIN {
            state.whole_unit(model);
        }
        state.took_over = false;
        state
    }

    fn fail(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    fn start(&mut self, server: usize, model: &SuccessionModel) {
        let it = &mut self.servers[server];
        it.life += 1;
        it.mail.clear();
        let (name, incarnation, copies) = (it.name.clone(), Incarnation(it.life), it.disk.clone());
        let machine = Succession::new(Mode::Quorum, name, incarnation, TIMING, copies, Tick(self.now));
        it.machine = Some(machine.expect("the times fit"));
        self.tell(server, Event::Tick, model);
    }

    fn tell(&mut self, server: usize, event: Event, model: &SuccessionModel) {
        let now = self.now;
        let it = &mut self.servers[server];
        if it.sleeps_until > now {
            return it.mail.push(event);
        }
        let Some(machine) = &mut it.machine else { return };
        machine.handle(Tick(now), event);
        while let Some(command) = self.servers[server].machine.as_mut().and_then(Succession::poll_command) {
            self.obey(server, command, model);
        }
        self.look();
    }

    fn obey(&mut self, server: usize, command: Command, model: &SuccessionModel) {
        let life = self.servers[server].life;
        let mut ask = |what| self.asked.push_back(Asked { server, life, what });
        match command {
            Command::Read { number } => ask(What::Read(number)),
            Command::Propose { number, mut proposal } => {
                spoil(model.flaw, &mut proposal);
                ask(What::Propose(number, proposal));
            }
            Command::Save(save) => {
                ask(What::SaveFile(save.clone()));
                if model.flaw == Some(Flaw::SavedTooEarly) {
                    self.tell(server, Event::Saved { number: save.number, done: true }, model);
                }
            }
            Command::Answer { request, answer } => self.answered(request, answer),
            Command::Send { .. } | Command::Notice(_) => {}
        }
    }

    /// S2, S14: "done" is done, "not done" never becomes done.
    fn answered(&mut self, request: RequestId, answer: Answer) {
        let is_done = self.records.content.as_ref().is_some_and(|content| content.has_done(request));
        match (&answer, is_done) {
            (Answer::Done(_), false) => {
                self.fail("S2: a change is answered \"done\" and never happened".into())
            }
            (Answer::Done(_) | Answer::Unknown, _) => {}
            (other, true) => self.fail(format!("S14: a change is done and answered {other:?}")),
            (_, false) => {}
        }
        self.answer = Some(answer);
    }

    /// S13: at most one acts. S11: an epoch belongs to one life of one server.
    fn look(&mut self) {
        let mut acting = None;
        for server in 0..self.servers.len() {
            let it = &self.servers[server];
            let Some(epoch) = it.machine.as_ref().and_then(|machine| machine.acts(Tick(self.now))) else {
                continue;
            };
            if let Some((other, its)) = acting.replace((server, epoch)) {
                self.fail(format!(
                    "S13: server {other} acts in epoch {its} while server {server} acts in {epoch}"
                ));
            }
            let life = self.servers[server].life;
            let actor = *self.actors.entry(epoch).or_insert((server, life));
            if actor != (server, life) {
                self.fail(format!(
                    "S11: server {server} acts in epoch {epoch}, in which server {} acted",
                    actor.0
                ));
            }
        }
    }

    fn pass(&mut self, model: &SuccessionModel) {
        self.now += 1;
        let late = std::mem::take(&mut self.late);
        self.asked.extend(late);
        for server in 0..self.servers.len() {
            if self.servers[server].sleeps_until > self.now {
                continue;
            }
            for event in std::mem::take(&mut self.servers[server].mail) {
                self.tell(server, event, model);
            }
            self.tell(server, Event::Tick, model);
        }
    }

    fn whole_unit(&mut self, model: &SuccessionModel) {
        while !self.asked.is_empty() {
            self.do_first(model, true);
        }
        self.pass(model);
        while !self.asked.is_empty() && self.broken.is_none() {
            self.do_first(model, true);
        }
    }

    /// Does what was asked first. `heard`: its answer arrives.
    fn do_first(&mut self, model: &SuccessionModel, heard: bool) {
        let Some(Asked { server, life, what }) = self.asked.pop_front() else { return };
        let lives = self.servers[server].life == life && self.servers[server].machine.is_some();
        let answer = match what {
            What::Read(number) => Event::Read { number, records: Some(self.records.clone()) },
            What::Propose(number, proposal) => {
                let outcome =
                    if self.commit(server, life, &proposal) { Outcome::Committed } else { Outcome::Conflict };
                Event::Proposed { number, outcome }
            }
            // Its disk is written by the process itself.
            _ if !lives => return,
            What::SaveFile(save) => {
                if save.with_file {
                    self.servers[server].disk.file = Some(save.content.clone());
                }
                return self.asked.push_back(Asked { server, life, what: What::SaveNet(save) });
            }
            What::SaveNet(save) => {
                let net: Content = Content { file: "".into(), ..(*save.content).clone() };
                let before = self.servers[server].disk.net.replace((Arc::new(net), save.epoch));
                if before.is_some_and(|(_, before)| before > save.epoch) {
                    self.fail(format!(
                        "S11: the epoch on the disk of server {server} goes back to {}",
                        save.epoch
                    ));
                }
                Event::Saved { number: save.number, done: true }
            }
        };
        let said_already = model.flaw == Some(Flaw::SavedTooEarly) && matches!(answer, Event::Saved { .. });
        if heard && lives && !said_already {
            self.tell(server, answer, model);
        } else if !heard
            && lives
            && model.flaw == Some(Flaw::LostIsNotDone)
            && let Event::Proposed { number, .. } = answer
        {
            self.tell(server, Event::Proposed { number, outcome: Outcome::Conflict }, model);
        }
    }

    fn commit(&mut self, server: usize, life: u64, proposal: &Proposal) -> bool {
        let old = self.records.clone();
        if !self.records.commit(proposal) {
            return false;
        }
        let epoch = |records: &Records| records.acting.as_ref().map_or(Epoch(0), |acting| acting.epoch);
        if old.acting != self.records.acting {
            // Who was handed the mastership takes it in the epoch of the handing over.
            let was_handed = old.acting.as_ref().is_some_and(|acting| acting.incarnation.is_none());
            if epoch(&self.records) < epoch(&old) || epoch(&self.records) == epoch(&old) && !was_handed {
                self.fail(format!("S11: another acting master in epoch {}", epoch(&self.records)));
            }
            self.check_takeover(server, life, &old);
        }
        let done =
            |records: &Records| records.content.as_ref().is_some_and(|content| content.has_done(REQUEST));
        let denied = matches!(self.answer, Some(Answer::NotMaster | Answer::Busy | Answer::Refused(_)));
        if !done(&old) && done(&self.records) && denied {
            self.fail("S14: a change was answered \"not done\" and is done".into());
        }
        if let Some((name, Some(_))) = &proposal.beat {
            self.signs.insert(name.clone(), self.now);
        }
        true
    }

    /// S13: the first live server of the list, with the newest files on its disk.
    fn check_takeover(&mut self, server: usize, life: u64, old: &Records) {
        let (Some(acting), Some(content)) = (self.records.acting.clone(), self.records.content.clone())
        else {
            return;
        };
        if acting.incarnation.is_none() {
            return;
        }
        let disk = &self.servers[server].disk;
        let has = |copy: Option<&Arc<Content>>| copy.is_some_and(|copy| copy.stamp == content.stamp);
        let in_step = has(disk.net.as_ref().map(|(net, _)| net)) && has(disk.file.as_ref());
        if !in_step && self.servers[server].life == life {
            self.fail(format!("S13: server {server} takes the mastership with an older file"));
        }
        if old.acting.as_ref().is_some_and(|old| old.server == acting.server) {
            return;
        }
        self.took_over = true;
        let rank = content.list.position(&acting.server).unwrap_or(usize::MAX);
        for name in content.list.entries().iter().take(rank) {
            let able = old.beats.get(name).is_some_and(|beat| beat.in_step.as_ref() == Some(&content.stamp));
            let lives = self.signs.get(name).is_some_and(|at| self.now - at < TIMING.deadline);
            if able && lives {
                let text =
                    format!("S13: {} passes over {name}, which is live and comes first", acting.server);
                return self.fail(text);
            }
        }
    }

    fn wish(&mut self, server: usize, wish: Wish, model: &SuccessionModel) {
        let machine = self.servers[server].machine.as_ref().expect("it acts");
        let (epoch, content) =
            (machine.acts(Tick(self.now)).expect("it acts"), machine.content().expect("it acts"));
        let name = |server: usize| self.servers[server].name.clone();
        let change = match wish {
            Wish::Edit => {
                let text = format!("{} and more", content.file).into();
                Change::ReplaceFile { based_on: content.stamp.revision, text }
            }
            Wish::Delete(server) => Change::DeleteBackup { name: name(server) },
            Wish::MoveLastToFront => Change::MoveBackup { name: name(self.servers.len() - 1), position: 1 },
        };
        self.tell(server, Event::Request { request: REQUEST, epoch, change }, model);
    }

    /// L: one acting master, the first of the list that runs, all in step and of one mind.
    fn check_end(&mut self) {
        let Some(content) = self.records.content.clone() else { return };
        let runs =
            |name: &&ServerName| self.servers.iter().any(|it| it.name == **name && it.machine.is_some());
        let Some(first) = content.list.entries().iter().find(runs).cloned() else { return };
        let mut what = None;
        for it in &self.servers {
            let Some(machine) = &it.machine else { continue };
            let status = machine.status(Tick(self.now));
            if status.acts != (it.name == first)
                || status.acting.map(|(name, _)| name).as_ref() != Some(&first)
            {
                what = Some(format!("L1: {} does not see {first} acting, the first that runs", it.name));
            } else if !status.in_step || machine.content().is_none_or(|has| has.stamp != content.stamp) {
                what = Some(format!("L2: {} is not in step with {}", it.name, content.stamp));
            }
        }
        if let Some(what) = what {
            self.fail(what);
        }
    }
}

fn spoil(flaw: Option<Flaw>, proposal: &mut Proposal) {
    let takes = proposal.acting.as_ref().is_some_and(|acting| acting.incarnation.is_some());
    match flaw {
        Some(Flaw::TakeoverIgnoresBeats) if takes => proposal.beats_are.clear(),
        Some(Flaw::EpochNotRaised) if takes => {
            if let (Expect::Is(Some(old)), Some(new)) = (&proposal.acting_is, &mut proposal.acting) {
                new.epoch = old.epoch;
            }
        }
        _ => {}
    }
}

impl SuccessionModel {
    fn horizon(&self) -> u64 {
        BEGIN + self.window.max(self.change_window) + HEALING
    }

    fn is_in_window(&self, state: &State) -> bool {
        let Budget { crashes, restarts, sleeps, mishaps, changes: _ } = state.left;
        let dead = state.servers.iter().any(|it| it.machine.is_none());
        let to_come = crashes > 0 || sleeps > 0 || mishaps > 0 || restarts > 0 && dead;
        state.now < BEGIN + self.window && to_come
    }

    fn may_wish(&self, state: &State) -> bool {
        state.left.changes > 0 && state.now < BEGIN + self.change_window
    }

    fn act(&self, state: &mut State, action: Action) {
        match action {
            Action::Pass => state.pass(self),
            Action::WholeUnit => state.whole_unit(self),
            Action::Rest => {
                while state.now < self.horizon() && state.broken.is_none() {
                    state.whole_unit(self);
                }
                state.check_end();
            }
            Action::Do(..) => state.do_first(self, true),
            Action::AnswerLost(..) => {
                state.left.mishaps -= 1;
                state.do_first(self, false);
            }
            Action::Late(..) => {
                state.left.mishaps -= 1;
                let first = state.asked.pop_front();
                state.late.extend(first);
            }
            Action::Crash(server) => {
                state.left.crashes -= 1;
                state.servers[server].machine = None;
            }
            Action::Restart(server) => {
                state.left.restarts -= 1;
                state.start(server, self);
            }
            Action::Sleep(server) => {
                state.left.sleeps -= 1;
                state.servers[server].sleeps_until = state.now + SLEEP;
            }
            Action::Wish(server, wish) => {
                state.left.changes -= 1;
                state.wish(server, wish, self);
            }
        }
    }

    fn wishes(&self, state: &State, actions: &mut Vec<Action>) {
        for (server, it) in state.servers.iter().enumerate() {
            let acts = it.machine.as_ref().is_some_and(|machine| machine.acts(Tick(state.now)).is_some());
            if acts && it.sleeps_until <= state.now {
                let all = [Wish::Edit, Wish::Delete(0), Wish::Delete(1), Wish::MoveLastToFront];
                actions.extend(all.map(|wish| Action::Wish(server, wish)));
            }
        }
    }
}

impl Told for SuccessionModel {
    fn broken(state: &State) -> Option<&str> {
        state.broken.as_deref()
    }
}

impl Model for SuccessionModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() || state.now >= self.horizon() {
            return;
        }
        let (in_window, may_wish) = (self.is_in_window(state), self.may_wish(state));
        if in_window {
            for (server, it) in state.servers.iter().enumerate() {
                match it.machine {
                    None if state.left.restarts > 0 => actions.push(Action::Restart(server)),
                    Some(_) if it.sleeps_until <= state.now => {
                        if state.left.crashes > 0 {
                            actions.push(Action::Crash(server));
                        }
                        if state.left.sleeps > 0 {
                            actions.push(Action::Sleep(server));
                        }
                    }
                    _ => {}
                }
            }
        }
        if may_wish && (state.asked.is_empty() || !in_window) {
            self.wishes(state, actions);
        }
        match (in_window, may_wish, state.asked.front()) {
            (false, false, _) => actions.push(Action::Rest),
            (false, true, _) => actions.push(Action::WholeUnit),
            (true, _, None) => actions.push(Action::Pass),
            (true, _, Some(Asked { server, what, .. })) => {
                let (server, kind) = (*server, what.kind());
                actions.push(Action::Do(server, kind));
                if state.left.mishaps > 0 {
                    actions.push(Action::Late(server, kind));
                    // A server hears of its own disk.
                    if matches!(kind, Kind::Read | Kind::Propose) {
                        actions.push(Action::AnswerLost(server, kind));
                    }
                }
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        if let Err(what) = guarded(|| self.act(&mut state, action)) {
            state = State { broken: Some(what), ..last.clone() };
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all: Vec<Property<Self>> =
            crate::promises!["S2", "S11", "S13", "S14", "L1", "L2", "assertion"];
        if self.budget.crashes > 0 {
            all.push(Property::sometimes("another server takes over", |_, state: &State| state.took_over));
        }
        if self.budget.changes > 0 {
            all.push(Property::sometimes("a change is done", |_, state: &State| {
                matches!(state.answer, Some(Answer::Done(_)))
            }));
        }
        all
    }
}
