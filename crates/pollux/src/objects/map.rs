//! The replicated map.

use super::key::Key;
use super::value::{from_bytes, put_value, to_bytes};
use super::{Object, PART_BYTES_MAX, Position};
use crate::engine::Handle;
use crate::error::Result;
use pollux_core::replica::Misfit;
use pollux_core::room::refill;
use pollux_wire::{ObjectId, Reader, Wire};
use serde::{Serialize, de::DeserializeOwned};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::marker::PhantomData;
use std::ops::{Bound, Range};
use std::rc::Rc;

pub(crate) const KIND: u8 = 1;
const PUT: u8 = 1;
const REMOVE: u8 = 2;
const CLEAR: u8 = 3;

/// Keys and values as bytes, so that a takeover costs the same whatever the size: nothing is converted in it.
#[derive(Debug, Default)]
pub(crate) struct RawMap {
    entries: BTreeMap<Key, Vec<u8>>,
    /// Room to encode a change in.
    scratch: Vec<u8>,
}

impl RawMap {
    /// Sets the value of a key.
    fn put(&mut self, key: Key, value: &[u8]) {
        set(self.entries.entry(key), value);
    }
}

/// Sets the value of a key that was looked for, in the room of the old one.
fn set(entry: Entry<'_, Key, Vec<u8>>, value: &[u8]) {
    match entry {
        Entry::Occupied(mut old) => refill(old.get_mut(), value),
        Entry::Vacant(free) => drop(free.insert(value.to_vec())),
    }
}

/// Bytes of a buffer that is kept for the next change.
const SCRATCH_BYTES_MAX: usize = 256 * 1024;

/// Appends a length, and what is written behind it.
fn put_prefixed(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<Range<usize>> {
    let at = out.len();
    0_u32.put(out);
    let start = out.len();
    write(out)?;
    let length = u32::try_from(out.len() - start).expect("one value is far below 4 GiB");
    out[at..start].copy_from_slice(&length.to_le_bytes());
    Ok(start..out.len())
}

fn put_entry(out: &mut Vec<u8>, key: &Key, value: &[u8]) {
    (key.len() as u32).put(out);
    key.put(out);
    (value.len() as u32).put(out);
    out.extend_from_slice(value);
}

fn take_key(reader: &mut Reader<'_>) -> Result<Key, Misfit> {
    reader.prefixed().map(Key::new).map_err(misfit)
}

fn misfit(_: pollux_wire::DecodeError) -> Misfit {
    Misfit("a malformed change of a map")
}

impl Object for RawMap {
    fn apply(&mut self, change: &[u8]) -> Result<(), Misfit> {
        let mut reader = Reader::new(change);
        match u8::take(&mut reader).map_err(misfit)? {
            PUT => {
                let key = take_key(&mut reader)?;
                self.put(key, reader.prefixed().map_err(misfit)?);
            }
            REMOVE => {
                self.entries.remove(&take_key(&mut reader)?);
            }
            CLEAR => self.entries.clear(),
            _ => return Err(Misfit("an unknown change of a map")),
        }
        Ok(())
    }

    fn save_part(&self, position: &mut Position, out: &mut Vec<u8>) -> bool {
        let from = match position.mark.take() {
            None => Bound::Unbounded,
            Some(last) => Bound::Excluded(Key::new(&last)),
        };
        for (key, value) in self.entries.range((from, Bound::Unbounded)) {
            put_entry(out, key, value);
            if out.len() >= PART_BYTES_MAX {
                position.mark = Some(key.to_bytes());
                return true;
            }
        }
        false
    }

    fn load_part(&mut self, part: &[u8]) -> Result<(), Misfit> {
        let mut reader = Reader::new(part);
        while !reader.is_empty() {
            let key = take_key(&mut reader)?;
            self.put(key, reader.prefixed().map_err(misfit)?);
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

impl<K: Serialize + DeserializeOwned + 'static, V: Serialize + DeserializeOwned + 'static> Map<K, V> {
    pub(crate) fn new(handle: Handle, id: ObjectId, name: &str, raw: Rc<RefCell<RawMap>>) -> Self {
        Self { handle, id, name: name.into(), raw, types: PhantomData }
    }

    /// Sets the value of a key; returns the value it had.
    pub fn insert(&self, key: K, value: V) -> Result<Option<V>> {
        self.put(self.begin_put(&key)?, &value, |bytes| from_bytes(&self.name, bytes))
    }

    /// Computes a key's new value from its old one, and returns the new one.
    pub fn update(&self, key: K, compute: impl FnOnce(Option<V>) -> V) -> Result<V> {
        let change = self.begin_put(&key)?;
        let value = compute(self.value(&change.key)?);
        self.put(change, &value, |_| Ok(()))?;
        Ok(value)
    }

    /// Removes a key; returns the value it had.
    pub fn remove(&self, key: &K) -> Result<Option<V>> {
        let key = to_bytes(&self.name, key)?;
        let Some(old) = self.raw.borrow_mut().entries.remove(&Key::new(&key)) else { return Ok(None) };
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
        self.value(&Key::new(&to_bytes(&self.name, key)?))
    }

    /// All entries. Their order is the same in both halves, and otherwise unspecified.
    pub fn entries(&self) -> Result<Vec<(K, V)>> {
        let raw = self.raw.borrow();
        raw.entries
            .iter()
            .map(|(key, value)| {
                Ok((from_bytes(&self.name, &key.to_bytes())?, from_bytes(&self.name, value)?))
            })
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

    /// The change as far as its key.
    fn begin_put(&self, key: &K) -> Result<Put> {
        let mut bytes = std::mem::take(&mut self.raw.borrow_mut().scratch);
        bytes.clear();
        bytes.push(PUT);
        let key = put_prefixed(&mut bytes, |out| put_value(&self.name, key, out))?;
        let key = Key::new(&bytes[key]);
        Ok(Put { bytes, key })
    }

    fn value(&self, key: &Key) -> Result<Option<V>> {
        self.raw.borrow().entries.get(key).map(|bytes| from_bytes(&self.name, bytes)).transpose()
    }

    /// Sets the value; what `look` makes of the old one. The key is looked for once.
    fn put<R>(&self, change: Put, value: &V, look: impl FnOnce(&[u8]) -> Result<R>) -> Result<Option<R>> {
        let Put { mut bytes, key } = change;
        let value = put_prefixed(&mut bytes, |out| put_value(&self.name, value, out))?;
        let raw = &mut *self.raw.borrow_mut();
        let entry = raw.entries.entry(key);
        let old = match &entry {
            Entry::Occupied(old) => Some(look(old.get())?),
            Entry::Vacant(_) => None,
        };
        self.handle.object_changed(self.id, |out| out.extend_from_slice(&bytes))?;
        set(entry, &bytes[value]);
        if bytes.capacity() <= SCRATCH_BYTES_MAX {
            raw.scratch = bytes;
        }
        Ok(old)
    }
}

/// A change that sets a value, in the bytes that the backup gets.
struct Put {
    bytes: Vec<u8>,
    key: Key,
}
