//! A map of hardly more than two entries, side by side: a program with thousands of opens has one for each, and a node of a tree
//! with room for eleven would be most of its memory.

/// Values by keys that grow: what is inserted comes last.
#[derive(Debug)]
pub(crate) struct Few<K, V>(Vec<(K, V)>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq, V> Few<K, V> {
    #[inline]
    fn find(&self, key: &K) -> Option<usize> {
        self.0.iter().position(|(known, _)| known == key)
    }

    #[inline]
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.find(key).map(|at| &self.0[at].1)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.find(key).map(|at| &mut self.0[at].1)
    }

    /// Room is made for one more, not for twice as many.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.get_mut(&key) {
            Some(known) => *known = value,
            None => {
                self.0.reserve_exact(1);
                self.0.push((key, value));
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.find(key).map(|at| self.0.remove(at).1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    #[inline]
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A path that is found under the number of another one gets its requests.
    #[test]
    fn entries_keep_their_keys_and_their_order() {
        let mut few = Few::default();
        for (key, value) in [(1, 'a'), (2, 'b'), (3, 'c'), (2, 'd')] {
            few.insert(key, value);
        }
        assert_eq!((few.remove(&1), few.remove(&1)), (Some('a'), None));
        assert_eq!(few.iter().collect::<Vec<_>>(), [(&2, &'d'), (&3, &'c')]);
        assert_eq!((few.get(&3), few.get(&4)), (Some(&'c'), None));
    }
}
