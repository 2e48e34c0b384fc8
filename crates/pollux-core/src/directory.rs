//! Decides whether a change of a name's record is allowed, and what the record becomes.
//!
//! The record `name -> (primary, backup, epoch)` is the one place where a takeover and "the primary goes on
//! alone" meet: both are a compare-and-set on it, so exactly one of them wins (S6). This module is the *compare*
//! and the *set*; the coordinator makes them atomic. It does not look at who is alive.

use pollux_wire::control::{Change, StateKeeping};
use pollux_wire::record::NameRecord;
use pollux_wire::{Epoch, Phandle};

/// What a change does to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// Write this record.
    Write(NameRecord),
    /// The record says so already, with this epoch: an earlier try got through though its answer was lost.
    Already(Epoch),
    /// The record says something else; the words are for people.
    Refuse(&'static str),
}

/// Rules on the change that process `by` asks for.
pub fn rule(record: &NameRecord, by: Phandle, change: &Change) -> Ruling {
    let on_record = |primary, backup| record.primary == primary && record.backup == backup;
    let write = |primary, backup| {
        Ruling::Write(NameRecord { primary, backup, epoch: record.epoch.next(), ..record.clone() })
    };
    match change {
        Change::TakeOver { dead, .. } => {
            if on_record(by, None) {
                Ruling::Already(record.epoch)
            } else if on_record(*dead, Some(by)) || on_record(by, Some(*dead)) {
                // The second: the dead one had exchanged the roles and died before it could say so. Who takes over goes on
                // alone, so the dead one must leave the record (S6).
                write(by, None)
            } else {
                Ruling::Refuse("the backup is not on record beside that primary")
            }
        }
        Change::RemoveBackup { backup, .. } => {
            if on_record(by, None) {
                Ruling::Already(record.epoch)
            } else if on_record(by, Some(*backup)) {
                write(by, None)
            } else {
                Ruling::Refuse("the primary is no longer the one on record")
            }
        }
        Change::Join { epoch, backup } => {
            if on_record(by, Some(*backup)) {
                Ruling::Already(record.epoch)
            } else if on_record(by, None) && record.epoch == *epoch {
                write(by, Some(*backup))
            } else {
                Ruling::Refuse("the record has another primary, another backup or a newer epoch")
            }
        }
        // A backup that keeps its state itself says that it is the primary (`PROCESS_SETINFO_`, attribute 47): its partner
        // has agreed by their own messages.
        Change::Switch { to, .. } if *to == by && record.keeps == StateKeeping::Active => {
            if record.primary == by {
                Ruling::Already(record.epoch)
            } else if record.backup == Some(by) {
                write(by, Some(record.primary))
            } else {
                Ruling::Refuse("the process is not on record")
            }
        }
        Change::Switch { to, .. } => {
            if on_record(*to, Some(by)) {
                Ruling::Already(record.epoch)
            } else if on_record(by, Some(*to)) {
                write(*to, Some(by))
            } else {
                Ruling::Refuse("the two processes are not the pair on record")
            }
        }
    }
}

/// True when the name ends because process `dead` is gone: it was the last one on record.
pub fn ends_with(record: &NameRecord, dead: Phandle) -> bool {
    record.primary == dead && record.backup.is_none()
}

/// The half that is left when `dead` is gone, if the record has one.
pub fn survivor(record: &NameRecord, dead: Phandle) -> Option<Phandle> {
    match (record.primary == dead, record.backup) {
        (true, backup) => backup,
        (false, Some(backup)) if backup == dead => Some(record.primary),
        (false, _) => None,
    }
}

