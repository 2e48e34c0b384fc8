//! The suite that every back end of [`crate::Coordinator`] must pass.
//!
//! What this decides: what "implements the trait" means. What it does not: what only one back end
//! promises, such as surviving a killed process; that stands in the back end's own tests.
//!
//! Each property is a function that takes a way to open *handles to one fresh store*.
//! [`conformance_suite!`](crate::conformance_suite) makes one `#[test]` of each:
//!
//! ```ignore
//! fn fresh() -> impl Fn() -> Box<dyn Coordinator> {
//!     let store = Memory::new();
//!     move || Box::new(store.clone())
//! }
//! pollux_coordinator::conformance_suite!(fresh());
//! ```
//!
//! `conformance_suite!(where available: fresh())` is for a back end that needs a program which may not be
//! installed: the expression gives an `Option`, and who gives `None` has said why.

// A broken promise is reported by panicking, as in any test.
#![allow(clippy::unwrap_used)]

pub mod model;

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use crate::{
    CHANGES_KEPT_MAX, Change, Changes, Coordinator, Effect, Error, KEY_BYTES_MAX, Key, Outcome, Revision,
    TRANSACTION_OPERATIONS_MAX, Transaction, VALUE_BYTES_MAX, Versioned,
};

/// Opens one more handle to the store under test.
pub type Open<'a> = &'a (dyn Fn() -> Box<dyn Coordinator> + Sync);

const RIVALS: usize = 8;

/// Makes one test of each property; the expression must give a fresh store each time it is evaluated.
#[macro_export]
macro_rules! conformance_suite {
    ($fresh:expr) => {
        $crate::conformance_suite!(where available: Some($fresh));
    };
    (where available: $fresh:expr) => {
        $crate::conformance_suite!($fresh; an_empty_store_has_nothing, a_put_is_read_back,
            absent_holds_only_without_the_key, revision_is_holds_only_at_that_revision,
            value_is_holds_only_for_those_bytes, a_conflict_writes_nothing, the_first_broken_compare_is_named,
            revisions_grow_by_one, what_changes_nothing_has_no_revision, a_list_is_ordered_and_within_its_prefix,
            changes_tell_what_happened, changes_are_of_the_prefix, old_changes_are_compacted,
            large_changes_are_compacted, numbers_never_repeat, a_counter_cannot_be_lost, limits_are_kept,
            a_full_store_refuses_and_recovers, handles_see_each_other, one_of_many_claims_wins,
            numbers_are_unique_among_threads);
        #[test]
        fn any_history_agrees_with_the_model() {
            $crate::conformance::model::check(|| Some(Box::new($fresh?)));
        }
    };
    ($fresh:expr; $($property:ident),* $(,)?) => {
        $(#[test]
        fn $property() {
            let Some(open) = $fresh else { return };
            $crate::conformance::$property(&open);
        })*
    };
}

/// A new node would inherit names that nobody owns.
pub fn an_empty_store_has_nothing(open: Open<'_>) {
    let mut store = open();
    let start = store.revision().unwrap();
    assert_eq!(store.get(&key("a")).unwrap(), None);
    assert_eq!(store.list("").unwrap(), vec![]);
    assert_eq!(store.changes("", start).unwrap(), Changes::Since { changes: vec![], through: start });
    assert_eq!(committed(&mut store, &Transaction::new()), start);
}

/// A record that reads back differently makes every decision built on it wrong.
pub fn a_put_is_read_back(open: Open<'_>) {
    let mut store = open();
    for value in [vec![], vec![0, 255, 0], vec![7; VALUE_BYTES_MAX]] {
        let revision = committed(&mut store, &Transaction::new().put(key("a"), value.clone()));
        assert_eq!(store.get(&key("a")).unwrap(), Some(Versioned { value, revision }));
    }
    committed(&mut store, &Transaction::new().delete(key("a")));
    assert_eq!(store.get(&key("a")).unwrap(), None);
}

