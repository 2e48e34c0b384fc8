//! The store as commands see it: each change is made and its effect appended in one place.
//!
//! S2: what is not in the effects does not reach the backup. Commands have no other way to the store,
//! so they cannot forget an effect.

use std::collections::VecDeque;
use std::num::NonZeroU64;

use crate::bytes::Bytes;
use crate::command::Failure;
use crate::dict::{Dict, Place};
use crate::effect::{self, Effect, End, Expiry, Tag};
use crate::sorted::SortedSet;
use crate::store::{Entry, Kind, Store, Value};

/// The keys at one moment. Indexes are valid until the next removal of a key.
pub(crate) struct Keyspace<'a> {
    store: &'a mut Store,
    effects: &'a mut Vec<u8>,
    now_ms: u64,
}

impl<'a> Keyspace<'a> {
    pub(crate) fn new(store: &'a mut Store, effects: &'a mut Vec<u8>, now_ms: u64) -> Self {
        Self { store, effects, now_ms }
    }

    /// Where a key is. A key whose time has come is removed first, as the effect that the backup sees.
    pub(crate) fn find(&mut self, key: &[u8]) -> Place {
        let place = self.store.entries.place(key);
        match place {
            Place::At(index) if self.is_expired(index) => {
                let hash = self.store.entries.hash_at(index);
                self.delete(index);
                Place::Vacant(hash)
            }
            place => place,
        }
    }

    pub(crate) fn set(&mut self, place: Place, key: &[u8], value: &[u8], expiry: Expiry) {
        Effect::Set { key, value, expiry }.encode(self.effects);
        self.store.set(place, key, value, expiry);
    }

    pub(crate) fn append(&mut self, place: Place, key: &[u8], suffix: &[u8]) {
        Effect::Append { key, suffix }.encode(self.effects);
        self.store.append(place, key, suffix);
    }

    pub(crate) fn delete(&mut self, index: usize) {
        Effect::Delete { key: self.store.entries.at(index).key.as_slice() }.encode(self.effects);
        self.store.remove(index);
    }

    /// Gives the key an expiry time, or takes it away.
    pub(crate) fn set_expiry(&mut self, index: usize, at_ms: Option<NonZeroU64>) {
        let key = self.store.entries.at(index).key.as_slice();
        match at_ms {
            Some(at_ms) => Effect::Expire { key, at_ms }.encode(self.effects),
            None => Effect::Persist { key }.encode(self.effects),
        }
        self.store.set_expiry(index, at_ms);
    }

    pub(crate) fn flush(&mut self) {
        Effect::Flush.encode(self.effects);
        self.store.clear();
    }

