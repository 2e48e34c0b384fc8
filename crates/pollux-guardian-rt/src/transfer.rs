//! Opening, transfers and their completion, for all kinds of files.
//!
//! A waited operation is a nowait one that is waited for: there is one way through for both.

use crate::disk::opening;
use crate::files::operations::{
    Kind, Limit, NOWAIT_DEPTH_MAX, OPEN_TAG, Operation, Operations, Outcome, Which,
};
use crate::files::process::ProcessFile;
use crate::files::table::Number;
use crate::files::{
    File, FileKind, Mode, OPTION_ANY_NUMBER, OPTION_NO_SYSTEM_MESSAGES, OPTION_NOWAIT_OPEN, Transfer,
};
use crate::guardian::file_name::{FileName, Object, Qualifiers};
use crate::guardian::handle::same_instance;
use crate::memory::Buffer;
use crate::receive::queue::{Origin, RECEIVE_DEPTH_MAX};
use crate::runtime::Runtime;
use crate::sockets::numbers::EBADSYS;
use crate::waits::{Source, Watched};
use pollux_os::points::{self, Mark, Subject};
use pollux_wire::control::{OpenDetails, Target};
use pollux_wire::path::IoType;
use pollux_wire::{FileError, Phandle, ProcessName};
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Error 18: no such node.
const UNKNOWN_NODE: FileError = FileError(18);
/// Error 25: an await for a file whose operations are waited for.
const WAITED_FILE: FileError = FileError(25);
/// Error 27: a waited operation while nowait operations are outstanding.
pub(crate) const OPERATIONS_PENDING: FileError = FileError(27);
/// Error 590: a value that no parameter can have.
pub(crate) const BAD_VALUE: FileError = FileError(590);

/// What `FILE_OPEN_` is asked for.
#[derive(Debug, Clone)]
pub(crate) struct OpenRequest {
    /// The file.
    pub(crate) name: String,
    /// How.
    pub(crate) mode: Mode,
    /// A backup open: the primary and its number of the file.
    pub(crate) backup: Option<(Phandle, i16)>,
    /// Between two run-time libraries.
    pub(crate) internal: bool,
}

/// An operation that `AWAITIOX` gives back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finished {
    /// On which file.
    pub(crate) number: i16,
    /// What the program calls it by.
    pub(crate) tag: i64,
    /// Where its buffer is.
    pub(crate) address: usize,
    /// Bytes transferred.
    pub(crate) count: usize,
    /// Error number.
    pub(crate) error: FileError,
}

impl Runtime {
    /// Opens a file; its number, and a warning or 0.
    pub(crate) fn open(&mut self, request: OpenRequest) -> Result<(i16, FileError), FileError> {
        if request.mode.options & OPTION_NOWAIT_OPEN != 0 && request.mode.nowait_depth == 0 {
            return Err(BAD_VALUE);
        }
        // Whether the primary has the file open is the server's to say; that it is the caller's primary is known here.
        let is_primary = |handle: Phandle| handle != self.me && same_instance(handle, self.me);
        if request.backup.is_some_and(|(primary, _)| !is_primary(primary)) {
            return Err(FileError::NO_PRIMARY_OPEN);
        }
        // A DEFINE may stand for a process; a volume has a name like one.
        if opening::is_linux(&request.name) {
            let name = request.name.clone();
            return self.open_other(&request, &name);
        }
        let text = opening::names().follow(&request.name)?;
        let name = FileName::parse(&text).map_err(|_| FileError::BAD_NAME)?;
        if name.node.as_ref().is_some_and(|node| *node != self.node) {
            return Err(UNKNOWN_NODE);
        }
        let full = FileName { node: Some(self.node.clone()), ..name.clone() }.to_string();
        match name.object {
            object if object.is_receive() => self.open_receive(request.mode),
            Object::Named { name, sequence, qualifiers } => {
                // A device has a longer name than any process, and there are none.
                let name = ProcessName::new(&name).map_err(|_| FileError::NO_SUCH_PROCESS)?;
                self.open_process(&request, Target::Name { name, sequence }, &qualifiers, full)
            }
            Object::Unnamed { cpu, pin, sequence, qualifiers } => {
                self.open_process(&request, Target::Place { cpu, pin, sequence }, &qualifiers, full)
            }
            // No volume of the map: the name of a process, whose qualifiers begin with a letter.
            Object::Temporary { volume, .. } if ProcessName::new(&volume).is_ok() => Err(FileError::BAD_NAME),
            Object::Disk { .. } | Object::Temporary { .. } => self.open_other(&request, &text),
        }
    }

