//! The world: clocks, disks, links, the coordinator's records, and the servers' machines in it.

use super::TIMING;
use super::bugs::Bug;
use super::checks::{Checks, Violation};
use super::plan::{Action, Plan, Wish};
use super::random::Random;
use crate::content::{Change, Content, RequestId};
use crate::name::ServerName;
use crate::succession::{
    Acting, Answer, Command, Copies, Event, Incarnation, Message, Mode, Notice, Outcome, Problem, Proposal,
    Records, Save, Succession, Tick,
};
use pollux_wire::Epoch;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

/// Ticks after healing within which the domain must be whole: a deadline to see who is gone, a start, a save, the
/// `stable` time of a fail-back, and the same again for a fail-back that met a restart; clocks differ by a tenth.
const WHOLE_AFTER: u64 = 330;
/// Ticks within which a change must then succeed.
const CHANGE_AFTER: u64 = 60;
/// A machine is given the time so often.
const TICK_EVERY: u64 = 5;

/// Situations that a campaign must have seen, or it was blind. How often each was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sometimes {
    /// By name.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Sometimes {
    /// Every name that a campaign under these rules must have counted.
    pub fn expected(mode: Mode) -> &'static [&'static str] {
        match mode {
            Mode::Quorum => &[
                "takeover",
                "handover",
                "taken back by its own next life",
                "acting master deleted",
                "change done",
                "change not done",
                "change unknown",
                "unknown and yet done",
                "proposal conflict",
                "proposal after its timeout",
                "save torn by a crash",
                "started with old files",
                "acting master went silent at its fence",
            ],
            Mode::Legacy => &[
                "takeover",
                "change done",
                "change not done",
                "change unknown",
                "save torn by a crash",
                "two acting masters",
                "conflict copy",
            ],
        }
    }

    fn saw(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Sometimes) {
        for (what, count) in &other.counts {
            *self.counts.entry(what).or_default() += count;
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// The first broken promise.
    pub violation: Option<Violation>,
    /// What was seen.
    pub sometimes: Sometimes,
    /// Events handled.
    pub events: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) net: Option<(Arc<Content>, Epoch)>,
    pub(super) file: Option<Arc<Content>>,
}

struct Server {
    name: ServerName,
    machine: Option<Succession>,
    life: u64,
    disk: Disk,
    tape: Disk,
    save: Option<Save>,
    paused_until: u64,
    slept: u64,
    rate: u64,
    disk_fails: bool,
    cut_to_store: bool,
    cut_from_store: bool,
    leaving: bool,
    acted: Option<Epoch>,
}

enum What {
    Tick(usize, u64),
    ToServer(usize, u64, Event),
    StoreRead(usize, u64, u64),
    StorePropose(usize, u64, u64, u64, Box<Proposal>),
    SaveStep(usize, u64, u8),
    Plan(usize),
    Wish(usize, Wish),
    Retry(RequestId, Change),
    Heal,
    Whole,
    Final(RequestId),
}

struct Entry(u64, u64, What);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

pub(super) struct World<'a> {
    plan: &'a Plan,
    bug: Option<Bug>,
    random: Random,
    now: u64,
    sequence: u64,
    queue: BinaryHeap<Reverse<Entry>>,
    servers: Vec<Server>,
    links: Vec<Vec<bool>>,
    records: Records,
    store_down: bool,
    slow: u64,
    requests: u64,
    wanted: BTreeMap<RequestId, Change>,
    unknown: Vec<RequestId>,
    final_done: bool,
    checks: Checks,
    sometimes: Sometimes,
    events: u64,
    trace: Option<Vec<String>>,
}

