//! What is on record: the daemon's rules over the coordinator's compare-and-set.
//!
//! What it decides: which record follows from which, through [`pollux_core::directory`]; which names have nobody left
//! and end. What it does not: who is alive. It is told which processes its own CPU has, and takes the CPU records for
//! the rest.
//!
//! Invariants: every change is a compare-and-set on what was read (S6, S10); the epoch of a name starts at its
//! sequence number, which never repeats, so that it never goes back though the name ends and starts again (S11); a
//! failure whose outcome is not known is looked up before anything is said (S14).
//!
//! A name whose halves die at the same moment as those who would have to notice is not forgotten: each half's own CPU,
//! or whoever finds that CPU down, proves one half dead; a half that is dead while the other one seems to live makes an
//! [`Orphan`], and the CPU of the other half either tells its process or says that there is none ([`Ledger::bury`]).

use crate::limits::{NAME_TRIES_MAX, NUMBERS_BLOCK, UPDATE_ATTEMPTS_MAX};
use pollux_coordinator::{Coordinator, Error, Key, Outcome, Transaction};
use pollux_core::directory::{self, Ruling};
use pollux_wire::control::{Change, Recorded, StateKeeping};
use pollux_wire::record::{
    CPU_KEY_PREFIX, CpuRecord, CpuState, NAME_KEY_PREFIX, NODE_KEY, NameRecord, NodeRecord, SEQUENCE_KEY,
};
use pollux_wire::{CpuNumber, Epoch, Phandle, ProcessName, Wire, decode, encode};
use std::collections::BTreeSet;

mod generated;

/// Key of the counter of the names that were made up.
const NAMES_MADE_KEY: &str = "counter/names";

/// The records, through one coordinator.
#[derive(Debug)]
pub(crate) struct Ledger<C> {
    store: C,
    /// Numbers fetched and not yet given: the next one, and how many.
    number_next: u64,
    numbers_left: u32,
}

/// A change that was ruled on before it is asked for: a compare-and-set on the record as it was then (S6).
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) change: Change,
    transaction: Transaction,
    next: NameRecord,
}

/// How a CPU came up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CameUp {
    /// The CPU's epoch.
    pub(crate) epoch: Epoch,
    /// CPUs that were up before; this one connects to them, those that come later connect to this one.
    pub(crate) older: Vec<CpuRecord>,
}

/// What became of the attempt to create a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NameCreation {
    /// It is on record.
    Created,
    /// Somebody else has it (S10).
    Taken(Box<NameRecord>),
}

/// What the end of a process means for its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It was the last one: the name is off the record.
    Ended(Box<NameRecord>),
    /// The other half is on record.
    Survivor(Phandle),
    /// The pair keeps its state itself: its other half is on record as single.
    Corrected(Box<Correction>),
    /// It was not on record.
    Unrelated,
}

/// A record of a pair that keeps its state itself, and what it was before a half died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Correction {
    /// As it was; none if somebody else has corrected it.
    pub(crate) before: Option<NameRecord>,
    /// As it is.
    pub(crate) record: NameRecord,
}

/// A half on record whose other half is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Orphan {
    /// The half that may be alive.
    pub(crate) left: Phandle,
    /// The half that is dead.
    pub(crate) dead: Phandle,
}

/// What a look over all names found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Survey {
    /// Names that this look ended.
    pub(crate) ended: Vec<NameRecord>,
    /// Halves to be told.
    pub(crate) orphans: Vec<Orphan>,
    /// Records that this look has corrected.
    pub(crate) corrected: Vec<Correction>,
    /// All records of pairs that keep their state themselves with a half in the own CPU.
    pub(crate) active_here: Vec<NameRecord>,
    /// CPUs on record as failed, and since when, milliseconds since 1970.
    pub(crate) failed: Vec<(CpuNumber, u64)>,
    /// CPUs on record as up.
    pub(crate) up: Vec<CpuNumber>,
}

/// What the loss of a CPU means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    /// True for the one daemon that put it on record.
    pub(crate) won: bool,
    /// What follows for the names.
    pub(crate) survey: Survey,
}

