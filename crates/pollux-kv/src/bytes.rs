//! A byte string of 24 bytes that keeps up to 22 bytes without an allocation.
//!
//! Keys, list elements, fields and members are mostly short: kept in place they cost neither an
//! allocation when written nor a cache miss when compared. The size is chosen so that one slot of the
//! keyspace is 64 bytes, one cache line (checked by a test in `store.rs`).

use std::cmp::Ordering;
use std::fmt;

/// Longest string that is kept in place.
const INLINE_BYTES_MAX: usize = 22;

/// An owned, immutable byte string.
#[derive(Clone)]
pub(crate) struct Bytes(Form);

#[derive(Clone)]
enum Form {
    Inline { length: u8, data: [u8; INLINE_BYTES_MAX] },
    Heap(Box<[u8]>),
}

impl Bytes {
    pub(crate) fn new(source: &[u8]) -> Self {
        if source.len() <= INLINE_BYTES_MAX {
            let mut data = [0; INLINE_BYTES_MAX];
            data[..source.len()].copy_from_slice(source);
            Self(Form::Inline { length: source.len() as u8, data })
        } else {
            Self(Form::Heap(source.into()))
        }
    }

    /// Takes a new content; a long string of the same length keeps its memory.
    pub(crate) fn assign(&mut self, source: &[u8]) {
        match &mut self.0 {
            Form::Heap(data) if data.len() == source.len() => data.copy_from_slice(source),
            _ => *self = Self::new(source),
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Form::Inline { length, data } => &data[..*length as usize],
            Form::Heap(data) => data,
        }
    }

    /// Bytes of memory outside the 24 of the string itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Inline { .. } => 0,
            Form::Heap(data) => data.len(),
        }
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Bytes {}

impl PartialOrd for Bytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bytes {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.as_slice().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this fails, a string changes when it crosses the inline limit.
    #[test]
    fn every_length_around_the_inline_limit_survives() {
        let source: Vec<u8> = (0..64).collect();
        for length in 0..source.len() {
            let mut bytes = Bytes::new(&source[..length]);
            assert_eq!(bytes.as_slice(), &source[..length]);
            bytes.assign(&source[64 - length..]);
            assert_eq!(bytes.as_slice(), &source[64 - length..]);
        }
        assert_eq!(size_of::<Bytes>(), 24);
    }
}
