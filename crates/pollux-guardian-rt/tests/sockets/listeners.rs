//! Pairs that tell their backup of the listener only: the documented minimum.

use super::common::{Programs, Test, says, spec, start};
use super::kills::Orders;
use super::pairs::{connect, in_step, kill_primary, say};
use super::{node, number, port};
use pollux_torture::{Node, PATIENCE};
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::Duration;

/// A primary kills itself at one of its next steps, or after so many microseconds if nobody asks it.
const KILL_STEPS: &str = "12";
const KILL_US: &str = "10000";
const HELLO: &str = "hello";
/// A request that takes longer was caught by a kill, or will be answered later.
const CAUGHT: Duration = Duration::from_millis(200);
/// Connections to one primary. More of them would fill the provider: it keeps those that nobody has for 10 s.
const CONNECTIONS: usize = 5;

pub(crate) const TESTS: &[Test] = &[("a_listener_alone_serves_new_connections", both_modes)];

/// At the same time, since the provider waits 10 s for somebody who might still ask for the connections of the dead.
fn both_modes(programs: &Programs) {
    let node = node();
    std::thread::scope(|scope| {
        scope.spawn(|| listener_alone(programs, &node, "$LSC", "$OLDC", "continue"));
        scope.spawn(|| listener_alone(programs, &node, "$LSS", "$OLDS", "strict"));
    });
    node.finish();
}

/// Each connection that begins is served by the one accept of that primary, also after any number of kills at any point. What a
/// primary was at when it died, and what it had served, is reset.
fn listener_alone(programs: &Programs, node: &Node, name: &str, old_client: &str, mode: &str) {
    let kills = number("POLLUX_LISTENER_KILLS", 12);
    let orders = Orders::new(&[("KILL_STEPS", KILL_STEPS), ("KILL_US", KILL_US), ("POLLUX_SOCKETS", mode)]);
    orders.stop();
    start(node, 0, Some(name), spec(&programs.path("killed_listener"), &[name], &orders.variables()));
    let port = port(node, name);
    programs.start(node, 1, old_client, "sockets_old_client", &[&port.to_string()]);
    says(node, old_client, "ANSWERED");
    orders.go_on();
    in_step(node, name, 1);
    kill_primary(node, name);
    let takeovers = || node.events_of(name, "takeover");
    let mut asked = Vec::new();
    for _ in 0..kills {
        let before = takeovers();
        asked.extend((0..CONNECTIONS).map(|_| Asked::new(port)));
        node.wait_until("the backup takes over", || takeovers() > before);
    }
    orders.stop();
    let takeovers = end_of_kills(node, name);
    assert_eq!(say(&mut connect(port), "again").unwrap(), "again", "{}", node.logs());
    let count = asked.len();
    let served = asked.into_iter().filter_map(|one| one.end().then_some(())).count();
    says(node, old_client, "PASSED");
    println!("  {mode}: {takeovers} takeovers, {served} of {count} connections served");
    // Connections are asked one after the other: a kill catches one at most.
    assert!(served >= kills && count - served <= takeovers);
}

/// Waits for the last kill that is on its way, and adds one: then no primary is left that has served. The takeovers.
fn end_of_kills(node: &Node, name: &str) -> usize {
    let lives = || {
        let primary = node.process(node.record(name)?.primary)?;
        node.log_of(name).lines().any(|line| line == format!("LIVES {}", primary.pid)).then_some(())
    };
    node.wait_for("the kills end", lives);
    kill_primary(node, name);
    node.wait_for("the last primary is in step", lives);
    node.events_of(name, "takeover")
}

/// A connection with a request.
struct Asked {
    connection: TcpStream,
    begin: Result<String, ErrorKind>,
}

impl Asked {
    fn new(port: u16) -> Self {
        let mut connection = connect(port);
        connection.set_read_timeout(Some(CAUGHT)).unwrap();
        let begin = say(&mut connection, HELLO).map_err(|error| error.kind());
        Self { connection, begin }
    }

    /// True if it was served, once. In any case it is reset in the end.
    fn end(mut self) -> bool {
        self.connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        let end = match &self.begin {
            Err(ErrorKind::ConnectionReset) => Err(ErrorKind::ConnectionReset),
            _ => self.connection.read_to_end(&mut rest).map_err(|error| error.kind()),
        };
        let mut text = self.begin.unwrap_or_default();
        text += &String::from_utf8_lossy(&rest);
        assert_eq!(end, Err(ErrorKind::ConnectionReset), "{text}");
        assert!(text == HELLO || text.is_empty(), "{text}");
        text == HELLO
    }
}
