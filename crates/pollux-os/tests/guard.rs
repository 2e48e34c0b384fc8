//! Guards of connections, with real processes that die.

// In a test, a wrong value ends the test: that is what unwrap is for.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::Command;

use common::{DEADLINE, ROLE, as_role, next, say, start, stdin_fd, until};
use pollux_os::{
    Channel, Guard, Launched, ProcessEvent, SAVED_PER_MESSAGE_MAX, Saved, Signal, reap, signal, socket_pair,
    take_saved, wait_gone, wait_readable,
};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{SocketFlags, accept_with};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that the process with a full table may have.
const DESCRIPTORS: u64 = 60;

/// What the child processes of these tests do: accept a number of connections, every third of which counts as known.
#[test]
fn role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    if role == "full" {
        let limit = Rlimit { current: Some(DESCRIPTORS), ..getrlimit(Resource::Nofile) };
        setrlimit(Resource::Nofile, limit).unwrap();
    }
    let mut guard = Guard::start().unwrap();
    let mut channel = Channel::new(stdin_fd(), 4096);
    channel.queue_with(1, vec![guard.saved().try_clone_to_owned().unwrap()], |_| {});
    let _ = channel.flush().unwrap();
    if role == "again" {
        signal(guard.process(), Signal::KILL).unwrap();
        assert!(wait_gone(guard.process(), DEADLINE).unwrap());
        guard.restart().unwrap();
        assert!(!wait_gone(guard.process(), std::time::Duration::ZERO).unwrap());
    }
    if role == "next" {
        let (_, _, mut descriptors) = next(&mut channel).unwrap();
        let _connections = take_all(&descriptors.pop().unwrap());
        say(&mut channel, 2, &[]);
        assert!(next(&mut channel).is_none());
        return;
    }
    let mut accepted = Vec::new();
    let mut more: Vec<OwnedFd> = Vec::new();
    while let Some((_, body, mut descriptors)) = next(&mut channel) {
        let listener = descriptors.pop().unwrap();
        for _ in 0..body[0] {
            let connection = accept_with(&listener, SocketFlags::empty()).unwrap();
            if accepted.len() % 3 == 2 {
                fcntl_setfd(&connection, FdFlags::CLOEXEC).unwrap();
            }
            accepted.push(connection);
        }
        // Of no use as connections, whatever their flags.
        fcntl_setfd(&listener, FdFlags::empty()).unwrap();
        more.push(listener);
        while role == "full"
            && let Ok(one) = guard.saved().try_clone_to_owned()
        {
            more.push(one);
        }
        say(&mut channel, 2, &[]);
        if role == "full" {
            // It is killed as it is; to wait for another word it would need a descriptor.
            loop {
                std::thread::park();
            }
        }
        if role == "in order" {
            drop(guard);
            return;
        }
    }
}

/// A process with a guard, which has accepted connections from these clients.
struct Accepting {
    launched: Launched,
    channel: Channel,
    saved: OwnedFd,
    clients: Vec<TcpStream>,
}

impl Accepting {
    fn new(role: &str, count: usize) -> Self {
        let (near, far) = socket_pair().unwrap();
        let launched = start(as_role(role, far));
        let mut channel = Channel::new(near, 4096);
        let saved = next(&mut channel).unwrap().2.pop().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let clients = (0..count).map(|_| TcpStream::connect(address).unwrap()).collect();
        let count = u8::try_from(count).unwrap();
        channel.queue_with(1, vec![listener.into()], |out| out.push(count));
        let _ = channel.flush().unwrap();
        assert_eq!(next(&mut channel).unwrap().0, 2, "it has accepted");
        Self { launched, channel, saved, clients }
    }

    fn kill(&self) {
        signal(&self.launched.pidfd, Signal::KILL).unwrap();
        assert!(wait_gone(&self.launched.pidfd, DEADLINE).unwrap());
        let gone = ProcessEvent::Killed { signal: Signal::KILL.as_raw(), core: false };
        assert_eq!(reap(&self.launched.pidfd, false).unwrap(), Some(gone));
    }

    /// Everything that is saved, to the end.
    fn saved(&self) -> Vec<TcpStream> {
        take_all(&self.saved)
    }

    /// Dies, and has another process take in what is saved: this one is now in its place.
    fn pass_on(&mut self) {
        self.kill();
        let (near, far) = socket_pair().unwrap();
        self.launched = start(as_role("next", far));
        self.channel = Channel::new(near, 4096);
        let saved = std::mem::replace(&mut self.saved, next(&mut self.channel).unwrap().2.pop().unwrap());
        self.channel.queue_with(1, vec![saved], |_| {});
        let _ = self.channel.flush().unwrap();
        assert_eq!(next(&mut self.channel).unwrap().0, 2, "it has taken them in");
    }

