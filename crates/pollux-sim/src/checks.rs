//! The promises, looked at after every step and at the end.

use crate::app::{Answer, Entry};
use crate::history::Told;
use crate::judge::judge;
use crate::linear::Verdict;
use crate::world::{Process, Who, World, who_is};
use pollux_core::output::Gate;
use pollux_wire::control::PairState;
use pollux_wire::{Epoch, FileError, SyncId};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

/// What must be remembered to tell whether a promise is kept.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// A fault hit the last healthy half on record, or the pair was told to stop: its requesters may see 201.
    pub may_be_lost: bool,
    /// Something happened that a requester with sync depth 0 is told of.
    pub disturbed: bool,
    acknowledged: BTreeMap<Entry, Answer>,
    replied: BTreeMap<Entry, Answer>,
    speakers: BTreeMap<Epoch, Who>,
    /// S2 was looked at for this primary with so many acknowledged requests.
    looked_at: Option<(Who, usize)>,
    violation: Option<String>,
}

impl Ledger {
    fn violated(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    /// What is remembered, without what only saves work.
    pub(crate) fn identity(&self, hasher: &mut impl Hasher) {
        let Self { may_be_lost, disturbed, acknowledged, replied, speakers, looked_at: _, violation } = self;
        (may_be_lost, disturbed, acknowledged, replied, speakers, violation).hash(hasher);
    }

    /// A reply leaves half `who`.
    pub fn note_reply(world: &mut World, who: Who, entry: Entry, error: FileError, answer: Answer) {
        if !error.is_ok() {
            // To a request that its requester has given up or has an answer for; one that counts is seen at the end (T1).
            return;
        }
        let known = |half: Who| world.processes[half].app.log().get(answer.place as usize) == Some(&entry);
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
        let first = *world.ledger.replied.entry(entry).or_insert(answer);
        if first != answer {
            world
                .ledger
                .violated(format!("S3: {entry:?} is answered with {answer:?}, before with {first:?}"));
        }
    }

    /// Half `who` says that it is the primary.
    pub fn note_takeover(&mut self, who: Who, epoch: Epoch) {
        let speaker = *self.speakers.entry(epoch).or_insert(who);
        if speaker != who {
            self.violated(format!("S1: halves {speaker} and {who} both speak in epoch {epoch}"));
        }
        if self.speakers.last_key_value().is_some_and(|(newest, _)| *newest > epoch) {
            self.violated(format!("S11: half {who} begins to speak in the old epoch {epoch}"));
        }
    }

    /// A requester was told that its request is done.
    pub fn note_acknowledged(&mut self, entry: Entry, answer: Answer) {
        self.acknowledged.insert(entry, answer);
    }
}

/// The promises that hold at any moment.
pub fn check(world: &mut World) -> Result<(), String> {
    if let Some(violation) = &world.ledger.violation {
        return Err(violation.clone());
    }
    if let Some(differs) = world.clients.iter().find_map(|client| client.differs.as_ref()) {
        return Err(differs.clone());
    }
    let mut primaries = 0;
    let mut looked_at = None;
    for (who, process) in world.processes.iter().enumerate().filter(|(_, process)| process.alive) {
        if process.pair.is_primary() {
            primaries += 1;
            looked_at = check_primary(world, who, process)?;
        } else if let Some(primary) = process.pair.partner()
            && !world.processes[who_is(primary)].app.log().starts_with(process.app.log())
        {
            return Err(format!("S4: the log of backup {who} is not a beginning of its primary's"));
        }
        if let Some(misorder) = process.app.misorder() {
            return Err(format!("{misorder} by half {who}"));
        }
    }
    world.ledger.looked_at = looked_at;
    if primaries > 1 { Err("S1: two live halves take themselves for the primary".into()) } else { Ok(()) }
}

fn check_primary(world: &World, who: Who, process: &Process) -> Result<Option<(Who, usize)>, String> {
    let looked_at = Some((who, world.ledger.acknowledged.len()));
    // A log only grows: another look is due for another primary or another acknowledged request.
    if world.ledger.looked_at != looked_at {
        for (entry, answer) in &world.ledger.acknowledged {
            if process.app.log().get(answer.place as usize) != Some(entry) {
                return Err(format!("S2: primary {who} lacks {entry:?}, which was answered"));
            }
        }
    }
    let alone =
        world.record.as_ref().is_some_and(|record| who_is(record.primary) == who && record.backup.is_none());
    if process.pair.gate() == Gate::Open && !alone {
        return Err(format!("S6: primary {who} speaks alone, the record does not say so"));
    }
    Ok(looked_at)
}

/// A call leaves half `who`: the backup on record knows of it, or there is none (S5).
pub fn check_call(world: &World, who: Who, sync: SyncId) -> Result<(), String> {
    let knows = |half: Who| world.processes[half].replica.calls.iter().any(|call| call.sync == sync);
    match &world.record {
        Some(record) if who_is(record.primary) == who => match record.backup.map(who_is) {
            Some(backup) if !knows(backup) => {
                Err(format!("S5: half {who} sends call {sync}, though the backup on record lacks it"))
            }
            _ => Ok(()),
        },
        _ => Err(format!("S1: half {who} sends call {sync}, and is not the primary on record")),
    }
}

/// What the requesters were told, all together, and the log of the primary that is left.
pub fn check_history(world: &World) -> Result<Verdict, String> {
    let primary = world.record.as_ref().map(|record| &world.processes[who_is(record.primary)]);
    judge(&world.history(), primary.map(|process| process.app.log()))
}

/// The promises that hold when nothing moves any more.
pub fn check_end(world: &World) -> Result<(), String> {
    check_answers(world)?;
    check_pair(world)
}

/// Every request was answered, with success if nothing was lost.
fn check_answers(world: &World) -> Result<(), String> {
    for client in &world.clients {
        let answers = client.calls.iter().filter_map(|call| Some((call.entry.1, call.ended?.told)));
        let count = answers.clone().count() as u64;
        let wanted = client.asker.wanted.max(client.calls.len() as u64);
        if count != wanted {
            return Err(format!("L3: opener {} has {count} answers of {wanted}", client.open));
        }
        let may_be_told = client.asker.sync_depth == 0 && world.ledger.disturbed;
        for (sync, answer) in answers {
            match answer {
                Told::Ok(_) => {}
                Told::Unknown(_) if world.ledger.may_be_lost || may_be_told => {}
                Told::Fail(FileError::OWNERSHIP) if may_be_told => {}
                Told::Fail(error) | Told::Unknown(error) => {
                    return Err(format!("T1: request {sync} of opener {} ends with {error}", client.open));
                }
            }
        }
    }
    Ok(())
}

/// The pair is whole, or has ended with a reason.
pub fn check_pair(world: &World) -> Result<(), String> {
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
    if record.backup.is_some_and(|backup| world.at(backup).alive && world.at(backup).paused.is_some()) {
        // It hangs and owes nothing: the next request finds it.
        return Ok(());
    }
    if !world.is_whole() {
        let states: Vec<PairState> =
            world.processes.iter().filter(|p| p.alive).map(|p| p.pair.state()).collect();
        return Err(format!("L2: the pair does not become whole: {states:?}"));
    }
    let backup = record.backup.expect("a whole pair has a backup");
    let (primary, backup) = (&world.processes[who_is(record.primary)], &world.processes[who_is(backup)]);
    if primary.app != backup.app || primary.replica != backup.replica {
        return Err("S4: the halves differ though nothing moves".into());
    }
    Ok(())
}
