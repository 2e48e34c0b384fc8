//! Who is acting master, and how every server comes to the same content.
//!
//! What this decides: when a server takes the mastership, hands it over, or stops; what is copied where; what a
//! change is answered. What it does not: read clocks, talk, write files. The shell does what the commands say.
//!
//! Two rules to choose from, one face: [`Succession`].
//!
//! * [`Mode::Quorum`]: list order says who *should* be master, a compare-and-set of the epoch in the coordinator
//!   says who *is*. No consensus of our own: the coordinator's majority is the quorum.
//! * [`Mode::Legacy`]: the first reachable server of the list, judged by each server for itself. A split has an
//!   acting master on each side; what the loser wrote is kept as a conflict copy.
//!
//! Invariants: S11 an epoch seen is never followed by a lower one; S13 a server acts only with the newest content
//! it can know of; S14 a change is answered "done" or "not done" only when that is certain.
//!
//! ```text
//!   server c                     coordinator                     server b (better rank)
//!      | read: beat of a unchanged for `deadline`  |                |  (a is the master, and is gone)
//!      |------------------------------------------>|<---------------| take: acting is a@4, beats of a are as seen
//!      | waits rank * `rank`                       |----- done ---->| acting master b@5
//!      | read: acting is b@5, nothing to do        |                |
//! ```

mod copies;
mod legacy;
mod quorum;
mod records;
mod watch;

pub use copies::{Copies, Saved};
pub use legacy::{Legacy, Message, Peer, SERVERS_KNOWN_MAX};
pub use quorum::Quorum;
pub use records::{Acting, Beat, Expect, Incarnation, Proposal, Records};

use crate::content::{Change, Content, Refusal, RequestId, Stamp};
use crate::name::ServerName;
use pollux_wire::Epoch;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Changes that wait for the acting master; one more is answered [`Answer::Busy`].
pub const REQUESTS_WAITING_MAX: usize = 64;
/// How far an operator's forced recovery raises the epoch: above all that a lost store may have handed out.
pub const RECOVERY_EPOCH_STEP: u64 = 1_000;

/// A moment on the server's own boot-time clock, in ticks. The shell chooses the length of a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

impl Tick {
    /// Ticks from `earlier` to this moment; 0 when it is not earlier.
    pub fn since(self, earlier: Tick) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Which rules a domain follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Safe under partitions; changes need the coordinator.
    Quorum,
    /// The documented rules of the products, with conflict copies.
    Legacy,
}

/// The times of a domain, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    /// A sign of life is given so often.
    pub beat: u64,
    /// An acting master that got no sign of life through for so long stops to act.
    pub fence: u64,
    /// Who gave no sign of life for so long counts as gone.
    pub deadline: u64,
    /// A server waits so long per better-ranked entry before it takes over.
    pub rank: u64,
    /// A better-ranked server must have been there so long before it gets the mastership back.
    pub stable: u64,
    /// An answer that did not come for so long does not come any more.
    pub answer: u64,
}

/// Two times that do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// See the text.
    #[error(
        "beat ({beat}) must be above 0 and at most a third of fence ({fence}): one lost beat must not end a mastership"
    )]
    Beat {
        /// As given.
        beat: u64,
        /// As given.
        fence: u64,
    },
    /// See the text.
    #[error(
        "fence ({fence}) must be at most three quarters of deadline ({deadline}): the rest covers clocks that drift"
    )]
    Fence {
        /// As given.
        fence: u64,
        /// As given.
        deadline: u64,
    },
    /// See the text.
    #[error(
        "answer ({answer}) must be above 0 and below fence ({fence}): a lost answer must not end a mastership"
    )]
    Answer {
        /// As given.
        answer: u64,
        /// As given.
        fence: u64,
    },
}

impl Timing {
    /// Across hosts, in milliseconds.
    pub const ACROSS_HOSTS: Timing =
        Timing { beat: 1_000, fence: 3_000, deadline: 4_000, rank: 500, stable: 30_000, answer: 1_000 };
    /// On one host, in milliseconds.
    pub const ONE_HOST: Timing =
        Timing { beat: 100, fence: 375, deadline: 500, rank: 50, stable: 30_000, answer: 150 };

    /// Checks the relations between the times.
    pub fn check(&self) -> Result<(), TimingError> {
        if self.beat == 0 || self.beat * 3 > self.fence {
            return Err(TimingError::Beat { beat: self.beat, fence: self.fence });
        }
        if self.fence * 4 > self.deadline * 3 {
            return Err(TimingError::Fence { fence: self.fence, deadline: self.deadline });
        }
        if self.answer == 0 || self.answer >= self.fence {
            return Err(TimingError::Answer { answer: self.answer, fence: self.fence });
        }
        Ok(())
    }
}

