//! How a CPU comes up, before its loop runs.
//!
//! ```text
//!  lock (one daemon per CPU) -> socket listens -> record says Up -> older CPUs are called -> loop
//! ```
//!
//! In this order: whoever reads "up" on record finds a socket that listens, and one that refuses proves a death.

use crate::arguments::Arguments;
use crate::clerk::Clerk;
use crate::daemon::{Daemon, Parts};
use crate::events::EventLog;
use crate::ledger::Ledger;
use crate::limits::{DESCRIPTORS_WANTED, LOCK_WAIT_MS};
use crate::processors::share;
use crate::starter::Starter;
use crate::store::OrEnd;
use pollux_coordinator::Local;
use pollux_os::{LifePage, bind_to, listen_unix, private_directory, processors_allowed};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{PidfdFlags, Resource, Rlimit, getpid, getrlimit, pidfd_open, setrlimit, setsid};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Why a daemon could not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// There is a daemon of this CPU.
    #[error("CPU {cpu} of {node} runs already (pid {pid}); look at it with `pollux status`")]
    RunsAlready { cpu: u8, node: String, pid: u32 },
    /// A system call failed.
    #[error("{what}: {source}")]
    System { what: String, source: io::Error },
    /// The coordinator's store cannot be used.
    #[error(transparent)]
    Coordinator(#[from] pollux_coordinator::Error),
}

/// Names what was tried when a system call fails.
trait Doing<T> {
    fn doing(self, what: impl Into<String>) -> Result<T, StartError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Into<String>) -> Result<T, StartError> {
        self.map_err(|error| StartError::System { what: what.into(), source: error.into() })
    }
}

/// Milliseconds since 1970, for people.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Sends the log to standard error, which the starter has opened.
pub(crate) fn install_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("POLLUX_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(false).with_target(false);
    // A line that cannot be written, on a full disk, is lost. Told of on standard error, where it cannot be written either, it would
    // panic, and end this CPU.
    let log = log.log_internal_errors(false);
    // A program that embeds the daemon may have a log of its own.
    let _ = log.with_env_filter(filter).try_init();
}

/// Runs the CPU until it goes down.
pub(crate) fn run(arguments: Arguments) -> Result<(), StartError> {
    // Fails for a leader of a process group, which its starter's terminal does not reach either.
    let _ = setsid();
    let life_page = LifePage::create().doing("cannot make a life page")?;
    fail_fast_on_panic();
    life_page.install_crash_marks().doing("cannot install crash marks")?;
    life_page.hold().doing("cannot hold the life page")?;
    raise_descriptor_limit();
    // Asked once, here: it takes a connection, and the loop must not wait.
    tracing::debug!(peek_offset = pollux_os::peek_offset_supported(), "kernel");

    // Before any thread is started: threads inherit it.
    let node_processors = match &arguments.processors {
        Some(processors) => processors.clone(),
        None => processors_allowed().doing("cannot ask for the processors")?,
    };
    let own_processors = if arguments.bind {
        let own = share(&node_processors, arguments.cpu.get(), arguments.cpus);
        bind_to(&own).doing(format!("cannot bind to processors {own:?} (see --no-bind)"))?;
        own
    } else {
        Vec::new()
    };

    private_directory(&arguments.run_directory).doing("cannot use the run directory")?;
    let store_directory = arguments.run_directory.join("coordinator");
    private_directory(&store_directory).doing("cannot use the coordinator's directory")?;
    let mut ledger = Ledger::new(OrEnd(Local::create_or_open(&store_directory)?));

    let lock = take_lock(&lock_path(&arguments)).doing("cannot take the lock of this CPU")?;
    let Some(lock) = lock else {
        let pid = ledger.cpu(arguments.cpu)?.map_or(0, |record| record.pid);
        let (cpu, node) = (arguments.cpu.get(), arguments.node.to_string());
        return Err(StartError::RunsAlready { cpu, node, pid });
    };
    let socket = arguments.socket_of(arguments.cpu);
    // We have the lock, so nobody listens there.
    remove_if_there(&socket).doing(format!("cannot remove the stale {}", socket.display()))?;
    let listener = listen_unix(&socket).doing(format!("cannot listen on {}", socket.display()))?;

    let pid = std::process::id();
    let up = ledger.come_up(&arguments.node_record(), arguments.cpu, pid, unix_ms())?;
    let first_number = ledger.numbers(1)?;
    let own_pidfd = pidfd_open(getpid(), PidfdFlags::empty()).doing("cannot open the own pidfd")?;
    let events = EventLog::start(&arguments.run_directory).doing("cannot start the event log")?;
    let parts = Parts {
        clerk: Clerk::start(ledger).doing("cannot start the clerk")?,
        starter: Starter::start().doing("cannot start the starter")?,
        events,
        life_page,
        own_pidfd,
        listener,
        node_processors,
        own_processors,
        epoch: up.epoch,
        first_number,
        arguments,
    };
    let mut daemon = Daemon::new(parts).doing("cannot start the loop")?;
    daemon.come_up(&up.older);
    daemon.run().doing("cannot wait for events")?;
    drop(lock);
    Ok(())
}

/// A broken invariant ends the whole process, so that the peers see a dead CPU and not a half-working one.
fn fail_fast_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        std::process::abort();
    }));
}

fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(DESCRIPTORS_WANTED, |maximum| maximum.min(DESCRIPTORS_WANTED));
    if limit.current.is_some_and(|current| current < wanted) {
        // Without it there is room for fewer processes; the refusal of one too many says so.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    }
}

fn lock_path(arguments: &Arguments) -> PathBuf {
    arguments.run_directory.join(format!("cpu-{}.lock", arguments.cpu))
}

/// The lock of this CPU, which the kernel gives back when its holder dies; None if another daemon has it. One that is
/// just dying gets a moment.
fn take_lock(path: &Path) -> io::Result<Option<File>> {
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let deadline = Instant::now() + Duration::from_millis(LOCK_WAIT_MS);
    loop {
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(lock)),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Two daemons of one CPU would give the same pins and fight over the socket.
    #[test]
    fn a_cpu_has_one_lock() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cpu-0.lock");
        let held = take_lock(&path).unwrap();
        assert!(held.is_some());
        let other = OpenOptions::new().write(true).open(&path).unwrap();
        assert!(flock(&other, FlockOperation::NonBlockingLockExclusive).is_err());
        drop(held);
        assert!(take_lock(&path).unwrap().is_some());
    }
}