impl<'a> World<'a> {
    pub(super) fn new(plan: &'a Plan, bug: Option<Bug>) -> Self {
        let mut random = Random::new(plan.seed, 2);
        let names: Vec<ServerName> = (0..plan.servers)
            .map(|n| ServerName::new(&format!("s{n}")).expect("letters and digits"))
            .collect();
        let first = Arc::new(Content {
            list: crate::list::ServerList::from_entries(names[..plan.listed].to_vec()).expect("all differ"),
            ..Content::new(names[0].clone(), "start")
        });
        let servers = names
            .iter()
            .enumerate()
            .map(|(number, name)| {
                let file = (number < plan.listed).then(|| first.clone());
                let disk = Disk { net: Some((first.clone(), Epoch(1))), file };
                Server {
                    name: name.clone(),
                    machine: None,
                    life: 0,
                    tape: disk.clone(),
                    disk,
                    save: None,
                    paused_until: 0,
                    slept: 0,
                    rate: if plan.jitter { 920 + random.below(160) } else { 1000 },
                    disk_fails: false,
                    cut_to_store: false,
                    cut_from_store: false,
                    leaving: false,
                    acted: None,
                }
            })
            .collect();
        let acting = Acting { server: names[0].clone(), incarnation: None, epoch: Epoch(1) };
        let records = Records { acting: Some(acting), content: Some(first), beats: Arc::default() };
        let mut world = Self {
            plan,
            bug,
            random,
            now: 0,
            sequence: 0,
            queue: BinaryHeap::new(),
            servers,
            links: vec![vec![true; plan.servers]; plan.servers],
            records,
            store_down: false,
            slow: 0,
            requests: 0,
            wanted: BTreeMap::new(),
            unknown: Vec::new(),
            final_done: false,
            checks: Checks::default(),
            sometimes: Sometimes::default(),
            events: 0,
            trace: None,
        };
        for server in 0..plan.servers {
            world.start(server);
        }
        for (number, (at, _)) in plan.actions.iter().enumerate() {
            world.push(*at, What::Plan(number));
        }
        world.push(plan.heal_at, What::Heal);
        world
    }

    pub(super) fn traced(mut self) -> (Report, Vec<String>) {
        self.trace = Some(Vec::new());
        let report = self.go();
        (report, self.trace.unwrap_or_default())
    }

    pub(super) fn run(mut self) -> Report {
        self.go()
    }

    fn go(&mut self) -> Report {
        while let Some(Reverse(Entry(at, _, what))) = self.queue.pop() {
            self.now = at;
            self.events += 1;
            if let Some(paused) = self.sleeper(&what) {
                self.push(paused, what);
                continue;
            }
            let ends = matches!(what, What::Final(_));
            self.step(what);
            if ends || self.checks.violation.is_some() {
                break;
            }
        }
        Report {
            violation: self.checks.violation.clone(),
            sometimes: self.sometimes.clone(),
            events: self.events,
        }
    }

    /// Until when the event must wait because its server is stopped.
    fn sleeper(&self, what: &What) -> Option<u64> {
        let server = match what {
            What::Tick(server, _) | What::ToServer(server, ..) | What::SaveStep(server, ..) => *server,
            _ => return None,
        };
        Some(self.servers[server].paused_until).filter(|until| *until > self.now)
    }

    fn push(&mut self, at: u64, what: What) {
        self.sequence += 1;
        self.queue.push(Reverse(Entry(at, self.sequence, what)));
    }

    fn after(&mut self, ticks: u64, what: What) {
        self.push(self.now + ticks, what);
    }

    fn delay(&mut self) -> u64 {
        if self.plan.jitter {
            1 + self.random.below(3) + self.random.below(self.slow + 1)
        } else {
            1 + self.slow
        }
    }

    fn clock(&self, server: usize) -> Tick {
        let server = &self.servers[server];
        let to_sleep = server.paused_until.saturating_sub(self.now);
        let slept = if self.bug == Some(Bug::ClockStopsInPause) { server.slept - to_sleep } else { 0 };
        Tick((self.now - slept) * server.rate / 1000 + 1)
    }

