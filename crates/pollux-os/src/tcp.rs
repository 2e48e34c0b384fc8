//! Where a TCP connection stands, asked of the kernel: what lets a backup go on with the byte where the
//! primary stopped.
//!
//! All functions take the *accepting* side of a connection that was not restored with TCP_REPAIR: there the
//! counters start at zero. Which of the bytes matter is the caller's business.

use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg};
use rustix::time::Timespec;

use crate::raw;
use crate::raw::tcp::TcpInfo;

/// States of the kernel's `tcp_states.h`.
mod state {
    pub(super) const FIN_WAIT1: u8 = 4;
    pub(super) const FIN_WAIT2: u8 = 5;
    pub(super) const TIME_WAIT: u8 = 6;
    pub(super) const CLOSE: u8 = 7;
    pub(super) const CLOSE_WAIT: u8 = 8;
    pub(super) const LAST_ACK: u8 = 9;
    pub(super) const CLOSING: u8 = 11;
}

/// A receive buffer counts as crowded when a third of it is taken.
const CROWDED_SHARE: u64 = 3;
/// Readings until two agree. Input that arrives between the readings is bounded by the receive window, so
/// this is reached only by a peer that trickles at a rate no network has.
const READINGS_MAX: u32 = 10_000;

/// Both byte streams of one connection, since its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPositions {
    /// Bytes the kernel received, the FIN not counted.
    pub received: u64,
    /// Received bytes that nobody has read.
    pub unread: u64,
    /// Bytes the peer acknowledged, our FIN not counted.
    pub acknowledged: u64,
    /// Bytes written and not acknowledged, our FIN not counted.
    pub unsent: u64,
    /// The peer finished sending. After a reset (state 7) this, and so each counter by one, is a guess; nothing
    /// can be sent on such a connection any more.
    pub peer_finished: bool,
    /// The kernel's TCP state: 1 established, 8 the peer finished, 7 closed.
    pub state: u8,
}

impl StreamPositions {
    /// Bytes that some process has read.
    pub fn consumed(&self) -> u64 {
        self.received - self.unread
    }

    /// Bytes that some process has written.
    pub fn produced(&self) -> u64 {
        self.acknowledged + self.unsent
    }
}

/// Asks the kernel where both streams stand. The counters live in different calls and move while the peer
/// talks, so they are read until two readings agree.
pub fn stream_positions(fd: impl AsFd) -> io::Result<StreamPositions> {
    let fd = fd.as_fd();
    let mut before = raw::tcp::tcp_info(fd)?;
    for _ in 0..READINGS_MAX {
        let unread = rustix::io::ioctl_fionread(fd)?;
        let unsent = raw::tcp::send_queue_bytes(fd)?;
        let after = raw::tcp::tcp_info(fd)?;
        if before == after {
            return positions(fd, after, unread, unsent);
        }
        before = after;
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "the connection never stood still; ask again"))
}

fn positions(fd: BorrowedFd<'_>, info: TcpInfo, unread: u64, unsent: u64) -> io::Result<StreamPositions> {
    // Closed without an error: both FINs went over, since a reset leaves an error on the socket.
    let closed_in_order = info.state == state::CLOSE && !has_error(fd)?;
    let peer_finished = closed_in_order
        || matches!(info.state, state::CLOSE_WAIT | state::LAST_ACK | state::CLOSING | state::TIME_WAIT);
    // A FIN takes a number in the stream: in the send queue while it is not acknowledged, then in bytes_acked.
    let own_fin_unacknowledged = matches!(info.state, state::FIN_WAIT1 | state::LAST_ACK | state::CLOSING);
    let own_fin_acknowledged = closed_in_order || matches!(info.state, state::FIN_WAIT2 | state::TIME_WAIT);
    let received = info.bytes_received.saturating_sub(peer_finished.into());
    Ok(StreamPositions {
        received,
        unread: unread.min(received),
        acknowledged: info.bytes_acked.saturating_sub(own_fin_acknowledged.into()),
        unsent: unsent.saturating_sub(own_fin_unacknowledged.into()),
        peer_finished,
        state: info.state,
    })
}

