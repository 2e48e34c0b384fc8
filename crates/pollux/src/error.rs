//! What can go wrong for a program that uses Pollux.

use pollux_wire::{DecodeError, FileError, NameError};
use std::io;

/// An error of the `pollux` crate.
///
/// Three classes are always distinguishable: *done* is no error; *not done* is every variant but two;
/// *unknown* is [`Error::File`] with 201 at sync depth 0 and [`Error::Unknown`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The program does not run in a node.
    #[error(
        "this program was not started in a Pollux node\n  next: start a node with `pollux up`, then the program with `pollux run --name '$NAME' PROGRAM`"
    )]
    NotInNode,
    /// No node can be reached.
    #[error(
        "no Pollux node answers in {directory}: {reason}\n  next: `pollux up`, or set POLLUX_RUN_DIR and POLLUX_NODE to where the node runs"
    )]
    NoNode {
        /// Where it was looked for.
        directory: String,
        /// Why it did not answer.
        reason: String,
    },
    /// The daemon refused the process.
    #[error("the node refused this process: {0}")]
    Refused(String),
    /// A server or the file system answered with an error number.
    #[error("{0}")]
    File(#[from] FileError),
    /// A name is malformed.
    #[error("{0}")]
    Name(#[from] NameError),
    /// A system call failed.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Bytes from another process are not what they should be.
    #[error("a malformed message from {from}: {source}")]
    Malformed {
        /// Who sent it.
        from: &'static str,
        /// What is wrong.
        source: DecodeError,
    },
    /// A value cannot be turned into bytes or back.
    #[error("a value of {object} cannot be encoded or decoded: {reason}")]
    Value {
        /// Which replicated object or message.
        object: String,
        /// Why.
        reason: String,
    },
    /// The program uses the crate in a way that cannot work; the words say how to use it.
    #[error("{0}")]
    Misuse(&'static str),
    /// The connection to the node ended; whether the last operation was done is unknown.
    #[error("the connection to the node ended: its CPU is lost")]
    Unknown,
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Puts words to a failed system call.
pub(crate) trait Context<T> {
    /// `what` was tried.
    fn context(self, what: &'static str) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, what: &'static str) -> Result<T> {
        self.map_err(|source| Error::System { what, source: source.into() })
    }
}
