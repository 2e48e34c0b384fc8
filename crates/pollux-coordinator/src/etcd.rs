//! The store of several hosts: etcd, whose majority decides.
//!
//! What this decides: nothing by itself; etcd's transactions do. It says what to ask, and what an answer or
//! its absence means. What it does not: detect a death, or hold a lease. A lease is no mutual exclusion:
//! its holder may be stopped and go on after it ended; the compare at the write is what decides.
//!
//! Invariants:
//! * A read sees all that was committed before it began (S7): all reads are linearizable.
//! * A commit is sent once. Where its answer is lost the result is `Unknown`, and the caller's next look
//!   tells; all writes of the daemon carry a compare, so that a late one loses against a repeated one (S14).
//! * S9, S11: numbers and revisions go on for as long as etcd keeps its data. A handle notices that it was
//!   given other data and refuses everything; but an etcd that is put back to an old backup while no
//!   process of the node runs cannot be noticed, and must not happen.
//!
//! ```text
//!  caller's thread      layout + request (pure)      link                        etcd, 1 to 7 members
//!     | commit             |                           |                               |
//!     |------------------->| compares, writes,         | probe, if no answer of late   |
//!     |                    | log entry, trimmed ones   |------------------------------>|
//!     |                    |-------------------------->| one transaction, sent once    |
//!     |                    |                           |------------------------------>|
//!     |<-- Committed, Conflict (from the same revision), or Unknown when no answer ----|
//! ```
//!
//! The revision is etcd's own. It grows by one per transaction where the store is alone in its etcd, and by
//! more where others write there too.

mod failure;
mod link;
mod messages;
mod request;
mod room;
mod trimmer;

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};

use crate::etcd_layout::{self as layout, Keys, LogSize};
use crate::key::check_prefix;
use crate::limits::record_bytes;
use crate::place::EtcdPlace;
use crate::{
    Changes, Coordinator, DATA_BYTES_MAX, Error, Key, Outcome, Revision, Transaction, Versioned, Write,
};
use link::{Link, Unanswered};
use messages::{TxnRequest, TxnResponse};
use request::{Answer, Companions, Existence};
use room::Room;
use trimmer::Trimmer;

/// Most times that a commit is tried while others make and remove the very keys it deletes without a
/// compare on them.
const ASSUMPTIONS_MAX: u32 = 100;

/// A handle to a store in etcd, with a connection of its own.
///
/// Calls block, for the limit of its address at most. The connection lives only within calls: nothing runs
/// between them.
pub struct Etcd {
    /// Declared before the runtime, which must outlive the connection.
    link: RefCell<Link>,
    runtime: Runtime,
    keys: Keys,
    identity: Vec<u8>,
    /// Names the log entries of this handle, with `number`.
    writer: u64,
    number: u64,
    trimmer: Trimmer,
    room: Room,
    shown: String,
}