    fn alive(&self, server: usize, life: u64) -> bool {
        self.servers[server].life == life && self.servers[server].machine.is_some()
    }

    fn step(&mut self, what: What) {
        match what {
            What::Tick(server, life) => {
                if self.alive(server, life) {
                    self.after(TICK_EVERY, What::Tick(server, life));
                    self.tell(server, Event::Tick);
                }
            }
            What::ToServer(server, life, event) => {
                if self.alive(server, life) {
                    self.tell(server, event);
                }
            }
            What::StoreRead(server, life, number) => {
                let mut records = (!self.store_down).then(|| self.records.clone());
                if let (Some(Bug::RankIgnored), Some(records)) = (self.bug, &mut records) {
                    let master = records.acting.as_ref().map(|acting| acting.server.clone());
                    let me = self.servers[server].name.clone();
                    Arc::make_mut(&mut records.beats)
                        .retain(|name, _| *name >= me || Some(name) == master.as_ref());
                }
                self.answer_from_store(server, life, Event::Read { number, records }, None);
            }
            What::StorePropose(server, life, number, sent, proposal) => {
                let outcome = self.judge(server, life, sent, &proposal);
                let lost = Event::Proposed { number, outcome: Bug::outcome(self.bug, Outcome::Unknown) };
                self.answer_from_store(server, life, Event::Proposed { number, outcome }, Some(lost));
            }
            What::SaveStep(server, life, step) => {
                if self.alive(server, life) {
                    self.save_step(server, life, step);
                }
            }
            What::Plan(number) => {
                let action = self.plan.actions[number].1.clone();
                self.act(&action);
            }
            What::Wish(server, wish) => drop(self.wish(server, wish)),
            What::Retry(request, change) => self.retry(request, change),
            What::Heal => self.heal(),
            What::Whole => self.check_whole(),
            What::Final(request) => {
                if !self.final_done {
                    self.checks.fail("L", format!("the last change {request} was not answered \"done\""));
                }
                if let Some(content) =
                    self.servers.iter().find_map(|s| s.machine.as_ref()?.content().cloned())
                    && self.plan.mode == Mode::Legacy
                {
                    self.checks.nothing_lost(&content);
                }
            }
        }
    }

    // ---- the coordinator ----

    fn judge(&mut self, server: usize, life: u64, sent: u64, proposal: &Proposal) -> Outcome {
        if self.store_down {
            return Outcome::NotDone;
        }
        let old = self.records.clone();
        if !self.records.commit(proposal) {
            self.sometimes.saw("proposal conflict");
            return Outcome::Conflict;
        }
        let late = self.now - sent > TIMING.answer * 11 / 10;
        self.count_commit(&old, late);
        let in_step = old.content.as_ref().is_some_and(|content| {
            let disk = &self.servers[server].disk;
            let net = disk.net.as_ref().is_some_and(|(net, _)| net.stamp == content.stamp);
            net && disk.file.as_ref().is_some_and(|file| file.stamp == content.stamp)
        });
        // A proposal of an earlier life may still be on its way; the disk of that life is no longer there to be judged.
        let in_step = in_step || self.servers[server].life != life;
        self.checks.committed(self.now, &old, &self.records, proposal, self.plan, in_step);
        Outcome::Committed
    }

    fn count_commit(&mut self, old: &Records, late: bool) {
        if late && (old.acting != self.records.acting || old.content != self.records.content) {
            self.sometimes.saw("proposal after its timeout");
        }
        if let (Some(before), Some(after)) = (&old.acting, &self.records.acting)
            && before != after
        {
            self.sometimes.saw(
                match (after.incarnation, before.server == after.server, before.incarnation) {
                    (None, ..) => "handover",
                    (Some(_), true, None) => "handover accepted",
                    (Some(_), true, Some(_)) => "taken back by its own next life",
                    (Some(_), false, _) => "takeover",
                },
            );
        }
        if let (Some(before), Some(after), Some(acting)) = (&old.content, &self.records.content, &old.acting)
            && before.list.contains(&acting.server)
            && !after.list.contains(&acting.server)
        {
            self.sometimes.saw("acting master deleted");
        }
        let request = self.records.content.as_ref().and_then(|content| content.done.last());
        if old.content != self.records.content
            && request.is_some_and(|request| self.unknown.contains(request))
        {
            self.sometimes.saw("unknown and yet done");
        }
    }

