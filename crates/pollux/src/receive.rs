//! `$RECEIVE`: everything that comes to a pair, in one place.

use crate::engine::{Arrived, Delivery, Handle, InputData, RequestKey};
use crate::error::{Error, Result};
use pollux_wire::checkpoint::Opener;
use pollux_wire::limits::{PAYLOAD_BYTES_MAX, RECEIVE_DEPTH_MAX};
use pollux_wire::path::IoType;
use pollux_wire::system::SystemMessage;
use pollux_wire::{ConnectionId, FileError, HeldId, ListenerId, OpenId, SyncId};
use std::fmt::Display;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

/// How many requests a server holds without a reply (Guardian Procedure Calls, `FILE_OPEN_`, receive depth).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiveDepth(u16);

impl ReceiveDepth {
    /// One request at a time.
    pub const ONE: Self = Self(1);

    /// So many requests: 1 to 16,300.
    pub fn new(depth: u16) -> Result<Self> {
        if depth == 0 || depth > RECEIVE_DEPTH_MAX {
            return Err(Error::Misuse("a receive depth is 1 to 16300"));
        }
        Ok(Self(depth))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

/// The pair's input queue.
///
/// Between two calls of [`Receive::next`] lies one *turn*: what the program changes and answers in it reaches the backup
/// together, or not at all. Change the state for a request in the turn in which you reply to it.
pub struct Receive {
    handle: Handle,
}

/// Names a descriptor that [`Receive::watch_local`] watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchId(u32);

/// What came.
pub enum Event {
    /// A request of an opener.
    Request(Request),
    /// A system message, if [`Receive::want_system_messages`] was called.
    System(SystemMessage),
    /// The path of an opener has ended without a word, so its process is dead; with system messages. The open of one
    /// that has a name is kept for 60 s, since its pair may come back to it; [`SystemMessage::Closed`] tells of its end.
    OpenerLost(OpenId),
    /// A held descriptor is readable; told once for each [`Receive::watch`].
    Readable(HeldId),
    /// A descriptor of this process is readable; see [`Receive::watch_local`].
    Local(WatchId),
    /// A connection was accepted.
    Connected(Connection),
    /// Bytes came over a connection.
    Input(Input),
    /// A connection has ended; its number is not used again.
    Disconnected(ConnectionId),
    /// The time set by [`Receive::tick_every`] has passed.
    Tick,
}

impl Receive {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// The next request; everything else is passed over (connections are closed). `None`: the pair has been stopped.
    #[expect(clippy::should_implement_trait, reason = "an iterator could not return an error and go on")]
    pub fn next(&mut self) -> Result<Option<Request>> {
        loop {
            match self.event()? {
                None => return Ok(None),
                Some(Event::Request(request)) => return Ok(Some(request)),
                Some(Event::Connected(connection)) => connection.close(),
                Some(_) => {}
            }
        }
    }

    /// Whatever comes next. `None`: the pair has been stopped.
    #[inline]
    pub fn event(&mut self) -> Result<Option<Event>> {
        let delivery = self.handle.engine().next_delivery()?;
        Ok(delivery.map(|delivery| self.event_of(delivery)))
    }

    #[inline]
    pub(crate) fn event_of(&self, delivery: Delivery) -> Event {
        let handle = self.handle.clone();
        match delivery {
            Delivery::Request(arrived, promotions) => {
                let Arrived { open, sync, io, reply_bytes_max, payload, descriptor } = arrived;
                let key = RequestKey { open, sync, promotions, deferred: false };
                Event::Request(Request {
                    handle: Some(handle),
                    key,
                    io,
                    reply_bytes_max,
                    payload,
                    descriptor,
                })
            }
            Delivery::OpenerLost(open) => Event::OpenerLost(open),
            Delivery::Readable(held) => Event::Readable(held),
            Delivery::Local(id) => Event::Local(WatchId(id)),
            Delivery::System(message) => Event::System(*message),
            Delivery::Connected(id) => Event::Connected(Connection { handle, id }),
            Delivery::Input(data) => Event::Input(Input { handle, data: Some(data) }),
            Delivery::Disconnected(id) => Event::Disconnected(id),
            Delivery::Tick => Event::Tick,
        }
    }

    /// From here on system messages are handed out.
    pub fn want_system_messages(&mut self) {
        self.handle.engine().wants_system = true;
    }

    /// From here on requests come with their descriptors; until then those are closed.
    pub fn want_descriptors(&mut self) {
        self.handle.engine().wants_descriptors = true;
    }

    /// Who is behind an open, as the node vouches for it; none if the open has ended.
    pub fn opener(&self, open: OpenId) -> Option<Opener> {
        self.handle.engine().replica.opens.get(&open).map(|state| state.opener.clone())
    }

    /// Looks at a held descriptor until it is readable: then [`Event::Readable`] comes, once. A new primary looks at none
    /// until it is asked to.
    pub fn watch(&mut self, id: HeldId) -> Result<()> {
        self.handle.engine().watch_held(id)
    }

    /// Waits for a descriptor of this process alone beside everything else: [`Event::Local`] comes as long as it is
    /// readable, in the primary. At most 1024.
    pub fn watch_local(&mut self, fd: OwnedFd) -> Result<WatchId> {
        self.handle.engine().watch_local(fd).map(WatchId)
    }

    /// Waits for it no more, and closes it.
    pub fn unwatch_local(&mut self, id: WatchId) {
        self.handle.engine().unwatch_local(id.0);
    }

    /// From here on [`Event::Tick`] comes at this interval, in the primary; the first one at once.
    pub fn tick_every(&mut self, interval: Duration) {
        self.handle.engine().tick_every = Some(interval);
    }

    /// A connection by its number.
    pub fn connection(&self, id: ConnectionId) -> Option<Connection> {
        self.handle.engine().peer(id).is_some().then(|| Connection { handle: self.handle.clone(), id })
    }
}

/// A request of an opener. Reply to it once; a request that is dropped is answered with error 2.
///
/// A reply may be put off as long as one likes. If this half dies, or falls back to being the backup, before it has
/// replied, the new primary gets the request again; a reply that comes from here after that is dropped.
pub struct Request {
    handle: Option<Handle>,
    key: RequestKey,
    io: IoType,
    reply_bytes_max: u32,
    payload: Vec<u8>,
    descriptor: Option<OwnedFd>,
}

impl Request {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.payload
    }

    /// Its bytes as text.
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.payload).map_err(|error| self.not_a("text", &error))
    }

    /// Its bytes as a number, a name, or whatever else can be read from text.
    pub fn parse<T: FromStr<Err: Display>>(&self) -> Result<T> {
        self.text()?.trim().parse().map_err(|error| self.not_a("a value of the wanted type", &error))
    }

    /// Which open it came over.
    pub fn open(&self) -> OpenId {
        self.key.open
    }

    /// Its number in that open.
    pub fn sync(&self) -> SyncId {
        self.key.sync
    }

    /// What the sender did (`FILE_GETRECEIVEINFO_`, I/O type).
    pub fn io(&self) -> IoType {
        self.io
    }

    /// Most reply bytes that the sender takes.
    pub fn reply_bytes_max(&self) -> u32 {
        self.reply_bytes_max
    }

    /// The descriptor that came with it, once; for a pair that wants them ([`Receive::want_descriptors`]). Also a request
    /// that comes again after a takeover comes with its descriptor.
    pub fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptor.take()
    }

    /// The reply depends on something that may take for ever: the request does not count towards the receive depth, and
    /// an exchange of roles does not wait for it.
    pub fn defer(&mut self) {
        if let Some(handle) = &self.handle {
            handle.engine().defer(&mut self.key);
        }
    }

    /// Replies. The reply leaves when the backup has it together with the changes made in this turn.
    pub fn reply(self, payload: impl Into<Vec<u8>>) -> Result<()> {
        self.reply_with(FileError::OK, payload)
    }

    /// Replies with an error number: 300 to 511 are for applications.
    pub fn reply_error(self, error: FileError) -> Result<()> {
        self.reply_with(error, Vec::new())
    }

    /// Replies with an error number and data.
    pub fn reply_with(mut self, error: FileError, payload: impl Into<Vec<u8>>) -> Result<()> {
        let mut payload = payload.into();
        payload.truncate((self.reply_bytes_max as usize).min(PAYLOAD_BYTES_MAX));
        if let Some(handle) = self.handle.take() {
            handle.engine().reply(&self.key, std::mem::take(&mut self.payload), error, payload);
        }
        Ok(())
    }

    fn not_a(&self, what: &str, error: &dyn Display) -> Error {
        Error::Value { object: format!("a request as {what}"), reason: error.to_string() }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // A panic must not answer: the other half takes over and gets the request again.
        if let Some(handle) = self.handle.take()
            && !thread::panicking()
        {
            let asked = std::mem::take(&mut self.payload);
            handle.engine().reply(&self.key, asked, FileError::INVALID_OPERATION, Vec::new());
        }
    }
}