    /// Those clients whose connections were not known, in the order in which they were made.
    fn unknown(&self) -> Vec<&TcpStream> {
        let numbered = self.clients.iter().enumerate();
        numbered.filter_map(|(number, client)| (number % 3 != 2).then_some(client)).collect()
    }
}

/// Everything that arrives at this end of a guard's channel.
fn take_all(channel: &OwnedFd) -> Vec<TcpStream> {
    let mut saved = Vec::new();
    loop {
        assert!(wait_readable(channel, DEADLINE).unwrap(), "the guard has ended");
        match take_saved(channel).unwrap() {
            Saved::Connections(connections) => {
                assert!((1..=SAVED_PER_MESSAGE_MAX).contains(&connections.len()));
                saved.extend(connections.into_iter().map(TcpStream::from));
            }
            Saved::Nothing => {}
            Saved::End => return saved,
        }
    }
}

fn ports(connections: &[TcpStream]) -> BTreeSet<u16> {
    connections.iter().map(|connection| connection.peer_addr().unwrap().port()).collect()
}

fn check_saved(accepting: &Accepting) {
    let saved = accepting.saved();
    let wanted: BTreeSet<u16> =
        accepting.unknown().iter().map(|client| client.local_addr().unwrap().port()).collect();
    assert_eq!((ports(&saved), saved.len()), (wanted, accepting.unknown().len()));
    // They are connections as before.
    for client in accepting.unknown() {
        let port = client.local_addr().unwrap().port();
        let mut connection =
            saved.iter().find(|connection| connection.peer_addr().unwrap().port() == port).unwrap();
        connection.write_all(b"x").unwrap();
        assert!(wait_readable(client, DEADLINE).unwrap());
        let mut byte = [0];
        assert_eq!((rustix::io::read(client, &mut byte).unwrap(), byte), (1, *b"x"));
    }
}

// Otherwise a client that has just connected is reset when its server dies, though somebody is there to go on.
#[test]
fn connections_that_only_the_dead_process_had_are_saved() {
    for count in [0, 1, 3, 12, 100] {
        let accepting = Accepting::new("accepting", count);
        accepting.kill();
        check_saved(&accepting);
    }
}

// A process that has just taken them in may be the next to die, before anybody else has them.
#[test]
fn saved_connections_outlive_the_next_process_too() {
    let mut accepting = Accepting::new("accepting", 20);
    accepting.pass_on();
    accepting.pass_on();
    accepting.kill();
    check_saved(&accepting);
}

// Whoever stops a process that hangs, or kills all processes of its group, must not take its guard along.
#[test]
fn a_guard_is_apart_from_its_process() {
    let accepting = Accepting::new("accepting", 2);
    signal(&accepting.launched.pidfd, Signal::STOP).unwrap();
    until("it is stopped", || {
        reap(&accepting.launched.pidfd, true).unwrap() == Some(ProcessEvent::Stopped(Signal::STOP.as_raw()))
    });
    rustix::process::kill_process_group(accepting.launched.pid, Signal::KILL).unwrap();
    assert!(wait_gone(&accepting.launched.pidfd, DEADLINE).unwrap());
    check_saved(&accepting);
}

// A guard that was killed alone is not the end of all guarding.
#[test]
fn another_guard_saves_as_well() {
    let accepting = Accepting::new("again", 5);
    accepting.kill();
    check_saved(&accepting);
}

// A process that has run out of descriptors is likely to be in trouble.
#[test]
fn a_full_table_is_no_hindrance() {
    let accepting = Accepting::new("full", 20);
    let pid = accepting.launched.pid.as_raw_nonzero();
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    assert_eq!(descriptors as u64, DESCRIPTORS);
    accepting.kill();
    check_saved(&accepting);
}

// A program that ends as it should closes its connections, and leaves no process behind.
#[test]
fn a_guard_that_is_dropped_ends_and_passes_nothing_on() {
    let accepting = Accepting::new("in order", 4);
    assert!(wait_gone(&accepting.launched.pidfd, DEADLINE).unwrap());
    assert!(accepting.saved().is_empty());
    for client in &accepting.clients {
        assert!(wait_readable(client, DEADLINE).unwrap());
        assert_eq!(rustix::io::read(client.as_fd(), &mut [0]).unwrap_or(0), 0, "its connection has ended");
    }
}

// In a container the session of a process may have begun outside, where the kernel has no number for it.
#[test]
fn a_guard_works_in_a_process_namespace_too() {
    let in_namespace = |program: &OsStr, arguments: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--pid", "--fork", "--kill-child"]).arg(program).args(arguments);
        unshare.output().is_ok_and(|output| output.status.success())
    };
    if !in_namespace("true".as_ref(), &[]) {
        eprintln!("not tried: no process namespace can be made here");
        return;
    }
    let this = std::env::current_exe().unwrap();
    assert!(in_namespace(this.as_os_str(), &["--exact", "another_guard_saves_as_well"]));
}
