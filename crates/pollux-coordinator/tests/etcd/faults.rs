//! Members that are killed, stopped and cut off: what a caller is told, and what is then in the store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pollux_coordinator::{
    Changes, Coordinator, Effect, Error, Etcd, Key, Outcome, Revision, TRANSACTION_OPERATIONS_MAX,
    Transaction, VALUE_BYTES_MAX,
};

use crate::cluster::{Cluster, QUICK, fresh_prefix, place, wait_for, wait_until};
use crate::proxy::{Direction, Proxy};

const LIMIT: Duration = Duration::from_millis(1_500);
/// What a busy machine may add to a limit.
const SLACK: Duration = Duration::from_secs(3);

#[test]
fn nobody_there_is_said_in_time_and_by_name() {
    // A node that cannot reach its coordinator would hang at its start, without a word.
    let start = Instant::now();
    let error = Etcd::open(&place("etcd://127.0.0.1:9,127.0.0.2:9/p?limit-ms=300")).unwrap_err();
    assert!(start.elapsed() < Duration::from_millis(300) + SLACK);
    let text = error.to_string();
    assert!(matches!(error, Error::Unavailable { .. }), "{text}");
    for words in ["127.0.0.1:9: ", "127.0.0.2:9: ", "refused", "etcdctl endpoint status"] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn a_stopped_server_is_left_in_time_and_nothing_untrue_is_said() {
    // A frozen server would freeze every takeover of the node, or a decision would be lost or doubled.
    let Some(cluster) = Cluster::start(1, QUICK) else { return };
    drop(cluster.open("p"));
    let mut store = Etcd::open(&cluster.place("p", "limit-ms=1500")).unwrap();
    let claim = |name: &str| Transaction::new().absent(key(name)).put(key(name), "cpu 0");
    store.commit(&claim("first")).unwrap(); // so that the next one is sent, and not held back by a look
    cluster.members[0].stop();

    let start = Instant::now();
    let sent = store.commit(&claim("sent")).unwrap_err();
    assert_eq!(sent.effect(), Effect::Unknown, "{sent}");
    let held_back = store.commit(&claim("held back")).map(|_| ()).unwrap_err();
    assert!(matches!(held_back, Error::Unavailable { .. }), "{held_back}");
    let read = store.get(&key("sent")).unwrap_err();
    assert!(matches!(read, Error::Unavailable { .. }), "{read}");
    assert!(start.elapsed() < 3 * LIMIT + SLACK, "{:?}", start.elapsed());

    cluster.members[0].go_on();
    wait_for(&mut store);
    // The retry rule: ask again with the same compare, and the answer tells.
    match store.commit(&claim("sent")).unwrap() {
        Outcome::Committed(_) => {}
        Outcome::Conflict { current, .. } => assert_eq!(current.unwrap().value, b"cpu 0"),
    }
    assert_eq!(store.get(&key("held")).unwrap(), None);
    assert!(matches!(store.commit(&claim("held-back")).unwrap(), Outcome::Committed(_)));
}

#[test]
fn a_stopped_leader_is_replaced_and_its_silence_misleads_nobody() {
    // One frozen host of three would stop the node, or give it a stale answer (S7) when it goes on.
    let Some(cluster) = Cluster::start(3, QUICK) else { return };
    drop(cluster.open("p"));
    let leader = cluster.leader();
    let mut addresses: Vec<&str> = cluster.members.iter().map(|member| member.address.as_str()).collect();
    addresses.swap(0, leader); // every handle asks the one first that is going to be silent
    let mut store = Etcd::open(&place(&format!("etcd://{}/p?limit-ms=4000", addresses.join(",")))).unwrap();
    let mut rounds = 0;
    cluster.members[leader].stop();
    wait_until("a commit goes through the other two", || {
        rounds += 1;
        let start = Instant::now();
        let outcome = store.commit(&Transaction::new().absent(key("name")).put(key("name"), "new"));
        assert!(start.elapsed() < Duration::from_secs(4) + SLACK, "{:?}", start.elapsed());
        match outcome {
            Ok(_) => true,
            Err(Error::Unknown { .. } | Error::Unavailable { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    });
    cluster.members[leader].go_on();
    let old = Etcd::open(&place(&format!("etcd://{}/p?limit-ms=20000", addresses[0]))).unwrap();
    assert_eq!(old.get(&key("name")).unwrap().unwrap().value, b"new", "after {rounds} rounds");
}

#[test]
fn a_connection_cut_at_any_byte_gives_no_untrue_answer() {
    // "Not done" would be said of what was done: a second primary, or a number given twice (S1, S9, S14).
    let Some(cluster) = Cluster::start(1, QUICK) else { return };
    let mut direct = cluster.open("p");
    let proxy = Proxy::start(&cluster.members[0].address);
    let mut store = Etcd::open(&place(&format!("etcd://{}/p", proxy.address))).unwrap();
    let start = direct.revision().unwrap();
    let mut seen = BTreeMap::new();
    for direction in [Direction::Request, Direction::Answer] {
        for bytes in 0.. {
            let name = key(&format!("{direction:?}/{bytes}"));
            let claim = Transaction::new().absent(name.clone()).put(name.clone(), "cpu 0");
            // Connected, answered of late, knows the log: the next commit is one request.
            let warm = Transaction::new().put(key("warm"), "x");
            wait_until("the connection is whole", || store.commit(&warm).is_ok());
            proxy.cut_after(bytes, direction);
            let outcome = store.commit(&claim);
            let was_cut = proxy.heal();
            // A request that is still on its way to etcd decides itself before a later read is answered:
            // one member works off what it got in order. The claim below does not rely on it.
            let is_there = direct.get(&name).unwrap().is_some();
            match &outcome {
                Ok(Outcome::Committed(_)) => assert!(is_there, "{name}: said done"),
                Ok(conflict) => panic!("{name}: {conflict:?}"),
                Err(error) if error.effect() == Effect::NotDone => assert!(!is_there, "{name}: {error}"),
                Err(_) => {}
            }
            *seen.entry((direction as u8, outcome.is_ok(), is_there)).or_insert(0) += 1;
            // The retry rule, from another connection: the same compare finds out, and does it once.
            match direct.commit(&claim).unwrap() {
                Outcome::Committed(_) => assert!(outcome.is_err(), "{name}: said done and was not"),
                Outcome::Conflict { current, .. } => assert_eq!(current.unwrap().value, b"cpu 0"),
            }
            assert!(bytes < 4_000, "the proxy never let a commit through");
            if outcome.is_ok() && !was_cut {
                break;
            }
        }
    }
    let Changes::Since { changes, .. } = direct.changes("", start).unwrap() else { panic!("compacted") };
    let mut times = BTreeMap::new();
    for change in changes.iter().filter(|change| change.key() != &key("warm")) {
        *times.entry(change.key().clone()).or_insert(0) += 1;
    }
    assert!(times.values().all(|count| *count == 1), "a commit happened twice: {times:?}");
    // The test is worth nothing if it never cut before and after the decision.
    assert!(seen[&(Direction::Request as u8, false, false)] > 50, "{seen:?}");
    assert!(seen[&(Direction::Answer as u8, false, true)] > 20, "{seen:?}");
}

#[test]
fn a_counter_stays_exact_while_members_are_killed() {
    // Each takeover is such an increment: lost, there are two primaries; doubled, an epoch is skipped (S11).
    const WRITERS: usize = 4;
    const KILLS: usize = 4;
    let Some(mut cluster) = Cluster::start(3, QUICK) else { return };
    drop(cluster.open("p"));
    let place = cluster.place("p", "limit-ms=2000");
    let (stop, progress) = (AtomicBool::new(false), AtomicU64::new(0));
    let (done, numbers): (Vec<u64>, Vec<Vec<u64>>) = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (place, stop, progress) = (&place, &stop, &progress);
                scope.spawn(move || {
                    let mut store = Etcd::open(&pollux_coordinator::EtcdPlace {
                        limit: Duration::from_secs(20),
                        ..place.clone()
                    })
                    .unwrap();
                    let mut done = 0;
                    let mut numbers = Vec::new();
                    while !stop.load(Ordering::SeqCst) {
                        increment(&mut store, writer, done);
                        done += 1;
                        // The numbers of the trait, too: one that was given is given to nobody else.
                        if let Ok(number) = store.next_number(&Key::counter("n").unwrap()) {
                            numbers.push(number);
                        }
                        progress.fetch_add(1, Ordering::SeqCst);
                    }
                    (done, numbers)
                })
            })
            .collect();
        let advance = |what: &str| {
            let goal = progress.load(Ordering::SeqCst) + 10;
            wait_until(what, || progress.load(Ordering::SeqCst) >= goal);
        };
        for kill in 0..KILLS {
            advance("the writers go on with all members");
            // The leader, and now and then another one.
            let leader = cluster.leader();
            let victim = if kill % 3 == 2 { (leader + 1) % 3 } else { leader };
            cluster.members[victim].kill();
            advance("the writers go on with two members");
            cluster.members[victim].start();
        }
        stop.store(true, Ordering::SeqCst);
        writers.into_iter().map(|writer| writer.join().unwrap()).unzip()
    });

    let mut store = cluster.open("p");
    wait_for(&mut store);
    let counts = read(&store).0;
    assert_eq!(counts, done.iter().map(|done| (*done).to_string()).collect::<Vec<_>>());
    let mut all = numbers.concat();
    assert!(numbers.iter().all(|one| one.is_sorted_by(|a, b| a < b)), "a taker's numbers grow");
    all.sort_unstable();
    assert!(all.windows(2).all(|two| two[0] < two[1]), "a number was given twice");
}

