//! Listeners and accepted connections: bytes in and out, exactly once over a takeover.
//!
//! Positions are decided by [`pollux_core::stream`]; here they are carried out. Input is *peeked*; it is discarded from
//! the socket only when the checkpoint that holds its effect is acknowledged, and lazily: one call for many requests.

use super::checkpoints::Output;
use super::paths::CRASHES_MAX;
use super::{Engine, Ready, TOKEN_CONNECTION, TOKEN_PATH};
use crate::acceptor::{ACCEPTED_AHEAD_MAX, provider_of};
use crate::error::{Context, Error, Result};
use pollux_core::acceptor::is_new;
use pollux_core::stream::KernelPositions;
use pollux_os::{Channel, Interest, socket_pair};
use pollux_wire::checkpoint::{Opener, Record, TurnKey};
use pollux_wire::control::ToDaemon;
use pollux_wire::limits::PATH_BODY_BYTES_MAX;
use pollux_wire::sockets::PROVIDER_DEFINE;
use pollux_wire::startup::DEFINES_VARIABLE;
use pollux_wire::{ConnectionId, FileError, ListenerId, OpenId, SyncId};
use rustix::net::sockopt;
use std::io::{ErrorKind, IoSlice};
use std::net::{TcpListener, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};

/// Bytes peeked at a time.
pub(super) const READ_BYTES: usize = 64 * 1024;
/// Handled input that may stay in the socket before it is discarded.
const DISCARD_BYTES: u64 = 16 * 1024;
/// Handled reads after which input is discarded though it is little: small segments cost the kernel far more than their bytes.
const DISCARD_READS: u32 = 32;
/// Input that no turn could use is kept in the state from this size on, or when the receive buffer is crowded.
const KEEP_BYTES: usize = 32 * 1024;
/// Largest message that can be gathered this way; beyond it the connection is closed (S15).
const KEPT_BYTES_MAX: usize = 320 * 1024 * 1024;
/// Unwritten output after which a connection's input waits (S15).
const OUTPUT_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Written output of a connection after which the backup is told that it may forget it; less is told by the next sweep.
const WRITTEN_TOLD_BYTES: u64 = 1024;
/// Answers of connections that wait for the backup, at which its acknowledgement is waited for before more input is looked
/// at. Fewer are answered soonest with a checkpoint each; more cost less when they share one.
const OUTPUTS_BEFORE_SHARING: usize = 4;
/// Records up to which waiting is worth while: a backup that has more to apply works side by side with the primary.
const SHARED_BYTES_MAX: usize = 4 * 1024;
/// A buffer for output that is kept for the next turn is at most so large.
const SPARE_BYTES_MAX: usize = 64 * 1024;
/// Marks the opens that a pair makes itself, for its acceptors; all others get their number from the coordinator.
const LOCAL_OPEN: u64 = 1 << 55;

/// This process's descriptor of a connection, and what only a primary knows about it.
pub(crate) struct Socket {
    fd: OwnedFd,
    /// The kernel's number of it: the same for all its duplicates, and never used again.
    cookie: Option<u64>,
    watched: bool,
    /// Peeked and not consumed; begins at the stream's consumed position.
    input: Vec<u8>,
    /// Offset up to which input was peeked.
    seen: u64,
    /// Offset up to which input was taken out of the socket.
    discarded: u64,
    /// Offset up to which it may be.
    discardable: u64,
    /// It is wanted out of the socket soon: there is little room for the rest of a message.
    crowded: bool,
    reads: u32,
    /// Offset up to which output may be written.
    released: u64,
    told_written: u64,
    write_blocked: bool,
    dirty: bool,
    queued: bool,
    in_turn: bool,
    stalled: bool,
    /// The poller has told of the end of the input: told once, it may stand behind bytes that a short peek has shown.
    end_heard: bool,
    peer_finished: bool,
    closing: bool,
}

