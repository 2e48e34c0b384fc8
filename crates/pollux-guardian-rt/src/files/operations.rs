//! Decides which of a file's operations is finished next (Guardian Procedure Calls, `AWAITIOX`).
//!
//! | file number | time limit | an operation is finished | none |
//! | --- | --- | --- | --- |
//! | of one file | 0 | that one | error 40, nothing cancelled |
//! | of one file | above 0 | that one | error 40, the oldest is cancelled and its tag given |
//! | -1 | 0 or more | the one that finished first on any file | error 40, nothing cancelled |
//!
//! On one file operations finish in the order in which they were started, also if a later one is done first; with `SETMODE` 30
//! in any order, the older of those that are done first.

use crate::memory::Buffer;
use pollux_wire::{FileError, SyncId};
use std::collections::VecDeque;

/// Operations that a process file may have outstanding (Guardian Procedure Calls, `FILE_OPEN_`).
pub const NOWAIT_DEPTH_MAX: u16 = 15;
/// Tag of a nowait open (`ZSYS_VAL_AWAITIOTAG_OPEN`).
pub const OPEN_TAG: i64 = -30;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A nowait open.
    Open,
    /// READ.
    Read,
    /// READUPDATE.
    ReadUpdate,
    /// WRITE.
    Write,
    /// WRITEREAD.
    WriteRead,
    /// WRITEUPDATE.
    WriteUpdate,
    /// CONTROL, SETMODE and the like.
    Control,
    /// One of the sockets library.
    Socket,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Error number; data may accompany it.
    pub error: FileError,
    /// Data for the program's buffer.
    pub data: Vec<u8>,
    /// Bytes transferred, as the program is told.
    pub count: usize,
}

impl Outcome {
    /// An error without data.
    pub fn failed(error: FileError) -> Self {
        Self { error, ..Self::default() }
    }
}

/// An operation that is started and not yet finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What it does.
    pub kind: Kind,
    /// What the program calls it by.
    pub tag: i64,
    /// The buffer: what was to be written, or room for what is read.
    pub buffer: Buffer,
    /// Its request, on a process file.
    pub sync: Option<SyncId>,
    /// When and how it ended.
    pub done: Option<(u64, Outcome)>,
}

/// The operations of one open, oldest first.
#[derive(Debug, Default)]
pub struct Operations {
    list: VecDeque<Operation>,
    depth: u16,
    any_order: bool,
}

impl Operations {
    /// None yet; so many at a time. 0 for a file whose operations are waited for.
    pub fn new(depth: u16) -> Self {
        Self { list: VecDeque::new(), depth, any_order: false }
    }

    /// True for a file whose operations are waited for.
    pub fn is_waited(&self) -> bool {
        self.depth == 0
    }

    /// `SETMODE` 30.
    pub fn set_any_order(&mut self, any_order: bool) {
        self.any_order = any_order;
    }

    /// True with `SETMODE` 30 on.
    pub fn is_any_order(&self) -> bool {
        self.any_order
    }

    /// Whether one more may be started. Error 28 when there are as many as the depth.
    pub fn check_room(&self) -> Result<(), FileError> {
        if self.list.len() < usize::from(self.depth.max(1)) {
            Ok(())
        } else {
            Err(FileError::TOO_MANY_OUTSTANDING)
        }
    }

    /// Adds one; [`Operations::check_room`] was asked.
    pub fn push(&mut self, operation: Operation) {
        self.list.push_back(operation);
    }

    /// How many are not finished.
    pub fn outstanding(&self) -> usize {
        self.list.len()
    }

    /// True while the file is being opened.
    pub fn has_open(&self) -> bool {
        self.list.front().is_some_and(|operation| operation.kind == Kind::Open)
    }

    /// The request is done.
    pub fn complete(&mut self, sync: SyncId, at: u64, outcome: Outcome) {
        let wanted = |operation: &&mut Operation| operation.sync == Some(sync) && operation.done.is_none();
        if let Some(operation) = self.list.iter_mut().find(wanted) {
            operation.done = Some((at, outcome));
        }
    }

    /// The oldest operation that is not done is done.
    pub fn complete_oldest(&mut self, at: u64, outcome: Outcome) {
        if let Some(operation) = self.list.iter_mut().find(|operation| operation.done.is_none()) {
            operation.done = Some((at, outcome));
        }
    }

    /// The operation that may finish now: its place, and when it was done.
    pub fn next_done(&self) -> Option<(usize, u64)> {
        self.candidates().find_map(|(at, operation)| operation.done.as_ref().map(|(done, _)| (at, *done)))
    }

    /// The operations that may finish next, with their places.
    pub fn candidates(&self) -> impl Iterator<Item = (usize, &Operation)> {
        let candidates = if self.any_order { self.list.len() } else { self.list.len().min(1) };
        self.list.iter().take(candidates).enumerate()
    }

    /// The place of an operation.
    pub fn place_of(&self, sync: SyncId) -> Option<usize> {
        self.list.iter().position(|operation| operation.sync == Some(sync))
    }

    /// The oldest.
    pub fn oldest(&self) -> Option<&Operation> {
        self.list.front()
    }

    /// Takes one out.
    pub fn remove(&mut self, at: usize) -> Option<Operation> {
        self.list.remove(at)
    }