/// A listening socket of the pair.
pub struct Listener {
    handle: Handle,
    id: ListenerId,
}

impl Listener {
    pub(crate) fn new(handle: Handle, id: ListenerId) -> Self {
        Self { handle, id }
    }

    /// The address that it listens on; with port 0 the one that the system chose.
    pub fn local_address(&self) -> Result<SocketAddr> {
        self.handle.engine().listener_address(self.id)
    }
}

/// An accepted connection of the pair.
#[derive(Clone)]
pub struct Connection {
    handle: Handle,
    id: ConnectionId,
}

impl Connection {
    /// Its number.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The far address.
    pub fn peer(&self) -> Option<String> {
        self.handle.engine().peer(self.id).map(str::to_owned)
    }

    /// Writes; the bytes leave when the backup has them. Error 16 if the connection has ended.
    pub fn write(&self, output: &[u8]) -> Result<()> {
        self.handle.engine().write_to(self.id, output)
    }

    /// Ends the connection when all that was written has left.
    pub fn close(&self) {
        self.handle.engine().close_by_program(self.id);
    }
}

/// Bytes that came over a connection and were not consumed yet.
///
/// Consume whole messages; what is left comes again, with more behind it. Consumed input, output and changes of the state
/// reach the backup together, when the next event is asked for.
pub struct Input {
    handle: Handle,
    data: Option<InputData>,
}

