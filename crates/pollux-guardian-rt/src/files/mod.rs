//! The open files of this process.
//!
//! | Module | What it holds |
//! | --- | --- |
//! | [`table`] | which number a file gets |
//! | [`operations`] | which operation of a file is finished next |
//! | [`process`] | process files: the requester's side of the message system |
//! | [`sync_block`] | what a primary tells its backup of a process file |
//!
//! Other kinds of files plug in as [`OtherFile`].

pub mod operations;
mod other;
pub mod process;
pub mod sync_block;
pub mod table;

use crate::memory::Buffer;
use crate::sockets::file::SocketFile;
use crate::waits::Watched;
use operations::{Kind, Operations, Outcome};
use pollux_os::{Event, Interest};
use pollux_wire::FileError;
use process::ProcessFile;
use std::os::fd::BorrowedFd;

/// Longest transfer of the procedures with 16-bit counts (Guardian Procedure Calls, `WRITEREADX`).
pub const SHORT_TRANSFER_BYTES_MAX: usize = 57_344;
/// Longest transfer of the procedures with 32-bit counts.
pub const LONG_TRANSFER_BYTES_MAX: usize = pollux_wire::limits::PAYLOAD_BYTES_MAX;

/// What is behind a file number.
#[allow(private_interfaces, reason = "sockets are not tested from outside")]
pub enum FileKind {
    /// `$RECEIVE`.
    Receive,
    /// A process.
    Process(Box<ProcessFile>),
    /// A Linux file, a terminal.
    Other(Box<dyn OtherFile>),
    /// A socket of the sockets library.
    Socket(Box<SocketFile>),
}

/// An open file.
pub struct File {
    /// Names this open among all that ever had the number.
    pub serial: u64,
    /// What it is.
    pub kind: FileKind,
    /// Its name in full.
    pub name: String,
    /// Access, exclusion and options, as they were given to `FILE_OPEN_`.
    pub mode: Mode,
    /// What is under way.
    pub operations: Operations,
    /// How the descriptor of a file of another kind is registered.
    pub(crate) watched: Watched,
    /// Error of the last operation (`FILE_GETINFO_`).
    pub last_error: FileError,
    /// What `SETMODE` has set, by function: last parameters 1 and 2.
    pub modes: std::collections::BTreeMap<i16, (i16, i16)>,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mode {
    /// 0 both, 1 read, 2 write, 3 extend.
    pub access: u8,
    /// 0 shared, 1 exclusive, 2 process-exclusive, 3 protected.
    pub exclusion: u8,
    /// Operations at a time; 0: each is waited for.
    pub nowait_depth: u16,
    /// Sync depth, for `$RECEIVE` receive depth.
    pub depth: u16,
    /// Option bits.
    pub options: u16,
}

/// Option bit: nowait open.
pub const OPTION_NOWAIT_OPEN: u16 = 0x4000;
/// Option bit: a backup open may get any file number.
pub const OPTION_ANY_NUMBER: u16 = 0x1000;
/// Option bit: no file-management messages.
pub const OPTION_NO_SYSTEM_MESSAGES: u16 = 1;

impl Mode {
    /// Error 49 if the access mode does not permit the operation.
    pub fn check_access(self, kind: Kind) -> Result<(), FileError> {
        let permitted = match kind {
            Kind::Read | Kind::ReadUpdate => matches!(self.access, 0 | 1),
            Kind::Write | Kind::WriteUpdate => matches!(self.access, 0 | 2 | 3),
            Kind::WriteRead => self.access == 0,
            Kind::Open | Kind::Control | Kind::Socket => true,
        };
        if permitted { Ok(()) } else { Err(FileError(49)) }
    }
}

/// One data transfer, as all forms of READ and WRITE ask for it.
#[derive(Debug, Clone, Copy)]
pub struct Transfer {
    /// Which.
    pub kind: Kind,
    /// What is written.
    pub write: Buffer,
    /// Room for what is read.
    pub read: Buffer,
    /// What the program calls it by.
    pub tag: i64,
}

/// A file of another kind: what [`crate::runtime::Runtime`] needs of it.
///
/// Operations of a nowait file may finish later: `start` gives `None` then, and `poll` is asked until it has the outcome.
/// They finish in the order in which they were started.
pub trait OtherFile: Send {
    /// The five words of `FILE_GETINFO_`: device type, subtype, object type, file type, file code.
    fn type_words(&self) -> [i16; 5];

    /// Starts a transfer.
    fn start(&mut self, transfer: &Transfer, mode: Mode) -> Result<Option<Outcome>, FileError>;

    /// What became of the oldest transfer that is not finished.
    fn poll(&mut self) -> Option<Outcome>;

    /// The descriptor, if there is one, and what transfers that are not finished wait for; see `waits`.
    fn waits_for(&self) -> Option<(BorrowedFd<'_>, Option<Interest>)> {
        None
    }

    /// What was waited for has come; `poll` is asked next.
    fn note_ready(&mut self, _event: Event) {}

    /// `CONTROL`, `SETMODE` and the like: the message as a process would read it. The reply as a process would give it.
    fn control(&mut self, message: &[u8]) -> Result<Vec<u8>, FileError>;

    /// The oldest transfer that is not finished is given up.
    fn cancel(&mut self);

    /// The file is closed.
    fn close(&mut self);

    /// For procedures that only this kind of file has.
    fn as_any(&mut self) -> &mut dyn std::any::Any;
}
