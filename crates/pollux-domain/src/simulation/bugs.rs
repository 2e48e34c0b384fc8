//! Deliberate bugs, put in between a machine and its world, to prove that the checks see them.

use super::world::Disk;
use crate::succession::{Expect, Outcome, Proposal, Timing};

/// One bug. Each is a mistake that a shell or a careless change of the core could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// A takeover does not compare the signs of life.
    TakeoverIgnoresBeats,
    /// A change does not compare the acting master: a paused one writes on.
    ChangeIgnoresEpoch,
    /// A change does not compare the content it was made from.
    ChangeIgnoresStamp,
    /// A takeover keeps the epoch.
    EpochNotRaised,
    /// The fence is longer than the deadline.
    FenceTooLong,
    /// The clock stands still while the machine sleeps.
    ClockStopsInPause,
    /// "Saved" is said before anything is on disk.
    SavedTooEarly,
    /// A lost answer is taken for "not done".
    LostIsNotDone,
    /// Who wants to take over looks at nobody's rank.
    RankIgnored,
    /// A proposal is done in part: the content without the acting master.
    HalfTransaction,
    /// Legacy: no conflict copy is kept.
    NoConflictCopy,
    /// Legacy: the epoch is not on disk before it is used.
    EpochNotSaved,
}

impl Bug {
    /// All of them, and whether the legacy rules are needed to show it.
    pub const ALL: [(Bug, bool); 13] = [
        (Bug::TakeoverIgnoresBeats, false),
        (Bug::ChangeIgnoresEpoch, false),
        (Bug::ChangeIgnoresStamp, false),
        (Bug::EpochNotRaised, false),
        (Bug::FenceTooLong, false),
        (Bug::ClockStopsInPause, false),
        (Bug::SavedTooEarly, false),
        (Bug::LostIsNotDone, false),
        (Bug::RankIgnored, false),
        (Bug::HalfTransaction, false),
        (Bug::NoConflictCopy, true),
        (Bug::EpochNotSaved, true),
        (Bug::SavedTooEarly, true),
    ];

    pub(super) fn timing(bug: Option<Bug>, timing: Timing) -> Timing {
        match bug {
            Some(Bug::FenceTooLong) => Timing { fence: timing.deadline * 3, ..timing },
            _ => timing,
        }
    }

    pub(super) fn proposal(bug: Option<Bug>, proposal: &mut Proposal) {
        let takes = proposal.acting.as_ref().is_some_and(|acting| acting.incarnation.is_some());
        match bug {
            Some(Bug::TakeoverIgnoresBeats | Bug::RankIgnored) if takes => proposal.beats_are.clear(),
            Some(Bug::ChangeIgnoresEpoch) if proposal.content.is_some() => {
                proposal.acting_is = Expect::Any;
                proposal.beats_are.clear();
            }
            Some(Bug::ChangeIgnoresStamp) if proposal.content.is_some() => {
                proposal.stamp_is = Expect::Any;
                proposal.acting_is = Expect::Any;
                proposal.beats_are.clear();
            }
            Some(Bug::EpochNotRaised) if takes => {
                if let (Expect::Is(Some(old)), Some(new)) = (&proposal.acting_is, &mut proposal.acting) {
                    new.epoch = old.epoch;
                }
            }
            Some(Bug::HalfTransaction) if proposal.content.is_some() && proposal.acting.is_some() => {
                proposal.acting = None;
            }
            _ => {}
        }
    }

    pub(super) fn outcome(bug: Option<Bug>, outcome: Outcome) -> Outcome {
        match (bug, outcome) {
            (Some(Bug::LostIsNotDone), Outcome::Unknown) => Outcome::Conflict,
            _ => outcome,
        }
    }

    pub(super) fn disk_at_start(bug: Option<Bug>, disk: &mut Disk) {
        if bug == Some(Bug::EpochNotSaved)
            && let Some((content, epoch)) = &mut disk.net
        {
            *epoch = content.stamp.epoch;
        }
    }
}
