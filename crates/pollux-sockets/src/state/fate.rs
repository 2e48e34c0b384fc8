//! What becomes of a socket when somebody is gone: offered again, kept for a while, or closed.

use super::{
    Action, Condition, Kernel, Member, ORPHAN_TICKS, Offer, PAST_MEMBERS_MAX, PENDING_TICKS, Socket, State,
};
use pollux_wire::sockets::{SocketReply, SocketRole};
use pollux_wire::{OpenId, SocketId, SyncId};
use std::collections::BTreeSet;

impl State {
    /// Time passes.
    pub fn tick(&mut self, kernel: &impl Kernel) {
        let mut due = Vec::new();
        for (id, left) in &mut self.timers {
            *left = left.saturating_sub(1);
            if *left == 0 {
                due.push(*id);
            }
        }
        for id in due {
            self.timers.remove(&id);
            let Some(socket) = self.table.get(id) else { continue };
            match socket.offer {
                Offer::Pending { .. } if self.its_listener(id).is_some() => self.give_back(id, kernel),
                Offer::Pending { .. } | Offer::Stray => self.close(id, true),
                Offer::None if socket.members.is_empty() => {
                    let is_stream = socket.role == SocketRole::Stream;
                    if !self.offer_again(id, kernel) {
                        self.close(id, is_stream);
                    }
                }
                Offer::None | Offer::Returned => {}
            }
        }
    }

    /// Tells those who wait at a listener of what can be had; more connections are accepted for the rest.
    pub(super) fn serve(&mut self, listener: SocketId, kernel: &impl Kernel) {
        while self.wants_connection(listener) {
            let is_returned =
                |id: &SocketId| self.table.get(*id).is_some_and(|socket| socket.offer == Offer::Returned);
            let Some(id) = self.table.offers_of(listener).find(is_returned) else {
                return self.actions.push_back(Action::Accept { listener });
            };
            match kernel.condition(id) {
                Condition::Gone => self.close(id, false),
                Condition::Pristine | Condition::Used => self.tell_of(listener, id),
            }
        }
    }

    pub(super) fn serve_some(&mut self, listener: Option<SocketId>, kernel: &impl Kernel) {
        if let Some(listener) = listener {
            self.serve(listener, kernel);
        }
    }

    /// The first who waits is told of this connection.
    pub(super) fn tell_of(&mut self, listener: SocketId, id: SocketId) {
        let waiter = self.waiting.get_mut(&listener).and_then(|queue| queue.pop_front());
        let (Some((open, sync)), Some(socket)) = (waiter, self.table.get(id)) else { return };
        let (Some(local), Some(remote)) = (socket.local, socket.remote) else { return };
        let with = if let Some(member) = self.claiming.remove(&(open, sync)) {
            self.adopt(id, member);
            SocketReply::Claimed { socket: id, local, remote }
        } else {
            self.table.change(id, |socket| socket.offer = Offer::Pending { open, sync });
            self.timers.insert(id, PENDING_TICKS);
            SocketReply::Pending { local, remote }
        };
        self.actions.push_back(Action::Answer { open, sync, with: Ok(with) });
    }

    /// A new member; whatever was to become of the socket without one is off.
    pub(super) fn adopt(&mut self, id: SocketId, member: Member) {
        self.table.change(id, |socket| {
            socket.members.push(member);
            socket.offer = Offer::None;
        });
        self.timers.remove(&id);
    }

    /// A pair ends as a whole, or a process without a name: nobody of it uses anything any more, or comes back for what it had.
    pub fn farewell(&mut self, member: &Member, kernel: &impl Kernel) {
        let is_its = |other: &Member| other.open == member.open || other.is_of_pair(member);
        let members = self.table.iter().flat_map(|(_, socket)| &socket.members);
        let opens: BTreeSet<OpenId> =
            members.filter(|other| is_its(other)).map(|other| other.open).chain([member.open]).collect();
        for open in opens {
            self.opener_gone(open, false, kernel);
        }
        let is_orphan = |socket: &Socket| {
            socket.offer == Offer::None && socket.members.is_empty() && socket.past.iter().any(is_its)
        };
        let orphans: Vec<SocketId> =
            self.table.iter().filter(|(_, socket)| is_orphan(socket)).map(|(id, _)| id).collect();
        for id in orphans {
            self.close(id, false);
        }
    }