    fn open_receive(&mut self, mode: Mode) -> Result<(i16, FileError), FileError> {
        if mode.nowait_depth > 1 {
            return Err(FileError::TOO_MANY_OUTSTANDING);
        }
        if mode.depth > RECEIVE_DEPTH_MAX {
            return Err(BAD_VALUE);
        }
        let number = self.files.number(Number::Receive)?;
        let serial = self.next_serial();
        self.enter(serial, number, FileKind::Receive, "$RECEIVE".to_owned(), mode);
        self.receive_opened(mode.depth, mode.options & OPTION_NO_SYSTEM_MESSAGES == 0);
        self.look();
        Ok((number, FileError::OK))
    }

    fn open_process(
        &mut self,
        request: &OpenRequest,
        target: Target,
        qualifiers: &Qualifiers,
        name: String,
    ) -> Result<(i16, FileError), FileError> {
        let mode = request.mode;
        if mode.nowait_depth > NOWAIT_DEPTH_MAX {
            return Err(FileError::TOO_MANY_OUTSTANDING);
        }
        let number = self.files.number(wanted_number(request))?;
        let details = OpenDetails {
            file_number: number,
            access: mode.access,
            exclusion: mode.exclusion,
            options: mode.options,
            qualifier: qualifiers.to_string(),
            home_terminal: self.home_terminal.clone(),
            primary: request.backup.map(|(primary, _)| primary),
            primary_file_number: request.backup.map_or(0, |(_, number)| number),
            label: -1,
            internal: request.internal,
            waited: mode.nowait_depth == 0,
        };
        let is_partner = matches!(&target, Target::Name { name, .. } if Some(name) == self.name.as_ref());
        let serial = self.next_serial();
        let place = (self.registry(), Source::Link(serial).token());
        let depths = (mode.depth, mode.nowait_depth);
        let process = ProcessFile::new(Instant::now(), place, target, depths, details, is_partner);
        self.enter(serial, number, FileKind::Process(Box::new(process)), name, mode);
        if mode.options & OPTION_NOWAIT_OPEN != 0 {
            let open =
                Operation { kind: Kind::Open, tag: OPEN_TAG, buffer: Buffer::NONE, sync: None, done: None };
            self.files.get_mut(number)?.operations.push(open);
            self.look();
            return Ok((number, FileError::OK));
        }
        let opened = self.wait(None, |runtime| match runtime.files.get_mut(number) {
            Ok(File { kind: FileKind::Process(process), .. }) => process.opened(),
            _ => Some(Err(FileError::NOT_OPEN)),
        });
        match opened.expect("a wait without a limit ends with a result") {
            Ok(warning) => Ok((number, warning)),
            Err(error) => {
                self.take_out(number)?;
                Err(error)
            }
        }
    }

    /// Enters an open file.
    pub(crate) fn enter(&mut self, serial: u64, number: i16, kind: FileKind, name: String, mode: Mode) {
        let file = File {
            serial,
            watched: Watched::default(),
            kind,
            name,
            mode,
            operations: Operations::new(mode.nowait_depth),
            last_error: FileError::OK,
            modes: BTreeMap::new(),
        };
        self.files.insert(number, file);
        self.numbers.insert(serial, number);
    }

    fn take_out(&mut self, number: i16) -> Result<File, FileError> {
        let file = self.files.remove(number)?;
        self.numbers.remove(&file.serial);
        Ok(file)
    }

    /// Closes a file; operations under way are given up without a word.
    pub(crate) fn close(&mut self, number: i16, disposition: i16) -> Result<(), FileError> {
        let mut file = self.take_out(number)?;
        match file.kind {
            FileKind::Receive => self.server.is_open = false,
            FileKind::Process(process) => {
                if let Some(link) = process.close(disposition) {
                    self.let_close(file.serial, link);
                }
            }
            FileKind::Socket(socket) => {
                if let Some(fd) = &socket.descriptor {
                    let source = Source::File(file.serial);
                    let _ = file.watched.set(&self.waits.registry(), source, fd.as_fd(), None);
                }
                self.end_socket(&file.name, file.serial, *socket);
            }
            FileKind::Other(mut other) => {
                if let Some((fd, _)) = other.waits_for() {
                    let _ = file.watched.set(&self.waits.registry(), Source::File(file.serial), fd, None);
                }
                other.close();
            }
        }
        Ok(())
    }

