//! The whole: halves, requesters, record, daemon and the channels between them, one step at a time.
//!
//! A step is the delivery of one message, one turn of a half, one piece of its work, or one decision of the coordinator
//! or the daemon. [`World::each_possible`] names all steps that could come next; who chooses among them decides
//! the schedule. Proof of death: a half or a requester hears of a death when it has taken in all that the dead one sent.

use crate::checks::Ledger;
use crate::client::{Client, number};
use crate::process::{Effect, Frame, Notice, Output, Process, ToRequester, Way, Who};
use crate::scenario::{Bug, Scenario};
use pollux_core::pair::{Event, Pair};
use pollux_wire::checkpoint::{Opener, Record};
use pollux_wire::control::{Change, PairState};
use pollux_wire::record::NameRecord;
use pollux_wire::{CpuNumber, Epoch, FileError, OpenId, Phandle, Pin, ProcessName, SyncId};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Steps until a process asks again after the coordinator was unavailable.
const ASK_AGAIN_STEPS: u32 = 8;
/// Steps until an operator's stop is repeated. One that reaches a half in the middle of an exchange of roles does nothing.
const STOP_AGAIN_STEPS: u32 = 40;

/// A step that could come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    StartRequest(usize),
    FromServer(Way),
    AnswerPath(usize),
    Work(Who),
    Release(Who),
    TakeNotice(Who),
    TakeFrame(Who),
    HearOfDeath(Who),
    Read(Who, Way),
    Execute(Who),
    FinishState(Who),
    Drained(Who),
    Tick(Who),
    Rule(Who),
    StartBackup(Who),
    EndName,
    GiveOrder,
}

/// A path between a requester and a half.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    client: usize,
    pub(crate) server: Who,
    requests: VecDeque<SyncId>,
    messages: VecDeque<ToRequester>,
    /// The requester holds its end.
    held: bool,
    end_told: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) scenario: Rc<Scenario>,
    pub(crate) bug: Bug,
    pub(crate) now: u32,
    pub(crate) record: Option<NameRecord>,
    pub(crate) processes: Vec<Process>,
    pub(crate) clients: Vec<Client>,
    pub(crate) ledger: Ledger,
    paths: Vec<Path>,
    frames: BTreeMap<(Who, Who), VecDeque<Frame>>,
    /// With the coordinator: who, what, not before which step.
    pub(crate) asked: Vec<(Who, Change, u32)>,
    pub(crate) orders_given: usize,
    /// When a stop was ordered last: it is repeated until the name has ended.
    pub(crate) stop_told: Option<u32>,
    pub(crate) begun: bool,
}

impl World {
    pub(crate) fn new(scenario: &Scenario, bug: Bug) -> Self {
        let primary = phandle(0);
        let name = ProcessName::new("$LIST").expect("a good name");
        let record = NameRecord {
            name,
            epoch: Epoch(1),
            primary,
            backup: None,
            ancestor: None,
            program: String::new(),
            keeps: pollux_wire::control::StateKeeping::Managed,
        };
        let mut world = Self {
            scenario: Rc::new(scenario.clone()),
            bug,
            now: 0,
            record: Some(record),
            processes: vec![Process::new(primary, Pair::primary(Epoch(1), true), bug)],
            clients: Vec::new(),
            ledger: Ledger::default(),
            paths: Vec::new(),
            frames: BTreeMap::new(),
            asked: Vec::new(),
            orders_given: 0,
            stop_told: None,
            begun: !scenario.whole,
        };
        for (client, (nowait_depth, wanted)) in scenario.requesters.iter().enumerate() {
            let open = OpenId(client as u64 + 1);
            let opener = Opener {
                phandle: phandle(100),
                name: None,
                uid: 0,
                sync_depth: 1,
                nowait_depth: *nowait_depth,
                details: pollux_wire::control::OpenDetails::default(),
            };
            let opened = Record::Opened { open, opener, standby: false };
            world.processes[0].replica.apply(&opened).expect("a new open fits");
            let way = world.make_path(client, 0, true);
            world.processes[0].ways.insert(open, way);
            world.clients.push(Client::new(open, *nowait_depth, *wanted, way));
        }
        world
    }

