//! C programs as an operator and a porting engineer meet them: compiled by `pollux cc`, run, watched, killed and stopped like any
//! other, and refused with the documented number and one line for a person when something is wrong.

use super::{Place, Said, said, told, wait_until};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

impl Place {
    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn path(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }

    /// Compiles an example.
    fn example(&self, name: &str) -> String {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/c").join(format!("{name}.c"));
        let program = self.path(name);
        self.pollux(&["cc", "-g", "-Wall", "-o", &program, source.to_str().unwrap()]).done();
        program
    }

    /// What the driver says of a program of a few lines.
    fn compile(&self, text: &str) -> Said {
        fs::write(self.file("wrong.c"), text).unwrap();
        self.pollux(&["cc", "-o", &self.path("wrong"), &self.path("wrong.c")])
    }

    /// Runs a program without the command, for example outside of any node.
    fn direct(&self, program: &str, words: &[&str]) -> Said {
        let mut command = Command::new(program);
        command.args(words).env("POLLUX_RUN_DIR", &self.root).env_remove("POLLUX_NODE");
        said(command, self.directory.path(), words)
    }

    fn halves(&self, name: &str) -> Vec<Value> {
        let listed = self.pollux(&["ps", "--json"]).json();
        listed.as_array().unwrap().iter().filter(|process| process["name"] == name).cloned().collect()
    }

    fn primary(&self, name: &str) -> Option<String> {
        let half = self.halves(name).into_iter().find(|half| half["role"] == "primary")?;
        half["phandle"].as_str().map(str::to_owned)
    }

    fn is_pair(&self, name: &str) -> bool {
        let mut roles: Vec<String> =
            self.halves(name).iter().map(|half| half["role"].as_str().unwrap().to_owned()).collect();
        roles.sort();
        roles == ["backup", "primary"]
    }
}

/// An operator has one set of commands for all pairs.
#[test]
fn a_c_pair_is_operated_like_any_other() {
    let place = Place::new();
    let (server, requester) = (place.example("pair_server"), place.example("pair_requester"));
    let records = place.path("records");
    place.pollux(&["up"]).done();
    place.pollux(&["run", "--name", "$SRV", &server, &records]).done();
    let whole = || wait_until("the pair is whole", || place.is_pair("$SRV"), || place.pollux(&["ps"]).out);
    let ask = |name: &str| {
        let said = place.pollux(&["run", "--wait", &requester, "$SRV", "20", name]);
        assert_eq!((said.code, said.out.as_str()), (Some(0), "20 acknowledged\n"), "{said:?}");
    };
    whole();
    ask("first");
    for half in place.halves("$SRV") {
        assert!(half["program"].as_str().unwrap().contains("pair_server"), "{half}");
    }
    let changed = |before: &Option<String>| {
        let now = place.primary("$SRV");
        now.is_some() && now != *before
    };

    // `switch` of a pair that keeps its state itself ends its primary; the requests go on.
    let before = place.primary("$SRV");
    place.pollux(&["switch", "$SRV"]).done();
    wait_until("the roles are exchanged", || changed(&before), || place.pollux(&["ps"]).out);
    whole();
    ask("second");
    let before = place.primary("$SRV");
    place.pollux(&["kill", "$SRV", "--primary"]).done();
    wait_until("it has taken over", || changed(&before), || place.pollux(&["ps"]).out);
    whole();
    ask("third");
    let before = place.primary("$SRV");
    place.pollux(&["kill", "$SRV", "--backup"]).done();
    wait_until(
        "the loss is told",
        || told(&place, "backup-removed"),
        || place.pollux(&["events", "--json"]).out,
    );
    whole();
    ask("fourth");
    assert_eq!(place.primary("$SRV"), before, "the primary has not changed");
    for kind in ["started", "paired", "switchover", "takeover"] {
        wait_until(kind, || told(&place, kind), || place.pollux(&["events"]).out);
    }
    assert!(place.pollux(&["status"]).done().contains("$SRV"));
    // A name that is in use is not given to somebody else.
    let said = place.pollux(&["run", "--name", "$SRV", &server, &place.path("other")]);
    assert_eq!((said.code, said.err.lines().count()), (Some(1), 1), "{said:?}");
    assert!(said.err.contains("$SRV is taken") && said.err.contains("pollux stop '$SRV'"), "{said:?}");

    place.pollux(&["stop", "$SRV"]).done();
    assert_eq!(place.halves("$SRV"), Vec::<Value>::new());
    let text = fs::read_to_string(&records).unwrap();
    let wanted: Vec<String> = ["first", "second", "third", "fourth"]
        .iter()
        .flat_map(|name| (1..=20).map(move |number| format!("{name}-{number}")))
        .collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), wanted);
    place.pollux(&["down"]).done();
    place.expect_nothing_left();
}

/// Somebody who ports a program meets these before anything works.
#[test]
fn wrong_input_is_told_by_number_and_in_one_line() {
    let place = Place::new();
    let said = place
        .compile("#include <stdio.h> nolist\n#include <nothere.h> nolist\nint main(void) { return 0; }\n");
    assert_ne!(said.code, Some(0));
    assert!(said.err.contains("wrong.c:2:") && said.err.contains("nothere.h"), "{said:?}");
    let said = place.compile(
        "#include <tal.h> nolist\n#include <cextdecs(FILE_OPEN_, BEGINTRANSACTION)> nolist\n\nint main(void)\n{\n    return BEGINTRANSACTION();\n}\n",
    );
    assert_ne!(said.code, Some(0));
    assert!(
        said.err.contains("wrong.c:") && said.err.contains("BEGINTRANSACTION is not provided"),
        "{said:?}"
    );

    // Outside of a node.
    let (copy, requester) = (place.example("pair_copy"), place.example("pair_requester"));
    let said = place.direct(&requester, &["$SRV", "1"]);
    said.failed(&["no Pollux node answers", "pollux up"]);

    place.pollux(&["up", "--cpus", "1"]).done();
    // No such server: 14. A pair without a name. A file that is not there: 11.
    let said = place.pollux(&["run", "--wait", &requester, "$SRV", "1"]);
    assert_eq!((said.code, said.err.as_str()), (Some(1), "pair_requester: cannot open $SRV: error 14\n"));
    let said = place.pollux(&["run", "--wait", &copy, "a", "b"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.starts_with("pair_copy: a pair needs a name\n  next: "), "{said:?}");
    let said =
        place.pollux(&["run", "--wait", "--name", "$COPY", &copy, &place.path("none"), &place.path("to")]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("cannot open"), "{said:?}");

    // One CPU: the work is done all the same, and nobody is told that there is a backup.
    fs::write(place.file("from"), "one\ntwo\n").unwrap();
    let said =
        place.pollux(&["run", "--wait", "--name", "$COPY", &copy, &place.path("from"), &place.path("to")]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "pair_copy: 2 lines copied\n"), "{said:?}");
    assert_eq!(fs::read_to_string(place.file("to")).unwrap(), "one\ntwo\n");
    let events = place.pollux(&["events", "--json"]).out;
    assert!(!events.contains("paired"), "{events}");
    place.pollux(&["down"]).done();
    place.expect_nothing_left();
}
