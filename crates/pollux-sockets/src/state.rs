//! Decides what becomes of each socket: who its members are, who is told of a connection, who gets it, when it is closed.
//!
//! It does no I/O. What it needs to know of a connection it asks of [`Kernel`]; what is to be done it puts into a list of
//! [`Action`]s; what has changed is fetched with [`State::take_changed`] and replicated. Waiting requests and timers are not
//! replicated: requests come again after a takeover, timers begin anew.
//!
//! ```text
//!              accepted                  claim
//!  (listener) ----------> Pending ------------------> members ---- leave, orderly end ----> closed
//!                          |    ^                      |    ^
//!      cancelled, asker    |    | the next             |    | join, also late
//!      gone, 120 s         v    | accept               v    |
//!                         Returned <--- pristine ---- orphan ---- 10 s ----> closed with a reset
//! ```
//!
//! A socket is an *orphan* when its last member has died and none is left. It is *pristine* when nobody has read from it or
//! written to it: then nobody can tell the difference, and it is offered again.

mod fate;
mod saved;
mod table;
#[cfg(test)]
mod tests;

use crate::errors;
use pollux_wire::sockets::{SocketEntry, SocketReply, SocketRole};
use pollux_wire::{FileError, OpenId, Phandle, ProcessName, SocketId, SyncId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use table::Table;

/// Connections of one listener that may be pending; further ones wait in the listen queue.
pub const PENDING_PER_LISTENER_MAX: usize = 128;
/// Accepts of a member at one listener that claim what they are told of; one more is refused with 4103.
pub const CLAIMING_MAX: usize = 8;
/// Members of a socket; one more is refused with error 61.
pub const MEMBERS_MAX: usize = 64;
/// Dead members of a socket that are remembered as brothers; the oldest is forgotten.
pub const PAST_MEMBERS_MAX: usize = 8;
/// Longest listen queue that may be asked for (TCP/IP Programming Manual, `accept_nw1`).
pub const QUEUE_MAX: u16 = 128;
/// Ticks that an orphan waits for a new member.
pub const ORPHAN_TICKS: u32 = 20;
/// Ticks that a connection waits to be claimed before it goes back to its listener.
pub const PENDING_TICKS: u32 = 240;

/// A process that has a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The open over which it asked.
    pub open: OpenId,
    /// The process.
    pub phandle: Phandle,
    /// Its name, as the node vouches for it.
    pub name: Option<ProcessName>,
}

impl Member {
    /// True if both belong to one instance of a named pair: two halves of it, or one of them twice.
    fn is_of_pair(&self, other: &Self) -> bool {
        self.name.is_some() && self.name == other.name && self.phandle.sequence == other.phandle.sequence
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// As a member it would be this one.
    pub member: Member,
    /// Its user.
    pub uid: u32,
}

/// Whether a connection can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// No: it has members, or is an orphan, or is no accepted connection.
    None,
    /// Whoever knows its address may claim it; this request was told of it.
    Pending {
        /// The open of the request.
        open: OpenId,
        /// The request.
        sync: SyncId,
    },
    /// The next who asks the listener is told of it; it can be claimed, too.
    Returned,
    /// Its listener is gone, and so is who was told of it; another process may know its address, and claim it.
    Stray,
}

/// A socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// What it is.
    pub role: SocketRole,
    /// The user it belongs to.
    pub uid: u32,
    /// The listener that it was accepted from.
    pub listener: Option<SocketId>,
    /// Its near address, where it is known.
    pub local: Option<SocketAddr>,
    /// Its far address, where it is known.
    pub remote: Option<SocketAddr>,
    /// The provider has made it listen.
    pub listens: bool,
    /// Its members accept for others, who have the listener, too, and leave each connection when those have it.
    pub carried: bool,
    /// Who has it.
    pub members: Vec<Member>,
    /// Who had it and died.
    pub past: Vec<Member>,
    /// Whether it can be had.
    pub offer: Offer,
}

