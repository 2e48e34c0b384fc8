//! The servers of a domain `plant`, one on each host.

use super::network::Network;
use super::said::{Said, said};
use super::servers::Servers;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// The hosts; nodes are ended when dropped.
#[derive(Debug)]
pub(crate) struct Hosts {
    directory: tempfile::TempDir,
    options: Vec<String>,
    addresses: Vec<(String, String)>,
    // Last: what runs in it ends before.
    pub(crate) network: Network,
}

pub(crate) const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

impl Hosts {
    /// Hosts without servers. `addresses`: what a server is told as its own; `options` are for all.
    pub(crate) fn new(network: Network, addresses: &[(&str, &str)], options: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("pollux-hosts-test-").tempdir().unwrap();
        let addresses = addresses.iter().map(|(host, text)| (host.to_string(), text.to_string())).collect();
        let options = options.iter().map(ToString::to_string).collect();
        Self { directory, options, addresses, network }
    }

    /// Makes the domain at alpha and starts all servers; the others join with bundles and are added in order.
    pub(crate) fn begin(&self) {
        let mode = self.options.iter().position(|word| word == "--domain-mode");
        let mode = mode.map_or(Vec::new(), |at| vec!["--domain-mode", &self.options[at + 1]]);
        self.run("alpha", &[&["domain", "init", "plant", "--host", "alpha"], &mode[..]].concat()).done();
        self.up("alpha", &[]);
        self.wait_acts("alpha", "alpha");
        for host in &NAMES[1..] {
            let bundle = self.invite(host);
            self.up(host, &["--join", &bundle]);
        }
        for host in &NAMES[1..] {
            self.domain("alpha", &["add-backup", host]).done();
        }
        self.wait_whole();
    }

    /// The path of a new bundle.
    pub(crate) fn invite(&self, host: &str) -> String {
        let path = self.directory.path().join(format!("{host}.bundle")).display().to_string();
        drop(fs::remove_file(&path));
        self.run("alpha", &["domain", "invite", "plant", host, "--out", &path]).done();
        path
    }

    pub(crate) fn up(&self, host: &str, more: &[&str]) {
        self.try_up(host, more).done();
    }

    pub(crate) fn try_up(&self, host: &str, more: &[&str]) -> Said {
        let address = &self.addresses.iter().find(|(name, _)| name == host).unwrap().1;
        let mut words = vec!["up", "--domain", "plant", "--host", host, "--address", address];
        words.extend(self.options.iter().map(String::as_str).chain(more.iter().copied()));
        let mut command = self.network.command(host, Path::new(env!("CARGO_BIN_EXE_pollux")));
        command.args(&words);
        self.surround(&mut command, host);
        said(command, self.directory.path(), &words)
    }

    /// A command at a host. It speaks to the host's node by a socket, which no namespace hides.
    pub(crate) fn run(&self, host: &str, words: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pollux"));
        command.args(words);
        self.surround(&mut command, host);
        said(command, self.directory.path(), words)
    }

    fn surround(&self, command: &mut Command, host: &str) {
        command
            .stdin(Stdio::null())
            .env("POLLUX_RUN_DIR", self.path(host, "run"))
            .env("POLLUX_STATE_DIR", self.path(host, "state"))
            .env("POLLUX_NODE", "\\N")
            .env("NO_COLOR", "1");
    }

    fn path(&self, host: &str, name: &str) -> PathBuf {
        self.directory.path().join(host).join(name)
    }

    /// The directory of a server's files.
    pub(crate) fn files(&self, host: &str) -> PathBuf {
        self.path(host, "state/domains/plant").join(host)
    }

    /// Waits until the three servers are up, say the same, and hold the newest content.
    pub(crate) fn wait_whole(&self) {
        self.wait("all are in step", || {
            let all: Vec<Value> = NAMES.iter().filter_map(|host| self.status(host)).collect();
            let whole = |status: &Value| {
                status["stamp"] == all[0]["stamp"]
                    && status["acting"]["server"] == all[0]["acting"]["server"]
                    && !status["acting"].is_null()
                    && NAMES.iter().all(|name| {
                        let servers = status["servers"].as_array().unwrap();
                        let is_whole =
                            |it: &Value| it["name"] == *name && it["up"] == true && it["lags"] == false;
                        servers.iter().any(is_whole)
                    })
            };
            all.len() == NAMES.len() && all.iter().all(whole)
        });
    }
}

impl Servers for Hosts {
    fn at(&self, host: &str, words: &[&str]) -> Said {
        self.run(host, words)
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in NAMES {
            let node = self.path(host, "run").join("N");
            if !node.exists() {
                continue;
            }
            if thread::panicking() {
                for log in fs::read_dir(node.join("log")).into_iter().flatten().flatten() {
                    let text = fs::read_to_string(log.path()).unwrap_or_default();
                    eprintln!("--- {host} {}\n{text}", log.path().display());
                }
            }
            let mut command = Command::new(env!("CARGO_BIN_EXE_pollux"));
            command.arg("down");
            self.surround(&mut command, host);
            drop(command.output());
        }
    }
}
