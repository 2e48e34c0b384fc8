//! What a history is held to, whoever made it: simulated requesters, or those of real processes.
//!
//! | Function | Promise |
//! | --- | --- |
//! | [`epochs`] | S1: nobody hears an epoch that is older than one he heard before |
//! | [`repeats`] | S3: a request that is asked again gets the identical reply |
//! | [`places`] | S3, S8: one place for each request that was done, in the order of its opener |
//! | [`log`] | S2, S3, S14: what was acknowledged is in the log once, what failed is not, and nothing else is |
//! | [`order`] | S7: places and counts never go back in time, and none is told before it can be |
//! | [`linear`] | S7: one order explains what was read of the registers |
//!
//! All but the last take linear time, but for sorting.

use crate::app::Entry;
use crate::history::{Action, Call, End, History, Told};
use crate::linear::{self, Verdict};
use pollux_wire::{Epoch, OpenId, SyncId};
use std::collections::{BTreeMap, BTreeSet};

/// All of it. `log`: the requests in the order of their execution, as the last primary has them; none if there is no primary
/// any more.
pub fn judge(history: &History, log: Option<&[Entry]>) -> Result<Verdict, String> {
    epochs(history)?;
    repeats(history)?;
    places(history)?;
    order(history)?;
    if let Some(entries) = log {
        self::log(history, entries)?;
    }
    match linear::check(history) {
        Verdict::NotLinear { key } => {
            Err(format!("S7: no order of the requests explains what was read of register {key}"))
        }
        verdict => Ok(verdict),
    }
}

/// The requests that were answered, with place or count.
fn answered(history: &History) -> impl Iterator<Item = (&Call, u64, u64)> {
    history.calls().iter().filter_map(|call| match call.ended? {
        End { at, told: Told::Ok(answer), .. } => Some((call, at, answer.place)),
        _ => None,
    })
}

/// The epochs of each opener, in the order in which it was told of them.
pub fn epochs(history: &History) -> Result<(), String> {
    let firsts = history.calls().iter().filter_map(|call| Some((call.entry, call.ended?)));
    let mut ends: Vec<(Entry, End)> = firsts.chain(history.again().iter().copied()).collect();
    ends.sort_by_key(|(entry, end)| (entry.0, end.at, entry.1));
    let mut newest: BTreeMap<OpenId, Epoch> = BTreeMap::new();
    for ((open, sync), end) in ends {
        let known = newest.entry(open).or_default();
        if end.epoch < *known {
            return Err(format!(
                "S1: request {open}.{sync} is answered in epoch {} after {known}",
                end.epoch
            ));
        }
        *known = end.epoch;
    }
    Ok(())
}

/// A second reply to the same request says what the first one said.
pub fn repeats(history: &History) -> Result<(), String> {
    if history.again().is_empty() {
        return Ok(());
    }
    let first: BTreeMap<Entry, End> =
        history.calls().iter().filter_map(|call| Some((call.entry, call.ended?))).collect();
    for (entry, again) in history.again() {
        let told = first.get(entry).map(|end| end.told);
        if told != Some(again.told) {
            let (open, sync) = entry;
            return Err(format!("S3: request {open}.{sync} is told {told:?}, and again {:?}", again.told));
        }
    }
    Ok(())
}

/// No two requests have a place in common, and those of an opener have them in the order of its sync ids.
pub fn places(history: &History) -> Result<(), String> {
    let mut takers: BTreeMap<u64, Entry> = BTreeMap::new();
    let mut of_opener: BTreeMap<OpenId, Vec<(SyncId, u64)>> = BTreeMap::new();
    for (call, _, place) in answered(history).filter(|(call, ..)| call.action.takes_place()) {
        let (open, sync) = call.entry;
        if let Some((other, its)) = takers.insert(place, call.entry) {
            return Err(format!("S3: requests {other}.{its} and {open}.{sync} are both told place {place}"));
        }
        of_opener.entry(open).or_default().push((sync, place));
    }
    for (open, mut told) in of_opener {
        told.sort_unstable();
        if let Some(pair) = told.windows(2).find(|pair| pair[0].1 >= pair[1].1) {
            return Err(format!(
                "S8: request {open}.{} has place {}, and {open}.{} after it {}",
                pair[0].0, pair[0].1, pair[1].0, pair[1].1
            ));
        }
    }
    Ok(())
}

/// Each answered request stands where it was told, once; each other one may, unless it failed; nothing else does.
pub fn log(history: &History, entries: &[Entry]) -> Result<(), String> {
    let mut failed = BTreeSet::new();
    let mut begun = BTreeSet::new();
    for call in history.calls().iter().filter(|call| call.action.takes_place()) {
        begun.insert(call.entry);
        if matches!(call.ended, Some(End { told: Told::Fail(_), .. })) {
            failed.insert(call.entry);
        }
    }
    let mut seen = BTreeMap::new();
    for (place, (open, sync)) in entries.iter().copied().enumerate() {
        if let Some(before) = seen.insert((open, sync), place) {
            return Err(format!(
                "S3: request {open}.{sync} is executed twice, at places {before} and {place}"
            ));
        }
        if !begun.contains(&(open, sync)) {
            return Err(format!("S3: place {place} has request {open}.{sync}, which nobody has sent"));
        }
        if failed.contains(&(open, sync)) {
            return Err(format!("S14: request {open}.{sync} has failed, and is at place {place}"));
        }
    }
    for (call, _, place) in answered(history).filter(|(call, ..)| call.action.takes_place()) {
        let (open, sync) = call.entry;
        match seen.get(&call.entry) {
            None => return Err(format!("S2: request {open}.{sync} was answered, and is lost")),
            Some(at) if *at as u64 != place => {
                return Err(format!("S2: request {open}.{sync} was told place {place}, and is at {at}"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Who begins after another has ended comes after it, and nothing is counted that has not begun.
pub fn order(history: &History) -> Result<(), String> {
    let mut ends: Vec<(u64, u64, Entry)> = answered(history)
        .map(|(call, at, place)| (at, place + u64::from(call.action.takes_place()), call.entry))
        .collect();
    ends.sort_unstable_by_key(|(at, ..)| *at);
    let mut ends = ends.into_iter().peekable();
    let mut known = (0, None);
    // The calls come in the order of their begin.
    for (call, _, place) in answered(history) {
        while let Some((_, length, entry)) = ends.next_if(|(at, ..)| *at < call.began) {
            if length > known.0 {
                known = (length, Some(entry));
            }
        }
        let (length, by) = known;
        if place < length {
            let (open, sync) = call.entry;
            let (other, its) = by.unwrap_or(call.entry);
            let what = if call.action == Action::Count { "counts" } else { "has place" };
            return Err(format!(
                "S7: request {open}.{sync} {what} {place}, though {other}.{its} had ended before with {length} in the log"
            ));
        }
    }
    let begins: Vec<u64> =
        history.calls().iter().filter(|call| call.action.takes_place()).map(|call| call.began).collect();
    for (call, at, place) in answered(history) {
        let begun = begins.partition_point(|began| *began <= at) as u64;
        if place + u64::from(call.action.takes_place()) > begun {
            let (open, sync) = call.entry;
            return Err(format!(
                "S3: request {open}.{sync} is told {place}, when only {begun} requests had begun"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
