//! A process that shares the descriptor table of another one: `clone` with CLONE_FILES and without CLONE_VM, which neither
//! rustix nor the standard library has.
//!
//! The new process runs on a copy of its maker's memory as it was at that moment, in which another thread may have held any
//! lock: so it allocates nothing, takes no lock and calls the kernel only.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, FdFlags, IoSlice, fcntl_getfd};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketType, sendmsg, sockopt,
};
use rustix::process::Pid;

use crate::guard::SAVED_PER_MESSAGE_MAX;

/// A receiver that takes in nothing for so long gets nothing more.
const RECEIVER_PATIENCE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
/// A new process has begun by then, unless the machine stands still.
const SESSION_PATIENCE: Duration = Duration::from_secs(1);
/// What a process list shows.
const NAME: &CStr = c"pollux-fd-guard";

/// Starts a process that shares this process's descriptors, waits until `maker`, the pidfd of this process, is readable,
/// and then sends over `out` each connected TCP socket that is not close-on-exec.
pub(crate) fn start(maker: BorrowedFd<'_>, out: BorrowedFd<'_>) -> io::Result<Pid> {
    let (maker, out) = (maker.as_raw_fd(), out.as_raw_fd());
    let flags = libc::CLONE_FILES | libc::SIGCHLD;
    // JUSTIFICATION: there is no safe face for a process that shares descriptors only.
    // SAFETY: without CLONE_VM this is a fork: the new process has its own copy of all memory and goes on on its own copy
    // of this stack. It runs `run` alone, which keeps what the head of this file says, and never returns.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match pid {
        0 => run(maker, out),
        -1 => Err(io::Error::last_os_error()),
        _ => {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("clone gives a process id");
            // Whoever kills the maker's group from now on must not meet the guard there. A look at it needs no descriptor:
            // there may be none left.
            let patience = Instant::now() + SESSION_PATIENCE;
            while session_of(pid) != pid.as_raw_nonzero().get() && Instant::now() < patience {
                std::thread::yield_now();
            }
            Ok(pid)
        }
    }
}

/// The number of the session of a process; 0 if it belongs to one that began outside our process namespace, negative if
/// there is no such process.
fn session_of(process: Pid) -> i32 {
    // JUSTIFICATION: rustix takes 0 for impossible and panics, or worse.
    // SAFETY: a call of the kernel that touches no memory.
    unsafe { libc::getsid(process.as_raw_nonzero().get()) }
}

fn run(maker: RawFd, out: RawFd) -> ! {
    ignore_signals();
    // What is sent to the maker's process group or terminal is not for this one; nor is what the kernel sends to a group
    // that has lost its last tie to its session. It leads no group yet, so there is no error.
    let _ = rustix::process::setsid();
    let _ = rustix::thread::set_name(NAME);
    if wait_for_end(maker) {
        save_connections(maker, out);
    }
    // JUSTIFICATION: an orderly end would run what the copied memory has registered for the end of its maker.
    // SAFETY: ends this process, touching no memory.
    unsafe { libc::_exit(0) }
}

/// A copied handler would act on the shared descriptors. SIGKILL and SIGSTOP are as ever.
fn ignore_signals() {
    // JUSTIFICATION: rustix sets signal masks only in its runtime for programs without the C library.
    // SAFETY: the set is plain memory that the first call fills and the second one reads.
    unsafe {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::sigprocmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut());
    }
}

/// A descriptor of the shared table by number.
fn borrowed<'a>(number: RawFd) -> BorrowedFd<'a> {
    // JUSTIFICATION: numbers are all that this process knows of the table.
    // SAFETY: a number that is not open is an error of the call it is used in. What the maker holds for its guard it keeps
    // open to its end, and thereafter nobody else changes the table.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// True when the maker is dead, false when that cannot be told.
fn wait_for_end(maker: RawFd) -> bool {
    loop {
        let mut watched = [PollFd::from_borrowed_fd(borrowed(maker), PollFlags::IN)];
        match poll(&mut watched, None) {
            Ok(_) => return watched[0].revents().contains(PollFlags::IN),
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

fn save_connections(maker: RawFd, out: RawFd) {
    // JUSTIFICATION: a full table has no number for the file that tells the size of the table.
    // SAFETY: the maker is dead, and this process uses the descriptor no more.
    drop(unsafe { OwnedFd::from_raw_fd(maker) });
    let Some(size) = table_size() else { return };
    let mut found = [borrowed(out); SAVED_PER_MESSAGE_MAX];
    let mut count = 0;
    for fd in (libc::STDERR_FILENO + 1..size).map(borrowed) {
        if !is_to_be_saved(fd) {
            continue;
        }
        found[count] = fd;
        count += 1;
        if count == found.len() {
            if !send(out, &found) {
                return;
            }
            count = 0;
        }
    }
    if count > 0 {
        send(out, &found[..count]);
    }
}

/// Above all numbers in use. To look at each below it is many times faster than to read the directory of those in use.
fn table_size() -> Option<RawFd> {
    let status =
        rustix::fs::open(c"/proc/self/status", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut room = [0; 4096];
    let length = rustix::io::read(&status, &mut room).ok()?;
    let text = str::from_utf8(&room[..length]).ok()?;
    text.lines().find_map(|line| line.strip_prefix("FDSize:"))?.trim().parse().ok()
}

fn is_to_be_saved(fd: BorrowedFd<'_>) -> bool {
    let is_unknown = fcntl_getfd(fd).is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC));
    let is_internet = |fd| {
        let family = sockopt::socket_domain(fd);
        family == Ok(AddressFamily::INET) || family == Ok(AddressFamily::INET6)
    };
    is_unknown
        && is_internet(fd)
        && sockopt::socket_type(fd) == Ok(SocketType::STREAM)
        && sockopt::socket_acceptconn(fd) == Ok(false)
}

/// False when the receiver is gone or takes in nothing.
fn send(out: RawFd, fds: &[BorrowedFd<'_>]) -> bool {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SAVED_PER_MESSAGE_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return false;
    }
    loop {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match sendmsg(borrowed(out), &[IoSlice::new(&[0])], &mut control, flags) {
            Ok(_) => return true,
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut watched = [PollFd::from_borrowed_fd(borrowed(out), PollFlags::OUT)];
                if poll(&mut watched, Some(&RECEIVER_PATIENCE)) == Ok(0) {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
}
