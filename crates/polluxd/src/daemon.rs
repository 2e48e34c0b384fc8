//! The daemon: its state, its loop, and who handles what.
//!
//! One turn of the loop: wait; hand each event to its handler; tick if it is time; do what the regroup decided; send
//! what was queued. Handlers queue frames and give jobs, and never wait. A connection that must be closed because of
//! what a handler found is put aside and closed at the end of the turn, so that no handler pulls the ground from under
//! another.

use crate::acceptors::Acceptor;
use crate::arguments::Arguments;
use crate::backups::Asked;
use crate::clerk::{Clerk, Done, NumbersFor};
use crate::ends::GoneProcess;
use crate::events::EventLog;
use crate::leave::Leaving;
use crate::ledger::Witness;
use crate::limits::{ACCEPTS_PER_WAKE_MAX, HALF_OPEN_MAX, LINKS_MAX, TICK_MS};
use crate::links::{Incoming, LinkId, Links, Role};
use crate::losses::{Announcement, CpuStart, Reload};
use crate::opens::OpenTry;
use crate::peers::{Call, Peer};
use crate::process::{Process, Processes, Request};
use crate::start::unix_ms;
use crate::starter::{Started, Starter};
use crate::stops::{Dismissal, TakeOff};
use pollux_core::regroup::Regroup;
use pollux_os::clock::monotonic_ns;
use pollux_os::{ChildSignals, Doorbell, Interest, LifePage, Poller, StopSignals, peer_credentials};
use pollux_wire::control::{CONTROL, ToDaemon, ToProcess};
use pollux_wire::event::{Event, EventKind};
use pollux_wire::{CpuNumber, Epoch, Phandle, Pin, ProcessName};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// What the poller tells: the upper byte says what it is, the rest which one.
const TOKEN_SHIFT: u32 = 56;
const TOKEN_SINGLE: u64 = 0;
const TOKEN_LINK: u64 = 1;
const TOKEN_PROCESS: u64 = 2;
const TOKEN_ACCEPTOR: u64 = 3;
const TOKEN_PEER: u64 = 4;

const LISTENER: u64 = 1;
const CLERK: u64 = 2;
const STARTER: u64 = 3;
const DEATHS: u64 = 4;
const CHILDREN: u64 = 5;
const STOP: u64 = 6;

fn token(class: u64, which: u64) -> u64 {
    class << TOKEN_SHIFT | which
}

pub(crate) fn link_token(id: LinkId) -> u64 {
    token(TOKEN_LINK, id.0)
}

pub(crate) fn process_token(pin: Pin) -> u64 {
    token(TOKEN_PROCESS, u64::from(pin.0))
}

pub(crate) fn acceptor_token(number: u64) -> u64 {
    token(TOKEN_ACCEPTOR, number)
}

pub(crate) fn peer_token(cpu: CpuNumber) -> u64 {
    token(TOKEN_PEER, u64::from(cpu.get()))
}

/// Something to do at a time.
#[derive(Debug)]
pub(crate) enum Timer {
    /// Look again for the primary of a name.
    Open(Box<OpenTry>),
    /// Put the loss of a CPU on record, which the coordinator could not do.
    LoseCpu { cpu: CpuNumber, epoch: Epoch, on_purpose: bool },
    /// Start a failed CPU again.
    Reload(CpuNumber),
    /// Tell the ledger of a process's end again.
    ProcessGone(GoneProcess),
    /// Note again that a process keeps its state itself.
    MarkActive { name: ProcessName, process: Phandle },
    /// Take a name off the record again.
    TakeOff(TakeOff),
    /// Processes that were stopped should be gone.
    Dismissal(u64),
    /// A lost CPU should have been announced.
    AnnounceDown { cpu: CpuNumber, epoch: Epoch },
    /// Ask for numbers again.
    Numbers { count: u32, asker: Request },
}

