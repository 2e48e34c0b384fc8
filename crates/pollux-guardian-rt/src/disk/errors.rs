//! What a Linux error is called on NonStop.

use pollux_wire::FileError;
use std::io;

/// FENOSUCHDEV and friends that `pollux-wire` has no name for.
pub(crate) const BAD_DISK_ADDRESS: FileError = FileError(23);
pub(crate) const BAD_ADDRESS: FileError = FileError(22);
pub(crate) const NO_DISK_SPACE: FileError = FileError(43);
pub(crate) const FILE_FULL: FileError = FileError(45);
pub(crate) const ACCESS_VIOLATION: FileError = FileError(49);
pub(crate) const FILE_SYSTEM_ERROR: FileError = FileError(53);
pub(crate) const DEVICE_DOWN: FileError = FileError(66);
pub(crate) const NOT_FOR_THIS_FILE: FileError = FileError(564);
pub(crate) const BAD_PARAMETER: FileError = FileError(590);

/// The file-system error number of an error of a file (Guardian Procedure Errors and Messages).
pub(crate) fn number(error: &io::Error) -> FileError {
    let Some(errno) = error.raw_os_error() else { return by_kind(error.kind()) };
    match errno {
        libc::ENOENT | libc::ENOTDIR | libc::ELOOP => FileError::NOT_FOUND,
        libc::EEXIST | libc::ENOTEMPTY => FileError::EXISTS,
        libc::EACCES | libc::EPERM | libc::EROFS => FileError::SECURITY_VIOLATION,
        libc::EBUSY | libc::ETXTBSY | libc::EAGAIN | libc::EDEADLK => FileError::IN_USE,
        libc::ENOSPC | libc::EDQUOT => NO_DISK_SPACE,
        libc::EFBIG => FILE_FULL,
        libc::ENAMETOOLONG | libc::EILSEQ => FileError::BAD_NAME,
        libc::EISDIR => NOT_FOR_THIS_FILE,
        libc::ENXIO | libc::ENODEV => FileError::NO_SUCH_PROCESS,
        libc::ESPIPE => FileError::INVALID_OPERATION,
        libc::EBADF => ACCESS_VIOLATION,
        libc::EFAULT => BAD_ADDRESS,
        libc::EINVAL => BAD_DISK_ADDRESS,
        libc::EMFILE | libc::ENFILE => FileError(31),
        libc::ENOMEM => FileError(34),
        libc::EPIPE => FileError::PATH_DOWN,
        libc::EINTR => FileError(4004),
        libc::EIO | libc::ESTALE => DEVICE_DOWN,
        _ => FILE_SYSTEM_ERROR,
    }
}

/// The number for an error of a file of ours beside the program's: a shortage is told as what it is, anything else has nothing to do
/// with the file that the program knows of.
pub(crate) fn of_our_file(error: &io::Error) -> FileError {
    match number(error) {
        shortage @ (FileError(31 | 34) | NO_DISK_SPACE) => shortage,
        _ => FILE_SYSTEM_ERROR,
    }
}

fn by_kind(kind: io::ErrorKind) -> FileError {
    match kind {
        io::ErrorKind::NotFound => FileError::NOT_FOUND,
        io::ErrorKind::PermissionDenied => FileError::SECURITY_VIOLATION,
        io::ErrorKind::InvalidInput => BAD_PARAMETER,
        io::ErrorKind::FileTooLarge => FILE_FULL,
        io::ErrorKind::StorageFull => NO_DISK_SPACE,
        _ => FILE_SYSTEM_ERROR,
    }
}

/// True for an error that is an answer of the file system: the same write would get it again, and the program is told.
pub(crate) fn is_an_answer(error: &io::Error) -> bool {
    error.kind() != io::ErrorKind::Interrupted
}

#[cfg(test)]
mod tests {
    use super::*;

    // Programs branch on these numbers.
    #[test]
    fn the_numbers_programs_know() {
        let of = |errno| number(&io::Error::from_raw_os_error(errno)).0;
        assert_eq!(of(libc::ENOENT), 11);
        assert_eq!(of(libc::EEXIST), 10);
        assert_eq!(of(libc::EACCES), 48);
        assert_eq!(of(libc::ENOSPC), 43);
        assert_eq!(of(libc::EFBIG), 45);
        assert_eq!(of(libc::EAGAIN), 12);
        let ours = |errno| of_our_file(&io::Error::from_raw_os_error(errno)).0;
        assert_eq!((ours(libc::EMFILE), ours(libc::ENOSPC), ours(libc::EACCES)), (31, 43, 53));
    }
}
