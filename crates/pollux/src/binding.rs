//! The requester's end of an open, the line to the daemon and the rings of a server, for run-time libraries of other languages.
//!
//! They keep their state themselves and have their own loop, so they get the parts and not the whole. Not for programs:
//! it changes with the inside of this crate.

use crate::error::Result;
use crate::{daemon, link};
use pollux_os::{LifePage, Registry};
use pollux_wire::control::{StateKeeping, ToDaemon, ToProcess};
use pollux_wire::path::IoType;
use pollux_wire::{Epoch, FileError, OpenId, SyncId};
use std::os::fd::{BorrowedFd, OwnedFd};

pub use crate::daemon::{Message, node_directory};
pub use crate::link::{Acceptance, Answer};
pub use crate::path_ring::{RingOffer, unwatch, watch_bell};

/// Low bits of a token that are the link's own.
pub const LINK_TOKEN_BITS: u32 = link::TOKEN_BITS;

/// The requester's end of one open.
pub struct Link(link::Link);

impl Link {
    /// An open whose first path the daemon has handed out. Its paths are registered in the poller of the link's owner,
    /// under tokens of which the low [`LINK_TOKEN_BITS`] are the link's and the others those of `token`; they leave it with
    /// the link.
    pub fn new(registry: Registry, token: u64, open: OpenId, path: OwnedFd, depths: (u16, u16)) -> Self {
        Self(link::Link::new_in(registry, token, open, path, depths))
    }

    /// Starts a request.
    pub fn start(&mut self, io: IoType, payload: Vec<u8>, reply_bytes_max: u32) -> Result<SyncId> {
        self.start_with(io, payload, reply_bytes_max, None)
    }

    /// Starts a request that carries a descriptor; a duplicate is kept until the answer has come.
    pub fn start_with(
        &mut self,
        io: IoType,
        payload: Vec<u8>,
        reply_bytes_max: u32,
        descriptor: Option<OwnedFd>,
    ) -> Result<SyncId> {
        self.0.start_as(io, payload, reply_bytes_max, descriptor)
    }

    /// Gives a request up; the server is told.
    pub fn cancel(&mut self, sync: SyncId) {
        self.0.cancel(sync);
    }

    /// Any answer that is there.
    pub fn take_any_answer(&mut self) -> Option<(SyncId, Answer)> {
        self.0.take_any_answer()
    }

    /// The poller has told this token of the link.
    pub fn note_event(&mut self, token: u64) {
        self.0.note_event(token);
    }

    /// Reads what the poller has told of, decides, writes; never blocks.
    pub fn pump(&mut self) {
        self.0.pump_ready();
    }

    /// `None` while the server has not answered the open.
    pub fn opened(&self) -> Option<Result<(), FileError>> {
        self.0.opened()
    }

    /// What the server said to the open.
    pub fn acceptance(&self) -> Acceptance {
        self.0.acceptance()
    }

    /// True when the daemon must be asked for a path.
    pub fn take_wish_for_path(&mut self) -> bool {
        self.0.take_wish_for_path()
    }

    /// A path that the daemon has handed out.
    pub fn add_path(&mut self, path: OwnedFd) {
        self.0.add_path(path);
    }

    /// There is no path to be had.
    pub fn path_refused(&mut self, error: FileError) {
        self.0.path_refused(error);
    }

    /// No half can be reached at this moment.
    pub fn retry_path(&mut self) {
        self.0.retry_path();
    }

    /// Nothing was heard for a while.
    pub fn impatient(&mut self) {
        self.0.impatient();
    }

    /// Before any wait of the poller: writes what is queued, and lets the other ends ring. True if there is something to
    /// read already.
    pub fn prepare_wait(&mut self) -> bool {
        self.0.prepare_wait()
    }

    /// True while something waits for room to be written.
    pub fn has_unsent(&self) -> bool {
        self.0.has_unsent()
    }

    /// The open.
    pub fn open_id(&self) -> OpenId {
        self.0.open_id()
    }

    /// How many requests have no answer yet.
    pub fn outstanding(&self) -> usize {
        self.0.outstanding()
    }

    /// The sync id of the next request.
    pub fn next_sync(&self) -> SyncId {
        self.0.next_sync()
    }

    /// The next request gets exactly this sync id; only while nothing is outstanding.
    pub fn set_next(&mut self, next: SyncId) {
        self.0.set_next(next);
    }

    /// Queues a frame that is no request for the half that requests go to; it leaves ahead of all that is started after it.
    /// Nothing without such a half.
    pub fn tell(&mut self, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.tell(kind, write);
    }

    /// The path that requests go to: a number that no other path of this link has had.
    pub fn active_path(&self) -> Option<u32> {
        self.0.active().map(|path| path.0)
    }

    /// Tells the server that the open ends.
    pub fn close(&mut self, disposition: i16) {
        self.0.close_with(disposition);
    }

    /// The epoch of the server's primary.
    pub fn epoch(&self) -> Epoch {
        self.0.epoch()
    }
}

/// The control channel of this process.
pub struct Daemon(daemon::Daemon);

impl Daemon {
    /// The channel that the daemon which started this program has left to it; else one to any CPU of the node that the
    /// environment names. Attached; the message is the welcome.
    pub fn attach(life: &LifePage, keeps: StateKeeping) -> Result<(Self, Message)> {
        if let Some(mut daemon) = daemon::Daemon::inherited()? {
            let message = daemon.attach(life, keeps)?;
            return Ok((Self(daemon), message));
        }
        let mut welcome = None;
        let daemon = daemon::Daemon::visit(&node_directory(), None, |daemon| {
            welcome = Some(daemon.attach(life, keeps)?);
            Ok(())
        })?;
        Ok((Self(daemon), welcome.expect("a visit ends well only after an attach that did")))
    }

    /// This process's place in its node, for opens by way of [`crate::Server`]. Nobody reads other messages from here on.
    pub fn into_node(self, life: LifePage) -> crate::Node {
        crate::Node::over(self.0, life)
    }

    /// Queues a message and sends what the socket takes.
    pub fn send(&mut self, message: &ToDaemon, descriptors: Vec<OwnedFd>) -> Result<()> {
        self.0.send(message, descriptors)
    }

    /// Sends what is queued.
    pub fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }

    /// A number for a question.
    pub fn next_request(&mut self) -> u32 {
        self.0.next_request()
    }

    /// Takes in what has arrived.
    pub fn fill(&mut self) -> Result<()> {
        self.0.fill()
    }

    /// The next message.
    pub fn next_message(&mut self) -> Option<Message> {
        self.0.next_message()
    }

    /// Takes a message out of turn.
    pub fn take(&mut self, wanted: impl Fn(&ToProcess) -> bool) -> Option<Message> {
        self.0.take(wanted)
    }

    /// Blocks until such a message is there; the others stay in their order.
    pub fn wait_for(&mut self, wanted: impl Fn(&ToProcess) -> bool) -> Result<Message> {
        self.0.wait_for(wanted)
    }

    /// True when the daemon is gone.
    pub fn is_lost(&self) -> bool {
        self.0.is_lost()
    }

    /// The socket, for a poll.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Whether anything waits to be sent.
    pub fn is_blocked(&self) -> bool {
        self.0.is_blocked()
    }
}
