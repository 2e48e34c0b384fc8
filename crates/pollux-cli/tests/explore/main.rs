//! `pollux explore` as a programmer meets it: a right pair passes at each of its points, and each mistake is found and called by its
//! name. So a test of a user's pair can be believed in both cases.

// Its functions are all tests, though not all are marked so.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const POLLUX: &str = env!("CARGO_BIN_EXE_pollux");

/// The pair of `examples/explored.rs`.
fn explored() -> String {
    let program = Path::new(POLLUX).parent().unwrap().join("examples/explored");
    // `cargo test` builds it, unless it is told to build this test alone.
    assert!(program.exists(), "cargo build -p pollux-cli --examples");
    program.to_str().unwrap().to_owned()
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    /// The report, after the exit code was as expected.
    fn report(&self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("pollux-explore-test-").tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn pollux(&self, words: &[&str]) -> Said {
        let mut command = Command::new(POLLUX);
        command.args(words).current_dir(self.0.path()).env("NO_COLOR", "1").env("TMPDIR", self.0.path());
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Explores the Rust pair `examples/explored.rs`.
    fn rust(&self, how: &str, requests: &str, options: &[&str]) -> Said {
        let program = explored();
        let mut words = vec!["explore", program.as_str(), "--name", "$SUM"];
        words.extend(options);
        words.extend(["--requester", program.as_str(), "ask", requests, "--", "serve", how]);
        self.pollux(&words)
    }

    /// Compiles an example in C, with some of its lines changed.
    fn example(&self, name: &str, changes: &[(&str, &str)]) -> String {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/c");
        let mut source = fs::read_to_string(examples.join(format!("{name}.c"))).unwrap();
        for (from, to) in changes {
            assert_eq!(source.matches(from).count(), 1, "{from:?} is once in {name}.c");
            source = source.replace(from, to);
        }
        fs::copy(examples.join("pair_protocol.h"), self.path("pair_protocol.h")).unwrap();
        let (path, program) = (self.path(&format!("{name}.c")), self.path(name));
        fs::write(&path, source).unwrap();
        let (path, program) = (path.to_str().unwrap(), program.to_str().unwrap());
        let said = self.pollux(&["cc", "-g", "-o", program, path]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        program.to_owned()
    }

    /// Explores `pair_server.c`, with some of its lines changed.
    fn c(&self, changes: &[(&str, &str)], requests: &str, options: &[&str]) -> Said {
        let (server, requester) = (self.example("pair_server", changes), self.example("pair_requester", &[]));
        let mut words = vec!["explore", &server];
        words.extend(options);
        words.extend(["--requester", &requester, "$SRV", requests, "--", "records"]);
        self.pollux(&words)
    }

    /// The nodes are down, and their directories are gone.
    fn expect_nothing_left(&self) {
        let left: Vec<String> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("pollux-explore-"))
            .collect();
        assert_eq!(left, Vec::<String>::new());
    }
}

/// At how many points each kind is the first thing that is wrong.
fn counts(report: &Value) -> [u64; 3] {
    ["lost", "doubled", "diverged"].map(|kind| report[kind].as_u64().unwrap())
}

fn points_of(report: &Value, kind: &str) -> usize {
    report["runs"].as_array().unwrap().iter().filter(|run| run["kind"] == kind).count()
}

fn smallest(report: &Value) -> String {
    let lines = report["smallest"]["trace"].as_array().unwrap();
    lines.iter().map(|line| format!("{}\n", line.as_str().unwrap())).collect()
}

/// A pair that is right must pass at each of its points, or nobody believes a verdict.
#[test]
fn a_right_rust_pair_passes_at_each_point() {
    let place = Place::new();
    let said = place.rust("right", "3", &["--json", "--html", "right.html"]);
    let report = said.report(0);
    assert_eq!(counts(&report), [0, 0, 0], "{report}");
    assert_eq!((&report["requests"], &report["replies_compared"]), (&3.into(), &3.into()), "{report}");
    assert_eq!(report["unsteady"], Value::Array(vec![]));
    for kind in ["received", "delivered", "replying", "replied"] {
        assert_eq!(points_of(&report, kind), 3, "{kind}: {report}");
    }
    for kind in ["checkpoint-sending", "checkpoint-sent", "acknowledged"] {
        assert!(points_of(&report, kind) >= 3, "{kind}: {report}");
    }
    let page = fs::read_to_string(place.path("right.html")).unwrap();
    assert!(page.contains("Nothing is lost, doubled or diverged") && page.contains("<svg"), "{page}");
    assert!(!page.contains("<script") && !page.contains("http-equiv"), "the page needs nothing else");
    place.expect_nothing_left();
}

/// State in an ordinary variable is the first mistake that everybody makes.
#[test]
fn state_that_is_not_replicated_is_lost() {
    let place = Place::new();
    let said = place.rust("forgets", "2", &["--json", "--html", "lost.html"]);
    let report = said.report(1);
    let [lost, doubled, _] = counts(&report);
    assert!(lost > 0 && doubled == 0, "{report}");
    let trace = smallest(&report);
    for words in ["KILLED at point", "TAKES OVER", "reply to 2: \"5\""] {
        assert!(trace.contains(words), "{words}: {trace}");
    }
    // The first one that is lost is the reply to the second request: 5 came, 10 was due.
    let wrong = |run: &&Value| run["verdict"] == "lost";
    let runs = report["runs"].as_array().unwrap();
    let finding = &runs.iter().find(wrong).unwrap()["findings"][0];
    assert_eq!((&finding["expected"], &finding["came"]), (&"\"10\"".into(), &"\"5\"".into()), "{report}");
    let page = fs::read_to_string(place.path("lost.html")).unwrap();
    assert!(page.contains("class=\"op bad\"") && page.contains("SIGKILL at point"), "{page}");

    // The point that it names shows the same again.
    let again = report["smallest"]["again"].as_str().unwrap();
    let point = report["smallest"]["point"].as_str().unwrap();
    assert!(again.contains(&format!("--at {point} ")), "{again}");
    let said = place.rust("forgets", "2", &["--at", point]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(
        said.out.contains("KILLED at point") && said.out.contains("1 point is wrong (lost 1,"),
        "{}",
        said.out
    );
}

/// A reply that leaves before its checkpoint is a promise that the backup does not know.
#[test]
fn a_reply_before_its_checkpoint_is_lost() {
    let place = Place::new();
    let report = place.rust("early", "2", &["--json"]).report(1);
    let [lost, doubled, diverged] = counts(&report);
    assert!(lost > 0 && doubled == 0 && diverged == 0, "{report}");
    // It is wrong only where the first reply is with the backup and the change is not.
    let trace = smallest(&report);
    assert!(trace.contains("reply to 2: \"5\"") && trace.contains("KILLED at point"), "{trace}");
}

/// What a program does outside of its state is done again by the backup.
#[test]
fn an_effect_outside_of_the_state_is_doubled() {
    let place = Place::new();
    let report = place.rust("writes", "2", &["--json"]).report(1);
    let [lost, doubled, diverged] = counts(&report);
    assert!(doubled > 0 && lost == 0 && diverged == 0, "{report}");
    let runs = report["runs"].as_array().unwrap();
    let finding = &runs.iter().find(|run| run["verdict"] == "doubled").unwrap()["findings"][0];
    assert!(finding["of"].as_str().unwrap().starts_with("the file totals, line \"total "), "{finding}");
    assert_eq!((&finding["expected"], &finding["came"]), (&"once".into(), &"twice".into()));
}

/// A reply that tells of the process that made it differs after a takeover.
#[test]
fn a_reply_of_another_text_is_diverged() {
    let place = Place::new();
    let report = place.rust("chats", "2", &["--json", "--points", "8", "--seed", "1"]).report(1);
    let [lost, doubled, diverged] = counts(&report);
    assert!(diverged > 0 && doubled == 0 && lost == 0, "{report}");
    assert_eq!(report["tried"], 8);
}

/// A requester that waits for ever is not waited for as long.
#[test]
fn a_pair_that_hangs_after_a_takeover_has_lost_requests() {
    let place = Place::new();
    let report =
        place.rust("hangs", "2", &["--json", "--timeout", "1", "--points", "4", "--seed", "2"]).report(1);
    let [lost, doubled, diverged] = counts(&report);
    assert!(lost > 0 && doubled == 0 && diverged == 0, "{report}");
    let runs = report["runs"].as_array().unwrap();
    let finding = &runs.iter().find(|run| run["verdict"] == "lost").unwrap()["findings"][0];
    assert_eq!(finding["came"], "no reply", "{report}");
}

/// A verdict over what differs by itself would be false.
#[test]
fn what_differs_by_itself_is_said_and_not_judged() {
    let place = Place::new();
    let report = place.rust("random", "1", &["--json", "--points", "4"]).report(0);
    assert_eq!(report["replies_compared"], 0, "{report}");
    let said = report["unsteady"][0].as_str().unwrap();
    assert!(said.starts_with("1 of 1 requests or replies differ between two runs without a fault"), "{said}");
}

/// Two faults, the second when the pair is whole again, are one fault twice.
#[test]
fn a_right_rust_pair_survives_two_kills() {
    let place = Place::new();
    let report = place.rust("right", "4", &["--json", "--points", "1", "--double", "4"]).report(0);
    let twice: Vec<&str> =
        report["runs"].as_array().unwrap().iter().filter_map(|run| run["point"].as_str()).collect();
    assert!(twice.iter().filter(|point| point.contains(',')).count() >= 2, "{twice:?}");
}

/// What cannot be explored is told with its next step, and is no verdict.
#[test]
fn what_cannot_be_explored_is_told() {
    let place = Place::new();
    let failed = |said: Said, words: &[&str]| {
        assert_eq!(said.code, Some(3), "{}\n{}", said.out, said.err);
        assert!(said.err.contains("pollux: ") && said.err.contains("\n  next: "), "{}", said.err);
        for word in words {
            assert!(said.err.contains(word), "{word}: {}", said.err);
        }
    };
    failed(place.pollux(&["explore", "./none", "--requester", "/bin/true"]), &["./none is not a file"]);
    failed(
        place.pollux(&["explore", "/bin/false", "--requester", "/bin/true"]),
        &["ended with code 1 before it joined the node"],
    );
    let program = explored();
    let program = program.as_str();
    let explore = |requester: &[&str]| {
        let words = ["explore", program, "--name", "$SUM", "--timeout", "2", "--requester"];
        place.pollux(&[&words, requester, &["--", "serve", "right"]].concat())
    };
    failed(
        explore(&[program, "ask", "1", "fail"]),
        &["fails without faults (exit code 1): explored: as it was told"],
    );
    failed(explore(&["/bin/sleep", "100"]), &["does not end by itself", "--timeout"]);
    failed(explore(&["/bin/true"]), &["has no points"]);
    let said = place.pollux(&["explore", program, "--points", "none", "--requester", "x"]);
    assert_eq!(said.code, Some(2), "{}", said.err);
    place.expect_nothing_left();
}

/// The same for programs that keep their state themselves.
#[test]
fn a_right_c_pair_passes_at_each_point() {
    let place = Place::new();
    let report = place.c(&[], "2", &["--json"]).report(0);
    assert_eq!(counts(&report), [0, 0, 0], "{report}");
    for kind in ["received", "delivered", "replying", "replied", "writing", "written"] {
        assert_eq!(points_of(&report, kind), 2, "{kind}: {report}");
    }
    for kind in ["checkpoint-sending", "checkpoint-sent", "acknowledged"] {
        assert!(points_of(&report, kind) >= 2, "{kind}: {report}");
    }
    place.expect_nothing_left();
}

/// A backup that does not know the last sync id executes the request that comes again.
#[test]
fn a_c_pair_without_its_sync_ids_doubles() {
    let place = Place::new();
    let forgets = ("    state.entry.last_sync_id = info->z_syncid;\n", "");
    let own = (
        "    *entry = state.entry;\n",
        "    *entry = state.entry;\n    entry->last_sync_id = info->z_syncid;\n",
    );
    let report = place.c(&[forgets, own], "1", &["--json"]).report(1);
    let [_, doubled, _] = counts(&report);
    assert!(doubled > 0, "{report}");
    let runs = report["runs"].as_array().unwrap();
    let findings = runs.iter().flat_map(|run| run["findings"].as_array().unwrap());
    let line = "the file records, line \"record-1\"";
    let doubled: Vec<&Value> =
        findings.filter(|finding| finding["of"] == line && finding["kind"] == "doubled").collect();
    assert_eq!(doubled.first().map(|finding| &finding["came"]), Some(&"twice".into()), "{report}");
}

/// A backup that does not set the state of its file writes what was written, or nothing.
#[test]
fn a_c_pair_without_its_file_state_loses() {
    let place = Place::new();
    let left_out = (
        "    if (__ns_fset_file_state(records, &state.file) != 0) give_up(\"set the state of the file\");\n",
        "",
    );
    let report = place.c(&[left_out], "2", &["--json"]).report(1);
    assert!(report["violations"].as_u64().unwrap() > 0, "{report}");
    let [lost, doubled, _] = counts(&report);
    assert!(lost + doubled > 0, "{report}");
}
