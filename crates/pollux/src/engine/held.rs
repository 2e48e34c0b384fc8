//! Descriptors that are held for the program: by both halves, from the turn on in which it asked for it.
//!
//! A held descriptor is a part of the state, like an entry of a map: the record that carries it goes with the turn's other
//! changes, so a reply of that turn leaves only when the backup holds the descriptor, too (S5). A duplicate leaves the
//! pair as an output, for the same reason: [`Engine::hand_over`].

use super::checkpoints::Output;
use super::{Engine, Ready, TOKEN_HELD};
use crate::error::{Context, Error, Result};
use pollux_os::Interest;
use pollux_wire::HeldId;
use pollux_wire::checkpoint::Record;
use rustix::io::{FdFlags, fcntl_setfd};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// Descriptors that one turn may add: they go to the backup in one frame, together with those of the turns before.
const HELD_PER_TURN_MAX: usize = 16;

/// This process's descriptor.
pub(crate) struct Held {
    pub(super) fd: Arc<OwnedFd>,
    watched: bool,
}

impl Held {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self { fd: Arc::new(fd), watched: false }
    }
}

impl Engine {
    /// Holds a descriptor from here on.
    pub(crate) fn hold(&mut self, fd: OwnedFd, label: &[u8]) -> Result<HeldId> {
        self.must_be_primary()?;
        if self.batch.turn_descriptors() >= HELD_PER_TURN_MAX {
            return Err(Error::Misuse("a turn holds at most 16 new descriptors"));
        }
        // The duplicate for the backup, asked for here: without one nothing is changed.
        drop(fd.try_clone().context("duplicate a descriptor for the backup")?);
        let held = HeldId(u64::from(self.me.incarnation) << 32 | u64::from(self.daemon.next_request()));
        self.record(&Record::Held { held, label }, Some(fd.as_fd()));
        self.held.insert(held, Held::new(fd));
        self.batch.outputs.push(Output::Mark { held });
        self.batch.urgent = true;
        self.relieve_batch();
        Ok(held)
    }

    /// Forgets a held descriptor.
    pub(crate) fn release(&mut self, id: HeldId) -> Result<()> {
        self.must_be_primary()?;
        let held = self.held.remove(&id).ok_or(Error::Misuse("no such held descriptor"))?;
        if held.watched {
            let _ = self.poller.remove(&*held.fd);
        }
        self.record(&Record::Released { held: id }, None);
        Ok(())
    }

    /// A duplicate of a held descriptor.
    pub(crate) fn held_descriptor(&self, id: HeldId) -> Result<OwnedFd> {
        let held = self.held.get(&id).ok_or(Error::Misuse("no such held descriptor"))?;
        held.fd.try_clone().context("duplicate a held descriptor")
    }

    /// All held descriptors.
    pub(crate) fn all_held(&self) -> Vec<(HeldId, Vec<u8>)> {
        self.replica.held.iter().map(|(id, label)| (*id, label.clone())).collect()
    }

    /// Tells once when it is readable.
    pub(crate) fn watch_held(&mut self, id: HeldId) -> Result<()> {
        self.must_be_primary()?;
        let held = self.held.get_mut(&id).ok_or(Error::Misuse("no such held descriptor"))?;
        if !held.watched {
            self.poller.add(&*held.fd, TOKEN_HELD | id.0, Interest::READ).context("watch a descriptor")?;
            held.watched = true;
        }
        Ok(())
    }

    pub(super) fn handle_held(&mut self, id: HeldId) {
        if let Some(held) = self.held.get_mut(&id)
            && std::mem::take(&mut held.watched)
        {
            let _ = self.poller.remove(&*held.fd);
            self.ready.push_back(Ready::Readable(id));
        }
    }

    /// As a backup: holds the descriptors and looks at none.
    pub(super) fn unwatch_held(&mut self) {
        for held in self.held.values_mut() {
            if std::mem::take(&mut held.watched) {
                let _ = self.poller.remove(&*held.fd);
            }
        }
    }

    /// Sends a duplicate over `channel` when what the turn has changed is with the backup.
    pub(crate) fn hand_over(&mut self, channel: OwnedFd, id: HeldId) -> Result<()> {
        self.must_be_primary()?;
        if !self.held.contains_key(&id) {
            return Err(Error::Misuse("no such held descriptor"));
        }
        self.batch.outputs.push(Output::HandOver { channel, held: id });
        Ok(())
    }

    /// Says to a guard of this process's descriptors that the other half has this one, too.
    pub(super) fn mark_held(&self, id: HeldId) {
        if let Some(held) = self.held.get(&id) {
            // Cannot fail for an open descriptor. Without the mark the other half is offered one that it has.
            let _ = fcntl_setfd(&*held.fd, FdFlags::CLOEXEC);
        }
    }

    /// One byte that means nothing, with the descriptor. Whoever cannot take it asks again: nothing waits for it here.
    pub(super) fn send_held(&self, channel: &OwnedFd, id: HeldId) {
        if let Some(held) = self.held.get(&id) {
            let _ = pollux_os::pass_descriptor(channel, &*held.fd);
        }
    }

    fn must_be_primary(&self) -> Result<()> {
        if self.pair.is_primary() {
            return Ok(());
        }
        Err(Error::Misuse("only the primary changes replicated state"))
    }
}
