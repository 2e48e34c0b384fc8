//! The opens of this process by others: what comes over their paths becomes messages of `$RECEIVE`, replies go back.
//!
//! ```text
//!  NewPath ----> Waiting (until $RECEIVE is open) --> Offered (-103 in the queue) --reply 0--> Accepted --CLOSE--> -104
//!     |                                                  |  \--reply >= 10--> refused           |
//!     +-- again: TAKEOVER ------------------------------------------------> Accepted            +-- the path ends:
//!                                                                                                   Fate of the opener
//! ```
//!
//! A path that ends without CLOSE says nothing about the opener. The daemon knows: -104 is for an opener that has ended; of one
//! that was lost with its CPU programs hear by -2 (Guardian Programmer's Guide, chapter 21).
//!
//! Which opens those are that a dead primary has left, [`crate::other_half`] knows.
//!
//! `again` is the path of an open that the other half has accepted. This half has not seen it: no -103, the label comes with the
//! path. What was read from an earlier path of the open is void; its requester sends it again behind the TAKEOVER.

use crate::files::SHORT_TRANSFER_BYTES_MAX;
use crate::files::sync_block::visible;
use crate::other_half::{OpensOfPrimary, Said};
use crate::receive::layout;
use crate::receive::queue::{Cancelled, Message, Origin, Queue, Sender};
use crate::runtime::{Asker, Runtime};
use crate::server_path::Path;
use pollux_os::Fill;
use pollux_os::points::{self, Mark, Subject};
use pollux_wire::checkpoint::Opener;
use pollux_wire::control::Fate;
use pollux_wire::limits::OPENERS_PER_SERVER_MAX;
use pollux_wire::path::{self, IoType, KnownOpen, OpenReply, Reply, Request};
use pollux_wire::{Epoch, FileError, OpenId, Phandle, ProcessName, SyncId, Wire, decode};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Error 7: this server takes no file-management messages.
const NO_SYSTEM_MESSAGES: FileError = FileError(7);
/// An opener that lives without a path is asked after again, each time after twice this time, up to the limit.
const FATE_PAUSE: Duration = Duration::from_secs(1);
const FATE_PAUSE_MAX: Duration = Duration::from_secs(64);
/// Closed paths whose last words wait for room; at the limit the oldest is cut off.
const LINGERING_MAX: usize = 256;
/// A list of frames with room for more is not kept for the next ones.
const SPARE_FRAMES_MAX: usize = 64;
/// `SETMODE` 80: the program takes -38.
pub(crate) const TAKES_CANCELLATIONS: i16 = 4;
/// `SETMODE` 80: the program takes SETPARAM messages.
pub(crate) const TAKES_SETPARAM: i16 = 2;
/// `SETMODE` 80: -33 has a word that says which parameters are there.
pub(crate) const TAKES_SETMODE_FLAGS: i16 = 1;
/// Priority of a sender of which nothing is known.
const PRIORITY_UNKNOWN: u8 = 0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// `$RECEIVE` is not open yet.
    Waiting,
    /// Its -103 is in the queue or in the program's hands.
    Offered,
    /// Requests flow.
    Accepted,
}

struct Open {
    opener: Opener,
    phase: Phase,
    label: i16,
    /// None while its requester has no path to this half.
    path: Option<Path>,
    /// This half has told the requester that it may send here.
    has_spoken: bool,
    /// The path is one of an open that the other half accepted.
    again: bool,
    /// The opener gave up while the program had the -103 in its hands.
    is_given_up: bool,
    last_sync: SyncId,
    fate_asked: bool,
    fate_at: Option<Instant>,
    fate_pause: Duration,
}

impl Open {
    fn new(opener: Opener, again: bool) -> Self {
        let label = if again { opener.details.label } else { -1 };
        Self {
            opener,
            phase: Phase::Waiting,
            label,
            path: None,
            has_spoken: false,
            again,
            is_given_up: false,
            last_sync: SyncId(0),
            fate_asked: false,
            fate_at: None,
            fate_pause: FATE_PAUSE,
        }
    }