    fn answer_from_store(&mut self, server: usize, life: u64, event: Event, lost: Option<Event>) {
        let delay = self.delay();
        if !self.servers[server].cut_from_store {
            self.after(delay, What::ToServer(server, life, event));
        } else if let Some(lost) = lost.filter(|_| self.random.chance(500)) {
            self.after(delay + 5, What::ToServer(server, life, lost)); // The connection broke.
        }
    }

    // ---- servers ----

    fn start(&mut self, server: usize) {
        let offset = self.random.below(TICK_EVERY);
        let clock = self.clock(server);
        let (mode, bug) = (self.plan.mode, self.bug);
        let it = &mut self.servers[server];
        it.life += 1;
        it.leaving = false;
        it.save = None;
        it.acted = None;
        let mut disk = it.disk.clone();
        Bug::disk_at_start(bug, &mut disk);
        let copies = Copies { net: disk.net, file: disk.file };
        let timing = Bug::timing(bug, TIMING);
        let (name, incarnation) = (it.name.clone(), Incarnation(it.life));
        let machine = if bug == Some(Bug::FenceTooLong) {
            Succession::unchecked(mode, name, incarnation, timing, copies, clock)
        } else {
            Succession::new(mode, name, incarnation, timing, copies, clock).expect("the times fit")
        };
        it.machine = Some(machine);
        let names: Vec<ServerName> = self.servers.iter().map(|server| server.name.clone()).collect();
        for name in names {
            let machine = self.servers[server].machine.as_mut().expect("just started");
            machine.handle(clock, Event::Known { name });
        }
        let life = self.servers[server].life;
        self.after(offset, What::Tick(server, life));
    }

    fn tell(&mut self, server: usize, event: Event) {
        let clock = self.clock(server);
        let Some(machine) = &mut self.servers[server].machine else { return };
        machine.handle(clock, event);
        while let Some(command) = self.servers[server].machine.as_mut().and_then(Succession::poll_command) {
            self.carry_out(server, command);
        }
        self.look(server);
    }

    fn look(&mut self, server: usize) {
        let own = self.servers[server].machine.as_ref().and_then(|machine| machine.acts(self.clock(server)));
        if own.is_none() && self.servers[server].acted.is_none() {
            return; // Only a server that acts, or stops to, can break what follows.
        }
        let mut acting = Vec::new();
        for (number, it) in self.servers.iter().enumerate() {
            let epoch = it.machine.as_ref().and_then(|machine| machine.acts(self.clock(number)));
            acting.extend(epoch.map(|epoch| (it.name.clone(), it.life, epoch)));
        }
        let name = self.servers[server].name.clone();
        if own != self.servers[server].acted {
            if let Some(epoch) = own {
                self.checks.acts(&name, self.servers[server].life, epoch);
                if self.plan.mode == Mode::Legacy {
                    self.sometimes.saw("takeover");
                }
            } else if self.plan.mode == Mode::Quorum
                && self.records.acting.as_ref().is_some_and(|acting| acting.server == name)
            {
                self.sometimes.saw("acting master went silent at its fence");
            }
            self.servers[server].acted = own;
            if self.plan.mode == Mode::Legacy && acting.len() > 1 {
                self.sometimes.saw("two acting masters");
            }
        }
        if self.plan.mode == Mode::Quorum {
            self.checks.one_acts(&acting);
        }
    }

