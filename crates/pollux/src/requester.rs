//! The blocking requester: for programs that ask servers and serve nobody themselves.

use crate::daemon::{Daemon, node_directory, wait_fds};
use crate::error::{Context, Error, Result};
use crate::link::{Answer, Link};
use pollux_os::LifePage;
use pollux_wire::control::{OpenDetails, StateKeeping, Target, ToDaemon, ToProcess};
use pollux_wire::limits::SYNC_DEPTH_MAX;
use pollux_wire::{CpuNumber, Epoch, FileError, OpenId, ProcessName, SyncId};
use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often an open is tried again while its server changes hands.
const OPEN_TRIES_MAX: u32 = 200;
/// Between two such tries, and between two questions for a path.
const TRY_PAUSE: Duration = Duration::from_millis(10);
/// Without a word from any half for so long, the daemon is asked who is primary.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

/// This process's place in a node, as a requester.
///
/// ```no_run
/// # fn main() -> pollux::Result<()> {
/// let node = pollux::Node::connect()?;
/// let mut counter = node.open("$COUNT")?;
/// let total = counter.request(b"alice")?;
/// println!("{}", String::from_utf8_lossy(&total));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Node {
    daemon: Rc<RefCell<Daemon>>,
    life: Rc<LifePage>,
    /// Where it looks for another CPU when its own is lost.
    directory: Rc<Path>,
}

/// How a server is opened (Guardian Procedure Calls, `FILE_OPEN_`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenOptions {
    /// Replies that the server keeps. 0: a request that may or may not have been executed ends with 201. At least 1:
    /// it is sent again and executed once.
    pub sync_depth: u16,
    /// Requests that may be outstanding at a time.
    pub nowait_depth: u16,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { sync_depth: 1, nowait_depth: 1 }
    }
}

impl OpenOptions {
    /// The options with room for so many requests at a time.
    pub fn outstanding(depth: u16) -> Self {
        Self { sync_depth: depth.max(1), nowait_depth: depth.max(1) }
    }

    pub(crate) fn check(self) -> Result<Self> {
        if self.sync_depth > SYNC_DEPTH_MAX || self.nowait_depth > SYNC_DEPTH_MAX || self.nowait_depth == 0 {
            return Err(Error::File(FileError::TOO_MANY_OUTSTANDING));
        }
        Ok(self)
    }
}

impl Node {
    /// Attaches to the node that started this program, or else to the one that POLLUX_RUN_DIR and POLLUX_NODE name.
    pub fn connect() -> Result<Self> {
        let life = LifePage::create().context("make the life page")?;
        life.hold().context("hold the life page")?;
        let daemon = match Daemon::inherited()? {
            Some(mut daemon) => {
                welcome(daemon.attach(&life, StateKeeping::Managed)?)?;
                daemon
            }
            None => visit(&node_directory(), None, &life)?,
        };
        Ok(Self::over(daemon, life))
    }

    /// Attaches to the node whose sockets are in that directory.
    pub fn connect_in(directory: &Path) -> Result<Self> {
        let life = LifePage::create().context("make the life page")?;
        life.hold().context("hold the life page")?;
        let daemon = visit(directory, None, &life)?;
        Ok(Self { directory: directory.into(), ..Self::over(daemon, life) })
    }

    /// The same for a process that belongs to a CPU.
    pub(crate) fn connect_near(directory: &Path, cpu: CpuNumber) -> Result<Self> {
        let life = LifePage::create().context("make the life page")?;
        life.hold().context("hold the life page")?;
        let daemon = visit(directory, Some(cpu), &life)?;
        Ok(Self { directory: directory.into(), ..Self::over(daemon, life) })
    }

    /// Over a channel that is attached.
    pub(crate) fn over(daemon: Daemon, life: LifePage) -> Self {
        let directory = node_directory().into();
        Self { daemon: Rc::new(RefCell::new(daemon)), life: Rc::new(life), directory }
    }

    /// Opens a server by name, one request at a time, with sync depth 1.
    pub fn open(&self, name: &str) -> Result<Server> {
        self.open_with(name, OpenOptions::default())
    }

    /// Opens a server by name.
    pub fn open_with(&self, name: &str, options: OpenOptions) -> Result<Server> {
        let name = ProcessName::new(name)?;
        let link = self.open_link(&name, options.check()?)?;
        Ok(Server { node: self.clone(), name, link, silent: Duration::ZERO })
    }

