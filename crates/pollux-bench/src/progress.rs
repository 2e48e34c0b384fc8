//! One line on a terminal's standard error that says what is being measured; where it is no terminal, one for each benchmark.

use rustix::termios::isatty;
use std::io::{Write, stderr};

/// Replaces the line.
pub(crate) fn show(text: &str) {
    write(text);
}

/// A benchmark begins.
pub(crate) fn begin(name: &str) {
    if !isatty(stderr()) {
        let _ = writeln!(stderr().lock(), "pollux-bench: {name}");
    }
}

/// Removes the line.
pub(crate) fn clear() {
    write("");
}

fn write(text: &str) {
    let stderr = stderr();
    if isatty(&stderr) {
        // Progress that cannot be shown is not worth an error.
        let _ = write!(stderr.lock(), "\r\x1b[2K{text}");
        let _ = stderr.lock().flush();
    }
}
