//! Snapshots in parts: how a new backup gets the state while commands go on.
//!
//! ```text
//!  primary                                  backup
//!     |-- part 1 (first: clears the store) -->|
//!     |-- effects ---------------------------->|  some hit keys that have not been sent: harmless
//!     |-- part 2 ------------------------------>|  whole keys, overwriting what effects left of them
//!     |-- effects ---------------------------->|
//!     |-- part 3 (last) ---------------------->|  equal from here on
//! ```
//!
//! Parts and effects travel in one ordered stream. The walk goes over indexes from the end down to 0;
//! `remaining` says that entries `0..remaining` have not been sent.
//!
//! **Each entry that is not sent stays below `remaining`**, whatever happens between parts:
//! * A new key is put at the end. It is at or above `remaining`, except after so many removals that the
//!   table is shorter than `remaining`: then it is below and is sent, though its effects alone would do.
//! * Removing the entry `j` moves the last entry, `l`, to `j <= l`. If `l` was not sent (`l < remaining`)
//!   it goes down and stays below `remaining`. If it was sent, it may come below and is sent again.
//! * A flush leaves nothing to send.
//!
//! So when `remaining` reaches 0 each key was sent, or was created after the walk began, and the effects
//! since then completed it. **Nothing is left over in the backup**: a key that the primary removes is
//! removed there by the same effect; a collection that becomes empty in the primary holds in the backup
//! a part of the same elements, or as many or fewer list elements, so it becomes empty there too.
//!
//! Limit: a part holds whole keys. One list of millions of elements is one part and takes as long as
//! copying it; `bytes_max` is a goal for everything else.

use std::num::NonZeroU64;

use crate::bytes::Bytes;
use crate::dict::{Dict, Place};
use crate::effect::{DecodeError, put_bytes, put_varint, take_bytes, take_length, take_score, take_varint};
use crate::sorted::SortedSet;
use crate::store::{Entry, Kind, Store, Value};

/// Version of the format of parts. A backup of another version refuses them.
const VERSION: u8 = 1;

/// Bit of the flags byte: the part that begins a snapshot.
const FLAG_FIRST: u8 = 1;

/// Bit of the flags byte: the part that completes a snapshot.
const FLAG_LAST: u8 = 2;

/// How far a snapshot has come. A new snapshot starts with `SnapshotPosition::default()`.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotPosition {
    is_started: bool,
    remaining: usize,
}

impl Default for SnapshotPosition {
    fn default() -> Self {
        Self { is_started: false, remaining: usize::MAX }
    }
}

impl Store {
    /// Appends the next part, of about `bytes_max` bytes, and moves `position`; false after the last.
    ///
    /// The caller frames the part, and sends it after the effects of the commands before and before the
    /// effects of the commands after.
    pub fn save_part(&self, position: &mut SnapshotPosition, bytes_max: usize, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        out.extend_from_slice(&[VERSION, 0]);
        out.extend_from_slice(&self.entries.seed().to_le_bytes());
        position.remaining = position.remaining.min(self.len());
        while position.remaining > 0 && out.len() - start < bytes_max {
            position.remaining -= 1;
            let slot = self.entries.at(position.remaining);
            save_entry(out, slot.key.as_slice(), &slot.value);
        }
        let has_more = position.remaining > 0;
        out[start + 1] = if position.is_started { 0 } else { FLAG_FIRST };
        out[start + 1] |= if has_more { 0 } else { FLAG_LAST };
        position.is_started = true;
        has_more
    }

    /// Takes one part; false after the last.
    ///
    /// The first part of a snapshot empties the store. After an error the store is neither old nor new
    /// and must be thrown away.
    pub fn load_part(&mut self, part: &[u8]) -> Result<bool, DecodeError> {
        let (&[version, flags, ref seed @ ..], mut items) =
            part.split_first_chunk::<10>().ok_or(DecodeError::Short)?;
        if version != VERSION {
            return Err(DecodeError::UnknownVersion(version));
        }
        if flags & FLAG_FIRST != 0 {
            *self = Store::new(u64::from_le_bytes(*seed));
        }
        while !items.is_empty() {
            self.load_entry(&mut items)?;
        }
        Ok(flags & FLAG_LAST == 0)
    }

