//! The requester's end of one open: up to two paths to a server's halves, and the requests on them.
//!
//! Driven by whoever owns it: [`Link::wait`] writes and waits, [`Link::pump_ready`] reads and lets
//! [`pollux_core::requester`] decide. An owner with a poller for much else waits itself ([`Link::new_in`]). The blocking requester, the asynchronous one, a pair that calls a pair and the
//! acceptor all use it.

use crate::error::{Context, Error, Result};
use crate::few::Few;
use crate::path_ring::unwatch;
use crate::spares::Spares;
use pollux_core::by_sync;
use pollux_core::requester::{Command, PathNumber, ReplyIs, Requester};
use pollux_os::points::{self, Mark, Subject};
use pollux_os::{Among, Channel, Fill, Interest, Poller, Registry};
use pollux_wire::limits::PATH_BODY_BYTES_MAX;
use pollux_wire::path::{self, IoType, OpenReply, Reply, Request};
use pollux_wire::{Epoch, FileError, OpenId, SyncId, Wire, decode};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Error number; data may accompany it.
    pub error: FileError,
    /// Bytes.
    pub payload: Vec<u8>,
}

/// A request that may have to be sent again.
struct Kept {
    io: IoType,
    reply_bytes_max: u32,
    payload: Vec<u8>,
    descriptor: Option<OwnedFd>,
}

/// Values by sync id.
struct BySync<T>(VecDeque<(SyncId, T)>);

impl<T> BySync<T> {
    fn find(&self, sync: SyncId) -> Result<usize, usize> {
        by_sync::position(&self.0, sync, |(known, _)| *known)
    }

    fn insert(&mut self, sync: SyncId, value: T) {
        match self.find(sync) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => by_sync::insert(&mut self.0, at, (sync, value)),
        }
    }

    fn get(&self, sync: SyncId) -> Option<&T> {
        self.find(sync).ok().map(|at| &self.0[at].1)
    }

    fn remove(&mut self, sync: SyncId) -> Option<T> {
        let at = self.find(sync).ok()?;
        by_sync::remove(&mut self.0, at).map(|(_, value)| value)
    }
}

/// The requester's end of a path.
struct Path {
    channel: Channel,
    /// The poller looks for room in the socket, too.
    writing: bool,
    /// There is something to read.
    ready: bool,
}

/// Bit of a token that tells the bell of a path from its socket.
const TOKEN_BELL: u64 = 1;
/// Bits of a token above that bit which say what path it is. A link has few paths at a time, so the low bits of their
/// numbers tell them apart.
const TOKEN_PATH_BITS: u32 = 16;
/// Low bits of the tokens of a link in the poller of its owner; those above are the owner's.
pub(crate) const TOKEN_BITS: u32 = TOKEN_PATH_BITS + 1;

fn token(number: PathNumber) -> u64 {
    u64::from(number.0 & ((1 << TOKEN_PATH_BITS) - 1)) << 1
}

/// Takes in what a poller has told. The path of an older event may be gone.
fn note_event(paths: &mut Few<PathNumber, Path>, told: u64) {
    let of_path = told & !TOKEN_BELL;
    if let Some((_, path)) = paths.iter_mut().find(|(number, _)| token(**number) == of_path) {
        path.ready = true;
        if told & TOKEN_BELL == 0 {
            path.channel.note_socket_ready();
        }
    }
}

/// Where the open stands.
enum State {
    /// The server has not answered the open yet.
    Opening,
    /// Requests can be sent.
    Open(Requester),
    /// Refused or ended for good.
    Closed(FileError),
}

/// What the server said to the open, apart from refusing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acceptance {
    /// The label that it gave to the open; -1 for none.
    pub label: i16,
    /// A warning, 1 to 9, or 0.
    pub warning: FileError,
}

/// The requester's end of one open.
pub(crate) struct Link {
    open: OpenId,
    sync_depth: u16,
    nowait_depth: u16,
    next_sync: SyncId,
    state: State,
    /// Where the paths are registered, under tokens that begin with this one.
    registry: Registry,
    token: u64,
    /// None for a link whose owner has a poller.
    poller: Option<Poller>,
    paths: Few<PathNumber, Path>,
    /// Paths that the other end has closed, until the next one comes: to give back a ring takes longer than to send a request again, and
    /// who waits for a takeover has just lost one.
    lost: Vec<Path>,
    last_path: u32,
    kept: BySync<Kept>,
    /// Buffers of requests that have their answers.
    spares: Spares,
    answers: BySync<Answer>,
    wants_path: bool,
    accepted: Acceptance,
}