    /// Does a transfer, or starts it on a nowait file: the bytes transferred if it is finished, also with an error, since data
    /// may accompany it.
    pub(crate) fn transfer(
        &mut self,
        number: i16,
        transfer: &Transfer,
    ) -> (Option<usize>, Result<(), FileError>) {
        let result = self.start_transfer(number, transfer).and_then(|()| self.finish_if_waited(number));
        match result {
            Ok(None) => {
                self.note(number, FileError::OK);
                (None, Ok(()))
            }
            Ok(Some(Finished { count, error, .. })) => {
                self.note(number, error);
                (Some(count), if error.is_ok() { Ok(()) } else { Err(error) })
            }
            Err(error) => {
                self.note(number, error);
                (Some(0), Err(error))
            }
        }
    }

    fn start_transfer(&mut self, number: i16, transfer: &Transfer) -> Result<(), FileError> {
        let to_partner =
            matches!(&self.files.get(number)?.kind, FileKind::Process(process) if process.is_partner());
        self.note_transfer(to_partner);
        let Self { files, server, .. } = self;
        let file = files.get_mut(number)?;
        if file.operations.has_open() {
            return Err(FileError::NOT_OPEN);
        }
        file.mode.check_access(transfer.kind)?;
        file.operations.check_room()?;
        let mut operation = Operation {
            kind: transfer.kind,
            tag: transfer.tag,
            buffer: transfer.read,
            sync: None,
            done: None,
        };
        match &mut file.kind {
            FileKind::Receive => match transfer.kind {
                Kind::Read => {}
                Kind::ReadUpdate => server.queue.check_update()?,
                _ => return Err(FileError::INVALID_OPERATION),
            },
            FileKind::Process(process) => {
                let io = match transfer.kind {
                    Kind::Read => IoType::Read,
                    Kind::Write => IoType::Write,
                    Kind::WriteRead => IoType::WriteRead,
                    _ => return Err(FileError::INVALID_OPERATION),
                };
                if transfer.kind == Kind::Write {
                    operation.buffer = transfer.write;
                }
                let room = u32::try_from(transfer.read.bytes()).map_err(|_| FileError::BAD_COUNT)?;
                let payload = transfer.write.get();
                if to_partner {
                    let subject = Subject::of(0, 0, &payload);
                    points::pass_before(Mark::CheckpointSending, Mark::CheckpointSent, subject);
                }
                operation.sync = Some(process.start(io, payload, room)?);
                if to_partner && points::is_on() {
                    // Written at once, so that there is a point behind it.
                    process.prepare_wait();
                    points::pass_sent(Mark::CheckpointSent);
                }
            }
            // Only the routines of the library read and write.
            FileKind::Socket(_) => return Err(EBADSYS),
            FileKind::Other(other) => {
                let done = other.start(transfer, file.mode)?;
                self.clock += 1;
                operation.done = done.map(|outcome| (self.clock, outcome));
            }
        }
        self.files.get_mut(number)?.operations.push(operation);
        Ok(())
    }

    /// Waits for the operation of a waited file.
    pub(crate) fn finish_if_waited(&mut self, number: i16) -> Result<Option<Finished>, FileError> {
        if !self.files.get(number)?.operations.is_waited() {
            return Ok(None);
        }
        self.finish_oldest(number).map(Some)
    }

    /// Waits for the oldest operation of a file.
    pub(crate) fn finish_oldest(&mut self, number: i16) -> Result<Finished, FileError> {
        let at = self.wait(None, |runtime| runtime.next_done(number).map(|(at, _)| at));
        self.finish(number, at.expect("a wait without a limit ends with a result"))
    }

    /// The operation of a file that may finish now, and when it was done.
    fn next_done(&mut self, number: i16) -> Option<(usize, u64)> {
        let file = self.files.get_mut(number).ok()?;
        if matches!(file.kind, FileKind::Socket(_)) {
            return self.next_of_socket(number);
        }
        if !matches!(file.kind, FileKind::Receive) {
            return file.operations.next_done();
        }
        if file.operations.outstanding() == 0 || !self.server.queue.has_message(self.now) {
            return None;
        }
        self.server.queue.next_arrival().map(|arrival| (0, arrival))
    }

