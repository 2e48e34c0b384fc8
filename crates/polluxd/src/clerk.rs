//! The thread that keeps the ledger.
//!
//! A commit waits for the transaction of another daemon, and one that is stopped inside a transaction holds it until it
//! is killed as hung. The loop must not wait with it: it would be taken for hung itself. So jobs go to this thread as
//! values, in order, and come back as results; each carries what the daemon needs to go on.
//!
//! A takeover is heard and answered by this thread itself, over a [line](crate::lines) of who asks: a requester waits for
//! it, and the loop would first have to be woken. The loop hears of it a moment later, so that it does not take the
//! processor from the new primary.

use crate::creation::Role;
use crate::ends::GoneProcess;
use crate::ledger::{Contents, Gone, Ledger, Loss, NameCreation, Survey, Witness};
use crate::limits::CLERK_JOBS_MAX;
use crate::lines::{Kind, Lines, Word};
use crate::links::LinkId;
use crate::opens::OpenTry;
use crate::process::{Origin, Request};
use crate::start::unix_ms;
use crate::stops::TakeOff;
use pollux_coordinator::{Coordinator, Error};
use pollux_os::{Doorbell, socket_pair};
use pollux_wire::admin::ProgramSpec;
use pollux_wire::control::{Answer, Change, Creation, Query, Recorded, Target};
use pollux_wire::record::{CpuRecord, NameRecord};
use pollux_wire::{CpuNumber, Epoch, FileError, Phandle, Pin, ProcessName};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What the daemon asks of the ledger.
#[derive(Debug)]
pub(crate) enum Job {
    /// Numbers that were never given before.
    Numbers { count: u32, purpose: NumbersFor },
    /// A process asks for a change of its name's record.
    Change { asker: Request, name: ProcessName, change: Change },
    /// A name is created for the process of this pin.
    CreateName { pin: Pin, record: NameRecord },
    /// A named process is proven gone.
    ProcessGone { gone: GoneProcess },
    /// The first process of a name keeps its state itself.
    MarkActive { name: ProcessName, process: Phandle },
    /// A backup that keeps its state itself runs.
    JoinActive { name: ProcessName, primary: Phandle, epoch: Epoch, backup: Phandle },
    /// A name is to end with both its halves.
    TakeOff { order: TakeOff },
    /// What is on record of a process's name, before it gets a backup.
    FindForCreation { asker: Request, creation: Box<Creation> },
    /// A name that nobody has, for a process to be created.
    NameForCreation { asker: Request, creation: Box<Creation>, long: bool },
    /// A question that the records answer.
    Query { origin: Origin, query: Query },
    /// Both halves are proven gone.
    Bury { left: Phandle, dead: Phandle },
    /// Who is primary of the name to be opened.
    FindForOpen { attempt: Box<OpenTry> },
    /// The record of a name, for a command.
    FindForCommand { link: LinkId, name: ProcessName },
    /// All records, for a command.
    Contents { link: LinkId },
    /// Another CPU is lost.
    LoseCpu { cpu: CpuNumber, epoch: Epoch, on_purpose: bool, witness: Witness },
    /// Names that nobody is left to end.
    Survey { witness: Witness },
    /// What a CPU that does not answer is on record as.
    LookAtCpu { cpu: CpuNumber },
    /// The own CPU goes down.
    Leave { cpu: CpuNumber, epoch: Epoch },
}

