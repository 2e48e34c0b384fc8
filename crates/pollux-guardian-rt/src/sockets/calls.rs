//! Posting operations on sockets, and waited calls: a waited call is an operation that is waited for.

use super::carry::{Action, Answer};
use super::file::{SocketFile, Wish};
use super::numbers::{ECONNRESET, EINVAL, ENOTSOCK, FLAG_DEPTH, FLAG_NOWAIT_OPEN};
use super::queue::Lane;
use crate::files::operations::{Kind, OPEN_TAG, Operation, Outcome};
use crate::files::table::Number;
use crate::files::{File, FileKind, Mode};
use crate::memory::Buffer;
use crate::runtime::Runtime;
use crate::waits::Source;
use pollux_wire::{FileError, SyncId};

/// An operation as it is posted.
#[derive(Debug)]
pub(crate) struct Post {
    /// What it does.
    pub(crate) action: Action,
    /// What it waits for; `None` for an answer.
    pub(crate) lane: Option<Lane>,
    /// What is known already.
    pub(crate) answer: Option<Answer>,
    /// The buffer that AWAITIO gives back.
    pub(crate) shown: Buffer,
}

impl Post {
    /// An operation that waits for the kernel.
    pub(crate) fn new(action: Action, lane: Lane, shown: Buffer) -> Self {
        Self { action, lane: Some(lane), answer: None, shown }
    }

    /// One that is done, with bytes for the program.
    pub(crate) fn said(done: Result<Vec<(Buffer, Vec<u8>)>, FileError>) -> Self {
        let answer = match done {
            Ok(stores) => Answer::Done { count: 0, stores },
            Err(error) => Answer::Failed(error),
        };
        Self { action: Action::Said, lane: None, answer: Some(answer), shown: Buffer::NONE }
    }

    /// One that the provider will answer.
    pub(crate) fn asked(action: Action, shown: Buffer) -> Self {
        Self { action, lane: None, answer: None, shown }
    }
}

impl Runtime {
    /// `socket` (without flags) and `socket_nw`: the number of a new socket.
    pub(crate) fn new_socket(&mut self, wish: Wish, flags: Option<i32>) -> Result<i16, FileError> {
        let depth = match flags {
            None => 0,
            Some(flags) if flags & FLAG_DEPTH > 0 => flags & FLAG_DEPTH,
            Some(_) => return Err(EINVAL),
        };
        let number = self.files.number(Number::Lowest)?;
        let provider = self.sockets.provider_name();
        self.open_provider(&provider)?;
        // The link was waited for: the number may be another one by now.
        let number = self.files.number(Number::Preferred(number))?;
        let socket = SocketFile::new(wish, flags.unwrap_or(0), wish.descriptor()?);
        self.enter_socket(number, socket, provider, depth as u16);
        Ok(number)
    }

    /// Enters a socket.
    pub(crate) fn enter_socket(&mut self, number: i16, socket: SocketFile, provider: String, depth: u16) {
        let is_nowait_open = depth > 0 && socket.flags & FLAG_NOWAIT_OPEN != 0;
        let mode = Mode { nowait_depth: depth, ..Mode::default() };
        let serial = self.next_serial();
        self.enter(serial, number, FileKind::Socket(Box::new(socket)), provider, mode);
        let at = self.tick();
        if let Ok(file) = self.files.get_mut(number) {
            if is_nowait_open {
                // SETMODE 30 is the program's to do, once it is told that the socket is open.
                let done = Some((at, Outcome::default()));
                let open =
                    Operation { kind: Kind::Open, tag: OPEN_TAG, buffer: Buffer::NONE, sync: None, done };
                file.operations.push(open);
            } else {
                file.operations.set_any_order(true);
            }
        }
    }

    /// The socket of a number. 4009 if the number is not open, 4104 if it is no socket's, 60 if it stands for nothing.
    pub(crate) fn socket(&mut self, number: i32) -> Result<(i16, &mut SocketFile), FileError> {
        let (number, file) = self.socket_file(number)?;
        match &mut file.kind {
            FileKind::Socket(socket) if socket.is_void => Err(FileError::WRONG_ID),
            FileKind::Socket(socket) => Ok((number, socket)),
            _ => Err(ENOTSOCK),
        }
    }

    /// The same as an open file.
    pub(crate) fn socket_file(&mut self, number: i32) -> Result<(i16, &mut File), FileError> {
        let number = i16::try_from(number).map_err(|_| FileError::NOT_OPEN)?;
        let file = self.files.get_mut(number)?;
        match &file.kind {
            FileKind::Socket(_) if file.operations.has_open() => Err(FileError::NOT_OPEN),
            FileKind::Socket(_) => Ok((number, file)),
            _ => Err(ENOTSOCK),
        }
    }

    /// Error 4120 for a connection that did not live through the takeover.
    pub(crate) fn living_socket(&mut self, number: i32) -> Result<(i16, &mut SocketFile), FileError> {
        let (number, socket) = self.socket(number)?;
        if socket.is_lost { Err(ECONNRESET) } else { Ok((number, socket)) }
    }