/// What the kernel says of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing was read from it or written to it.
    Pristine,
    /// Something was.
    Used,
    /// It was reset, or has ended.
    Gone,
}

/// Answers questions about sockets.
pub trait Kernel {
    /// How a connection is.
    fn condition(&self, socket: SocketId) -> Condition;
}

/// What the shell is to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Answer a waiting accept.
    Answer {
        /// Its open.
        open: OpenId,
        /// Its number.
        sync: SyncId,
        /// What it is told.
        with: Result<SocketReply, FileError>,
    },
    /// A waiting accept is over: nobody wants the answer.
    Forget {
        /// Its open.
        open: OpenId,
        /// Its number.
        sync: SyncId,
    },
    /// Try to accept, and go on when a connection comes.
    Accept {
        /// The listener.
        listener: SocketId,
    },
    /// Close it.
    Close {
        /// Which.
        socket: SocketId,
        /// So that the peer sees a reset.
        reset: bool,
    },
}

/// All sockets of a provider.
#[derive(Debug, Default)]
pub struct State {
    table: Table,
    /// Accepts without a connection, by listener.
    waiting: BTreeMap<SocketId, VecDeque<(OpenId, SyncId)>>,
    /// Those of them that claim the connection at once, and for whom.
    claiming: BTreeMap<(OpenId, SyncId), Member>,
    /// Ticks left of what does not stay as it is for ever.
    timers: BTreeMap<SocketId, u32>,
    actions: VecDeque<Action>,
}

impl State {
    /// The state of a new primary.
    pub fn restore(sockets: impl IntoIterator<Item = (SocketId, Socket)>) -> Self {
        let mut state = Self { table: Table::restore(sockets), ..Self::default() };
        for (id, socket) in state.table.iter() {
            let ticks = match socket.offer {
                Offer::Pending { .. } => PENDING_TICKS,
                Offer::None if socket.members.is_empty() => ORPHAN_TICKS,
                Offer::Stray => ORPHAN_TICKS,
                _ => continue,
            };
            state.timers.insert(id, ticks);
        }
        state
    }

    /// What is to be done next.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The sockets that have changed since the last call, and what they are; none for those that are gone.
    pub fn take_changed(&mut self) -> Vec<(SocketId, Option<Socket>)> {
        self.table.take_changed()
    }

    /// A socket was shown to the provider, which holds it under this number from here on.
    pub fn keep(&mut self, asker: &Asker, id: SocketId, role: SocketRole, local: Option<SocketAddr>) {
        let socket = Socket {
            role,
            uid: asker.uid,
            listener: None,
            local,
            remote: None,
            listens: false,
            carried: false,
            members: vec![asker.member.clone()],
            past: Vec::new(),
            offer: Offer::None,
        };
        self.table.insert(id, socket);
    }

    /// The same for a listener for whose owners the asker accepts.
    pub fn carry(&mut self, asker: &Asker, id: SocketId, local: Option<SocketAddr>) {
        self.keep(asker, id, SocketRole::Listener, local);
        self.table.change(id, |socket| (socket.listens, socket.carried) = (true, true));
    }

    /// Another one who accepts for the same owners.
    pub fn carry_on(&mut self, asker: &Asker, id: SocketId) -> Result<(), FileError> {
        let socket = self.table.get(id).ok_or(FileError::WRONG_ID)?;
        if socket.members.iter().any(|member| member.open == asker.member.open) {
            return Ok(());
        }
        if socket.members.len() >= MEMBERS_MAX {
            return Err(FileError::NO_MORE_OPENS);
        }
        self.adopt(id, asker.member.clone());
        Ok(())
    }

    /// The listeners of a user for whose owners somebody accepts, or did.
    pub fn carried(&self, uid: u32) -> impl Iterator<Item = SocketId> {
        let is = move |(_, socket): &(SocketId, &Socket)| socket.carried && socket.uid == uid;
        self.table.iter().filter(is).map(|(id, _)| id)
    }

