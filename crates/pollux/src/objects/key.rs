//! A key of a replicated map: bytes in their usual order, with those at the front where a search finds them.

use std::cmp::Ordering;

const FRONT: usize = size_of::<u64>();

/// Bytes, ordered as slices are.
///
/// A search in a tree compares a few dozen keys. The first eight bytes of each are kept as a number in the tree's own memory: they
/// decide nearly always, without a step into other memory. Shorter keys need none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// The first bytes, the first of them on top, zeros behind a shorter key.
    front: u64,
    length: u32,
    rest: Box<[u8]>,
}

impl Key {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let (front, rest) = bytes.split_at(bytes.len().min(FRONT));
        let mut padded = [0; FRONT];
        padded[..front.len()].copy_from_slice(front);
        let length = u32::try_from(bytes.len()).expect("a key is far below 4 GiB");
        Self { front: u64::from_be_bytes(padded), length, rest: rest.into() }
    }

    pub(crate) fn len(&self) -> usize {
        self.length as usize
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        self.put(&mut bytes);
        bytes
    }

    /// Appends the bytes.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.front.to_be_bytes()[..self.len().min(FRONT)]);
        out.extend_from_slice(&self.rest);
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.front.cmp(&other.front).then_with(|| match (self.rest.is_empty(), other.rest.is_empty()) {
            (true, true) => self.length.cmp(&other.length),
            _ => self.rest.cmp(&other.rest),
        })
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Few different bytes, so that many fronts are alike.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(255)], 0..12)
    }

    proptest! {
        // A new backup gets the parts of a map from one key on to the next: an order that is none would leave keys out.
        #[test]
        fn keys_are_ordered_as_their_bytes(one in bytes(), other in bytes()) {
            prop_assert_eq!(Key::new(&one).cmp(&Key::new(&other)), one.cmp(&other));
            prop_assert_eq!(Key::new(&one) == Key::new(&other), one == other);
        }

        #[test]
        fn keys_give_their_bytes_back(bytes in bytes()) {
            let key = Key::new(&bytes);
            let back = key.to_bytes();
            prop_assert_eq!((back.len(), back), (key.len(), bytes));
        }
    }
}