    /// Starts a nowait operation. 4022 on a socket whose operations are waited for, 28 beyond the depth.
    pub(crate) fn post_nowait(&mut self, number: i32, post: Post, tag: i64) -> Result<SyncId, FileError> {
        let (number, file) = self.socket_file(number)?;
        if file.operations.is_waited() {
            return Err(EINVAL);
        }
        file.operations.check_room()?;
        self.post(number, post, tag)
    }

    /// Whether one more nowait operation may be started.
    pub(crate) fn check_nowait(&mut self, number: i32) -> Result<(), FileError> {
        self.socket(number)?;
        let (_, file) = self.socket_file(number)?;
        if file.operations.is_waited() { Err(EINVAL) } else { file.operations.check_room() }
    }

    /// Posts an operation that is waited for.
    pub(crate) fn wait_post(&mut self, number: i32, post: Post) -> Result<SyncId, FileError> {
        let (number, _) = self.socket(number)?;
        self.post(number, post, 0)
    }

    fn post(&mut self, number: i16, post: Post, tag: i64) -> Result<SyncId, FileError> {
        let at = self.tick();
        let file = self.files.get_mut(number)?;
        let FileKind::Socket(socket) = &mut file.kind else { return Err(ENOTSOCK) };
        let id = match post.lane {
            Some(lane) => socket.queue.post(lane),
            None => socket.queue.number(),
        };
        let answer = if socket.is_lost { Some(Answer::Failed(ECONNRESET)) } else { post.answer };
        socket.actions.insert(id, post.action);
        socket.is_untried = true;
        if let Some(answer) = answer {
            socket.answers.insert(id, (at, answer));
        }
        let operation = Operation { kind: Kind::Socket, tag, buffer: post.shown, sync: Some(id), done: None };
        file.operations.push(operation);
        Ok(id)
    }

    /// Posts an operation and waits for it: the bytes transferred.
    pub(crate) fn wait_for_post(&mut self, number: i32, post: Post) -> Result<usize, FileError> {
        let (number, _) = self.socket(number)?;
        let id = self.post(number, post, 0)?;
        self.wait_for_operation(number, id)
    }

    /// Waits for a posted operation and takes it out: the bytes transferred.
    pub(crate) fn wait_for_operation(&mut self, number: i16, id: SyncId) -> Result<usize, FileError> {
        self.wait(None, |runtime| runtime.carry_out(number, id).then_some(()));
        let file = self.files.get_mut(number)?;
        let at = file.operations.place_of(id).ok_or(FileError::NOTHING_OUTSTANDING)?;
        let done = file.operations.remove(at).and_then(|operation| operation.done);
        let outcome = done.map(|(_, outcome)| outcome).unwrap_or_default();
        if outcome.error.is_ok() { Ok(outcome.count) } else { Err(outcome.error) }
    }

    /// The operation of a socket that may finish now: its place, and since when.
    pub(crate) fn next_of_socket(&mut self, number: i16) -> Option<(usize, u64)> {
        let file = self.files.get(number).ok()?;
        let FileKind::Socket(socket) = &file.kind else { return None };
        let ready = file.operations.candidates().filter_map(|(place, operation)| {
            let done = operation.done.as_ref().map(|(at, _)| *at);
            let at = done.or_else(|| socket.ready_at(operation.sync?))?;
            Some((at, place))
        });
        ready.min().map(|(at, place)| (place, at))
    }

    /// Carries out the operation at a place; false if it cannot be yet.
    pub(crate) fn carry_out_at(&mut self, number: i16, place: usize) -> bool {
        let Ok(file) = self.files.get(number) else { return false };
        let found = file.operations.candidates().nth(place).map(|(_, one)| (one.done.is_some(), one.sync));
        match found {
            Some((true, _)) => true,
            Some((false, Some(id))) => self.carry_out(number, id),
            _ => false,
        }
    }

    fn carry_out(&mut self, number: i16, id: SyncId) -> bool {
        let registry = self.registry();
        let at = self.tick();
        let Ok(file) = self.files.get_mut(number) else { return true };
        let FileKind::Socket(socket) = &mut file.kind else { return true };
        if socket.ready_at(id).is_none() {
            return false;
        }
        if matches!(socket.actions.get(&id), Some(Action::Claim)) {
            // The descriptor is about to be another one.
            if let Some(descriptor) = &socket.descriptor {
                use std::os::fd::AsFd;
                let _ = file.watched.set(&registry, Source::File(file.serial), descriptor.as_fd(), None);
            }
        }
        match socket.carry_out(id) {
            Some(outcome) => {
                file.operations.complete(id, at, outcome);
                true
            }
            None => false,
        }
    }

    /// A posted operation is given up; its request to the provider, too. A connection that had come goes to the next accept.
    pub(crate) fn cancel_of_socket(&mut self, number: i16, id: SyncId) {
        self.settle_providers(std::time::Instant::now());
        let Ok(file) = self.files.get_mut(number) else { return };
        let (serial, name) = (file.serial, file.name.clone());
        let FileKind::Socket(socket) = &mut file.kind else { return };
        let answer = socket.answers.remove(&id).map(|(_, answer)| answer);
        socket.forget(id);
        match answer {
            Some(Answer::Pending { remote }) => socket.given_back.push_back(remote),
            Some(Answer::Claimed { socket, .. }) => self.leave(&name, socket),
            Some(_) => {}
            None => self.cancel_request(serial, id),
        }
    }
}
