//! Decides what a requester sends to whom: over which path, again after a takeover, or not at all.
//!
//! One [`Requester`] per open. It knows a path to each half of the server. A path becomes the active one when the
//! server's half itself says so (`OPEN_REPLY`, `TAKEOVER`), so no daemon is asked in that chain. When every path is lost
//! it asks for a new one. Paths are numbers here; sockets and payloads are the shell's.
//!
//! Rules (Guardian Programmer's Guide, chapters 6 and 21): a request that is sent again keeps its sync id; with sync
//! depth 0 nothing is sent again and the caller gets 201; reply 200 means "ask the other half".

use crate::by_sync;
use pollux_wire::{Epoch, FileError, SyncId};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

/// Turns of the active path to a half that then said 200, in one epoch, after which the caller gets 201.
const OWNERSHIP_REPLIES_MAX: u8 = 3;

/// A path to one half of the server, numbered by the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathNumber(pub u32);

/// What the shell must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Send the request over the path.
    Send {
        /// Over which path.
        path: PathNumber,
        /// Which request.
        sync: SyncId,
        /// True after the first time.
        again: bool,
    },
    /// The request is finished without a reply.
    Fail {
        /// Which request.
        sync: SyncId,
        /// With this error.
        error: FileError,
    },
    /// Ask the daemon for a path to whoever is primary. The answer is `handle_standby` with a path whose half will say
    /// TAKEOVER, `handle_path_unavailable` or `handle_path_refused`.
    AskForPath,
}

/// What a reply is to the requester.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyIs {
    /// The answer to an outstanding request, which is finished.
    Wanted,
    /// A repetition, the answer to a cancelled request, or words of an old epoch (S1): drop it.
    Stale,
    /// "Not me": the request stays outstanding.
    NotMine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Outstanding {
    sync: SyncId,
    sent: bool,
}

/// The requester's side of one open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    sync_depth: u16,
    nowait_depth: u16,
    next: SyncId,
    epoch: Epoch,
    active: Option<PathNumber>,
    others: Vec<PathNumber>,
    outstanding: VecDeque<Outstanding>,
    asked: bool,
    ownership_replies: u8,
    resent: u64,
    commands: VecDeque<Command>,
}

impl Hash for Requester {
    /// What it does next does not depend on how often it has sent again.
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let Self {
            sync_depth,
            nowait_depth,
            next,
            epoch,
            active,
            others,
            outstanding,
            asked,
            ownership_replies,
            resent: _,
            commands,
        } = self;
        (sync_depth, nowait_depth, next, epoch, active, others).hash(hasher);
        (outstanding, asked, ownership_replies, commands).hash(hasher);
    }
}

impl Requester {
    /// A requester whose open was accepted by the half at the end of `path` in `epoch`. The first request gets `next`.
    pub fn new(path: PathNumber, epoch: Epoch, sync_depth: u16, nowait_depth: u16, next: SyncId) -> Self {
        Self {
            sync_depth,
            nowait_depth: nowait_depth.max(1),
            next,
            epoch,
            active: Some(path),
            others: Vec::new(),
            outstanding: VecDeque::new(),
            asked: false,
            ownership_replies: 0,
            resent: 0,
            commands: VecDeque::new(),
        }
    }

    /// Starts a request. Error 28 when as many are outstanding as were declared at the open.
    ///
    /// The span of the outstanding sync ids is bounded, not only their number: the server relies on it to know which
    /// replies it may forget.
    pub fn start(&mut self) -> Result<SyncId, FileError> {
        if !self.can_start() {
            return Err(FileError::TOO_MANY_OUTSTANDING);
        }
        let sync = self.next;
        self.next = sync.next();
        // With an active path all before it have been sent over that one: those that wait for a path leave when it becomes active.
        self.outstanding.push_back(Outstanding { sync, sent: self.active.is_some() });
        match self.active {
            Some(path) => self.commands.push_back(Command::Send { path, sync, again: false }),
            None if self.others.is_empty() => self.ask_for_path(),
            None => {}
        }
        Ok(sync)
    }

    /// True when [`Requester::start`] has room for one more.
    pub fn can_start(&self) -> bool {
        self.outstanding
            .front()
            .is_none_or(|oldest| self.next.0 - oldest.sync.0 < u64::from(self.nowait_depth))
    }

