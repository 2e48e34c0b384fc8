//! The engine of a pair's half: one thread, one loop, around the machines of `pollux-core`.
//!
//! The program's thread drives it: each call of `Receive::next` ends the turn before, sends what has gathered as one
//! checkpoint, releases the outputs whose checkpoints are acknowledged, waits, and hands out what has arrived. There is
//! no timer in the path of a request: whatever has arrived while a checkpoint was under way goes with the next one.
//!
//! | File | What it does |
//! | --- | --- |
//! | `mod.rs` | the state, the loop |
//! | `commands.rs` | the pair machine: what it is told, and what it orders |
//! | `checkpoints.rs` | turns, batches, outputs; taking in checkpoints as a backup |
//! | `delivery.rs` | what waits for the program, and what it is handed |
//! | `paths.rs` | opens and requests |
//! | `by_open.rs` | a map by open |
//! | `rings.rs` | paths through shared memory |
//! | `streams.rs` | listeners and connections |
//! | `held.rs` | descriptors that are held for the program |
//! | `local.rs` | descriptors of this process alone |
//! | `sync.rs` | bringing a new backup in step |
//! | `calls.rs` | the pair as a requester |
//! | `report.rs` | events |
//! | `counts.rs` | the loop by hand, for `pollux-counts` |

mod by_open;
mod calls;
mod checkpoints;
mod commands;
#[cfg(feature = "counts")]
mod counts;
mod delivery;
mod held;
mod local;
mod paths;
mod report;
mod rings;
mod streams;
mod sync;

use crate::daemon::{Daemon, Message};
use crate::error::{Context, Error, Result};
use crate::link::Link;
use crate::objects::Objects;
use crate::spares::Spares;
use by_open::ByOpen;
use pollux_core::output::OutputQueue;
use pollux_core::pair::{Event as PairEvent, Pair, SILENT_TICKS_MAX};
use pollux_core::replica::Replica;
use pollux_os::points::{self, Mark, Subject};
use pollux_os::{Channel, Doorbell, Interest, LifePage, LifeWatch, Poller, clock};
use pollux_wire::checkpoint::{Record, TurnKey};
use pollux_wire::control::{PairState, Recorded, StartAs, StateKeeping, ToProcess};
use pollux_wire::limits::CHECKPOINT_BODY_BYTES_MAX;
use pollux_wire::system::SystemMessage;
use pollux_wire::{
    CheckpointNumber, ConnectionId, Epoch, HeldId, ListenerId, ObjectId, OpenId, Phandle, ProcessName,
};
use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::OwnedFd;
use std::process;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use checkpoints::Turn;
pub(crate) use delivery::{Arrived, Delivery, Ready};
pub(crate) use paths::RequestKey;
pub(crate) use streams::{InputData, Socket};

/// Tokens of the poller: the kind in the top byte, a number below.
const TOKEN_DAEMON: u64 = 1 << 56;
const TOKEN_PARTNER: u64 = 2 << 56;
const TOKEN_BELL: u64 = 3 << 56;
const TOKEN_PATH: u64 = 4 << 56;
const TOKEN_CONNECTION: u64 = 5 << 56;
const TOKEN_RING: u64 = 6 << 56;
const TOKEN_PARTNER_RING: u64 = 7 << 56;
const TOKEN_HELD: u64 = 8 << 56;
const TOKEN_LINE: u64 = 9 << 56;
const TOKEN_LOCAL: u64 = 10 << 56;
const TOKEN_KIND: u64 = 0xff << 56;

/// How long a turn that crashed a primary waits for the pair to be whole, before it is tried without a backup.
const SUSPECT_WAIT_NS: u64 = 10_000_000_000;
/// How long a new primary only answers, before it asks for a backup and tells its daemon how it is.
const FIRST_ANSWERS_NS: u64 = 2_000_000;
/// A backup that is not stopped but does not acknowledge counts as hung after so many times the configured limit:
/// one large change may take it a while.
const SILENCE_FACTOR: u64 = 4;
/// Between two sweeps of what must not be forgotten for ever: output positions, paths of vanished openers, wishes.
const HOUSEKEEPING: Duration = Duration::from_millis(200);

