//! One domain server, without I/O: everything that comes goes in, everything that is to be done comes out.
//!
//! What this decides: which program's word goes to the machine and which to the acting master of another server, when a reply
//! may leave, who has the lock of the domain file, when the configuration is brought to what is on record. What it does not: who acts
//! ([`Succession`]), in which order steps are done ([`Acting`]).
//!
//! Invariants: a program is answered once per question; a change is answered "done" here only when this server itself has
//! seen the content (a program reads what it wrote); a question that went to another server and came back with
//! nothing is answered "unknown", never "not done" (S14).
//!
//! ```text
//!   program --Submit--> beta (follows) --Ask--> alpha (acts) --Propose--> coordinator
//!                          |  waits until it has seen the stamp          |
//!   program <--Answer------+<------------Answer(done, stamp)-------------+
//! ```

mod apply;
mod programs;
mod report;
#[cfg(test)]
mod tests;

use crate::address::Address;
use crate::words::{Ask, LockWish, PeerWord, Relayed, RelayedReply, Reply, Told};
use apply::Underway;
use pollux_domain::acting::{Acting, StepOutcome};
use pollux_domain::configuration::Configuration;
use pollux_domain::content::{Change, Content, RequestId, Stamp};
use pollux_domain::difference::Action;
use pollux_domain::name::ServerName;
use pollux_domain::nof::view::LogTypes;
use pollux_domain::succession::{
    Answer, Beat, Command, Copies, Event, Incarnation, Mode, Notice, Outcome, Proposal, Records,
    SERVERS_KNOWN_MAX, Save, Status, Succession, Tick, Timing, TimingError,
};
use pollux_wire::Epoch;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Programs connected at a time; one more is turned away.
pub const PROGRAMS_MAX: usize = 256;
/// Questions of programs under way; one more is answered "busy".
pub const QUESTIONS_MAX: usize = 1_024;
/// A question to another server that has no answer for so long is answered "unknown", in milliseconds.
pub const RELAY_MS_MAX: u64 = 10_000;
/// A new configuration may take so long: its steps start programs, in milliseconds.
pub const APPLY_MS_MAX: u64 = 120_000;
/// So long a reply waits until this server has seen the content it speaks of, in milliseconds.
const SEE_MS_MAX: u64 = 3_000;
/// How often the configuration is compared with what runs, in milliseconds.
const KEEP_MS: u64 = 1_000;
/// After a step for a new configuration, what runs is left alone until the end of the change is told, or so long.
const HOLD_MS_MAX: u64 = APPLY_MS_MAX;
/// Problems that `status` shows, the latest.
const PROBLEMS_KEPT: usize = 8;

/// Names one program's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProgramId(pub u64);

/// What comes.
#[expect(clippy::large_enum_variant, reason = "few exist at a time, and none is kept")]
#[derive(Debug)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// The coordinator was read.
    Read {
        /// Of the command.
        number: u64,
        /// What it holds; `None`: it could not be read.
        records: Option<Records>,
        /// Why not.
        problem: Option<String>,
    },
    /// A proposal has ended.
    Proposed {
        /// Of the command.
        number: u64,
        /// How.
        outcome: Outcome,
    },
    /// A save has ended.
    Saved {
        /// Of the command.
        number: u64,
        /// Why it failed; `None`: it did not.
        problem: Option<String>,
    },
    /// Another server says something.
    Peer {
        /// Which.
        from: ServerName,
        /// What.
        word: PeerWord,
    },
    /// There is, or was, a server of that name.
    Known(ServerName),
    /// A server is reached there.
    Address {
        /// Which.
        server: ServerName,
        /// Where.
        address: Address,
    },
    /// A program has connected.
    Program {
        /// Its connection.
        id: ProgramId,
        /// It may change things.
        authorized: bool,
        /// It runs on a computer that is no server.
        client: bool,
    },
    /// A program asks.
    Asked {
        /// Its connection.
        id: ProgramId,
        /// What.
        ask: Ask,
    },
    /// A program is gone.
    ProgramGone(ProgramId),
    /// A step for this server has ended.
    Ran {
        /// Of the order.
        number: u64,
        /// How.
        outcome: StepOutcome,
    },
    /// Somebody should know.
    Problem(String),
    /// A problem of that text is over.
    ProblemOver(String),
    /// The server stops on purpose.
    Leave,
    /// The files hold content and the coordinator has no records of it: this server makes them.
    Create {
        /// They were lost.
        recover: bool,
    },
}

