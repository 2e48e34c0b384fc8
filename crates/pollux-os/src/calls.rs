//! A gate in front of a program's system calls: `bind`, `listen`, and on request `unlink` wait for our decision.
//!
//! ```text
//!  program                         kernel                          supervisor
//!  gate_calls (before its exec) -> filter of the thread and all
//!                                  its descendants; CallGate ----> by a unix socket
//!  bind(5, address) -------------> waits ------------------------> CallGate::take
//!                                                                  reads the address, looks at the socket
//!                                  <------------------------------ go_on | answer | replace + answer
//!  <------------------------------ carried out, or the answer
//! ```
//!
//! The gate is no sandbox: what is let through is carried out with the arguments that the program has at that moment. A
//! program that outlives its supervisor gets `ENOSYS` for these calls. Works without privileges.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{ForeignRawFd, Pid, PidfdFlags, PidfdGetfdFlags, Signal, pidfd_getfd, pidfd_open};

use crate::raw;

/// Bytes of a path that is read from a program: the kernel takes no longer ones.
pub const CALL_PATH_BYTES_MAX: usize = 4096;

/// Makes `bind` and `listen`, with `unlink` also the removal of files, of this thread and of all it starts from here on
/// wait for whoever holds the returned gate. Call it while the process has one thread, before its exec.
pub fn gate_calls(unlink: bool) -> io::Result<OwnedFd> {
    let mut numbers = vec![libc::SYS_bind, libc::SYS_listen];
    if unlink {
        #[cfg(target_arch = "x86_64")]
        numbers.push(libc::SYS_unlink);
        numbers.push(libc::SYS_unlinkat);
    }
    raw::calls::install_filter(&numbers).or_else(|error| {
        // Without the right to do more than its parent a program may be filtered by anybody.
        if error.raw_os_error() != Some(libc::EACCES) {
            return Err(error);
        }
        rustix::thread::set_no_new_privs(true)?;
        raw::calls::install_filter(&numbers)
    })
}

/// The supervisor's side of a gate.
#[derive(Debug)]
pub struct CallGate {
    fd: OwnedFd,
}

/// A call that waits for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingCall {
    /// Its number within the gate.
    pub id: u64,
    /// The thread that makes it.
    pub thread: Pid,
    /// What it wants.
    pub call: Call,
}

/// What a program wants. Addresses are in its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `bind`: a socket and its address.
    Bind {
        /// The socket's number in the program.
        descriptor: RawFd,
        /// Where the address is.
        address: u64,
        /// Its length, bytes, as the program says.
        length: u32,
    },
    /// `listen`.
    Listen {
        /// The socket's number in the program.
        descriptor: RawFd,
    },
    /// `unlink` or `unlinkat`, not of a directory.
    Unlink {
        /// The directory that a relative path counts from; none: the working directory.
        directory: Option<RawFd>,
        /// Where the path is.
        path: u64,
    },
    /// Another call, which a gate does not ask for.
    Other,
}

impl CallGate {
    /// The gate that came from [`gate_calls`].
    pub fn new(fd: OwnedFd) -> CallGate {
        CallGate { fd }
    }

    /// A call that waits, if there is one.
    pub fn take(&self) -> io::Result<Option<WaitingCall>> {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut look = [PollFd::new(&self.fd, PollFlags::IN)];
        match poll(&mut look, Some(&now)) {
            Ok(_) if look[0].revents().contains(PollFlags::IN) => {}
            Ok(_) | Err(Errno::INTR) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
        match raw::calls::next_waiting(&self.fd) {
            Ok(waiting) => {
                let decoded = decode(&waiting);
                // A process that has no number here cannot be looked at.
                if decoded.is_none() {
                    self.go_on(waiting.id)?;
                }
                Ok(decoded)
            }
            // Its thread was killed in this moment, or a signal came to us.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// True as long as the call waits: what was read from its process before this was its own.
    pub fn waits(&self, id: u64) -> bool {
        raw::calls::still_waits(&self.fd, id)
    }

    /// The kernel carries the call out. A call that waits no longer is passed over, here and below.
    pub fn go_on(&self, id: u64) -> io::Result<()> {
        late_is_fine(raw::calls::decide(&self.fd, id, true, 0))
    }

    /// The call returns 0 without being carried out.
    pub fn answer_done(&self, id: u64) -> io::Result<()> {
        late_is_fine(raw::calls::decide(&self.fd, id, false, 0))
    }

    /// Puts a duplicate of `with` over the waiting process's descriptor `number`.
    pub fn replace(&self, id: u64, number: RawFd, with: impl AsFd, close_on_exec: bool) -> io::Result<()> {
        raw::calls::replace(&self.fd, id, number, with, close_on_exec)
    }
}

impl AsFd for CallGate {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A second decision changes nothing, nor does one for a thread that was killed.
fn late_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINPROGRESS)) => Ok(()),
        result => result,
    }
}

fn decode(waiting: &raw::calls::Waiting) -> Option<WaitingCall> {
    let [first, second, third, ..] = waiting.arguments;
    let thread = Pid::from_raw(waiting.thread.cast_signed())?;
    let descriptor = first as RawFd;
    let directory = (descriptor != libc::AT_FDCWD).then_some(descriptor);
    let call = match waiting.number {
        libc::SYS_bind => Call::Bind { descriptor, address: second, length: third as u32 },
        libc::SYS_listen => Call::Listen { descriptor },
        #[cfg(target_arch = "x86_64")]
        libc::SYS_unlink => Call::Unlink { directory: None, path: first },
        libc::SYS_unlinkat if third as i32 & libc::AT_REMOVEDIR == 0 => {
            Call::Unlink { directory, path: second }
        }
        _ => Call::Other,
    };
    Some(WaitingCall { id: waiting.id, thread, call })
}

/// Memory of another process, at most so many bytes; fewer where its memory ends.
pub fn read_memory(process: Pid, address: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; bytes_max.min(CALL_PATH_BYTES_MAX)];
    let copied = raw::calls::read_memory(process, address, &mut bytes)?;
    bytes.truncate(copied);
    Ok(bytes)
}

/// A duplicate of another process's descriptor. Needs the right to trace it, as over one's own descendants.
pub fn copy_descriptor(process: Pid, number: RawFd) -> io::Result<OwnedFd> {
    let pidfd = pidfd_open(process, PidfdFlags::empty())?;
    Ok(pidfd_getfd(&pidfd, number as ForeignRawFd, PidfdGetfdFlags::empty())?)
}

/// Signals the whole process group whose leader the pidfd is, also when the leader has ended and was reaped. False: the
/// kernel is older than 6.9 and cannot. To a group that is gone this does nothing.
pub fn signal_group(leader: impl AsFd, signal: Signal) -> io::Result<bool> {
    match raw::calls::signal_group(leader, signal) {
        Ok(()) => Ok(true),
        Err(error) => match error.raw_os_error() {
            Some(libc::ESRCH) => Ok(true),
            Some(libc::EINVAL) => Ok(false),
            _ => Err(error),
        },
    }
}
