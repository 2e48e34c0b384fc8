//! Starting, stopping and reaping real processes.

// In a test, a wrong value ends the test: that is what unwrap is for.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use common::{DEADLINE, ROLE, as_role, launcher, next, null, plain, say, start, stdin_fd, until};
use pollux_os::{
    Channel, ChildSignals, Interest, LaunchError, Pid, Poller, ProcessEvent, Signal, StopSignals, launch,
    processors_allowed, reap, signal, socket_pair, wait_gone,
};

/// What the child processes of these tests do.
#[test]
fn role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let mut channel = Channel::new(stdin_fd(), 4096);
    match role.as_str() {
        // Starts a grandchild that would live for ever, tells its pid, and waits to be killed.
        "parent" => {
            let launched = start(plain("sleep", &["1000"]));
            say(&mut channel, 1, &launched.pid.as_raw_pid().to_le_bytes());
            assert!(next(&mut channel).is_none());
        }
        "inherited" => {
            let number = std::env::var("NUMBER").unwrap().parse().unwrap();
            let fd = pollux_os::take_inherited(number).unwrap();
            let flags = rustix::io::fcntl_getfd(&fd).unwrap();
            let again = pollux_os::take_inherited(number).is_err();
            let closed = pollux_os::take_inherited(number + 1).is_err();
            File::from(fd).write_all(b"hello").unwrap();
            say(&mut channel, 1, &[flags.bits() as u8, u8::from(again), u8::from(closed)]);
        }
        other => panic!("no role {other}"),
    }
}

fn wait_for_end(pidfd: &OwnedFd) -> ProcessEvent {
    assert!(wait_gone(pidfd, DEADLINE).unwrap(), "still alive");
    reap(pidfd, false).unwrap().expect("a child that is gone can be reaped")
}

/// The signal itself ends a wait with no events, if it runs in this thread.
fn wait_ready(poller: &mut Poller, what: &str) {
    until(what, || !poller.wait(Some(DEADLINE)).unwrap().is_empty());
}

/// What a shell script prints when started so.
fn output_of(script: &str, arguments: &[&str], change: impl FnOnce(&mut pollux_os::Launch)) -> String {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut order = plain("/bin/sh", &["-c", script]);
    order.arguments.extend(arguments.iter().map(Into::into));
    order.stdout = writer.into();
    change(&mut order);
    let launched = start(order);
    let mut text = String::new();
    File::from(OwnedFd::from(reader)).read_to_string(&mut text).unwrap();
    assert_eq!(wait_for_end(&launched.pidfd), ProcessEvent::Exited(0), "{text}");
    text
}

/// A program started with the wrong arguments, environment or directory reads the wrong files.
#[test]
fn arguments_environment_and_directory_arrive() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let script = "printf '%s|' \"$0\" \"$@\"; pwd; tr '\\0' '\\n' </proc/$$/environ";
    let text = output_of(script, &["zero", "a b", "", "--", "-"], |order| {
        order.directory = path.clone();
        order.environment = vec![("MARK".into(), "x=y".into()), ("PATH".into(), "/usr/bin:/bin".into())];
    });
    let (first, environment) = text.split_once('\n').unwrap();
    assert_eq!(first, format!("zero|a b||--|-|{}", path.display()));
    assert_eq!(environment, "MARK=x=y\nPATH=/usr/bin:/bin\n");

    // argv[0] is seen by programs that are several in one, such as busybox; "-" must not be taken for "none".
    for name in ["-", "-sh", "=name"] {
        let text = output_of("tr '\\0' '\\n' </proc/$$/cmdline | head -n 1", &[], |order| {
            order.argv0 = Some(name.into())
        });
        assert_eq!(text.trim_end(), name);
    }
}

