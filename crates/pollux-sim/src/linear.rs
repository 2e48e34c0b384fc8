//! Decides whether a history can be explained by registers that do one request after the other (linearizability).
//!
//! The search is that of Wing and Gong with Lowe's memory of what was tried, for each register by itself. A request whose
//! outcome is unknown may have been done at any moment after its begin, or never.

use crate::app::Operation;
use crate::history::{Action, Call, History, Told};
use std::collections::{BTreeMap, BTreeSet};

/// Requests of one register beyond which the search is not begun.
const CALLS_MAX: usize = 400;
/// States after which the search is given up: many requests with unknown outcomes have too many explanations.
const STATES_MAX: usize = 20_000;

/// What the search says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order that explains all answers.
    Linear,
    /// There is none for this register.
    NotLinear {
        /// Which.
        key: u64,
    },
    /// It has too many requests for this search, or too many with unknown outcomes.
    TooLong,
}

struct Request {
    operation: Operation,
    began: u64,
    /// When it was over, and the value that it was told; none if that is unknown.
    told: Option<(u64, u64)>,
}

/// Searches for an explanation, for each register. A register with too many requests hides no error of another.
pub fn check(history: &History) -> Verdict {
    let mut registers: BTreeMap<u64, Vec<Request>> = BTreeMap::new();
    for (key, request) in history.calls().iter().filter_map(request) {
        registers.entry(key).or_default().push(request);
    }
    let mut verdict = Verdict::Linear;
    for (key, mut requests) in registers {
        requests.sort_by_key(|request| request.told.map_or(u64::MAX, |(ended, _)| ended));
        let explained = if requests.len() > CALLS_MAX { None } else { explains(&requests) };
        match explained {
            Some(true) => {}
            Some(false) => return Verdict::NotLinear { key },
            None => verdict = Verdict::TooLong,
        }
    }
    verdict
}

fn request(call: &Call) -> Option<(u64, Request)> {
    let Action::Register(key, operation) = call.action else { return None };
    let told = match call.ended.map(|end| (end.at, end.told)) {
        Some((at, Told::Ok(answer))) => Some((at, answer.value)),
        Some((_, Told::Fail(_))) => return None,
        // What is not known to be done changes nothing when it only reads.
        _ if operation == Operation::Read => return None,
        _ => None,
    };
    Some((key, Request { operation, began: call.began, told }))
}

