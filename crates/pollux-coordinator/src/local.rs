//! The store of one host: an LMDB environment in the node's run directory, opened by every CPU daemon.
//!
//! What this decides: the outcome of transactions among the processes of one host. What it does not:
//! survive a reboot of the machine. The processes whose names, pairs and epochs it holds do not either,
//! so at the first open after a reboot the store begins anew, above all numbers it ever gave (S9, S11).
//!
//! Invariant: whatever instant any of its processes is killed at, the others see either all of a
//! transaction or nothing of it, and go on at once. LMDB gives both: a commit becomes visible by one
//! write into a meta page, and its locks are robust mutexes that the kernel hands on.
//!
//! ```text
//! run directory (0700 or 0750, owned by the daemon's user)
//!   coordinator.boot   format version, boot id, generation, state   run_directory.rs
//!   data.mdb           32 MiB, reserved on disk at creation         layout.rs
//!   lock.mdb           16 KiB, reserved too: LMDB's locks and reader table
//! ```

#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod layout;
mod lmdb;
mod registry;
mod run_directory;

use std::fmt;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use heed::types::Bytes;
use heed::{Database, Env, RoTxn, RwTxn, WithTls};

use crate::key::check_prefix;
use crate::limits::{log_is_over, record_bytes};
use crate::{
    Changes, Coordinator, DATA_BYTES_MAX, Error, Key, Outcome, Revision, Transaction, Versioned, Write,
};
use layout::Header;
use run_directory::{RunDirectory, Stage};

/// Commits of one handle between two looks for reader slots of dead processes. A dead reader's slot
/// keeps old pages alive (S15); the look costs about a microsecond per process.
const STALE_READERS_COMMITS: u32 = 64;

/// Numbers one generation of the store has for itself. 2^40 at one per microsecond last twelve days of
/// nothing else, and leave room for 2^24 reboots.
const GENERATION_NUMBERS: u64 = 1 << 40;

/// A handle to the store of one host. Handles of one process share one environment.
///
/// A process that has a handle may start programs (fork and exec), but a forked child must not use the
/// handle. All processes of a node must be in one PID namespace: LMDB tells dead readers by their pids.
pub struct Local {
    /// `None` only within `drop`, which must close the environment before it lets others open it.
    shared: Option<Arc<Shared>>,
    commits: u32,
}

impl Local {
    /// Opens the store in `directory`; creates it when there is none, or only one of an earlier boot.
    ///
    /// The directory must exist, belong to the caller, and be closed to others (0700 or 0750).
    pub fn create_or_open(directory: &Path) -> Result<Self, Error> {
        Self::open_for_boot(directory, &run_directory::boot_id()?)
    }

    fn open_for_boot(directory: &Path, boot_id: &str) -> Result<Self, Error> {
        let directory = RunDirectory::enter(directory)?;
        let shared = registry::get_or_open(directory.identity(), || Shared::open(&directory, boot_id))?;
        Ok(Self { shared: Some(shared), commits: 0 })
    }

    fn shared(&self) -> &Shared {
        self.shared.as_ref().expect("only drop takes it")
    }

    /// For tests of crashes only: enters a write transaction, does the writes of `partial` in it, calls
    /// `inside`, and gives the transaction up.
    #[doc(hidden)]
    pub fn hold_write_transaction(&self, partial: &Transaction, inside: impl FnOnce()) -> Result<(), Error> {
        let shared = self.shared();
        let mut txn = shared.env.write_txn().map_err(|error| lmdb::refused("begin", &error))?;
        let mut header = shared.header(&txn)?;
        shared.write(&mut txn, &mut header, &partial.writes)?;
        inside();
        Ok(())
    }
}

impl Coordinator for Local {
    fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        let shared = self.shared();
        let txn = shared.begin_read()?;
        shared.current(&txn, key)
    }

    fn list(&self, prefix: &str) -> Result<Vec<(Key, Versioned)>, Error> {
        check_prefix(prefix)?;
        let shared = self.shared();
        let txn = shared.begin_read()?;
        shared.list(&txn, prefix)
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Outcome, Error> {
        transaction.check()?;
        self.commits = self.commits.wrapping_add(1);
        if self.commits.is_multiple_of(STALE_READERS_COMMITS) {
            self.shared().clear_stale_readers()?;
        }
        match self.shared().commit(transaction) {
            // Readers that died may have kept the pages this commit lacks.
            Err(Error::Unavailable { .. }) if self.shared().clear_stale_readers()? > 0 => {
                self.shared().commit(transaction)
            }
            result => result,
        }
    }

    fn revision(&self) -> Result<Revision, Error> {
        let shared = self.shared();
        let txn = shared.begin_read()?;
        Ok(shared.header(&txn)?.revision)
    }

    fn changes(&self, prefix: &str, after: Revision) -> Result<Changes, Error> {
        check_prefix(prefix)?;
        let shared = self.shared();
        let txn = shared.begin_read()?;
        shared.changes(&txn, prefix, after)
    }

    fn counter_floor(&self) -> Result<u64, Error> {
        Ok(self.shared().floor)
    }
}

