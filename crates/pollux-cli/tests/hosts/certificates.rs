//! Certificates as an operator meets them: one line that says what is wrong, one with the next step.

use super::said::{PATIENCE, Said, said};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn run(directory: &Path, state: &str, words: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pollux"));
    command
        .args(words)
        .current_dir(directory)
        .stdin(Stdio::null())
        .env("POLLUX_RUN_DIR", directory.join("run"))
        .env("POLLUX_STATE_DIR", directory.join(state))
        .env("POLLUX_NODE", "\\N")
        .env("NO_COLOR", "1");
    said(command, directory, words)
}

// Nothing is started with a certificate that nobody would believe.
#[test]
fn what_is_missing_or_of_another_is_said_before_anything_starts() {
    let place = tempfile::Builder::new().prefix("pollux-certificates-").tempdir().unwrap();
    let at = |state: &str, words: &[&str]| run(place.path(), state, words);
    at("a", &["domain", "invite", "plant", "beta"])
        .failed(&["the authority of domain plant is not on this host"]);
    at("a", &["domain", "init", "plant", "--host", "alpha"]).done();
    at("c", &["domain", "init", "plant", "--host", "alpha"]).done();
    let key = fs::metadata(place.path().join("a/domains/plant/alpha/ca.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);

    let made = at("a", &["domain", "invite", "plant", "beta"]).done();
    assert_eq!(made, "domain plant  server beta  bundle beta.bundle\n");
    let bundle = fs::metadata(place.path().join("beta.bundle")).unwrap();
    assert_eq!(bundle.permissions().mode() & 0o777, 0o600);
    at("a", &["domain", "invite", "plant", "beta"]).failed(&["beta.bundle is there already"]);

    let up = ["up", "--domain", "plant", "--host", "beta", "--address", "127.0.0.1:1"];
    let no = at("b", &up).failed(&["server beta has no certificate of domain plant"]);
    assert!(no.contains("\n  next: where the domain was made: pollux domain invite plant beta, and on beta: --join beta.bundle"), "{no}");
    let join = |host: &str, file: &str| {
        let words = ["up", "--domain", "plant", "--host", host, "--address", "127.0.0.1:1", "--join", file];
        at("b", &words)
    };
    join("gamma", "beta.bundle")
        .failed(&["beta.bundle is for server beta of domain plant, and this is server gamma"]);
    join("beta", "none.bundle").failed(&["none.bundle"]);
    let text = fs::read_to_string(place.path().join("beta.bundle")).unwrap();
    fs::write(place.path().join("cut.bundle"), &text[..text.len() / 2]).unwrap();
    join("beta", "cut.bundle").failed(&["this is no bundle"]);
    fs::write(place.path().join("renamed.bundle"), text.replace("server = beta", "server = gamma")).unwrap();
    join("gamma", "renamed.bundle")
        .failed(&["the certificate of server gamma of domain plant: it is of another server"]);
    assert!(!place.path().join("b/domains/plant/beta/server.key").exists(), "nothing was put in place");
    assert_eq!(at("b", &["status"]).code, Some(1), "no node was started");

    // The certificate of one domain with the authority of another of the same name.
    at("c", &["domain", "invite", "plant", "beta", "--out", "foreign.bundle"]).done();
    let foreign = fs::read_to_string(place.path().join("foreign.bundle")).unwrap();
    let authority = |text: &str| text[text.rfind("-----BEGIN").unwrap()..].to_owned();
    fs::write(place.path().join("mixed.bundle"), text.replace(&authority(&text), &authority(&foreign)))
        .unwrap();
    join("beta", "mixed.bundle").failed(&["another authority made it"]);
}

/// Nodes of one directory; ended when dropped.
struct Nodes<'a>(&'a Path);

impl Drop for Nodes<'_> {
    fn drop(&mut self) {
        for node in ["\\A", "\\B"] {
            drop(run(self.0, "a", &["--node", node, "down"]));
        }
    }
}

// A server whose certificate the others do not believe changes nothing and says why; with a bundle it is one of them.
#[test]
fn a_foreign_server_is_told_and_joins_with_a_bundle() {
    let place = tempfile::Builder::new().prefix("pollux-certificates-").tempdir().unwrap();
    let _nodes = Nodes(place.path());
    let at = |state: &str, words: &[&str]| run(place.path(), state, words);
    let port = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (alpha, beta) = (port(), port());
    let up = |state: &str, node: &str, host: &str, address: &str, more: &[&str]| {
        let words = ["--node", node, "up", "--domain", "plant", "--host", host, "--address", address];
        at(state, &[&words, more].concat())
    };
    at("a", &["domain", "init", "plant", "--host", "alpha"]).done();
    up("a", "\\A", "alpha", &alpha, &[]).done();
    // An authority of its own, and none of its files.
    at("b", &["domain", "init", "plant", "--host", "beta"]).done();
    let files = place.path().join("b/domains/plant/beta");
    for name in ["sna.net", "sna_domn.cfg", "create"] {
        fs::remove_file(files.join(name)).unwrap();
    }
    up("b", "\\B", "beta", &beta, &[]).done();
    let problems = || at("b", &["--node", "\\B", "domain", "status"]).out;
    let wait = |what: &str, is: &dyn Fn() -> bool| {
        let deadline = Instant::now() + PATIENCE;
        while !is() {
            assert!(Instant::now() < deadline, "{what}: {}", problems());
            thread::sleep(Duration::from_millis(20));
        }
    };
    wait("alpha acts", &|| problems().contains("acting master alpha"));
    at("b", &["--node", "\\B", "domain", "add-backup", "beta"]).failed(&["may be done or not"]);
    let line = format!(
        "problem: the certificate of server alpha at {alpha}: another authority made it: it is of another domain, or the domain was \
         made anew; "
    );
    assert!(problems().contains(&line), "{}", problems());

    at("a", &["domain", "invite", "plant", "beta"]).done();
    at("b", &["--node", "\\B", "down"]).done();
    let join = || up("b", "\\B", "beta", &beta, &["--join", "beta.bundle"]);
    join().failed(&["this bundle is of another authority"]);
    fs::remove_file(files.join("ca.key")).unwrap();
    join().done();
    wait("beta is added", &|| at("b", &["--node", "\\B", "domain", "add-backup", "beta"]).code == Some(0));
    assert!(!problems().contains("certificate"), "{}", problems());
    let status = at("a", &["--node", "\\A", "domain", "status"]).out;
    assert!(status.contains(&alpha) && status.contains(&beta), "{status}");
}
