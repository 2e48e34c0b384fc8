//! The sockets, and who is concerned by which: so that the end of an open costs what it concerns, not what there is.

use super::{Offer, Socket};
use pollux_wire::{OpenId, SocketId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// All sockets, with their indexes. Every change goes through [`Table::change`].
#[derive(Debug, Default)]
pub(super) struct Table {
    sockets: BTreeMap<SocketId, Socket>,
    /// Sockets of which an open is a member, or whose offer it was told of.
    by_open: BTreeMap<OpenId, BTreeSet<SocketId>>,
    /// Connections that can be had, by listener.
    offers: BTreeMap<SocketId, BTreeSet<SocketId>>,
    changed: BTreeSet<SocketId>,
}

impl Table {
    pub(super) fn restore(sockets: impl IntoIterator<Item = (SocketId, Socket)>) -> Self {
        let mut table = Self::default();
        for (id, socket) in sockets {
            table.insert(id, socket);
        }
        table.changed.clear();
        table
    }

    pub(super) fn insert(&mut self, id: SocketId, socket: Socket) {
        self.sockets.insert(id, socket);
        self.index(id);
        self.changed.insert(id);
    }

    pub(super) fn remove(&mut self, id: SocketId) -> Option<Socket> {
        self.unindex(id);
        self.changed.insert(id);
        self.sockets.remove(&id)
    }

    pub(super) fn change(&mut self, id: SocketId, change: impl FnOnce(&mut Socket)) {
        self.unindex(id);
        if let Some(socket) = self.sockets.get_mut(&id) {
            change(socket);
            self.changed.insert(id);
        }
        self.index(id);
    }

    pub(super) fn take_changed(&mut self) -> Vec<(SocketId, Option<Socket>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|id| (id, self.sockets.get(&id).cloned())).collect()
    }

    pub(super) fn get(&self, id: SocketId) -> Option<&Socket> {
        self.sockets.get(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SocketId, &Socket)> {
        self.sockets.iter().map(|(id, socket)| (*id, socket))
    }

    pub(super) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Everything that concerns an open.
    pub(super) fn of_open(&self, open: OpenId) -> impl Iterator<Item = SocketId> {
        self.by_open.get(&open).into_iter().flatten().copied()
    }

    pub(super) fn opens(&self) -> BTreeSet<OpenId> {
        self.by_open.keys().copied().collect()
    }

    /// The connections of a listener that can be had, oldest first.
    pub(super) fn offers_of(&self, listener: SocketId) -> impl Iterator<Item = SocketId> {
        self.offers.get(&listener).into_iter().flatten().copied()
    }

    /// How many of them somebody was told of.
    pub(super) fn pending_of(&self, listener: SocketId) -> usize {
        self.offers_of(listener).filter(|id| self.is_pending(*id)).count()
    }

    /// Connections with these addresses that can be had; those that somebody was told of first.
    pub(super) fn offered(
        &self,
        remote: SocketAddr,
        local: Option<SocketAddr>,
    ) -> impl Iterator<Item = SocketId> {
        let matches = move |id: &SocketId| {
            self.sockets.get(id).is_some_and(|socket| {
                let near = |wanted: SocketAddr| socket.local.is_some_and(|local| same(local, wanted));
                socket.remote.is_some_and(|far| same(far, remote)) && local.is_none_or(near)
            })
        };
        let all: Vec<SocketId> = self.offers.values().flatten().copied().filter(matches).collect();
        let (pending, returned): (Vec<_>, Vec<_>) = all.into_iter().partition(|id| self.is_pending(*id));
        pending.into_iter().chain(returned)
    }

    fn is_pending(&self, id: SocketId) -> bool {
        self.sockets.get(&id).is_some_and(|socket| matches!(socket.offer, Offer::Pending { .. }))
    }

    fn index(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get(&id) else { return };
        for open in concerned(socket) {
            self.by_open.entry(open).or_default().insert(id);
        }
        if let (Some(listener), true) = (socket.listener, socket.offer != Offer::None) {
            self.offers.entry(listener).or_default().insert(id);
        }
    }

    fn unindex(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get(&id) else { return };
        for open in concerned(socket) {
            forget(&mut self.by_open, open, id);
        }
        if let Some(listener) = socket.listener {
            forget(&mut self.offers, listener, id);
        }
    }
}

fn forget<K: Ord>(index: &mut BTreeMap<K, BTreeSet<SocketId>>, key: K, id: SocketId) {
    if let Some(set) = index.get_mut(&key) {
        set.remove(&id);
        if set.is_empty() {
            index.remove(&key);
        }
    }
}

fn concerned(socket: &Socket) -> impl Iterator<Item = OpenId> {
    let told = match socket.offer {
        Offer::Pending { open, .. } => Some(open),
        Offer::None | Offer::Returned | Offer::Stray => None,
    };
    socket.members.iter().map(|member| member.open).chain(told)
}

/// The same end of a connection, whether it is written as IPv4 or as IPv4 within IPv6.
fn same(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.ip().to_canonical() == other.ip().to_canonical()
}