/// What is to be done.
#[expect(clippy::large_enum_variant, reason = "few exist at a time, and none is kept")]
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Read the records.
    Read(u64),
    /// Hand a proposal to the coordinator.
    Propose(u64, Box<Proposal>),
    /// Replace the files.
    Save(Save),
    /// Say something to another server.
    Peer(ServerName, PeerWord),
    /// Tell a program.
    Tell(ProgramId, Box<ToldBox>),
    /// End a program's connection.
    Close(ProgramId),
    /// Servers are reached there: send there, and keep it for the next start.
    Addresses(BTreeMap<ServerName, Address>),
    /// Carry a step out.
    Run(u64, Box<Action>),
    /// Bring what runs on this server to this, without hurry.
    Keep(Box<Configuration>),
    /// A line for the log; `central`: it is another server's.
    Log {
        /// The line.
        line: String,
        /// Came from another server.
        central: bool,
    },
    /// The records of the domain are made: the order to make them need not be kept.
    Created,
    /// This server has left.
    Left,
}

/// [`Told`], comparable in tests by its text.
#[derive(Debug)]
pub struct ToldBox(pub Told);

impl PartialEq for ToldBox {
    fn eq(&self, other: &Self) -> bool {
        serde_json::to_string(&self.0).ok() == serde_json::to_string(&other.0).ok()
    }
}

/// What a server is told at its start.
#[derive(Debug, Clone)]
pub struct Start {
    /// The domain.
    pub domain: String,
    /// This server.
    pub host: ServerName,
    /// The rules.
    pub mode: Mode,
    /// Where the records are, for people.
    pub coordinator: String,
    /// Where servers were last heard of, and this one is.
    pub addresses: BTreeMap<ServerName, Address>,
    /// The times.
    pub timing: Timing,
    /// This life.
    pub incarnation: Incarnation,
    /// What the files hold.
    pub copies: Copies,
    /// What is wrong with the files, each with its line.
    pub file_faults: Vec<String>,
    /// A number that no other life of a server has: programs' numbers are made from it.
    pub origin_seed: u64,
    /// The log switches that replace the domain's here.
    pub log_override: Option<LogTypes>,
}

/// Who waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asker {
    /// A program of this server: connection, number of its question.
    Program(ProgramId, u64),
    /// A program of another server: the server, its number.
    Peer(ServerName, u64),
    /// A change of the configuration whose steps are done.
    Configuration,
}

/// A question that went to the acting master.
#[derive(Debug)]
struct Relay {
    asker: (ProgramId, u64),
    to: ServerName,
    deadline: Tick,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Submit,
    Apply,
    View,
}

/// A reply that waits until this server has seen a content.
#[derive(Debug)]
struct Waiting {
    program: ProgramId,
    number: u64,
    stamp: Stamp,
    reply: Reply,
    deadline: Tick,
}