impl Link {
    /// An open whose first path the daemon has handed out; the server's answer to the open comes over it.
    pub(crate) fn new(open: OpenId, path: OwnedFd, sync_depth: u16, nowait_depth: u16) -> Result<Self> {
        Ok(Self::without_path(open, sync_depth, nowait_depth, SyncId(1))?.opening(path))
    }

    /// The same in the poller of the link's owner, who hands in its events with [`Link::note_event`].
    pub(crate) fn new_in(
        registry: Registry,
        token: u64,
        open: OpenId,
        path: OwnedFd,
        (sync_depth, nowait_depth): (u16, u16),
    ) -> Self {
        Self::made(registry, token, open, (sync_depth, nowait_depth), SyncId(1)).opening(path)
    }

    fn opening(mut self, path: OwnedFd) -> Self {
        self.state = State::Opening;
        self.add_path(path);
        self
    }

    /// An open that an earlier primary of this pair has made: the requests go on from `next_sync` over a new path.
    pub(crate) fn without_path(
        open: OpenId,
        sync_depth: u16,
        nowait_depth: u16,
        next_sync: SyncId,
    ) -> Result<Self> {
        let poller = Poller::new().context("make a poller for the paths of an open")?;
        let mut link = Self::made(poller.registry(), 0, open, (sync_depth, nowait_depth), next_sync);
        link.poller = Some(poller);
        Ok(link)
    }

    fn made(
        registry: Registry,
        token: u64,
        open: OpenId,
        (sync_depth, nowait_depth): (u16, u16),
        next_sync: SyncId,
    ) -> Self {
        // A path number that is never used: the requester starts with a lost path, and asks for one when it has a request.
        let nowhere = PathNumber(0);
        let mut requester = Requester::new(nowhere, Epoch(0), sync_depth, nowait_depth, next_sync);
        requester.handle_path_lost(nowhere);
        Self {
            open,
            sync_depth,
            nowait_depth,
            next_sync,
            state: State::Open(requester),
            registry,
            token,
            poller: None,
            paths: Few::default(),
            lost: Vec::new(),
            last_path: 0,
            kept: BySync(VecDeque::new()),
            spares: Spares::default(),
            answers: BySync(VecDeque::new()),
            wants_path: false,
            accepted: Acceptance { label: -1, warning: FileError::OK },
        }
    }

    /// Moves the paths to the poller of a new owner, who hands in its events from here on with [`Link::note_event`]. What has
    /// come before is found with the next [`Link::prepare_wait`].
    pub(crate) fn move_to(&mut self, registry: Registry, token: u64) -> Result<()> {
        let from = std::mem::replace(&mut self.registry, registry);
        self.token = token;
        self.poller = None;
        for (number, path) in self.paths.iter_mut() {
            unwatch(&from, &path.channel);
            let token = self.token | self::token(*number);
            let interest = if path.writing { Interest::READ_WRITE } else { Interest::READ };
            self.registry.add(path.channel.as_fd(), token, interest).context("wait for a path")?;
            if let Some(bell) = path.channel.bell() {
                let interest = Interest::READ | Interest::EDGE;
                self.registry.add(bell, token | TOKEN_BELL, interest).context("wait for a path's bell")?;
            }
            path.ready = true;
            path.channel.note_socket_ready();
        }
        Ok(())
    }

    /// Starts a request; it leaves with the next [`Link::flush`] or [`Link::wait`], and its answer is fetched with
    /// [`Link::take_answer`].
    pub(crate) fn start(
        &mut self,
        payload: Vec<u8>,
        reply_bytes_max: u32,
        descriptor: Option<OwnedFd>,
    ) -> Result<SyncId> {
        self.start_as(IoType::WriteRead, payload, reply_bytes_max, descriptor)
    }

    /// The same for a request whose bytes are the caller's.
    pub(crate) fn start_copy(&mut self, payload: &[u8], descriptor: Option<OwnedFd>) -> Result<SyncId> {
        if payload.len() > pollux_wire::limits::PAYLOAD_BYTES_MAX {
            return Err(Error::File(FileError::BAD_COUNT));
        }
        let payload = self.spares.lend(payload);
        self.start(payload, pollux_wire::limits::PAYLOAD_BYTES_MAX as u32, descriptor)
    }

