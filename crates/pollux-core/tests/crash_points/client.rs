//! A requester: the production machine, and the answers it was given.

use crate::process::Way;
use pollux_core::requester::{Command, PathNumber, ReplyIs, Requester};
use pollux_wire::{Epoch, FileError, OpenId, SyncId};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) open: OpenId,
    pub(crate) nowait_depth: u16,
    pub(crate) wanted: u64,
    pub(crate) requester: Requester,
    /// Has a question for a path with the daemon.
    pub(crate) asks: bool,
    pub(crate) answers: BTreeMap<SyncId, Result<u64, FileError>>,
    unanswered: BTreeSet<SyncId>,
    started: u64,
}

impl Client {
    pub(crate) fn new(open: OpenId, nowait_depth: u16, wanted: u64, way: Way) -> Self {
        Self {
            open,
            nowait_depth,
            wanted,
            requester: Requester::new(number(way), Epoch(1), 1, nowait_depth, SyncId(1)),
            asks: false,
            answers: BTreeMap::new(),
            unanswered: BTreeSet::new(),
            started: 0,
        }
    }

    pub(crate) fn can_start(&self) -> bool {
        let oldest = self.unanswered.first().map_or(self.started + 1, |sync| sync.0);
        self.started < self.wanted && self.started + 1 - oldest < u64::from(self.nowait_depth)
    }

    pub(crate) fn start(&mut self) {
        let sync = self.requester.start().expect("the span of outstanding requests was looked at");
        self.started = sync.0;
        self.unanswered.insert(sync);
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.requester.active().is_none() && !self.unanswered.is_empty()
    }

    /// Takes in a reply. Returns true if it is an answer.
    pub(crate) fn reply(
        &mut self,
        way: Way,
        sync: SyncId,
        error: FileError,
        place: u64,
        epoch: Epoch,
    ) -> bool {
        let wanted = self.requester.handle_reply(number(way), sync, error, epoch) == ReplyIs::Wanted;
        if wanted {
            self.answer(sync, if error.is_ok() { Ok(place) } else { Err(error) });
        }
        wanted
    }

    fn answer(&mut self, sync: SyncId, answer: Result<u64, FileError>) {
        self.unanswered.remove(&sync);
        self.answers.insert(sync, answer);
    }

    /// What the machine wants to be sent, in order; its other wishes are noted.
    pub(crate) fn collect(&mut self) -> Vec<(Way, SyncId)> {
        let mut sends = Vec::new();
        while let Some(command) = self.requester.poll_command() {
            match command {
                Command::Send { path, sync, .. } => sends.push((path.0 as Way, sync)),
                Command::Fail { sync, error } => self.answer(sync, Err(error)),
                Command::AskForPath => self.asks = true,
            }
        }
        sends
    }
}

pub(crate) fn number(way: Way) -> PathNumber {
    PathNumber(way as u32)
}
