//! Seccomp user notifications, the memory of another process, and signals to a group through a pidfd: none of them has a
//! safe face in rustix.

use std::ffi::c_long;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

use rustix::process::{Pid, Signal};

/// How the kernel names the machine that a system call was made for.
#[cfg(target_arch = "x86_64")]
const MACHINE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const MACHINE: u32 = 0xC000_00B7;
/// No filter is installed on other machines.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const MACHINE: u32 = 0;

/// Kernels before 6.9 do not know it, nor does the C library's crate.
const PIDFD_SIGNAL_PROCESS_GROUP: libc::c_uint = 1 << 2;

/// Makes every later call of `numbers` of this thread and its descendants wait for a decision; returns the descriptor
/// over which decisions are made.
pub(crate) fn install_filter(numbers: &[c_long]) -> io::Result<OwnedFd> {
    if MACHINE == 0 {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "not on this kind of machine"));
    }
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let unless_equal = |k: u32, skip: u8| libc::sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt: 0,
        jf: skip,
        k,
    };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let give = libc::BPF_RET | libc::BPF_K;
    // Offsets within struct seccomp_data: 4 is the machine, 0 the number of the call. A call for another machine jumps to
    // the last statement.
    let mut program = vec![statement(load, 4), unless_equal(MACHINE, 0), statement(load, 0)];
    for number in numbers {
        program.push(unless_equal(*number as u32, 1));
        program.push(statement(give, libc::SECCOMP_RET_USER_NOTIF));
    }
    // From the statement after the jump to the verdict.
    program[1].jf = (program.len() - 2) as u8;
    program.push(statement(give, libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    let install = |flags: libc::c_ulong| {
        // JUSTIFICATION: there is no safe face for seccomp.
        // SAFETY: the program outlives the call, and its length is that of the array it points to.
        let result = unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
        };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as RawFd) }
    };
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // With the second flag, of kernel 5.19, a signal does not interrupt a call for which the decision is being made.
    let number =
        install(listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV).or_else(|error| {
            match error.raw_os_error() {
                Some(libc::EINVAL) => install(listener),
                _ => Err(error),
            }
        })?;
    // JUSTIFICATION: the kernel hands the descriptor over by number.
    // SAFETY: the call has just made it, close-on-exec, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A call that waits.
pub(crate) struct Waiting {
    pub(crate) id: u64,
    pub(crate) thread: u32,
    pub(crate) number: c_long,
    pub(crate) arguments: [u64; 6],
}

pub(crate) fn next_waiting(fd: impl AsFd) -> io::Result<Waiting> {
    // JUSTIFICATION: there is no safe face for the requests of a seccomp descriptor.
    // SAFETY: the struct is plain numbers, for which zero is valid, and the kernel writes within it.
    let taken = unsafe {
        let mut taken: libc::seccomp_notif = std::mem::zeroed();
        check(libc::ioctl(fd.as_fd().as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut taken))?;
        taken
    };
    let data = taken.data;
    Ok(Waiting { id: taken.id, thread: taken.pid, number: data.nr.into(), arguments: data.args })
}

pub(crate) fn still_waits(fd: impl AsFd, id: u64) -> bool {
    // JUSTIFICATION: as above.
    // SAFETY: the kernel reads one number from the pointer, which is valid.
    unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id) == 0 }
}

/// Ends the wait: the kernel carries the call out if `go_on`, or the call returns 0 or fails with `errno`.
pub(crate) fn decide(fd: impl AsFd, id: u64, go_on: bool, errno: i32) -> io::Result<()> {
    let flags = if go_on { libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32 } else { 0 };
    let mut answer = libc::seccomp_notif_resp { id, val: 0, error: -errno, flags };
    // JUSTIFICATION: as above.
    // SAFETY: the kernel reads the struct, which is valid.
    check(unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) })
}

/// Puts a duplicate of `with` over the waiting process's descriptor `number`.
pub(crate) fn replace(
    fd: impl AsFd,
    id: u64,
    number: RawFd,
    with: impl AsFd,
    close_on_exec: bool,
) -> io::Result<()> {
    let order = libc::seccomp_notif_addfd {
        id,
        flags: libc::SECCOMP_ADDFD_FLAG_SETFD as u32,
        srcfd: with.as_fd().as_raw_fd().cast_unsigned(),
        newfd: number.cast_unsigned(),
        newfd_flags: if close_on_exec { libc::O_CLOEXEC.cast_unsigned() } else { 0 },
    };
    // JUSTIFICATION: as above.
    // SAFETY: the kernel reads the struct, which is valid, and both descriptors are open.
    check(unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw const order) })
}

/// Copies memory of another process; fewer bytes than asked for where its memory ends.
pub(crate) fn read_memory(process: Pid, address: u64, room: &mut [u8]) -> io::Result<usize> {
    let near = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
    let far = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: room.len() };
    // JUSTIFICATION: there is no safe face for reading another process's memory.
    // SAFETY: the kernel writes at most `iov_len` bytes to `room`; the far address is only looked up in the other
    // process, where any value is refused or read.
    let copied =
        unsafe { libc::process_vm_readv(process.as_raw_pid(), &raw const near, 1, &raw const far, 1, 0) };
    usize::try_from(copied).map_err(|_| io::Error::last_os_error())
}

/// Signals the process group whose leader the pidfd is, also when the leader has ended.
pub(crate) fn signal_group(pidfd: impl AsFd, signal: Signal) -> io::Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // JUSTIFICATION: rustix sends without flags.
    // SAFETY: only numbers and a null pointer, which the call allows.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_fd().as_raw_fd(),
            signal.as_raw(),
            none,
            PIDFD_SIGNAL_PROCESS_GROUP,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
