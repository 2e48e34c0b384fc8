//! The replicated map.

use super::{Object, PART_BYTES_MAX, Position, from_bytes, to_bytes};
use crate::engine::Handle;
use crate::error::Result;
use pollux_core::replica::Misfit;
use pollux_wire::{ObjectId, Reader, Wire};
use serde::{Serialize, de::DeserializeOwned};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::Bound;
use std::rc::Rc;

pub(crate) const KIND: u8 = 1;
const PUT: u8 = 1;
const REMOVE: u8 = 2;
const CLEAR: u8 = 3;

/// Keys and values as bytes, so that a takeover costs the same whatever the size: nothing is converted in it.
#[derive(Debug, Default)]
pub(crate) struct RawMap {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
}

fn put_entry(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    (key.len() as u32).put(out);
    out.extend_from_slice(key);
    (value.len() as u32).put(out);
    out.extend_from_slice(value);
}

fn misfit(_: pollux_wire::DecodeError) -> Misfit {
    Misfit("a malformed change of a map")
}

impl Object for RawMap {
    fn apply(&mut self, change: &[u8]) -> Result<(), Misfit> {
        let mut reader = Reader::new(change);
        match u8::take(&mut reader).map_err(misfit)? {
            PUT => {
                let key = reader.prefixed().map_err(misfit)?.to_vec();
                let value = reader.prefixed().map_err(misfit)?.to_vec();
                self.entries.insert(key, value);
            }
            REMOVE => {
                self.entries.remove(reader.prefixed().map_err(misfit)?);
            }
            CLEAR => self.entries.clear(),
            _ => return Err(Misfit("an unknown change of a map")),
        }
        Ok(())
    }

    fn save_part(&self, position: &mut Position, out: &mut Vec<u8>) -> bool {
        let from = match position.mark.take() {
            None => Bound::Unbounded,
            Some(last) => Bound::Excluded(last),
        };
        for (key, value) in self.entries.range((from, Bound::Unbounded)) {
            put_entry(out, key, value);
            if out.len() >= PART_BYTES_MAX {
                position.mark = Some(key.clone());
                return true;
            }
        }
        false
    }

    fn load_part(&mut self, part: &[u8]) -> Result<(), Misfit> {
        let mut reader = Reader::new(part);
        while !reader.is_empty() {
            let key = reader.prefixed().map_err(misfit)?.to_vec();
            let value = reader.prefixed().map_err(misfit)?.to_vec();
            self.entries.insert(key, value);
        }
        Ok(())
    }
}

/// A map that the backup holds in step.
///
/// Every change is part of the turn in which it is made: it reaches the backup together with the reply of that turn, or
/// not at all. Keys and values are whatever `serde` can describe. A handle is cheap to clone.
///
/// ```no_run
/// # fn main() -> pollux::Result<()> {
/// # let pair = pollux::Pair::join()?;
/// let accounts = pair.map::<String, u64>("accounts")?;
/// let total = accounts.update("alice".to_owned(), |n| n.unwrap_or(0) + 1)?;
/// assert_eq!(accounts.get(&"alice".to_owned())?, Some(total));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Map<K, V> {
    handle: Handle,
    id: ObjectId,
    name: Rc<str>,
    raw: Rc<RefCell<RawMap>>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Serialize + DeserializeOwned, V: Serialize + DeserializeOwned> Map<K, V> {
    pub(crate) fn new(handle: Handle, id: ObjectId, name: &str, raw: Rc<RefCell<RawMap>>) -> Self {
        Self { handle, id, name: name.into(), raw, types: PhantomData }
    }

    /// Sets the value of a key; returns the value it had.
    pub fn insert(&self, key: K, value: V) -> Result<Option<V>> {
        let (key, value) = (to_bytes(&self.name, &key)?, to_bytes(&self.name, &value)?);
        self.put(key, value)
    }

    /// Computes a key's new value from its old one, and returns the new one.
    pub fn update(&self, key: K, change: impl FnOnce(Option<V>) -> V) -> Result<V>
    where
        V: Clone,
    {
        let key = to_bytes(&self.name, &key)?;
        let old = match self.raw.borrow().entries.get(&key) {
            None => None,
            Some(bytes) => Some(from_bytes(&self.name, bytes)?),
        };
        let value = change(old);
        self.put(key, to_bytes(&self.name, &value)?)?;
        Ok(value)
    }

    /// Removes a key; returns the value it had.
    pub fn remove(&self, key: &K) -> Result<Option<V>> {
        let key = to_bytes(&self.name, key)?;
        let Some(old) = self.raw.borrow_mut().entries.remove(&key) else { return Ok(None) };
        self.handle.object_changed(self.id, |out| {
            out.push(REMOVE);
            (key.len() as u32).put(out);
            out.extend_from_slice(&key);
        })?;
        from_bytes(&self.name, &old).map(Some)
    }

    /// Removes everything.
    pub fn clear(&self) -> Result<()> {
        self.raw.borrow_mut().entries.clear();
        self.handle.object_changed(self.id, |out| out.push(CLEAR))
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        let key = to_bytes(&self.name, key)?;
        match self.raw.borrow().entries.get(&key) {
            None => Ok(None),
            Some(bytes) => from_bytes(&self.name, bytes).map(Some),
        }
    }

    /// All entries. Their order is the same in both halves, and otherwise unspecified.
    pub fn entries(&self) -> Result<Vec<(K, V)>> {
        let raw = self.raw.borrow();
        raw.entries
            .iter()
            .map(|(key, value)| Ok((from_bytes(&self.name, key)?, from_bytes(&self.name, value)?)))
            .collect()
    }

    /// How many keys have a value.
    pub fn len(&self) -> usize {
        self.raw.borrow().entries.len()
    }

    /// True when no key has a value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Result<Option<V>> {
        self.handle.object_changed(self.id, |out| {
            out.push(PUT);
            put_entry(out, &key, &value);
        })?;
        match self.raw.borrow_mut().entries.insert(key, value) {
            None => Ok(None),
            Some(old) => from_bytes(&self.name, &old).map(Some),
        }
    }
}
