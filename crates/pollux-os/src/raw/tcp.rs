//! TCP_INFO, SO_PEEK_OFF and SIOCOUTQ, which rustix does not know.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

/// Enough of `struct tcp_info` for the two byte counters; the struct grows with each kernel.
const TCP_INFO_BYTES: usize = 136;

/// The part of `struct tcp_info` that says where the streams stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TcpInfo {
    pub(crate) state: u8,
    pub(crate) bytes_acked: u64,
    pub(crate) bytes_received: u64,
}

pub(crate) fn tcp_info(fd: impl AsFd) -> io::Result<TcpInfo> {
    let mut bytes = [0u8; TCP_INFO_BYTES];
    let mut length = TCP_INFO_BYTES as libc::socklen_t;
    // JUSTIFICATION: rustix has no TCP_INFO, and the struct of libc ends before the byte counters.
    // SAFETY: the kernel writes at most `length` bytes to `bytes`, which are that long.
    let result = unsafe {
        let target = bytes.as_mut_ptr().cast();
        libc::getsockopt(fd.as_fd().as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, target, &raw mut length)
    };
    check(result)?;
    if (length as usize) < TCP_INFO_BYTES {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "this kernel counts no bytes per connection"));
    }
    let number = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    Ok(TcpInfo { state: bytes[0], bytes_acked: number(120), bytes_received: number(128) })
}

/// Bytes in the send queue: written by the application and not acknowledged by the peer.
pub(crate) fn send_queue_bytes(fd: impl AsFd) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // JUSTIFICATION: rustix has no SIOCOUTQ (the same number as TIOCOUTQ).
    // SAFETY: the request writes one int to the pointer, which is valid.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    check(result)?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

pub(crate) fn set_peek_offset(fd: impl AsFd, offset: libc::c_int) -> io::Result<()> {
    // JUSTIFICATION: rustix has no SO_PEEK_OFF.
    // SAFETY: the kernel reads one int from the pointer, which is valid.
    let result = unsafe {
        let source = (&raw const offset).cast();
        let length = size_of::<libc::c_int>() as libc::socklen_t;
        libc::setsockopt(fd.as_fd().as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEEK_OFF, source, length)
    };
    check(result)
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
