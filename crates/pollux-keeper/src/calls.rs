//! A system call of the program, looked at from outside: which socket, which address, which file.
//!
//! What cannot be found out is none: the kernel then carries the call out as if nobody had looked.

use crate::address::{ADDRESS_BYTES_MAX, Address};
use crate::listeners::Kind;
use pollux_os::{CALL_PATH_BYTES_MAX, Pid, copy_descriptor, read_memory};
use rustix::fs::{FileType, fcntl_getfl, fcntl_setfl, fstat};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, getsockname, sockopt};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Close-on-exec, as `/proc` shows it among a descriptor's flags.
const CLOSE_ON_EXEC: u32 = 0o2_000_000;

/// A socket of the program that can become a listener.
pub(crate) struct Socket {
    /// Our duplicate.
    pub(crate) fd: OwnedFd,
    pub(crate) kind: Kind,
    pub(crate) inode: u64,
    pub(crate) close_on_exec: bool,
}

impl Socket {
    /// The socket behind a descriptor of the thread's process.
    pub(crate) fn of(thread: Pid, descriptor: RawFd) -> Option<Socket> {
        let process = process_of(thread)?;
        let fd = copy_descriptor(process, descriptor).ok()?;
        let file = fstat(&fd).ok()?;
        if FileType::from_raw_mode(file.st_mode) != FileType::Socket {
            return None;
        }
        let kind = kind_of(&fd)?;
        let information =
            fs::read_to_string(format!("/proc/{}/fdinfo/{descriptor}", process.as_raw_pid())).ok()?;
        let flags = information.lines().find_map(|line| line.strip_prefix("flags:"))?.trim();
        let close_on_exec = u32::from_str_radix(flags, 8).ok()? & CLOSE_ON_EXEC != 0;
        Some(Socket { fd, kind, inode: file.st_ino, close_on_exec })
    }

    /// True if other sockets may have its port.
    pub(crate) fn shares(&self) -> bool {
        sockopt::socket_reuseport(&self.fd).unwrap_or(false)
    }

    /// Makes another socket wait, or not wait, as this one does.
    pub(crate) fn lend_flags(&self, other: &OwnedFd) -> io::Result<()> {
        Ok(fcntl_setfl(other, fcntl_getfl(&self.fd)?)?)
    }
}

/// The kind of a socket, if it is one that can listen and that is held.
pub(crate) fn kind_of(fd: &OwnedFd) -> Option<Kind> {
    let domain = sockopt::socket_domain(fd).ok()?;
    let kind = sockopt::socket_type(fd).ok()?;
    let known = [AddressFamily::INET, AddressFamily::INET6, AddressFamily::UNIX].contains(&domain)
        && [SocketType::STREAM, SocketType::SEQPACKET].contains(&kind);
    let protocol = sockopt::socket_protocol(fd).ok()?.map_or(0, |protocol| protocol.as_raw().get());
    known.then(|| Kind { domain: domain.as_raw(), kind: kind.as_raw(), protocol })
}

/// What a socket is bound to.
pub(crate) fn bound_to(fd: &OwnedFd) -> Option<Address> {
    let name = getsockname(fd).ok()?;
    if let Ok(address) = SocketAddr::try_from(name.clone()) {
        return Some(Address::Internet(address));
    }
    let name = SocketAddrUnix::try_from(name).ok()?;
    match (name.path_bytes(), name.abstract_name()) {
        (Some(path), _) => {
            let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
            Some(Address::Path(path[..end].to_vec()))
        }
        (_, Some(name)) => Some(Address::Abstract(name.to_vec())),
        _ => None,
    }
}

/// The address that a `bind` of the thread was given; paths are absolute.
pub(crate) fn address_at(thread: Pid, address: u64, length: u32) -> Option<Address> {
    let length = usize::try_from(length).ok().filter(|length| *length <= ADDRESS_BYTES_MAX)?;
    let bytes = read_memory(thread, address, length).ok().filter(|bytes| bytes.len() == length)?;
    Address::read(&bytes).and_then(|address| absolute(thread, address))
}

/// With a path that counts from the root.
pub(crate) fn absolute(thread: Pid, address: Address) -> Option<Address> {
    match address {
        Address::Path(path) if !path.starts_with(b"/") => {
            let directory = fs::read_link(format!("/proc/{}/cwd", thread.as_raw_pid())).ok()?;
            let path = directory.join(OsStr::from_bytes(&path));
            Some(Address::Path(path.into_os_string().as_encoded_bytes().to_vec()))
        }
        address => Some(address),
    }
}

/// Device and number of the file at a unix socket's path, as the thread sees it.
pub(crate) fn file_of(thread: Pid, address: &Address) -> Option<(u64, u64)> {
    match address {
        Address::Path(path) => file_at(&within_root(thread, path)),
        _ => None,
    }
}

/// The file that an `unlink` of the thread means.
pub(crate) fn file_to_unlink(thread: Pid, directory: Option<RawFd>, path: u64) -> Option<(u64, u64)> {
    let mut bytes = read_memory(thread, path, CALL_PATH_BYTES_MAX).ok()?;
    bytes.truncate(bytes.iter().position(|byte| *byte == 0)?);
    if bytes.starts_with(b"/") {
        return file_at(&within_root(thread, &bytes));
    }
    let thread = thread.as_raw_pid();
    let start = match directory {
        None => format!("/proc/{thread}/cwd"),
        Some(number) => format!("/proc/{thread}/fd/{number}"),
    };
    file_at(&PathBuf::from(start).join(OsStr::from_bytes(&bytes)))
}

fn within_root(thread: Pid, path: &[u8]) -> PathBuf {
    let path = OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(path));
    PathBuf::from(format!("/proc/{}/root", thread.as_raw_pid())).join(path)
}

/// Device and number of a file.
pub(crate) fn file_at(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// The process that a thread belongs to.
fn process_of(thread: Pid) -> Option<Pid> {
    let status = fs::read_to_string(format!("/proc/{}/status", thread.as_raw_pid())).ok()?;
    let group = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    Pid::from_raw(group.trim().parse().ok()?)
}