/// Who looks, and which processes its CPU has.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    /// The own CPU.
    pub(crate) cpu: CpuNumber,
    /// All its processes, those that are being started included.
    pub(crate) alive: BTreeSet<Phandle>,
}

/// All that is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The node's settings.
    pub(crate) node: Option<NodeRecord>,
    /// The CPUs.
    pub(crate) cpus: Vec<CpuRecord>,
    /// The names.
    pub(crate) names: Vec<NameRecord>,
}

/// What to do with a record that was read.
enum Step<T, R> {
    /// Write this and be done.
    Put(T, R),
    /// Remove it and be done.
    Delete(R),
    /// Leave it as it is.
    Stop(R),
}

impl<C: Coordinator> Ledger<C> {
    /// The ledger kept in `store`.
    pub(crate) fn new(store: C) -> Self {
        Self { store, number_next: 0, numbers_left: 0 }
    }

    /// Puts the own CPU on record as up, in its next epoch. The caller listens already and is the only daemon of this
    /// CPU.
    pub(crate) fn come_up(
        &mut self,
        node: &NodeRecord,
        cpu: CpuNumber,
        pid: u32,
        now_unix_ms: u64,
    ) -> Result<CameUp, Error> {
        let epoch = self.update(&cpu_key(cpu)?, |before: Option<&CpuRecord>| {
            let epoch = before.map_or(Epoch(0), |record| record.epoch).next();
            Step::Put(CpuRecord { cpu, state: CpuState::Up, epoch, pid, since_unix_ms: now_unix_ms }, epoch)
        })?;
        let all = self.store.list(CPU_KEY_PREFIX)?;
        let own_key = cpu_key(cpu)?;
        let own_revision = all.iter().find(|(key, _)| *key == own_key).map(|(_, found)| found.revision);
        let mut older = Vec::new();
        for (key, found) in &all {
            let record: CpuRecord = decode_record(key, &found.value)?;
            if *key != own_key && record.state == CpuState::Up && Some(found.revision) < own_revision {
                older.push(record);
            }
        }
        // The settings of a node belong to its start: the first CPU that comes up brings them.
        let first = older.is_empty();
        self.update(&Key::new(NODE_KEY)?, |before: Option<&NodeRecord>| match before {
            Some(_) if !first => Step::Stop(()),
            _ => Step::Put(node.clone(), ()),
        })?;
        Ok(CameUp { epoch, older })
    }

    /// Puts the own CPU on record as down and ends the names that had their last process there.
    pub(crate) fn leave(&mut self, cpu: CpuNumber, epoch: Epoch, now_unix_ms: u64) -> Result<Survey, Error> {
        self.set_down(cpu, epoch, CpuState::Down, now_unix_ms)?;
        // After the record: of two CPUs that leave together, the later one sees the earlier one's record.
        self.survey(&Witness { cpu, alive: BTreeSet::new() })
    }

    /// Puts the loss of another CPU on record, unless somebody did, and looks what follows for the names.
    pub(crate) fn lose_cpu(
        &mut self,
        cpu: CpuNumber,
        epoch: Epoch,
        on_purpose: bool,
        now_unix_ms: u64,
        witness: &Witness,
    ) -> Result<Loss, Error> {
        let state = if on_purpose { CpuState::Down } else { CpuState::Failed };
        let won = self.set_down(cpu, epoch, state, now_unix_ms)?;
        Ok(Loss { won, survey: self.survey(witness)? })
    }

