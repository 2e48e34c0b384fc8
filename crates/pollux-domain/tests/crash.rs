//! Kills a writer of `sna.net` at random moments: what is found afterwards is always one whole text.
//! If this fails, a server could start with half a list.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use pollux_domain::content::Content;
use pollux_domain::files::{SnaNet, atomic};
use pollux_domain::name::ServerName;
use pollux_domain::simulation::Random;
use pollux_wire::Epoch;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const WRITER: &str = "POLLUX_CRASH_WRITER";
const KILLS: u64 = 60;

fn text(revision: u64) -> String {
    let mut content = Content::new(ServerName::new("alpha").unwrap(), "");
    content.stamp.revision = revision;
    // Long enough for several pages, so that a torn write would show.
    let done = |number| pollux_domain::content::RequestId { origin: u64::MAX, number };
    content.done = (0..400).map(|n| done(revision * 1000 + n)).collect();
    SnaNet { domain: "plant".to_owned(), epoch: Epoch(1), content }.print()
}

// Not a test of its own: the process that is killed, started by the test below.
#[test]
fn writer() {
    let Ok(path) = std::env::var(WRITER) else { return };
    for revision in 2.. {
        atomic::replace(Path::new(&path), &text(revision)).unwrap();
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the moment of the kill is what is tested")]
fn a_killed_writer_leaves_the_old_or_the_new_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sna.net");
    atomic::replace(&path, &text(1)).unwrap();
    let mut random = Random::new(7, 1);
    let mut latest = 1;
    for _ in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--nocapture"])
            .env(WRITER, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(2_000 + random.below(15_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = std::fs::read_to_string(&path).unwrap();
        let net = SnaNet::parse(&found).unwrap_or_else(|faults| panic!("{faults}"));
        latest = latest.max(net.content.stamp.revision);
        atomic::clean(&path);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
    assert!(latest > 1, "no writer ever got to write");
}
