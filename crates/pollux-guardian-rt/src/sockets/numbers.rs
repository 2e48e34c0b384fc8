//! Numbers of the sockets library, and what Linux calls the same things (TCP/IP Programming Manual, headers and appendix of
//! errors).

use crate::stdio::errno;
use pollux_wire::FileError;
use rustix::io::Errno;

/// An error of the sockets library by its number.
macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: FileError = FileError($number);)*
    };
}

errors! {
    /// No such pending connection, or the new socket is not good.
    ESRCH = 4003;
    /// No socket of that number.
    EBADF = 4009;
    /// A bad address of memory.
    EFAULT = 4014;
    /// A parameter is wrong.
    EINVAL = 4022;
    /// No number is free.
    EMFILE = 4024;
    /// There is no urgent data.
    EWOULDBLOCK = 4101;
    /// The same is under way.
    EALREADY = 4103;
    /// The number is of a file that is not a socket.
    ENOTSOCK = 4104;
    /// No such option.
    ENOPROTOOPT = 4108;
    /// No such protocol.
    EPROTONOSUPPORT = 4109;
    /// No such type.
    ESOCKTNOSUPPORT = 4110;
    /// Not for this socket.
    EOPNOTSUPP = 4111;
    /// No such address family.
    EAFNOSUPPORT = 4113;
    /// Bound already.
    EADDRINUSE = 4114;
    /// No such address.
    EADDRNOTAVAIL = 4115;
    /// The connection was reset.
    ECONNRESET = 4120;
    /// The buffer cannot hold more.
    ENOBUFS = 4121;
    /// Connected already.
    EISCONN = 4122;
    /// Not connected.
    ENOTCONN = 4123;
    /// Shut down.
    ESHUTDOWN = 4124;
    /// No such interface.
    ENXIO = 4006;
    /// Not permitted.
    EPERM = 4001;
    /// Urgent data must be read first.
    EHAVEOOB = 4195;
    /// A direct write or read, or an internal error.
    EBADSYS = 4196;
}

/// An error of Linux by its number here. What has two meanings, EPIPE, is told apart by the caller.
pub(crate) fn of_linux(error: Errno) -> FileError {
    FileError(u16::try_from(errno::from_linux(error.raw_os_error())).unwrap_or(EBADSYS.0))
}

/// The same for an error of the standard library.
pub(crate) fn of_io(error: &std::io::Error) -> FileError {
    of_linux(Errno::from_io_error(error).unwrap_or(Errno::IO))
}

/// What `errno` is set to: names of C and file-system errors are in one space.
pub(crate) fn errno_of(error: FileError) -> i32 {
    match error {
        // A number that is not open.
        FileError::NOT_OPEN => i32::from(EBADF.0),
        // The table of open files is full.
        FileError(34) => i32::from(EMFILE.0),
        FileError(number) => i32::from(number),
    }
}

/// Address families.
pub(crate) const AF_INET: i32 = 2;
/// The same, version 6.
pub(crate) const AF_INET6: i32 = 10;

/// Socket types of a program.
pub(crate) const SOCK_STREAM: i32 = 1;
pub(crate) const SOCK_DGRAM: i32 = 2;
pub(crate) const SOCK_RAW: i32 = 3;
pub(crate) const SOCK_STREAM_NONFT: i32 = 101;

/// Flags of a transfer.
pub(crate) const MSG_OOB: i32 = 1;
pub(crate) const MSG_PEEK: i32 = 2;
pub(crate) const MSG_DONTROUTE: i32 = 4;

/// Flags of `socket_nw`: bit 8 as TAL counts, and the depth in bits 12 to 15.
pub(crate) const FLAG_NOWAIT_OPEN: i32 = 0o200;
pub(crate) const FLAG_DEPTH: i32 = 0o17;

#[cfg(test)]
mod tests {
    use super::*;

    // Programs compare with bare numbers: each of the manual's list must be the one of the C header.
    #[test]
    fn linux_errors_have_the_numbers_of_the_manual() {
        for (linux, here) in [
            (Errno::ADDRINUSE, 4114),
            (Errno::ADDRNOTAVAIL, 4115),
            (Errno::CONNREFUSED, 4127),
            (Errno::CONNRESET, 4120),
            (Errno::TIMEDOUT, 4126),
            (Errno::NOTCONN, 4123),
            (Errno::ISCONN, 4122),
            (Errno::MSGSIZE, 4106),
            (Errno::NETUNREACH, 4117),
            (Errno::HOSTUNREACH, 4129),
            (Errno::NOBUFS, 4121),
            (Errno::ACCESS, 4013),
            (Errno::MFILE, 4024),
            (Errno::INVAL, 4022),
            (Errno::NOPROTOOPT, 4108),
        ] {
            assert_eq!(of_linux(linux), FileError(here), "{linux:?}");
        }
        assert_eq!(errno_of(FileError::NOT_OPEN), 4009);
        assert_eq!(errno_of(FileError(14)), 14);
    }
}
