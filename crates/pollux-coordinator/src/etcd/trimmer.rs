//! Which log entries a commit takes away, so that the change log stays within its limits.
//!
//! What this decides: the names of the entries to trim. What it does not: when it is told the names anew;
//! it says when it wants them.
//!
//! Invariants:
//! * Entries are trimmed oldest first, without a gap, whoever trims. Names are read from one moment and
//!   only their front is trimmed; what came later is newer than all of them. So the oldest entry in the
//!   store tells how far back the log reaches.
//! * S15: the log's limits are soft here: between two looks a handle does not see what other handles add.
//!   Each looks again after [`LOOK_CHANGES`] or [`LOOK_BYTES`] of its own, so 16 CPUs overshoot by at most
//!   16 times that.

use std::collections::VecDeque;

use super::layout::LogSize;
use crate::limits::log_is_over;

/// Changes of one handle between two looks. A look costs some milliseconds when the log is full.
const LOOK_CHANGES: u64 = 512;
/// Bytes of one handle between two looks.
const LOOK_BYTES: u64 = 256 * 1024;

/// What one handle knows of the log.
#[derive(Debug, Default)]
pub(super) struct Trimmer {
    /// All entries there were at the last look, less those trimmed since, the oldest first.
    oldest: VecDeque<(Vec<u8>, LogSize)>,
    changes: u64,
    bytes: u64,
    /// Added by this handle since the last look.
    added: LogSize,
    /// False until the first look, and after a commit of which nobody knows whether it trimmed.
    has_looked: bool,
}

impl Trimmer {
    /// Whether the names must be read before the next commit that writes.
    pub(super) fn wants_names(&self) -> bool {
        let seen_all = self.added.changes >= LOOK_CHANGES || self.added.bytes >= LOOK_BYTES;
        let used_up = self.oldest.is_empty() && log_is_over(self.changes, self.bytes);
        !self.has_looked || seen_all || used_up
    }

    /// All entries of the log, the oldest first.
    pub(super) fn learn(&mut self, names: Vec<(Vec<u8>, LogSize)>) {
        self.changes = names.iter().map(|(_, size)| size.changes).sum();
        self.bytes = names.iter().map(|(_, size)| size.bytes).sum();
        self.oldest = names.into();
        self.added = LogSize::default();
        self.has_looked = true;
    }

    /// The entries to trim together with a commit that adds `adding`, `most` at most.
    pub(super) fn victims(&self, adding: LogSize, most: usize) -> Vec<&[u8]> {
        let mut changes = self.changes + adding.changes;
        let mut bytes = self.bytes + adding.bytes;
        let mut victims = Vec::new();
        for (name, size) in self.oldest.iter().take(most) {
            if !log_is_over(changes, bytes) {
                break;
            }
            changes -= size.changes;
            bytes -= size.bytes;
            victims.push(name.as_slice());
        }
        victims
    }

    /// A commit added this and trimmed so many entries.
    pub(super) fn committed(&mut self, adding: LogSize, trimmed: usize) {
        for (_, size) in self.oldest.drain(..trimmed) {
            self.changes -= size.changes;
            self.bytes -= size.bytes;
        }
        self.changes += adding.changes;
        self.bytes += adding.bytes;
        self.added.changes += adding.changes;
        self.added.bytes += adding.bytes;
    }

    /// Nobody knows whether a commit was done.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CHANGES_BYTES_MAX, CHANGES_KEPT_MAX};

    const ONE: LogSize = LogSize { changes: 1, bytes: 100 };

    fn entries(count: u64, size: LogSize) -> Vec<(Vec<u8>, LogSize)> {
        (0..count).map(|n| (n.to_be_bytes().to_vec(), size)).collect()
    }

    #[test]
    fn a_full_log_gives_as_many_entries_as_it_gets() {
        // The log would grow without end, or a commit now and then would carry thousands of deletes.
        let mut trimmer = Trimmer::default();
        assert!(trimmer.wants_names());
        trimmer.learn(entries(CHANGES_KEPT_MAX, ONE));
        for n in 0..LOOK_CHANGES {
            assert!(!trimmer.wants_names());
            assert_eq!(trimmer.victims(ONE, 7), [n.to_be_bytes()]);
            trimmer.committed(ONE, 1);
        }
        assert!(trimmer.wants_names());
    }

    #[test]
    fn large_entries_count_by_their_bytes_and_a_commit_trims_a_bounded_number() {
        // A few large values, or one handle that slept, would make a request that etcd refuses.
        let mut trimmer = Trimmer::default();
        trimmer.learn(entries(10_000, LogSize { changes: 1, bytes: CHANGES_BYTES_MAX / 100 }));
        assert_eq!(trimmer.victims(ONE, 7).len(), 7);
        trimmer.learn(entries(100, LogSize { changes: 1, bytes: CHANGES_BYTES_MAX / 100 }));
        assert_eq!(trimmer.victims(ONE, 7).len(), 1);
        trimmer.forget();
        assert!(trimmer.wants_names() && trimmer.victims(ONE, 7).is_empty());
    }
}
