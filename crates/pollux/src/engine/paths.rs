//! Opens and requests: what arrives from requesters, and who gets a path to whom.

use super::checkpoints::Output;
use super::{Arrived, Engine, Ready, TOKEN_PATH, rings};
use crate::error::{Context, Result};
use crate::path_ring::RingOffer;
use crate::spares::Spares;
use pollux_core::receive::{Arrival, SavedReply};
use pollux_os::points::{self, Mark, Subject};
use pollux_os::{Channel, Fill, Interest, clock, socket_pair};
use pollux_wire::checkpoint::{Opener, Record, TurnKey};
use pollux_wire::limits::{OPENERS_PER_SERVER_MAX, PATH_BODY_BYTES_MAX};
use pollux_wire::path::{self, OpenReply, Request};
use pollux_wire::system::SystemMessage;
use pollux_wire::{Epoch, FileError, ListenerId, OpenId, SyncId, Wire, decode};
use std::os::fd::{AsFd, OwnedFd};

/// Crashes with the same request in hand after which it is answered with an error instead of being executed again (L5).
pub(super) const CRASHES_MAX: u8 = 2;
/// How long the open of a named opener is kept after its path has ended: the opener may be a pair whose other half
/// comes back with a path of its own.
const VANISHED_OPENER_NS: u64 = 60_000_000_000;
/// Unsent reply bytes of an opener that does not read, after which no more of its requests are taken in (S15).
const UNSENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// This half's path to an opener: the active one in a primary, the standby one in a backup.
pub(crate) struct Path {
    pub(super) channel: Channel,
    pub(super) watched: bool,
    writing: bool,
    /// Nothing is read while too much is unsent.
    pub(super) deaf: bool,
    pub(super) ring_offer: RingOffer,
    /// Its ring is in the list of those to look at before the loop sleeps.
    pub(super) awake: bool,
    /// Requests count from the opener's RESUMED of this epoch on: what came before is from another time (S8).
    void_until: Option<Epoch>,
    /// Something was queued since the last flush.
    dirty: bool,
    lost_at_ns: Option<u64>,
}

impl Path {
    pub(super) fn standby(channel: Channel) -> Self {
        Self {
            channel,
            watched: false,
            writing: false,
            deaf: false,
            ring_offer: RingOffer::default(),
            awake: false,
            void_until: None,
            dirty: false,
            lost_at_ns: None,
        }
    }

    pub(super) fn watched(mut channel: Channel) -> Self {
        channel.set_stop_at_short_read(true);
        Self { watched: true, ..Self::standby(channel) }
    }

    /// Something was queued: it is sent with the others.
    pub(super) fn note_dirty(&mut self, open: OpenId, dirty_paths: &mut Vec<OpenId>) {
        if !std::mem::replace(&mut self.dirty, true) {
            dirty_paths.push(open);
        }
    }
}

/// Which request a program holds.
pub(crate) struct RequestKey {
    pub(crate) open: OpenId,
    pub(crate) sync: SyncId,
    /// How often this half had become the primary when the program got it.
    pub(crate) promotions: u64,
    /// It does not count as in hand.
    pub(crate) deferred: bool,
}

/// A frame of a requester, taken out of the channel before it is acted upon.
enum Incoming {
    Request {
        sync: SyncId,
        io: path::IoType,
        reply_bytes_max: u32,
        again: bool,
        payload: Vec<u8>,
        descriptor: Option<OwnedFd>,
    },
    Cancel(SyncId),
    Resumed(Epoch),
    RingTaken(bool),
    Close,
}

