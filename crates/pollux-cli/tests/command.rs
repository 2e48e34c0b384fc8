//! The `pollux` command as an operator meets it, also when things go wrong: each error says what happened and what to do
//! next, nothing hangs, nothing is left behind.

// Its functions are all tests, though not all are marked so.
#![allow(clippy::unwrap_used)]

mod c_programs;
#[path = "domain/said.rs"]
mod said;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use said::{PATIENCE, Said, said, wait_end};
use serde_json::Value;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A run directory with whatever nodes a test starts in it.
struct Place {
    directory: tempfile::TempDir,
    root: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("pollux-cli-test-").tempdir().unwrap();
        let root = directory.path().join("run");
        Self { directory, root }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pollux"));
        command.args(words).env("POLLUX_RUN_DIR", &self.root).env_remove("POLLUX_NODE").env("NO_COLOR", "1");
        command.stdin(Stdio::null());
        command
    }

    /// Runs the command to its end.
    fn pollux(&self, words: &[&str]) -> Said {
        said(self.command(words), self.directory.path(), words)
    }

    fn status_code(&self) -> Option<i32> {
        self.pollux(&["status"]).code
    }

    /// Every process that was started here, with its command line.
    fn processes(&self) -> Vec<(i32, String)> {
        let wanted = self.directory.path().as_os_str().as_encoded_bytes();
        let contains = |text: Vec<u8>| text.windows(wanted.len()).any(|window| window == wanted);
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
                continue;
            };
            let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
            if contains(read("cmdline")) || contains(read("environ")) {
                found.push((pid, String::from_utf8_lossy(&read("cmdline")).replace('\0', " ")));
            }
        }
        found
    }

    /// Nothing of this place runs any more.
    fn expect_nothing_left(&self) {
        wait_until(
            "no process is left",
            || self.processes().is_empty(),
            || format!("{:?}", self.processes()),
        );
    }

    fn daemon(&self, cpu: u64) -> i32 {
        let status: Value = serde_json::from_str(&self.pollux(&["status", "--json"]).out).unwrap();
        let of_cpu = status["cpus"].as_array().unwrap().iter().find(|entry| entry["cpu"] == cpu).unwrap();
        i32::try_from(of_cpu["pid"].as_i64().unwrap()).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A daemon that dies while it starts another one leaves that for the next round.
        for _ in 0..50 {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            for entry in left {
                let Ok(handle) = pidfd_open(Pid::from_raw(entry.0).unwrap(), PidfdFlags::empty()) else {
                    continue;
                };
                if self.processes().contains(&entry) {
                    let _ = pidfd_send_signal(&handle, Signal::KILL);
                    let _ = pollux_os::wait_gone(&handle, Duration::from_millis(200));
                }
            }
        }
    }
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool, explain: impl Fn() -> String) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}: {}", explain());
        thread::sleep(Duration::from_millis(5));
    }
}

