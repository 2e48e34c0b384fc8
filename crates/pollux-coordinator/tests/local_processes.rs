//! `Local` among real processes that are killed and stopped, and on a real full disk.
//!
//! The children are this very test binary, started again with a role in its environment.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pollux_coordinator::{Coordinator, Error, Key, Local, Outcome, Revision, Transaction};
use rustix::process::{Pid, Signal, kill_process};

const ROLE: &str = "POLLUX_COORDINATOR_TEST_ROLE";
const DIRECTORY: &str = "POLLUX_COORDINATOR_TEST_DIRECTORY";
/// Libtest prints around our lines; ours begin so.
const MARK: &str = "child: ";
const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn a_writer_killed_inside_leaves_nothing_and_nobody_waits() {
    // One crash of one daemon would stop every takeover of the node, or half a decision would stand.
    let directory = private_directory(&std::env::temp_dir());
    let mut store = Local::create_or_open(directory.path()).unwrap();
    let before = put(&mut store, "name/$KV", "whole");
    for _ in 0..3 {
        let mut child = Process::start("hold", directory.path());
        child.expect("inside");
        assert_eq!(read(&store, "name/$KV"), "whole", "an unfinished write is invisible");
        child.kill();
        assert_eq!(read(&store, "name/$KV"), "whole");
        assert_eq!(store.get(&key("partial")).unwrap(), None);
        assert_eq!(store.list("").unwrap().len(), 1);
        put(&mut store, "name/$KV", "whole");
    }
    assert_eq!(store.revision().unwrap().0, before.0 + 3);
    let mut next = Process::start("commit", directory.path());
    next.expect("committed");
}

#[test]
fn a_stopped_writer_blocks_writers_only_and_only_while_it_lives() {
    // A frozen daemon would blind its neighbours, or keep the node from deciding even after regroup has
    // killed it.
    let directory = private_directory(&std::env::temp_dir());
    let mut store = Local::create_or_open(directory.path()).unwrap();
    put(&mut store, "name/$KV", "whole");
    let mut stopped = Process::start("hold", directory.path());
    stopped.expect("inside");
    stopped.stop();

    let mut blocked = Process::start("commit", directory.path());
    blocked.expect("opened"); // opening waits for nobody either
    wait_until("the other writer waits for the lock", || blocked.is_in_futex());
    for _ in 0..1_000 {
        assert_eq!(read(&store, "name/$KV"), "whole");
        assert_eq!(store.get(&key("done")).unwrap(), None);
    }
    let question = Transaction::new().value_is(key("name/$KV"), "whole");
    assert!(matches!(store.commit(&question).unwrap(), Outcome::Committed(_)), "a mere question is a read");
    assert!(blocked.is_alive());

    stopped.kill();
    blocked.expect("committed");
    assert_eq!(read(&store, "done"), "yes");
    assert_eq!(store.get(&key("partial")).unwrap(), None);
}

#[test]
fn numbers_stay_unique_while_their_takers_are_killed() {
    // Two processes would carry one phandle (S9), or an epoch would come back (S11).
    const TAKERS: usize = 4;
    const KILLS: usize = 100;
    let directory = private_directory(&std::env::temp_dir());
    let store = Local::create_or_open(directory.path()).unwrap();
    let counter = Key::counter("phandle").unwrap();
    let (report, reports) = mpsc::channel();
    let start = |taker: usize| {
        let mut child = Process::start("count", directory.path());
        let lines = child.lines.take().unwrap();
        let report = report.clone();
        let reader = thread::spawn(move || {
            let mut acknowledged = Vec::new();
            // A killed child may leave a cut last line: its number was not wholly said.
            for line in whole_lines(lines).filter(|line| line != "opened") {
                acknowledged.push(line.parse::<u64>().unwrap());
                let _ = report.send(taker);
            }
            acknowledged
        });
        (child, reader)
    };

    let mut takers: Vec<_> = (0..TAKERS).map(start).collect();
    let mut acknowledged = Vec::new();
    let mut last_seen = 0;
    let mut random = 0x9e37_79b9_u64;
    for _ in 0..KILLS {
        // Let a drawn number of numbers be taken, then kill a drawn taker wherever it happens to be.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for _ in 0..(random >> 33) % 200 {
            reports.recv_timeout(DEADLINE).expect("some taker goes on");
        }
        let victim = (random >> 50) as usize % TAKERS;
        let (mut child, reader) = std::mem::replace(&mut takers[victim], start(victim));
        child.kill();
        acknowledged.push(reader.join().unwrap());
        let seen = number(&store, &counter);
        assert!(seen >= last_seen, "{seen} after {last_seen}");
        last_seen = seen;
    }
    for (mut child, reader) in takers {
        child.kill();
        acknowledged.push(reader.join().unwrap());
    }

    let all: Vec<u64> = acknowledged.concat();
    assert!(acknowledged.iter().all(|one| one.is_sorted_by(|a, b| a < b)), "a taker's numbers grow");
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "a number was given twice");
    assert!(all.iter().max().is_some_and(|max| *max <= number(&store, &counter)));
    assert!(all.len() > KILLS, "the takers hardly ran: {}", all.len());
}

