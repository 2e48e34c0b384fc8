use super::*;
use crate::app::{Answer, App, Operation};
use pollux_domain::simulation::Random;
use pollux_wire::FileError;

/// Three openers whose requests are done one after the other, at moments inside of their spans; some outcomes are unknown, some
/// requests fail, some replies come twice. With the log that is left.
fn good(seed: u64) -> (History, Vec<Entry>) {
    let mut random = Random::new(seed, 1);
    let mut calls: Vec<(u64, Call)> = Vec::new();
    for open in 1..=3 {
        let mut now = 0;
        for sync in 1..=30 {
            let entry = (OpenId(open), SyncId(sync));
            let began = now + 1 + random.below(6);
            let at = began + 1 + random.below(20);
            now = at + 1 + random.below(10);
            let (key, operation) = Operation::of(entry);
            let action = match random.below(4) {
                0 => Action::Append,
                1 => Action::Count,
                _ => Action::Register(key as u64, operation),
            };
            let told = Told::Unknown(FileError::PATH_DOWN);
            let ended = Some(End { at: now, told, epoch: Epoch(1 + now / 100) });
            calls.push((at, Call { entry, action, began, ended }));
        }
    }
    calls.sort_by_key(|(at, call)| (*at, call.entry));
    let mut registers: BTreeMap<u64, u64> = BTreeMap::new();
    let mut log = Vec::new();
    let mut again = Vec::new();
    for (_, call) in &mut calls {
        let end = call.ended.as_mut().unwrap();
        let fate = random.below(100);
        if fate < 3 {
            end.told = Told::Fail(FileError::NO_SUCH_PROCESS);
        } else if fate > 5 {
            let mut answer = Answer { place: log.len() as u64, value: 0 };
            if let Action::Register(key, operation) = call.action {
                let value = registers.entry(key).or_default();
                answer.value = *value;
                *value = operation.apply(*value);
            }
            if call.action.takes_place() {
                log.push(call.entry);
            }
            if fate > 10 {
                end.told = Told::Ok(answer);
                if fate > 90 {
                    again.push(Line::End(call.entry, call.action, *end));
                }
            }
        }
    }
    let lines = calls.iter().flat_map(|(_, call)| {
        [
            Some(Line::Invoke(call.began, call.entry, call.action)),
            call.ended.map(|end| Line::End(call.entry, call.action, end)),
        ]
    });
    (History::of(lines.flatten().chain(again)).unwrap(), log)
}

use crate::history::Line;

/// The lines of a history with the answer of the first request that `wanted` chooses changed.
fn with(history: &History, mut change: impl FnMut(&Call, &mut End) -> bool) -> History {
    let mut done = false;
    let calls: Vec<Call> = history
        .calls()
        .iter()
        .map(|call| {
            let mut call = *call;
            let before = call;
            if let Some(end) = call.ended.as_mut().filter(|_| !done) {
                done = change(&before, end);
            }
            call
        })
        .collect();
    assert!(done, "there is such a request");
    calls.into_iter().collect()
}

fn answer(end: &mut End) -> Option<&mut Answer> {
    match &mut end.told {
        Told::Ok(answer) => Some(answer),
        _ => None,
    }
}

fn refused(history: &History, log: Option<&[Entry]>, promises: &[&str], what: &str) {
    let verdict = judge(history, log);
    let why = verdict.expect_err(what);
    assert!(promises.iter().any(|promise| why.starts_with(promise)), "{what}: {why}");
}

// A checker that rejects what is right is switched off by the first who meets it.
#[test]
fn what_was_done_one_after_the_other_is_right() {
    for seed in 0..300 {
        let (history, log) = good(seed);
        assert_eq!(judge(&history, Some(&log)), Ok(Verdict::Linear), "seed {seed}");
        assert_eq!(judge(&history, None), Ok(Verdict::Linear), "seed {seed}");
    }
}

// An acknowledged request that is not in the log would pass: the very thing that must never happen.
#[test]
fn a_request_that_is_dropped_from_the_log_is_missed() {
    for seed in 0..100 {
        let (history, log) = good(seed);
        let lost = answered(&history).find(|(call, ..)| call.action.takes_place()).unwrap().0.entry;
        let without: Vec<Entry> = log.iter().copied().filter(|entry| *entry != lost).collect();
        refused(&history, Some(&without), &["S2"], "a request is lost");
    }
}

// A repetition that is executed would pass.
#[test]
fn a_request_that_stands_in_the_log_twice_is_seen() {
    for seed in 0..100 {
        let (history, mut log) = good(seed);
        log.push(log[seed as usize % log.len()]);
        refused(&history, Some(&log), &["S3"], "a request is doubled");
    }
}

