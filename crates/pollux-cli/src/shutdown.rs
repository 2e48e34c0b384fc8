//! Stopping a node: ask every daemon, wait, and kill what does not listen.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use pollux_os::Signal;
use pollux_wire::CpuNumber;
use pollux_wire::admin::AdminRequest;

use crate::client::{Admin, NoAnswer, daemon_handle};
use crate::error::{Failure, Result};
use crate::node::Node;

/// Daemons that have not ended by then are killed.
pub(crate) const END_MAX: Duration = Duration::from_secs(10);
/// A daemon that does not take the order by then is not waited for.
const ORDER_MAX: Duration = Duration::from_secs(1);
/// A killed process is gone by then, unless the kernel itself is stuck.
const KILL_MAX: Duration = Duration::from_secs(5);
/// A CPU may come up while the others end (it is being started again); so often is looked again.
const ROUNDS_MAX: u32 = 5;

/// One CPU that was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Which.
    pub(crate) cpu: CpuNumber,
    /// Process id of its daemon.
    pub(crate) pid: i32,
    /// True if it had to be killed.
    pub(crate) killed: bool,
}

/// Ends all CPUs and removes the node's sockets; logs, events and the coordinator's files stay. Gives an empty list if
/// none was running.
pub(crate) fn shut_down(node: &Node, limit: Duration) -> Result<Vec<Ended>> {
    let mut ended = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let running = running(node)?;
        if running.is_empty() {
            break;
        }
        ended.extend(end_all(node, running, limit)?);
    }
    remove_files(node)?;
    Ok(ended)
}

struct Running {
    cpu: CpuNumber,
    pid: i32,
    handle: OwnedFd,
}

fn running(node: &Node) -> Result<Vec<Running>> {
    let mut found = Vec::new();
    for cpu in node.cpus_with_socket() {
        match daemon_handle(&node.socket(cpu)) {
            Ok((pid, handle)) => found.push(Running { cpu, pid, handle }),
            Err(NoAnswer::NotRunning | NoAnswer::Gone | NoAnswer::Silent) => {}
            Err(NoAnswer::Broken(text)) => {
                return Err(Failure::new(
                    format!("cannot end CPU {cpu} of {}: {text}", node.name()),
                    "mend that, then pollux down again",
                ));
            }
        }
    }
    Ok(found)
}

fn end_all(node: &Node, running: Vec<Running>, limit: Duration) -> Result<Vec<Ended>> {
    let deadline = Instant::now() + limit;
    for daemon in &running {
        // A daemon that cannot take the order is killed below.
        if let Ok(mut admin) = Admin::connect(&node.socket(daemon.cpu)) {
            let _ = admin.ask_with(&AdminRequest::CpuDown { node: true }, Vec::new(), ORDER_MAX);
        }
    }
    running.into_iter().map(|daemon| end(daemon, deadline)).collect()
}

fn end(daemon: Running, deadline: Instant) -> Result<Ended> {
    let Running { cpu, pid, handle } = daemon;
    let failed = |error: std::io::Error| {
        Failure::new(format!("cannot end CPU {cpu} (pid {pid}): {error}"), format!("kill -9 {pid}"))
    };
    let left = deadline.saturating_duration_since(Instant::now());
    if pollux_os::wait_gone(&handle, left).map_err(failed)? {
        return Ok(Ended { cpu, pid, killed: false });
    }
    pollux_os::signal(&handle, Signal::KILL).map_err(failed)?;
    if pollux_os::wait_gone(&handle, KILL_MAX).map_err(failed)? {
        return Ok(Ended { cpu, pid, killed: true });
    }
    Err(Failure::new(
        format!("CPU {cpu} (pid {pid}) was killed and does not end"),
        format!("see what the kernel holds it in: cat /proc/{pid}/stack"),
    ))
}

/// What the next start must not find. Whatever is missing already is fine. The coordinator's files stay: their counters
/// keep a process handle of the next start from being one of this (S9), and a name's epochs from going back (S11).
fn remove_files(node: &Node) -> Result<()> {
    for path in node.cpus_with_socket().into_iter().map(|cpu| node.socket(cpu)) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::file("remove", &path, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::cpu;
    use pollux_wire::NodeName;

    // What a crash left must not keep the next start from working.
    #[test]
    fn leftovers_of_a_crash_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let node = Node::within(directory.path().join("r"), NodeName::new("\\N").unwrap());
        node.make_directories().unwrap();
        drop(pollux_os::listen_unix(&node.socket(cpu(1))).unwrap());
        fs::create_dir(node.coordinator()).unwrap();
        fs::write(node.coordinator().join("data.mdb"), "old").unwrap();
        fs::write(node.events(), "{}\n").unwrap();
        assert_eq!(shut_down(&node, END_MAX), Ok(vec![]));
        assert!(!node.socket(cpu(1)).exists());
        assert!(node.coordinator().exists(), "numbers must not be given twice");
        assert!(node.events().exists(), "events are for reading afterwards");
    }

    // A node that never was is no error here; the caller says that it is not running.
    #[test]
    fn nothing_to_do_without_a_directory() {
        let node = Node::within("/nonexistent/pollux".into(), NodeName::new("\\N").unwrap());
        assert_eq!(shut_down(&node, END_MAX), Ok(vec![]));
    }
}