/// What became of a [`Job`].
#[derive(Debug)]
pub(crate) enum Done {
    Numbers {
        count: u32,
        purpose: NumbersFor,
        first: Result<u64, Error>,
    },
    Changed {
        asker: Request,
        name: ProcessName,
        change: Change,
        outcome: Recorded,
        written: Option<NameRecord>,
        /// It was asked for over a line, and answered there.
        told: bool,
    },
    NameCreated {
        pin: Pin,
        record: NameRecord,
        result: Result<NameCreation, Error>,
    },
    ProcessGone {
        gone: GoneProcess,
        result: Result<Gone, Error>,
    },
    MarkedActive {
        name: ProcessName,
        process: Phandle,
        result: Result<Option<NameRecord>, Error>,
    },
    JoinedActive {
        backup: Phandle,
        outcome: Recorded,
        written: Option<NameRecord>,
    },
    TakenOff {
        order: TakeOff,
        result: Result<Option<NameRecord>, Error>,
    },
    FoundForCreation {
        asker: Request,
        creation: Box<Creation>,
        found: Result<Option<NameRecord>, Error>,
    },
    NamedForCreation {
        asker: Request,
        creation: Box<Creation>,
        name: Result<Option<ProcessName>, Error>,
    },
    Queried {
        origin: Origin,
        answer: Result<Answer, Error>,
    },
    Buried {
        left: Phandle,
        dead: Phandle,
        result: Result<Option<NameRecord>, Error>,
    },
    FoundForOpen {
        attempt: Box<OpenTry>,
        found: Result<(Option<NameRecord>, u64), Error>,
    },
    FoundForCommand {
        link: LinkId,
        found: Result<Option<NameRecord>, Error>,
    },
    Contents {
        link: LinkId,
        contents: Result<Contents, Error>,
    },
    CpuLost {
        cpu: CpuNumber,
        epoch: Epoch,
        on_purpose: bool,
        result: Result<Loss, Error>,
    },
    Surveyed {
        result: Result<Survey, Error>,
    },
    CpuLookedAt {
        cpu: CpuNumber,
        found: Result<Option<CpuRecord>, Error>,
    },
    Left {
        result: Result<Survey, Error>,
    },
}

/// What numbers are for.
#[derive(Debug)]
pub(crate) enum NumbersFor {
    /// A process asked for them.
    Process { asker: Request },
    /// The phandle of a process that came by itself.
    Visitor { link: LinkId },
    /// The phandle of a program to run.
    Run { link: LinkId, name: Option<ProcessName>, spec: Box<ProgramSpec>, stdio: [OwnedFd; 3] },
    /// The incarnation of a backup.
    Backup { asker: Request, cpu: Option<CpuNumber> },
    /// The sequence number of a created process, or the incarnation of one that is a backup.
    Creation { asker: Request, creation: Box<Creation>, role: Role },
}

/// How long the loop is not told of what was answered without it.
const ANSWERED_PAUSE: Duration = Duration::from_millis(2);

/// What goes to the clerk's thread.
#[derive(Debug)]
enum Order {
    /// To be answered with what became of it.
    Do(Job),
    /// A half may ask for takeovers over this socket.
    Listen { process: Phandle, name: ProcessName, line: OwnedFd },
    /// Nobody may any more.
    HangUp,
}

/// The daemon's side.
#[derive(Debug)]
pub(crate) struct Clerk {
    /// None only while this is dropped.
    orders: Option<Sender<Order>>,
    done: Receiver<Done>,
    under_way: usize,
    /// Rings when results are there.
    bell: Arc<Doorbell>,
    /// Rings when orders are there.
    orders_bell: Arc<Doorbell>,
}

