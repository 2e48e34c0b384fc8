//! Records in a real etcd: three servers, the master lost, etcd lost and back.

use super::place::{PATIENCE, Place, Servers};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
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

/// A link to etcd that can be cut, each direction by itself: bytes vanish, and nobody is told.
struct Link {
    port: u16,
    cut: [Arc<AtomicBool>; 2],
}

const TO_ETCD: usize = 0;
const FROM_ETCD: usize = 1;

impl Link {
    fn new(etcd: &Etcd) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = [Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false))];
        let (flags, address) = (cut.clone(), etcd.address.trim_start_matches("etcd://").to_owned());
        // The threads end with the test's process.
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(&address) else { continue };
                let (near2, far2) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let [to, from] = flags.clone();
                thread::spawn(move || carry(near, far, &to));
                thread::spawn(move || carry(far2, near2, &from));
            }
        });
        Self { port, cut }
    }

    fn cut(&self, direction: usize, cut: bool) {
        self.cut[direction].store(cut, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let mut buffer = [0; 4096];
    let mut lost = false;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        // What was swallowed is missing for ever: the connection is of no more use after the cut.
        lost |= cut.load(Ordering::SeqCst);
        if !lost && to.write_all(&buffer[..count]).is_err() {
            return;
        }
        if lost && !cut.load(Ordering::SeqCst) {
            drop(from.shutdown(std::net::Shutdown::Both));
            drop(to.shutdown(std::net::Shutdown::Both));
            return;
        }
    }
}

// A master that cannot hear etcd, or cannot be heard by it, must fall silent before another one acts: never two writers.
#[test]
fn a_cut_link_moves_the_mastership_and_never_makes_two_masters() {
    let Some(etcd) = Etcd::start() else { return };
    let links = [Link::new(&etcd), Link::new(&etcd)];
    let place = Place::new(&["--domain-time", "stable=2000"]);
    place.init();
    for (host, link) in ["alpha", "beta"].iter().zip(&links) {
        place.up_with(host, &["--coordinator", &format!("etcd://127.0.0.1:{}", link.port)]);
    }
    place.wait_acts("beta", "alpha");
    place.domain("alpha", &["add-backup", "beta"]).done();
    place.wait("in step", || place.domain("beta", &["status"]).code == Some(0));
    let acts = |host: &str| place.acting(host).is_some_and(|(name, _)| name == host);
    for (round, directions) in [&[TO_ETCD, FROM_ETCD][..], &[FROM_ETCD], &[TO_ETCD]].into_iter().enumerate() {
        directions.iter().for_each(|direction| links[0].cut(*direction, true));
        place.wait("beta acts", || acts("beta"));
        assert!(!acts("alpha"), "two masters, round {round}: {:?}", place.status("alpha"));
        let refused = place.domain("alpha", &["add-backup", "never"]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        let accepted = format!("round{round}");
        place.domain("beta", &["add-backup", &accepted]).done();
        directions.iter().for_each(|direction| links[0].cut(*direction, false));
        place.wait("alpha acts again", || acts("alpha"));
        let list = place.list("alpha");
        assert!(list.contains(&accepted) && !list.contains(&"never".to_owned()), "{list:?}");
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
    place.wait("gamma knows of nobody", || place.acting("gamma").is_none());
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