    /// It has no path; its opener is asked after.
    fn await_fate(&mut self) {
        (self.path, self.has_spoken, self.fate_asked) = (None, false, false);
        (self.fate_at, self.fate_pause) = (Some(Instant::now()), FATE_PAUSE);
    }
}

/// `$RECEIVE` and who has opened this process.
#[derive(Default)]
pub(crate) struct Server {
    /// The messages.
    pub(crate) queue: Queue,
    /// True while `$RECEIVE` is open.
    pub(crate) is_open: bool,
    /// True if the program takes file-management messages.
    pub(crate) takes_messages: bool,
    /// `SETMODE` 80.
    pub(crate) extras: i16,
    /// Requests of opens that are the run-time libraries' own, which programs do not see.
    pub(crate) internal: std::collections::VecDeque<Message>,
    opens: BTreeMap<OpenId, Open>,
    /// Opens that are accepted and have no path: few, or none. One that has a path again, or is gone, is left out when the
    /// list is gone through.
    pathless: Vec<OpenId>,
    lingering: Vec<Path>,
    /// The opens of the other half, as long as that is the primary.
    pub(crate) of_primary: OpensOfPrimary,
    /// As many messages are unread as the program allows: nothing more is taken in.
    is_deaf: bool,
    /// Paths whose rings were read since the last wait, or rang while nobody heard.
    awake: Vec<OpenId>,
    /// For what is read next: kept for its memory.
    spare_frames: Vec<Incoming>,
}

enum Incoming {
    Request { sync: SyncId, io: IoType, reply_bytes_max: u32, payload: Vec<u8> },
    Cancel(SyncId),
    Close(i16),
    Resumed,
    RingTaken(bool),
    OfPrimary(Said),
}

impl Server {
    /// Who made an open.
    pub(crate) fn opener(&self, open: OpenId) -> Option<Phandle> {
        self.opens.get(&open).map(|open| open.opener.phandle)
    }

    /// The opens whose opener must be asked after; they count as asked.
    pub(crate) fn fates_due(&mut self, now: Instant) -> Vec<OpenId> {
        let Self { opens, pathless, .. } = self;
        let mut due = Vec::new();
        pathless.retain(|id| {
            let Some(open) = opens.get_mut(id).filter(|open| open.fate_at.is_some()) else { return false };
            if !open.fate_asked && open.fate_at.is_some_and(|at| at <= now) {
                open.fate_asked = true;
                due.push(*id);
            }
            true
        });
        due
    }

