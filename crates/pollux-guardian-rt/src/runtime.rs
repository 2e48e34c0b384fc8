//! The one run-time of this process: who it is, its line to the daemon, and the loop that makes progress inside calls.
//!
//! There is no thread but the program's own. Whatever happens outside is taken in while a procedure waits, and once in each
//! procedure that looks without waiting. So a program that calls nothing hears nothing, as on the original.
//!
//! ```text
//!            +--> settle: questions, timers, silence
//!   wait ----+--> is the condition met?  --> result
//!            +--> poll: daemon, links, paths of openers, other files --> their handlers
//! ```
//!
//! What is waited for is in `waits`, one wait in `poll`.
//!
//! The clock is read when a wait begins and after the poller was asked; all that is timed in between goes by that. An answer that
//! is there before it is waited for is taken in without asking the poller, at most some turns in a row.

use crate::entry;
use crate::files::operations::Outcome;
use crate::files::table::Table;
use crate::files::{File, FileKind};
use crate::messages::process::process_time_signal;
use crate::procedures::processor_now;
use crate::receive::layout;
use crate::server::Server;
use crate::sockets::provider::Sockets;
use crate::timers::Timers;
use crate::waits::{Ready, Waits, Watched};
use pollux::binding::{Daemon, Link, Message};
use pollux_os::LifePage;
use pollux_os::points::{self, Mark, Subject};
use pollux_wire::admin::ProgramSpec;
use pollux_wire::control::{
    Answer, Fate, PairState, Query, StartAs, StateKeeping, StopReport, ToDaemon, ToProcess,
};
use pollux_wire::path;
use pollux_wire::record::NameRecord;
use pollux_wire::system::SystemMessage;
use pollux_wire::{Epoch, FileError, NodeName, OpenId, Phandle, ProcessName};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Turns off the blank behind messages of odd length.
const NO_BLANK_VARIABLE: &str = "POLLUX_NO_BLANK_AFTER_ODD";

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

/// Runs with the run-time of this process; the first call attaches it to its node. A program that has no node ends here, with
/// one line that says so and exit code 1.
pub fn with<T>(body: impl FnOnce(&mut Runtime) -> T) -> T {
    let mut guard: MutexGuard<'_, Option<Runtime>> = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = guard.get_or_insert_with(|| {
        Runtime::attach().unwrap_or_else(|error| {
            pollux_os::say!("pollux: {error}");
            entry::end_now(1)
        })
    });
    body(runtime)
}

/// Who waits for an answer of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// An open or a new path of the file with this serial number.
    File(u64),
    /// The creation of a process that is not waited for, with its tag: message -102.
    Creation(i32),
    /// The same by `PROCESS_SPAWN_`: message -141.
    Spawn(i32),
    /// What became of the opener of this open.
    Fate(OpenId),
}

/// The run-time.
pub struct Runtime {
    /// This process.
    pub(crate) me: Phandle,
    /// Its name.
    pub(crate) name: Option<ProcessName>,
    /// Its node.
    pub(crate) node: NodeName,
    /// Home terminal; empty for none.
    pub(crate) home_terminal: String,
    /// What it was started from.
    pub(crate) program: ProgramSpec,
    /// Who created it, if that was a process.
    pub(crate) mom: Option<Phandle>,
    /// As what it was started.
    pub(crate) start: StartAs,
    /// The newest epoch of the name's record that this process has heard of; 0 without a name.
    pub(crate) epoch: Epoch,
    /// The name's record, when it was last told.
    pub(crate) record: Option<NameRecord>,
    /// The backup is new, and the program has not gone on to other work since: it tells it where it stands.
    brings_in_step: bool,
    /// Open files.
    pub(crate) files: Table<File>,
    /// `$RECEIVE` and the opens of this process by others.
    pub(crate) server: Server,
    /// What the sockets library has beside its sockets.
    pub(crate) sockets: Sockets,
    /// Timers of the program.
    pub(crate) timers: Timers,
    /// Timers of the program on the processor time it uses.
    pub(crate) process_timers: Timers,
    /// When this process attached: from here its processor time counts as an instant.
    pub(crate) attached_at: Instant,
    /// The CPUs whose failure and return the program wants to hear of: bit 0x8000 >> n for CPU n.
    pub(crate) monitored_cpus: u16,
    /// Error of the last operation that has no file number (`FILE_GETINFO_` with -1).
    pub(crate) last_error: FileError,
    /// `CONTROLMESSAGESYSTEM`: incoming and outgoing messages.
    pub(crate) message_limits: [i16; 2],
    /// Answers of the daemon for a caller that waits, by their request number.
    pub(crate) answers: BTreeMap<u32, Message>,
    /// A blank is stored behind a message of odd length, so that a test of its last word is not misled by an old byte.
    pub(crate) blank_after_odd: bool,
    pub(crate) daemon: Daemon,
    pub(crate) daemon_watched: Watched,
    pub(crate) waits: Waits,
    /// What the last wait has told; kept for its memory.
    pub(crate) ready: Vec<Ready>,
    /// Links of which something is known before a wait; the same.
    pub(crate) links_with_news: Vec<u64>,
    /// File numbers by serial number.
    pub(crate) numbers: BTreeMap<u64, i16>,
    /// Links of closed files, by serial number.
    pub(crate) closing: Vec<(u64, Link)>,
    _life: LifePage,
    askers: BTreeMap<u32, Asker>,
    serials: u64,
    pub(crate) clock: u64,
    /// The time as the wait that goes on, or the last one, has it.
    pub(crate) now: Instant,
    /// Turns in a row in which the poller was not asked.
    pub(crate) unasked: u32,
    exit_reported: bool,
}