impl Etcd {
    /// Opens the store; creates it when there is none below the prefix.
    pub fn open(place: &EtcdPlace) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::unavailable(format!("cannot start a runtime for etcd: {error}")))?;
        let mut store = Self {
            link: RefCell::new(Link::new(place)?),
            runtime,
            keys: Keys::new(&place.prefix),
            identity: Vec::new(),
            writer: random(),
            number: 0,
            trimmer: Trimmer::default(),
            room: Room::default(),
            shown: format!("etcd://{}/{}", place.endpoints.join(","), place.prefix),
        };
        store.identity = store.create_or_find(Instant::now() + place.limit)?;
        Ok(store)
    }

    fn create_or_find(&self, deadline: Instant) -> Result<Vec<u8>, Error> {
        loop {
            let found = self.read(&request::probe(&self.keys))?;
            let found = request::ranges(&found, 1)?.next().and_then(|range| range.kvs.first());
            if let Some(found) = found {
                layout::check_identity(&found.value)?;
                return Ok(found.value.clone());
            }
            let own = layout::encode_identity(u128::from(random()) << 64 | u128::from(random()));
            let create = request::create(&self.keys, &own, self.writer);
            match self.write(&create, |_| Ok(())) {
                // Done, done by somebody else, or perhaps done: the next look tells.
                Ok(_) | Err(Unanswered::Unknown(_)) if Instant::now() < deadline => {}
                Ok(_) => {}
                Err(Unanswered::Unknown(reason)) => {
                    return Err(Error::unavailable(format!("cannot create the store: {reason}")));
                }
                Err(Unanswered::NotDone(error)) => return Err(error),
            }
        }
    }

    fn read(&self, request: &TxnRequest) -> Result<TxnResponse, Error> {
        self.runtime.block_on(self.link.borrow_mut().read(request))
    }

    fn write(
        &self,
        request: &TxnRequest,
        check: impl Fn(&TxnResponse) -> Result<(), Error>,
    ) -> Result<TxnResponse, Unanswered> {
        let probe = request::probe(&self.keys);
        self.runtime.block_on(self.link.borrow_mut().write(request, &probe, check))
    }

    fn look<'a>(&self, wanted: impl Iterator<Item = &'a Key>) -> Result<Vec<Option<Versioned>>, Error> {
        let request = request::look(&self.keys, wanted);
        let answer = self.read(&request)?;
        let ranges = request::ranges(&answer, request.success.len())?;
        ranges.map(|range| range.kvs.first().map(request::versioned).transpose()).collect()
    }

    /// The transaction without its writes: whether its compares hold.
    fn judge(&self, transaction: &Transaction) -> Result<Outcome, Error> {
        let question = Transaction { compares: transaction.compares.clone(), writes: Vec::new() };
        let companions = Companions { writer: self.writer, number: self.number, trimmed: Vec::new() };
        let sent = request::commit(&self.keys, &self.identity, &question, &Existence::default(), &companions);
        let answer = self.read(&sent.request)?;
        match request::commit_answer(&sent, &question, &self.identity, &answer)? {
            Answer::Ended(outcome) => Ok(outcome),
            Answer::Assumed(_) => Err(Error::corrupt("etcd says that a compare fails which holds")),
        }
    }

    /// Looks at the sizes when this handle has written what it may; an error when the store is full.
    fn make_room(&mut self, transaction: &Transaction, bytes: u64) -> Result<(), Error> {
        if self.room.has(bytes) || transaction.writes.is_empty() {
            return Ok(());
        }
        // What only replaces something goes on in a full store.
        let before = self.look(transaction.writes.iter().map(Write::key))?;
        let sizes = transaction.writes.iter().zip(&before);
        let before: u64 =
            sizes.filter_map(|(write, found)| Some(record_bytes(write.key(), &found.as_ref()?.value))).sum();
        if bytes <= before {
            return Ok(());
        }
        let stored = self.list("")?.iter().map(|(key, found)| record_bytes(key, &found.value)).sum::<u64>();
        if stored - before.min(stored) + bytes > DATA_BYTES_MAX {
            return Err(Error::unavailable(format!(
                "the store is full ({DATA_BYTES_MAX} bytes); delete something"
            )));
        }
        self.room.measured(stored);
        Ok(())
    }

    fn look_at_log(&mut self) -> Result<(), Error> {
        let answer = self.read(&request::log_names(&self.keys))?;
        let range = request::ranges(&answer, 1)?.next().expect("counted");
        let names = range.kvs.iter().map(|found| Ok((found.key.clone(), LogSize::decode(&found.key)?)));
        self.trimmer.learn(names.collect::<Result<_, Error>>()?);
        Ok(())
    }

    /// What is known about the keys that are deleted, after a look at those that no compare speaks of.
    fn existence(&self, transaction: &Transaction) -> Result<Existence, Error> {
        let mut existence = Existence::implied(transaction);
        let unknown = existence.unknown(transaction);
        if !unknown.is_empty() {
            let found = self.look(unknown.iter().copied())?;
            for (key, found) in unknown.into_iter().zip(found) {
                existence.learn(key, found.is_some());
            }
        }
        Ok(existence)
    }

    fn try_commit(&mut self, transaction: &Transaction, existence: &Existence) -> Result<Answer, Error> {
        let adding = request::log_size(transaction, existence);
        let trimmed = self.trimmer.victims(adding, request::trimmed_max(transaction));
        let trimmed_count = trimmed.len();
        let companions = Companions { writer: self.writer, number: self.number, trimmed };
        let sent = request::commit(&self.keys, &self.identity, transaction, existence, &companions);
        if sent.logged.is_none() {
            let answer = self.read(&sent.request)?;
            return request::commit_answer(&sent, transaction, &self.identity, &answer);
        }
        let check =
            |probe: &TxnResponse| request::check_identity(request::ranges(probe, 1)?.next(), &self.identity);
        let answer = match self.write(&sent.request, check) {
            Ok(answer) => answer,
            Err(Unanswered::NotDone(error)) => return Err(error),
            Err(Unanswered::Unknown(reason)) => {
                self.trimmer.forget();
                return Err(Error::unknown(format!("{reason}; read the record to find out")));
            }
        };
        let answer = request::commit_answer(&sent, transaction, &self.identity, &answer)?;
        if let (Answer::Ended(Outcome::Committed(_)), Some(size)) = (&answer, sent.logged) {
            self.trimmer.committed(size, trimmed_count);
        }
        Ok(answer)
    }
}