/// What happens to a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Time has passed. Give one at least every `beat`.
    Tick,
    /// The answer to [`Command::Read`]; `None` when the coordinator could not be read.
    Read {
        /// Of the command.
        number: u64,
        /// All records, from one moment.
        records: Option<Records>,
    },
    /// The answer to [`Command::Propose`].
    Proposed {
        /// Of the command.
        number: u64,
        /// How it ended.
        outcome: Outcome,
    },
    /// The answer to [`Command::Save`].
    Saved {
        /// Of the command.
        number: u64,
        /// False: the files are as they were, or nobody can tell; the shell read them again for `copies`.
        done: bool,
    },
    /// Legacy mode: a message of another server.
    Message {
        /// Whose.
        from: ServerName,
        /// What it says.
        message: Message,
    },
    /// Legacy mode: there is, or was, a server of that name, as the shell found by its configuration or by asking around.
    Known {
        /// Its name.
        name: ServerName,
    },
    /// A program asks for a change, on a handle that was opened in `epoch`.
    Request {
        /// Names it.
        request: RequestId,
        /// The epoch of its handle.
        epoch: Epoch,
        /// What it wants.
        change: Change,
    },
    /// The software is about to stop on purpose.
    Leave,
    /// An operator makes the records of a new domain from this server's files, or (`recover`) of a domain whose
    /// coordinator lost them.
    Create {
        /// Raise the epoch by [`RECOVERY_EPOCH_STEP`] and replace what is there.
        recover: bool,
    },
}

/// How a proposal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It happened.
    Committed,
    /// Surely not done: a compare did not hold.
    Conflict,
    /// Surely not done: the coordinator could not serve it.
    NotDone,
    /// Nobody can tell.
    Unknown,
}

/// Files that are to be replaced.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Save {
    /// For the answer.
    pub number: u64,
    /// What to write.
    pub content: Arc<Content>,
    /// Written to the header of `sna.net`: the highest epoch seen (S11).
    pub epoch: Epoch,
    /// False: this server is a peer and keeps `sna.net` only.
    pub with_file: bool,
    /// First keep the files that are there as `*.conflict.<epoch>.<server>` of this content, and go on only when
    /// they are safe.
    pub keep_conflict: Option<Arc<Content>>,
}

/// What the shell must do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Read all records of the domain at one moment.
    Read {
        /// For the answer.
        number: u64,
    },
    /// Hand a proposal to the coordinator.
    Propose {
        /// For the answer.
        number: u64,
        /// What is compared and written.
        proposal: Box<Proposal>,
    },
    /// Replace the local files. The domain file goes BEFORE `sna.net`, each atomically.
    Save(Save),
    /// Legacy mode: send to another server; it may be lost.
    Send {
        /// To whom.
        to: ServerName,
        /// What.
        message: Message,
    },
    /// Answer a [`Event::Request`].
    Answer {
        /// Which.
        request: RequestId,
        /// With what.
        answer: Answer,
    },
    /// Tell programs and the operator.
    Notice(Notice),
}

/// What a program is told about its change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Answer {
    /// Done, and in every later acting master's content (quorum mode).
    Done(Stamp),
    /// Surely not done: the change itself does not fit.
    Refused(Refusal),
    /// Surely not done: this server is not the acting master of the handle's epoch. AP_NOT_MASTER.
    NotMaster,
    /// Surely not done: too many changes wait. AP_FILE_UNAVAILABLE.
    Busy,
    /// Nobody can tell; query. AP_FILE_UNAVAILABLE.
    Unknown,
}

/// What programs and the operator are told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Notice {
    /// Another server, or nobody, is acting master as this server sees it.
    Master {
        /// Who, in which epoch.
        #[serde(with = "crate::words::server_and_epoch")]
        acting: Option<(ServerName, Epoch)>,
    },
    /// The content is of this stamp.
    Content {
        /// Dates it.
        stamp: Stamp,
        /// The request that made it, for the indication to the others.
        by: Option<RequestId>,
    },
    /// A server came or went.
    Server {
        /// Which.
        name: ServerName,
        /// Whether its software runs.
        running: bool,
    },
    /// Something that an operator should read.
    Problem(Problem),
}

