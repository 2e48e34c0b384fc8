//! The requester's side of an open: from the question to the daemon, over the link to the server, to the answers.
//!
//! What is sent to whom, and again after a takeover, is decided in `pollux_core::requester`. Here is decided how long an open
//! is tried, and when the daemon is asked for a path.
//!
//! ```text
//!  Asking --Opened--> Opening --OPEN_REPLY--> Open
//!    ^  |                |                     ^ |
//!    |  +---201----+     | the server died     | | wish for a path: Repath
//!    +---pause-----+<----+                     +-+
//! ```

use super::operations::Outcome;
use super::table::NO_CONTROL_BLOCK;
use pollux::binding::Link;
use pollux_os::Registry;
use pollux_wire::control::{OpenDetails, Target, ToDaemon};
use pollux_wire::path::IoType;
use pollux_wire::{FileError, OpenId, SyncId};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// While a server changes hands an open is tried again for this time, then it is error 201.
pub const OPEN_PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries, and between two questions for a path.
pub const TRY_PAUSE: Duration = Duration::from_millis(10);
/// Without a word from any half for so long, the daemon is asked who is primary.
pub const PATIENCE: Duration = Duration::from_millis(500);
/// The link's own bound; the file's nowait depth is the one that programs meet.
const LINK_DEPTH: u16 = pollux_wire::limits::SYNC_DEPTH_MAX;

/// What must be asked of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A path of a new open.
    Open,
    /// A new path of this open.
    Repath(OpenId),
}

enum Phase {
    /// To be asked, not before then.
    Wishing(Instant),
    /// The daemon is asked.
    Asking,
    /// The server has the open and has not answered.
    Opening(Link),
    /// The server has accepted the open.
    Open(Link),
    /// It is refused.
    Failed(FileError),
}

/// A process file.
pub struct ProcessFile {
    /// Where the paths of its link are registered, and under which tokens.
    registry: Registry,
    token: u64,
    target: Target,
    sync_depth: u16,
    nowait_depth: u16,
    details: OpenDetails,
    phase: Phase,
    started: Instant,
    /// A pair's own name: no partner is an answer, not a moment to wait over.
    is_partner: bool,
    path_asked: bool,
    path_wished: Option<Instant>,
    /// When the server was heard last, or was asked while nothing was outstanding; `None` until the next look at the clock.
    heard: Option<Instant>,
    /// The path to the other half over which that was told of our openers.
    told_path: Option<u32>,
}

impl ProcessFile {
    /// An open that is to be asked for. Its link is told of under tokens that begin with `token`.
    pub fn new(
        now: Instant,
        (registry, token): (Registry, u64),
        target: Target,
        (sync_depth, nowait_depth): (u16, u16),
        details: OpenDetails,
        is_partner: bool,
    ) -> Self {
        Self {
            registry,
            token,
            target,
            sync_depth,
            nowait_depth,
            details,
            phase: Phase::Wishing(now),
            started: now,
            is_partner,
            path_asked: false,
            path_wished: None,
            heard: None,
            told_path: None,
        }
    }

    /// The question that is due; it counts as asked.
    pub fn poll_question(&mut self, now: Instant) -> Option<Question> {
        match &mut self.phase {
            Phase::Wishing(at) if *at <= now => {
                self.phase = Phase::Asking;
                Some(Question::Open)
            }
            Phase::Open(link) => {
                if link.take_wish_for_path() {
                    self.path_wished.get_or_insert(now);
                }
                if !self.path_asked && self.path_wished.is_some_and(|at| at <= now) {
                    (self.path_asked, self.path_wished) = (true, None);
                    return Some(Question::Repath(link.open_id()));
                }
                None
            }
            _ => None,
        }
    }

    /// True if it is the other half of this process's own pair.
    pub fn is_partner(&self) -> bool {
        self.is_partner
    }

