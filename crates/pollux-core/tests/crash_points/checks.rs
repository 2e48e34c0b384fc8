//! The promises, looked at after every step and at the end.

use crate::process::{Entry, Process, Who};
use crate::world::{World, who_is};
use pollux_core::output::Gate;
use pollux_wire::control::PairState;
use pollux_wire::{Epoch, FileError};
use std::collections::BTreeMap;

/// What must be remembered to tell whether a promise is kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// A fault hit the last healthy half on record, or the pair was told to stop: its requesters may see 201.
    pub(crate) may_be_lost: bool,
    acknowledged: BTreeMap<Entry, u64>,
    replied: BTreeMap<Entry, u64>,
    speakers: BTreeMap<Epoch, Who>,
    violation: Option<String>,
}

impl Ledger {
    fn violated(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    /// A reply leaves half `who`.
    pub(crate) fn note_reply(world: &mut World, who: Who, entry: Entry, error: FileError, place: u64) {
        if !error.is_ok() {
            return world.ledger.violated(format!("T2: {entry:?} is answered with {error}"));
        }
        let known = |half: Who| world.processes[half].list.get(place as usize) == Some(&entry);
        let consent = match &world.record {
            Some(record) if who_is(record.primary) == who => {
                record.backup.is_none_or(|backup| known(who_is(backup)))
            }
            _ => false,
        };
        if !consent {
            let record = world.record.as_ref().map(|record| (record.primary, record.backup));
            world.ledger.violated(format!(
                "S5: half {who} answers {entry:?} though the backup on record lacks it: {record:?}"
            ));
        }
        let first = *world.ledger.replied.entry(entry).or_insert(place);
        if first != place {
            world.ledger.violated(format!("S3: {entry:?} is answered with {place}, before with {first}"));
        }
    }

    /// Half `who` says that it is the primary.
    pub(crate) fn note_takeover(&mut self, who: Who, epoch: Epoch) {
        let speaker = *self.speakers.entry(epoch).or_insert(who);
        if speaker != who {
            self.violated(format!("S1: halves {speaker} and {who} both speak in epoch {epoch}"));
        }
        if self.speakers.last_key_value().is_some_and(|(newest, _)| *newest > epoch) {
            self.violated(format!("S11: half {who} begins to speak in the old epoch {epoch}"));
        }
    }

    /// A requester was told that its request is done.
    pub(crate) fn note_acknowledged(&mut self, entry: Entry, place: u64) {
        self.acknowledged.insert(entry, place);
    }
}

/// The promises that hold at any moment.
pub(crate) fn check(world: &World) -> Result<(), String> {
    if let Some(violation) = &world.ledger.violation {
        return Err(violation.clone());
    }
    let mut primaries = 0;
    for (who, process) in world.processes.iter().enumerate().filter(|(_, process)| process.alive) {
        if process.pair.is_primary() {
            primaries += 1;
            check_primary(world, who, process)?;
        } else if let Some(primary) = process.pair.partner()
            && !world.processes[who_is(primary)].list.starts_with(&process.list)
        {
            return Err(format!("S4: the list of backup {who} is not a beginning of its primary's"));
        }
        check_order(who, &process.list)?;
    }
    if primaries > 1 { Err("S1: two live halves take themselves for the primary".into()) } else { Ok(()) }
}

fn check_primary(world: &World, who: Who, process: &Process) -> Result<(), String> {
    for (entry, place) in &world.ledger.acknowledged {
        if process.list.get(*place as usize) != Some(entry) {
            return Err(format!("S2: primary {who} lacks {entry:?}, which was answered"));
        }
    }
    let alone =
        world.record.as_ref().is_some_and(|record| who_is(record.primary) == who && record.backup.is_none());
    if process.pair.gate() == Gate::Open && !alone {
        return Err(format!("S6: primary {who} speaks alone, the record does not say so"));
    }
    Ok(())
}

/// Each request once, and those of an opener in the order of their sync ids.
fn check_order(who: Who, list: &[Entry]) -> Result<(), String> {
    for (at, (open, sync)) in list.iter().enumerate() {
        for (earlier_open, earlier_sync) in &list[..at] {
            if open == earlier_open && earlier_sync == sync {
                return Err(format!("S3: half {who} executed {sync} of opener {open} twice"));
            }
            if open == earlier_open && earlier_sync > sync {
                return Err(format!("S8: half {who} executed {sync} of opener {open} after {earlier_sync}"));
            }
        }
    }
    Ok(())
}

/// The promises that hold when nothing moves any more.
pub(crate) fn check_end(world: &World) -> Result<(), String> {
    for client in &world.clients {
        if client.answers.len() as u64 != client.wanted {
            return Err(format!(
                "L3: opener {} has {} answers of {}",
                client.open,
                client.answers.len(),
                client.wanted
            ));
        }
        for (sync, answer) in &client.answers {
            match answer {
                Ok(_) => {}
                Err(FileError::PATH_DOWN) if world.ledger.may_be_lost => {}
                Err(error) => {
                    return Err(format!("T1: request {sync} of opener {} ends with {error}", client.open));
                }
            }
        }
    }
    let Some(record) = &world.record else {
        let left = world.processes.iter().any(|process| process.alive);
        let lost = if world.ledger.may_be_lost {
            Ok(())
        } else {
            Err("L1: the pair was lost by a single fault".into())
        };
        return if left { Err("L1: the name has ended, a process is left".into()) } else { lost };
    };
    if world.stop_told.is_some() {
        return Err("L1: the pair was told to stop and goes on".into());
    }
    if !world.is_whole() {
        let states: Vec<PairState> =
            world.processes.iter().filter(|p| p.alive).map(|p| p.pair.state()).collect();
        return Err(format!("L2: the pair does not become whole: {states:?}"));
    }
    let backup = record.backup.expect("a whole pair has a backup");
    let (primary, backup) = (&world.processes[who_is(record.primary)], &world.processes[who_is(backup)]);
    if primary.list != backup.list || primary.replica != backup.replica {
        return Err("S4: the halves differ though nothing moves".into());
    }
    Ok(())
}
