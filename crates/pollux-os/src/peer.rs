//! Who is at the other end of a unix socket, as the kernel recorded it at connect time.

use std::io;
use std::os::fd::AsFd;

/// Process, user and group of the peer when the socket was connected or paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerCredentials {
    /// Process id, in our pid namespace. For display only: a pid may be reused, a descriptor may be passed on.
    pub pid: i32,
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
}

/// Asks the kernel who connected this unix socket.
pub fn peer_credentials(fd: impl AsFd) -> io::Result<PeerCredentials> {
    let peer = rustix::net::sockopt::socket_peercred(fd)?;
    Ok(PeerCredentials {
        pid: peer.pid.as_raw_nonzero().get(),
        uid: peer.uid.as_raw(),
        gid: peer.gid.as_raw(),
    })
}
