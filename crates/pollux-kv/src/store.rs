//! The replicated state: keys, values and expiry times.
//!
//! It applies effects; it decides nothing and never looks at a clock. An expired key stays until an
//! effect removes it, so that primary and backup never differ over what time it is.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU64;

use crate::bytes::Bytes;
use crate::dict::{Dict, Place, Slot};
use crate::effect::{DecodeError, Effect, End, Expiry};
use crate::sorted::SortedSet;

/// Keys that `approximate_bytes` looks at; with more keys it looks at an even sample.
const SAMPLE_KEYS_MAX: usize = 2_048;

/// All keys of the server.
///
/// Two stores are equal when they hold the same keys, values and expiry times, in whatever order.
#[derive(Debug)]
pub struct Store {
    pub(crate) entries: Dict<Entry>,
    /// The keys that expire, in the order of their times.
    pub(crate) deadlines: BTreeSet<(NonZeroU64, Bytes)>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    pub(crate) expires_at_ms: Option<NonZeroU64>,
}

/// What a key holds. Collections are never empty between two effects.
#[derive(Debug)]
#[expect(clippy::box_collection, reason = "boxed, a value is 24 bytes and a slot one cache line")]
pub(crate) enum Value {
    Text(Bytes),
    /// A text that APPEND made longer: with room, so that appending byte by byte is not quadratic.
    Grown(Box<Vec<u8>>),
    List(Box<VecDeque<Bytes>>),
    Hash(Box<Dict<Bytes>>),
    Set(Box<Dict<()>>),
    Sorted(Box<SortedSet>),
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    List,
    Hash,
    Set,
    Sorted,
}

impl Store {
    /// An empty store. The seed spreads keys over buckets: chosen by chance for each pair, it keeps
    /// strangers from crowding one bucket. Both halves must start with the same seed, or a SCAN that is
    /// under way at a takeover may miss keys; a snapshot brings the seed along.
    pub fn new(seed: u64) -> Self {
        Self { entries: Dict::new(seed), deadlines: BTreeSet::new() }
    }

    /// Makes one change. Deterministic, and cannot fail: an effect that does not fit, as happens while
    /// a snapshot is under way, changes what it can.
    pub fn apply(&mut self, effect: Effect<'_>) {
        match effect {
            Effect::Set { key, value, expiry } => self.set(self.entries.place(key), key, value, expiry),
            Effect::Append { key, suffix } => self.append(self.entries.place(key), key, suffix),
            Effect::Delete { key } => {
                if let Place::At(index) = self.entries.place(key) {
                    self.remove(index);
                }
            }
            Effect::Expire { key, at_ms } => {
                if let Place::At(index) = self.entries.place(key) {
                    self.set_expiry(index, Some(at_ms));
                }
            }
            Effect::Persist { key } => {
                if let Place::At(index) = self.entries.place(key) {
                    self.set_expiry(index, None);
                }
            }
            Effect::Push { key, end, elements } => {
                self.push(self.entries.place(key), key, end, elements.iter());
            }
            Effect::Pop { key, end, count } => {
                if let Place::At(index) = self.entries.place(key)
                    && let Value::List(list) = &mut self.entries.value_mut(index).value
                {
                    let count = usize::try_from(count).unwrap_or(usize::MAX).min(list.len());
                    match end {
                        End::Front => list.drain(..count),
                        End::Back => list.drain(list.len() - count..),
                    };
                    self.remove_if_empty(index);
                }
            }
            Effect::HashPut { key, pairs } => {
                let mut pairs = pairs.iter();
                let index = self.ensure(self.entries.place(key), key, Kind::Hash);
                while let (Some(field), Some(value)) = (pairs.next(), pairs.next()) {
                    self.hash_put(index, field, value);
                }
            }
            Effect::HashRemove { key, field } => {
                if let Place::At(index) = self.entries.place(key)
                    && let Value::Hash(hash) = &mut self.entries.value_mut(index).value
                {
                    hash.remove(field);
                    self.remove_if_empty(index);
                }
            }
            Effect::MembersAdd { key, members } => {
                let index = self.ensure(self.entries.place(key), key, Kind::Set);
                let Value::Set(set) = &mut self.entries.value_mut(index).value else { unreachable!() };
                members.iter().for_each(|member| {
                    set.put(member, ());
                });
            }
            Effect::MemberRemove { key, member } => {
                if let Place::At(index) = self.entries.place(key)
                    && let Value::Set(set) = &mut self.entries.value_mut(index).value
                {
                    set.remove(member);
                    self.remove_if_empty(index);
                }
            }
            Effect::ScorePut { key, member, score } => {
                let index = self.ensure(self.entries.place(key), key, Kind::Sorted);
                let Value::Sorted(sorted) = &mut self.entries.value_mut(index).value else { unreachable!() };
                sorted.put(member, score);
            }
            Effect::ScoreRemove { key, member } => {
                if let Place::At(index) = self.entries.place(key)
                    && let Value::Sorted(sorted) = &mut self.entries.value_mut(index).value
                {
                    sorted.remove(member);
                    self.remove_if_empty(index);
                }
            }
            Effect::Flush => self.clear(),
        }
    }

