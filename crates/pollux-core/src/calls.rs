//! The requests that a pair itself sends (S3b): which calls of a turn were made before, what a new primary takes up, what a
//! new backup is told.
//!
//! A call is recorded before it is sent. A turn that is handled again makes the same calls in the same order: its n-th call
//! is its n-th recorded one.

use crate::replica::{Call, Replica};
use pollux_wire::checkpoint::{Record, TurnKey};
use pollux_wire::{FileError, OpenId, SyncId};

/// What the next call of a turn is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallIs<'a> {
    /// It was made before, with this answer.
    Answered(FileError, &'a [u8]),
    /// It was made before; its answer is to be waited for.
    UnderWay(SyncId),
    /// It is to be recorded under this sync id, then sent.
    New(SyncId),
    /// The turn made another call in this place before: the program does not repeat what it did.
    Another,
    /// The pair does not have this open.
    NotOpen,
}

/// What a new primary takes up of an open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenUp<'a> {
    /// The oldest sync id that counts.
    pub first: SyncId,
    /// Unanswered calls, to be sent again.
    pub calls: Vec<&'a Call>,
    /// The sync id of the next new call.
    pub next: SyncId,
}

impl Replica {
    /// What a call is that a turn makes after `earlier` others, on this open and with these bytes.
    pub fn call(&self, turn: &TurnKey, earlier: usize, open: OpenId, payload: &[u8]) -> CallIs<'_> {
        let made = match turn {
            // Turns without a key are not handled again.
            TurnKey::Own {} => None,
            key => self.calls.iter().filter(|call| call.turn == *key).nth(earlier),
        };
        match made {
            Some(call) if call.open != open || call.payload != payload => CallIs::Another,
            Some(Call { answer: Some((error, payload)), .. }) => CallIs::Answered(*error, payload),
            Some(call) => CallIs::UnderWay(call.sync),
            None => self.call_opens.get(&open).map_or(CallIs::NotOpen, |open| CallIs::New(open.next_sync)),
        }
    }

    /// What a new primary takes up of an open.
    pub fn taken_up(&self, open: OpenId) -> Option<TakenUp<'_>> {
        let next = self.call_opens.get(&open)?.next_sync;
        let unanswered = |call: &&Call| call.open == open && call.answer.is_none();
        let mut calls: Vec<&Call> = self.calls.iter().filter(unanswered).collect();
        calls.sort_unstable_by_key(|call| call.sync);
        let first = calls.first().map_or(next, |call| call.sync);
        Some(TakenUp { first, calls, next })
    }

    /// The records that tell a new backup of calls and suspects.
    pub fn call_records(&self) -> impl Iterator<Item = Record<'_>> {
        let opens = || {
            self.call_opens.iter().map(|(open, call_open)| Record::CallOpened {
                open: *open,
                server: call_open.server.clone(),
                next_sync: call_open.next_sync,
            })
        };
        let calls = self.calls.iter().flat_map(|call| {
            let (open, sync) = (call.open, call.sync);
            let started = Record::CallStarted {
                turn: call.turn.clone(),
                open,
                sync,
                reply_bytes_max: call.reply_bytes_max,
                payload: &call.payload,
            };
            let answer = call.answer.as_ref();
            let answered =
                answer.map(|(error, payload)| Record::CallAnswered { open, sync, error: *error, payload });
            [Some(started), answered].into_iter().flatten()
        });
        let suspects = self
            .suspects
            .iter()
            .map(|(turn, crashes)| Record::Suspected { turn: turn.clone(), crashes: *crashes });
        // The opens once more: a call moves the next sync id of its open, which is not always the last one's.
        opens().chain(calls).chain(opens()).chain(suspects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollux_wire::checkpoint::Opener;
    use pollux_wire::control::OpenDetails;
    use pollux_wire::{CpuNumber, Phandle, Pin, ProcessName};

    const BANK: OpenId = OpenId(7);

    fn turn(sync: u64) -> TurnKey {
        TurnKey::Request { open: OpenId(1), sync: SyncId(sync) }
    }

    fn start(replica: &mut Replica, turn: TurnKey, sync: u64, payload: &[u8]) {
        let record =
            Record::CallStarted { turn, open: BANK, sync: SyncId(sync), reply_bytes_max: 10, payload };
        replica.apply(&record).expect("a call on a known open");
    }

    fn answer(replica: &mut Replica, sync: u64, payload: &[u8]) {
        let record = Record::CallAnswered { open: BANK, sync: SyncId(sync), error: FileError::OK, payload };
        replica.apply(&record).expect("an answer");
    }

    fn opened() -> Replica {
        let mut replica = Replica::default();
        let server = ProcessName::new("$BANK").expect("a right name");
        replica.apply(&Record::CallOpened { open: BANK, server, next_sync: SyncId(1) }).expect("an open");
        replica
    }

    // Otherwise a customer pays twice when the shop's primary dies between the bank's answer and its own.
    #[test]
    fn a_repeated_turn_meets_its_own_calls_in_order() {
        let mut replica = opened();
        assert_eq!(replica.call(&turn(1), 0, BANK, b"take 5"), CallIs::New(SyncId(1)));
        assert_eq!(replica.call(&turn(1), 0, OpenId(9), b"take 5"), CallIs::NotOpen);
        start(&mut replica, turn(1), 1, b"take 5");
        assert_eq!(replica.call(&turn(1), 0, BANK, b"take 5"), CallIs::UnderWay(SyncId(1)));
        assert_eq!(replica.call(&turn(1), 0, BANK, b"take 6"), CallIs::Another);
        assert_eq!(replica.call(&turn(2), 0, BANK, b"take 5"), CallIs::New(SyncId(2)));
        answer(&mut replica, 1, b"done");
        assert_eq!(replica.call(&turn(1), 0, BANK, b"take 5"), CallIs::Answered(FileError::OK, b"done"));
        assert_eq!(replica.call(&turn(1), 1, BANK, b"take 5"), CallIs::New(SyncId(2)));
    }

    // Turns without a key are not handled again: their next call is never an old one.
    #[test]
    fn a_turn_without_a_key_makes_new_calls() {
        let mut replica = opened();
        start(&mut replica, TurnKey::Own {}, 1, b"x");
        assert_eq!(replica.call(&TurnKey::Own {}, 0, BANK, b"x"), CallIs::New(SyncId(2)));
    }

    // A new primary that gave an old sync id to a new call would get the old call's answer for it.
    #[test]
    fn a_new_primary_takes_up_what_is_unanswered_and_goes_on_counting() {
        let mut replica = opened();
        for sync in 1..=3 {
            start(&mut replica, turn(sync), sync, b"x");
        }
        answer(&mut replica, 1, b"y");
        answer(&mut replica, 3, b"y");
        let taken_up = replica.taken_up(BANK).expect("a known open");
        assert_eq!((taken_up.first, taken_up.next), (SyncId(2), SyncId(4)));
        assert_eq!(taken_up.calls.iter().map(|call| call.sync.0).collect::<Vec<_>>(), [2]);
        answer(&mut replica, 2, b"y");
        let taken_up = replica.taken_up(BANK).expect("a known open");
        assert_eq!((taken_up.first, taken_up.next, taken_up.calls.len()), (SyncId(4), SyncId(4), 0));
        assert_eq!(replica.taken_up(OpenId(9)), None);
    }

    // Else the calls of requests that nobody repeats are sent again after each takeover, until the server has forgotten them and
    // none fits any more between the oldest and the newest.
    #[test]
    fn calls_of_requests_that_nobody_repeats_are_dropped() {
        let phandle = Phandle {
            named: false,
            cpu: CpuNumber::new(0).expect("a CPU"),
            pin: Pin(1),
            node: 0,
            incarnation: 1,
            sequence: 1,
        };
        let details = OpenDetails::default();
        let opener = Opener { phandle, name: None, uid: 0, sync_depth: 0, nowait_depth: 2, details };
        let (open, standby) = (OpenId(1), false);
        let mut replica = opened();
        replica.apply(&Record::Opened { open, opener, standby }).expect("an open");
        let reply = |sync| Record::Replied { open, sync: SyncId(sync), error: FileError::OK, payload: b"" };
        let left = |replica: &Replica| replica.calls.iter().map(|call| call.sync.0).collect::<Vec<_>>();
        for sync in 1..=3 {
            start(&mut replica, turn(sync), sync, b"x");
        }
        replica.apply(&reply(3)).expect("a reply");
        assert_eq!(left(&replica), [2], "of two outstanding ones the older may still be repeated");
        replica.apply(&Record::Closed { open }).expect("the opener goes");
        assert_eq!(left(&replica), []);
        assert_eq!(replica.taken_up(BANK).map(|taken_up| taken_up.next), Some(SyncId(4)));
    }

    // The last call that is still kept need not be the last one that was made.
    #[test]
    fn a_new_backup_counts_on_where_its_primary_does() {
        let mut replica = opened();
        start(&mut replica, turn(1), 1, b"a");
        answer(&mut replica, 1, b"b");
        start(&mut replica, turn(2), 2, b"c");
        replica.apply(&Record::TurnEnded { turn: turn(2) }).expect("a turn ends");
        replica.apply(&Record::Suspected { turn: turn(1), crashes: 1 }).expect("a suspect");
        let mut backup = Replica::default();
        for record in replica.call_records() {
            backup.apply(&record).expect("records of a replica fit an empty one");
        }
        assert_eq!(backup, replica);
        assert_eq!(backup.call_opens[&BANK].next_sync, SyncId(3));
    }
}
