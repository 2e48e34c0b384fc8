//! What a server does with sockets, and how a socket ends.

use super::address;
use super::calls::Post;
use super::carry::{Action, Answer};
use super::file::{Shape, SocketFile, Wish};
use super::numbers::{
    EADDRINUSE, EALREADY, ECONNRESET, EINVAL, EISCONN, EMFILE, ENOTCONN, EOPNOTSUPP, ESRCH, of_io, of_linux,
};
use super::place::Place;
use crate::files::table::Number;
use crate::files::{File, FileKind};
use crate::memory::Buffer;
use crate::runtime::Runtime;
use pollux_wire::sockets::SocketRole;
use pollux_wire::{FileError, SocketId};
use rustix::io::Errno;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

/// Longest queue of connections.
const BACKLOG_MAX: i32 = 128;
/// The queue of an `accept_nw` without `listen`.
const BACKLOG_USUAL: u16 = 5;
/// Unread input that an end of a connection takes out, so that it ends with what is queued and not with a reset.
const DISCARD_BYTES_MAX: usize = 64 << 20;

/// The length of a queue of connections, 1 to 128; what is outside is taken to the next bound.
pub(crate) fn backlog(wanted: i32) -> u16 {
    wanted.clamp(1, BACKLOG_MAX) as u16
}

/// The address as a socket of its family can use it. 4113 for another family.
pub(crate) fn for_socket(socket: &SocketFile, address: SocketAddr) -> Result<SocketAddr, FileError> {
    if address.is_ipv6() == socket.is_v6() { Ok(address) } else { Err(super::numbers::EAFNOSUPPORT) }
}

impl Runtime {
    /// bind. 4022 for a socket that is bound.
    pub(crate) fn bind_socket(
        &mut self,
        number: i32,
        address: *const u8,
        length: i32,
    ) -> Result<(), FileError> {
        let (_, socket) = self.living_socket(number)?;
        let wanted = for_socket(socket, address::read(address, length)?)?;
        if socket.is_bound {
            return Err(EINVAL);
        }
        rustix::net::bind(socket.fd()?, &wanted).map_err(of_linux)?;
        socket.is_bound = true;
        Ok(())
    }

    /// connect, as far as it goes without waiting; `None` if it is under way.
    pub(crate) fn begin_connect(
        &mut self,
        number: i32,
        address: *const u8,
        length: i32,
    ) -> Result<Option<()>, FileError> {
        let (_, socket) = self.living_socket(number)?;
        let wanted = for_socket(socket, address::read(address, length)?)?;
        if socket.actions.values().any(|action| *action == Action::Connect) {
            return Err(EALREADY);
        }
        match rustix::net::connect(socket.fd()?, &wanted) {
            Ok(()) => {
                (socket.is_connected, socket.is_bound) = (true, true);
                socket.is_active = socket.shape().is_stream();
                Ok(Some(()))
            }
            Err(Errno::INPROGRESS) => Ok(None),
            Err(error) => Err(of_linux(error)),
        }
    }

    /// Makes a socket known to its provider: its number there.
    pub(crate) fn keep_socket(&mut self, number: i32) -> Result<SocketId, FileError> {
        let (number, socket) = self.living_socket(number)?;
        if let Some(id) = socket.id {
            return Ok(id);
        }
        let role = match socket.shape() {
            Shape::Datagram | Shape::Raw => SocketRole::Datagram,
            Shape::Stream | Shape::StreamWithoutBackup if socket.is_connected => SocketRole::Stream,
            Shape::Stream | Shape::StreamWithoutBackup => SocketRole::Listener,
        };
        let copy: OwnedFd = socket.fd()?.try_clone_to_owned().map_err(|error| of_io(&error))?;
        let name = self.files.get(number)?.name.clone();
        let id = self.keep(&name, role, copy)?;
        let (_, socket) = self.socket(i32::from(number))?;
        socket.id = Some(id);
        Ok(id)
    }

    /// listen: connections queue up from here on.
    pub(crate) fn listen_on(&mut self, number: i32, queue: i32) -> Result<(), FileError> {
        let (_, socket) = self.listener(number)?;
        socket.backlog = backlog(queue);
        rustix::net::listen(socket.fd()?, i32::from(socket.backlog)).map_err(of_linux)?;
        self.keep_socket(number).map(|_| ())
    }

