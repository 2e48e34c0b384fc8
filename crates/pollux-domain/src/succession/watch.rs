//! Who is there, judged from signs of life that were read.
//!
//! What this decides: since when a server has been silent. The intuition: a sign that is unchanged proves silence only
//! for the time between its first sight and the moment the *latest read was sent*; the watcher's own pauses
//! and lost answers prove nothing. Edge cases: a server never seen is taken for present until a full deadline has
//! been watched; one whose record is gone left on purpose.

use super::records::Beat;
use super::{Tick, Timing};
use crate::name::ServerName;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Seen {
    beat: Beat,
    /// The answer that first showed this beat arrived then.
    since: Tick,
    /// There without a gap since then.
    steady_since: Tick,
    lost: bool,
}

/// A server's view of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Watch {
    seen: BTreeMap<ServerName, Seen>,
    /// The latest read was sent then.
    read_sent: Tick,
}

impl Watch {
    /// Takes in the beats of a read; returns who came and who went.
    pub(super) fn read(
        &mut self,
        sent: Tick,
        now: Tick,
        beats: &BTreeMap<ServerName, Beat>,
        timing: &Timing,
    ) -> Vec<(ServerName, bool)> {
        let mut changes = Vec::new();
        self.read_sent = sent;
        self.seen.retain(|name, seen| {
            let stays = beats.contains_key(name);
            if !stays && !seen.lost {
                changes.push((name.clone(), false));
            }
            stays
        });
        for (name, beat) in beats {
            let Some(seen) = self.seen.get_mut(name) else {
                let first = Seen { beat: beat.clone(), since: now, steady_since: now, lost: false };
                self.seen.insert(name.clone(), first);
                changes.push((name.clone(), true));
                continue;
            };
            if seen.beat != *beat {
                let again = seen.lost;
                if again || seen.beat.incarnation != beat.incarnation {
                    seen.steady_since = now;
                }
                *seen = Seen { beat: beat.clone(), since: now, lost: false, ..*seen };
                if again {
                    changes.push((name.clone(), true));
                }
            } else if !seen.lost && sent.since(seen.since) >= timing.deadline {
                seen.lost = true;
                changes.push((name.clone(), false));
            }
        }
        changes
    }

    /// Whether the server counts as there.
    pub(super) fn lives(&self, name: &ServerName) -> bool {
        self.seen.get(name).is_some_and(|seen| !seen.lost)
    }

    /// Whether the server has been there for `stable` without a gap.
    pub(super) fn steady(&self, name: &ServerName, timing: &Timing) -> bool {
        self.seen
            .get(name)
            .is_some_and(|seen| !seen.lost && self.read_sent.since(seen.steady_since) >= timing.stable)
    }

    /// The servers that are there.
    pub(super) fn living(&self) -> impl Iterator<Item = &ServerName> {
        self.seen.iter().filter(|(_, seen)| !seen.lost).map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::Incarnation;
    use super::*;

    fn beats(count: u64) -> BTreeMap<ServerName, Beat> {
        let beat = Beat { incarnation: Incarnation(1), count, in_step: None };
        BTreeMap::from([(ServerName::new("a").unwrap(), beat)])
    }

    // A watcher that slept must not take its own silence for the other's.
    #[test]
    fn a_pause_of_the_watcher_proves_nothing() {
        let name = ServerName::new("a").unwrap();
        let timing = Timing { beat: 10, fence: 30, deadline: 40, rank: 5, stable: 60, answer: 15 };
        let mut watch = Watch::default();
        watch.read(Tick(0), Tick(1), &beats(1), &timing);
        // The read was sent before the pause, its answer is read after it.
        watch.read(Tick(10), Tick(500), &beats(1), &timing);
        assert!(watch.lives(&name));
        let gone = watch.read(Tick(501), Tick(502), &beats(1), &timing);
        assert_eq!(gone, [(name.clone(), false)], "501 was sent after 40 ticks of the same beat");
        let back = watch.read(Tick(510), Tick(511), &beats(2), &timing);
        assert_eq!(back, [(name.clone(), true)]);
        assert!(!watch.steady(&name, &timing));
        watch.read(Tick(540), Tick(541), &beats(3), &timing);
        watch.read(Tick(572), Tick(573), &beats(4), &timing);
        assert!(watch.steady(&name, &timing));
    }
}
