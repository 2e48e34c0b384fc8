//! The search for an order (`pollux_sim::linear`) judged by two others: the tester of Stateright and that of todc-utils.
//!
//! The corpus: histories in which requests are done one after the other at moments inside of their spans, some with
//! unknown outcomes; and the same ones changed: an effect dropped, one done twice, two answers swapped, an old value read.
//! A changed history may still have an order; what counts is that all three say the same, and that a value that never
//! was there is rejected by each.

use pollux_domain::simulation::Random;
use pollux_sim::app::{Answer, App, Entry, KEYS, Operation};
use pollux_sim::history::{self, Call, End, History, Told};
use pollux_sim::linear::{self, Verdict};
use pollux_wire::{Epoch, FileError, OpenId, SyncId};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use std::collections::BTreeMap;
use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History as Sequence};
use todc_utils::specifications::Specification;

const HISTORIES: u64 = 120;

/// How a history is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Nothing,
    /// An effect that was acknowledged did not happen.
    Drop,
    /// A request was executed twice.
    Duplicate,
    /// Two requests got each other's answers.
    Swap,
    /// A request was answered with what was true before.
    Stale,
    /// A request was answered with a value that nobody wrote.
    Forged,
}

const CHANGES: [Change; 6] =
    [Change::Nothing, Change::Drop, Change::Duplicate, Change::Swap, Change::Stale, Change::Forged];

/// Requests of three openers, done one after the other; few enough for a search without memory.
fn history(seed: u64, change: Change) -> Vec<Call> {
    let mut random = Random::new(seed, 1);
    let mut requests: Vec<(u64, Call)> = Vec::new();
    for open in 1..=3 {
        let mut now = 0;
        for sync in 1..=4 {
            let began = now + 1 + random.below(6) as u32;
            let at = began + 1 + random.below(16) as u32;
            now = at + 1 + random.below(8) as u32;
            // No two events are at once: for our search they would be concurrent, for the others the first listed goes first.
            let entry: Entry = (OpenId(open), SyncId(sync + seed % 7));
            let spread = |moment: u32| u64::from(moment) * 4 + open;
            let (key, operation) = Operation::of(entry);
            let action = history::Action::Register(key as u64, operation);
            let told = Told::Unknown(FileError::PATH_DOWN);
            let unknown = Some(End { at: spread(now), told, epoch: Epoch(1) });
            requests.push((spread(at), Call { entry, action, began: spread(began), ended: unknown }));
        }
    }
    requests.sort_by_key(|(at, call)| (*at, call.entry));
    let chosen = random.below(requests.len() as u64) as usize;
    let mut app = Registers::default();
    let mut before = Registers::default();
    for (place, (_, call)) in requests.iter_mut().enumerate() {
        let done = random.chance(900);
        let told = random.chance(900);
        if done {
            let answer = match (change, place == chosen) {
                (Change::Drop, true) => app.clone().execute(call.entry),
                (Change::Duplicate, true) => {
                    app.execute(call.entry);
                    app.execute(call.entry)
                }
                (Change::Stale, true) => before.clone().execute(call.entry),
                (Change::Forged, true) => Answer { place: 0, value: 0xDEAD },
                _ => app.execute(call.entry),
            };
            if told || place == chosen {
                tell(call, answer);
            }
        } else if place == chosen && change == Change::Forged {
            tell(call, Answer { place: 0, value: 0xDEAD });
        }
        if place + 3 < chosen {
            before = app.clone();
        }
    }
    let mut calls: Vec<Call> = requests.into_iter().map(|(_, call)| call).collect();
    if change == Change::Swap {
        let other = (chosen + 1) % calls.len();
        if let (Some(first), Some(second)) = (answer_to(&calls[chosen]), answer_to(&calls[other])) {
            tell(&mut calls[chosen], second);
            tell(&mut calls[other], first);
        }
    }
    calls
}

/// The request was done, and this was told.
fn tell(call: &mut Call, answer: Answer) {
    call.ended = call.ended.map(|end| End { told: Told::Ok(answer), ..end });
}

fn answer_to(call: &Call) -> Option<Answer> {
    match call.ended?.told {
        Told::Ok(answer) => Some(answer),
        Told::Fail(_) | Told::Unknown(_) => None,
    }
}

/// The registers alone: a request that is executed twice is no error of theirs.
#[derive(Debug, Clone, Default)]
struct Registers([u64; KEYS]);

impl Registers {
    fn execute(&mut self, entry: Entry) -> Answer {
        let (key, operation) = Operation::of(entry);
        let value = self.0[key];
        self.0[key] = operation.apply(value);
        Answer { place: 0, value }
    }
}

/// All begins and ends of the requests of one register, in the order of time.
fn events(key: usize, calls: &[Call]) -> Vec<(u64, usize, bool)> {
    let of_key = calls.iter().enumerate().filter(|(_, call)| Operation::of(call.entry).0 == key);
    let mut events: Vec<(u64, usize, bool)> = of_key
        .flat_map(|(at, call)| {
            let end = call.ended.filter(|_| answer_to(call).is_some()).map(|end| (end.at, at, false));
            [Some((call.began, at, true)), end]
        })
        .flatten()
        .collect();
    events.sort_unstable();
    events
}