impl Socket {
    /// A descriptor that a backup holds.
    pub(super) fn held(fd: OwnedFd) -> Self {
        Self {
            cookie: cookie(&fd),
            fd,
            watched: false,
            input: Vec::new(),
            seen: 0,
            discarded: 0,
            discardable: 0,
            crowded: false,
            reads: 0,
            released: 0,
            told_written: 0,
            write_blocked: false,
            dirty: false,
            queued: false,
            in_turn: false,
            stalled: false,
            end_heard: false,
            peer_finished: false,
            closing: false,
        }
    }

    /// Forgets what it knew as a primary; the descriptor stays.
    fn forget_primary(&mut self) {
        self.input.clear();
        (self.reads, self.write_blocked, self.dirty, self.queued) = (0, false, false, false);
        (self.in_turn, self.stalled, self.end_heard) = (false, false, false);
        (self.peer_finished, self.closing) = (false, false);
    }

    /// It has something to write, or to discard: it is looked at with the others.
    fn note_dirty(&mut self, connection: ConnectionId, dirty_sockets: &mut Vec<ConnectionId>) {
        if !std::mem::replace(&mut self.dirty, true) {
            dirty_sockets.push(connection);
        }
    }

    /// True if its input is to be queued for the program: it is not yet, and may be.
    fn begin_to_queue(&mut self) -> bool {
        !self.in_turn && !self.closing && !std::mem::replace(&mut self.queued, true)
    }

    /// The state sent to a new backup told it this position.
    pub(super) fn backup_knows_written(&mut self, written: u64) {
        self.told_written = written;
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }
}

/// A connection's input in the hands of the program, with what it does with it.
pub(crate) struct InputData {
    pub(crate) connection: ConnectionId,
    pub(crate) input: Vec<u8>,
    pub(crate) used: usize,
    pub(crate) output: Vec<u8>,
    pub(crate) close: bool,
}

impl Engine {
    /// The listener of that name, made and bound if the pair does not have it.
    pub(crate) fn listen(&mut self, name: &str, address: impl ToSocketAddrs) -> Result<ListenerId> {
        if let Some((id, _)) = self.replica.listeners.iter().find(|(_, known)| *known == name) {
            return Ok(*id);
        }
        let socket = TcpListener::bind(address).context("listen")?;
        socket.set_nonblocking(true).context("make the listener nonblocking")?;
        // The listen queue of the standard library (128) is too short for a server that must not refuse while it takes over.
        rustix::net::listen(&socket, 4096).context("lengthen the listen queue")?;
        let id = self.replica.listeners.last_key_value().map_or(ListenerId(1), |(id, _)| id.next());
        let fd = OwnedFd::from(socket);
        self.record(&Record::Listening { listener: id, name }, Some(fd.as_fd()));
        self.listeners.insert(id, fd);
        self.start_acceptor(id)?;
        Ok(id)
    }

    /// The local address of a listener.
    pub(crate) fn listener_address(&self, id: ListenerId) -> Result<std::net::SocketAddr> {
        let fd = self.listeners.get(&id).ok_or(Error::Misuse("no such listener"))?;
        let socket = TcpListener::from(fd.try_clone().context("duplicate a listener")?);
        socket.local_addr().context("ask for a listener's address")
    }

    /// As a new primary: which of the opens are those of acceptors that the old one had started.
    pub(super) fn learn_acceptors(&mut self) {
        let own = self.me.sequence;
        for (open, state) in &self.replica.opens {
            let is_acceptor = open.0 & LOCAL_OPEN != 0 && state.opener.phandle.sequence == own;
            if is_acceptor && self.paths.contains_key(open) {
                self.acceptors.insert(*open, ListenerId(state.label.unsigned_abs().into()));
            }
        }
    }

    /// Acceptors live in processes of their own, so that no crash of a half loses a connection between its acceptance and
    /// the moment both halves hold it. To the pair an acceptor is a requester whose requests carry a descriptor.
    pub(super) fn start_missing_acceptors(&mut self) -> Result<()> {
        let idle: Vec<ListenerId> =
            self.listeners.keys().copied().filter(|id| !self.acceptor_of(*id)).collect();
        for listener in idle {
            self.start_acceptor(listener)?;
        }
        Ok(())
    }