    fn carry_out(&mut self, server: usize, command: Command) {
        let life = self.servers[server].life;
        let regular =
            matches!(&command, Command::Read { .. } | Command::Send { message: Message::Beat(_), .. });
        if let (false, Some(trace)) = (regular, &mut self.trace) {
            trace.push(format!("{:>5} {} {command:?}", self.now, self.servers[server].name));
        }
        match command {
            Command::Read { number } => {
                let delay = self.delay();
                if !self.servers[server].cut_to_store {
                    self.after(delay, What::StoreRead(server, life, number));
                }
            }
            Command::Propose { number, mut proposal } => {
                Bug::proposal(self.bug, &mut proposal);
                let delay = self.delay();
                if !self.servers[server].cut_to_store {
                    self.after(delay, What::StorePropose(server, life, number, self.now, proposal));
                }
            }
            Command::Save(save) => {
                if self.bug == Some(Bug::SavedTooEarly) {
                    let saved = Event::Saved { number: save.number, done: true };
                    self.after(1, What::ToServer(server, life, saved));
                }
                self.servers[server].save = Some(save);
                let delay = if self.bug == Some(Bug::SavedTooEarly) { 40 } else { self.delay() };
                self.after(delay, What::SaveStep(server, life, 1));
            }
            Command::Send { to, message } => self.send(server, &to, message),
            Command::Answer { request, answer } => self.answered(server, request, answer),
            Command::Notice(Notice::Problem(Problem::ConflictCopy { .. })) => {
                self.sometimes.saw("conflict copy");
            }
            Command::Notice(_) => {}
        }
        if self.servers[server].leaving && self.has_left(server) {
            self.stop(server);
        }
    }

    fn has_left(&self, server: usize) -> bool {
        match self.plan.mode {
            Mode::Quorum => !self.records.beats.contains_key(&self.servers[server].name),
            Mode::Legacy => true,
        }
    }

    fn stop(&mut self, server: usize) {
        if self.servers[server].save.take().is_some() {
            self.sometimes.saw("save torn by a crash");
        }
        let it = &mut self.servers[server];
        it.machine = None;
        it.slept -= it.paused_until.saturating_sub(self.now);
        it.paused_until = 0;
    }

    fn send(&mut self, from: usize, to: &ServerName, message: Message) {
        let Some(number) = self.servers.iter().position(|server| server.name == *to) else { return };
        if self.links[from][number] {
            let delay = self.delay();
            let event = Event::Message { from: self.servers[from].name.clone(), message };
            let life = self.servers[number].life;
            self.after(delay, What::ToServer(number, life, event));
        }
    }

    // ---- disks ----

    fn save_step(&mut self, server: usize, life: u64, step: u8) {
        let Some(Save { number, content, epoch, with_file, keep_conflict }) =
            self.servers[server].save.clone()
        else {
            return;
        };
        let fails = self.servers[server].disk_fails;
        let delay = self.delay();
        if step == 1 && !fails {
            if keep_conflict.is_some() && self.bug != Some(Bug::NoConflictCopy) {
                let disk = &self.servers[server].disk;
                let files = disk.file.iter().chain(disk.net.iter().map(|(net, _)| net)).cloned();
                self.checks.conflict_copies.extend(files);
            }
            if with_file {
                self.checks.stamped(&content);
                let name = self.servers[server].name.clone();
                if let Some(old) = self.servers[server].disk.file.clone()
                    && self.plan.mode == Mode::Legacy
                {
                    self.checks.replaced(&name, &old, &content);
                }
                self.servers[server].disk.file = Some(content);
            }
            return self.after(delay, What::SaveStep(server, life, 2));
        }
        self.servers[server].save = None;
        if !fails {
            let name = self.servers[server].name.clone();
            if self.random.chance(300) {
                self.servers[server].tape = self.servers[server].disk.clone();
            }
            let net: Content = Content { file: "".into(), ..(*content).clone() };
            self.servers[server].disk.net = Some((Arc::new(net), epoch));
            self.checks.disk_epoch(&name, epoch, false);
        }
        if self.bug != Some(Bug::SavedTooEarly) {
            self.after(1, What::ToServer(server, life, Event::Saved { number, done: !fails }));
        }
    }

