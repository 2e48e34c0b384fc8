//! The demo's node: in a temporary directory, and gone afterwards, however the demo ends.
//!
//! ```text
//! demo --- pipe ---> guard (own session, `pollux __guard DIR`)
//!   |                  end of the pipe = the demo is gone, kill -9 included: node down, directory removed
//!   +-- Drop: node down, directory removed, pipe closed
//!             (with --keep: one byte into the pipe, the directory stays)
//! ```
//!
//! A parent-death signal would not do: a CPU that failed is started again by another daemon, not by the demo.

use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use pollux_wire::NodeName;

use crate::error::{Failure, Result};
use crate::hidden;
use crate::node::Node;
use crate::shutdown::shut_down;
use crate::start::{Settings, own_program, start};
use crate::time::unix_ms;

/// Every directory that may be removed begins so.
const DIRECTORY_PREFIX: &str = "pollux-demo-";
/// The demo's node.
const NODE: &str = "\\DEMO";
/// Daemons that have not ended by then are killed: nobody needs this node any more.
const END_MAX: Duration = Duration::from_secs(3);

/// A node that lives as long as this value.
#[derive(Debug)]
pub(crate) struct Place {
    node: Node,
    guard: Child,
    keep: bool,
}

impl Place {
    /// Makes the directory and starts a node in it. With `keep` its logs and events are left in the end.
    pub(crate) fn start(cpus: u8, keep: bool) -> Result<Place> {
        let root =
            std::env::temp_dir().join(format!("{DIRECTORY_PREFIX}{}-{}", std::process::id(), unix_ms()));
        let name = NodeName::new(NODE).expect("the name is right");
        let program = own_program()?;
        let failed = |error| Failure::file("start", &program, &error);
        // The guard first: from here on nothing can be left behind.
        let guard = Command::new(&program)
            .arg(hidden::GUARD)
            .arg(&root)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let place = Place { node: Node::within(root, name), guard, keep };
        start(place.node(), &Settings { cpus, ..Settings::DEFAULT })?;
        Ok(place)
    }

    /// The node.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        clean_up(&self.node, self.keep);
        if let (true, Some(pipe)) = (self.keep, &mut self.guard.stdin) {
            // A guard that is gone removes nothing.
            let _ = pipe.write_all(b"k");
        }
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// The guard's body: `__guard DIR`, with the demo's pipe as standard input.
pub(crate) fn guard_main(arguments: &[OsString]) -> ExitCode {
    // Out of the terminal's reach: Ctrl-C must end the demo and not the one who cleans up after it.
    let _ = rustix::process::setsid();
    let [root] = arguments else { return ExitCode::from(2) };
    let Some(root) = removable(root) else { return ExitCode::from(2) };
    let mut told = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut told);
    let name = NodeName::new(NODE).expect("the name is right");
    clean_up(&Node::within(root, name), !told.is_empty());
    ExitCode::SUCCESS
}

/// The path, if it is one of a demo: nothing else is ever removed.
fn removable(root: &OsString) -> Option<PathBuf> {
    let root = PathBuf::from(root);
    let name = root.file_name()?.to_str()?;
    (root.is_absolute() && name.starts_with(DIRECTORY_PREFIX)).then_some(root)
}

fn clean_up(node: &Node, keep: bool) {
    // What cannot be ended or removed here cannot be helped by telling: the demo's verdict is told already.
    let _ = shut_down(node, END_MAX);
    if !keep {
        remove(node.root());
    }
}

fn remove(root: &Path) {
    /// A process that dies may still write a last line into its log.
    const TRIES: u32 = 5;
    for _ in 0..TRIES {
        match fs::remove_dir_all(root) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                std::thread::sleep(Duration::from_millis(20));
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A clean-up that can be pointed at any directory is a way to lose one.
    #[test]
    fn only_directories_of_a_demo_are_removed() {
        assert!(removable(&"/tmp/pollux-demo-1-2".into()).is_some());
        for other in ["/", "/home/x", "pollux-demo-1", "/tmp/pollux-demo-1/..", ""] {
            assert!(removable(&other.into()).is_none(), "{other}");
        }
    }
}
