//! Many opens in one thread.

use crate::node;
use pollux::{OpenOptions, Opens};
use pollux_torture::{Fault, faults};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

const NAMES: [&str; 2] = ["$A", "$B"];
const OPENS: usize = 24;
/// More than leave together: some are sent before the next wait.
const OUTSTANDING: u16 = 12;
const KILLS: u32 = 8;

/// A requester with many opens would wait for ever for one of them after a takeover, or get the answer of another.
#[test]
fn many_opens_in_one_thread_follow_their_servers() {
    let node = node();
    for name in NAMES {
        node.run_pair(name, &["counter"]);
    }
    let place = pollux::Node::connect_in(&node.path()).unwrap();
    let mut opens = Opens::new().unwrap();
    let numbers: Vec<_> = (0..OPENS)
        .map(|at| {
            let options = OpenOptions::outstanding(OUTSTANDING);
            opens.add(place.open_with(NAMES[at % NAMES.len()], options).unwrap()).unwrap()
        })
        .collect();
    let key = |at: usize| format!("key {at}").into_bytes();
    let mut started = [u64::from(OUTSTANDING); OPENS];
    for (at, number) in numbers.iter().enumerate() {
        assert_eq!(number.index(), at);
        for _ in 0..OUTSTANDING {
            opens.start(*number, &key(at)).unwrap();
        }
    }
    let kills_left = AtomicU32::new(KILLS);
    let mut answered = [0; OPENS];
    thread::scope(|scope| {
        scope.spawn(|| {
            for kill in 0..KILLS as usize {
                faults::inflict(&node, NAMES[kill % NAMES.len()], Fault::KillPrimary);
                kills_left.fetch_sub(1, Ordering::SeqCst);
            }
        });
        while let Some((number, sync, answer)) = opens.next(None).unwrap() {
            let at = number.index();
            answered[at] += 1;
            assert!(answer.error.is_ok(), "{at}: {}", answer.error);
            assert_eq!(sync.0, answered[at], "the sync ids of {at}");
            let text = String::from_utf8(answer.payload).unwrap();
            assert_eq!(text.split(' ').next().unwrap(), answered[at].to_string(), "the count of {at}");
            if kills_left.load(Ordering::SeqCst) > 0 {
                opens.start(number, &key(at)).unwrap();
                started[at] += 1;
            }
        }
    });
    assert_eq!((answered, opens.outstanding()), (started, 0));
    assert!(
        numbers.iter().any(|number| opens.server(*number).unwrap().resent() > 0),
        "no kill met a request"
    );

    // What is closed is not waited for, and its number is free for the next.
    opens.start(numbers[3], &key(3)).unwrap();
    opens.close(numbers[3]);
    assert!(opens.start(numbers[3], &key(3)).is_err());
    assert!(opens.next(Some(Duration::from_secs(5))).unwrap().is_none());
    assert_eq!(opens.add(place.open(NAMES[0]).unwrap()).unwrap(), numbers[3]);
    opens.start(numbers[3], b"another key").unwrap();
    let (number, _, answer) = opens.next(None).unwrap().unwrap();
    assert_eq!((number, answer.payload.starts_with(b"1 ")), (numbers[3], true));
    drop((opens, place));
    for name in NAMES {
        node.stop_pair(name);
    }
    node.finish();
}