    /// Takes up a request that an earlier primary of this pair started (S3b). In the order of the sync ids.
    pub fn take_up(&mut self, sync: SyncId) {
        self.outstanding.push_back(Outstanding { sync, sent: true });
        self.next = self.next.max(sync.next());
    }

    /// The next request gets this sync id: where an earlier primary of this pair had come to.
    pub fn continue_at(&mut self, next: SyncId) {
        self.next = self.next.max(next);
    }

    /// The next request gets exactly this sync id: where the other half of a pair that keeps its state itself had come to,
    /// or a new count (`FILE_SETSYNCINFO_`, `RESETSYNC`).
    ///
    /// # Panics
    ///
    /// If a request is outstanding: their sync ids must stay in order.
    pub fn set_next(&mut self, next: SyncId) {
        assert!(self.outstanding.is_empty(), "the count goes on while requests are outstanding");
        self.next = next;
    }

    /// The sync id of the next request.
    pub fn next_sync(&self) -> SyncId {
        self.next
    }

    /// Gives a request up; true if it was outstanding (then the server should be told).
    pub fn cancel(&mut self, sync: SyncId) -> bool {
        match by_sync::position(&self.outstanding, sync, |request| request.sync) {
            Ok(at) => by_sync::remove(&mut self.outstanding, at).is_some(),
            Err(_) => false,
        }
    }

    /// A path to a half of the server is there, from the server or as the daemon's answer; it is not yet the one to use.
    pub fn handle_standby(&mut self, path: PathNumber) {
        self.asked = false;
        self.others.push(path);
    }

    /// The half at the end of `path` says that it is the primary since `epoch`. BEFORE this is called everything that the
    /// old active path still holds has been taken in: replies of a dead primary are true (S5).
    pub fn handle_takeover(&mut self, path: PathNumber, epoch: Epoch) {
        if epoch < self.epoch || (epoch == self.epoch && self.active == Some(path)) {
            return;
        }
        if epoch > self.epoch {
            self.ownership_replies = 0;
        }
        self.epoch = epoch;
        self.asked = false;
        self.others.retain(|other| *other != path);
        if let Some(old) = self.active.replace(path)
            && old != path
        {
            self.others.push(old);
        }
        self.resend_or_fail();
        self.send_all_unsent();
    }

    /// A path has ended, and everything it held has been taken in.
    pub fn handle_path_lost(&mut self, path: PathNumber) {
        if self.active != Some(path) && !self.others.contains(&path) {
            // It was the answer to the last question, and ended before its half could speak.
            self.asked = false;
        }
        self.others.retain(|other| *other != path);
        if self.active == Some(path) {
            self.active = None;
            if self.sync_depth == 0 {
                self.fail_all(FileError::PATH_DOWN);
            }
        }
        if self.active.is_none() && self.others.is_empty() && !self.outstanding.is_empty() {
            self.ask_for_path();
        }
    }

    /// The half at the end of `path` says that it is the primary no longer. A requester that could not take its path to the
    /// other half would wait for ever on this one (L3).
    pub fn handle_demoted(&mut self, path: PathNumber) {
        if self.active != Some(path) {
            // The other half spoke first.
            return;
        }
        self.active = None;
        if self.others.is_empty() && !self.outstanding.is_empty() {
            self.ask_for_path();
        }
    }

    /// No half has spoken for too long although the active path is lost: do not rely on the standby path alone.
    pub fn handle_impatience(&mut self) {
        if self.active.is_none() && !self.outstanding.is_empty() {
            self.ask_for_path();
        }
    }

    /// No half can be reached at this moment, though the name exists; the next impatience asks again.
    pub fn handle_path_unavailable(&mut self) {
        self.asked = false;
    }

    /// There is no server of that name any more, or it does not know this open.
    pub fn handle_path_refused(&mut self, error: FileError) {
        self.asked = false;
        if self.active.is_some() {
            // A half spoke while the question was on its way: the refusal is out of date.
            return;
        }
        self.fail_all(if error == FileError::NO_SUCH_PROCESS { FileError::PATH_DOWN } else { error });
    }

