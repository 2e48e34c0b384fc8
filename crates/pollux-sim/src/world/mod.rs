//! The whole: halves, requesters, record, daemon and the channels between them, one step at a time.
//!
//! A step is the delivery of one message, one turn of a half, one piece of its work, or one decision of the coordinator
//! or the daemon. `World::each_possible` names all steps that could come next; who chooses among them decides
//! the schedule. Proof of death: a half or a requester hears of a death when it has taken in all that the dead one sent.

mod client;
mod exploration;
mod process;
mod step;
mod surroundings;
mod turn;

use crate::bugs::Bug;
use crate::checks::Ledger;
use crate::history::History;
use crate::plan::Plan;
use crate::sometimes::{Met, Situation};
use client::number;
use pollux_core::pair::{Command, End, Event, Pair};
use pollux_core::requester::ReplyIs;
use pollux_wire::checkpoint::{Opener, Record};
use pollux_wire::control::{Change, OpenDetails, PairState, StateKeeping};
use pollux_wire::record::NameRecord;
use pollux_wire::{CpuNumber, Epoch, OpenId, Phandle, ProcessName, SyncId};
use process::{Effect, Frame, Notice, Output, Taken, ToRequester};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use surroundings::first_phandle;

pub use client::Client;
pub use process::{Process, Way, Who};
pub use step::Step;
pub use turn::SERVER;
pub(crate) use turn::{Stage, call_payload};

/// Steps until a process asks again after the coordinator was unavailable.
const ASK_AGAIN_STEPS: u32 = 8;
/// Steps until an operator's stop is repeated. One that reaches a half in the middle of an exchange of roles does nothing.
const STOP_AGAIN_STEPS: u32 = 40;

/// From a requester to a half.
#[derive(Debug, Clone, Copy, Hash)]
enum FromRequester {
    Request(SyncId),
    /// It has heard that this half is the primary since this epoch.
    Resumed(Epoch),
}

/// A path between a requester and a half.
#[derive(Debug, Clone)]
pub struct Path {
    client: usize,
    server: Who,
    requests: VecDeque<FromRequester>,
    /// Requests count from the requester's word of this epoch on: what came before is from another time (S8).
    void_until: Option<Epoch>,
    messages: VecDeque<ToRequester>,
    /// The requester holds its end.
    held: bool,
    /// The half has closed its end.
    closed: bool,
    end_told: bool,
}

/// The pair and all that is around it.
#[derive(Debug, Clone)]
pub struct World {
    /// What is played.
    pub plan: Arc<Plan>,
    /// An error that was put in on purpose.
    pub bug: Bug,
    /// Steps so far.
    pub now: u32,
    /// What the coordinator has on record for the name.
    pub record: Option<NameRecord>,
    /// All processes there ever were.
    pub processes: Vec<Process>,
    /// All requesters.
    pub clients: Vec<Client>,
    /// What the checks must remember.
    pub ledger: Ledger,
    /// What it was in.
    pub met: Met,
    /// Takeovers that came on record.
    pub takeovers: u64,
    paths: Vec<Path>,
    frames: BTreeMap<(Who, Who), VecDeque<Frame>>,
    /// With the coordinator: who, what, not before which step.
    asked: Vec<(Who, Change, u32)>,
    /// CPUs that are away, and until when.
    cpus_away: BTreeMap<CpuNumber, u32>,
    orders_given: usize,
    /// When a stop was ordered last: it is repeated until the name has ended.
    pub stop_told: Option<u32>,
    begun: bool,
    /// No step waits for the clock: see [`World::without_time`].
    timeless: bool,
}