    /// The requesters and the operator begin: from here on steps count.
    pub(crate) fn begin(&mut self) {
        (self.begun, self.now) = (true, 0);
    }

    /// Calls `f` with every step that could come next, in no order.
    pub(crate) fn each_possible(&self, mut f: impl FnMut(Step)) {
        for (at, client) in self.clients.iter().enumerate() {
            if self.begun && client.can_start() {
                f(Step::StartRequest(at));
            }
            if client.asks && self.record.as_ref().is_none_or(|record| self.at(record.primary).alive) {
                f(Step::AnswerPath(at));
            }
        }
        for (way, path) in self.paths.iter().enumerate().filter(|(_, path)| path.held && !path.end_told) {
            if !path.messages.is_empty() || !self.processes[path.server].alive {
                f(Step::FromServer(way));
            }
        }
        for (who, process) in self.processes.iter().enumerate().filter(|(_, process)| process.alive) {
            if process.paused.is_none() {
                self.each_possible_of(who, process, &mut f);
            }
            if process.start_asked {
                f(Step::StartBackup(who));
            }
        }
        if let Some((who, ..)) = self.asked.iter().find(|(_, _, not_before)| *not_before <= self.now) {
            f(Step::Rule(*who));
        }
        if self.name_is_lost() {
            f(Step::EndName);
        }
        if let (Some((at, _)), Some(record)) = (self.scenario.orders.get(self.orders_given), &self.record)
            && self.begun
            && *at <= self.now
            && self.at(record.primary).alive
            && self.stop_told.is_none_or(|told| told + STOP_AGAIN_STEPS <= self.now)
        {
            f(Step::GiveOrder);
        }
    }

    fn each_possible_of(&self, who: Who, process: &Process, f: &mut impl FnMut(Step)) {
        // Commands first, then what may leave, then the next event.
        if !process.work.is_empty() {
            return f(Step::Work(who));
        }
        if process.can_release() {
            return f(Step::Release(who));
        }
        if !process.inbox.is_empty() {
            f(Step::TakeNotice(who));
        }
        if let Some(partner) = process.pair.partner().map(who_is) {
            let dead = !self.processes[partner].alive;
            let hung = self.bug == Bug::TakeoverOnSuspicion && self.processes[partner].paused.is_some();
            if self.frames.get(&(partner, who)).is_some_and(|frames| !frames.is_empty()) {
                f(Step::TakeFrame(who));
                if dead && self.bug == Bug::DeathBeforeLastWords {
                    f(Step::HearOfDeath(who));
                }
            } else if dead || hung {
                f(Step::HearOfDeath(who));
            }
        }
        let reads = process.pair.is_primary() && process.takes_input;
        if reads || (self.bug == Bug::AnswerAsBackup && !process.pair.is_primary()) {
            for way in process.ways.values().filter(|way| !self.paths[**way].requests.is_empty()) {
                f(Step::Read(who, *way));
            }
        }
        if !process.in_hand.is_empty() {
            f(Step::Execute(who));
        }
        if process.state_sent.is_some() {
            f(Step::FinishState(who));
        }
        if process.draining && process.is_drained() {
            f(Step::Drained(who));
        }
        if process.pair.wants_ticks() {
            f(Step::Tick(who));
        }
    }

