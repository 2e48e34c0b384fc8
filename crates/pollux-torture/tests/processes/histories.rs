//! What requesters of a real pair were told, held to the promises; and the judge, held to what was changed in it.

use crate::node;
use pollux_sim::app::{Answer, Entry, Operation};
use pollux_sim::history::{Action, Call, End, History, Line, Told};
use pollux_sim::judge::judge;
use pollux_sim::linear::Verdict;
use pollux_torture::programs::ledger::ENOUGH;
use pollux_torture::{Fault, Requester, faults};
use pollux_wire::{OpenId, SyncId};
use std::fs;

/// Kills in the history.
const KILLS: usize = 4;

/// A history of three requesters under kills, and the log that is left.
fn recorded() -> (History, Vec<Entry>) {
    let node = node();
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().to_str().unwrap();
    node.run_pair("$LED", &["ledger"]);
    let start = |(opener, depth)| {
        node.requester(&["record", "$LED", "ledger", opener, opener, depth, "1000", directory])
    };
    let requesters: Vec<Requester> = [("1", "1"), ("2", "4"), ("3", "1")].into_iter().map(start).collect();
    let begun = |opener: u32| {
        fs::metadata(place.path().join(format!("{opener}.history"))).is_ok_and(|file| file.len() > 5_000)
    };
    for _ in 0..KILLS {
        node.wait_until("all requesters are at work", || (1..=3).all(begun));
        faults::inflict(&node, "$LED", Fault::KillPrimary);
    }
    fs::write(place.path().join(ENOUGH), "").unwrap();
    requesters.into_iter().for_each(|requester| drop(requester.finish()));
    let text: String = (1..=3)
        .map(|opener| fs::read_to_string(place.path().join(format!("{opener}.history"))).unwrap())
        .collect();
    let lines = text.lines().map(|line| line.parse::<Line>().unwrap());
    let mut log = Vec::new();
    loop {
        let piece = node.request("$LED", &format!("log {}", log.len()));
        let before = log.len();
        log.extend(piece.lines().filter(|line| !line.is_empty()).map(|line| {
            let (open, sync) = line.split_once(' ').unwrap();
            (OpenId(open.parse().unwrap()), SyncId(sync.parse().unwrap()))
        }));
        if log.len() == before {
            break;
        }
    }
    node.stop_pair("$LED");
    node.finish();
    (History::of(lines).unwrap(), log)
}

/// The history with the answer of one request changed.
fn with(history: &History, entry: Entry, change: impl Fn(&mut Answer)) -> History {
    let calls = history.calls().iter().map(|call| {
        let mut call = *call;
        if let Some(End { told: Told::Ok(answer), .. }) = call.ended.as_mut().filter(|_| call.entry == entry)
        {
            change(answer);
        }
        call
    });
    calls.collect()
}

fn refused(history: &History, log: &[Entry], promise: &str, what: &str) {
    let why = judge(history, Some(log)).expect_err(what);
    assert!(why.starts_with(promise), "{what}: {why}");
}

/// A campaign would pass with a judge that sees nothing in what real requesters write.
#[test]
fn a_real_history_is_right_and_none_of_its_mutations_is() {
    let (history, log) = recorded();
    assert_eq!(judge(&history, Some(&log)), Ok(Verdict::Linear));
    assert!(history.calls().len() > 100, "{}", history.calls().len());
    assert!(history.calls().iter().all(|call| matches!(call.ended, Some(End { told: Told::Ok(_), .. }))));
    let epochs = |call: &Call| call.ended.map(|end| end.epoch);
    assert!(epochs(history.calls().last().unwrap()) > epochs(&history.calls()[0]), "there were takeovers");

    let middle = log[log.len() / 2];
    let dropped: Vec<Entry> = log.iter().copied().filter(|entry| *entry != middle).collect();
    refused(&history, &dropped, "S2", "a request is dropped");
    let doubled: Vec<Entry> = log.iter().copied().chain([middle]).collect();
    refused(&history, &doubled, "S3", "a request is doubled");
    let mut swapped = log.clone();
    swapped.swap(log.len() / 2, log.len() / 2 + 1);
    refused(&history, &swapped, "S2", "two requests are swapped");

    let counts = history.calls().iter().rev().find(|call| call.action == Action::Count).unwrap();
    refused(&with(&history, counts.entry, |answer| answer.place = 0), &log, "S7", "a stale count");
    let told_before = |read: &Call, key: u64| {
        history.calls().iter().any(|call| {
            matches!(call.action, Action::Register(its, Operation::Write(_)) if its == key)
                && call.ended.is_some_and(|end| end.at < read.began)
        })
    };
    let read = history
        .calls()
        .iter()
        .find(|call| matches!(call.action, Action::Register(key, Operation::Read) if told_before(call, key)));
    // No value that is written is 0.
    refused(&with(&history, read.unwrap().entry, |answer| answer.value = 0), &log, "S7", "a stale value");
}
