//! A transaction: some compares, and the writes that happen when all of them hold.
//!
//! What this decides: when a compare holds, and which transactions are well formed. What it does not:
//! how writes become atomic; that is the back end's promise.
//!
//! Invariant: compares are judged against the state before any write of the same transaction, and each
//! key is written at most once, so the order of the writes carries no meaning. (etcd has the same rule.)

use std::collections::BTreeSet;

use crate::{
    Error, Key, Revision, TRANSACTION_BYTES_MAX, TRANSACTION_OPERATIONS_MAX, VALUE_BYTES_MAX, Versioned,
};

/// A condition on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compare {
    /// The key is not there.
    Absent(Key),
    /// The key was last written at this revision; [`Revision::NEVER`] asks the same as `Absent`.
    RevisionIs(Key, Revision),
    /// The key is there with exactly these bytes.
    ValueIs(Key, Vec<u8>),
}

/// A change to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets the key, whether it is there or not.
    Put(Key, Vec<u8>),
    /// Removes the key; no effect when it is not there. Refused for a counter.
    Delete(Key),
}

/// Compares and writes that happen together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// All must hold.
    pub compares: Vec<Compare>,
    /// All happen, at one revision.
    pub writes: Vec<Write>,
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All compares held and all writes happened, at this revision. When nothing changed (no writes, or
    /// only deletes of absent keys) it is the revision of the store as it was.
    Committed(Revision),
    /// Nothing happened, because a compare did not hold.
    Conflict {
        /// The key of the first compare that did not hold.
        key: Key,
        /// What that key held when the transaction was judged.
        current: Option<Versioned>,
    },
}

impl Transaction {
    /// A transaction without compares and writes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds [`Compare::Absent`].
    #[must_use]
    pub fn absent(mut self, key: Key) -> Self {
        self.compares.push(Compare::Absent(key));
        self
    }

    /// Adds [`Compare::RevisionIs`].
    #[must_use]
    pub fn revision_is(mut self, key: Key, revision: Revision) -> Self {
        self.compares.push(Compare::RevisionIs(key, revision));
        self
    }

    /// Adds [`Compare::ValueIs`].
    #[must_use]
    pub fn value_is(mut self, key: Key, value: impl Into<Vec<u8>>) -> Self {
        self.compares.push(Compare::ValueIs(key, value.into()));
        self
    }

    /// Adds [`Write::Put`].
    #[must_use]
    pub fn put(mut self, key: Key, value: impl Into<Vec<u8>>) -> Self {
        self.writes.push(Write::Put(key, value.into()));
        self
    }

    /// Adds [`Write::Delete`].
    #[must_use]
    pub fn delete(mut self, key: Key) -> Self {
        self.writes.push(Write::Delete(key));
        self
    }

    /// Refuses what no back end may accept, before anything is locked.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let operations = self.compares.len() + self.writes.len();
        if operations > TRANSACTION_OPERATIONS_MAX {
            return Err(Error::invalid(format!(
                "a transaction of {operations} operations has more than {TRANSACTION_OPERATIONS_MAX}; split it"
            )));
        }
        let mut bytes = 0;
        for compare in &self.compares {
            bytes += compare.key().as_str().len() + check_value(compare.key(), compare.value())?;
        }
        let mut written = BTreeSet::new();
        for write in &self.writes {
            let key = write.key();
            bytes += key.as_str().len() + check_value(key, write.value())?;
            if !written.insert(key) {
                return Err(Error::invalid(format!("a transaction writes {key} twice; keep the last write")));
            }
            if key.is_counter() && matches!(write, Write::Delete(_)) {
                return Err(Error::invalid(format!("{key} is a counter; it cannot be deleted")));
            }
        }
        if bytes > TRANSACTION_BYTES_MAX {
            return Err(Error::invalid(format!(
                "a transaction of {bytes} bytes is larger than {TRANSACTION_BYTES_MAX}; split it"
            )));
        }
        Ok(())
    }
}

impl Compare {
    /// The key it looks at.
    pub fn key(&self) -> &Key {
        match self {
            Self::Absent(key) | Self::RevisionIs(key, _) | Self::ValueIs(key, _) => key,
        }
    }

    /// Whether it holds when the key has this content.
    pub fn holds(&self, current: Option<&Versioned>) -> bool {
        match self {
            Self::Absent(_) => current.is_none(),
            Self::RevisionIs(_, revision) => {
                current.map_or(Revision::NEVER, |found| found.revision) == *revision
            }
            Self::ValueIs(_, value) => current.is_some_and(|found| found.value == *value),
        }
    }

    fn value(&self) -> &[u8] {
        match self {
            Self::ValueIs(_, value) => value,
            Self::Absent(_) | Self::RevisionIs(..) => &[],
        }
    }
}

impl Write {
    /// The key it changes.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key,
        }
    }

    fn value(&self) -> &[u8] {
        match self {
            Self::Put(_, value) => value,
            Self::Delete(_) => &[],
        }
    }
}

fn check_value(key: &Key, value: &[u8]) -> Result<usize, Error> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(Error::invalid(format!(
            "a value of {} bytes for {key} is larger than {VALUE_BYTES_MAX}",
            value.len()
        )));
    }
    Ok(value.len())
}