    /// A member is gone.
    pub(super) fn end_membership(&mut self, open: OpenId, id: SocketId, died: bool, kernel: &impl Kernel) {
        let Some(socket) = self.table.get(id) else { return };
        let Some(member) = socket.members.iter().find(|member| member.open == open).cloned() else { return };
        self.table.change(id, |socket| {
            socket.members.retain(|member| member.open != open);
            if died {
                socket.past.push(member.clone());
                if socket.past.len() > PAST_MEMBERS_MAX {
                    socket.past.remove(0);
                }
            }
        });
        if self.table.get(id).is_some_and(|socket| !socket.members.is_empty()) {
            return;
        }
        if !died {
            return self.close(id, false);
        }
        if self.offer_again(id, kernel) {
            return;
        }
        // Only who has a name may have another half that comes for it; who accepts for others is followed by another one.
        let gone = self.is_connection(id) && kernel.condition(id) == Condition::Gone;
        let is_carried = self.table.get(id).is_some_and(|socket| socket.carried);
        if (member.name.is_some() || is_carried) && !gone {
            self.timers.insert(id, ORPHAN_TICKS);
        } else {
            self.close(id, false);
        }
    }

    /// Offers an orphan connection to those who are left at its listener, or join it later, if nobody has used it; true if
    /// that was done.
    fn offer_again(&mut self, id: SocketId, kernel: &impl Kernel) -> bool {
        let Some(listener) = self.its_listener(id) else { return false };
        if kernel.condition(id) != Condition::Pristine {
            return false;
        }
        self.table.change(id, |socket| socket.offer = Offer::Returned);
        self.timers.remove(&id);
        self.serve(listener, kernel);
        true
    }

    /// Whoever was told of a connection does not take it.
    pub(super) fn give_back(&mut self, id: SocketId, kernel: &impl Kernel) {
        match self.its_listener(id) {
            Some(listener) => {
                self.table.change(id, |socket| socket.offer = Offer::Returned);
                self.timers.remove(&id);
                self.serve(listener, kernel);
            }
            // Another process may have been told, and claim it.
            None => {
                self.table.change(id, |socket| socket.offer = Offer::Stray);
                self.timers.insert(id, ORPHAN_TICKS);
            }
        }
    }

    /// The same, if it was this open that was told.
    pub(super) fn give_back_of(&mut self, open: OpenId, id: SocketId, kernel: &impl Kernel) {
        let told =
            |socket: &Socket| matches!(socket.offer, Offer::Pending { open: told, .. } if told == open);
        if self.table.get(id).is_some_and(told) {
            self.give_back(id, kernel);
        }
    }

    /// Closes a socket. What a listener has to offer goes with it, but for what somebody was told of.
    pub(super) fn close(&mut self, id: SocketId, reset: bool) {
        self.timers.remove(&id);
        let offers: Vec<SocketId> = self.table.offers_of(id).collect();
        let Some(socket) = self.table.remove(id) else { return };
        self.actions.push_back(Action::Close { socket: id, reset });
        self.forget_waiting(id, |_| true);
        for offer in offers {
            match self.table.get(offer).map(|socket| socket.offer) {
                Some(Offer::Pending { .. }) => {
                    self.timers.insert(offer, ORPHAN_TICKS);
                }
                // Those for whom somebody accepted may have it already, and a reset would be theirs.
                _ => self.close(offer, !socket.carried),
            }
        }
    }

    /// Those who wait at a listener and are meant, taken out of the queue.
    pub(super) fn take_waiting(
        &mut self,
        listener: SocketId,
        meant: impl Fn(OpenId) -> bool,
    ) -> Vec<(OpenId, SyncId)> {
        self.take_waiting_requests(listener, |(open, _)| meant(open))
    }

    pub(super) fn forget_waiting(&mut self, listener: SocketId, meant: impl Fn((OpenId, SyncId)) -> bool) {
        for (open, sync) in self.take_waiting_requests(listener, meant) {
            self.actions.push_back(Action::Forget { open, sync });
        }
    }

    fn take_waiting_requests(
        &mut self,
        listener: SocketId,
        meant: impl Fn((OpenId, SyncId)) -> bool,
    ) -> Vec<(OpenId, SyncId)> {
        let Some(queue) = self.waiting.get_mut(&listener) else { return Vec::new() };
        let (taken, kept): (Vec<_>, Vec<_>) = queue.drain(..).partition(|request| meant(*request));
        queue.extend(kept);
        if queue.is_empty() {
            self.waiting.remove(&listener);
        }
        for request in &taken {
            self.claiming.remove(request);
        }
        taken
    }

    fn is_connection(&self, id: SocketId) -> bool {
        self.table.get(id).is_some_and(|socket| socket.listener.is_some())
    }

    /// The listener of a connection, if there still is one.
    fn its_listener(&self, connection: SocketId) -> Option<SocketId> {
        let listener = self.table.get(connection)?.listener?;
        self.table.get(listener).map(|_| listener)
    }
}
