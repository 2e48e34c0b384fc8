//! What is asked of the servers of a domain, wherever they run.

use super::said::{PATIENCE, Said};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

/// Servers with names, each with a node of its own.
pub(crate) trait Servers {
    /// A `pollux` command at the node of a server.
    fn at(&self, host: &str, words: &[&str]) -> Said;

    /// `pollux domain ...` at a server.
    fn domain(&self, host: &str, words: &[&str]) -> Said {
        self.at(host, &[&["domain"], words].concat())
    }

    /// Stops a server on purpose.
    fn down(&self, host: &str) {
        self.at(host, &["down"]).done();
    }

    /// The software of a host is lost: every daemon of its node is killed.
    fn lose(&self, host: &str) {
        let status = self.at(host, &["status", "--json"]).json();
        for cpu in status["cpus"].as_array().unwrap() {
            kill(cpu["pid"].as_i64().unwrap());
        }
        // What it leaves behind is in the way of the next start only if it still runs.
        self.wait("the node is gone", || self.at(host, &["status"]).code == Some(1));
    }

    fn status(&self, host: &str) -> Option<Value> {
        serde_json::from_str(&self.domain(host, &["status", "--json"]).out).ok()
    }

    /// Who acts, as a server sees it, with the epoch.
    fn acting(&self, host: &str) -> Option<(String, u64)> {
        let acting = &self.status(host)?["acting"];
        Some((acting["server"].as_str()?.to_owned(), acting["epoch"].as_u64()?))
    }

    fn list(&self, host: &str) -> Vec<String> {
        self.domain(host, &["list"]).out.lines().map(str::to_owned).collect()
    }

    fn wait(&self, what: &str, mut is: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is() {
            assert!(Instant::now() < deadline, "{what}: did not happen");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a server sees that one act.
    fn wait_acts(&self, host: &str, master: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.acting(host).is_none_or(|(name, _)| name != master) {
            assert!(Instant::now() < deadline, "{master} does not act: {host} says {:?}", self.status(host));
            thread::sleep(Duration::from_millis(10));
        }
    }
}

pub(crate) fn kill(pid: i64) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // It may be gone already.
    let _ = kill_process(pid, Signal::KILL);
}
