//! `errno` of Guardian programs: one space of numbers for file-system errors and for the names of C.
//!
//! File-system errors are below 4000; `ENOENT` and the like are 4000 and what the platform of the original calls them, not
//! what Linux does. An open gives `EINVAL`, `EMFILE`, `ENFILE`, `ENOENT` and `ENOMEM` by name and any other reason as the
//! file-system error itself (Guardian Native C Library Calls, `fopen_guardian`).

use pollux_wire::FileError;

/// `EINVAL`.
pub(crate) const EINVAL: i32 = 4022;
/// `EAGAIN`.
pub(crate) const EAGAIN: i32 = 4011;
/// `EACCES`.
pub(crate) const EACCES: i32 = 4013;
/// `ENOCPU`.
pub(crate) const ENOCPU: i32 = 4207;
/// `EUNKNOWN`.
pub(crate) const EUNKNOWN: i32 = 4208;
/// `ENOENT`.
pub(crate) const ENOENT: i32 = 4002;
/// `ENOMEM`.
pub(crate) const ENOMEM: i32 = 4012;
/// `EMFILE`.
pub(crate) const EMFILE: i32 = 4024;
/// `EIO`.
pub(crate) const EIO: i32 = 4005;
/// `ENOIMEM`: no memory for the run-time itself.
pub(crate) const ENOIMEM: i32 = 4199;
/// `ENONSTOP`: a stream that is not open, or a start of a backup that failed for no file's sake.
pub(crate) const ENONSTOP: i32 = 4210;

/// Number here, name, number on Linux (-1: Linux has none), text.
const NAMES: &[(i32, &str, i32, &str)] = &[
    (4001, "EPERM", libc::EPERM, "operation not permitted"),
    (4002, "ENOENT", libc::ENOENT, "no such file or directory"),
    (4003, "ESRCH", libc::ESRCH, "no such process"),
    (4004, "EINTR", libc::EINTR, "interrupted"),
    (4005, "EIO", libc::EIO, "input or output error"),
    (4006, "ENXIO", libc::ENXIO, "no such device or address"),
    (4007, "E2BIG", libc::E2BIG, "argument list too long"),
    (4008, "ENOEXEC", libc::ENOEXEC, "not a program"),
    (4009, "EBADF", libc::EBADF, "bad file number"),
    (4010, "ECHILD", libc::ECHILD, "no child processes"),
    (4011, "EAGAIN", libc::EAGAIN, "try again"),
    (4012, "ENOMEM", libc::ENOMEM, "not enough memory"),
    (4013, "EACCES", libc::EACCES, "permission denied"),
    (4014, "EFAULT", libc::EFAULT, "bad address"),
    (4016, "EBUSY", libc::EBUSY, "busy"),
    (4017, "EEXIST", libc::EEXIST, "exists already"),
    (4018, "EXDEV", libc::EXDEV, "another file system"),
    (4019, "ENODEV", libc::ENODEV, "no such device"),
    (4020, "ENOTDIR", libc::ENOTDIR, "not a directory"),
    (4021, "EISDIR", libc::EISDIR, "is a directory"),
    (4022, "EINVAL", libc::EINVAL, "invalid argument"),
    (4023, "ENFILE", libc::ENFILE, "too many files in the system"),
    (4024, "EMFILE", libc::EMFILE, "too many files in the process"),
    (4025, "ENOTTY", libc::ENOTTY, "not a terminal"),
    (4026, "ETXTBSY", libc::ETXTBSY, "program file is in use"),
    (4027, "EFBIG", libc::EFBIG, "file too large"),
    (4028, "ENOSPC", libc::ENOSPC, "no space"),
    (4029, "ESPIPE", libc::ESPIPE, "no position in this file"),
    (4030, "EROFS", libc::EROFS, "read-only file system"),
    (4031, "EMLINK", libc::EMLINK, "too many links"),
    (4032, "EPIPE", libc::EPIPE, "nobody reads"),
    (4033, "EDOM", libc::EDOM, "argument outside the domain"),
    (4034, "ERANGE", libc::ERANGE, "result outside the range"),
    (4035, "ENOMSG", libc::ENOMSG, "no such message"),
    (4036, "EIDRM", libc::EIDRM, "identifier removed"),
    (4045, "EDEADLK", libc::EDEADLK, "deadlock"),
    (4046, "ENOLCK", libc::ENOLCK, "no locks left"),
    (4061, "ENODATA", libc::ENODATA, "no data"),
    (4099, "ENOSYS", libc::ENOSYS, "not provided"),
    (4101, "EWOULDBLOCK", -1, "nothing to read now"),
    (4102, "EINPROGRESS", libc::EINPROGRESS, "in progress"),
    (4103, "EALREADY", libc::EALREADY, "in progress already"),
    (4104, "ENOTSOCK", libc::ENOTSOCK, "not a socket"),
    (4105, "EDESTADDRREQ", libc::EDESTADDRREQ, "destination address wanted"),
    (4106, "EMSGSIZE", libc::EMSGSIZE, "message too long"),
    (4107, "EPROTOTYPE", libc::EPROTOTYPE, "wrong protocol for this socket"),
    (4108, "ENOPROTOOPT", libc::ENOPROTOOPT, "no such protocol option"),
    (4109, "EPROTONOSUPPORT", libc::EPROTONOSUPPORT, "protocol not supported"),
    (4110, "ESOCKTNOSUPPORT", libc::ESOCKTNOSUPPORT, "socket type not supported"),
    (4111, "EOPNOTSUPP", libc::EOPNOTSUPP, "operation not supported"),
    (4112, "EPFNOSUPPORT", libc::EPFNOSUPPORT, "protocol family not supported"),
    (4113, "EAFNOSUPPORT", libc::EAFNOSUPPORT, "address family not supported"),
    (4114, "EADDRINUSE", libc::EADDRINUSE, "address in use"),
    (4115, "EADDRNOTAVAIL", libc::EADDRNOTAVAIL, "address not available"),
    (4116, "ENETDOWN", libc::ENETDOWN, "network is down"),
    (4117, "ENETUNREACH", libc::ENETUNREACH, "network unreachable"),
    (4118, "ENETRESET", libc::ENETRESET, "connection aborted by the network"),
    (4119, "ECONNABORTED", libc::ECONNABORTED, "connection aborted"),
    (4120, "ECONNRESET", libc::ECONNRESET, "connection reset"),
    (4121, "ENOBUFS", libc::ENOBUFS, "no buffer space"),
    (4122, "EISCONN", libc::EISCONN, "connected already"),
    (4123, "ENOTCONN", libc::ENOTCONN, "not connected"),
    (4124, "ESHUTDOWN", libc::ESHUTDOWN, "shut down"),
    (4126, "ETIMEDOUT", libc::ETIMEDOUT, "timed out"),
    (4127, "ECONNREFUSED", libc::ECONNREFUSED, "connection refused"),
    (4128, "EHOSTDOWN", libc::EHOSTDOWN, "host is down"),
    (4129, "EHOSTUNREACH", libc::EHOSTUNREACH, "host unreachable"),
    (4131, "ENAMETOOLONG", libc::ENAMETOOLONG, "name too long"),
    (4132, "ENOTEMPTY", libc::ENOTEMPTY, "directory not empty"),
    (4195, "EHAVEOOB", -1, "urgent data must be read first"),
    (4196, "EBADSYS", -1, "not for a socket, or an internal error"),
    (4199, "ENOIMEM", -1, "not enough memory for the run-time library"),
    (4200, "ELOOP", libc::ELOOP, "too many symbolic links"),
    (4204, "EILSEQ", libc::EILSEQ, "no such character"),
    (4207, "ENOCPU", -1, "no such CPU"),
    (4208, "EUNKNOWN", -1, "unknown error"),
    (4210, "ENONSTOP", -1, "error of fault-tolerant operation"),
    (4212, "EDEFINEERR", -1, "DEFINE error"),
];

