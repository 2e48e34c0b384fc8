//! The requesters of a peer that speaks over sockets: one thread, one connection for each requester, and nothing between
//! the peer and the loop that Pollux has too.
//!
//! A request leaves with one write and a reply is taken with one read. With one connection the thread blocks in that
//! read; with more it waits with epoll. Sockets block: what epoll has announced can be read.

use crate::many::Lines;
use anyhow::{Context, Result, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use std::collections::VecDeque;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// What one read takes at most.
const BUFFER_BYTES: usize = 64 * 1024;

/// What has arrived at the beginning of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing whole.
    Incomplete,
    /// So many bytes that are a whole reply.
    Reply(usize),
    /// So many bytes that are whole, and no reply.
    Other(usize),
}

/// What is said on one connection.
pub(crate) trait Protocol {
    /// Appends a request that carries these bytes.
    fn ask(&mut self, payload: &[u8], out: &mut Vec<u8>);

    /// Looks at what has arrived; it may have something to answer. A refusal is an error.
    fn hear(&mut self, arrived: &[u8], answer: &mut Vec<u8>) -> Result<Heard>;
}

/// A connection with its protocol.
pub(crate) struct Line<P> {
    socket: OwnedFd,
    protocol: P,
    out: Vec<u8>,
    arrived: Vec<u8>,
    end: usize,
}

impl<P: Protocol> Line<P> {
    pub(crate) fn over_unix(socket: UnixStream, protocol: P) -> Self {
        Self::new(socket.into(), protocol)
    }

    /// Without the delay that TCP has for small writes.
    pub(crate) fn over_tcp(socket: TcpStream, protocol: P) -> Result<Self> {
        socket.set_nodelay(true).context("send at once")?;
        Ok(Self::new(socket.into(), protocol))
    }

    fn new(socket: OwnedFd, protocol: P) -> Self {
        Self { socket, protocol, out: Vec::new(), arrived: vec![0; BUFFER_BYTES], end: 0 }
    }

    /// Asks this many times with one write.
    pub(crate) fn ask<'a>(&mut self, payloads: impl IntoIterator<Item = &'a [u8]>) -> Result<()> {
        for payload in payloads {
            self.protocol.ask(payload, &mut self.out);
        }
        self.flush()
    }

    /// Reads once: how many replies are whole by it.
    pub(crate) fn read(&mut self) -> Result<usize> {
        if self.arrived.len() - self.end < BUFFER_BYTES / 2 {
            self.arrived.resize(self.arrived.len() * 2, 0);
        }
        let count = rustix::io::read(&self.socket, &mut self.arrived[self.end..]).context("hear a peer")?;
        ensure!(count > 0, "the peer has closed a connection");
        self.end += count;
        let (mut used, mut replies) = (0, 0);
        loop {
            match self.protocol.hear(&self.arrived[used..self.end], &mut self.out)? {
                Heard::Incomplete => break,
                Heard::Reply(bytes) => (used, replies) = (used + bytes, replies + 1),
                Heard::Other(bytes) => used += bytes,
            }
        }
        self.arrived.copy_within(used..self.end, 0);
        self.end -= used;
        self.flush()?;
        Ok(replies)
    }

    fn flush(&mut self) -> Result<()> {
        let mut rest = &self.out[..];
        while !rest.is_empty() {
            let count = rustix::io::write(&self.socket, rest).context("ask a peer")?;
            rest = &rest[count..];
        }
        self.out.clear();
        Ok(())
    }
}

/// Connections to a peer, waited for together.
pub(crate) struct PeerLines<P> {
    lines: Vec<Line<P>>,
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    /// Lines with a reply that was not told yet.
    replied: VecDeque<usize>,
    request_bytes: usize,
}

impl<P: Protocol> PeerLines<P> {
    pub(crate) fn new(lines: Vec<Line<P>>) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).context("make an epoll")?;
        for (at, line) in lines.iter().enumerate() {
            let at = epoll::EventData::new_u64(at as u64);
            epoll::add(&epoll, &line.socket, at, epoll::EventFlags::IN).context("wait for a peer")?;
        }
        let events = Vec::with_capacity(lines.len());
        Ok(Self { lines, epoll, events, replied: VecDeque::new(), request_bytes: 0 })
    }

    /// What is said on one of them.
    pub(crate) fn protocol(&self, line: usize) -> &P {
        &self.lines[line].protocol
    }

    fn read(&mut self, line: usize) -> Result<()> {
        let replies = self.lines[line].read()?;
        self.replied.extend(std::iter::repeat_n(line, replies));
        Ok(())
    }
}

impl<P: Protocol> Lines for PeerLines<P> {
    fn count(&self) -> usize {
        self.lines.len()
    }

    fn start(&mut self, line: usize, request: &[u8]) -> Result<()> {
        self.request_bytes = request.len();
        self.lines[line].ask([request])
    }

    /// The length is that of the request: what a peer replies is judged by its protocol.
    fn next(&mut self) -> Result<(usize, usize)> {
        loop {
            if let Some(line) = self.replied.pop_front() {
                return Ok((line, self.request_bytes));
            }
            if self.lines.len() == 1 {
                self.read(0)?;
                continue;
            }
            let mut events = std::mem::take(&mut self.events);
            epoll::wait(&self.epoll, spare_capacity(&mut events), None).context("wait for a peer")?;
            for event in events.drain(..) {
                self.read(event.data.u64() as usize)?;
            }
            self.events = events;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    /// Replies are `+`, and a `?` wants a `!`.
    struct Signs;

    impl Protocol for Signs {
        fn ask(&mut self, payload: &[u8], out: &mut Vec<u8>) {
            out.extend_from_slice(payload);
        }

        fn hear(&mut self, arrived: &[u8], answer: &mut Vec<u8>) -> Result<Heard> {
            Ok(match arrived {
                [] => Heard::Incomplete,
                [b'?', ..] => {
                    answer.push(b'!');
                    Heard::Other(1)
                }
                [_, b'+', ..] => Heard::Reply(2),
                _ => Heard::Incomplete,
            })
        }
    }

    // A reply that is counted twice, or not at all, is a figure of the wrong thing.
    #[test]
    fn replies_are_counted_once_however_they_arrive() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (other, _kept) = UnixStream::pair().unwrap();
        let lines = [other, ours].into_iter().map(|socket| Line::over_unix(socket, Signs)).collect();
        let mut lines = PeerLines::new(lines).unwrap();
        lines.start(1, b"abc").unwrap();
        theirs.write_all(b"a+b+?c").unwrap();
        assert_eq!((lines.next().unwrap(), lines.next().unwrap()), ((1, 3), (1, 3)));
        let mut said = [0; 4];
        theirs.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"abc!");
        theirs.write_all(b"+").unwrap();
        assert_eq!(lines.next().unwrap(), (1, 3));
        drop(theirs);
        assert!(lines.next().is_err());
    }
}
