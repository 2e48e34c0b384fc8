//! Where the processes of a node are, for a test that finds them standing still.

use crate::cleanup::processes_of;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What each thread of each process of a node's run root waits for in the kernel, and its stack where gdb is installed; and what
/// the kernel has complained of last, since a machine that runs nothing looks like a lost wake-up.
pub fn stacks(root: &Path) -> String {
    let mut text = String::new();
    for (pid, line) in processes_of(root) {
        let _ = writeln!(text, "--- process {pid}: {line}");
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let (name, state, call) = (read("comm"), read("wchan"), read("syscall"));
            let _ = writeln!(text, "{} {state} {}", name.trim(), call.trim());
        }
        let words = ["30", "gdb", "-p", &pid.to_string(), "-batch", "-ex", "thread apply all backtrace 30"];
        text += &lines_of("timeout", &words, |line| line.starts_with('#') || line.starts_with("Thread"));
    }
    text + "--- kernel\n"
        + &lines_of("dmesg", &["--ctime"], |line| line.contains("BUG:") || line.contains("stalled"))
}

/// Lines of what a program says; nothing of one that is not there.
fn lines_of(program: &str, arguments: &[&str], wanted: impl Fn(&str) -> bool) -> String {
    let said = Command::new(program).args(arguments).output().map(|output| output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).into_owned();
    said.lines().filter(|line| wanted(line)).fold(String::new(), |text, line| text + line + "\n")
}
