//! A raw server with a connection for each requester, and all of them in one client process: epoll on both sides.
//!
//! The primary of the chain takes whatever requests have arrived as one checkpoint, without a timer, and replies to all of
//! them when the backup has it.

use super::frames::{Table, length_of, whole_length};
use super::{CHECKPOINT_HEADER_BYTES, RawProcess, send_checkpoint};
use crate::many::Lines;
use crate::node::Bench;
use anyhow::{Context, Result, ensure};
use pollux_os::{Interest, Poller};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

/// What one read takes at most.
const READ_BYTES: usize = 256 * 1024;
/// A listener among connections that are numbered from 0.
const LISTENER: u64 = u64::MAX;
/// A raw server that says nothing for so long is broken.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A connection, and what has come of a frame that is not complete.
struct Connection {
    socket: UnixStream,
    begun: Vec<u8>,
}

impl Connection {
    fn new(socket: UnixStream) -> Self {
        Self { socket, begun: Vec::new() }
    }

    /// Reads once: the complete frames; none at the end of the connection.
    fn read<'a>(&mut self, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>> {
        let begun = self.begun.len();
        buffer[..begun].copy_from_slice(&self.begun);
        let end = match self.socket.read(&mut buffer[begun..]) {
            Ok(0) => return Ok(None),
            Ok(count) => begun + count,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (whole, rest) = buffer[..end].split_at(whole_length(&buffer[..end]));
        self.begun.clear();
        self.begun.extend_from_slice(rest);
        Ok(Some(whole))
    }
}

/// Serves all connections of a listener: an echo, or the primary of a chain.
pub(super) fn serve(listener: OwnedFd, mut backup: Option<UnixStream>) -> Result<()> {
    let listener = UnixListener::from(listener);
    let mut poller = Poller::new()?;
    let registry = poller.registry();
    registry.add(&listener, LISTENER, Interest::READ)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut table = Table::default();
    let mut checkpoint = vec![0; CHECKPOINT_HEADER_BYTES];
    // Whose replies end where in the checkpoint.
    let mut replies: Vec<(usize, usize)> = Vec::new();
    loop {
        for event in poller.wait(None)? {
            if event.token == LISTENER {
                let (socket, _) = listener.accept()?;
                registry.add(&socket, connections.len() as u64, Interest::READ)?;
                connections.push(Some(Connection::new(socket)));
                continue;
            }
            let at = event.token as usize;
            let Some(connection) = connections[at].as_mut() else { continue };
            match connection.read(&mut buffer)? {
                None => connections[at] = None,
                Some(whole) if backup.is_none() => connection.socket.write_all(whole)?,
                Some(whole) => {
                    table.store(whole);
                    checkpoint.extend_from_slice(whole);
                    replies.push((at, checkpoint.len()));
                }
            }
        }
        if let Some(backup) = backup.as_mut().filter(|_| checkpoint.len() > CHECKPOINT_HEADER_BYTES) {
            send_checkpoint(backup, &mut checkpoint)?;
            let mut begin = CHECKPOINT_HEADER_BYTES;
            for (at, end) in replies.drain(..) {
                if let Some(connection) = connections[at].as_mut() {
                    connection.socket.write_all(&checkpoint[begin..end])?;
                }
                begin = end;
            }
            checkpoint.truncate(CHECKPOINT_HEADER_BYTES);
        }
    }
}

/// Many connections to a raw server, and its processes.
pub(crate) struct RawLines {
    poller: Poller,
    lines: Vec<Line>,
    /// Those with something to send.
    unsent: Vec<usize>,
    replies: VecDeque<(usize, usize)>,
    buffer: Vec<u8>,
    processes: Vec<RawProcess>,
}

struct Line {
    connection: Connection,
    out: Vec<u8>,
}

impl RawLines {
    /// A raw echo server on these processors, with so many connections.
    pub(crate) fn echo(count: usize, processors: &[usize]) -> Result<Self> {
        let (listener, address) = Address::listen()?;
        let server = RawProcess::start("echo-many", listener, None, processors)?;
        Self::connect(count, &address, vec![server])
    }

    /// A raw primary and a raw backup, each on its processors, with so many connections.
    pub(crate) fn chain(count: usize, primary: &[usize], backup: &[usize]) -> Result<Self> {
        let (listener, address) = Address::listen()?;
        let (to_backup, backups) = UnixStream::pair()?;
        let backup = RawProcess::start("backup", backups, None, backup)?;
        let primary = RawProcess::start("primary-many", listener, Some(to_backup), primary)?;
        Self::connect(count, &address, vec![primary, backup])
    }

    fn connect(count: usize, address: &Address, processes: Vec<RawProcess>) -> Result<Self> {
        let poller = Poller::new()?;
        let mut lines = Vec::with_capacity(count);
        for at in 0..count {
            let socket = address.connect().context("connect to a raw server")?;
            poller.add(&socket, at as u64, Interest::READ)?;
            lines.push(Line { connection: Connection::new(socket), out: Vec::new() });
        }
        Ok(Self {
            poller,
            lines,
            unsent: Vec::new(),
            replies: VecDeque::new(),
            buffer: vec![0; READ_BYTES],
            processes,
        })
    }
}

impl Lines for RawLines {
    fn servers(&self, _bench: &Bench) -> Result<Vec<u32>> {
        Ok(self.processes.iter().map(RawProcess::pid).collect())
    }

    fn count(&self) -> usize {
        self.lines.len()
    }

    fn start(&mut self, line: usize, request: &[u8]) -> Result<()> {
        let out = &mut self.lines[line].out;
        if out.is_empty() {
            self.unsent.push(line);
        }
        out.extend_from_slice(request);
        Ok(())
    }

    fn next(&mut self) -> Result<(usize, usize)> {
        loop {
            if let Some(reply) = self.replies.pop_front() {
                return Ok(reply);
            }
            for at in self.unsent.drain(..) {
                let Line { connection, out } = &mut self.lines[at];
                connection.socket.write_all(out)?;
                out.clear();
            }
            let events = self.poller.wait(Some(SILENCE_MAX))?;
            ensure!(!events.is_empty(), "the raw server says nothing");
            for event in events {
                let at = event.token as usize;
                let whole = self.lines[at].connection.read(&mut self.buffer)?;
                let mut whole = whole.context("the raw server is gone")?;
                while !whole.is_empty() {
                    let (reply, rest) = whole.split_at(length_of(whole));
                    self.replies.push_back((at, reply.len()));
                    whole = rest;
                }
            }
        }
    }
}

/// Where a raw server listens: in a directory of its own, gone with this.
struct Address {
    directory: tempfile::TempDir,
}

impl Address {
    fn listen() -> Result<(UnixListener, Self)> {
        let directory = tempfile::Builder::new().prefix("pollux-bench-raw.").tempdir()?;
        let address = Self { directory };
        Ok((UnixListener::bind(address.path()).context("listen for raw requesters")?, address))
    }

    fn connect(&self) -> std::io::Result<UnixStream> {
        UnixStream::connect(self.path())
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("socket")
    }
}
