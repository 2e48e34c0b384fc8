//! The program as a process: started, signalled, waited for, with all that it starts itself.

use crate::options::Options;
use crate::policy::End;
use crate::threshold::{self, Crossing, Gate, LISTEN_FDNAMES, LISTEN_FDS};
use pollux_os::{
    CallGate, Doorbell, Launch, LaunchError, Pid, ProcessEvent, Signal, launch, reap, signal, signal_group,
    socket_pair, wait_gone,
};
use pollux_wire::control::CONTROL_DESCRIPTOR_VARIABLE;
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, kill_process, waitid};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// The first descriptor that is handed over, as systemd counts (`sd_listen_fds`).
const LISTEN_FDS_START: i32 = 3;
/// Between two looks at what is left of a run that is being ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The program while it runs.
pub(crate) struct Child {
    pub(crate) pid: Pid,
    pub(crate) pidfd: Arc<OwnedFd>,
    /// Readable when [`Child::end`] is there.
    pub(crate) bell: Arc<Doorbell>,
    end: Arc<OnceLock<End>>,
}

/// Why there is no program.
pub(crate) enum NotStarted {
    /// The error number, and what is said in the log.
    Program(End, String),
    /// Its system calls cannot be looked at.
    Gate(io::Error),
}

/// Starts the program with these listeners.
pub(crate) fn start(
    options: &Options,
    gate: Gate,
    listeners: Vec<OwnedFd>,
) -> Result<(Child, Option<CallGate>), NotStarted> {
    let failed = |error: io::Error| {
        let errno = error.raw_os_error().unwrap_or_else(|| Errno::IO.raw_os_error());
        NotStarted::Program(End::NotStarted(errno), error.to_string())
    };
    let (near, far) = socket_pair().map_err(failed)?;
    let socket_number = LISTEN_FDS_START + listeners.len() as i32;
    let environment = environment(options, listeners.len());
    let mut inherit: Vec<(OwnedFd, i32)> = listeners.into_iter().zip(LISTEN_FDS_START..).collect();
    inherit.push((far, socket_number));
    let standard = |copy: io::Result<OwnedFd>| copy.map_err(failed);
    let own = std::env::current_exe().map_err(failed)?;
    let order = Launch {
        program: own.clone(),
        arguments: threshold::arguments(
            socket_number,
            gate,
            options.program.clone().into(),
            &options.arguments,
        ),
        argv0: None,
        environment,
        directory: std::env::current_dir().map_err(failed)?,
        stdin: standard(io::stdin().as_fd().try_clone_to_owned())?,
        stdout: standard(io::stdout().as_fd().try_clone_to_owned())?,
        stderr: standard(io::stderr().as_fd().try_clone_to_owned())?,
        inherit,
        processors: None,
        die_with_parent: true,
    };
    let launched = launch(&own, order).map_err(|error| {
        let errno = match &error {
            LaunchError::Program { source, .. } | LaunchError::Launcher { source, .. } => {
                source.raw_os_error()
            }
            LaunchError::BadRequest { .. } | LaunchError::NoAnswer { .. } => None,
        };
        let errno = errno.unwrap_or_else(|| Errno::IO.raw_os_error());
        NotStarted::Program(End::NotStarted(errno), error.to_string())
    })?;
    match threshold::await_crossing(&near, gate) {
        Ok(Crossing::Runs(gate)) => {
            Child::of(launched.pid, launched.pidfd).map(|child| (child, gate)).map_err(failed)
        }
        Ok(Crossing::NoProgram(errno)) => {
            bury(&launched.pidfd);
            Err(failed(io::Error::from_raw_os_error(errno)))
        }
        Ok(Crossing::NoGate(error)) => {
            bury(&launched.pidfd);
            Err(NotStarted::Gate(error))
        }
        Err(error) => {
            bury(&launched.pidfd);
            Err(failed(error))
        }
    }
}

/// It will not become the program.
fn bury(pidfd: &OwnedFd) {
    let _ = signal(pidfd, Signal::KILL);
    let _ = wait_gone(pidfd, Duration::from_secs(1));
    let _ = reap(pidfd, false);
}

fn environment(options: &Options, listeners: usize) -> Vec<(OsString, OsString)> {
    let ours = [CONTROL_DESCRIPTOR_VARIABLE, LISTEN_FDS, "LISTEN_PID", LISTEN_FDNAMES];
    let mut environment: Vec<(OsString, OsString)> =
        std::env::vars_os().filter(|(name, _)| !ours.iter().any(|ours| name == ours)).collect();
    if listeners > 0 {
        // A colon parts two names.
        let names: Vec<String> =
            options.listen.iter().map(|address| address.to_string().replace(':', "_")).collect();
        environment.push((LISTEN_FDS.into(), listeners.to_string().into()));
        environment.push((LISTEN_FDNAMES.into(), names.join(":").into()));
    }
    environment
}

