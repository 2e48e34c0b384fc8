//! The hash table under the keyspace, hashes, sets and scores.
//!
//! Entries lie densely in a vector, so that each has an index: a random member is one draw, a snapshot
//! is a walk over indexes. Removal moves the last entry into the hole. Buckets hold the index of the
//! first entry of a chain; entries hold the index of the next.
//!
//! Buckets grow and shrink one at a time (linear hashing, Litwin 1980). A table that doubles at once
//! would stop a server of ten million keys for a tenth of a second: longer than a takeover takes.
//!
//! **Scan positions do not depend on the order of the entries.** A bucket at level `k` holds the
//! entries whose hash ends in its `k` bits, which is one interval of the *bit-reversed* hash. A scan
//! walks these intervals from 0 to 2^32 whatever the number of buckets is at each step, so an entry
//! that stays is met at least once. Two tables with one seed agree on the intervals: a scan begun at a
//! primary goes on at the backup after a takeover.

use crate::bytes::Bytes;

/// End of a chain.
const END: u32 = u32::MAX;

/// Entries a table holds before it makes buckets: small ones are faster to look through.
const UNINDEXED_MAX: usize = 8;

/// Buckets for each entry, at four bytes each. With two, three of four look-ups that find something find
/// it in the first entry of the chain; each further entry is a cache miss.
const BUCKETS_PER_ENTRY: usize = 2;

/// Buckets of the smallest table that has any.
const BUCKETS_MIN: usize = 32;

/// A map from byte strings to `V`.
#[derive(Debug)]
pub(crate) struct Dict<V> {
    seed: u64,
    /// First index of each chain. Empty while the table has at most `UNINDEXED_MAX` entries.
    buckets: Vec<u32>,
    slots: Vec<Slot<V>>,
}

#[derive(Debug)]
pub(crate) struct Slot<V> {
    hash: u32,
    next: u32,
    pub(crate) key: Bytes,
    pub(crate) value: V,
}

/// Where a key is, or the hash to insert it with: one hash per command, found or not.
///
/// Valid until the next removal from the same table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    At(usize),
    Vacant(u32),
}

impl Place {
    pub(crate) fn index(self) -> Option<usize> {
        match self {
            Place::At(index) => Some(index),
            Place::Vacant(_) => None,
        }
    }
}