impl Clone for Local {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), commits: 0 }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            registry::release(shared);
        }
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Local").field("directory", &self.shared().env.path()).finish_non_exhaustive()
    }
}

/// What the handles of one process share: LMDB allows one environment per file and process.
///
/// No transaction outlives a call, and reader slots are kept per thread (`WithTls`), so that only the
/// first read of a thread touches the reader table's mutex. That is as close to "readers never block" as
/// LMDB gets: a process would have to be stopped within those few instructions.
struct Shared {
    env: Env<WithTls>,
    data: Database<Bytes, Bytes>,
    log: Database<Bytes, Bytes>,
    meta: Database<Bytes, Bytes>,
    floor: u64,
}

impl Shared {
    fn open(directory: &RunDirectory, boot_id: &str) -> Result<Self, Error> {
        let _turn = directory.take_turn()?;
        let stage = directory.begin(boot_id)?;
        let (Stage::Fresh(generation) | Stage::Existing(generation)) = stage;
        let floor = generation
            .checked_mul(GENERATION_NUMBERS)
            .ok_or_else(|| Error::corrupt(format!("generation {generation} is out of range")))?;
        let env = lmdb::open(directory.path())?;
        let shared = match stage {
            Stage::Fresh(_) => Self::create(env, floor)?,
            Stage::Existing(_) => Self::find(env, floor)?,
        };
        if let Stage::Fresh(generation) = stage {
            directory.warm()?;
            directory.finish(boot_id, generation)?;
        }
        shared.clear_stale_readers()?;
        Ok(shared)
    }

    fn create(env: Env<WithTls>, floor: u64) -> Result<Self, Error> {
        let refused = |error: heed::Error| lmdb::refused("create the databases", &error);
        let mut txn = env.write_txn().map_err(refused)?;
        let data = env.create_database(&mut txn, Some("data")).map_err(refused)?;
        let log = env.create_database(&mut txn, Some("log")).map_err(refused)?;
        let meta: Database<Bytes, Bytes> = env.create_database(&mut txn, Some("meta")).map_err(refused)?;
        meta.put(&mut txn, layout::HEADER_KEY, &Header::new(Revision(floor)).encode()).map_err(refused)?;
        txn.commit().map_err(refused)?;
        Ok(Self { env, data, log, meta, floor })
    }

    /// With a read transaction, so that a stopped writer does not keep a new CPU from opening.
    fn find(env: Env<WithTls>, floor: u64) -> Result<Self, Error> {
        let refused = |error: heed::Error| lmdb::refused("open the databases", &error);
        let txn = env.read_txn().map_err(refused)?;
        let find = |name| {
            env.open_database(&txn, Some(name))
                .map_err(refused)?
                .ok_or_else(|| Error::corrupt(format!("data.mdb has no database {name:?}")))
        };
        let (data, log, meta) = (find("data")?, find("log")?, find("meta")?);
        txn.commit().map_err(refused)?;
        Ok(Self { env, data, log, meta, floor })
    }

