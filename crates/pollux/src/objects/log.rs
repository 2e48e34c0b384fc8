//! The replicated log.

use super::value::{from_bytes, to_bytes};
use super::{Object, PART_BYTES_MAX, Position};
use crate::engine::Handle;
use crate::error::Result;
use pollux_core::replica::Misfit;
use pollux_wire::{ObjectId, Reader, Wire};
use serde::{Serialize, de::DeserializeOwned};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::rc::Rc;

pub(crate) const KIND: u8 = 3;
const PUT: u8 = 1;
const FORGET: u8 = 2;

/// Entries by index: a change names its index, so that a part and a later change can overlap without harm.
#[derive(Debug, Default)]
pub(crate) struct RawLog {
    next: u64,
    entries: BTreeMap<u64, Vec<u8>>,
}

fn misfit(_: pollux_wire::DecodeError) -> Misfit {
    Misfit("a malformed change of a log")
}

impl RawLog {
    /// The last number is none of an entry: the one behind it could not be counted.
    fn put_checked(&mut self, index: u64, entry: Vec<u8>) -> Result<(), Misfit> {
        if index == u64::MAX {
            return Err(Misfit("an entry of a log beyond the last number"));
        }
        self.put(index, entry);
        Ok(())
    }

    fn put(&mut self, index: u64, entry: Vec<u8>) {
        self.next = self.next.max(index + 1);
        self.entries.insert(index, entry);
    }

    fn forget_before(&mut self, index: u64) {
        self.entries = self.entries.split_off(&index);
        self.next = self.next.max(index);
    }
}

impl Object for RawLog {
    fn apply(&mut self, change: &[u8]) -> Result<(), Misfit> {
        let mut reader = Reader::new(change);
        let kind = u8::take(&mut reader).map_err(misfit)?;
        let index = u64::take(&mut reader).map_err(misfit)?;
        match kind {
            PUT => self.put_checked(index, reader.remainder().to_vec())?,
            FORGET => self.forget_before(index),
            _ => return Err(Misfit("an unknown change of a log")),
        }
        Ok(())
    }

    fn save_part(&self, position: &mut Position, out: &mut Vec<u8>) -> bool {
        let from =
            position.mark.take().map_or(0, |mark| u64::from_le_bytes(mark.try_into().unwrap_or_default()));
        self.next.put(out);
        for (index, entry) in self.entries.range(from..) {
            index.put(out);
            entry.put(out);
            if out.len() >= PART_BYTES_MAX {
                position.mark = Some((index + 1).to_le_bytes().to_vec());
                return true;
            }
        }
        false
    }

    fn load_part(&mut self, part: &[u8]) -> Result<(), Misfit> {
        let mut reader = Reader::new(part);
        self.next = self.next.max(u64::take(&mut reader).map_err(misfit)?);
        while !reader.is_empty() {
            let index = u64::take(&mut reader).map_err(misfit)?;
            self.put_checked(index, Vec::take(&mut reader).map_err(misfit)?)?;
        }
        Ok(())
    }
}

/// An append-only list that the backup holds in step. See [`Map`](crate::Map) for when a change reaches it.
#[derive(Clone)]
pub struct Log<T> {
    handle: Handle,
    id: ObjectId,
    name: Rc<str>,
    raw: Rc<RefCell<RawLog>>,
    types: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned + 'static> Log<T> {
    pub(crate) fn new(handle: Handle, id: ObjectId, name: &str, raw: Rc<RefCell<RawLog>>) -> Self {
        Self { handle, id, name: name.into(), raw, types: PhantomData }
    }

    /// Appends an entry; returns its index. The first index is 0; indexes are never used again.
    pub fn append(&self, entry: &T) -> Result<u64> {
        let bytes = to_bytes(&self.name, entry)?;
        let index = self.raw.borrow().next;
        self.handle.object_changed(self.id, |out| {
            out.push(PUT);
            index.put(out);
            out.extend_from_slice(&bytes);
        })?;
        self.raw.borrow_mut().put(index, bytes);
        Ok(index)
    }

    /// Forgets all entries before `index`.
    pub fn forget_before(&self, index: u64) -> Result<()> {
        self.handle.object_changed(self.id, |out| {
            out.push(FORGET);
            index.put(out);
        })?;
        self.raw.borrow_mut().forget_before(index);
        Ok(())
    }

    /// The entry at `index`, unless it was forgotten or is yet to come.
    pub fn get(&self, index: u64) -> Result<Option<T>> {
        match self.raw.borrow().entries.get(&index) {
            None => Ok(None),
            Some(bytes) => from_bytes(&self.name, bytes).map(Some),
        }
    }

    /// The index that the next entry will get: how many were ever appended.
    pub fn next_index(&self) -> u64 {
        self.raw.borrow().next
    }

    /// All kept entries with their indexes, oldest first.
    pub fn entries(&self) -> Result<Vec<(u64, T)>> {
        let raw = self.raw.borrow();
        raw.entries.iter().map(|(index, bytes)| Ok((*index, from_bytes(&self.name, bytes)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A backup that panics over its primary's words dies in the middle of a record; one that refuses them says why.
    #[test]
    fn the_last_number_is_none_of_an_entry() {
        let mut log = RawLog::default();
        let change = |index: u64| [&[PUT][..], &index.to_le_bytes(), b"entry"].concat();
        assert_eq!(log.apply(&change(u64::MAX)), Err(Misfit("an entry of a log beyond the last number")));
        assert_eq!(log.apply(&change(u64::MAX - 1)), Ok(()));
        assert_eq!(log.next, u64::MAX);
    }
}