    /// Takes out an operation that is done, and puts its data where the program wants it.
    fn finish(&mut self, number: i16, at: usize) -> Result<Finished, FileError> {
        let file = self.files.get_mut(number)?;
        let is_receive = matches!(file.kind, FileKind::Receive);
        let operation = file.operations.remove(at).ok_or(FileError::NOTHING_OUTSTANDING)?;
        let Operation { kind, tag, buffer, done, .. } = operation;
        let address = buffer.address();
        let outcome = if is_receive {
            self.read_message(kind, buffer)
        } else {
            done.map(|(_, outcome)| outcome).unwrap_or_default()
        };
        let count = match kind {
            Kind::Write if outcome.error.0 < 10 && !is_receive && outcome.count == 0 => buffer.bytes(),
            Kind::Read | Kind::ReadUpdate | Kind::WriteRead => {
                buffer.put(&outcome.data);
                outcome.count.min(buffer.bytes())
            }
            _ => outcome.count,
        };
        Ok(Finished { number, tag, address, count, error: outcome.error })
    }

    /// Reads the next message of `$RECEIVE`; there is one.
    fn read_message(&mut self, kind: Kind, buffer: Buffer) -> Outcome {
        let now = self.now;
        let message = if kind == Kind::ReadUpdate {
            match self.server.queue.read_update(now) {
                Ok(message) => message,
                Err(error) => return Outcome::failed(error),
            }
        } else {
            let message = self.server.queue.read(now);
            if let Some(message) = &message {
                self.respond(message.origin, FileError::OK, &[]);
            }
            message
        };
        let Some(message) = message else { return Outcome::failed(FileError::NOTHING_OUTSTANDING) };
        let error = if message.origin.is_system() { FileError::SYSTEM_MESSAGE } else { FileError::OK };
        let mut data = message.body;
        self.note_delivered(&message.origin, &data);
        let count = data.len();
        if self.blank_after_odd && count % 2 == 1 && count < buffer.bytes() {
            data.push(b' ');
        }
        Outcome { error, data, count }
    }

    /// The program gets to see a message.
    fn note_delivered(&self, origin: &Origin, body: &[u8]) {
        match origin {
            Origin::Request { open, sync, .. } if !self.is_from_pair(*open) => {
                points::pass(Mark::Delivered, Subject::of(open.0, sync.0, body));
            }
            Origin::Request { .. } => {}
            _ => points::pass(Mark::Told, Subject::of(0, 0, body)),
        }
    }

    /// `AWAITIOX`: waits for an operation. With error 40 the operation that it names, if any, is cancelled.
    pub(crate) fn await_io(&mut self, which: Which, limit: Limit) -> Result<Finished, FileError> {
        let result = self.check_await(which).and_then(|()| self.await_checked(which, limit));
        let error = match &result {
            Ok(finished) => {
                if let Ok(file) = self.files.get_mut(finished.number) {
                    file.last_error = finished.error;
                }
                finished.error
            }
            Err(error) => {
                if let Which::One(number) = which {
                    self.note(number, *error);
                }
                *error
            }
        };
        self.last_error = error;
        result
    }

    fn check_await(&self, which: Which) -> Result<(), FileError> {
        match which {
            Which::One(number) => {
                let file = self.files.get(number)?;
                if file.operations.is_waited() {
                    return Err(WAITED_FILE);
                }
                if file.operations.outstanding() == 0 {
                    return Err(FileError::NOTHING_OUTSTANDING);
                }
            }
            Which::Any => {
                let any = self.files.iter().any(|(_, file)| file.operations.outstanding() > 0);
                if !any {
                    return Err(FileError::NOTHING_OUTSTANDING);
                }
            }
        }
        Ok(())
    }

