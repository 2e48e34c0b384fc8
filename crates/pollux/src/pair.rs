//! A process pair, from within.

use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::link::Answer;
use crate::objects::cell::{self, RawCell};
use crate::objects::log::{self, RawLog};
use crate::objects::machine::{self, StateMachine};
use crate::objects::map::{self, RawMap};
use crate::objects::{Objects, Shared};
use crate::receive::{Listener, Receive, ReceiveDepth};
use crate::{Cell, Log, Machine, Map};
use pollux_wire::admin::Kept;
use pollux_wire::control::PairState;
use pollux_wire::event::EventKind;
use pollux_wire::{CpuNumber, Epoch, FileError, HeldId, ObjectId, OpenId, Phandle, ProcessName};
use serde::{Serialize, de::DeserializeOwned};
use std::cell::RefCell;
use std::net::ToSocketAddrs;
use std::os::fd::OwnedFd;
use std::process;
use std::rc::Rc;

/// One half of a process pair: the primary, once [`Pair::join`] has returned.
///
/// The program is written as if there were one process. The backup is the same program, in another CPU; it lives inside
/// `join`, applying checkpoints, until the primary is gone or the roles are exchanged. Then `join` returns there too, with
/// all replicated objects, opens, listeners and connections as the old primary's requesters know them.
///
/// After a planned exchange of roles the old primary becomes the backup inside of [`Receive::next`]; what the program holds
/// in ordinary variables is not replicated and must be no more than a cache.
///
/// A pair is used from one thread.
#[derive(Clone)]
pub struct Pair {
    pub(crate) handle: Handle,
}

/// What is told to the engine when a machine's object has its number.
pub(crate) type Binder = Box<dyn Fn(&Handle, ObjectId)>;

/// Describes what a backup must know before it joins.
#[derive(Default)]
pub struct PairBuilder {
    objects: Objects,
    machines: Vec<(String, Shared, Binder)>,
}

impl PairBuilder {
    /// Adds a [`StateMachine`] under a name, as it is when nothing has happened yet. The handle works after the join.
    pub fn machine<M: StateMachine>(&mut self, name: &str, machine: M) -> Machine<M> {
        let machine = Machine::new(name, machine);
        self.objects.machines.insert(name.to_owned(), machine.object());
        self.machines.push((name.to_owned(), machine.object(), machine.binder()));
        machine
    }

    /// Joins: see [`Pair::join`].
    pub fn join(self) -> Result<Pair> {
        let mut engine = Engine::attach(self.objects)?;
        if !engine.wait_until_primary()? {
            process::exit(0);
        }
        let mut bindings = Vec::new();
        for (name, object, binder) in self.machines {
            let (id, _) = engine.object(machine::KIND, &name, || object)?;
            bindings.push((id, binder));
        }
        let handle = Handle::new(engine);
        for (id, binder) in bindings {
            binder(&handle, id);
        }
        Ok(Pair { handle })
    }
}

impl Pair {
    /// Joins the pair that the node started this process for.
    ///
    /// Returns in the primary at once, and in the backup when it becomes the primary; a backup that is told to end, ends
    /// here. Fails with [`Error::NotInNode`] for a program that was started by hand.
    pub fn join() -> Result<Self> {
        Self::builder().join()
    }

    /// For pairs with a [`StateMachine`].
    pub fn builder() -> PairBuilder {
        PairBuilder::default()
    }

    /// The replicated map of that name; empty if the pair has none yet.
    pub fn map<K, V>(&self, name: &str) -> Result<Map<K, V>>
    where
        K: Serialize + DeserializeOwned + 'static,
        V: Serialize + DeserializeOwned + 'static,
    {
        let (id, raw) = self.object::<RawMap>(map::KIND, name)?;
        Ok(Map::new(self.handle.clone(), id, name, raw))
    }

