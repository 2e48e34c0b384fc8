//! The provider as a pair: requests in, descriptors out, and the kernel beside it.
//!
//! One event, one turn: what [`State`] changes for it is written to the replicated map before the turn ends, and a socket is
//! a held descriptor of the pair, so both reach the backup together or not at all, and ahead of every reply.

mod window;

use crate::errors;
use crate::state::{Action, Asker, CLAIMING_MAX, Condition, Kernel, Member, State};
use crate::stored::Stored;
use pollux::{Event, HeldId, Map, Pair, Receive, ReceiveDepth, Request, Result, SystemMessage};
use pollux_os::stream_positions;
use pollux_wire::limits::RECEIVE_DEPTH_MAX;
use pollux_wire::sockets::{SocketReply, SocketRequest, SocketRole};
use pollux_wire::{FileError, OpenId, SocketId, SyncId, decode, encode};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, accept_with, getpeername, getsockname, sockopt};
use rustix::process::{Resource, getrlimit};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;
use window::Window;

/// Between two ticks: the unit of all waiting times of [`State`].
const TICK: Duration = Duration::from_millis(500);
/// Sockets of a provider; one more is refused with 4121, or waits in its listen queue.
pub const SOCKETS_MAX: usize = 8_192;
/// Connections accepted in one turn; further ones are told by the next event.
const ACCEPTED_PER_TURN_MAX: usize = 8;
/// Kernel states of a connection (`tcp_states.h`) in which it can still be used as if it were new.
const FRESH_STATES: [u8; 2] = [1, 8];
/// The kernel state of one that has ended.
const CLOSED_STATE: u8 = 7;

/// Runs a half of a provider until its pair is stopped. For a process that does nothing else: an error is to end it, and a
/// panic does.
pub fn serve() -> Result<()> {
    window::end_at_panic();
    let window = Window::guarded();
    let pair = Pair::join()?;
    let map = pair.map("sockets")?;
    let mut receive = pair.receive(ReceiveDepth::new(RECEIVE_DEPTH_MAX)?)?;
    receive.want_system_messages();
    receive.want_descriptors();
    receive.tick_every(TICK);
    let mut provider = Provider {
        sockets_max: sockets_max(),
        promotions: None,
        state: State::default(),
        waiting: BTreeMap::new(),
        starved: BTreeSet::new(),
        accepted_in_turn: 0,
        window,
        pair,
        map,
        receive,
    };
    let outcome = provider.run();
    if outcome.is_err() {
        // The guard sees an open descriptor of each connection until the process ends, and lives longer.
        std::mem::forget(provider);
    }
    outcome
}

/// Half of the descriptors that this process may have, at most: each open of the provider takes one, too.
fn sockets_max() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(descriptors / 2).unwrap_or(usize::MAX).min(SOCKETS_MAX)
}

struct Provider {
    pair: Pair,
    map: Map<u64, Stored>,
    receive: Receive,
    sockets_max: usize,
    /// As what this half reads the map: none before the first event.
    promotions: Option<u64>,
    state: State,
    /// Accepts that wait for a connection, with the channel of those that claim it.
    waiting: BTreeMap<(OpenId, SyncId), (Request, Option<OwnedFd>)>,
    /// Listeners, and channels of guards, from which nothing could be taken for want of room; tried again with the next tick.
    starved: BTreeSet<SocketId>,
    accepted_in_turn: usize,
    window: Window,
}

/// What the kernel knows, by way of the pair's descriptors.
struct Descriptors<'a>(&'a Pair);

impl Kernel for Descriptors<'_> {
    fn condition(&self, socket: SocketId) -> Condition {
        // Without an answer nothing is risked: a connection that counts as used is not offered again.
        self.0.descriptor(held(socket)).map_or(Condition::Used, |fd| condition(&fd))
    }
}

fn condition(connection: &OwnedFd) -> Condition {
    match stream_positions(connection) {
        Ok(at) if at.state == CLOSED_STATE => Condition::Gone,
        Ok(at) if at.consumed() == 0 && at.produced() == 0 && FRESH_STATES.contains(&at.state) => {
            Condition::Pristine
        }
        _ => Condition::Used,
    }
}

