//! Listeners of Rust pairs in a node with a TCP/IP provider: whoever dies, each connection is served, and served once.

use crate::node;
use pollux_os::Signal;
use pollux_torture::programs::lines::Client;
use pollux_torture::programs::puppet::PROVIDER;
use pollux_torture::{Fault, Node, Random, faults, seed};
use pollux_wire::Phandle;
use pollux_wire::sockets::{SocketEntry, SocketRole};
use rustix::process::{Pid, kill_process};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// A node with a provider and the pair `$LINES`; its port.
fn serve() -> (Node, u16) {
    let node = node();
    node.run_pair(PROVIDER, &["__provider"]);
    node.run_pair("$LINES", &["lines", "127.0.0.1:0"]);
    let port = node.request("$LINES", "port").trim().parse().unwrap();
    node.wait_until("the provider has the listener", || acceptor(&node).is_some());
    (node, port)
}

/// What the provider has.
fn sockets(node: &Node) -> Vec<SocketEntry> {
    let place = pollux::Node::connect_in(&node.path()).unwrap();
    pollux_sockets::Client::open(&place, PROVIDER, 1).unwrap().list().unwrap()
}

/// The member of the only listener.
fn acceptor(node: &Node) -> Option<Phandle> {
    let all = sockets(node);
    let mut listeners = all.iter().filter(|entry| entry.role == SocketRole::Listener);
    let listener = listeners.next()?;
    assert_eq!(listeners.next(), None, "there is one listener");
    listener.members.first().map(|(_, phandle)| *phandle)
}

/// One whole conversation.
fn converse(port: u16) -> std::io::Result<()> {
    let mut client = Client::connect(port)?;
    client.send(b"hello", 10)?;
    client.receive()?;
    client.send_quit(10)?;
    client.receive()?;
    client.expect_end()
}

/// Clients connect all the time while `disturb` is called so often, each time after further clients were served.
fn connect_while(node: &Node, port: u16, times: u32, mut disturb: impl FnMut(&Node, u32)) {
    let mut random = Random::new(seed(31));
    let enough = AtomicBool::new(false);
    let served = AtomicU64::new(0);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    while !enough.load(Ordering::SeqCst) {
                        converse(port).unwrap();
                        served.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for time in 0..times {
                let goal = served.load(Ordering::SeqCst) + 4 + random.below(8);
                node.wait_until("clients are served", || {
                    served.load(Ordering::SeqCst) >= goal || clients.iter().any(|client| client.is_finished())
                });
                disturb(node, time);
            }
        }));
        enough.store(true, Ordering::SeqCst);
        clients.into_iter().for_each(|client| client.join().unwrap());
        outcome.unwrap();
    });
    node.wait_until("nothing is left but the listener", || {
        node.request("$LINES", "connections").trim() == "0 0" && sockets(node).len() == 1
    });
}

/// A client would be refused or reset while the provider takes over.
#[test]
fn connections_made_while_the_provider_dies_are_served() {
    let (node, port) = serve();
    connect_while(&node, port, 20, |node, _| faults::inflict(node, PROVIDER, Fault::KillPrimary));
    node.finish();
}

/// What the acceptor had in its hands would be reset, or be served twice: it may die behind the moment in which the pair
/// has got the connection.
#[test]
fn connections_in_the_hands_of_an_acceptor_that_dies_are_served() {
    let (node, port) = serve();
    connect_while(&node, port, 20, |node, _| {
        let phandle = node.wait_for("somebody accepts", || acceptor(node));
        let process = node.wait_for("it runs", || node.process(phandle));
        kill_process(Pid::from_raw(process.pid.cast_signed()).unwrap(), rustix::process::Signal::KILL)
            .unwrap();
        node.wait_until("the next one accepts", || acceptor(node).is_some_and(|next| next != phandle));
    });
    node.finish();
}

/// The pair, its acceptor and the provider at once, and each alone.
#[test]
fn connections_made_while_all_kinds_of_faults_come_are_served() {
    let (node, port) = serve();
    connect_while(&node, port, 12, |node, time| {
        node.wait_whole(PROVIDER);
        let kind = [
            Fault::KillPrimary,
            Fault::KillPrimaryCpu,
            Fault::Switch,
            Fault::KillBackupCpu,
            Fault::StopPrimary,
            Fault::KillBackup,
        ][time as usize % 6];
        faults::inflict(node, "$LINES", kind);
        node.wait_whole("$LINES");
        node.wait_whole(PROVIDER);
    });
    node.finish();
}

/// A node whose provider is gone would not serve, or, when it is back, never use it again.
#[test]
fn the_provider_may_go_and_come() {
    let (node, port) = serve();
    converse(port).unwrap();
    node.wait_until("it is gone", || {
        let record = node.record(PROVIDER);
        for half in record.iter().flat_map(|record| record.backup.into_iter().chain([record.primary])) {
            // Another one may have taken its place between the two kills.
            node.signal(half, Signal::KILL);
        }
        record.is_none()
    });
    for _ in 0..10 {
        converse(port).unwrap();
    }
    node.run_pair(PROVIDER, &["__provider"]);
    node.wait_until("it has the listener again", || acceptor(&node).is_some());
    for _ in 0..10 {
        converse(port).unwrap();
    }
    // The port is free as soon as the pair is gone.
    node.stop_pair("$LINES");
    node.wait_until("the provider has nothing", || sockets(&node).is_empty());
    node.finish();
}
