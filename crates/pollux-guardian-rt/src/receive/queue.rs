//! Decides which message of `$RECEIVE` comes next, and which are read and not yet replied to.
//!
//! Order (Guardian Programmer's Guide, chapter 6): as they arrive, or by the sender's priority (`SETMODE` 36). CPU messages go
//! ahead, but not ahead of what processes of that CPU had sent: an update of a lost primary is read before its loss.
//!
//! A message read with READUPDATE has a tag, 0 to receive depth - 1, until it is replied to, also if it is cancelled.

use super::layout;
use pollux_wire::path::IoType;
use pollux_wire::{CpuNumber, FileError, OpenId, Phandle, ProcessName, SyncId};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A CPU message that nobody reads is dropped after this time (Guardian Procedure Calls, `MONITORCPUS`).
pub const CPU_MESSAGE_KEPT: Duration = Duration::from_secs(180);
/// CPU messages that may wait; more become one -13.
pub const STATUS_UNREAD_MAX: usize = 64;
/// Largest receive depth (Guardian Procedure Calls, `FILE_OPEN_`).
pub const RECEIVE_DEPTH_MAX: u16 = pollux_wire::limits::RECEIVE_DEPTH_MAX;

/// What a message is, and where its reply goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A request of an open.
    Request {
        /// Which open.
        open: OpenId,
        /// Which request.
        sync: SyncId,
        /// What the sender did.
        io: IoType,
        /// Most reply bytes it takes.
        reply_bytes_max: u32,
    },
    /// -103: the reply accepts or refuses the open.
    Opening {
        /// Which open.
        open: OpenId,
    },
    /// -104: the reply has no effect.
    Closing {
        /// Which open.
        open: OpenId,
    },
    /// Any other system message: the reply has no effect.
    System,
}

impl Origin {
    /// The open that the message belongs to, for as long as its reply has an effect.
    pub fn open(self) -> Option<OpenId> {
        match self {
            Self::Request { open, .. } | Self::Opening { open } => Some(open),
            Self::Closing { .. } | Self::System => None,
        }
    }

    /// True for what a program reads with error 6.
    pub fn is_system(self) -> bool {
        !matches!(self, Self::Request { io: IoType::Write | IoType::Read | IoType::WriteRead, .. })
    }
}

/// Who sent a message, as `FILE_GETRECEIVEINFO_` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Who; none for a system message that belongs to no open.
    pub phandle: Option<Phandle>,
    /// Its name.
    pub name: Option<ProcessName>,
    /// Its number of the file; -1 for none.
    pub file_number: i16,
    /// The low half of the sync id.
    pub sync: u32,
    /// The label that this process gave to the open; -1 for none.
    pub label: i16,
    /// Its priority.
    pub priority: u8,
}

impl Sender {
    /// The system itself.
    pub const SYSTEM: Self =
        Self { phandle: None, name: None, file_number: -1, sync: 0, label: -1, priority: u8::MAX };
}

/// A message that waits to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its bytes.
    pub body: Vec<u8>,
    /// What it is.
    pub origin: Origin,
    /// Who sent it.
    pub sender: Sender,
}

/// What `FILE_GETRECEIVEINFO_` tells of the last message read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Information {
    /// 0 a system message, 1 WRITE, 2 READ, 3 WRITEREAD.
    pub io_type: i16,
    /// Most reply bytes the sender takes.
    pub reply_bytes_max: u32,
    /// The tag; -1 for one that was answered when it was read.
    pub tag: i16,
    /// Who sent it.
    pub sender: Sender,
}

/// What became of a cancelled request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It was not read yet, and is gone.
    Unread,
    /// It is held under this tag; its reply will have no effect.
    Held(i16),
    /// It is not here, or replied to.
    Unknown,
}

#[derive(Debug, Clone)]
struct Waiting {
    message: Message,
    /// Status messages only.
    expires: Option<Instant>,
    arrival: u64,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    origin: Origin,
    cancelled: bool,
    /// Grows: the most recent one is found by it.
    read: u64,
}

