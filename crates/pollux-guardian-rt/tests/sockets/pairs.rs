//! Serving pairs that are killed.

use super::clients::Clients;
use super::common::{Programs, Test, says, spec, start};
use super::{node, number};
use pollux_os::Signal;
use pollux_torture::Node;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

/// Steps and microseconds within which a primary kills itself once its backup is in step.
const KILL_STEPS: &str = "150";
const KILL_US: &str = "40000";
/// Longest time that a number of kills takes.
const KILL_PATIENCE: Duration = Duration::from_secs(4);

pub(crate) const TESTS: &[Test] = &[
    ("an_undisturbed_pair_serves", undisturbed),
    ("connections_outlive_kills_at_every_step", |programs| killed(programs, ("KILL_STEPS", KILL_STEPS))),
    ("connections_outlive_kills_at_any_moment", |programs| killed(programs, ("KILL_US", KILL_US))),
    ("the_echo_pair_goes_on", echo),
    ("strict_takeovers_reset_connections", strict),
    ("a_listener_alone_serves_new_connections", listener_alone),
];

/// The port that a server says it listens on.
pub(crate) fn port(node: &Node, name: &str) -> u16 {
    let said = || {
        let log = node.log_of(name);
        log.lines().find_map(|line| line.strip_prefix("PORT ")).and_then(|port| port.trim().parse().ok())
    };
    node.wait_until("the server listens", || said().is_some() || node.record(name).is_none());
    said().unwrap_or_else(|| panic!("{name} does not listen: {}", node.logs()))
}

pub(crate) fn in_step(node: &Node, name: &str, times: usize) {
    let said = || node.log_of(name).matches("IN STEP").count() >= times;
    node.wait_until("the backup is in step", said);
}

fn undisturbed(programs: &Programs) {
    let node = node();
    programs.start(&node, 0, "$TCP", "tcp_server", &["0"]);
    let port = port(&node, "$TCP");
    in_step(&node, "$TCP", 1);
    let clients = Clients::start(port, 5);
    programs.passes(&node, 1, "$ASK", "tcp_client", &["127.0.0.1", &port.to_string(), "500"]);
    let faults = clients.finish();
    assert!(faults.is_empty(), "{faults:?}\n{}", node.logs());
    node.finish();
}

/// No client sees a reset, and no byte is lost, doubled or out of order.
fn killed(programs: &Programs, how: (&str, &str)) {
    let kills = number("POLLUX_SOCKET_KILLS", 12);
    let node = node();
    let place = tempfile::tempdir().unwrap();
    let stop = place.path().join("stop");
    let variables = [how, ("KILL_STOP", stop.to_str().unwrap())];
    start(&node, 0, Some("$TCP"), spec(&programs.path("killed_server"), &["0"], &variables));
    let clients = Clients::start(port(&node, "$TCP"), number("POLLUX_SOCKET_CLIENTS", 20));
    let takeovers = || node.events_of("$TCP", "takeover");
    let deadline = Instant::now() + KILL_PATIENCE * kills as u32 + KILL_PATIENCE * 10;
    while takeovers() < kills && !clients.has_failed() {
        assert!(Instant::now() < deadline, "{} takeovers\n{}", takeovers(), node.logs());
        std::thread::park_timeout(Duration::from_millis(50));
    }
    std::fs::write(&stop, "").unwrap();
    let (requests, takeovers) = (clients.requests(), takeovers());
    let faults = clients.finish();
    assert!(
        faults.is_empty(),
        "after {takeovers} takeovers and {requests} requests: {faults:?}\n{}",
        node.logs()
    );
    println!("  {takeovers} takeovers, {requests} requests");
    assert!(requests > 0 && takeovers >= kills);
    node.finish();
}

fn say(connection: &mut TcpStream, text: &str) -> std::io::Result<String> {
    connection.write_all(text.as_bytes())?;
    let mut reply = vec![0; text.len()];
    connection.read_exact(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

fn connect(port: u16) -> TcpStream {
    let connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    connection
}

fn kill_primary(node: &Node, name: &str) {
    let takeovers = node.events_of(name, "takeover");
    assert!(node.signal(node.record(name).unwrap().primary, Signal::KILL));
    node.wait_until("the backup takes over", || node.events_of(name, "takeover") > takeovers);
}

/// The echo server keeps its connections through a kill.
fn echo(programs: &Programs) {
    let node = node();
    programs.start(&node, 0, "$ECHO", "tcp_echo", &["0"]);
    let port = port(&node, "$ECHO");
    in_step(&node, "$ECHO", 1);
    let mut connection = connect(port);
    assert_eq!(say(&mut connection, "before").unwrap(), "before");
    for kill in 0..3 {
        kill_primary(&node, "$ECHO");
        assert_eq!(say(&mut connection, "after").unwrap(), "after", "{}", node.logs());
        assert_eq!(say(&mut connect(port), "new").unwrap(), "new");
        in_step(&node, "$ECHO", kill + 2);
    }
    node.finish();
}

/// The documented minimum, for programs that are to be tested against it.
fn strict(programs: &Programs) {
    let node = node();
    let variables = [("POLLUX_SOCKETS", "strict")];
    start(&node, 0, Some("$ECHO"), spec(&programs.path("tcp_echo"), &["0"], &variables));
    let port = port(&node, "$ECHO");
    in_step(&node, "$ECHO", 1);
    let mut connection = connect(port);
    assert_eq!(say(&mut connection, "before").unwrap(), "before");
    kill_primary(&node, "$ECHO");
    let error = say(&mut connection, "after").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}\n{}", node.logs());
    says(&node, "$ECHO", "LOST 4120");
    assert_eq!(say(&mut connect(port), "new").unwrap(), "new");
    node.finish();
}

/// Only the listener is in the backup: new connections are served after each kill with one accept.
fn listener_alone(programs: &Programs) {
    let node = node();
    programs.start(&node, 0, "$LST", "sockets_listener_pair", &["$LST"]);
    let port = port(&node, "$LST");
    let mut old = Vec::new();
    for kill in 0..number("POLLUX_SOCKET_KILLS", 12).min(100) {
        in_step(&node, "$LST", kill + 1);
        let mut connection = connect(port);
        assert_eq!(say(&mut connection, "hello").unwrap(), "hello", "{}", node.logs());
        kill_primary(&node, "$LST");
        assert_eq!(say(&mut connect(port), "again").unwrap(), "again", "kill {kill}\n{}", node.logs());
        old.push(connection);
    }
    // Nobody has these any more; the provider has waited a while for somebody who might claim them.
    for mut connection in old {
        let mut byte = [0];
        let gone = connection.read(&mut byte);
        let reset = gone.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
        assert!(reset || matches!(gone, Ok(0)), "{gone:?}");
    }
    node.finish();
}
