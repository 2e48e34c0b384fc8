//! The bench's node as the measurer sees it: who runs, where, and how to start more.

use anyhow::{Context, Result, bail};
use pollux::Node;
use serde::de::DeserializeOwned;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// See `pollux --help`.
pub(crate) const RUN_DIRECTORY_VARIABLE: &str = "POLLUX_RUN_DIR";
/// See `pollux --help`.
pub(crate) const NODE_VARIABLE: &str = "POLLUX_NODE";

/// The `pollux` command next to this program: the one that was built with it.
pub(crate) fn pollux_program() -> Result<PathBuf> {
    let program = env::current_exe().context("find this program")?.with_file_name("pollux");
    if !program.is_file() {
        bail!("there is no {}\n  next: cargo xtask bench builds it", program.display());
    }
    Ok(program)
}

/// One CPU of the node, as `pollux status --json` tells.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct Cpu {
    /// Its number.
    pub(crate) cpu: u8,
    /// Process id of its daemon.
    pub(crate) pid: u32,
    /// `up`, or why not.
    state: String,
    /// Processors that its processes are bound to; empty = all.
    pub(crate) processors: Vec<usize>,
}

#[derive(serde::Deserialize)]
struct Status {
    cpus: Vec<Cpu>,
}

#[derive(serde::Deserialize)]
struct Process {
    name: Option<String>,
    role: String,
    pid: u32,
}

/// The node and this process as a requester in it.
pub(crate) struct Bench {
    /// Its CPUs.
    pub(crate) cpus: Vec<Cpu>,
    /// The node for requesters.
    pub(crate) requester: Node,
}

impl Bench {
    /// The node that the keeper has started.
    pub(crate) fn find() -> Result<Self> {
        let status: Status = ask(&["status", "--json"])?;
        if status.cpus.len() < 2 {
            bail!("the node has {} CPUs, a pair needs two", status.cpus.len());
        }
        let requester = Node::connect().context("reach the node as a requester")?;
        Ok(Self { cpus: status.cpus, requester })
    }

    /// The processes whose descendants are the bench: this one and the daemons of today.
    pub(crate) fn roots(&self) -> Vec<u32> {
        let mut roots: Vec<u32> =
            self.daemons().unwrap_or_default().into_iter().map(|(_, pid)| pid).collect();
        roots.push(std::process::id());
        roots
    }

    /// The CPUs that run, and the process ids of their daemons: others after a loss.
    pub(crate) fn daemons(&self) -> Result<Vec<(u8, u32)>> {
        let status: Status = ask(&["status", "--json"])?;
        let up = status.cpus.iter().filter(|cpu| cpu.state == "up");
        Ok(up.map(|cpu| (cpu.cpu, cpu.pid)).collect())
    }

    /// Runs this program's server under a name, with its primary in CPU 0.
    pub(crate) fn run_server(&self, name: &str, pair: bool, arguments: &[&str]) -> Result<()> {
        let program = env::current_exe().context("find this program")?;
        self.run_program(name, pair, &program, &[&["server"], arguments].concat())
    }

    /// Runs any program in the same way.
    pub(crate) fn run_program(
        &self,
        name: &str,
        pair: bool,
        program: &Path,
        arguments: &[&str],
    ) -> Result<()> {
        let mut pollux = Command::new(pollux_program()?);
        pollux.args(["run", "--cpu", "0", "--ready-timeout", "60", "--name", name]);
        if pair {
            pollux.arg("--pair");
        }
        pollux.arg(program).args(arguments).stdin(Stdio::null());
        let output = pollux.output().context("run pollux run")?;
        if !output.status.success() {
            bail!("{name} did not start: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// Stops a server.
    pub(crate) fn stop_server(&self, name: &str) -> Result<()> {
        let mut pollux = Command::new(pollux_program()?);
        pollux.args(["stop", name]).stdin(Stdio::null()).stdout(Stdio::null());
        if !pollux.status().context("run pollux stop")?.success() {
            bail!("{name} did not stop");
        }
        Ok(())
    }

    /// Stops what a benchmark that failed has left; the providers of the node stay.
    pub(crate) fn stop_all(&self) {
        let processes: Vec<Process> = ask(&["ps", "--json"]).unwrap_or_default();
        let names =
            processes.iter().filter(|process| process.role != "backup").filter_map(|one| one.name.as_ref());
        for name in names.filter(|name| !name.starts_with("$Z")) {
            // What does not stop ends with the node.
            let _ = self.stop_server(name);
        }
    }

    /// Process id of the one that serves a name.
    pub(crate) fn primary_pid(&self, name: &str) -> Result<u32> {
        self.pid(name, |role| role != "backup")?.with_context(|| format!("nobody serves {name}"))
    }

    /// Process id of the backup of a name.
    pub(crate) fn backup_pid(&self, name: &str) -> Result<u32> {
        self.pid(name, |role| role == "backup")?.with_context(|| format!("{name} has no backup"))
    }

    fn pid(&self, name: &str, wanted: impl Fn(&str) -> bool) -> Result<Option<u32>> {
        let processes: Vec<Process> = ask(&["ps", "--json"])?;
        let is_it = |process: &&Process| process.name.as_deref() == Some(name) && wanted(&process.role);
        Ok(processes.iter().find(is_it).map(|process| process.pid))
    }

    /// Process ids of all halves of these names.
    pub(crate) fn pids(&self, names: impl Fn(&str) -> bool) -> Result<Vec<u32>> {
        let processes: Vec<Process> = ask(&["ps", "--json"])?;
        let is_one = |process: &&Process| process.name.as_deref().is_some_and(&names);
        Ok(processes.iter().filter(is_one).map(|process| process.pid).collect())
    }

    /// Processors of a CPU's processes.
    pub(crate) fn processors(&self, cpu: u8) -> &[usize] {
        self.cpus.iter().find(|one| one.cpu == cpu).map(|one| one.processors.as_slice()).unwrap_or_default()
    }

    /// Processors of the CPU that is left when `cpu` is not.
    pub(crate) fn processors_of_other(&self, cpu: u8) -> &[usize] {
        self.cpus.iter().find(|one| one.cpu != cpu).map(|one| one.processors.as_slice()).unwrap_or_default()
    }
}

fn ask<T: DeserializeOwned>(arguments: &[&str]) -> Result<T> {
    let output = Command::new(pollux_program()?)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("run pollux {}", arguments.join(" ")))?;
    // `status` exits with 3 or 4 when something is missing; what it prints is complete all the same.
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("read what pollux {} says", arguments.join(" ")))
}