    /// Applies encoded effects in order; gives their number.
    ///
    /// After an error the store has the effects before the bad one. The half that meets an error has a
    /// torn checkpoint and must stop (S4).
    pub fn apply_all(&mut self, mut effects: &[u8]) -> Result<usize, DecodeError> {
        let mut count = 0;
        while !effects.is_empty() {
            self.apply(Effect::decode(&mut effects)?);
            count += 1;
        }
        Ok(count)
    }

    /// Removes at most `keys_max` keys whose time has come and appends the effects; gives their number.
    ///
    /// For the primary's tick. With keys that nobody asks for, memory would otherwise never come back.
    pub fn expire_some(&mut self, now_ms: u64, keys_max: usize, effects: &mut Vec<u8>) -> usize {
        for count in 0..keys_max {
            match self.deadlines.first() {
                Some((at_ms, key)) if at_ms.get() < now_ms => {
                    let key = key.clone();
                    let effect = Effect::Delete { key: key.as_slice() };
                    effect.encode(effects);
                    self.apply(effect);
                }
                _ => return count,
            }
        }
        keys_max
    }

    /// Number of keys, with those that have expired and are not removed yet.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Number of keys that have an expiry time.
    pub fn len_expiring(&self) -> usize {
        self.deadlines.len()
    }

    /// About how much memory the store takes, from a sample of its keys: for people and for choosing
    /// a pace, not for accounts.
    pub fn approximate_bytes(&self) -> usize {
        let step = self.len().div_ceil(SAMPLE_KEYS_MAX).max(1);
        let sample: usize = (0..self.len())
            .step_by(step)
            .map(|index| {
                let slot = self.entries.at(index);
                size_of::<Slot<Entry>>() + slot.key.heap_bytes() + slot.value.value.heap_bytes()
            })
            .sum();
        sample * step + self.deadlines.len() * size_of::<(NonZeroU64, Bytes)>() * 2
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.deadlines.clear();
    }

    pub(crate) fn set(&mut self, place: Place, key: &[u8], value: &[u8], expiry: Expiry) {
        let index = match place {
            Place::At(index) => {
                match &mut self.entries.value_mut(index).value {
                    Value::Text(text) => text.assign(value),
                    other => *other = Value::Text(Bytes::new(value)),
                }
                index
            }
            Place::Vacant(hash) => {
                let entry = Entry { value: Value::Text(Bytes::new(value)), expires_at_ms: None };
                self.entries.insert(hash, Bytes::new(key), entry)
            }
        };
        match expiry {
            Expiry::Clear => self.set_expiry(index, None),
            Expiry::Keep => {}
            Expiry::At(at_ms) => self.set_expiry(index, Some(at_ms)),
        }
    }

