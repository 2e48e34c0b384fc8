//! Keys and revisions: the two small types every record is named and dated by.
//!
//! What this decides: which strings are keys. What it does not: what stands below which prefix; that is
//! the daemon's affair, but for [`COUNTER_PREFIX`].
//!
//! Invariant: a [`Key`] that exists is valid, so no back end checks it again.

use std::fmt;

use crate::{Error, KEY_BYTES_MAX};

/// Below this prefix stand the counters of `Coordinator::next_number`. They cannot be deleted, because
/// a counter that begins anew repeats its numbers (S9, S11).
pub const COUNTER_PREFIX: &str = "counter/";

/// The name of a record: 1 to [`KEY_BYTES_MAX`] printable ASCII characters without spaces, so that a key
/// reads the same in a log line, on a command line and in etcd.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// Checks `text` and makes it a key.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        if text.is_empty() {
            return Err(Error::invalid("a key is empty; give it at least one character"));
        }
        check_text(&text)?;
        Ok(Self(text))
    }

    /// The key of the counter `name`, below [`COUNTER_PREFIX`].
    pub fn counter(name: &str) -> Result<Self, Error> {
        Self::new(format!("{COUNTER_PREFIX}{name}"))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this key is one of a counter.
    pub fn is_counter(&self) -> bool {
        self.0.starts_with(COUNTER_PREFIX)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Grows by one with each transaction that changes the store; 0 means "never written".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a key that is not there.
    pub const NEVER: Self = Self(0);

    /// The revision after this one.
    pub(crate) fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("a store that commits each nanosecond takes 584 years to get here"))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "r{}", self.0)
    }
}

/// A prefix obeys the rules of a key, but may be empty: then it matches every key.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), Error> {
    check_text(prefix)
}

fn check_text(text: &str) -> Result<(), Error> {
    if text.len() > KEY_BYTES_MAX {
        return Err(Error::invalid(format!("a key of {} bytes is longer than {KEY_BYTES_MAX}", text.len())));
    }
    if let Some(bad) = text.chars().find(|letter| !letter.is_ascii_graphic()) {
        return Err(Error::invalid(format!(
            "a key holds {bad:?}; only printable ASCII without spaces may stand there"
        )));
    }
    Ok(())
}
