//! Hosts as network namespaces, joined by a bridge in one more namespace: nothing of it is in the network of this machine.
//!
//! ```text
//!   alpha: eth0 10.77.0.1 ---+
//!   beta:  eth0 10.77.0.2 ---+--- br0 in "hub"
//!   gamma: eth0 10.77.0.3 ---+
//! ```
//!
//! A link is cut whole by taking down its end at the hub. It is cut in one direction by a wrong, permanent hardware address at
//! the sender: what it sends vanishes on the bridge, and nobody is told.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{env, fs};

const PREFIX: &str = "pollux-test";
/// Nobody has it.
const NOBODY: &str = "02:00:00:00:00:99";

/// Times of hosts are measured: one test at a time.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The namespaces; gone when dropped.
#[derive(Debug)]
pub(crate) struct Network {
    prefix: String,
    hosts: Vec<String>,
}

impl Network {
    /// One namespace for each host. `None`, and a word about it, where that is not possible.
    pub(crate) fn new(hosts: &[&str]) -> Option<Self> {
        let reason = impossible();
        if let Some(reason) = reason {
            assert!(env::var_os("CI").is_none(), "{reason}");
            println!("skipped: {reason}");
            return None;
        }
        sweep();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("{PREFIX}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let network = Self { prefix, hosts: hosts.iter().map(ToString::to_string).collect() };
        let hub = network.namespace("hub");
        ip(&["netns", "add", &hub]);
        ip(&["-n", &hub, "link", "add", "br0", "type", "bridge"]);
        ip(&["-n", &hub, "link", "set", "br0", "up"]);
        for host in hosts {
            let namespace = network.namespace(host);
            network.write_hosts(&namespace);
            ip(&["netns", "add", &namespace]);
            ip(&[
                "-n", &hub, "link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", &namespace,
            ]);
            ip(&["-n", &hub, "link", "set", host, "master", "br0"]);
            ip(&["-n", &hub, "link", "set", host, "up"]);
            ip(&["-n", &namespace, "link", "set", "lo", "up"]);
            ip(&["-n", &namespace, "addr", "add", &format!("{}/24", network.address(host)), "dev", "eth0"]);
            ip(&["-n", &namespace, "link", "set", "eth0", "up"]);
        }
        Some(network)
    }

    /// The names of the hosts, as `ip netns exec` puts them in place of `/etc/hosts`.
    fn write_hosts(&self, namespace: &str) {
        let directory = etc(namespace);
        fs::create_dir_all(&directory).unwrap();
        let lines: String =
            self.hosts.iter().map(|host| format!("{} {host}\n", self.address(host))).collect();
        fs::write(format!("{directory}/hosts"), format!("127.0.0.1 localhost\n{lines}")).unwrap();
    }

    /// The address of a host.
    pub(crate) fn address(&self, host: &str) -> String {
        let at = self.hosts.iter().position(|it| it == host).unwrap();
        format!("10.77.0.{}", at + 1)
    }

    /// A program in the network of that host.
    pub(crate) fn command(&self, host: &str, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(host)]).arg(program);
        command
    }

    /// Takes a host's link away, or gives it back.
    pub(crate) fn link(&self, host: &str, is_up: bool) {
        ip(&["-n", &self.namespace("hub"), "link", "set", host, if is_up { "up" } else { "down" }]);
    }

    /// What one host sends to another vanishes from here on.
    pub(crate) fn cut(&self, from: &str, to: &str) {
        let (namespace, address) = (self.namespace(from), self.address(to));
        ip(&[
            "-n",
            &namespace,
            "neigh",
            "replace",
            &address,
            "lladdr",
            NOBODY,
            "dev",
            "eth0",
            "nud",
            "permanent",
        ]);
    }

    /// It arrives again.
    pub(crate) fn heal(&self, from: &str, to: &str) {
        let (namespace, address) = (self.namespace(from), self.address(to));
        ip(&["-n", &namespace, "neigh", "del", &address, "dev", "eth0"]);
    }

    fn namespace(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in self.hosts.iter().map(String::as_str).chain(["hub"]) {
            remove(&self.namespace(host));
        }
    }
}

fn impossible() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("network namespaces need root: run the tests as root, or with unshare -r");
    }
    match Command::new("ip").args(["netns", "list"]).output() {
        Err(_) => Some("ip is not installed: apt-get install iproute2"),
        Ok(_) if Command::new("unshare").args(["-n", "true"]).status().is_ok_and(|it| it.success()) => None,
        Ok(_) => Some("this machine allows no network namespaces"),
    }
}

/// Removes what test processes that were killed have left.
fn sweep() {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1)).map(str::to_owned);
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            remove(&name);
        }
    }
}

fn remove(namespace: &str) {
    drop(Command::new("ip").args(["netns", "del", namespace]).output());
    drop(fs::remove_dir_all(etc(namespace)));
    // Only when nothing else is in it.
    drop(fs::remove_dir("/etc/netns"));
}

fn etc(namespace: &str) -> String {
    format!("/etc/netns/{namespace}")
}

fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).output().unwrap();
    assert!(output.status.success(), "ip {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}