impl Child {
    /// Waits in a thread of its own, so that no zombie is left when this half is the backup meanwhile.
    fn of(pid: Pid, pidfd: OwnedFd) -> io::Result<Child> {
        let pidfd = Arc::new(pidfd);
        let (bell, end) = (Arc::new(Doorbell::new()?), Arc::new(OnceLock::new()));
        let (its_pidfd, its_bell, its_end) = (Arc::clone(&pidfd), Arc::clone(&bell), Arc::clone(&end));
        thread::Builder::new().name("program".to_owned()).spawn(move || {
            let seen = wait_for_end(&its_pidfd);
            let _ = its_end.set(seen);
            its_bell.ring();
        })?;
        Ok(Child { pid, pidfd, bell, end })
    }

    /// How it has ended, if it has.
    pub(crate) fn end(&self) -> Option<End> {
        self.end.get().copied()
    }
}

fn wait_for_end(pidfd: &OwnedFd) -> End {
    loop {
        match wait_gone(pidfd, Duration::from_secs(3600)).and_then(|_| reap(pidfd, false)) {
            Ok(Some(ProcessEvent::Exited(code))) => return End::Code(code),
            Ok(Some(ProcessEvent::Killed { signal, .. })) => return End::Signal(signal),
            Ok(_) => {}
            // Somebody else has reaped it: nobody knows more.
            Err(_) => return End::Signal(Signal::KILL.as_raw()),
        }
    }
}

/// Sends a signal to all processes of the group that the pidfd leads, and to our own children that have left it.
pub(crate) fn signal_all(leader: Option<&OwnedFd>, signal_number: Signal) {
    if let Some(leader) = leader {
        // An older kernel reaches only the leader.
        if !matches!(signal_group(leader, signal_number), Ok(true)) {
            let _ = signal(leader, signal_number);
        }
    }
    // Not reaped by anybody but us, so their numbers are theirs.
    for child in own_children() {
        let _ = kill_process(child, signal_number);
    }
}

/// Reaps what the program has left to us, as the reaper of its orphans.
pub(crate) fn reap_orphans(program: Option<Pid>) {
    for child in own_children().into_iter().filter(|child| Some(*child) != program) {
        let _ = waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
}

/// Waits until no process of the run is left; calls `serve` meanwhile. False when the time is over first.
pub(crate) fn wait_all_gone(child: &Child, limit: Duration, mut serve: impl FnMut()) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        serve();
        reap_orphans(Some(child.pid));
        if matches!(wait_gone(&*child.pidfd, LOOK_EVERY), Ok(true)) && own_children().is_empty() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
    }
}

/// The processes whose parent this one is.
fn own_children() -> Vec<Pid> {
    let own = std::process::id();
    parents().into_iter().filter(|(_, parent)| *parent == own).filter_map(|(pid, _)| as_pid(pid)).collect()
}

/// Where a socket is open: process and number there.
pub(crate) type Place = (u32, i32);

/// True if the socket of that number is open there.
pub(crate) fn is_at((pid, number): Place, inode: u64) -> bool {
    fs::read_link(format!("/proc/{pid}/fd/{number}"))
        .is_ok_and(|target| target.as_os_str() == socket_name(inode).as_str())
}

/// Where the processes that this one has started, at any remove, have these sockets open. None: it cannot be told.
pub(crate) fn find_sockets(inodes: &BTreeSet<u64>) -> Option<BTreeMap<u64, Place>> {
    let names: BTreeMap<String, u64> = inodes.iter().map(|inode| (socket_name(*inode), *inode)).collect();
    let parents = parents();
    let mut family = vec![std::process::id()];
    let mut at = 0;
    while at < family.len() {
        let of = family[at];
        family.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        at += 1;
    }
    let mut found = BTreeMap::new();
    // The keeper itself holds them in any case.
    for pid in &family[1..] {
        let entries = match fs::read_dir(format!("/proc/{pid}/fd")) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
            // It has ended in this moment.
            Err(_) => continue,
        };
        for entry in entries.flatten() {
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            let inode = target.to_str().and_then(|target| names.get(target));
            let number = entry.file_name().to_str().and_then(|number| number.parse().ok());
            if let (Some(inode), Some(number)) = (inode, number) {
                found.entry(*inode).or_insert((*pid, number));
            }
        }
    }
    Some(found)
}

fn socket_name(inode: u64) -> String {
    format!("socket:[{inode}]")
}

/// All processes with their parents.
fn parents() -> Vec<(u32, u32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The name in parentheses may hold anything.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect()
}

fn as_pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(pid.cast_signed())
}
