//! One line on a terminal's standard error that says what is being measured.

use rustix::termios::isatty;
use std::io::{Write, stderr};

/// Replaces the line.
pub(crate) fn show(text: &str) {
    write(text);
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