/// What [`start`](crate::start) has made.
pub(crate) struct Parts {
    pub(crate) arguments: Arguments,
    pub(crate) clerk: Clerk,
    pub(crate) starter: Starter,
    pub(crate) events: EventLog,
    pub(crate) life_page: LifePage,
    pub(crate) own_pidfd: OwnedFd,
    pub(crate) listener: OwnedFd,
    pub(crate) node_processors: Vec<usize>,
    pub(crate) own_processors: Vec<usize>,
    pub(crate) epoch: Epoch,
    pub(crate) first_number: u64,
}

/// One CPU.
pub(crate) struct Daemon {
    pub(crate) arguments: Arguments,
    /// All processors of the node, for a CPU that is started from here.
    pub(crate) node_processors: Vec<usize>,
    /// Those of this CPU; empty = not bound.
    pub(crate) own_processors: Vec<usize>,
    /// The node as a number in phandles.
    pub(crate) node_number: u32,
    /// Of this CPU.
    pub(crate) epoch: Epoch,
    /// A number given when this epoch began: sequence numbers below it are older.
    pub(crate) first_number: u64,
    pub(crate) poller: Poller,
    pub(crate) links: Links,
    pub(crate) clerk: Clerk,
    pub(crate) starter: Starter,
    pub(crate) events: EventLog,
    pub(crate) life_page: LifePage,
    pub(crate) own_pidfd: OwnedFd,
    /// Rung by the watch threads of peers' life pages.
    pub(crate) deaths: Arc<Doorbell>,
    pub(crate) processes: Processes,
    pub(crate) acceptors: BTreeMap<u64, Acceptor>,
    pub(crate) acceptor_last: u64,
    pub(crate) regroup: Regroup,
    pub(crate) peers: BTreeMap<CpuNumber, Peer>,
    /// Older CPUs that are being called.
    pub(crate) calls: BTreeMap<CpuNumber, Call>,
    /// Epochs of CPUs whose loss the regroup is about to order.
    pub(crate) lost_epochs: BTreeMap<CpuNumber, Epoch>,
    /// Lost CPUs whose loss was not announced yet.
    pub(crate) announcing: BTreeMap<CpuNumber, Announcement>,
    /// Who asks for the fate of which process of a CPU of which it is not known whether it lives.
    pub(crate) fates_waiting: BTreeMap<CpuNumber, Vec<(Request, Phandle)>>,
    /// Processes on their way out.
    pub(crate) dismissals: BTreeMap<u64, Dismissal>,
    pub(crate) dismissal_last: u64,
    pub(crate) reloads: BTreeMap<CpuNumber, Reload>,
    pub(crate) cpu_starts: Vec<CpuStart>,
    /// Requests to peers that are not answered.
    pub(crate) asked: BTreeMap<u32, Asked>,
    pub(crate) asked_last: u32,
    pub(crate) leaving: Option<Leaving>,
    /// Set when there is nothing left to do.
    pub(crate) finished: bool,
    /// Own ticks so far.
    pub(crate) ticks: u64,
    listener: OwnedFd,
    /// False after the descriptor table was found full, until the next tick.
    pub(crate) listens: bool,
    child_signals: ChildSignals,
    stop_signals: StopSignals,
    timers: BTreeMap<(u64, u64), Timer>,
    timer_last: u64,
    tick_at_ns: u64,
    /// Connections to close at the end of the turn.
    failed_links: VecDeque<(LinkId, String)>,
}

