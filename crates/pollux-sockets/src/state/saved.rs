//! Connections that come from the guard of a primary that died.

use super::{Condition, State};
use pollux_wire::SocketId;
use pollux_wire::sockets::SocketRole;
use std::net::SocketAddr;

impl State {
    /// The listener of a connection that a primary had accepted when it died, if it is to be taken in there. `is_same` says of
    /// a socket with these addresses whether it is this very connection.
    ///
    /// None for one that the dead primary's backup had been told of, for one that was claimed and left since (somebody has
    /// used it), and where nobody listens any more.
    pub fn listener_of_saved(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        condition: Condition,
        is_same: impl Fn(SocketId) -> bool,
    ) -> Option<SocketId> {
        if condition != Condition::Pristine {
            return None;
        }
        let is_known = |(id, socket): (SocketId, &super::Socket)| {
            socket.local == Some(local) && socket.remote == Some(remote) && is_same(id)
        };
        if self.table.iter().any(is_known) {
            return None;
        }
        let candidates = self.table.iter().filter_map(|(id, socket)| {
            let listens = socket.role == SocketRole::Listener && socket.listens;
            let is_exact = fits(socket.local.filter(|_| listens)?, local)?;
            Some((is_exact, self.wants_connection(id), id))
        });
        candidates.max().map(|(.., id)| id)
    }
}

/// Whether a listener accepts connections to this address: true if it has just this one, false if it has all of its port. As the
/// kernel does, the address of a connection is in the form of its listener: IPv4 within IPv6 is IPv6.
fn fits(listener: SocketAddr, local: SocketAddr) -> Option<bool> {
    let same_kind = listener.is_ipv4() == local.is_ipv4() && listener.port() == local.port();
    let is_exact = listener.ip() == local.ip();
    (same_kind && (is_exact || listener.ip().is_unspecified())).then_some(is_exact)
}
