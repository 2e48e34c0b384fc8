//! Records in a real etcd: three servers, the master lost, etcd lost and back.

use super::place::{PATIENCE, Place};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

struct Etcd {
    child: Child,
    address: String,
    arguments: Vec<String>,
    _directory: tempfile::TempDir,
}

impl Etcd {
    /// `None`, and a word about it, when there is no etcd; where `CI` is set that is a failure.
    fn start() -> Option<Self> {
        if Command::new("etcd").arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "etcd is not installed: apt-get install etcd-server");
            eprintln!("skipped: etcd is not installed (apt-get install etcd-server)");
            return None;
        }
        let port = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = tempfile::Builder::new().prefix("pollux-domain-etcd-").tempdir().unwrap();
        let (client, peer) = (port(), port());
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let arguments = vec![
            "--name=one".to_owned(),
            format!("--data-dir={}", directory.path().display()),
            format!("--listen-client-urls={}", url(client)),
            format!("--advertise-client-urls={}", url(client)),
            format!("--listen-peer-urls={}", url(peer)),
            format!("--initial-advertise-peer-urls={}", url(peer)),
            format!("--initial-cluster=one={}", url(peer)),
        ];
        let child = spawn(&arguments);
        Some(Self { child, address: format!("etcd://127.0.0.1:{client}"), arguments, _directory: directory })
    }

    fn lose(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn again(&mut self) {
        self.child = spawn(&self.arguments);
    }
}

fn spawn(arguments: &[String]) -> Child {
    Command::new("etcd")
        .args(arguments)
        .env("ETCD_UNSUPPORTED_ARCH", std::env::consts::ARCH)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for Etcd {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

// Several hosts have their records in etcd: what is accepted there is never lost, and without it nothing is accepted.
#[test]
fn the_domain_lives_in_etcd() {
    let Some(mut etcd) = Etcd::start() else { return };
    let options = ["--coordinator", &etcd.address.clone(), "--domain-time", "stable=2000"];
    let place = Place::with_servers(&options, &["alpha", "beta", "gamma"]);
    place.wait("in step", || place.domain("gamma", &["status"]).code == Some(0));
    place.lose("alpha");
    let begin = Instant::now();
    place.wait_acts("gamma", "beta");
    println!("takeover across hosts' times: {:?}", begin.elapsed());
    place.domain("gamma", &["add-backup", "delta"]).done();

    etcd.lose();
    place.wait("nobody acts without etcd", || place.acting("beta").is_none());
    place.domain("beta", &["add-backup", "never"]).failed(&["no master acts"]);
    let status = place.domain("gamma", &["status"]);
    assert_eq!(status.code, Some(4), "{status:?}");
    assert!(status.out.contains("no master acts"), "{status:?}");
    assert_eq!(place.list("gamma"), ["alpha", "beta", "gamma", "delta"], "the files can be read");

    etcd.again();
    place.wait_acts("gamma", "beta");
    place.up("alpha");
    place.wait_acts("gamma", "alpha");
    assert_eq!(place.list("alpha"), ["alpha", "beta", "gamma", "delta"]);
    assert!(begin.elapsed() < PATIENCE * 3);
}
