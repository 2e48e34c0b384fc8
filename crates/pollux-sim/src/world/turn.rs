//! A turn of a half that asks a server: production decisions on its calls ([`pollux_core::calls`]), and the least shell for them.
//!
//! ```text
//!   Execute --> record the call --> (its checkpoint is acknowledged) --> Call --> (the server answers) --> TakeAnswer --+
//!                ^                                                                                                    |
//!                +--------------------------------- more calls in this turn -------------------------------------------+
//!                                                                                        none: Process::finish
//! ```

use super::process::{Process, Work, encode_entry};
use crate::app::{Answer, Entry};
use crate::bugs::Bug;
use pollux_core::calls::CallIs;
use pollux_wire::checkpoint::{Record, TurnKey};
use pollux_wire::{CheckpointNumber, FileError, OpenId, ProcessName, SyncId};

/// The pair's open of its server.
pub const SERVER: OpenId = OpenId(1);
/// Most reply bytes that a call wants.
const REPLY_BYTES_MAX: u32 = 16;

/// Where a turn is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Its call is recorded with this checkpoint, and not sent.
    Recorded { sync: SyncId, number: CheckpointNumber },
    /// Its call is to be answered.
    Asked(SyncId),
}

/// A request that is being handled, between two calls.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct Turn {
    entry: Entry,
    /// Calls that are answered.
    answered: u8,
    pub(crate) stage: Stage,
}

/// What a half knows of its own calls beside its replica.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Calls {
    /// Calls in each turn.
    pub(crate) in_turn: u8,
    /// The turn that waits.
    pub(crate) turn: Option<Turn>,
    /// Records for the next checkpoint.
    pub(super) before_turn: Vec<u8>,
    /// It is the primary and has said so.
    pub(crate) speaks: bool,
    /// How often it has begun to speak.
    pub(crate) roles: u32,
    /// To be sent.
    pub(crate) wish: Option<SyncId>,
    /// The answer that the turn waits for.
    pub(crate) answer: Option<(FileError, Answer)>,
    /// The turn met a call that was made before.
    pub(crate) met_again: bool,
}

impl Calls {
    /// Where the turn is that waits.
    pub(crate) fn stage(&self) -> Option<Stage> {
        self.turn.map(|turn| turn.stage)
    }

    pub(super) fn forget_turn(&mut self) {
        (self.turn, self.wish, self.answer) = (None, None, None);
        self.before_turn.clear();
    }
}

impl Process {
    /// The pair opens its server, if it has one.
    pub(super) fn open_server(&mut self) {
        if self.calls.in_turn > 0 {
            let server = ProcessName::new("$BANK").expect("a good name");
            let opened = Record::CallOpened { open: SERVER, server, next_sync: SyncId(1) };
            self.replica.apply(&opened).expect("a new open fits");
        }
        self.begin_to_call();
    }

    /// As the first primary or a new one.
    pub(super) fn begin_to_call(&mut self) {
        if self.bug == Bug::CallsForgotten {
            self.replica.calls.clear();
        }
        self.calls.speaks = true;
        self.calls.roles += 1;
    }

    /// True while its link works.
    pub(crate) fn can_use_its_link(&self) -> bool {
        self.alive && self.paused.is_none() && self.pair.is_primary() && self.calls.speaks
    }

    /// Begins the turn of the oldest request in hand.
    pub(crate) fn execute(&mut self) {
        if let Some(entry) = self.in_hand.pop_front() {
            self.go_on(entry, 0);
        }
    }

    /// Up to the next call that must be waited for, or to the end of the turn.
    fn go_on(&mut self, entry: Entry, mut answered: u8) {
        let (open, sync) = entry;
        let turn = TurnKey::Request { open, sync };
        let stage = loop {
            if answered == self.calls.in_turn {
                self.calls.turn = None;
                return self.finish(entry);
            }
            let payload = payload_of(entry, answered);
            match self.replica.call(&turn, answered.into(), SERVER, &payload) {
                CallIs::Answered(..) => (answered, self.calls.met_again) = (answered + 1, true),
                CallIs::UnderWay(sync) => {
                    self.calls.met_again = true;
                    break Stage::Asked(sync);
                }
                CallIs::New(sync) => break self.record_call(turn, sync, &payload),
                other @ (CallIs::Another | CallIs::NotOpen) => {
                    panic!("S3b: call {answered} of {entry:?} is {other:?}")
                }
            }
        };
        self.calls.turn = Some(Turn { entry, answered, stage });
    }

