//! Servers of other hosts: TCP with TLS, both ends with a certificate of the domain.
//!
//! ```text
//!   sender                                   listener
//!     | TCP, TLS: certificates of both -------->|
//!     | Hello: version, domain, server, address |  the certificate must be of that server
//!     |<------------- Welcome, or Refused: why  |
//!     | words ... ----------------------------->|  to the core
//! ```
//!
//! Limits: until the welcome, time, bytes and number of connections are bounded. After it, there is one connection for each server,
//! the latest; one whose other end is gone without a word ends by keep-alive, and a frame that has begun must come to its end.

use super::tls::{Tls, is_of};
use super::{Trouble, WRITE_MAX};
use crate::address::Address;
use crate::core::Input;
use crate::frame;
use crate::words::{PeerWord, WORDS_VERSION};
use pollux_domain::name::ServerName;
use pollux_domain::succession::SERVERS_KNOWN_MAX;
use rustix::net::{RecvFlags, recv, sockopt};
use rustls::{ClientConnection, ServerConnection, StreamOwned};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A TCP connection is made within this time, or the server is away.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// Of a name's addresses so many are tried.
const ADDRESSES_MAX: usize = 4;
/// From TCP to the welcome.
const GREETING_MAX: Duration = Duration::from_secs(3);
/// Longest Hello and its answer, in bytes.
const GREETING_BYTES_MAX: usize = 2_048;
/// A frame that has begun has come to its end by then.
const FRAME_MAX: Duration = Duration::from_secs(10);
/// Connections that have not been welcomed; more are closed at once.
const STRANGERS_MAX: usize = 32;
/// Bytes sent and not acknowledged for so long end the connection: TCP itself would try for a quarter of an hour.
const UNACKNOWLEDGED_MAX_MS: u32 = 2_000;
/// An idle connection is tried after so long, and so often.
const IDLE: Duration = Duration::from_secs(5);
const IDLE_TRY_EVERY: Duration = Duration::from_secs(2);
const IDLE_TRIES: u32 = 3;
/// The port may be held by the life before, which is ending.
const BIND_MAX: Duration = Duration::from_secs(3);
const BIND_EVERY: Duration = Duration::from_millis(20);
/// After a connection that could not be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// People are told of strangers so often.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// The first word of a connection.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    version: u32,
    domain: String,
    server: ServerName,
    /// Where the sender is reached itself.
    address: Address,
}

/// The answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Greeting {
    Welcome,
    Refused { reason: String },
}

/// A connection to a server of another host.
pub(super) struct Link(StreamOwned<ClientConnection, Timed>);

impl Link {
    pub(super) fn write(&mut self, word: &PeerWord) -> io::Result<()> {
        self.0.sock.until = Some(Instant::now() + WRITE_MAX);
        frame::write(&mut self.0, word)
    }