/// A socket is known by the number under which the pair holds it.
fn held(socket: SocketId) -> HeldId {
    HeldId(socket.0)
}

impl Provider {
    fn run(&mut self) -> Result<()> {
        while let Some(event) = self.receive.event()? {
            self.accepted_in_turn = 0;
            self.become_current()?;
            self.handle(event)?;
            self.carry_out()?;
        }
        Ok(())
    }

    /// After each change of roles: the state is what the map says. Requests that waited come again.
    fn become_current(&mut self) -> Result<()> {
        let promotions = self.pair.promotions().0;
        if self.promotions == Some(promotions) {
            return Ok(());
        }
        self.promotions = Some(promotions);
        let entries = self.map.entries()?;
        let sockets = entries.iter().filter_map(|(id, stored)| Some((SocketId(*id), stored.socket()?)));
        self.state = State::restore(sockets);
        self.waiting.clear();
        self.starved.clear();
        self.look_for_lost_opens();
        self.open_window()
    }

    fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Request(request) => self.answer(request)?,
            Event::System(SystemMessage::Cancelled { open, sync }) => {
                self.state.cancelled(open, sync, &Descriptors(&self.pair));
            }
            Event::System(SystemMessage::Closed { open }) => {
                self.state.opener_gone(open, false, &Descriptors(&self.pair));
            }
            Event::OpenerLost(open) => self.state.opener_gone(open, true, &Descriptors(&self.pair)),
            Event::Readable(id) => self.readable(id)?,
            Event::Local(id) => self.local(id)?,
            Event::Tick => {
                self.state.tick(&Descriptors(&self.pair));
                self.look_for_lost_opens();
                self.try_starved()?;
            }
            Event::Connected(connection) => connection.close(),
            Event::System(_) | Event::Input(_) | Event::Disconnected(_) => {}
        }
        Ok(())
    }

    fn readable(&mut self, id: HeldId) -> Result<()> {
        if self.window.is_channel(id) { self.take_in_saved(id) } else { self.accept(SocketId(id.0)) }
    }

    fn try_starved(&mut self) -> Result<()> {
        std::mem::take(&mut self.starved).into_iter().try_for_each(|id| self.readable(held(id)))
    }

    /// The word of an opener's end may have died with a primary.
    fn look_for_lost_opens(&mut self) {
        for open in self.state.opens() {
            if self.receive.opener(open).is_none() {
                self.state.opener_gone(open, true, &Descriptors(&self.pair));
            }
        }
    }

    fn answer(&mut self, mut request: Request) -> Result<()> {
        let Ok(asked) = decode::<SocketRequest>(request.bytes()) else {
            return request.reply_error(FileError::INVALID_OPERATION);
        };
        let Some(asker) = self.asker(request.open()) else {
            return request.reply_error(FileError::WRONG_ID);
        };
        if let SocketRequest::Accept { socket, queue } = asked {
            let channel = request.take_descriptor();
            let times = if channel.is_some() { CLAIMING_MAX } else { 1 };
            return match self.prepare_accept(request.open(), socket, queue, times) {
                Err(error) => request.reply_error(error),
                Ok(()) => {
                    let (open, sync, claims) = (request.open(), request.sync(), channel.is_some());
                    request.defer();
                    self.waiting.insert((open, sync), (request, channel));
                    let kernel = Descriptors(&self.pair);
                    if claims {
                        self.state.accept_and_claim(&asker, sync, socket, &kernel);
                    } else {
                        self.state.accept(open, sync, socket, &kernel);
                    }
                    Ok(())
                }
            };
        }
        let descriptor = request.take_descriptor();
        match self.outcome(&asker, asked, descriptor) {
            Ok(reply) => request.reply(encode(&reply)),
            Err(error) => request.reply_error(error),
        }
    }

    fn asker(&self, open: OpenId) -> Option<Asker> {
        let opener = self.receive.opener(open)?;
        let member = Member { open, phandle: opener.phandle, name: opener.name };
        Some(Asker { member, uid: opener.uid })
    }

    fn outcome(
        &mut self,
        asker: &Asker,
        asked: SocketRequest,
        descriptor: Option<OwnedFd>,
    ) -> Result<SocketReply, FileError> {
        let open = asker.member.open;
        let kernel = Descriptors(&self.pair);
        match asked {
            SocketRequest::Keep { role } => {
                let socket = self.keep(asker, role, descriptor.ok_or(errors::NO_DESCRIPTOR)?)?;
                Ok(SocketReply::Kept { socket })
            }
            SocketRequest::Carry {} => {
                let socket = self.carry(asker, descriptor.ok_or(errors::NO_DESCRIPTOR)?)?;
                Ok(SocketReply::Kept { socket })
            }
            SocketRequest::Claim { remote, local } => {
                let channel = descriptor.ok_or(errors::NO_DESCRIPTOR)?;
                let (socket, local, remote) = self.state.claim(asker, remote, local, &kernel)?;
                self.hand_over(channel, socket)?;
                Ok(SocketReply::Claimed { socket, local, remote })
            }
            SocketRequest::Fetch { socket } => {
                let channel = descriptor.ok_or(errors::NO_DESCRIPTOR)?;
                self.state.fetch(open, socket)?;
                self.hand_over(channel, socket)?;
                Ok(SocketReply::Fetched {})
            }
            SocketRequest::Join { socket, brother } => {
                let channel = descriptor.ok_or(errors::NO_DESCRIPTOR)?;
                let role = self.state.join(asker, socket, brother)?;
                self.hand_over(channel, socket)?;
                Ok(SocketReply::Joined { role })
            }
            SocketRequest::Leave { socket } => {
                self.state.leave(open, socket, &kernel)?;
                Ok(SocketReply::Left {})
            }
            SocketRequest::Farewell {} => {
                self.state.farewell(&asker.member, &kernel);
                Ok(SocketReply::Parted {})
            }
            SocketRequest::List {} => {
                let mut sockets = self.state.list();
                for entry in &mut sockets {
                    if let Ok(fd) = self.pair.descriptor(held(entry.socket)) {
                        entry.local = near(&fd).or(entry.local);
                        entry.remote = far(&fd).or(entry.remote);
                    }
                }
                Ok(SocketReply::Sockets { sockets })
            }
            SocketRequest::Accept { .. } => Err(FileError::INVALID_OPERATION),
        }
    }

    fn hand_over(&self, channel: OwnedFd, socket: SocketId) -> Result<(), FileError> {
        self.pair.hand_over(channel, held(socket)).map_err(|_| errors::IO)
    }

    fn keep(&mut self, asker: &Asker, role: SocketRole, fd: OwnedFd) -> Result<SocketId, FileError> {
        let (id, local) = self.hold(role, fd)?;
        self.state.keep(asker, id, role, local);
        Ok(id)
    }

    fn carry(&mut self, asker: &Asker, fd: OwnedFd) -> Result<SocketId, FileError> {
        if !sockopt::socket_acceptconn(&fd).map_err(errors::of_kernel)? {
            return Err(errors::INVALID);
        }
        let cookie = sockopt::socket_cookie(&fd).map_err(errors::of_kernel)?;
        let is_same = |id: &SocketId| {
            self.pair.descriptor(held(*id)).is_ok_and(|fd| sockopt::socket_cookie(fd) == Ok(cookie))
        };
        let known = self.state.carried(asker.uid).find(is_same);
        if let Some(id) = known {
            self.state.carry_on(asker, id)?;
            return Ok(id);
        }
        let (id, local) = self.hold(SocketRole::Listener, fd)?;
        self.state.carry(asker, id, local);
        Ok(id)
    }

    fn hold(&mut self, role: SocketRole, fd: OwnedFd) -> Result<(SocketId, Option<SocketAddr>), FileError> {
        let family = sockopt::socket_domain(&fd).map_err(errors::of_kernel)?;
        if family != AddressFamily::INET && family != AddressFamily::INET6 {
            return Err(errors::FAMILY);
        }
        if self.state.len() >= self.sockets_max {
            return Err(errors::NO_ROOM);
        }
        if role == SocketRole::Listener {
            // Shared with all who have it. A connection may vanish between its announcement and its acceptance.
            rustix::io::ioctl_fionbio(&fd, true).map_err(errors::of_kernel)?;
        }
        let local = near(&fd);
        let id = self.pair.hold(fd, role.to_string().as_bytes()).map_err(|_| errors::NO_MORE_DESCRIPTORS)?;
        Ok((SocketId(id.0), local))
    }

    fn prepare_accept(
        &mut self,
        open: OpenId,
        socket: SocketId,
        queue: u16,
        times: usize,
    ) -> Result<(), FileError> {
        if self.state.may_accept(open, socket, queue, times)? {
            let fd = self.pair.descriptor(held(socket)).map_err(|_| errors::NO_MORE_DESCRIPTORS)?;
            rustix::net::listen(&fd, i32::from(queue)).map_err(errors::of_kernel)?;
            self.state.listens(socket, near(&fd));
        }
        Ok(())
    }

    /// Accepts for those who wait.
    fn accept(&mut self, listener: SocketId) -> Result<()> {
        while self.accepted_in_turn < ACCEPTED_PER_TURN_MAX {
            if !self.state.wants_connection(listener) {
                return Ok(());
            }
            if self.state.len() >= self.sockets_max || !self.window.may_accept() {
                self.starved.insert(listener);
                return Ok(());
            }
            let accepted = match self.pair.descriptor(held(listener)) {
                // Without close-on-exec: unknown to the backup. Holding it changes that.
                Ok(fd) => accept_with(&fd, SocketFlags::NONBLOCK),
                Err(_) => Err(Errno::MFILE),
            };
            match accepted {
                Ok(connection) => self.take_in(listener, connection)?,
                Err(Errno::WOULDBLOCK) => break,
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::INVAL) => {
                    self.starved.insert(listener);
                    return Ok(());
                }
                // The peer has gone while it waited.
                Err(_) => {}
            }
        }
        if self.receive.watch(held(listener)).is_err() {
            self.starved.insert(listener);
        }
        Ok(())
    }

    fn take_in(&mut self, listener: SocketId, connection: OwnedFd) -> Result<()> {
        // The reply of a server leaves at once: the server gathers what belongs together.
        let _ = sockopt::set_tcp_nodelay(&connection, true);
        let (Some(local), Some(remote)) = (near(&connection), far(&connection)) else {
            // Reset while it waited.
            return Ok(());
        };
        // The listener's own duplicate was closed just now, so there is room for the one that goes to the backup.
        self.accepted_in_turn += 1;
        let id = self.pair.hold(connection, b"connection")?;
        self.state.accepted(listener, SocketId(id.0), local, remote);
        Ok(())
    }

    /// Does what the state wants done, and writes what has changed to the map.
    fn carry_out(&mut self) -> Result<()> {
        while let Some(action) = self.state.poll_action() {
            match action {
                Action::Answer { open, sync, with } => {
                    if let Some((request, channel)) = self.waiting.remove(&(open, sync)) {
                        if let (Some(channel), Ok(SocketReply::Claimed { socket, .. })) = (channel, &with) {
                            // Whoever does not get it fetches it.
                            let _ = self.hand_over(channel, *socket);
                        }
                        match with {
                            Ok(reply) => request.reply(encode(&reply))?,
                            Err(error) => request.reply_error(error)?,
                        }
                    }
                }
                Action::Forget { open, sync } => drop(self.waiting.remove(&(open, sync))),
                Action::Accept { listener } => self.accept(listener)?,
                Action::Close { socket, reset } => {
                    if reset && let Ok(fd) = self.pair.descriptor(held(socket)) {
                        let _ = sockopt::set_socket_linger(&fd, Some(Duration::ZERO));
                    }
                    self.pair.release(held(socket))?;
                }
            }
        }
        for (id, socket) in self.state.take_changed() {
            match socket {
                Some(socket) => drop(self.map.insert(id.0, Stored::from(&socket))?),
                None => drop(self.map.remove(&id.0)?),
            }
        }
        Ok(())
    }
}

fn near(fd: &OwnedFd) -> Option<SocketAddr> {
    SocketAddr::try_from(getsockname(fd).ok()?).ok()
}

fn far(fd: &OwnedFd) -> Option<SocketAddr> {
    SocketAddr::try_from(getpeername(fd).ok()??).ok()
}