    pub(crate) fn append(&mut self, place: Place, key: &[u8], suffix: &[u8]) {
        let Place::At(index) = place else { return self.set(place, key, suffix, Expiry::Clear) };
        let value = &mut self.entries.value_mut(index).value;
        match value {
            Value::Grown(text) => text.extend_from_slice(suffix),
            Value::Text(text) => {
                *value = Value::Grown(Box::new([text.as_slice(), suffix].concat()));
            }
            other => *other = Value::Text(Bytes::new(suffix)),
        }
    }

    pub(crate) fn set_expiry(&mut self, index: usize, expires_at_ms: Option<NonZeroU64>) {
        let before = self.entries.at(index).value.expires_at_ms;
        if before == expires_at_ms {
            return;
        }
        self.entries.value_mut(index).expires_at_ms = expires_at_ms;
        let key = &self.entries.at(index).key;
        if let Some(at_ms) = before {
            self.deadlines.remove(&(at_ms, key.clone()));
        }
        if let Some(at_ms) = expires_at_ms {
            self.deadlines.insert((at_ms, key.clone()));
        }
    }

    /// Adds elements to a list; gives the index of the key.
    pub(crate) fn push<'i>(
        &mut self,
        place: Place,
        key: &[u8],
        end: End,
        elements: impl Iterator<Item = &'i [u8]>,
    ) -> usize {
        let index = self.ensure(place, key, Kind::List);
        let Value::List(list) = &mut self.entries.value_mut(index).value else { unreachable!() };
        match end {
            End::Front => elements.for_each(|element| list.push_front(Bytes::new(element))),
            End::Back => elements.for_each(|element| list.push_back(Bytes::new(element))),
        }
        index
    }

    /// Sets one field of the hash at `index`; true if the field is new.
    pub(crate) fn hash_put(&mut self, index: usize, field: &[u8], value: &[u8]) -> bool {
        let Value::Hash(hash) = &mut self.entries.value_mut(index).value else { unreachable!() };
        match hash.place(field) {
            Place::At(index) => {
                hash.value_mut(index).assign(value);
                false
            }
            Place::Vacant(code) => {
                hash.insert(code, Bytes::new(field), Bytes::new(value));
                true
            }
        }
    }

    /// The index of a key that holds a value of this kind: what it holds, or a new empty one.
    pub(crate) fn ensure(&mut self, place: Place, key: &[u8], kind: Kind) -> usize {
        let seed = self.entries.seed();
        match place {
            Place::At(index) => {
                let value = &mut self.entries.value_mut(index).value;
                if value.kind() != kind {
                    *value = Value::empty(kind, seed);
                }
                index
            }
            Place::Vacant(hash) => {
                let entry = Entry { value: Value::empty(kind, seed), expires_at_ms: None };
                self.entries.insert(hash, Bytes::new(key), entry)
            }
        }
    }

    pub(crate) fn remove(&mut self, index: usize) {
        let slot = self.entries.swap_remove(index);
        if let Some(at_ms) = slot.value.expires_at_ms {
            self.deadlines.remove(&(at_ms, slot.key));
        }
    }

    pub(crate) fn remove_if_empty(&mut self, index: usize) {
        if self.entries.at(index).value.value.is_empty_collection() {
            self.remove(index);
        }
    }
}

impl PartialEq for Store {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries && self.deadlines == other.deadlines
    }
}

impl Value {
    pub(crate) fn empty(kind: Kind, seed: u64) -> Self {
        match kind {
            Kind::Text => Value::Text(Bytes::new(b"")),
            Kind::List => Value::List(Box::default()),
            Kind::Hash => Value::Hash(Box::new(Dict::new(seed))),
            Kind::Set => Value::Set(Box::new(Dict::new(seed))),
            Kind::Sorted => Value::Sorted(Box::new(SortedSet::new(seed))),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Value::Text(_) | Value::Grown(_) => Kind::Text,
            Value::List(_) => Kind::List,
            Value::Hash(_) => Kind::Hash,
            Value::Set(_) => Kind::Set,
            Value::Sorted(_) => Kind::Sorted,
        }
    }

