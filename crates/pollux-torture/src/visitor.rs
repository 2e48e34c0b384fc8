//! A requester made of raw frames: what a hostile program could send, the library does not.

use crate::node::Node;
use crate::wait::PATIENCE;
use pollux_os::{Channel, Fill, Interest, LifePage, Poller, connect_unix};
use pollux_wire::control::{CONTROL, OpenDetails, Target, ToDaemon, ToProcess};
use pollux_wire::limits::{CONTROL_BODY_BYTES_MAX, PROTOCOL_VERSION};
use pollux_wire::{FileError, OpenId, ProcessName, Wire as _, decode};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Attached to a daemon.
pub struct Visitor {
    channel: Channel,
    _life: LifePage,
    requests: u32,
}

impl Visitor {
    /// Attaches to a CPU.
    pub fn attach(node: &Node, cpu: u8) -> Self {
        Self::attach_to(&node.socket(cpu))
    }

    /// Attaches to the daemon of a socket.
    pub fn attach_to(socket: &Path) -> Self {
        let life = LifePage::create().unwrap();
        life.hold().unwrap();
        let channel = Channel::new(connect_unix(socket).unwrap(), CONTROL_BODY_BYTES_MAX);
        let mut visitor = Self { channel, _life: life, requests: 0 };
        let attach = ToDaemon::Attach {
            version: PROTOCOL_VERSION,
            pid: std::process::id(),
            keeps: pollux_wire::control::StateKeeping::Managed,
        };
        let page = visitor._life.share().unwrap();
        visitor.send(&attach, vec![page]);
        visitor.wait_for(|message| matches!(message, ToProcess::Welcome { .. }));
        visitor
    }

    /// Sends a message.
    pub fn send(&mut self, message: &ToDaemon, descriptors: Vec<OwnedFd>) {
        self.channel.queue_with(CONTROL, descriptors, |out| message.put(out));
        let _ = self.channel.flush().unwrap();
    }

    /// Opens a server; the path, on which the server's answer to the open is the first frame.
    pub fn open(&mut self, name: &str, depth: u16) -> Result<OwnedFd, FileError> {
        self.open_target(name, None, depth)
    }

    /// Opens the instance of a server with this sequence number, and no later one.
    pub fn open_instance(&mut self, name: &str, sequence: u64) -> Result<OwnedFd, FileError> {
        self.open_target(name, Some(sequence), 1)
    }

    /// Opens a server as [`Visitor::open`] does; also which open that is.
    pub fn open_numbered(&mut self, name: &str, depth: u16) -> Result<(OpenId, OwnedFd), FileError> {
        let target = Target::Name { name: ProcessName::new(name).unwrap(), sequence: None };
        let (sync_depth, nowait_depth, details) = (depth, depth, OpenDetails::default());
        self.ask(|request| ToDaemon::Open { request, target, sync_depth, nowait_depth, details })
    }

    /// Asks for another path of an open.
    pub fn repath(&mut self, name: &str, open: OpenId, depth: u16) -> Result<OwnedFd, FileError> {
        let target = Target::Name { name: ProcessName::new(name).unwrap(), sequence: None };
        let (sync_depth, nowait_depth, details) = (depth, depth, OpenDetails::default());
        self.ask(|request| ToDaemon::Repath { request, target, open, sync_depth, nowait_depth, details })
            .map(|(_, path)| path)
    }

    fn open_target(&mut self, name: &str, sequence: Option<u64>, depth: u16) -> Result<OwnedFd, FileError> {
        let target = Target::Name { name: ProcessName::new(name).unwrap(), sequence };
        let (sync_depth, nowait_depth, details) = (depth, depth, OpenDetails::default());
        self.ask(|request| ToDaemon::Open { request, target, sync_depth, nowait_depth, details })
            .map(|(_, path)| path)
    }

    fn ask(&mut self, question: impl FnOnce(u32) -> ToDaemon) -> Result<(OpenId, OwnedFd), FileError> {
        self.requests += 1;
        let request = self.requests;
        self.send(&question(request), Vec::new());
        let (answer, descriptors) = self.wait_for(
            |message| matches!(message, ToProcess::Opened { request: answered, .. } if *answered == request),
        );
        match (answer, descriptors.into_iter().next()) {
            (ToProcess::Opened { error: FileError::OK, open, .. }, Some(path)) => Ok((open, path)),
            (ToProcess::Opened { error, .. }, _) => Err(error),
            _ => unreachable!("it was waited for"),
        }
    }

    fn wait_for(&mut self, wanted: impl Fn(&ToProcess) -> bool) -> (ToProcess, Vec<OwnedFd>) {
        let mut poller = Poller::new().unwrap();
        poller.add(self.channel.as_fd(), 0, Interest::READ).unwrap();
        loop {
            let filled = self.channel.fill().unwrap();
            while let Some(frame) = self.channel.next_frame().unwrap() {
                let message: ToProcess = decode(frame.body).unwrap();
                if wanted(&message) {
                    return (message, frame.descriptors);
                }
            }
            assert_ne!(filled, Fill::Closed, "the daemon has closed");
            let events = poller.wait(Some(PATIENCE)).unwrap();
            assert!(!events.is_empty(), "the daemon does not answer");
        }
    }
}
