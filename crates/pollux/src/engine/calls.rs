//! The pair as a requester: exactly once also for what a pair itself asks of others (S3b).
//!
//! A request is an output, so it is checkpointed before it is sent: with its sync id, its bytes and the turn that makes
//! it. A new primary sends the unanswered ones again; when it handles the turn again, the program's calls meet the
//! recorded ones in their order and get their answers instead of being made a second time.

use super::{Engine, Place};
use crate::daemon::wait_fds;
use crate::error::{Error, Result};
use crate::link::{Answer, Link};
use crate::requester::{OpenOptions, path_from, question};
use pollux_core::calls::CallIs;
use pollux_wire::checkpoint::Record;
use pollux_wire::control::ToProcess;
use pollux_wire::limits::PAYLOAD_BYTES_MAX;
use pollux_wire::{FileError, OpenId, ProcessName, SyncId};
use std::time::Duration;

/// The calls of a pair are made one at a time; this many replies are kept for those of one turn.
const CALL_OPTIONS: OpenOptions = OpenOptions { sync_depth: 16, nowait_depth: 16 };
/// How often an open is tried again while its server changes hands.
const OPEN_TRIES_MAX: u32 = 200;
/// Between two such tries, and between two looks at what a waiting call needs.
const LOOK_PAUSE: Duration = Duration::from_millis(10);

impl Engine {
    /// The pair's open of a server, made if the pair does not have it.
    pub(crate) fn call_open(&mut self, server: &ProcessName) -> Result<OpenId> {
        let known = self.replica.call_opens.iter().find(|(_, open)| open.server == *server);
        if let Some((open, _)) = known {
            return Ok(*open);
        }
        let mut refused = FileError::PATH_DOWN;
        for _ in 0..OPEN_TRIES_MAX {
            match self.ask_for_path(server, None)? {
                Ok((open, path)) => {
                    let mut link = Link::new(open, path, CALL_OPTIONS.sync_depth, CALL_OPTIONS.nowait_depth)?;
                    while link.opened().is_none() {
                        self.wait_for_link(&mut link)?;
                    }
                    match link.opened() {
                        Some(Err(FileError::PATH_DOWN)) | None => {}
                        Some(Err(error)) => return Err(Error::File(error)),
                        Some(Ok(())) => {
                            let next_sync = SyncId(1);
                            self.record(
                                &Record::CallOpened { open, server: server.clone(), next_sync },
                                None,
                            );
                            self.links.insert(open, link);
                            return Ok(open);
                        }
                    }
                }
                Err(FileError::PATH_DOWN) => {}
                Err(error) => return Err(Error::File(error)),
            }
            refused = FileError::PATH_DOWN;
            wait_fds(&mut [], Some(LOOK_PAUSE))?;
        }
        Err(Error::File(refused))
    }

    /// Asks a server, and waits for its answer.
    pub(crate) fn call(&mut self, open: OpenId, payload: &[u8]) -> Result<Answer> {
        let turn = self.turn.key.clone();
        let ordinal = self.turn.calls;
        self.turn.calls += 1;
        self.turn.has_calls = true;
        let sync = match self.replica.call(&turn, ordinal, open, payload) {
            CallIs::Answered(error, payload) => return Ok(Answer { error, payload: payload.to_vec() }),
            CallIs::UnderWay(sync) => return self.wait_for_answer(open, sync),
            CallIs::New(sync) => sync,
            CallIs::Another => {
                return Err(Error::Misuse("a handler that is run again must make the same calls"));
            }
            CallIs::NotOpen => return Err(Error::File(FileError::NOT_OPEN)),
        };
        let reply_bytes_max = PAYLOAD_BYTES_MAX as u32;
        self.record_ahead(&Record::CallStarted { turn, open, sync, reply_bytes_max, payload })?;
        let link = self.links.get_mut(&open).ok_or(Error::File(FileError::NOT_OPEN))?;
        let started = link.start(payload.to_vec(), reply_bytes_max, None)?;
        assert_eq!(started, sync, "S3b: the request has the sync id that was checkpointed");
        self.wait_for_answer(open, sync)
    }

    /// Records ahead of the open turn, and waits until the backup has it (S5).
    fn record_ahead(&mut self, record: &Record<'_>) -> Result<()> {
        self.replica.apply(record).expect("a primary's own records fit its replica");
        if self.pair.checkpoints() {
            self.batch.put_before_turn(record);
            self.flush_batch()?;
        }
        // Also without a checkpoint: while the removal of a dead backup is not on record, nothing leaves (S6).
        let number = self.number;
        while self.pair.is_primary() && !self.pair.gate().admits(number) {
            self.wait(Place::InTurn)?;
        }
        Ok(())
    }

