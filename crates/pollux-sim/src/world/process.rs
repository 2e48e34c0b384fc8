//! One half of the pair: the production machines, and around them the least shell that obeys their commands.
//!
//! The application is [`App`]. A command that speaks to several others is cut into pieces of [`Work`], so that a crash can
//! come between any two of them.

use super::turn::Calls;
use crate::app::{Answer, App, Entry};
use crate::bugs::Bug;
use pollux_core::output::{Gate, OutputQueue};
use pollux_core::pair::{Command, Event, Handled, Pair};
use pollux_core::receive::{Arrival, SavedReply};
use pollux_core::replica::Replica;
use pollux_wire::checkpoint::{self, Record, begin_checkpoint, open_checkpoint};
use pollux_wire::control::{Change, Recorded};
use pollux_wire::{
    CheckpointNumber, CpuNumber, Epoch, FileError, ObjectId, OpenId, Phandle, SyncId, Wire, decode, encode,
};
use std::collections::{BTreeMap, VecDeque};

/// The application's only object.
const LIST: ObjectId = ObjectId(1);

/// A process, by its place in the world's table.
pub type Who = usize;
/// A path, by its place in the world's table.
pub type Way = usize;

/// A frame on the pair channel, with the paths it carries as descriptors.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) body: Vec<u8>,
    pub(crate) ways: Vec<Way>,
}

/// From a server's half to a requester.
#[derive(Debug, Clone, Hash)]
pub(crate) enum ToRequester {
    Reply { sync: SyncId, error: FileError, answer: Answer, epoch: Epoch },
    Takeover { epoch: Epoch },
    Standby { way: Way },
    Demoted,
}

/// From the daemon.
#[derive(Debug, Clone, Hash)]
pub(crate) enum Notice {
    Event(Event),
    NewPath { open: OpenId, way: Way },
}

/// What a half has still to do before it looks at anything else.
#[derive(Debug, Clone, Hash)]
pub(crate) enum Work {
    Do(Command),
    Send(Frame),
    Tell { open: OpenId, message: ToRequester },
}

/// A reply that waits for its checkpoint.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Output {
    pub(crate) open: OpenId,
    pub(crate) sync: SyncId,
    pub(crate) error: FileError,
    pub(crate) answer: Answer,
}

/// What a piece of work asks of the world.
#[derive(Debug)]
pub(crate) enum Effect {
    Nothing,
    ToPartner(Frame),
    ToRequester(OpenId, ToRequester),
    AskDaemonForBackup,
    AskForChange { change: Change, later: bool },
    MakeStandbyPaths { backup: Phandle },
    KillPartner,
    DropPartner,
    Ended,
}

/// What comes after a time in which a process stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Then {
    /// It goes on.
    GoesOn,
    /// It is killed if it is watched, and goes on otherwise.
    IsKilledOrGoesOn,
    /// It is killed as soon as it is watched, and never goes on.
    IsKilled,
}

/// How a process stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Paused {
    /// From this step on it goes on, or counts as hung: whoever watches it kills it.
    pub(crate) until: u32,
    /// What comes then.
    pub(crate) then: Then,
}

/// How a request was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is executed when its turn comes.
    InHand,
    /// It is in hand already.
    InHandAgain,
    /// Its saved reply goes out again.
    Saved,
    /// It gets an error.
    Refused,
}

/// One half.
#[derive(Debug, Clone, Hash)]
pub struct Process {
    pub(crate) phandle: Phandle,
    /// It runs.
    pub alive: bool,
    /// It stands still.
    pub(crate) paused: Option<Paused>,
    /// Its role.
    pub pair: Pair,
    pub(crate) replica: Replica,
    pub(crate) app: App,
    pub(crate) outputs: OutputQueue<Output>,
    pub(crate) work: VecDeque<Work>,
    pub(crate) in_hand: VecDeque<Entry>,
    pub(crate) ways: BTreeMap<OpenId, Way>,
    pub(crate) inbox: VecDeque<Notice>,
    pub(crate) takes_input: bool,
    /// [`Command::Quiesce`] waits for its [`Event::Drained`].
    pub(crate) draining: bool,
    pub(crate) start_asked: bool,
    /// It has heard that this other half is dead.
    pub(crate) heard_of_death: Option<Phandle>,
    /// There was no CPU for its backup.
    pub(crate) lacks_cpu: bool,
    pub(crate) state_sent: Option<CheckpointNumber>,
    /// What it calls its server for.
    pub(crate) calls: Calls,
    pub(super) sent: CheckpointNumber,
    acknowledged: CheckpointNumber,
    applied: CheckpointNumber,
    unapplied: Option<Frame>,
    pub(super) bug: Bug,
}