impl Runtime {
    fn attach() -> pollux::Result<Self> {
        let system = |what, source| pollux::Error::System { what, source };
        let life = LifePage::create().map_err(|error| system("make the life page", error))?;
        life.hold().map_err(|error| system("hold the life page", error))?;
        let waits = Waits::new().map_err(|error| system("make a poller", error))?;
        let (daemon, (welcome, _)) = Daemon::attach(&life, StateKeeping::Active)?;
        let (phandle, name, node, start, home_terminal, program, mom) = match welcome {
            ToProcess::Welcome { phandle, name, node, start, home_terminal, program, mom, .. } => {
                (phandle, name, node, start, home_terminal, program, mom)
            }
            ToProcess::Refused { error, why } => {
                return Err(pollux::Error::Refused(format!("{why} ({error})")));
            }
            _ => return Err(pollux::Error::Unknown),
        };
        let epoch = match &start {
            StartAs::Unnamed {} => Epoch(0),
            StartAs::Primary { epoch }
            | StartAs::Backup { epoch, .. }
            | StartAs::ActiveBackup { epoch, .. } => *epoch,
        };
        if name.is_some() {
            points::enter_server();
        }
        Ok(Self {
            me: phandle,
            name,
            node,
            home_terminal,
            program,
            mom,
            start,
            epoch,
            record: None,
            brings_in_step: false,
            files: Table::default(),
            server: Server::default(),
            sockets: Sockets::default(),
            timers: Timers::default(),
            process_timers: Timers::default(),
            attached_at: Instant::now(),
            monitored_cpus: 0,
            last_error: FileError::OK,
            message_limits: [255, 1023],
            answers: BTreeMap::new(),
            blank_after_odd: std::env::var_os(NO_BLANK_VARIABLE).is_none(),
            daemon,
            daemon_watched: Watched::default(),
            waits,
            ready: Vec::new(),
            links_with_news: Vec::new(),
            numbers: BTreeMap::new(),
            closing: Vec::new(),
            _life: life,
            askers: BTreeMap::new(),
            serials: 0,
            clock: 0,
            now: Instant::now(),
            unasked: 0,
            exit_reported: false,
        })
    }

