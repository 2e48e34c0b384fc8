//! The thread that starts programs and CPUs.
//!
//! A launch waits until the program runs, which takes a millisecond, or ten seconds on a file system that hangs: too
//! long for the loop. And a program dies with the *thread* that launched it, so it must be one that lives as long as the
//! daemon. Jobs go in as values and come back as results, in order.

use crate::process::Request;
use pollux_os::{Doorbell, Launch, LaunchError, Launched, launch};
use pollux_wire::{CpuNumber, Phandle};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// This very program, also when its file was replaced meanwhile.
pub(crate) const OWN_PROGRAM: &str = "/proc/self/exe";

/// What is to be started.
#[derive(Debug)]
pub(crate) enum StartJob {
    /// The program of a process.
    Process { phandle: Phandle, launch: Box<Launch> },
    /// An acceptor for a process.
    Acceptor { asker: Request, launch: Box<Launch> },
    /// A CPU: its arguments and its log file.
    Cpu { cpu: CpuNumber, arguments: Vec<OsString>, log: PathBuf },
}

/// What became of a [`StartJob`].
#[derive(Debug)]
pub(crate) enum Started {
    Process { phandle: Phandle, result: Result<Launched, LaunchError> },
    Acceptor { asker: Request, result: Result<Launched, LaunchError> },
    Cpu { cpu: CpuNumber, result: io::Result<Child> },
}

/// The daemon's side.
#[derive(Debug)]
pub(crate) struct Starter {
    jobs: Sender<StartJob>,
    started: Receiver<Started>,
    bell: Arc<Doorbell>,
}

impl Starter {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (jobs, jobs_to_do) = channel();
        let (done, started) = channel();
        let bell = Arc::new(Doorbell::new()?);
        let ring = Arc::clone(&bell);
        let thread = std::thread::Builder::new().name("starter".to_owned());
        thread.spawn(move || work(&jobs_to_do, &done, &ring))?;
        Ok(Self { jobs, started, bell })
    }

    /// Rings when results are there.
    pub(crate) fn bell(&self) -> &Doorbell {
        &self.bell
    }

    /// Gives a job. Their number is bounded by the tables of processes, acceptors and CPUs.
    pub(crate) fn ask(&self, job: StartJob) {
        self.jobs.send(job).expect("the thread ends only after this side, and a panic ends the process");
    }

    /// The next result.
    pub(crate) fn poll(&self) -> Option<Started> {
        self.started.try_recv().ok()
    }
}

fn work(jobs: &Receiver<StartJob>, done: &Sender<Started>, bell: &Doorbell) {
    let launcher = Path::new(OWN_PROGRAM);
    while let Ok(job) = jobs.recv() {
        let started = match job {
            StartJob::Process { phandle, launch: order } => {
                Started::Process { phandle, result: launch(launcher, *order) }
            }
            StartJob::Acceptor { asker, launch: order } => {
                Started::Acceptor { asker, result: launch(launcher, *order) }
            }
            StartJob::Cpu { cpu, arguments, log } => {
                Started::Cpu { cpu, result: start_cpu(&arguments, &log) }
            }
        };
        if done.send(started).is_err() {
            return;
        }
        bell.ring();
    }
}

/// A CPU of its own: it makes its own session and outlives us.
fn start_cpu(arguments: &[OsString], log: &Path) -> io::Result<Child> {
    let log = OpenOptions::new().append(true).create(true).mode(0o600).open(log)?;
    // By its path, so that a list of processes shows the program's name.
    let program = std::env::current_exe().ok().filter(|path| path.exists());
    Command::new(program.unwrap_or_else(|| PathBuf::from(OWN_PROGRAM)))
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}