impl Process {
    pub(crate) fn new(phandle: Phandle, pair: Pair, calls_in_turn: u8, bug: Bug) -> Self {
        let mut process = Self {
            phandle,
            alive: true,
            paused: None,
            pair,
            replica: Replica::default(),
            app: App::default(),
            outputs: OutputQueue::default(),
            work: VecDeque::new(),
            in_hand: VecDeque::new(),
            ways: BTreeMap::new(),
            inbox: VecDeque::new(),
            takes_input: true,
            draining: false,
            start_asked: false,
            heard_of_death: None,
            lacks_cpu: false,
            state_sent: None,
            calls: Calls { in_turn: calls_in_turn, ..Calls::default() },
            sent: CheckpointNumber(0),
            acknowledged: CheckpointNumber(0),
            applied: CheckpointNumber(0),
            unapplied: None,
            bug,
        };
        process.collect_commands();
        process
    }

    /// Where it runs.
    pub fn cpu(&self) -> CpuNumber {
        self.phandle.cpu
    }

    /// Gives the machine an event; its commands become work.
    pub(crate) fn tell(&mut self, event: Event) {
        match self.pair.handle(event.clone()) {
            Handled::Acted | Handled::Ignored(_) => self.collect_commands(),
            Handled::Impossible(why) => panic!("{event:?} in {:?}: {why}", self.pair),
        }
    }

    fn collect_commands(&mut self) {
        while let Some(command) = self.pair.poll_command() {
            self.work.push_back(Work::Do(command));
        }
    }

    /// The machine's command that is obeyed next.
    pub(crate) fn next_command(&self) -> Option<&Command> {
        match self.work.front() {
            Some(Work::Do(command)) => Some(command),
            _ => None,
        }
    }

