//! The table of the processes of this CPU: those it started and those that came by themselves.
//!
//! Passive: what happens to a process is decided in `children`, `control`, `opens` and `backups`.

use crate::endings::Stopper;
use crate::limits::{ENDED_KEPT_MAX, PROCESSES_MAX};
use crate::links::LinkId;
use crate::opens::PathOrigin;
use crate::start::unix_ms;
use pollux_wire::admin::{Kept, ProcessInfo, ProgramSpec};
use pollux_wire::checkpoint::Opener;
use pollux_wire::control::{
    PairState, ProcessFacts, STOP_MODE_DEFAULT, StartAs, StateKeeping, StopReport, ToProcess,
};
use pollux_wire::record::NameRecord;
use pollux_wire::{CpuNumber, Epoch, OpenId, Phandle, Pin, ProcessName};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::OwnedFd;

/// A request of a process, to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    /// Who asked.
    pub(crate) process: Phandle,
    /// Its number.
    pub(crate) request: u32,
}

/// Who asked for something, and how he is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A process of this CPU.
    Process(Request),
    /// A peer, on behalf of one of its own.
    Peer { cpu: CpuNumber, request: u32 },
    /// This daemon itself, which needs no answer.
    Nobody,
    /// This daemon, which stops several processes and counts them.
    Dismissal(u64),
}

/// Where a process comes from and what it inherits (`PROCESS_CREATE_`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Family {
    /// Its creator, if that is a process.
    pub(crate) creator: Option<Phandle>,
    /// Who is told of its end, beside its name's ancestor and its other half: the creator of an unnamed process, or who
    /// has adopted it.
    pub(crate) mom: Option<Phandle>,
    /// Home terminal; empty for none.
    pub(crate) home_terminal: String,
    /// Job, 0 for none.
    pub(crate) job: u16,
    /// Priority.
    pub(crate) priority: u8,
}

/// Priority of a process whose starter names none.
pub(crate) const PRIORITY_DEFAULT: u8 = 150;

impl Default for Family {
    fn default() -> Self {
        let home_terminal = String::new();
        Self { creator: None, mom: None, home_terminal, job: 0, priority: PRIORITY_DEFAULT }
    }
}

/// A process of this CPU.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) phandle: Phandle,
    pub(crate) name: Option<ProcessName>,
    pub(crate) spec: ProgramSpec,
    pub(crate) stage: Stage,
    /// On whose behalf it was started; who is told of a failure before it attached.
    pub(crate) starter: StartedFor,
    pub(crate) start: StartAs,
    /// The descriptors that go with `start`.
    pub(crate) start_descriptors: Vec<OwnedFd>,
    /// Standard input, output and error, kept for its backup. None for a process that came by itself.
    pub(crate) stdio: Option<[OwnedFd; 3]>,
    /// Its control channel.
    pub(crate) link: Option<LinkId>,
    /// Its pidfd. None before it runs and for a process that came by itself.
    pub(crate) pidfd: Option<OwnedFd>,
    pub(crate) pid: u32,
    pub(crate) uid: u32,
    /// Its life page, from the time it attached.
    pub(crate) life_page: Option<OwnedFd>,
    pub(crate) state: Option<PairState>,
    pub(crate) epoch: Epoch,
    pub(crate) lag_bytes: u64,
    /// What it supervises.
    pub(crate) kept: Option<Kept>,
    /// Whose acceptor it is.
    pub(crate) accepts_for: Option<Phandle>,
    pub(crate) started_unix_ms: u64,
    /// Own tick in which its program ran.
    pub(crate) running_tick: u64,
    /// Own tick in which it was found stopped.
    pub(crate) stopped_tick: Option<u64>,
    /// Own tick in which its control channel closed.
    pub(crate) unlinked_tick: Option<u64>,
    /// Why this daemon killed it.
    pub(crate) killed_because: Option<String>,
    /// Paths that wait until it attaches.
    pub(crate) paths: Vec<WaitingPath>,
    /// Messages that wait until it attaches.
    pub(crate) messages: Vec<ToProcess>,
    /// Commands that wait for its end.
    pub(crate) waiters: Vec<LinkId>,
    /// What it said about its end.
    pub(crate) stopping: Option<StopReport>,
    /// Who stops it, if somebody does.
    pub(crate) stopped_by: Option<Stopper>,
    /// Who may stop it (`SETSTOP`).
    pub(crate) stop_mode: u8,
    /// A stop that its stop mode does not let through.
    pub(crate) stop_that_waits: Option<Stopper>,
    /// Who waits until it is gone.
    pub(crate) stop_waiters: Vec<Origin>,
    /// True when its name is off the record though it runs: its end concerns nobody.
    pub(crate) off_record: bool,
    /// Processor time it had used when it ended, microseconds.
    pub(crate) processor_us: u64,
    /// Who keeps its backup in step, as it said when it attached.
    pub(crate) keeps: StateKeeping,
    pub(crate) family: Family,
    /// The newest record of its name that it was told; only for a half that keeps its state itself.
    pub(crate) record: Option<NameRecord>,
    /// True when it had another half at some time.
    pub(crate) had_partner: bool,
    /// True until a backup that keeps its state itself is on record: so long it gets no welcome.
    pub(crate) joining: bool,
    /// Its first frame, if it came while it was not on record.
    pub(crate) attach_waits: Option<(StateKeeping, OwnedFd)>,
    /// Epoch of a takeover by it that is on record and that it has not reported yet.
    pub(crate) unreported_takeover: Option<Epoch>,
}