    /// Opens a server: again and again while it is changing hands.
    pub(crate) fn open_link(&self, name: &ProcessName, options: OpenOptions) -> Result<Link> {
        let mut refused = FileError::NO_SUCH_PROCESS;
        for _ in 0..OPEN_TRIES_MAX {
            match self.ask_open(name, options, None)? {
                Ok((open, path)) => {
                    let mut link = Link::new(open, path, options.sync_depth, options.nowait_depth)?;
                    match wait_until_opened(&mut link)? {
                        Ok(()) => return Ok(link),
                        Err(FileError::PATH_DOWN) => refused = FileError::PATH_DOWN,
                        Err(error) => return Err(Error::File(error)),
                    }
                }
                // The server is changing hands.
                Err(FileError::PATH_DOWN) => refused = FileError::PATH_DOWN,
                Err(error) => return Err(Error::File(error)),
            }
            wait_fds(&mut [], Some(TRY_PAUSE))?;
        }
        Err(Error::File(refused))
    }

    /// Asks the daemon for a path: of a new open, or of `again`.
    pub(crate) fn ask_open(
        &self,
        name: &ProcessName,
        options: OpenOptions,
        again: Option<OpenId>,
    ) -> Result<Result<(OpenId, OwnedFd), FileError>> {
        let mut daemon = self.daemon.borrow_mut();
        match self.ask_open_once(&mut daemon, name, options, again) {
            Err(Error::Unknown) => {
                // This CPU is lost; any other will do.
                *daemon = visit(&self.directory, None, &self.life)?;
                match self.ask_open_once(&mut daemon, name, options, again) {
                    // That one is lost, too: the caller asks again.
                    Err(Error::Unknown) => Ok(Err(FileError::PATH_DOWN)),
                    other => other,
                }
            }
            other => other,
        }
    }

    fn ask_open_once(
        &self,
        daemon: &mut Daemon,
        name: &ProcessName,
        options: OpenOptions,
        again: Option<OpenId>,
    ) -> Result<Result<(OpenId, OwnedFd), FileError>> {
        let number = daemon.next_request();
        daemon.send(&question(number, name, options, again), Vec::new())?;
        let wanted =
            |message: &ToProcess| matches!(message, ToProcess::Opened { request, .. } if *request == number);
        Ok(path_from(daemon.wait_for(wanted)?))
    }
}

/// The question for a path.
pub(crate) fn question(
    request: u32,
    name: &ProcessName,
    options: OpenOptions,
    again: Option<OpenId>,
) -> ToDaemon {
    let OpenOptions { sync_depth, nowait_depth } = options;
    let target = Target::Name { name: name.clone(), sequence: None };
    let details = OpenDetails::default();
    match again {
        None => ToDaemon::Open { request, target, sync_depth, nowait_depth, details },
        Some(open) => ToDaemon::Repath { request, target, open, sync_depth, nowait_depth, details },
    }
}

/// The path in an answer.
pub(crate) fn path_from(
    (message, descriptors): crate::daemon::Message,
) -> Result<(OpenId, OwnedFd), FileError> {
    let ToProcess::Opened { error, open, .. } = message else { return Err(FileError::PATH_DOWN) };
    match descriptors.into_iter().next() {
        Some(path) if error.is_ok() => Ok((open, path)),
        _ if error.is_ok() => Err(FileError::PATH_DOWN),
        _ => Err(error),
    }
}

fn wait_until_opened(link: &mut Link) -> Result<Result<(), FileError>> {
    loop {
        if let Some(opened) = link.opened() {
            return Ok(opened);
        }
        link.wait(Some(PATIENCE))?;
        link.pump_ready();
    }
}

fn visit(directory: &Path, first: Option<CpuNumber>, life: &LifePage) -> Result<Daemon> {
    Daemon::visit(directory, first, |daemon| welcome(daemon.attach(life, StateKeeping::Managed)?))
}

fn welcome((message, _): crate::daemon::Message) -> Result<()> {
    match message {
        ToProcess::Refused { error, why } => Err(Error::Refused(format!("{why} ({error})"))),
        _ => Ok(()),
    }
}

/// An open server. Requests follow it through takeovers; the caller notices nothing but a pause.
pub struct Server {
    node: Node,
    name: ProcessName,
    link: Link,
    /// How long nothing has come, as the waits have counted it: a clock is not read for each request.
    silent: Duration,
}

/// A request on its way; [`Server::finish`] gives its answer.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a request's answer is fetched with Server::finish"]
pub struct Ticket(SyncId);

