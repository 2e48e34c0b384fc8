//! The steps of a world: each is something that happens to one of those in it, with nothing in between.

use super::process::{Way, Who};
use std::fmt;

/// A step that could come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A requester begins a request.
    StartRequest(usize),
    /// A requester takes in a message, or hears that its path has ended.
    FromServer(Way),
    /// The daemon answers a question for a path.
    AnswerPath(usize),
    /// A half does the next piece of its work.
    Work(Who),
    /// A half lets a reply go.
    Release(Who),
    /// A half hears from its daemon.
    TakeNotice(Who),
    /// A half takes in a frame of the other half.
    TakeFrame(Who),
    /// A half hears that the other one is dead.
    HearOfDeath(Who),
    /// A half takes in a request.
    Read(Who, Way),
    /// A half executes the oldest request in hand.
    Execute(Who),
    /// A half has sent its whole state.
    FinishState(Who),
    /// A half has nothing in hand.
    Drained(Who),
    /// A half's own timer ticks.
    Tick(Who),
    /// The coordinator decides on what a half asked for.
    Rule(Who),
    /// The daemon starts a backup.
    StartBackup(Who),
    /// The daemons end a name that has lost its last process.
    EndName,
    /// The operator orders something.
    GiveOrder,
    /// A half sends a call that its backup knows of.
    Call(Who),
    /// A half takes in the answer to its call.
    TakeAnswer(Who),
}

impl Step {
    /// Kinds of steps.
    pub const KINDS: usize = 19;
    /// The kind of [`Step::Tick`].
    pub const TICK: usize = 12;

    /// Its kind, below [`Step::KINDS`].
    pub fn kind(self) -> usize {
        match self {
            Self::StartRequest(_) => 0,
            Self::FromServer(_) => 1,
            Self::AnswerPath(_) => 2,
            Self::Work(_) => 3,
            Self::Release(_) => 4,
            Self::TakeNotice(_) => 5,
            Self::TakeFrame(_) => 6,
            Self::HearOfDeath(_) => 7,
            Self::Read(..) => 8,
            Self::Execute(_) => 9,
            Self::FinishState(_) => 10,
            Self::Drained(_) => 11,
            Self::Tick(_) => Self::TICK,
            Self::Rule(_) => 13,
            Self::StartBackup(_) => 14,
            Self::EndName => 15,
            Self::GiveOrder => 16,
            Self::Call(_) => 17,
            Self::TakeAnswer(_) => 18,
        }
    }
}

impl fmt::Display for Step {
    /// What happens, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartRequest(client) => write!(f, "requester {client} begins a request"),
            Self::FromServer(way) => write!(f, "a requester takes in what path {way} holds"),
            Self::AnswerPath(client) => write!(f, "the daemon gives requester {client} a path"),
            Self::Work(who) => write!(f, "half {who} does the next piece of its work"),
            Self::Release(who) => write!(f, "half {who} lets a reply go"),
            Self::TakeNotice(who) => write!(f, "half {who} hears from its daemon"),
            Self::TakeFrame(who) => write!(f, "half {who} takes in a frame of the other half"),
            Self::HearOfDeath(who) => write!(f, "half {who} hears that the other half is dead"),
            Self::Read(who, way) => write!(f, "half {who} takes in a request from path {way}"),
            Self::Execute(who) => write!(f, "half {who} executes the oldest request in hand"),
            Self::FinishState(who) => write!(f, "half {who} has sent its whole state"),
            Self::Drained(who) => write!(f, "half {who} has nothing in hand"),
            Self::Tick(who) => write!(f, "half {who}: its timer ticks"),
            Self::Rule(who) => write!(f, "the coordinator rules on what half {who} asked"),
            Self::StartBackup(who) => write!(f, "the daemon starts a backup for half {who}"),
            Self::EndName => write!(f, "the name ends: its last process is gone"),
            Self::GiveOrder => write!(f, "the operator gives an order"),
            Self::Call(who) => write!(f, "half {who} asks its server"),
            Self::TakeAnswer(who) => write!(f, "half {who} takes in its server's answer"),
        }
    }
}