    fn listener(&mut self, number: i32) -> Result<(i16, &mut SocketFile), FileError> {
        let (number, socket) = self.living_socket(number)?;
        if !socket.shape().is_stream() {
            return Err(EOPNOTSUPP);
        }
        if socket.is_connected { Err(EINVAL) } else { Ok((number, socket)) }
    }

    /// An accept, checked: 4103 if one is outstanding. With the connection of one that was cancelled, if there is one.
    fn accept_post(&mut self, number: i32, place: Place, queue: Option<i32>) -> Result<Post, FileError> {
        let (_, socket) = self.listener(number)?;
        if socket.actions.values().any(|action| matches!(action, Action::Accept(_))) {
            return Err(EALREADY);
        }
        if let Some(queue) = queue {
            if !(1..=BACKLOG_MAX).contains(&queue) {
                return Err(EINVAL);
            }
            socket.backlog = queue as u16;
        }
        if socket.backlog == 0 {
            socket.backlog = BACKLOG_USUAL;
        }
        // Here and not only by the provider: who connects once the call is over finds somebody who listens.
        rustix::net::listen(socket.fd()?, i32::from(socket.backlog)).map_err(of_linux)?;
        let answer = socket.given_back.pop_front().map(|remote| Answer::Pending { remote });
        Ok(Post { answer, ..Post::asked(Action::Accept(place), Buffer::NONE) })
    }

    /// Asks the provider for what a posted accept waits for.
    fn ask_for_connection(&mut self, number: i32, id: pollux_wire::SyncId) -> Result<(), FileError> {
        let (number, socket) = self.socket(number)?;
        if socket.answers.contains_key(&id) {
            return Ok(());
        }
        let (known, queue) = (socket.id, socket.backlog);
        let file = self.files.get(number)?;
        let (name, serial) = (file.name.clone(), file.serial);
        self.start_accept(&name, (serial, id), known.ok_or(ENOTCONN)?, queue)
    }

    /// `accept_nw`, `accept_nw1`.
    pub(crate) fn accept_nowait(
        &mut self,
        number: i32,
        place: Place,
        queue: Option<i32>,
        tag: i64,
    ) -> Result<(), FileError> {
        self.check_nowait(number)?;
        if !self.socket(number)?.1.is_lost {
            self.listener(number)?;
            self.keep_socket(number)?;
        }
        let post = self.accept_post(number, place, queue)?;
        let id = self.post_nowait(number, post, tag)?;
        self.ask_for_connection(number, id).inspect_err(|_| self.unpost(number, id))
    }

    /// `accept_nw2`, `accept_nw3`: the pending connection from `remote` becomes this socket.
    pub(crate) fn claim_nowait(
        &mut self,
        number: i32,
        remote: SocketAddr,
        local: Option<SocketAddr>,
        tag: i64,
    ) -> Result<(), FileError> {
        self.check_nowait(number)?;
        let (_, socket) = self.socket(number)?;
        if !socket.shape().is_stream() {
            return Err(ESRCH);
        }
        if socket.is_connected {
            return Err(EISCONN);
        }
        if socket.actions.values().any(|action| *action == Action::Claim) {
            return Err(EALREADY);
        }
        if socket.is_bound {
            return Err(EADDRINUSE);
        }
        let (short, file) = self.socket_file(number)?;
        let (name, serial) = (file.name.clone(), file.serial);
        self.open_provider(&name)?;
        let id = self.post_nowait(i32::from(short), Post::asked(Action::Claim, Buffer::NONE), tag)?;
        self.start_claim(&name, (serial, id), remote, local).inspect_err(|_| self.unpost(number, id))
    }

    /// An operation that could not be started is as if it had not been posted.
    fn unpost(&mut self, number: i32, id: pollux_wire::SyncId) {
        if let Ok((_, file)) = self.socket_file(number) {
            if let Some(at) = file.operations.place_of(id) {
                file.operations.remove(at);
            }
            if let FileKind::Socket(socket) = &mut file.kind {
                socket.forget(id);
            }
        }
    }