impl Engine {
    /// Somebody opens this pair, or an opener whose paths are all lost comes back.
    pub(super) fn handle_new_path(
        &mut self,
        open: OpenId,
        opener: Opener,
        again: bool,
        fds: Vec<OwnedFd>,
    ) -> Result<()> {
        let Some(fd) = fds.into_iter().next() else { return Ok(()) };
        if !self.pair.is_primary() {
            // The path ends with its descriptor, and the requester asks who is primary today.
            return Ok(());
        }
        let mut channel = Channel::new(fd, PATH_BODY_BYTES_MAX);
        // A request without its descriptor is answered with an error; the other ones of the path go on.
        channel.forgive_lost_descriptors();
        let known = self.replica.opens.get(&open).map(|state| &state.opener);
        let refusal = match (again, known) {
            (true, None) => Some(FileError::WRONG_ID),
            (true, Some(known)) if !same_opener(known, &opener) => Some(FileError::WRONG_ID),
            (false, _) if self.replica.opens.len() >= OPENERS_PER_SERVER_MAX => {
                Some(FileError::NO_MORE_OPENS)
            }
            (false, Some(_)) => Some(FileError::EXISTS),
            _ => None,
        };
        if let Some(error) = refusal {
            let epoch = self.pair.epoch();
            channel.queue(path::OPEN_REPLY, |out| OpenReply { error, label: -1, epoch }.put(out));
            let _ = channel.flush();
            return Ok(());
        }
        if let Some(old) = self.paths.remove(&open)
            && old.watched
        {
            rings::unwatch(&self.poller, &old.channel);
        }
        rings::watch(&self.poller, open, &channel)?;
        self.pathless.remove(&open);
        self.paths.insert(open, Path::watched(channel));
        if again {
            let given_up = self.replica.opens.get(&open).map(|state| state.given_up()).unwrap_or_default();
            given_up.into_iter().for_each(|sync| self.cancel(open, sync));
            let epoch = self.pair.epoch();
            if let Some(path) = self.paths.get_mut(&open) {
                path.void_until = Some(epoch);
            }
            self.queue_on_path(open, path::TAKEOVER, |out| epoch.put(out));
            if self.pair.checkpoints() {
                self.give_standby(open, opener)?;
            }
        } else {
            if self.pair.checkpoints() {
                self.give_standby(open, opener.clone())?;
            } else {
                self.record(&Record::Opened { open, opener: opener.clone(), standby: false }, None);
            }
            self.batch.outputs.push(Output::OpenReply { open, error: FileError::OK, label: -1 });
            self.push_system(SystemMessage::Opened { open, opener });
        }
        self.settle();
        Ok(())
    }

    /// Makes a path between an opener and the backup: one end over the opener's path, the other with the record.
    pub(super) fn give_standby(&mut self, open: OpenId, opener: Opener) -> Result<()> {
        let (theirs, backups) = socket_pair().context("make a standby path")?;
        let epoch = self.pair.epoch();
        if let Some(path) = self.paths.get_mut(&open) {
            path.channel.queue_with(path::STANDBY, vec![theirs], |out| epoch.put(out));
            self.queue_on_path_done(open);
        }
        self.record(&Record::Opened { open, opener, standby: true }, Some(backups.as_fd()));
        self.settle();
        self.relieve_batch();
        Ok(())
    }

    /// The socket of a path has something.
    pub(super) fn handle_path_event(&mut self, open: OpenId) -> Result<()> {
        if let Some(path) = self.paths.get_mut(&open) {
            path.channel.note_socket_ready();
        }
        self.read_path(open)
    }