impl Coordinator for Etcd {
    fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        Ok(self.look(std::iter::once(key))?.pop().flatten())
    }

    fn list(&self, prefix: &str) -> Result<Vec<(Key, Versioned)>, Error> {
        check_prefix(prefix)?;
        let answer = self.read(&request::scan(self.keys.data_range(prefix)))?;
        let range = request::ranges(&answer, 1)?.next().expect("counted");
        let records = range.kvs.iter();
        records.map(|found| Ok((self.keys.decode_data(&found.key)?, request::versioned(found)?))).collect()
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Outcome, Error> {
        transaction.check()?;
        let bytes = request::put_bytes(transaction);
        if let Err(full) = self.make_room(transaction, bytes) {
            // A broken compare is the truer answer: who lost need not delete anything.
            return match self.judge(transaction)? {
                conflict @ Outcome::Conflict { .. } => Ok(conflict),
                Outcome::Committed(_) => Err(full),
            };
        }
        if !transaction.writes.is_empty() && self.trimmer.wants_names() {
            self.look_at_log()?;
        }
        let mut existence = self.existence(transaction)?;
        for _ in 0..ASSUMPTIONS_MAX {
            self.number += 1;
            match self.try_commit(transaction, &existence)? {
                Answer::Ended(outcome) => {
                    if matches!(outcome, Outcome::Committed(_)) {
                        self.room.take(bytes);
                    }
                    return Ok(outcome);
                }
                Answer::Assumed(found) => existence = found,
            }
        }
        Err(Error::unavailable(format!(
            "{ASSUMPTIONS_MAX} others made or removed the same keys first; try again"
        )))
    }

    fn revision(&self) -> Result<Revision, Error> {
        request::store_revision(&self.read(&request::probe(&self.keys))?)
    }

    fn changes(&self, prefix: &str, after: Revision) -> Result<Changes, Error> {
        check_prefix(prefix)?;
        // Who has seen everything, as most watchers most of the time, does not cost a walk over the log.
        let through = self.revision()?;
        if through == after {
            return Ok(Changes::Since { changes: Vec::new(), through });
        }
        let answer = self.read(&request::log_after(&self.keys, after))?;
        let through = request::store_revision(&answer)?;
        let mut ranges = request::ranges(&answer, 2)?;
        let (oldest, entries) = (ranges.next().expect("counted"), ranges.next().expect("counted"));
        let Some(oldest) = oldest.kvs.first() else { return Ok(Changes::Compacted) };
        if after > through || after.next() < layout::revision(oldest.mod_revision)? {
            return Ok(Changes::Compacted);
        }
        let mut changes = Vec::new();
        for entry in &entries.kvs {
            match layout::decode_log(&entry.value, layout::revision(entry.mod_revision)?)? {
                Some(of_one_transaction) => changes.extend(of_one_transaction),
                None => return Ok(Changes::Compacted),
            }
        }
        changes.retain(|change| change.key().as_str().starts_with(prefix));
        Ok(Changes::Since { changes, through })
    }
}

impl fmt::Debug for Etcd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Etcd").field("place", &self.shown).finish_non_exhaustive()
    }
}

/// The standard library draws the keys of its hash tables from the kernel; a number hashed with them is as
/// unlike any other as this needs: it names a writer, not a secret.
fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