    fn begin_read(&self) -> Result<RoTxn<'_, WithTls>, Error> {
        self.env.read_txn().map_err(|error| lmdb::refused("begin to read", &error))
    }

    fn clear_stale_readers(&self) -> Result<usize, Error> {
        self.env.clear_stale_readers().map_err(|error| lmdb::refused("clear stale readers", &error))
    }

    fn commit(&self, transaction: &Transaction) -> Result<Outcome, Error> {
        if transaction.writes.is_empty() {
            let txn = self.begin_read()?;
            return match self.conflict(&txn, transaction)? {
                Some(conflict) => Ok(conflict),
                None => Ok(Outcome::Committed(self.header(&txn)?.revision)),
            };
        }
        let mut txn = self.env.write_txn().map_err(|error| lmdb::refused("begin to write", &error))?;
        // Every return before `txn.commit()` drops the transaction, and LMDB forgets its writes.
        if let Some(conflict) = self.conflict(&txn, transaction)? {
            return Ok(conflict);
        }
        let mut header = self.header(&txn)?;
        if !self.write(&mut txn, &mut header, &transaction.writes)? {
            return Ok(Outcome::Committed(header.revision));
        }
        txn.commit().map_err(|error| lmdb::commit_failed(&error))?;
        Ok(Outcome::Committed(header.revision))
    }

    fn conflict(&self, txn: &RoTxn<'_>, transaction: &Transaction) -> Result<Option<Outcome>, Error> {
        for compare in &transaction.compares {
            let current = self.current(txn, compare.key())?;
            if !compare.holds(current.as_ref()) {
                return Ok(Some(Outcome::Conflict { key: compare.key().clone(), current }));
            }
        }
        Ok(None)
    }

    /// Does the writes in `txn`; true when they changed anything.
    fn write(&self, txn: &mut RwTxn<'_>, header: &mut Header, writes: &[Write]) -> Result<bool, Error> {
        let refused = |error: heed::Error| lmdb::refused("write", &error);
        let revision = header.revision.next();
        let data_bytes_before = header.data_bytes;
        let mut changed = 0_u32;
        for write in writes {
            let key = write.key();
            let name = key.as_str().as_bytes();
            let before = self.data.get(txn, name).map_err(refused)?;
            let was_there = before.is_some();
            if let Some(record) = before {
                header.data_bytes -= record_bytes(key, layout::decode_record(record)?.1);
            }
            let value = match write {
                Write::Put(_, value) => {
                    self.data.put(txn, name, &layout::encode_record(revision, value)).map_err(refused)?;
                    header.data_bytes += record_bytes(key, value);
                    Some(value.as_slice())
                }
                Write::Delete(_) if was_there => {
                    self.data.delete(txn, name).map_err(refused)?;
                    None
                }
                Write::Delete(_) => continue,
            };
            let position = layout::encode_log_key(revision, changed);
            self.log.put(txn, &position, &layout::encode_change(key, value)).map_err(refused)?;
            header.log_count += 1;
            header.log_bytes += record_bytes(key, value.unwrap_or_default());
            changed += 1;
        }
        if header.data_bytes > DATA_BYTES_MAX && header.data_bytes > data_bytes_before {
            return Err(Error::unavailable(format!(
                "the store is full ({DATA_BYTES_MAX} bytes); delete something"
            )));
        }
        if changed == 0 {
            return Ok(false);
        }
        header.revision = revision;
        self.trim(txn, header)?;
        self.meta.put(txn, layout::HEADER_KEY, &header.encode()).map_err(refused)?;
        Ok(true)
    }

    fn trim(&self, txn: &mut RwTxn<'_>, header: &mut Header) -> Result<(), Error> {
        let refused = |error: heed::Error| lmdb::refused("trim the change log", &error);
        while log_is_over(header.log_count, header.log_bytes) {
            let Some((position, entry)) = self.log.first(txn).map_err(refused)? else {
                return Err(Error::corrupt("the change log is shorter than its header says"));
            };
            let position = position.to_vec();
            let change = layout::decode_change(&position, entry)?;
            header.log_count -= 1;
            header.log_bytes -= layout::change_bytes(&change);
            header.compacted = change.revision();
            self.log.delete(txn, &position).map_err(refused)?;
        }
        Ok(())
    }

    fn header(&self, txn: &RoTxn<'_>) -> Result<Header, Error> {
        let found = self.meta.get(txn, layout::HEADER_KEY).map_err(|error| lmdb::refused("read", &error))?;
        Header::decode(found.ok_or_else(|| Error::corrupt("data.mdb has no header"))?)
    }

    fn current(&self, txn: &RoTxn<'_>, key: &Key) -> Result<Option<Versioned>, Error> {
        let found =
            self.data.get(txn, key.as_str().as_bytes()).map_err(|error| lmdb::refused("read", &error))?;
        found.map(versioned).transpose()
    }

    fn list(&self, txn: &RoTxn<'_>, prefix: &str) -> Result<Vec<(Key, Versioned)>, Error> {
        let refused = |error: heed::Error| lmdb::refused("list", &error);
        // LMDB has no empty key to begin at; "!" is the first character a key may hold.
        let start = if prefix.is_empty() { "!" } else { prefix };
        let range = (Bound::Included(start.as_bytes()), Bound::Unbounded);
        let mut listed = Vec::new();
        for record in self.data.range(txn, &range).map_err(refused)? {
            let (name, record) = record.map_err(refused)?;
            if !name.starts_with(prefix.as_bytes()) {
                break;
            }
            listed.push((layout::decode_key(name)?, versioned(record)?));
        }
        Ok(listed)
    }

    fn changes(&self, txn: &RoTxn<'_>, prefix: &str, after: Revision) -> Result<Changes, Error> {
        let refused = |error: heed::Error| lmdb::refused("read the change log", &error);
        let header = self.header(txn)?;
        if after < header.compacted || after > header.revision {
            return Ok(Changes::Compacted);
        }
        let start = layout::encode_log_key(after.next(), 0);
        let range = (Bound::Included(start.as_slice()), Bound::Unbounded);
        let mut changes = Vec::new();
        for entry in self.log.range(txn, &range).map_err(refused)? {
            let (position, entry) = entry.map_err(refused)?;
            let change = layout::decode_change(position, entry)?;
            if change.key().as_str().starts_with(prefix) {
                changes.push(change);
            }
        }
        Ok(Changes::Since { changes, through: header.revision })
    }
}

fn versioned(record: &[u8]) -> Result<Versioned, Error> {
    let (revision, value) = layout::decode_record(record)?;
    Ok(Versioned { value: value.to_vec(), revision })
}

#[cfg(test)]
mod tests;