    fn record_call(&mut self, turn: TurnKey, sync: SyncId, payload: &[u8]) -> Stage {
        let record =
            Record::CallStarted { turn, open: SERVER, sync, reply_bytes_max: REPLY_BYTES_MAX, payload };
        self.replica.apply(&record).expect("the primary's own record fits");
        if self.bug == Bug::CallRecordedLater {
            record.put(&mut self.calls.before_turn);
        } else if self.pair.checkpoints() {
            let mut body = Vec::new();
            record.put(&mut body);
            let frame = self.checkpoint(body, Vec::new());
            self.work.push_back(Work::Send(frame));
        }
        Stage::Recorded { sync, number: self.sent }
    }

    /// True when a recorded call may leave.
    pub(super) fn can_call(&self) -> bool {
        let admitted = |number| match self.bug {
            Bug::CallRecordedLater => true,
            Bug::CallWhileRemoving if !self.pair.checkpoints() => true,
            _ => self.gate().admits(number),
        };
        matches!(self.calls.turn, Some(Turn { stage: Stage::Recorded { number, .. }, .. }) if admitted(number))
    }

    /// Lets a recorded call go.
    pub(super) fn send_call(&mut self) {
        if let Some(Turn { stage, .. }) = &mut self.calls.turn
            && let Stage::Recorded { sync, .. } = *stage
        {
            *stage = Stage::Asked(sync);
            self.calls.wish = Some(sync);
        }
    }

    /// Goes on with the turn that was waiting for an answer.
    pub(super) fn take_answer(&mut self) {
        let (Some(turn), Some((error, answer))) = (self.calls.turn, self.calls.answer.take()) else { return };
        let Stage::Asked(sync) = turn.stage else { return };
        self.note_answer(sync, error, answer);
        self.go_on(turn.entry, turn.answered + 1);
    }

    fn note_answer(&mut self, sync: SyncId, error: FileError, answer: Answer) {
        let payload = answer.encode();
        let record = Record::CallAnswered { open: SERVER, sync, error, payload: &payload };
        self.replica.apply(&record).expect("the primary's own record fits");
        if self.pair.checkpoints() {
            record.put(&mut self.calls.before_turn);
        }
    }

    /// An answer that no turn waits for is recorded at once.
    pub(crate) fn note_late_answer(&mut self, sync: SyncId, error: FileError, answer: Answer) {
        self.note_answer(sync, error, answer);
        if self.pair.checkpoints() {
            let frame = self.checkpoint(Vec::new(), Vec::new());
            self.work.push_back(Work::Send(frame));
        }
    }

    /// Calls that are sent and on record without an answer.
    pub(crate) fn unanswered_calls(&self) -> Vec<SyncId> {
        let recorded =
            |sync| matches!(self.calls.stage(), Some(Stage::Recorded { sync: own, .. }) if own == sync);
        let unanswered = self.replica.calls.iter().filter(|call| call.answer.is_none()).map(|call| call.sync);
        unanswered.filter(|sync| !recorded(*sync)).collect()
    }
}

/// The bytes of a call that is on record.
pub(crate) fn call_payload(process: &Process, sync: SyncId) -> Option<Vec<u8>> {
    process.replica.calls.iter().find(|call| call.sync == sync).map(|call| call.payload.clone())
}

/// The bytes of a call: for which request, and the how-many-th of it.
fn payload_of(entry: Entry, ordinal: u8) -> Vec<u8> {
    let mut bytes = encode_entry(entry);
    bytes.push(ordinal);
    bytes
}
