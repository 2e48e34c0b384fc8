//! One run on one node: the pair, the requester, the kill, and what came of it.
//!
//! ```text
//! directory of the run --> pair started, whole --> armed --> requester --> quiet --> whole again --> traces, files
//! ```
//!
//! The points count from the arming on: what is killed is always the primary of a whole pair.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pollux_os::points::POINTS_VARIABLE;
use pollux_os::{Pid, Signal};
use pollux_wire::control::{NODE_VARIABLE, RUN_DIRECTORY_VARIABLE};
use pollux_wire::{CpuNumber, ProcessName};

use super::outcome::{Exit, Left, Outcome};
use super::trace::Traces;
use crate::commands::run::{What, launch_and_join};
use crate::commands::stop::end_name;
use crate::error::{Failure, Result};
use crate::place::{Place, Purpose};
use crate::program::{Program, Streams};
use crate::start::Settings;
use crate::survey::Daemons;
use crate::time::wait_until;

/// The pair is whole by then.
const JOIN_MAX: Duration = Duration::from_secs(15);
/// After a takeover a new backup is there by then, if the program makes one.
const WHOLE_AGAIN_MAX: Duration = Duration::from_secs(3);
/// So long nobody writes a trace when all is quiet.
const QUIET: Duration = Duration::from_millis(40);
/// By then it is quiet, or it never will be.
const QUIET_MAX: Duration = Duration::from_secs(2);
/// Pause between two looks at the traces.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Which halves are to end at which of their points: rank of the server process, number of the point.
pub(crate) type Kills = Vec<(u32, u64)>;

/// What is explored.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// The server.
    pub(crate) server: Program,
    /// The name it runs under.
    pub(crate) name: ProcessName,
    /// The requester's program.
    pub(crate) requester: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
    /// Files that are copied into the directory of each run.
    pub(crate) copied: Vec<PathBuf>,
    /// The requester has ended by then.
    pub(crate) timeout: Duration,
    /// The directories stay.
    pub(crate) keep: bool,
}

/// A node, on which one run follows the other.
pub(crate) struct Stage<'a> {
    subject: &'a Subject,
    place: Place,
    runs: u32,
}

impl<'a> Stage<'a> {
    /// Starts a node.
    pub(crate) fn start(subject: &'a Subject) -> Result<Self> {
        // Several nodes share the machine: each would bind its CPU 0 to the same processor. A CPU that is away for a
        // moment on a loaded machine is none of the faults that are asked for.
        let settings =
            Settings { unbound: true, hang_after_ms: 0, sick_after_ms: 10_000, ..Settings::DEFAULT };
        let place = Place::start(Purpose::Explore, &settings, subject.keep)?;
        Ok(Self { subject, place, runs: 0 })
    }

    /// The time that a requester has.
    pub(crate) fn timeout(&self) -> Duration {
        self.subject.timeout
    }

    /// Where its runs leave their directories.
    pub(crate) fn directory(&self) -> PathBuf {
        self.place.node().root().join("runs")
    }

    /// One run. An error means that it says nothing about the program.
    pub(crate) fn run(
        &mut self,
        kills: &Kills,
        timeout: Duration,
        interrupted: &AtomicBool,
    ) -> Result<Outcome> {
        self.runs += 1;
        let named: Vec<String> = kills.iter().map(|(rank, point)| format!("{rank}-{point}")).collect();
        let directory = self.directory().join(format!("{:04}_{}", self.runs, named.join("_")));
        let (trace, work) = (directory.join("trace"), directory.join("work"));
        for path in [&trace, &work] {
            fs::create_dir_all(path).map_err(|error| Failure::file("make", path, &error))?;
        }
        for path in &self.subject.copied {
            copy(path, &work)?;
        }
        let plan: String = kills.iter().map(|(rank, point)| format!("{rank} {point}\n")).collect();
        write(&trace.join("kill"), &plan)?;

        let mut daemons = Daemons::of(self.place.node());
        self.start_pair(&mut daemons, &trace, &work)?;
        write(&trace.join("armed"), "")?;
        let ended = self.run_requester(&directory, timeout, interrupted);
        settle(&trace);
        let mut traces = Traces::read(&trace);
        if kills.iter().any(|(rank, point)| traces.at_point(*rank as usize, *point).is_some()) {
            // A pair that stays alone, or is gone, has shown all that it will show.
            let _ = wait_until(WHOLE_AGAIN_MAX, || {
                Ok((left(&mut daemons, &self.subject.name)? != Left::Alone).then_some(()))
            })?;
            settle(&trace);
            traces = Traces::read(&trace);
        }
        let left = left(&mut daemons, &self.subject.name)?;
        end_name(&mut daemons, &self.subject.name)?;
        let exit = ended?;
        let read = |name: &str| fs::read(directory.join(name)).unwrap_or_default();
        let (stdout, stderr) = (read("stdout"), read("stderr"));
        let files = files(&work);
        if !self.subject.keep {
            let _ = fs::remove_dir_all(&directory);
        }
        Ok(Outcome { traces, exit, stdout, stderr, left, files })
    }