    /// True when the backup has everything that was sent.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.sent == self.acknowledged
    }

    /// Does the next piece of work.
    pub(crate) fn do_work(&mut self) -> Effect {
        match self.work.pop_front() {
            None => Effect::Nothing,
            Some(Work::Send(frame)) => Effect::ToPartner(frame),
            Some(Work::Tell { open, message }) => Effect::ToRequester(open, message),
            Some(Work::Do(command)) => self.obey(command),
        }
    }

    fn obey(&mut self, command: Command) -> Effect {
        let frame = |kind, body| Effect::ToPartner(Frame { kind, body, ways: Vec::new() });
        match command {
            Command::StartBackup => return Effect::AskDaemonForBackup,
            Command::SendState { backup } => {
                self.sent = CheckpointNumber(0);
                self.acknowledged = CheckpointNumber(0);
                return Effect::MakeStandbyPaths { backup };
            }
            Command::TellInStep { number } => return frame(checkpoint::IN_STEP, encode(&number)),
            Command::TellOnRecord { epoch } => return frame(checkpoint::ON_RECORD, encode(&epoch)),
            Command::OrderSwitch { epoch } => {
                for open in self.ways.keys() {
                    self.work.push_back(Work::Tell { open: *open, message: ToRequester::Demoted });
                }
                return frame(checkpoint::SWITCH, encode(&epoch));
            }
            Command::OrderEnd => return frame(checkpoint::END, Vec::new()),
            Command::Record(change) if self.goes_on_unasked(&change) => {
                let epoch = self.pair.epoch().next();
                self.tell(Event::Recorded(Recorded::Done { epoch }));
            }
            Command::Record(change) => return Effect::AskForChange { change, later: false },
            Command::RecordLater(change) => return Effect::AskForChange { change, later: true },
            Command::KillPartner => return Effect::KillPartner,
            Command::DropPartner => {
                self.state_sent = None;
                return Effect::DropPartner;
            }
            Command::Quiesce => (self.takes_input, self.draining) = (false, true),
            Command::Resume => (self.takes_input, self.draining) = (true, false),
            Command::Promote { epoch, .. } => self.speak_as_primary(epoch),
            Command::Probe => {
                let probe = self.checkpoint(Vec::new(), Vec::new());
                self.work.push_back(Work::Send(probe));
            }
            Command::Demote { .. } => {
                self.calls.speaks = false;
                self.outputs.clear();
                self.begin_role();
            }
            Command::End(_) => return Effect::Ended,
            Command::ReportPaired { .. }
            | Command::ReportAlone { .. }
            | Command::ReportNotSwitched { .. } => {}
        }
        Effect::Nothing
    }

    fn goes_on_unasked(&self, change: &Change) -> bool {
        match change {
            Change::RemoveBackup { .. } => self.bug == Bug::AloneWithoutConsent,
            Change::TakeOver { .. } => self.bug == Bug::TakeoverUnrecorded,
            Change::Switch { .. } => self.bug == Bug::SwitchUnrecorded,
            Change::Join { .. } => false,
        }
    }

    fn speak_as_primary(&mut self, epoch: Epoch) {
        self.begin_role();
        self.begin_to_call();
        for open in self.ways.keys().rev() {
            self.work.push_front(Work::Tell { open: *open, message: ToRequester::Takeover { epoch } });
        }
    }

    fn begin_role(&mut self) {
        self.in_hand.clear();
        self.calls.forget_turn();
        self.replica.opens.values_mut().for_each(|open| open.forget_all_in_hand());
        (self.takes_input, self.draining) = (true, false);
        self.sent = CheckpointNumber(0);
        self.acknowledged = CheckpointNumber(0);
        self.applied = CheckpointNumber(0);
    }

    /// Takes in a request, as the primary.
    pub(crate) fn read(&mut self, open: OpenId, sync: SyncId) -> Taken {
        let refused = |error| (Taken::Refused, error, Answer { place: 0, value: 0 });
        let (taken, error, answer) =
            match self.replica.opens.get_mut(&open).expect("opens are checkpointed").arrive(sync) {
                Arrival::New => {
                    self.in_hand.push_back((open, sync));
                    return Taken::InHand;
                }
                Arrival::InHand => return Taken::InHandAgain,
                Arrival::Repeated(saved) => (Taken::Saved, saved.error, answer_of(saved)),
                Arrival::TooOld => refused(FileError::OLD_SYNC),
                Arrival::TooMany => refused(FileError::TOO_MANY_OUTSTANDING),
            };
        self.outputs.hold(self.sent, Output { open, sync, error, answer });
        taken
    }

    /// An opener comes back over a new path.
    pub(crate) fn give_up_for(&mut self, open: OpenId) {
        let Some(state) = self.replica.opens.get_mut(&open) else { return };
        for sync in state.given_up() {
            state.forget(sync);
            self.in_hand.retain(|entry| *entry != (open, sync));
        }
    }

    /// The end of a turn: its request is executed, checkpointed, and its reply held.
    pub(super) fn finish(&mut self, (open, sync): Entry) {
        let answer = self.app.execute((open, sync));
        let (change, payload) = (encode_entry((open, sync)), answer.encode());
        let changed = Record::ObjectChanged { object: LIST, change: &change };
        let replied = Record::Replied { open, sync, error: FileError::OK, payload: &payload };
        self.replica.apply(&replied).expect("the primary's own record fits");

        let mut number = self.sent;
        if self.pair.checkpoints() {
            let parts: &[&[Record<'_>]] = match self.bug {
                Bug::RepliesNotCheckpointed => &[std::slice::from_ref(&changed)],
                Bug::TornCheckpoint => &[std::slice::from_ref(&changed), std::slice::from_ref(&replied)],
                _ => &[&[changed, replied]],
            };
            for records in parts {
                let mut body = Vec::new();
                records.iter().for_each(|record| record.put(&mut body));
                let frame = self.checkpoint(body, Vec::new());
                self.work.push_back(Work::Send(frame));
            }
            number = if self.bug == Bug::TornCheckpoint { number.next() } else { self.sent };
        }
        self.outputs.hold(number, Output { open, sync, error: FileError::OK, answer });
    }

    /// The state for a new backup, as frames; `ways` are the standby paths of the opens.
    pub(crate) fn send_state(&mut self, ways: &BTreeMap<OpenId, Way>) {
        let mut bodies: Vec<Vec<u8>> = Vec::new();
        let mut put = |record: Record<'_>| {
            let mut body = Vec::new();
            record.put(&mut body);
            bodies.push(body);
        };
        for (id, open) in &self.replica.opens {
            put(Record::Opened { open: *id, opener: open.opener.clone(), standby: ways.contains_key(id) });
            put(Record::Labelled { open: *id, label: open.label });
            for SavedReply { sync, error, payload } in
                open.saved().filter(|_| self.bug != Bug::StateWithoutReplies)
            {
                put(Record::Replied { open: *id, sync: *sync, error: *error, payload });
            }
        }
        let part: Vec<u8> = self.app.log().iter().flat_map(|entry| encode_entry(*entry)).collect();
        self.replica.call_records().for_each(put);
        let opens = self.checkpoint(bodies.concat(), ways.values().copied().collect());
        let mut list = Vec::new();
        Record::ObjectCreated { object: LIST, kind: 1, name: "list" }.put(&mut list);
        Record::ObjectPart { object: LIST, part: &part }.put(&mut list);
        let list = self.checkpoint(list, Vec::new());
        self.work.extend([Work::Send(opens), Work::Send(list)]);
        for (open, way) in ways {
            self.work.push_back(Work::Tell { open: *open, message: ToRequester::Standby { way: *way } });
        }
        self.state_sent = Some(self.sent);
    }

    pub(super) fn checkpoint(&mut self, records: Vec<u8>, ways: Vec<Way>) -> Frame {
        self.sent = self.sent.next();
        let mut body = Vec::new();
        begin_checkpoint(self.sent, &mut body);
        body.append(&mut self.calls.before_turn);
        body.extend(records);
        self.tell(Event::Sent { number: self.sent });
        Frame { kind: checkpoint::CHECKPOINT, body, ways }
    }

    /// Takes in a frame of the other half. Returns the acknowledgement, if one is due.
    pub(crate) fn take(&mut self, frame: Frame) -> Option<Frame> {
        let text = "a frame we made";
        match frame.kind {
            checkpoint::CHECKPOINT => return Some(self.take_checkpoint(frame)),
            checkpoint::IN_STEP => {
                let number: CheckpointNumber = decode(&frame.body).expect(text);
                assert!(self.applied >= number, "S4: in step means that all is applied");
                self.tell(Event::InStep);
            }
            checkpoint::ON_RECORD => self.tell(Event::OnRecord { epoch: decode(&frame.body).expect(text) }),
            checkpoint::SWITCH => self.tell(Event::SwitchOrdered { epoch: decode(&frame.body).expect(text) }),
            checkpoint::END => self.tell(Event::EndOrdered),
            checkpoint::ACKNOWLEDGE => {
                self.acknowledged = decode(&frame.body).expect(text);
                self.tell(Event::Acknowledged { number: self.acknowledged });
            }
            kind => panic!("unknown frame {kind}"),
        }
        None
    }

    fn take_checkpoint(&mut self, frame: Frame) -> Frame {
        let (number, _) = open_checkpoint(&frame.body).expect("a frame we made");
        assert_eq!(number, self.applied.next(), "S4: no gap");
        self.applied = number;
        if self.bug == Bug::AcknowledgeBeforeApply {
            if let Some(earlier) = self.unapplied.replace(frame) {
                self.apply(earlier);
            }
        } else {
            self.apply(frame);
        }
        Frame { kind: checkpoint::ACKNOWLEDGE, body: encode(&number), ways: Vec::new() }
    }

    fn apply(&mut self, frame: Frame) {
        let (_, mut reader) = open_checkpoint(&frame.body).expect("a frame we made");
        let mut ways = frame.ways.into_iter();
        while !reader.is_empty() {
            let record = Record::take(&mut reader).expect("a record we made");
            match &record {
                Record::ObjectChanged { change: entries, .. } | Record::ObjectPart { part: entries, .. } => {
                    for entry in entries.chunks(16).map(decode_entry) {
                        self.app.execute(entry);
                    }
                }
                Record::Opened { open, standby: true, .. } => {
                    self.ways.insert(*open, ways.next().expect("a path comes with the record"));
                }
                _ => {}
            }
            self.replica.apply(&record).expect("S4: the record fits");
        }
    }

    /// The next reply that may leave.
    pub(crate) fn release(&mut self) -> Option<Output> {
        self.outputs.release(self.gate())
    }

    pub(crate) fn can_release(&self) -> bool {
        self.outputs.has_ready(self.gate())
    }

    pub(super) fn gate(&self) -> Gate {
        let ungated = self.bug == Bug::ReplyBeforeAcknowledgement && self.pair.is_primary();
        if ungated { Gate::Open } else { self.pair.gate() }
    }

    /// True when nothing is in hand, everything is acknowledged and has left.
    pub(crate) fn is_drained(&self) -> bool {
        self.is_acknowledged()
            && self.in_hand.is_empty()
            && self.calls.turn.is_none()
            && self.outputs.is_empty()
    }
}

fn answer_of(saved: &SavedReply) -> Answer {
    Answer::decode(&saved.payload).expect("a reply we made")
}

pub(super) fn encode_entry((open, sync): Entry) -> Vec<u8> {
    let mut bytes = Vec::new();
    open.put(&mut bytes);
    sync.put(&mut bytes);
    bytes
}

fn decode_entry(bytes: &[u8]) -> Entry {
    let (open, sync) = bytes.split_at(8);
    (decode(open).expect("an entry we made"), decode(sync).expect("an entry we made"))
}
