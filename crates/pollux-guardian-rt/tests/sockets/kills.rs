//! Serving pairs that are killed while clients are at work: at steps, at any instruction, by a hang, with their CPU.

use super::clients::Clients;
use super::common::{Programs, Test, spec, start};
use super::{node, number, port};
use pollux_os::Signal;
use pollux_torture::{Node, seed};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Steps and microseconds within which a primary kills itself once its backup is in step.
const KILL_STEPS: &str = "150";
const KILL_US: &str = "40000";
const SIGSTOP: &str = "19";
/// Longest time that a number of kills takes.
const KILL_PATIENCE: Duration = Duration::from_secs(4);
/// The same for a CPU: one that is lost again and again comes back after 10 s only.
const CPU_PATIENCE: Duration = Duration::from_secs(12);
/// A look at the pair.
const LOOK: Duration = Duration::from_millis(50);

pub(crate) const TESTS: &[Test] = &[
    ("connections_outlive_kills_at_every_step", |programs| {
        kill_by_itself(programs, &[("KILL_STEPS", KILL_STEPS)])
    }),
    ("connections_outlive_kills_at_each_step_in_turn", |programs| {
        kill_by_itself(programs, &[("KILL_SWEEP", KILL_STEPS)]);
    }),
    ("connections_outlive_kills_at_any_moment", |programs| kill_by_itself(programs, &[("KILL_US", KILL_US)])),
    ("connections_outlive_hangs", |programs| {
        kill_by_itself(programs, &[("KILL_US", KILL_US), ("KILL_SIGNAL", SIGSTOP)]);
    }),
    ("connections_outlive_lost_cpus", lost_cpus),
];

/// What a program with steps is told by its environment, and the files behind that.
pub(crate) struct Orders {
    directory: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Orders {
    /// These ways of killing, and a seed.
    pub(crate) fn new(ways: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let mut variables: Vec<_> =
            ways.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        variables.push(("KILL_STOP".to_owned(), path("stop")));
        variables.push(("KILL_COUNT".to_owned(), path("count")));
        variables.push(("KILL_SEED".to_owned(), seed(1).to_string()));
        Self { directory, variables }
    }

    /// For the program's environment.
    pub(crate) fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// Nothing more is to be killed.
    pub(crate) fn stop(&self) {
        std::fs::write(self.stop_file(), "").unwrap();
    }

    /// From the next primary on there is killing again.
    pub(crate) fn go_on(&self) {
        std::fs::remove_file(self.stop_file()).unwrap();
    }

    fn stop_file(&self) -> PathBuf {
        self.directory.path().join("stop")
    }
}

fn kill_by_itself(programs: &Programs, ways: &[(&str, &str)]) {
    let orders = Orders::new(ways);
    let node = node();
    start(&node, 0, Some("$TCP"), spec(&programs.path("killed_server"), &["0"], &orders.variables()));
    let takeovers = takeovers_under_load(&node, KILL_PATIENCE, || std::thread::park_timeout(LOOK));
    orders.stop();
    takeovers.check(&node);
    node.finish();
}

/// Kills the CPU of the primary each time the backup is in step. The provider may lose its backup with the CPU, not its primary: that
/// may cost the connection that it is accepting (see "If a process dies between the steps" in the page about sockets inside). When both
/// primaries are in one CPU the pair's own process is killed instead, which takes them apart.
fn lost_cpus(programs: &Programs) {
    let node = node();
    programs.start(&node, 0, "$TCP", "tcp_server", &["0"]);
    let (mut lost, mut in_step) = (0, 0);
    let takeovers = takeovers_under_load(&node, CPU_PATIENCE, || {
        let said = node.log_of("$TCP").matches("IN STEP").count();
        let provider = node.record("$ZTC0").filter(|record| record.backup.is_some());
        let (true, Some(provider), Some(server)) = (said > in_step, provider, node.record("$TCP")) else {
            return std::thread::park_timeout(LOOK);
        };
        in_step = said;
        if server.primary.cpu == provider.primary.cpu {
            assert!(node.signal(server.primary, Signal::KILL));
        } else {
            assert!(node.signal_cpu(server.primary.cpu, Signal::KILL));
            lost += 1;
        }
        let gone = || node.record("$TCP").is_none_or(|record| record.primary != server.primary);
        node.wait_until("the backup takes over", gone);
        node.wait_until("all CPUs are connected", || node.is_connected(2));
    });
    takeovers.check(&node);
    println!("  {lost} CPUs lost");
    assert!(lost > 0);
    node.finish();
}

/// Clients that have seen takeovers.
struct Takeovers {
    clients: Clients,
    wanted: usize,
}

/// Goes on with clients at work until the pair has taken over often enough.
fn takeovers_under_load(node: &Node, patience: Duration, mut meanwhile: impl FnMut()) -> Takeovers {
    let wanted = number("POLLUX_SOCKET_KILLS", 12);
    let clients = Clients::start(port(node, "$TCP"), number("POLLUX_SOCKET_CLIENTS", 20));
    let takeovers = || node.events_of("$TCP", "takeover");
    let deadline = Instant::now() + patience * (wanted as u32 + 10);
    while takeovers() < wanted && !clients.has_failed() {
        assert!(Instant::now() < deadline, "{} takeovers\n{}", takeovers(), node.logs());
        meanwhile();
    }
    Takeovers { clients, wanted }
}

impl Takeovers {
    /// No client saw a reset, and no byte was lost, doubled or out of order.
    fn check(self, node: &Node) {
        let (requests, takeovers) = (self.clients.requests(), node.events_of("$TCP", "takeover"));
        let faults = self.clients.finish();
        assert!(
            faults.is_empty(),
            "after {takeovers} takeovers and {requests} requests: {faults:?}\n{}",
            node.logs()
        );
        println!("  {takeovers} takeovers, {requests} requests");
        assert!(requests > 0 && takeovers >= self.wanted);
    }
}
