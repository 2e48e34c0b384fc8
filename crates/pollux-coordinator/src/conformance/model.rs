//! Any history of calls, compared with a model so small that it can be read at a glance.
//!
//! What this decides: that a back end agrees with the model. What it does not: concurrency, which the
//! properties in the parent module look at.
//!
//! Invariant: the model shares no code with any back end but `Compare::holds`, which the properties of
//! the parent module test on their own.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::key;
use crate::{Change, Changes, Compare, Coordinator, Key, Outcome, Revision, Transaction, Versioned, Write};

/// Opens handles to one store.
pub type Handles = Box<dyn Fn() -> Box<dyn Coordinator>>;

const HISTORIES: u32 = 24;
const STEPS_MAX: usize = 40;

/// Runs histories, each on a fresh store. What breaks for a user if it fails: some sequence of ordinary
/// calls, printed in its shortest form, that this back end decides differently from all others.
pub fn check(fresh: impl Fn() -> Option<Handles>) {
    let config = Config { cases: HISTORIES, failure_persistence: None, ..Config::default() };
    let history = proptest::collection::vec(step(), 1..STEPS_MAX);
    let outcome = TestRunner::new(config).run(&history, |steps| {
        if let Some(open) = fresh() {
            run(&open, &steps);
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Condition>, Vec<(u8, Option<u8>)>),
    NextNumber,
    Reopen,
}

/// Conditions are drawn relative to the model, so that enough of them hold.
#[derive(Clone, Debug)]
enum Condition {
    Absent(u8),
    RevisionIsCurrent(u8, u8),
    ValueIs(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..4_u8;
    let condition = prop_oneof![
        name().prop_map(Condition::Absent),
        (name(), prop_oneof![4 => Just(0), 1 => Just(1_u8)])
            .prop_map(|(n, off)| Condition::RevisionIsCurrent(n, off)),
        (name(), 0..2_u8).prop_map(|(n, value)| Condition::ValueIs(n, value)),
    ];
    let writes = proptest::collection::btree_map(name(), proptest::option::weighted(0.7, 0..2_u8), 0..3);
    let commit = (proptest::collection::vec(condition, 0..2), writes)
        .prop_map(|(conditions, writes)| Step::Commit(conditions, writes.into_iter().collect()));
    prop_oneof![8 => commit, 1 => Just(Step::NextNumber), 1 => Just(Step::Reopen)]
}

#[derive(Default)]
struct Model {
    records: BTreeMap<Key, Versioned>,
    history: Vec<Change>,
    revision: Revision,
    number: u64,
}

fn run(open: &Handles, steps: &[Step]) {
    let mut store = open();
    let start = store.revision().unwrap();
    let mut model = Model { revision: start, number: store.counter_floor().unwrap(), ..Model::default() };
    for step in steps {
        match step {
            Step::Commit(conditions, writes) => {
                let transaction = model.transaction(conditions, writes);
                assert_eq!(store.commit(&transaction).unwrap(), model.commit(&transaction));
            }
            Step::NextNumber => {
                let counter = Key::counter("n").unwrap();
                model.number += 1;
                assert_eq!(store.next_number(&counter).unwrap(), model.number);
                model.commit(&Transaction::new().put(counter, model.number.to_string()));
            }
            Step::Reopen => {
                drop(store);
                store = open();
            }
        }
        model.agrees(&*store, start);
    }
}

impl Model {
    fn transaction(&self, conditions: &[Condition], writes: &[(u8, Option<u8>)]) -> Transaction {
        let compares = conditions.iter().map(|condition| match condition {
            Condition::Absent(n) => Compare::Absent(name(*n)),
            Condition::RevisionIsCurrent(n, off) => {
                let current = self.records.get(&name(*n)).map_or(Revision::NEVER, |found| found.revision);
                Compare::RevisionIs(name(*n), Revision(current.0 + u64::from(*off)))
            }
            Condition::ValueIs(n, value) => Compare::ValueIs(name(*n), vec![*value]),
        });
        let writes = writes.iter().map(|(n, value)| match value {
            Some(value) => Write::Put(name(*n), vec![*value]),
            None => Write::Delete(name(*n)),
        });
        Transaction { compares: compares.collect(), writes: writes.collect() }
    }

    fn commit(&mut self, transaction: &Transaction) -> Outcome {
        for compare in &transaction.compares {
            let current = self.records.get(compare.key());
            if !compare.holds(current) {
                return Outcome::Conflict { key: compare.key().clone(), current: current.cloned() };
            }
        }
        let revision = Revision(self.revision.0 + 1);
        for write in &transaction.writes {
            match write.clone() {
                Write::Put(key, value) => {
                    self.records.insert(key.clone(), Versioned { value: value.clone(), revision });
                    self.history.push(Change::Put { key, value, revision });
                    self.revision = revision;
                }
                Write::Delete(key) => {
                    if self.records.remove(&key).is_some() {
                        self.history.push(Change::Deleted { key, revision });
                        self.revision = revision;
                    }
                }
            }
        }
        Outcome::Committed(self.revision)
    }

    fn agrees(&self, store: &dyn Coordinator, start: Revision) {
        assert_eq!(store.revision().unwrap(), self.revision);
        let records: Vec<_> = self.records.iter().map(|(key, found)| (key.clone(), found.clone())).collect();
        assert_eq!(store.list("").unwrap(), records);
        for n in 0..4 {
            assert_eq!(store.get(&name(n)).unwrap().as_ref(), self.records.get(&name(n)));
        }
        let half = Revision(start.0 + (self.revision.0 - start.0) / 2);
        for (prefix, after) in [("", start), ("", half), ("a/", start), ("b/", half)] {
            let expected = self
                .history
                .iter()
                .filter(|change| change.revision() > after && change.key().as_str().starts_with(prefix));
            let expected = Changes::Since { changes: expected.cloned().collect(), through: self.revision };
            assert_eq!(store.changes(prefix, after).unwrap(), expected);
        }
    }
}

/// Two prefixes with two keys each.
fn name(n: u8) -> Key {
    key(["a/1", "a/2", "b/1", "b/2"][usize::from(n)])
}