impl Daemon {
    /// A CPU that nobody has spoken to yet.
    pub(crate) fn new(parts: Parts) -> io::Result<Self> {
        let poller = Poller::new()?;
        let deaths = Arc::new(Doorbell::new()?);
        let (child_signals, stop_signals) = (ChildSignals::new()?, StopSignals::new()?);
        poller.add(&parts.listener, token(TOKEN_SINGLE, LISTENER), Interest::READ)?;
        poller.add(parts.clerk.bell(), token(TOKEN_SINGLE, CLERK), Interest::READ)?;
        poller.add(parts.starter.bell(), token(TOKEN_SINGLE, STARTER), Interest::READ)?;
        poller.add(&*deaths, token(TOKEN_SINGLE, DEATHS), Interest::READ)?;
        poller.add(&child_signals, token(TOKEN_SINGLE, CHILDREN), Interest::READ)?;
        poller.add(&stop_signals, token(TOKEN_SINGLE, STOP), Interest::READ)?;
        // At least two: one missed beat may be the reader's own haste.
        let sick_after_ticks = (parts.arguments.sick_after_ms / TICK_MS as u32).max(2);
        Ok(Self {
            node_number: node_number(parts.arguments.node.as_str()),
            arguments: parts.arguments,
            node_processors: parts.node_processors,
            own_processors: parts.own_processors,
            epoch: parts.epoch,
            first_number: parts.first_number,
            poller,
            links: Links::default(),
            clerk: parts.clerk,
            starter: parts.starter,
            events: parts.events,
            life_page: parts.life_page,
            own_pidfd: parts.own_pidfd,
            deaths,
            processes: Processes::default(),
            acceptors: BTreeMap::new(),
            acceptor_last: 0,
            regroup: Regroup::new(sick_after_ticks),
            peers: BTreeMap::new(),
            calls: BTreeMap::new(),
            lost_epochs: BTreeMap::new(),
            announcing: BTreeMap::new(),
            fates_waiting: BTreeMap::new(),
            dismissals: BTreeMap::new(),
            dismissal_last: 0,
            reloads: BTreeMap::new(),
            cpu_starts: Vec::new(),
            asked: BTreeMap::new(),
            asked_last: 0,
            leaving: None,
            finished: false,
            ticks: 0,
            listener: parts.listener,
            listens: true,
            child_signals,
            stop_signals,
            timers: BTreeMap::new(),
            timer_last: 0,
            tick_at_ns: 0,
            failed_links: VecDeque::new(),
        })
    }

