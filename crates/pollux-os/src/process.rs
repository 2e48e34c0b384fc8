//! Starting, signalling and reaping processes.
//!
//! A process is started through a *launcher*: our own program, run as `__launch`, which does between fork and
//! exec what a large parent cannot do safely there, in ordinary safe code:
//!
//! ```text
//!  parent                              launcher (child)                   program
//!  socketpair, descriptors queued
//!  posix_spawn ----------------------> ask to die with the parent,
//!                                      bind to processors, put the
//!                                      descriptors on their numbers
//!                                      exec ----------------------------> runs
//!  reads end of file = success  <----- (socket is close-on-exec)
//!  reads errno + text = failure <----- exec failed
//! ```
//!
//! The parent never forks itself, so a launch takes a millisecond whatever the parent's size. Nothing here
//! decides what to start or when to kill.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice, IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::poller::timespec;
use crate::raw;

/// The hidden command under which a program calls [`launcher_main`].
pub const LAUNCHER_COMMAND: &str = "__launch";

/// Descriptors that a program can be started with, the standard three not counted.
pub const INHERITED_DESCRIPTORS_MAX: usize = 200;

/// A launcher that has not started its program by then is killed.
pub const LAUNCH_MS_MAX: u64 = 10_000;

/// The launcher's longest report of a failure.
const REPORT_BYTES_MAX: usize = 4096;

/// What to start.
#[derive(Debug)]
pub struct Launch {
    /// The program; looked up in the given `PATH` if it has no slash.
    pub program: PathBuf,
    /// Its arguments, without `argv[0]`.
    pub arguments: Vec<OsString>,
    /// Its `argv[0]`, if not the program's path.
    pub argv0: Option<OsString>,
    /// Its whole environment; nothing else is inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// Its working directory.
    pub directory: PathBuf,
    /// Its standard input.
    pub stdin: OwnedFd,
    /// Its standard output.
    pub stdout: OwnedFd,
    /// Its standard error.
    pub stderr: OwnedFd,
    /// Further descriptors, each with the number (3 or more) under which the program sees it.
    pub inherit: Vec<(OwnedFd, RawFd)>,
    /// The processors it may run on; `None` leaves it as we are.
    pub processors: Option<Vec<usize>>,
    /// Kill it when the *thread* that launches ends: call [`launch`] from one that lives as long as the process.
    pub die_with_parent: bool,
}

/// A started process. It is a child of ours: reap it with [`reap`], or it stays as a zombie.
#[derive(Debug)]
pub struct Launched {
    /// Its number, and that of its process group.
    pub pid: Pid,
    /// Its handle, which never means another process.
    pub pidfd: OwnedFd,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Something in the request cannot be passed on.
    #[error("cannot launch {program}: {reason}")]
    BadRequest {
        /// The program.
        program: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The launcher itself could not be started.
    #[error("cannot start the launcher {launcher}: {source}")]
    Launcher {
        /// Its path.
        launcher: String,
        /// Why.
        source: io::Error,
    },
    /// The launcher ran and could not start the program.
    #[error("cannot start {program}: {step}: {source}")]
    Program {
        /// The program.
        program: String,
        /// The step that failed.
        step: String,
        /// Its error number, as an error.
        source: io::Error,
    },
    /// The launcher ended or hung without a word: it was killed, or it is not a launcher.
    #[error("cannot start {program}: the launcher did not answer")]
    NoAnswer {
        /// The program.
        program: String,
    },
}

/// Starts a program through `launcher` (a program that calls [`launcher_main`] when its first argument is
/// [`LAUNCHER_COMMAND`]) in a process group of its own, and returns once it runs or has failed to.
pub fn launch(launcher: &Path, launch: Launch) -> Result<Launched, LaunchError> {
    let program = launch.program.display().to_string();
    let bad_request = |reason| LaunchError::BadRequest { program: program.clone(), reason };
    let launcher_failed =
        |source: io::Error| LaunchError::Launcher { launcher: launcher.display().to_string(), source };
    if launch.inherit.len() > INHERITED_DESCRIPTORS_MAX {
        return Err(bad_request("too many descriptors"));
    }
    if launch.inherit.iter().any(|(_, number)| *number < 3) {
        return Err(bad_request("a descriptor cannot be inherited under a number below 3"));
    }
    if (1..launch.inherit.len())
        .any(|at| launch.inherit[..at].iter().any(|one| one.1 == launch.inherit[at].1))
    {
        return Err(bad_request("two descriptors under one number"));
    }
    if launch.processors.as_ref().is_some_and(|list| processor_set(list).is_none()) {
        return Err(bad_request("no such processors"));
    }

    let (status, far) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(|errno| launcher_failed(errno.into()))?;
    send_descriptors(&status, &launch).map_err(launcher_failed)?;
    let mut command = Command::new(launcher);
    command
        .args(launcher_arguments(&launch))
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::from(far))
        .stdout(Stdio::from(launch.stdout))
        .stderr(Stdio::from(launch.stderr))
        .process_group(0);
    let mut child = command.spawn().map_err(launcher_failed)?;
    // The command keeps our copies of the child's descriptors: end of file must mean that *it* let go.
    drop(command);
    let pid = Pid::from_child(&child);
    let report = pidfd_open(pid, PidfdFlags::empty())
        .map_err(io::Error::from)
        .map_err(launcher_failed)
        .and_then(|pidfd| Ok((pidfd, read_report(&status).map_err(launcher_failed)?)));
    match report {
        // The child is alive and ours to reap by its pidfd; std's handle does nothing when dropped.
        Ok((pidfd, Report::Started)) => return Ok(Launched { pid, pidfd }),
        Ok((_, Report::Failed { errno, step })) => {
            let _ = child.wait();
            Err(LaunchError::Program { program, step, source: io::Error::from_raw_os_error(errno) })
        }
        Ok((_, Report::NoAnswer)) => Err(LaunchError::NoAnswer { program }),
        Err(error) => Err(error),
    }
    .inspect_err(|_| {
        // The launcher has not become the program; it must not linger or become it later.
        let _ = child.kill();
        let _ = child.wait();
    })
}