    pub(super) fn acceptor_lost(&mut self, listener: ListenerId) {
        // A new one is started by the next sweep: the listen queue holds the connections meanwhile.
        pollux_os::say!(
            "pollux: {}: the acceptor of listener {listener} is gone; another is started",
            self.name
        );
    }

    fn start_acceptor(&mut self, listener: ListenerId) -> Result<()> {
        let Some(socket) = self.listeners.get(&listener) else { return Ok(()) };
        let socket = socket.try_clone().context("duplicate a listener")?;
        let (ours, theirs) = socket_pair().context("make the acceptor's path")?;
        let open =
            OpenId(LOCAL_OPEN | u64::from(self.me.incarnation) << 32 | u64::from(self.daemon.next_request()));
        let opener = Opener {
            phandle: self.me,
            name: None,
            uid: rustix::process::geteuid().as_raw(),
            sync_depth: ACCEPTED_AHEAD_MAX,
            nowait_depth: ACCEPTED_AHEAD_MAX,
            details: pollux_wire::control::OpenDetails::default(),
        };
        let channel = Channel::new(ours, PATH_BODY_BYTES_MAX);
        self.poller
            .add(channel.as_fd(), TOKEN_PATH | open.0, Interest::READ)
            .context("watch the acceptor")?;
        self.paths.insert(open, super::paths::Path::watched(channel));
        if self.pair.checkpoints() {
            self.give_standby(open, opener)?;
        } else {
            self.record(&Record::Opened { open, opener, standby: false }, None);
        }
        let label = i16::try_from(listener.0).map_err(|_| Error::Misuse("too many listeners"))?;
        self.record(&Record::Labelled { open, label }, None);
        self.batch.outputs.push(Output::OpenReply { open, error: FileError::OK, label });
        self.settle();
        self.acceptors.insert(open, listener);
        let request = self.daemon.next_request();
        let provider = match provider_of(std::env::var(DEFINES_VARIABLE).ok().as_deref()) {
            Ok(provider) => Some(provider),
            Err(error) => {
                pollux_os::say!("pollux: {}: no TCP/IP provider: {PROVIDER_DEFINE}: {error}", self.name);
                None
            }
        };
        self.daemon.send(&ToDaemon::StartAcceptor { request, listener, provider }, vec![socket, theirs])
    }

    /// An acceptor hands over a connection: from here on it is the pair's. None for one that the pair has, or has had: the
    /// acceptor that brought it first did not live to hear so.
    pub(super) fn accept(
        &mut self,
        open: OpenId,
        sync: SyncId,
        listener: ListenerId,
        peer: &str,
        fd: OwnedFd,
    ) -> Option<ConnectionId> {
        let is_held = cookie(&fd).is_some_and(|cookie| self.cookies.contains(&cookie));
        if !is_new(is_held, positions(&fd).ok()) {
            self.save_reply(open, sync, FileError::OK, Vec::new());
            return None;
        }
        let connection =
            ConnectionId(u64::from(self.me.incarnation) << 32 | u64::from(self.daemon.next_request()));
        self.record(
            &Record::Connected { connection, listener, peer, consumed: 0, written: 0 },
            Some(fd.as_fd()),
        );
        // Replies leave at once: the program gathers them itself, turn by turn. Not every socket family knows the option.
        let _ = sockopt::set_tcp_nodelay(&fd, true);
        self.hold_socket(connection, fd);
        self.watch_socket(connection);
        self.save_reply(open, sync, FileError::OK, Vec::new());
        self.relieve_batch();
        Some(connection)
    }

    pub(super) fn hold_socket(&mut self, connection: ConnectionId, fd: OwnedFd) {
        let socket = Socket::held(fd);
        self.cookies.extend(socket.cookie);
        self.sockets.insert(connection, socket);
    }

    pub(super) fn forget_socket(&mut self, connection: ConnectionId) -> Option<Socket> {
        let socket = self.sockets.remove(&connection)?;
        if let Some(cookie) = &socket.cookie {
            self.cookies.remove(cookie);
        }
        Some(socket)
    }