    fn start_pair(&self, daemons: &mut Daemons, trace: &Path, work: &Path) -> Result<()> {
        let Subject { server, name, .. } = self.subject;
        let mut program = server.clone();
        program.spec.directory = work.to_string_lossy().into_owned();
        program.spec.environment.push((POINTS_VARIABLE.to_owned(), format!("server:{}", trace.display())));
        let streams = Streams::to_log(self.place.node(), Some(name), &program.written)?;
        let log = streams.log.clone();
        let what = What { program: &program, name: Some(name), log: log.as_deref() };
        let cpu = CpuNumber::new(0).expect("0 is a CPU");
        launch_and_join(daemons, cpu, &what, streams, JOIN_MAX)?;
        Ok(())
    }

    fn run_requester(&self, directory: &Path, timeout: Duration, interrupted: &AtomicBool) -> Result<Exit> {
        let Subject { requester, arguments, .. } = self.subject;
        let file = |name: &str| {
            let path = directory.join(name);
            File::create(&path).map_err(|error| Failure::file("write", &path, &error))
        };
        let node = self.place.node();
        let mut child = Command::new(requester)
            .args(arguments)
            .current_dir(directory.join("work"))
            .env(RUN_DIRECTORY_VARIABLE, node.root())
            .env(NODE_VARIABLE, node.name().as_str())
            .env(POINTS_VARIABLE, format!("requester:{}", directory.join("trace").display()))
            .stdin(Stdio::null())
            .stdout(file("stdout")?)
            .stderr(file("stderr")?)
            .process_group(0)
            .spawn()
            .map_err(|error| Failure::file("start", requester, &error))?;
        wait(&mut child, timeout, interrupted)
    }
}

/// Waits for the end of the requester; when its time is over, or all is to end, what it started ends with it.
fn wait(child: &mut Child, timeout: Duration, interrupted: &AtomicBool) -> Result<Exit> {
    let ended = wait_until(timeout, || {
        if interrupted.load(Ordering::Relaxed) {
            return Err(Failure::interrupted());
        }
        child
            .try_wait()
            .map_err(|error| Failure::new(format!("cannot wait for the requester: {error}"), "try again"))
    });
    if !matches!(ended, Ok(Some(_))) {
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let _ = child.wait();
    }
    Ok(match ended? {
        None => Exit::TimedOut,
        Some(status) => match status.code() {
            Some(code) => Exit::Code(code),
            None => Exit::Signal(status.signal().unwrap_or(0)),
        },
    })
}

fn left(daemons: &mut Daemons, name: &ProcessName) -> Result<Left> {
    let survey = daemons.survey()?;
    Ok(match survey.record(name) {
        None => Left::Gone,
        Some(_) if survey.whole(name).is_ok() => Left::Whole,
        Some(_) => Left::Alone,
    })
}

/// Waits until nobody writes a trace any more.
fn settle(trace: &Path) {
    let deadline = Instant::now() + QUIET_MAX;
    let mut since = (Traces::size(trace), Instant::now());
    while Instant::now() < deadline && since.1.elapsed() < QUIET {
        std::thread::sleep(LOOK_EVERY);
        let size = Traces::size(trace);
        if size != since.0 {
            since = (size, Instant::now());
        }
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| Failure::file("write", path, &error))
}

fn copy(from: &Path, into: &Path) -> Result<()> {
    let Some(name) = from.file_name() else {
        return Err(Failure::new(format!("{} has no file name", from.display()), "name a file"));
    };
    fs::copy(from, into.join(name)).map(|_| ()).map_err(|error| Failure::file("copy", from, &error))
}

/// The regular files below a directory, by their relative paths.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut todo = vec![directory.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => todo.push(path),
                Ok(kind) if kind.is_file() => {
                    let name = path.strip_prefix(directory).unwrap_or(&path).to_string_lossy().into_owned();
                    found.insert(name, fs::read(&path).unwrap_or_default());
                }
                _ => {}
            }
        }
    }
    found
}
