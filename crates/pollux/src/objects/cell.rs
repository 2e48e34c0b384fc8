//! The replicated cell.

use super::value::{from_bytes, to_bytes};
use super::{Object, Position};
use crate::engine::Handle;
use crate::error::Result;
use pollux_core::replica::Misfit;
use pollux_wire::ObjectId;
use serde::{Serialize, de::DeserializeOwned};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

pub(crate) const KIND: u8 = 2;

#[derive(Debug, Default)]
pub(crate) struct RawCell {
    value: Option<Vec<u8>>,
}

impl Object for RawCell {
    fn apply(&mut self, change: &[u8]) -> Result<(), Misfit> {
        self.value = Some(change.to_vec());
        Ok(())
    }

    fn save_part(&self, _: &mut Position, out: &mut Vec<u8>) -> bool {
        // The first byte tells "set" from "never set".
        if let Some(value) = &self.value {
            out.push(1);
            out.extend_from_slice(value);
        }
        false
    }

    fn load_part(&mut self, part: &[u8]) -> Result<(), Misfit> {
        self.value = part.split_first().map(|(_, value)| value.to_vec());
        Ok(())
    }
}

/// One value that the backup holds in step. See [`Map`](crate::Map) for when a change reaches it.
#[derive(Clone)]
pub struct Cell<T> {
    handle: Handle,
    id: ObjectId,
    name: Rc<str>,
    raw: Rc<RefCell<RawCell>>,
    types: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned + 'static> Cell<T> {
    pub(crate) fn new(handle: Handle, id: ObjectId, name: &str, raw: Rc<RefCell<RawCell>>) -> Self {
        Self { handle, id, name: name.into(), raw, types: PhantomData }
    }

    /// The value, if one was ever set.
    pub fn get(&self) -> Result<Option<T>> {
        match &self.raw.borrow().value {
            None => Ok(None),
            Some(bytes) => from_bytes(&self.name, bytes).map(Some),
        }
    }

    /// Sets the value.
    pub fn set(&self, value: &T) -> Result<()> {
        let bytes = to_bytes(&self.name, value)?;
        self.handle.object_changed(self.id, |out| out.extend_from_slice(&bytes))?;
        self.raw.borrow_mut().value = Some(bytes);
        Ok(())
    }

    /// Computes the new value from the old one, and returns it.
    pub fn update(&self, change: impl FnOnce(Option<T>) -> T) -> Result<T> {
        let value = change(self.get()?);
        self.set(&value)?;
        Ok(value)
    }
}
