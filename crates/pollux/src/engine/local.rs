//! Descriptors of this process alone that the program waits for beside its requests: its children, timers, pipes.
//!
//! They are looked at while this half is the primary. What happens to them meanwhile is told when it is the primary again.

use super::{Engine, Ready, TOKEN_LOCAL};
use crate::error::{Context, Error, Result};
use pollux_os::Interest;
use std::os::fd::OwnedFd;

/// Descriptors that a program may have watched; a further one is refused.
const LOCAL_MAX: usize = 1024;

/// One of them.
pub(crate) struct Local {
    fd: OwnedFd,
    watched: bool,
}

impl Engine {
    /// Tells whenever it is readable.
    pub(crate) fn watch_local(&mut self, fd: OwnedFd) -> Result<u32> {
        if self.local.len() >= LOCAL_MAX {
            return Err(Error::Misuse("at most 1024 descriptors are watched for a program"));
        }
        self.last_local = self.last_local.wrapping_add(1);
        let id = self.last_local;
        self.local.insert(id, Local { fd, watched: false });
        if self.pair.is_primary() {
            self.look_at_local(id)?;
        }
        Ok(id)
    }

    /// Tells no more, and closes it.
    pub(crate) fn unwatch_local(&mut self, id: u32) {
        if let Some(local) = self.local.remove(&id)
            && local.watched
        {
            let _ = self.poller.remove(&local.fd);
        }
    }

    /// True if it is still watched; from here on it is looked at again.
    pub(super) fn look_at_local(&mut self, id: u32) -> Result<bool> {
        let Some(local) = self.local.get_mut(&id) else { return Ok(false) };
        if !local.watched {
            self.poller
                .add(&local.fd, TOKEN_LOCAL | u64::from(id), Interest::READ)
                .context("watch a descriptor of the program")?;
            local.watched = true;
        }
        Ok(true)
    }

    /// Not looked at again before it is told: it stays readable until the program has handled it.
    pub(super) fn handle_local(&mut self, id: u32) {
        if let Some(local) = self.local.get_mut(&id)
            && std::mem::take(&mut local.watched)
        {
            let _ = self.poller.remove(&local.fd);
            self.ready.push_back(Ready::Local(id));
        }
    }

    /// As the primary: looks at all.
    pub(super) fn watch_all_local(&mut self) -> Result<()> {
        let ids: Vec<u32> = self.local.keys().copied().collect();
        ids.into_iter().try_for_each(|id| self.look_at_local(id).map(drop))
    }

    /// As a backup: looks at none.
    pub(super) fn unwatch_all_local(&mut self) {
        for local in self.local.values_mut() {
            if std::mem::take(&mut local.watched) {
                let _ = self.poller.remove(&local.fd);
            }
        }
    }
}