    /// Looks over all names: ends those that have nobody left and finds the halves that lost their partner.
    pub(crate) fn survey(&mut self, witness: &Witness) -> Result<Survey, Error> {
        let mut survey = Survey::default();
        for record in self.list::<CpuRecord>(CPU_KEY_PREFIX)? {
            match record.state {
                CpuState::Up => survey.up.push(record.cpu),
                CpuState::Failed => survey.failed.push((record.cpu, record.since_unix_ms)),
                CpuState::Down => {}
            }
        }
        let is_dead = |half: Phandle| {
            let gone_here = half.cpu == witness.cpu && !witness.alive.contains(&half);
            gone_here || !survey.up.contains(&half.cpu)
        };
        let (mut nobody_left, mut half_left) = (Vec::new(), Vec::new());
        for record in self.list::<NameRecord>(NAME_KEY_PREFIX)? {
            match record.backup {
                None if is_dead(record.primary) => nobody_left.push(record),
                None => {}
                Some(backup) => match (is_dead(record.primary), is_dead(backup)) {
                    (true, true) => nobody_left.push(record),
                    (true, false) if record.keeps == StateKeeping::Active => {
                        half_left.push((record.primary, record));
                    }
                    (false, true) if record.keeps == StateKeeping::Active => {
                        half_left.push((backup, record));
                    }
                    (true, false) => survey.orphans.push(Orphan { left: backup, dead: record.primary }),
                    (false, true) => survey.orphans.push(Orphan { left: record.primary, dead: backup }),
                    (false, false) => {}
                },
            }
        }
        for record in nobody_left {
            let halves = [Some(record.primary), record.backup];
            survey.ended.extend(self.bury_name(&record.name, &halves)?);
        }
        for (dead, record) in half_left {
            if let Gone::Corrected(correction) = self.correct(&record.name, dead)?
                && correction.before.is_some()
            {
                survey.corrected.push(*correction);
            }
        }
        let here = |half: Phandle| half.cpu == witness.cpu && witness.alive.contains(&half);
        let mut active_here = self.list::<NameRecord>(NAME_KEY_PREFIX)?;
        active_here.retain(|record| {
            record.keeps == StateKeeping::Active && (here(record.primary) || record.backup.is_some_and(here))
        });
        survey.active_here = active_here;
        Ok(survey)
    }

    /// Changes a name's record as process `by` asks, if the rules allow it. With the record that was written.
    pub(crate) fn change(
        &mut self,
        name: &ProcessName,
        by: Phandle,
        change: &Change,
    ) -> (Recorded, Option<NameRecord>) {
        let changed = name_key(name).and_then(|key| {
            self.update(&key, |record: Option<&NameRecord>| {
                let Some(record) = record else {
                    let why = "the name is not on record".to_owned();
                    return Step::Stop((Recorded::Refused { current: None, why }, None));
                };
                match directory::rule(record, by, change) {
                    Ruling::Write(next) => {
                        let done = Recorded::Done { epoch: next.epoch };
                        Step::Put(next.clone(), (done, Some(next)))
                    }
                    Ruling::Already(epoch) => Step::Stop((Recorded::Done { epoch }, None)),
                    Ruling::Refuse(why) => {
                        let (current, why) = (Some(record.clone()), why.to_owned());
                        Step::Stop((Recorded::Refused { current, why }, None))
                    }
                }
            })
        });
        changed.unwrap_or_else(|error| (Recorded::Unavailable { why: error.to_string() }, None))
    }

    /// Rules on a change that process `by` will ask for. None if it would not be allowed, or if that cannot be said now.
    pub(crate) fn prepare(&self, name: &ProcessName, by: Phandle, change: Change) -> Option<Box<Prepared>> {
        let key = name_key(name).ok()?;
        let found = self.store.get(&key).ok()??;
        let record = decode_record(&key, &found.value).ok()?;
        let Ruling::Write(next) = directory::rule(&record, by, &change) else { return None };
        let unchanged = Transaction::new().revision_is(key.clone(), found.revision);
        let transaction = unchanged.put(key, encode(&next));
        Some(Box::new(Prepared { change, transaction, next }))
    }

    /// Does a change that was prepared. None if nothing is known of it: the record has changed since, or the coordinator failed.
    pub(crate) fn change_prepared(&mut self, prepared: Prepared) -> Option<(Recorded, Option<NameRecord>)> {
        let Ok(Outcome::Committed(_)) = self.store.commit(&prepared.transaction) else { return None };
        Some((Recorded::Done { epoch: prepared.next.epoch }, Some(prepared.next)))
    }

