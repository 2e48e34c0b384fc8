//! One client of the load: what it asks, and whether each reply is right.
//!
//! Pure: no socket, no clock. Only this client touches its keys and the server answers a connection in order, so the
//! right reply to each request is known when it is sent. A write counts as acknowledged when its reply is here; from
//! then on it must be there exactly once (S2, S3).
//!
//! | Request | Right reply | What a wrong one means |
//! | --- | --- | --- |
//! | `INCR cnt:c` | one more than before | lower: lost; higher: doubled |
//! | `SET u:c:k value` | `OK` | |
//! | `GET u:c:k` | the last value set | any other: that write is lost |
//! | `RPUSH l:c:g n` | the new length | lower: lost; higher: doubled |
//! | `LRANGE l:c:g 0 -1` | every n once, in order | missing: lost; twice: doubled |
//! | `SADD s:c:g n` | 1 | 0: doubled |
//! | `SMEMBERS s:c:g` | every n | missing: lost |
//! | `DEL` of a full collection | 1 | 0: all of it is lost |

use std::collections::VecDeque;

use super::collection::{Collection, Contents};
use super::counts::Counts;
use super::resp::Reply;
use super::slots::Slots;
use super::tally::{Tally, Verdict};
use super::words::put;
use crate::random::Random;

/// Findings in words that are kept per client; the numbers count all of them.
const FINDINGS_MAX: usize = 3;

/// What the client is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Writing and reading.
    Load,
    /// Sending nothing more.
    Quiet,
    /// Reading everything back; the number of checks sent.
    Verify(usize),
}

/// A request whose reply is due.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Due {
    Increment { ordinal: i64 },
    Counter { ordinal: i64 },
    Set { slot: usize, version: u32 },
    Get { slot: usize, low: u32, high: u32 },
    Push { ordinal: i64, number: u64 },
    Range(Contents),
    Add { number: u64 },
    Members(Contents),
    Delete { list: bool, items: u64 },
}

/// One client.
#[derive(Debug)]
pub(crate) struct Model {
    client: u32,
    random: Random,
    stage: Stage,
    due: VecDeque<Due>,
    counter: Tally,
    slots: Slots,
    list: Collection,
    set: Collection,
    counts: Counts,
    findings: Vec<String>,
}

impl Model {
    /// Client number `client` of a load with this seed.
    pub(crate) fn new(client: u32, seed: u64) -> Model {
        Model {
            client,
            random: Random::new(seed ^ (u64::from(client) << 32)),
            stage: Stage::Load,
            due: VecDeque::new(),
            counter: Tally::default(),
            slots: Slots::new(client),
            list: Collection::default(),
            set: Collection::default(),
            counts: Counts::default(),
            findings: Vec::new(),
        }
    }

    /// Sends nothing more; what is due still comes in.
    pub(crate) fn quiet(&mut self) {
        self.stage = Stage::Quiet;
    }

    /// Reads everything back.
    pub(crate) fn verify(&mut self) {
        self.stage = Stage::Verify(0);
    }

    /// Appends the next request; false if there is none.
    pub(crate) fn next_request(&mut self, out: &mut Vec<u8>) -> bool {
        let due = match self.stage {
            Stage::Quiet => None,
            Stage::Load => Some(self.next_load(out)),
            Stage::Verify(sent) => {
                self.stage = Stage::Verify(sent + 1);
                self.next_check(sent, out)
            }
        };
        let Some(due) = due else { return false };
        self.due.push_back(due);
        self.counts.requests += 1;
        true
    }