/// The number here of a Linux one; 0 for 0, `EIO` for one without a name here.
pub(crate) fn from_linux(errno: i32) -> i32 {
    if errno == 0 {
        return 0;
    }
    NAMES.iter().find(|name| name.2 == errno).map_or(EIO, |name| name.0)
}

/// What an open gives for a file-system error.
pub(crate) fn of_open(error: FileError) -> i32 {
    match error.0 {
        11 => ENOENT,
        31 => EMFILE,
        32..=37 => ENOMEM,
        number => i32::from(number),
    }
}

/// What `strerror` says of a number of either space.
pub(crate) fn text(number: i32) -> String {
    if let Some((_, name, _, text)) = NAMES.iter().find(|name| name.0 == number) {
        return format!("{text} ({name})");
    }
    match u16::try_from(number) {
        Ok(0) => "no error".to_owned(),
        Ok(number) if number < 4000 => match file_error_text(number) {
            "" => format!("file-system error {number}"),
            text => format!("{text} (file-system error {number})"),
        },
        _ => format!("unknown error {number}"),
    }
}

fn file_error_text(number: u16) -> &'static str {
    match number {
        18 => "unknown node",
        22 => "bad address",
        27 => "operations without wait are outstanding",
        29 => "a required parameter is missing",
        41 => "damaged sync block",
        43 => "no disk space",
        45 => "file full",
        49 => "the open does not permit the operation",
        66 => "device down",
        198 => "no such DEFINE",
        563 => "the buffer is too small",
        564 => "not supported for this file",
        590 => "invalid parameter value",
        other => FileError(other).text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A program that tests errno == ENOENT or errno == 45 must meet the number it means.
    #[test]
    fn both_spaces_are_known() {
        assert_eq!(from_linux(libc::ENOENT), 4002);
        assert_eq!(from_linux(0), 0);
        assert_eq!(from_linux(9999), EIO);
        assert_eq!(of_open(FileError::NOT_FOUND), ENOENT);
        assert_eq!(of_open(FileError::IN_USE), 12);
        assert_eq!(of_open(FileError(31)), EMFILE);
        assert!(text(45).starts_with("file full"));
        assert!(text(4210).contains("ENONSTOP"));
        assert!(text(-1).contains("unknown"));
    }

    // Two names of one number would make one of them lie.
    #[test]
    fn numbers_are_in_order_and_once() {
        assert!(NAMES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
