//! The links of this process to the TCP/IP providers, one for each provider that it uses: what is asked over them, and whose
//! the answers are. Programs do not see them.
//!
//! An accept may wait for days while thousands of other requests go by. A link has a window of requests, counted from the
//! oldest that is not answered, so an accept that has fallen far behind is asked again: the provider gives a connection back
//! that comes for the one that is cancelled.

use super::carry::Answer;
use super::numbers::{EBADSYS, ENOBUFS, of_io};
use crate::disk::opening;
use crate::files::process::{ProcessFile, Question};
use crate::files::{File, FileKind};
use crate::guardian::file_name::{FileName, Object};
use crate::runtime::{Asker, Runtime, numbered};
use crate::waits::Source;
use pollux_wire::control::{OpenDetails, Target};
use pollux_wire::path::IoType;
use pollux_wire::sockets::{PROVIDER_DEFAULT, PROVIDER_DEFINE, SocketReply, SocketRequest};
use pollux_wire::{FileError, ProcessName, SocketId, SyncId, decode, encode};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Instant;

/// Requests of a link that may be under way: what the provider keeps replies for.
const DEPTH: u16 = 1_024;
/// An accept that so many requests have gone by is asked again.
const FALLEN_BEHIND: u64 = 512;
/// No reply is longer, but for a list.
const REPLY_BYTES_MAX: u32 = 4_096;

/// Error 18: no such node.
const UNKNOWN_NODE: FileError = FileError(18);

/// Whose an answer is.
#[derive(Debug)]
enum Purpose {
    /// A call waits for it.
    Caller,
    /// A posted accept, with its request, which may have to be asked again.
    Accept { file: u64, operation: SyncId, request: SocketRequest },
    /// A posted claim; the connection comes over the channel.
    Claim { file: u64, operation: SyncId, channel: OwnedFd },
    /// The descriptor of a claimed connection that had not come with the answer.
    Fetch { file: u64, operation: SyncId, channel: OwnedFd, socket: SocketId },
    /// Nobody waits.
    Nobody,
}

/// The link to one provider.
pub(crate) struct Link {
    name: String,
    serial: u64,
    process: ProcessFile,
    waiting: BTreeMap<SyncId, Purpose>,
    answers: BTreeMap<SyncId, Result<SocketReply, FileError>>,
}

/// What this process has of the sockets library beside its sockets.
#[derive(Default)]
pub(crate) struct Sockets {
    /// `socket_set_inet_name`.
    pub(crate) provider: Option<String>,
    /// `socket_set_takeover`; `None` until the program has said.
    pub(crate) is_strict: Option<bool>,
    links: Vec<Link>,
}

impl Sockets {
    /// The name of the provider for a new socket: what the program has said, the DEFINE `=TCPIP^PROCESS^NAME`, or `$ZTC0`.
    pub(crate) fn provider_name(&self) -> String {
        let define = || opening::names().follow(PROVIDER_DEFINE).ok();
        self.provider.clone().or_else(define).unwrap_or_else(|| PROVIDER_DEFAULT.to_owned())
    }

    /// The process file of the link with this serial number.
    pub(crate) fn process_of(&mut self, serial: u64) -> Option<&mut ProcessFile> {
        self.links.iter_mut().find(|link| link.serial == serial).map(|link| &mut link.process)
    }

    /// Before a wait: the links that have something to read already.
    pub(crate) fn prepare_wait(&mut self) -> Vec<u64> {
        self.links.iter_mut().filter_map(|link| link.process.prepare_wait().then_some(link.serial)).collect()
    }

    /// When a link has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.links.iter().filter_map(|link| link.process.next_deadline()).min()
    }

    /// What the links have to ask the daemon.
    fn questions(&mut self, now: Instant) -> Vec<(u64, Question)> {
        let mut questions = Vec::new();
        for link in &mut self.links {
            link.process.look_for_silence(now);
            questions.extend(link.process.poll_question(now).map(|question| (link.serial, question)));
        }
        questions
    }

    fn link(&mut self, name: &str) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.name == name)
    }
}

/// Two ends of a channel over which a descriptor comes: ours, the provider's.
fn channel() -> Result<(OwnedFd, OwnedFd), FileError> {
    pollux_os::socket_pair().map_err(|error| of_io(&error))
}

