//! A requester: the production machine, and what it was told.

use super::process::Way;
use crate::app::{Answer, Operation};
use crate::history::{Action, Call, End, Told};
use crate::plan::Asker;
use pollux_core::requester::{Command, PathNumber, ReplyIs, Requester};
use pollux_wire::{Epoch, FileError, OpenId, SyncId};
use std::collections::BTreeMap;

/// A requester with one open.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its open.
    pub open: OpenId,
    /// What it asks for.
    pub asker: Asker,
    /// The production machine.
    pub requester: Requester,
    /// Has a question for a path with the daemon.
    pub asks: bool,
    /// Its requests, by sync id.
    pub calls: Vec<Call>,
    /// No answer is of an older epoch, also if a new link has not heard of one yet.
    epoch: Epoch,
    /// The half whose link it is does not run.
    pub(crate) asleep: bool,
    /// Answers to calls that a new primary sends again.
    former: BTreeMap<SyncId, Told>,
    /// An answer differs from the one before.
    pub(crate) differs: Option<String>,
    unanswered: usize,
}

impl Client {
    pub(super) fn new(open: OpenId, asker: Asker, way: Way) -> Self {
        let Asker { sync_depth, nowait_depth, .. } = asker;
        Self {
            open,
            asker,
            requester: Requester::new(number(way), Epoch(1), sync_depth, nowait_depth, SyncId(1)),
            asks: false,
            calls: Vec::new(),
            epoch: Epoch(1),
            asleep: false,
            former: BTreeMap::new(),
            differs: None,
            unanswered: 0,
        }
    }

    pub(super) fn can_start(&self) -> bool {
        (self.calls.len() as u64) < self.asker.wanted && self.requester.can_start()
    }

    pub(super) fn start(&mut self, now: u32) {
        let sync = self.requester.start().expect("the span of outstanding requests was looked at");
        self.note_begun(now, sync);
        self.unanswered += 1;
    }

    /// As the link of a new primary: it has no path, and sends `calls` again. Returns true if one was answered before.
    pub(super) fn renew(&mut self, now: u32, first: SyncId, calls: &[SyncId], next: SyncId) -> bool {
        let Asker { sync_depth, nowait_depth, .. } = self.asker;
        let nowhere = PathNumber(u32::MAX);
        self.requester = Requester::new(nowhere, Epoch(0), sync_depth, nowait_depth, first);
        self.requester.handle_path_lost(nowhere);
        (self.asks, self.unanswered) = (false, calls.len());
        let mut again = false;
        for sync in calls {
            self.requester.take_up(*sync);
            match self.calls.get_mut(sync.0 as usize - 1) {
                Some(call) => {
                    if let Some(end) = call.ended.take() {
                        self.former.insert(*sync, end.told);
                        again = true;
                    }
                }
                // It was recorded and not sent.
                None => self.note_begun(now, *sync),
            }
        }
        self.requester.handle_impatience();
        self.requester.continue_at(next);
        again
    }

    fn note_begun(&mut self, now: u32, sync: SyncId) {
        assert_eq!(sync.0, self.calls.len() as u64 + 1, "S8: sync ids are counted");
        let entry = (self.open, sync);
        let (key, operation) = Operation::of(entry);
        let action = Action::Register(key as u64, operation);
        self.calls.push(Call { entry, action, began: now.into(), ended: None });
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.requester.active().is_none() && self.unanswered > 0
    }

    /// Requests without an answer.
    pub fn outstanding(&self) -> usize {
        self.unanswered
    }

    /// Takes in a reply.
    pub(super) fn reply(
        &mut self,
        now: u32,
        way: Way,
        (sync, epoch): (SyncId, Epoch),
        outcome: Result<Answer, FileError>,
    ) -> ReplyIs {
        let error = outcome.err().unwrap_or(FileError::OK);
        let is = self.requester.handle_reply(number(way), sync, error, epoch);
        if is == ReplyIs::Wanted {
            self.answer(now, sync, outcome);
        }
        is
    }

    fn answer(&mut self, now: u32, sync: SyncId, outcome: Result<Answer, FileError>) {
        let told = match outcome {
            Ok(answer) => Told::Ok(answer),
            Err(FileError::PATH_DOWN) => Told::Unknown(FileError::PATH_DOWN),
            Err(error) => Told::Fail(error),
        };
        if let (Some(Told::Ok(before)), Told::Ok(now)) = (self.former.get(&sync), told)
            && *before != now
        {
            self.differs = Some(format!("S3b: call {sync} is answered with {now:?}, before with {before:?}"));
        }
        self.epoch = self.epoch.max(self.requester.epoch());
        let end = End { at: now.into(), told, epoch: self.epoch };
        if self.calls[sync.0 as usize - 1].ended.replace(end).is_none() {
            self.unanswered -= 1;
        }
    }

    /// What the machine wants to be sent, in order; its other wishes are noted.
    pub(super) fn collect(&mut self, now: u32) -> Vec<(Way, SyncId)> {
        let mut sends = Vec::new();
        while let Some(command) = self.requester.poll_command() {
            match command {
                Command::Send { path, sync, .. } => sends.push((path.0 as Way, sync)),
                Command::Fail { sync, error } => self.answer(now, sync, Err(error)),
                Command::AskForPath => self.asks = true,
            }
        }
        sends
    }
}

pub(super) fn number(way: Way) -> PathNumber {
    PathNumber(way as u32)
}