    /// The loop. Returns when the CPU is down.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        while !self.finished {
            let timeout = self.time_to_wait(monotonic_ns());
            let events = self.poller.wait(Some(timeout))?.to_vec();
            for event in events {
                self.handle_event(event);
            }
            let now = monotonic_ns();
            if now >= self.tick_at_ns {
                // One tick however late it is: ticks that did not happen count for nothing.
                self.tick_at_ns = now + TICK_MS * 1_000_000;
                self.tick();
            }
            self.run_timers(now);
            self.follow_regroup();
            self.end_turn();
        }
        self.end_turn();
        Ok(())
    }

    /// The own CPU's number.
    pub(crate) fn cpu(&self) -> CpuNumber {
        self.arguments.cpu
    }

    /// What this CPU knows about who is alive.
    pub(crate) fn witness(&self) -> Witness {
        Witness { cpu: self.cpu(), alive: self.processes.handles() }
    }

    /// Does something in so many milliseconds.
    pub(crate) fn after_ms(&mut self, ms: u64, timer: Timer) {
        self.timer_last += 1;
        self.timers.insert((monotonic_ns() + ms * 1_000_000, self.timer_last), timer);
    }

    /// Tells an attached process; to others this does nothing.
    pub(crate) fn tell(&mut self, process: Phandle, message: &ToProcess) {
        self.tell_with(process, Vec::new(), message);
    }

    /// Tells an attached process, with descriptors.
    pub(crate) fn tell_with(&mut self, process: Phandle, descriptors: Vec<OwnedFd>, message: &ToProcess) {
        let found = self.processes.get(process).filter(|process| process.is_attached());
        if let Some(link) = found.and_then(|process| process.link) {
            self.links.send(link, CONTROL, descriptors, message);
        }
    }

    /// Closes a connection at the end of the turn.
    pub(crate) fn fail_link(&mut self, link: LinkId, why: impl Into<String>) {
        self.failed_links.push_back((link, why.into()));
    }

    /// Writes an event about this CPU or one of its processes.
    pub(crate) fn report(
        &self,
        kind: EventKind,
        subject: (Option<&ProcessName>, Option<Phandle>),
        (before, after): (Epoch, Epoch),
        cause: impl Into<String>,
    ) {
        self.events.write(Event {
            at_unix_ms: unix_ms(),
            kind,
            cpu: self.cpu(),
            name: subject.0.cloned(),
            phandle: subject.1,
            epoch_before: before,
            epoch_after: after,
            cause: cause.into(),
            handover: None,
        });
    }

    /// Adds a connection.
    pub(crate) fn add_link(&mut self, fd: OwnedFd, role: Role, who: (u32, u32)) -> io::Result<LinkId> {
        self.links.add(&self.poller, link_token, fd, role, who, self.ticks)
    }

    /// Takes in what is there to read on a connection. Says why when it has ended; the caller draws the consequence.
    pub(crate) fn read_link(&mut self, id: LinkId) -> Option<String> {
        let link = self.links.get_mut(id)?;
        let filled = link.fill();
        loop {
            let incoming = match self.links.get_mut(id)?.next_frame() {
                Ok(Some(incoming)) => incoming,
                Ok(None) => break,
                Err(garbage) => return Some(format!("it sent garbage: {garbage}")),
            };
            self.handle_incoming(id, incoming);
        }
        match filled {
            Ok(false) => None,
            Ok(true) => Some(CLOSED.to_owned()),
            Err(error) => Some(error),
        }
    }

    fn time_to_wait(&self, now: u64) -> Duration {
        let timer = self.timers.first_key_value().map_or(u64::MAX, |((at, _), _)| *at);
        Duration::from_nanos(self.tick_at_ns.min(timer).saturating_sub(now))
    }

    fn handle_event(&mut self, event: pollux_os::Event) {
        let which = event.token & ((1 << TOKEN_SHIFT) - 1);
        match event.token >> TOKEN_SHIFT {
            TOKEN_SINGLE => self.handle_single(which),
            TOKEN_LINK => self.handle_link(LinkId(which), event),
            TOKEN_PROCESS => self.handle_pidfd(Pin(which as u16)),
            TOKEN_ACCEPTOR => self.reap_acceptor(which),
            TOKEN_PEER => {
                if let Some(cpu) = CpuNumber::new(which as u8) {
                    self.handle_peer_pidfd(cpu);
                }
            }
            _ => {}
        }
    }

    fn handle_single(&mut self, which: u64) {
        match which {
            LISTENER => self.accept(),
            CLERK => {
                self.clerk.bell().quiet();
                self.take_results();
            }
            STARTER => {
                self.starter.bell().quiet();
                while let Some(started) = self.starter.poll() {
                    match started {
                        Started::Process { phandle, result } => self.handle_launched(phandle, result),
                        Started::Acceptor { asker, result } => self.handle_acceptor_launched(asker, result),
                        Started::Cpu { cpu, result } => self.handle_cpu_launched(cpu, result),
                    }
                }
            }
            DEATHS => {
                self.deaths.quiet();
                self.look_for_dead_peers();
            }
            CHILDREN => {
                self.child_signals.drain();
                self.reap_children();
            }
            STOP => {
                while let Some(signal) = self.stop_signals.take() {
                    self.handle_stop_signal(signal);
                }
            }
            _ => {}
        }
    }

    fn handle_link(&mut self, id: LinkId, event: pollux_os::Event) {
        if event.writable {
            self.links.flush_one(&self.poller, id, link_token(id));
        }
        if event.readable
            && let Some(why) = self.read_link(id)
        {
            self.close_link(id, &why);
        }
    }

    /// The first frame decides what a connection is; from then on only such frames are right.
    fn handle_incoming(&mut self, id: LinkId, incoming: Incoming) {
        let Some(link) = self.links.get_mut(id) else { return };
        match (&link.role, incoming) {
            (Role::Process(process), Incoming::Control(message, descriptors)) => {
                let process = *process;
                self.handle_control(id, process, message, descriptors);
            }
            (Role::Unknown, Incoming::Control(ToDaemon::Attach { version, .. }, descriptors)) => {
                self.handle_visitor(id, version, descriptors);
            }
            (Role::Unknown | Role::Called(_) | Role::Peer(_), Incoming::Mesh(message, descriptors)) => {
                self.handle_mesh(id, message, descriptors);
            }
            (Role::Unknown | Role::Command, Incoming::Admin(request, descriptors)) => {
                link.role = Role::Command;
                self.handle_admin(id, request, descriptors);
            }
            _ => self.fail_link(id, "it sent a frame that does not belong on its connection"),
        }
    }

    /// Ends a connection and draws the consequence for whoever was at its end.
    pub(crate) fn close_link(&mut self, id: LinkId, why: &str) {
        let Some(link) = self.links.close(&self.poller, id) else { return };
        match link.role {
            Role::Process(process) => self.handle_process_unlinked(process, why),
            Role::Peer(cpu) => self.handle_peer_unlinked(cpu, id, why),
            Role::Called(cpu) => self.handle_call_ended(cpu, id, why),
            Role::Unknown | Role::Arriving(_) | Role::Command => {
                if why != CLOSED {
                    tracing::warn!(pid = link.pid, uid = link.uid, "a connection was closed: {why}");
                }
            }
        }
    }

    /// Takes in what the clerk has done.
    pub(crate) fn take_results(&mut self) {
        while let Some(done) = self.clerk.poll() {
            self.handle_done(done);
        }
    }

    fn handle_done(&mut self, done: Done) {
        match done {
            Done::Numbers { count, purpose, first } => match purpose {
                NumbersFor::Process { asker } => self.handle_numbers(asker, count, first),
                NumbersFor::Visitor { link } => self.handle_visitor_number(link, first),
                NumbersFor::Run { link, name, spec, stdio } => {
                    self.handle_run_number(link, name, *spec, stdio, first);
                }
                NumbersFor::Backup { asker, cpu } => self.handle_backup_number(asker, cpu, first),
                NumbersFor::Creation { asker, creation, role } => {
                    self.handle_creation_number(asker, *creation, role, first);
                }
            },
            Done::Changed { asker, name, change, outcome, written, told } => {
                self.handle_changed(asker, &name, &change, outcome, (written.as_ref(), told));
            }
            Done::NameCreated { pin, record, result } => self.handle_name_created(pin, &record, result),
            Done::ProcessGone { gone, result } => self.handle_gone_recorded(gone, result),
            Done::MarkedActive { name, process, result } => {
                self.handle_marked_active(name, process, result);
            }
            Done::JoinedActive { backup, outcome, written } => {
                self.handle_joined_active(backup, outcome, written);
            }
            Done::TakenOff { order, result } => self.handle_taken_off(order, result),
            Done::FoundForCreation { asker, creation, found } => {
                self.handle_found_for_creation(asker, creation, found);
            }
            Done::NamedForCreation { asker, creation, name } => {
                self.handle_named_for_creation(asker, creation, name);
            }
            Done::Queried { origin, answer } => self.handle_queried(origin, answer),
            Done::Buried { left, dead, result } => self.handle_buried(left, dead, result),
            Done::FoundForOpen { attempt, found } => self.handle_found_for_open(attempt, found),
            Done::FoundForCommand { link, found } => self.handle_found_for_command(link, found),
            Done::Contents { link, contents } => self.handle_contents(link, contents),
            Done::CpuLost { cpu, epoch, on_purpose, result } => {
                self.handle_cpu_lost(cpu, epoch, on_purpose, result);
            }
            Done::Surveyed { result } => self.handle_surveyed(result),
            Done::CpuLookedAt { cpu, found } => self.handle_cpu_looked_at(cpu, found),
            Done::Left { result } => self.handle_left(result),
        }
    }

    fn run_timers(&mut self, now: u64) {
        while let Some(entry) = self.timers.first_entry()
            && entry.key().0 <= now
        {
            match entry.remove() {
                Timer::Open(attempt) => self.find_for_open(attempt),
                Timer::LoseCpu { cpu, epoch, on_purpose } => self.record_loss(cpu, epoch, on_purpose),
                Timer::Reload(cpu) => self.reload(cpu),
                Timer::ProcessGone(gone) => self.record_gone(gone),
                Timer::MarkActive { name, process } => self.mark_active(name, process),
                Timer::TakeOff(order) => self.take_off(order),
                Timer::Dismissal(id) => self.dismissal_late(id),
                Timer::AnnounceDown { cpu, epoch } => self.announce_down_late(cpu, epoch),
                Timer::Numbers { count, asker } => self.ask_numbers(asker, count),
            }
        }
    }

    fn end_turn(&mut self) {
        while let Some((id, why)) = self.links.poll_broken().or_else(|| self.failed_links.pop_front()) {
            self.close_link(id, &why);
        }
        self.flush();
    }

    /// Sends what is queued; the loop does it at the end of each turn.
    pub(crate) fn flush(&mut self) {
        self.links.flush(&self.poller, link_token);
    }

    fn accept(&mut self) {
        for _ in 0..ACCEPTS_PER_WAKE_MAX {
            match accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(fd) => self.admit(fd),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(errno) => {
                    // The listener stays readable: without a pause this would be a busy loop.
                    tracing::error!("no connection can be accepted: {errno}");
                    self.listens = self.poller.remove(&self.listener).is_err();
                    return;
                }
            }
        }
    }

    /// Listens again after a pause.
    pub(crate) fn listen_again(&mut self) {
        let token = token(TOKEN_SINGLE, LISTENER);
        self.listens = self.poller.add(&self.listener, token, Interest::READ).is_ok();
    }

    fn admit(&mut self, fd: OwnedFd) {
        let Ok(who) = peer_credentials(&fd) else { return };
        let own = rustix::process::geteuid().as_raw();
        if who.uid != own && who.uid != 0 {
            tracing::warn!(pid = who.pid, uid = who.uid, "a connection of another user was refused");
            return;
        }
        let half_open = self.links.iter().filter(|(_, link)| matches!(link.role, Role::Unknown)).count();
        if half_open >= HALF_OPEN_MAX || self.links.len() >= LINKS_MAX {
            tracing::warn!(pid = who.pid, "a connection was refused: too many are open");
            return;
        }
        if let Err(error) = self.add_link(fd, Role::Unknown, (who.uid, who.pid.cast_unsigned())) {
            tracing::error!("a connection cannot be used: {error}");
        }
    }
}