    /// Whether this asker may wait for a connection, so many times at once; true if the socket must be made to listen before.
    pub fn may_accept(
        &self,
        open: OpenId,
        id: SocketId,
        queue: u16,
        times: usize,
    ) -> Result<bool, FileError> {
        let socket = self.of_member(open, id)?;
        if socket.role != SocketRole::Listener || queue == 0 || queue > QUEUE_MAX {
            return Err(errors::INVALID);
        }
        let waits = |queue: &VecDeque<(OpenId, SyncId)>| queue.iter().filter(|(o, _)| *o == open).count();
        if self.waiting.get(&id).map_or(0, waits) >= times {
            return Err(errors::ALREADY);
        }
        Ok(!socket.listens)
    }

    /// It was made to listen.
    pub fn listens(&mut self, id: SocketId, local: Option<SocketAddr>) {
        self.table.change(id, |socket| (socket.listens, socket.local) = (true, local));
    }

    /// A member waits for a connection.
    pub fn accept(&mut self, open: OpenId, sync: SyncId, id: SocketId, kernel: &impl Kernel) {
        self.waiting.entry(id).or_default().push_back((open, sync));
        self.serve(id, kernel);
    }

    /// A member waits for a connection that is to be its own.
    pub fn accept_and_claim(&mut self, asker: &Asker, sync: SyncId, id: SocketId, kernel: &impl Kernel) {
        let open = asker.member.open;
        self.claiming.insert((open, sync), asker.member.clone());
        self.accept(open, sync, id, kernel);
    }

    /// Whether a connection of this listener has somebody to be told of it.
    pub fn wants_connection(&self, listener: SocketId) -> bool {
        self.waiting.get(&listener).is_some_and(|queue| !queue.is_empty())
            && self.table.pending_of(listener) < PENDING_PER_LISTENER_MAX
    }

    /// A connection was accepted, and is held under this number.
    pub fn accepted(&mut self, listener: SocketId, id: SocketId, local: SocketAddr, remote: SocketAddr) {
        // The kernel gives an address pair out again only when the old connection is gone.
        let stale: Vec<SocketId> = self.table.offered(remote, Some(local)).collect();
        for old in stale {
            self.close(old, false);
        }
        let uid = self.table.get(listener).map_or(u32::MAX, |socket| socket.uid);
        let socket = Socket {
            role: SocketRole::Stream,
            uid,
            listener: Some(listener),
            local: Some(local),
            remote: Some(remote),
            listens: false,
            carried: false,
            members: Vec::new(),
            past: Vec::new(),
            offer: Offer::Returned,
        };
        self.table.insert(id, socket);
        self.tell_of(listener, id);
    }

    /// Takes a connection that is offered. Its number and its two addresses.
    pub fn claim(
        &mut self,
        asker: &Asker,
        remote: SocketAddr,
        local: Option<SocketAddr>,
        kernel: &impl Kernel,
    ) -> Result<(SocketId, SocketAddr, SocketAddr), FileError> {
        let id = self.table.offered(remote, local).next().ok_or(errors::NOT_PENDING)?;
        let socket = self.table.get(id).ok_or(errors::NOT_PENDING)?;
        let (Some(local), Some(remote)) = (socket.local, socket.remote) else {
            return Err(errors::NOT_PENDING);
        };
        if socket.uid != asker.uid {
            return Err(FileError::SECURITY_VIOLATION);
        }
        let listener = socket.listener;
        if kernel.condition(id) == Condition::Gone {
            self.close(id, false);
            self.serve_some(listener, kernel);
            return Err(errors::RESET);
        }
        self.adopt(id, asker.member.clone());
        self.serve_some(listener, kernel);
        Ok((id, local, remote))
    }

    /// Whether this asker may have a duplicate.
    pub fn fetch(&self, open: OpenId, id: SocketId) -> Result<(), FileError> {
        self.of_member(open, id).map(|_| ())
    }

