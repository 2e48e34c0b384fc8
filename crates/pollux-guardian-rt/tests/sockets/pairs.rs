//! Serving pairs that lose a half.

use super::clients::Clients;
use super::common::{Programs, Test, says, spec, start};
use super::{node, port};
use pollux_os::Signal;
use pollux_torture::Node;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

pub(crate) const TESTS: &[Test] = &[
    ("an_undisturbed_pair_serves", undisturbed),
    ("the_echo_pair_goes_on", echo),
    ("strict_takeovers_reset_connections", strict),
];

pub(super) fn in_step(node: &Node, name: &str, times: usize) {
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

pub(super) fn say(connection: &mut TcpStream, text: &str) -> std::io::Result<String> {
    connection.write_all(text.as_bytes())?;
    let mut reply = vec![0; text.len()];
    connection.read_exact(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

pub(super) fn connect(port: u16) -> TcpStream {
    let connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    connection
}

pub(super) fn kill_primary(node: &Node, name: &str) {
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