    fn load_entry(&mut self, input: &mut &[u8]) -> Result<(), DecodeError> {
        let (&tag, rest) = input.split_first().ok_or(DecodeError::Short)?;
        *input = rest;
        let expires_at_ms = NonZeroU64::new(take_varint(input)?);
        let key = take_bytes(input)?;
        let kind = kind_of(tag)?;
        let value = load_value(kind, self.entries.seed(), input)?;
        let index = match self.entries.place(key) {
            Place::At(index) => {
                self.entries.value_mut(index).value = value;
                index
            }
            Place::Vacant(hash) => {
                self.entries.insert(hash, Bytes::new(key), Entry { value, expires_at_ms: None })
            }
        };
        self.set_expiry(index, expires_at_ms);
        Ok(())
    }
}

fn tag_of(kind: Kind) -> u8 {
    match kind {
        Kind::Text => 1,
        Kind::List => 2,
        Kind::Hash => 3,
        Kind::Set => 4,
        Kind::Sorted => 5,
    }
}

fn kind_of(tag: u8) -> Result<Kind, DecodeError> {
    let kinds = [Kind::Text, Kind::List, Kind::Hash, Kind::Set, Kind::Sorted];
    kinds.into_iter().find(|kind| tag_of(*kind) == tag).ok_or(DecodeError::UnknownTag(tag))
}

/// Tag, expiry time or 0, key; then a text, or a count and the members.
fn save_entry(out: &mut Vec<u8>, key: &[u8], entry: &Entry) {
    out.push(tag_of(entry.value.kind()));
    put_varint(out, entry.expires_at_ms.map_or(0, NonZeroU64::get));
    put_bytes(out, key);
    match &entry.value {
        Value::Text(text) => put_bytes(out, text.as_slice()),
        Value::Grown(text) => put_bytes(out, text),
        Value::List(list) => {
            put_varint(out, list.len() as u64);
            list.iter().for_each(|element| put_bytes(out, element.as_slice()));
        }
        Value::Hash(hash) => {
            put_varint(out, hash.len() as u64);
            hash.iter().for_each(|(field, value)| {
                put_bytes(out, field);
                put_bytes(out, value.as_slice());
            });
        }
        Value::Set(set) => {
            put_varint(out, set.len() as u64);
            set.iter().for_each(|(member, ())| put_bytes(out, member));
        }
        Value::Sorted(sorted) => {
            put_varint(out, sorted.len() as u64);
            sorted.ascending(0).for_each(|ranked| {
                put_bytes(out, ranked.member.as_slice());
                out.extend_from_slice(&ranked.score.to_bits().to_le_bytes());
            });
        }
    }
}

fn load_value(kind: Kind, seed: u64, input: &mut &[u8]) -> Result<Value, DecodeError> {
    if kind == Kind::Text {
        return Ok(Value::Text(Bytes::new(take_bytes(input)?)));
    }
    let count = take_length(input)?;
    if count == 0 {
        return Err(DecodeError::NoItems);
    }
    let mut value = Value::empty(kind, seed);
    for _ in 0..count {
        let item = take_bytes(input)?;
        match &mut value {
            Value::Text(_) | Value::Grown(_) => unreachable!("texts are taken above"),
            Value::List(list) => list.push_back(Bytes::new(item)),
            Value::Hash(hash) => put_field(hash, item, take_bytes(input)?),
            Value::Set(set) => {
                set.put(item, ());
            }
            Value::Sorted(sorted) => put_score(sorted, item, take_score(input)?),
        }
    }
    Ok(value)
}

fn put_field(hash: &mut Dict<Bytes>, field: &[u8], value: &[u8]) {
    hash.put(field, Bytes::new(value));
}

fn put_score(sorted: &mut SortedSet, member: &[u8], score: f64) {
    sorted.put(member, score);
}