    /// Puts a new name on record, before its process runs.
    pub(crate) fn create_name(&mut self, record: &NameRecord) -> Result<NameCreation, Error> {
        self.update(&name_key(&record.name)?, |found: Option<&NameRecord>| match found {
            None => Step::Put(record.clone(), NameCreation::Created),
            // An earlier try got through though its outcome was not known.
            Some(found) if found.primary == record.primary => Step::Stop(NameCreation::Created),
            Some(found) => Step::Stop(NameCreation::Taken(Box::new(found.clone()))),
        })
    }

    /// Draws the consequence of the proven end of a named process. With `correct` a pair that keeps its state itself
    /// goes on with its other half.
    pub(crate) fn process_gone(
        &mut self,
        name: &ProcessName,
        dead: Phandle,
        correct: bool,
    ) -> Result<Gone, Error> {
        let gone = self.update(&name_key(name)?, |record: Option<&NameRecord>| match record {
            Some(record) if directory::ends_with(record, dead) => {
                Step::Delete(Gone::Ended(Box::new(record.clone())))
            }
            Some(record) => {
                Step::Stop(directory::survivor(record, dead).map_or(Gone::Unrelated, Gone::Survivor))
            }
            None => Step::Stop(Gone::Unrelated),
        })?;
        match gone {
            Gone::Survivor(left) if !self.is_up(left.cpu)? => {
                let ended = self.bury_name(name, &[Some(dead), Some(left)])?;
                Ok(ended.map_or(gone, |record| Gone::Ended(Box::new(record))))
            }
            Gone::Survivor(_) | Gone::Unrelated if correct => {
                let corrected = self.correct(name, dead)?;
                Ok(if corrected == Gone::Unrelated { gone } else { corrected })
            }
            gone => Ok(gone),
        }
    }

    /// Puts a pair that keeps its state itself on record without its dead half. One that somebody else has corrected
    /// is told as such; whatever else the record says is unrelated.
    fn correct(&mut self, name: &ProcessName, dead: Phandle) -> Result<Gone, Error> {
        self.update(&name_key(name)?, |record: Option<&NameRecord>| {
            let Some(record) = record else { return Step::Stop(Gone::Unrelated) };
            let (before, next) = match directory::without(record, dead) {
                Some(next) => (Some(record.clone()), next),
                None => (None, record.clone()),
            };
            let same_instance = next.primary.sequence == dead.sequence && next.primary != dead;
            let corrected = Gone::Corrected(Box::new(Correction { before, record: next.clone() }));
            match &corrected {
                Gone::Corrected(correction) if correction.before.is_some() => Step::Put(next, corrected),
                _ if record.keeps == StateKeeping::Active && same_instance => Step::Stop(corrected),
                _ => Step::Stop(Gone::Unrelated),
            }
        })
    }

    /// Notes that the first process of a name keeps its state itself. Gives the record if that is so.
    pub(crate) fn mark_active(
        &mut self,
        name: &ProcessName,
        process: Phandle,
    ) -> Result<Option<NameRecord>, Error> {
        self.update(&name_key(name)?, |record: Option<&NameRecord>| match record {
            Some(record) if record.primary == process && record.keeps == StateKeeping::Managed => {
                let next = NameRecord { keeps: StateKeeping::Active, ..record.clone() };
                Step::Put(next.clone(), Some(next))
            }
            record => Step::Stop(record.filter(|record| record.keeps == StateKeeping::Active).cloned()),
        })
    }

    /// Takes the name of which `half` is a half off the record, so that nobody takes over when it stops.
    pub(crate) fn take_off(&mut self, half: Phandle) -> Result<Option<NameRecord>, Error> {
        let Some(found) = self.pair_of(half)? else { return Ok(None) };
        self.update(&name_key(&found.name)?, |record: Option<&NameRecord>| match record {
            Some(record) if record.primary == half || record.backup == Some(half) => {
                Step::Delete(Some(record.clone()))
            }
            _ => Step::Stop(None),
        })
    }

