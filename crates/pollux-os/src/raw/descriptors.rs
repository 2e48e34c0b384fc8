//! Descriptors that a process was born with: known by number only, which safe Rust does not let one own.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

static TAKEN: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

/// Closes all descriptors but the standard three. Only for the launcher, as its first act.
pub(crate) fn close_all_but_standard() {
    // JUSTIFICATION: a descriptor that leaked into the launcher would leak into the program, or sit on a number
    // that was promised to it. Safe code can only close what it owns.
    // SAFETY: the launcher is single-threaded and owns no descriptor above 2 at this moment.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    // Kernels before 5.9 have no close_range; they keep what leaked, as any exec does.
    let _ = result;
}

/// Takes the inherited descriptor of that number, once.
pub(crate) fn take_inherited(number: RawFd) -> io::Result<OwnedFd> {
    let refuse =
        |text: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, format!("descriptor {number} {text}")));
    if number < 3 {
        return refuse("is standard input, output or error");
    }
    if !TAKEN.lock().unwrap_or_else(PoisonError::into_inner).insert(number) {
        return refuse("was taken before");
    }
    // JUSTIFICATION: `launch` hands descriptors over by number, and the child must own them to close them.
    // SAFETY: the number is taken once, and callers take it at start, before anything of theirs could have
    // been opened under it (documented at the public face). F_GETFD proves that it is open.
    unsafe {
        let flags = libc::fcntl(number, libc::F_GETFD);
        if flags < 0 || libc::fcntl(number, libc::F_SETFD, flags | libc::FD_CLOEXEC) < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(number))
    }
}