/// A name would get a second owner (S10).
pub fn absent_holds_only_without_the_key(open: Open<'_>) {
    let mut store = open();
    let claim = Transaction::new().absent(key("name/$KV")).put(key("name/$KV"), "cpu 0");
    let revision = committed(&mut store, &claim);
    let owner = Versioned { value: b"cpu 0".to_vec(), revision };
    assert_eq!(conflict(&mut store, &claim), (key("name/$KV"), Some(owner)));
    committed(&mut store, &Transaction::new().delete(key("name/$KV")));
    committed(&mut store, &claim);
}

/// An old primary would write over the record of its successor (S6, S11).
pub fn revision_is_holds_only_at_that_revision(open: Open<'_>) {
    let mut store = open();
    let first = |revision| Transaction::new().revision_is(key("a"), revision).put(key("a"), "x");
    assert_eq!(conflict(&mut store, &first(Revision(u64::MAX))), (key("a"), None));
    let old = committed(&mut store, &first(Revision::NEVER));
    assert_eq!(conflict(&mut store, &first(Revision::NEVER)).1.unwrap().revision, old);
    let new = committed(&mut store, &first(old));
    assert_eq!(conflict(&mut store, &first(old)).1.unwrap().revision, new);
    // Writes to other keys do not count.
    committed(&mut store, &Transaction::new().put(key("b"), "y"));
    committed(&mut store, &first(new));
}

/// Take over and carry on alone could both win (S6).
pub fn value_is_holds_only_for_those_bytes(open: Open<'_>) {
    let mut store = open();
    let alone = Transaction::new().value_is(key("pair"), "e7").put(key("pair"), "alone e8");
    let takeover = Transaction::new().value_is(key("pair"), "e7").put(key("pair"), "other e8");
    assert_eq!(conflict(&mut store, &alone), (key("pair"), None));
    committed(&mut store, &Transaction::new().put(key("pair"), "e7"));
    committed(&mut store, &alone);
    assert_eq!(conflict(&mut store, &takeover).1.unwrap().value, b"alone e8");
    let empty = Transaction::new().value_is(key("none"), "");
    assert_eq!(conflict(&mut store, &empty), (key("none"), None), "an absent key is not an empty one");
}

/// Half a regroup would be on record: some CPUs in the new table, some in the old (S12).
pub fn a_conflict_writes_nothing(open: Open<'_>) {
    let mut store = open();
    let before = committed(&mut store, &Transaction::new().put(key("a"), "old").put(key("b"), "old"));
    let listed = store.list("").unwrap();
    let change = Transaction::new()
        .value_is(key("a"), "old")
        .absent(key("b"))
        .put(key("a"), "new")
        .delete(key("b"))
        .put(key("c"), "new");
    assert_eq!(conflict(&mut store, &change).0, key("b"));
    assert_eq!(store.list("").unwrap(), listed);
    assert_eq!(store.revision().unwrap(), before);
    assert_eq!(since(&store, "", before), vec![]);
}

/// The loser would be told the wrong reason and act on it.
pub fn the_first_broken_compare_is_named(open: Open<'_>) {
    let mut store = open();
    committed(&mut store, &Transaction::new().put(key("b"), "1").put(key("c"), "2"));
    let both = Transaction::new().absent(key("a")).absent(key("c")).absent(key("b"));
    let (named, current) = conflict(&mut store, &both);
    assert_eq!((named, current.unwrap().value), (key("c"), b"2".to_vec()));
}

/// A watcher that counts revisions would miss or repeat changes.
pub fn revisions_grow_by_one(open: Open<'_>) {
    let mut store = open();
    let mut last = store.revision().unwrap();
    for _ in 0..5 {
        // The same bytes again are a change too: who compares revisions must notice them.
        let next = committed(&mut store, &Transaction::new().put(key("a"), "x").put(key("b"), "y"));
        assert_eq!(next, Revision(last.0 + 1));
        assert_eq!(store.revision().unwrap(), next);
        last = next;
    }
    let listed = store.list("").unwrap();
    assert!(listed.iter().all(|(_, found)| found.revision == last), "one transaction, one revision");
}

