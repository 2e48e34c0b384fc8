//! Where a node lives: the run root, the node's directory in it and the files there.
//!
//! ```text
//! <root>                   POLLUX_RUN_DIR, or $XDG_RUNTIME_DIR/pollux, or /run/pollux (root), or /tmp/pollux-<uid>
//!   POLLUX/                one directory per node, mode 0700
//!     cpu-0.sock           the daemon of CPU 0 answers here
//!     cpu-0.log            what it says
//!     events.jsonl         one line per event (events.1.jsonl: the older ones)
//!     coordinator/         who is primary of what
//!     log/KV-1700.log      output of programs
//!     up.lock              held by a `pollux up` or `pollux down` at work
//! ```

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use pollux_wire::control::RUN_DIRECTORY_VARIABLE;
use pollux_wire::limits::CPUS_PER_NODE_MAX;
use pollux_wire::{CpuNumber, NodeName};

use crate::error::{Failure, Result};

/// The node that is meant when none is named.
pub(crate) const NODE_DEFAULT: &str = "\\POLLUX";

/// A node's name and place. Says nothing about whether it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    name: NodeName,
    root: PathBuf,
}

impl Node {
    /// The node of that name in the run root that the environment gives.
    pub(crate) fn find(name: NodeName) -> Node {
        Node::within(run_root(|variable| std::env::var_os(variable), own_user()), name)
    }

    /// The node of that name in `root`.
    pub(crate) fn within(root: PathBuf, name: NodeName) -> Node {
        Node { name, root }
    }

    /// Makes the node's directories, or checks that only we can enter those that exist.
    pub(crate) fn make_directories(&self) -> Result<()> {
        let failed = |error: std::io::Error| {
            Failure::new(
                format!("the run directory cannot be used: {error}"),
                format!("do that, or set {RUN_DIRECTORY_VARIABLE} to a directory of your own"),
            )
        };
        if let Some(parent) = self.root.parent() {
            fs::create_dir_all(parent)
                .map_err(|error| Failure::file("make the directory", parent, &error))?;
        }
        match fs::symlink_metadata(&self.root) {
            Ok(there) => check_root(&self.root, &there)?,
            Err(_) => pollux_os::private_directory(&self.root).map_err(failed)?,
        }
        pollux_os::private_directory(&self.directory()).map_err(failed)?;
        pollux_os::private_directory(&self.log_directory()).map_err(failed)
    }

    /// Its name with the backslash.
    pub(crate) fn name(&self) -> &NodeName {
        &self.name
    }

    /// The run root.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The node's directory.
    pub(crate) fn directory(&self) -> PathBuf {
        self.root.join(self.name.as_str().trim_start_matches('\\'))
    }

    /// Where the daemon of a CPU answers.
    pub(crate) fn socket(&self, cpu: CpuNumber) -> PathBuf {
        self.directory().join(format!("cpu-{cpu}.sock"))
    }

    /// What the daemon of a CPU says.
    pub(crate) fn daemon_log(&self, cpu: CpuNumber) -> PathBuf {
        self.directory().join(format!("cpu-{cpu}.log"))
    }

    /// Output of programs.
    pub(crate) fn log_directory(&self) -> PathBuf {
        self.directory().join("log")
    }

    /// The newest events.
    pub(crate) fn events(&self) -> PathBuf {
        self.directory().join("events.jsonl")
    }

    /// The events before those.
    pub(crate) fn events_older(&self) -> PathBuf {
        self.directory().join("events.1.jsonl")
    }

    /// The coordinator's files.
    #[cfg(test)]
    pub(crate) fn coordinator(&self) -> PathBuf {
        self.directory().join("coordinator")
    }

    /// Locked while a command starts or stops the node.
    pub(crate) fn lock(&self) -> PathBuf {
        self.directory().join("up.lock")
    }

    /// The CPUs that have, or had, a daemon: those with a socket.
    pub(crate) fn cpus_with_socket(&self) -> Vec<CpuNumber> {
        all_cpus().filter(|cpu| self.socket(*cpu).exists()).collect()
    }

