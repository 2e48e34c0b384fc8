//! The store in memory: for tests, and for the simulator, which gives every simulated CPU a handle.
//!
//! What this decides: the outcome of transactions, exactly as the other back ends do. What it does not:
//! survive its process.
//!
//! Invariant: deterministic. The same calls in the same order give the same answers: ordered maps only,
//! no clock, no randomness, and a lock that is never held over a call.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::key::check_prefix;
use crate::limits::{log_is_over, record_bytes};
use crate::{
    Change, Changes, Coordinator, DATA_BYTES_MAX, Error, Key, Outcome, Revision, Transaction, Versioned,
    Write,
};

/// A handle to a store in memory; a clone is another handle to the same store.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    store: Arc<Mutex<Store>>,
}

impl Memory {
    /// A handle to a new, empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // A panic elsewhere cannot leave half a transaction: `Store::commit` decides before it writes.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Coordinator for Memory {
    fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        Ok(self.store().records.get(key).cloned())
    }

    fn list(&self, prefix: &str) -> Result<Vec<(Key, Versioned)>, Error> {
        check_prefix(prefix)?;
        Ok(self.store().list(prefix))
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Outcome, Error> {
        transaction.check()?;
        self.store().commit(transaction)
    }

    fn revision(&self) -> Result<Revision, Error> {
        Ok(self.store().revision)
    }

    fn changes(&self, prefix: &str, after: Revision) -> Result<Changes, Error> {
        check_prefix(prefix)?;
        Ok(self.store().changes(prefix, after))
    }
}

#[derive(Debug, Default)]
struct Store {
    records: BTreeMap<Key, Versioned>,
    records_bytes: u64,
    revision: Revision,
    log: VecDeque<Change>,
    log_bytes: u64,
    /// Changes up to this revision may be missing from the log.
    compacted: Revision,
}

impl Store {
    fn commit(&mut self, transaction: &Transaction) -> Result<Outcome, Error> {
        for compare in &transaction.compares {
            let current = self.records.get(compare.key());
            if !compare.holds(current) {
                return Ok(Outcome::Conflict { key: compare.key().clone(), current: current.cloned() });
            }
        }
        let bytes_after = self.bytes_after(&transaction.writes);
        if bytes_after > DATA_BYTES_MAX && bytes_after > self.records_bytes {
            return Err(Error::unavailable(format!(
                "the store is full ({DATA_BYTES_MAX} bytes); delete something"
            )));
        }
        let revision = self.revision.next();
        let changes: Vec<Change> =
            transaction.writes.iter().filter_map(|write| self.write(write, revision)).collect();
        if !changes.is_empty() {
            self.revision = revision;
            self.records_bytes = bytes_after;
            self.log_bytes += changes.iter().map(change_bytes).sum::<u64>();
            self.log.extend(changes);
            self.trim();
        }
        Ok(Outcome::Committed(self.revision))
    }

    fn write(&mut self, write: &Write, revision: Revision) -> Option<Change> {
        match write {
            Write::Put(key, value) => {
                self.records.insert(key.clone(), Versioned { value: value.clone(), revision });
                Some(Change::Put { key: key.clone(), value: value.clone(), revision })
            }
            Write::Delete(key) => {
                self.records.remove(key).map(|_| Change::Deleted { key: key.clone(), revision })
            }
        }
    }

    fn trim(&mut self) {
        while log_is_over(self.log.len() as u64, self.log_bytes) {
            let oldest = self.log.pop_front().expect("an empty log is not over its limits");
            self.log_bytes -= change_bytes(&oldest);
            self.compacted = oldest.revision();
        }
    }

    fn bytes_after(&self, writes: &[Write]) -> u64 {
        writes.iter().fold(self.records_bytes, |bytes, write| {
            let key = write.key();
            let before = self.records.get(key).map_or(0, |found| record_bytes(key, &found.value));
            let after = match write {
                Write::Put(_, value) => record_bytes(key, value),
                Write::Delete(_) => 0,
            };
            bytes - before + after
        })
    }

    fn list(&self, prefix: &str) -> Vec<(Key, Versioned)> {
        // Keys below a prefix stand together, but an empty prefix is no key to begin the range at.
        let start = Key::new(prefix).map_or(Bound::Unbounded, Bound::Included);
        self.records
            .range((start, Bound::Unbounded))
            .take_while(|(key, _)| key.as_str().starts_with(prefix))
            .map(|(key, found)| (key.clone(), found.clone()))
            .collect()
    }

    fn changes(&self, prefix: &str, after: Revision) -> Changes {
        if after < self.compacted || after > self.revision {
            return Changes::Compacted;
        }
        let start = self.log.partition_point(|change| change.revision() <= after);
        let changes = self
            .log
            .range(start..)
            .filter(|change| change.key().as_str().starts_with(prefix))
            .cloned()
            .collect();
        Changes::Since { changes, through: self.revision }
    }
}

fn change_bytes(change: &Change) -> u64 {
    match change {
        Change::Put { key, value, .. } => record_bytes(key, value),
        Change::Deleted { key, .. } => record_bytes(key, &[]),
    }
}
