//! Sorted sets: members with scores, found by member, by rank and by score.
//!
//! The order is kept in chunks of at most `CHUNK_MEMBERS_MAX` members. An insertion moves part of one
//! chunk; a rank is the sum of the lengths of the chunks before it. For the million members that one
//! sorted set may well have, that is some thousand additions, which a tree with counters hardly beats.

use std::cmp::Ordering;
use std::collections::VecDeque;

use crate::bytes::Bytes;
use crate::dict::{Dict, Place};

/// Members in a chunk before it is split in halves.
const CHUNK_MEMBERS_MAX: usize = 256;

/// One sorted set. Scores are never "not a number": commands and the decoder refuse it.
#[derive(Debug)]
pub(crate) struct SortedSet {
    scores: Dict<f64>,
    chunks: VecDeque<VecDeque<Ranked>>,
}

/// One member in the order: by score, then by bytes.
#[derive(Debug)]
pub(crate) struct Ranked {
    pub(crate) score: f64,
    pub(crate) member: Bytes,
}

impl Ranked {
    fn compare(&self, score: f64, member: &[u8]) -> Ordering {
        let by_score = self.score.partial_cmp(&score).expect("a score is a number");
        by_score.then_with(|| self.member.as_slice().cmp(member))
    }
}

impl SortedSet {
    pub(crate) fn new(seed: u64) -> Self {
        Self { scores: Dict::new(seed), chunks: VecDeque::new() }
    }

    /// Sets the score of a member, present or not.
    pub(crate) fn put(&mut self, member: &[u8], score: f64) {
        match self.scores.place(member) {
            Place::At(index) => {
                let score_old = std::mem::replace(self.scores.value_mut(index), score);
                if score_old == score {
                    // Zero and minus zero have one place in the order but are printed differently.
                    let (chunk, at) = self.locate(score, member);
                    self.chunks[chunk][at].score = score;
                } else {
                    self.unrank(score_old, member);
                    self.rank_new(score, member);
                }
            }
            Place::Vacant(hash) => {
                self.scores.insert(hash, Bytes::new(member), score);
                self.rank_new(score, member);
            }
        }
    }

