//! keepalived: an address that moves from one host to another by VRRP.
//!
//! What is compared: the end of the host that has the address, until a requester has a reply from the other one. Hosts are
//! network namespaces on one bridge; the host ends by its link going down, because keepalived alone being killed would leave
//! the address where it is. `advert_int 0.01` with VRRP version 3 is the lowest setting there is (the shipped one is 1 s).
//! The clock starts when the link is down, not when that is asked for, which favours keepalived. The service on both
//! hosts is a process that echoes datagrams: no state moves, while Pollux' pair goes on with all of its state. A host's end is
//! also more than a process' end, which is why keepalived has to wait for silence; read the row as what users have today, not as
//! the same fault.

use crate::numbers::Samples;
use crate::peers::home::{Home, Process, Store, run};
use crate::peers::packages;
use anyhow::{Context, Result, bail, ensure};
use rustix::process::geteuid;
use std::env;
use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const NAME: &str = "keepalived, advert_int 0.01, link down";
const ADDRESS: &str = "10.77.0.9";
const PORT: &str = "7700";
/// Hosts by what they reply; the first one has the address while its link is up.
const HOSTS: [&str; 2] = ["a", "b"];
const PRIORITIES: [u8; 2] = [150, 100];
/// A datagram that is lost is sent again.
const REPLY_WAIT: Duration = Duration::from_micros(500);
const TAKEOVER_WAIT: Duration = Duration::from_secs(20);
/// The address is where it belongs for so long before a link goes down.
const CALM: Duration = Duration::from_millis(400);

/// Takes the link down so often: the pauses.
pub(crate) fn fail_often(fails: u32) -> Result<Samples> {
    if !geteuid().is_root() {
        bail!("network namespaces need root");
    }
    let mut network = Network::start()?;
    let mut pauses = Samples::default();
    for _ in 0..fails {
        pauses.add(network.fail_once()?);
    }
    Ok(pauses)
}

/// Three namespaces. Fields end in this order.
struct Network {
    watcher: Process,
    _programs: Vec<Process>,
    hosts: [Process; 2],
    _requester: Process,
    ip: PathBuf,
    _home: Home,
}