    /// Takes out the oldest with this tag, or just the oldest. Error 26 if there is none.
    pub fn cancel(&mut self, tag: Option<i64>) -> Result<Operation, FileError> {
        let at = match tag {
            None => 0,
            Some(tag) => {
                let found = self.list.iter().position(|operation| operation.tag == tag);
                found.ok_or(FileError::NOTHING_OUTSTANDING)?
            }
        };
        self.list.remove(at).ok_or(FileError::NOTHING_OUTSTANDING)
    }

    /// Takes out all.
    pub fn cancel_all(&mut self) -> impl Iterator<Item = Operation> {
        std::mem::take(&mut self.list).into_iter()
    }
}

/// Until when an await lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Only what is finished already.
    Poll,
    /// So many hundredths of a second.
    Hundredths(u32),
    /// For ever.
    None,
}

impl Limit {
    /// The time limit of a call. Error 590 below -1.
    pub fn of(limit: Option<i32>) -> Result<Self, FileError> {
        match limit {
            None | Some(-1) => Ok(Self::None),
            Some(0) => Ok(Self::Poll),
            Some(limit) => u32::try_from(limit).map(Self::Hundredths).map_err(|_| FileError(590)),
        }
    }
}

/// Which file an await is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// One.
    One(i16),
    /// Any.
    Any,
}

impl Which {
    /// The file number of a call. Error 22 below -1.
    pub fn of(number: i16) -> Result<Self, FileError> {
        match number {
            -1 => Ok(Self::Any),
            number if number < -1 => Err(FileError(22)),
            number => Ok(Self::One(number)),
        }
    }

    /// True if the time running out ends an operation: a timed wait for one file.
    pub fn cancels_at(self, limit: Limit) -> bool {
        matches!((self, limit), (Self::One(_), Limit::Hundredths(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations(depth: u16, tags: &[i64]) -> Operations {
        let mut operations = Operations::new(depth);
        for (sync, tag) in tags.iter().enumerate() {
            operations.check_room().unwrap();
            operations.push(Operation {
                kind: Kind::WriteRead,
                tag: *tag,
                buffer: Buffer::NONE,
                sync: Some(SyncId(sync as u64)),
                done: None,
            });
        }
        operations
    }

    fn done(operations: &mut Operations, sync: u64, at: u64) {
        operations.complete(SyncId(sync), at, Outcome::default());
    }

    fn next_tag(operations: &mut Operations) -> Option<i64> {
        let (at, _) = operations.next_done()?;
        operations.remove(at).map(|operation| operation.tag)
    }

    // A program that counts on the order gets the wrong answer to a request otherwise.
    #[test]
    fn operations_finish_in_the_order_they_were_started() {
        let mut operations = operations(3, &[7, 8, 9]);
        done(&mut operations, 2, 1);
        done(&mut operations, 1, 2);
        assert_eq!(next_tag(&mut operations), None);
        done(&mut operations, 0, 3);
        let order: Vec<i64> = std::iter::from_fn(|| next_tag(&mut operations)).collect();
        assert_eq!(order, [7, 8, 9]);
    }

    // SETMODE 30: what is done comes out, the older first.
    #[test]
    fn in_any_order_the_older_of_those_done_comes_first() {
        let mut operations = operations(3, &[7, 8, 9]);
        operations.set_any_order(true);
        done(&mut operations, 2, 1);
        assert_eq!(next_tag(&mut operations), Some(9));
        done(&mut operations, 1, 2);
        done(&mut operations, 0, 3);
        assert_eq!(next_tag(&mut operations), Some(7));
        assert_eq!(next_tag(&mut operations), Some(8));
    }

    #[test]
    fn the_depth_is_kept() {
        assert_eq!(operations(2, &[1, 2]).check_room(), Err(FileError::TOO_MANY_OUTSTANDING));
        assert_eq!(operations(0, &[1]).check_room(), Err(FileError::TOO_MANY_OUTSTANDING));
        assert!(operations(0, &[]).is_waited());
    }

    #[test]
    fn cancel_takes_the_oldest_or_the_oldest_with_the_tag() {
        let mut operations = operations(4, &[5, 6, 6]);
        assert_eq!(operations.cancel(Some(6)).unwrap().sync, Some(SyncId(1)));
        assert_eq!(operations.cancel(Some(9)), Err(FileError::NOTHING_OUTSTANDING));
        assert_eq!(operations.cancel(None).unwrap().tag, 5);
        assert_eq!(operations.cancel(None).unwrap().tag, 6);
        assert_eq!(operations.cancel(None), Err(FileError::NOTHING_OUTSTANDING));
    }

    // The table of AWAITIOX: only a timed wait for one file ends an operation.
    #[test]
    fn only_a_timed_wait_for_one_file_cancels() {
        let timed = Limit::of(Some(1)).unwrap();
        assert!(Which::One(3).cancels_at(timed));
        assert!(!Which::One(3).cancels_at(Limit::Poll));
        assert!(!Which::Any.cancels_at(timed));
        assert_eq!((Limit::of(None), Limit::of(Some(-1))), (Ok(Limit::None), Ok(Limit::None)));
        assert_eq!(Limit::of(Some(-2)), Err(FileError(590)));
        assert_eq!(Which::of(-2), Err(FileError(22)));
    }
}