fn kill_9(pid: i32) {
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// The first thing anybody does, in the order of the README.
#[test]
fn the_life_of_a_node() {
    let place = Place::new();
    place.pollux(&["ps"]).failed(&["not running", "pollux up"]);
    place.pollux(&["up", "--no-tcp"]).done();
    place.pollux(&["up", "--no-tcp"]).failed(&["is running already", "pollux status", "pollux down"]);
    assert_eq!(place.pollux(&["ps", "--json"]).json(), Value::Array(vec![]));
    place.pollux(&["run", "--name", "$KV", "--pair", "pollux-kv", "--port", "0"]).done();
    let listed = place.pollux(&["ps", "--json"]).json();
    let halves = listed.as_array().unwrap();
    assert_eq!(halves.len(), 2);
    let fields = [
        "name",
        "role",
        "cpu",
        "pid",
        "phandle",
        "epoch",
        "program",
        "state",
        "kept",
        "lag_bytes",
        "started_unix_ms",
    ];
    for half in halves {
        assert_eq!(half.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>(), sorted(&fields));
        assert_eq!((&half["name"], &half["lag_bytes"]), (&"$KV".into(), &0.into()), "{half}");
        assert_eq!(half["kept"], Value::Null, "it is no keeper");
    }
    assert_eq!((&halves[0]["role"], &halves[0]["state"]), (&"primary".into(), &"paired".into()));
    assert_eq!((&halves[1]["role"], &halves[1]["state"]), (&"backup".into(), &"following".into()));
    assert_ne!(halves[0]["cpu"], halves[1]["cpu"]);
    assert_eq!(place.status_code(), Some(0));
    let backup = halves[1]["phandle"].clone();

    place.pollux(&["switch", "$KV"]).done();
    let primary = |place: &Place| {
        let listed = place.pollux(&["ps", "--json"]).json();
        listed
            .as_array()
            .unwrap()
            .iter()
            .find(|half| half["role"] == "primary")
            .map(|half| half["phandle"].clone())
    };
    assert_eq!(primary(&place), Some(backup.clone()), "the roles are exchanged");
    wait_until("the exchange is told", || told(&place, "switchover"), || place.pollux(&["events"]).out);
    place.pollux(&["kill", "$KV", "--primary"]).done();
    wait_until("it has taken over", || primary(&place).is_some_and(|now| now != backup), String::new);
    wait_until("the pair is whole", || place.status_code() == Some(0), String::new);
    for kind in ["started", "paired", "takeover"] {
        wait_until(kind, || told(&place, kind), || place.pollux(&["events"]).out);
    }
    place.pollux(&["stop", "$KV"]).done();
    assert_eq!(place.pollux(&["ps", "--json"]).json(), Value::Array(vec![]));
    place.pollux(&["down"]).done();
    place.pollux(&["down"]).failed(&["not running", "pollux up"]);
    place.expect_nothing_left();
}

fn told(place: &Place, kind: &str) -> bool {
    place.pollux(&["events", "--json"]).json().as_array().unwrap().iter().any(|event| event["kind"] == kind)
}

fn sorted<'a>(fields: &[&'a str]) -> Vec<&'a str> {
    let mut fields = fields.to_vec();
    // serde_json keeps an object's keys in their order, not in the printed one.
    fields.sort_unstable();
    fields
}

/// A typo would hang, or do something to another process.
#[test]
fn wrong_names_and_wrong_lines() {
    let place = Place::new();
    place.pollux(&["up", "--no-tcp", "--cpus", "1"]).done();
    for words in [&["kill", "$NONE"][..], &["switch", "$NONE"], &["stop", "$NONE"], &["status", "$NONE"]] {
        place.pollux(words).failed(&["no process named $NONE"]);
    }
    for words in [
        &["kill", "NODOLLAR"][..],
        &["run", "--name", "$TOOLONG", "x"],
        &["up", "--cpus", "17"],
        &["frobnicate"],
        &[],
    ] {
        let said = place.pollux(words);
        assert_eq!(said.code, Some(2), "{words:?}: {said:?}");
    }
    place.pollux(&["run", "/no/such/program"]).failed(&["/no/such/program"]);
    place.pollux(&["run", "--cpu", "7", "/bin/true"]).failed(&["CPU 7"]);
    place
        .pollux(&["run", "--name", "$KV", "--pair", "--ready-timeout", "1", "pollux-kv", "--port", "0"])
        .failed(&["not whole"]);
    wait_until(
        "the name is free",
        || place.pollux(&["ps", "--json"]).json() == Value::Array(vec![]),
        String::new,
    );
    place.pollux(&["down"]).done();
    place.expect_nothing_left();
}

/// A server that cannot start would be started again for ever, or hold its name.
#[test]
fn a_busy_port_is_told_at_once() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    place.pollux(&["up", "--no-tcp"]).done();
    place
        .pollux(&["run", "--name", "$KV", "--pair", "pollux-kv", "--port", &port])
        .failed(&["in use", "choose another port with --port"]);
    assert_eq!(place.pollux(&["ps", "--json"]).json(), Value::Array(vec![]));
    drop(taken);
    place.pollux(&["run", "--name", "$KV", "--pair", "pollux-kv", "--port", &port]).done();
    place.pollux(&["down"]).done();
    place.expect_nothing_left();
}

/// A program that never joins would hold a name under which nobody answers.
#[test]
fn a_program_that_is_no_pollux_program_is_killed_and_told() {
    let place = Place::new();
    place.pollux(&["up", "--no-tcp"]).done();
    place
        .pollux(&["run", "--name", "$X", "--ready-timeout", "1", "sleep", "1000"])
        .failed(&["is it a Pollux program?"]);
    place
        .pollux(&["run", "--name", "$X", "--pair", "sh", "-c", "echo my last words; exit 3"])
        .failed(&["code 3", "my last words"]);
    wait_until(
        "both are gone",
        || place.pollux(&["ps", "--json"]).json() == Value::Array(vec![]),
        String::new,
    );
    assert_eq!(place.status_code(), Some(0));
    place.pollux(&["down"]).done();
    place.expect_nothing_left();
}

