//! One connection to a daemon: a request, its answer, never without a deadline.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use pollux_os::{Channel, Fill, Flush};
use pollux_wire::Wire as _;
use pollux_wire::admin::{ADMIN, AdminReply, AdminRequest};
use pollux_wire::limits::CONTROL_BODY_BYTES_MAX;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::time::Timespec;

/// A daemon that has not answered by then counts as hung: its own loop turns in microseconds.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(3);

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// Nobody listens: no socket, or an old one.
    NotRunning,
    /// Somebody listens and said nothing in time.
    Silent,
    /// The daemon went away in the middle.
    Gone,
    /// Another error, in words.
    Broken(String),
}

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NoAnswer::NotRunning => f.write_str("its daemon does not run"),
            NoAnswer::Silent => write!(f, "its daemon did not answer within {} s", ANSWER_MAX.as_secs()),
            NoAnswer::Gone => f.write_str("its daemon went away before it answered"),
            NoAnswer::Broken(text) => f.write_str(text),
        }
    }
}

/// A connection to a daemon.
#[derive(Debug)]
pub(crate) struct Admin {
    channel: Channel,
    daemon_pid: i32,
}

impl Admin {
    /// Connects, and refuses a daemon of another user: it could make us believe anything.
    pub(crate) fn connect(socket: &Path) -> Result<Admin, NoAnswer> {
        let fd = pollux_os::connect_unix(socket).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => NoAnswer::NotRunning,
            _ => NoAnswer::Broken(format!("{}: {error}", socket.display())),
        })?;
        let peer = pollux_os::peer_credentials(&fd).map_err(broken)?;
        let own_user = rustix::process::geteuid().as_raw();
        if peer.uid != own_user && peer.uid != 0 {
            let text =
                format!("{} is answered by user {}, not by user {own_user}", socket.display(), peer.uid);
            return Err(NoAnswer::Broken(text));
        }
        Ok(Admin { channel: Channel::new(fd, CONTROL_BODY_BYTES_MAX), daemon_pid: peer.pid })
    }

    /// Asks and waits for the answer, [`ANSWER_MAX`] at most.
    pub(crate) fn ask(&mut self, request: &AdminRequest) -> Result<AdminReply, NoAnswer> {
        self.ask_with(request, Vec::new(), ANSWER_MAX)
    }

    /// Asks, hands over descriptors, and waits for the answer.
    pub(crate) fn ask_with(
        &mut self,
        request: &AdminRequest,
        descriptors: Vec<OwnedFd>,
        limit: Duration,
    ) -> Result<AdminReply, NoAnswer> {
        let deadline = Instant::now() + limit;
        self.send(request, descriptors, deadline)?;
        loop {
            if let Some(reply) = self.answer()? {
                return Ok(reply);
            }
            if !self.wait(PollFlags::IN, deadline)? {
                return Err(NoAnswer::Silent);
            }
        }
    }

    /// Sends a request whose answer may take long; look for it with [`answer`](Admin::answer).
    pub(crate) fn send(
        &mut self,
        request: &AdminRequest,
        descriptors: Vec<OwnedFd>,
        deadline: Instant,
    ) -> Result<(), NoAnswer> {
        let body = pollux_wire::encode(request);
        if body.len() > CONTROL_BODY_BYTES_MAX {
            let text = format!(
                "arguments and environment have {} bytes, more than the {CONTROL_BODY_BYTES_MAX} a daemon takes; unset large variables",
                body.len()
            );
            return Err(NoAnswer::Broken(text));
        }
        self.channel.queue_with(ADMIN, descriptors, |out| request.put(out));
        while self.channel.flush().map_err(lost)? == Flush::Blocked {
            if !self.wait(PollFlags::OUT, deadline)? {
                return Err(NoAnswer::Silent);
            }
        }
        Ok(())
    }

    /// The answer, if it is here; never waits.
    pub(crate) fn answer(&mut self) -> Result<Option<AdminReply>, NoAnswer> {
        let fill = self.channel.fill().map_err(lost)?;
        let frame = self.channel.next_frame().map_err(|error| NoAnswer::Broken(error.to_string()))?;
        match frame {
            Some(frame) if frame.kind == ADMIN => match pollux_wire::decode(frame.body) {
                Ok(reply) => Ok(Some(reply)),
                Err(error) => Err(NoAnswer::Broken(format!(
                    "the daemon's answer cannot be understood: {error}; is it of another version? pollux down, then pollux up"
                ))),
            },
            Some(frame) => Err(NoAnswer::Broken(format!("the daemon sent a frame of kind {}", frame.kind))),
            None if fill == Fill::Closed => Err(NoAnswer::Gone),
            None => Ok(None),
        }
    }

    /// Waits until the answer may be here; false if the deadline is first.
    pub(crate) fn wait_readable(&self, deadline: Instant) -> Result<bool, NoAnswer> {
        self.wait(PollFlags::IN, deadline)
    }

    /// Process id of the daemon, as the kernel recorded it when it began to listen.
    pub(crate) fn daemon_pid(&self) -> i32 {
        self.daemon_pid
    }

    fn wait(&self, flags: PollFlags, deadline: Instant) -> Result<bool, NoAnswer> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let fd = self.channel.as_fd();
        match poll(&mut [PollFd::from_borrowed_fd(fd, flags)], Some(&left)) {
            Ok(ready) => Ok(ready > 0),
            // Look again: the caller's loop knows whether there is time left.
            Err(rustix::io::Errno::INTR) => Ok(true),
            Err(errno) => Err(broken(errno.into())),
        }
    }
}

