//! TCP connections whose every byte is checked, while the server's halves die.

use crate::node;
use pollux_torture::programs::lines::Client;
use pollux_torture::programs::puppet::PROVIDER;
use pollux_torture::{Counts, Fault, Faults, Node, Random, faults, seed};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

fn serve(node: &Node) -> u16 {
    node.run_pair("$LINES", &["lines", "127.0.0.1:0"]);
    node.request("$LINES", "port").trim().parse().unwrap()
}

fn expect_no_connection(node: &Node) {
    node.wait_until("no connection is left in the pair", || {
        node.request("$LINES", "connections").trim() == "0 0"
    });
}

/// A client would see a reset, or a byte lost, doubled or in the wrong place.
#[test]
fn twenty_connections_go_on_through_all_faults() {
    let seed = seed(7);
    let node = node();
    let port = serve(&node);
    let (enough, ready) = (AtomicBool::new(false), AtomicUsize::new(0));
    let messages: u64 = thread::scope(|scope| {
        let clients: Vec<_> = (0..20)
            .map(|number| {
                let (enough, ready) = (&enough, &ready);
                scope.spawn(move || converse(port, seed + number, enough, ready))
            })
            .collect();
        node.wait_until("all clients were answered", || {
            ready.load(Ordering::SeqCst) == 20 || clients.iter().any(|c| c.is_finished())
        });
        let counts = Counts { primary: 20, backup: 5, cpu: 3, stop: 2, switch: 6 };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            Faults::plan(seed, &["$LINES"], counts).inflict(&node, &[]);
        }));
        enough.store(true, Ordering::SeqCst);
        let messages = clients.into_iter().map(|client| client.join().unwrap()).sum();
        outcome.unwrap();
        messages
    });
    println!("{messages} messages");
    expect_no_connection(&node);
    node.stop_pair("$LINES");
    node.finish();
}

/// Small messages in bursts, now and then one of 1 MiB, now and then an answer of some MiB.
fn converse(port: u16, seed: u64, enough: &AtomicBool, ready: &AtomicUsize) -> u64 {
    let mut random = Random::new(seed);
    let mut client = Client::connect(port).unwrap();
    let large = vec![b'x'; 1024 * 1024];
    let mut messages = 0;
    client.send(b"first", 1).unwrap();
    client.receive().unwrap();
    ready.fetch_add(1, Ordering::SeqCst);
    while !enough.load(Ordering::SeqCst) {
        match random.below(100) {
            0 => client.send(&large, 10).unwrap(),
            1 => client.send(b"much", 3 * 1024 * 1024).unwrap(),
            _ => {
                let burst = random.below(8) + 1;
                for _ in 0..burst {
                    client.send(&large[..random.below(300) as usize], random.below(300) as usize).unwrap();
                }
                for _ in 1..burst {
                    client.receive().unwrap();
                }
                messages += burst - 1;
            }
        }
        client.receive().unwrap();
        messages += 1;
    }
    client.finish_sending().unwrap();
    client.expect_end().unwrap();
    messages
}

/// A large answer to a slow reader would be cut off or begin anew where the primary died.
#[test]
fn a_large_answer_to_a_slow_reader_survives_kills_in_its_middle() {
    let node = node();
    let port = serve(&node);
    let mut client = Client::connect(port).unwrap();
    for fault in [Fault::KillPrimary, Fault::Switch, Fault::KillPrimary, Fault::KillPrimaryCpu] {
        client.send(b"give me all", 8 * 1024 * 1024).unwrap();
        let mut pieces = 0;
        client
            .receive_slowly(64 * 1024, || {
                pieces += 1;
                if pieces % 40 == 1 {
                    faults::inflict(&node, "$LINES", fault);
                }
            })
            .unwrap();
    }
    drop(client);
    expect_no_connection(&node);
    node.finish();
}