    /// A listener says nothing after the welcome: whatever can be read is the end.
    pub(super) fn is_open(&self) -> bool {
        let mut byte = [0_u8; 1];
        let read = recv(&self.0.sock.stream, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        matches!(read, Err(rustix::io::Errno::AGAIN))
    }
}

/// Connects to a server and is welcomed by it.
pub(super) fn connect(tls: &Tls, to: &ServerName, at: &Address) -> Result<Link, Trouble> {
    let resolved = at.resolve().map_err(|error| {
        Trouble::Said(format!(
            "the address {at} of server {to} is not found ({error}); enter it in DNS or /etc/hosts, or start {to} with --address"
        ))
    })?;
    let stream = reach(&resolved)?;
    prepare(&stream)?;
    let name = crate::identity::tls_name(to).ok_or(Trouble::Away)?;
    let connection = ClientConnection::new(Arc::clone(&tls.client), name)
        .map_err(|error| io::Error::other(error.to_string()))?;
    let timed = Timed { stream, until: Some(Instant::now() + GREETING_MAX) };
    let mut stream = StreamOwned::new(connection, timed);
    match greet(&mut stream, tls) {
        Ok(Some(Greeting::Welcome)) => Ok(Link(stream)),
        Ok(Some(Greeting::Refused { reason })) => {
            Err(Trouble::Said(format!("server {to} at {at} does not hear {}: {reason}", tls.me)))
        }
        Ok(None) => Err(Trouble::Away),
        Err(error) => Err(tls.sender_says(&error, to, at).map_or(Trouble::Away, Trouble::Said)),
    }
}

fn reach(resolved: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in resolved.iter().take(ADDRESSES_MAX) {
        match TcpStream::connect_timeout(address, CONNECT_MAX) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn greet(stream: &mut StreamOwned<ClientConnection, Timed>, tls: &Tls) -> io::Result<Option<Greeting>> {
    let hello = Hello {
        version: WORDS_VERSION,
        domain: tls.domain.clone(),
        server: tls.me.clone(),
        address: tls.address.clone(),
    };
    let written = frame::write(stream, &hello);
    // The listener may have refused meanwhile and closed: why is in what can be read.
    let read = frame::read_up_to(stream, GREETING_BYTES_MAX);
    match (written, read) {
        (Err(error), Err(read)) if read.get_ref().is_none() => Err(error),
        (_, read) => read,
    }
}

/// Nothing waits for a host that is gone, and small words leave at once.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, IDLE)?;
    sockopt::set_tcp_keepintvl(stream, IDLE_TRY_EVERY)?;
    sockopt::set_tcp_keepcnt(stream, IDLE_TRIES)?;
    sockopt::set_tcp_user_timeout(stream, UNACKNOWLEDGED_MAX_MS)?;
    Ok(())
}

/// Listens for servers of other hosts.
pub(crate) fn listen(tls: &Arc<Tls>, inbox: &Sender<Input>) -> Result<(), String> {
    let listener = bind(&tls.address).map_err(|error| {
        format!(
            "cannot listen at {} ({error}); give this server an address of this host and a free port with --address",
            tls.address
        )
    })?;
    serve(listener, tls, inbox).map_err(|error| error.to_string())
}

fn bind(address: &Address) -> io::Result<TcpListener> {
    let begin = Instant::now();
    loop {
        match TcpListener::bind(&address.to_listen()[..]) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && begin.elapsed() < BIND_MAX => {
                thread::sleep(BIND_EVERY);
            }
            bound => return bound,
        }
    }
}

fn serve(listener: TcpListener, tls: &Arc<Tls>, inbox: &Sender<Input>) -> io::Result<()> {
    let door = Arc::new(Door { tls: Arc::clone(tls), inbox: inbox.clone(), inside: Mutex::default() });
    thread::Builder::new().name("hosts".to_owned()).spawn(move || {
        loop {
            match listener.accept() {
                Ok((stream, from)) => {
                    let Some(stranger) = Stranger::come(&door) else { continue };
                    // A thread that cannot be started loses this connection; the sender tries again.
                    let work = move || hear(stranger, stream, from.ip().to_canonical());
                    drop(thread::Builder::new().name("from a host".to_owned()).spawn(work));
                }
                // Out of descriptors, most likely.
                Err(_) => thread::sleep(ACCEPT_AGAIN),
            }
        }
    })?;
    Ok(())
}

struct Door {
    tls: Arc<Tls>,
    inbox: Sender<Input>,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    strangers: usize,
    /// The connection of each server, with a number: a later one takes its place.
    servers: BTreeMap<ServerName, (u64, TcpStream)>,
    numbers: u64,
    complained: Option<Instant>,
}

impl Door {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn complain(&self, line: String) {
        let mut inside = self.inside();
        if inside.complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
            inside.complained = Some(Instant::now());
            drop(self.inbox.send(Input::Problem(line)));
        }
    }

    /// A server takes the place of its earlier connection; `None`: there are too many.
    fn welcome(&self, server: &ServerName, stream: &TcpStream) -> Option<u64> {
        let stream = stream.try_clone().ok()?;
        let mut inside = self.inside();
        if inside.servers.len() >= SERVERS_KNOWN_MAX && !inside.servers.contains_key(server) {
            return None;
        }
        inside.numbers += 1;
        let number = inside.numbers;
        if let Some((_, old)) = inside.servers.insert(server.clone(), (number, stream)) {
            drop(old.shutdown(Shutdown::Both));
        }
        Some(number)
    }

    fn leave(&self, server: &ServerName, number: u64) {
        let mut inside = self.inside();
        if inside.servers.get(server).is_some_and(|(latest, _)| *latest == number) {
            inside.servers.remove(server);
        }
    }
}

/// One who is not welcomed yet; there are only so many.
struct Stranger {
    door: Arc<Door>,
}