    /// A number that no open of this process has had.
    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serials += 1;
        self.serials
    }

    /// The place of something that happens to the program in the order of all that happens.
    pub(crate) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    // --- The daemon

    /// Sends a message to the daemon.
    pub(crate) fn tell(&mut self, message: &ToDaemon) {
        if self.daemon.send(message, Vec::new()).is_err() {
            self.node_lost();
        }
    }

    /// Sends a message that the daemon answers, and waits for the answer; the world goes on meanwhile.
    pub(crate) fn call_daemon(&mut self, message: impl FnOnce(u32) -> ToDaemon) -> ToProcess {
        let request = self.daemon.next_request();
        self.tell(&message(request));
        let answer = self.wait(None, |runtime| runtime.answers.remove(&request));
        answer.expect("a wait without a limit ends with an answer").0
    }

    /// Asks the daemon about the node.
    pub(crate) fn ask(&mut self, query: Query) -> Answer {
        match self.call_daemon(|request| ToDaemon::Query { request, query }) {
            ToProcess::Answer { answer, .. } => answer,
            _ => Answer::Done { error: FileError::PATH_DOWN },
        }
    }

    /// Sends a message whose answer goes to `asker` whenever it comes.
    pub(crate) fn ask_for(&mut self, asker: Asker, message: impl FnOnce(u32) -> ToDaemon) {
        let request = self.daemon.next_request();
        self.askers.insert(request, asker);
        self.tell(&message(request));
    }

    /// The process is ready to be seen.
    pub(crate) fn report_state(&mut self) {
        let (state, backup) = match (&self.record, &self.start) {
            (Some(record), _) if record.primary != self.me => (PairState::Following, None),
            (Some(record), _) => {
                let state = match record.backup {
                    None => PairState::Single,
                    Some(_) if self.brings_in_step => PairState::Syncing,
                    Some(_) => PairState::Paired,
                };
                (state, record.backup)
            }
            (None, StartAs::ActiveBackup { .. } | StartAs::Backup { .. }) => (PairState::Following, None),
            (None, _) => (PairState::Single, None),
        };
        let epoch = self.epoch;
        match state {
            PairState::Paired => points::pass(Mark::Whole, Subject::of(0, epoch.0, &[])),
            PairState::Single => points::pass(Mark::Alone, Subject::of(0, epoch.0, &[])),
            _ => {}
        }
        self.tell(&ToDaemon::State { state, epoch, backup, lag_bytes: 0 });
    }

    /// The program begins a transfer. What it sends to its new backup first brings that in step, as far as anybody but the
    /// program can know; with the first transfer elsewhere it goes on with its work, and the pair counts as whole.
    pub(crate) fn note_transfer(&mut self, to_partner: bool) {
        if self.brings_in_step && !to_partner {
            self.brings_in_step = false;
            self.report_state();
        }
    }

    /// Closes all files and tells the daemon that this process ends; returns when it may. Once.
    pub(crate) fn stopping(&mut self, both: bool, report: StopReport) {
        if std::mem::replace(&mut self.exit_reported, true) {
            return;
        }
        points::pass(Mark::Ending, Subject::default());
        let numbers: Vec<i16> = self.files.iter().map(|(number, _)| number).collect();
        for number in numbers {
            let _ = self.close(number, 0);
        }
        if both {
            self.leave_as_a_whole();
        }
        self.call_daemon(|request| ToDaemon::Stopping { request, both, report });
    }

    /// True when the program has come to its end.
    pub(crate) fn is_ending(&self) -> bool {
        self.exit_reported
    }

    /// True if this process is the backup of a pair.
    pub(crate) fn is_backup(&self) -> bool {
        match &self.record {
            Some(record) => record.primary != self.me,
            None => matches!(self.start, StartAs::ActiveBackup { .. } | StartAs::Backup { .. }),
        }
    }

    pub(crate) fn node_lost(&self) -> ! {
        pollux_os::say!("pollux: the connection to the node ended: its CPU is lost");
        entry::end_now(1)
    }

    // --- Progress

    /// Makes progress until `until` has a result, or the time is over.
    pub(crate) fn wait<T>(
        &mut self,
        deadline: Option<Instant>,
        mut until: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let mut looked = false;
        self.now = Instant::now();
        loop {
            let now = self.now;
            self.settle(now);
            if let Some(result) = until(self) {
                return Some(result);
            }
            let over = deadline.is_some_and(|deadline| deadline <= now);
            if over && looked {
                return None;
            }
            let limit = [deadline, self.next_deadline()].into_iter().flatten().min();
            looked |= self.poll(limit.map(|limit| limit.saturating_duration_since(now)), true);
        }
    }

    /// Takes in what is there, without waiting.
    pub(crate) fn look(&mut self) {
        self.now = Instant::now();
        self.settle(self.now);
        self.poll(Some(Duration::ZERO), false);
        self.settle(self.now);
    }

    /// What is due without news from outside.
    fn settle(&mut self, now: Instant) {
        // What came right behind an answer that was waited for is in the inbox already: no descriptor tells of it again.
        while let Some(message) = self.daemon.next_message() {
            self.handle_daemon(message);
        }
        self.settle_files(now);
        self.settle_providers(now);
        for open in self.server.fates_due(now) {
            self.ask_fate(open);
        }
        for (parameter1, parameter2) in self.timers.expire(now) {
            self.push_system(layout::time_signal(parameter1, parameter2));
        }
        // The clock is not asked for by a program that has no such timers.
        if self.process_timers.next().is_some() {
            for (parameter1, parameter2) in self.process_timers.expire(processor_now(self)) {
                self.push_system(process_time_signal(parameter1, parameter2));
            }
        }
        self.closing.retain(|(_, link)| link.has_unsent());
    }

    fn settle_files(&mut self, now: Instant) {
        let mut questions = Vec::new();
        let is_backup = self.is_backup();
        let mut has_untold = false;
        for (_, file) in self.files.iter_mut() {
            match &mut file.kind {
                FileKind::Process(process) => {
                    process.look_for_silence(now);
                    if !is_backup && process.take_untold_path() {
                        process.tell_half(path::OPENS_BEGIN, |_| {});
                        has_untold = true;
                    }
                    if let Some(question) = process.poll_question(now) {
                        questions.push((file.serial, question));
                    }
                    if file.operations.has_open()
                        && let Some(opened) = process.opened()
                    {
                        let error = opened.unwrap_or_else(|error| error);
                        self.clock += 1;
                        file.operations.complete_oldest(self.clock, Outcome::failed(error));
                    }
                    let is_partner = process.is_partner();
                    while let Some((sync, outcome)) = process.take_answer() {
                        if is_partner && !is_backup {
                            points::pass(Mark::Acknowledged, Subject::of(0, sync.0, &[]));
                        }
                        self.clock += 1;
                        file.operations.complete(sync, self.clock, outcome);
                    }
                }
                FileKind::Other(other) => {
                    while file.operations.outstanding() > 0
                        && let Some(outcome) = other.poll()
                    {
                        self.clock += 1;
                        file.operations.complete_oldest(self.clock, outcome);
                    }
                }
                FileKind::Receive | FileKind::Socket(_) => {}
            }
        }
        if has_untold {
            self.tell_opens();
        }
        for (serial, question) in questions {
            let Some(process) = self.process_of(serial) else { continue };
            // The number is the daemon's to give; the words are made with it.
            let message = process.message(0, &question);
            self.ask_for(Asker::File(serial), |number| numbered(message, number));
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let files = self.files.iter().filter_map(|(_, file)| match &file.kind {
            FileKind::Process(process) => process.next_deadline(),
            _ => None,
        });
        files
            .chain(self.timers.next())
            .chain(self.server.next_deadline())
            .chain(self.sockets.next_deadline())
            .min()
    }

    pub(crate) fn read_daemon(&mut self) {
        if self.daemon.flush().is_err() || self.daemon.fill().is_err() {
            self.node_lost();
        }
        while let Some(message) = self.daemon.next_message() {
            self.handle_daemon(message);
        }
        if self.daemon.is_lost() {
            self.node_lost();
        }
    }

    fn handle_daemon(&mut self, (message, descriptors): Message) {
        match message {
            ToProcess::NewPath { open, opener, again, epoch } => {
                if let Some(path) = descriptors.into_iter().next() {
                    self.handle_new_path(open, opener, again, epoch, path);
                }
            }
            ToProcess::System { message } => self.handle_system(&message),
            ToProcess::RecordChanged { record } => self.handle_record(record),
            ToProcess::Stop {} => self.stop_as_asked(),
            other => self.handle_reply_of_daemon(other, descriptors),
        }
    }

    fn handle_reply_of_daemon(&mut self, message: ToProcess, descriptors: Vec<std::os::fd::OwnedFd>) {
        let Some(request) = request_of(&message) else { return };
        match (self.askers.remove(&request), message) {
            (Some(Asker::File(serial)), ToProcess::Opened { error, open, .. }) => {
                let now = Instant::now();
                let answer = match descriptors.into_iter().next() {
                    Some(path) if error.is_ok() => Ok((open, path)),
                    _ if error.is_ok() => Err(crate::files::table::NO_CONTROL_BLOCK),
                    _ => Err(error),
                };
                if let Some(process) = self.process_of(serial) {
                    process.handle_answer(now, answer);
                }
            }
            (Some(Asker::Creation(tag)), answer) => self.handle_created(tag, answer),
            (Some(Asker::Spawn(tag)), answer) => self.handle_spawned(tag, answer),
            (Some(Asker::Fate(open)), ToProcess::Answer { answer: Answer::Fate { fate }, .. }) => {
                self.handle_fate(open, fate);
            }
            // The daemon has too much in hand: asked again later.
            (Some(Asker::Fate(open)), _) => self.handle_fate(open, Fate::Alive),
            (Some(_), _) => {}
            (None, message) => {
                self.answers.insert(request, (message, descriptors));
            }
        }
    }

    fn handle_system(&mut self, message: &SystemMessage) {
        match message {
            SystemMessage::CpuDown { cpu } | SystemMessage::CpuUp { cpu } => {
                if self.monitored_cpus & (0x8000 >> cpu.get()) != 0 {
                    self.drain_paths();
                    let arrival = self.tick();
                    self.server.queue.push_cpu(Instant::now(), arrival, message.number(), *cpu);
                }
            }
            SystemMessage::ProcessEnded { .. } => {
                self.drain_paths();
                if let Some(words) = layout::process_death(&self.node, message) {
                    self.push_system(words);
                }
            }
            // Made here, from what the paths say.
            SystemMessage::Cancelled { .. } | SystemMessage::Opened { .. } | SystemMessage::Closed { .. } => {
            }
        }
    }

    fn handle_record(&mut self, record: NameRecord) {
        self.epoch = self.epoch.max(record.epoch);
        let is_primary = record.primary == self.me;
        let becomes_primary = is_primary && self.is_backup();
        // In a planned exchange of roles the old primary is the backup.
        let takeover = record.backup.is_none();
        let known = self.record.as_ref().and_then(|known| known.backup);
        self.brings_in_step =
            is_primary && record.backup.is_some() && (self.brings_in_step || known != record.backup);
        self.record = Some(record);
        if becomes_primary {
            self.take_over_opens();
        }
        if becomes_primary && takeover {
            points::pass(Mark::TookOver, Subject::of(0, self.epoch.0, &[]));
        }
        if is_primary {
            self.speak_on_silent_paths();
        }
        if becomes_primary {
            self.sockets_are_ours(takeover);
        }
        self.report_state();
    }

    /// An operator stops the pair.
    fn stop_as_asked(&mut self) -> ! {
        let report = StopReport {
            completion: 6,
            abend: false,
            information: 0,
            subsystem: Vec::new(),
            text: String::new(),
        };
        self.stopping(true, report);
        entry::end_now(0)
    }

    /// The link to a process with this serial number, a file or a provider, if it is still open.
    pub(crate) fn process_of(&mut self, serial: u64) -> Option<&mut crate::files::process::ProcessFile> {
        if !self.numbers.contains_key(&serial) {
            return self.sockets.process_of(serial);
        }
        match self.kind_of(serial) {
            Some(FileKind::Process(process)) => Some(process),
            _ => None,
        }
    }
}

/// The request number that an answer of the daemon carries.
fn request_of(message: &ToProcess) -> Option<u32> {
    match message {
        ToProcess::Opened { request, .. }
        | ToProcess::Recorded { request, .. }
        | ToProcess::BackupStarted { request, .. }
        | ToProcess::AcceptorStarted { request, .. }
        | ToProcess::Numbers { request, .. }
        | ToProcess::Created { request, .. }
        | ToProcess::StopNow { request }
        | ToProcess::Answer { request, .. } => Some(*request),
        _ => None,
    }
}

/// A question with its number.
pub(crate) fn numbered(message: ToDaemon, number: u32) -> ToDaemon {
    match message {
        ToDaemon::Open { target, sync_depth, nowait_depth, details, .. } => {
            ToDaemon::Open { request: number, target, sync_depth, nowait_depth, details }
        }
        ToDaemon::Repath { target, open, sync_depth, nowait_depth, details, .. } => {
            ToDaemon::Repath { request: number, target, open, sync_depth, nowait_depth, details }
        }
        other => other,
    }
}
