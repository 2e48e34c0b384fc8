//! The runtime as the [`Node`] that the procedures about processes ask.

use crate::guardian::node::{Node, Own};
use crate::runtime::{self, Runtime};
use pollux_wire::FileError;
use pollux_wire::control::{Answer, Query};
use std::cell::RefCell;

/// The runtime, for the time of one call.
pub(crate) struct Asking<'a> {
    runtime: RefCell<&'a mut Runtime>,
}

/// Runs with the runtime as a node to ask.
pub(crate) fn asking<T>(body: impl FnOnce(&Asking<'_>) -> T) -> T {
    runtime::with(|runtime| body(&Asking { runtime: RefCell::new(runtime) }))
}

impl Asking<'_> {
    /// The runtime itself, for what is more than a question.
    pub(crate) fn runtime<T>(&self, body: impl FnOnce(&mut Runtime) -> T) -> T {
        body(&mut self.runtime.borrow_mut())
    }
}

impl Node for Asking<'_> {
    fn own(&self) -> Own {
        self.runtime(|runtime| Own {
            phandle: runtime.me,
            name: runtime.name.clone(),
            node: runtime.node.clone(),
        })
    }

    fn ask(&self, query: Query) -> Result<Answer, FileError> {
        match self.runtime(|runtime| runtime.ask(query)) {
            Answer::Done { error } if !error.is_ok() => Err(error),
            answer => Ok(answer),
        }
    }
}