/// `<parent pid> <die 0|1> <processors or -> <=argv0 or -> <directory> <number,number...> -- program args...`
fn launcher_arguments(launch: &Launch) -> Vec<OsString> {
    let list = |numbers: Vec<String>| if numbers.is_empty() { "-".to_owned() } else { numbers.join(",") };
    let processors = launch.processors.iter().flatten().map(usize::to_string).collect();
    let numbers = launch.inherit.iter().map(|(_, number)| number.to_string()).collect();
    let argv0 = launch.argv0.as_ref().map_or_else(
        || OsString::from("-"),
        |name| {
            let mut marked = OsString::from("=");
            marked.push(name);
            marked
        },
    );
    let mut arguments = vec![
        OsString::from(LAUNCHER_COMMAND),
        std::process::id().to_string().into(),
        if launch.die_with_parent { "1" } else { "0" }.into(),
        list(processors).into(),
        argv0,
        launch.directory.clone().into(),
        list(numbers).into(),
        "--".into(),
        launch.program.clone().into(),
    ];
    arguments.extend(launch.arguments.iter().cloned());
    arguments
}

/// Queues standard input and the inherited descriptors in the socket that becomes the launcher's standard input.
fn send_descriptors(status: &OwnedFd, launch: &Launch) -> io::Result<()> {
    let mut descriptors = vec![launch.stdin.as_fd()];
    descriptors.extend(launch.inherit.iter().map(|(fd, _)| fd.as_fd()));
    let mut space = ancillary_space();
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fits = ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    assert!(fits, "the space is computed for the largest launch");
    sendmsg(status, &[IoSlice::new(&[0])], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

const ANCILLARY_BYTES: usize = rustix::cmsg_space!(ScmRights(INHERITED_DESCRIPTORS_MAX + 1));

fn ancillary_space() -> [MaybeUninit<u8>; ANCILLARY_BYTES] {
    [MaybeUninit::uninit(); ANCILLARY_BYTES]
}

enum Report {
    Started,
    Failed { errno: i32, step: String },
    NoAnswer,
}

/// The launcher writes `R` when it has the descriptors, then lets go by exec, or writes errno and text.
fn read_report(status: &OwnedFd) -> io::Result<Report> {
    let deadline = Instant::now() + Duration::from_millis(LAUNCH_MS_MAX);
    let mut report = Vec::new();
    let mut piece = [0; 512];
    loop {
        if !readable_by(status, deadline)? {
            return Ok(Report::NoAnswer);
        }
        match rustix::io::read(status, &mut piece) {
            Ok(0) | Err(Errno::CONNRESET) => break,
            Ok(taken) => report.extend_from_slice(&piece[..taken]),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if report.len() > REPORT_BYTES_MAX {
            break;
        }
    }
    Ok(match report.split_first() {
        Some((b'R', [])) => Report::Started,
        Some((b'R', failure)) if failure.len() > 4 => Report::Failed {
            errno: i32::from_le_bytes(*failure.first_chunk().expect("longer than four bytes")),
            step: String::from_utf8_lossy(&failure[4..]).into_owned(),
        },
        _ => Report::NoAnswer,
    })
}

/// The body of the launcher: call it at once when the first argument is [`LAUNCHER_COMMAND`], with the arguments
/// behind it. It returns only if the program could not be started.
pub fn launcher_main(arguments: &[OsString]) -> ExitCode {
    raw::descriptors::close_all_but_standard();
    let Some(order) = Order::parse(arguments) else {
        eprintln!("{LAUNCHER_COMMAND} is for pollux itself, not for use by hand");
        return ExitCode::from(2);
    };
    let Ok(mut launcher) = Launcher::receive(&order) else {
        eprintln!("{LAUNCHER_COMMAND}: standard input is not the socket of a launching pollux");
        return ExitCode::from(2);
    };
    let (step, error) = launcher.become_program(&order);
    launcher.report(step, &error);
    ExitCode::from(127)
}

/// The launcher's arguments, understood.
struct Order<'a> {
    parent: i32,
    die_with_parent: bool,
    processors: Option<Vec<usize>>,
    argv0: Option<&'a OsStr>,
    directory: &'a OsStr,
    numbers: Vec<RawFd>,
    program: &'a OsStr,
    arguments: &'a [OsString],
}

impl Order<'_> {
    fn parse(arguments: &[OsString]) -> Option<Order<'_>> {
        let [parent, die, processors, argv0, directory, numbers, dashes, program, arguments @ ..] = arguments
        else {
            return None;
        };
        let processors: Vec<usize> = parse_list(processors)?;
        let argv0 = match argv0.as_encoded_bytes() {
            b"-" => None,
            [b'=', ..] => Some(after_first_byte(argv0)),
            _ => return None,
        };
        (dashes == "--").then_some(Order {
            parent: parent.to_str()?.parse().ok()?,
            die_with_parent: die == "1",
            processors: (!processors.is_empty()).then_some(processors),
            argv0,
            directory,
            numbers: parse_list(numbers)?,
            program,
            arguments,
        })
    }
}

