//! Situations that a campaign must have been in; one that never was is blind there.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Declares the situations once: name, and what it says.
macro_rules! situations {
    ($($name:ident: $text:literal),* $(,)?) => {
        /// A situation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Situation { $(
            #[doc = $text]
            $name,
        )* }

        impl Situation {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name, as tallies keep it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// For people.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

situations! {
    BackupOnRecord: "a backup is on record",
    TakeoverRecorded: "a takeover is on record",
    TakeoverWithReplyHeld: "the primary dies with a reply that waits for its checkpoint",
    TakeoverWithReplyOnItsWay: "the primary dies with a reply on its way",
    TakeoverWithUnacknowledged: "the primary dies with an unacknowledged checkpoint",
    TakeoverWithRequestInHand: "the primary dies with a request in hand",
    TakeoverWhileSwitching: "the primary dies while the roles are exchanged",
    TakeoverAfterSwitchOnRecord: "the old primary dies before it could say that the roles are exchanged",
    TakeoverRefused: "a takeover is refused",
    TakeoverAskedAgain: "a takeover is asked for again: the coordinator was away",
    RemovalRecorded: "the removal of a dead backup is on record",
    RemovalWithRepliesHeld: "a backup dies while replies wait for it",
    JoinOfADeadBackup: "a backup dies while it is being put on record",
    JoinRefused: "a backup is refused to be put on record",
    AlreadyDone: "a change is asked for again and is already done",
    SwitchRecorded: "an exchange of roles is on record",
    SwitchGivenUp: "an exchange of roles is given up",
    IncompleteBackupEnds: "a backup without the whole state ends",
    SupersededEnds: "a half that the record no longer names ends",
    HungBackupKilled: "a silent backup is killed by its primary",
    PausedPrimaryKilled: "a primary that stood still is killed",
    StalledPrimaryGoesOn: "a primary that stood still goes on",
    StalledBackupGoesOn: "a backup that stood still goes on",
    CpuLost: "a CPU is lost",
    NoCpuForBackup: "there is no CPU for a backup",
    BackupAfterCpuReturned: "a backup starts when a CPU is back",
    SavedReplySentAgain: "a request that came again gets its saved reply",
    RequestInHandAgain: "a request comes again while it is in hand",
    StaleReplyDropped: "a requester drops a reply that it has already",
    PathAskedFor: "a requester asks for a path",
    PatienceLost: "a requester that waits for a half to speak loses its patience",
    PathRefused: "a requester is refused a path: the name has ended",
    NothingSentAgain: "a request with sync depth 0 ends unknown",
    StoppedWhileBusy: "a pair is stopped with requests outstanding",
    BothHalvesLost: "both halves are lost",
    CallTakenUp: "a new primary takes up a call of the old one",
    CallMetAgain: "a request that is executed again meets a call that it has made before",
    CallSentTwice: "a call is answered again: its first answer was lost with the primary that had it",
    TooLongToExplain: "a history has too many unknown outcomes to look for an order",
    Linearizable: "a history of more than one requester is explained by one order",
}

/// How often each situation was met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sometimes(BTreeMap<String, u64>);

impl Sometimes {
    /// It was met so often.
    pub fn add(&mut self, situation: Situation, times: u64) {
        *self.0.entry(situation.name().to_owned()).or_default() += times;
    }

    /// Those of another campaign, too.
    pub fn merge(&mut self, other: &Self) {
        for (situation, times) in &other.0 {
            *self.0.entry(situation.clone()).or_default() += times;
        }
    }

    /// How often it was met.
    pub fn count(&self, situation: Situation) -> u64 {
        self.0.get(situation.name()).copied().unwrap_or(0)
    }

    /// Those that never were.
    pub fn never(&self) -> Vec<Situation> {
        Situation::ALL.iter().copied().filter(|situation| self.count(*situation) == 0).collect()
    }
}

/// What one run was in; cheap to copy with its world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Met(u64);

impl Met {
    /// It is in this situation.
    pub fn note(&mut self, situation: Situation) {
        self.0 |= 1 << situation as u64;
    }

    /// A bit for each situation, at its place in [`Situation::ALL`].
    pub fn bits(self) -> u64 {
        self.0
    }

    /// True if it was in this situation.
    pub fn has(self, situation: Situation) -> bool {
        self.0 >> situation as u64 & 1 == 1
    }

    /// What either of two was in.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// All that it was in.
    pub fn all(self) -> impl Iterator<Item = Situation> {
        Situation::ALL.iter().copied().filter(move |situation| self.has(*situation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A tally of an earlier campaign is read by name: another situation under the same name, or one that is counted twice,
    // would make a campaign look as if it had seen what it has not.
    #[test]
    fn names_are_stable_and_differ() {
        assert_eq!(Situation::TakeoverRecorded.name(), "TakeoverRecorded");
        let names: std::collections::BTreeSet<&str> = Situation::ALL.iter().map(|one| one.name()).collect();
        assert_eq!(names.len(), Situation::ALL.len());
        assert!(Situation::ALL.len() <= 64, "`Met` has a bit for each");
        let mut sometimes = Sometimes::default();
        sometimes.add(Situation::CpuLost, 2);
        sometimes.add(Situation::CpuLost, 1);
        assert_eq!((sometimes.count(Situation::CpuLost), sometimes.count(Situation::PathRefused)), (3, 0));
    }
}