    // ---- programs ----

    fn wish(&mut self, server: usize, wish: Wish) -> Option<RequestId> {
        let clock = self.clock(server);
        if self.servers[server].paused_until > self.now {
            return None;
        }
        let machine = self.servers[server].machine.as_ref()?;
        let content = machine.content()?.clone();
        let epoch = machine.acts(clock).or_else(|| machine.status(clock).acting.map(|(_, epoch)| epoch))?;
        self.requests += 1;
        let request = RequestId { origin: 1, number: self.requests };
        let name = |number: usize| self.servers[number].name.clone();
        let (epoch, change) = match wish {
            Wish::Add(number) => (epoch, Change::AddBackup { name: name(number) }),
            Wish::Delete(number) => (epoch, Change::DeleteBackup { name: name(number) }),
            Wish::Move(number, to) => (epoch, Change::MoveBackup { name: name(number), position: to + 1 }),
            Wish::Edit | Wish::EditStale => {
                let text = format!("{} {request}", content.file).into();
                let epoch = if wish == Wish::Edit { epoch } else { Epoch(epoch.0.saturating_sub(1)) };
                (epoch, Change::ReplaceFile { based_on: content.stamp.revision, text })
            }
        };
        self.checks.requested(request, change.clone());
        self.wanted.insert(request, change.clone());
        self.tell(server, Event::Request { request, epoch, change });
        Some(request)
    }

    fn retry(&mut self, request: RequestId, change: Change) {
        let acting = (0..self.servers.len()).find_map(|number| {
            let epoch = self.servers[number].machine.as_ref()?.acts(self.clock(number))?;
            (self.servers[number].paused_until <= self.now).then_some((number, epoch))
        });
        if let Some((server, epoch)) = acting {
            self.checks.requested(request, change.clone());
            self.tell(server, Event::Request { request, epoch, change });
        }
    }

    fn answered(&mut self, server: usize, request: RequestId, answer: Answer) {
        let content = self.servers[server].machine.as_ref().and_then(Succession::content).cloned();
        self.checks.answered(self.plan.mode, request, &answer, content.as_ref());
        self.sometimes.saw(match answer {
            Answer::Done(_) => "change done",
            Answer::Unknown => "change unknown",
            _ => "change not done",
        });
        match answer {
            Answer::Done(_) if self.now > self.plan.heal_at + WHOLE_AFTER => self.final_done = true,
            Answer::Unknown if self.unknown.len() < 4 => {
                self.unknown.push(request);
                if let Some(change) = self.wanted.get(&request).cloned() {
                    self.after(20, What::Retry(request, change));
                }
            }
            _ => {}
        }
    }

    // ---- faults ----