/// The descriptor that has come over a channel.
fn arrived(channel: &OwnedFd) -> Option<OwnedFd> {
    pollux_os::take_passed_descriptor(channel).ok().flatten()
}

impl Runtime {
    /// Opens the link to a provider, if there is none. Error 14 if there is no such process.
    pub(crate) fn open_provider(&mut self, name: &str) -> Result<(), FileError> {
        match self.sockets.link(name).map(|link| link.process.opened()) {
            Some(Some(Err(_))) => self.lose_provider(name),
            Some(_) => return Ok(()),
            None => {}
        }
        let parsed = FileName::parse(name).map_err(|_| FileError::BAD_NAME)?;
        if parsed.node.is_some_and(|node| node != self.node) {
            return Err(UNKNOWN_NODE);
        }
        let Object::Named { name: process, sequence, qualifiers } = parsed.object else {
            return Err(FileError::BAD_NAME);
        };
        let process = ProcessName::new(&process).map_err(|_| FileError::NO_SUCH_PROCESS)?;
        let target = Target::Name { name: process, sequence };
        let details = OpenDetails {
            file_number: -1,
            access: 0,
            exclusion: 0,
            options: 0,
            qualifier: qualifiers.to_string(),
            home_terminal: self.home_terminal.clone(),
            primary: None,
            primary_file_number: 0,
            label: -1,
            internal: false,
            waited: false,
        };
        let serial = self.next_serial();
        let place = (self.registry(), Source::Link(serial).token());
        let process = ProcessFile::new(Instant::now(), place, target, (DEPTH, DEPTH), details, false);
        let name = name.to_owned();
        self.sockets.links.push(Link {
            name: name.clone(),
            serial,
            process,
            waiting: BTreeMap::new(),
            answers: BTreeMap::new(),
        });
        let opened = self.wait(None, |runtime| {
            runtime
                .sockets
                .process_of(serial)
                .map_or(Some(Err(FileError::NOT_OPEN)), |process| process.opened())
        });
        match opened.expect("a wait without a limit ends with a result") {
            Ok(_) => Ok(()),
            Err(error) => {
                self.lose_provider(&name);
                Err(error)
            }
        }
    }

    /// The provider is gone: its numbers mean nothing any more.
    fn lose_provider(&mut self, name: &str) {
        self.sockets.links.retain(|link| link.name != name);
        for (_, file) in self.files.iter_mut() {
            if let FileKind::Socket(socket) = &mut file.kind
                && file.name == name
            {
                socket.id = None;
            }
        }
    }

    /// Starts a request.
    fn start_request(
        &mut self,
        name: &str,
        request: &SocketRequest,
        descriptor: Option<OwnedFd>,
        purpose: Purpose,
    ) -> Result<SyncId, FileError> {
        let link = self.sockets.link(name).ok_or(FileError::NOT_OPEN)?;
        if link.waiting.len() >= usize::from(DEPTH) {
            return Err(ENOBUFS);
        }
        link.renew_old_accepts()?;
        let sync =
            link.process.start_with(IoType::WriteRead, encode(request), REPLY_BYTES_MAX, descriptor)?;
        link.waiting.insert(sync, purpose);
        Ok(sync)
    }

    /// Asks a provider and waits for its answer; the world goes on meanwhile.
    fn ask_provider(
        &mut self,
        name: &str,
        request: &SocketRequest,
        descriptor: Option<OwnedFd>,
    ) -> Result<SocketReply, FileError> {
        self.open_provider(name)?;
        let sync = self.start_request(name, request, descriptor, Purpose::Caller).inspect_err(|error| {
            if *error != ENOBUFS {
                self.lose_provider(name);
            }
        })?;
        let answer = self.wait(None, |runtime| match runtime.sockets.link(name) {
            Some(link) => link.answers.remove(&sync),
            None => Some(Err(FileError::PATH_DOWN)),
        });
        let answer = answer.expect("a wait without a limit ends with an answer");
        if answer.as_ref().is_err_and(|error| *error == FileError::PATH_DOWN) {
            self.lose_provider(name);
        }
        answer
    }

