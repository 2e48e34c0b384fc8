//! Providers that are killed below serving pairs.

use super::clients::{Clients, FreshClients, Sequence};
use super::common::{Programs, Test};
use super::pairs::in_step;
use super::{node, number, port};
use pollux_os::{Pid, Signal};
use pollux_torture::Node;
use pollux_wire::Phandle;
use pollux_wire::admin::AdminRequest;
use rustix::process::{PidfdFlags, kill_process, pidfd_open};
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Kills of a provider, if the environment names no other number.
const KILLS_USUAL: usize = 20;
/// Longest search for a moment in which a connection is between its acceptance and the backup.
const WINDOW_PATIENCE: Duration = Duration::from_secs(3);
/// A CPU that is lost often is started again later and later.
const CPUS_LOST_MAX: usize = 6;
/// The flag of a descriptor that other processes have, too, as `/proc` shows it (O_CLOEXEC).
const CLOSE_ON_EXEC: u64 = 0o2_000_000;

pub(crate) const TESTS: &[Test] = &[
    ("a_killed_provider_disturbs_nobody", killed_provider),
    ("no_fresh_connection_is_lost_with_the_provider", fresh_connections),
    ("a_killed_guard_comes_again", killed_guard),
];

/// Listeners, connections and waiting accepts go on.
fn killed_provider(programs: &Programs) {
    let kills = number("POLLUX_PROVIDER_KILLS", KILLS_USUAL);
    let node = node();
    programs.start(&node, 0, "$TCP", "tcp_server", &["0"]);
    let port = port(&node, "$TCP");
    in_step(&node, "$TCP", 1);
    let clients = Clients::start(port, 10);
    for kill in 0..kills {
        let whole = || node.record("$ZTC0").is_some_and(|record| record.backup.is_some());
        node.wait_until("the provider is a pair", whole);
        let before = clients.requests();
        let primary = node.record("$ZTC0").unwrap().primary;
        assert!(node.signal(primary, Signal::KILL), "kill {kill}");
        node.wait_until("the clients go on", || clients.requests() > before + 20 || clients.has_failed());
    }
    let faults = clients.finish();
    assert!(faults.is_empty(), "{faults:?}\n{}", node.logs());
    node.finish();
}

/// How a primary of the provider dies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Death {
    /// At any moment.
    Killed,
    /// Stopped at a moment in which it has a connection of which the backup has not said that it has it, and killed.
    InWindow,
    /// Just become the primary by an exchange of roles.
    AfterSwitch,
    /// With its CPU, and with the half of the server that is there.
    WithCpu,
}

const DEATHS: [Death; 5] =
    [Death::Killed, Death::InWindow, Death::AfterSwitch, Death::InWindow, Death::WithCpu];

/// Connections that the provider has accepted and not told its backup of are served, however its primary dies.
fn fresh_connections(programs: &Programs) {
    let kills = number("POLLUX_PROVIDER_KILLS", KILLS_USUAL);
    let node = node();
    programs.start(&node, 0, "$TCP", "tcp_server", &["0"]);
    let port = port(&node, "$TCP");
    let clients = FreshClients::start(port, number("POLLUX_SOCKET_CLIENTS", 20));
    let mut moments = Sequence(kills as u64);
    let (mut cpus_lost, mut hits) = (0, 0);
    for (kill, mut death) in (0..kills).zip(DEATHS.into_iter().cycle()) {
        if death == Death::WithCpu && cpus_lost == CPUS_LOST_MAX {
            death = Death::Killed;
        }
        if death == Death::WithCpu {
            in_step(&node, "$TCP", 1 + cpus_lost);
            cpus_lost += 1;
        }
        let primary = node.wait_whole("$ZTC0").primary;
        let wanted = clients.served() + 1 + moments.below(40);
        node.wait_until("clients are served", || clients.served() >= wanted);
        // Any moment between two that can be seen.
        std::thread::park_timeout(Duration::from_micros(moments.below(3000)));
        let is_signalled = match death {
            Death::Killed => node.signal(primary, Signal::KILL),
            Death::InWindow => {
                hits += usize::from(stop_in_window(&node, primary));
                node.signal(primary, Signal::KILL)
            }
            Death::AfterSwitch => {
                node.order(primary.cpu, &AdminRequest::Switch { phandle: primary });
                let other =
                    || node.record("$ZTC0").map(|record| record.primary).filter(|now| *now != primary);
                node.signal(node.wait_for("the roles are exchanged", other), Signal::KILL)
            }
            Death::WithCpu => node.signal_cpu(primary.cpu, Signal::KILL),
        };
        assert!(is_signalled, "kill {kill}");
        let takeovers = || node.events_of("$ZTC0", "takeover");
        node.wait_until("the provider's backup takes over", || takeovers() > kill);
    }
    let goal = clients.served() + 100;
    node.wait_until("the clients go on", || clients.served() > goal);
    let served = clients.served();
    let (faults, slowest) = clients.finish();
    println!("  {kills} kills, {hits} in the window; {served} connections, slowest {slowest:?}");
    println!("  {} saved, {} lost; takeovers: {}", saved(&node), faults.len(), silences(&node));
    assert!(faults.is_empty(), "{faults:?}\n{}", node.logs());
    node.finish();
}