    fn act(&mut self, action: &Action) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>5} -- {action:?}", self.now));
        }
        match *action {
            Action::Crash(server) => self.stop(server),
            Action::Restart(server) => {
                if self.servers[server].machine.is_none() {
                    self.start(server);
                }
            }
            Action::RestartOld(server) => {
                if self.servers[server].machine.is_none() {
                    self.sometimes.saw("started with old files");
                    self.servers[server].disk = self.servers[server].tape.clone();
                    let epoch = self.servers[server].disk.net.as_ref().map_or(Epoch(0), |(_, epoch)| *epoch);
                    let name = self.servers[server].name.clone();
                    self.checks.disk_epoch(&name, epoch, true);
                    self.start(server);
                }
            }
            Action::Pause(server, ticks) => {
                let it = &mut self.servers[server];
                if it.paused_until <= self.now {
                    it.paused_until = self.now + ticks;
                    it.slept += ticks;
                }
            }
            Action::Leave(server) => {
                self.servers[server].leaving = true;
                self.tell(server, Event::Leave);
            }
            Action::DiskFails(server, fails) => self.servers[server].disk_fails = fails,
            Action::CutToStore(server, cut) => self.servers[server].cut_to_store = cut,
            Action::CutFromStore(server, cut) => self.servers[server].cut_from_store = cut,
            Action::CutLink(from, to, cut) => self.links[from][to] = !cut,
            Action::StoreDown(down) => self.store_down = down,
            Action::StoreSlow(ticks) => self.slow = ticks,
            Action::Request(server, wish) => {
                let delay = self.delay();
                self.after(delay, What::Wish(server, wish));
            }
        }
    }

    fn heal(&mut self) {
        self.store_down = false;
        self.slow = 0;
        for row in &mut self.links {
            row.fill(true);
        }
        for server in 0..self.servers.len() {
            let it = &mut self.servers[server];
            it.slept -= it.paused_until.saturating_sub(self.now);
            it.paused_until = it.paused_until.min(self.now);
            it.disk_fails = false;
            it.cut_to_store = false;
            it.cut_from_store = false;
            if it.leaving {
                self.stop(server);
            }
            if self.servers[server].machine.is_none() {
                self.start(server);
            }
        }
        if let Some(dead) = self.plan.stays_dead {
            // Only a server without which the domain can be whole, and that does not hold the only copy of anything.
            let list = match self.plan.mode {
                Mode::Quorum => self.records.content.clone(),
                Mode::Legacy => None,
            };
            let name = &self.servers[dead].name;
            if list.is_some_and(|content| content.list.entries().iter().any(|listed| listed != name)) {
                self.stop(dead);
            }
        }
        self.after(WHOLE_AFTER, What::Whole);
    }

    fn check_whole(&mut self) {
        let newest = match self.plan.mode {
            Mode::Quorum => self.records.content.clone(),
            Mode::Legacy => self
                .servers
                .iter()
                .filter_map(|server| server.machine.as_ref()?.content().cloned())
                .max_by_key(|content| content.stamp.clone()),
        };
        let Some(content) = newest else { return self.checks.fail("L", "no content") };
        let up = |name: &ServerName| self.servers.iter().any(|s| s.name == *name && s.machine.is_some());
        let Some(first) = content.list.entries().iter().find(|name| up(name)).cloned() else {
            // A dead server counts as running for a deadline, so the others could still be deleted in that time.
            if self.plan.stays_dead.is_none() {
                self.checks.fail("L", "no listed server is up");
            }
            self.final_done = true;
            return self.after(1, What::Final(RequestId { origin: 1, number: 0 }));
        };
        let mut faults = Vec::new();
        let mut master = None;
        for (number, server) in self.servers.iter().enumerate() {
            let Some(machine) = &server.machine else { continue };
            let status = machine.status(self.clock(number));
            if status.acts != (server.name == first) {
                faults.push(format!("{} acts: {}, first live is {first}", server.name, status.acts));
            }
            if status.acting.as_ref().map(|(name, _)| name) != Some(&first) {
                faults.push(format!("{} takes {:?} for acting master", server.name, status.acting));
            }
            let stamp = machine.content().map(|content| &content.stamp);
            if !status.in_step || stamp != Some(&content.stamp) {
                faults.push(format!(
                    "{} has {stamp:?} in step {}, newest {}",
                    server.name, status.in_step, content.stamp
                ));
            }
            if server.name == first {
                master = Some(number);
            }
        }
        if let (true, Some(master)) = (faults.is_empty(), master) {
            let request = self.requests + 1;
            self.now += 1;
            self.wish(master, Wish::Edit);
            self.after(CHANGE_AFTER, What::Final(RequestId { origin: 1, number: request }));
        } else {
            self.checks.fail("L", format!("{} ticks after healing: {}", WHOLE_AFTER, faults.join("; ")));
        }
    }
}