    /// The other half of a member's pair becomes a member.
    pub fn join(&mut self, asker: &Asker, id: SocketId, brother: Phandle) -> Result<SocketRole, FileError> {
        let socket = self.table.get(id).ok_or(FileError::WRONG_ID)?;
        let role = socket.role;
        let member = &asker.member;
        if socket.members.iter().any(|known| known.open == member.open) {
            return Ok(role);
        }
        let known = socket.members.iter().chain(&socket.past).find(|known| known.phandle == brother);
        let same_pair =
            known.is_some_and(|known| known.is_of_pair(member) && known.phandle != member.phandle);
        if !same_pair {
            return Err(FileError::NO_PRIMARY_OPEN);
        }
        if socket.members.len() >= MEMBERS_MAX {
            return Err(FileError::NO_MORE_OPENS);
        }
        self.adopt(id, member.clone());
        Ok(role)
    }

    /// A member wants it no more.
    pub fn leave(&mut self, open: OpenId, id: SocketId, kernel: &impl Kernel) -> Result<(), FileError> {
        self.of_member(open, id)?;
        for (_, sync) in self.take_waiting(id, |waiting| waiting == open) {
            let with = Err(FileError::CANCELLED);
            self.actions.push_back(Action::Answer { open, sync, with });
        }
        self.end_membership(open, id, false, kernel);
        let offers: Vec<SocketId> = self.table.of_open(open).collect();
        for offer in offers {
            if self.table.get(offer).is_some_and(|socket| socket.listener == Some(id)) {
                self.give_back_of(open, offer, kernel);
            }
        }
        Ok(())
    }

    /// An accept was cancelled; its reply may have been under way.
    pub fn cancelled(&mut self, open: OpenId, sync: SyncId, kernel: &impl Kernel) {
        for listener in self.waiting.keys().copied().collect::<Vec<_>>() {
            self.forget_waiting(listener, |waiting| waiting == (open, sync));
        }
        let offer = Offer::Pending { open, sync };
        let pending: Vec<SocketId> = self.table.of_open(open).collect();
        for id in pending {
            if self.table.get(id).is_some_and(|socket| socket.offer == offer) {
                self.give_back(id, kernel);
            }
        }
    }

    /// An open has ended: as it should, or because its process died.
    pub fn opener_gone(&mut self, open: OpenId, died: bool, kernel: &impl Kernel) {
        for listener in self.waiting.keys().copied().collect::<Vec<_>>() {
            self.forget_waiting(listener, |(waiting, _)| waiting == open);
        }
        let concerned: Vec<SocketId> = self.table.of_open(open).collect();
        // Listeners first: whether a connection can be offered again depends on who is left there.
        for listeners in [true, false] {
            for id in &concerned {
                let is = |socket: &Socket| (socket.role == SocketRole::Listener) == listeners;
                if self.table.get(*id).is_some_and(is) {
                    self.end_membership(open, *id, died, kernel);
                    self.give_back_of(open, *id, kernel);
                }
            }
        }
    }

    /// The opens that something depends on.
    pub fn opens(&self) -> BTreeSet<OpenId> {
        self.table.opens()
    }

    /// How many sockets there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All sockets, for people.
    pub fn list(&self) -> Vec<SocketEntry> {
        let entry = |(id, socket): (SocketId, &Socket)| SocketEntry {
            socket: id,
            role: socket.role,
            local: socket.local,
            remote: socket.remote,
            members: socket.members.iter().map(|member| (member.open, member.phandle)).collect(),
        };
        self.table.iter().map(entry).collect()
    }

    fn of_member(&self, open: OpenId, id: SocketId) -> Result<&Socket, FileError> {
        let socket = self.table.get(id).ok_or(FileError::WRONG_ID)?;
        let is_member = socket.members.iter().any(|member| member.open == open);
        if is_member { Ok(socket) } else { Err(FileError::SECURITY_VIOLATION) }
    }
}