/// Counts one up for this writer, and finds out what became of a commit without an answer.
fn increment(store: &mut Etcd, writer: usize, done: u64) {
    let goal = (done + 1).to_string();
    wait_until("the increment is done", || {
        let (mut counts, revision) = match store.get(&key("counts")) {
            Ok(None) => (vec!["0".to_owned(); 4], Revision::NEVER),
            Ok(Some(_)) => read(store),
            Err(Error::Unavailable { .. }) => return false,
            Err(error) => panic!("{error}"),
        };
        if counts[writer] == goal {
            return true; // a commit of which nobody knew
        }
        assert_eq!(counts[writer], done.to_string(), "nobody else counts for this writer");
        counts[writer] = goal.clone();
        let swap =
            Transaction::new().revision_is(key("counts"), revision).put(key("counts"), counts.join(" "));
        match store.commit(&swap) {
            Ok(Outcome::Committed(_)) => true,
            Ok(Outcome::Conflict { .. }) | Err(Error::Unknown { .. } | Error::Unavailable { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    });
}

fn read(store: &Etcd) -> (Vec<String>, Revision) {
    let mut found = None;
    wait_until("the counts are read", || {
        found = store.get(&key("counts")).ok().flatten();
        found.is_some()
    });
    let found = found.unwrap();
    let text = String::from_utf8(found.value).unwrap();
    (text.split(' ').map(str::to_owned).collect(), found.revision)
}

#[test]
fn a_store_that_lost_its_data_is_refused() {
    // Epochs and numbers would begin again, below those in use (S9, S11).
    let Some(mut cluster) = Cluster::start(1, QUICK) else { return };
    let mut store = cluster.open("p");
    let counter = Key::counter("epoch").unwrap();
    assert_eq!(store.next_number(&counter).unwrap(), 1);
    cluster.members[0].lose_data();
    cluster.members[0].start();
    let mut other = cluster.open("p"); // a new node, which may begin
    let error = store.next_number(&counter).unwrap_err();
    assert!(matches!(&error, Error::Corrupt { reason } if reason.contains("lost the store")), "{error}");
    // Not only when the connection is new: the compare in the transaction itself says no.
    let claim = Transaction::new().put(key("name"), "x");
    store.revision().unwrap();
    let error = store.commit(&claim).unwrap_err();
    assert!(matches!(&error, Error::Corrupt { .. }), "{error}");
    assert_eq!(other.list("").unwrap(), []);
    assert_eq!(other.next_number(&counter).unwrap(), 1);
}

#[test]
fn the_largest_transactions_are_taken() {
    // A change within the trait's limits would work on one host and be refused on several.
    let Some(cluster) = Cluster::start(1, QUICK) else { return };
    let mut store = cluster.open("p");
    let name = |n: usize| key(&format!("{}{n:03}", "k".repeat(252)));
    let all = 0..TRANSACTION_OPERATIONS_MAX;
    let value = vec![1; 8_400];
    let start = store.revision().unwrap();
    let puts = all.clone().fold(Transaction::new(), |one, n| one.put(name(n), value.clone()));
    assert!(matches!(store.commit(&puts).unwrap(), Outcome::Committed(_)));
    assert_eq!(store.changes("", start).unwrap(), Changes::Compacted, "too large for the log");

    let absent = all.clone().fold(Transaction::new(), |one, n| one.absent(key(&format!("none/{n}"))));
    assert!(matches!(store.commit(&absent).unwrap(), Outcome::Committed(_)));
    let start = store.revision().unwrap();
    let deletes = all.clone().fold(Transaction::new(), |one, n| one.delete(name(n)));
    assert!(matches!(store.commit(&deletes).unwrap(), Outcome::Committed(_)));
    assert_eq!(store.list("").unwrap(), []);
    let Changes::Since { changes, .. } = store.changes("", start).unwrap() else { panic!("compacted") };
    assert_eq!(changes.len(), all.len());

    let large = vec![2; VALUE_BYTES_MAX];
    let logged = (0..39).fold(Transaction::new(), |one, n| one.put(key(&format!("l/{n}")), large.clone()));
    let start = store.revision().unwrap();
    assert!(matches!(store.commit(&logged).unwrap(), Outcome::Committed(_)));
    let Changes::Since { changes, .. } = store.changes("l/", start).unwrap() else { panic!("compacted") };
    assert_eq!(changes.len(), 39);
}

#[test]
fn stores_of_one_etcd_do_not_meet() {
    // Two nodes that share an etcd would own each other's names (S10).
    let Some(cluster) = Cluster::start(1, QUICK) else { return };
    let (mut one, mut two) = (cluster.open("site/N1"), cluster.open("site/N10"));
    let start = two.revision().unwrap();
    one.commit(&Transaction::new().put(key("name/$KV"), "x")).unwrap();
    assert_eq!(two.list("").unwrap(), []);
    assert_eq!(two.get(&key("name/$KV")).unwrap(), None);
    let Changes::Since { changes, through } = two.changes("", start).unwrap() else { panic!("compacted") };
    assert_eq!((changes.len(), through), (0, one.revision().unwrap()));
    let claim = Transaction::new().absent(key("name/$KV")).put(key("name/$KV"), "y");
    assert!(matches!(two.commit(&claim).unwrap(), Outcome::Committed(_)));
    // A new handle counts on where the last one stopped.
    let counter = Key::counter("n").unwrap();
    let numbers = [1, 2].map(|_| cluster.open("site/N1").next_number(&counter).unwrap());
    assert_eq!(numbers, [1, 2]);
    assert!(cluster.open(&fresh_prefix()).next_number(&counter).unwrap() == 1);
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text.replace(' ', "-")).unwrap()
}