    /// Begins to read and write a connection whose positions are known.
    fn watch_socket(&mut self, connection: ConnectionId) {
        let Some(socket) = self.sockets.get_mut(&connection) else { return };
        socket.watched = true;
        if self.peek_offset {
            let _ = pollux_os::set_peek_offset(&socket.fd, Some(0));
        }
        // Edge-triggered: peeked bytes stay in the socket and would wake a level-triggered wait for ever.
        if let Err(error) =
            self.poller.add(&socket.fd, TOKEN_CONNECTION | connection.0, Interest::EDGE_READ_WRITE)
        {
            pollux_os::say!("pollux: {}: a connection cannot be watched: {error}", self.name);
            self.ready.push_back(Ready::Disconnected(connection));
        }
    }

    pub(super) fn handle_socket(&mut self, connection: ConnectionId, event: &pollux_os::Event) {
        let Some(socket) = self.sockets.get_mut(&connection) else { return };
        socket.end_heard |= event.closed;
        if event.writable && std::mem::take(&mut socket.write_blocked) {
            self.mark_dirty(connection);
        }
        if (event.readable || event.closed) && !self.quiescing {
            self.read_socket(connection);
        }
    }

    /// Looks at every connection: what came while nothing was taken in made no event that is still to come.
    pub(super) fn read_all_sockets(&mut self) {
        let connections: Vec<ConnectionId> = self.sockets.keys().copied().collect();
        for connection in connections {
            self.read_socket(connection);
        }
    }

