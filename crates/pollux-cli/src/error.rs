//! How the command fails: one line that says what happened, one that says what to do next, and an exit code.

use std::fmt;
use std::io;

/// Exit codes, documented in `pollux --help`. A wrong command line ends with 2, in clap.
pub(crate) mod code {
    /// It failed or was refused.
    pub(crate) const FAILED: u8 = 1;
    /// `status`: a wanted pair is not whole.
    pub(crate) const NOT_WHOLE: u8 = 3;
    /// `status`: a CPU failed.
    pub(crate) const CPU_FAILED: u8 = 4;
    /// `explore`: it could not be explored.
    pub(crate) const NOT_EXPLORED: u8 = 3;
    /// Ctrl-C: 128 + SIGINT.
    pub(crate) const INTERRUPTED: u8 = 130;
}

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What happened; empty to say nothing.
    pub(crate) what: String,
    /// What to do next; may be empty when `what` says it already.
    pub(crate) next: String,
    /// The exit code.
    pub(crate) code: u8,
}

/// What commands return.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure with its next step.
    pub(crate) fn new(what: impl Into<String>, next: impl Into<String>) -> Failure {
        Failure { what: what.into(), next: next.into(), code: code::FAILED }
    }

    /// The user asked to stop.
    pub(crate) fn interrupted() -> Failure {
        Failure { code: code::INTERRUPTED, ..Failure::new("interrupted", "") }
    }

    /// The reader of our output went away (`pollux events | head`): nobody is left to tell.
    pub(crate) fn output(error: &io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure { code: 0, ..Failure::new("", "") };
        }
        Failure::new(format!("cannot write the output: {error}"), "look at the file or terminal it goes to")
    }

    /// An error of a file or a directory; the text of `error` already says which step failed.
    pub(crate) fn file(doing: &str, path: &std::path::Path, error: &io::Error) -> Failure {
        let next = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "make room on that file system, or set POLLUX_RUN_DIR to a directory on another one"
            }
            io::ErrorKind::PermissionDenied => {
                "check who owns it, or set POLLUX_RUN_DIR to a directory of your own"
            }
            _ => "check that path, or set POLLUX_RUN_DIR to another directory",
        };
        Failure::new(format!("cannot {doing} {}: {error}", path.display()), next)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pollux: {}", self.what)?;
        if !self.next.is_empty() {
            write!(f, "\n  next: {}", self.next)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    // An error without its next step leaves the operator alone with it.
    #[test]
    fn two_lines_what_and_next() {
        let failure = Failure::new("node \\POLLUX is not running", "pollux up");
        assert_eq!(failure.to_string(), "pollux: node \\POLLUX is not running\n  next: pollux up");
        assert_eq!(Failure::interrupted().to_string(), "pollux: interrupted");
    }

    // `pollux events | head -1` must not end in an error message.
    #[test]
    fn a_closed_pipe_is_no_failure() {
        let failure = Failure::output(&io::ErrorKind::BrokenPipe.into());
        assert_eq!((failure.what.as_str(), failure.code), ("", 0));
    }
}
