//! The limits: what the same bytes cost without Pollux, over unix stream sockets. With one connection they block; those with
//! many are in [`many`].
//!
//! ```text
//!  raw echo       requester <---> server
//!  raw chain      requester <---> primary <---> backup
//!                 request -->  stored, all that has arrived as one checkpoint --> stored
//!                 reply   <--  <-------------------------------- acknowledgement
//! ```
//!
//! A frame is the request as it is: its first four bytes are its length.

mod frames;
pub(crate) mod many;

use self::frames::{Frames, Table, length_of};
use crate::load::{REQUEST_BYTES_MIN, Requester, Run, fill};
use crate::node::Bench;
use crate::placement::pin;
use anyhow::{Context, Result, bail, ensure};
use std::collections::VecDeque;
use std::env;
use std::io::{Read, Write, stdin, stdout};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What one read takes at most, as a channel of Pollux does.
const BUFFER_BYTES: usize = 64 * 1024;
/// What one write of a copy gives at most.
const COPY_BYTES: usize = 256 * 1024;
/// Before the frames of a checkpoint: their length.
const CHECKPOINT_HEADER_BYTES: usize = 4;
const ACKNOWLEDGEMENT: [u8; REQUEST_BYTES_MIN] = [0; REQUEST_BYTES_MIN];

/// Runs one of the raw roles; their sockets are standard input and output.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let input = inherited(stdin().as_fd())?;
    match words {
        ["echo"] => echo(input),
        ["primary"] => primary(input, inherited(stdout().as_fd())?),
        ["backup"] => backup(input),
        ["echo-many"] => many::serve(input.into(), None),
        ["primary-many"] => many::serve(input.into(), Some(inherited(stdout().as_fd())?)),
        ["sink"] => sink(input),
        _ => bail!("usage: pollux-bench raw echo|primary|backup|echo-many|primary-many|sink"),
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
            // One write, as a channel with a queue makes it.
            let mut checkpoint = vec![0; CHECKPOINT_HEADER_BYTES];
            checkpoint.extend_from_slice(&whole);
            send_checkpoint(&mut backup, &mut checkpoint)?;
            requester.write_all(&whole)?;
        }
        frames.give_back(whole);
    }
    Ok(())
}

/// Sends frames that stand behind room for their length, and waits until the backup has stored them.
fn send_checkpoint(backup: &mut UnixStream, checkpoint: &mut [u8]) -> Result<()> {
    let length = u32::try_from(checkpoint.len() - CHECKPOINT_HEADER_BYTES);
    let length = length.context("a checkpoint is far below 4 GiB")?;
    checkpoint[..CHECKPOINT_HEADER_BYTES].copy_from_slice(&length.to_le_bytes());
    backup.write_all(checkpoint)?;
    Ok(backup.read_exact(&mut [0; ACKNOWLEDGEMENT.len()])?)
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
        if end < CHECKPOINT_HEADER_BYTES {
            continue;
        }
        let whole = CHECKPOINT_HEADER_BYTES + length_of(&bytes);
        if end == whole {
            table.store(&bytes[CHECKPOINT_HEADER_BYTES..end]);
            primary.write_all(&ACKNOWLEDGEMENT)?;
            end = 0;
        } else if bytes.len() < whole {
            bytes.resize(whole, 0);
        }
    }
}

/// Takes so many bytes into memory of its own, as a new backup takes the state, and says when it has them; again and again.
fn sink(mut from: UnixStream) -> Result<()> {
    let mut length = [0; 8];
    while from.read(&mut length)? == length.len() {
        let mut memory = vec![0; usize::try_from(u64::from_le_bytes(length))?];
        from.read_exact(&mut memory)?;
        from.write_all(&ACKNOWLEDGEMENT)?;
    }
    Ok(())
}

/// The requester's end of a raw server, and its processes.
pub(crate) struct RawPeer {
    socket: UnixStream,
    number: u32,
    processes: Vec<RawProcess>,
}

impl RawPeer {
    /// A raw echo server on these processors.
    pub(crate) fn echo(processors: &[usize]) -> Result<Self> {
        let (socket, servers) = UnixStream::pair()?;
        let server = RawProcess::start("echo", servers, None, processors)?;
        Ok(Self { socket, number: 0, processes: vec![server] })
    }

    /// A raw primary and a raw backup, each on its processors.
    pub(crate) fn chain(primary: &[usize], backup: &[usize]) -> Result<Self> {
        let (socket, servers) = UnixStream::pair()?;
        let (to_backup, backups) = UnixStream::pair()?;
        let backup = RawProcess::start("backup", backups, None, backup)?;
        let primary = RawProcess::start("primary", servers, Some(to_backup), primary)?;
        Ok(Self { socket, number: 0, processes: vec![primary, backup] })
    }
}

impl Requester for RawPeer {
    fn servers(&self, _bench: &Bench) -> Result<Vec<u32>> {
        Ok(self.processes.iter().map(RawProcess::pid).collect())
    }

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

/// Copies memory through a unix socket into the memory of another process.
pub(crate) struct RawCopy {
    socket: UnixStream,
    from: Vec<u8>,
    _process: RawProcess,
}

impl RawCopy {
    /// A copy of so many bytes, by a process on these processors.
    pub(crate) fn new(bytes: usize, processors: &[usize]) -> Result<Self> {
        let (socket, sinks) = UnixStream::pair()?;
        let process = RawProcess::start("sink", sinks, None, processors)?;
        Ok(Self { socket, from: vec![1; bytes], _process: process })
    }

    /// How long it takes until the other side has all of it.
    pub(crate) fn run(&mut self) -> Result<Duration> {
        let begin = Instant::now();
        self.socket.write_all(&(self.from.len() as u64).to_le_bytes())?;
        for piece in self.from.chunks(COPY_BYTES) {
            self.socket.write_all(piece)?;
        }
        self.socket.read_exact(&mut [0; ACKNOWLEDGEMENT.len()])?;
        Ok(begin.elapsed())
    }
}

/// A process of a raw server; ends with this.
struct RawProcess(Child);

impl RawProcess {
    fn start(
        role: &str,
        input: impl Into<OwnedFd>,
        output: Option<UnixStream>,
        processors: &[usize],
    ) -> Result<Self> {
        let mut command = Command::new(env::current_exe().context("find this program")?);
        command.args(["raw", role]).stdin(input.into());
        command.stdout(output.map_or_else(Stdio::null, |socket| OwnedFd::from(socket).into()));
        let process = Self(command.spawn().context("start a raw server")?);
        pin(Some(process.pid()), processors)?;
        Ok(process)
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for RawProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