    /// The same for any kind of request.
    pub(crate) fn start_as(
        &mut self,
        io: IoType,
        payload: Vec<u8>,
        reply_bytes_max: u32,
        descriptor: Option<OwnedFd>,
    ) -> Result<SyncId> {
        let requester = match &mut self.state {
            State::Open(requester) => requester,
            State::Opening => return Err(Error::Misuse("the server has not accepted the open yet")),
            State::Closed(error) => return Err(Error::File(*error)),
        };
        if payload.len() > pollux_wire::limits::PAYLOAD_BYTES_MAX {
            return Err(Error::File(FileError::BAD_COUNT));
        }
        let sync = requester.start()?;
        points::pass(Mark::Request, Subject::of(self.open.0, sync.0, &payload));
        self.kept.insert(sync, Kept { io, reply_bytes_max, payload, descriptor });
        self.act();
        Ok(sync)
    }

    /// Takes up a request that an earlier primary of this pair has sent or was about to send.
    pub(crate) fn take_up(&mut self, sync: SyncId, payload: Vec<u8>, reply_bytes_max: u32) {
        if let State::Open(requester) = &mut self.state {
            requester.take_up(sync);
            self.kept
                .insert(sync, Kept { io: IoType::WriteRead, reply_bytes_max, payload, descriptor: None });
            requester.handle_impatience();
        }
        self.act();
    }

    /// The next request gets this sync id.
    pub(crate) fn continue_at(&mut self, next: SyncId) {
        if let State::Open(requester) = &mut self.state {
            requester.continue_at(next);
        }
    }

    /// The next request gets exactly this sync id; only while nothing is outstanding.
    pub(crate) fn set_next(&mut self, next: SyncId) {
        self.next_sync = next;
        if let State::Open(requester) = &mut self.state {
            requester.set_next(next);
        }
    }

    /// The sync id of the next request.
    pub(crate) fn next_sync(&self) -> SyncId {
        match &self.state {
            State::Open(requester) => requester.next_sync(),
            _ => self.next_sync,
        }
    }

    /// What the server said to the open.
    pub(crate) fn acceptance(&self) -> Acceptance {
        self.accepted
    }

    /// Gives a request up; the server is told.
    pub(crate) fn cancel(&mut self, sync: SyncId) {
        if let State::Open(requester) = &mut self.state
            && requester.cancel(sync)
        {
            points::pass(Mark::Cancelled, Subject::of(self.open.0, sync.0, &[]));
            if let Some(path) = requester.active().and_then(|path| self.paths.get_mut(&path)) {
                path.channel.queue(path::CANCEL, |out| sync.put(out));
            }
            self.kept.remove(sync);
            self.flush();
        }
    }

    /// The answer of a request, if it is there.
    pub(crate) fn take_answer(&mut self, sync: SyncId) -> Option<Answer> {
        self.answers.remove(sync)
    }

    /// Any answer that is there.
    pub(crate) fn take_any_answer(&mut self) -> Option<(SyncId, Answer)> {
        self.answers.0.pop_front()
    }

    /// Writes, reads what is there and decides; never blocks.
    pub(crate) fn pump(&mut self) {
        // A poller that fails would fail for good: the owner's next wait says so.
        let _ = self.wait(Some(Duration::ZERO));
        self.pump_ready();
    }

    /// Reads the paths of which the last wait has told, and decides.
    pub(crate) fn pump_ready(&mut self) {
        while let Some(path) = self.take_ready() {
            self.read(path);
        }
        self.act();
        self.flush();
    }

    /// The active path first: what a dead primary had still written is true and comes before the word of its successor.
    fn take_ready(&mut self) -> Option<PathNumber> {
        let active = self.active().filter(|active| self.paths.get(active).is_some_and(|path| path.ready));
        let number =
            active.or_else(|| self.paths.iter().find(|(_, path)| path.ready).map(|(number, _)| *number))?;
        self.paths.get_mut(&number)?.ready = false;
        Some(number)
    }