/// A shared engine: every handle of the public API holds one.
#[derive(Clone)]
pub(crate) struct Handle(Rc<RefCell<Engine>>);

impl Handle {
    pub(crate) fn new(engine: Engine) -> Self {
        Self(Rc::new(RefCell::new(engine)))
    }

    pub(crate) fn engine(&self) -> RefMut<'_, Engine> {
        self.0.borrow_mut()
    }

    /// An object of the program changes.
    pub(crate) fn object_changed(&self, id: ObjectId, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        self.engine().object_changed(id, write)
    }
}

/// The other half.
struct Partner {
    phandle: Phandle,
    channel: Channel,
    watch: Arc<LifeWatch>,
    pidfd: OwnedFd,
    closed: bool,
    writing: bool,
}

/// Whether the loop may do what belongs between two turns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// No turn is open.
    Between,
    /// A turn waits for a call: state parts, new backups and requests must wait for its end.
    InTurn,
}

/// When and how this half became the primary.
struct Promoted {
    at_ns: u64,
    took_over: bool,
}

/// A half of a pair.
pub(crate) struct Engine {
    pub(crate) daemon: Daemon,
    pub(crate) me: Phandle,
    pub(crate) name: ProcessName,
    pub(crate) replica: Replica,
    pub(crate) objects: Objects,
    pub(crate) receive_depth: usize,
    pub(crate) in_hand: usize,
    pub(crate) wants_system: bool,
    pub(crate) wants_descriptors: bool,
    pub(crate) tick_every: Option<Duration>,
    life: LifePage,
    poller: Poller,
    /// The few of its descriptors by which the wait for an acknowledgement ends.
    backup_poller: Poller,
    events: Vec<pollux_os::Event>,
    bell: Arc<Doorbell>,
    pair: Pair,
    partner: Option<Partner>,
    /// Another half that is gone, and that the poller may still tell of.
    dropped: Option<Partner>,
    /// Other halves that are gone.
    buried: Vec<Partner>,
    turn: Turn,
    batch: checkpoints::Batch,
    number: CheckpointNumber,
    applied: CheckpointNumber,
    outputs: OutputQueue<checkpoints::Output>,
    paths: ByOpen<paths::Path>,
    /// Opens of this primary that have no path, and since when.
    pathless: BTreeMap<OpenId, u64>,
    acceptors: BTreeMap<OpenId, ListenerId>,
    listeners: BTreeMap<ListenerId, OwnedFd>,
    sockets: BTreeMap<ConnectionId, Socket>,
    /// Of all of `sockets`.
    cookies: BTreeSet<u64>,
    held: BTreeMap<HeldId, held::Held>,
    local: BTreeMap<u32, local::Local>,
    last_local: u32,
    links: BTreeMap<OpenId, Link>,
    state_to_send: Option<sync::StateToSend>,
    ready: VecDeque<Ready>,
    dirty_paths: Vec<OpenId>,
    /// Buffers of requests that were replied to.
    spares: Spares,
    dirty_sockets: Vec<ConnectionId>,
    /// Outputs of connections that are not released yet.
    connection_outputs: usize,
    /// As many of them when more was looked for.
    outputs_at_look: usize,
    /// Bytes of the checkpoints that were sent since the backup had acknowledged all.
    unacknowledged_bytes: usize,
    /// The buffer of the last turn's output.
    spare_output: Vec<u8>,
    awake_rings: Vec<OpenId>,
    quiescing: bool,
    stopped: bool,
    tick_us: u64,
    /// False when no backup is ever taken for hung.
    hang_counts: bool,
    /// When this half began to speak, and as what.
    promoted: Option<Promoted>,
    promotions: u64,
    /// In the first moments of a new primary: until when the processor is for the openers that wait.
    answers_first_until_ns: Option<u64>,
    backup_wanted: bool,
    next_tick_ns: u64,
    next_housekeeping_ns: u64,
    next_user_tick_ns: u64,
    pending_change: Option<(u32, pollux_wire::control::Change)>,
    change_later: Option<pollux_wire::control::Change>,
    handover: Option<report::Handover>,
    partner_heard_ns: u64,
    reported: Option<(PairState, Epoch)>,
    scratch: Vec<u8>,
    peek_offset: bool,
}