#[derive(Debug)]
struct Program {
    authorized: bool,
    client: bool,
    origin: u64,
    watches: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Lock {
    origin: u64,
    via: Option<ServerName>,
}

/// One domain server.
#[derive(Debug)]
pub struct Core {
    start: Start,
    machine: Succession,
    acting: Acting,
    underway: Option<Underway>,
    /// Steps that another server has ordered: its name and number.
    peer_steps: BTreeMap<u64, (ServerName, u64)>,
    outputs: VecDeque<Output>,
    programs: BTreeMap<ProgramId, Program>,
    askers: BTreeMap<RequestId, Vec<Asker>>,
    relays: BTreeMap<u64, Relay>,
    waiting: Vec<Waiting>,
    numbers: u64,
    lock: Option<Lock>,
    beats: BTreeMap<ServerName, Beat>,
    heard: BTreeMap<ServerName, (Option<Stamp>, bool)>,
    addresses: BTreeMap<ServerName, Address>,
    seen: Option<Arc<Content>>,
    master: Option<(ServerName, Epoch)>,
    master_since_unix_ms: u64,
    problems: VecDeque<String>,
    /// Problems for the central log, until it is known where that is.
    unsent: VecDeque<String>,
    hold_until: Option<Tick>,
    keep_next: Tick,
    leaving: Option<u64>,
    left: bool,
    /// The records were read then.
    read_at: Tick,
    creating: bool,
    unix_ms: u64,
    store_problem: Option<String>,
}

impl Core {
    /// A server that starts.
    pub fn new(start: Start, now: Tick) -> Result<Self, TimingError> {
        let machine = Succession::new(
            start.mode,
            start.host.clone(),
            start.incarnation,
            start.timing,
            start.copies.clone(),
            now,
        )?;
        let mut core = Self {
            machine,
            acting: Acting::new(),
            underway: None,
            peer_steps: BTreeMap::new(),
            outputs: VecDeque::new(),
            programs: BTreeMap::new(),
            askers: BTreeMap::new(),
            relays: BTreeMap::new(),
            waiting: Vec::new(),
            numbers: 0,
            lock: None,
            beats: BTreeMap::new(),
            heard: BTreeMap::new(),
            addresses: start.addresses.clone(),
            seen: start.copies.newest().map(|(content, _)| content),
            master: None,
            master_since_unix_ms: 0,
            problems: VecDeque::new(),
            unsent: VecDeque::new(),
            hold_until: None,
            keep_next: now,
            leaving: None,
            left: false,
            read_at: now,
            creating: false,
            unix_ms: 0,
            store_problem: None,
            start,
        };
        for fault in core.start.file_faults.clone() {
            core.problem(fault);
        }
        Ok(core)
    }

    /// Takes in what has come. `unix_ms`: the wall clock, for people only.
    pub fn handle(&mut self, now: Tick, unix_ms: u64, input: Input) {
        self.unix_ms = unix_ms;
        match input {
            Input::Tick => self.tell(now, Event::Tick),
            Input::Read { number, records, problem } => self.read(now, number, records, problem),
            Input::Proposed { number, outcome } => self.proposed(now, number, outcome),
            Input::Saved { number, problem } => {
                let done = problem.is_none();
                if let Some(problem) = problem {
                    self.problem(problem);
                }
                self.tell(now, Event::Saved { number, done });
            }
            Input::Peer { from, word } => self.peer(now, from, word),
            Input::Known(name) => self.tell(now, Event::Known { name }),
            Input::Address { server, address } => self.address(server, address),
            Input::Program { id, authorized, client } => self.program(id, authorized && !client, client),
            Input::Asked { id, ask } => self.asked(now, id, ask),
            Input::ProgramGone(id) => self.program_gone(id),
            Input::Ran { number, outcome } => self.ran(now, number, outcome),
            Input::Problem(line) => self.problem(line),
            Input::ProblemOver(line) => self.problems.retain(|old| *old != line),
            Input::Leave => self.leave(now),
            Input::Create { recover } => {
                self.creating = true;
                self.tell(now, Event::Create { recover });
            }
        }
        self.settle(now);
    }

    /// The next thing to do, in this order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The epoch in which this server acts, if it does.
    pub fn acts(&self, now: Tick) -> Option<Epoch> {
        self.machine.acts(now)
    }

    /// What is known. A server that could not read the records for a deadline knows of nobody else: what it says of an acting
    /// master would be the past.
    fn status(&self, now: Tick) -> Status {
        let mut status = self.machine.status(now);
        let blind = now.since(self.read_at) >= self.start.timing.deadline;
        if self.start.mode == Mode::Quorum && blind && !status.acts {
            status.acting = None;
            status.running = vec![self.start.host.clone()];
        }
        status
    }