/// How far the start of a process is.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Its name is being put on record.
    Registering,
    /// Its program is being started; here is our end of its control channel.
    Launching(OwnedFd),
    /// Its program runs and has not attached.
    Running,
    /// It is a process of the node.
    Attached,
}

/// On whose behalf a process was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartedFor {
    /// It came by itself.
    Itself,
    /// A command, until it was answered.
    Command(LinkId),
    /// A peer whose process wants a backup, until it was answered.
    Peer { cpu: CpuNumber, request: u32 },
    /// A process that creates it, by the request of its daemon, until that was answered. The CPU may be this one.
    Creation { cpu: CpuNumber, request: u32 },
    /// Whoever it was, it was answered.
    Answered,
}

/// A path that waits for its server to attach.
#[derive(Debug)]
pub(crate) struct WaitingPath {
    pub(crate) origin: PathOrigin,
    pub(crate) open: OpenId,
    pub(crate) opener: Opener,
    pub(crate) again: bool,
    pub(crate) epoch: Epoch,
    pub(crate) path: OwnedFd,
}

impl Process {
    /// A process that is about to be started.
    pub(crate) fn new(
        phandle: Phandle,
        name: Option<ProcessName>,
        spec: ProgramSpec,
        start: StartAs,
        starter: StartedFor,
        stdio: Option<[OwnedFd; 3]>,
    ) -> Self {
        let epoch = match start {
            StartAs::Primary { epoch }
            | StartAs::Backup { epoch, .. }
            | StartAs::ActiveBackup { epoch, .. } => epoch,
            StartAs::Unnamed {} => Epoch(0),
        };
        let joining = matches!(start, StartAs::ActiveBackup { .. });
        Self {
            phandle,
            name,
            spec,
            stage: Stage::Registering,
            starter,
            start,
            start_descriptors: Vec::new(),
            stdio,
            link: None,
            pidfd: None,
            pid: 0,
            uid: 0,
            life_page: None,
            state: None,
            epoch,
            lag_bytes: 0,
            kept: None,
            accepts_for: None,
            started_unix_ms: unix_ms(),
            running_tick: 0,
            stopped_tick: None,
            unlinked_tick: None,
            killed_because: None,
            paths: Vec::new(),
            messages: Vec::new(),
            waiters: Vec::new(),
            stopping: None,
            stopped_by: None,
            stop_mode: STOP_MODE_DEFAULT,
            stop_that_waits: None,
            stop_waiters: Vec::new(),
            off_record: false,
            processor_us: 0,
            keeps: if joining { StateKeeping::Active } else { StateKeeping::Managed },
            family: Family::default(),
            record: None,
            had_partner: joining,
            joining,
            attach_waits: None,
            unreported_takeover: None,
        }
    }

