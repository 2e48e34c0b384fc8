//! A transaction of ours as one of etcd's, and etcd's answer as an outcome of ours.
//!
//! What this decides: the request of each call, and what an answer means. What it does not: when it is
//! sent. Pure: no clock, no network.
//!
//! Invariants:
//! * Every read asks for at least one range. etcd takes a transaction without one for a *serializable*
//!   read, and answers from a member that may be behind (S7).
//! * Every write compares the store's identity, so that an etcd that lost its data, or was given other
//!   data, cannot make revisions and counters begin again unseen (S9, S11).
//! * All that a request compares is read where the compares fail, in the same revision; so the broken
//!   compare is named from what etcd judged.
//!
//! etcd allows 128 compares, and 128 operations, per transaction. Ours have 120 together, so there is room
//! for the compare of the identity, the log entry, and at least seven entries that are trimmed.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{self, KeyRange, Keys, LogSize};
use super::messages::{
    Compare as EtcdCompare, CompareResult, CompareTarget, CompareUnion, DeleteRangeRequest, KeyValue,
    PutRequest, RangeRequest, RangeResponse, Request, RequestOp, SortOrder, SortTarget, TxnRequest,
    TxnResponse,
};
use crate::limits::record_bytes;
use crate::{
    Compare, Error, Key, Outcome, Revision, TRANSACTION_OPERATIONS_MAX, Transaction, Versioned, Write,
};

/// etcd's default for `--max-txn-ops`.
const ETCD_OPERATIONS_MAX: usize = 128;
const _: () = assert!(TRANSACTION_OPERATIONS_MAX + 2 <= ETCD_OPERATIONS_MAX, "see the module's text");

/// Compares and writes that are sent, the latter twice: as data and as log entry. etcd takes 1.5 MiB, of
/// which keys, prefixes and framing may need a sixth.
const LOGGED_BYTES_MAX: u64 = 1280 * 1024;

/// Whether keys exist, as far as the compares of the same transaction, or an earlier read, tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Existence(BTreeMap<Key, bool>);

/// A commit as a request, and what is needed to read its answer.
pub(super) struct CommitRequest {
    pub(super) request: TxnRequest,
    /// Keys read where a compare fails, after the store's identity.
    keys_read: Vec<Key>,
    /// What the log grows by; nothing when nothing is written.
    pub(super) logged: Option<LogSize>,
}

/// What etcd said to a commit.
#[derive(Debug)]
pub(super) enum Answer {
    /// The transaction ended so.
    Ended(Outcome),
    /// Only what was assumed about the existence of deleted keys is not so. Nothing happened.
    Assumed(Existence),
}

impl Existence {
    /// What the compares of `transaction` imply once they hold.
    pub(super) fn implied(transaction: &Transaction) -> Self {
        let implied = transaction.compares.iter().map(|compare| match compare {
            Compare::Absent(key) | Compare::RevisionIs(key, Revision::NEVER) => (key.clone(), false),
            Compare::RevisionIs(key, _) | Compare::ValueIs(key, _) => (key.clone(), true),
        });
        Self(implied.collect())
    }

    pub(super) fn learn(&mut self, key: &Key, exists: bool) {
        self.0.insert(key.clone(), exists);
    }

    /// Deleted keys of which nothing is known.
    pub(super) fn unknown<'a>(&self, transaction: &'a Transaction) -> Vec<&'a Key> {
        let deleted = transaction.writes.iter().filter(|write| matches!(write, Write::Delete(_)));
        deleted.map(Write::key).filter(|key| !self.0.contains_key(key)).collect()
    }

    fn says(&self, key: &Key) -> Option<bool> {
        self.0.get(key).copied()
    }
}

/// What is written together with a transaction.
pub(super) struct Companions<'a> {
    pub(super) writer: u64,
    pub(super) number: u64,
    /// Keys of log entries that go.
    pub(super) trimmed: Vec<&'a [u8]>,
}

