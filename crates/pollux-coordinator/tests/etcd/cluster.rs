//! Real etcd servers, started for a test and gone with it.
//!
//! What this decides: where they listen, how they are killed, stopped and started again. What it does not:
//! what is asked of them.
//!
//! Each member has an address of its own in 127.0.0.0/8 and the usual ports there, so that no two tests,
//! nor two runs of them, can take each other's ports.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use pollux_coordinator::{Coordinator, Error, Etcd, EtcdPlace, Place};
use rustix::process::{Pid, Signal, kill_process};

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
const CLIENT_PORT: u16 = 2379;
const PEER_PORT: u16 = 2380;

/// Heartbeat and election times of the members, milliseconds.
#[derive(Clone, Copy)]
pub(crate) struct Times(u32, u32);

/// Of an etcd that nobody has configured: elections are rare, also on a busy machine.
pub(crate) const CALM: Times = Times(100, 1_000);
/// A dead leader is replaced soon.
pub(crate) const QUICK: Times = Times(50, 500);

/// Some members, killed when dropped.
pub(crate) struct Cluster {
    pub(crate) members: Vec<Member>,
    directory: tempfile::TempDir,
}

/// One member, running or not.
pub(crate) struct Member {
    pub(crate) address: String,
    arguments: Vec<String>,
    data: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

/// etcd below a shell that waits for the end of its input: also a test that is killed leaves nothing behind.
struct Process {
    shell: Child,
    pid: Pid,
}

impl Cluster {
    /// `None`, and a word about it, when there is no etcd; where `CI` is set that is a failure.
    pub(crate) fn start(members: usize, times: Times) -> Option<Self> {
        Self::start_with(members, times, |_, _| Vec::new())
    }

    /// With more arguments for each member, made from its directory and address.
    pub(crate) fn start_with(
        members: usize,
        times: Times,
        more: impl Fn(&Path, &str) -> Vec<String>,
    ) -> Option<Self> {
        if !is_installed("etcd", "etcd-server") {
            return None;
        }
        // In memory where that is possible: the tests are about order, not about disks.
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let directory = tempfile::Builder::new().prefix("pollux-etcd-").tempdir_in(parent).unwrap();
        let hosts: Vec<String> = (0..members).map(|_| fresh_host()).collect();
        let named = hosts.iter().enumerate();
        let all: Vec<String> = named.map(|(n, host)| format!("m{n}=http://{host}:{PEER_PORT}")).collect();
        let members = hosts.iter().enumerate().map(|(n, host)| {
            let home = directory.path().join(format!("m{n}"));
            fs::create_dir(&home).unwrap();
            let extra = more(&home, host);
            let scheme =
                if extra.iter().any(|argument| argument == "--cert-file") { "https" } else { "http" };
            let client = format!("{scheme}://{host}:{CLIENT_PORT}");
            let peer = format!("http://{host}:{PEER_PORT}");
            let data = home.join("data");
            let mut arguments: Vec<String> = [
                ["--name", &format!("m{n}")],
                ["--data-dir", data.to_str().unwrap()],
                ["--listen-client-urls", &client],
                ["--advertise-client-urls", &client],
                ["--listen-peer-urls", &peer],
                ["--initial-advertise-peer-urls", &peer],
                ["--initial-cluster", &all.join(",")],
                ["--initial-cluster-token", directory.path().to_str().unwrap()],
                ["--heartbeat-interval", &times.0.to_string()],
                ["--election-timeout", &times.1.to_string()],
                ["--logger", "zap"],
            ]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect();
            arguments.extend(extra);
            let log = home.join("log");
            Member { address: format!("{host}:{CLIENT_PORT}"), arguments, data, log, process: None }
        });
        let members = members.collect();
        let mut cluster = Self { members, directory };
        for member in &mut cluster.members {
            member.start();
        }
        Some(cluster)
    }

    /// As an operator would write it, with `options` behind the question mark.
    pub(crate) fn place(&self, prefix: &str, options: &str) -> EtcdPlace {
        let addresses: Vec<&str> = self.members.iter().map(|member| member.address.as_str()).collect();
        place(&format!("etcd://{}/{prefix}?{options}", addresses.join(",")))
    }

    /// Opens the store below `prefix`, however long the servers take to start.
    pub(crate) fn open(&self, prefix: &str) -> Etcd {
        let patient = self.place(prefix, "limit-ms=30000");
        match Etcd::open(&patient) {
            Ok(store) => store,
            Err(error) => panic!("{error}\n{}", self.logs()),
        }
    }

