//! The line between this process and the daemon of its CPU.
//!
//! Control only: no request or reply of an open ever travels here.

use crate::error::{Context, Error, Result};
use pollux_os::{Channel, Fill, Flush, LifePage, connect_unix, take_inherited};
use pollux_wire::control::{
    CONTROL, CONTROL_DESCRIPTOR_VARIABLE, Change, NODE_VARIABLE, RUN_DIRECTORY_VARIABLE, StateKeeping,
    ToDaemon, ToProcess,
};
use pollux_wire::limits::{CONTROL_BODY_BYTES_MAX, CPUS_PER_NODE_MAX, PROTOCOL_VERSION};
use pollux_wire::{CpuNumber, Wire as _};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::env;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a daemon may take for an answer that needs no other process.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// A message from the daemon with its descriptors.
pub type Message = (ToProcess, Vec<OwnedFd>);

/// The control channel of this process.
pub(crate) struct Daemon {
    channel: Channel,
    /// Where takeovers are asked for.
    line: Option<Channel>,
    inbox: VecDeque<Message>,
    last_request: u32,
    lost: bool,
}

impl Daemon {
    /// The channel that the daemon which started this program has left to it, if one did.
    pub(crate) fn inherited() -> Result<Option<Self>> {
        let Ok(number) = env::var(CONTROL_DESCRIPTOR_VARIABLE) else { return Ok(None) };
        let number =
            number.parse().map_err(|_| Error::Misuse("POLLUX_CONTROL_FD is not a descriptor number"))?;
        let fd = take_inherited(number).context("take over the control descriptor left by the daemon")?;
        Ok(Some(Self::over(fd)))
    }