impl<V> Dict<V> {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, buckets: Vec::new(), slots: Vec::new() }
    }

    /// Adds an absent key with the hash of its `Place::Vacant`; gives its index.
    pub(crate) fn insert(&mut self, hash: u32, key: Bytes, value: V) -> usize {
        let index = self.slots.len();
        assert!(index < END as usize, "a table holds fewer than 2^32 - 1 entries");
        self.slots.push(Slot { hash, next: END, key, value });
        if !self.buckets.is_empty() {
            self.link(index);
            // One insertion may split two buckets, so that the buckets keep pace.
            for _ in 0..BUCKETS_PER_ENTRY {
                if self.buckets.len() < BUCKETS_PER_ENTRY * self.slots.len() {
                    self.split_bucket();
                }
            }
        } else if self.slots.len() > UNINDEXED_MAX {
            self.buckets = vec![END; BUCKETS_MIN];
            for index in 0..self.slots.len() {
                self.link(index);
            }
        }
        index
    }

    /// Removes the entry at `index`; the last entry takes its place.
    pub(crate) fn swap_remove(&mut self, index: usize) -> Slot<V> {
        let last = self.slots.len() - 1;
        if !self.buckets.is_empty() {
            let next = self.slots[index].next;
            self.redirect(index, next);
            if last != index {
                self.redirect(last, index as u32);
            }
        }
        let removed = self.slots.swap_remove(index);
        // One removal may merge several, so that a table that shrinks by half has half the buckets.
        for _ in 0..2 * BUCKETS_PER_ENTRY {
            if self.buckets.len() > BUCKETS_MIN
                && self.buckets.len() > 2 * BUCKETS_PER_ENTRY * self.slots.len()
            {
                self.merge_bucket();
            }
        }
        if self.slots.capacity() > 64 && self.slots.len() < self.slots.capacity() / 4 {
            self.slots.shrink_to(self.slots.capacity() / 2);
            self.buckets.shrink_to(self.buckets.len() * 2);
        }
        removed
    }

    pub(crate) fn clear(&mut self) {
        self.buckets = Vec::new();
        self.slots = Vec::new();
    }

    pub(crate) fn place(&self, key: &[u8]) -> Place {
        let hash = hash(self.seed, key);
        let matches = |slot: &Slot<V>| slot.hash == hash && slot.key.as_slice() == key;
        if self.buckets.is_empty() {
            return match self.slots.iter().position(matches) {
                Some(index) => Place::At(index),
                None => Place::Vacant(hash),
            };
        }
        let mut index = self.buckets[self.bucket(hash)];
        while index != END {
            let slot = &self.slots[index as usize];
            if matches(slot) {
                return Place::At(index as usize);
            }
            index = slot.next;
        }
        Place::Vacant(hash)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        self.place(key).index().map(|index| &self.slots[index].value)
    }

    /// Sets the value of a key, present or not; true if it is new.
    pub(crate) fn put(&mut self, key: &[u8], value: V) -> bool {
        match self.place(key) {
            Place::At(index) => {
                self.slots[index].value = value;
                false
            }
            Place::Vacant(hash) => {
                self.insert(hash, Bytes::new(key), value);
                true
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<V> {
        let index = self.place(key).index()?;
        Some(self.swap_remove(index).value)
    }

    pub(crate) fn hash_at(&self, index: usize) -> u32 {
        self.slots[index].hash
    }

    pub(crate) fn at(&self, index: usize) -> &Slot<V> {
        &self.slots[index]
    }

    pub(crate) fn value_mut(&mut self, index: usize) -> &mut V {
        &mut self.slots[index].value
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &V)> {
        self.slots.iter().map(|slot| (slot.key.as_slice(), &slot.value))
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Visits the indexes at scan position `position` and gives the next position, 0 at the end.
    pub(crate) fn scan(&self, position: u32, mut visit: impl FnMut(usize)) -> u32 {
        if self.buckets.is_empty() {
            (0..self.slots.len()).for_each(visit);
            return 0;
        }
        let bucket = self.bucket(position.reverse_bits());
        let mut index = self.buckets[bucket];
        while index != END {
            visit(index as usize);
            index = self.slots[index as usize].next;
        }
        // A bucket knows its level: those above the last full doubling, and the ones they were split
        // from, have one bit more.
        let base = floor_power_of_two(self.buckets.len());
        let is_split = bucket >= base || bucket + base < self.buckets.len();
        let level = base.trailing_zeros() + u32::from(is_split);
        let start = (bucket as u32).reverse_bits();
        start.checked_add(1 << (32 - level)).unwrap_or(0)
    }

    fn bucket(&self, hash: u32) -> usize {
        let mask = self.buckets.len().next_power_of_two() - 1;
        let bucket = hash as usize & mask;
        if bucket < self.buckets.len() { bucket } else { bucket & (mask >> 1) }
    }

    fn link(&mut self, index: usize) {
        let bucket = self.bucket(self.slots[index].hash);
        self.slots[index].next = self.buckets[bucket];
        self.buckets[bucket] = index as u32;
    }

    /// Makes what points at the entry `index` point at `target`.
    fn redirect(&mut self, index: usize, target: u32) {
        let bucket = self.bucket(self.slots[index].hash);
        let mut current = self.buckets[bucket];
        if current == index as u32 {
            self.buckets[bucket] = target;
            return;
        }
        loop {
            let next = self.slots[current as usize].next;
            if next == index as u32 {
                self.slots[current as usize].next = target;
                return;
            }
            current = next;
        }
    }

    fn split_bucket(&mut self) {
        let added = self.buckets.len();
        let source = added - floor_power_of_two(added);
        let mut index = self.buckets[source];
        self.buckets[source] = END;
        self.buckets.push(END);
        while index != END {
            let next = self.slots[index as usize].next;
            self.link(index as usize);
            index = next;
        }
    }

    fn merge_bucket(&mut self) {
        let mut index = self.buckets.pop().expect("a table that shrinks has buckets");
        while index != END {
            let next = self.slots[index as usize].next;
            self.link(index as usize);
            index = next;
        }
    }
}

impl<V: PartialEq> PartialEq for Dict<V> {
    /// Same keys and values; the order and the seed are no part of the content.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

fn floor_power_of_two(number: usize) -> usize {
    1 << number.ilog2()
}

/// Odd constants without pattern: the first fractional digits of pi, as in Blowfish.
const MIX: [u64; 3] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345, 0xa409_3822_299f_31d1];

/// A folded-multiply hash in the manner of wyhash.
///
/// Written out here, and not taken from a crate, because both halves of a pair must agree on it even
/// during a rolling upgrade: scan positions are intervals of this hash.
fn hash(seed: u64, bytes: &[u8]) -> u32 {
    let mut state = seed ^ MIX[0];
    let length = bytes.len();
    let (low, high) = if length > 16 {
        let mut rest = bytes;
        while let Some((chunk, tail)) = rest.split_first_chunk::<16>()
            && !tail.is_empty()
        {
            state = fold(word(chunk, 0) ^ state, word(chunk, 8) ^ MIX[1]);
            rest = tail;
        }
        (word(bytes, length - 16), word(bytes, length - 8))
    } else if length >= 8 {
        (word(bytes, 0), word(bytes, length - 8))
    } else if length >= 4 {
        (half_word(bytes, 0), half_word(bytes, length - 4))
    } else if length > 0 {
        let ends = u64::from(bytes[0]) << 8 | u64::from(bytes[length - 1]);
        (ends, u64::from(bytes[length / 2]))
    } else {
        (0, 0)
    };
    let mixed = fold(fold(low ^ state, high ^ MIX[1]) ^ length as u64, MIX[2]);
    (mixed ^ (mixed >> 32)) as u32
}

fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}

fn word(bytes: &[u8], start: usize) -> u64 {
    let chunk = bytes[start..].first_chunk().expect("the caller checked the length");
    u64::from_le_bytes(*chunk)
}

fn half_word(bytes: &[u8], start: usize) -> u64 {
    let chunk = bytes[start..].first_chunk().expect("the caller checked the length");
    u64::from(u32::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn name(number: u16) -> Vec<u8> {
        format!("key:{number}").into_bytes()
    }

    proptest! {
        /// If this fails, a key is lost or found under another key's value.
        #[test]
        fn behaves_like_a_map(steps in prop::collection::vec((any::<bool>(), 0u16..200), 0..2000)) {
            let mut dict = Dict::new(7);
            let mut model = BTreeMap::new();
            for (number, (is_insert, key)) in steps.into_iter().enumerate() {
                if is_insert {
                    prop_assert_eq!(dict.put(&name(key), number), model.insert(key, number).is_none());
                } else {
                    prop_assert_eq!(dict.remove(&name(key)), model.remove(&key));
                }
                prop_assert_eq!(dict.len(), model.len());
            }
            for key in 0..200 {
                prop_assert_eq!(dict.get(&name(key)), model.get(&key));
            }
        }

        /// If this fails, SCAN may never return a key that was there all the time.
        #[test]
        fn a_scan_meets_every_entry_that_stays(
            stay in prop::collection::btree_set(0u16..300, 0..300),
            steps in prop::collection::vec((any::<bool>(), 300u16..2000), 0..3000),
            pace in 1usize..40,
        ) {
            let mut dict = Dict::new(3);
            stay.iter().for_each(|key| { dict.put(&name(*key), ()); });
            let mut met = BTreeSet::new();
            let mut position = 0;
            let mut steps = steps.into_iter();
            loop {
                position = dict.scan(position, |index| { met.insert(dict.at(index).key.clone()); });
                if position == 0 { break; }
                for (is_insert, key) in steps.by_ref().take(pace) {
                    if is_insert { dict.put(&name(key), ()); } else { dict.remove(&name(key)); }
                }
            }
            for key in stay {
                prop_assert!(met.contains(&Bytes::new(&name(key))), "key {} was never met", key);
            }
        }
    }

    /// If this fails, short or similar keys crowd into few buckets and every command slows down.
    #[test]
    fn hashes_of_similar_keys_spread() {
        let mut dict = Dict::new(0);
        for number in 0..50_000u32 {
            dict.put(format!("key:{number:012}").as_bytes(), ());
        }
        let mut chain_max = 0;
        let mut position = 0;
        loop {
            let mut chain = 0;
            position = dict.scan(position, |_| chain += 1);
            chain_max = chain_max.max(chain);
            if position == 0 {
                break;
            }
        }
        assert!(chain_max < 16, "a chain of {chain_max} entries");
    }
}