    /// A reply came over `path`.
    pub fn handle_reply(
        &mut self,
        path: PathNumber,
        sync: SyncId,
        error: FileError,
        epoch: Epoch,
    ) -> ReplyIs {
        if epoch < self.epoch && self.active != Some(path) {
            return ReplyIs::Stale;
        }
        if error == FileError::OWNERSHIP {
            return self.handle_ownership(path, sync);
        }
        self.ownership_replies = 0;
        if self.cancel(sync) { ReplyIs::Wanted } else { ReplyIs::Stale }
    }

    /// The next thing to do.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// The path that requests go to.
    pub fn active(&self) -> Option<PathNumber> {
        self.active
    }

    /// The newest epoch heard of.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Requests without an answer.
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// How many requests were sent again so far.
    pub fn resent(&self) -> u64 {
        self.resent
    }

    fn handle_ownership(&mut self, path: PathNumber, sync: SyncId) -> ReplyIs {
        if !self.outstanding.iter().any(|request| request.sync == sync) {
            return ReplyIs::Stale;
        }
        if self.sync_depth == 0 {
            self.cancel(sync);
            self.commands.push_back(Command::Fail { sync, error: FileError::OWNERSHIP });
            // The caller decides; what it sends next goes to whoever is primary then.
            if self.active == Some(path) {
                self.active = self.others.pop();
                self.others.insert(0, path);
                if self.active.is_none() {
                    self.ask_for_path();
                }
            }
            return ReplyIs::NotMine;
        }
        // All requests moved on with the first "not me"; the others of the same path say nothing new.
        if self.active != Some(path) {
            return ReplyIs::NotMine;
        }
        self.ownership_replies += 1;
        if self.ownership_replies > OWNERSHIP_REPLIES_MAX {
            self.cancel(sync);
            self.commands.push_back(Command::Fail { sync, error: FileError::PATH_DOWN });
            return ReplyIs::NotMine;
        }
        // When both halves say so the roles are changing: whoever is primary afterwards will speak.
        let other = if self.ownership_replies == 1 { self.others.pop() } else { None };
        self.others.insert(0, path);
        self.active = other;
        if other.is_some() {
            self.resend_or_fail()
        } else {
            self.ask_for_path()
        }
        ReplyIs::NotMine
    }

    fn ask_for_path(&mut self) {
        if !self.asked {
            self.asked = true;
            self.commands.push_back(Command::AskForPath);
        }
    }

    fn send_all_unsent(&mut self) {
        let Some(path) = self.active else { return };
        // Requests are sent in order, so those that were not are the last ones.
        let unsent = self.outstanding.iter().rev().take_while(|request| !request.sent).count();
        for request in self.outstanding.range_mut(self.outstanding.len() - unsent..) {
            request.sent = true;
            self.commands.push_back(Command::Send { path, sync: request.sync, again: false });
        }
    }

    fn resend_or_fail(&mut self) {
        let Some(path) = self.active else { return };
        if self.sync_depth == 0 {
            let sent: Vec<SyncId> = self.outstanding.iter().filter(|r| r.sent).map(|r| r.sync).collect();
            for sync in sent {
                self.cancel(sync);
                self.commands.push_back(Command::Fail { sync, error: FileError::PATH_DOWN });
            }
            return;
        }
        for request in self.outstanding.iter().filter(|request| request.sent) {
            self.resent += 1;
            self.commands.push_back(Command::Send { path, sync: request.sync, again: true });
        }
    }