impl Network {
    fn start() -> Result<Self> {
        let keepalived = packages::program("keepalived", "keepalived")?;
        let ip = packages::program("ip", "iproute2")?;
        let home = Home::new(Store::Memory)?;
        let program = env::current_exe().context("find this program")?.display().to_string();
        let namespace = || -> Result<Process> {
            let mut process = home.start(Path::new("unshare"), &["--net", "sleep", "infinity"])?;
            let pid = process.pid();
            let own = std::fs::read_link("/proc/self/ns/net").context("look at a namespace")?;
            process.wait_until("has a network of its own", || {
                let its = std::fs::read_link(format!("/proc/{pid}/ns/net")).context("look at a namespace")?;
                ensure!(its != own, "it has ours");
                Ok(())
            })?;
            Ok(process)
        };
        let (requester, hosts) = (namespace()?, [namespace()?, namespace()?]);
        let inside = |process: &Process, words: &str| -> Result<String> {
            run(enter(process).arg(&ip).args(words.split_whitespace()))
        };
        inside(&requester, "link add bridge0 type bridge")?;
        inside(&requester, "address add 10.77.0.3/24 dev bridge0")?;
        inside(&requester, "link set bridge0 up")?;
        let mut programs = Vec::new();
        for (number, (host, name)) in hosts.iter().zip(HOSTS).enumerate() {
            let (pid, at) = (host.pid(), number + 1);
            inside(&requester, &format!("link add to_{name} type veth peer name eth0 netns {pid}"))?;
            inside(&requester, &format!("link set to_{name} master bridge0 up"))?;
            inside(host, "link set lo up")?;
            inside(host, &format!("address add 10.77.0.{at}/24 dev eth0"))?;
            inside(host, "link set eth0 up")?;
            let configuration = home.write(&format!("{name}.conf"), &configuration(PRIORITIES[number]))?;
            let configuration = configuration.display().to_string();
            let net = format!("--net=/proc/{pid}/ns/net");
            let (own, vrrp) = (home.text(&format!("{name}.pid")), home.text(&format!("{name}.vrrp.pid")));
            let keepalived = keepalived.display().to_string();
            let options = ["--dont-fork", "--log-console", "--vrrp", "--use-file", &configuration];
            let files = ["--pid", &own, "--vrrp_pid", &vrrp];
            let enter = Path::new("nsenter");
            programs.push(home.start(enter, &[&[&net[..], &keepalived], &options[..], &files].concat())?);
            programs.push(home.start(enter, &[&net, &program, "peer", "udp-echo", name])?);
        }
        let mut watch = enter(&requester);
        watch.args([&program, "peer", "udp-watch"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let watcher = Process::of(watch.spawn().context("start the requester")?, "the requester");
        Ok(Self { watcher, _programs: programs, hosts, _requester: requester, ip, _home: home })
    }

    fn fail_once(&mut self) -> Result<Duration> {
        self.tell(b'c')?;
        let link = |host: &Process, ip: &Path, state: &str| {
            run(enter(host).arg(ip).args(["link", "set", "eth0", state]))
        };
        link(&self.hosts[0], &self.ip, "down")?;
        let down = Instant::now();
        self.tell(b'w')?;
        let pause = down.elapsed();
        link(&self.hosts[0], &self.ip, "up")?;
        Ok(pause)
    }

    /// Has the watcher wait for calm or for the other host.
    fn tell(&mut self, what: u8) -> Result<()> {
        let child = self.watcher.child();
        child.stdin.as_mut().context("no input")?.write_all(&[what]).context("tell the requester")?;
        let output = child.stdout.as_mut().context("no output")?;
        output.read_exact(&mut [0]).context("the requester has no reply from the host that it waits for")
    }
}

/// The beginning of a command inside a namespace.
fn enter(process: &Process) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{}/ns/net", process.pid()));
    command
}

fn configuration(priority: u8) -> String {
    format!(
        "global_defs {{\n  vrrp_version 3\n}}\nvrrp_instance bench {{\n  state BACKUP\n  interface eth0\n  \
         virtual_router_id 51\n  priority {priority}\n  advert_int 0.01\n  virtual_ipaddress {{\n    {ADDRESS}/24\n  }}\n}}\n"
    )
}

/// The service on a host: replies to each datagram with the host's name.
pub(crate) fn echo(name: &str) -> Result<()> {
    let socket = UdpSocket::bind(format!("0.0.0.0:{PORT}")).context("listen for datagrams")?;
    loop {
        let (_, from) = socket.recv_from(&mut [0; 64]).context("hear a requester")?;
        // A requester that cannot be reached asks again.
        let _ = socket.send_to(name.as_bytes(), from);
    }
}

/// The requester: `c` waits until the first host has replied for some time, `w` for a reply of the second one.
pub(crate) fn watch() -> Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0").context("make a socket")?;
    socket.set_read_timeout(Some(REPLY_WAIT)).context("set a time-out")?;
    let address: SocketAddr = format!("{ADDRESS}:{PORT}").parse()?;
    let ask = || -> Option<u8> {
        socket.send_to(b"?", address).ok()?;
        let mut reply = [0];
        socket.recv(&mut reply).ok()?;
        Some(reply[0])
    };
    let mut what = [0];
    while std::io::stdin().read_exact(&mut what).is_ok() {
        let begin = Instant::now();
        let mut since: Option<Instant> = None;
        let [wanted] = if what == *b"c" { *b"a" } else { *b"b" };
        loop {
            let is_wanted = ask() == Some(wanted);
            since = is_wanted.then(|| since.unwrap_or_else(Instant::now));
            let calm = if what == *b"c" { CALM } else { Duration::ZERO };
            if since.is_some_and(|since| since.elapsed() >= calm) {
                break;
            }
            ensure!(begin.elapsed() < TAKEOVER_WAIT, "no reply from the host that is waited for");
            if what == *b"c" {
                thread::sleep(REPLY_WAIT);
            }
        }
        let mut output = std::io::stdout();
        output.write_all(&[0]).and_then(|()| output.flush()).context("tell the bench")?;
    }
    Ok(())
}