    /// The next reply on the connection.
    pub(crate) fn handle_reply(&mut self, reply: &Reply<'_>) {
        let Some(due) = self.due.pop_front() else {
            return self.odd("a reply to no request", reply);
        };
        if let Reply::Error(_) = reply {
            self.forget(&due, true);
            return self.odd(&format!("{due:?}"), reply);
        }
        let known = match (due, reply) {
            (Due::Increment { ordinal } | Due::Counter { ordinal }, reply) => match integer(reply) {
                Some(value) => {
                    let verdict = self.counter.check(ordinal, value);
                    self.note(verdict, "counter", value)
                }
                None => false,
            },
            (Due::Set { slot, version }, Reply::Simple(b"OK")) => {
                self.slots.acknowledged(slot, version);
                true
            }
            (Due::Get { slot, low, high }, Reply::Bulk(value)) => {
                if !self.slots.check(slot, low, high, *value) {
                    let shown = value.map(String::from_utf8_lossy).unwrap_or("nothing".into());
                    let text =
                        format!("u:{}:{slot} should be version {low} to {high}, is {shown}", self.client);
                    self.lost(1, text);
                }
                true
            }
            (Due::Push { ordinal, .. }, Reply::Integer(length)) => {
                let verdict = self.list.tally.check(ordinal, *length);
                self.note(verdict, "list length", *length)
            }
            (Due::Add { number }, Reply::Integer(added @ (0 | 1))) => {
                if *added == 0 && !self.set.is_doubtful(number) {
                    self.duplicated(1, format!("s:{} had {number} before it was added", self.client));
                }
                true
            }
            (Due::Range(contents), Reply::Array(items)) => {
                let found = contents.check_list(items);
                self.found("list", found);
                true
            }
            (Due::Members(contents), Reply::Array(items)) => {
                let found = contents.check_set(items);
                self.found("set", found);
                true
            }
            (Due::Delete { list, items }, Reply::Integer(deleted @ (0 | 1))) => {
                if *deleted == 0 {
                    let what = if list { "list" } else { "set" };
                    self.lost(
                        items,
                        format!("the {what} of client {} was gone before it was deleted", self.client),
                    );
                }
                let collection = if list { &mut self.list } else { &mut self.set };
                collection.deleted();
                true
            }
            _ => false,
        };
        if known {
            self.counts.acknowledged += 1;
        } else {
            self.odd("a reply that does not fit its request", reply);
        }
    }

    /// The connection broke: what is due may or may not have been carried out.
    pub(crate) fn connection_broke(&mut self) {
        self.counts.reconnects += 1;
        for due in std::mem::take(&mut self.due) {
            self.forget(&due, false);
            // What was to be read back is read back again.
            if let Stage::Verify(_) = self.stage {
                self.stage = Stage::Verify(0);
            }
        }
    }

    /// Requests whose reply is due.
    pub(crate) fn due(&self) -> usize {
        self.due.len()
    }

    /// What it saw.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The first wrong things it saw, in words.
    pub(crate) fn findings(&self) -> &[String] {
        &self.findings
    }

    fn next_load(&mut self, out: &mut Vec<u8>) -> Due {
        if self.list.is_full() {
            return self.next_emptying(true, out);
        }
        if self.set.is_full() {
            return self.next_emptying(false, out);
        }
        match self.random.below(100) {
            0..25 => self.next_set(out),
            25..45 => self.next_get(out),
            45..60 => {
                let (generation, number) = self.list.add();
                put(out, format_args!("RPUSH l:{}:{generation} {number}", self.client));
                Due::Push { ordinal: self.list.tally.issue(), number }
            }
            60..70 => {
                let (generation, number) = self.set.add();
                put(out, format_args!("SADD s:{}:{generation} {number}", self.client));
                Due::Add { number }
            }
            _ => self.next_increment(out),
        }
    }

    fn next_increment(&mut self, out: &mut Vec<u8>) -> Due {
        put(out, format_args!("INCR cnt:{}", self.client));
        Due::Increment { ordinal: self.counter.issue() }
    }

    fn next_set(&mut self, out: &mut Vec<u8>) -> Due {
        let (slot, version) = self.slots.write();
        let value = self.slots.value(slot, version);
        put(out, format_args!("SET u:{}:{slot} {value}", self.client));
        Due::Set { slot, version }
    }

    fn next_get(&mut self, out: &mut Vec<u8>) -> Due {
        match self.slots.used() {
            0 => self.next_increment(out),
            used => {
                let slot = self.random.below(used as u64) as usize;
                self.get(slot, out)
            }
        }
    }

    fn get(&self, slot: usize, out: &mut Vec<u8>) -> Due {
        put(out, format_args!("GET u:{}:{slot}", self.client));
        let (low, high) = self.slots.expected(slot);
        Due::Get { slot, low, high }
    }