/// The request of a commit. `existence` must speak of every deleted key.
pub(super) fn commit(
    keys: &Keys,
    identity: &[u8],
    transaction: &Transaction,
    existence: &Existence,
    companions: &Companions<'_>,
) -> CommitRequest {
    let compared: BTreeSet<&Key> = transaction.compares.iter().map(Compare::key).collect();
    let mut compares: Vec<EtcdCompare> =
        transaction.compares.iter().map(|compare| etcd_compare(keys, compare)).collect();
    let mut keys_read: Vec<Key> = compared.iter().copied().cloned().collect();
    let mut writes: Vec<&Write> = Vec::new();
    for write in &transaction.writes {
        let Write::Delete(key) = write else {
            writes.push(write);
            continue;
        };
        let exists = existence.says(key).expect("the caller has looked");
        if !compared.contains(key) {
            compares.push(existence_is(keys, key, exists));
            keys_read.push(key.clone());
        }
        if exists {
            writes.push(write);
        }
    }
    compares.push(equal(CompareTarget::Value, keys.store(), CompareUnion::Value(identity.to_vec())));
    let mut failure = vec![get(keys.store())];
    failure.extend(keys_read.iter().map(|key| get(keys.data(key))));
    if writes.is_empty() {
        let request = TxnRequest { compare: compares, success: vec![get(keys.store())], failure };
        return CommitRequest { request, keys_read, logged: None };
    }
    let size = log_size(transaction, existence);
    let entry = if size.bytes > 0 { layout::encode_log(&writes) } else { layout::encode_log_left_out() };
    let mut operations: Vec<RequestOp> = writes
        .iter()
        .map(|write| match write {
            Write::Put(key, value) => put(keys.data(key), value.clone()),
            Write::Delete(key) => delete(keys.data(key)),
        })
        .collect();
    operations.push(put(keys.log(companions.writer, companions.number, size), entry));
    operations.extend(companions.trimmed.iter().map(|key| delete(key.to_vec())));
    let request = TxnRequest { compare: compares, success: operations, failure };
    CommitRequest { request, keys_read, logged: Some(size) }
}

/// What a commit adds to the log.
pub(super) fn log_size(transaction: &Transaction, existence: &Existence) -> LogSize {
    let changing = transaction.writes.iter().filter(|write| match write {
        Write::Put(..) => true,
        Write::Delete(key) => existence.says(key).unwrap_or(true),
    });
    let (mut changes, mut changed) = (0, 0);
    for write in changing {
        changes += 1;
        changed += record_bytes(write.key(), value_of(write));
    }
    let compared: usize = transaction.compares.iter().map(|compare| value_compared(compare).len()).sum();
    let fits = compared as u64 + 2 * changed <= LOGGED_BYTES_MAX;
    LogSize { changes, bytes: if fits { changed } else { 0 } }
}

/// How many log entries may be trimmed together with a transaction.
pub(super) fn trimmed_max(transaction: &Transaction) -> usize {
    ETCD_OPERATIONS_MAX - 1 - transaction.writes.len()
}

/// What the puts of a transaction count in the store.
pub(super) fn put_bytes(transaction: &Transaction) -> u64 {
    let puts = transaction.writes.iter().filter(|write| matches!(write, Write::Put(..)));
    puts.map(|write| record_bytes(write.key(), value_of(write))).sum()
}

/// What etcd's answer to a commit means.
pub(super) fn commit_answer(
    sent: &CommitRequest,
    transaction: &Transaction,
    identity: &[u8],
    answer: &TxnResponse,
) -> Result<Answer, Error> {
    let revision = store_revision(answer)?;
    if answer.succeeded {
        return Ok(Answer::Ended(Outcome::Committed(revision)));
    }
    let mut ranges = ranges(answer, sent.request.failure.len())?;
    check_identity(ranges.next(), identity)?;
    let mut current = BTreeMap::new();
    for (key, range) in sent.keys_read.iter().zip(ranges) {
        current.insert(key.clone(), range.kvs.first().map(versioned).transpose()?);
    }
    for compare in &transaction.compares {
        let found = current.get(compare.key()).cloned().flatten();
        if !compare.holds(found.as_ref()) {
            return Ok(Answer::Ended(Outcome::Conflict { key: compare.key().clone(), current: found }));
        }
    }
    let found = current.into_iter().map(|(key, found)| (key, found.is_some()));
    Ok(Answer::Assumed(Existence(found.collect())))
}

/// These keys, from one moment; not none, and no more than a transaction may have operations.
pub(super) fn look<'a>(keys: &Keys, wanted: impl IntoIterator<Item = &'a Key>) -> TxnRequest {
    let success = wanted.into_iter().map(|key| get(keys.data(key))).collect();
    TxnRequest { success, ..TxnRequest::default() }
}

/// The store's identity: what a server is asked that has not answered of late.
pub(super) fn probe(keys: &Keys) -> TxnRequest {
    TxnRequest { success: vec![get(keys.store())], ..TxnRequest::default() }
}

/// All keys of a range, in the order of their names.
pub(super) fn scan(range: KeyRange) -> TxnRequest {
    let range = RangeRequest { key: range.start, range_end: range.end, ..RangeRequest::default() };
    TxnRequest { success: vec![operation(Request::Range(range))], ..TxnRequest::default() }
}

/// The name of the oldest log entry, and all entries after a revision, the oldest first.
pub(super) fn log_after(keys: &Keys, after: Revision) -> TxnRequest {
    let KeyRange { start, end } = keys.log_range();
    let by_age = RangeRequest {
        key: start,
        range_end: end,
        sort_order: SortOrder::Ascend as i32,
        sort_target: SortTarget::Mod as i32,
        ..RangeRequest::default()
    };
    let oldest = RangeRequest { limit: 1, keys_only: true, ..by_age.clone() };
    // A revision that etcd cannot count up to is after all that it has.
    let wanted = RangeRequest { min_mod_revision: etcd_number(after).saturating_add(1), ..by_age };
    let success = vec![operation(Request::Range(oldest)), operation(Request::Range(wanted))];
    TxnRequest { success, ..TxnRequest::default() }
}

