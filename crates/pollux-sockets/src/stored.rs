//! A socket as an entry of the replicated map. Only the provider's two halves read it, and both are the same program.

use crate::state::{Member, Offer, Socket};
use pollux_wire::sockets::SocketRole;
use pollux_wire::{OpenId, Phandle, ProcessName, SocketId, SyncId};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// See [`Socket`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    role: u8,
    uid: u32,
    listener: Option<u64>,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    listens: bool,
    carried: bool,
    members: Vec<StoredMember>,
    past: Vec<StoredMember>,
    /// 0: offered to nobody; 1: to whoever claims it, with who asked; 2: to the next who asks; 3: to whoever claims it.
    offer: u8,
    asker: (u64, u64),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredMember {
    open: u64,
    phandle: [u16; 10],
    name: Option<String>,
}

impl From<&Socket> for Stored {
    fn from(socket: &Socket) -> Self {
        let members = |list: &[Member]| list.iter().map(StoredMember::from).collect();
        let (offer, asker) = match socket.offer {
            Offer::None => (0, (0, 0)),
            Offer::Pending { open, sync } => (1, (open.0, sync.0)),
            Offer::Returned => (2, (0, 0)),
            Offer::Stray => (3, (0, 0)),
        };
        Self {
            role: match socket.role {
                SocketRole::Listener => 1,
                SocketRole::Stream => 2,
                SocketRole::Datagram => 3,
            },
            uid: socket.uid,
            listener: socket.listener.map(|id| id.0),
            local: socket.local,
            remote: socket.remote,
            listens: socket.listens,
            carried: socket.carried,
            members: members(&socket.members),
            past: members(&socket.past),
            offer,
            asker,
        }
    }
}

impl Stored {
    /// The socket; none for an entry of another program.
    pub(crate) fn socket(&self) -> Option<Socket> {
        let members =
            |list: &[StoredMember]| list.iter().map(StoredMember::member).collect::<Option<Vec<_>>>();
        Some(Socket {
            role: match self.role {
                1 => SocketRole::Listener,
                2 => SocketRole::Stream,
                3 => SocketRole::Datagram,
                _ => return None,
            },
            uid: self.uid,
            listener: self.listener.map(SocketId),
            local: self.local,
            remote: self.remote,
            listens: self.listens,
            carried: self.carried,
            members: members(&self.members)?,
            past: members(&self.past)?,
            offer: match self.offer {
                0 => Offer::None,
                1 => Offer::Pending { open: OpenId(self.asker.0), sync: SyncId(self.asker.1) },
                2 => Offer::Returned,
                3 => Offer::Stray,
                _ => return None,
            },
        })
    }
}

impl From<&Member> for StoredMember {
    fn from(member: &Member) -> Self {
        let name = member.name.as_ref().map(|name| name.as_str().to_owned());
        Self { open: member.open.0, phandle: member.phandle.to_words(), name }
    }
}

impl StoredMember {
    fn member(&self) -> Option<Member> {
        let name = match &self.name {
            None => None,
            Some(name) => Some(ProcessName::new(name).ok()?),
        };
        Some(Member { open: OpenId(self.open), phandle: Phandle::from_words(self.phandle)?, name })
    }
}
