//! The limits: what the same bytes cost without Pollux, over blocking unix stream sockets.
//!
//! ```text
//!  raw echo       requester <---> server
//!  raw chain      requester <---> primary <---> backup
//!                 request -->  stored, all that has arrived as one checkpoint --> stored
//!                 reply   <--  <-------------------------------- acknowledgement
//! ```
//!
//! A frame is the request as it is: its first four bytes are its length.

use crate::load::{REQUEST_BYTES_MIN, Requester, Run, fill};
use crate::placement::pin;
use crate::server::{TABLE_ENTRIES, slot};
use anyhow::{Context, Result, bail, ensure};
use std::collections::VecDeque;
use std::env;
use std::io::{ErrorKind, Read, Write, stdin, stdout};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What one read takes at most, as a channel of Pollux does.
const BUFFER_BYTES: usize = 64 * 1024;
const ACKNOWLEDGEMENT: [u8; REQUEST_BYTES_MIN] = [0; REQUEST_BYTES_MIN];

/// Runs one of the raw roles; their sockets are standard input and output.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let input = inherited(stdin().as_fd())?;
    match words {
        ["echo"] => echo(input),
        ["primary"] => primary(input, inherited(stdout().as_fd())?),
        ["backup"] => backup(input),
        _ => bail!("usage: pollux-bench raw echo|primary|backup"),
    }
}

fn inherited(fd: std::os::fd::BorrowedFd<'_>) -> Result<UnixStream> {
    Ok(UnixStream::from(fd.try_clone_to_owned().context("take over a socket")?))
}

fn echo(mut requester: UnixStream) -> Result<()> {
    let mut frames = Frames::default();
    while frames.fill(&mut requester)? {
        let whole = frames.take_whole();
        requester.write_all(&whole)?;
        frames.give_back(whole);
    }
    Ok(())
}

fn primary(mut requester: UnixStream, mut backup: UnixStream) -> Result<()> {
    let (mut frames, mut table) = (Frames::default(), Table::default());
    while frames.fill(&mut requester)? {
        let whole = frames.take_whole();
        if !whole.is_empty() {
            table.store(&whole);
            let length = u32::try_from(whole.len()).context("a checkpoint is far below 4 GiB")?;
            // One write, as a channel with a queue makes it.
            let mut checkpoint = length.to_le_bytes().to_vec();
            checkpoint.extend_from_slice(&whole);
            backup.write_all(&checkpoint)?;
            backup.read_exact(&mut [0; ACKNOWLEDGEMENT.len()])?;
            requester.write_all(&whole)?;
        }
        frames.give_back(whole);
    }
    Ok(())
}

fn backup(mut primary: UnixStream) -> Result<()> {
    let mut table = Table::default();
    let mut bytes = vec![0; 2 * BUFFER_BYTES];
    let mut end = 0;
    loop {
        end += match primary.read(&mut bytes[end..])? {
            0 => return Ok(()),
            count => count,
        };
        // One checkpoint is under way at a time, so that what is here is it, or its beginning.
        if end >= 4 && end == 4 + length_of(&bytes) {
            table.store(&bytes[4..end]);
            primary.write_all(&ACKNOWLEDGEMENT)?;
            end = 0;
        }
    }
}

/// What primary and backup keep.
struct Table(Vec<Vec<u8>>);

impl Default for Table {
    fn default() -> Self {
        Self(vec![Vec::new(); TABLE_ENTRIES as usize])
    }
}

impl Table {
    fn store(&mut self, mut frames: &[u8]) {
        while !frames.is_empty() {
            let (frame, rest) = frames.split_at(length_of(frames).clamp(REQUEST_BYTES_MIN, frames.len()));
            let entry = &mut self.0[slot(frame) as usize];
            entry.clear();
            entry.extend_from_slice(frame);
            frames = rest;
        }
    }
}

/// Bytes that have arrived.
#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    end: usize,
    spare: Vec<u8>,
}