#[test]
fn a_full_disk_stops_a_creation_but_not_a_node() {
    // A log file that fills /run would stop all takeovers, or kill the daemons.
    let Some(small) = Tmpfs::mount("1m") else { return };
    let error = Local::create_or_open(&small.path).unwrap_err();
    assert!(matches!(&error, Error::Unavailable { reason } if reason.contains("no room")), "{error}");

    let large = Tmpfs::mount("40m").expect("the first mount went well");
    let mut store = Local::create_or_open(&large.path).unwrap();
    large.fill();
    for round in 0..2_000 {
        put(&mut store, &format!("name/{}", round % 1_000), &"x".repeat(200));
    }
    Process::start("commit", &large.path).expect("committed"); // a new CPU can join
    assert_eq!(read(&store, "done"), "yes");
    // The store's own limit comes before the disk's.
    let fill = |n| Transaction::new().put(key(&format!("fill/{n}")), vec![1; 16_000]);
    let error = (0..1_000).find_map(|n| store.commit(&fill(n)).err()).expect("the store has a limit");
    assert!(error.to_string().contains("store is full"), "{error}");

    // Where a creation failed for want of room, it succeeds once there is some.
    small.grow("40m");
    put(&mut Local::create_or_open(&small.path).unwrap(), "name/$KV", "cpu 0");
}

#[test]
#[ignore = "measures; run it alone, in a release build, with --nocapture"]
fn latency_of_a_commit() {
    // Take over is a compare-and-set: its cost is part of every takeover.
    for parent in [Path::new("/dev/shm"), &std::env::temp_dir()] {
        let directory = private_directory(parent);
        let mut store = Local::create_or_open(directory.path()).unwrap();
        for n in 0..5_000 {
            put(&mut store, &format!("pair/${n:04}"), &"x".repeat(200));
        }
        let pair = key("pair/$2500");
        let mut measure = |what: &str, call: &mut dyn FnMut(&mut Local)| {
            let mut times: Vec<Duration> = (0..20_000)
                .map(|_| {
                    let start = Instant::now();
                    call(&mut store);
                    start.elapsed()
                })
                .collect();
            times.sort();
            let at = |share: usize| times[times.len() * share / 1_000];
            println!("{} {what}: p50 {:?} p99 {:?} p99.9 {:?}", parent.display(), at(500), at(990), at(999));
        };
        measure("compare-and-set", &mut |store| {
            let revision = store.get(&pair).unwrap().unwrap().revision;
            let swap = Transaction::new().revision_is(pair.clone(), revision).put(pair.clone(), vec![1; 200]);
            assert!(matches!(store.commit(&swap).unwrap(), Outcome::Committed(_)));
        });
        measure("conflict", &mut |store| {
            store.commit(&Transaction::new().absent(pair.clone()).put(pair.clone(), "x")).unwrap();
        });
        let counter = Key::counter("n").unwrap();
        measure("next_number", &mut |store| assert!(store.next_number(&counter).unwrap() > 0));
        measure("get", &mut |store| assert!(store.get(&pair).unwrap().is_some()));
        measure("revision", &mut |store| assert!(store.revision().unwrap() > Revision::NEVER));
    }
}