    // ---- the machine ----

    fn tell(&mut self, now: Tick, event: Event) {
        self.machine.handle(now, event);
        while let Some(command) = self.machine.poll_command() {
            self.carry_out(now, command);
        }
    }

    fn carry_out(&mut self, now: Tick, command: Command) {
        match command {
            Command::Read { number } => self.outputs.push_back(Output::Read(number)),
            Command::Propose { number, proposal } => {
                if matches!(&proposal.beat, Some((name, None)) if *name == self.start.host) {
                    self.leaving = Some(number);
                }
                self.outputs.push_back(Output::Propose(number, proposal));
            }
            Command::Save(save) => self.outputs.push_back(Output::Save(save)),
            Command::Send { to, message } => {
                self.outputs.push_back(Output::Peer(to, PeerWord::Machine(message)));
            }
            Command::Answer { request, answer } => self.answered(now, request, answer),
            Command::Notice(notice) => self.notice(now, notice),
        }
    }

    fn read(&mut self, now: Tick, number: u64, records: Option<Records>, problem: Option<String>) {
        if let Some(records) = &records {
            self.read_at = now;
            self.beats.clone_from(&records.beats);
        }
        if self.store_problem != problem {
            let line = match &problem {
                Some(problem) => format!("the coordinator cannot be read: {problem}"),
                None => "the coordinator can be read again".to_owned(),
            };
            self.store_problem = problem;
            self.log(line);
        }
        self.tell(now, Event::Read { number, records });
    }

    fn proposed(&mut self, now: Tick, number: u64, outcome: Outcome) {
        if self.leaving == Some(number) {
            self.leaving = None;
            if outcome == Outcome::Committed && !self.left {
                self.left = true;
                self.outputs.push_back(Output::Left);
            }
        }
        self.tell(now, Event::Proposed { number, outcome });
    }

    fn leave(&mut self, now: Tick) {
        self.log("stops on purpose".to_owned());
        self.tell(now, Event::Leave);
        if self.start.mode == Mode::Legacy && !self.left {
            // The others were told with the sign of life that the machine has just sent.
            self.left = true;
            self.outputs.push_back(Output::Left);
        }
    }

    fn notice(&mut self, now: Tick, notice: Notice) {
        match &notice {
            Notice::Master { acting } => {
                self.master.clone_from(acting);
                self.master_since_unix_ms = self.unix_ms;
                let line = match acting {
                    Some((name, epoch)) => format!("{name} acts in epoch {epoch}"),
                    None => "no master acts, as far as is known here".to_owned(),
                };
                self.log(line);
                if acting.is_some() {
                    // What kept everybody from acting is over.
                    self.problems
                        .retain(|line| !line.starts_with(NO_RECORDS) && !line.starts_with(WENT_BACK));
                }
                if self.creating && acting.is_some() {
                    self.creating = false;
                    self.outputs.push_back(Output::Created);
                }
                self.event(now, notice, None);
            }
            Notice::Content { .. } => {} // Told from the content itself, which is in place after this event.
            Notice::Server { name, running } => {
                self.log(format!("server {name} {}", if *running { "is up" } else { "is gone" }));
                if !running && self.lock.as_ref().is_some_and(|lock| lock.via.as_ref() == Some(name)) {
                    self.lock = None;
                }
                if !running {
                    self.lost_peer(now, &name.clone());
                }
                self.event(now, notice, None);
            }
            Notice::Problem(problem) => {
                self.problem(problem.to_string());
                self.event(now, notice, None);
            }
        }
    }

    // ---- other servers ----

