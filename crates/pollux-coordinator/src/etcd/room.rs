//! How much a handle may write before it measures the store again.
//!
//! What this decides: whether a commit may go without a look at the sizes. What it does not: the sizes.
//!
//! Invariant (S15): the limit of the data is soft here, since no transaction of etcd can add up sizes. A
//! handle that measured takes a share of the room that is left and measures again when it has written as
//! much; with as many handles as a node has CPUs, all shares together are what is left. A store that
//! others fill meanwhile may go past the limit by what they hold, at most its double.

use crate::DATA_BYTES_MAX;

/// Handles that write at the same time: one per CPU of a node.
const WRITERS: u64 = 16;

/// What one handle may write without a look.
#[derive(Debug, Default)]
pub(super) struct Room {
    left: u64,
}

impl Room {
    /// Whether so many bytes may be written; all count as growth, also what replaces something.
    pub(super) fn has(&self, bytes: u64) -> bool {
        bytes <= self.left
    }

    /// So many bytes were written.
    pub(super) fn take(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// The store holds so many bytes.
    pub(super) fn measured(&mut self, stored: u64) {
        self.left = DATA_BYTES_MAX.saturating_sub(stored) / WRITERS;
    }
}