    pub(crate) fn is_attached(&self) -> bool {
        matches!(self.stage, Stage::Attached)
    }

    /// True for one that keeps its state itself.
    pub(crate) fn is_active(&self) -> bool {
        self.keeps == StateKeeping::Active
    }

    /// The other half of one that keeps its state itself, as far as it was told.
    pub(crate) fn partner(&self) -> Option<Phandle> {
        let record = self.record.as_ref()?;
        if record.primary == self.phandle { record.backup } else { Some(record.primary) }
    }

    /// True when it was started as a backup or says that it is one; for one that keeps its state itself the record
    /// decides.
    pub(crate) fn is_backup(&self) -> bool {
        if self.is_active() {
            let as_backup = matches!(self.start, StartAs::ActiveBackup { .. });
            return self.record.as_ref().map_or(as_backup, |record| record.primary != self.phandle);
        }
        match self.state {
            Some(state) => {
                matches!(state, PairState::Loading | PairState::Following | PairState::TakingOver)
            }
            None => matches!(self.start, StartAs::Backup { .. }),
        }
    }

    /// True when its end would cost its name a half that others could go on with: it is the primary of a whole pair.
    pub(crate) fn is_primary_of_pair(&self) -> bool {
        // One that keeps its state itself is not asked to exchange roles.
        !self.is_active()
            && matches!(self.state, Some(PairState::Paired | PairState::Removing | PairState::Switching))
    }

    /// The primary for which it was started as backup.
    pub(crate) fn started_by(&self) -> Option<Phandle> {
        match self.start {
            StartAs::Backup { primary, .. } => Some(primary),
            _ => None,
        }
    }

    /// Where it stands. Of one that keeps its state itself the record knows that better.
    fn shown_state(&self) -> Option<PairState> {
        let paired = self.partner().is_some();
        match (self.is_active(), self.state) {
            (false, state) => state,
            (true, None) => None,
            // What its backup knows only the program knows.
            (true, Some(PairState::Syncing)) if paired => Some(PairState::Syncing),
            (true, Some(_)) if paired => Some(PairState::Paired),
            (true, Some(_)) => Some(PairState::Single),
        }
    }

    /// What others may know of it.
    pub(crate) fn facts(&self) -> ProcessFacts {
        ProcessFacts {
            phandle: self.phandle,
            name: self.name.clone(),
            pid: self.pid,
            uid: self.uid,
            program: self.spec.program.clone(),
            home_terminal: self.family.home_terminal.clone(),
            mom: self.partner().or(self.family.mom),
            job: self.family.job,
            priority: self.family.priority,
            stop_mode: self.stop_mode,
            stop_waits: self.stop_that_waits.is_some(),
            created_unix_us: self.started_unix_ms.saturating_mul(1_000),
        }
    }

    /// For listings.
    pub(crate) fn info(&self) -> ProcessInfo {
        ProcessInfo {
            phandle: self.phandle,
            name: self.name.clone(),
            pid: self.pid,
            state: self.shown_state(),
            epoch: self.record.as_ref().map_or(self.epoch, |record| record.epoch),
            backup: self.is_backup(),
            program: shortened(&self.spec.program).to_owned(),
            started_unix_ms: self.started_unix_ms,
            lag_bytes: self.lag_bytes,
            kept: self.kept.clone(),
            accepts_for: self.accepts_for,
        }
    }
}

/// The start of a text, cut between characters.
pub(crate) fn shortened(text: &str) -> &str {
    cut(text, crate::limits::PROGRAM_TEXT_BYTES_MAX)
}

/// At most `bytes_max` bytes of a text, cut between characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

/// All processes by their pins, and the last that ended.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    processes: BTreeMap<Pin, Process>,
    pin_last: u16,
    ended: VecDeque<(Phandle, Option<i32>, Option<i32>)>,
}