    /// A full collection is read, then deleted; the next item begins a new one.
    fn next_emptying(&mut self, list: bool, out: &mut Vec<u8>) -> Due {
        let collection = if list { &mut self.list } else { &mut self.set };
        if !collection.begin_emptying() {
            return self.read_collection(list, out);
        }
        let (key, items) = (if list { 'l' } else { 's' }, collection.items());
        put(out, format_args!("DEL {key}:{}:{}", self.client, collection.next_generation()));
        Due::Delete { list, items }
    }

    fn read_collection(&self, list: bool, out: &mut Vec<u8>) -> Due {
        if list {
            put(out, format_args!("LRANGE l:{}:{} 0 -1", self.client, self.list.generation()));
            Due::Range(self.list.contents())
        } else {
            put(out, format_args!("SMEMBERS s:{}:{}", self.client, self.set.generation()));
            Due::Members(self.set.contents())
        }
    }

    /// The checks of the end, one by one.
    fn next_check(&mut self, sent: usize, out: &mut Vec<u8>) -> Option<Due> {
        match sent {
            0 => {
                put(out, format_args!("GET cnt:{}", self.client));
                Some(Due::Counter { ordinal: self.counter.issued() })
            }
            1 => Some(self.read_collection(true, out)),
            2 => Some(self.read_collection(false, out)),
            sent if sent - 3 < self.slots.used() => Some(self.get(sent - 3, out)),
            _ => None,
        }
    }

    /// A request that was refused, or whose fate is unknown.
    fn forget(&mut self, due: &Due, refused: bool) {
        match due {
            Due::Increment { .. } if refused => self.counter.refused(),
            Due::Increment { .. } => self.counter.unknown(),
            Due::Set { slot, .. } => self.slots.unknown(*slot),
            Due::Push { number, .. } => {
                if refused {
                    self.list.tally.refused()
                } else {
                    self.list.tally.unknown()
                }
                self.list.doubt(*number);
            }
            Due::Add { number } => self.set.doubt(*number),
            Due::Delete { list, .. } => {
                let collection = if *list { &mut self.list } else { &mut self.set };
                collection.deleted();
            }
            Due::Range(contents) => self.list.read_again(contents),
            Due::Members(contents) => self.set.read_again(contents),
            Due::Get { .. } | Due::Counter { .. } => {}
        }
    }

    /// True, for a reply that was understood.
    fn note(&mut self, verdict: Verdict, what: &str, value: i64) -> bool {
        match verdict {
            Verdict::Right => {}
            Verdict::Lost(count) => {
                self.lost(count, format!("{what} of client {}: {count} too low at {value}", self.client))
            }
            Verdict::Doubled(count) => {
                self.duplicated(
                    count,
                    format!("{what} of client {}: {count} too high at {value}", self.client),
                );
            }
        }
        true
    }

    fn found(&mut self, what: &str, found: (u64, u64)) {
        let (missing, extra) = found;
        if missing > 0 {
            self.lost(missing, format!("the {what} of client {} misses {missing} items", self.client));
        }
        if extra > 0 {
            self.duplicated(
                extra,
                format!("the {what} of client {} has {extra} items too many", self.client),
            );
        }
    }

    fn lost(&mut self, count: u64, text: String) {
        self.counts.lost += count;
        self.find(text);
    }

    fn duplicated(&mut self, count: u64, text: String) {
        self.counts.duplicated += count;
        self.find(text);
    }

    fn odd(&mut self, what: &str, reply: &Reply<'_>) {
        self.counts.client_errors += 1;
        let shown = match reply {
            Reply::Error(text) | Reply::Simple(text) => String::from_utf8_lossy(text).into_owned(),
            other => format!("{other:?}").chars().take(80).collect(),
        };
        self.find(format!("client {}: {what}: {shown}", self.client));
    }

    fn find(&mut self, text: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(text);
        }
    }
}

/// A number as `INCR` and as `GET` give it; a counter that was never raised is zero.
fn integer(reply: &Reply<'_>) -> Option<i64> {
    match reply {
        Reply::Integer(value) => Some(*value),
        Reply::Bulk(None) => Some(0),
        Reply::Bulk(Some(text)) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