/// Questions would push real changes out of the bounded log.
pub fn what_changes_nothing_has_no_revision(open: Open<'_>) {
    let mut store = open();
    let before = committed(&mut store, &Transaction::new().put(key("a"), "x"));
    assert_eq!(committed(&mut store, &Transaction::new().value_is(key("a"), "x")), before);
    assert_eq!(committed(&mut store, &Transaction::new().delete(key("none"))), before);
    assert_eq!(store.revision().unwrap(), before);
    assert_eq!(since(&store, "", before), vec![]);
}

/// A CPU would not see a name, or see it under another's prefix.
pub fn a_list_is_ordered_and_within_its_prefix(open: Open<'_>) {
    let mut store = open();
    let names = ["name/$B", "name/$A", "name", "name/", "name0", "pair/$A", "name/$AA", "~", "!"];
    for name in names {
        committed(&mut store, &Transaction::new().put(key(name), name));
    }
    let listed = |prefix| -> Vec<String> {
        store.list(prefix).unwrap().iter().map(|(key, _)| key.to_string()).collect()
    };
    assert_eq!(listed("name/"), ["name/", "name/$A", "name/$AA", "name/$B"]);
    assert_eq!(listed("name/$A"), ["name/$A", "name/$AA"]);
    assert_eq!(listed("zzz"), Vec::<String>::new());
    let mut all = names.map(str::to_owned);
    all.sort();
    assert_eq!(listed(""), all);
}

/// A daemon would go on with a removed CPU, or not learn of a takeover.
pub fn changes_tell_what_happened(open: Open<'_>) {
    let mut store = open();
    let start = store.revision().unwrap();
    let first = committed(&mut store, &Transaction::new().put(key("a"), "1").put(key("b"), "2"));
    let second =
        committed(&mut store, &Transaction::new().delete(key("a")).delete(key("none")).put(key("b"), "3"));
    let put = |name, value: &str, revision| Change::Put { key: key(name), value: value.into(), revision };
    let later = vec![Change::Deleted { key: key("a"), revision: second }, put("b", "3", second)];
    let all = [vec![put("a", "1", first), put("b", "2", first)], later.clone()].concat();
    assert_eq!(since(&store, "", start), all);
    assert_eq!(since(&store, "", first), later);
    assert_eq!(since(&store, "", second), vec![]);
    assert_eq!(
        store.changes("", Revision(second.0 + 1)).unwrap(),
        Changes::Compacted,
        "knows of another store"
    );
}

/// A watcher of one prefix would wake for all others, or not know how far it has got.
pub fn changes_are_of_the_prefix(open: Open<'_>) {
    let mut store = open();
    let start = store.revision().unwrap();
    committed(&mut store, &Transaction::new().put(key("cpu/1"), "up").put(key("name/$A"), "x"));
    let through = committed(&mut store, &Transaction::new().put(key("name/$B"), "y"));
    let found = since(&store, "cpu/", start);
    assert_eq!(found.iter().map(Change::key).collect::<Vec<_>>(), [&key("cpu/1")]);
    assert_eq!(store.changes("pair/", start).unwrap(), Changes::Since { changes: vec![], through });
}

/// A slow watcher would be told that nothing happened while the log had forgotten what did.
pub fn old_changes_are_compacted(open: Open<'_>) {
    let mut store = open();
    let start = store.revision().unwrap();
    let per_commit = TRANSACTION_OPERATIONS_MAX as u64;
    for _ in 0..=CHANGES_KEPT_MAX / per_commit {
        let many = (0..per_commit).fold(Transaction::new(), |all, n| all.put(key(&format!("k/{n}")), "v"));
        committed(&mut store, &many);
    }
    assert_eq!(store.changes("", start).unwrap(), Changes::Compacted);
    let latest = store.revision().unwrap();
    let recent = Revision(latest.0 - CHANGES_KEPT_MAX / per_commit);
    assert_eq!(since(&store, "", recent).len() as u64, per_commit * (latest.0 - recent.0));
    assert_eq!(since(&store, "", latest), vec![]);
}

/// A few large values would make the log outgrow its store.
pub fn large_changes_are_compacted(open: Open<'_>) {
    let mut store = open();
    let start = store.revision().unwrap();
    for _ in 0..300 {
        committed(&mut store, &Transaction::new().put(key("large"), vec![1; VALUE_BYTES_MAX]));
    }
    assert_eq!(store.changes("", start).unwrap(), Changes::Compacted);
    let latest = store.revision().unwrap();
    assert_eq!(since(&store, "", Revision(latest.0 - 50)).len(), 50);
}