    /// accept: waits for a connection, claims it, and gives the number of a new socket.
    pub(crate) fn accept_waited(&mut self, number: i32, place: Place) -> Result<i16, FileError> {
        self.listener(number)?;
        self.keep_socket(number)?;
        let post = self.accept_post(number, place, None)?;
        let short = self.socket(number)?.0;
        let id = self.wait_post(number, post)?;
        self.ask_for_connection(number, id).inspect_err(|_| self.unpost(number, id))?;
        self.wait_for_operation(short, id)?;
        let (_, socket) = self.socket(number)?;
        let remote = socket.last_from.ok_or(ESRCH)?;
        let (wish, flags) = (socket.wish, socket.flags);
        let name = self.files.get(short)?.name.clone();
        let claimed = self.claim_waited(&name, wish, flags, remote);
        // There was no room for it: the next accept finds it.
        if claimed.as_ref().is_err_and(|error| ![ESRCH, ECONNRESET].contains(error)) {
            self.socket(number)?.1.given_back.push_front(remote);
        }
        claimed
    }

    fn claim_waited(
        &mut self,
        name: &str,
        wish: Wish,
        flags: i32,
        remote: SocketAddr,
    ) -> Result<i16, FileError> {
        let new = self.files.number(Number::Lowest).map_err(|_| EMFILE)?;
        let socket = SocketFile::new(wish, flags, wish.descriptor()?);
        self.enter_socket(new, socket, name.to_owned(), 0);
        let serial = self.files.get(new)?.serial;
        let claimed = self
            .wait_post(i32::from(new), Post::asked(Action::Claim, Buffer::NONE))
            .and_then(|id| self.start_claim(name, (serial, id), remote, None).map(|()| id))
            .and_then(|id| self.wait_for_operation(new, id));
        match claimed {
            Ok(_) => Ok(new),
            Err(error) => {
                let _ = self.close(new, 0);
                Err(error)
            }
        }
    }

    /// The end of a socket: its operations are given up, the provider is told, what is queued is sent.
    pub(crate) fn end_socket(&mut self, name: &str, serial: u64, mut socket: SocketFile) {
        let operations: Vec<_> = socket.actions.keys().copied().collect();
        for id in operations {
            match socket.answers.remove(&id) {
                Some((_, Answer::Claimed { socket, .. })) => self.leave(name, socket),
                _ => self.cancel_request(serial, id),
            }
        }
        // A program that ends has not said that its other half is to close, too.
        let is_said = socket.id.is_none() || !(self.is_ending() || socket.is_backup_open);
        if is_said && socket.is_connected && socket.shape().is_stream() {
            discard_input(&socket);
        }
        let Some(id) = socket.id.take() else { return };
        // The last but one duplicate; the provider has the last.
        let holds_port = !socket.is_connected;
        drop(socket);
        if holds_port && !self.is_ending() {
            // Its address is free when the call is over.
            let _ = self.leave_waited(name, id);
        } else {
            self.leave(name, id);
        }
    }

    /// `sock_close_reuse_nw`. 4022 for a socket that has a backup open: it is closed, and the number stands for nothing from
    /// here on. 4123 for one without a connection.
    pub(crate) fn reuse_socket(&mut self, number: i32, tag: i64) -> Result<(), FileError> {
        self.check_nowait(number)?;
        let registry = self.registry();
        let (_, file) = self.socket_file(number)?;
        let (name, serial) = (file.name.clone(), file.serial);
        let File { kind: FileKind::Socket(socket), watched, .. } = file else { return Err(ESRCH) };
        let has_backup = socket.shape() != Shape::StreamWithoutBackup;
        if !has_backup && !socket.is_connected {
            return Err(ENOTCONN);
        }
        if let Some(descriptor) = &socket.descriptor {
            let _ = watched.set(&registry, crate::waits::Source::File(serial), descriptor.as_fd(), None);
        }
        discard_input(socket);
        socket.is_void = has_backup;
        if let Some(id) = socket.tear_down() {
            self.leave(&name, id);
        }
        if has_backup {
            return Err(EINVAL);
        }
        self.post_nowait(number, Post::said(Ok(Vec::new())), tag).map(|_| ())
    }
}

/// Takes out what nobody will read: with unread input the kernel would reset the connection and drop what is queued.
fn discard_input(socket: &SocketFile) {
    const CHUNK: usize = 64 << 10;
    let Ok(fd) = socket.fd() else { return };
    let mut scratch = vec![0; CHUNK];
    let mut left = DISCARD_BYTES_MAX;
    while left > 0 {
        match pollux_os::discard(fd, CHUNK, &mut scratch) {
            Ok(0) | Err(_) => return,
            Ok(bytes) => left = left.saturating_sub(bytes),
        }
    }
}
