//! Rings: paths over which much goes, and the pair channel, carry their bytes through shared memory.
//!
//! ```text
//!  requester                      primary
//!      |------ REQUEST ... ---------->|   the path has carried some: it is worth a ring
//!      |<----- RING_OFFER + fds ------|
//!      |------ RING_TAKEN ----------->|   the requester's last frame in the socket
//!      |<----- RING_BEGUN ------------|   the primary's last frame in the socket
//!      |====== ring, both ways =======|
//! ```
//!
//! The server offers, so that opens of one request cost nothing, a standby path has no ring before its half is the
//! primary, and nothing is mapped while openers wait for a takeover. It is also the server that counts: at its limit,
//! and at that of its descriptors, paths go on over their sockets.
//!
//! On the pair channel the primary offers when the pair is whole, with frames that mean the same.

use super::paths::Path;
use super::{Engine, TOKEN_PARTNER_RING, TOKEN_PATH, TOKEN_RING};
use crate::error::{Context, Error, Result};
use pollux_os::{Channel, Interest, Poller};
use pollux_wire::{OpenId, Wire as _, checkpoint, path};
use std::os::fd::OwnedFd;

/// A path that has carried so many requests is worth a ring.
const REQUESTS_BEFORE_RING: u32 = 16;

/// Starts to look at a path: its socket by level, its bell by edges.
pub(super) fn watch(poller: &Poller, open: OpenId, channel: &Channel) -> Result<()> {
    poller.add(channel.as_fd(), TOKEN_PATH | open.0, Interest::READ).context("watch a path")?;
    watch_bell(poller, open, channel)
}

/// A bell that is added tells at once, so nothing is lost that came before.
fn watch_bell(poller: &Poller, open: OpenId, channel: &Channel) -> Result<()> {
    let Some(bell) = channel.bell().filter(|_| channel.reads_ring()) else { return Ok(()) };
    poller.add(bell, TOKEN_RING | open.0, Interest::READ | Interest::EDGE).context("watch a ring")
}

/// Looks at a path no more. The requester holds the bell, too, so that closing it would leave it in the poller.
pub(super) fn unwatch(poller: &Poller, channel: &Channel) {
    let _ = poller.remove(channel.as_fd());
    if let Some(bell) = channel.bell() {
        let _ = poller.remove(bell);
    }
}

/// One of the three frames by which the pair channel turns to a ring: its kind, and what it says. True if what comes next
/// comes through the ring.
pub(super) fn turn_pair_channel(
    poller: &Poller,
    channel: &mut Channel,
    (kind, yes): (u8, bool),
    descriptors: Vec<OwnedFd>,
) -> Result<bool> {
    match kind {
        checkpoint::RING_OFFER => {
            let mut taken = channel.take_ring(descriptors).is_ok();
            if taken && let Some(bell) = channel.bell() {
                taken = poller.add(bell, TOKEN_PARTNER_RING, Interest::READ | Interest::EDGE).is_ok();
            }
            channel.queue(checkpoint::RING_TAKEN, |out| taken.put(out));
            if taken {
                channel.write_to_ring();
            } else {
                channel.withdraw_ring();
            }
            return Ok(false);
        }
        checkpoint::RING_TAKEN if !yes => {
            channel.withdraw_ring();
            return Ok(false);
        }
        _ => {}
    }
    channel
        .read_from_ring()
        .map_err(|_| Error::Refused("the other half speaks of a ring that is not there".to_owned()))?;
    if kind == checkpoint::RING_TAKEN {
        let bell = channel.bell().expect("it is read from");
        poller
            .add(bell, TOKEN_PARTNER_RING, Interest::READ | Interest::EDGE)
            .context("watch the pair channel's ring")?;
        channel.queue(checkpoint::RING_BEGUN, |_| {});
        channel.write_to_ring();
    }
    Ok(true)
}

impl Engine {
    /// Offers a ring over a path that has shown that it is used, when nobody waits for a takeover.
    pub(super) fn consider_ring(&mut self, open: OpenId) {
        let Some(path) = self.paths.get_mut(&open) else { return };
        if path.ring_offered
            || path.requests < REQUESTS_BEFORE_RING
            || self.answers_first_until_ns.is_some()
            || self.acceptors.contains_key(&open)
        {
            return;
        }
        path.ring_offered = true;
        if let Ok(descriptors) = path.channel.offer_ring() {
            path.channel.queue_with(path::RING_OFFER, descriptors, |_| {});
            self.queue_on_path_done(open);
        }
    }

    /// The requester's answer to the offer. False if it makes no sense.
    pub(super) fn handle_ring_taken(&mut self, open: OpenId, taken: bool) -> Result<bool> {
        let Some(Path { channel, watched, .. }) = self.paths.get_mut(&open) else { return Ok(true) };
        if !taken {
            channel.withdraw_ring();
            return Ok(true);
        }
        if channel.read_from_ring().is_err() {
            return Ok(false);
        }
        if *watched {
            watch_bell(&self.poller, open, channel)?;
        }
        channel.queue(path::RING_BEGUN, |_| {});
        channel.write_to_ring();
        self.queue_on_path_done(open);
        Ok(true)
    }

    /// The pair is whole: its checkpoints need not go through the socket.
    pub(super) fn offer_partner_ring(&mut self) {
        let Some(partner) = &mut self.partner else { return };
        if partner.channel.bell().is_none()
            && let Ok(descriptors) = partner.channel.offer_ring()
        {
            partner.channel.queue_with(checkpoint::RING_OFFER, descriptors, |_| {});
            // A failed send means that it dies: the bell tells.
            let _ = partner.channel.flush();
        }
    }

    /// This ring was read, so its requester does not ring before we have said that we sleep.
    pub(super) fn note_awake(&mut self, open: OpenId) {
        if let Some(path) = self.paths.get_mut(&open)
            && path.channel.reads_ring()
            && !path.awake
        {
            path.awake = true;
            self.awake_rings.push(open);
        }
    }

    /// Before the loop sleeps: reads the rings that have something, and lets the requesters of the others ring. True if
    /// there was something.
    pub(super) fn look_at_rings(&mut self) -> Result<bool> {
        let mut found = false;
        if let Some(partner) = &mut self.partner
            && !partner.closed
            && !partner.channel.fall_asleep()
        {
            found = true;
            self.read_partner()?;
        }
        let mut awake = std::mem::take(&mut self.awake_rings);
        for open in awake.drain(..) {
            let Some(path) = self.paths.get_mut(&open) else { continue };
            path.awake = false;
            // Who is not looked at is read when it is looked at again; see `watch_bell` and `flush_path`.
            if path.watched && !path.deaf && !path.channel.fall_asleep() {
                found = true;
                self.read_path(open)?;
            }
        }
        // Those that were read are awake again. The allocation is kept.
        awake.append(&mut self.awake_rings);
        self.awake_rings = awake;
        Ok(found)
    }
}