/// Two processes would get one phandle (S9), or two primaries one epoch (S11).
pub fn numbers_never_repeat(open: Open<'_>) {
    let (phandle, epoch) = (Key::counter("phandle").unwrap(), Key::counter("epoch").unwrap());
    let floor = open().counter_floor().unwrap();
    for round in 0..3 {
        let mut store = open();
        for step in 1..=4 {
            assert_eq!(store.next_number(&phandle).unwrap(), floor + round * 4 + step);
        }
        assert_eq!(store.next_number(&epoch).unwrap(), floor + round + 1, "counters are independent");
    }
}

/// A counter that begins anew repeats its numbers (S9, S11).
pub fn a_counter_cannot_be_lost(open: Open<'_>) {
    let mut store = open();
    let counter = Key::counter("epoch").unwrap();
    let first = store.next_number(&counter).unwrap();
    refused(&mut store, &Transaction::new().delete(counter.clone()));
    assert_eq!(store.next_number(&counter).unwrap(), first + 1);
    assert!(matches!(store.next_number(&key("epoch")), Err(Error::Invalid { .. })));
    committed(&mut store, &Transaction::new().put(counter.clone(), "no number"));
    assert!(matches!(store.next_number(&counter), Err(Error::Corrupt { .. })));
    committed(&mut store, &Transaction::new().put(counter.clone(), u64::MAX.to_string()));
    assert!(matches!(store.next_number(&counter), Err(Error::Corrupt { .. })));
}

/// One careless caller would fill the store of the whole node (S15).
pub fn limits_are_kept(open: Open<'_>) {
    let mut store = open();
    for bad in ["", "a b", "a\n", "ä", &"k".repeat(KEY_BYTES_MAX + 1)] {
        assert!(matches!(Key::new(bad), Err(Error::Invalid { .. })), "{bad:?}");
        if !bad.is_empty() {
            assert!(matches!(store.list(bad), Err(Error::Invalid { .. })), "{bad:?}");
            assert!(matches!(store.changes(bad, Revision::NEVER), Err(Error::Invalid { .. })), "{bad:?}");
        }
    }
    let longest = Key::new("k".repeat(KEY_BYTES_MAX)).unwrap();
    committed(
        &mut store,
        &Transaction::new().absent(longest.clone()).put(longest.clone(), vec![1; VALUE_BYTES_MAX]),
    );
    assert_eq!(store.list(longest.as_str()).unwrap().len(), 1);

    let before = store.revision().unwrap();
    refused(&mut store, &Transaction::new().put(key("a"), vec![1; VALUE_BYTES_MAX + 1]));
    refused(&mut store, &Transaction::new().value_is(key("a"), vec![1; VALUE_BYTES_MAX + 1]));
    refused(&mut store, &Transaction::new().put(key("a"), "1").delete(key("a")));
    let many = |count, bytes| {
        (0..count).fold(Transaction::new(), |all, n| all.put(key(&format!("k/{n}")), vec![1; bytes]))
    };
    refused(&mut store, &many(TRANSACTION_OPERATIONS_MAX + 1, 1));
    refused(&mut store, &many(TRANSACTION_OPERATIONS_MAX, VALUE_BYTES_MAX));
    assert_eq!(store.revision().unwrap(), before);
    committed(&mut store, &many(TRANSACTION_OPERATIONS_MAX, 1));
}

/// A full store would stay full for ever, or lose what it had.
pub fn a_full_store_refuses_and_recovers(open: Open<'_>) {
    let mut store = open();
    let fill = |n| Transaction::new().put(key(&format!("fill/{n:04}")), vec![1; VALUE_BYTES_MAX]);
    let mut stored = 0;
    let error = loop {
        match store.commit(&fill(stored)) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 10_000, "a store without a limit");
    };
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert_eq!(error.effect(), Effect::NotDone);
    assert_eq!(store.list("").unwrap().len(), stored);
    // What does not grow goes on, for as long as anyone likes; so pairs go on.
    for _ in 0..200 {
        committed(&mut store, &fill(0));
    }
    committed(&mut store, &Transaction::new().delete(key("fill/0000")).delete(key("fill/0001")));
    committed(&mut store, &fill(0));
}