    pub(crate) fn text(&self) -> Option<&[u8]> {
        match self {
            Value::Text(text) => Some(text.as_slice()),
            Value::Grown(text) => Some(text),
            _ => None,
        }
    }

    fn is_empty_collection(&self) -> bool {
        match self {
            Value::Text(_) | Value::Grown(_) => false,
            Value::List(list) => list.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
            Value::Set(set) => set.is_empty(),
            Value::Sorted(sorted) => sorted.len() == 0,
        }
    }

    /// Bytes of memory outside the value; of a collection, judged by a few of its members.
    fn heap_bytes(&self) -> usize {
        const MEMBERS: usize = 16;
        let average = |sizes: &mut dyn Iterator<Item = usize>| {
            let (count, sum) = sizes.take(MEMBERS).fold((0, 0), |(count, sum), size| (count + 1, sum + size));
            sum / count.max(1)
        };
        match self {
            Value::Text(text) => text.heap_bytes(),
            Value::Grown(text) => text.capacity(),
            Value::List(list) => {
                let each = average(&mut list.iter().map(Bytes::heap_bytes));
                list.capacity() * size_of::<Bytes>() + list.len() * each
            }
            Value::Hash(hash) => {
                let sizes = &mut hash.iter().map(|(field, value)| field.len() + value.heap_bytes());
                hash.len() * (size_of::<Slot<Bytes>>() + 4 + average(sizes))
            }
            Value::Set(set) => {
                let sizes = &mut set.iter().map(|(member, ())| member.len());
                set.len() * (size_of::<Slot<()>>() + 4 + average(sizes))
            }
            Value::Sorted(sorted) => {
                let sizes = &mut sorted.ascending(0).map(|ranked| 2 * ranked.member.heap_bytes());
                sorted.len() * (size_of::<Slot<f64>>() + 36 + average(sizes))
            }
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::List(left), Value::List(right)) => left == right,
            (Value::Hash(left), Value::Hash(right)) => left == right,
            (Value::Set(left), Value::Set(right)) => left == right,
            (Value::Sorted(left), Value::Sorted(right)) => left == right,
            // The two forms of a text are equal when their bytes are.
            _ => self.kind() == other.kind() && self.text() == other.text(),
        }
    }
}

impl Kind {
    /// As TYPE names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Text => "string",
            Kind::List => "list",
            Kind::Hash => "hash",
            Kind::Set => "set",
            Kind::Sorted => "zset",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this fails, a look-up touches two cache lines where one was meant.
    #[test]
    fn a_slot_of_the_keyspace_is_one_cache_line() {
        assert_eq!(size_of::<Slot<Entry>>(), 64);
    }

    /// If this fails, keys that nobody asks for stay in memory for ever.
    #[test]
    fn expire_some_removes_due_keys_oldest_first() {
        let mut store = Store::new(0);
        for (key, at_ms) in [("c", 30), ("a", 10), ("b", 20)] {
            let at_ms = NonZeroU64::new(at_ms).expect("not zero");
            store.apply(Effect::Set { key: key.as_bytes(), value: b"", expiry: Expiry::At(at_ms) });
        }
        let mut effects = Vec::new();
        assert_eq!(store.expire_some(10, 9, &mut effects), 0);
        assert_eq!(store.expire_some(21, 1, &mut effects), 1);
        assert_eq!(store.expire_some(21, 9, &mut effects), 1);
        let mut expected = Vec::new();
        Effect::Delete { key: b"a" }.encode(&mut expected);
        Effect::Delete { key: b"b" }.encode(&mut expected);
        assert_eq!(effects, expected);
        assert_eq!(store.len(), 1);
    }
}
