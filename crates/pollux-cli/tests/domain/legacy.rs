//! Legacy mode: the documented rules, with conflict copies.

use super::place::{Place, Servers};
use std::fs;

const LEGACY: &[&str] = &["--domain-mode", "legacy", "--domain-time", "stable=600"];

// The rules of the products lose changes when one server follows the other; here every loser's files are kept.
#[test]
fn a_newer_content_wins_and_the_loser_is_kept() {
    let place = Place::with_servers(LEGACY, &["alpha", "beta"]);
    place.wait_acts("beta", "alpha");
    place.wait("beta has the list", || place.list("beta") == ["alpha", "beta"]);
    place.lose("alpha");
    place.wait_acts("beta", "beta");
    place.domain("beta", &["add-backup", "of-beta"]).done();
    place.domain("beta", &["add-backup", "of-beta2"]).done();
    place.lose("beta");
    place.up("alpha");
    place.wait_acts("alpha", "alpha");
    assert_eq!(place.list("alpha"), ["alpha", "beta"], "nobody is there who knows better");
    place.domain("alpha", &["add-backup", "of-alpha"]).done();
    place.up("beta");
    let conflict = |host: &str| {
        let entries = fs::read_dir(place.file(host, "")).unwrap().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.retain(|name| name.contains(".conflict."));
        names
    };
    place.wait("one content", || place.list("alpha") == place.list("beta") && !place.list("beta").is_empty());
    place.wait("a conflict copy", || !conflict("alpha").is_empty() || !conflict("beta").is_empty());
    let kept: Vec<String> = ["alpha", "beta"]
        .iter()
        .flat_map(|host| {
            conflict(host).into_iter().map(|name| fs::read_to_string(place.file(host, &name)).unwrap())
        })
        .collect();
    let list = place.list("alpha").join(" ");
    for name in ["of-alpha", "of-beta"] {
        assert!(
            list.contains(name) || kept.iter().any(|text| text.contains(name)),
            "{name} is lost: {list} {kept:?}"
        );
    }
}

// A server that comes back under other rules would act beside the others.
#[test]
fn the_mode_of_a_server_stays() {
    let place = Place::with_servers(LEGACY, &["alpha"]);
    place.down("alpha");
    let said = place.run(&["--node", "\\ALPHA", "up", "--domain", "plant", "--host", "alpha"]);
    let text = said.failed(&["mode = legacy", "the node is up without its domain server"]);
    assert!(text.contains("all servers of a domain follow one mode"), "{text}");
}