    /// Shows a socket to its provider, which keeps a duplicate.
    pub(crate) fn keep(
        &mut self,
        name: &str,
        role: pollux_wire::sockets::SocketRole,
        descriptor: OwnedFd,
    ) -> Result<SocketId, FileError> {
        match self.ask_provider(name, &SocketRequest::Keep { role }, Some(descriptor))? {
            SocketReply::Kept { socket } => Ok(socket),
            _ => Err(EBADSYS),
        }
    }

    /// Becomes a member beside the other half of this pair; a duplicate.
    pub(crate) fn join(
        &mut self,
        name: &str,
        socket: SocketId,
        brother: pollux_wire::Phandle,
    ) -> Result<OwnedFd, FileError> {
        let (near, far) = channel()?;
        match self.ask_provider(name, &SocketRequest::Join { socket, brother }, Some(far))? {
            SocketReply::Joined { .. } => {}
            _ => return Err(EBADSYS),
        }
        match arrived(&near) {
            Some(descriptor) => Ok(descriptor),
            None => self.fetch(name, socket),
        }
    }

    /// A duplicate that did not come with an answer: the provider was taken over in between.
    fn fetch(&mut self, name: &str, socket: SocketId) -> Result<OwnedFd, FileError> {
        const TRIES: usize = 3;
        for _ in 0..TRIES {
            let (near, far) = channel()?;
            self.ask_provider(name, &SocketRequest::Fetch { socket }, Some(far))?;
            if let Some(descriptor) = arrived(&near) {
                return Ok(descriptor);
            }
        }
        Err(EBADSYS)
    }

    /// This process does not use a socket any more.
    pub(crate) fn leave(&mut self, name: &str, socket: SocketId) {
        // A provider that is gone knows nothing of it anyway.
        let _ = self.start_request(name, &SocketRequest::Leave { socket }, None, Purpose::Nobody);
    }

    /// The same, and the provider has closed what nobody else uses when this is over.
    pub(crate) fn leave_waited(&mut self, name: &str, socket: SocketId) -> Result<(), FileError> {
        self.ask_provider(name, &SocketRequest::Leave { socket }, None).map(|_| ())
    }

    /// This process ends, with its other half, if it has one: providers wait for nobody of this pair.
    pub(crate) fn leave_as_a_whole(&mut self) {
        let names: Vec<String> = self.sockets.links.iter().map(|link| link.name.clone()).collect();
        for name in names {
            let _ = self.start_request(&name, &SocketRequest::Farewell {}, None, Purpose::Nobody);
        }
    }

    /// Asks for a connection, for a posted accept.
    pub(crate) fn start_accept(
        &mut self,
        name: &str,
        (file, operation): (u64, SyncId),
        socket: SocketId,
        queue: u16,
    ) -> Result<(), FileError> {
        let request = SocketRequest::Accept { socket, queue };
        let purpose = Purpose::Accept { file, operation, request: request.clone() };
        self.start_request(name, &request, None, purpose).map(|_| ())
    }

    /// Asks for the descriptor of a connection, for a posted claim.
    pub(crate) fn start_claim(
        &mut self,
        name: &str,
        (file, operation): (u64, SyncId),
        remote: SocketAddr,
        local: Option<SocketAddr>,
    ) -> Result<(), FileError> {
        let (near, far) = channel()?;
        let purpose = Purpose::Claim { file, operation, channel: near };
        self.start_request(name, &SocketRequest::Claim { remote, local }, Some(far), purpose).map(|_| ())
    }

    /// A posted operation is given up: its request, too.
    pub(crate) fn cancel_request(&mut self, file: u64, operation: SyncId) {
        for link in &mut self.sockets.links {
            let its = |purpose: &Purpose| match purpose {
                Purpose::Accept { file: of, operation: id, .. }
                | Purpose::Claim { file: of, operation: id, .. } => (*of, *id) == (file, operation),
                _ => false,
            };
            let found = link.waiting.iter().find(|(_, purpose)| its(purpose)).map(|(sync, _)| *sync);
            if let Some(sync) = found {
                link.waiting.remove(&sync);
                link.process.cancel(sync);
            }
        }
    }