    /// Performs a step that is possible.
    pub(crate) fn perform(&mut self, step: Step) {
        self.now += 1;
        match step {
            Step::StartRequest(client) => {
                self.clients[client].start();
                self.send_requests(client);
            }
            Step::FromServer(way) => self.take_from_server(way),
            Step::AnswerPath(client) => self.answer_path(client),
            Step::Work(who) => self.work(who),
            Step::Release(who) => self.release(who),
            Step::TakeNotice(who) => self.take_notice(who),
            Step::TakeFrame(who) => self.take_frame(who),
            Step::HearOfDeath(who) => {
                let partner = self.processes[who].pair.partner().expect("who is dead was its partner");
                self.frames.remove(&(who_is(partner), who));
                self.processes[who].tell(Event::PartnerDead { partner });
            }
            Step::Read(who, way) => self.read(who, way),
            Step::Execute(who) => self.processes[who].execute(),
            Step::FinishState(who) => {
                let number = self.processes[who].state_sent.take().expect("the state was sent");
                self.processes[who].tell(Event::StateSent { number });
            }
            Step::Drained(who) => {
                self.processes[who].draining = false;
                self.processes[who].tell(Event::Drained);
            }
            Step::Tick(who) => self.processes[who].tell(Event::Tick),
            Step::Rule(who) => self.rule(who),
            Step::StartBackup(who) => self.start_backup(who),
            Step::EndName => self.record = None,
            Step::GiveOrder => self.give_order(),
        }
    }

    /// Requesters that wait for a half to speak lose their patience. Returns true if one did.
    pub(crate) fn lose_patience(&mut self) -> bool {
        for client in self.clients.iter_mut().filter(|client| client.is_stuck()) {
            client.requester.handle_impatience();
            client.collect();
        }
        self.clients.iter().any(|client| client.asks)
    }

    pub(crate) fn kill(&mut self, who: Who) {
        let process = &mut self.processes[who];
        (process.alive, process.paused) = (false, None);
        self.frames.retain(|(_, to), _| *to != who);
    }

    fn work(&mut self, who: Who) {
        match self.processes[who].do_work() {
            Effect::Nothing => {}
            Effect::ToPartner(frame) => self.send_to_partner(who, frame),
            Effect::ToRequester(open, message) => self.send_to_requester(who, open, message),
            Effect::AskDaemonForBackup => self.processes[who].start_asked = true,
            Effect::AskForChange { change, later } => {
                self.asked.push((who, change, self.now + if later { ASK_AGAIN_STEPS } else { 0 }));
            }
            Effect::MakeStandbyPaths { backup } => {
                let given = self.scenario.standby_paths;
                let opens: Vec<OpenId> = self.processes[who].ways.keys().copied().filter(|_| given).collect();
                let paths = opens
                    .into_iter()
                    .map(|open| (open, self.make_path(client_of(open), who_is(backup), false)));
                let paths: BTreeMap<OpenId, Way> = paths.collect();
                self.processes[who].send_state(&paths);
            }
            Effect::KillPartner => {
                let partner = self.processes[who].pair.partner().expect("it has one to kill");
                self.kill(who_is(partner));
            }
            Effect::DropPartner => self.frames.retain(|(from, to), _| *from != who && *to != who),
            Effect::Ended => self.kill(who),
        }
    }

    fn release(&mut self, who: Who) {
        let Output { open, sync, error, place } = self.processes[who].release().expect("one may leave");
        Ledger::note_reply(self, who, (open, sync), error, place);
        let epoch = self.processes[who].pair.epoch();
        self.send_to_requester(who, open, ToRequester::Reply { sync, error, place, epoch });
    }

    fn take_notice(&mut self, who: Who) {
        match self.processes[who].inbox.pop_front() {
            Some(Notice::Event(event)) => self.processes[who].tell(event),
            Some(Notice::NewPath { open, way }) => {
                self.processes[who].ways.insert(open, way);
                let pair = &self.processes[who].pair;
                if pair.is_primary() {
                    let epoch = pair.epoch();
                    self.send_to_requester(who, open, ToRequester::Takeover { epoch });
                }
            }
            None => {}
        }
    }

    fn take_frame(&mut self, who: Who) {
        let partner = who_is(self.processes[who].pair.partner().expect("frames come from a partner"));
        let frames = self.frames.get_mut(&(partner, who)).expect("there is a frame");
        let frame = frames.pop_front().expect("there is a frame");
        if let Some(acknowledgement) = self.processes[who].take(frame) {
            self.send_to_partner(who, acknowledgement);
        }
    }