    /// Peeks all that has arrived.
    fn read_socket(&mut self, connection: ConnectionId) {
        let Some(socket) = self.sockets.get_mut(&connection) else { return };
        loop {
            // Without a peek offset in the kernel each peek begins at what was not yet discarded.
            let before = if self.peek_offset { 0 } else { (socket.seen - socket.discarded) as usize };
            if self.scratch.len() < before + READ_BYTES {
                self.scratch.resize(before + READ_BYTES, 0);
            }
            let room = self.scratch.len();
            match pollux_os::peek(&socket.fd, &mut self.scratch) {
                Ok(0) => {
                    socket.peer_finished = true;
                    break;
                }
                Ok(count) if count <= before => {
                    // Without a peek offset the end does not show while handled input stands before it.
                    socket.peer_finished |= socket.end_heard;
                    break;
                }
                Ok(count) => {
                    socket.input.extend_from_slice(&self.scratch[before..count]);
                    socket.seen += (count - before) as u64;
                    socket.reads += 1;
                    if count < room && !socket.end_heard {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    // Reset by the peer: nobody is left to write to.
                    self.ready.push_back(Ready::Disconnected(connection));
                    return;
                }
            }
        }
        if !socket.input.is_empty() {
            if socket.begin_to_queue() {
                self.ready.push_back(Ready::Input(connection));
            }
        } else if socket.peer_finished && !socket.queued && !socket.in_turn {
            self.close_when_written(connection);
        }
    }

    fn queue_input(&mut self, connection: ConnectionId) {
        if self.sockets.get_mut(&connection).is_some_and(Socket::begin_to_queue) {
            self.ready.push_back(Ready::Input(connection));
        }
    }

    /// Begins the turn of a connection's input.
    pub(super) fn begin_input(&mut self, connection: ConnectionId) -> Result<Option<InputData>> {
        let (Some(socket), Some(state)) =
            (self.sockets.get_mut(&connection), self.replica.connections.get(&connection))
        else {
            return Ok(None);
        };
        socket.queued = false;
        if socket.closing || socket.input.is_empty() {
            return Ok(None);
        }
        if state.stream.made() - state.stream.written() > OUTPUT_BYTES_MAX {
            socket.stalled = true;
            return Ok(None);
        }
        socket.in_turn = true;
        let input = std::mem::take(&mut socket.input);
        let key = TurnKey::Input { connection, offset: state.stream.consumed() };
        let crashes = if self.replica.suspects.is_empty() { 0 } else { self.replica.crashes_of(&key) };
        self.begin_turn(key);
        if crashes >= CRASHES_MAX {
            self.report_quarantined(&format!(
                "input of connection {connection} killed its server {crashes} times"
            ))?;
            self.finish_input(InputData { connection, input, used: 0, output: Vec::new(), close: true });
            return Ok(None);
        }
        let output = std::mem::take(&mut self.spare_output);
        Ok(Some(InputData { connection, input, used: 0, output, close: false }))
    }

    /// The program is done with a connection's input for this turn.
    pub(crate) fn finish_input(&mut self, data: InputData) {
        let InputData { connection, mut input, used, mut output, close } = data;
        let (Some(socket), Some(state)) =
            (self.sockets.get_mut(&connection), self.replica.connections.get_mut(&connection))
        else {
            return;
        };
        socket.in_turn = false;
        input.drain(..used);
        let arrived = std::mem::replace(&mut socket.input, input);
        let arrived_while_in_turn = !arrived.is_empty();
        socket.input.extend_from_slice(&arrived);
        let has_left = !socket.input.is_empty();
        let finished = socket.peer_finished;
        if used > 0 || !output.is_empty() {
            let consumed = state.stream.consumed() + used as u64;
            let written = state.stream.written();
            if written - socket.told_written >= WRITTEN_TOLD_BYTES {
                socket.told_written = written;
                self.tell(&Record::Written { connection, written }, None);
            }
            self.record(&Record::Progress { connection, consumed, output: &output }, None);
        }
        if has_left {
            self.keep_what_finds_no_room(connection);
        }
        self.release_later(connection);
        if output.capacity() <= SPARE_BYTES_MAX {
            output.clear();
            self.spare_output = output;
        }
        if close {
            self.close_by_program(connection);
        } else if has_left && (used > 0 || arrived_while_in_turn) {
            self.queue_input(connection);
        } else if finished {
            self.close_when_written(connection);
        }
        self.relieve_batch();
    }

    /// Output that the program makes outside of a turn of that connection.
    pub(crate) fn write_to(&mut self, connection: ConnectionId, output: &[u8]) -> Result<()> {
        let state = self.replica.connections.get(&connection).ok_or(Error::File(FileError::NOT_OPEN))?;
        let consumed = state.stream.consumed();
        self.record(&Record::Progress { connection, consumed, output }, None);
        self.release_later(connection);
        Ok(())
    }

    /// The program ends a connection: a new primary must do it where this one did not come to it.
    pub(crate) fn close_by_program(&mut self, connection: ConnectionId) {
        if self.replica.connections.get(&connection).is_some_and(|state| !state.closing) {
            self.record(&Record::Closing { connection }, None);
            self.settle();
        }
        self.close_when_written(connection);
    }

    /// Ends a connection once everything written to it has left.
    fn close_when_written(&mut self, connection: ConnectionId) {
        if let Some(socket) = self.sockets.get_mut(&connection) {
            socket.closing = true;
            self.mark_dirty(connection);
        }
    }

    /// The rest of a message can come only if there is room for it in the socket.
    fn keep_what_finds_no_room(&mut self, connection: ConnectionId) {
        let (Some(socket), Some(state)) =
            (self.sockets.get_mut(&connection), self.replica.connections.get(&connection))
        else {
            return;
        };
        if socket.input.is_empty() {
            return;
        }
        let kept = state.stream.kept().len();
        let unkept = socket.input.len() - kept;
        if unkept == 0 {
            return;
        }
        // Few bytes are left where they are, unless they crowd. Where the kernel does not say it, they are taken for what
        // does: keeping them costs time and harms nobody.
        let is_crowded = || pollux_os::is_receive_buffer_crowded(&socket.fd).unwrap_or(true);
        if unkept < KEEP_BYTES && !is_crowded() {
            return;
        }
        socket.crowded = unkept < KEEP_BYTES;
        if socket.input.len() > KEPT_BYTES_MAX {
            pollux_os::say!(
                "pollux: {}: a message of more than {KEPT_BYTES_MAX} bytes; its connection is closed",
                self.name
            );
            self.ready.push_back(Ready::Disconnected(connection));
            return;
        }
        let input = socket.input[kept..].to_vec();
        self.record(&Record::Kept { connection, input: &input }, None);
    }

    fn release_later(&mut self, connection: ConnectionId) {
        if let Some(state) = self.replica.connections.get(&connection) {
            let (made, taken) = (state.stream.made(), state.stream.taken());
            self.batch.outputs.push(Output::Connection { connection, made, taken });
            self.connection_outputs += 1;
        }
    }

    /// Whether many connections have asked and wait for the backup. What comes meanwhile waits outside, wakes nobody, and
    /// goes with one checkpoint when the acknowledgement is there: on a busy processor each wake-up costs more than a request.
    pub(super) fn backup_comes_first(&self) -> bool {
        self.connection_outputs >= OUTPUTS_BEFORE_SHARING
            && self.unacknowledged_bytes <= SHARED_BYTES_MAX
            && self.awaiting()
    }

    /// Whether to look for more input before the checkpoint is sent: many share it already, and the last look has found
    /// something. Ends with the first look in vain.
    pub(super) fn more_may_share(&mut self) -> bool {
        let outputs = self.connection_outputs;
        let found = outputs > std::mem::replace(&mut self.outputs_at_look, outputs);
        found
            && outputs >= OUTPUTS_BEFORE_SHARING
            && self.batch.completed_bytes() <= SHARED_BYTES_MAX
            && self.pair.checkpoints()
            && !self.awaiting()
    }

    pub(super) fn release_connection(&mut self, connection: ConnectionId, made: u64, taken: u64) {
        self.connection_outputs -= 1;
        if let Some(socket) = self.sockets.get_mut(&connection) {
            socket.released = socket.released.max(made);
            socket.discardable = socket.discardable.max(taken);
            socket.note_dirty(connection, &mut self.dirty_sockets);
        }
    }

    fn mark_dirty(&mut self, connection: ConnectionId) {
        if let Some(socket) = self.sockets.get_mut(&connection) {
            socket.note_dirty(connection, &mut self.dirty_sockets);
        }
    }

    /// Writes what is released, and discards what is handled.
    pub(super) fn write_connections(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty_sockets);
        for connection in dirty.drain(..) {
            self.write_connection(connection);
        }
        self.dirty_sockets = dirty;
    }

