//! A node of a command's own: in a temporary directory, and gone afterwards, however the command ends.
//!
//! ```text
//! demo, explore --- pipe ---> guard (own session, `pollux __guard DIR`)
//!   |                  end of the pipe = the command is gone, kill -9 included: node down, directory removed
//!   +-- Drop: node down, directory removed, pipe closed
//!             (with --keep: one byte into the pipe, the directory stays)
//! ```
//!
//! A parent-death signal would not do: a CPU that failed is started again by another daemon, not by the command.

use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pollux_wire::NodeName;

use crate::error::{Failure, Result};
use crate::hidden;
use crate::node::Node;
use crate::shutdown::shut_down;
use crate::start::{Settings, own_program, start};
use crate::time::unix_ms;

/// Whose node it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `pollux demo`.
    Demo,
    /// `pollux explore`.
    Explore,
}

impl Purpose {
    /// Every directory that may be removed begins so.
    fn directory_prefix(self) -> &'static str {
        match self {
            Self::Demo => "pollux-demo-",
            Self::Explore => "pollux-explore-",
        }
    }

    fn node(self) -> NodeName {
        let name = match self {
            Self::Demo => "\\DEMO",
            Self::Explore => "\\EXPLORE",
        };
        NodeName::new(name).expect("the name is right")
    }
}

/// Tells the places of one process apart.
static PLACES: AtomicU32 = AtomicU32::new(0);
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
    pub(crate) fn start(purpose: Purpose, settings: &Settings, keep: bool) -> Result<Place> {
        let (prefix, number) = (purpose.directory_prefix(), PLACES.fetch_add(1, Ordering::Relaxed));
        let root =
            std::env::temp_dir().join(format!("{prefix}{}-{}-{number}", std::process::id(), unix_ms()));
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
        let place = Place { node: Node::within(root, purpose.node()), guard, keep };
        start(place.node(), settings)?;
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

/// The guard's body: `__guard DIR`, with the command's pipe as standard input.
pub(crate) fn guard_main(arguments: &[OsString]) -> ExitCode {
    // Out of the terminal's reach: Ctrl-C must end the command and not the one who cleans up after it.
    let _ = rustix::process::setsid();
    let [root] = arguments else { return ExitCode::from(2) };
    let Some((root, purpose)) = removable(root) else { return ExitCode::from(2) };
    let mut told = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut told);
    clean_up(&Node::within(root, purpose.node()), !told.is_empty());
    ExitCode::SUCCESS
}

/// The path, if it is one of ours: nothing else is ever removed.
fn removable(root: &OsString) -> Option<(PathBuf, Purpose)> {
    let root = PathBuf::from(root);
    let name = root.file_name()?.to_str()?;
    let purpose = [Purpose::Demo, Purpose::Explore]
        .into_iter()
        .find(|purpose| name.starts_with(purpose.directory_prefix()))?;
    root.is_absolute().then_some((root, purpose))
}

fn clean_up(node: &Node, keep: bool) {
    // What cannot be ended or removed here cannot be helped by telling: the verdict is told already.
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
    fn only_directories_of_our_own_are_removed() {
        assert!(removable(&"/tmp/pollux-demo-1-2-0".into()).is_some_and(|found| found.1 == Purpose::Demo));
        assert!(
            removable(&"/tmp/pollux-explore-1-2-0".into()).is_some_and(|found| found.1 == Purpose::Explore)
        );
        for other in ["/", "/home/x", "pollux-demo-1", "/tmp/pollux-demo-1/..", ""] {
            assert!(removable(&other.into()).is_none(), "{other}");
        }
    }
}
