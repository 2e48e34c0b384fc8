//! What programs and servers say to each other.
//!
//! A program sends [`Ask`]s with numbers of its own and gets one [`Reply`] for each, in any order; [`Told::Event`]s come between
//! them once it has asked to watch. Servers send each other [`PeerWord`]s; each direction has its own connection.

use crate::address::Address;
use pollux_domain::acting::StepOutcome;
use pollux_domain::content::{Change, RequestId, Stamp};
use pollux_domain::difference::Action;
use pollux_domain::name::ServerName;
use pollux_domain::nof::view::{DomainView, LogTypes};
use pollux_domain::succession::{Answer, Message, Mode, Notice, Role};
use serde::{Deserialize, Serialize};

/// Version of these words. Another one is refused at the first word.
pub const WORDS_VERSION: u32 = 1;

/// From a program to its server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// For the reply.
    pub number: u64,
    /// What.
    pub word: Word,
}

/// What a program asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// The first word of a connection. `origin`: of an earlier connection of the same program, or 0.
    Hello {
        /// [`WORDS_VERSION`].
        version: u32,
        /// Names the program in its requests.
        origin: u64,
    },
    /// The domain as this server sees it.
    View {
        /// What is to be known of the lock of the domain file.
        lock: LockWish,
    },
    /// A change.
    Submit {
        /// Names it.
        request: RequestId,
        /// The epoch of the handle, or of the acting master that was shown.
        epoch: u64,
        /// The change.
        change: Change,
    },
    /// Gives the lock of the domain file back.
    Unlock,
    /// Replaces the log switches of this server, or takes the replacement back.
    SetLogTypes {
        /// `None`: the domain's.
        types: Option<LogTypes>,
    },
    /// From here on events are told.
    Watch,
    /// For people: who is up, who acts, who lags.
    Status,
    /// A new configuration: its steps are carried out, then it is put on record.
    Apply(Apply),
    /// Makes the records of the domain from this server's files.
    Create {
        /// They are lost, and what is left of them is replaced.
        recover: bool,
    },
    /// The software stops on purpose.
    Leave,
}

/// A new configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apply {
    /// Names the change.
    pub request: RequestId,
    /// The revision whose text was edited.
    pub based_on: u64,
    /// The new text.
    pub text: String,
    /// Pairs may lose their state by it.
    pub may_lose_state: bool,
    /// Only tell what would be done.
    pub dry_run: bool,
}

/// What a view must know of the lock of the domain file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockWish {
    /// Nothing.
    Nothing,
    /// Whether somebody else has it.
    Look,
    /// Take it if it is free.
    Take,
}

/// From a server to a program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Told {
    /// To an [`Ask`].
    Reply {
        /// Of the ask.
        number: u64,
        /// What.
        reply: Reply,
    },
    /// Something happened.
    Event {
        /// What.
        notice: Notice,
        /// The change behind it, when there is one.
        change: Option<Change>,
        /// The domain after it.
        view: Box<DomainView>,
    },
}

/// Replies.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Reply {
    /// To Hello.
    Welcome {
        /// Names the program in its requests.
        origin: u64,
        /// This server.
        host: ServerName,
        /// Its domain.
        domain: String,
    },
    /// To View.
    View(Box<DomainView>),
    /// To Submit.
    Answer(Answer),
    /// To Status.
    Status(Box<StatusReport>),
    /// To Apply.
    Applied(Applied),
    /// It is done, or on its way.
    Done,
    /// It is not done, and this says why and what to do.
    Refused {
        /// For a person.
        reason: String,
    },
}

/// How a new configuration ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Applied {
    /// These steps would be done (dry run).
    Plan {
        /// In order.
        steps: Vec<String>,
    },
    /// All steps are done and the text is on record.
    Done {
        /// What was done.
        steps: Vec<String>,
        /// Of the new content.
        stamp: Stamp,
    },
    /// Nothing was begun.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
    /// A step failed; those before it are taken back.
    RolledBack {
        /// Of the step that failed.
        reason: String,
    },
    /// A step failed, and these could not be taken back.
    Stuck {
        /// Of the step that failed.
        reason: String,
        /// What is left, and why.
        left: Vec<String>,
    },
    /// Nobody can tell: the acting master was lost meanwhile. The domain goes to what is on record.
    Unknown,
}

/// The domain for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// Its name.
    pub domain: String,
    /// Its rules.
    pub mode: Mode,
    /// Where its records are; legacy mode has none.
    pub coordinator: String,
    /// The server that was asked.
    pub host: ServerName,
    /// Its role.
    pub role: Role,
    /// Dates the content.
    pub stamp: Option<Stamp>,
    /// The acting master.
    pub acting: Option<ActingReport>,
    /// Why nobody acts, when nobody does.
    pub no_acting_because: Option<String>,
    /// The configuration servers in order, then the peers.
    pub servers: Vec<ServerReport>,
    /// What an operator should know.
    pub problems: Vec<String>,
}

/// The acting master for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActingReport {
    /// Who.
    pub server: ServerName,
    /// In which epoch.
    pub epoch: u64,
    /// Why this one.
    pub because: String,
    /// Since when, as the server that was asked saw it: milliseconds since 1970.
    pub since_unix_ms: u64,
}

/// A server for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerReport {
    /// Its name.
    pub name: ServerName,
    /// 1 for the first of the list; none for a peer.
    pub position: Option<usize>,
    /// Its software runs and can be reached.
    pub up: bool,
    /// It acts.
    pub acts: bool,
    /// The newest content that its files are known to hold; none while that is not known.
    pub holds: Option<Stamp>,
    /// It is up and its files are behind the domain's.
    pub lags: bool,
    /// Where servers of other hosts reach it; none: servers of its host only.
    #[serde(default)]
    pub address: Option<Address>,
}

/// Between servers.
#[expect(clippy::large_enum_variant, reason = "few exist at a time, and none is kept")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PeerWord {
    /// Legacy mode: of the machines.
    Machine(Message),
    /// To the acting master: a program of the sender asks.
    Ask {
        /// For the answer.
        number: u64,
        /// What.
        word: Relayed,
    },
    /// The answer.
    Answer {
        /// Of the question.
        number: u64,
        /// What.
        reply: RelayedReply,
    },
    /// From the acting master: carry this out.
    Step {
        /// For the end.
        number: u64,
        /// Of the acting master; an older one than known is refused.
        epoch: u64,
        /// What.
        action: Action,
    },
    /// A step ended.
    StepEnded {
        /// Of the step.
        number: u64,
        /// How.
        outcome: StepOutcome,
    },
    /// From the acting master: no change of the configuration is under way.
    Settled,
    /// To the acting master: a line for the central log.
    Log {
        /// The line.
        line: String,
    },
}

/// What is relayed to the acting master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Relayed {
    /// A change.
    Submit {
        /// Names it.
        request: RequestId,
        /// Of the handle.
        epoch: u64,
        /// The change.
        change: Change,
    },
    /// A new configuration.
    Apply(Apply),
    /// About the lock of the domain file.
    Lock {
        /// Of the program.
        origin: u64,
        /// Take it if it is free.
        take: bool,
    },
    /// The lock is given back.
    Unlock {
        /// Of the program.
        origin: u64,
    },
}

/// What the acting master answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RelayedReply {
    /// To Submit.
    Answer(Answer),
    /// To Apply.
    Applied(Applied),
    /// To Lock: another program has it.
    Lock {
        /// True: not free.
        of_other: bool,
    },
}
