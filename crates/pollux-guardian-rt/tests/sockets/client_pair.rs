//! A pair that has connected itself: the client's side of a connection goes on, too, from the very byte.

use super::common::{Programs, Test, says, spec, start};
use super::kills::Orders;
use super::{node, number};
use pollux_torture::PATIENCE;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

/// A primary kills itself at one of its next steps, or within so many microseconds.
const KILL_STEPS: &str = "40";
const KILL_US: &str = "20000";

pub(crate) const TESTS: &[Test] = &[
    ("a_client_goes_on_that_was_told_when_connected", |programs| client(programs, "late")),
    ("a_client_goes_on_that_was_told_before", |programs| client(programs, "early")),
];

fn client(programs: &Programs, when: &str) {
    let node = node();
    let kills = number("POLLUX_SOCKET_KILLS", 12);
    let orders = Orders::new(&[("KILL_STEPS", KILL_STEPS), ("KILL_US", KILL_US)]);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let is_last = AtomicBool::new(false);
    let requests = std::thread::scope(|scope| {
        let server = scope.spawn(|| serve(&listener, &is_last));
        start(
            &node,
            0,
            Some("$CLI"),
            spec(&programs.path("killed_client"), &[&port, when], &orders.variables()),
        );
        let takeovers = || node.events_of("$CLI", "takeover");
        for kill in 1..=kills {
            node.wait_until("the backup takes over", || takeovers() >= kill || server.is_finished());
        }
        orders.stop();
        is_last.store(true, Ordering::Relaxed);
        says(&node, "$CLI", "PASSED");
        println!("  {} takeovers", takeovers());
        server.join().unwrap()
    });
    println!("  {requests} requests");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "there was one connection");
    node.finish();
}

fn request_bytes(number: usize) -> usize {
    4 + number * 7919 % 20000
}

fn reply_bytes(number: usize) -> usize {
    5 + number * 10477 % 30000
}

fn stream(from: usize, bytes: usize) -> Vec<u8> {
    (from..from + bytes).map(|offset| (offset * 31 + (offset >> 8) * 17) as u8).collect()
}

/// Answers one client until the last request: how many there were.
fn serve(listener: &TcpListener, is_last: &AtomicBool) -> usize {
    let (mut client, _): (TcpStream, _) = listener.accept().unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    let (mut received, mut sent) = (0, 0);
    for number in 1.. {
        let mut request = vec![0; request_bytes(number)];
        client.read_exact(&mut request).unwrap();
        assert!(request == stream(received, request.len()), "request {number} at {received}");
        received += request.len();
        let mut reply = stream(sent, reply_bytes(number));
        let last = is_last.load(Ordering::Relaxed);
        reply[0] = u8::from(last);
        client.write_all(&reply).unwrap();
        sent += reply.len();
        if last {
            assert_eq!(client.read(&mut [0]).unwrap(), 0, "the client closes");
            return number;
        }
    }
    unreachable!("numbers do not end")
}