/// What an operator should read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
pub enum Problem {
    /// The coordinator has forgotten: this server saw a newer state.
    #[error(
        "the coordinator holds epoch {found}, this server has seen {seen}: it was restored from an old copy; no master acts until an operator orders recovery"
    )]
    CoordinatorWentBack {
        /// What it holds.
        #[serde(with = "crate::words::epoch")]
        found: Epoch,
        /// What was seen.
        #[serde(with = "crate::words::epoch")]
        seen: Epoch,
    },
    /// The coordinator holds nothing.
    #[error(
        "the coordinator holds no records of this domain; create the domain, or recover it on the server with the newest files"
    )]
    NoRecords,
    /// The local files could not be written.
    #[error(
        "the local files of the domain cannot be replaced; this server will not become acting master before they can"
    )]
    CannotSave,
    /// Legacy: two acting masters met, and this one's changes were put aside.
    #[error(
        "this server's content {lost} is replaced by {by} of the acting master; the old files are kept as conflict copies, compare and re-enter the changes"
    )]
    ConflictCopy {
        /// What this server had.
        lost: Stamp,
        /// What replaces it.
        by: Stamp,
    },
}

/// What a server is in the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// First in the list, acting or not.
    Master,
    /// In the list behind the first.
    Backup,
    /// A server that is not in the list; never acts.
    Peer,
    /// Not a server.
    Client,
}

/// What a server knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// This server's role.
    pub role: Role,
    /// The acting master as far as known, itself included. Central logging goes there.
    #[serde(with = "crate::words::server_and_epoch")]
    pub acting: Option<(ServerName, Epoch)>,
    /// This server acts.
    pub acts: bool,
    /// The local files hold the newest content known.
    pub in_step: bool,
    /// The servers that are there, itself included, in the order of their names.
    pub running: Vec<ServerName>,
}

/// One server's part in the succession, of either mode.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Succession {
    /// Quorum rules.
    Quorum(Box<Quorum>),
    /// Legacy rules.
    Legacy(Box<Legacy>),
}

impl Succession {
    /// A server that starts with these files.
    pub fn new(
        mode: Mode,
        me: ServerName,
        incarnation: Incarnation,
        timing: Timing,
        copies: Copies,
        now: Tick,
    ) -> Result<Self, TimingError> {
        timing.check()?;
        Ok(Self::unchecked(mode, me, incarnation, timing, copies, now))
    }

    /// For the simulator, which plants times that do not fit.
    pub(crate) fn unchecked(
        mode: Mode,
        me: ServerName,
        incarnation: Incarnation,
        timing: Timing,
        copies: Copies,
        now: Tick,
    ) -> Self {
        match mode {
            Mode::Quorum => Self::Quorum(Box::new(Quorum::new(me, incarnation, timing, copies))),
            Mode::Legacy => Self::Legacy(Box::new(Legacy::new(me, incarnation, timing, copies, now))),
        }
    }

    /// Takes in an event. `now` never goes back.
    pub fn handle(&mut self, now: Tick, event: Event) {
        match self {
            Self::Quorum(machine) => machine.handle(now, event),
            Self::Legacy(machine) => machine.handle(now, event),
        }
    }

    /// The next thing to do, in this order.
    pub fn poll_command(&mut self) -> Option<Command> {
        match self {
            Self::Quorum(machine) => machine.poll_command(),
            Self::Legacy(machine) => machine.poll_command(),
        }
    }

    /// What the server knows.
    pub fn status(&self, now: Tick) -> Status {
        match self {
            Self::Quorum(machine) => machine.status(now),
            Self::Legacy(machine) => machine.status(now),
        }
    }

    /// The epoch in which this server acts at this moment, if it acts.
    pub fn acts(&self, now: Tick) -> Option<Epoch> {
        match self {
            Self::Quorum(machine) => machine.acts_in(now),
            Self::Legacy(machine) => machine.acts_in(),
        }
    }

    /// The content that this server works with, and its files hold or soon hold.
    pub fn content(&self) -> Option<&Arc<Content>> {
        match self {
            Self::Quorum(machine) => machine.content(),
            Self::Legacy(machine) => machine.content(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A domain with times that do not fit would have two masters, or none for long.
    #[test]
    fn times_are_checked() {
        assert_eq!(Timing::ACROSS_HOSTS.check(), Ok(()));
        assert_eq!(Timing::ONE_HOST.check(), Ok(()));
        let good = Timing::ACROSS_HOSTS;
        assert!(matches!(Timing { beat: 0, ..good }.check(), Err(TimingError::Beat { .. })));
        assert!(matches!(Timing { beat: 2_000, ..good }.check(), Err(TimingError::Beat { .. })));
        assert!(matches!(Timing { fence: 4_000, ..good }.check(), Err(TimingError::Fence { .. })));
        assert!(matches!(Timing { answer: 3_000, ..good }.check(), Err(TimingError::Answer { .. })));
    }
}