impl World {
    /// The first process of the name, and its requesters with an open each.
    pub fn new(plan: Arc<Plan>, bug: Bug) -> Self {
        let record = NameRecord {
            name: ProcessName::new("$LOG").expect("a good name"),
            epoch: Epoch(1),
            primary: first_phandle(),
            backup: None,
            ancestor: None,
            program: String::new(),
            keeps: StateKeeping::Managed,
        };
        let mut world = Self {
            bug,
            now: 0,
            processes: vec![Process::new(record.primary, Pair::primary(Epoch(1), true), plan.calls, bug)],
            record: Some(record),
            clients: Vec::new(),
            ledger: Ledger::default(),
            met: Met::default(),
            takeovers: 0,
            paths: Vec::new(),
            frames: BTreeMap::new(),
            asked: Vec::new(),
            cpus_away: BTreeMap::new(),
            orders_given: 0,
            stop_told: None,
            begun: !plan.whole,
            timeless: false,
            plan,
        };
        world.processes[0].open_server();
        for (client, asker) in world.plan.requesters.clone().into_iter().enumerate() {
            let open = OpenId(client as u64 + 1);
            let opener = Opener {
                phandle: Phandle { incarnation: 1000 + client as u16, named: false, ..first_phandle() },
                name: None,
                uid: 0,
                sync_depth: asker.sync_depth,
                nowait_depth: asker.nowait_depth,
                details: OpenDetails::default(),
            };
            let opened = Record::Opened { open, opener, standby: false };
            world.processes[0].replica.apply(&opened).expect("a new open fits");
            let way = world.make_path(client, 0, true);
            world.processes[0].ways.insert(open, way);
            world.clients.push(Client::new(open, asker, way));
        }
        world
    }

    /// Its only requester is the link of a pair, which a new primary has just made (S3b).
    pub(crate) fn renew_link(&mut self, first: SyncId, calls: &[SyncId], next: SyncId) {
        self.paths.iter_mut().for_each(|path| path.held = false);
        if self.clients[0].renew(self.now, first, calls, next) {
            self.met.note(Situation::CallSentTwice);
        }
        self.send_requests(0);
    }

    /// That link sends a call.
    pub(crate) fn call(&mut self, sync: SyncId) -> Result<(), String> {
        let link = &mut self.clients[0];
        if link.requester.next_sync() != sync || !link.requester.can_start() {
            return Err(format!("S3b: the link is not at {sync}, which is on record: {:?}", link.requester));
        }
        link.start(self.now);
        self.send_requests(0);
        Ok(())
    }

    /// What the requesters saw.
    pub fn history(&self) -> History {
        self.clients.iter().flat_map(|client| client.calls.iter().copied()).collect()
    }

    /// The requesters and the operator begin: from here on steps count.
    pub(crate) fn begin(&mut self) {
        (self.begun, self.now) = (true, 0);
    }

