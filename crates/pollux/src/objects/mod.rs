//! Replicated objects: application state that the backup holds in step.
//!
//! An object changes in the primary and says so in bytes; the same bytes change it in the backup. Its whole state can be
//! saved in parts while changes go on, for a new backup. The contract of parts: from the first part on every change is
//! sent too, in order; a part carries the values of the moment it was taken, and overwrites.

pub(crate) mod cell;
mod key;
pub(crate) mod log;
pub(crate) mod machine;
pub(crate) mod map;
mod value;

use pollux_core::replica::Misfit;
use pollux_wire::ObjectId;
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Bytes of one part of an object's state: small enough that service goes on between two parts.
pub(crate) const PART_BYTES_MAX: usize = 64 * 1024;

/// How far the saving of an object has come; each kind of object keeps its own mark in it.
#[derive(Default)]
pub(crate) struct Position {
    pub(crate) mark: Option<Vec<u8>>,
    pub(crate) machine: Option<Box<dyn Any>>,
}

/// What the engine asks of an object.
pub(crate) trait Object {
    /// Applies a change that came from the primary.
    fn apply(&mut self, change: &[u8]) -> Result<(), Misfit>;
    /// Appends the next part; true if more is left.
    fn save_part(&self, position: &mut Position, out: &mut Vec<u8>) -> bool;
    /// Takes in a part.
    fn load_part(&mut self, part: &[u8]) -> Result<(), Misfit>;
}

/// A handle to an object of any kind.
pub(crate) type Shared = Rc<dyn SharedObject>;

/// An object behind its cell, which can be turned back into its type.
pub(crate) trait SharedObject {
    /// Applies a change; see [`Object::apply`].
    fn apply(&self, change: &[u8]) -> Result<(), Misfit>;
    /// Appends the next part; see [`Object::save_part`].
    fn save_part(&self, position: &mut Position, out: &mut Vec<u8>) -> bool;
    /// Takes in a part; see [`Object::load_part`].
    fn load_part(&self, part: &[u8]) -> Result<(), Misfit>;
    /// For the typed handle.
    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;
}

impl<T: Object + 'static> SharedObject for RefCell<T> {
    fn apply(&self, change: &[u8]) -> Result<(), Misfit> {
        self.borrow_mut().apply(change)
    }
    fn save_part(&self, position: &mut Position, out: &mut Vec<u8>) -> bool {
        self.borrow().save_part(position, out)
    }
    fn load_part(&self, part: &[u8]) -> Result<(), Misfit> {
        self.borrow_mut().load_part(part)
    }
    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

/// An object with its identity.
pub(crate) struct Slot {
    pub(crate) kind: u8,
    pub(crate) name: String,
    pub(crate) object: Shared,
    /// False until the first part of this object was sent to the backup that is being brought in step.
    pub(crate) sent: bool,
}

/// The objects of a process.
#[derive(Default)]
pub(crate) struct Objects {
    slots: BTreeMap<ObjectId, Slot>,
    /// Machines that the program has described before it joined; taken when the primary creates them.
    pub(crate) machines: BTreeMap<String, Shared>,
}

impl Objects {
    pub(crate) fn find(&self, name: &str) -> Option<(ObjectId, &Slot)> {
        self.slots.iter().find(|(_, slot)| slot.name == name).map(|(id, slot)| (*id, slot))
    }

    pub(crate) fn get(&self, id: ObjectId) -> Option<&Slot> {
        self.slots.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ObjectId) -> Option<&mut Slot> {
        self.slots.get_mut(&id)
    }

    pub(crate) fn typed<R: 'static>(&self, id: ObjectId) -> Option<Rc<RefCell<R>>> {
        self.get(id)?.object.clone().into_any().downcast().ok()
    }

    pub(crate) fn next_id(&self) -> ObjectId {
        self.slots.last_key_value().map_or(ObjectId(1), |(id, _)| id.next())
    }

    pub(crate) fn insert(&mut self, id: ObjectId, kind: u8, name: String, object: Shared) {
        self.slots.insert(id, Slot { kind, name, object, sent: true });
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&ObjectId, &mut Slot)> {
        self.slots.iter_mut()
    }

    /// The object that a primary has created, made here in the backup.
    pub(crate) fn create(&mut self, id: ObjectId, kind: u8, name: &str) -> Result<(), Misfit> {
        let object: Shared = match kind {
            map::KIND => Rc::new(RefCell::new(map::RawMap::default())),
            cell::KIND => Rc::new(RefCell::new(cell::RawCell::default())),
            log::KIND => Rc::new(RefCell::new(log::RawLog::default())),
            machine::KIND => self.machines.get(name).cloned().ok_or(Misfit(
                "the primary has a state machine that this program did not describe before it joined",
            ))?,
            _ => return Err(Misfit("an object of an unknown kind")),
        };
        self.insert(id, kind, name.to_owned(), object);
        Ok(())
    }
}
