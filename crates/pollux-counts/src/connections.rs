//! TCP connections of a pair, with their clients, and the acceptor that is played for them.

use crate::Result;
use crate::node::Node;
use pollux_os::Channel;
use pollux_wire::SyncId;
use pollux_wire::limits::PATH_BODY_BYTES_MAX;
use pollux_wire::path::{self, IoType, Request};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

/// A pair and its clients.
pub struct Connections {
    /// The pair.
    pub node: Node,
    clients: Vec<TcpStream>,
    _acceptor: Channel,
}

impl Connections {
    /// The pair is whole, and so many connections are held by both halves.
    pub fn start(count: usize) -> Result<Self> {
        let mut node = Node::start(true, 1)?;
        let (acceptor, address) = node.listen()?;
        let mut acceptor = Channel::new(acceptor, PATH_BODY_BYTES_MAX);
        // The pair's own listener shares nothing with what is counted: its duplicate is with the daemon that is played.
        let listener = TcpListener::bind((address.ip(), 0))?;
        let mut clients = Vec::new();
        for number in 1..=count as u64 {
            let client = TcpStream::connect(listener.local_addr()?)?;
            client.set_nonblocking(true)?;
            clients.push(client);
            let (connection, peer) = listener.accept()?;
            let peer = peer.to_string();
            let request = Request {
                sync: SyncId(number),
                reply_bytes_max: 0,
                io: IoType::WriteRead,
                again: false,
                payload: peer.as_bytes(),
            };
            acceptor.queue_with(path::REQUEST, vec![connection.into()], |out| request.put(out));
            // A path has room for one request.
            let _ = acceptor.flush()?;
            node.turn_primary(true)?;
            node.turn_backup()?;
            node.turn_primary(true)?;
        }
        Ok(Self { node, clients, _acceptor: acceptor })
    }

    /// A client sends a request.
    pub fn send(&mut self, client: usize, request: &[u8]) -> Result<()> {
        Ok(self.clients[client].write_all(request)?)
    }

    /// Whether this reply, and nothing else, is there.
    pub fn has(&mut self, client: usize, reply: &[u8]) -> Result<bool> {
        let mut bytes = vec![0; reply.len() + 1];
        match self.clients[client].read(&mut bytes) {
            Ok(count) => Ok(&bytes[..count] == reply),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// All clients send this request at once, and get it back when the backup has it.
    pub fn exchange(&mut self, request: &[u8]) -> Result<()> {
        for client in 0..self.clients.len() {
            self.send(client, request)?;
        }
        self.node.turn_primary(true)?;
        self.node.turn_backup()?;
        self.node.turn_primary(true)?;
        for client in 0..self.clients.len() {
            if !self.has(client, request)? {
                return Err(format!("client {client} has no answer").into());
            }
        }
        Ok(())
    }
}