/// A handle of the daemon that listens on `socket`, safe against reuse of its process id: the socket still answers
/// under the same id after the handle was opened, so the id meant the same process throughout.
pub(crate) fn daemon_handle(socket: &Path) -> Result<(i32, OwnedFd), NoAnswer> {
    let first = Admin::connect(socket)?;
    let pid = Pid::from_raw(first.daemon_pid())
        .ok_or_else(|| NoAnswer::Broken("the daemon runs in another pid namespace".to_owned()))?;
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(rustix::io::Errno::SRCH) => return Err(NoAnswer::NotRunning),
        Err(errno) => return Err(broken(errno.into())),
    };
    let second = Admin::connect(socket)?;
    if second.daemon_pid() != first.daemon_pid() {
        return Err(NoAnswer::Gone);
    }
    Ok((first.daemon_pid(), handle))
}

fn broken(error: io::Error) -> NoAnswer {
    NoAnswer::Broken(error.to_string())
}

fn lost(error: io::Error) -> NoAnswer {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => NoAnswer::Gone,
        _ => broken(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeDaemon;

    // A daemon that is stopped must not hang the command for ever; one that died must be told apart.
    #[test]
    fn no_daemon_a_silent_one_and_one_that_goes_away() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("cpu-0.sock");
        assert!(matches!(Admin::connect(&socket), Err(NoAnswer::NotRunning)));

        let daemon = FakeDaemon::start(&socket, |request| match request {
            AdminRequest::CpuDown { .. } => None,
            _ => Some(AdminReply::Done {}),
        });
        let mut admin = Admin::connect(&socket).unwrap();
        assert!(matches!(admin.ask(&AdminRequest::Processes {}), Ok(AdminReply::Done {})));
        assert!(matches!(admin.ask(&AdminRequest::CpuDown { node: true }), Err(NoAnswer::Gone)));
        daemon.stop();

        let listener = pollux_os::listen_unix(&directory.path().join("silent")).unwrap();
        let mut admin = Admin::connect(&directory.path().join("silent")).unwrap();
        let limit = Duration::from_millis(20);
        let answer = admin.ask_with(&AdminRequest::Status {}, Vec::new(), limit);
        assert!(matches!(answer, Err(NoAnswer::Silent)), "{answer:?}");
        drop(listener);
    }

    // A request over the limit would make the channel panic instead of telling the user to shrink it.
    #[test]
    fn a_huge_environment_is_refused_in_words() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("s");
        let _listener = pollux_os::listen_unix(&socket).unwrap();
        let mut spec = pollux_wire::admin::ProgramSpec::none();
        spec.environment.push(("BIG".to_owned(), "x".repeat(CONTROL_BODY_BYTES_MAX)));
        let answer = Admin::connect(&socket).unwrap().ask(&AdminRequest::Run { name: None, spec });
        assert!(matches!(answer, Err(NoAnswer::Broken(text)) if text.contains("unset large variables")));
    }

    // Killing by a process id alone could hit whoever got the number next.
    #[test]
    fn the_handle_is_that_of_the_listener() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("s");
        assert!(matches!(daemon_handle(&socket), Err(NoAnswer::NotRunning)));
        let _listener = pollux_os::listen_unix(&socket).unwrap();
        let (pid, handle) = daemon_handle(&socket).unwrap();
        assert_eq!(pid.cast_unsigned(), std::process::id());
        assert!(!pollux_os::wait_gone(&handle, Duration::ZERO).unwrap());
    }
}