/// A descriptor under the wrong number, or one that leaks, hands a connection to the wrong program.
#[test]
fn descriptors_arrive_under_their_numbers_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let file = |text: &str| -> OwnedFd {
        let path = dir.path().join(text);
        std::fs::write(&path, text).unwrap();
        File::open(path).unwrap().into()
    };
    // A descriptor that was never made close-on-exec must not reach the program, nor sit on a promised number.
    let _leak = rustix::io::fcntl_dupfd_cloexec(null(), 5).unwrap();
    rustix::io::fcntl_setfd(&_leak, rustix::io::FdFlags::empty()).unwrap();
    // Without a pipe, whose ends the shell would hold for a moment.
    let script = "cat; cat <&3; cat <&5; cat <&9; ls /proc/$$/fd";
    let text = output_of(script, &[], |order| {
        order.stdin = file("zero.");
        order.inherit = vec![(file("nine."), 9), (file("three."), 3), (file("five."), 5)];
    });
    let (contents, numbers) = text.split_at("zero.three.five.nine.".len());
    assert_eq!(contents, "zero.three.five.nine.");
    // Some shells keep a private descriptor at 10 or 255.
    let numbers: Vec<_> = numbers.split_whitespace().filter(|n| !matches!(*n, "10" | "255")).collect();
    assert_eq!(numbers, ["0", "1", "2", "3", "5", "9"]);
}

/// A server that cannot own its inherited socket cannot close it, and its peers never see the end.
#[test]
fn inherited_descriptors_are_taken_once() {
    let (near, far) = socket_pair().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut order = as_role("inherited", far);
    order.environment.push(("NUMBER".into(), "77".into()));
    order.inherit = vec![(writer.into(), 77)];
    let launched = start(order);
    let (_, body, _) = next(&mut Channel::new(near, 4096)).unwrap();
    assert_eq!(body, [1, 1, 1], "close-on-exec; taken once; a closed number refused");
    let mut text = String::new();
    File::from(OwnedFd::from(reader)).read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    assert_eq!(wait_for_end(&launched.pidfd), ProcessEvent::Exited(0));
}

/// A half of a pair that ignores its binding waits behind the dying primary (design, section 5).
#[test]
fn processors_and_process_group_are_set() {
    let allowed = processors_allowed().unwrap();
    let last = *allowed.last().unwrap();
    let text = output_of("grep Cpus_allowed_list /proc/self/status", &[], |order| {
        order.processors = Some(vec![last])
    });
    assert_eq!(text.split_whitespace().last().unwrap(), last.to_string());

    let thread = std::thread::spawn(move || {
        pollux_os::bind_to(&[last]).unwrap();
        processors_allowed().unwrap()
    });
    assert_eq!(thread.join().unwrap(), [last]);
    assert_eq!(processors_allowed().unwrap(), allowed, "only the calling thread is bound");
    assert!(pollux_os::bind_to(&[]).is_err());

    let launched = start(plain("sleep", &["1000"]));
    assert_eq!(rustix::process::getpgid(Some(launched.pid)).unwrap(), launched.pid);
    signal(&launched.pidfd, Signal::KILL).unwrap();
    wait_for_end(&launched.pidfd);
}

/// An operator who mistypes a program must read why, not find a pair that restarts for ever.
#[test]
fn failures_are_told_with_their_reason() {
    let started = |order| launch(launcher(), order).map(|_| ()).unwrap_err();

    let LaunchError::Program { source, program, .. } = started(plain("/none/such", &[])) else { panic!() };
    assert_eq!((source.raw_os_error(), program.as_str()), (Some(2), "/none/such"));

    let LaunchError::Program { source, .. } = started(plain("/etc/passwd", &[])) else { panic!() };
    assert_eq!(source.raw_os_error(), Some(13), "not executable");

    let mut order = plain("/bin/true", &[]);
    order.directory = "/none".into();
    let LaunchError::Program { source, step, .. } = started(order) else { panic!() };
    assert_eq!((source.raw_os_error(), step.as_str()), (Some(2), "enter directory /none"));

    let mut order = plain("/bin/true", &[]);
    order.processors = Some(vec![1023]);
    let LaunchError::Program { source, .. } = started(order) else { panic!() };
    assert_eq!(source.raw_os_error(), Some(22));

    let mut order = plain("/bin/true", &[]);
    order.inherit = vec![(null(), 7), (null(), 7)];
    assert!(matches!(started(order), LaunchError::BadRequest { .. }));
    let mut order = plain("/bin/true", &[]);
    order.inherit = vec![(null(), 2)];
    assert!(matches!(started(order), LaunchError::BadRequest { .. }));

    let error = launch("/none/launcher".as_ref(), plain("/bin/true", &[])).unwrap_err();
    assert!(matches!(error, LaunchError::Launcher { .. }), "{error}");
    let error = launch("/bin/true".as_ref(), plain("/bin/true", &[])).unwrap_err();
    assert!(matches!(error, LaunchError::NoAnswer { .. }), "{error}");
}