/// Depth first: which request may come next, and what was tried already in this state. None: it was given up.
fn explains(requests: &[Request]) -> Option<bool> {
    let words = requests.len().div_ceil(64);
    let known = requests.iter().filter(|request| request.told.is_some()).count();
    let mut tried = BTreeSet::new();
    let mut stack = vec![(vec![0_u64; words], 0_u64, 0_usize)];
    while let Some((done, value, told)) = stack.pop() {
        if told == known {
            return Some(true);
        }
        if !tried.insert((done.clone(), value)) {
            continue;
        }
        if tried.len() > STATES_MAX {
            return None;
        }
        let is_done = |at: usize| done[at / 64] >> (at % 64) & 1 == 1;
        // Nothing may be put after a request that was over before it began.
        let horizon = requests.iter().enumerate().filter(|(at, _)| !is_done(*at));
        let horizon = horizon.filter_map(|(_, request)| request.told.map(|(ended, _)| ended)).min();
        let horizon = horizon.unwrap_or(u64::MAX);
        let fits = |request: &Request| request.told.is_none_or(|(_, answer)| answer == value);
        let may_be_next: Vec<usize> = (0..requests.len())
            .filter(|at| !is_done(*at) && requests[*at].began <= horizon && fits(&requests[*at]))
            .collect();
        let mut push = |at: usize| {
            let request = &requests[at];
            let mut next = done.clone();
            next[at / 64] |= 1 << (at % 64);
            stack.push((next, request.operation.apply(value), told + usize::from(request.told.is_some())));
        };
        // What leaves the value as it is can come at once: nothing is lost by it.
        let changes_nothing =
            |at: &&usize| requests[**at].told.is_some() && requests[**at].operation.apply(value) == value;
        match may_be_next.iter().find(changes_nothing) {
            Some(at) => push(*at),
            // The last one pushed is tried first: the request that was over first, and the unknown ones after all others.
            None => may_be_next.into_iter().rev().for_each(push),
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Answer, App, Entry};
    use crate::history::End;
    use pollux_domain::simulation::Random;
    use pollux_wire::{Epoch, FileError, OpenId, SyncId};

    fn call(entry: Entry, began: u64, at: u64, told: Told) -> Call {
        let (key, operation) = Operation::of(entry);
        let ended = Some(End { at, told, epoch: Epoch(1) });
        Call { entry, action: Action::Register(key as u64, operation), began, ended }
    }

    /// Requests of some openers that are done one after the other at moments inside of their spans; some of the last ones
    /// end unknown.
    fn good(seed: u64) -> Vec<Call> {
        let mut random = Random::new(seed, 1);
        let mut app = App::default();
        let mut calls: Vec<(u64, Call)> = Vec::new();
        for open in 1..=3 {
            let mut now = 0;
            for sync in 1..=8 {
                let began = now + random.below(6);
                let at = began + 1 + random.below(20);
                now = at + 1 + random.below(10);
                let entry: Entry = (OpenId(open), SyncId(sync));
                calls.push((at, call(entry, began, now, Told::Unknown(FileError::PATH_DOWN))));
            }
        }
        calls.sort_by_key(|(at, call)| (*at, call.entry));
        for (_, call) in &mut calls {
            if random.chance(900) {
                let answer = app.execute(call.entry);
                if random.chance(950) {
                    call.ended = call.ended.map(|end| End { told: Told::Ok(answer), ..end });
                }
            }
        }
        calls.into_iter().map(|(_, call)| call).collect()
    }

    // A checker that rejects what is right is switched off by the first who meets it.
    #[test]
    fn what_was_done_one_after_the_other_is_linear() {
        for seed in 0..300 {
            assert_eq!(check(&good(seed).into_iter().collect()), Verdict::Linear, "seed {seed}");
        }
    }

    // A checker that accepts what cannot be proves nothing.
    #[test]
    fn a_value_that_was_never_there_is_seen() {
        for seed in 0..300 {
            let mut calls = good(seed);
            let answers = calls.iter_mut().filter_map(|call| match &mut call.ended.as_mut()?.told {
                Told::Ok(answer) => Some(answer),
                _ => None,
            });
            answers.take(1).for_each(|answer| answer.value = 0xDEAD);
            assert!(matches!(check(&calls.into_iter().collect()), Verdict::NotLinear { .. }), "seed {seed}");
        }
    }

    // The error of a paused primary: it answers with what was true before its successor wrote.
    #[test]
    fn a_stale_read_is_seen() {
        let operations = |wanted: fn(&Operation) -> bool| {
            (1..200).map(|sync| (OpenId(1), SyncId(sync))).find(|entry| {
                let (key, operation) = Operation::of(*entry);
                key == 0 && wanted(&operation)
            })
        };
        let write =
            operations(|operation| matches!(operation, Operation::Write(_))).expect("there is a write");
        let read = operations(|operation| *operation == Operation::Read).expect("there is a read");
        let call =
            |entry, began, ended, value| call(entry, began, ended, Told::Ok(Answer { place: 0, value }));
        let Operation::Write(written) = Operation::of(write).1 else { unreachable!("looked for") };
        let history =
            |value, began| [call(write, 0, 5, 0), call(read, began, 9, value)].into_iter().collect();
        assert_eq!(check(&history(written, 6)), Verdict::Linear);
        assert_eq!(check(&history(0, 6)), Verdict::NotLinear { key: 0 }, "it began after the write was over");
        assert_eq!(check(&history(0, 3)), Verdict::Linear, "it began before");
    }
}