    fn wait_for_answer(&mut self, open: OpenId, sync: SyncId) -> Result<Answer> {
        loop {
            let Some(link) = self.links.get_mut(&open) else { return Err(Error::File(FileError::NOT_OPEN)) };
            link.pump_ready();
            if let Some(answer) = link.take_answer(sync) {
                self.note_answer(open, sync, &answer);
                return Ok(answer);
            }
            if link.take_wish_for_path() {
                self.fetch_path(open)?;
                continue;
            }
            // Lent out of the map while the engine's own descriptors are looked at.
            let mut link = self.links.remove(&open).expect("it was there a moment ago");
            let waited = self.wait_for_link(&mut link);
            self.links.insert(open, link);
            waited?;
        }
    }

    fn note_answer(&mut self, open: OpenId, sync: SyncId, answer: &Answer) {
        let record = Record::CallAnswered { open, sync, error: answer.error, payload: &answer.payload };
        self.replica.apply(&record).expect("a primary's own records fit its replica");
        if self.pair.checkpoints() {
            self.batch.put_before_turn(&record);
        }
    }

    /// Waits for the link's paths and reads them, and keeps the pair alive meanwhile.
    fn wait_for_link(&mut self, link: &mut Link) -> Result<()> {
        if !link.wait(Some(LOOK_PAUSE))? {
            self.next_housekeeping_ns = 0;
            self.wait(Place::InTurn)?;
        }
        link.pump_ready();
        Ok(())
    }

    fn fetch_path(&mut self, open: OpenId) -> Result<()> {
        let Some(server) = self.replica.call_opens.get(&open).map(|open| open.server.clone()) else {
            return Ok(());
        };
        let path = self.ask_for_path(&server, Some(open))?;
        let Some(link) = self.links.get_mut(&open) else { return Ok(()) };
        match path {
            Ok((_, path)) => link.add_path(path),
            Err(FileError::PATH_DOWN) => {
                link.retry_path();
                wait_fds(&mut [], Some(LOOK_PAUSE))?;
                link.impatient();
            }
            Err(error) => link.path_refused(error),
        }
        Ok(())
    }

    fn ask_for_path(
        &mut self,
        server: &ProcessName,
        again: Option<OpenId>,
    ) -> Result<Result<(OpenId, std::os::fd::OwnedFd), FileError>> {
        let number = self.daemon.next_request();
        self.daemon.send(&question(number, server, CALL_OPTIONS, again), Vec::new())?;
        let wanted =
            |message: &ToProcess| matches!(message, ToProcess::Opened { request, .. } if *request == number);
        Ok(path_from(self.daemon.wait_for(wanted)?))
    }

    /// As a new primary: takes up what the old one had asked. Paths are asked for when something is unanswered or next needed.
    pub(super) fn resume_links(&mut self) -> Result<()> {
        self.links.clear();
        for open in self.replica.call_opens.keys() {
            let taken_up = self.replica.taken_up(*open).expect("it is one of them");
            let OpenOptions { sync_depth, nowait_depth } = CALL_OPTIONS;
            let mut link = Link::without_path(*open, sync_depth, nowait_depth, taken_up.first)?;
            for call in taken_up.calls {
                link.take_up(call.sync, call.payload.clone(), call.reply_bytes_max);
            }
            link.continue_at(taken_up.next);
            self.links.insert(*open, link);
        }
        Ok(())
    }

    /// Paths for what is taken up, and the answers to it: nobody may come to repeat the turn, and what is on record as unanswered is
    /// sent again after each takeover.
    pub(super) fn nudge_links(&mut self) -> Result<()> {
        let opens: Vec<OpenId> = self.links.keys().copied().collect();
        for open in opens {
            let Some(link) = self.links.get_mut(&open) else { continue };
            link.pump();
            while let Some((sync, answer)) = self.links.get_mut(&open).and_then(Link::take_any_answer) {
                self.note_answer(open, sync, &answer);
            }
            let Some(link) = self.links.get_mut(&open) else { continue };
            if link.outstanding() > 0 && link.take_wish_for_path() {
                self.fetch_path(open)?;
            }
        }
        Ok(())
    }
}