impl Server {
    /// Sends a request and waits for its reply. An error number from the server is an error here.
    pub fn request(&mut self, payload: &[u8]) -> Result<Vec<u8>> {
        let answer = self.request_for_answer(payload)?;
        if answer.error.is_ok() { Ok(answer.payload) } else { Err(Error::File(answer.error)) }
    }

    /// Sends a request and waits for its reply, with whatever error number it carries.
    pub fn request_for_answer(&mut self, payload: &[u8]) -> Result<Answer> {
        let ticket = self.start(payload)?;
        self.finish(ticket)
    }

    /// Sends a request without waiting: up to `nowait_depth` at a time.
    pub fn start(&mut self, payload: &[u8]) -> Result<Ticket> {
        let sync = self.link.start_copy(payload, None)?;
        // The caller may do something else for long before it waits.
        self.link.flush();
        Ok(Ticket(sync))
    }

    /// Sends a request with a descriptor, and waits for its reply, with whatever error number it carries.
    pub fn request_with(&mut self, payload: &[u8], descriptor: OwnedFd) -> Result<Answer> {
        let ticket = self.start_with(payload, descriptor)?;
        self.finish(ticket)
    }

    /// Sends a request with a descriptor, without waiting. A duplicate is kept here until the reply has come, since a new
    /// primary gets the request again.
    pub fn start_with(&mut self, payload: &[u8], descriptor: OwnedFd) -> Result<Ticket> {
        let sync = self.link.start_copy(payload, Some(descriptor))?;
        self.link.flush();
        Ok(Ticket(sync))
    }

    /// Waits for the reply of a request.
    pub fn finish(&mut self, ticket: Ticket) -> Result<Answer> {
        self.finish_within(ticket, None)
            .map(|answer| answer.expect("without a limit the wait ends with an answer"))
    }

    /// Waits for the reply at most so long; `None` when the time is over, then the request is cancelled (error 40 of
    /// `AWAITIOX`): it may or may not be executed.
    pub fn finish_within(&mut self, ticket: Ticket, limit: Option<Duration>) -> Result<Option<Answer>> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        self.silent = Duration::ZERO;
        loop {
            if let Some(answer) = self.link.take_answer(ticket.0) {
                return Ok(Some(answer));
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                self.link.cancel(ticket.0);
                return Ok(None);
            }
            self.step(&ticket, deadline)?;
        }
    }

    /// Gives a request up.
    pub fn cancel(&mut self, ticket: Ticket) {
        self.link.cancel(ticket.0);
    }

    /// Epoch of the server's primary, as this requester knows it.
    pub fn epoch(&self) -> Epoch {
        self.link.epoch()
    }

    /// How many requests had to be sent again since the open.
    pub fn resent(&self) -> u64 {
        self.link.resent()
    }

    /// The open's paths and what goes over them.
    pub(crate) fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }

    /// Waits for the paths and takes in what comes.
    fn step(&mut self, ticket: &Ticket, deadline: Option<Instant>) -> Result<()> {
        // What was read before has been taken in, and what was started has been sent: the poll tells what is new.
        self.fetch_path()?;
        // The answers of other requests may lie there for long.
        if !self.link.has_answer(ticket.0) {
            let mut timeout = PATIENCE;
            if let Some(deadline) = deadline {
                timeout = timeout.min(deadline.saturating_duration_since(Instant::now()));
            }
            if !self.link.has_paths() {
                timeout = timeout.min(TRY_PAUSE);
            }
            if self.link.wait(Some(timeout))? {
                self.silent = Duration::ZERO;
            } else {
                self.silent += timeout;
            }
            if self.silent >= PATIENCE {
                self.silent = Duration::ZERO;
                self.link.impatient();
            }
            self.link.pump_ready();
        }
        Ok(())
    }

    /// Gets a path from the daemon if one is wished for.
    pub(crate) fn fetch_path(&mut self) -> Result<()> {
        if self.link.take_wish_for_path() {
            let (sync_depth, nowait_depth) = self.link.depths();
            let options = OpenOptions { sync_depth, nowait_depth };
            match self.node.ask_open(&self.name, options, Some(self.link.open_id()))? {
                Ok((_, path)) => self.link.add_path(path),
                // Both halves are changing: the wish comes again with the next impatience.
                Err(FileError::PATH_DOWN) => self.link.retry_path(),
                Err(error) => self.link.path_refused(error),
            }
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.link.close();
    }
}