impl Processes {
    /// A free pin: they go round, so that one is not given again soon. None when the table is full.
    pub(crate) fn free_pin(&mut self) -> Option<Pin> {
        if self.processes.len() >= PROCESSES_MAX {
            return None;
        }
        loop {
            // Pin 0 is left out: it reads like "none".
            self.pin_last = self.pin_last.checked_add(1).unwrap_or(1);
            if !self.processes.contains_key(&Pin(self.pin_last)) {
                return Some(Pin(self.pin_last));
            }
        }
    }

    pub(crate) fn insert(&mut self, process: Process) {
        let before = self.processes.insert(process.phandle.pin, process);
        assert!(before.is_none(), "pins are taken from those that are free");
    }

    /// The process of this handle; never another one that has its pin.
    pub(crate) fn get(&self, phandle: Phandle) -> Option<&Process> {
        self.processes.get(&phandle.pin).filter(|process| process.phandle == phandle)
    }

    /// The process of this handle.
    pub(crate) fn get_mut(&mut self, phandle: Phandle) -> Option<&mut Process> {
        self.processes.get_mut(&phandle.pin).filter(|process| process.phandle == phandle)
    }

    /// The process with the lowest pin from this one on.
    pub(crate) fn from(&self, pin: Pin) -> Option<&Process> {
        self.processes.range(pin..).next().map(|(_, process)| process)
    }

    /// The process with this pin.
    pub(crate) fn at(&self, pin: Pin) -> Option<&Process> {
        self.processes.get(&pin)
    }

    pub(crate) fn remove(&mut self, phandle: Phandle) -> Option<Process> {
        self.get(phandle)?;
        self.processes.remove(&phandle.pin)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Process> {
        self.processes.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        self.processes.values_mut()
    }

    /// The handles of all processes.
    pub(crate) fn handles(&self) -> BTreeSet<Phandle> {
        self.iter().map(|process| process.phandle).collect()
    }

    /// Keeps how a process ended, for a while.
    pub(crate) fn keep_ended(&mut self, phandle: Phandle, code: Option<i32>, signal: Option<i32>) {
        if self.ended.len() >= ENDED_KEPT_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back((phandle, code, signal));
    }

    /// How a process ended, if that is still known.
    pub(crate) fn ended(&self, phandle: Phandle) -> Option<(Option<i32>, Option<i32>)> {
        let found = self.ended.iter().find(|(ended, ..)| *ended == phandle);
        found.map(|(_, code, signal)| (*code, *signal))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn process(pin: Pin) -> Process {
        let cpu = CpuNumber::new(0).unwrap();
        let phandle = Phandle { named: false, cpu, pin, node: 0, incarnation: 1, sequence: 1 };
        let (start, starter) = (StartAs::Unnamed {}, StartedFor::Itself);
        let mut process = Process::new(phandle, None, ProgramSpec::none(), start, starter, None);
        process.stage = Stage::Running;
        process.pid = 1;
        process
    }

    // S9: a message to a dead process must not reach the one that has its place.
    #[test]
    fn a_handle_finds_only_its_own_process() {
        let mut table = Processes::default();
        let pin = table.free_pin().unwrap();
        table.insert(process(pin));
        let handle = table.at(pin).unwrap().phandle;
        assert!(table.get(handle).is_some());
        let stale = Phandle { sequence: 0, ..handle };
        assert!(
            table.get(stale).is_none() && table.get_mut(stale).is_none() && table.remove(stale).is_none()
        );
        assert!(table.remove(handle).is_some());
    }

    // A pin that is given again at once makes a late message look like a new one.
    #[test]
    fn pins_go_round_and_skip_those_in_use() {
        let mut table = Processes::default();
        let first = table.free_pin().unwrap();
        table.insert(process(first));
        table.pin_last = u16::MAX - 1;
        assert_eq!(table.free_pin(), Some(Pin(u16::MAX)));
        assert_eq!(table.free_pin(), Some(Pin(2)), "0 is none, 1 is in use");
    }
}
