//! Where peers live: directories of the bench's own, and processes that end with it however it ends.
//!
//! A peer never meets a service of the machine: its files, sockets and ports are made here. The directories belong to the
//! keeper, which removes them also when the measurer was killed; the kernel kills the processes then.

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, kill_process};
use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::placement::to_pid;

/// Path of the keeper's directory in memory.
pub(crate) const MEMORY_VARIABLE: &str = "POLLUX_BENCH_MEMORY";
/// Path of the keeper's directory on disk.
pub(crate) const DISK_VARIABLE: &str = "POLLUX_BENCH_DISK";

const MEMORY_FILE_SYSTEM: &str = "/dev/shm";
/// By then a peer has come up.
const READY_WAIT: Duration = Duration::from_secs(40);
const READY_PAUSE: Duration = Duration::from_millis(10);
/// By then a peer has ended that was asked to.
const END_WAIT: Duration = Duration::from_secs(3);
const END_PAUSE: Duration = Duration::from_millis(2);

/// What a peer writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// A file system in memory.
    Memory,
    /// The disk of temporary files.
    Disk,
}

/// The keeper's directories for peers, removed with this.
pub(crate) struct Homes {
    memory: tempfile::TempDir,
    disk: tempfile::TempDir,
}

impl Homes {
    pub(crate) fn new() -> Result<Self> {
        let memory = Path::new(MEMORY_FILE_SYSTEM);
        let memory = if memory.is_dir() { memory.to_path_buf() } else { env::temp_dir() };
        Ok(Self { memory: directory_in(&memory)?, disk: directory_in(&env::temp_dir())? })
    }

    /// What the measurer must find in its environment.
    pub(crate) fn variables(&self) -> [(&'static str, &Path); 2] {
        [(MEMORY_VARIABLE, self.memory.path()), (DISK_VARIABLE, self.disk.path())]
    }
}

/// A directory that other users may pass through: PostgreSQL does not run as root.
fn directory_in(parent: &Path) -> Result<tempfile::TempDir> {
    let directory = tempfile::Builder::new().prefix("pollux-bench-peers.").tempdir_in(parent);
    let directory = directory.with_context(|| format!("make a directory in {}", parent.display()))?;
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).context("set its mode")?;
    Ok(directory)
}

/// The directory of one peer.
pub(crate) struct Home {
    directory: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new(store: Store) -> Result<Self> {
        let variable = match store {
            Store::Memory => MEMORY_VARIABLE,
            Store::Disk => DISK_VARIABLE,
        };
        let parent = env::var_os(variable).map_or_else(env::temp_dir, PathBuf::from);
        Ok(Self { directory: directory_in(&parent)? })
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The same as text: peers take their paths in configuration files.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Writes a file in it.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    /// Makes a directory in it.
    pub(crate) fn make_directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(path)
    }

    /// A program of a peer; what it prints goes to a file in this directory.
    pub(crate) fn start(&self, program: &Path, arguments: &[&str]) -> Result<Process> {
        self.start_as(None, program, arguments, &[])
    }

    /// The same, as another user if one is named, and with these variables.
    pub(crate) fn start_as(
        &self,
        user: Option<&str>,
        program: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Process> {
        let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let log = (0..).map(|number| self.path(&format!("{name}.{number}.log"))).find(|path| !path.exists());
        let log = log.context("no name is left for a log")?;
        let output = fs::File::create(&log).with_context(|| format!("make {}", log.display()))?;
        let mut command = dies_with_us(user);
        command.arg(program).args(arguments).envs(variables.iter().copied()).stdin(Stdio::null());
        command.stdout(output.try_clone().context("share the log")?).stderr(output);
        let child = command.spawn().with_context(|| format!("start {}", program.display()))?;
        Ok(Process { child, name, log: Some(log), end: Signal::TERM })
    }
}

/// The beginning of a command whose process the kernel kills when this one is gone.
pub(crate) fn dies_with_us(user: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]);
    command
}

/// A process of a peer; ends with this.
pub(crate) struct Process {
    child: Child,
    name: String,
    log: Option<PathBuf>,
    end: Signal,
}

impl Process {
    /// One that was started in some other way.
    pub(crate) fn of(child: Child, name: &str) -> Self {
        Self { child, name: name.to_owned(), log: None, end: Signal::TERM }
    }

    /// Asks it with another signal to end.
    pub(crate) fn ending_with(mut self, end: Signal) -> Self {
        self.end = end;
        self
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Kills it and forgets it.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("kill {}", self.name))?;
        self.child.wait().with_context(|| format!("wait for {}", self.name))?;
        Ok(())
    }

    /// Asks until it is ready; an error that lasts is one, with the end of what the process said.
    pub(crate) fn wait_until<T>(&mut self, what: &str, mut ask: impl FnMut() -> Result<T>) -> Result<T> {
        let begin = Instant::now();
        loop {
            let error = match ask() {
                Ok(ready) => return Ok(ready),
                Err(error) => error,
            };
            let ended = self.child.try_wait().context("look at a process")?;
            if let Some(status) = ended {
                bail!("{} ended, {status}: {}", self.name, self.last_words());
            }
            if begin.elapsed() > READY_WAIT {
                bail!("{}: {what}: {error:#}: {}", self.name, self.last_words());
            }
            thread::sleep(READY_PAUSE);
        }
    }

    fn last_words(&self) -> String {
        let text = self.log.as_ref().and_then(|log| fs::read(log).ok()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned()
    }

    fn has_ended_within(&mut self, limit: Duration) -> bool {
        let begin = Instant::now();
        loop {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            if begin.elapsed() > limit {
                return false;
            }
            thread::sleep(END_PAUSE);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A requester ends with its input.
        self.child.stdin = None;
        // Its own children end with it only if it may say goodbye to them.
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let asked = to_pid(self.child.id()).is_ok_and(|pid| kill_process(pid, self.end).is_ok());
            if asked && self.has_ended_within(END_WAIT) {
                return;
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program of a peer to its end: what it printed.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("run {command:?}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?}: {}", said.lines().last().unwrap_or("failed"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A TCP port of the loopback that nobody listens on.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr().context("find a free port")?.port())
}

/// So many of them, all different.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let listeners: Vec<TcpListener> = (0..N)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port"))
        .collect::<Result<_>>()?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr().context("find a free port")?.port();
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    // A peer that outlives the bench is a stranger's process on somebody's machine.
    #[test]
    fn a_process_ends_with_its_owner() {
        let home = Home::new(Store::Memory).unwrap();
        let directory = home.path("");
        let process = home.start(Path::new("/bin/sh"), &["-c", "echo up; exec sleep 1000"]).unwrap();
        let pid = process.pid();
        assert!(Path::new(&format!("/proc/{pid}")).exists());
        drop(process);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        drop(home);
        assert!(!directory.exists());
    }

    // A row that says only "did not start" helps nobody.
    #[test]
    fn what_fails_says_why() {
        let home = Home::new(Store::Memory).unwrap();
        let mut process = home.start(Path::new("/bin/sh"), &["-c", "echo no such thing; exit 3"]).unwrap();
        let error = process.wait_until("ready", || -> Result<()> { bail!("not yet") }).unwrap_err();
        assert_eq!(error.to_string(), "sh ended, exit status: 3: no such thing");
    }
}
