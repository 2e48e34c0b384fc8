//! Keeps a node for the measurer: nothing of it is left when this process ends, however the measurement ended; after a
//! failure its logs and events stay.

use crate::node;
use crate::peers::home::Homes;
use anyhow::{Context, Result, bail};
use pollux_os::StopSignals;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::env;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

/// For 10,000 opens of a pair: two in the requester, and as many again to spare.
const DESCRIPTORS: u64 = 40_000;
/// Between two looks at whether the measurer has ended.
const LOOK_NS: i64 = 20_000_000;

/// Starts a node, runs this command again inside it, and stops the node.
pub(crate) fn run_inside_node() -> Result<ExitCode> {
    let stop = StopSignals::new().context("listen for signals")?;
    raise_descriptors();
    let directory =
        tempfile::Builder::new().prefix("pollux-bench.").tempdir().context("make a run directory")?;
    let homes = Homes::new()?;
    let node = RunningNode::start(directory.path())?;
    let program = env::current_exe().context("find this program")?;
    let mut measurer = Command::new(program)
        .args(env::args_os().skip(1))
        .arg("--inside-node")
        .env(node::RUN_DIRECTORY_VARIABLE, directory.path())
        .env_remove(node::NODE_VARIABLE)
        .envs(homes.variables())
        .spawn()
        .context("start the measurer")?;
    let outcome = wait(&mut measurer, &stop);
    drop(node);
    if matches!(outcome, Ok(Outcome::Failed)) {
        eprintln!("pollux-bench: the node's logs and events are kept in {}", directory.keep().display());
    }
    outcome.map(Outcome::code)
}

/// Asks for as many descriptors as many opens take, for this process and all that come from it. Where that is refused, the
/// benchmarks measure with fewer opens and say so.
fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(DESCRIPTORS, |most| most.max(DESCRIPTORS));
    let raised = Rlimit { current: Some(wanted), maximum: Some(wanted) };
    if setrlimit(Resource::Nofile, raised).is_err() {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}

/// How the measurement ended.
enum Outcome {
    Done,
    Failed,
    Interrupted,
}

impl Outcome {
    fn code(self) -> ExitCode {
        match self {
            Outcome::Done => ExitCode::SUCCESS,
            Outcome::Failed => ExitCode::FAILURE,
            Outcome::Interrupted => ExitCode::from(130),
        }
    }
}

/// Waits for the measurer; a stop signal ends it.
fn wait(measurer: &mut Child, stop: &StopSignals) -> Result<Outcome> {
    loop {
        let pause = Timespec { tv_sec: 0, tv_nsec: LOOK_NS };
        // An interrupted wait is a wait that is over.
        let _ = poll(&mut [PollFd::new(stop, PollFlags::IN)], Some(&pause));
        if stop.take().is_some() {
            let _ = measurer.kill();
            let _ = measurer.wait();
            return Ok(Outcome::Interrupted);
        }
        if let Some(status) = measurer.try_wait().context("wait for the measurer")? {
            return Ok(if status.success() { Outcome::Done } else { Outcome::Failed });
        }
    }
}

/// A node that runs until this is dropped.
struct RunningNode<'a> {
    directory: &'a Path,
}

impl<'a> RunningNode<'a> {
    fn start(directory: &'a Path) -> Result<Self> {
        // Made first: what a failed start leaves behind is stopped too.
        let node = Self { directory };
        if !node.pollux("up")?.success() {
            bail!("the node did not start");
        }
        Ok(node)
    }

    fn pollux(&self, command: &str) -> Result<std::process::ExitStatus> {
        let mut pollux = Command::new(node::pollux_program()?);
        pollux.arg(command).stdin(Stdio::null()).stdout(Stdio::null());
        pollux.env(node::RUN_DIRECTORY_VARIABLE, self.directory).env_remove(node::NODE_VARIABLE);
        pollux.status().with_context(|| format!("run pollux {command}"))
    }
}

impl Drop for RunningNode<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.pollux("down") {
            eprintln!("pollux-bench: the node is left behind in {}: {error:#}", self.directory.display());
        }
    }
}