    /// `--node '\NAME'` for a hint, or nothing for the default node.
    pub(crate) fn option(&self) -> String {
        if self.name.as_str() == NODE_DEFAULT { String::new() } else { format!(" --node '{}'", self.name) }
    }
}

/// The numbers of all CPUs a node may have.
pub(crate) fn all_cpus() -> impl Iterator<Item = CpuNumber> {
    (0..CPUS_PER_NODE_MAX).filter_map(CpuNumber::new)
}

/// A root that was there before us may be readable by others, since each node's directory in it is private; but nobody
/// else may be able to put a directory there in the place of ours.
fn check_root(root: &Path, there: &fs::Metadata) -> Result<()> {
    let wrong =
        |what: &str, next: String| Failure::new(format!("the run directory {} {what}", root.display()), next);
    let elsewhere = format!("set {RUN_DIRECTORY_VARIABLE} to a directory of your own");
    if !there.is_dir() {
        return Err(wrong("is not a directory of its own", format!("remove it, or {elsewhere}")));
    }
    if there.uid() != own_user() {
        return Err(wrong(&format!("belongs to user {}", there.uid()), elsewhere));
    }
    if there.mode() & 0o022 != 0 {
        let mode = format!("can be written by others (mode {:04o})", there.mode() & 0o7777);
        return Err(wrong(&mode, format!("chmod 700 {}", root.display())));
    }
    Ok(())
}

fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The run root: see the picture at the top of this file.
fn run_root(variable: impl Fn(&str) -> Option<OsString>, user: u32) -> PathBuf {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(root) = set(RUN_DIRECTORY_VARIABLE) {
        // The daemons run in other directories than the command.
        return std::path::absolute(&root).unwrap_or(root);
    }
    match set("XDG_RUNTIME_DIR") {
        Some(runtime) if runtime.is_absolute() => runtime.join("pollux"),
        _ if user == 0 => PathBuf::from("/run/pollux"),
        _ => PathBuf::from(format!("/tmp/pollux-{user}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root_for(set: &[(&str, &str)], user: u32) -> PathBuf {
        run_root(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()), user)
    }

    // Two commands that look in different places would each believe that the other's node is down.
    #[test]
    fn the_run_root_comes_from_the_environment() {
        let xdg = ("XDG_RUNTIME_DIR", "/run/user/7");
        assert_eq!(root_for(&[("POLLUX_RUN_DIR", "/x/y"), xdg], 7), Path::new("/x/y"));
        assert_eq!(root_for(&[("POLLUX_RUN_DIR", ""), xdg], 7), Path::new("/run/user/7/pollux"));
        assert_eq!(root_for(&[("XDG_RUNTIME_DIR", "relative")], 7), Path::new("/tmp/pollux-7"));
        assert_eq!(root_for(&[], 0), Path::new("/run/pollux"));
        assert!(root_for(&[("POLLUX_RUN_DIR", "here")], 7).is_absolute());
    }

    // A node's directory that anyone may enter would hand the node to every user of the machine.
    #[test]
    fn directories_are_private_and_their_parents_are_made() {
        use std::os::unix::fs::PermissionsExt as _;
        let base = tempfile::tempdir().unwrap();
        let node = Node::within(base.path().join("a/b"), NodeName::new("\\N1").unwrap());
        node.make_directories().unwrap();
        node.make_directories().unwrap();
        for path in [node.root().to_owned(), node.directory(), node.log_directory()] {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700, "{path:?}");
        }
        assert_eq!(node.socket(CpuNumber::new(3).unwrap()), base.path().join("a/b/N1/cpu-3.sock"));
        fs::set_permissions(node.root(), fs::Permissions::from_mode(0o755)).unwrap();
        node.make_directories().unwrap();
        fs::set_permissions(node.root(), fs::Permissions::from_mode(0o777)).unwrap();
        let failure = node.make_directories().unwrap_err();
        assert!(failure.next.contains("chmod 700"), "{failure}");
        fs::set_permissions(node.root(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::set_permissions(node.directory(), fs::Permissions::from_mode(0o750)).unwrap();
        assert!(node.make_directories().unwrap_err().what.contains("chmod 700"));
    }
}
