//! Socket options by number, SIOCATMARK and names of addresses, which rustix does not have.

use std::ffi::CStr;
use std::io;
use std::mem::size_of_val;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd as _};

/// The number that most Linux machines have.
const SIOCATMARK: libc::Ioctl = 0x8905;

pub(crate) fn option(fd: impl AsFd, level: i32, name: i32, value: &mut [u8]) -> io::Result<usize> {
    let mut length = value.len() as libc::socklen_t;
    // JUSTIFICATION: the program's options are numbers; rustix has one function for each option that it knows.
    // SAFETY: the kernel writes at most `length` bytes to `value`, which is that long.
    let result = unsafe {
        let target = value.as_mut_ptr().cast();
        libc::getsockopt(fd.as_fd().as_raw_fd(), level, name, target, &raw mut length)
    };
    check(result)?;
    Ok(length as usize)
}

pub(crate) fn set_option(fd: impl AsFd, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    // JUSTIFICATION: as above.
    // SAFETY: the kernel reads `value`, whose length it is told.
    let result = unsafe {
        let length = value.len() as libc::socklen_t;
        libc::setsockopt(fd.as_fd().as_raw_fd(), level, name, value.as_ptr().cast(), length)
    };
    check(result)
}

pub(crate) fn at_mark(fd: impl AsFd) -> io::Result<bool> {
    let mut mark: libc::c_int = 0;
    // JUSTIFICATION: rustix has no SIOCATMARK.
    // SAFETY: the request writes one int to the pointer, which is valid.
    check(unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), SIOCATMARK, &raw mut mark) })?;
    Ok(mark != 0)
}

/// The host name of an address, if the system's resolver knows one.
pub(crate) fn host_name(address: SocketAddr) -> Option<String> {
    let mut name = [0u8; libc::NI_MAXHOST as usize];
    let call = |address: *const libc::sockaddr, length: usize, name: &mut [u8]| {
        // JUSTIFICATION: the standard library asks for addresses of names only.
        // SAFETY: `address` points to `length` bytes, the name is written to a buffer whose length is told.
        unsafe {
            let (room, flags) = (name.len() as libc::socklen_t, libc::NI_NAMEREQD);
            let text = name.as_mut_ptr().cast();
            libc::getnameinfo(address, length as libc::socklen_t, text, room, std::ptr::null_mut(), 0, flags)
        }
    };
    let result = match address {
        SocketAddr::V4(address) => {
            let native = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
                sin_zero: [0; 8],
            };
            call((&raw const native).cast(), size_of_val(&native), &mut name)
        }
        SocketAddr::V6(address) => {
            let native = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: address.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                sin6_scope_id: address.scope_id(),
            };
            call((&raw const native).cast(), size_of_val(&native), &mut name)
        }
    };
    if result != 0 {
        return None;
    }
    CStr::from_bytes_until_nul(&name).ok()?.to_str().ok().map(str::to_owned)
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
