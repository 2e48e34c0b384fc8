//! Error numbers of sockets (TCP/IP Programming Manual, appendix B), as far as the provider gives them.

use pollux_wire::FileError;
use rustix::io::Errno;

/// ESRCH: no such connection is pending.
pub const NOT_PENDING: FileError = FileError(4003);
/// EIO.
pub const IO: FileError = FileError(4005);
/// EBADF: the descriptor that belongs to the request did not come.
pub const NO_DESCRIPTOR: FileError = FileError(4009);
/// EACCES.
pub const ACCESS: FileError = FileError(4013);
/// EINVAL: a value out of its range, or a socket of another role.
pub const INVALID: FileError = FileError(4022);
/// EMFILE: no descriptor is left.
pub const NO_MORE_DESCRIPTORS: FileError = FileError(4024);
/// EALREADY: one accept is outstanding.
pub const ALREADY: FileError = FileError(4103);
/// ENOTSOCK.
pub const NOT_A_SOCKET: FileError = FileError(4104);
/// EOPNOTSUPP.
pub const NOT_SUPPORTED: FileError = FileError(4111);
/// EAFNOSUPPORT: neither IPv4 nor IPv6.
pub const FAMILY: FileError = FileError(4113);
/// EADDRINUSE.
pub const ADDRESS_IN_USE: FileError = FileError(4114);
/// ECONNRESET: the peer has gone.
pub const RESET: FileError = FileError(4120);
/// ENOBUFS: the provider has no room for one more.
pub const NO_ROOM: FileError = FileError(4121);

/// The number for an error of the kernel.
pub fn of_kernel(errno: Errno) -> FileError {
    match errno {
        Errno::ACCESS | Errno::PERM => ACCESS,
        Errno::INVAL => INVALID,
        Errno::MFILE | Errno::NFILE => NO_MORE_DESCRIPTORS,
        Errno::NOBUFS | Errno::NOMEM => NO_ROOM,
        Errno::NOTSOCK => NOT_A_SOCKET,
        Errno::OPNOTSUPP => NOT_SUPPORTED,
        Errno::ADDRINUSE => ADDRESS_IN_USE,
        Errno::BADF => NO_DESCRIPTOR,
        _ => IO,
    }
}