    fn peer(&mut self, now: Tick, from: ServerName, word: PeerWord) {
        match word {
            PeerWord::Machine(message) => {
                if let pollux_domain::succession::Message::Beat(peer) = &message {
                    self.heard.insert(from.clone(), (peer.stamp.clone(), peer.ready));
                }
                self.tell(now, Event::Message { from, message });
            }
            PeerWord::Ask { number, word } => self.peer_asks(now, from, number, word),
            PeerWord::Answer { number, reply } => self.peer_answers(now, &from, number, reply),
            PeerWord::Step { number, epoch, action } => self.peer_orders(now, from, number, epoch, action),
            PeerWord::StepEnded { number, outcome } => self.step_ended(now, &from, number, outcome),
            PeerWord::Settled => self.hold_until = None,
            PeerWord::Log { line } => {
                self.outputs.push_back(Output::Log { line: format!("{from}: {line}"), central: true });
            }
        }
    }

    fn peer_asks(&mut self, now: Tick, from: ServerName, number: u64, word: Relayed) {
        match word {
            Relayed::Submit { request, epoch, change } => {
                self.submit(now, Asker::Peer(from, number), request, Epoch(epoch), change);
            }
            Relayed::Apply(apply) => self.begin_apply(now, Asker::Peer(from, number), apply),
            Relayed::Lock { origin, take } => {
                let of_other = self.lock(now, origin, Some(from.clone()), take);
                self.answer_peer(from, number, RelayedReply::Lock { of_other });
            }
            Relayed::Unlock { origin } => self.unlock(origin),
        }
    }

    fn address(&mut self, server: ServerName, address: Address) {
        let is_full = self.addresses.len() >= SERVERS_KNOWN_MAX && !self.addresses.contains_key(&server);
        // Its own address a server knows best.
        if is_full || server == self.start.host || self.addresses.get(&server) == Some(&address) {
            return;
        }
        self.log(format!("server {server} is reached at {address}"));
        self.addresses.insert(server, address);
        self.outputs.push_back(Output::Addresses(self.addresses.clone()));
    }

    fn answer_peer(&mut self, to: ServerName, number: u64, reply: RelayedReply) {
        self.outputs.push_back(Output::Peer(to, PeerWord::Answer { number, reply }));
    }

    fn peer_answers(&mut self, now: Tick, from: &ServerName, number: u64, reply: RelayedReply) {
        if self.relays.get(&number).is_none_or(|relay| relay.to != *from) {
            return; // It was answered "unknown" before.
        }
        let Some(relay) = self.relays.remove(&number) else { return };
        let (program, number) = relay.asker;
        match (relay.what, reply) {
            (What::Submit, RelayedReply::Answer(answer)) => self.reply_answer(now, program, number, answer),
            (What::Apply, RelayedReply::Applied(applied)) => {
                self.reply_applied(now, program, number, applied)
            }
            (What::View, RelayedReply::Lock { of_other }) => {
                let view = self.view(now, Some(program), of_other);
                self.reply(program, number, Reply::View(Box::new(view)));
            }
            _ => self.relay_lost(now, relay.what, (program, number)),
        }
    }

    fn relay(&mut self, now: Tick, to: ServerName, asker: (ProgramId, u64), what: What, word: Relayed) {
        self.numbers += 1;
        let limit = if what == What::Apply { APPLY_MS_MAX } else { RELAY_MS_MAX };
        let relay = Relay { asker, to: to.clone(), deadline: Tick(now.0 + limit), what };
        self.relays.insert(self.numbers, relay);
        self.outputs.push_back(Output::Peer(to, PeerWord::Ask { number: self.numbers, word }));
    }

    fn relay_lost(&mut self, now: Tick, what: What, (program, number): (ProgramId, u64)) {
        match what {
            What::Submit => self.reply(program, number, Reply::Answer(Answer::Unknown)),
            What::Apply => self.reply(program, number, Reply::Applied(crate::words::Applied::Unknown)),
            What::View => {
                let view = self.view(now, Some(program), true);
                self.reply(program, number, Reply::View(Box::new(view)));
            }
        }
    }

    fn lost_peer(&mut self, now: Tick, name: &ServerName) {
        let lost: Vec<u64> =
            self.relays.iter().filter(|(_, relay)| relay.to == *name).map(|(number, _)| *number).collect();
        for number in lost {
            if let Some(relay) = self.relays.remove(&number) {
                self.relay_lost(now, relay.what, relay.asker);
            }
        }
        self.apply_lost_peer(now, name);
    }

