//! Every limit of the coordinator, with its unit, its reason and what happens when it is reached.
//!
//! What this decides: how large keys, values, transactions, the store and its change log may grow, the
//! same for each back end. What it does not: how a back end lays the bytes out.
//!
//! Invariant (S15): a store within these limits fits its back end with room to spare, so that a delete
//! is always possible in a full store.

use crate::Key;

/// Longest key. LMDB takes 511 bytes; a NonStop name with its prefix takes about 40.
/// A longer one is `Error::Invalid`.
pub const KEY_BYTES_MAX: usize = 255;

/// Largest value. A pair record takes about 200 bytes, a domain list of a few hundred servers fits too.
/// A larger one is `Error::Invalid`.
pub const VALUE_BYTES_MAX: usize = 16 * 1024;

/// Most compares and writes together in one transaction. etcd takes 128 of each unless told otherwise; eight
/// are left for what its back end adds. More of them is `Error::Invalid`.
pub const TRANSACTION_OPERATIONS_MAX: usize = 120;

/// Largest sum of keys and values in one transaction; below the 1.5 MiB that etcd accepts in a request.
/// More is `Error::Invalid`.
pub const TRANSACTION_BYTES_MAX: usize = 1024 * 1024;

/// Largest sum of stored records, overhead counted: 5,000 names with records of 200 bytes take 1.4 MiB.
/// A commit that would grow a store past it is `Error::Unavailable`; deletes go on working.
pub const DATA_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Most changes the change log holds. Past it each commit drops the oldest, as many as it adds: trimming
/// in lots would make one commit in some hundreds, perhaps a takeover, forty times slower. Who asks for
/// dropped changes is told `Changes::Compacted`.
pub const CHANGES_KEPT_MAX: u64 = 4096;

/// Most bytes the change log holds, whatever the number of changes; trimmed as by number.
pub const CHANGES_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Most attempts of `Coordinator::next_number` to win its compare-and-set. Each lost attempt means that
/// another process got its number, so this is reached only in a store that is broken or besieged;
/// then `Error::Unavailable`.
pub const NUMBER_ATTEMPTS_MAX: u32 = 1_000;

/// What a record costs beside its key and value: node header, revision, its share of the tree above.
const RECORD_OVERHEAD_BYTES: u64 = 32;

/// What a record counts against [`DATA_BYTES_MAX`], and its change against [`CHANGES_BYTES_MAX`].
pub(crate) fn record_bytes(key: &Key, value: &[u8]) -> u64 {
    key.as_str().len() as u64 + value.len() as u64 + RECORD_OVERHEAD_BYTES
}

/// Whether a change log of this size must be trimmed.
pub(crate) fn log_is_over(count: u64, bytes: u64) -> bool {
    count > CHANGES_KEPT_MAX || bytes > CHANGES_BYTES_MAX
}