/// The length of a tick, so that [`SILENT_TICKS_MAX`] of them are the time after which a silent backup counts as hung.
fn tick_us(hang_after_ms: u32) -> u64 {
    let default_ms = 250;
    let limit_ms = if hang_after_ms == 0 { default_ms } else { u64::from(hang_after_ms) };
    (limit_ms * 1000 * SILENCE_FACTOR / u64::from(SILENT_TICKS_MAX)).max(1000)
}

impl Engine {
    /// Attaches to the daemon and becomes what it says.
    pub(crate) fn attach(objects: Objects) -> Result<Self> {
        Self::attach_to(Daemon::inherited()?.ok_or(Error::NotInNode)?, objects)
    }

    /// The same over this control channel.
    pub(crate) fn attach_to(mut daemon: Daemon, objects: Objects) -> Result<Self> {
        let life = LifePage::create().context("make the life page")?;
        life.hold().context("hold the life page")?;
        life.install_crash_marks().context("install the crash marks")?;
        let (message, descriptors) = daemon.attach(&life, StateKeeping::Managed)?;
        let (phandle, name, start, program, hang_after_ms) = match message {
            ToProcess::Welcome { phandle, name, start, program, hang_after_ms, .. } => {
                (phandle, name, start, program, hang_after_ms)
            }
            ToProcess::Refused { error, why } => return Err(Error::Refused(format!("{why} ({error})"))),
            _ => return Err(Error::Unknown),
        };
        let name = name.ok_or(Error::Misuse(
            "a pair needs a name\n  next: start the program with `pollux run --name '$NAME' PROGRAM`",
        ))?;
        let poller = Poller::new().context("make a poller")?;
        let backup_poller = Poller::new().context("make a poller")?;
        let bell = Arc::new(Doorbell::new().context("make a doorbell")?);
        for poller in [&poller, &backup_poller] {
            poller.add(daemon.as_fd(), TOKEN_DAEMON, Interest::READ).context("watch the daemon")?;
            poller.add(&*bell, TOKEN_BELL, Interest::READ).context("watch the doorbell")?;
        }
        let pair = match &start {
            StartAs::Primary { epoch } => Pair::primary(*epoch, program.pair),
            StartAs::Backup { epoch, primary } => Pair::backup(*epoch, *primary),
            StartAs::ActiveBackup { .. } => {
                return Err(Error::Misuse(
                    "this program was started as the backup of one that keeps its state itself",
                ));
            }
            StartAs::Unnamed {} => return Err(Error::Misuse("a process without a name cannot be a pair")),
        };
        let now = clock::monotonic_ns();
        let mut engine = Self {
            daemon,
            me: phandle,
            name,
            replica: Replica::default(),
            objects,
            receive_depth: usize::MAX,
            in_hand: 0,
            wants_system: false,
            wants_descriptors: false,
            tick_every: None,
            life,
            poller,
            backup_poller,
            events: Vec::new(),
            bell,
            pair,
            partner: None,
            dropped: None,
            buried: Vec::new(),
            turn: Turn::default(),
            batch: checkpoints::Batch::default(),
            number: CheckpointNumber(0),
            applied: CheckpointNumber(0),
            outputs: OutputQueue::default(),
            paths: ByOpen::default(),
            pathless: BTreeMap::new(),
            acceptors: BTreeMap::new(),
            listeners: BTreeMap::new(),
            sockets: BTreeMap::new(),
            cookies: BTreeSet::new(),
            held: BTreeMap::new(),
            local: BTreeMap::new(),
            last_local: 0,
            links: BTreeMap::new(),
            state_to_send: None,
            ready: VecDeque::new(),
            dirty_paths: Vec::new(),
            spares: Spares::default(),
            dirty_sockets: Vec::new(),
            connection_outputs: 0,
            outputs_at_look: 0,
            unacknowledged_bytes: 0,
            spare_output: Vec::new(),
            awake_rings: Vec::new(),
            quiescing: false,
            stopped: false,
            tick_us: tick_us(hang_after_ms),
            hang_counts: hang_after_ms > 0,
            promoted: None,
            promotions: 0,
            answers_first_until_ns: None,
            backup_wanted: false,
            next_tick_ns: now,
            next_housekeeping_ns: now,
            next_user_tick_ns: now,
            pending_change: None,
            change_later: None,
            handover: None,
            partner_heard_ns: now,
            reported: None,
            scratch: vec![0; streams::READ_BYTES],
            peek_offset: pollux_os::peek_offset_supported(),
        };
        if let StartAs::Backup { primary, .. } = start {
            engine.meet(primary, descriptors)?;
        }
        points::enter_server();
        engine.run_commands()?;
        Ok(engine)
    }