    /// When the next opener must be asked after.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let asked_after = self.pathless.iter().filter_map(|id| self.opens.get(id));
        asked_after.filter(|open| !open.fate_asked).filter_map(|open| open.fate_at).min()
    }

    /// With `room` messages unread no more are taken in, until half of them are read: each change costs a system call for
    /// each path.
    pub(crate) fn listen(&mut self, room: usize) {
        let unread = self.queue.unread();
        let is_deaf = unread >= room || self.is_deaf && unread > room / 2;
        if is_deaf != self.is_deaf {
            self.is_deaf = is_deaf;
            for path in self.opens.values_mut().filter_map(|open| open.path.as_mut()) {
                path.watch(!is_deaf);
            }
        }
    }

    /// A path is ready. True if it is to be read.
    pub(crate) fn note_path(&mut self, id: OpenId, event: &pollux_os::Event) -> bool {
        if let Some(path) = self.path_mut(id) {
            path.note_socket_ready();
        }
        if self.is_deaf && !event.closed {
            self.flush(id);
            return false;
        }
        true
    }

    /// The ring of a path has something to read, or room. True if it is to be read.
    pub(crate) fn note_ring(&mut self, id: OpenId) -> bool {
        if self.is_deaf {
            self.flush(id);
            if self.path_mut(id).is_some_and(|path| !std::mem::replace(&mut path.is_awake, true)) {
                self.awake.push(id);
            }
        }
        !self.is_deaf
    }

    /// Before a wait: the paths whose rings have something. The openers of the others ring from here on. Who is not heard is
    /// looked at when it is heard again.
    pub(crate) fn look_at_rings(&mut self) -> Vec<OpenId> {
        if self.is_deaf {
            return Vec::new();
        }
        let mut awake = std::mem::take(&mut self.awake);
        awake.retain(|id| {
            self.path_mut(*id).is_some_and(|path| {
                path.is_awake = false;
                !path.fall_asleep()
            })
        });
        awake
    }

    fn path_mut(&mut self, id: OpenId) -> Option<&mut Path> {
        self.opens.get_mut(&id)?.path.as_mut()
    }

    /// Sends last words.
    pub(crate) fn flush_lingering(&mut self) {
        self.lingering.retain_mut(Path::linger);
    }

    fn linger(&mut self, mut path: Path) {
        if path.linger() {
            if self.lingering.len() >= LINGERING_MAX {
                self.lingering.remove(0);
            }
            self.lingering.push(path);
        }
    }

    /// Sends what is queued for an opener, and looks for room if it does not fit.
    fn flush(&mut self, id: OpenId) {
        let hears = !self.is_deaf;
        if let Some(path) = self.path_mut(id) {
            path.flush();
            path.watch(hears);
        }
    }

    /// Everything that a path holds, and whether it is over.
    fn take_frames(&mut self, id: OpenId) -> Option<(Vec<Incoming>, bool)> {
        self.flush(id);
        let path = self.opens.get_mut(&id)?.path.as_mut()?;
        let mut frames = std::mem::take(&mut self.spare_frames);
        loop {
            let filled = path.fill();
            let turned = loop {
                match path.next_frame() {
                    Ok(None) => break false,
                    Ok(Some(frame)) => match read_frame(frame.kind, frame.body) {
                        Some(Some(Incoming::RingTaken(taken))) => match path.handle_ring_answer(taken) {
                            Ok(true) => break true,
                            Ok(false) => {}
                            Err(_) => return Some((frames, true)),
                        },
                        Some(Some(frame)) => frames.push(frame),
                        // A kind of a later version.
                        Some(None) => {}
                        None => return Some((frames, true)),
                    },
                    Err(_) => return Some((frames, true)),
                }
            };
            match filled {
                // What the socket still holds, or has ended with, is told beside the ring.
                _ if turned => path.flush(),
                Ok(Fill::Full) => {}
                Ok(Fill::Open) => {
                    if path.reads_ring() && !std::mem::replace(&mut path.is_awake, true) {
                        self.awake.push(id);
                    }
                    return Some((frames, false));
                }
                Ok(Fill::Closed) | Err(_) => return Some((frames, true)),
            }
        }
    }

    /// What another half of the pair is to know of this one's opens.
    pub(crate) fn known_opens(&self) -> impl Iterator<Item = KnownOpen> {
        self.opens.keys().filter_map(|id| self.known_open(*id))
    }

    /// The same of one open: of those that the program knows, or is to be told of.
    pub(crate) fn known_open(&self, id: OpenId) -> Option<KnownOpen> {
        let open = self.opens.get(&id).filter(|open| open.phase != Phase::Waiting)?;
        let mut opener = open.opener.clone();
        opener.details.label = open.label;
        (self.takes_messages && !opener.details.internal).then_some(KnownOpen { open: id, opener })
    }

    /// An open that the other half had accepted, and that this half has not seen. Its opener comes with a path, or is asked
    /// after.
    pub(crate) fn take_over(&mut self, id: OpenId, opener: Opener) {
        let is_superseded = self.same_file(&opener).next().is_some();
        if self.opens.contains_key(&id) || is_superseded || self.opens.len() >= OPENERS_PER_SERVER_MAX {
            return;
        }
        let mut open = Open { phase: Phase::Accepted, ..Open::new(opener, true) };
        open.await_fate();
        self.opens.insert(id, open);
        self.pathless.push(id);
    }

    /// The opens that their opener knows by the same file number: one at a time.
    fn same_file(&self, opener: &Opener) -> impl Iterator<Item = OpenId> {
        let key = |opener: &Opener| (opener.phandle, opener.details.file_number, opener.details.internal);
        let wanted = (opener.details.file_number >= 0).then(|| key(opener));
        let same = move |open: &Open| Some(key(&open.opener)) == wanted;
        self.opens.iter().filter(move |(_, open)| same(open)).map(|(id, _)| *id)
    }

    /// The opens of a process.
    fn opens_of(&self, opener: Phandle) -> Vec<OpenId> {
        let its = self.opens.iter().filter(|(_, open)| open.opener.phandle == opener);
        its.map(|(id, _)| *id).collect()
    }

    fn sender(&self, id: OpenId, sync: SyncId) -> Sender {
        let Some(open) = self.opens.get(&id) else { return Sender::SYSTEM };
        Sender {
            phandle: Some(open.opener.phandle),
            name: open.opener.name.clone(),
            file_number: open.opener.details.file_number,
            sync: visible(sync),
            label: open.label,
            priority: PRIORITY_UNKNOWN,
        }
    }
}

