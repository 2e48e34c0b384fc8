//! The application of the simulated pair: registers, and a log in which each executed request stands once.
//!
//! What a request does follows from its opener and sync id, so that a request is two numbers everywhere. The log is what
//! the checks read; the registers are what a requester could see, for [`linear`](crate::linear).

use pollux_wire::{OpenId, SyncId};
use std::collections::BTreeMap;

/// A request: of which opener, with which sync id.
pub type Entry = (OpenId, SyncId);

/// Registers of the application.
pub const KEYS: usize = 2;

/// What a request does with its register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Returns the value.
    Read,
    /// Sets it and returns the one before.
    Write(u64),
    /// Sets it to `new` if it is `expected`; returns the one before.
    Swap {
        /// What must be there.
        expected: u64,
        /// What will be there.
        new: u64,
    },
}

impl Operation {
    /// What this request does, and to which register.
    pub fn of((open, sync): Entry) -> (usize, Self) {
        let value = |sync: u64| open.0 << 32 | sync;
        let mix = (open.0.wrapping_mul(31) + sync.0).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let operation = match mix % 4 {
            0 => Self::Read,
            1 => Self::Swap { expected: value(sync.0.saturating_sub(1)), new: value(sync.0) },
            _ => Self::Write(value(sync.0)),
        };
        ((mix >> 8) as usize % KEYS, operation)
    }

    /// The value afterwards.
    pub fn apply(self, value: u64) -> u64 {
        match self {
            Self::Read => value,
            Self::Write(new) => new,
            Self::Swap { expected, new } => {
                if value == expected {
                    new
                } else {
                    value
                }
            }
        }
    }
}

/// What the requester gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Answer {
    /// The place of the request in the log.
    pub place: u64,
    /// The value of its register before it.
    pub value: u64,
}

impl Answer {
    /// As bytes of a reply.
    pub fn encode(self) -> Vec<u8> {
        [self.place.to_le_bytes(), self.value.to_le_bytes()].concat()
    }

    /// From the bytes of a reply.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (place, value) = bytes.split_at_checked(8)?;
        Some(Self {
            place: u64::from_le_bytes(place.try_into().ok()?),
            value: u64::from_le_bytes(value.try_into().ok()?),
        })
    }
}

/// The state of the application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct App {
    log: Vec<Entry>,
    registers: [u64; KEYS],
    newest: BTreeMap<OpenId, SyncId>,
    misorder: Option<String>,
}

impl App {
    /// Executes a request.
    pub fn execute(&mut self, entry: Entry) -> Answer {
        let (open, sync) = entry;
        if let Some(newest) = self.newest.insert(open, sync).filter(|newest| *newest >= sync) {
            let text = if newest == sync {
                format!("S3: request {sync} of opener {open} is executed twice")
            } else {
                format!("S8: request {sync} of opener {open} is executed after {newest}")
            };
            self.misorder.get_or_insert(text);
        }
        let (key, operation) = Operation::of(entry);
        let answer = Answer { place: self.log.len() as u64, value: self.registers[key] };
        self.registers[key] = operation.apply(answer.value);
        self.log.push(entry);
        answer
    }

    /// The requests in the order of their execution.
    pub fn log(&self) -> &[Entry] {
        &self.log
    }

    /// The first request that was executed twice or out of its order (S3, S8).
    pub fn misorder(&self) -> Option<&str> {
        self.misorder.as_deref()
    }
}