    /// True once for each path to the other half of this process's own pair, when requests go there: the half at its end has
    /// not been told of our openers. Not for an open that programs do not see.
    pub fn take_untold_path(&mut self) -> bool {
        let active = match &self.phase {
            Phase::Open(link) if self.is_partner && !self.details.internal => link.active_path(),
            _ => None,
        };
        active.is_some() && std::mem::replace(&mut self.told_path, active) != active
    }

    /// Tells the other half something of our openers, if it was told of them.
    pub fn tell_half(&mut self, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        if let Phase::Open(link) = &mut self.phase
            && self.told_path.is_some()
            && self.told_path == link.active_path()
        {
            link.tell(kind, write);
        }
    }

    /// The words of a question.
    pub fn message(&self, request: u32, question: &Question) -> ToDaemon {
        let (target, mut details) = (self.target.clone(), self.details.clone());
        let (sync_depth, nowait_depth) = (self.sync_depth, self.nowait_depth.max(1));
        match question {
            Question::Open => ToDaemon::Open { request, target, sync_depth, nowait_depth, details },
            Question::Repath(open) => {
                details.label = self.link().map_or(-1, |link| link.acceptance().label);
                ToDaemon::Repath { request, target, open: *open, sync_depth, nowait_depth, details }
            }
        }
    }

    /// The daemon's answer.
    pub fn handle_answer(&mut self, now: Instant, answer: Result<(OpenId, OwnedFd), FileError>) {
        match (&mut self.phase, answer) {
            (Phase::Asking, Ok((open, path))) => {
                let depths = (self.sync_depth, LINK_DEPTH);
                let link = Link::new(self.registry.clone(), self.token, open, path, depths);
                self.phase = Phase::Opening(link);
            }
            (Phase::Asking, Err(error)) => self.open_failed(now, error),
            (Phase::Open(link), answer) => {
                self.path_asked = false;
                match answer {
                    Ok((_, path)) => link.add_path(path),
                    // Both halves are changing. A pair's own name has one other half, and that is gone: the caller, who
                    // would make a new one, must not wait for it.
                    Err(FileError::PATH_DOWN | NO_CONTROL_BLOCK)
                        if self.sync_depth > 0 && !self.is_partner =>
                    {
                        link.retry_path();
                        self.path_wished = Some(now + TRY_PAUSE);
                    }
                    Err(error) => link.path_refused(error),
                }
            }
            _ => {}
        }
    }

    /// The poller has told this token of the link.
    pub fn note_event(&mut self, token: u64) {
        if let Phase::Opening(link) | Phase::Open(link) = &mut self.phase {
            link.note_event(token);
        }
    }

