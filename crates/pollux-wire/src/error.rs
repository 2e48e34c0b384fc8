//! Errors by Guardian number (Guardian Procedure Errors and Messages Manual, file-system errors).

use crate::codec::{DecodeError, NotByte, Reader, Wire};
use std::fmt;

/// A file-system error number. Zero is success, 1 to 9 are warnings, 10 and above errors, 300 to 511 belong to applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileError(pub u16);

macro_rules! errors {
    ($($(#[$meta:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl FileError {
            $( $(#[$meta])* pub const $name: FileError = FileError($number); )*

            /// What the number means, in one line; empty for a number that Pollux itself never gives.
            pub fn text(self) -> &'static str {
                match self.0 { $( $number => $text, )* _ => "" }
            }
        }
    };
}

errors! {
    /// FEOK.
    OK = 0, "success";
    /// FEEOF.
    END_OF_FILE = 1, "end of file";
    /// FEINVALOP.
    INVALID_OPERATION = 2, "operation not allowed on this file";
    /// FESYSMESS.
    SYSTEM_MESSAGE = 6, "the message read is a system message";
    /// FEDUP.
    EXISTS = 10, "exists already";
    /// FENOTFOUND.
    NOT_FOUND = 11, "no such file or process";
    /// FEINUSE.
    IN_USE = 12, "in use";
    /// FEBADNAME.
    BAD_NAME = 13, "malformed name";
    /// FENOSUCHDEV.
    NO_SUCH_PROCESS = 14, "no process of that name";
    /// FENOTOPEN.
    NOT_OPEN = 16, "not open";
    /// FENOPRIMARY.
    NO_PRIMARY_OPEN = 17, "the primary has not opened it";
    /// FEBADCOUNT.
    BAD_COUNT = 21, "count out of range";
    /// FENONEOUT.
    NOTHING_OUTSTANDING = 26, "nothing outstanding";
    /// FETOOMANY.
    TOO_MANY_OUTSTANDING = 28, "more requests outstanding than the depth allows";
    /// FENOBUFSPACE.
    NO_BUFFER_SPACE = 31, "no buffer space";
    /// FEOLDSYNC.
    OLD_SYNC = 39, "the request is older than the saved replies";
    /// FETIMEDOUT.
    TIMED_OUT = 40, "timed out";
    /// FEDIRFULL.
    DIRECTORY_FULL = 44, "no more names";
    /// FEFILEFULL.
    PAIR_FULL = 45, "the pair has both its halves already";
    /// FESECVIOL.
    SECURITY_VIOLATION = 48, "security violation";
    /// FEWRONGID.
    WRONG_ID = 60, "the server does not know this open: close it and open again";
    /// FEOPENSTOP.
    NO_MORE_OPENS = 61, "no more opens accepted";
    /// FEBADREPLY.
    BAD_REPLY = 74, "reply without a matching request, or no room for one more unreplied message";
    /// FEOWNERSHIP.
    OWNERSHIP = 200, "not the primary: ask the other half";
    /// FEPATHDOWN.
    PATH_DOWN = 201, "the process is gone or cannot be reached";
    /// FENETDOWN.
    NETWORK_DOWN = 250, "all paths to the node are down";
    /// FEILLEGALREQUEST. Pollux answers a quarantined request with it (L5).
    ILLEGAL_REQUEST = 565, "illegal request, or one that was set aside because it killed its server twice";
    /// FEREQABANDONED.
    CANCELLED = 593, "the request was cancelled";
}

impl FileError {
    /// True for 0.
    pub fn is_ok(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            "" => write!(f, "error {}", self.0),
            text => write!(f, "error {}: {text}", self.0),
        }
    }
}

impl std::error::Error for FileError {}

impl Wire for FileError {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        u16::take(reader).map(Self)
    }
}
impl NotByte for FileError {}
