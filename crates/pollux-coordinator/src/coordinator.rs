//! The trait every back end implements, and what it hands back.
//!
//! What this decides: the meaning of each call. What it does not: where the bytes live.
//!
//! Invariant: all handles of one store, in whichever process, see one order of transactions, numbered by
//! [`Revision`]; a call that begins after another returned sees at least what that one saw.

use crate::{Error, Key, NUMBER_ATTEMPTS_MAX, Outcome, Revision, Transaction};

/// A compare-and-set store with a log of its changes.
///
/// Calls may block: `commit` and `next_number` wait for the transaction of another writer, in any
/// process. A writer that was *killed* gives its lock back at once; a writer that is *stopped* (SIGSTOP,
/// frozen) holds it until it goes on or regroup kills it. So a caller that must not stall runs its handle
/// on a thread of its own. The `&self` calls never wait for a writer.
pub trait Coordinator: Send {
    /// The content of `key`.
    fn get(&self, key: &Key) -> Result<Option<Versioned>, Error>;

    /// All records whose keys begin with `prefix`, from one moment, in the byte order of their keys.
    fn list(&self, prefix: &str) -> Result<Vec<(Key, Versioned)>, Error>;

    /// Judges the compares and, when all hold, does the writes: wholly or not at all.
    ///
    /// An `Err` whose [`Error::effect`] is `NotDone` left the store as it was. After `Unknown` read the
    /// keys again; do not repeat a write that carries no compare.
    fn commit(&mut self, transaction: &Transaction) -> Result<Outcome, Error>;

    /// The revision of the latest transaction that changed the store.
    fn revision(&self) -> Result<Revision, Error>;

    /// What changed below `prefix` after the revision `after`, oldest first.
    ///
    /// To watch: ask [`Coordinator::revision`], *then* list, then ask for the changes after that revision.
    /// In this order a change may be seen twice, but none is lost.
    fn changes(&self, prefix: &str, after: Revision) -> Result<Changes, Error>;

    /// The number that an unused counter stands on; its first number is one more.
    ///
    /// A store that had to forget its counters (see `Local`) begins above all it ever handed out.
    fn counter_floor(&self) -> Result<u64, Error> {
        Ok(0)
    }

    /// A number that this counter never gave before and never gives again, greater than all before it.
    ///
    /// Numbers may be skipped: one is lost when its caller dies or fails before it is told. Counters live
    /// below [`crate::COUNTER_PREFIX`], as decimal text, see [`Key::counter`].
    fn next_number(&mut self, counter: &Key) -> Result<u64, Error> {
        if !counter.is_counter() {
            return Err(Error::invalid(format!("{counter} is no counter; use Key::counter")));
        }
        let mut current = self.get(counter)?;
        for _ in 0..NUMBER_ATTEMPTS_MAX {
            let last = match &current {
                Some(found) => parse_number(counter, &found.value)?,
                None => self.counter_floor()?,
            };
            let number =
                last.checked_add(1).ok_or_else(|| Error::corrupt(format!("{counter} is used up")))?;
            let revision = current.as_ref().map_or(Revision::NEVER, |found| found.revision);
            let claim = Transaction::new()
                .revision_is(counter.clone(), revision)
                .put(counter.clone(), number.to_string());
            match self.commit(&claim)? {
                Outcome::Committed(_) => return Ok(number),
                Outcome::Conflict { current: newer, .. } => current = newer,
            }
        }
        Err(Error::unavailable(format!("{counter}: {NUMBER_ATTEMPTS_MAX} others were faster; try again")))
    }
}

/// A value and when it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// The bytes.
    pub value: Vec<u8>,
    /// Of the transaction that last wrote the key.
    pub revision: Revision,
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The key was set.
    Put {
        /// Which key.
        key: Key,
        /// To what.
        value: Vec<u8>,
        /// By which transaction.
        revision: Revision,
    },
    /// The key was there and was removed.
    Deleted {
        /// Which key.
        key: Key,
        /// By which transaction.
        revision: Revision,
    },
}

impl Change {
    /// The key that changed.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Deleted { key, .. } => key,
        }
    }

    /// The transaction that changed it.
    pub fn revision(&self) -> Revision {
        match self {
            Self::Put { revision, .. } | Self::Deleted { revision, .. } => *revision,
        }
    }
}

/// The answer of [`Coordinator::changes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// Every change asked for.
    Since {
        /// Oldest first; changes of one transaction share its revision.
        changes: Vec<Change>,
        /// The changes are complete up to here; ask for those after it next.
        through: Revision,
    },
    /// The bounded log does not reach back to the revision asked for (or the store has not got that far,
    /// so the caller's knowledge is of another store). List again.
    Compacted,
}

impl<C: Coordinator + ?Sized> Coordinator for Box<C> {
    fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        (**self).get(key)
    }

    fn list(&self, prefix: &str) -> Result<Vec<(Key, Versioned)>, Error> {
        (**self).list(prefix)
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Outcome, Error> {
        (**self).commit(transaction)
    }

    fn revision(&self) -> Result<Revision, Error> {
        (**self).revision()
    }

    fn changes(&self, prefix: &str, after: Revision) -> Result<Changes, Error> {
        (**self).changes(prefix, after)
    }

    fn counter_floor(&self) -> Result<u64, Error> {
        (**self).counter_floor()
    }

    fn next_number(&mut self, counter: &Key) -> Result<u64, Error> {
        (**self).next_number(counter)
    }
}

pub(crate) fn parse_number(counter: &Key, value: &[u8]) -> Result<u64, Error> {
    std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::corrupt(format!("{counter} does not hold a number")))
}
