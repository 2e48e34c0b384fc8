//! Who acts: kills, stops, returns, in quorum mode on one host.

use super::place::{Place, Servers, kill, node};
use std::time::{Duration, Instant};

const STABLE: &[&str] = &["--domain-time", "stable=600"];

// A domain whose master is killed must go on in a second, and give the mastership back only when the files are in step.
#[test]
fn the_master_is_lost_returns_and_gets_the_mastership_back() {
    let place = Place::with_servers(STABLE, &["alpha", "beta", "gamma"]);
    let (_, first) = place.acting("gamma").unwrap();

    place.wait("gamma and beta are in step", || place.domain("gamma", &["status"]).code == Some(0));
    let status = place.status("alpha").unwrap();
    assert_eq!(status["acting"]["because"], "it is the first of the list");
    let daemons: Vec<i64> = {
        let said = place.run(&["--node", &node("alpha"), "status", "--json"]).done();
        let status: serde_json::Value = serde_json::from_str(&said).unwrap();
        status["cpus"].as_array().unwrap().iter().map(|cpu| cpu["pid"].as_i64().unwrap()).collect()
    };
    let begin = Instant::now();
    daemons.into_iter().for_each(kill);
    place.wait_acts("beta", "beta");
    let took = begin.elapsed();
    // 500 ms of deadline and 50 ms of rank; twice that for a machine that does other work, too.
    assert!(took < Duration::from_millis(1_500), "takeover took {took:?}");
    println!("takeover of the mastership after the loss of the node: {took:?}");
    place.wait_acts("gamma", "beta");
    assert_eq!(place.acting("gamma").unwrap().1, first + 1);
    assert_eq!(place.status("gamma").unwrap()["acting"]["because"], "alpha is not up");
    assert_eq!(place.domain("gamma", &["status"]).code, Some(3), "one is away");

    // A change while the master is away is on the master before it acts.
    place.domain("gamma", &["add-backup", "delta"]).done();
    place.up("alpha");
    place.wait_acts("gamma", "alpha");
    assert_eq!(place.list("alpha"), ["alpha", "beta", "gamma", "delta"]);
    assert_eq!(place.list("beta"), ["alpha", "beta", "gamma", "delta"]);
    place.wait_acts("alpha", "alpha");
    assert!(place.acting("alpha").unwrap().1 > first + 1);
}

// kill -9 of the server itself is what the pair is for: the mastership stays where it is.
#[test]
fn a_killed_half_costs_an_epoch_and_no_mastership() {
    let place = Place::with_servers(&["--domain-time", "stable=60000"], &["alpha", "beta"]);
    for _ in 0..3 {
        let (_, before) = place.acting("beta").unwrap();
        place.wait("the pair is whole", || place.halves("alpha").1.is_some());
        kill(place.halves("alpha").0);
        place.wait("a later epoch", || {
            place.acting("beta").is_some_and(|(name, epoch)| name == "alpha" && epoch > before)
        });
        place.domain("beta", &["move-master", "alpha"]).done();
    }
}

// A down, B writes, B down, A returns: the older files must not become the domain again.
#[test]
fn what_was_accepted_is_not_lost_when_one_follows_the_other() {
    let place = Place::with_servers(STABLE, &["alpha", "beta"]);
    place.down("alpha");
    place.wait_acts("beta", "beta");
    place.domain("beta", &["add-backup", "late"]).done();
    place.lose("beta");
    place.up("alpha");
    place.wait_acts("alpha", "alpha");
    assert_eq!(place.list("alpha"), ["alpha", "beta", "late"]);
    place.up("beta");
    place.wait("beta is in step", || {
        let status = place.status("beta");
        status.is_some_and(|it| it["servers"][1]["holds"] == it["stamp"] && !it["stamp"].is_null())
    });
    assert_eq!(place.list("beta"), ["alpha", "beta", "late"]);
}

// Both backups killed, in both orders; then the master: the last of the list acts, and the order is kept as they return.
#[test]
fn every_server_of_the_list_in_turn() {
    let place = Place::with_servers(STABLE, &["alpha", "beta", "gamma"]);
    for (first, second) in [("beta", "gamma"), ("gamma", "beta")] {
        place.lose(first);
        place.lose(second);
        place.wait("both are seen to be gone", || {
            let status = place.status("alpha").unwrap();
            let up = |at: usize| status["servers"][at]["up"] == true;
            !up(1) && !up(2)
        });
        place.domain("alpha", &["move-master", "alpha"]).done();
        place.up(second);
        place.up(first);
        place.wait("whole", || place.domain("alpha", &["status"]).code == Some(0));
    }
    place.lose("alpha");
    place.wait_acts("gamma", "beta");
    place.down("beta");
    place.wait_acts("gamma", "gamma");
    let refused =
        place.domain("gamma", &["remove-backup", "gamma"]).failed(&["no running server would be left"]);
    assert!(refused.contains("start another listed server"), "{refused}");
    place.up("beta");
    place.wait_acts("gamma", "beta");
    // The acting master deletes itself: the next one acts.
    // It may have been handed the mastership and not have taken it yet: surely not done, so asked again.
    place.wait("beta is deleted", || place.domain("gamma", &["remove-backup", "beta"]).code == Some(0));
    place.wait_acts("gamma", "gamma");
    assert_eq!(place.list("beta"), ["alpha", "gamma"]);
}

// Changes that are asked while nobody acts end in "done" or "not done", and what was done is there: also on one host.
#[test]
fn changes_during_a_takeover_are_kept() {
    let place = Place::with_servers(STABLE, &["alpha", "beta", "gamma"]);
    place.domain("alpha", &["add-backup", "before"]).done();
    place.lose("alpha");
    for words in [["add-backup", "during"], ["remove-backup", "before"], ["add-backup", "after"]] {
        place.wait(words[1], || place.domain("gamma", &words).code == Some(0));
    }
    assert_eq!(place.acting("gamma").unwrap().0, "beta");
    // It returns with older files.
    place.up("alpha");
    place.wait_acts("beta", "alpha");
    for host in ["alpha", "beta", "gamma"] {
        place.wait("in step", || place.list(host) == ["alpha", "beta", "gamma", "during", "after"]);
    }
}

// The records of one host end with its boot: the newest files make them again, once.
#[test]
fn records_are_made_again_from_the_newest_files() {
    let place = Place::with_servers(STABLE, &["alpha", "beta"]);
    place.down("alpha");
    place.wait_acts("beta", "beta");
    place.domain("beta", &["add-backup", "late"]).done();
    let (_, before) = place.acting("beta").unwrap();
    place.down("beta");
    std::fs::remove_dir_all(place.path("run/domains/plant/coordinator")).unwrap();
    place.up("alpha");
    let status = place.status("alpha").unwrap();
    assert!(status["acting"].is_null() || status["acting"]["server"] == "beta", "{status}");
    place.up("beta");
    place.wait_acts("alpha", "alpha");
    assert_eq!(place.list("alpha"), ["alpha", "beta", "late"]);
    assert!(place.acting("alpha").unwrap().1 >= before + 1_000, "above all that was handed out");
}