/// Whether the socket has an error waiting, without taking it away from whoever is to see it.
fn has_error(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let mut asked = [PollFd::from_borrowed_fd(fd, PollFlags::empty())];
    poll(&mut asked, Some(&Timespec::default()))?;
    Ok(asked[0].revents().contains(PollFlags::ERR))
}

/// Whether what lies unread in the socket takes so much of its receive buffer that the peer may soon have to wait, as the
/// kernel counts it: by the memory of whole segments, of which a part may be read already. So few bytes can fill a buffer.
pub fn is_receive_buffer_crowded(fd: impl AsFd) -> io::Result<bool> {
    // `SK_MEMINFO_RMEM_ALLOC` and `SK_MEMINFO_RCVBUF` come first.
    let mut counts = [0_u8; 9 * 4];
    let length = raw::socket::option(fd, libc::SOL_SOCKET, libc::SO_MEMINFO, &mut counts)?;
    let count = |at: usize| u32::from_ne_bytes([counts[at], counts[at + 1], counts[at + 2], counts[at + 3]]);
    if length < 8 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // The window may close when half is taken: what is left is less than one large segment.
    Ok(u64::from(count(0)) * CROWDED_SHARE >= u64::from(count(4)))
}

/// Makes each peek go on behind the last one, from `offset` bytes into the unread input; `None` makes each peek
/// start at the first unread byte again. An error on kernels that have this for unix sockets only.
pub fn set_peek_offset(fd: impl AsFd, offset: Option<u32>) -> io::Result<()> {
    let offset = match offset {
        None => -1,
        Some(offset) => i32::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
    };
    raw::tcp::set_peek_offset(fd, offset)
}

/// Whether this kernel moves the peek offset on TCP connections. Tried once, on a loopback connection.
pub fn peek_offset_supported() -> bool {
    static SUPPORTED: OnceLock<bool> = OnceLock::new();
    *SUPPORTED.get_or_init(|| try_peek_offset().unwrap_or(false))
}

fn try_peek_offset() -> io::Result<bool> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let sender = TcpStream::connect(listener.local_addr()?)?;
    let (receiver, _) = listener.accept()?;
    receiver.set_read_timeout(Some(std::time::Duration::from_secs(1)))?;
    set_peek_offset(&receiver, Some(0))?;
    write(&sender, b"ab")?;
    // Some kernels took the option and ignored it: only a second peek that goes on is a proof.
    let mut one = [0; 1];
    receiver.peek(&mut one)?;
    receiver.peek(&mut one)?;
    Ok(one == *b"b")
}

/// Reads without consuming; never blocks.
pub fn peek(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let fd = fd.as_fd();
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    uninterrupted(|| recv(fd, &mut *buffer, flags).map(|(taken, _)| taken))
}

/// Consumes `bytes` of input without looking at them; never blocks. Returns how many there were; less than
/// asked when the input ends. On TCP the kernel does not copy; `scratch` only bounds one call.
pub fn discard(fd: impl AsFd, bytes: usize, scratch: &mut [u8]) -> io::Result<usize> {
    let fd = fd.as_fd();
    let flags = RecvFlags::TRUNC | RecvFlags::DONTWAIT;
    let mut done = 0;
    while done < bytes {
        let room = scratch.len().min(bytes - done);
        match uninterrupted(|| recv(fd, &mut scratch[..room], flags).map(|(_, taken)| taken)) {
            Ok(0) => break,
            Ok(taken) => done += taken,
            Err(error) if done > 0 && error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Writes what fits; never blocks, never raises SIGPIPE.
pub fn write(fd: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    let fd = fd.as_fd();
    uninterrupted(|| send(fd, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT))
}

/// Writes what fits of several pieces; never blocks, never raises SIGPIPE.
pub fn write_vectored(fd: impl AsFd, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    let fd = fd.as_fd();
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    uninterrupted(|| sendmsg(fd, pieces, &mut SendAncillaryBuffer::default(), flags))
}

fn uninterrupted<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}
