//! What the domain runs: applied, refused, rolled back, and kept running.

use super::place::{Place, Servers, kill, node};
use serde_json::Value;
use std::fs;

fn runs(place: &Place, of: &str) -> Vec<Value> {
    let said = place.run(&["--node", of, "ps", "--json"]);
    serde_json::from_str::<Value>(&said.out).ok().and_then(|it| it.as_array().cloned()).unwrap_or_default()
}

fn primary(place: &Place, of: &str, name: &str) -> Option<i64> {
    let found = runs(place, of).into_iter().find(|it| it["name"] == name && it["role"] == "primary")?;
    found["pid"].as_i64()
}

/// The built-in key-value server under a path, as a configuration names programs.
fn program(place: &Place) -> String {
    let path = place.path("kv.sh");
    fs::write(&path, format!("#!/bin/sh\nexec {} __kv \"$@\"\n", env!("CARGO_BIN_EXE_pollux"))).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn pair(name: &str, node: &str, program: &str) -> String {
    format!(
        "\n[pair]\nname = {name}\nnode = {node}\nprogram = {program}\nargument = --port\nargument = 0\nprimary = 0\nbackup = 1\n"
    )
}

// A configuration that is half done is worse than one that was refused.
#[test]
fn applied_refused_rolled_back_and_kept() {
    let place = Place::with_servers(&[], &["alpha", "beta"]);
    place.wait("beta has the list", || place.list("beta") == ["alpha", "beta"]);
    let kv = program(&place);
    let nodes = "[node]\nname = \\ALPHA\nserver = alpha\ncpus = 2\n\n[node]\nname = \\WORK\nserver = beta\ncpus = 2\n";
    let text = format!("# of the test\n{nodes}{}{}", pair("$KA", "\\ALPHA", &kv), pair("$KB", "\\WORK", &kv));
    let file = place.write("one.cfg", &text);
    assert!(
        place
            .domain("beta", &["config", "apply", "--dry-run", &file])
            .done()
            .contains("would start node \\WORK on beta")
    );
    assert_eq!(primary(&place, "\\WORK", "$KB"), None);

    // Asked at the one that does not act: relayed, and the steps of beta are done by beta.
    let said = place.domain("beta", &["config", "apply", &file]).done();
    assert!(said.contains("start pair $KA on \\ALPHA") && said.contains("applied  content"), "{said}");
    assert!(primary(&place, &node("alpha"), "$KA").is_some() && primary(&place, "\\WORK", "$KB").is_some());
    assert_eq!(place.domain("alpha", &["config", "show"]).done(), text);
    let shown: Value =
        serde_json::from_str(&place.domain("beta", &["config", "show", "--json"]).done()).unwrap();
    assert_eq!((&shown["pairs"][1]["name"], &shown["nodes"][1]["server"]), (&"$KB".into(), &"beta".into()));
    assert!(fs::read_to_string(place.file("beta", "sna_node.cfg")).unwrap().contains("name = \\WORK"));

    // Refused: faults, lost state, and what somebody else changed.
    let faulty = place.write("faulty.cfg", &text.replace("backup = 1", "backup = 0"));
    place
        .domain("alpha", &["config", "apply", &faulty])
        .failed(&["refused, nothing was changed", "one loss would end the pair"]);
    let without = place.write("without.cfg", &text.replace(&pair("$KB", "\\WORK", &kv), ""));
    place
        .domain("alpha", &["config", "apply", &without])
        .failed(&["stop pair $KB on \\WORK", "--lose-state"]);
    place
        .domain("alpha", &["config", "apply", "--based-on", "1", &file])
        .failed(&["the change was made from 1"]);

    // Rolled back: the second step fails, the first is taken back.
    let bad =
        format!("{text}{}{}", pair("$KC", "\\ALPHA", &kv), pair("$KD", "\\ALPHA", "/nonexistent/program"));
    let bad = place.write("bad.cfg", &bad);
    place.domain("alpha", &["config", "apply", &bad]).failed(&["rolled back", "/nonexistent/program"]);
    assert_eq!(primary(&place, &node("alpha"), "$KC"), None, "it was started and taken back");
    assert_eq!(place.domain("beta", &["config", "show"]).done(), text);

    // Kept running: a pair that loses both halves, and a node that is lost.
    for process in runs(&place, &node("alpha")) {
        if process["name"] == "$KA" {
            kill(process["pid"].as_i64().unwrap());
        }
    }
    place.wait("$KA runs again", || primary(&place, &node("alpha"), "$KA").is_some());
    place.run(&["--node", "\\WORK", "down"]).done();
    place.wait("\\WORK and $KB run again", || primary(&place, "\\WORK", "$KB").is_some());

    // Taken out with consent.
    assert!(
        place
            .domain("alpha", &["config", "apply", "--lose-state", &without])
            .done()
            .contains("stop pair $KB")
    );
    assert_eq!(primary(&place, "\\WORK", "$KB"), None);

    let shown = |host: &str| place.domain(host, &["config", "show"]).out;
    place.wait("beta has the change", || shown("beta") == shown("alpha"));
    // In an editor; the comment of somebody else is not overwritten.
    let editor = place.write("editor.sh", "sed -i 's/of the test/edited/' \"$1\"\n");
    let mut command = place.command(&["--node", "\\BETA", "domain", "config", "edit"]);
    command.env("EDITOR", format!("sh {editor}"));
    place.said(command, &["edit"]).done();
    assert!(place.domain("alpha", &["config", "show"]).done().starts_with("# edited\n"));
}