    /// Adds `count` elements; gives the new length.
    pub(crate) fn push<'i>(
        &mut self,
        place: Place,
        key: &[u8],
        end: End,
        count: usize,
        elements: impl Iterator<Item = &'i [u8]> + Clone,
    ) -> usize {
        effect::put_items(self.effects, effect::push_tag(end), key, count, elements.clone());
        let index = self.store.push(place, key, end, elements);
        match &self.store.entries.at(index).value.value {
            Value::List(list) => list.len(),
            _ => unreachable!("something was pushed to it"),
        }
    }

    /// Takes `count` elements, which the list has, and shows them in order.
    pub(crate) fn pop(&mut self, index: usize, end: End, count: usize, mut show: impl FnMut(&[u8])) {
        let slot = self.store.entries.at(index);
        Effect::Pop { key: slot.key.as_slice(), end, count: count as u64 }.encode(self.effects);
        let Value::List(list) = &mut self.store.entries.value_mut(index).value else {
            unreachable!("the caller looked at the list")
        };
        for _ in 0..count {
            let element = match end {
                End::Front => list.pop_front(),
                End::Back => list.pop_back(),
            };
            show(element.expect("the list is long enough").as_slice());
        }
        self.store.remove_if_empty(index);
    }

    /// Sets fields from `field, value, field, value, ...`; gives the number of new ones.
    pub(crate) fn hash_put<'i>(
        &mut self,
        place: Place,
        key: &[u8],
        count: usize,
        pairs: impl Iterator<Item = &'i [u8]> + Clone,
    ) -> usize {
        effect::put_items(self.effects, Tag::HashPut, key, count, pairs.clone());
        let index = self.store.ensure(place, key, Kind::Hash);
        let mut pairs = pairs;
        let mut count_new = 0;
        while let (Some(field), Some(value)) = (pairs.next(), pairs.next()) {
            count_new += usize::from(self.store.hash_put(index, field, value));
        }
        count_new
    }

    /// Removes fields; gives the number of those that were there.
    pub(crate) fn hash_remove<'i>(
        &mut self,
        index: usize,
        key: &[u8],
        fields: impl Iterator<Item = &'i [u8]>,
    ) -> usize {
        let Value::Hash(hash) = &mut self.store.entries.value_mut(index).value else {
            unreachable!("the caller looked at the hash")
        };
        let mut count = 0;
        for field in fields {
            if hash.remove(field).is_some() {
                Effect::HashRemove { key, field }.encode(self.effects);
                count += 1;
            }
        }
        self.store.remove_if_empty(index);
        count
    }

    /// Adds members; gives the number of new ones.
    pub(crate) fn members_add<'i>(
        &mut self,
        place: Place,
        key: &[u8],
        count: usize,
        members: impl Iterator<Item = &'i [u8]> + Clone,
    ) -> usize {
        let index = self.store.ensure(place, key, Kind::Set);
        let Value::Set(set) = &mut self.store.entries.value_mut(index).value else {
            unreachable!("ensure made it a set")
        };
        let count_new = members.clone().filter(|member| set.put(member, ())).count();
        if count_new > 0 {
            effect::put_items(self.effects, Tag::MembersAdd, key, count, members);
        }
        count_new
    }

    /// Removes members; gives the number of those that were there.
    pub(crate) fn members_remove<'i>(
        &mut self,
        index: usize,
        key: &[u8],
        members: impl Iterator<Item = &'i [u8]>,
    ) -> usize {
        let Value::Set(set) = &mut self.store.entries.value_mut(index).value else {
            unreachable!("the caller looked at the set")
        };
        let mut count = 0;
        for member in members {
            if set.remove(member).is_some() {
                Effect::MemberRemove { key, member }.encode(self.effects);
                count += 1;
            }
        }
        self.store.remove_if_empty(index);
        count
    }

    /// Removes the members that `choose` picks, `count` times, from a set that has more or as many.
    pub(crate) fn members_take(
        &mut self,
        index: usize,
        key: &[u8],
        count: usize,
        mut choose: impl FnMut(usize) -> usize,
        mut show: impl FnMut(&[u8]),
    ) {
        let Value::Set(set) = &mut self.store.entries.value_mut(index).value else {
            unreachable!("the caller looked at the set")
        };
        for _ in 0..count {
            let slot = set.swap_remove(choose(set.len()));
            let member = slot.key.as_slice();
            Effect::MemberRemove { key, member }.encode(self.effects);
            show(member);
        }
        self.store.remove_if_empty(index);
    }

    /// Sets the score of one member; gives the index of the key.
    pub(crate) fn score_put(&mut self, place: Place, key: &[u8], member: &[u8], score: f64) -> usize {
        Effect::ScorePut { key, member, score }.encode(self.effects);
        let index = self.store.ensure(place, key, Kind::Sorted);
        let Value::Sorted(sorted) = &mut self.store.entries.value_mut(index).value else {
            unreachable!("ensure made it a sorted set")
        };
        sorted.put(member, score);
        index
    }

    /// Removes members; gives the number of those that were there.
    pub(crate) fn scores_remove<'i>(
        &mut self,
        index: usize,
        key: &[u8],
        members: impl Iterator<Item = &'i [u8]>,
    ) -> usize {
        let Value::Sorted(sorted) = &mut self.store.entries.value_mut(index).value else {
            unreachable!("the caller looked at the sorted set")
        };
        let mut count = 0;
        for member in members {
            if sorted.remove(member).is_some() {
                Effect::ScoreRemove { key, member }.encode(self.effects);
                count += 1;
            }
        }
        self.store.remove_if_empty(index);
        count
    }

    pub(crate) fn key(&self, index: usize) -> &[u8] {
        self.store.entries.at(index).key.as_slice()
    }

    pub(crate) fn entry(&self, index: usize) -> &Entry {
        &self.store.entries.at(index).value
    }

    pub(crate) fn expires_at_ms(&self, index: usize) -> Option<NonZeroU64> {
        self.entry(index).expires_at_ms
    }

    pub(crate) fn is_expired(&self, index: usize) -> bool {
        self.expires_at_ms(index).is_some_and(|at_ms| at_ms.get() < self.now_ms)
    }

    pub(crate) fn text(&self, index: usize) -> Result<&[u8], Failure> {
        self.entry(index).value.text().ok_or(Failure::WrongType)
    }

    pub(crate) fn list(&self, index: usize) -> Result<&VecDeque<Bytes>, Failure> {
        match &self.entry(index).value {
            Value::List(list) => Ok(list),
            _ => Err(Failure::WrongType),
        }
    }

    pub(crate) fn hash(&self, index: usize) -> Result<&Dict<Bytes>, Failure> {
        match &self.entry(index).value {
            Value::Hash(hash) => Ok(hash),
            _ => Err(Failure::WrongType),
        }
    }

    pub(crate) fn members(&self, index: usize) -> Result<&Dict<()>, Failure> {
        match &self.entry(index).value {
            Value::Set(set) => Ok(set),
            _ => Err(Failure::WrongType),
        }
    }

    pub(crate) fn sorted(&self, index: usize) -> Result<&SortedSet, Failure> {
        match &self.entry(index).value {
            Value::Sorted(sorted) => Ok(sorted),
            _ => Err(Failure::WrongType),
        }
    }

    /// The store, to look at as a whole.
    pub(crate) fn store(&self) -> &Store {
        self.store
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms
    }
}