    /// Runs as a backup until this half is the primary; at once for one that starts as such. False: the pair has stopped.
    pub(crate) fn wait_until_primary(&mut self) -> Result<bool> {
        while !self.pair.is_primary() && !self.stopped {
            self.wait(Place::Between)?;
        }
        self.report_state();
        Ok(!self.stopped)
    }

    /// Ends the turn before and runs until there is something for the program. `None`: the pair has stopped.
    pub(crate) fn next_delivery(&mut self) -> Result<Option<Delivery>> {
        loop {
            self.end_turn();
            self.relieve_batch();
            if self.stopped {
                return Ok(None);
            }
            if let Some(delivery) = self.deliver_next()? {
                return Ok(Some(delivery));
            }
            if self.more_may_share() {
                self.wake_up(Place::Between, Some(Duration::ZERO))?;
                continue;
            }
            self.finish_turns()?;
            self.wait(Place::Between)?;
        }
    }

    /// What has arrived, one at a time.
    #[inline]
    fn deliver_next(&mut self) -> Result<Option<Delivery>> {
        if self.pair.is_primary() && !self.quiescing {
            while let Some(ready) = self.next_ready() {
                if let Some(delivery) = self.deliver(ready)? {
                    return Ok(Some(delivery));
                }
                self.end_turn();
                self.relieve_batch();
            }
        }
        Ok(None)
    }

    /// Nothing more has arrived: what the turns have made is sent.
    fn finish_turns(&mut self) -> Result<()> {
        self.outputs_at_look = 0;
        self.flush_batch()?;
        self.run_commands()?;
        self.send_state_parts()?;
        self.tell_when_drained()
    }