    fn read(&mut self, who: Who, way: Way) {
        let sync = self.paths[way].requests.pop_front().expect("there is a request");
        let open = self.clients[self.paths[way].client].open;
        if self.processes[who].read(open, sync) {
            let (error, epoch) = (FileError::OWNERSHIP, self.processes[who].pair.epoch());
            self.send_to_requester(who, open, ToRequester::Reply { sync, error, place: 0, epoch });
        }
    }

    fn send_to_partner(&mut self, who: Who, frame: Frame) {
        let Some(partner) = self.processes[who].pair.partner().map(who_is) else { return };
        if self.processes[partner].alive {
            self.frames.entry((who, partner)).or_default().push_back(frame);
        }
    }

    fn send_to_requester(&mut self, who: Who, open: OpenId, message: ToRequester) {
        if let ToRequester::Takeover { epoch } = message {
            self.ledger.note_takeover(who, epoch);
        }
        if let Some(way) = self.processes[who].ways.get(&open) {
            self.paths[*way].messages.push_back(message);
        }
    }

    fn take_from_server(&mut self, way: Way) {
        let client = self.paths[way].client;
        let Some(message) = self.paths[way].messages.pop_front() else {
            self.paths[way].end_told = true;
            self.clients[client].requester.handle_path_lost(number(way));
            return self.send_requests(client);
        };
        if let ToRequester::Takeover { .. } = message
            && let Some(old) = self.clients[client].requester.active().map(|path| path.0 as Way)
            && old != way
        {
            while let Some(earlier) = self.paths[old].messages.pop_front() {
                self.take_message(client, old, earlier);
            }
        }
        self.take_message(client, way, message);
    }

    fn take_message(&mut self, at: usize, way: Way, message: ToRequester) {
        let client = &mut self.clients[at];
        match message {
            ToRequester::Reply { sync, error, place, epoch } => {
                if client.reply(way, sync, error, place, epoch) && error.is_ok() {
                    self.ledger.note_acknowledged((client.open, sync), place);
                }
            }
            ToRequester::Takeover { epoch } => client.requester.handle_takeover(number(way), epoch),
            ToRequester::Standby { way } => {
                self.paths[way].held = true;
                client.requester.handle_standby(number(way));
            }
        }
        self.send_requests(at);
    }

    pub(crate) fn send_requests(&mut self, client: usize) {
        for (way, sync) in self.clients[client].collect() {
            self.paths[way].requests.push_back(sync);
        }
    }

    pub(crate) fn make_path(&mut self, client: usize, server: Who, held: bool) -> Way {
        let (requests, messages) = (VecDeque::new(), VecDeque::new());
        self.paths.push(Path { client, server, requests, messages, held, end_told: false });
        self.paths.len() - 1
    }

    /// True when the record names two live halves that know their roles.
    pub(crate) fn is_whole(&self) -> bool {
        let Some(record) = &self.record else { return false };
        let Some(backup) = record.backup else { return false };
        let states =
            [record.primary, backup].map(|half| self.at(half).alive.then(|| self.at(half).pair.state()));
        states == [Some(PairState::Paired), Some(PairState::Following)]
    }

    pub(crate) fn at(&self, phandle: Phandle) -> &Process {
        &self.processes[who_is(phandle)]
    }
}

pub(crate) fn who_is(phandle: Phandle) -> Who {
    Who::from(phandle.incarnation)
}

pub(crate) fn phandle(who: Who) -> Phandle {
    let cpu = CpuNumber::new(who as u8 % 2).expect("0 and 1 are CPUs");
    Phandle { named: true, cpu, pin: Pin(1), node: 0, incarnation: who as u16, sequence: 1 }
}

fn client_of(open: OpenId) -> usize {
    open.0 as usize - 1
}
