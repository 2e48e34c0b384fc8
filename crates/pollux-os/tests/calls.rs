//! The gate in front of system calls, with a thread as the program: a filter is its thread's own.

// Its functions are all tests, though not all are marked so.
#![allow(clippy::unwrap_used)]

use pollux_os::{
    Call, CallGate, Signal, WaitingCall, copy_descriptor, gate_calls, read_memory, signal_group, wait_gone,
    wait_readable,
};
use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `program` behind a gate, and `decide` for each of its calls.
fn behind_gate<T: Send + 'static>(
    unlink: bool,
    program: impl FnOnce() -> T + Send + 'static,
    calls: usize,
    mut decide: impl FnMut(&CallGate, WaitingCall),
) -> T {
    let (sender, receiver) = mpsc::channel::<OwnedFd>();
    let thread = thread::spawn(move || {
        sender.send(gate_calls(unlink).unwrap()).unwrap();
        program()
    });
    let gate = CallGate::new(receiver.recv_timeout(PATIENCE).unwrap());
    for _ in 0..calls {
        assert!(wait_readable(&gate, PATIENCE).unwrap(), "a call comes");
        let call = gate.take().unwrap().expect("a call waits");
        assert!(gate.waits(call.id));
        decide(&gate, call);
        assert!(!gate.waits(call.id));
    }
    thread.join().unwrap()
}

fn stream() -> OwnedFd {
    socket(AddressFamily::INET, SocketType::STREAM, None).unwrap()
}

// What the keeper lives from: a program that binds a port that is taken gets the very socket that has it.
#[test]
fn a_bind_is_answered_with_another_socket() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    let program = move || {
        let own = stream();
        bind(&own, &address).unwrap();
        listen(&own, 5).unwrap();
        let name = SocketAddr::try_from(getsockname(&own).unwrap()).unwrap();
        let peer = TcpListener::from(own).accept().unwrap().1;
        (name, peer)
    };
    let mut seen = Vec::new();
    let (name, peer) = behind_gate(false, program, 2, |gate, waiting| match waiting.call {
        Call::Bind { descriptor, address: at, length } => {
            let bytes = read_memory(waiting.thread, at, length as usize).unwrap();
            assert_eq!(bytes[2..4], address.port().to_be_bytes());
            assert!(copy_descriptor(getpid(), descriptor).is_ok());
            gate.replace(waiting.id, descriptor, &held, true).unwrap();
            gate.answer_done(waiting.id).unwrap();
            seen.push("bind");
        }
        Call::Listen { .. } => {
            gate.go_on(waiting.id).unwrap();
            seen.push("listen");
        }
        other => panic!("{other:?}"),
    });
    assert_eq!((name, peer, seen), (address, client.local_addr().unwrap(), vec!["bind", "listen"]));
}

// Looking must not change anything: what goes on has the kernel's own answer.
#[test]
fn a_call_that_goes_on_has_the_kernels_answer() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let program = move || bind(stream(), &address);
    let result = behind_gate(false, program, 1, |gate, waiting| {
        assert!(matches!(waiting.call, Call::Bind { .. }));
        gate.go_on(waiting.id).unwrap();
        gate.go_on(waiting.id).unwrap();
    });
    assert_eq!(result, Err(rustix::io::Errno::ADDRINUSE));
}

// A removal that is passed over leaves the file; only a gate that was asked to looks at removals.
#[test]
fn a_removal_can_be_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let (kept, removed) = (directory.path().join("kept"), directory.path().join("removed"));
    fs::write(&kept, "").unwrap();
    fs::write(&removed, "").unwrap();
    let paths = [kept.clone(), removed.clone()];
    let program = move || paths.map(|path| fs::remove_file(path).is_ok());
    let mut first = true;
    let results = behind_gate(true, program, 2, |gate, waiting| {
        let Call::Unlink { directory: None, path } = waiting.call else { panic!("{waiting:?}") };
        let bytes = read_memory(waiting.thread, path, 4096).unwrap();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap();
        let name = String::from_utf8_lossy(&bytes[..end]).into_owned();
        if std::mem::take(&mut first) {
            assert!(name.ends_with("/kept"));
            gate.answer_done(waiting.id).unwrap();
        } else {
            assert!(name.ends_with("/removed"));
            gate.go_on(waiting.id).unwrap();
        }
    });
    assert_eq!((results, kept.exists(), removed.exists()), ([true, true], true, false));
    let other = directory.path().join("other");
    fs::write(&other, "").unwrap();
    assert!(behind_gate(false, move || fs::remove_file(other).is_ok(), 0, |_, _| {}));
}

// What a dead program leaves behind is reached without its process id, which may be another's by then.
#[test]
fn a_group_is_signalled_after_its_leader_is_gone() {
    let mut leader = Command::new("sh")
        .args(["-c", "sleep 1000 & echo $!"])
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let handle = pidfd_open(Pid::from_child(&leader), PidfdFlags::empty()).unwrap();
    let mut line = String::new();
    BufReader::new(leader.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let left = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
    let left = pidfd_open(left, PidfdFlags::empty()).unwrap();
    leader.wait().unwrap();
    if !signal_group(&handle, Signal::KILL).unwrap() {
        println!("skipped: this kernel is older than 6.9");
        pollux_os::signal(&left, Signal::KILL).unwrap();
        return;
    }
    assert!(wait_gone(&left, PATIENCE).unwrap());
    assert!(signal_group(&handle, Signal::KILL).unwrap(), "nobody is left, and that is fine");
}
