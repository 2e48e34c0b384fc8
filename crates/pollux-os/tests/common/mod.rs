//! What the tests of real processes share: starting a role of the test binary itself, and deadlines.

#![allow(dead_code, unreachable_pub)]

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pollux_os::{Channel, Fill, Flush, Interest, Launch, Launched, Poller, launch};

/// Long enough for a stolen minute on a shared machine; a test that passes never waits for it.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Tells a child which role to play.
pub const ROLE: &str = "POLLUX_OS_TEST_ROLE";

pub fn launcher() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_pollux-launch"))
}

pub fn null() -> OwnedFd {
    File::options().read(true).write(true).open("/dev/null").unwrap().into()
}

/// A launch of a program with nothing special about it.
pub fn plain(program: impl Into<PathBuf>, arguments: &[&str]) -> Launch {
    Launch {
        program: program.into(),
        arguments: arguments.iter().map(OsString::from).collect(),
        argv0: None,
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        directory: "/".into(),
        stdin: null(),
        stdout: null(),
        stderr: std::io::stderr().as_fd().try_clone_to_owned().unwrap(),
        inherit: Vec::new(),
        processors: None,
        die_with_parent: true,
    }
}

/// This test binary again, which runs its test `role` with the given socket as standard input.
pub fn as_role(role: &str, stdin: OwnedFd) -> Launch {
    let mut launch = plain(std::env::current_exe().unwrap(), &["--exact", "role", "--nocapture"]);
    launch.environment.push((ROLE.into(), role.into()));
    launch.stdin = stdin;
    launch.stderr = null();
    launch
}

pub fn start(order: Launch) -> Launched {
    launch(launcher(), order).unwrap()
}

/// In a child: the descriptor it was given as standard input.
pub fn stdin_fd() -> OwnedFd {
    std::io::stdin().as_fd().try_clone_to_owned().unwrap()
}

/// The next frame, waited for; `None` at the end of the stream.
pub fn next(channel: &mut Channel) -> Option<(u8, Vec<u8>, Vec<OwnedFd>)> {
    let deadline = Instant::now() + DEADLINE;
    let mut poller = Poller::new().unwrap();
    poller.add(channel.as_fd(), 0, Interest::READ).unwrap();
    loop {
        if let Some(frame) = channel.next_frame().unwrap() {
            return Some((frame.kind, frame.body.to_vec(), frame.descriptors));
        }
        if channel.fill().unwrap() == Fill::Closed {
            return channel.next_frame().unwrap().map(|f| (f.kind, f.body.to_vec(), f.descriptors));
        }
        if let Some(frame) = channel.next_frame().unwrap() {
            return Some((frame.kind, frame.body.to_vec(), frame.descriptors));
        }
        let left = deadline.checked_duration_since(Instant::now()).expect("no frame before the deadline");
        poller.wait(Some(left)).unwrap();
    }
}

pub fn say(channel: &mut Channel, kind: u8, body: &[u8]) {
    channel.queue(kind, |out| out.extend_from_slice(body));
    assert_eq!(channel.flush().unwrap(), Flush::Done);
}

/// Looks again and again, giving the processor away, until the condition holds.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "not before the deadline: {what}");
        std::thread::yield_now();
    }
}