    /// What is due on the links: questions to the daemon, answers for operations.
    pub(crate) fn settle_providers(&mut self, now: Instant) {
        for (serial, question) in self.sockets.questions(now) {
            let Some(process) = self.sockets.process_of(serial) else { continue };
            let message = process.message(0, &question);
            self.ask_for(Asker::File(serial), |number| numbered(message, number));
        }
        let mut answered = Vec::new();
        for link in &mut self.sockets.links {
            while let Some((sync, outcome)) = link.process.take_answer() {
                let answer = match decode::<SocketReply>(&outcome.data) {
                    _ if !outcome.error.is_ok() => Err(outcome.error),
                    Ok(reply) => Ok(reply),
                    Err(_) => Err(EBADSYS),
                };
                match link.waiting.remove(&sync) {
                    Some(Purpose::Caller) => {
                        link.answers.insert(sync, answer);
                    }
                    Some(purpose) => answered.push((link.name.clone(), purpose, answer)),
                    None => {}
                }
            }
        }
        for (name, purpose, answer) in answered {
            self.take_reply(&name, purpose, answer);
        }
    }

    fn take_reply(&mut self, name: &str, purpose: Purpose, reply: Result<SocketReply, FileError>) {
        match (purpose, reply) {
            (Purpose::Accept { file, operation, .. }, Ok(SocketReply::Pending { remote, .. })) => {
                self.answer(file, operation, Answer::Pending { remote });
            }
            (Purpose::Claim { file, operation, channel }, Ok(SocketReply::Claimed { socket, .. })) => {
                match arrived(&channel) {
                    Some(descriptor) => self.answer(file, operation, Answer::Claimed { socket, descriptor }),
                    None => self.start_fetch(name, (file, operation), socket),
                }
            }
            (Purpose::Fetch { file, operation, channel, socket }, Ok(SocketReply::Fetched {})) => {
                match arrived(&channel) {
                    Some(descriptor) => self.answer(file, operation, Answer::Claimed { socket, descriptor }),
                    None => self.start_fetch(name, (file, operation), socket),
                }
            }
            (
                Purpose::Accept { file, operation, .. }
                | Purpose::Claim { file, operation, .. }
                | Purpose::Fetch { file, operation, .. },
                reply,
            ) => {
                let error = reply.err().unwrap_or(EBADSYS);
                if error == FileError::PATH_DOWN {
                    self.lose_provider(name);
                }
                self.answer(file, operation, Answer::Failed(error));
            }
            (Purpose::Caller | Purpose::Nobody, _) => {}
        }
    }

    fn start_fetch(&mut self, name: &str, (file, operation): (u64, SyncId), socket: SocketId) {
        let started = channel().and_then(|(near, far)| {
            let purpose = Purpose::Fetch { file, operation, channel: near, socket };
            self.start_request(name, &SocketRequest::Fetch { socket }, Some(far), purpose)
        });
        if let Err(error) = started {
            self.answer(file, operation, Answer::Failed(error));
        }
    }

    /// A posted operation has its answer. One that nobody waits for any more is given back.
    fn answer(&mut self, file: u64, operation: SyncId, answer: Answer) {
        let at = self.tick();
        let number = self.numbers.get(&file).copied();
        let open = number.and_then(|number| self.files.get_mut(number).ok());
        let socket = match open {
            Some(File { kind: FileKind::Socket(socket), name, .. }) => Some((socket, name.clone())),
            _ => None,
        };
        match (socket, answer) {
            (Some((socket, _)), answer) if socket.actions.contains_key(&operation) => {
                socket.answers.insert(operation, (at, answer));
            }
            (Some((socket, _)), Answer::Pending { remote }) => socket.given_back.push_back(remote),
            (Some((_, name)), Answer::Claimed { socket, .. }) => self.leave(&name, socket),
            _ => {}
        }
    }
}

impl Link {
    fn renew_old_accepts(&mut self) -> Result<(), FileError> {
        loop {
            let next = self.process.next_sync()?;
            let old = self.waiting.iter().find(|(sync, purpose)| {
                matches!(purpose, Purpose::Accept { .. }) && next.0.saturating_sub(sync.0) > FALLEN_BEHIND
            });
            let Some(sync) = old.map(|(sync, _)| *sync) else { return Ok(()) };
            self.process.cancel(sync);
            let Some(Purpose::Accept { file, operation, request }) = self.waiting.remove(&sync) else {
                return Ok(());
            };
            let again =
                self.process.start_with(IoType::WriteRead, encode(&request), REPLY_BYTES_MAX, None)?;
            self.waiting.insert(again, Purpose::Accept { file, operation, request });
        }
    }
}