    /// Calls `f` with every step that could come next, in no order.
    pub fn each_possible(&self, mut f: impl FnMut(Step)) {
        for (at, client) in self.clients.iter().enumerate() {
            if self.begun && client.can_start() {
                f(Step::StartRequest(at));
            }
            if client.asks
                && !client.asleep
                && self.record.as_ref().is_none_or(|record| self.at(record.primary).alive)
            {
                f(Step::AnswerPath(at));
            }
        }
        let awake = |path: &Path| path.held && !path.end_told && !self.clients[path.client].asleep;
        for (way, path) in self.paths.iter().enumerate().filter(|(_, path)| awake(path)) {
            if !path.messages.is_empty() || path.closed || !self.processes[path.server].alive {
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
        let due = self.asked.iter().filter(|(_, _, not_before)| *not_before <= self.now);
        due.take(if self.timeless { usize::MAX } else { 1 }).for_each(|(who, ..)| f(Step::Rule(*who)));
        if self.name_is_lost() {
            f(Step::EndName);
        }
        if let (Some((at, _)), Some(record)) = (self.plan.orders.get(self.orders_given), &self.record)
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
        if process.can_call() {
            return f(Step::Call(who));
        }
        if !process.inbox.is_empty() {
            f(Step::TakeNotice(who));
        }
        let unheard = |partner: &Phandle| process.heard_of_death != Some(*partner);
        if let Some(partner) = process.pair.partner().filter(unheard).map(who_is) {
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
        if process.pair.is_primary() && process.takes_input {
            for way in process.ways.values().filter(|way| !self.paths[**way].requests.is_empty()) {
                f(Step::Read(who, *way));
            }
        }
        if !process.in_hand.is_empty() && process.calls.turn.is_none() {
            f(Step::Execute(who));
        }
        if process.calls.answer.is_some() {
            f(Step::TakeAnswer(who));
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
    pub fn perform(&mut self, step: Step) {
        self.now += 1;
        match step {
            Step::StartRequest(client) => {
                self.clients[client].start(self.now);
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
                if self
                    .asked
                    .iter()
                    .any(|(by, change, _)| *by == who && matches!(change, Change::Join { .. }))
                {
                    self.met.note(Situation::JoinOfADeadBackup);
                }
                self.frames.remove(&(who_is(partner), who));
                self.processes[who].heard_of_death = Some(partner);
                self.processes[who].tell(Event::PartnerDead { partner });
            }
            Step::Read(who, way) => self.read(who, way),
            Step::Execute(who) => self.processes[who].execute(),
            Step::Call(who) => self.processes[who].send_call(),
            Step::TakeAnswer(who) => self.processes[who].take_answer(),
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
            Step::EndName => {
                self.record = None;
                if self.stop_told.is_none() {
                    self.met.note(Situation::BothHalvesLost);
                }
            }
            Step::GiveOrder => self.give_order(),
        }
    }

    /// Requesters that wait for a half to speak lose their patience. Returns true if one asks for a path now.
    pub fn lose_patience(&mut self) -> bool {
        let mut asks = false;
        for client in
            self.clients.iter_mut().filter(|client| client.is_stuck() && !client.asks && !client.asleep)
        {
            self.met.note(Situation::PatienceLost);
            client.requester.handle_impatience();
            client.collect(self.now);
            asks |= client.asks;
        }
        asks
    }

    pub(crate) fn kill(&mut self, who: Who) {
        let process = &mut self.processes[who];
        (process.alive, process.paused) = (false, None);
        self.frames.retain(|(_, to), _| *to != who);
    }

    fn work(&mut self, who: Who) {
        self.note_command(who);
        match self.processes[who].do_work() {
            Effect::Nothing => {}
            Effect::ToPartner(frame) => self.send_to_partner(who, frame),
            Effect::ToRequester(open, message) => self.send_to_requester(who, open, message),
            Effect::AskDaemonForBackup => self.processes[who].start_asked = true,
            Effect::AskForChange { change, later } => {
                self.asked.push((
                    who,
                    change,
                    self.now + if later && !self.timeless { ASK_AGAIN_STEPS } else { 0 },
                ));
            }
            Effect::MakeStandbyPaths { backup } => {
                let given = self.plan.standby_paths;
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

    fn note_command(&mut self, who: Who) {
        let process = &self.processes[who];
        let met = match process.next_command() {
            Some(Command::KillPartner) => Situation::HungBackupKilled,
            Some(Command::ReportNotSwitched { .. }) => Situation::SwitchGivenUp,
            Some(Command::End(End::Incomplete)) => Situation::IncompleteBackupEnds,
            Some(Command::End(End::Superseded)) => Situation::SupersededEnds,
            Some(Command::Record(Change::RemoveBackup { .. })) if !process.outputs.is_empty() => {
                Situation::RemovalWithRepliesHeld
            }
            _ => return,
        };
        self.met.note(met);
    }

    fn release(&mut self, who: Who) {
        let Output { open, sync, error, answer } = self.processes[who].release().expect("one may leave");
        Ledger::note_reply(self, who, (open, sync), error, answer);
        let epoch = self.processes[who].pair.epoch();
        self.send_to_requester(who, open, ToRequester::Reply { sync, error, answer, epoch });
    }

    fn take_notice(&mut self, who: Who) {
        match self.processes[who].inbox.pop_front() {
            Some(Notice::Event(event)) => self.processes[who].tell(event),
            Some(Notice::NewPath { open, way }) => {
                let pair = &self.processes[who].pair;
                if !pair.is_primary() {
                    // The requester asks who is primary today.
                    self.paths[way].closed = true;
                    return;
                }
                let epoch = pair.epoch();
                if let Some(old) = self.processes[who].ways.insert(open, way) {
                    self.paths[old].closed = true;
                }
                self.processes[who].give_up_for(open);
                self.send_to_requester(who, open, ToRequester::Takeover { epoch });
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
        let path = &mut self.paths[way];
        let sync = match path.requests.pop_front().expect("there is a request") {
            FromRequester::Request(sync)
                if path.void_until.is_none() || self.bug == Bug::OldRequestsCount =>
            {
                sync
            }
            FromRequester::Request(_) => return,
            FromRequester::Resumed(epoch) => {
                path.void_until = path.void_until.filter(|until| epoch < *until);
                return;
            }
        };
        let open = self.clients[self.paths[way].client].open;
        match self.processes[who].read(open, sync) {
            Taken::Saved => self.met.note(Situation::SavedReplySentAgain),
            Taken::InHandAgain => self.met.note(Situation::RequestInHandAgain),
            Taken::InHand | Taken::Refused => {}
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
            if let ToRequester::Takeover { epoch } = message {
                self.paths[*way].void_until = Some(epoch);
            }
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
            ToRequester::Reply { sync, error, answer, epoch } => {
                let outcome = if error.is_ok() { Ok(answer) } else { Err(error) };
                match client.reply(self.now, way, (sync, epoch), outcome) {
                    ReplyIs::Wanted if error.is_ok() => {
                        self.ledger.note_acknowledged((client.open, sync), answer);
                    }
                    ReplyIs::Stale => self.met.note(Situation::StaleReplyDropped),
                    ReplyIs::Wanted | ReplyIs::NotMine => {}
                }
            }
            ToRequester::Takeover { epoch } => {
                self.paths[way].requests.push_back(FromRequester::Resumed(epoch));
                client.requester.handle_takeover(number(way), epoch);
            }
            ToRequester::Demoted => client.requester.handle_demoted(number(way)),
            ToRequester::Standby { way } => {
                self.paths[way].held = true;
                client.requester.handle_standby(number(way));
            }
        }
        self.send_requests(at);
    }

    fn send_requests(&mut self, client: usize) {
        for (way, sync) in self.clients[client].collect(self.now) {
            self.paths[way].requests.push_back(FromRequester::Request(sync));
        }
    }

    pub(crate) fn make_path(&mut self, client: usize, server: Who, held: bool) -> Way {
        let (requests, messages) = (VecDeque::new(), VecDeque::new());
        self.paths.push(Path {
            client,
            server,
            requests,
            void_until: None,
            messages,
            held,
            closed: false,
            end_told: false,
        });
        self.paths.len() - 1
    }

    /// True when the requesters and the operator have begun.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// True when a requester will find a reply on a path.
    pub fn reply_is_on_its_way(&self) -> bool {
        let is_reply = |message: &ToRequester| matches!(message, ToRequester::Reply { .. });
        self.paths.iter().any(|path| path.held && path.messages.iter().any(is_reply))
    }

    /// True when the record names two live halves that know their roles.
    pub fn is_whole(&self) -> bool {
        let Some(record) = &self.record else { return false };
        let Some(backup) = record.backup else { return false };
        let states =
            [record.primary, backup].map(|half| self.at(half).alive.then(|| self.at(half).pair.state()));
        states == [Some(PairState::Paired), Some(PairState::Following)]
    }

    /// This process.
    pub fn at(&self, phandle: Phandle) -> &Process {
        &self.processes[who_is(phandle)]
    }
}

/// The place of a process in the world's table.
pub fn who_is(phandle: Phandle) -> Who {
    Who::from(phandle.incarnation)
}

fn client_of(open: OpenId) -> usize {
    open.0 as usize - 1
}