/// The messages of `$RECEIVE`.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: VecDeque<Waiting>,
    held: Vec<Option<Held>>,
    by_priority: bool,
    reads: u64,
    last: Option<Information>,
}

impl Queue {
    /// Sets the receive depth when `$RECEIVE` is opened; messages that came before stay.
    pub fn open(&mut self, depth: u16) {
        self.held = vec![None; usize::from(depth)];
        self.by_priority = false;
        self.last = None;
    }

    /// `SETMODE` 36.
    pub fn order_by_priority(&mut self, by_priority: bool) {
        self.by_priority = by_priority;
    }

    /// True with `SETMODE` 36 on.
    pub fn is_by_priority(&self) -> bool {
        self.by_priority
    }

    /// A message has come, at this place in the order of all that happens to the program.
    pub fn push(&mut self, arrival: u64, message: Message) {
        self.waiting.push_back(Waiting { message, expires: None, arrival });
    }

    /// A CPU is down (-2) or up (-3).
    pub fn push_cpu(&mut self, now: Instant, arrival: u64, number: i16, cpu: CpuNumber) {
        let unread = self.waiting.iter().filter(|waiting| waiting.expires.is_some()).count();
        let body = if unread < STATUS_UNREAD_MAX {
            layout::cpu_message(number, cpu)
        } else {
            let missed = layout::messages_missed();
            if self.waiting.iter().any(|waiting| waiting.message.body == missed) {
                return;
            }
            missed
        };
        let message = Message { body, origin: Origin::System, sender: Sender::SYSTEM };
        let waiting = Waiting { message, expires: Some(now + CPU_MESSAGE_KEPT), arrival };
        let stays_ahead = |other: &Waiting| {
            other.expires.is_some() || other.message.sender.phandle.is_some_and(|sender| sender.cpu == cpu)
        };
        let at = self.waiting.iter().rposition(stays_ahead).map_or(0, |last| last + 1);
        self.waiting.insert(at, waiting);
    }

    /// True when a read would find a message.
    pub fn has_message(&mut self, now: Instant) -> bool {
        self.waiting.retain(|waiting| waiting.expires.is_none_or(|expires| now < expires));
        !self.waiting.is_empty()
    }

    /// How many wait.
    pub fn unread(&self) -> usize {
        self.waiting.len()
    }

    /// When the message that the next read finds came, as [`Queue::push`] was told.
    pub fn next_arrival(&self) -> Option<u64> {
        self.next_index().map(|at| self.waiting[at].arrival)
    }

    /// Whether a READUPDATE can be done: error 2 with receive depth 0, 74 when as many are held as the depth allows.
    pub fn check_update(&self) -> Result<(), FileError> {
        if self.held.is_empty() {
            return Err(FileError::INVALID_OPERATION);
        }
        if self.held.iter().all(Option::is_some) {
            return Err(FileError::BAD_REPLY);
        }
        Ok(())
    }

    /// Reads the next message and keeps it until [`Queue::reply`]. `None` if there is none.
    pub fn read_update(&mut self, now: Instant) -> Result<Option<Message>, FileError> {
        self.check_update()?;
        if !self.has_message(now) {
            return Ok(None);
        }
        let Some(message) = self.take_next() else { return Ok(None) };
        let tag = self.held.iter().position(Option::is_none).expect("check_update has found room");
        self.reads += 1;
        self.held[tag] = Some(Held { origin: message.origin, cancelled: false, read: self.reads });
        self.note(&message, clipped(tag));
        Ok(Some(message))
    }

    /// Reads the next message; the caller answers it at once.
    pub fn read(&mut self, now: Instant) -> Option<Message> {
        if !self.has_message(now) {
            return None;
        }
        let message = self.take_next()?;
        self.note(&message, -1);
        Some(message)
    }