    /// The member that leads, once there is one.
    pub(crate) fn leader(&self) -> usize {
        let mut found = 0;
        wait_until("a member leads", || {
            let mut running = self.members.iter().enumerate().filter(|(_, member)| member.process.is_some());
            match running.find(|(_, member)| member.leads()) {
                Some((leader, _)) => {
                    found = leader;
                    true
                }
                None => false,
            }
        });
        found
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn logs(&self) -> String {
        let logs = self.members.iter().map(|member| fs::read_to_string(&member.log).unwrap_or_default());
        logs.collect::<Vec<_>>().join("\n---\n")
    }
}

impl Member {
    pub(crate) fn start(&mut self) {
        let log = fs::File::options().create(true).append(true).open(&self.log).unwrap();
        let mut shell = Command::new("sh")
            .args(["-c", "\"$@\" & echo $!; read end; kill -9 $!; wait", "sh", "etcd"])
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        self.process = Some(Process { shell, pid });
    }

    pub(crate) fn kill(&mut self) {
        drop(self.process.take());
    }

    /// As if the disk had been replaced by an empty one.
    pub(crate) fn lose_data(&mut self) {
        self.kill();
        fs::remove_dir_all(&self.data).unwrap();
    }

    pub(crate) fn stop(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
        wait_until("the member is stopped", || self.state() == 'T');
    }

    pub(crate) fn go_on(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    /// One request of the kind that `curl` makes; what the server says to it.
    pub(crate) fn http(&self, request: &str, body: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let length = body.len();
        write!(stream, "{request} HTTP/1.0\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{body}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn leads(&self) -> bool {
        self.state() != 'T'
            && self.http("GET /metrics", "").is_ok_and(|text| text.contains("\netcd_server_is_leader 1"))
    }

    fn pid(&self) -> Pid {
        self.process.as_ref().expect("the member runs").pid
    }

    fn state(&self) -> char {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid().as_raw_nonzero()));
        stat.ok().and_then(|text| text.rsplit(") ").next()?.chars().next()).unwrap_or('X')
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill_process(self.pid, Signal::KILL);
        // The end of its input lets the shell go, once its child is wholly gone and its ports are free.
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// A cluster that tests take turns with, so that nobody else moves its revisions; it ends with the last
/// test that holds it.
pub(crate) struct Shared {
    size: usize,
    cluster: Mutex<Weak<Turns>>,
}

/// A cluster with its turns.
pub(crate) struct Turns {
    pub(crate) cluster: Cluster,
    is_taken: Mutex<bool>,
    given_back: Condvar,
}

/// The cluster for oneself, until dropped.
pub(crate) struct Turn(Arc<Turns>);

impl Shared {
    pub(crate) const fn new(size: usize) -> Self {
        Self { size, cluster: Mutex::new(Weak::new()) }
    }

    pub(crate) fn get(&self) -> Option<Arc<Turns>> {
        let mut shared = self.cluster.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = shared.upgrade() {
            return Some(found);
        }
        let cluster = Cluster::start(self.size, CALM)?;
        let started = Arc::new(Turns { cluster, is_taken: Mutex::new(false), given_back: Condvar::new() });
        *shared = Arc::downgrade(&started);
        Some(started)
    }
}

impl Turn {
    pub(crate) fn take(turns: Arc<Turns>) -> Self {
        let mut is_taken = turns.is_taken.lock().unwrap();
        while *is_taken {
            is_taken = turns.given_back.wait(is_taken).unwrap();
        }
        *is_taken = true;
        drop(is_taken);
        Self(turns)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // A test that failed has left the cluster as usable as it found it.
        *self.0.is_taken.lock().unwrap() = false;
        self.0.given_back.notify_one();
    }
}

pub(crate) fn is_installed(program: &str, package: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&paths).any(|directory| directory.join(program).is_file()) {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "{program} is not installed: apt-get install {package}");
    println!("skipped: {program} is not installed (package {package})");
    false
}

pub(crate) fn place(text: &str) -> EtcdPlace {
    match Place::parse(text, "none") {
        Ok(Place::Etcd(place)) => place,
        other => panic!("{text}: {other:?}"),
    }
}

pub(crate) fn fresh_prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test/{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn fresh_host() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let pid = std::process::id();
    format!("127.{}.{}.{}", 1 + pid / 250 % 250, 1 + pid % 250, NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < end, "in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Until the store answers, however many servers are being elected.
pub(crate) fn wait_for(store: &mut Etcd) {
    wait_until("the store answers", || match store.revision() {
        Ok(_) => true,
        Err(Error::Unavailable { .. }) => false,
        Err(error) => panic!("{error}"),
    });
}