/// Two CPUs of a node would each decide for themselves.
pub fn handles_see_each_other(open: Open<'_>) {
    let (mut one, mut two) = (open(), open());
    let start = two.revision().unwrap();
    let revision = committed(&mut one, &Transaction::new().absent(key("a")).put(key("a"), "one"));
    assert_eq!(two.get(&key("a")).unwrap(), Some(Versioned { value: b"one".to_vec(), revision }));
    assert_eq!(since(&two, "", start).len(), 1);
    conflict(&mut two, &Transaction::new().absent(key("a")).put(key("a"), "two"));
    committed(&mut two, &Transaction::new().revision_is(key("a"), revision).delete(key("a")));
    assert_eq!(one.get(&key("a")).unwrap(), None);
    drop(one);
    assert_eq!(two.list("").unwrap(), vec![]);
}

/// After a death more than one survivor would take over (S1, S6).
pub fn one_of_many_claims_wins(open: Open<'_>) {
    let rounds = 25;
    let start = Barrier::new(RIVALS);
    let wins: Vec<Vec<bool>> = thread::scope(|scope| {
        let rivals: Vec<_> = (0..RIVALS)
            .map(|rival| {
                let start = &start;
                scope.spawn(move || {
                    let mut store = open();
                    let claim = |round| {
                        start.wait();
                        let name = key(&format!("name/{round}"));
                        let claim = Transaction::new().absent(name.clone()).put(name, rival.to_string());
                        matches!(store.commit(&claim).unwrap(), Outcome::Committed(_))
                    };
                    (0..rounds).map(claim).collect()
                })
            })
            .collect();
        rivals.into_iter().map(|rival| rival.join().unwrap()).collect()
    });
    let store = open();
    for round in 0..rounds {
        let winners: Vec<usize> =
            wins.iter().enumerate().filter(|(_, won)| won[round]).map(|(rival, _)| rival).collect();
        let owner = store.get(&key(&format!("name/{round}"))).unwrap().unwrap().value;
        let owner: usize = String::from_utf8(owner).unwrap().parse().unwrap();
        assert_eq!(winners, [owner], "round {round}");
    }
}

/// Two daemons that start processes at the same time would give them one phandle (S9).
pub fn numbers_are_unique_among_threads(open: Open<'_>) {
    let each = 40;
    let numbers: Vec<u64> = thread::scope(|scope| {
        let take = || {
            let mut store = open();
            let counter = Key::counter("phandle").unwrap();
            (0..each).map(|_| store.next_number(&counter).unwrap()).collect::<Vec<u64>>()
        };
        let takers: Vec<_> = (0..RIVALS).map(|_| scope.spawn(take)).collect();
        takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
    });
    let unique: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(unique.len(), RIVALS * each);
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn committed(store: &mut dyn Coordinator, transaction: &Transaction) -> Revision {
    match store.commit(transaction).unwrap() {
        Outcome::Committed(revision) => revision,
        Outcome::Conflict { key, current } => panic!("conflict at {key}: {current:?}"),
    }
}

fn conflict(store: &mut dyn Coordinator, transaction: &Transaction) -> (Key, Option<Versioned>) {
    match store.commit(transaction).unwrap() {
        Outcome::Committed(revision) => panic!("committed at {revision}"),
        Outcome::Conflict { key, current } => (key, current),
    }
}

fn refused(store: &mut dyn Coordinator, transaction: &Transaction) {
    let error = store.commit(transaction).unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
}

fn since(store: &dyn Coordinator, prefix: &str, after: Revision) -> Vec<Change> {
    match store.changes(prefix, after).unwrap() {
        Changes::Since { changes, through } => {
            assert_eq!(through, store.revision().unwrap());
            changes
        }
        Changes::Compacted => panic!("the changes after {after} are gone"),
    }
}
