//! The daemon's connections: to processes, peers and commands. Bytes and descriptors only; what they mean is decided
//! elsewhere.

use crate::limits::LINK_QUEUE_BYTES_MAX;
use pollux_os::{Channel, Fill, Flush, Interest, Poller};
use pollux_wire::admin::{ADMIN, AdminRequest};
use pollux_wire::control::{CONTROL, ToDaemon};
use pollux_wire::limits::CONTROL_BODY_BYTES_MAX;
use pollux_wire::mesh::{MESH, ToPeer};
use pollux_wire::{CpuNumber, Phandle, Wire, decode, encode};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

/// Names a connection; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkId(pub(crate) u64);

/// Who is at the other end.
#[derive(Debug)]
pub(crate) enum Role {
    /// Somebody who has not said it yet.
    Unknown,
    /// A process that came by itself and waits for its phandle. With its life page.
    Arriving(OwnedFd),
    /// A process of this CPU.
    Process(Phandle),
    /// A peer that this daemon called and that has not said hello.
    Called(CpuNumber),
    /// A peer.
    Peer(CpuNumber),
    /// A command.
    Command,
}

/// A frame, understood.
#[derive(Debug)]
pub(crate) enum Incoming {
    Control(ToDaemon, Vec<OwnedFd>),
    Mesh(ToPeer, Vec<OwnedFd>),
    Admin(AdminRequest, Vec<OwnedFd>),
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Link {
    channel: Channel,
    /// Who is at the other end.
    pub(crate) role: Role,
    /// User id the kernel reported.
    pub(crate) uid: u32,
    /// Process id the kernel reported; for people.
    pub(crate) pid: u32,
    /// Own tick in which it was made.
    pub(crate) since_tick: u64,
    waits_for_room: bool,
}

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Links {
    links: BTreeMap<LinkId, Link>,
    last_id: u64,
    /// With something to send.
    dirty: Vec<LinkId>,
    /// That cannot go on, and why.
    broken: Vec<(LinkId, String)>,
}

impl Links {
    /// Adds a connection and waits for what comes; `token` makes the poller's token of its id.
    pub(crate) fn add(
        &mut self,
        poller: &Poller,
        token: impl Fn(LinkId) -> u64,
        fd: OwnedFd,
        role: Role,
        (uid, pid): (u32, u32),
        since_tick: u64,
    ) -> io::Result<LinkId> {
        self.last_id += 1;
        let id = LinkId(self.last_id);
        poller.add(&fd, token(id), Interest::READ)?;
        let mut channel = Channel::new(fd, CONTROL_BODY_BYTES_MAX);
        channel.set_stop_at_short_read(true);
        self.links.insert(id, Link { channel, role, uid, pid, since_tick, waits_for_room: false });
        Ok(id)
    }

    /// The connection, if it is there.
    pub(crate) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.get_mut(&id)
    }

    /// All connections.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.links.iter().map(|(id, link)| (*id, link))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.links.len()
    }

    /// Closes a connection. What is queued is sent as far as the socket takes it.
    pub(crate) fn close(&mut self, poller: &Poller, id: LinkId) -> Option<Link> {
        let mut link = self.links.remove(&id)?;
        // Whoever is not there any more gets nothing.
        let _ = link.channel.flush();
        let _ = poller.remove(link.channel.as_fd());
        Some(link)
    }

    /// Queues a frame. To a connection that is gone this does nothing: its end is told by its own event.
    pub(crate) fn send<T: Wire>(&mut self, id: LinkId, kind: u8, descriptors: Vec<OwnedFd>, message: &T) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let body = encode(message);
        let queued = link.channel.queued_bytes();
        if body.len() > CONTROL_BODY_BYTES_MAX {
            let why = format!("a message of {} bytes cannot be sent", body.len());
            self.broken.push((id, why));
        } else if queued + body.len() > LINK_QUEUE_BYTES_MAX {
            self.broken.push((id, format!("it does not read: {queued} bytes wait for it")));
        } else {
            link.channel.queue_with(kind, descriptors, |out| out.extend_from_slice(&body));
            self.dirty.push(id);
        }
    }

    /// Sends what is queued.
    pub(crate) fn flush(&mut self, poller: &Poller, token: impl Fn(LinkId) -> u64) {
        for id in std::mem::take(&mut self.dirty) {
            self.flush_one(poller, id, token(id));
        }
    }

    /// Sends what is queued for one connection, and waits for room if that is not all.
    pub(crate) fn flush_one(&mut self, poller: &Poller, id: LinkId, token: u64) {
        let Some(link) = self.links.get_mut(&id) else { return };
        // A broken connection is told by its end, which stays readable.
        let blocked = matches!(link.channel.flush(), Ok(Flush::Blocked));
        if blocked != link.waits_for_room {
            link.waits_for_room = blocked;
            let interest = if blocked { Interest::READ_WRITE } else { Interest::READ };
            if let Err(error) = poller.modify(link.channel.as_fd(), token, interest) {
                self.broken.push((id, format!("its interest cannot be changed: {error}")));
            }
        }
    }

    /// The next connection that cannot go on, and why.
    pub(crate) fn poll_broken(&mut self) -> Option<(LinkId, String)> {
        self.broken.pop()
    }
}

impl Link {
    /// Reads what is there. True when nothing comes behind it; frames that came are still to be taken.
    pub(crate) fn fill(&mut self) -> Result<bool, String> {
        match self.channel.fill() {
            Ok(Fill::Closed) => Ok(true),
            Ok(Fill::Open | Fill::Full) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The next frame. An error is garbage from the other end (S17).
    pub(crate) fn next_frame(&mut self) -> Result<Option<Incoming>, String> {
        let frame = self.channel.next_frame().map_err(|error| error.to_string())?;
        let Some(frame) = frame else { return Ok(None) };
        let what = |error: pollux_wire::DecodeError| error.to_string();
        Ok(Some(match frame.kind {
            CONTROL => Incoming::Control(decode(frame.body).map_err(what)?, frame.descriptors),
            MESH => Incoming::Mesh(decode(frame.body).map_err(what)?, frame.descriptors),
            ADMIN => Incoming::Admin(decode(frame.body).map_err(what)?, frame.descriptors),
            kind => return Err(format!("a frame of the unknown kind {kind}")),
        }))
    }
}