#[derive(Clone)]
struct Register(u64);

impl SequentialSpec for Register {
    type Op = Operation;
    type Ret = u64;

    fn invoke(&mut self, operation: &Operation) -> u64 {
        let before = self.0;
        self.0 = operation.apply(before);
        before
    }
}

/// Stateright: each request is a thread of its own; one whose outcome is unknown stays in flight.
fn stateright_says(calls: &[Call]) -> bool {
    (0..KEYS).all(|key| {
        let mut tester = LinearizabilityTester::new(Register(0));
        for (_, at, begins) in events(key, calls) {
            let call = &calls[at];
            let recorded = match (begins, answer_to(call)) {
                (true, _) => tester.on_invoke(at, Operation::of(call.entry).1).map(drop),
                (false, Some(answer)) => tester.on_return(at, answer.value).map(drop),
                (false, None) => Ok(()),
            };
            recorded.expect("a history is well formed");
        }
        tester.is_consistent()
    })
}

/// What was asked, and the value that was told, if one was.
type Asked = (Operation, Option<u64>);

struct RegisterSpecification;

impl Specification for RegisterSpecification {
    type State = u64;
    type Operation = Asked;

    fn init() -> u64 {
        0
    }

    fn apply((operation, told): &Self::Operation, value: &u64) -> (bool, u64) {
        (told.is_none_or(|told| told == *value), operation.apply(*value))
    }
}

/// todc-utils knows no open requests: one whose outcome is unknown ends after all others, with any answer. Done last it
/// is as good as not done.
fn todc_says(calls: &[Call]) -> bool {
    (0..KEYS).all(|key| {
        let operation = |at: usize| Operation::of(calls[at].entry).1;
        let told = |at: usize| answer_to(&calls[at]).map(|answer| answer.value);
        let events = events(key, calls);
        let mut actions: Vec<(usize, Action<Asked>)> = Vec::new();
        for (_, at, begins) in &events {
            let it = (operation(*at), told(*at));
            actions.push((*at, if *begins { Action::Call(it) } else { Action::Response(it) }));
        }
        let open = events.iter().filter(|(_, at, begins)| *begins && told(*at).is_none());
        actions.extend(open.map(|(_, at, _)| (*at, Action::Response((operation(*at), None)))));
        actions.is_empty()
            || WGLChecker::<RegisterSpecification>::is_linearizable(Sequence::from_actions(actions))
    })
}

// Whoever wrote the simulator wrote its checker, too: one misunderstanding would hide in both. These two were written by others.
#[test]
fn three_searches_say_the_same() {
    let mut counts: BTreeMap<(Change, bool), u64> = BTreeMap::new();
    let mut unknown = 0;
    for change in CHANGES {
        for seed in 0..HISTORIES {
            let calls = history(seed, change);
            unknown += calls.iter().filter(|call| answer_to(call).is_none()).count();
            let ours = match linear::check(&calls.iter().copied().collect::<History>()) {
                Verdict::Linear => true,
                Verdict::NotLinear { .. } => false,
                Verdict::TooLong => panic!("so short a history is searched to its end"),
            };
            assert_eq!(
                ours,
                stateright_says(&calls),
                "stateright, {change:?}, seed {seed}:\n{}",
                History::from_iter(calls.iter().copied())
            );
            assert_eq!(
                ours,
                todc_says(&calls),
                "todc-utils, {change:?}, seed {seed}:\n{}",
                History::from_iter(calls.iter().copied())
            );
            *counts.entry((change, ours)).or_default() += 1;
        }
    }
    println!("{counts:?}, {unknown} unknown outcomes");
    let count = |change, linear| counts.get(&(change, linear)).copied().unwrap_or(0);
    assert_eq!(count(Change::Nothing, true), HISTORIES, "what was done one after the other has an order");
    assert_eq!(count(Change::Forged, false), HISTORIES, "a value that nobody wrote has none");
    for change in [Change::Drop, Change::Duplicate, Change::Swap, Change::Stale] {
        assert!(count(change, false) >= HISTORIES / 10, "{change:?} is rejected often enough: {counts:?}");
        assert!(count(change, true) >= 1, "{change:?} stays without an effect sometimes: {counts:?}");
    }
    assert!(unknown > 100, "unknown outcomes are part of it");
}

// The log sees what registers cannot: a request that is executed twice, or out of its order (S3, S8).
#[test]
fn the_log_sees_a_request_that_is_done_twice() {
    let mut app = App::default();
    for sync in [1, 2, 3] {
        app.execute((OpenId(1), SyncId(sync)));
    }
    assert_eq!(app.misorder(), None);
    let mut again = app.clone();
    again.execute((OpenId(1), SyncId(3)));
    assert_eq!(again.misorder(), Some("S3: request 3 of opener 1 is executed twice"));
    app.execute((OpenId(1), SyncId(2)));
    assert_eq!(app.misorder(), Some("S8: request 2 of opener 1 is executed after 3"));
}
