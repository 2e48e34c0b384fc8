//! What a half has for each of its thousands of opens. A request asks for the same one some ten times: the place found last is
//! remembered, and the first of them is found without a search through a tree.

use pollux_wire::OpenId;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Values by open.
#[derive(Debug)]
pub(crate) struct ByOpen<V> {
    slots: Vec<Option<(OpenId, V)>>,
    free: Vec<usize>,
    places: HashMap<OpenId, usize, BuildHasherDefault<NumberHasher>>,
    /// Where the one is that was asked for last; meaningless if another one, or none, is there.
    last: usize,
}

impl<V> Default for ByOpen<V> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), places: HashMap::default(), last: 0 }
    }
}

impl<V> ByOpen<V> {
    #[inline]
    fn find(&self, open: &OpenId) -> Option<usize> {
        match self.slots.get(self.last) {
            Some(Some((known, _))) if known == open => Some(self.last),
            _ => self.places.get(open).copied(),
        }
    }

    #[inline]
    pub(crate) fn get(&self, open: &OpenId) -> Option<&V> {
        let (_, value) = self.slots[self.find(open)?].as_ref()?;
        Some(value)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, open: &OpenId) -> Option<&mut V> {
        self.last = self.find(open)?;
        let (_, value) = self.slots[self.last].as_mut()?;
        Some(value)
    }

    pub(crate) fn contains_key(&self, open: &OpenId) -> bool {
        self.find(open).is_some()
    }

    pub(crate) fn insert(&mut self, open: OpenId, value: V) {
        if let Some(known) = self.get_mut(&open) {
            *known = value;
            return;
        }
        let at = self.free.pop().unwrap_or(self.slots.len());
        if at == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[at] = Some((open, value));
        self.places.insert(open, at);
    }

    pub(crate) fn remove(&mut self, open: &OpenId) -> Option<V> {
        let at = self.places.remove(open)?;
        let (_, value) = self.slots[at].take()?;
        self.free.push(at);
        if self.places.is_empty() {
            *self = Self::default();
        }
        Some(value)
    }

    /// In no order that means anything, but the same each time.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&OpenId, &V)> {
        self.slots.iter().flatten().map(|(open, value)| (open, value))
    }

    /// The same.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&OpenId, &mut V)> {
        self.slots.iter_mut().flatten().map(|(open, value)| (&*open, value))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.iter_mut().map(|(_, value)| value)
    }
}

/// The daemons number the opens; nobody else chooses these numbers.
#[derive(Debug, Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        // Both halves of the product, since the table looks at the lowest bits and at the highest.
        let product = u128::from(self.0 ^ number) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    // An open that is found under the number of another one gets the replies of that.
    #[test]
    fn it_is_a_map() {
        let (mut ours, mut known) = (ByOpen::default(), BTreeMap::new());
        let mut chance = 1u64;
        for number in 0..20_000u64 {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            // Numbers of several daemons: they differ in their high bits.
            let open = OpenId(((chance >> 60) << 56) | (chance % 50));
            match chance >> 20 & 3 {
                0 => assert_eq!(ours.remove(&open), known.remove(&open)),
                1 => {
                    ours.insert(open, number);
                    known.insert(open, number);
                }
                _ => {
                    assert_eq!(ours.get_mut(&open), known.get_mut(&open));
                    assert_eq!(ours.contains_key(&open), known.contains_key(&open));
                }
            }
            assert_eq!(ours.get(&open), known.get(&open));
        }
        let mut all: Vec<(OpenId, u64)> = ours.iter().map(|(open, number)| (*open, *number)).collect();
        all.sort_unstable();
        assert_eq!(all, known.into_iter().collect::<Vec<_>>());
        for (open, _) in all {
            ours.remove(&open);
        }
        assert_eq!((ours.slots.len(), ours.free.len()), (0, 0));
    }
}