impl Frames {
    /// Reads once; false at the end of the stream.
    fn fill(&mut self, from: &mut UnixStream) -> Result<bool> {
        if self.bytes.len() < self.end + BUFFER_BYTES {
            self.bytes.resize(self.end + BUFFER_BYTES, 0);
        }
        match from.read(&mut self.bytes[self.end..]) {
            Ok(count) => self.end += count,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(self.end > 0)
    }

    /// All frames that are complete, as one piece.
    fn take_whole(&mut self) -> Vec<u8> {
        let mut whole = 0;
        while self.end - whole >= 4 {
            let length = length_of(&self.bytes[whole..]).max(REQUEST_BYTES_MIN);
            if length > self.end - whole {
                break;
            }
            whole += length;
        }
        let mut taken = std::mem::take(&mut self.spare);
        taken.clear();
        taken.extend_from_slice(&self.bytes[..whole]);
        self.bytes.copy_within(whole..self.end, 0);
        self.end -= whole;
        taken
    }

    /// The buffer is free again.
    fn give_back(&mut self, taken: Vec<u8>) {
        self.spare = taken;
    }
}

fn length_of(frame: &[u8]) -> usize {
    let length = frame.get(..4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
    length as usize
}

/// The requester's end of a raw server, and its processes.
pub(crate) struct RawPeer {
    socket: UnixStream,
    number: u32,
    _processes: Vec<RawProcess>,
}

impl RawPeer {
    /// A raw echo server on these processors.
    pub(crate) fn echo(processors: &[usize]) -> Result<Self> {
        let (socket, servers) = UnixStream::pair()?;
        let server = RawProcess::start("echo", servers, None, processors)?;
        Ok(Self { socket, number: 0, _processes: vec![server] })
    }

    /// A raw primary and a raw backup, each on its processors.
    pub(crate) fn chain(primary: &[usize], backup: &[usize]) -> Result<Self> {
        let (socket, servers) = UnixStream::pair()?;
        let (to_backup, backups) = UnixStream::pair()?;
        let backup = RawProcess::start("backup", backups, None, backup)?;
        let primary = RawProcess::start("primary", servers, Some(to_backup), primary)?;
        Ok(Self { socket, number: 0, _processes: vec![primary, backup] })
    }
}

impl Requester for RawPeer {
    fn run(&mut self, bytes: usize, outstanding: usize, time: Duration) -> Result<Run> {
        let mut run = Run::default();
        let mut started = VecDeque::with_capacity(outstanding);
        let mut requests = vec![0; bytes * outstanding];
        let mut replies = vec![0; (bytes * outstanding).max(BUFFER_BYTES)];
        let (mut to_start, mut arrived) = (outstanding, 0);
        let begin = Instant::now();
        loop {
            for request in requests.chunks_mut(bytes).take(to_start) {
                fill(request, self.number);
                self.number = self.number.wrapping_add(1);
                started.push_back(Instant::now());
            }
            self.socket.write_all(&requests[..bytes * to_start])?;
            if started.is_empty() {
                break;
            }
            while arrived < bytes {
                let count = self.socket.read(&mut replies[arrived..])?;
                ensure!(count > 0, "the raw server is gone");
                arrived += count;
            }
            to_start = arrived / bytes;
            arrived %= bytes;
            for _ in 0..to_start {
                let started = started.pop_front().context("more replies than requests")?;
                run.latencies.add(started.elapsed());
            }
            if begin.elapsed() >= time {
                to_start = 0;
            }
        }
        run.elapsed = begin.elapsed();
        Ok(run)
    }
}

/// A process of a raw server; ends with this.
struct RawProcess(Child);

impl RawProcess {
    fn start(
        role: &str,
        input: UnixStream,
        output: Option<UnixStream>,
        processors: &[usize],
    ) -> Result<Self> {
        let mut command = Command::new(env::current_exe().context("find this program")?);
        command.args(["raw", role]).stdin(OwnedFd::from(input));
        command.stdout(output.map_or_else(Stdio::null, |socket| OwnedFd::from(socket).into()));
        let process = Self(command.spawn().context("start a raw server")?);
        pin(Some(process.0.id()), processors)?;
        Ok(process)
    }
}

impl Drop for RawProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
