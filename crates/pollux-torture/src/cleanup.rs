//! Ends every process of one node's directory, and of no other.
//!
//! A process belongs to a directory if it is named in its command line (daemons) or its environment (everything they
//! start). The directories have random names, so no other process can match.

use pollux_os::Signal;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The hidden command of the guard.
pub const GUARD_COMMAND: &str = "__node-guard";
/// Rounds of killing: a daemon that is killed while it starts another one leaves that for the next round.
const ROUNDS_MAX: u32 = 50;

/// The processes of a node's run root, with their command lines.
pub fn processes_of(root: &Path) -> Vec<(i32, String)> {
    let wanted = root.as_os_str().as_encoded_bytes();
    let own = std::process::id().cast_signed();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        if pid == own {
            continue;
        }
        let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
        let line = read("cmdline");
        // A zombie has neither; the guard itself is named last.
        let is_guard = line.split(|byte| *byte == 0).nth(1) == Some(GUARD_COMMAND.as_bytes());
        if !is_guard && (contains(&line, wanted) || contains(&read("environ"), wanted)) {
            found.push((pid, String::from_utf8_lossy(&line).replace('\0', " ")));
        }
    }
    found
}

/// Kills all processes of a node's run root; true when none is left.
pub fn kill_all(root: &Path) -> bool {
    for _ in 0..ROUNDS_MAX {
        let found = processes_of(root);
        if found.is_empty() {
            return true;
        }
        for (pid, line) in found {
            let Some(pid) = Pid::from_raw(pid) else { continue };
            let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
            // The number may have passed on between the look and the handle.
            if processes_of(root).contains(&(pid.as_raw_nonzero().get(), line)) {
                let _ = pidfd_send_signal(&handle, Signal::KILL);
                let _ = pollux_os::wait_gone(&handle, std::time::Duration::from_millis(200));
            }
        }
    }
    false
}

/// The guard: waits until its standard input ends, which it does however the test process ends, and cleans up.
pub fn guard_main(root: &Path) -> ExitCode {
    let _ = rustix::process::setsid();
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    kill_all(root);
    // Only what tempfile made: a directory of another shape is not ours.
    let is_ours = root.file_name().is_some_and(|name| name.to_string_lossy().starts_with(ROOT_PREFIX));
    if is_ours {
        let _ = fs::remove_dir_all(root);
    }
    ExitCode::SUCCESS
}

/// How the directories of nodes under test begin.
pub const ROOT_PREFIX: &str = "pollux-torture-";

/// Open descriptors of a process; none if it is gone.
pub fn descriptors_of(pid: u32) -> Option<usize> {
    Some(fs::read_dir(PathBuf::from(format!("/proc/{pid}/fd"))).ok()?.count())
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}