    /// Takes in what an opener has sent.
    pub(super) fn read_path(&mut self, open: OpenId) -> Result<()> {
        loop {
            self.flush_path(open);
            let Some(path) = self.paths.get_mut(&open) else { return Ok(()) };
            if path.deaf {
                return Ok(());
            }
            let filled = path.channel.fill();
            self.note_awake(open);
            let (mut broken, mut turned) = (false, false);
            loop {
                let Some(path) = self.paths.get_mut(&open) else { return Ok(()) };
                let incoming = match path.channel.next_frame() {
                    Ok(None) => break,
                    Ok(Some(frame)) => incoming(frame.kind, frame.body, frame.descriptors, &mut self.spares),
                    Err(_) => None,
                };
                match incoming {
                    Some(Incoming::Request { .. } | Incoming::Cancel(_)) if path.void_until.is_some() => {}
                    Some(Incoming::Resumed(epoch)) => {
                        path.void_until = path.void_until.filter(|until| epoch < *until);
                    }
                    Some(Incoming::RingTaken(taken)) => {
                        broken = !self.handle_ring_taken(open, taken)?;
                        turned = taken;
                        if broken || turned {
                            break;
                        }
                    }
                    Some(Incoming::Request { sync, io, reply_bytes_max, again, payload, descriptor }) => {
                        path.ring_offer.note_request();
                        self.arrive(open, sync, io, reply_bytes_max, again, payload, descriptor);
                    }
                    Some(Incoming::Cancel(sync)) => self.cancel(open, sync),
                    Some(Incoming::Close) => {
                        self.close_open(open);
                        return Ok(());
                    }
                    None => {
                        // S17: garbage ends the open of who sent it, and nothing else.
                        broken = true;
                        break;
                    }
                }
            }
            if broken {
                self.close_open(open);
                return Ok(());
            }
            self.consider_ring(open);
            match filled {
                // What the socket still holds, or has ended with, is told beside the ring.
                _ if turned => {}
                // S15: the others first. The loop comes back to a ring before it sleeps.
                Ok(Fill::Full) if self.paths.get(&open).is_some_and(|path| path.awake) => return Ok(()),
                Ok(Fill::Full) => {}
                Ok(Fill::Open) => return Ok(()),
                Ok(Fill::Closed) | Err(_) => {
                    self.lose_path(open);
                    return Ok(());
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one request")]
    fn arrive(
        &mut self,
        open: OpenId,
        sync: SyncId,
        io: path::IoType,
        reply_bytes_max: u32,
        again: bool,
        payload: Vec<u8>,
        descriptor: Option<OwnedFd>,
    ) {
        if again && let Some(handover) = &mut self.handover {
            handover.requests_resent += 1;
        }
        points::pass(Mark::Received, Subject::of(open.0, sync.0, &payload));
        let Some(state) = self.replica.opens.get_mut(&open) else { return };
        if io == path::IoType::Management {
            // CONTROL, SETMODE and the like are for programs that read them as messages (FENOSYSMESS).
            self.batch.outputs.push(Output::Refusal { open, sync, error: FileError(7) });
            return;
        }
        let refusal = match state.arrive(sync) {
            Arrival::New => {
                self.ready.push_back(match (self.acceptors.get(&open), descriptor) {
                    (Some(listener), Some(fd)) => {
                        let peer = String::from_utf8_lossy(&payload).into_owned();
                        Ready::Accepted { open, sync, listener: *listener, peer, fd }
                    }
                    (_, descriptor) => {
                        // S15: whoever does not want descriptors does not keep them open while their requests wait.
                        let descriptor = descriptor.filter(|_| self.wants_descriptors);
                        Ready::Request(Arrived { open, sync, io, reply_bytes_max, payload, descriptor })
                    }
                });
                return;
            }
            // Held like any output: the checkpoint that carries this reply may not be acknowledged yet (S5).
            Arrival::Repeated(_) => Output::Reply { open, sync },
            Arrival::InHand => return,
            Arrival::TooOld => Output::Refusal { open, sync, error: FileError::OLD_SYNC },
            Arrival::TooMany => Output::Refusal { open, sync, error: FileError::TOO_MANY_OUTSTANDING },
        };
        self.batch.outputs.push(refusal);
    }

    /// Begins the turn of a request; false if it is not to be executed.
    pub(super) fn begin_request(&mut self, open: OpenId, sync: SyncId) -> Result<bool> {
        // Cancelled, or its opener is gone, while it waited.
        if !self.replica.opens.get(&open).is_some_and(|state| state.is_in_hand(sync)) {
            return Ok(false);
        }
        let key = TurnKey::Request { open, sync };
        let crashes = self.replica.crashes_of(&key);
        self.begin_turn(key);
        if crashes >= CRASHES_MAX {
            self.report_quarantined(&format!(
                "request {sync} of open {open} killed its server {crashes} times"
            ))?;
            self.save_reply(open, sync, FileError::ILLEGAL_REQUEST, Vec::new());
            return Ok(false);
        }
        self.in_hand += 1;
        Ok(true)
    }

    /// The program has replied to a request that it got when this half had become the primary so many times. The bytes of the
    /// request are needed no longer.
    pub(crate) fn reply(&mut self, request: &RequestKey, asked: Vec<u8>, error: FileError, payload: Vec<u8>) {
        self.spares.take_back(asked);
        let RequestKey { open, sync, promotions, deferred } = *request;
        // The roles were exchanged since: the requester asks the new primary.
        if promotions != self.promotions || !self.pair.is_primary() {
            return;
        }
        if !deferred {
            self.in_hand = self.in_hand.saturating_sub(1);
        }
        self.save_reply(open, sync, error, payload);
    }

    /// The program answers this request only when something else happens: nothing waits for it.
    pub(crate) fn defer(&mut self, request: &mut RequestKey) {
        if !std::mem::replace(&mut request.deferred, true) && request.promotions == self.promotions {
            self.in_hand = self.in_hand.saturating_sub(1);
        }
    }

    /// The program has dropped a request that it does not answer.
    pub(super) fn save_reply(&mut self, open: OpenId, sync: SyncId, error: FileError, payload: Vec<u8>) {
        self.tell(&Record::Replied { open, sync, error, payload: &payload }, None);
        if !self.replica.calls.is_empty() || !self.replica.suspects.is_empty() {
            let turn = TurnKey::Request { open, sync };
            self.replica.apply(&Record::TurnEnded { turn }).expect("the end of a turn always fits");
        }
        if let Some(state) = self.replica.opens.get_mut(&open) {
            state.replied(SavedReply { sync, error, payload });
            self.batch.outputs.push(Output::Reply { open, sync });
        }
    }

    fn cancel(&mut self, open: OpenId, sync: SyncId) {
        let waits = |ready: &Ready| matches!(ready, Ready::Request(r) if (r.open, r.sync) == (open, sync));
        let Some(state) = self.replica.opens.get_mut(&open) else { return };
        if !state.is_in_hand(sync) {
            if state.saved_reply(sync).is_some() {
                // The reply and the cancellation have crossed: its sender has not seen the reply.
                self.push_system(SystemMessage::Cancelled { open, sync });
            }
            return;
        }
        // It counts no longer as outstanding: its sender may send the next one.
        state.forget(sync);
        if let Some(at) = self.ready.iter().position(waits) {
            self.ready.remove(at);
        } else {
            // The server must still reply; the reply is dropped by the requester (FILE_GETRECEIVEINFO_, -38).
            self.push_system(SystemMessage::Cancelled { open, sync });
        }
    }

    fn lose_path(&mut self, open: OpenId) {
        if self.wants_system
            && self.pair.is_primary()
            && self.paths.get(&open).is_some_and(|path| path.lost_at_ns.is_none())
        {
            self.ready.push_back(Ready::OpenerLost(open));
        }
        let named = self.replica.opens.get(&open).is_some_and(|state| state.opener.name.is_some());
        if let Some(path) = self.paths.get_mut(&open)
            && named
        {
            path.lost_at_ns = Some(clock::monotonic_ns());
            path.watched = false;
            rings::unwatch(&self.poller, &path.channel);
            return;
        }
        self.close_open(open);
    }

    fn close_open(&mut self, open: OpenId) {
        self.pathless.remove(&open);
        if let Some(path) = self.paths.remove(&open)
            && path.watched
        {
            rings::unwatch(&self.poller, &path.channel);
        }
        if self.replica.opens.contains_key(&open) {
            self.record(&Record::Closed { open }, None);
            self.push_system(SystemMessage::Closed { open });
            self.settle();
        }
        if let Some(listener) = self.acceptors.remove(&open) {
            self.acceptor_lost(listener);
        }
    }

    pub(super) fn forget_vanished_openers(&mut self) {
        let now = clock::monotonic_ns();
        let vanished: Vec<OpenId> = self
            .paths
            .iter()
            .filter(|(_, path)| path.lost_at_ns.is_some_and(|at| now > at + VANISHED_OPENER_NS))
            .map(|(open, _)| *open)
            .chain(
                self.pathless
                    .iter()
                    .filter(|(_, since)| now > **since + VANISHED_OPENER_NS)
                    .map(|(open, _)| *open),
            )
            .collect();
        for open in vanished {
            self.close_open(open);
        }
    }

    /// Queues a frame for an opener; it leaves with the next release of outputs.
    pub(super) fn queue_on_path(&mut self, open: OpenId, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(path) = self.paths.get_mut(&open) {
            path.channel.queue(kind, write);
            path.note_dirty(open, &mut self.dirty_paths);
        }
    }

    /// Something was queued for this opener.
    pub(super) fn queue_on_path_done(&mut self, open: OpenId) {
        if let Some(path) = self.paths.get_mut(&open) {
            path.note_dirty(open, &mut self.dirty_paths);
        }
    }

    /// Sends what was queued, and watches for room where it does not fit.
    pub(super) fn flush_paths(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty_paths);
        for open in dirty.drain(..) {
            self.flush_path(open);
        }
        self.dirty_paths = dirty;
    }

    fn flush_path(&mut self, open: OpenId) {
        let Some(path) = self.paths.get_mut(&open) else { return };
        path.dirty = false;
        if path.channel.is_blocked() && path.channel.flush().is_err() {
            self.lose_path(open);
            return;
        }
        let Some(path) = self.paths.get_mut(&open) else { return };
        // Room in a ring is told by its bell.
        let want = (path.channel.waits_for_socket(), path.channel.queued_bytes() > UNSENT_BYTES_MAX);
        if path.watched && want != (path.writing, path.deaf) {
            let was_deaf = path.deaf;
            (path.writing, path.deaf) = want;
            let interest = match want {
                (true, true) => Interest::WRITE,
                (false, true) => Interest::NONE,
                (true, false) => Interest::READ_WRITE,
                (false, false) => Interest::READ,
            };
            let _ = self.poller.modify(path.channel.as_fd(), TOKEN_PATH | open.0, interest);
            if was_deaf && !want.1 {
                // Its bell may have rung for bytes while nobody listened.
                self.note_awake(open);
            }
        }
    }

    /// The first words of a new primary: every opener hears them at once, without asking any daemon.
    pub(super) fn speak_on_all_paths(&mut self, epoch: Epoch) -> Result<()> {
        for (open, path) in self.paths.iter_mut() {
            path.channel.set_stop_at_short_read(true);
            path.void_until = Some(epoch);
            path.channel.queue(path::TAKEOVER, |out| epoch.put(out));
            // What does not fit leaves when there is room; an opener that is gone shows at the first read.
            let _ = path.channel.flush();
            self.dirty_paths.push(*open);
        }
        // Opens whose standby path never came are asked for again by their openers, or end.
        let now = clock::monotonic_ns();
        let pathless = self.replica.opens.keys().filter(|open| !self.paths.contains_key(open));
        self.pathless = pathless.map(|open| (*open, now)).collect();
        self.watch_paths()
    }

    /// The last words of an old primary: an opener that has no path to the other half asks for one.
    pub(super) fn say_demoted(&mut self) {
        for path in self.paths.values_mut() {
            path.channel.queue(path::DEMOTED, |_| {});
            let _ = path.channel.flush();
        }
    }

    /// Looks at all paths that have not ended.
    pub(super) fn watch_paths(&mut self) -> Result<()> {
        for (open, path) in
            self.paths.iter_mut().filter(|(_, path)| !path.watched && path.lost_at_ns.is_none())
        {
            rings::watch(&self.poller, *open, &path.channel)?;
            (path.watched, path.writing, path.deaf) = (true, false, false);
        }
        Ok(())
    }

    /// Looks at no path any more.
    pub(super) fn unwatch_paths(&mut self) {
        for path in self.paths.values_mut().filter(|path| path.watched) {
            rings::unwatch(&self.poller, &path.channel);
            path.watched = false;
        }
    }

    /// As a backup this half keeps its paths, and neither reads nor writes them. It never answers a request with 200: a
    /// request that is refused by the wrong half could be overtaken by the next one (S8).
    pub(super) fn silence_paths(&mut self) {
        self.unwatch_paths();
        self.dirty_paths.clear();
        for path in self.paths.values_mut() {
            path.dirty = false;
        }
        for state in self.replica.opens.values_mut() {
            state.forget_all_in_hand();
        }
    }

    /// How many openers have a path here.
    pub(super) fn acceptor_of(&self, listener: ListenerId) -> bool {
        self.acceptors.values().any(|l| *l == listener)
    }
}

/// S16: only the same opener, as the daemons vouch for it, may take up an open. A requester without a name that lost its
/// CPU has a new handle from another daemon; its user is what is left to know it by.
fn same_opener(known: &Opener, opener: &Opener) -> bool {
    let same_process = known.name.is_none() || known.phandle.sequence == opener.phandle.sequence;
    known.uid == opener.uid && known.name == opener.name && same_process
}

#[inline]
fn incoming(kind: u8, body: &[u8], descriptors: Vec<OwnedFd>, spares: &mut Spares) -> Option<Incoming> {
    match kind {
        path::REQUEST => {
            let request = Request::decode(body).ok()?;
            Some(Incoming::Request {
                sync: request.sync,
                io: request.io,
                reply_bytes_max: request.reply_bytes_max,
                again: request.again,
                payload: spares.lend(request.payload),
                descriptor: descriptors.into_iter().next(),
            })
        }
        path::CANCEL => decode(body).ok().map(Incoming::Cancel),
        path::RESUMED => decode(body).ok().map(Incoming::Resumed),
        path::RING_TAKEN => decode(body).ok().map(Incoming::RingTaken),
        path::CLOSE => Some(Incoming::Close),
        _ => None,
    }
}