    /// Asks for the end of the pair and runs until it has come.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.end_turn();
        self.flush_batch()?;
        points::pass(Mark::Ending, Subject::default());
        self.ask_to_stop()?;
        while !self.stopped {
            self.flush_batch()?;
            self.wait(Place::Between)?;
        }
        Ok(())
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.pair.epoch()
    }

    pub(crate) fn state(&self) -> PairState {
        self.pair.state()
    }

    /// How often this half has become the primary, and whether the last time was a takeover.
    pub(crate) fn promotions(&self) -> (u64, bool) {
        (self.promotions, self.promoted.as_ref().is_some_and(|promoted| promoted.took_over))
    }

    /// Counts for people: opens, connections.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.replica.opens.len(), self.replica.connections.len())
    }

    fn next_ready(&mut self) -> Option<Ready> {
        if self.in_hand < self.receive_depth && self.replica.suspects.is_empty() {
            return self.ready.pop_front();
        }
        // Beyond the receive depth requests wait, and so does what crashed a primary while this half is alone: if it
        // crashes this one too there must be a backup that can set it aside (L5). The rest goes on.
        let held = self.holds_suspects();
        let full = self.in_hand >= self.receive_depth;
        let at = self.ready.iter().position(|ready| match ready {
            Ready::Request(request) => !(full || held && self.replica.suspects_open(request.open)),
            Ready::Input(connection) => !(held && self.replica.suspects_connection(*connection)),
            _ => true,
        })?;
        self.ready.remove(at)
    }

    fn holds_suspects(&self) -> bool {
        let waited = |promoted: &Promoted| clock::monotonic_ns() > promoted.at_ns + SUSPECT_WAIT_NS;
        let whole = matches!(self.pair.state(), PairState::Paired | PairState::Single | PairState::Removing);
        !self.replica.suspects.is_empty() && !whole && !self.promoted.as_ref().is_some_and(waited)
    }

    #[inline]
    fn deliver(&mut self, ready: Ready) -> Result<Option<Delivery>> {
        Ok(match ready {
            Ready::Request(request) => {
                if !self.begin_request(request.open, request.sync)? {
                    return Ok(None);
                }
                points::pass(Mark::Delivered, Subject::of(request.open.0, request.sync.0, &request.payload));
                Some(Delivery::Request(request, self.promotions))
            }
            Ready::System(message) => {
                self.begin_turn(TurnKey::Own {});
                self.wants_system.then_some(Delivery::System(message))
            }
            Ready::OpenerLost(open) => {
                self.begin_turn(TurnKey::Own {});
                self.wants_system.then_some(Delivery::OpenerLost(open))
            }
            Ready::Readable(held) => {
                self.begin_turn(TurnKey::Own {});
                self.replica.held.contains_key(&held).then_some(Delivery::Readable(held))
            }
            Ready::Local(id) => {
                self.begin_turn(TurnKey::Own {});
                self.look_at_local(id)?.then_some(Delivery::Local(id))
            }
            Ready::Accepted { open, sync, listener, peer, fd } => {
                self.begin_turn(TurnKey::Request { open, sync });
                self.accept(open, sync, listener, &peer, fd).map(Delivery::Connected)
            }
            Ready::Input(connection) => {
                let data = self.begin_input(connection)?;
                if let Some(data) = &data {
                    points::pass(Mark::Delivered, Subject::of(connection.0, 0, &data.input));
                }
                data.map(Delivery::Input)
            }
            Ready::Disconnected(connection) => {
                self.begin_turn(TurnKey::Own {});
                self.end_connection(connection).then_some(Delivery::Disconnected(connection))
            }
            Ready::Tick => {
                self.begin_turn(TurnKey::Own {});
                Some(Delivery::Tick)
            }
        })
    }

    /// Waits for something to happen and takes it in.
    fn wait(&mut self, place: Place) -> Result<()> {
        let timeout = self.fall_asleep()?;
        self.wake_up(place, timeout)
    }

    /// Before a wait: from here on whoever sends something rings. How long the wait may be.
    fn fall_asleep(&mut self) -> Result<Option<Duration>> {
        self.watch_blocked_writers()?;
        // What was in a ring already may not wait; the descriptors are looked at all the same.
        Ok(if self.look_at_rings()? { Some(Duration::ZERO) } else { self.timeout() })
    }

    fn wake_up(&mut self, place: Place, timeout: Option<Duration>) -> Result<()> {
        self.events.clear();
        let only_backup = place == Place::Between && self.backup_comes_first();
        let poller = if only_backup { &mut self.backup_poller } else { &mut self.poller };
        match poller.wait(timeout) {
            Ok(events) => self.events.extend_from_slice(events),
            Err(error) => return Err(Error::System { what: "wait for events", source: error }),
        }
        let events = std::mem::take(&mut self.events);
        // A death is looked at last: everything the dead process had sent is taken in before.
        let mut rang = false;
        for event in &events {
            match event.token & TOKEN_KIND {
                TOKEN_DAEMON => self.daemon.fill()?,
                TOKEN_LINE => self.read_takeover_line(),
                TOKEN_PARTNER | TOKEN_PARTNER_RING if self.dropped.is_some() => self.bury_dropped(),
                TOKEN_PARTNER => {
                    if let Some(partner) = &mut self.partner {
                        partner.channel.note_socket_ready();
                    }
                    self.read_partner()?;
                }
                TOKEN_PARTNER_RING => self.read_partner()?,
                TOKEN_BELL => rang = true,
                TOKEN_PATH => self.handle_path_event(OpenId(event.token & !TOKEN_KIND))?,
                TOKEN_RING => self.read_path(OpenId(event.token & !TOKEN_KIND))?,
                TOKEN_HELD => self.handle_held(HeldId(event.token & !TOKEN_KIND)),
                TOKEN_LOCAL => self.handle_local((event.token & !TOKEN_KIND) as u32),
                TOKEN_CONNECTION => self.handle_socket(ConnectionId(event.token & !TOKEN_KIND), event),
                _ => {}
            }
        }
        self.events = events;
        self.handle_messages(place)?;
        if rang {
            self.bell.quiet();
            self.look_for_death()?;
        }
        self.handle_time(place)?;
        self.release_outputs();
        self.run_commands()?;
        self.report_state();
        Ok(())
    }

    fn timeout(&self) -> Option<Duration> {
        if self.state_to_send.is_some()
            && !self.partner.as_ref().is_some_and(|partner| partner.channel.is_blocked() || partner.closed)
        {
            return Some(Duration::ZERO);
        }
        let mut next = self.next_housekeeping_ns.min(self.answers_first_until_ns.unwrap_or(u64::MAX));
        if self.pair.wants_ticks() || self.change_later.is_some() || self.handover.is_some() {
            next = next.min(self.next_tick_ns);
        }
        if self.tick_every.is_some() {
            next = next.min(self.next_user_tick_ns);
        }
        Some(Duration::from_nanos(next.saturating_sub(clock::monotonic_ns())))
    }

    fn handle_time(&mut self, place: Place) -> Result<()> {
        let now = clock::monotonic_ns();
        if self.answers_first_until_ns.is_none() {
            self.bury_dropped();
        }
        if self.answers_first_until_ns.take_if(|until| now >= *until).is_some()
            && std::mem::take(&mut self.backup_wanted)
        {
            self.ask_for_backup()?;
        }
        if now >= self.next_tick_ns {
            // One tick per turn of the loop, however late: time in which this process could not run does not count.
            self.next_tick_ns = now + self.tick_us * 1000;
            if self.pair.wants_ticks() && (self.hang_counts || self.pair.state() == PairState::Alone) {
                self.pair_event(PairEvent::Tick)?;
            }
            if let Some(change) = self.change_later.take() {
                self.ask_for_change(change)?;
            }
            self.report_handover(now)?;
        }
        if let Some(every) = self.tick_every
            && now >= self.next_user_tick_ns
            && place == Place::Between
        {
            self.next_user_tick_ns = now + every.as_nanos() as u64;
            if self.pair.is_primary() {
                self.ready.push_back(Ready::Tick);
            }
        }
        if now >= self.next_housekeeping_ns {
            self.next_housekeeping_ns = now + HOUSEKEEPING.as_nanos() as u64;
            if place == Place::Between {
                self.keep_house()?;
            }
        }
        if self.daemon.is_lost() {
            // The CPU is lost, and with it this process: the other half takes over. Whoever stays would be a ghost.
            pollux_os::say!(
                "pollux: {}: the daemon of CPU {} is gone; this process ends",
                self.name,
                self.me.cpu
            );
            process::exit(1);
        }
        Ok(())
    }

    fn keep_house(&mut self) -> Result<()> {
        self.buried.clear();
        if self.pair.is_primary() && !self.quiescing {
            self.tell_written();
            self.start_missing_acceptors()?;
            self.forget_vanished_openers();
            self.nudge_links()?;
        }
        Ok(())
    }

    fn handle_messages(&mut self, place: Place) -> Result<()> {
        // Inside a turn only what a call may need: the outcome of a change of the record, and paths.
        loop {
            let message = match place {
                Place::Between if self.quiescing => {
                    self.daemon.take(|message| !matches!(message, ToProcess::NewPath { .. }))
                }
                Place::Between => self.daemon.next_message(),
                Place::InTurn => self.daemon.take(|message| {
                    matches!(message, ToProcess::Recorded { .. } | ToProcess::PartnerGone { .. })
                }),
            };
            let Some(message) = message else { return Ok(()) };
            self.handle_message(message)?;
        }
    }

    fn handle_message(&mut self, (message, descriptors): Message) -> Result<()> {
        match message {
            ToProcess::NewPath { open, opener, again, epoch: _ } => {
                self.handle_new_path(open, opener, again, descriptors)
            }
            ToProcess::Recorded { request, outcome } => self.handle_recorded(request, outcome),
            ToProcess::BackupStarted { backup: Some(backup), .. } => {
                self.meet(backup, descriptors)?;
                self.pair_event(PairEvent::BackupStarted { backup })
            }
            ToProcess::BackupStarted { backup: None, error, detail, why, .. } => {
                // 10 with detail 201: that CPU is down (Guardian Procedure Calls, PROCESS_CREATE_).
                let wait_for_cpu = (error, detail) == (10, 201);
                self.report_backup_failed(error, detail, &why, wait_for_cpu)?;
                self.pair_event(PairEvent::BackupFailed { wait_for_cpu })
            }
            ToProcess::PartnerGone { phandle, .. } => self.look_twice_for_death(phandle),
            ToProcess::System { message } => {
                if matches!(message, SystemMessage::CpuUp { .. }) {
                    self.pair_event(PairEvent::CpuUp)?;
                }
                self.push_system(message);
                Ok(())
            }
            ToProcess::SwitchOver {} => self.pair_event(PairEvent::SwitchWanted),
            ToProcess::Stop {} => self.ask_to_stop(),
            ToProcess::TakeoverLine {} => self.take_takeover_line(descriptors),
            ToProcess::AcceptorStarted { error, why, .. } => {
                if !error.is_ok() {
                    pollux_os::say!("pollux: {}: no acceptor could be started: {why} ({error})", self.name);
                }
                Ok(())
            }
            // Answers that are waited for where they were asked for; one that comes too late is for nobody.
            ToProcess::Opened { .. }
            | ToProcess::Welcome { .. }
            | ToProcess::Refused { .. }
            | ToProcess::Numbers { .. }
            // Only for programs that keep their state themselves.
            | ToProcess::Created { .. }
            | ToProcess::StopNow { .. }
            | ToProcess::Answer { .. }
            | ToProcess::RecordChanged { .. } => Ok(()),
        }
    }

    fn push_system(&mut self, message: SystemMessage) {
        if self.wants_system && self.pair.is_primary() {
            self.ready.push_back(Ready::System(Box::new(message)));
        }
    }

    fn handle_recorded(&mut self, request: u32, outcome: Recorded) -> Result<()> {
        match self.pending_change.take_if(|(pending, _)| *pending == request) {
            None => Ok(()),
            Some(_) => {
                if let Some(handover) = &mut self.handover {
                    handover.recorded_ns.get_or_insert_with(clock::monotonic_ns);
                }
                if let Recorded::Refused { why, .. } = &outcome {
                    pollux_os::say!(
                        "pollux: {}: a change of the pair's record was refused: {why}",
                        self.name
                    );
                }
                self.pair_event(PairEvent::Recorded(outcome))
            }
        }
    }

    /// Gets to know the other half by its channel, its life page and its pidfd.
    fn meet(&mut self, phandle: Phandle, descriptors: Vec<OwnedFd>) -> Result<()> {
        let mut descriptors = descriptors.into_iter();
        let (Some(channel), Some(page), Some(pidfd)) =
            (descriptors.next(), descriptors.next(), descriptors.next())
        else {
            return Err(Error::Refused("the daemon named another half without its descriptors".to_owned()));
        };
        self.bury_dropped();
        let watch = Arc::new(LifeWatch::open(page).context("open the other half's life page")?);
        watch.clone().on_death("partner", self.bell.clone()).context("watch the other half")?;
        let mut channel = Channel::new(channel, CHECKPOINT_BODY_BYTES_MAX);
        channel.set_stop_at_short_read(true);
        for poller in [&self.poller, &self.backup_poller] {
            poller.add(channel.as_fd(), TOKEN_PARTNER, Interest::READ).context("watch the pair channel")?;
        }
        self.partner = Some(Partner { phandle, channel, watch, pidfd, closed: false, writing: false });
        self.partner_heard_ns = clock::monotonic_ns();
        (self.number, self.applied) = (CheckpointNumber(0), CheckpointNumber(0));
        Ok(())
    }

    fn look_for_death(&mut self) -> Result<()> {
        match &self.partner {
            Some(partner) if partner.watch.is_dead() => self.partner_dead(partner.phandle),
            _ => Ok(()),
        }
    }

    /// Its daemon says that the other half is gone: the pidfd proves it also where the life page was overwritten.
    fn look_twice_for_death(&mut self, phandle: Phandle) -> Result<()> {
        match &self.partner {
            Some(partner) if partner.phandle == phandle => {
                let gone =
                    pollux_os::wait_gone(&partner.pidfd, Duration::ZERO).context("look at the other half")?;
                if gone { self.partner_dead(phandle) } else { self.look_for_death() }
            }
            _ => Ok(()),
        }
    }

    fn partner_dead(&mut self, phandle: Phandle) -> Result<()> {
        self.note_death();
        // Everything it had sent is in our socket: it can never speak again.
        self.read_partner()?;
        // What it acknowledged last lets outputs go, which the gate holds from its death to the end of the removal: when
        // the pair stops that never comes.
        self.release_outputs();
        self.pair_event(PairEvent::PartnerDead { partner: phandle })?;
        self.run_commands()
    }

    /// Watches for room to write only where something waits for it.
    fn watch_blocked_writers(&mut self) -> Result<()> {
        if let Some(partner) = &mut self.partner
            && !partner.closed
            && partner.channel.waits_for_socket() != partner.writing
        {
            partner.writing = !partner.writing;
            let interest = if partner.writing { Interest::READ_WRITE } else { Interest::READ };
            for poller in [&self.poller, &self.backup_poller] {
                poller
                    .modify(partner.channel.as_fd(), TOKEN_PARTNER, interest)
                    .context("watch the pair channel")?;
            }
        }
        if self.daemon.is_blocked() {
            self.daemon.flush()?;
        }
        Ok(())
    }

    fn object_changed(&mut self, id: ObjectId, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        if !self.pair.is_primary() {
            return Err(Error::Misuse("only the primary changes replicated state"));
        }
        let sent = self.objects.get(id).is_some_and(|slot| slot.sent);
        if self.pair.checkpoints() && sent {
            self.batch.put_object_change(id, write);
        }
        Ok(())
    }

    /// The object of that name, created if the pair does not have it.
    pub(crate) fn object(
        &mut self,
        kind: u8,
        name: &str,
        make: impl FnOnce() -> crate::objects::Shared,
    ) -> Result<(ObjectId, crate::objects::Shared)> {
        if let Some((id, slot)) = self.objects.find(name) {
            if slot.kind != kind {
                return Err(Error::Misuse("the pair has an object of that name, but of another kind"));
            }
            return Ok((id, slot.object.clone()));
        }
        let id = self.objects.next_id();
        let object = make();
        self.objects.insert(id, kind, name.to_owned(), object.clone());
        self.record(&Record::ObjectCreated { object: id, kind, name }, None);
        Ok((id, object))
    }
}
