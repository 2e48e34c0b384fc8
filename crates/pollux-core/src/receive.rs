//! Decides what an arriving request of an opener is: new, a repetition with a saved reply, in hand, or too old.
//!
//! One [`Open`] per opener. It is part of the replicated state: its last sync id and saved replies reach the backup
//! with the checkpoint that carries the effect of the request, so that a re-sent request finds its reply in the new
//! primary and is not executed twice (S3). It neither stores nor sends requests.
//!
//! The window is `max(sync depth, nowait depth)` sync ids wide (Guardian Programmer's Guide, chapter 21). The requester
//! never lets its outstanding requests span more than that, so a sync id inside the window without a saved reply has
//! not been answered, and one below the window is settled for ever.

use crate::by_sync;
use crate::room::refill;
use pollux_wire::checkpoint::Opener;
use pollux_wire::{FileError, SyncId};
use std::collections::VecDeque;

/// A reply kept for repetitions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SavedReply {
    /// The request.
    pub sync: SyncId,
    /// Error number.
    pub error: FileError,
    /// Bytes.
    pub payload: Vec<u8>,
}

/// What an arriving request is.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival<'a> {
    /// Execute it.
    New,
    /// Answered already: send this again.
    Repeated(&'a SavedReply),
    /// It is being executed: the reply will go out when it is there.
    InHand,
    /// Older than the saved replies: error 39.
    TooOld,
    /// More requests in hand than the opener declared: error 28.
    TooMany,
}

/// One opener as the server keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Open {
    /// Who.
    pub opener: Opener,
    /// What the server wants to see with each request; -1 if nothing.
    pub label: i16,
    last: SyncId,
    /// In the order of the sync ids.
    saved: VecDeque<SavedReply>,
    /// In the order of the sync ids.
    in_hand: VecDeque<SyncId>,
}

impl Open {
    /// A new open: nothing was requested.
    pub fn new(opener: Opener) -> Self {
        Self { opener, label: -1, last: SyncId(0), saved: VecDeque::new(), in_hand: VecDeque::new() }
    }