    fn await_checked(&mut self, which: Which, limit: Limit) -> Result<Finished, FileError> {
        let deadline = match limit {
            Limit::None => None,
            Limit::Poll => Some(Instant::now()),
            Limit::Hundredths(count) => Some(Instant::now() + Duration::from_millis(10 * u64::from(count))),
        };
        let found = self.wait(deadline, |runtime| {
            loop {
                let (number, at) = match which {
                    Which::One(number) => runtime.next_done(number).map(|(at, _)| (number, at)),
                    Which::Any => runtime.first_done(),
                }?;
                // What a socket is ready for is done now, and may turn out not to be possible.
                let is_socket =
                    matches!(runtime.files.get(number), Ok(File { kind: FileKind::Socket(_), .. }));
                if !is_socket || runtime.carry_out_at(number, at) {
                    return Some((number, at));
                }
            }
        });
        match (found, which) {
            (Some((number, at)), _) => self.finish(number, at),
            (None, Which::One(number)) if which.cancels_at(limit) => {
                let operation = self.cancel(number, None)?;
                Ok(Finished {
                    number,
                    tag: operation.tag,
                    address: operation.buffer.address(),
                    count: 0,
                    error: FileError::TIMED_OUT,
                })
            }
            (None, _) => Err(FileError::TIMED_OUT),
        }
    }

    /// The operation that was done first of all that may finish.
    fn first_done(&mut self) -> Option<(i16, usize)> {
        let numbers: Vec<i16> = self.files.iter().map(|(number, _)| number).collect();
        let done = numbers.into_iter().filter_map(|number| {
            let (at, when) = self.next_done(number)?;
            Some((when, number, at))
        });
        done.min().map(|(_, number, at)| (number, at))
    }

    /// Gives up the oldest operation of a file, or the oldest with a tag.
    pub(crate) fn cancel(&mut self, number: i16, tag: Option<i64>) -> Result<Operation, FileError> {
        let file = self.files.get_mut(number)?;
        let operation = file.operations.cancel(tag)?;
        match &mut file.kind {
            FileKind::Process(process) => {
                if let Some(sync) = operation.sync {
                    process.cancel(sync);
                }
            }
            FileKind::Socket(_) => {
                if let Some(id) = operation.sync {
                    self.cancel_of_socket(number, id);
                }
            }
            FileKind::Other(other) if operation.done.is_none() => other.cancel(),
            FileKind::Other(_) | FileKind::Receive => {}
        }
        Ok(operation)
    }

    /// Sends a file-management message to a process, or to a file of another kind. `None` if it is under way: a nowait file,
    /// unless `at_once`.
    pub(crate) fn manage(
        &mut self,
        number: i16,
        message: Vec<u8>,
        room: u32,
        tag: i64,
        at_once: bool,
    ) -> Result<Option<Vec<u8>>, FileError> {
        let file = self.files.get_mut(number)?;
        let process = match &mut file.kind {
            FileKind::Receive | FileKind::Socket(_) => return Err(FileError::INVALID_OPERATION),
            FileKind::Other(other) => return other.control(&message).map(Some),
            FileKind::Process(process) => process,
        };
        if file.operations.has_open() {
            return Err(FileError::NOT_OPEN);
        }
        if at_once && file.operations.outstanding() > 0 {
            return Err(OPERATIONS_PENDING);
        }
        file.operations.check_room()?;
        let sync = Some(process.start(IoType::Management, message, room)?);
        let waited = at_once || file.operations.is_waited();
        file.operations.push(Operation { kind: Kind::Control, tag, buffer: Buffer::NONE, sync, done: None });
        if !waited {
            return Ok(None);
        }
        let done = self.wait(None, |runtime| runtime.next_done(number));
        let (at, _) = done.expect("a wait without a limit ends with a result");
        let operation = self.files.get_mut(number)?.operations.remove(at);
        let outcome = operation.and_then(|operation| operation.done).map(|(_, outcome)| outcome);
        let Outcome { error, data, .. } = outcome.unwrap_or_default();
        if error.is_ok() { Ok(Some(data)) } else { Err(error) }
    }

    /// Keeps the error of the last operation on a file.
    pub(crate) fn note(&mut self, number: i16, error: FileError) {
        match self.files.get_mut(number) {
            Ok(file) => file.last_error = error,
            Err(_) => self.last_error = error,
        }
    }

    /// Keeps the result of the last operation on a file, and gives it.
    pub(crate) fn noted<T>(&mut self, number: i16, result: Result<T, FileError>) -> Result<T, FileError> {
        let error = result.as_ref().err().copied().unwrap_or(FileError::OK);
        self.note(number, error);
        result
    }
}

/// Which number an open asks for.
pub(crate) fn wanted_number(request: &OpenRequest) -> Number {
    match request.backup {
        None => Number::Lowest,
        Some((_, number)) if request.mode.options & OPTION_ANY_NUMBER != 0 => Number::Preferred(number),
        Some((_, number)) => Number::Given(number),
    }
}