    pub(crate) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let score = self.scores.remove(member)?;
        self.unrank(score, member);
        Some(score)
    }

    pub(crate) fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.scores.len()
    }

    /// How many members come before this one.
    pub(crate) fn rank(&self, member: &[u8]) -> Option<usize> {
        let (chunk, at) = self.locate(self.score(member)?, member);
        Some(self.chunks.range(..chunk).map(VecDeque::len).sum::<usize>() + at)
    }

    /// How many members come before the first whose score is above `score`, or at least `score`.
    pub(crate) fn count_below(&self, score: f64, including_equal: bool) -> usize {
        let is_below =
            |ranked: &Ranked| if including_equal { ranked.score <= score } else { ranked.score < score };
        let chunk = self.chunks.partition_point(|chunk| chunk.back().is_some_and(is_below));
        let full: usize = self.chunks.range(..chunk).map(VecDeque::len).sum();
        full + self.chunks.get(chunk).map_or(0, |chunk| chunk.partition_point(is_below))
    }

    /// Members from `rank` upward.
    pub(crate) fn ascending(&self, rank: usize) -> impl Iterator<Item = &Ranked> {
        let (chunk, at) = self.chunk_of(rank);
        self.chunks.range(chunk..).flatten().skip(at)
    }

    /// Members from `rank` counted from the end, downward.
    pub(crate) fn descending(&self, rank: usize) -> impl Iterator<Item = &Ranked> {
        let after = self.len().saturating_sub(rank);
        let (chunk, at) = self.chunk_of(after);
        let partial = self.chunks.get(chunk).into_iter().flat_map(move |chunk| chunk.range(..at).rev());
        partial.chain(self.chunks.range(..chunk).rev().flat_map(|chunk| chunk.iter().rev()))
    }

    /// The chunk that holds `rank` and the place in it; past the end if there is no such rank.
    fn chunk_of(&self, rank: usize) -> (usize, usize) {
        let mut rest = rank;
        for (index, chunk) in self.chunks.iter().enumerate() {
            if rest < chunk.len() {
                return (index, rest);
            }
            rest -= chunk.len();
        }
        (self.chunks.len(), 0)
    }

    /// Where a member is, or where it belongs.
    fn locate(&self, score: f64, member: &[u8]) -> (usize, usize) {
        let is_before = |ranked: &Ranked| ranked.compare(score, member).is_lt();
        let chunk = self.chunks.partition_point(|chunk| chunk.back().is_some_and(is_before));
        (chunk, self.chunks.get(chunk).map_or(0, |chunk| chunk.partition_point(is_before)))
    }

    fn rank_new(&mut self, score: f64, member: &[u8]) {
        let (mut chunk, mut at) = self.locate(score, member);
        if chunk == self.chunks.len() {
            if chunk == 0 {
                self.chunks.push_back(VecDeque::new());
            } else {
                chunk -= 1;
                at = self.chunks[chunk].len();
            }
        }
        let members = &mut self.chunks[chunk];
        members.insert(at, Ranked { score, member: Bytes::new(member) });
        if members.len() > CHUNK_MEMBERS_MAX {
            let upper = members.split_off(CHUNK_MEMBERS_MAX / 2);
            self.chunks.insert(chunk + 1, upper);
        }
    }

    fn unrank(&mut self, score: f64, member: &[u8]) {
        let (chunk, at) = self.locate(score, member);
        self.chunks[chunk].remove(at).expect("each member with a score has its place in the order");
        if self.chunks[chunk].is_empty() {
            self.chunks.remove(chunk);
            return;
        }
        // Without this, a set that shrank would be left with thousands of chunks of one member.
        let next_length = self.chunks.get(chunk + 1).map_or(CHUNK_MEMBERS_MAX, VecDeque::len);
        if self.chunks[chunk].len() + next_length < CHUNK_MEMBERS_MAX / 2 {
            let mut next = self.chunks.remove(chunk + 1).expect("its length was read above");
            self.chunks[chunk].append(&mut next);
        }
    }
}

impl PartialEq for SortedSet {
    /// The order follows from the scores.
    fn eq(&self, other: &Self) -> bool {
        self.scores == other.scores
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// If this fails, ranks and ranges of sorted sets are wrong.
        #[test]
        fn behaves_like_a_sorted_list(
            steps in prop::collection::vec((any::<bool>(), 0u16..1500, -20i8..20), 0..3000),
        ) {
            let mut set = SortedSet::new(1);
            let mut model = BTreeMap::new();
            for (is_put, number, score) in steps {
                let member = format!("m{number:05}").into_bytes();
                if is_put {
                    set.put(&member, f64::from(score));
                    model.insert(member, score);
                } else {
                    prop_assert_eq!(set.remove(&member), model.remove(&member).map(f64::from));
                }
            }
            let mut expected: Vec<_> = model.iter().map(|(member, score)| (*score, member.clone())).collect();
            expected.sort();
            let flat = |ranked: &Ranked| (ranked.score as i8, ranked.member.as_slice().to_vec());
            prop_assert_eq!(&set.ascending(0).map(flat).collect::<Vec<_>>(), &expected);
            for rank in (0..=expected.len()).step_by(37) {
                let tail = set.ascending(rank).map(flat).collect::<Vec<_>>();
                prop_assert_eq!(&tail[..], &expected[rank..]);
                let mut head = set.descending(rank).map(flat).collect::<Vec<_>>();
                head.reverse();
                prop_assert_eq!(&head[..], &expected[..expected.len() - rank]);
            }
            for (rank, (_, member)) in expected.iter().enumerate() {
                prop_assert_eq!(set.rank(member), Some(rank));
            }
            for score in -21..21i8 {
                let below = expected.iter().filter(|(other, _)| *other < score).count();
                let up_to = expected.iter().filter(|(other, _)| *other <= score).count();
                prop_assert_eq!(set.count_below(f64::from(score), false), below);
                prop_assert_eq!(set.count_below(f64::from(score), true), up_to);
            }
        }
    }
}
