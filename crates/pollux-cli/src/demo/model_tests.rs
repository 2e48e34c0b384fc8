use super::*;
use crate::demo::fake::{FakeStore, parse_request};
use crate::demo::resp::parse;

/// A client and a server that talk through memory, `pipeline` requests at a time.
struct Talk {
    model: Model,
    store: FakeStore,
}

impl Talk {
    fn new() -> Talk {
        Talk { model: Model::new(7, 1), store: FakeStore::default() }
    }

    /// Sends up to `count` requests at once; gives the replies, one by one.
    fn send(&mut self, count: usize) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        for _ in 0..count {
            if !self.model.next_request(&mut out) {
                break;
            }
        }
        let mut replies = Vec::new();
        let mut at = 0;
        while let Some((words, length)) = parse_request(&out[at..]) {
            at += length;
            replies.push(self.store.execute(&words));
        }
        replies
    }

    fn answer(&mut self, replies: &[Vec<u8>]) {
        for reply in replies {
            let (reply, _) = parse(reply).unwrap().unwrap();
            self.model.handle_reply(&reply);
        }
    }

    fn run(&mut self, rounds: usize) {
        for _ in 0..rounds {
            let replies = self.send(16);
            self.answer(&replies);
        }
    }

    fn verify(&mut self) -> Counts {
        self.model.verify();
        loop {
            let replies = self.send(16);
            if replies.is_empty() {
                return self.model.counts().clone();
            }
            self.answer(&replies);
        }
    }
}

/// Lost, doubled, errors, reconnects.
fn wrong(counts: &Counts) -> [u64; 4] {
    [counts.lost, counts.duplicated, counts.client_errors, counts.reconnects]
}

// A checker that cries wolf makes every real finding worthless.
#[test]
fn a_right_server_is_found_right() {
    let mut talk = Talk::new();
    talk.run(3_000);
    assert!(talk.model.list.generation() > 2, "lists must have been read and deleted");
    assert!(talk.model.set.generation() > 1, "sets must have been read and deleted");
    let counts = talk.verify();
    assert_eq!(wrong(&counts), [0; 4], "{:?}", talk.model.findings());
    assert_eq!(counts.requests, counts.acknowledged);
    assert!(counts.requests > 48_000);
}

// Each kind of write, lost or doubled behind the client's back, must be found at the latest by the final check.
#[test]
fn every_lost_or_doubled_write_is_found() {
    type Sabotage = fn(&mut FakeStore, &str);
    let sabotage: [(&str, Sabotage, [u64; 4]); 5] = [
        ("u:7:", FakeStore::lose, [1, 0, 0, 0]),
        ("l:7:", FakeStore::lose, [1, 0, 0, 0]),
        ("l:7:", FakeStore::double, [0, 1, 0, 0]),
        ("s:7:", FakeStore::lose, [1, 0, 0, 0]),
        ("cnt:7", FakeStore::double, [0, 1, 0, 0]),
    ];
    for (beginning, act, expected) in sabotage {
        let mut talk = Talk::new();
        talk.run(40);
        let key = talk.store.key(beginning).unwrap();
        act(&mut talk.store, &key);
        assert_eq!(wrong(&talk.verify()), expected, "{key}: {:?}", talk.model.findings());
        assert_eq!(talk.model.findings().len(), 1);
    }
}

// A counter that falls back is all its acknowledged increments lost.
#[test]
fn a_lost_counter_is_all_its_increments() {
    let mut talk = Talk::new();
    talk.run(10);
    let issued = talk.model.counter.issued();
    talk.store.lose("cnt:7");
    assert_eq!(wrong(&talk.verify()), [issued.unsigned_abs(), 0, 0, 0]);
}

// A write carried out twice must be found at once, in the reply to the next one, not only at the end.
#[test]
fn wrong_replies_are_found_under_load() {
    let mut talk = Talk::new();
    talk.run(10);
    talk.store.double("cnt:7");
    let list = talk.store.key("l:7:").unwrap();
    talk.store.double(&list);
    talk.run(10);
    assert_eq!(wrong(talk.model.counts()), [0, 2, 0, 0], "{:?}", talk.model.findings());
}

// An error reply is a request that a takeover did not hide.
#[test]
fn refusals_and_nonsense_count_as_errors() {
    let mut talk = Talk::new();
    talk.run(10);
    let mut replies = talk.send(4);
    // The server carried them out and then says it did not: wrong twice over, but the errors come first.
    replies[1] = b"-LOADING\r\n".to_vec();
    replies[2] = b"*1\r\n:1\r\n".to_vec();
    talk.answer(&replies);
    assert_eq!(talk.model.counts().client_errors, 2);
    talk.model.handle_reply(&Reply::Integer(1));
    assert_eq!(talk.model.counts().client_errors, 3, "a reply to nothing");
}

// After a broken connection both outcomes of each unanswered request are right; acknowledged ones still count.
#[test]
fn a_broken_connection_leaves_no_false_findings() {
    for carried_out in [0, 5, 16] {
        let mut talk = Talk::new();
        talk.run(200);
        let mut out = Vec::new();
        while talk.model.due() < 16 {
            talk.model.next_request(&mut out);
        }
        let mut at = 0;
        for _ in 0..carried_out {
            let (words, length) = parse_request(&out[at..]).unwrap();
            talk.store.execute(&words);
            at += length;
        }
        talk.model.connection_broke();
        assert_eq!(talk.model.due(), 0);
        talk.run(200);
        assert_eq!(wrong(&talk.verify()), [0, 0, 0, 1], "{carried_out}: {:?}", talk.model.findings());
    }
}

// A client that goes on asking when told to be quiet would never let the final check begin.
#[test]
fn quiet_sends_nothing() {
    let mut talk = Talk::new();
    talk.run(2);
    talk.model.quiet();
    assert!(talk.send(16).is_empty());
}