impl Stranger {
    fn come(door: &Arc<Door>) -> Option<Self> {
        let mut inside = door.inside();
        if inside.strangers >= STRANGERS_MAX {
            return None;
        }
        inside.strangers += 1;
        Some(Self { door: Arc::clone(door) })
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.door.inside().strangers -= 1;
    }
}

fn hear(stranger: Stranger, stream: TcpStream, from: IpAddr) {
    let door = Arc::clone(&stranger.door);
    let Some((server, mut reader)) = receive(&door, stream, from) else { return };
    let Some(number) = door.welcome(&server, &reader.get_ref().sock.stream) else { return };
    drop(stranger);
    let said = frame::write(reader.get_mut(), &Greeting::Welcome);
    if said.is_ok() {
        while let Ok(word) = next_word(&mut reader) {
            if door.inbox.send(Input::Peer { from: server.clone(), word }).is_err() {
                break;
            }
        }
    }
    door.leave(&server, number);
}

type Reader = BufReader<StreamOwned<ServerConnection, Timed>>;

/// Who it is, proved.
fn receive(door: &Door, stream: TcpStream, from: IpAddr) -> Option<(ServerName, Reader)> {
    let tls = &door.tls;
    prepare(&stream).ok()?;
    let connection = ServerConnection::new(Arc::clone(&tls.server)).ok()?;
    let timed = Timed { stream, until: Some(Instant::now() + GREETING_MAX) };
    let mut stream = StreamOwned::new(connection, timed);
    let hello: Hello = match frame::read_up_to(&mut stream, GREETING_BYTES_MAX) {
        Ok(Some(hello)) => hello,
        Ok(None) => return None,
        Err(error) => {
            if let Some(line) = tls.listener_says(&error, from) {
                door.complain(line);
            }
            see_off(&mut stream);
            return None;
        }
    };
    let proved =
        stream.conn.peer_certificates().and_then(<[_]>::first).is_some_and(|it| is_of(it, &hello.server));
    let Hello { server, address, .. } = hello;
    let reason = if !proved {
        Some(format!("its certificate is not of {server}; use the bundle of {server}"))
    } else if hello.domain != tls.domain {
        Some(format!("this is domain {}, not {}; correct its --address", tls.domain, hello.domain))
    } else if server == tls.me {
        Some(format!("this server is {server}, too; give one of the two another --host and its own bundle"))
    } else if hello.version != WORDS_VERSION {
        Some("it speaks another version; use one version of Pollux on all hosts".to_owned())
    } else {
        None
    };
    if let Some(reason) = reason {
        door.complain(format!("server {server} at {from} is not heard: {reason}"));
        drop(frame::write(&mut stream, &Greeting::Refused { reason }));
        see_off(&mut stream);
        return None;
    }
    drop(door.inbox.send(Input::Address { server: server.clone(), address }));
    Some((server, BufReader::new(stream)))
}

/// A connection that is closed with bytes unread takes with it what was said last: the other end would not learn why.
fn see_off(stream: &mut StreamOwned<ServerConnection, Timed>) {
    stream.conn.send_close_notify();
    while stream.conn.wants_write() {
        if stream.conn.write_tls(&mut stream.sock).is_err() {
            return;
        }
    }
    drop(stream.sock.stream.shutdown(Shutdown::Write));
    let mut rest = [0; 1_024];
    let mut bytes = 0;
    while let Ok(count @ 1..) = stream.sock.read(&mut rest) {
        bytes += count;
        if bytes > frame::FRAME_BYTES_MAX {
            return;
        }
    }
}

/// Between two frames there is no limit; keep-alive finds a host that is gone.
fn next_word(reader: &mut Reader) -> io::Result<PeerWord> {
    reader.get_mut().sock.until = None;
    if reader.fill_buf()?.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    reader.get_mut().sock.until = Some(Instant::now() + FRAME_MAX);
    frame::read(reader)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// A stream on which nothing takes longer than to that moment, however the bytes drip.
struct Timed {
    stream: TcpStream,
    until: Option<Instant>,
}

impl Timed {
    fn rest(&self) -> io::Result<Option<Duration>> {
        let Some(until) = self.until else { return Ok(None) };
        match until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            rest => Ok(Some(rest)),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.rest()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.rest()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
#[path = "tcp_tests.rs"]
mod tests;
