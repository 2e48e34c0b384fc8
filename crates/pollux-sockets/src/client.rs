//! The other end of the protocol: what a program asks its provider.

use pollux::{Answer, Error, Node, OpenOptions, Result, Server, Ticket};
use pollux_os::{socket_pair, take_passed_descriptor};
use pollux_wire::sockets::{SocketEntry, SocketReply, SocketRequest, SocketRole};
use pollux_wire::{DecodeError, Phandle, SocketId, decode, encode};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// How often a reply without its descriptor is asked for again: once for each takeover that comes in between.
const FETCH_TRIES_MAX: u32 = 100;

/// An open of a provider. An accept that waits takes one of its places; an open that also does other things at that time
/// needs more than two.
pub struct Client {
    server: Server,
}

/// A connection that was claimed.
#[derive(Debug)]
pub struct Claimed {
    /// Its number in the provider.
    pub socket: SocketId,
    /// Its near address.
    pub local: SocketAddr,
    /// Its far address.
    pub remote: SocketAddr,
    /// The connection.
    pub connection: OwnedFd,
}

impl Client {
    /// Opens a provider by name, for so many requests at a time.
    pub fn open(node: &Node, provider: &str, outstanding: u16) -> Result<Self> {
        Ok(Self { server: node.open_with(provider, OpenOptions::outstanding(outstanding))? })
    }

    /// Shows a socket to the provider, which keeps it while somebody has it. A listener becomes nonblocking, for all
    /// who have it.
    pub fn keep(&mut self, socket: impl AsFd, role: SocketRole) -> Result<SocketId> {
        let duplicate = socket.as_fd().try_clone_to_owned().map_err(system("duplicate a socket"))?;
        let request = encode(&SocketRequest::Keep { role });
        match reply(self.server.request_with(&request, duplicate)?)? {
            SocketReply::Kept { socket } => Ok(socket),
            _ => Err(unexpected()),
        }
    }

    /// Waits for a connection: its near and its far address.
    pub fn accept(&mut self, socket: SocketId, queue: u16) -> Result<(SocketAddr, SocketAddr)> {
        let ticket = self.start_accept(socket, queue)?;
        Ok(self.finish_accept(ticket, None)?.expect("without a limit the wait ends with an answer"))
    }

    /// Begins to wait for a connection.
    pub fn start_accept(&mut self, socket: SocketId, queue: u16) -> Result<Ticket> {
        self.server.start(&encode(&SocketRequest::Accept { socket, queue }))
    }

    /// Waits at most so long; then the accept is cancelled, and a connection that came meanwhile is given back.
    pub fn finish_accept(
        &mut self,
        ticket: Ticket,
        limit: Option<Duration>,
    ) -> Result<Option<(SocketAddr, SocketAddr)>> {
        match self.server.finish_within(ticket, limit)?.map(reply).transpose()? {
            None => Ok(None),
            Some(SocketReply::Pending { local, remote }) => Ok(Some((local, remote))),
            Some(_) => Err(unexpected()),
        }
    }

    /// Takes a connection that is pending.
    pub fn claim(&mut self, remote: SocketAddr, local: Option<SocketAddr>) -> Result<Claimed> {
        let (answer, connection) = self.with_channel(&SocketRequest::Claim { remote, local })?;
        let SocketReply::Claimed { socket, local, remote } = answer else { return Err(unexpected()) };
        let connection = match connection {
            Some(connection) => connection,
            None => self.fetch(socket)?,
        };
        Ok(Claimed { socket, local, remote, connection })
    }

    /// A duplicate of a socket of which this open is a member.
    pub fn fetch(&mut self, socket: SocketId) -> Result<OwnedFd> {
        for _ in 0..FETCH_TRIES_MAX {
            if let (_, Some(socket)) = self.with_channel(&SocketRequest::Fetch { socket })? {
                return Ok(socket);
            }
        }
        Err(unexpected())
    }

    /// Becomes a member beside the other half of this process's pair.
    pub fn join(&mut self, socket: SocketId, brother: Phandle) -> Result<(SocketRole, OwnedFd)> {
        let (answer, duplicate) = self.with_channel(&SocketRequest::Join { socket, brother })?;
        let SocketReply::Joined { role } = answer else { return Err(unexpected()) };
        let duplicate = match duplicate {
            Some(duplicate) => duplicate,
            None => self.fetch(socket)?,
        };
        Ok((role, duplicate))
    }

    /// Is no member any more.
    pub fn leave(&mut self, socket: SocketId) -> Result<()> {
        match reply(self.server.request_for_answer(&encode(&SocketRequest::Leave { socket }))?)? {
            SocketReply::Left {} => Ok(()),
            _ => Err(unexpected()),
        }
    }

    /// What the provider has.
    pub fn list(&mut self) -> Result<Vec<SocketEntry>> {
        match reply(self.server.request_for_answer(&encode(&SocketRequest::List {}))?)? {
            SocketReply::Sockets { sockets } => Ok(sockets),
            _ => Err(unexpected()),
        }
    }

    /// The open itself.
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    fn with_channel(&mut self, request: &SocketRequest) -> Result<(SocketReply, Option<OwnedFd>)> {
        let (ours, theirs) = socket_pair().map_err(system("make a channel"))?;
        let answer = reply(self.server.request_with(&encode(request), theirs)?)?;
        let descriptor = take_passed_descriptor(&ours).map_err(system("read a channel"))?;
        Ok((answer, descriptor))
    }
}

fn reply(answer: Answer) -> Result<SocketReply> {
    if !answer.error.is_ok() {
        return Err(Error::File(answer.error));
    }
    decode(&answer.payload).map_err(|source| Error::Malformed { from: "the TCP/IP provider", source })
}

fn unexpected() -> Error {
    Error::Malformed { from: "the TCP/IP provider", source: DecodeError::BadValue("socket reply") }
}

fn system(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::System { what, source }
}