/// A message larger than any socket buffer would lose what had arrived before the primary died.
#[test]
fn a_large_message_survives_kills_in_its_middle() {
    let node = node();
    let port = serve(&node);
    for fault in [Fault::KillPrimary, Fault::Switch, Fault::StopPrimary, Fault::KillPrimary] {
        let mut client = Client::connect(port).unwrap();
        let body: Vec<u8> = (0..4 * 1024 * 1024_u32).map(|at| (at >> 3) as u8).collect();
        client
            .send_slowly(&body, 256 * 1024, 100, |sent| {
                if sent % (1024 * 1024) == 0 {
                    faults::inflict(&node, "$LINES", fault);
                }
            })
            .unwrap();
        client.receive().unwrap();
        client.send(b"and on", 3).unwrap();
        client.receive().unwrap();
    }
    expect_no_connection(&node);
    node.finish();
}

/// A client that connects in the wrong moment would be refused, reset or never answered.
#[test]
fn connections_made_while_the_primary_dies_are_served() {
    let node = node();
    connect_during(
        &node,
        &[Fault::KillPrimary, Fault::KillPrimary, Fault::Switch, Fault::KillBackup, Fault::StopPrimary],
    );
    node.finish();
}

/// The same when a whole CPU dies: the acceptor dies with the primary, and what it had in its hands is left to the
/// provider, one half of which dies, too.
#[test]
fn connections_made_while_a_cpu_dies_are_served() {
    let node = node();
    node.run_pair(PROVIDER, &["__provider"]);
    connect_during(&node, &[Fault::KillPrimaryCpu, Fault::KillBackupCpu]);
    node.finish();
}

fn connect_during(node: &Node, kinds: &[Fault]) {
    let has_provider = node.record(PROVIDER).is_some();
    let port = serve(node);
    for round in 0..10 {
        if has_provider {
            node.wait_whole(PROVIDER);
        }
        thread::scope(|scope| {
            let clients: Vec<_> = (0..20)
                .map(|_| {
                    scope.spawn(move || {
                        let mut client = Client::connect(port).unwrap();
                        client.send(b"hello", 10).unwrap();
                        client.receive().unwrap();
                        client.send_quit(10).unwrap();
                        client.receive().unwrap();
                        client.expect_end().unwrap();
                    })
                })
                .collect();
            faults::inflict(node, "$LINES", kinds[round % kinds.len()]);
            clients.into_iter().for_each(|client| client.join().unwrap());
        });
    }
    expect_no_connection(node);
}

/// A client that has said all it has to say would not get the rest of its answers.
#[test]
fn half_closed_connections_get_all_answers() {
    let node = node();
    let port = serve(&node);
    for fault in [None, Some(Fault::KillPrimary), Some(Fault::Switch), Some(Fault::KillBackup)] {
        let mut client = Client::connect(port).unwrap();
        for size in [0, 100, 3 * 1024 * 1024, 20] {
            client.send(b"one of several", size).unwrap();
        }
        client.finish_sending().unwrap();
        for answer in 0..4 {
            if answer == 2
                && let Some(fault) = fault
            {
                faults::inflict(&node, "$LINES", fault);
            }
            client.receive().unwrap();
        }
        client.expect_end().unwrap();
    }
    expect_no_connection(&node);
    node.finish();
}

/// The last answer of a connection that the server closes would be cut off.
#[test]
fn a_close_by_the_server_delivers_all_bytes() {
    let node = node();
    let port = serve(&node);
    for fault in [None, Some(Fault::KillPrimary), Some(Fault::Switch), Some(Fault::KillPrimary)] {
        let mut client = Client::connect(port).unwrap();
        client.send(b"first", 10).unwrap();
        client.send_quit(6 * 1024 * 1024).unwrap();
        client.receive().unwrap();
        let mut pieces = 0;
        client
            .receive_slowly(64 * 1024, || {
                pieces += 1;
                if pieces == 10
                    && let Some(fault) = fault
                {
                    faults::inflict(&node, "$LINES", fault);
                }
            })
            .unwrap();
        client.expect_end().unwrap();
    }
    expect_no_connection(&node);
    node.finish();
}
