//! A place on this host with nodes that are servers of a domain.

pub(crate) use super::said::{PATIENCE, Said, said};
pub(crate) use super::servers::{Servers, kill};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// Run directory, state directory, and whatever nodes a test starts.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    options: Vec<String>,
}

/// The server of the node, and back: `\ALPHA` runs `alpha`.
pub(crate) fn node(host: &str) -> String {
    format!("\\{}", host.to_uppercase())
}

impl Place {
    /// A domain `plant` with master `alpha`; `options` are for all its servers.
    pub(crate) fn new(options: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("pollux-domain-test-").tempdir().unwrap();
        Self { directory, options: options.iter().map(ToString::to_string).collect() }
    }

    /// Makes the domain, starts these servers, and puts all but the first at the end of the list, in order.
    pub(crate) fn with_servers(options: &[&str], hosts: &[&str]) -> Self {
        let place = Self::new(options);
        place.init();
        hosts.iter().for_each(|host| place.up(host));
        for host in &hosts[1..] {
            place.wait_acts("alpha", "alpha");
            place.domain("alpha", &["add-backup", host]).done();
        }
        place
    }

    pub(crate) fn init(&self) {
        let mode: Vec<&str> = self.mode();
        self.run(&[&["domain", "init", "plant", "--host", "alpha"], &mode[..]].concat()).done();
    }

    fn mode(&self) -> Vec<&str> {
        let at = self.options.iter().position(|word| word == "--domain-mode");
        at.map_or(Vec::new(), |at| vec!["--domain-mode", &self.options[at + 1]])
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pollux"));
        command.args(words).stdin(Stdio::null());
        self.surround(&mut command, "alpha");
        command
    }

    /// The environment of a program of that server's node.
    pub(crate) fn surround(&self, command: &mut Command, host: &str) {
        command
            .env("POLLUX_RUN_DIR", self.path("run"))
            .env("POLLUX_STATE_DIR", self.path("state"))
            .env("POLLUX_NODE", node(host))
            .env("NO_COLOR", "1");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file of a server.
    pub(crate) fn file(&self, host: &str, name: &str) -> PathBuf {
        self.path("state/domains/plant").join(host).join(name)
    }

    pub(crate) fn run(&self, words: &[&str]) -> Said {
        self.said(self.command(words), words)
    }

    pub(crate) fn said(&self, command: Command, what: &[&str]) -> Said {
        said(command, self.directory.path(), what)
    }

    /// Starts a server.
    pub(crate) fn up(&self, host: &str) {
        self.try_up(host).done();
    }

    /// Starts a server with options of its own.
    #[cfg_attr(not(feature = "etcd"), expect(dead_code, reason = "only servers with etcd differ"))]
    pub(crate) fn up_with(&self, host: &str, options: &[&str]) {
        let node = node(host);
        let mut words = vec!["--node", &node, "up", "--domain", "plant", "--host", host];
        words.extend(self.options.iter().map(String::as_str).chain(options.iter().copied()));
        self.run(&words).done();
    }

    fn try_up(&self, host: &str) -> Said {
        let node = node(host);
        let mut words = vec!["--node", &node, "up", "--domain", "plant", "--host", host];
        words.extend(self.options.iter().map(String::as_str));
        self.run(&words)
    }

    /// The process ids of a server's halves: primary, backup.
    pub(crate) fn halves(&self, host: &str) -> (i64, Option<i64>) {
        let listed = self.at(host, &["ps", "--json"]).json();
        let of = |role: &str| {
            let found =
                listed.as_array().unwrap().iter().find(|it| it["name"] == "$ZDOM" && it["role"] == role)?;
            found["pid"].as_i64()
        };
        (of("primary").unwrap(), of("backup"))
    }

    /// A file for a command.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The directory of `libnof.so`.
    pub(crate) fn library() -> PathBuf {
        let beside = Path::new(env!("CARGO_BIN_EXE_pollux")).parent().unwrap();
        let found =
            [beside.join("deps"), beside.to_owned()].into_iter().find(|it| it.join("libnof.so").is_file());
        found.expect("libnof.so is built with the tests")
    }
}

impl Servers for Place {
    fn at(&self, host: &str, words: &[&str]) -> Said {
        self.run(&[&["--node", &node(host)], words].concat())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.path("run")).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().join("cpu-0.log").exists() {
                if thread::panicking() {
                    for log in fs::read_dir(entry.path().join("log")).into_iter().flatten().flatten() {
                        eprintln!(
                            "--- {}\n{}",
                            log.path().display(),
                            fs::read_to_string(log.path()).unwrap_or_default()
                        );
                    }
                }
                drop(self.command(&["--node", &format!("\\{name}"), "down"]).output());
            }
        }
    }
}