impl Runtime {
    /// The program has opened `$RECEIVE`.
    pub(crate) fn receive_opened(&mut self, depth: u16, takes_messages: bool) {
        self.server.queue.open(depth);
        self.server.is_open = true;
        self.server.takes_messages = takes_messages;
        self.server.extras = 0;
        let waiting = self.server.opens.iter().filter(|(_, open)| open.phase == Phase::Waiting);
        let waiting: Vec<OpenId> = waiting.map(|(id, _)| *id).collect();
        for open in waiting {
            self.begin_open(open);
        }
    }

    /// Somebody opens this process, or an open of it gets a new path.
    pub(crate) fn handle_new_path(
        &mut self,
        id: OpenId,
        opener: Opener,
        again: bool,
        epoch: Epoch,
        path: OwnedFd,
    ) {
        self.epoch = self.epoch.max(epoch);
        // What its opener has closed before is closed before this is opened.
        let earlier = self.server.opens_of(opener.phandle);
        self.read_to_the_end(earlier);
        // A CLOSE that a dead primary has taken along.
        let superseded: Vec<OpenId> =
            self.server.same_file(&opener).filter(|earlier| *earlier != id).collect();
        for earlier in superseded {
            self.close_open(earlier, 0);
        }
        let mut path = Path::new(self.registry(), id, path);
        if self.server.opens.contains_key(&id) {
            self.forget_requests(id, true);
        } else if self.server.opens.len() >= OPENERS_PER_SERVER_MAX {
            let reply = OpenReply { error: FileError::NO_MORE_OPENS, label: -1, epoch: self.epoch };
            path.queue(path::OPEN_REPLY, |out| reply.put(out));
            return self.server.linger(path);
        }
        let internal = opener.details.internal;
        let open = self.server.opens.entry(id).or_insert_with(|| Open::new(opener, again));
        path.watch(!self.server.is_deaf);
        open.path = Some(path);
        open.has_spoken = false;
        (open.fate_at, open.is_given_up) = (None, false);
        if again && open.phase == Phase::Accepted {
            self.speak(id);
        } else if self.server.is_open || internal {
            self.begin_open(id);
        }
    }

    fn begin_open(&mut self, id: OpenId) {
        let Some(open) = self.server.opens.get_mut(&id) else { return };
        if open.phase != Phase::Waiting {
            return;
        }
        if open.again {
            open.phase = Phase::Accepted;
            self.speak(id);
            self.tell_open(id);
        } else if self.server.takes_messages && !open.opener.details.internal {
            open.phase = Phase::Offered;
            let body = layout::open(&self.node, &open.opener);
            // Ahead of what the program tells its backup of it.
            self.tell_open(id);
            let sender = self.server.sender(id, SyncId(0));
            self.push(Message { body, origin: Origin::Opening { open: id }, sender });
        } else {
            self.answer_open(id, FileError::OK, -1);
        }
    }

    /// Tells a requester that knows the open from another half: this half is the primary.
    fn speak(&mut self, id: OpenId) {
        let epoch = self.epoch;
        if let Some(open) = self.server.opens.get_mut(&id)
            && let Some(path) = &mut open.path
        {
            open.has_spoken = true;
            path.queue(path::TAKEOVER, |out| epoch.put(out));
            self.server.flush(id);
        }
    }

