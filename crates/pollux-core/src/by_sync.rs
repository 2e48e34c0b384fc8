//! Where in a queue something of a request stands. The sync ids of an open come in ascending order and mostly follow one
//! another without a gap, so nearly all are found where they are expected, without a search.

use pollux_wire::SyncId;
use std::collections::VecDeque;

/// Where the entry of this sync id stands in a queue that is in the order of the sync ids, or else where it belongs.
#[inline]
pub fn position<T>(queue: &VecDeque<T>, sync: SyncId, of: impl Fn(&T) -> SyncId) -> Result<usize, usize> {
    let (Some(first), Some(last)) = (queue.front(), queue.back()) else { return Err(0) };
    if of(last) < sync {
        return Err(queue.len());
    }
    let expected = usize::try_from(sync.0.wrapping_sub(of(first).0)).unwrap_or(usize::MAX);
    match queue.get(expected) {
        Some(entry) if of(entry) == sync => Ok(expected),
        _ => queue.binary_search_by_key(&sync, of),
    }
}

/// Puts an entry where it belongs: nearly always behind all others, which is cheap.
#[inline]
pub fn insert<T>(queue: &mut VecDeque<T>, at: usize, entry: T) {
    if at == queue.len() { queue.push_back(entry) } else { queue.insert(at, entry) }
}

/// Takes an entry out: nearly always the first one, which is cheap.
#[inline]
pub fn remove<T>(queue: &mut VecDeque<T>, at: usize) -> Option<T> {
    if at == 0 { queue.pop_front() } else { queue.remove(at) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        // A reply that is looked for in the wrong place is not found: its request would be executed again (S3).
        #[test]
        fn it_finds_what_a_search_finds(ids in prop::collection::btree_set(0u64..40, 0..20), far: bool, sync in 0u64..40) {
            let shift = if far { u64::MAX - 40 } else { 0 };
            let ids: BTreeSet<u64> = ids.into_iter().map(|id| id + shift).collect();
            let queue: VecDeque<SyncId> = ids.into_iter().map(SyncId).collect();
            let sync = SyncId(sync + shift);
            prop_assert_eq!(position(&queue, sync, |id| *id), queue.binary_search(&sync));
        }
    }
}
