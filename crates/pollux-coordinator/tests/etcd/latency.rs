//! How long a compare-and-set takes, with one member, with three, and on `Local` in the same run.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use pollux_coordinator::{Coordinator, Local, Outcome, Transaction};

use crate::cluster::{CALM, Cluster};
use crate::faults::key;

#[test]
#[ignore = "measures; run it alone, in a release build, with --nocapture"]
fn latency_of_a_commit() {
    // A takeover waits for one commit.
    let memory = std::path::Path::new("/dev/shm");
    let directory =
        tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir_in(memory).unwrap();
    measure("Local", &mut Local::create_or_open(directory.path()).unwrap(), 20_000);
    for members in [1, 3] {
        let Some(cluster) = Cluster::start(members, CALM) else { return };
        let mut store = cluster.open("p");
        cluster.leader();
        measure(&format!("Etcd, {members} of {}", cluster.directory().display()), &mut store, 2_000);
    }
}

fn measure(what: &str, store: &mut dyn Coordinator, count: usize) {
    for n in 0..1_000 {
        store.commit(&Transaction::new().put(key(&format!("pair/{n:04}")), vec![1; 200])).unwrap();
    }
    let pair = key("pair/0500");
    let mut revision = store.get(&pair).unwrap().unwrap().revision;
    let mut time = |call: &str, one: &mut dyn FnMut(&mut dyn Coordinator)| {
        let mut times: Vec<Duration> = (0..count)
            .map(|_| {
                let start = Instant::now();
                one(store);
                start.elapsed()
            })
            .collect();
        times.sort();
        let at = |share: usize| times[times.len() * share / 1_000];
        println!("{what}: {call}: p50 {:?} p99 {:?} p99.9 {:?}", at(500), at(990), at(999));
    };
    time("compare-and-set", &mut |store| {
        let swap = Transaction::new().revision_is(pair.clone(), revision).put(pair.clone(), vec![1; 200]);
        match store.commit(&swap).unwrap() {
            Outcome::Committed(next) => revision = next,
            conflict @ Outcome::Conflict { .. } => panic!("{conflict:?}"),
        }
    });
    time("conflict", &mut |store| {
        store.commit(&Transaction::new().absent(pair.clone()).put(pair.clone(), "x")).unwrap();
    });
    time("get", &mut |store| assert!(store.get(&pair).unwrap().is_some()));
}