    /// A message is replied to: where the reply goes, `None` for one that was cancelled. Without a tag the only one that is
    /// held is meant. Error 2 with receive depth 0, 74 if there is no such message.
    pub fn reply(&mut self, tag: Option<i16>) -> Result<Option<Origin>, FileError> {
        if self.held.is_empty() {
            return Err(FileError::INVALID_OPERATION);
        }
        let at = match tag {
            Some(tag) => usize::try_from(tag).map_err(|_| FileError::BAD_REPLY)?,
            None => {
                let mut held = (0..self.held.len()).filter(|at| self.held[*at].is_some());
                match (held.next(), held.next()) {
                    (Some(only), None) => only,
                    _ => return Err(FileError::BAD_REPLY),
                }
            }
        };
        let held = self.held.get_mut(at).and_then(Option::take).ok_or(FileError::BAD_REPLY)?;
        Ok((!held.cancelled).then_some(held.origin))
    }

    /// A sender gives a request up.
    pub fn cancel(&mut self, open: OpenId, sync: SyncId) -> Cancelled {
        let is_it = |origin: Origin| matches!(origin, Origin::Request { open: o, sync: s, .. } if (o, s) == (open, sync));
        let unread = self.waiting.len();
        self.waiting.retain(|waiting| !is_it(waiting.message.origin));
        if self.waiting.len() < unread {
            return Cancelled::Unread;
        }
        for (tag, held) in self.held.iter_mut().enumerate() {
            if let Some(held) = held
                && is_it(held.origin)
                && !held.cancelled
            {
                held.cancelled = true;
                return Cancelled::Held(clipped(tag));
            }
        }
        Cancelled::Unknown
    }

    /// Cancels the requests of an open that are held; gives their tags. Those not read yet are dropped as well if
    /// `unread`.
    pub fn cancel_all(&mut self, open: OpenId, unread: bool) -> Vec<i16> {
        if unread {
            self.waiting.retain(|waiting| waiting.message.origin.open() != Some(open));
        }
        let mut tags = Vec::new();
        for (tag, held) in self.held.iter_mut().enumerate() {
            if let Some(held) = held
                && matches!(held.origin, Origin::Request { open: of, .. } if of == open)
                && !held.cancelled
            {
                held.cancelled = true;
                tags.push(clipped(tag));
            }
        }
        tags
    }

    /// True while the -103 of this open is not read.
    pub fn has_unread_open(&self, open: OpenId) -> bool {
        self.waiting.iter().any(|waiting| waiting.message.origin == Origin::Opening { open })
    }

    /// `MESSAGESTATUS`: 1 cancelled, 0 not, -1 no such message. Without a tag the one read last.
    pub fn status(&self, tag: Option<i16>) -> i16 {
        let held = match tag {
            Some(tag) => usize::try_from(tag).ok().and_then(|at| self.held.get(at).copied().flatten()),
            None => self.held.iter().flatten().max_by_key(|held| held.read).copied(),
        };
        held.map_or(-1, |held| i16::from(held.cancelled))
    }

    /// What is known of the last message read.
    pub fn last(&self) -> Option<&Information> {
        self.last.as_ref()
    }

    fn next_index(&self) -> Option<usize> {
        if !self.by_priority {
            return (!self.waiting.is_empty()).then_some(0);
        }
        // The oldest of those with the highest priority.
        let priority = |at: &usize| self.waiting[*at].message.sender.priority;
        (0..self.waiting.len()).rev().max_by_key(priority)
    }

    fn take_next(&mut self) -> Option<Message> {
        let at = self.next_index()?;
        self.waiting.remove(at).map(|waiting| waiting.message)
    }

    fn note(&mut self, message: &Message, tag: i16) {
        let (io_type, reply_bytes_max) = match message.origin {
            Origin::Request { io: IoType::Write, .. } => (1, 0),
            Origin::Request { io: IoType::Read, reply_bytes_max, .. } => (2, reply_bytes_max),
            Origin::Request { io: IoType::WriteRead, reply_bytes_max, .. } => (3, reply_bytes_max),
            Origin::Request { io: IoType::Management, reply_bytes_max, .. } => (0, reply_bytes_max),
            Origin::Opening { .. } => (0, 4),
            Origin::Closing { .. } | Origin::System => (0, 0),
        };
        self.last = Some(Information { io_type, reply_bytes_max, tag, sender: message.sender.clone() });
    }
}

fn clipped(tag: usize) -> i16 {
    i16::try_from(tag).expect("the receive depth is below 16301")
}