    // ---- changes ----

    fn submit(&mut self, now: Tick, asker: Asker, request: RequestId, epoch: Epoch, change: Change) {
        let locked = self.lock.as_ref().is_some_and(|lock| lock.origin != request.origin);
        let busy = self.askers.len() >= QUESTIONS_MAX;
        if busy || (locked && matches!(change, Change::ReplaceFile { .. }) && asker != Asker::Configuration) {
            return self.answer_to(now, asker, Answer::Busy);
        }
        self.askers.entry(request).or_default().push(asker);
        self.tell(now, Event::Request { request, epoch, change });
    }

    fn answered(&mut self, now: Tick, request: RequestId, answer: Answer) {
        for asker in self.askers.remove(&request).unwrap_or_default() {
            self.answer_to(now, asker, answer.clone());
        }
    }

    fn answer_to(&mut self, now: Tick, asker: Asker, answer: Answer) {
        match asker {
            Asker::Program(program, number) => self.reply_answer(now, program, number, answer),
            Asker::Peer(name, number) => self.answer_peer(name, number, RelayedReply::Answer(answer)),
            Asker::Configuration => self.configuration_recorded(now, &answer),
        }
    }

    // ---- the lock of the domain file ----

    /// True when another program has it.
    fn lock(&mut self, now: Tick, origin: u64, via: Option<ServerName>, take: bool) -> bool {
        if self.machine.acts(now).is_none() {
            return true;
        }
        let of_other = self.lock.as_ref().is_some_and(|lock| lock.origin != origin);
        if take && !of_other && self.lock.is_none() {
            self.lock = Some(Lock { origin, via });
        }
        of_other
    }

    fn unlock(&mut self, origin: u64) {
        if self.lock.as_ref().is_some_and(|lock| lock.origin == origin) {
            self.lock = None;
        }
    }

    // ---- after every event ----

    fn settle(&mut self, now: Tick) {
        let acts = self.machine.acts(now);
        if acts.is_none() {
            self.lock = None;
        }
        self.acting.handle_mastership(acts);
        self.drain_orders(now);
        self.tell_content(now);
        self.send_problems();
        let done = |seen: &Option<Arc<Content>>, waiting: &Waiting| {
            let there = seen.as_ref().is_some_and(|content| content.stamp.order() >= waiting.stamp.order());
            there || now >= waiting.deadline
        };
        let (ready, still): (Vec<Waiting>, Vec<Waiting>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|it| done(&self.seen, it));
        self.waiting = still;
        for waiting in ready {
            self.reply(waiting.program, waiting.number, waiting.reply);
        }
        let late: Vec<u64> = self
            .relays
            .iter()
            .filter(|(_, relay)| now >= relay.deadline)
            .map(|(number, _)| *number)
            .collect();
        for number in late {
            if let Some(relay) = self.relays.remove(&number) {
                self.relay_lost(now, relay.what, relay.asker);
            }
        }
        self.keep(now);
    }

    /// Tells programs what has changed from the content they were told of to the one that is there.
    fn tell_content(&mut self, now: Tick) {
        let Some(content) = self.machine.content().cloned() else { return };
        let Some(old) = self.seen.replace(content.clone()).filter(|old| old.stamp != content.stamp) else {
            return;
        };
        self.keep_next = now;
        let new_requests: Vec<RequestId> =
            content.done.iter().filter(|request| !old.done.contains(request)).copied().collect();
        // Of several changes at once it cannot be told which was whose.
        let by = if let [one] = new_requests[..] { Some(one) } else { None };
        self.log(format!(
            "content {}: {}",
            content.stamp,
            content.list.entries().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        ));
        for change in changes_between(&old, &content) {
            let notice = Notice::Content { stamp: content.stamp.clone(), by };
            self.event(now, notice, Some(change));
        }
    }