/// Why most connections end.
pub(crate) const CLOSED: &str = "the other end closed it";

/// A small stable number for a node's name (FNV-1a, cut to what the 16-bit fields of C programs show whole).
fn node_number(name: &str) -> u32 {
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    // Not 0: that reads like "no node".
    (hash ^ hash >> 16) & 0x7fff | 1
}

/// The words by which log lines name a process.
pub(crate) fn label(process: &Process) -> String {
    match &process.name {
        Some(name) => format!("{name} {}", process.phandle),
        None => process.phandle.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Phandles of a node that gets another number at its next start would not compare.
    #[test]
    fn a_node_has_a_stable_number() {
        assert_eq!(node_number("\\POLLUX"), node_number("\\POLLUX"));
        assert_ne!(node_number("\\POLLUX"), node_number("\\CASTOR"));
        assert!((1..0x8000).contains(&node_number("\\A")));
    }

    #[test]
    fn tokens_are_told_apart() {
        let tokens = [
            link_token(LinkId(1)),
            process_token(Pin(1)),
            acceptor_token(1),
            peer_token(CpuNumber::new(1).unwrap()),
            token(TOKEN_SINGLE, LISTENER),
        ];
        let different: std::collections::BTreeSet<u64> = tokens.into_iter().collect();
        assert_eq!(different.len(), tokens.len());
    }
}