    /// Writes, and waits until a path has something or the time is over: then false. Where a ring has something already
    /// the poller is not asked: what the sockets have to tell can wait until the half that speaks has been heard out.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        if self.prepare_wait() {
            return Ok(true);
        }
        let Some(poller) = &mut self.poller else { return Ok(false) };
        let events = poller.wait(timeout).context("wait for a path")?;
        for event in events {
            note_event(&mut self.paths, event.token);
        }
        Ok(!events.is_empty())
    }

    /// The poller of the link's owner has told this token.
    pub(crate) fn note_event(&mut self, token: u64) {
        note_event(&mut self.paths, token & ((1 << TOKEN_BITS) - 1));
    }

    /// Before any wait for [`Link::as_fd`]: writes what is queued, and lets the other ends ring. True if there is
    /// something to read already, or to act upon: a path that is found lost gives what it held, and no poller tells of that.
    pub(crate) fn prepare_wait(&mut self) -> bool {
        let before = self.to_act_upon();
        self.flush();
        let mut found = self.to_act_upon() != before;
        for (number, path) in self.paths.iter_mut() {
            let blocked = path.channel.waits_for_socket();
            if blocked != path.writing {
                path.writing = blocked;
                let interest = if blocked { Interest::READ_WRITE } else { Interest::READ };
                let _ = self.registry.modify(path.channel.as_fd(), self.token | token(*number), interest);
            }
            path.ready |= !path.channel.fall_asleep();
            found |= path.ready;
        }
        found
    }

    /// Answers that wait to be fetched, a wish for a path, and the end of the open.
    fn to_act_upon(&self) -> (usize, bool, bool) {
        (self.answers.0.len(), self.wants_path, matches!(self.state, State::Closed(_)))
    }

    /// True when the daemon must be asked for a path; asking again is the caller's business.
    pub(crate) fn take_wish_for_path(&mut self) -> bool {
        std::mem::take(&mut self.wants_path)
    }

    /// A path that the daemon has handed out.
    pub(crate) fn add_path(&mut self, path: OwnedFd) {
        self.lost.clear();
        self.last_path += 1;
        let number = PathNumber(self.last_path);
        let mut channel = Channel::new(path, PATH_BODY_BYTES_MAX);
        // Paths are polled by level: what a short read leaves is told again.
        channel.set_stop_at_short_read(true);
        // Without a ring or a standby path it goes on; without the path the server would think that we are dead.
        channel.forgive_lost_descriptors();
        if self.registry.add(channel.as_fd(), self.token | token(number), Interest::READ).is_ok() {
            self.paths.insert(number, Path { channel, writing: false, ready: false });
        }
    }

    /// There is no path to be had.
    pub(crate) fn path_refused(&mut self, error: FileError) {
        match &mut self.state {
            State::Open(requester) => requester.handle_path_refused(error),
            State::Opening => self.state = State::Closed(error),
            State::Closed(_) => {}
        }
        self.act();
    }

    /// No half can be reached at this moment: ask again with the next impatience.
    pub(crate) fn retry_path(&mut self) {
        if let State::Open(requester) = &mut self.state {
            requester.handle_path_unavailable();
        }
    }

    /// True when any answer waits to be fetched.
    pub(crate) fn has_answers(&self) -> bool {
        !self.answers.0.is_empty()
    }

    /// True when this answer waits to be fetched.
    pub(crate) fn has_answer(&self, sync: SyncId) -> bool {
        self.answers.get(sync).is_some()
    }

    /// Nothing was heard for a while.
    pub(crate) fn impatient(&mut self) {
        if let State::Open(requester) = &mut self.state {
            requester.handle_impatience();
        }
        self.act();
    }

    /// Readable when there may be something to read; see [`Link::prepare_wait`].
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_ref().expect("a link that is waited for has a poller of its own").as_fd()
    }

    /// True while something waits for room to be written.
    pub(crate) fn has_unsent(&self) -> bool {
        self.paths.values().any(|path| path.channel.is_blocked())
    }

    /// False when nothing will come any more unless a path is added.
    pub(crate) fn has_paths(&self) -> bool {
        !self.paths.is_empty()
    }

    /// `None` while the server has not answered the open.
    pub(crate) fn opened(&self) -> Option<Result<(), FileError>> {
        match &self.state {
            State::Opening => None,
            State::Open(_) => Some(Ok(())),
            State::Closed(error) => Some(Err(*error)),
        }
    }

    pub(crate) fn open_id(&self) -> OpenId {
        self.open
    }

    pub(crate) fn depths(&self) -> (u16, u16) {
        (self.sync_depth, self.nowait_depth)
    }

    /// How many requests were sent again so far.
    pub(crate) fn resent(&self) -> u64 {
        match &self.state {
            State::Open(requester) => requester.resent(),
            _ => 0,
        }
    }

    /// How many requests have no answer yet.
    pub(crate) fn outstanding(&self) -> usize {
        match &self.state {
            State::Open(requester) => requester.outstanding(),
            _ => 0,
        }
    }

    /// True when one more request may be started now.
    pub(crate) fn can_start(&self) -> bool {
        matches!(&self.state, State::Open(requester) if requester.can_start())
    }

    /// The epoch of the server's primary.
    pub(crate) fn epoch(&self) -> Epoch {
        match &self.state {
            State::Open(requester) => requester.epoch(),
            _ => Epoch(0),
        }
    }

    /// Tells the server that the open ends.
    pub(crate) fn close(&mut self) {
        self.close_with(0);
    }

    /// The same with a word for the server (`FILE_CLOSE_`, tape disposition). An open that the server has not answered
    /// ends, too.
    pub(crate) fn close_with(&mut self, disposition: i16) {
        let path = self.active().or_else(|| self.paths.keys().next().copied());
        if let Some(path) = path.and_then(|path| self.paths.get_mut(&path)) {
            path.channel.queue(path::CLOSE, |out| {
                if disposition != 0 {
                    disposition.put(out);
                }
            });
        }
        self.flush();
    }

    /// Queues a frame for the half that requests go to; nothing without one.
    pub(crate) fn tell(&mut self, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(path) = self.active().and_then(|path| self.paths.get_mut(&path)) {
            path.channel.queue(kind, write);
        }
    }

    /// The path that requests go to.
    pub(crate) fn active(&self) -> Option<PathNumber> {
        match &self.state {
            State::Open(requester) => requester.active(),
            _ => None,
        }
    }

    fn read(&mut self, number: PathNumber) {
        let mut standby = Vec::new();
        let mut takeover = None;
        let mut opened = false;
        let mut offer = None;
        let mut ended = false;
        let Some(Path { channel, .. }) = self.paths.get_mut(&number) else { return };
        let lost = loop {
            let filled = channel.fill();
            let mut turned = false;
            let broken = loop {
                match channel.next_frame() {
                    Ok(None) => break false,
                    Err(_) => break true,
                    Ok(Some(frame)) => match frame.kind {
                        path::REPLY => {
                            let Ok(reply) = Reply::decode(frame.body) else { break true };
                            if let State::Open(requester) = &mut self.state
                                && requester.handle_reply(number, reply.sync, reply.error, reply.epoch)
                                    == ReplyIs::Wanted
                            {
                                if let Some(kept) = self.kept.remove(reply.sync) {
                                    self.spares.take_back(kept.payload);
                                }
                                let answer = Answer { error: reply.error, payload: reply.payload.to_vec() };
                                note_answer(self.open, reply.sync, &answer);
                                self.answers.insert(reply.sync, answer);
                            }
                        }
                        path::TAKEOVER => match decode::<Epoch>(frame.body) {
                            Ok(epoch) => takeover = Some(epoch),
                            Err(_) => break true,
                        },
                        path::STANDBY => standby.extend(frame.descriptors),
                        path::DEMOTED => {
                            if let State::Open(requester) = &mut self.state {
                                requester.handle_demoted(number);
                            }
                        }
                        path::RING_OFFER => offer = Some(frame.descriptors),
                        path::RING_BEGUN => {
                            turned = true;
                            break false;
                        }
                        path::OPEN_REPLY => {
                            let Ok(reply) = decode::<OpenReply>(frame.body) else { break true };
                            if matches!(self.state, State::Opening) {
                                opened = true;
                                self.accepted = Acceptance { label: reply.label, warning: reply.error };
                                self.state = if reply.error.0 >= 10 {
                                    State::Closed(reply.error)
                                } else {
                                    let (sync, nowait) = (self.sync_depth, self.nowait_depth);
                                    State::Open(Requester::new(
                                        number,
                                        reply.epoch,
                                        sync,
                                        nowait,
                                        self.next_sync,
                                    ))
                                };
                            } else if !reply.error.is_ok()
                                && let State::Open(requester) = &mut self.state
                            {
                                // The server does not know this open any more.
                                requester.handle_path_refused(reply.error);
                            }
                        }
                        // A kind of a later version: skip it.
                        _ => {}
                    },
                }
            };
            if broken {
                break true;
            }
            if turned {
                // The socket has said its last; what it still holds or has ended with is told beside the ring.
                if channel.read_from_ring().is_err() {
                    break true;
                }
                continue;
            }
            match filled {
                Ok(Fill::Full) => {}
                Ok(Fill::Open) => break false,
                Ok(Fill::Closed) => {
                    ended = true;
                    break true;
                }
                Err(_) => break true,
            }
        };
        if opened && let State::Open(requester) = &mut self.state {
            // The standby path comes ahead of the answer to the open, which waits for its checkpoint.
            for path in self.paths.keys().filter(|path| **path != number) {
                requester.handle_standby(*path);
            }
        }
        if let Some(epoch) = takeover {
            if let Some(active) = self.active()
                && active != number
            {
                self.read(active);
            }
            if let State::Open(requester) = &mut self.state {
                if let Some(path) = self.paths.get_mut(&number) {
                    path.channel.queue(path::RESUMED, |out| epoch.put(out));
                }
                requester.handle_takeover(number, epoch);
            }
        }
        if let Some(descriptors) = offer {
            self.take_ring(number, descriptors);
        }
        for path in standby {
            self.add_path(path);
            if let State::Open(requester) = &mut self.state {
                requester.handle_standby(PathNumber(self.last_path));
            }
        }
        if lost {
            self.lose(number, ended);
        }
    }

    /// The server offers a ring. Where descriptors or rings are used up the path stays as it is.
    fn take_ring(&mut self, number: PathNumber, descriptors: Vec<OwnedFd>) {
        let Some(Path { channel, .. }) = self.paths.get_mut(&number) else { return };
        let mut taken = channel.take_ring(descriptors, Among::Many).is_ok();
        if taken && let Some(bell) = channel.bell() {
            let token = self.token | token(number) | TOKEN_BELL;
            taken = self.registry.add(bell, token, Interest::READ | Interest::EDGE).is_ok();
        }
        channel.queue(path::RING_TAKEN, |out| taken.put(out));
        if taken {
            channel.write_to_ring();
        } else {
            channel.withdraw_ring();
        }
    }

    /// A path that its other end has not closed is closed here at once, for it to see.
    fn lose(&mut self, number: PathNumber, ended: bool) {
        if let Some(path) = self.paths.remove(&number) {
            unwatch(&self.registry, &path.channel);
            if ended {
                self.lost.push(path);
            }
        }
        match &mut self.state {
            State::Open(requester) => requester.handle_path_lost(number),
            // The server died before it answered the open: ask who serves the name today.
            State::Opening => self.state = State::Closed(FileError::PATH_DOWN),
            State::Closed(_) => {}
        }
    }

    fn act(&mut self) {
        let State::Open(requester) = &mut self.state else { return };
        while let Some(command) = requester.poll_command() {
            match command {
                Command::Send { path: number, sync, again } => {
                    let (Some(Path { channel, .. }), Some(kept)) =
                        (self.paths.get_mut(&number), self.kept.get(sync))
                    else {
                        continue;
                    };
                    let Kept { io, reply_bytes_max, payload, descriptor } = kept;
                    let request = Request {
                        sync,
                        reply_bytes_max: *reply_bytes_max,
                        io: *io,
                        again,
                        payload: payload.as_slice(),
                    };
                    match descriptor.as_ref().map(|fd| fd.try_clone()) {
                        None => channel.queue_parts(path::REQUEST, &request.head(), request.payload),
                        Some(Ok(fd)) => channel.queue_with(path::REQUEST, vec![fd], |out| request.put(out)),
                        // No descriptor left: the request stays kept and is sent again with the next takeover or path.
                        Some(Err(_)) => {}
                    }
                }
                Command::Fail { sync, error } => {
                    self.kept.remove(sync);
                    let answer = Answer { error, payload: Vec::new() };
                    note_answer(self.open, sync, &answer);
                    self.answers.insert(sync, answer);
                }
                Command::AskForPath => self.wants_path = true,
            }
        }
    }

    /// Sends what is queued, as far as there is room.
    pub(crate) fn flush(&mut self) {
        let mut lost = Vec::new();
        for (number, path) in self.paths.iter_mut() {
            if path.channel.is_blocked() && path.channel.flush().is_err() {
                lost.push(*number);
            }
        }
        for number in lost {
            // What the other end had still written is read before the path counts as lost.
            self.read(number);
            self.lose(number, true);
            self.act();
        }
    }
}

/// Writes down what the program gets to see.
fn note_answer(open: OpenId, sync: SyncId, answer: &Answer) {
    let Answer { error, payload } = answer;
    points::pass(Mark::Answer, Subject { open: open.0, sync: sync.0, error: error.0, bytes: payload });
}

impl Drop for Link {
    fn drop(&mut self) {
        for path in self.paths.values() {
            unwatch(&self.registry, &path.channel);
        }
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