    /// What is on record for this server is to run.
    fn keep(&mut self, now: Tick) {
        if self.hold_until.is_some_and(|until| now < until) || now < self.keep_next || self.underway.is_some()
        {
            return;
        }
        self.hold_until = None;
        self.keep_next = Tick(now.0 + KEEP_MS);
        let Some(content) = self.machine.content() else { return };
        match Configuration::parse(&content.file) {
            Ok(all) => self.outputs.push_back(Output::Keep(Box::new(of_server(&all, &self.start.host)))),
            Err(faults) => {
                let line = format!("the domain file on record has faults:\n{faults}");
                if self.problems.back() != Some(&line) {
                    self.problem(line);
                }
            }
        }
    }

    /// Central logging: the acting master's log has the problems of all servers.
    fn send_problems(&mut self) {
        if self.unsent.is_empty() {
            return;
        }
        let Some((master, _)) = self.master.clone() else { return };
        let unsent = std::mem::take(&mut self.unsent);
        if master != self.start.host && self.logging().central {
            for line in unsent {
                self.outputs.push_back(Output::Peer(master.clone(), PeerWord::Log { line }));
            }
        }
    }

    // ---- small steps ----

    fn event(&mut self, now: Tick, notice: Notice, change: Option<Change>) {
        let watching: Vec<ProgramId> =
            self.programs.iter().filter(|(_, program)| program.watches).map(|(id, _)| *id).collect();
        for id in watching {
            let view = Box::new(self.view(now, Some(id), false));
            let told = Told::Event { notice: notice.clone(), change: change.clone(), view };
            self.outputs.push_back(Output::Tell(id, Box::new(ToldBox(told))));
        }
    }

    fn reply(&mut self, program: ProgramId, number: u64, reply: Reply) {
        if self.programs.contains_key(&program) {
            let told = Told::Reply { number, reply };
            self.outputs.push_back(Output::Tell(program, Box::new(ToldBox(told))));
        }
    }

    fn log(&mut self, line: String) {
        self.outputs.push_back(Output::Log { line, central: false });
    }

    fn problem(&mut self, line: String) {
        self.problems.retain(|old| *old != line);
        self.problems.push_back(line.clone());
        if self.problems.len() > PROBLEMS_KEPT {
            self.problems.pop_front();
        }
        self.unsent.push_back(line.clone());
        if self.unsent.len() > PROBLEMS_KEPT {
            self.unsent.pop_front();
        }
        self.log(format!("problem: {line}"));
    }
}

/// How the texts of two problems begin that end when a master acts.
const NO_RECORDS: &str = "the coordinator holds no records";
const WENT_BACK: &str = "the coordinator holds epoch";

/// The changes that lead from one content to another, as programs are told of them.
pub fn changes_between(old: &Content, new: &Content) -> Vec<Change> {
    let (before, after) = (old.list.entries(), new.list.entries());
    let mut changes = Vec::new();
    for name in before.iter().filter(|name| !after.contains(name)) {
        changes.push(Change::DeleteBackup { name: name.clone() });
    }
    for name in after.iter().filter(|name| !before.contains(name)) {
        changes.push(Change::AddBackup { name: name.clone() });
    }
    if old.file != new.file {
        changes.push(Change::ReplaceFile { based_on: old.stamp.revision, text: new.file.clone() });
    }
    changes
}

/// What a configuration says about one server.
pub fn of_server(all: &Configuration, server: &ServerName) -> Configuration {
    let nodes: BTreeMap<_, _> = all
        .nodes
        .iter()
        .filter(|(_, node)| node.server == *server)
        .map(|(name, node)| (name.clone(), node.clone()))
        .collect();
    let pairs = all
        .pairs
        .iter()
        .filter(|(_, pair)| nodes.contains_key(&pair.node))
        .map(|(name, pair)| (name.clone(), pair.clone()))
        .collect();
    Configuration { nodes, pairs, ..Configuration::default() }
}

impl LockWish {
    fn asks(self) -> bool {
        self != LockWish::Nothing
    }
}