    /// A channel to any CPU of the node in that directory, `first` if it can be: the first that `attach` is content with.
    pub(crate) fn visit(
        directory: &Path,
        first: Option<CpuNumber>,
        mut attach: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<Self> {
        let mut reason = "nothing listens there".to_owned();
        let first = first.map(CpuNumber::get);
        for cpu in first.into_iter().chain((0..CPUS_PER_NODE_MAX).filter(|cpu| Some(*cpu) != first)) {
            match connect_unix(&directory.join(format!("cpu-{cpu}.sock"))) {
                Ok(fd) => {
                    let mut daemon = Self::over(fd);
                    match attach(&mut daemon) {
                        Ok(()) => return Ok(daemon),
                        // This CPU goes down in this moment; its socket is there a little longer. Any other will do.
                        Err(Error::Unknown) => reason = "its CPU is lost".to_owned(),
                        Err(error) => return Err(error),
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => reason = error.to_string(),
            }
        }
        Err(Error::NoNode { directory: directory.display().to_string(), reason })
    }

    pub(crate) fn over(fd: OwnedFd) -> Self {
        let mut channel = Channel::new(fd, CONTROL_BODY_BYTES_MAX);
        // A path for which there is no room is one path less, not the end of this process.
        channel.forgive_lost_descriptors();
        Self { channel, line: None, inbox: VecDeque::new(), last_request: 0, lost: false }
    }

    /// Says who we are, and waits to hear who we are.
    pub(crate) fn attach(&mut self, life: &LifePage, keeps: StateKeeping) -> Result<Message> {
        let page = life.share().context("share the life page")?;
        let (version, pid) = (PROTOCOL_VERSION, std::process::id());
        self.send(&ToDaemon::Attach { version, pid, keeps }, vec![page])?;
        self.wait_for(|message| matches!(message, ToProcess::Welcome { .. } | ToProcess::Refused { .. }))
    }

    /// Queues a message and sends what the socket takes.
    pub(crate) fn send(&mut self, message: &ToDaemon, descriptors: Vec<OwnedFd>) -> Result<()> {
        self.channel.queue_with(CONTROL, descriptors, |out| message.put(out));
        self.flush()
    }

    /// Takes a line for takeovers, to be watched by the caller.
    pub(crate) fn take_line(&mut self, socket: OwnedFd) -> BorrowedFd<'_> {
        let mut line = Channel::new(socket, CONTROL_BODY_BYTES_MAX);
        line.set_stop_at_short_read(true);
        self.line.insert(line).as_fd()
    }

    /// Asks for a change of the name's record: over the line if that is what it is for.
    pub(crate) fn ask_for_change(&mut self, request: u32, change: Change) -> Result<()> {
        let line = self.line.as_mut().filter(|_| matches!(change, Change::TakeOver { .. }));
        let message = ToDaemon::Change { request, change };
        let Some(line) = line else { return self.send(&message, Vec::new()) };
        line.queue(CONTROL, |out| message.put(out));
        if matches!(line.flush(), Ok(Flush::Done)) {
            return Ok(());
        }
        self.line = None;
        self.send(&message, Vec::new())
    }

    /// Tells the line, if there is one, of the takeover that may have to be asked for.
    pub(crate) fn prepare(&mut self, change: Change) {
        if let Some(line) = &mut self.line {
            line.queue(CONTROL, |out| ToDaemon::Prepare { change }.put(out));
            // What does not fit goes ahead of the question. A line that has ended is found then.
            let _ = line.flush();
        }
    }

    /// Takes in what has come over the line; false when it has ended.
    pub(crate) fn fill_line(&mut self) -> bool {
        let Some(line) = &mut self.line else { return true };
        let filled = line.fill();
        let mut broken = false;
        loop {
            match line.next_frame().map(|frame| frame.map(|frame| pollux_wire::decode(frame.body))) {
                Ok(None) => break,
                Ok(Some(Ok(message))) => self.inbox.push_back((message, Vec::new())),
                Ok(Some(Err(_))) | Err(_) => {
                    broken = true;
                    break;
                }
            }
        }
        if broken || !matches!(filled, Ok(Fill::Open | Fill::Full)) {
            self.line = None;
        }
        self.line.is_some()
    }

    /// Sends what is queued.
    pub(crate) fn flush(&mut self) -> Result<()> {
        match self.channel.flush() {
            Ok(_) => Ok(()),
            Err(_) => {
                self.lost = true;
                Err(Error::Unknown)
            }
        }
    }

    /// A number for a question; its answer carries it.
    pub(crate) fn next_request(&mut self) -> u32 {
        self.last_request = self.last_request.wrapping_add(1);
        self.last_request
    }

    /// Takes in what has arrived.
    pub(crate) fn fill(&mut self) -> Result<()> {
        loop {
            let filled = match self.channel.fill() {
                // A daemon that is killed with our message unread.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Fill::Closed,
                filled => filled.context("read from the daemon")?,
            };
            while let Some(frame) = self.channel.next_frame().map_err(|_| Error::Unknown)? {
                let message = pollux_wire::decode(frame.body)
                    .map_err(|source| Error::Malformed { from: "the daemon", source })?;
                self.inbox.push_back((message, frame.descriptors));
            }
            match filled {
                Fill::Full => {}
                Fill::Open => return Ok(()),
                Fill::Closed => {
                    self.lost = true;
                    return Ok(());
                }
            }
        }
    }

    /// The next message that nobody waits for by name.
    pub(crate) fn next_message(&mut self) -> Option<Message> {
        self.inbox.pop_front()
    }

    /// Takes a message out of turn.
    pub(crate) fn take(&mut self, wanted: impl Fn(&ToProcess) -> bool) -> Option<Message> {
        let at = self.inbox.iter().position(|(message, _)| wanted(message))?;
        self.inbox.remove(at)
    }

    /// Blocks until such a message is there; the others stay in their order.
    pub(crate) fn wait_for(&mut self, wanted: impl Fn(&ToProcess) -> bool) -> Result<Message> {
        let deadline = Instant::now() + ANSWER_WAIT;
        loop {
            if let Some(message) = self.take(&wanted) {
                return Ok(message);
            }
            if self.lost {
                return Err(Error::Unknown);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Unknown);
            }
            self.flush()?;
            let flags =
                if self.channel.is_blocked() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            wait_fds(&mut [PollFd::from_borrowed_fd(self.channel.as_fd(), flags)], Some(left))?;
            self.fill()?;
        }
    }

    /// True when the daemon is gone.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.channel.is_blocked()
    }
}

/// Where the sockets of the node are: the same rule as the `pollux` command's.
pub fn node_directory() -> PathBuf {
    let root = env::var_os(RUN_DIRECTORY_VARIABLE).map(PathBuf::from).unwrap_or_else(|| {
        if let Some(runtime) = env::var_os("XDG_RUNTIME_DIR") {
            PathBuf::from(runtime).join("pollux")
        } else if rustix::process::geteuid().is_root() {
            PathBuf::from("/run/pollux")
        } else {
            PathBuf::from(format!("/tmp/pollux-{}", rustix::process::geteuid().as_raw()))
        }
    });
    let node = env::var(NODE_VARIABLE).unwrap_or_else(|_| "\\POLLUX".to_owned());
    root.join(node.trim_start_matches('\\'))
}

/// Waits until one of the descriptors is ready; an interrupted wait counts as over.
pub(crate) fn wait_fds(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> Result<()> {
    let timeout =
        timeout.map(|t| Timespec { tv_sec: t.as_secs() as i64, tv_nsec: i64::from(t.subsec_nanos()) });
    match poll(fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(Error::System { what: "wait", source: error.into() }),
    }
}