    fn fail_all(&mut self, error: FileError) {
        for request in self.outstanding.drain(..) {
            self.commands.push_back(Command::Fail { sync: request.sync, error });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: PathNumber = PathNumber(1);
    const SECOND: PathNumber = PathNumber(2);

    fn requester(sync_depth: u16, nowait_depth: u16) -> Requester {
        let mut requester = Requester::new(FIRST, Epoch(1), sync_depth, nowait_depth, SyncId(1));
        requester.handle_standby(SECOND);
        requester
    }

    fn commands(requester: &mut Requester) -> Vec<Command> {
        std::iter::from_fn(|| requester.poll_command()).collect()
    }

    // The requester of a killed server must notice nothing: its request goes to the new primary with its sync id.
    #[test]
    fn unanswered_requests_follow_the_takeover() {
        let mut requester = requester(1, 2);
        let (a, b) = (requester.start().unwrap(), requester.start().unwrap());
        assert_eq!(requester.handle_reply(FIRST, a, FileError::OK, Epoch(1)), ReplyIs::Wanted);
        commands(&mut requester);
        requester.handle_path_lost(FIRST);
        assert_eq!(commands(&mut requester), [], "it waits for the other half to speak");
        requester.handle_takeover(SECOND, Epoch(2));
        assert_eq!(commands(&mut requester), [Command::Send { path: SECOND, sync: b, again: true }]);
        assert_eq!(requester.handle_reply(SECOND, b, FileError::OK, Epoch(2)), ReplyIs::Wanted);
        assert_eq!(requester.handle_reply(SECOND, b, FileError::OK, Epoch(2)), ReplyIs::Stale);
    }

    // With sync depth 0 a request may have been executed: the caller is told, nothing is sent twice.
    #[test]
    fn without_sync_depth_the_caller_decides() {
        let mut requester = requester(0, 1);
        let sync = requester.start().unwrap();
        commands(&mut requester);
        requester.handle_path_lost(FIRST);
        assert_eq!(commands(&mut requester), [Command::Fail { sync, error: FileError::PATH_DOWN }]);
        requester.handle_takeover(SECOND, Epoch(2));
        let next = requester.start().unwrap();
        assert_eq!(commands(&mut requester), [Command::Send { path: SECOND, sync: next, again: false }]);
    }

    // A word from an old primary that slept must not undo a takeover (S1).
    #[test]
    fn an_older_epoch_is_not_listened_to() {
        let mut requester = requester(1, 1);
        let sync = requester.start().unwrap();
        requester.handle_takeover(SECOND, Epoch(3));
        commands(&mut requester);
        requester.handle_takeover(FIRST, Epoch(2));
        assert_eq!(requester.active(), Some(SECOND));
        assert_eq!(requester.handle_reply(FIRST, sync, FileError::OK, Epoch(1)), ReplyIs::Stale);
        assert_eq!(requester.outstanding(), 1);
    }

    // After the loss of both halves the caller gets a definite error, not silence (L3).
    #[test]
    fn no_path_left_asks_and_then_fails() {
        let mut requester = requester(1, 1);
        let sync = requester.start().unwrap();
        commands(&mut requester);
        requester.handle_path_lost(FIRST);
        requester.handle_path_lost(SECOND);
        assert_eq!(commands(&mut requester), [Command::AskForPath]);
        requester.handle_impatience();
        assert_eq!(commands(&mut requester), [], "one question at a time");
        requester.handle_path_refused(FileError::NO_SUCH_PROCESS);
        assert_eq!(commands(&mut requester), [Command::Fail { sync, error: FileError::PATH_DOWN }]);
    }

    // The server forgets replies by the width of the window; a wider span would execute a request twice (S3).
    #[test]
    fn the_span_of_outstanding_requests_is_bounded() {
        let mut requester = requester(1, 2);
        let first = requester.start().unwrap();
        let second = requester.start().unwrap();
        assert_eq!(requester.start(), Err(FileError::TOO_MANY_OUTSTANDING));
        requester.handle_reply(FIRST, second, FileError::OK, Epoch(1));
        assert_eq!(requester.start(), Err(FileError::TOO_MANY_OUTSTANDING), "the oldest is still open");
        requester.handle_reply(FIRST, first, FileError::OK, Epoch(1));
        assert!(requester.start().is_ok());
    }

    // A switchover reaches also those who could not take their standby path, for want of a descriptor for example.
    #[test]
    fn a_demoted_half_is_left() {
        let mut alone = Requester::new(FIRST, Epoch(1), 1, 1, SyncId(1));
        let sync = alone.start().unwrap();
        commands(&mut alone);
        alone.handle_demoted(FIRST);
        assert_eq!(commands(&mut alone), [Command::AskForPath]);
        alone.handle_standby(SECOND);
        alone.handle_takeover(SECOND, Epoch(2));
        assert_eq!(commands(&mut alone), [Command::Send { path: SECOND, sync, again: true }]);
        alone.handle_demoted(FIRST);
        assert_eq!(alone.active(), Some(SECOND), "its word came late");

        let mut requester = requester(1, 1);
        requester.start().unwrap();
        commands(&mut requester);
        requester.handle_demoted(FIRST);
        assert_eq!(commands(&mut requester), [], "the other half will speak on its path");
    }

    // A pair member that is not primary answers 200; the requests must reach the other half by themselves, once each.
    #[test]
    fn ownership_turns_to_the_other_half() {
        let mut requester = requester(1, 2);
        let (a, b) = (requester.start().unwrap(), requester.start().unwrap());
        commands(&mut requester);
        assert_eq!(requester.handle_reply(FIRST, a, FileError::OWNERSHIP, Epoch(1)), ReplyIs::NotMine);
        assert_eq!(requester.handle_reply(FIRST, b, FileError::OWNERSHIP, Epoch(1)), ReplyIs::NotMine);
        let again = |sync| Command::Send { path: SECOND, sync, again: true };
        assert_eq!(commands(&mut requester), [again(a), again(b)]);
    }

    // Guardian Programmer's Guide, chapter 27: with sync depth 0 the caller gets 200, and its next request must not go to
    // the same wrong half again.
    #[test]
    fn without_sync_depth_ownership_turns_the_next_request() {
        let mut requester = Requester::new(FIRST, Epoch(1), 0, 1, SyncId(1));
        let sync = requester.start().unwrap();
        commands(&mut requester);
        assert_eq!(requester.handle_reply(FIRST, sync, FileError::OWNERSHIP, Epoch(1)), ReplyIs::NotMine);
        assert_eq!(
            commands(&mut requester),
            [Command::Fail { sync, error: FileError::OWNERSHIP }, Command::AskForPath]
        );
        let next = requester.start().unwrap();
        assert_eq!(commands(&mut requester), []);
        requester.handle_takeover(SECOND, Epoch(2));
        assert_eq!(commands(&mut requester), [Command::Send { path: SECOND, sync: next, again: false }]);
    }

    // While the roles are exchanged both halves say "not me": a planned switchover must not show as an error.
    #[test]
    fn ownership_from_both_halves_waits_for_the_new_primary() {
        let mut requester = requester(1, 1);
        let sync = requester.start().unwrap();
        requester.handle_reply(FIRST, sync, FileError::OWNERSHIP, Epoch(1));
        commands(&mut requester);
        requester.handle_reply(SECOND, sync, FileError::OWNERSHIP, Epoch(1));
        assert_eq!(commands(&mut requester), [Command::AskForPath]);
        requester.handle_takeover(SECOND, Epoch(2));
        assert_eq!(commands(&mut requester), [Command::Send { path: SECOND, sync, again: true }]);
    }

    // A half that calls itself primary and answers "not me" all the same must not keep a caller for ever (L3).
    #[test]
    fn ownership_is_bounded() {
        let mut requester = requester(1, 1);
        let sync = requester.start().unwrap();
        for path in [FIRST, SECOND, FIRST, SECOND] {
            requester.handle_takeover(path, Epoch(1));
            requester.handle_reply(path, sync, FileError::OWNERSHIP, Epoch(1));
        }
        assert!(commands(&mut requester).contains(&Command::Fail { sync, error: FileError::PATH_DOWN }));
        assert_eq!(requester.outstanding(), 0);
    }

    // The half whose path the daemon gave may die before it speaks: the question must be asked again (L3).
    #[test]
    fn an_answer_that_dies_is_asked_for_again() {
        let mut requester = requester(1, 1);
        requester.start().unwrap();
        requester.handle_path_lost(FIRST);
        requester.handle_path_lost(SECOND);
        commands(&mut requester);
        let third = PathNumber(3);
        requester.handle_standby(third);
        requester.handle_path_lost(third);
        assert_eq!(commands(&mut requester), [Command::AskForPath]);
        requester.handle_path_lost(PathNumber(4));
        assert_eq!(
            commands(&mut requester),
            [Command::AskForPath],
            "also if the shell did not announce the path"
        );
    }

    // A refusal that was sent before the takeover must not fail what the new primary is answering (T2).
    #[test]
    fn a_late_refusal_fails_nothing() {
        let mut requester = requester(1, 1);
        requester.start().unwrap();
        requester.handle_path_lost(FIRST);
        requester.handle_impatience();
        requester.handle_takeover(SECOND, Epoch(2));
        commands(&mut requester);
        requester.handle_path_refused(FileError::NO_SUCH_PROCESS);
        assert_eq!(commands(&mut requester), []);
        assert_eq!(requester.outstanding(), 1);
    }
}