/// Stops the provider's primary again and again, until it has such a connection; false if there is no such moment.
fn stop_in_window(node: &Node, primary: Phandle) -> bool {
    let pid = node.process(primary).unwrap().pid;
    let process = Path::new("/proc").join(pid.to_string());
    let deadline = Instant::now() + WINDOW_PATIENCE;
    let signal = |signal| kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
    while Instant::now() < deadline {
        signal(Signal::STOP);
        node.wait_until("the provider is stopped", || word_of_stat(&process, 0).as_deref() == Some("T"));
        if has_unknown_connection(&process) {
            return true;
        }
        signal(Signal::CONT);
        std::thread::park_timeout(Duration::from_millis(1));
    }
    false
}

fn has_unknown_connection(process: &Path) -> bool {
    let numbers = fs::read_dir(process.join("fd")).unwrap().flatten().map(|entry| entry.file_name());
    numbers.into_iter().any(|number| {
        let link = fs::read_link(process.join("fd").join(&number)).unwrap_or_default();
        let info = fs::read_to_string(process.join("fdinfo").join(&number)).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags =
            flags.and_then(|flags| u64::from_str_radix(flags.trim(), 8).ok()).unwrap_or(CLOSE_ON_EXEC);
        link.to_string_lossy().starts_with("socket:") && flags & CLOSE_ON_EXEC == 0
    })
}

/// How many connections came from guards.
fn saved(node: &Node) -> u32 {
    let log = node.log_of("$ZTC0");
    log.lines().filter_map(|line| line.rsplit_once("dead primary: ")?.1.parse::<u32>().ok()).sum()
}

/// Median and maximum of the times in which no primary of the provider spoke.
fn silences(node: &Node) -> String {
    let events = node.events();
    let takeovers = events.iter().filter(|event| event["name"] == "$ZTC0" && event["kind"] == "takeover");
    let mut times: Vec<u64> = takeovers.filter_map(|event| event["handover"]["silent_us"].as_u64()).collect();
    times.sort_unstable();
    format!("{:?} µs in the middle, {:?} µs at most", times.get(times.len() / 2), times.last())
}

/// A word of `/proc/PID/stat` behind the name: 0 is the state, 1 the parent.
fn word_of_stat(process: &Path, index: usize) -> Option<String> {
    let text = fs::read_to_string(process.join("stat")).ok()?;
    text.rsplit_once(") ")?.1.split(' ').nth(index).map(str::to_owned)
}

/// The living guard of a process.
fn guard_of(pid: u32) -> Option<OwnedFd> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    pids.into_iter().find_map(|entry| {
        let process = entry.path();
        let is_guard = fs::read_to_string(process.join("comm")).is_ok_and(|name| name == "pollux-fd-guard\n");
        let is_its = word_of_stat(&process, 1)? == pid.to_string() && word_of_stat(&process, 0)? != "Z";
        let number = entry.file_name().to_str()?.parse().ok()?;
        let handle = pidfd_open(Pid::from_raw(number)?, PidfdFlags::empty()).ok()?;
        (is_guard && is_its).then_some(handle)
    })
}

/// Otherwise the next kill of the provider would be able to lose a connection again.
fn killed_guard(_programs: &Programs) {
    let node = node();
    let primary = node.wait_whole("$ZTC0").primary;
    let pid = node.process(primary).unwrap().pid;
    for _ in 0..3 {
        let guard = node.wait_for("the primary has a guard", || guard_of(pid));
        pollux_os::signal(&guard, Signal::KILL).unwrap();
        assert!(pollux_os::wait_gone(&guard, WINDOW_PATIENCE).unwrap());
    }
    let guard = node.wait_for("the primary has a guard", || guard_of(pid));
    assert!(node.signal(primary, Signal::KILL));
    assert!(pollux_os::wait_gone(&guard, WINDOW_PATIENCE).unwrap(), "it ends with its process");
    // One that hangs keeps nobody waiting, and ends when it can.
    let primary = node.wait_whole("$ZTC0").primary;
    let guard = guard_of(node.process(primary).unwrap().pid).unwrap();
    pollux_os::signal(&guard, Signal::STOP).unwrap();
    assert!(node.signal(primary, Signal::KILL));
    node.wait_until("the other half takes over", || {
        node.whole("$ZTC0").is_some_and(|record| record.primary != primary)
    });
    assert!(!pollux_os::wait_gone(&guard, Duration::ZERO).unwrap());
    pollux_os::signal(&guard, Signal::CONT).unwrap();
    assert!(pollux_os::wait_gone(&guard, WINDOW_PATIENCE).unwrap(), "it ends with its process");
    node.finish();
}
