//! A node of its own for each test, and a look at what runs in it.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Nothing takes so long, also on a machine that builds beside the tests.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// With a node of two CPUs.
    pub(crate) fn new() -> Self {
        let place = Self { directory: tempfile::Builder::new().prefix("pollux-kept-").tempdir().unwrap() };
        place.done(&["up"]);
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pollux"));
        command.args(words).env("POLLUX_RUN_DIR", self.path().join("run")).env("NO_COLOR", "1");
        command.env_remove("POLLUX_NODE").current_dir(self.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What it prints when it is done.
    pub(crate) fn done(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {output:?}\n{}", self.logs());
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it says when it fails with this code.
    pub(crate) fn fails(&self, words: &[&str], code: i32) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {output:?}\n{}", self.logs());
        String::from_utf8(output.stderr).unwrap()
    }

    /// The keeper's primary as `ps` shows it.
    pub(crate) fn keeper(&self, name: &str) -> Option<Value> {
        let all: Vec<Value> = serde_json::from_str(&self.done(&["ps", "--json"])).unwrap();
        all.into_iter().find(|process| process["name"] == name && process["role"] == "primary")
    }

    /// The program's process id, while it runs.
    pub(crate) fn program(&self, name: &str) -> Option<i32> {
        let pid = self.keeper(name)?["kept"]["pid"].as_i64()?;
        Some(i32::try_from(pid).unwrap())
    }

    /// The keeper's pair is whole and its program runs; its process id.
    pub(crate) fn whole(&self, name: &str) -> i32 {
        self.wait_for("the keeper is whole and its program runs", || {
            let keeper = self.keeper(name)?;
            (keeper["state"] == "paired").then(|| self.program(name))?
        })
    }

    /// Process id of the daemon of the CPU that the keeper's primary is in.
    pub(crate) fn daemon_of(&self, name: &str) -> i32 {
        let cpu = self.keeper(name).unwrap()["cpu"].clone();
        let status: Value = serde_json::from_str(&self.done(&["status", "--json"])).unwrap();
        let of_cpu = status["cpus"].as_array().unwrap().iter().find(|one| one["cpu"] == cpu).unwrap();
        i32::try_from(of_cpu["pid"].as_i64().unwrap()).unwrap()
    }

    /// Kinds and causes of all events of a name.
    pub(crate) fn events(&self, name: &str) -> Vec<(String, String)> {
        let all: Vec<Value> = serde_json::from_str(&self.done(&["events", "--json"])).unwrap();
        let word = |event: &Value, field: &str| event[field].as_str().unwrap().to_owned();
        all.iter()
            .filter(|event| event["name"] == name)
            .map(|event| (word(event, "kind"), word(event, "cause")))
            .collect()
    }

    /// The processes that have the listener of a port of 127.0.0.1 open, by their command lines.
    pub(crate) fn holders(port: u16) -> Vec<String> {
        let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
        let wanted = format!("0100007F:{port:04X}");
        let listens = |line: &&str| {
            let mut words = line.split_whitespace();
            words.nth(1) == Some(&wanted) && words.nth(1) == Some("0A")
        };
        let Some(line) = sockets.lines().find(listens) else { return Vec::new() };
        let name = format!("socket:[{}]", line.split_whitespace().nth(9).unwrap());
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let has = |path: &Path| {
            let mut open = fs::read_dir(path.join("fd")).ok()?.flatten();
            let found =
                open.any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == name.as_str()));
            let line = fs::read(path.join("cmdline")).ok().filter(|_| found)?;
            Some(String::from_utf8_lossy(&line).replace('\0', " "))
        };
        entries.filter_map(|entry| has(&entry.path())).collect()
    }

    pub(crate) fn wait_for<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(value) = look() {
                return value;
            }
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}\n{}", self.logs());
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn wait_until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        self.wait_for(what, || condition().then_some(()));
    }

    /// All logs and events.
    pub(crate) fn logs(&self) -> String {
        let node = self.path().join("run/POLLUX");
        let files = [node.join("log"), node].into_iter().filter_map(|path| fs::read_dir(path).ok());
        let paths: Vec<PathBuf> = files.flatten().flatten().map(|entry| entry.path()).collect();
        let text = |path: &PathBuf| {
            let known = path.extension().is_some_and(|end| end == "log" || end == "jsonl");
            let content = fs::read(path).ok().filter(|_| known)?;
            Some(format!("--- {}\n{}", path.display(), String::from_utf8_lossy(&content)))
        };
        paths.iter().filter_map(text).collect()
    }

    /// The lines of the program's log that begin with a word, without it.
    pub(crate) fn said(&self, word: &str) -> Vec<String> {
        let logs = self.logs();
        logs.lines().filter_map(|line| line.strip_prefix(word)).map(|rest| rest.trim().to_owned()).collect()
    }

    /// Processes of this place with their command lines.
    pub(crate) fn processes(&self) -> Vec<(i32, String)> {
        let wanted = self.path().as_os_str().as_encoded_bytes();
        let contains = |text: &[u8]| text.windows(wanted.len()).any(|window| window == wanted);
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let found = entries.filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
            let line = read("cmdline");
            let ours = contains(&line) || contains(&read("environ"));
            ours.then(|| (pid, String::from_utf8_lossy(&line).replace('\0', " ")))
        });
        found.filter(|(pid, _)| *pid != std::process::id().cast_signed()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.run(&["down"]);
        for _ in 0..50 {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for one in left {
                let Ok(handle) = pidfd_open(Pid::from_raw(one.0).unwrap(), PidfdFlags::empty()) else {
                    continue;
                };
                if self.processes().contains(&one) {
                    let _ = pidfd_send_signal(&handle, Signal::KILL);
                    let _ = pollux_os::wait_gone(&handle, Duration::from_millis(200));
                }
            }
        }
    }
}

pub(crate) fn kill_9(pid: i32) {
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}