    /// Takes in a request; a new one is in hand from here on.
    pub fn arrive(&mut self, sync: SyncId) -> Arrival<'_> {
        if let Ok(at) = by_sync::position(&self.saved, sync, |reply| reply.sync) {
            return Arrival::Repeated(&self.saved[at]);
        }
        let Err(at) = by_sync::position(&self.in_hand, sync, |held| *held) else { return Arrival::InHand };
        if sync.0.saturating_add(self.window()) <= self.last.0 {
            return Arrival::TooOld;
        }
        if self.in_hand.len() as u64 >= self.window() {
            return Arrival::TooMany;
        }
        by_sync::insert(&mut self.in_hand, at, sync);
        Arrival::New
    }

    /// Keeps the reply of a request and forgets those that left the window.
    pub fn replied(&mut self, reply: SavedReply) {
        self.forget(reply.sync);
        // Nearly always at the end.
        let (Ok(at) | Err(at)) = by_sync::position(&self.saved, reply.sync, |kept| kept.sync);
        self.last = self.last.max(reply.sync);
        by_sync::insert(&mut self.saved, at, reply);
        while self.pop_settled().is_some() {}
    }

    /// The same with a copy of the payload, in the room of a reply that leaves the window.
    pub fn replied_copy(&mut self, sync: SyncId, error: FileError, payload: &[u8]) {
        self.last = self.last.max(sync);
        let mut room = self.pop_settled().map(|reply| reply.payload).unwrap_or_default();
        refill(&mut room, payload);
        self.replied(SavedReply { sync, error, payload: room });
    }

    /// The oldest saved reply, if it has left the window.
    fn pop_settled(&mut self) -> Option<SavedReply> {
        // Compared by distance: an opener may choose the last of all numbers as its sync id.
        let settled = self.saved.front().is_some_and(|kept| self.last.0 - kept.sync.0 >= self.window());
        if settled { self.saved.pop_front() } else { None }
    }

    /// Forgets a request that is in hand without a reply: its sender cancelled it, or this half is no longer the primary.
    pub fn forget(&mut self, sync: SyncId) {
        if let Ok(at) = by_sync::position(&self.in_hand, sync, |held| *held) {
            by_sync::remove(&mut self.in_hand, at);
        }
    }

    /// Forgets all requests in hand: they will be sent again to the new primary.
    pub fn forget_all_in_hand(&mut self) {
        self.in_hand.clear();
    }

    /// What its opener has given up when it comes back over a new path: with sync depth 0 it sends nothing again, and its next
    /// request must not find these counted as outstanding.
    pub fn given_up(&self) -> Vec<SyncId> {
        if self.opener.sync_depth == 0 { self.in_hand.iter().copied().collect() } else { Vec::new() }
    }

    /// True while this request is being executed.
    pub fn is_in_hand(&self, sync: SyncId) -> bool {
        by_sync::position(&self.in_hand, sync, |held| *held).is_ok()
    }

    /// The saved replies, oldest first: what a new backup must get.
    pub fn saved(&self) -> impl Iterator<Item = &SavedReply> {
        self.saved.iter()
    }

    /// The saved reply of a request.
    pub fn saved_reply(&self, sync: SyncId) -> Option<&SavedReply> {
        let at = by_sync::position(&self.saved, sync, |reply| reply.sync).ok()?;
        self.saved.get(at)
    }

    /// No request of this open is outstanding that is so many before another one.
    pub(crate) fn window(&self) -> u64 {
        u64::from(self.opener.sync_depth.max(self.opener.nowait_depth).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollux_wire::{CpuNumber, Phandle, Pin};

    fn open(sync_depth: u16, nowait_depth: u16) -> Open {
        let phandle = Phandle {
            named: false,
            cpu: CpuNumber::new(0).unwrap(),
            pin: Pin(7),
            node: 0,
            incarnation: 0,
            sequence: 1,
        };
        let details = pollux_wire::control::OpenDetails::default();
        Open::new(Opener { phandle, name: None, uid: 0, sync_depth, nowait_depth, details })
    }

    fn reply(sync: u64) -> SavedReply {
        SavedReply { sync: SyncId(sync), error: FileError(0), payload: vec![sync as u8] }
    }

    // A retry that is executed again books a payment twice.
    #[test]
    fn a_repetition_gets_the_saved_reply() {
        let mut open = open(1, 1);
        assert_eq!(open.arrive(SyncId(1)), Arrival::New);
        assert_eq!(open.arrive(SyncId(1)), Arrival::InHand);
        open.replied(reply(1));
        assert_eq!(open.arrive(SyncId(1)), Arrival::Repeated(&reply(1)));
        assert_eq!(open.arrive(SyncId(2)), Arrival::New);
    }

    // With several requests outstanding a later one may be answered first; the earlier one must not count as settled.
    #[test]
    fn out_of_order_replies_leave_the_others_open() {
        let mut primary = open(4, 4);
        for sync in 1..=3 {
            assert_eq!(primary.arrive(SyncId(sync)), Arrival::New);
        }
        primary.replied(reply(3));
        let mut new_primary = primary.clone();
        new_primary.forget_all_in_hand();
        assert_eq!(new_primary.arrive(SyncId(1)), Arrival::New);
        assert_eq!(new_primary.arrive(SyncId(3)), Arrival::Repeated(&reply(3)));
    }

    // A request older than what we can tell must get an error, never a second execution (S14).
    #[test]
    fn below_the_window_is_too_old() {
        let mut open = open(2, 1);
        for sync in 1..=3 {
            assert_eq!(open.arrive(SyncId(sync)), Arrival::New);
            open.replied(reply(sync));
        }
        assert_eq!(open.arrive(SyncId(1)), Arrival::TooOld);
        assert_eq!(open.arrive(SyncId(2)), Arrival::Repeated(&reply(2)));
        assert_eq!(open.saved().count(), 2);
    }

    // An opener with the highest of all sync ids would end the server by an overflow, and then its backup (S17).
    #[test]
    fn the_highest_sync_id_is_a_number_like_any_other() {
        let mut open = open(2, 1);
        for sync in [u64::MAX, 1, u64::MAX - 1] {
            let _ = open.arrive(SyncId(sync));
            open.replied(reply(sync));
        }
        assert_eq!(open.arrive(SyncId(u64::MAX)), Arrival::Repeated(&reply(u64::MAX)));
        assert_eq!(open.arrive(SyncId(1)), Arrival::TooOld);
    }

    // The backup saves its replies in the room of old ones: what a retry finds must be the same in both halves (S3).
    #[test]
    fn a_copied_reply_is_saved_as_a_given_one() {
        let [mut given, mut copied] = [open(2, 1), open(2, 1)];
        for sync in [1, 3, 2, 9, u64::MAX, 4] {
            given.replied(reply(sync));
            copied.replied_copy(SyncId(sync), FileError(0), &[sync as u8]);
            assert_eq!(copied, given);
        }
    }

    // With sync depth 0 the opener was told 201 for what it had sent over its old path. Its next request over the new one would
    // get error 28 for the sake of that one.
    #[test]
    fn who_sends_nothing_again_has_given_up_what_is_in_hand() {
        let mut once = open(0, 1);
        assert_eq!(once.arrive(SyncId(1)), Arrival::New);
        for sync in once.given_up() {
            once.forget(sync);
        }
        assert_eq!(once.arrive(SyncId(2)), Arrival::New);
        let mut again = open(1, 1);
        assert_eq!(again.arrive(SyncId(1)), Arrival::New);
        assert_eq!(again.given_up(), [], "it is sent again and must not be executed twice");
    }

    // One opener must not fill the server's memory (S15).
    #[test]
    fn more_than_declared_is_refused() {
        let mut open = open(1, 2);
        assert_eq!(open.arrive(SyncId(1)), Arrival::New);
        assert_eq!(open.arrive(SyncId(2)), Arrival::New);
        assert_eq!(open.arrive(SyncId(3)), Arrival::TooMany);
        open.forget(SyncId(1));
        assert_eq!(open.arrive(SyncId(3)), Arrival::New);
    }
}
