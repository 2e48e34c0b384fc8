//! State machines of the program's own.

use super::{Object, Position};
use crate::engine::Handle;
use crate::error::Result;
use pollux_core::replica::Misfit;
use pollux_wire::ObjectId;
use std::cell::{Cell as StdCell, Ref, RefCell};
use std::rc::Rc;

pub(crate) const KIND: u8 = 4;

/// State of the program's own shape, kept in step by sending commands.
///
/// The primary applies a command and sends its bytes; the backup applies the same bytes. So [`StateMachine::apply`] must
/// depend on nothing but the state and the command: no clock, no randomness, no iteration over a `HashMap` that shows.
/// Decide time and chance before, and put them in the command.
///
/// A new backup gets the whole state by [`StateMachine::save_part`]. A machine that returns `true` ("more is left") is
/// called again between turns; commands that are applied in between are sent too, and meet in the backup a state of which
/// only some parts are there. They must do no harm there, and later parts must overwrite. A machine that saves
/// itself in a single part need not care.
pub trait StateMachine: 'static {
    /// What [`StateMachine::apply`] answers, in the primary.
    type Reply;
    /// How far [`StateMachine::save_part`] has come; `()` for a machine that saves itself in one part.
    type Position: Default + 'static;

    /// Applies a command. Bytes that are not a command are a programming error: panic, and the other half decides.
    fn apply(&mut self, command: &[u8]) -> Self::Reply;

    /// Appends a part of the state, of about `bytes_max` bytes; true if more is left. `position` is at its default for the first part.
    fn save_part(&self, position: &mut Self::Position, bytes_max: usize, out: &mut Vec<u8>) -> bool;

    /// Takes in a part, in a machine as it was given to [`PairBuilder::machine`](crate::PairBuilder::machine).
    fn load_part(&mut self, part: &[u8]);
}

pub(crate) struct Holder<M> {
    machine: M,
}

impl<M: StateMachine> Object for Holder<M> {
    fn apply(&mut self, change: &[u8]) -> Result<(), Misfit> {
        self.machine.apply(change);
        Ok(())
    }

    fn save_part(&self, position: &mut Position, out: &mut Vec<u8>) -> bool {
        let position = position.machine.get_or_insert_with(|| Box::new(M::Position::default()));
        let position = position.downcast_mut().expect("a position belongs to one object");
        self.machine.save_part(position, super::PART_BYTES_MAX, out)
    }

    fn load_part(&mut self, part: &[u8]) -> Result<(), Misfit> {
        self.machine.load_part(part);
        Ok(())
    }
}

/// A handle to a [`StateMachine`] of this pair. Usable once the pair has been joined.
pub struct Machine<M> {
    pub(crate) name: Rc<str>,
    holder: Rc<RefCell<Holder<M>>>,
    bound: Rc<StdCell<Option<ObjectId>>>,
    handle: Rc<RefCell<Option<Handle>>>,
}

impl<M> Clone for Machine<M> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            holder: self.holder.clone(),
            bound: self.bound.clone(),
            handle: self.handle.clone(),
        }
    }
}

impl<M: StateMachine> Machine<M> {
    pub(crate) fn new(name: &str, machine: M) -> Self {
        let holder = Rc::new(RefCell::new(Holder { machine }));
        Self { name: name.into(), holder, bound: Rc::default(), handle: Rc::default() }
    }

    pub(crate) fn object(&self) -> super::Shared {
        self.holder.clone()
    }

    /// Called when the process is primary and the object has its number.
    pub(crate) fn binder(&self) -> crate::pair::Binder {
        let (bound, slot) = (self.bound.clone(), self.handle.clone());
        Box::new(move |handle, id| {
            bound.set(Some(id));
            *slot.borrow_mut() = Some(handle.clone());
        })
    }

    /// Applies a command here and in the backup.
    pub fn apply(&self, command: &[u8]) -> Result<M::Reply> {
        let reply = self.holder.borrow_mut().machine.apply(command);
        self.record(command)?;
        Ok(reply)
    }

    /// Lets `decide` look at the state, change it and append the commands that make the same change in the backup.
    ///
    /// For programs that decide and change in one pass. The appended bytes must be one or more commands that
    /// [`StateMachine::apply`] understands *as one run of bytes*; nothing is sent if none are appended.
    pub fn decide<R>(
        &self,
        commands: &mut Vec<u8>,
        decide: impl FnOnce(&mut M, &mut Vec<u8>) -> R,
    ) -> Result<R> {
        let before = commands.len();
        let answer = decide(&mut self.holder.borrow_mut().machine, commands);
        if commands.len() > before {
            self.record(&commands[before..])?;
        }
        Ok(answer)
    }

    /// Looks at the state.
    pub fn read(&self) -> Ref<'_, M> {
        Ref::map(self.holder.borrow(), |holder| &holder.machine)
    }

    fn record(&self, command: &[u8]) -> Result<()> {
        let handle = self.handle.borrow();
        let (Some(handle), Some(id)) = (handle.as_ref(), self.bound.get()) else {
            return Err(crate::Error::Misuse(
                "a state machine can change only after its pair has been joined",
            ));
        };
        handle.object_changed(id, |out| out.extend_from_slice(command))
    }
}