    /// The replicated cell of that name; unset if the pair has none yet.
    pub fn cell<T: Serialize + DeserializeOwned + 'static>(&self, name: &str) -> Result<Cell<T>> {
        let (id, raw) = self.object::<RawCell>(cell::KIND, name)?;
        Ok(Cell::new(self.handle.clone(), id, name, raw))
    }

    /// The replicated log of that name; empty if the pair has none yet.
    pub fn log<T: Serialize + DeserializeOwned + 'static>(&self, name: &str) -> Result<Log<T>> {
        let (id, raw) = self.object::<RawLog>(log::KIND, name)?;
        Ok(Log::new(self.handle.clone(), id, name, raw))
    }

    /// Opens `$RECEIVE`: requests are handed out, so many at a time without a reply.
    pub fn receive(&self, depth: ReceiveDepth) -> Result<Receive> {
        self.handle.engine().receive_depth = usize::from(depth.get());
        Ok(Receive::new(self.handle.clone()))
    }

    /// Listens on a TCP address; the same listener, under the address's own text as its name, after a takeover.
    ///
    /// The socket, the connections that wait in it and those accepted from it survive the primary.
    pub fn listen(&self, address: impl ToSocketAddrs + ToString) -> Result<Listener> {
        let name = address.to_string();
        let id = self.handle.engine().listen(&name, address)?;
        Ok(Listener::new(self.handle.clone(), id))
    }

    /// Opens another server, for this pair as a requester. The open, its sync ids and what is unanswered survive a takeover.
    pub fn open(&self, server: &str) -> Result<PairServer> {
        let server = ProcessName::new(server)?;
        let open = self.handle.engine().call_open(&server)?;
        Ok(PairServer { handle: self.handle.clone(), open })
    }

    /// Holds a descriptor in both halves, like a change of the state: what is replied in this turn leaves when the backup
    /// holds it, too. At most 16 in a turn. The label is the program's, and is replicated with it.
    ///
    /// A descriptor that is not close-on-exec becomes so when the backup holds it, or there is none: the sign for a
    /// [`Guard`](pollux_os::Guard) that it need not be saved.
    pub fn hold(&self, fd: OwnedFd, label: &[u8]) -> Result<HeldId> {
        self.handle.engine().hold(fd, label)
    }

    /// All descriptors that are held, with their labels.
    pub fn held(&self) -> Vec<(HeldId, Vec<u8>)> {
        self.handle.engine().all_held()
    }

    /// A duplicate of a held descriptor.
    pub fn descriptor(&self, id: HeldId) -> Result<OwnedFd> {
        self.handle.engine().held_descriptor(id)
    }

    /// Holds a descriptor no more; both halves close it.
    pub fn release(&self, id: HeldId) -> Result<()> {
        self.handle.engine().release(id)
    }

    /// Sends a duplicate of a held descriptor over a unix socket, with one byte that means nothing, and closes that
    /// socket. It leaves when the backup has what this turn changed, ahead of a reply that is made after this call. If
    /// this half dies before, it does not leave at all: the repeated reply comes without it.
    pub fn hand_over(&self, channel: OwnedFd, id: HeldId) -> Result<()> {
        self.handle.engine().hand_over(channel, id)
    }

    /// Reports an event that `pollux events` shows.
    #[doc(hidden)]
    pub fn report(&self, kind: EventKind, cause: String) -> Result<()> {
        self.handle.engine().report_own(kind, cause)
    }

    /// Says what this half supervises, for `pollux ps`.
    #[doc(hidden)]
    pub fn report_kept(&self, kept: Kept) -> Result<()> {
        self.handle.engine().report_kept(kept)
    }

    /// Stops the pair: the backup first, so that nothing takes over.
    pub fn stop(&self) -> Result<()> {
        self.handle.engine().stop()
    }

    /// The pair's name.
    pub fn name(&self) -> ProcessName {
        self.handle.engine().name.clone()
    }

    /// This half's process handle.
    pub fn phandle(&self) -> Phandle {
        self.handle.engine().me
    }

    /// The CPU that this half runs in.
    pub fn cpu(&self) -> CpuNumber {
        self.handle.engine().me.cpu
    }

    /// The pair's epoch: grows with each takeover, exchange of roles, loss and repair.
    pub fn epoch(&self) -> Epoch {
        self.handle.engine().epoch()
    }

    /// Where the pair stands.
    pub fn state(&self) -> PairState {
        self.handle.engine().state()
    }

    /// How often this process has become the primary, and whether the last time was a takeover (else a switchover).
    /// Zero in the first process of the pair.
    pub fn promotions(&self) -> (u64, bool) {
        self.handle.engine().promotions()
    }

    /// How many opens and connections the pair has.
    pub fn counts(&self) -> (usize, usize) {
        self.handle.engine().counts()
    }

    fn object<R: Default + crate::objects::Object + 'static>(
        &self,
        kind: u8,
        name: &str,
    ) -> Result<(ObjectId, Rc<RefCell<R>>)> {
        let mut engine = self.handle.engine();
        let (id, _) = engine.object(kind, name, || Rc::new(RefCell::new(R::default())))?;
        let raw = engine
            .objects
            .typed::<R>(id)
            .ok_or(Error::Misuse("the pair has an object of that name, but of another kind"))?;
        Ok((id, raw))
    }
}

/// A server that this pair has opened. Requests are made in the turn that is being handled, one at a time; each is executed
/// once, also when this half dies between request and answer.
///
/// For that a handler must make the same calls when it is run again with the same request and the same state.
#[derive(Clone)]
pub struct PairServer {
    handle: Handle,
    open: OpenId,
}

impl PairServer {
    /// Asks the server and waits for its answer. An error number from the server is an error here.
    pub fn request(&self, payload: &[u8]) -> Result<Vec<u8>> {
        let answer = self.request_for_answer(payload)?;
        if answer.error.is_ok() { Ok(answer.payload) } else { Err(Error::File(answer.error)) }
    }

    /// Asks the server and waits for its answer, with whatever error number it carries.
    pub fn request_for_answer(&self, payload: &[u8]) -> Result<Answer> {
        if payload.len() > pollux_wire::limits::PAYLOAD_BYTES_MAX {
            return Err(Error::File(FileError::BAD_COUNT));
        }
        self.handle.engine().call(self.open, payload)
    }
}