/// The launcher's arguments, for the fuzz target.
#[cfg(feature = "fuzz")]
pub(crate) fn fuzz_order(arguments: &[OsString]) {
    if let Some(order) = Order::parse(arguments) {
        assert!(arguments.len() >= 8 && order.arguments.len() == arguments.len() - 8);
    }
}

fn after_first_byte(text: &OsStr) -> &OsStr {
    use std::os::unix::ffi::OsStrExt as _;
    OsStr::from_bytes(text.as_bytes().get(1..).unwrap_or_default())
}

fn parse_list<T: std::str::FromStr>(text: &OsStr) -> Option<Vec<T>> {
    match text.to_str()? {
        "-" => Some(Vec::new()),
        numbers => numbers.split(',').map(|number| number.parse().ok()).collect(),
    }
}

/// The launcher at work: everything it owns is above the numbers that the program will see.
struct Launcher {
    status: OwnedFd,
    stdin: OwnedFd,
    inherit: Vec<(OwnedFd, RawFd)>,
}

impl Launcher {
    fn receive(order: &Order<'_>) -> io::Result<Launcher> {
        let lowest_free = order.numbers.iter().max().map_or(3, |number| number + 1);
        let status = fcntl_dupfd_cloexec(io::stdin(), lowest_free)?;
        let mut space = ancillary_space();
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        recvmsg(&status, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        let mut received = Vec::new();
        for part in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = part {
                received.extend(descriptors);
            }
        }
        if received.len() != order.numbers.len() + 1 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let moved: io::Result<Vec<OwnedFd>> =
            received.iter().map(|fd| Ok(fcntl_dupfd_cloexec(fd, lowest_free)?)).collect();
        let mut moved = moved?.into_iter();
        let stdin = moved.next().expect("one more descriptor than numbers");
        rustix::io::write(&status, b"R")?;
        Ok(Launcher { status, stdin, inherit: moved.zip(order.numbers.iter().copied()).collect() })
    }

    /// Returns only with the step that failed.
    fn become_program(&mut self, order: &Order<'_>) -> (String, io::Error) {
        match self.prepare(order) {
            Ok(mut command) => ("exec".to_owned(), command.exec()),
            Err(failure) => failure,
        }
    }

    fn prepare(&mut self, order: &Order<'_>) -> Result<Command, (String, io::Error)> {
        let step = |text: &str| {
            let text = text.to_owned();
            move |errno: Errno| (text, io::Error::from(errno))
        };
        if order.die_with_parent {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
                .map_err(step("die with parent"))?;
            // A parent that died before the line above left no signal behind.
            if rustix::process::getppid().map(Pid::as_raw_pid) != Some(order.parent) {
                return Err(step("the parent is gone")(Errno::SRCH));
            }
        }
        if let Some(processors) = &order.processors {
            let set = processor_set(processors).ok_or(Errno::INVAL).map_err(step("bind to processors"))?;
            sched_setaffinity(None, &set).map_err(step("bind to processors"))?;
        }
        let directory = Path::new(order.directory);
        std::env::set_current_dir(directory)
            .map_err(|error| (format!("enter directory {}", directory.display()), error))?;
        rustix::stdio::dup2_stdin(&self.stdin).map_err(step("standard input"))?;
        for (fd, number) in &self.inherit {
            place(fd, *number).map_err(step("inherited descriptors"))?;
        }
        let mut command = Command::new(order.program);
        command.args(order.arguments);
        if let Some(argv0) = order.argv0 {
            command.arg0(argv0);
        }
        Ok(command)
    }