impl Clerk {
    /// Starts the thread.
    pub(crate) fn start<C: Coordinator + 'static>(ledger: Ledger<C>) -> io::Result<Self> {
        let (orders, orders_to_do) = channel();
        let (done_jobs, done) = channel();
        let (bell, orders_bell) = (Arc::new(Doorbell::new()?), Arc::new(Doorbell::new()?));
        let desk = Desk {
            ledger,
            lines: Lines::new(&orders_bell)?,
            orders: orders_to_do,
            orders_bell: Arc::clone(&orders_bell),
            done: done_jobs,
            bell: Arc::clone(&bell),
            ring_at: None,
        };
        thread::Builder::new().name("clerk".to_owned()).spawn(move || desk.keep())?;
        Ok(Self { orders: Some(orders), done, under_way: 0, bell, orders_bell })
    }

    /// Rings when results are there.
    pub(crate) fn bell(&self) -> &Doorbell {
        &self.bell
    }

    /// True when so many jobs wait that those which can be refused should be.
    pub(crate) fn is_full(&self) -> bool {
        self.under_way >= CLERK_JOBS_MAX
    }

    /// Gives a job. Those that follow from a death are never refused: there is a bounded number of processes and CPUs.
    pub(crate) fn ask(&mut self, job: Job) {
        self.under_way += 1;
        self.order(Order::Do(job));
    }

    /// A line of a half, to be given to it.
    pub(crate) fn line(&self, process: Phandle, name: ProcessName) -> io::Result<OwnedFd> {
        let (line, theirs) = socket_pair()?;
        self.order(Order::Listen { process, name, line });
        Ok(theirs)
    }

    /// Ends all lines: from here on takeovers are asked for where all else is.
    pub(crate) fn hang_up(&self) {
        self.order(Order::HangUp);
    }

    /// The next result.
    pub(crate) fn poll(&mut self) -> Option<Done> {
        let done = self.done.try_recv().ok()?;
        if !matches!(done, Done::Changed { told: true, .. }) {
            self.under_way -= 1;
        }
        Some(done)
    }

    fn order(&self, order: Order) {
        let orders = self.orders.as_ref().expect("only drop takes it");
        orders.send(order).expect("the thread ends only after this side, and a panic ends the process");
        self.orders_bell.ring();
    }
}

impl Drop for Clerk {
    fn drop(&mut self) {
        self.orders = None;
        self.orders_bell.ring();
    }
}

/// The thread's side.
struct Desk<C> {
    ledger: Ledger<C>,
    lines: Lines,
    orders: Receiver<Order>,
    orders_bell: Arc<Doorbell>,
    done: Sender<Done>,
    bell: Arc<Doorbell>,
    /// When the loop is told of what was answered without it.
    ring_at: Option<Instant>,
}

/// The daemon has ended.
struct Ended;

impl<C: Coordinator> Desk<C> {
    fn keep(mut self) {
        while self.turn().is_ok() {}
    }

    /// What was said on lines, and one order.
    fn turn(&mut self) -> Result<(), Ended> {
        let order = match self.orders.try_recv() {
            Ok(order) => Some(order),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => return Err(Ended),
        };
        let left = self.ring_at.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = if order.is_some() { Some(Duration::ZERO) } else { left };
        self.lines
            .wait(&self.orders_bell, timeout)
            .expect("an epoll instance of one's own can be waited for");
        while let Some(word) = self.lines.next_word() {
            self.heed(word)?;
        }
        match order {
            Some(order) => self.carry_out(order),
            None => {
                if self.ring_at.take_if(|at| *at <= Instant::now()).is_some() {
                    self.bell.ring();
                }
                Ok(())
            }
        }
    }

    fn carry_out(&mut self, order: Order) -> Result<(), Ended> {
        match order {
            Order::Listen { process, name, line } => self.lines.add(process, name, line),
            Order::HangUp => self.lines.clear(),
            Order::Do(job) => {
                if let Job::ProcessGone { gone } = &job
                    && let Some(word) = self.lines.finish(gone.dead)
                {
                    self.heed(word)?;
                }
                let result = perform(&mut self.ledger, job);
                self.done.send(result).map_err(|_| Ended)?;
                self.ring_at = None;
                self.bell.ring();
            }
        }
        Ok(())
    }

    /// Prepares for a takeover; or does it and answers over the line.
    fn heed(&mut self, word: Word) -> Result<(), Ended> {
        let Word { line, process, name, change, kind } = word;
        match kind {
            Kind::Prepare => self.lines.keep(line, self.ledger.prepare(&name, process, change)),
            Kind::Ask { request, prepared } => {
                let done = prepared.and_then(|prepared| self.ledger.change_prepared(*prepared));
                let (outcome, written) = done.unwrap_or_else(|| self.ledger.change(&name, process, &change));
                self.lines.answer(line, request, &outcome);
                let asker = Request { process, request };
                let told = Done::Changed { asker, name, change, outcome, written, told: true };
                self.done.send(told).map_err(|_| Ended)?;
                self.ring_at.get_or_insert_with(|| Instant::now() + ANSWERED_PAUSE);
            }
        }
        Ok(())
    }
}