/// The record when half `dead` is gone and the other one goes on alone; none if it does not have both. Only for pairs
/// that keep their state themselves: the half that is left does not ask for it.
pub fn without(record: &NameRecord, dead: Phandle) -> Option<NameRecord> {
    let primary = survivor(record, dead).filter(|_| record.keeps == StateKeeping::Active)?;
    Some(NameRecord { primary, backup: None, epoch: record.epoch.next(), ..record.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollux_wire::{CpuNumber, Pin, ProcessName};

    fn process(cpu: u8, incarnation: u16) -> Phandle {
        let cpu = CpuNumber::new(cpu).unwrap();
        Phandle { named: true, cpu, pin: Pin(1), node: 0, incarnation, sequence: 9 }
    }

    fn record(primary: Phandle, backup: Option<Phandle>) -> NameRecord {
        let name = ProcessName::new("$A").unwrap();
        NameRecord {
            name,
            epoch: Epoch(5),
            primary,
            backup,
            ancestor: None,
            program: String::new(),
            keeps: StateKeeping::Managed,
        }
    }

    // If a takeover and a removal could both win, two primaries would answer (S1, S6).
    #[test]
    fn takeover_and_removal_exclude_each_other() {
        let (a, b) = (process(0, 1), process(1, 2));
        let whole = record(a, Some(b));
        let take_over = Change::TakeOver { epoch: Epoch(5), dead: a };
        let remove = Change::RemoveBackup { epoch: Epoch(5), backup: b };

        let Ruling::Write(taken) = rule(&whole, b, &take_over) else {
            panic!("a whole pair's backup may take over")
        };
        assert_eq!((taken.primary, taken.backup, taken.epoch), (b, None, Epoch(6)));
        assert!(matches!(rule(&taken, a, &remove), Ruling::Refuse(_)));

        let Ruling::Write(alone) = rule(&whole, a, &remove) else {
            panic!("a primary may remove its backup")
        };
        assert_eq!((alone.primary, alone.backup, alone.epoch), (a, None, Epoch(6)));
        assert!(matches!(rule(&alone, b, &take_over), Ruling::Refuse(_)));
    }

    // A lost answer must not turn into a refusal: the winner would stop.
    #[test]
    fn the_same_change_again_is_already_done() {
        let (a, b) = (process(0, 1), process(1, 2));
        assert_eq!(
            rule(&record(b, None), b, &Change::TakeOver { epoch: Epoch(4), dead: a }),
            Ruling::Already(Epoch(5))
        );
        assert_eq!(
            rule(&record(a, None), a, &Change::RemoveBackup { epoch: Epoch(4), backup: b }),
            Ruling::Already(Epoch(5))
        );
        assert_eq!(
            rule(&record(a, Some(b)), a, &Change::Join { epoch: Epoch(4), backup: b }),
            Ruling::Already(Epoch(5))
        );
        assert_eq!(
            rule(&record(b, Some(a)), a, &Change::Switch { epoch: Epoch(4), to: b }),
            Ruling::Already(Epoch(5))
        );
    }

    // The primary dies after the exchange of roles is on record and before the other half hears of it. If the dead one stayed
    // on record as backup, no new backup could ever join.
    #[test]
    fn a_takeover_clears_an_exchange_of_roles() {
        let (a, b) = (process(0, 1), process(1, 2));
        let Ruling::Write(taken) =
            rule(&record(b, Some(a)), b, &Change::TakeOver { epoch: Epoch(4), dead: a })
        else {
            panic!("a primary on record may put its dead predecessor off the record")
        };
        assert_eq!((taken.primary, taken.backup, taken.epoch), (b, None, Epoch(6)));
    }

    // A process that was never put on record has an incomplete state; it must not become primary (S2).
    #[test]
    fn strangers_change_nothing() {
        let (a, b, c) = (process(0, 1), process(1, 2), process(1, 3));
        let whole = record(a, Some(b));
        assert!(matches!(rule(&whole, c, &Change::TakeOver { epoch: Epoch(5), dead: a }), Ruling::Refuse(_)));
        assert!(matches!(rule(&whole, a, &Change::TakeOver { epoch: Epoch(5), dead: c }), Ruling::Refuse(_)));
        assert!(matches!(
            rule(&whole, c, &Change::RemoveBackup { epoch: Epoch(5), backup: b }),
            Ruling::Refuse(_)
        ));
        assert!(matches!(rule(&whole, a, &Change::Join { epoch: Epoch(5), backup: c }), Ruling::Refuse(_)));
        assert!(matches!(
            rule(&record(a, None), a, &Change::Join { epoch: Epoch(4), backup: c }),
            Ruling::Refuse(_)
        ));
        assert!(matches!(rule(&whole, a, &Change::Switch { epoch: Epoch(5), to: c }), Ruling::Refuse(_)));
    }

    // A backup of a C pair that cannot become primary on request has no switchover; one of a managed pair that could
    // would have two primaries (S1).
    #[test]
    fn only_an_active_backup_makes_itself_primary() {
        let (a, b, c) = (process(0, 1), process(1, 2), process(1, 3));
        let mut whole = record(a, Some(b));
        let switch = Change::Switch { epoch: Epoch(5), to: b };
        assert!(matches!(rule(&whole, b, &switch), Ruling::Refuse(_)), "managed");
        whole.keeps = StateKeeping::Active;
        let Ruling::Write(switched) = rule(&whole, b, &switch) else { panic!("an active backup may") };
        assert_eq!((switched.primary, switched.backup, switched.epoch), (b, Some(a), Epoch(6)));
        assert_eq!(rule(&switched, b, &switch), Ruling::Already(Epoch(6)));
        let stranger = Change::Switch { epoch: Epoch(5), to: c };
        assert!(matches!(rule(&whole, c, &stranger), Ruling::Refuse(_)));
    }

    // The half that is left must be on record as single before it hears that the other one is gone.
    #[test]
    fn an_active_pair_goes_on_without_a_half() {
        let (a, b) = (process(0, 1), process(1, 2));
        let mut whole = record(a, Some(b));
        assert_eq!(without(&whole, a), None, "a managed half asks for it");
        whole.keeps = StateKeeping::Active;
        for (dead, left) in [(a, b), (b, a)] {
            let next = without(&whole, dead).expect("one is left");
            assert_eq!((next.primary, next.backup, next.epoch), (left, None, Epoch(6)));
        }
        assert_eq!(without(&record(a, None), a), None);
    }

    // The name of a pair that lost both halves must become free, and no earlier.
    #[test]
    fn who_is_left() {
        let (a, b) = (process(0, 1), process(1, 2));
        assert!(ends_with(&record(a, None), a));
        assert!(!ends_with(&record(a, Some(b)), a));
        assert_eq!(survivor(&record(a, Some(b)), a), Some(b));
        assert_eq!(survivor(&record(a, Some(b)), b), Some(a));
        assert_eq!(survivor(&record(a, None), b), None);
    }
}