impl Input {
    /// Which connection.
    pub fn connection(&self) -> ConnectionId {
        self.data().connection
    }

    /// The bytes that are not consumed.
    pub fn bytes(&self) -> &[u8] {
        let data = self.data();
        &data.input[data.used..]
    }

    /// The first `count` bytes are handled.
    pub fn consume(&mut self, count: usize) {
        let data = self.data_mut();
        assert!(count <= data.input.len() - data.used, "more input is consumed than there is");
        data.used += count;
    }

    /// Output, to be appended to.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.data_mut().output
    }

    /// The bytes that are not consumed, and the output: for programs that go through both in one pass and report
    /// with [`Input::consume`] what they used.
    pub fn split(&mut self) -> (&[u8], &mut Vec<u8>) {
        let data = self.data_mut();
        (&data.input[data.used..], &mut data.output)
    }

    /// Ends the connection when all output has left.
    pub fn close(&mut self) {
        self.data_mut().close = true;
    }

    fn data(&self) -> &InputData {
        self.data.as_ref().expect("the data is there until the drop")
    }

    fn data_mut(&mut self) -> &mut InputData {
        self.data.as_mut().expect("the data is there until the drop")
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if let Some(data) = self.data.take()
            && !thread::panicking()
        {
            self.handle.engine().finish_input(data);
        }
    }
}
