//! Legacy mode on three hosts, over TLS: each side of a split has an acting master, and no change vanishes without a copy.

use super::hosts::{Hosts, NAMES};
use super::network::{Network, turn};
use super::servers::Servers;
use std::fs;

/// The texts of all conflict copies.
fn kept(hosts: &Hosts) -> Vec<String> {
    let directories = NAMES.iter().map(|host| hosts.files(host));
    let entries = directories.flat_map(|directory| fs::read_dir(directory).unwrap().flatten());
    let copies = entries.filter(|entry| entry.file_name().to_string_lossy().contains(".conflict."));
    copies.map(|entry| fs::read_to_string(entry.path()).unwrap()).collect()
}

fn all_see(hosts: &Hosts, master: &str) {
    NAMES.iter().for_each(|host| hosts.wait_acts(host, master));
}

// Servers find each other by their names, as legacy mode has no records; the first that is reached acts.
#[test]
fn a_split_has_two_masters_and_leaves_copies() {
    let _turn = turn();
    let Some(network) = Network::new(&NAMES) else { return };
    let addresses = NAMES.map(|host| (host, host));
    let options = ["--domain-mode", "legacy", "--domain-time", "stable=1500"];
    let hosts = Hosts::new(network, &addresses, &options);
    hosts.begin();
    all_see(&hosts, "alpha");
    // A change that is asked at a server which does not act goes to the one that does.
    hosts.domain("gamma", &["add-backup", "whole"]).done();
    hosts
        .wait("it is everywhere", || NAMES.iter().all(|host| hosts.list(host).contains(&"whole".to_owned())));

    // A split: both sides take changes.
    hosts.network.link("alpha", false);
    for host in ["beta", "gamma"] {
        hosts.wait_acts(host, "beta");
    }
    hosts.wait("alpha is alone", || {
        hosts.status("alpha").is_some_and(|it| {
            it["servers"].as_array().unwrap().iter().filter(|it| it["up"] == true).count() == 1
        })
    });
    hosts.wait_acts("alpha", "alpha");
    hosts.domain("alpha", &["add-backup", "of-alpha"]).done();
    hosts.domain("gamma", &["add-backup", "of-beta"]).done();
    assert_eq!(kept(&hosts), Vec::<String>::new());
    hosts.network.link("alpha", true);
    all_see(&hosts, "alpha");
    hosts.wait_whole();
    let lists = NAMES.map(|host| hosts.list(host));
    assert!(lists.iter().all(|list| *list == lists[0]), "{lists:?}");
    let copies = kept(&hosts);
    for name in ["of-alpha", "of-beta"] {
        let is_there = lists[0].contains(&name.to_owned());
        assert!(
            is_there || copies.iter().any(|text| text.contains(name)),
            "{name} is lost: {lists:?} {copies:?}"
        );
    }
    assert!(lists[0].contains(&"of-alpha".to_owned()), "rank wins: {lists:?}");

    // A link of one direction is no link: each counts the other as away, and gamma hears both.
    hosts.network.cut("alpha", "beta");
    let up = |at: &str, name: &str| {
        let status = hosts.status(at)?;
        let server = status["servers"].as_array()?.iter().find(|it| it["name"] == name)?.clone();
        server["up"].as_bool()
    };
    hosts.wait("both are away for each other", || {
        up("alpha", "beta") == Some(false) && up("beta", "alpha") == Some(false)
    });
    assert_eq!((up("gamma", "alpha"), up("gamma", "beta")), (Some(true), Some(true)));
    hosts.network.heal("alpha", "beta");
    all_see(&hosts, "alpha");
    hosts.wait_whole();

    // A down, B writes, B down, A returns: A acts with what it has, and the newer content of B wins when B returns.
    hosts.down("gamma");
    hosts.down("alpha");
    hosts.wait_acts("beta", "beta");
    hosts.domain("beta", &["add-backup", "newer"]).done();
    hosts.domain("beta", &["add-backup", "newest"]).done();
    hosts.lose("beta");
    hosts.up("alpha", &[]);
    hosts.wait_acts("alpha", "alpha");
    assert!(!hosts.list("alpha").contains(&"newer".to_owned()), "nobody is there who knows better");
    hosts.domain("alpha", &["add-backup", "alone"]).done();
    hosts.up("beta", &[]);
    hosts.up("gamma", &[]);
    all_see(&hosts, "alpha");
    hosts.wait_whole();
    let (list, copies) = (hosts.list("alpha"), kept(&hosts));
    for name in ["newer", "newest", "alone", "whole"] {
        let is_there = list.contains(&name.to_owned());
        assert!(
            is_there || copies.iter().any(|text| text.contains(name)),
            "{name} is lost: {list:?} {copies:?}"
        );
    }
}
