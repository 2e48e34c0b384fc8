//! Programs and directories that all rounds of a campaign use.

use super::{Problem, harness};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The C pair and its requesters, from the sources that people copy.
const SERVER: &str = include_str!("../../../../examples/c/pair_server.c");
const PROTOCOL: &str = include_str!("../../../../examples/c/pair_protocol.h");
const RECORDER: &str = include_str!("../../c/recorder.c");

/// Set in the process that has mounts of its own.
const OWN_MOUNTS: &str = "POLLUX_TORTURE_OWN_MOUNTS";

/// What rounds use.
pub struct Tools {
    /// `pollux-torture-node`.
    pub node: PathBuf,
    /// Where histories of a failure go.
    pub failures: PathBuf,
    directory: tempfile::TempDir,
    /// Why no file system can be mounted, if none can.
    no_mounts: Option<String>,
}

impl Tools {
    /// Compiles the C programs. The node's program is beside this one, and so is the library of C programs.
    pub fn make(failures: &Path) -> Result<Self, Problem> {
        let own = std::env::current_exe().map_err(harness("where is this program"))?;
        let node = own.with_file_name("pollux-torture-node");
        if !node.is_file() {
            return Err(Problem::Harness(format!(
                "{} is not there\n  next: cargo xtask torture, which builds it",
                node.display()
            )));
        }
        let directory =
            tempfile::Builder::new().prefix("pollux-torture-c.").tempdir().map_err(harness("a directory"))?;
        let no_mounts = match std::env::var(OWN_MOUNTS).as_deref() {
            Ok("yes") => None,
            Ok(why) => Some(why.to_owned()),
            Err(_) => Some("this process shares its mounts with others".to_owned()),
        };
        let tools = Self { node, failures: failures.to_owned(), directory, no_mounts };
        let write = |name: &str, text: &str| {
            std::fs::write(tools.directory.path().join(name), text).map_err(harness(format!("write {name}")))
        };
        write("pair_protocol.h", PROTOCOL)?;
        for (name, text) in [("pair_server", SERVER), ("recorder", RECORDER)] {
            let source = format!("{name}.c");
            write(&source, text)?;
            let path = |name: &str| tools.directory.path().join(name).display().to_string();
            let words = ["-O2", "-o", &path(name), &path(&source)].map(str::to_owned);
            if guardian_cc::driver::run(&words) != 0 {
                return Err(Problem::Harness(format!("{source} does not compile")));
            }
        }
        Ok(tools)
    }

    /// The C server.
    pub fn server(&self) -> PathBuf {
        self.directory.path().join("pair_server")
    }

    /// The C requester.
    pub fn recorder(&self) -> PathBuf {
        self.directory.path().join("recorder")
    }

    /// Why no small file system can be had, if none can.
    pub fn no_mounts(&self) -> Option<&str> {
        self.no_mounts.as_deref()
    }
}

/// Becomes this program with mounts of its own, so that what a round mounts is gone with it, however it ends. Returns when it is
/// that already, or why it cannot begin.
pub fn take_own_mounts() -> Result<(), std::io::Error> {
    if std::env::var_os(OWN_MOUNTS).is_some() {
        return Ok(());
    }
    let own = std::env::current_exe()?;
    let can =
        Command::new("unshare").args(["--mount", "true"]).output().is_ok_and(|done| done.status.success());
    let mut command = if can { Command::new("unshare") } else { Command::new(&own) };
    if can {
        command.args(["--mount", "--propagation", "private", "--"]).arg(&own).env(OWN_MOUNTS, "yes");
    } else {
        command.env(OWN_MOUNTS, "unshare --mount is not allowed here");
    }
    // It returns only if it has failed.
    Err(command.args(std::env::args_os().skip(1)).exec())
}

/// A file system of its own, as large as this, until it is dropped.
pub struct SmallDisk {
    directory: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts it.
    pub fn mount(bytes: u64) -> Result<Self, Problem> {
        let directory = tempfile::Builder::new()
            .prefix("pollux-torture-disk.")
            .tempdir()
            .map_err(harness("a directory"))?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "none"]).arg(directory.path());
        let done = mount.output().map_err(harness("mount"))?;
        if !done.status.success() {
            return Err(Problem::Harness(format!("mount: {}", String::from_utf8_lossy(&done.stderr).trim())));
        }
        Ok(Self { directory })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.directory.path()).status();
    }
}