/// The names of all log entries, the oldest first.
pub(super) fn log_names(keys: &Keys) -> TxnRequest {
    let KeyRange { start, end } = keys.log_range();
    let names = RangeRequest {
        key: start,
        range_end: end,
        sort_order: SortOrder::Ascend as i32,
        sort_target: SortTarget::Mod as i32,
        keys_only: true,
        ..RangeRequest::default()
    };
    TxnRequest { success: vec![operation(Request::Range(names))], ..TxnRequest::default() }
}

/// Creates the store where there is none, and reads its identity where there is one. Its first log entry
/// has no changes: as long as it stands there, nothing was ever trimmed.
pub(super) fn create(keys: &Keys, identity: &[u8], writer: u64) -> TxnRequest {
    let birth = keys.log(writer, 0, LogSize { changes: 0, bytes: 0 });
    TxnRequest {
        compare: vec![equal(CompareTarget::Create, keys.store(), CompareUnion::CreateRevision(0))],
        success: vec![put(keys.store(), identity.to_vec()), put(birth, layout::encode_log(&[]))],
        failure: vec![get(keys.store())],
    }
}

/// The answers to the ranges of a request.
pub(super) fn ranges(
    answer: &TxnResponse,
    expected: usize,
) -> Result<impl Iterator<Item = &RangeResponse>, Error> {
    let found = answer.responses.iter().filter_map(|response| response.range.as_ref());
    if answer.responses.len() != expected || found.clone().count() != expected {
        return Err(Error::corrupt("etcd answered another question; is there an etcd 3.4 or newer?"));
    }
    Ok(found)
}

/// Refuses an answer of another store than the one that was opened.
pub(super) fn check_identity(found: Option<&RangeResponse>, identity: &[u8]) -> Result<(), Error> {
    match found.and_then(|range| range.kvs.first()) {
        Some(found) if found.value == identity => Ok(()),
        _ => Err(Error::corrupt(
            "etcd lost the store that this process opened, or has another one; stop the node before it is \
             started on what is there now",
        )),
    }
}

pub(super) fn versioned(found: &KeyValue) -> Result<Versioned, Error> {
    Ok(Versioned { value: found.value.clone(), revision: layout::revision(found.mod_revision)? })
}

pub(super) fn store_revision(answer: &TxnResponse) -> Result<Revision, Error> {
    let header = answer.header.as_ref().ok_or_else(|| Error::corrupt("an answer of etcd has no header"))?;
    layout::revision(header.revision)
}

fn etcd_compare(keys: &Keys, compare: &Compare) -> EtcdCompare {
    match compare {
        Compare::Absent(key) => existence_is(keys, key, false),
        Compare::RevisionIs(key, revision) => match i64::try_from(revision.0) {
            // Also for `NEVER`: etcd gives an absent key the revision 0.
            Ok(number) => equal(CompareTarget::Mod, keys.data(key), CompareUnion::ModRevision(number)),
            // Above all that etcd can count, so it never holds.
            Err(_) => equal(CompareTarget::Mod, keys.data(key), CompareUnion::ModRevision(-1)),
        },
        Compare::ValueIs(key, value) => {
            equal(CompareTarget::Value, keys.data(key), CompareUnion::Value(value.clone()))
        }
    }
}

fn existence_is(keys: &Keys, key: &Key, exists: bool) -> EtcdCompare {
    let result = if exists { CompareResult::Greater } else { CompareResult::Equal };
    EtcdCompare {
        result: result as i32,
        ..equal(CompareTarget::Create, keys.data(key), CompareUnion::CreateRevision(0))
    }
}

fn equal(target: CompareTarget, key: Vec<u8>, with: CompareUnion) -> EtcdCompare {
    EtcdCompare { result: CompareResult::Equal as i32, target: target as i32, key, with: Some(with) }
}

fn get(key: Vec<u8>) -> RequestOp {
    operation(Request::Range(RangeRequest { key, ..RangeRequest::default() }))
}

fn put(key: Vec<u8>, value: Vec<u8>) -> RequestOp {
    operation(Request::Put(PutRequest { key, value }))
}

fn delete(key: Vec<u8>) -> RequestOp {
    operation(Request::DeleteRange(DeleteRangeRequest { key }))
}

fn operation(request: Request) -> RequestOp {
    RequestOp { request: Some(request) }
}

fn etcd_number(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

fn value_of(write: &Write) -> &[u8] {
    match write {
        Write::Put(_, value) => value,
        Write::Delete(_) => &[],
    }
}

fn value_compared(compare: &Compare) -> &[u8] {
    match compare {
        Compare::ValueIs(_, value) => value,
        Compare::Absent(_) | Compare::RevisionIs(..) => &[],
    }
}

#[cfg(test)]
mod tests;
