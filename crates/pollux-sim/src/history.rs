//! What requesters asked and what they were told: one line per request, the same for simulated and for real runs.

use crate::app::{Answer, Entry, Operation};
use pollux_wire::FileError;
use std::fmt;

/// One request as its requester saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Which.
    pub entry: Entry,
    /// When it began.
    pub began: u32,
    /// When it ended, and how; none while it is open.
    pub ended: Option<(u32, Result<Answer, FileError>)>,
}

/// All requests of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History(Vec<Call>);

impl History {
    /// All requests, in the order of their begin.
    pub fn calls(&self) -> &[Call] {
        &self.0
    }
}

impl FromIterator<Call> for History {
    fn from_iter<T: IntoIterator<Item = Call>>(calls: T) -> Self {
        let mut calls: Vec<Call> = calls.into_iter().collect();
        calls.sort_by_key(|call| (call.began, call.entry));
        Self(calls)
    }
}

impl fmt::Display for History {
    /// One line each: opener, sync id, operation, begin, end, outcome.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Call { entry, began, ended } in &self.0 {
            let (key, operation) = Operation::of(*entry);
            write!(f, "opener {} request {:<3} {began:>5}", entry.0, entry.1)?;
            match ended {
                None => write!(f, "..       open")?,
                Some((at, Ok(answer))) => {
                    write!(f, "..{at:<5}  ok, place {}, value {:x}", answer.place, answer.value)?;
                }
                Some((at, Err(error))) => write!(f, "..{at:<5}  unknown, error {error}")?,
            }
            writeln!(f, "   ({operation:x?} of register {key})")?;
        }
        Ok(())
    }
}