// A requester would be told that it came before one that it came after.
#[test]
fn requests_that_are_swapped_are_seen() {
    for seed in 0..100 {
        let (history, mut log) = good(seed);
        let place = answered(&history).find(|(call, ..)| call.action.takes_place()).unwrap().2 as usize;
        let other = if place == 0 { 1 } else { place - 1 };
        log.swap(place, other);
        refused(&history, Some(&log), &["S2"], "two requests are swapped");
    }
}

// A request of nobody is one of somebody who was told that it failed, or of a hostile client.
#[test]
fn a_request_of_nobody_and_one_that_failed_are_seen() {
    let (history, mut log) = good(1);
    log.push((OpenId(9), SyncId(1)));
    refused(&history, Some(&log), &["S3"], "a request of nobody");
    let failed = history.calls().iter().find(|call| {
        call.action.takes_place() && matches!(call.ended, Some(End { told: Told::Fail(_), .. }))
    });
    let (history, mut log) = (history.clone(), {
        log.pop();
        log
    });
    log.push(failed.unwrap().entry);
    refused(&history, Some(&log), &["S14"], "a failed request is done");
}

// The reply of another request would pass as one's own.
#[test]
fn places_that_are_told_twice_or_backwards_are_seen() {
    for seed in 0..100 {
        let (history, log) = good(seed);
        let mut first = None;
        let doubled = with(&history, |call, end| {
            let Some(answer) = answer(end).filter(|_| call.action.takes_place()) else { return false };
            match first {
                None => {
                    first = Some(answer.place);
                    false
                }
                Some(place) => {
                    answer.place = place;
                    true
                }
            }
        });
        refused(&doubled, Some(&log), &["S3"], "a place is told twice");
        let far = with(&history, |call, end| {
            answer(end).filter(|_| call.action.takes_place()).map(|answer| answer.place += 1000).is_some()
        });
        refused(&far, None, &["S3", "S8"], "a place that cannot be yet");
    }
}

// The error of a paused primary: it counts, or reads, what was true before its successor.
#[test]
fn a_stale_count_and_a_stale_value_are_seen() {
    for seed in 0..100 {
        let (history, log) = good(seed);
        let stale = with(&history, |call, end| {
            call.action == Action::Count
                && answer(end).filter(|answer| answer.place > 40).map(|answer| answer.place = 5).is_some()
        });
        refused(&stale, Some(&log), &["S7"], "a stale count");
        let mut values = BTreeMap::new();
        let stale = with(&history, |call, end| {
            let Action::Register(key, _) = call.action else { return false };
            let Some(answer) = answer(end) else { return false };
            // Far enough behind the writes for that value to be gone for all.
            if answer.value != 0 && call.began > 300 && values.contains_key(&key) {
                answer.value = 0;
                return true;
            }
            values.insert(key, answer.value);
            false
        });
        refused(&stale, Some(&log), &["S7"], "a stale value");
    }
}

// A half that was replaced would be listened to.
#[test]
fn an_epoch_that_goes_back_is_seen() {
    let (history, log) = good(3);
    let back = with(&history, |_, end| {
        let late = end.epoch > Epoch(3);
        end.epoch = if late { Epoch(1) } else { end.epoch };
        late
    });
    refused(&back, Some(&log), &["S1"], "an old epoch");
}

// A retry would be answered by an execution of its own.
#[test]
fn a_repeated_reply_that_differs_is_seen() {
    let (history, log) = good(4);
    let mut lines = history.lines();
    let (at, end) = history.again()[0];
    let changed = lines.iter_mut().rev().find_map(|line| match line {
        Line::End(entry, _, told) if *entry == at && told.at == end.at => answer(told),
        _ => None,
    });
    changed.unwrap().value ^= 1;
    refused(&History::of(lines).unwrap(), Some(&log), &["S3"], "another reply");
}

// Without its registers a simulated run has a log, too: both are made by the same application.
#[test]
fn the_simulated_application_is_right() {
    let mut app = App::default();
    let calls = (1..=50).map(|sync| {
        let entry = (OpenId(1), SyncId(sync));
        let (key, operation) = Operation::of(entry);
        let told = Told::Ok(app.execute(entry));
        let ended = Some(End { at: 2 * sync + 1, told, epoch: Epoch(1) });
        Call { entry, action: Action::Register(key as u64, operation), began: 2 * sync, ended }
    });
    let history: History = calls.collect();
    assert_eq!(judge(&history, Some(app.log())), Ok(Verdict::Linear));
}