    /// This process has become the primary: requesters that had turned away, or never spoke to this half, may send here.
    pub(crate) fn speak_on_silent_paths(&mut self) {
        let silent = |open: &Open| open.phase == Phase::Accepted && !open.has_spoken && open.path.is_some();
        let silent: Vec<OpenId> =
            self.server.opens.iter().filter(|(_, open)| silent(open)).map(|(id, _)| *id).collect();
        for id in silent {
            self.speak(id);
        }
    }

    /// Reads what these paths hold. Those with a CLOSE come first: a process that closes an open and goes on over another one
    /// must not be heard the other way round.
    pub(crate) fn read_paths(&mut self, opens: impl IntoIterator<Item = OpenId>) {
        let mut all: Vec<(OpenId, Vec<Incoming>, bool)> = Vec::new();
        for id in opens {
            if let Some((frames, is_over)) = self.server.take_frames(id) {
                all.push((id, frames, is_over));
            }
        }
        // Stable: the others stay as they were.
        all.sort_by_key(|(_, frames, _)| !frames.iter().any(|frame| matches!(frame, Incoming::Close(_))));
        for (id, mut frames, is_over) in all {
            for frame in frames.drain(..) {
                self.handle_frame(id, frame);
            }
            if frames.capacity() <= SPARE_FRAMES_MAX {
                self.server.spare_frames = frames;
            }
            if is_over {
                self.path_ended(id);
            }
        }
    }

    /// Reads all paths until they are empty: what a dead process had sent comes before the word of its death.
    pub(crate) fn drain_paths(&mut self) {
        let opens: Vec<OpenId> = self.server.opens.keys().copied().collect();
        self.read_to_the_end(opens);
    }

    /// Reads these paths until they are empty, also if the poller has not told of them.
    fn read_to_the_end(&mut self, opens: Vec<OpenId>) {
        for id in &opens {
            if let Some(path) = self.server.path_mut(*id) {
                path.note_socket_ready();
            }
        }
        self.read_paths(opens);
    }

    fn handle_frame(&mut self, id: OpenId, frame: Incoming) {
        match frame {
            Incoming::Request { sync, io, reply_bytes_max, payload } => {
                self.handle_request(id, sync, io, reply_bytes_max, payload);
            }
            Incoming::Cancel(sync) => {
                if let Cancelled::Held(tag) = self.server.queue.cancel(id, sync) {
                    self.tell_cancelled(tag);
                }
            }
            Incoming::Close(disposition) => self.close_open(id, disposition),
            // What came over this path before is sent again behind this.
            Incoming::Resumed => self.forget_requests(id, true),
            // The path has done it when it was read.
            Incoming::RingTaken(_) => {}
            Incoming::OfPrimary(said) => self.handle_said_of_opens(id, said),
        }
    }

    fn handle_request(
        &mut self,
        id: OpenId,
        sync: SyncId,
        io: IoType,
        reply_bytes_max: u32,
        payload: Vec<u8>,
    ) {
        let Some(open) = self.server.opens.get_mut(&id) else { return };
        if open.phase != Phase::Accepted {
            return;
        }
        open.last_sync = open.last_sync.max(sync);
        let from_pair = is_of_name(&open.opener, self.name.as_ref());
        if !from_pair {
            points::pass(Mark::Received, Subject::of(id.0, sync.0, &payload));
        }
        if let Some(path) = &mut open.path {
            path.note_request();
        }
        let internal = open.opener.details.internal;
        let origin = Origin::Request { open: id, sync, io, reply_bytes_max };
        let body = match io {
            IoType::Management if !internal => match self.admit_management(payload) {
                Ok(body) => body,
                Err(error) => return self.respond(origin, error, &[]),
            },
            _ => payload,
        };
        let sender = self.server.sender(id, sync);
        let message = Message { body, origin, sender };
        if internal {
            self.server.internal.push_back(message);
        } else {
            self.push(message);
        }
    }

