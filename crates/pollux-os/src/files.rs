//! Private directories and the unix sockets in them.
//!
//! A socket is reachable by whoever can enter its directory, so the directory is the lock: it belongs to our
//! user and nobody else may enter it.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, chmod, fstat, mkdir, openat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};

/// The longest path that fits in a unix socket address, without its final zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Connections that may wait to be accepted.
const LISTEN_BACKLOG: i32 = 1024;

/// Makes a directory that only our user can enter, or checks that the existing one is so. Its parent must
/// exist.
pub fn private_directory(path: &Path) -> io::Result<()> {
    match mkdir(path, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => {
            return Err(explain(
                errno.into(),
                path,
                "cannot be made; make its parent directory, or choose another place",
            ));
        }
    }
    // Opened without following a link, and then asked, so that nobody can swap it between the two.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(CWD, path, flags, Mode::empty()).map_err(|errno| {
        explain(errno.into(), path, "is not a directory of its own; remove it, or choose another place")
    })?;
    let status = fstat(&directory)?;
    let (mode, ours) = (status.st_mode & 0o7777, rustix::process::geteuid().as_raw());
    if status.st_uid != ours {
        let text = format!(
            "belongs to user {}, not to user {ours}; remove it, or choose another place",
            status.st_uid
        );
        return Err(explain(io::ErrorKind::PermissionDenied.into(), path, &text));
    }
    if mode & 0o077 != 0 {
        let text = format!("is open to others (mode {mode:04o}); run: chmod 700 {}", path.display());
        return Err(explain(io::ErrorKind::PermissionDenied.into(), path, &text));
    }
    Ok(())
}

/// Listens on a unix stream socket of that path: close-on-exec, nonblocking, mode 0600. A path that exists is
/// an error; only the caller can know whether an old socket may be removed.
pub fn listen_unix(path: &Path) -> io::Result<OwnedFd> {
    let socket = unix_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    with_address(path, |address| bind(&socket, address))?;
    // Nobody can connect before the call to listen, so the mode is right from the first connection on.
    chmod(path, Mode::RUSR | Mode::WUSR)?;
    listen(&socket, LISTEN_BACKLOG)?;
    Ok(socket)
}

/// Connects to a listening unix stream socket: close-on-exec, and nonblocking once connected.
pub fn connect_unix(path: &Path) -> io::Result<OwnedFd> {
    let socket = unix_socket(SocketFlags::CLOEXEC)?;
    with_address(path, |address| connect(&socket, address))?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

fn unix_socket(flags: SocketFlags) -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// Calls `act` with the address of `path`. A path too long for an address is reached through a descriptor of its
/// directory.
fn with_address(path: &Path, act: impl Fn(&SocketAddrUnix) -> rustix::io::Result<()>) -> io::Result<()> {
    if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return Ok(act(&SocketAddrUnix::new(path)?)?);
    }
    let too_long =
        || explain(Errno::NAMETOOLONG.into(), path, "is too long for a socket; choose a shorter name");
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(too_long());
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, parent, flags, Mode::empty())?;
    let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    let address = SocketAddrUnix::new(&short).map_err(|_| too_long())?;
    Ok(act(&address)?)
}

fn explain(error: io::Error, path: &Path, text: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{} {text} ({error})", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::peer_credentials;

    /// A run directory that others can enter would let any user of the machine speak to the daemon.
    #[test]
    fn a_directory_is_made_private_or_refused() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("run");
        private_directory(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
        private_directory(&path).unwrap();

        fs::set_permissions(&path, Permissions::from_mode(0o710)).unwrap();
        let error = private_directory(&path).unwrap_err();
        assert!(error.to_string().contains("chmod 700"), "{error}");

        let link = base.path().join("link");
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        symlink(&path, &link).unwrap();
        assert!(private_directory(&link).is_err(), "a link may be turned elsewhere later");

        let file = base.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(private_directory(&file).is_err());
        assert!(private_directory(&base.path().join("none/run")).is_err());
    }

    /// A run directory deep in a home directory would otherwise make the daemon fail to start.
    #[test]
    fn sockets_work_at_any_depth() {
        let base = tempfile::tempdir().unwrap();
        let deep = base.path().join("a".repeat(100)).join("b".repeat(100));
        fs::create_dir_all(&deep).unwrap();
        for directory in [base.path(), &deep] {
            let path = directory.join("control");
            assert_eq!(connect_unix(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
            let listener = listen_unix(&path).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(listen_unix(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
            let near = connect_unix(&path).unwrap();
            assert_eq!(rustix::io::read(&near, &mut [0; 1]), Err(Errno::AGAIN), "nonblocking");
            let far = rustix::net::accept(&listener).unwrap();
            let peer = peer_credentials(&far).unwrap();
            assert_eq!(peer.uid, rustix::process::geteuid().as_raw());
            assert_eq!(peer.pid.cast_unsigned(), std::process::id());
            drop(listener);
            assert_eq!(connect_unix(&path).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        }
    }
}