/// A script could not tell how its program ended.
#[test]
fn run_and_wait_gives_the_programs_own_end() {
    let place = Place::new();
    place.pollux(&["up", "--no-tcp", "--cpus", "1"]).done();
    let said = place.pollux(&["run", "--wait", "sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(7), "out\n", "err\n"));
    assert_eq!(place.pollux(&["run", "--wait", "sh", "-c", "kill -9 $$"]).code, Some(128 + 9));
    assert_eq!(place.pollux(&["run", "--wait", "true"]).code, Some(0));
    // The whole node goes down under a waiting command.
    let mut waiting =
        place.command(&["run", "--wait", "sleep", "1000"]).stderr(Stdio::null()).spawn().unwrap();
    wait_until("it runs", || place.pollux(&["ps"]).done().contains("sleep"), String::new);
    place.pollux(&["down"]).done();
    assert_ne!(wait_end(&mut waiting, &["run", "--wait"], String::new), Some(0));
    place.expect_nothing_left();
}

/// A crash of a daemon would need more than one command to mend.
#[test]
fn daemons_that_are_killed() {
    let place = Place::new();
    place.pollux(&["up", "--no-tcp", "--reload-after-ms", "0"]).done();
    place.pollux(&["run", "--name", "$KV", "--pair", "pollux-kv", "--port", "0"]).done();
    kill_9(place.daemon(0));
    wait_until(
        "the loss is shown",
        || place.status_code() == Some(4),
        || format!("{:?}", place.pollux(&["status"])),
    );
    let listed = place.pollux(&["ps", "--json"]).json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed[0]["role"], "primary", "{listed}");
    place.pollux(&["kill", "$KV"]).failed(&["not whole", "--force"]);
    place.pollux(&["cpu", "up", "0"]).done();
    wait_until(
        "the pair is whole",
        || place.status_code() == Some(0),
        || format!("{:?}", place.pollux(&["status"])),
    );
    // A CPU that is taken out on purpose is no failure, but the pair is alone.
    place.pollux(&["cpu", "down", "1"]).done();
    wait_until(
        "alone is shown",
        || place.status_code() == Some(3),
        || format!("{:?}", place.pollux(&["status"])),
    );
    place.pollux(&["cpu", "up", "1"]).done();
    wait_until(
        "the pair is whole",
        || place.status_code() == Some(0),
        || format!("{:?}", place.pollux(&["status"])),
    );
    // All at once: the node is gone, and starts again.
    let daemons = [place.daemon(0), place.daemon(1)];
    daemons.into_iter().for_each(kill_9);
    place.expect_nothing_left();
    place.pollux(&["ps"]).failed(&["not running", "pollux up"]);
    place.pollux(&["run", "true"]).failed(&["not running", "pollux up"]);
    place.pollux(&["up", "--no-tcp"]).done();
    assert_eq!(place.pollux(&["ps", "--json"]).json(), Value::Array(vec![]));
    place.pollux(&["down"]).done();
    place.expect_nothing_left();
}

/// A command that is killed in its middle would leave a node that can neither be used nor removed.
#[test]
fn the_command_itself_is_killed() {
    let place = Place::new();
    for pause in [0, 5, 20, 60] {
        let mut up = place
            .command(&["up", "--no-tcp", "--cpus", "4"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Another moment in each round; which one it is does not matter.
        thread::sleep(Duration::from_millis(pause));
        up.kill().unwrap();
        up.wait().unwrap();
        let again = place.pollux(&["up", "--no-tcp", "--cpus", "4"]);
        if again.code != Some(0) {
            // Daemons that were started already come up without their command.
            again.failed(&["pollux down"]);
        }
        // A daemon that was on its way when the command died is up a moment later.
        let down = || {
            let said = place.pollux(&["down"]);
            assert!(said.code == Some(0) || said.err.contains("not running"), "{said:?}");
            place.processes().is_empty()
        };
        wait_until("no process is left", down, || format!("{:?}", place.processes()));
    }
    place.pollux(&["up", "--no-tcp"]).done();
    let mut run = place.command(&["run", "--wait", "sleep", "1000"]).spawn().unwrap();
    wait_until("it runs", || place.pollux(&["ps"]).done().contains("sleep"), String::new);
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(place.status_code(), Some(0));
    place.pollux(&["down"]).done();
    place.expect_nothing_left();
}

/// A small file system of its own, unmounted at the end.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let options = format!("size={size},mode=700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "none"])
            .arg(at)
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A full file system would start half a node, or take down one that runs.
#[test]
fn a_full_run_directory() {
    let place = Place::new();
    let Some(_small) = Tmpfs::mount(&place.root, "16k") else {
        println!("skipped: a file system cannot be mounted here");
        return;
    };
    let said = place.pollux(&["up", "--no-tcp"]);
    said.failed(&["no room", "free some", "another run directory"]);
    place.expect_nothing_left();
    drop(_small);

    fs::remove_dir(&place.root).unwrap();
    let Some(_small) = Tmpfs::mount(&place.root, "64m") else { return };
    place.pollux(&["up", "--no-tcp"]).done();
    place.pollux(&["run", "--name", "$KV", "--pair", "pollux-kv", "--port", "0"]).done();
    // Full to the last byte.
    let mut filler = File::create(place.root.join("filler")).unwrap();
    while std::io::Write::write(&mut filler, &[0; 4096]).is_ok_and(|count| count > 0) {}
    let primary = |place: &Place| place.pollux(&["ps", "--json"]).json()[0]["phandle"].clone();
    let before = primary(&place);
    place.pollux(&["kill", "$KV"]).done();
    wait_until(
        "the backup has taken over",
        || primary(&place) != before,
        || format!("{:?}", place.pollux(&["status"])),
    );
    wait_until(
        "the pair is whole",
        || place.status_code() == Some(0),
        || format!("{:?}", place.pollux(&["status"])),
    );
    drop(filler);
    fs::remove_file(place.root.join("filler")).unwrap();
    place.pollux(&["stop", "$KV"]).done();
    place.pollux(&["down"]).done();
    place.expect_nothing_left();
}

/// Two teams on one machine would stop each other's servers.
#[test]
fn two_nodes_side_by_side() {
    let place = Place::new();
    for node in ["\\A", "\\B"] {
        place.pollux(&["--node", node, "up", "--no-tcp"]).done();
        place.pollux(&["--node", node, "run", "--name", "$KV", "--pair", "pollux-kv", "--port", "0"]).done();
    }
    let of = |node: &str| place.pollux(&["--node", node, "ps", "--json"]).json();
    let b = of("\\B");
    place.pollux(&["--node", "\\A", "kill", "$KV"]).done();
    place.pollux(&["--node", "\\A", "stop", "$KV", "--force"]).done();
    place.pollux(&["--node", "\\A", "down"]).done();
    assert_eq!(of("\\B"), b, "nothing has happened to the other node");
    place.pollux(&["ps"]).failed(&["\\POLLUX", "not running"]);
    place.pollux(&["--node", "\\B", "down"]).done();
    place.expect_nothing_left();
}

/// A program that asks for a socket on a fresh node would find nobody who has them.
#[test]
fn the_tcp_provider_comes_with_the_node() {
    let place = Place::new();
    let said = place.pollux(&["up"]).done();
    assert!(said.contains("$ZTC0"), "{said}");
    let roles = |place: &Place| -> Vec<String> {
        let listed = place.pollux(&["ps", "--json"]).json();
        let word =
            |view: &Value| format!("{} {}", view["name"].as_str().unwrap(), view["role"].as_str().unwrap());
        listed.as_array().unwrap().iter().map(word).collect()
    };
    assert_eq!(roles(&place), ["$ZTC0 primary", "$ZTC0 backup"]);
    assert_eq!(place.pollux(&["sockets", "--json"]).json(), Value::Array(vec![]));
    assert_eq!(place.pollux(&["sockets"]).done().lines().count(), 1);
    place.pollux(&["kill", "$ZTC0"]).done();
    wait_until("the pair is whole again", || place.status_code() == Some(0), String::new);
    place.pollux(&["sockets", "$NONE"]).failed(&["$NONE", "pollux-tcp"]);
    place.pollux(&["down"]).done();
    place.expect_nothing_left();

    place.pollux(&["up", "--cpus", "1", "--tcp", "$ZTC0", "--tcp", "$ZTC1"]).done();
    assert_eq!(roles(&place), ["$ZTC0 single", "$ZTC1 single"]);
    place.pollux(&["stop", "$ZTC1"]).done();
    place.pollux(&["run", "--name", "$ZTC1", "pollux-tcp"]).done();
    assert_eq!(place.pollux(&["sockets"]).done().lines().count(), 1);
    place.pollux(&["down"]).done();
    assert_eq!(place.pollux(&["up", "--no-tcp", "--tcp", "$ZTC0"]).code, Some(2));
    place.expect_nothing_left();
}