    /// Whether this program takes a file-management message, and in which form.
    fn admit_management(&self, mut body: Vec<u8>) -> Result<Vec<u8>, FileError> {
        if !self.server.takes_messages {
            return Err(NO_SYSTEM_MESSAGES);
        }
        match layout::word_at(&body, 0) {
            Some(-33) if self.server.extras & TAKES_SETMODE_FLAGS == 0 => body.truncate(8),
            Some(-37) if self.server.extras & TAKES_SETPARAM == 0 => {
                return Err(FileError::INVALID_OPERATION);
            }
            Some(-37..=-32) => {}
            _ => return Err(FileError::ILLEGAL_REQUEST),
        }
        if body.len() > SHORT_TRANSFER_BYTES_MAX {
            return Err(FileError::BAD_COUNT);
        }
        Ok(body)
    }

    /// The opener has ended the open.
    fn close_open(&mut self, id: OpenId, disposition: i16) {
        let Some(open) = self.server.opens.get(&id) else { return };
        if open.phase != Phase::Accepted {
            return self.give_up_open(id);
        }
        self.forget_requests(id, true);
        self.end_open(id, true, disposition);
    }

    /// A path is over, and everything it held was read.
    fn path_ended(&mut self, id: OpenId) {
        let Some(open) = self.server.opens.get_mut(&id) else { return };
        if open.phase != Phase::Accepted {
            return self.give_up_open(id);
        }
        open.await_fate();
        if !self.server.pathless.contains(&id) {
            self.server.pathless.push(id);
        }
        // What it had sent is read, as updates of a lost primary must be; what is in hand has nobody to be replied to.
        self.forget_requests(id, false);
    }

    /// An open ends before it was accepted: nobody hears of it, unless the program has the -103 in its hands.
    fn give_up_open(&mut self, id: OpenId) {
        let unread = self.server.queue.has_unread_open(id);
        let Some(open) = self.server.opens.get_mut(&id) else { return };
        if open.phase == Phase::Offered && !unread {
            (open.path, open.is_given_up) = (None, true);
            return;
        }
        self.forget_requests(id, true);
        self.server.opens.remove(&id);
    }

    /// What became of an opener without a path.
    pub(crate) fn handle_fate(&mut self, id: OpenId, fate: Fate) {
        let Some(open) = self.server.opens.get_mut(&id) else { return };
        open.fate_asked = false;
        if open.path.is_some() {
            open.fate_at = None;
            return;
        }
        match fate {
            Fate::Alive => {
                open.fate_pause = (2 * open.fate_pause).min(FATE_PAUSE_MAX);
                open.fate_at = Some(Instant::now() + open.fate_pause);
            }
            Fate::Ended => self.end_open(id, true, 0),
            Fate::CpuLost => self.end_open(id, false, 0),
        }
    }

    /// Takes an open off the table; with -104 if the program is to hear of it.
    fn end_open(&mut self, id: OpenId, told: bool, disposition: i16) {
        let Some(open) = self.server.opens.get(&id) else { return };
        if told && self.server.takes_messages && !open.opener.details.internal {
            let sender = self.server.sender(id, open.last_sync.next());
            let body = layout::close(disposition);
            self.push(Message { body, origin: Origin::Closing { open: id }, sender });
        } else {
            self.tell_open_is_over(id);
        }
        if let Some(path) = self.server.opens.remove(&id).and_then(|open| open.path) {
            self.server.linger(path);
        }
    }

    /// The requests of an open get no reply any more.
    fn forget_requests(&mut self, id: OpenId, unread: bool) {
        for tag in self.server.queue.cancel_all(id, unread) {
            self.tell_cancelled(tag);
        }
    }

    fn tell_cancelled(&mut self, tag: i16) {
        if self.server.is_open && self.server.extras & TAKES_CANCELLATIONS != 0 {
            self.push_system(layout::request_cancelled(tag));
        }
    }

