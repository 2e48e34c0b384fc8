//! An etcd member on each host.

use super::hosts::NAMES;
use super::network::Network;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{env, fs};

/// The members; killed when dropped.
pub(crate) struct Etcd {
    members: Vec<(String, Vec<String>, Option<Child>)>,
    // Last: members end before their data goes.
    _directory: tempfile::TempDir,
}

impl Etcd {
    /// `None`, and a word about it, when there is no etcd; where `CI` is set that is a failure.
    pub(crate) fn start(network: &Network) -> Option<Self> {
        if Command::new("etcd").arg("--version").output().is_err() {
            assert!(env::var_os("CI").is_none(), "etcd is not installed: apt-get install etcd-server");
            println!("skipped: etcd is not installed (apt-get install etcd-server)");
            return None;
        }
        // In memory where that is possible: the tests are about order, not about disks.
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { env::temp_dir() };
        let directory = tempfile::Builder::new().prefix("pollux-hosts-etcd-").tempdir_in(parent).unwrap();
        let url = |host: &str, port: u16| format!("http://{}:{port}", network.address(host));
        let all: Vec<String> = NAMES.iter().map(|host| format!("{host}={}", url(host, 2380))).collect();
        let members = NAMES.iter().map(|host| {
            let data = directory.path().join(host);
            fs::create_dir(&data).unwrap();
            let arguments = vec![
                format!("--name={host}"),
                format!("--data-dir={}", data.join("data").display()),
                format!("--listen-client-urls={}", url(host, 2379)),
                format!("--advertise-client-urls={}", url(host, 2379)),
                format!("--listen-peer-urls={}", url(host, 2380)),
                format!("--initial-advertise-peer-urls={}", url(host, 2380)),
                format!("--initial-cluster={}", all.join(",")),
            ];
            ((*host).to_owned(), arguments, None)
        });
        let mut etcd = Self { members: members.collect(), _directory: directory };
        NAMES.iter().for_each(|host| etcd.again(network, host));
        Some(etcd)
    }

    /// For `--coordinator`.
    pub(crate) fn place(network: &Network) -> String {
        let hosts: Vec<String> = NAMES.iter().map(|host| format!("{}:2379", network.address(host))).collect();
        format!("etcd://{}", hosts.join(","))
    }

    /// The member of a host is killed.
    pub(crate) fn lose(&mut self, host: &str) {
        let (_, _, child) = self.members.iter_mut().find(|(name, ..)| name == host).unwrap();
        if let Some(child) = child.take() {
            end(child);
        };
    }

    /// It is started with the data it had.
    pub(crate) fn again(&mut self, network: &Network, host: &str) {
        let (_, arguments, child) = self.members.iter_mut().find(|(name, ..)| name == host).unwrap();
        // Below a shell that waits for the end of its input: also a test that is killed leaves nothing behind.
        let started = network
            .command(host, Path::new("sh"))
            .args(["-c", "\"$@\" & read end; kill -9 $!; wait", "sh", "etcd"])
            .args(&*arguments)
            .env("ETCD_UNSUPPORTED_ARCH", env::consts::ARCH)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        *child = Some(started);
    }
}

fn end(mut shell: Child) {
    drop(shell.stdin.take());
    drop(shell.wait());
}

impl Drop for Etcd {
    fn drop(&mut self) {
        for (_, _, child) in &mut self.members {
            if let Some(child) = child.take() {
                end(child);
            };
        }
    }
}