    fn report(&self, step: String, error: &io::Error) {
        let errno = error.raw_os_error().unwrap_or_else(|| Errno::INVAL.raw_os_error());
        let mut report = errno.to_le_bytes().to_vec();
        report.extend_from_slice(step.as_bytes());
        report.truncate(REPORT_BYTES_MAX - 1);
        // Nobody else could be told.
        let _ = rustix::io::write(&self.status, &report);
        let _ = io::stderr().flush();
    }
}

/// Duplicates `fd` to exactly that number and leaves it there for the program.
fn place(fd: &OwnedFd, number: RawFd) -> rustix::io::Result<()> {
    use std::os::fd::{AsRawFd as _, IntoRawFd as _};
    let placed = fcntl_dupfd_cloexec(fd, number)?;
    if placed.as_raw_fd() != number {
        return Err(Errno::BUSY);
    }
    fcntl_setfd(&placed, FdFlags::empty())?;
    let _ = placed.into_raw_fd();
    Ok(())
}

/// Takes ownership of a descriptor that [`launch`] put on `number` for us, and makes it close-on-exec. Call it at
/// the start of the program, before anything is opened; each number can be taken once.
pub fn take_inherited(number: RawFd) -> io::Result<OwnedFd> {
    raw::descriptors::take_inherited(number)
}

/// Sends a signal. To a process that is gone this does nothing.
pub fn signal(pidfd: impl AsFd, signal: Signal) -> io::Result<()> {
    match pidfd_send_signal(pidfd, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// What happened to a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessEvent {
    /// It ended by itself, with this code.
    Exited(i32),
    /// A signal ended it.
    Killed {
        /// The signal's number.
        signal: i32,
        /// Whether it left a core dump.
        core: bool,
    },
    /// A signal of this number stopped it.
    Stopped(i32),
    /// It goes on after a stop.
    Continued,
}

/// Asks what happened to a child, without waiting; `None` if nothing new did. After `Exited` or `Killed` the
/// process is gone. Stops and continues are asked for with `stops_too`; they do not make the pidfd readable, see
/// [`ChildSignals`](crate::ChildSignals).
pub fn reap(pidfd: impl AsFd, stops_too: bool) -> io::Result<Option<ProcessEvent>> {
    let mut options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    if stops_too {
        options |= WaitIdOptions::STOPPED | WaitIdOptions::CONTINUED;
    }
    let Some(status) = waitid(WaitId::PidFd(pidfd.as_fd()), options)? else {
        return Ok(None);
    };
    if let Some(code) = status.exit_status() {
        return Ok(Some(ProcessEvent::Exited(code)));
    }
    if let Some(signal) = status.terminating_signal() {
        return Ok(Some(ProcessEvent::Killed { signal, core: status.dumped() }));
    }
    if let Some(signal) = status.stopping_signal().or(status.trapping_signal()) {
        return Ok(Some(ProcessEvent::Stopped(signal)));
    }
    Ok(status.continued().then_some(ProcessEvent::Continued))
}

/// Waits until the process has ended; false if the time is over first. Works for any process, does not reap.
pub fn wait_gone(pidfd: impl AsFd, timeout: Duration) -> io::Result<bool> {
    readable_by(pidfd, Instant::now() + timeout)
}

/// Waits until the descriptor is readable, also by its end; false if the time is over first.
pub fn wait_readable(fd: impl AsFd, timeout: Duration) -> io::Result<bool> {
    readable_by(fd, Instant::now() + timeout)
}

fn readable_by(fd: impl AsFd, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = timespec(deadline.saturating_duration_since(Instant::now()));
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The processors that the calling thread may run on, in ascending order.
pub fn processors_allowed() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&processor| set.is_set(processor)).collect())
}

/// Binds the calling thread, and the threads and processes it will start, to these processors.
pub fn bind_to(processors: &[usize]) -> io::Result<()> {
    let set = processor_set(processors).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(sched_setaffinity(None, &set)?)
}

/// `None` if empty, or beyond what the kernel's set can hold.
fn processor_set(processors: &[usize]) -> Option<CpuSet> {
    let mut set = CpuSet::new();
    for &processor in processors {
        if processor >= CpuSet::MAX_CPU {
            return None;
        }
        set.set(processor);
    }
    (!processors.is_empty()).then_some(set)
}