    /// The record that has this process as a half, or has its instance.
    pub(crate) fn pair_of(&self, phandle: Phandle) -> Result<Option<NameRecord>, Error> {
        let names = self.list::<NameRecord>(NAME_KEY_PREFIX)?;
        let same = |record: &NameRecord| {
            phandle.named
                && (record.primary.sequence, record.primary.node) == (phandle.sequence, phandle.node)
        };
        Ok(names.into_iter().find(same))
    }

    /// The record whose name follows this one in order.
    pub(crate) fn next_name(&self, after: Option<&ProcessName>) -> Result<Option<NameRecord>, Error> {
        let names = self.list::<NameRecord>(NAME_KEY_PREFIX)?;
        Ok(names
            .into_iter()
            .filter(|record| after.is_none_or(|after| record.name > *after))
            .min_by(|one, other| one.name.cmp(&other.name)))
    }

    /// A name that nobody has. The next ones are others: this one comes again when all have been given.
    pub(crate) fn new_name(&mut self, long: bool) -> Result<Option<ProcessName>, Error> {
        let key = Key::new(NAMES_MADE_KEY)?;
        for _ in 0..NAME_TRIES_MAX {
            let name = generated::name(self.store.next_number(&key)?, long);
            if self.name(&name)?.is_none() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Ends the name that has these two halves on record, both proven dead.
    pub(crate) fn bury(&mut self, left: Phandle, dead: Phandle) -> Result<Option<NameRecord>, Error> {
        let halves = [Some(left), Some(dead)];
        let names = self.list::<NameRecord>(NAME_KEY_PREFIX)?;
        match names.iter().find(|record| halves.contains(&Some(record.primary))) {
            Some(record) => self.bury_name(&record.name, &halves),
            None => Ok(None),
        }
    }

    /// The record of a name.
    pub(crate) fn name(&self, name: &ProcessName) -> Result<Option<NameRecord>, Error> {
        self.read(&name_key(name)?)
    }

    /// The record of a CPU.
    pub(crate) fn cpu(&self, cpu: CpuNumber) -> Result<Option<CpuRecord>, Error> {
        self.read(&cpu_key(cpu)?)
    }

    /// All that is on record.
    pub(crate) fn contents(&self) -> Result<Contents, Error> {
        Ok(Contents {
            node: self.read(&Key::new(NODE_KEY)?)?,
            cpus: self.list(CPU_KEY_PREFIX)?,
            names: self.list(NAME_KEY_PREFIX)?,
        })
    }

    /// `count` numbers that were never given before (S9); the first of them. Some are skipped when a daemon dies.
    pub(crate) fn numbers(&mut self, count: u32) -> Result<u64, Error> {
        if count > self.numbers_left {
            let fetched = count.max(NUMBERS_BLOCK);
            self.number_next = self.fetch_numbers(fetched)?;
            self.numbers_left = fetched;
        }
        let first = self.number_next;
        self.number_next += u64::from(count);
        self.numbers_left -= count;
        Ok(first)
    }

    /// Takes a row of numbers from the counter, in the form that [`Coordinator::next_number`] keeps it.
    fn fetch_numbers(&mut self, count: u32) -> Result<u64, Error> {
        let key = Key::new(SEQUENCE_KEY)?;
        for _ in 0..UPDATE_ATTEMPTS_MAX {
            let found = self.store.get(&key)?;
            let last = match &found {
                None => self.store.counter_floor()?,
                Some(found) => std::str::from_utf8(&found.value)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| corrupt(&key, "it does not hold a number"))?,
            };
            let end = last.checked_add(u64::from(count)).ok_or_else(|| corrupt(&key, "it is used up"))?;
            let claim = match found {
                None => Transaction::new().absent(key.clone()),
                Some(found) => Transaction::new().revision_is(key.clone(), found.revision),
            };
            match self.store.commit(&claim.put(key.clone(), end.to_string())) {
                Ok(Outcome::Committed(_)) => return Ok(last + 1),
                // After an unknown outcome the numbers may be gone: others are taken.
                Ok(Outcome::Conflict { .. }) | Err(Error::Unknown { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(besieged(&key))
    }

    /// True for the daemon that changed the record; false if it was changed already or the CPU is up again.
    fn set_down(
        &mut self,
        cpu: CpuNumber,
        epoch: Epoch,
        state: CpuState,
        now_unix_ms: u64,
    ) -> Result<bool, Error> {
        self.update(&cpu_key(cpu)?, |record: Option<&CpuRecord>| match record {
            Some(record) if record.state == CpuState::Up && record.epoch == epoch => {
                Step::Put(CpuRecord { state, since_unix_ms: now_unix_ms, ..record.clone() }, true)
            }
            _ => Step::Stop(false),
        })
    }

    /// Deletes the record if all its halves are among `halves`.
    fn bury_name(
        &mut self,
        name: &ProcessName,
        halves: &[Option<Phandle>],
    ) -> Result<Option<NameRecord>, Error> {
        self.update(&name_key(name)?, |record: Option<&NameRecord>| match record {
            Some(record)
                if halves.contains(&Some(record.primary))
                    && (record.backup.is_none() || halves.contains(&record.backup)) =>
            {
                Step::Delete(Some(record.clone()))
            }
            _ => Step::Stop(None),
        })
    }

    fn is_up(&self, cpu: CpuNumber) -> Result<bool, Error> {
        Ok(self.cpu(cpu)?.is_some_and(|record| record.state == CpuState::Up))
    }

    fn read<T: Wire>(&self, key: &Key) -> Result<Option<T>, Error> {
        self.store.get(key)?.map(|found| decode_record(key, &found.value)).transpose()
    }

    fn list<T: Wire>(&self, prefix: &str) -> Result<Vec<T>, Error> {
        self.store.list(prefix)?.iter().map(|(key, found)| decode_record(key, &found.value)).collect()
    }

    /// Reads a record, lets `decide` say what becomes of it, and does that if nobody changed it meanwhile; else again.
    fn update<T: Wire, R>(
        &mut self,
        key: &Key,
        mut decide: impl FnMut(Option<&T>) -> Step<T, R>,
    ) -> Result<R, Error> {
        let mut unknown = None;
        for _ in 0..UPDATE_ATTEMPTS_MAX {
            let found = self.store.get(key)?;
            let record: Option<T> =
                found.as_ref().map(|found| decode_record(key, &found.value)).transpose()?;
            let unchanged = match &found {
                None => Transaction::new().absent(key.clone()),
                Some(found) => Transaction::new().revision_is(key.clone(), found.revision),
            };
            let (transaction, result) = match decide(record.as_ref()) {
                Step::Stop(result) => return Ok(result),
                Step::Put(next, result) => (unchanged.put(key.clone(), encode(&next)), result),
                Step::Delete(result) => (unchanged.delete(key.clone()), result),
            };
            match self.store.commit(&transaction) {
                Ok(Outcome::Committed(_)) => return Ok(result),
                Ok(Outcome::Conflict { .. }) => {}
                // S14: the next look at the record tells whether it was done.
                Err(error @ Error::Unknown { .. }) => unknown = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(unknown.unwrap_or_else(|| besieged(key)))
    }
}

fn name_key(name: &ProcessName) -> Result<Key, Error> {
    Key::new(format!("{NAME_KEY_PREFIX}{name}"))
}

fn cpu_key(cpu: CpuNumber) -> Result<Key, Error> {
    // Two digits, so that a listing is in the order of the numbers.
    Key::new(format!("{CPU_KEY_PREFIX}{:02}", cpu.get()))
}

fn decode_record<T: Wire>(key: &Key, value: &[u8]) -> Result<T, Error> {
    decode(value).map_err(|error| corrupt(key, &error.to_string()))
}

fn corrupt(key: &Key, what: &str) -> Error {
    Error::Corrupt { reason: format!("{key}: {what}") }
}

fn besieged(key: &Key) -> Error {
    let reason = format!("{key}: {UPDATE_ATTEMPTS_MAX} others were faster; try again");
    Error::Unavailable { reason }
}

#[cfg(test)]
mod tests;