/// What a child does; a test like any other, so that libtest can start it, but only with a role.
#[test]
fn child() {
    // Not a test of its own: without a role nothing can break.
    let Ok(role) = std::env::var(ROLE) else { return };
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let mut store = Local::create_or_open(&directory).unwrap();
    say("opened");
    match role.as_str() {
        "hold" => {
            let partial = Transaction::new().put(key("partial"), "half").put(key("name/$KV"), "half");
            let park = || {
                say("inside");
                loop {
                    thread::park();
                }
            };
            store.hold_write_transaction(&partial, park).unwrap();
        }
        "commit" => {
            put(&mut store, "done", "yes");
            say("committed");
        }
        "count" => {
            let counter = Key::counter("phandle").unwrap();
            loop {
                say(&store.next_number(&counter).unwrap().to_string());
            }
        }
        other => panic!("no role {other:?}"),
    }
}

fn say(line: &str) {
    // One write, so that a kill hardly ever cuts it, and at once, so that the parent can act on it.
    let line = format!("\n{MARK}{line}\n");
    let mut output = std::io::stdout().lock();
    output.write_all(line.as_bytes()).and_then(|()| output.flush()).unwrap();
}

/// A child; killed when dropped.
struct Process {
    child: Child,
    lines: Option<BufReader<ChildStdout>>,
}

impl Process {
    fn start(role: &str, directory: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(DIRECTORY, directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = child.stdout.take().map(BufReader::new);
        Self { child, lines }
    }

    fn expect(&mut self, wanted: &str) {
        let lines = self.lines.as_mut().unwrap();
        assert!(whole_lines(lines).any(|line| line == wanted), "the child ended without saying {wanted:?}");
    }

    fn stop(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
        wait_until("the child is stopped", || self.state() == 'T');
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Whether a thread of the child other than libtest's, which waits as well, sleeps in a lock.
    fn is_in_futex(&self) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("syscall")).ok()).any(|call| {
            let mut fields = call.split(' ');
            let is_futex = fields.next().is_some_and(|number| number == FUTEX);
            // A process-shared lock is one without FUTEX_PRIVATE_FLAG (128).
            let operation =
                fields.nth(1).and_then(|text| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok());
            is_futex && operation.is_some_and(|operation| operation & 128 == 0)
        })
    }

    fn state(&self) -> char {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        text.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

#[cfg(target_arch = "x86_64")]
const FUTEX: &str = "202";
#[cfg(not(target_arch = "x86_64"))]
const FUTEX: &str = "98";

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a child said, without a last line that was cut.
fn whole_lines(mut from: impl BufRead) -> impl Iterator<Item = String> {
    std::iter::from_fn(move || {
        let mut line = String::new();
        let length = from.read_line(&mut line).unwrap();
        (length > 0).then_some(line)
    })
    .filter_map(|line| Some(line.strip_suffix('\n')?.strip_prefix(MARK)?.to_owned()))
}

/// A small file system of its own; unmounted when dropped.
struct Tmpfs {
    path: PathBuf,
    _parent: tempfile::TempDir,
}

impl Tmpfs {
    fn mount(size: &str) -> Option<Self> {
        let parent = private_directory(&std::env::temp_dir());
        let path = parent.path().join("full");
        fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "none"])
            .arg(&path)
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { path, _parent: parent }),
            Ok(output) => {
                eprintln!("skipped, needs the right to mount: {}", String::from_utf8_lossy(&output.stderr));
                None
            }
            Err(error) => {
                eprintln!("skipped, cannot run mount: {error}");
                None
            }
        }
    }

    fn grow(&self, size: &str) {
        let options = format!("remount,size={size}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.path).status().unwrap().success());
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.path.join("filler")).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        let error = fs::write(self.path.join("one-more"), [1; 4096]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < end, "in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A directory that `Local` accepts, whatever the umask.
fn private_directory(parent: &Path) -> tempfile::TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o700)).tempdir_in(parent).unwrap()
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn put(store: &mut Local, name: &str, value: &str) -> Revision {
    match store.commit(&Transaction::new().put(key(name), value)).unwrap() {
        Outcome::Committed(revision) => revision,
        Outcome::Conflict { .. } => panic!("no compare, no conflict"),
    }
}

fn read(store: &Local, name: &str) -> String {
    String::from_utf8(store.get(&key(name)).unwrap().unwrap().value).unwrap()
}

fn number(store: &Local, counter: &Key) -> u64 {
    store.get(counter).unwrap().map_or(0, |found| String::from_utf8(found.value).unwrap().parse().unwrap())
}