    fn write_connection(&mut self, connection: ConnectionId) {
        let (Some(socket), Some(state)) =
            (self.sockets.get_mut(&connection), self.replica.connections.get_mut(&connection))
        else {
            return;
        };
        socket.dirty = false;
        while !socket.write_blocked {
            let (front, back) = state.stream.pending(socket.released);
            if front.is_empty() && back.is_empty() {
                break;
            }
            let wrote = if back.is_empty() {
                pollux_os::write(&socket.fd, front)
            } else {
                pollux_os::write_vectored(&socket.fd, &[IoSlice::new(front), IoSlice::new(back)])
            };
            match wrote {
                Ok(count) => state.stream.wrote(state.stream.written() + count as u64),
                Err(error) if error.kind() == ErrorKind::WouldBlock => socket.write_blocked = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.ready.push_back(Ready::Disconnected(connection));
                    return;
                }
            }
        }
        let due = socket.discardable - socket.discarded.min(socket.discardable);
        if due >= DISCARD_BYTES || (due > 0 && (socket.crowded || socket.reads >= DISCARD_READS)) {
            discard(socket, due, &mut self.scratch);
        }
        let unwritten = state.stream.made() - state.stream.written();
        if socket.stalled && unwritten <= OUTPUT_BYTES_MAX {
            socket.stalled = false;
            self.queue_input(connection);
        } else if socket.closing && unwritten == 0 {
            self.ready.push_back(Ready::Disconnected(connection));
        }
    }

    /// Ends a connection; false if it has ended already.
    pub(super) fn end_connection(&mut self, connection: ConnectionId) -> bool {
        let Some(mut socket) = self.forget_socket(connection) else { return false };
        if socket.watched {
            let _ = self.poller.remove(&socket.fd);
        }
        // A socket that is closed with unread input resets its connection, and the peer may lose what it has not read yet.
        let unread = socket.seen - socket.discarded;
        discard(&mut socket, unread, &mut self.scratch);
        self.record(&Record::Disconnected { connection }, None);
        self.batch.outputs.push(Output::Close(socket.fd));
        true
    }

    /// As a new primary: brings each connection to its replicated positions, whatever the old primary had done last.
    pub(super) fn resume_connections(&mut self) {
        let connections: Vec<ConnectionId> = self.replica.connections.keys().copied().collect();
        for connection in connections {
            let (Some(socket), Some(state)) =
                (self.sockets.get_mut(&connection), self.replica.connections.get_mut(&connection))
            else {
                continue;
            };
            let resumed = positions(&socket.fd).map_err(|error| error.to_string()).and_then(|kernel| {
                state
                    .stream
                    .resume(kernel)
                    .map(|resume| (kernel, resume))
                    .map_err(|m| format!("{m:?} ({kernel:?})"))
            });
            match resumed {
                Ok((kernel, resume)) => {
                    socket.forget_primary();
                    socket.discarded = kernel.consumed;
                    discard(socket, resume.discard, &mut self.scratch);
                    socket.seen = state.stream.taken();
                    socket.discardable = socket.discarded;
                    socket.input = state.stream.kept().to_vec();
                    socket.released = state.stream.made();
                    socket.told_written = state.stream.written();
                    socket.closing = state.closing;
                    let has_input = !socket.input.is_empty();
                    self.watch_socket(connection);
                    self.mark_dirty(connection);
                    if has_input {
                        self.queue_input(connection);
                    }
                }
                Err(why) => {
                    pollux_os::say!(
                        "pollux: {}: connection {connection} ({}) cannot go on: {why}",
                        self.name,
                        state.peer
                    );
                    self.ready.push_back(Ready::Disconnected(connection));
                }
            }
        }
        self.write_connections();
    }

    /// As a backup: holds the descriptors and touches nothing.
    pub(super) fn silence_connections(&mut self) {
        for socket in self.sockets.values_mut().filter(|socket| socket.watched) {
            let _ = self.poller.remove(&socket.fd);
            socket.watched = false;
        }
        self.dirty_sockets.clear();
    }

    /// Tells the backup how far output has left, where no later output has told it.
    pub(super) fn tell_written(&mut self) {
        if !self.pair.checkpoints() {
            return;
        }
        let mut news = Vec::new();
        for (connection, socket) in &mut self.sockets {
            if let Some(state) = self.replica.connections.get(connection)
                && socket.told_written < state.stream.written()
            {
                socket.told_written = state.stream.written();
                news.push((*connection, socket.told_written));
            }
        }
        for (connection, written) in news {
            self.tell(&Record::Written { connection, written }, None);
        }
        self.settle();
    }

    /// The far address of a connection.
    pub(crate) fn peer(&self, connection: ConnectionId) -> Option<&str> {
        self.replica.connections.get(&connection).map(|state| state.peer.as_str())
    }
}

/// Where a connection stands, asked of the kernel.
fn positions(fd: &OwnedFd) -> std::io::Result<KernelPositions> {
    let kernel = pollux_os::stream_positions(fd)?;
    Ok(KernelPositions { consumed: kernel.consumed(), produced: kernel.produced() })
}

fn cookie(fd: &OwnedFd) -> Option<u64> {
    sockopt::socket_cookie(fd).ok()
}

fn discard(socket: &mut Socket, bytes: u64, scratch: &mut [u8]) {
    let mut left = bytes;
    while left > 0 {
        match pollux_os::discard(&socket.fd, left as usize, scratch) {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                socket.discarded += count as u64;
                left -= count as u64;
            }
        }
    }
    socket.reads = 0;
    socket.crowded = false;
}