/// A failed launch that left a zombie would fill the process table over a night of retries.
#[test]
fn failed_launches_leave_no_zombies() {
    let (near, far) = socket_pair().unwrap();
    drop(near);
    for _ in 0..3 {
        launch(launcher(), plain("/none/such", &[])).unwrap_err();
    }
    drop(far);
    // Other tests of this binary have children, too; none of theirs is a zombie launcher.
    let me = std::process::id().to_string();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((head, tail)) = stat.rsplit_once(')') else { continue };
        let fields: Vec<_> = tail.split_whitespace().collect();
        let zombie_launcher = fields[0] == "Z" && fields[1] == me && head.contains("(pollux-launch");
        if zombie_launcher {
            // One that is being waited for by another test at this moment goes away.
            until("zombie launcher reaped", || !entry.path().exists());
        }
    }
}

/// A CPU whose daemon was killed must take its processes along, or two primaries run.
#[test]
fn die_with_parent_kills_the_grandchild() {
    let (near, far) = socket_pair().unwrap();
    let parent = start(as_role("parent", far));
    let (_, pid, _) = next(&mut Channel::new(near, 4096)).unwrap();
    let pid = Pid::from_raw(i32::from_le_bytes(pid.try_into().unwrap())).unwrap();
    let grandchild = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
    assert!(!wait_gone(&grandchild, Duration::ZERO).unwrap());
    signal(&parent.pidfd, Signal::KILL).unwrap();
    assert_eq!(wait_for_end(&parent.pidfd), ProcessEvent::Killed { signal: 9, core: false });
    assert!(wait_gone(&grandchild, DEADLINE).unwrap(), "the grandchild outlived its parent");
    // ESRCH is not an error: whoever kills wants it gone, and it is.
    until("the grandchild is reaped by init", || rustix::process::test_kill_process(pid).is_err());
    signal(&grandchild, Signal::KILL).unwrap();
}

/// An operator's stop of a process must be told as a stop, not as a death.
#[test]
fn stops_and_ends_are_told_apart() {
    let changes = ChildSignals::new().unwrap();
    let mut poller = Poller::new().unwrap();
    poller.add(&changes, 1, Interest::READ).unwrap();
    let mut order = plain("/bin/sh", &["-c", "kill -STOP $$; exit 7"]);
    order.die_with_parent = false;
    let launched = start(order);
    let mut event = || loop {
        if let Some(event) = reap(&launched.pidfd, true).unwrap() {
            return event;
        }
        wait_ready(&mut poller, "SIGCHLD");
        changes.drain();
    };
    assert_eq!(event(), ProcessEvent::Stopped(19));
    assert_eq!(reap(&launched.pidfd, true).unwrap(), None);
    signal(&launched.pidfd, Signal::CONT).unwrap();
    let mut after_stop = event();
    if after_stop == ProcessEvent::Continued {
        after_stop = event();
    }
    assert_eq!(after_stop, ProcessEvent::Exited(7));
    assert!(reap(&launched.pidfd, true).is_err(), "reaped before");
}

/// A daemon that does not hear SIGTERM is killed by the init system, and its pairs pay a takeover.
#[test]
fn stop_signals_are_heard() {
    let stops = StopSignals::new().unwrap();
    let mut poller = Poller::new().unwrap();
    poller.add(stops.as_fd(), 1, Interest::READ).unwrap();
    assert_eq!(stops.take(), None);
    let me = rustix::process::getpid();
    let send = |signal| rustix::process::kill_process(me, signal).unwrap();
    send(Signal::HUP);
    send(Signal::TERM);
    let mut taken = Vec::new();
    while taken.len() < 2 {
        wait_ready(&mut poller, "a stop signal");
        taken.extend(stops.take());
    }
    taken.sort_unstable();
    assert_eq!(taken, [1, 15]);
    assert_eq!(stops.take(), None);
    assert!(poller.wait(Some(Duration::ZERO)).unwrap().is_empty());
}