    /// The answer to a message that was read.
    pub(crate) fn respond(&mut self, origin: Origin, error: FileError, data: &[u8]) {
        match origin {
            Origin::Request { open: id, sync, reply_bytes_max, .. } => {
                let epoch = self.epoch;
                let Some(open) = self.server.opens.get_mut(&id) else { return };
                let Some(path) = &mut open.path else { return };
                let room = usize::try_from(reply_bytes_max).unwrap_or(usize::MAX);
                let payload = &data[..data.len().min(room)];
                if !is_of_name(&open.opener, self.name.as_ref()) {
                    let subject = Subject { open: id.0, sync: sync.0, error: error.0, bytes: payload };
                    points::pass_before(Mark::Replying, Mark::Replied, subject);
                }
                path.queue(path::REPLY, |out| Reply { sync, error, epoch, payload }.put(out));
                if error == FileError::OWNERSHIP {
                    // Its requester turns to the other half, and comes back only to one that speaks.
                    open.has_spoken = false;
                }
                self.server.flush(id);
                points::pass_sent(Mark::Replied);
            }
            Origin::Opening { open } => self.answer_open(open, error, layout::label_of_reply(data)),
            // The program has told its backup of it, if it wants to.
            Origin::Closing { open } => self.tell_open_is_over(open),
            Origin::System => {}
        }
    }

    fn answer_open(&mut self, id: OpenId, error: FileError, label: i16) {
        let epoch = self.epoch;
        let refused = error.0 >= 10;
        let Some(open) = self.server.opens.get_mut(&id) else { return };
        (open.phase, open.label, open.has_spoken) = (Phase::Accepted, label, true);
        let given_up = open.is_given_up;
        if let Some(path) = &mut open.path {
            path.queue(path::OPEN_REPLY, |out| OpenReply { error, label, epoch }.put(out));
        }
        if refused {
            self.end_open(id, false, 0);
        } else if given_up {
            self.end_open(id, true, 0);
        } else {
            self.server.flush(id);
            if label != -1 {
                self.tell_open(id);
            }
        }
    }

    /// True for an open by the other half.
    pub(crate) fn is_from_pair(&self, open: OpenId) -> bool {
        self.server.opens.get(&open).is_some_and(|open| is_of_name(&open.opener, self.name.as_ref()))
    }

    fn push(&mut self, message: Message) {
        let arrival = self.tick();
        self.server.queue.push(arrival, message);
    }

    /// Puts a system message that belongs to no open into the queue.
    pub(crate) fn push_system(&mut self, body: Vec<u8>) {
        self.push(Message { body, origin: Origin::System, sender: Sender::SYSTEM });
    }

    /// Tells what became of the opener of an open, when the daemon has said so.
    pub(crate) fn ask_fate(&mut self, id: OpenId) {
        if let Some(phandle) = self.server.opener(id) {
            let query = pollux_wire::control::Query::Fate { phandle };
            self.ask_for(Asker::Fate(id), |request| pollux_wire::control::ToDaemon::Query { request, query });
        }
    }
}

/// True for an open by the other half: what comes over it is no request, but the pair's own business.
fn is_of_name(opener: &Opener, name: Option<&ProcessName>) -> bool {
    opener.name.is_some() && opener.name.as_ref() == name
}

/// A frame of a requester: `None` if it is malformed, `Some(None)` if it is to be skipped.
fn read_frame(kind: u8, body: &[u8]) -> Option<Option<Incoming>> {
    Some(Some(match kind {
        path::REQUEST => {
            let Request { sync, reply_bytes_max, io, payload, .. } = Request::decode(body).ok()?;
            Incoming::Request { sync, io, reply_bytes_max, payload: payload.to_vec() }
        }
        path::CANCEL => Incoming::Cancel(decode(body).ok()?),
        path::CLOSE if body.is_empty() => Incoming::Close(0),
        path::CLOSE => Incoming::Close(decode(body).ok()?),
        path::RESUMED => {
            decode::<Epoch>(body).ok()?;
            Incoming::Resumed
        }
        path::RING_TAKEN => Incoming::RingTaken(decode(body).ok()?),
        path::OPENS_BEGIN | path::OPEN_KNOWN | path::OPEN_OVER => Incoming::OfPrimary(Said::of(kind, body)?),
        _ => return Some(None),
    }))
}