fn perform<C: Coordinator>(ledger: &mut Ledger<C>, job: Job) -> Done {
    match job {
        Job::Numbers { count, purpose } => Done::Numbers { count, purpose, first: ledger.numbers(count) },
        Job::Change { asker, name, change } => {
            let (outcome, written) = ledger.change(&name, asker.process, &change);
            Done::Changed { asker, name, change, outcome, written, told: false }
        }
        Job::CreateName { pin, record } => {
            let result = ledger.create_name(&record);
            Done::NameCreated { pin, record, result }
        }
        Job::ProcessGone { gone } => {
            let result = ledger.process_gone(&gone.name, gone.dead, gone.correct);
            Done::ProcessGone { gone, result }
        }
        Job::MarkActive { name, process } => {
            let result = ledger.mark_active(&name, process);
            Done::MarkedActive { name, process, result }
        }
        Job::JoinActive { name, primary, epoch, backup } => {
            let (outcome, written) = ledger.change(&name, primary, &Change::Join { epoch, backup });
            Done::JoinedActive { backup, outcome, written }
        }
        Job::TakeOff { order } => {
            let result = ledger.take_off(order.half);
            Done::TakenOff { order, result }
        }
        Job::FindForCreation { asker, creation } => {
            let found = ledger.pair_of(asker.process);
            Done::FoundForCreation { asker, creation, found }
        }
        Job::NameForCreation { asker, creation, long } => {
            Done::NamedForCreation { asker, creation, name: ledger.new_name(long) }
        }
        Job::Query { origin, query } => Done::Queried { origin, answer: answer(ledger, query) },
        Job::Bury { left, dead } => Done::Buried { left, dead, result: ledger.bury(left, dead) },
        Job::FindForOpen { attempt } => {
            let record = match &attempt.target {
                Target::Name { name, .. } => ledger.name(name),
                Target::Place { .. } => Ok(None),
            };
            let found = record.and_then(|record| {
                // Only a server that is there costs a number.
                let wanted = record.is_some() || matches!(attempt.target, Target::Place { .. });
                let number = if wanted && attempt.open.is_none() { ledger.numbers(1)? } else { 0 };
                Ok((record, number))
            });
            Done::FoundForOpen { attempt, found }
        }
        Job::FindForCommand { link, name } => Done::FoundForCommand { link, found: ledger.name(&name) },
        Job::Contents { link } => Done::Contents { link, contents: ledger.contents() },
        Job::LoseCpu { cpu, epoch, on_purpose, witness } => {
            let result = ledger.lose_cpu(cpu, epoch, on_purpose, unix_ms(), &witness);
            Done::CpuLost { cpu, epoch, on_purpose, result }
        }
        Job::Survey { witness } => Done::Surveyed { result: ledger.survey(&witness) },
        Job::LookAtCpu { cpu } => Done::CpuLookedAt { cpu, found: ledger.cpu(cpu) },
        Job::Leave { cpu, epoch } => Done::Left { result: ledger.leave(cpu, epoch, unix_ms()) },
    }
}

fn answer<C: Coordinator>(ledger: &mut Ledger<C>, query: Query) -> Result<Answer, Error> {
    let record = match query {
        Query::Name { name } => ledger.name(&name)?,
        Query::NextName { after } => ledger.next_name(after.as_ref())?,
        Query::PairOf { phandle } => ledger.pair_of(phandle)?,
        Query::NewName { long } => {
            return Ok(match ledger.new_name(long)? {
                Some(name) => Answer::NewName { name },
                None => Answer::Done { error: FileError::DIRECTORY_FULL },
            });
        }
        // The daemons answer these.
        Query::Process { .. } | Query::Place { .. } | Query::Cpus {} | Query::Fate { .. } => {
            return Ok(Answer::Done { error: FileError::INVALID_OPERATION });
        }
    };
    Ok(Answer::Record { record })
}

#[cfg(test)]
#[path = "clerk_tests.rs"]
mod tests;