    /// Reads what the poller has told of, decides, writes.
    pub fn pump(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Opening(link) => {
                link.pump();
                match link.opened() {
                    None => {}
                    Some(Ok(())) => {
                        let Phase::Opening(link) = std::mem::replace(&mut self.phase, Phase::Asking) else {
                            return;
                        };
                        self.phase = Phase::Open(link);
                        self.heard = None;
                    }
                    Some(Err(error)) => self.open_failed(now, error),
                }
            }
            Phase::Open(link) => {
                link.pump();
                self.heard = None;
            }
            _ => {}
        }
    }

    /// Nothing was heard for a while: asks again who is primary, if somebody waits.
    pub fn look_for_silence(&mut self, now: Instant) {
        if let Phase::Open(link) = &mut self.phase
            && link.outstanding() > 0
            && now.duration_since(*self.heard.get_or_insert(now)) >= PATIENCE
        {
            self.heard = Some(now);
            link.impatient();
        }
    }

    /// When [`ProcessFile::poll_question`] or [`ProcessFile::look_for_silence`] has something to do next. The latter knows it
    /// once it has looked.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Wishing(at) => Some(*at),
            Phase::Open(link) => {
                let silence = self.heard.filter(|_| link.outstanding() > 0).map(|heard| heard + PATIENCE);
                let wish = self.path_wished.filter(|_| !self.path_asked);
                [silence, wish].into_iter().flatten().min()
            }
            _ => None,
        }
    }

    /// Whether the server has accepted the open; `None` while it is not known. A warning is part of a success.
    pub fn opened(&self) -> Option<Result<FileError, FileError>> {
        match &self.phase {
            Phase::Open(link) => Some(Ok(link.acceptance().warning)),
            Phase::Failed(error) => Some(Err(*error)),
            _ => None,
        }
    }

    /// Starts a request.
    pub fn start(&mut self, io: IoType, payload: Vec<u8>, room: u32) -> Result<SyncId, FileError> {
        self.start_with(io, payload, room, None)
    }

    /// Starts a request that may carry a descriptor.
    pub fn start_with(
        &mut self,
        io: IoType,
        payload: Vec<u8>,
        room: u32,
        descriptor: Option<OwnedFd>,
    ) -> Result<SyncId, FileError> {
        let link = self.link_mut()?;
        let sync = link.start_with(io, payload, room, descriptor).map_err(|error| match error {
            pollux::Error::File(error) => error,
            _ => FileError::NOT_OPEN,
        })?;
        if link.outstanding() == 1 {
            self.heard = None;
        }
        Ok(sync)
    }

    /// Gives a request up.
    pub fn cancel(&mut self, sync: SyncId) {
        if let Ok(link) = self.link_mut() {
            link.cancel(sync);
        }
    }

    /// An answer that is there.
    pub fn take_answer(&mut self) -> Option<(SyncId, Outcome)> {
        let (sync, answer) = self.link_mut().ok()?.take_any_answer()?;
        let count = answer.payload.len();
        Some((sync, Outcome { error: answer.error, data: answer.payload, count }))
    }

    /// The sync id of the next request. Error 16 while the file is not open.
    pub fn next_sync(&mut self) -> Result<SyncId, FileError> {
        Ok(self.link_mut()?.next_sync())
    }

    /// The next request gets this sync id. Error 27 while requests are outstanding.
    pub fn set_next(&mut self, next: SyncId) -> Result<(), FileError> {
        let link = self.link_mut()?;
        if link.outstanding() > 0 {
            return Err(FileError(27));
        }
        link.set_next(next);
        Ok(())
    }

    /// The sync depth of the open.
    pub fn sync_depth(&self) -> u16 {
        self.sync_depth
    }

    /// What is opened.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What was said with the open.
    pub fn details(&self) -> &OpenDetails {
        &self.details
    }

    /// The link, if there is one.
    pub fn link(&self) -> Option<&Link> {
        match &self.phase {
            Phase::Opening(link) | Phase::Open(link) => Some(link),
            _ => None,
        }
    }

    /// Before any wait for the link: see [`Link::prepare_wait`].
    pub fn prepare_wait(&mut self) -> bool {
        match &mut self.phase {
            Phase::Opening(link) | Phase::Open(link) => link.prepare_wait(),
            _ => false,
        }
    }

    /// Ends the open; the link, which may have words to send.
    pub fn close(self, disposition: i16) -> Option<Link> {
        match self.phase {
            Phase::Opening(mut link) | Phase::Open(mut link) => {
                link.close(disposition);
                Some(link)
            }
            _ => None,
        }
    }

    fn link_mut(&mut self) -> Result<&mut Link, FileError> {
        match &mut self.phase {
            Phase::Open(link) => Ok(link),
            _ => Err(FileError::NOT_OPEN),
        }
    }

    /// A server that changes hands is asked for again; any other refusal is final.
    fn open_failed(&mut self, now: Instant, error: FileError) {
        let again = error == FileError::PATH_DOWN
            && !self.is_partner
            && now.duration_since(self.started) < OPEN_PATIENCE;
        self.phase = if again { Phase::Wishing(now + TRY_PAUSE) } else { Phase::Failed(error) };
    }
}
