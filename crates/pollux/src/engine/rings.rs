//! Rings: paths over which much goes, and the pair channel, carry their bytes through shared memory.
//!
//! How a path turns to its ring: `path_ring`.
//!
//! The server offers, so that opens of one request cost nothing, a standby path has no ring before its half is the
//! primary, and nothing is mapped while openers wait for a takeover. It is also the server that counts: at its limit,
//! and at that of its descriptors, paths go on over their sockets.
//!
//! On the pair channel the primary offers when the pair is whole, with frames that mean the same.

use super::paths::Path;
use super::{Engine, TOKEN_PARTNER_RING, TOKEN_PATH, TOKEN_RING};
use crate::error::{Context, Error, Result};
use crate::path_ring;
use pollux_os::{Among, Channel, Interest, Poller};
use pollux_wire::{OpenId, Wire as _, checkpoint};
use std::os::fd::OwnedFd;

/// Starts to look at a path: its socket by level, its bell by edges.
pub(super) fn watch(poller: &Poller, open: OpenId, channel: &Channel) -> Result<()> {
    poller.add(channel.as_fd(), TOKEN_PATH | open.0, Interest::READ).context("watch a path")?;
    watch_bell(poller, open, channel)
}

fn watch_bell(poller: &Poller, open: OpenId, channel: &Channel) -> Result<()> {
    path_ring::watch_bell(&poller.registry(), TOKEN_RING | open.0, channel).context("watch a ring")
}

/// Looks at a path no more.
pub(super) fn unwatch(poller: &Poller, channel: &Channel) {
    path_ring::unwatch(&poller.registry(), channel);
}

/// One of the three frames by which the pair channel turns to a ring: its kind, and what it says. True if what comes next
/// comes through the ring.
pub(super) fn turn_pair_channel(
    pollers: [&Poller; 2],
    channel: &mut Channel,
    (kind, yes): (u8, bool),
    descriptors: Vec<OwnedFd>,
) -> Result<bool> {
    match kind {
        checkpoint::RING_OFFER => {
            let mut taken = channel.take_ring(descriptors, Among::Few).is_ok();
            taken &= watch_partner_bell(pollers, channel).is_ok();
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
        watch_partner_bell(pollers, channel).context("watch the pair channel's ring")?;
        channel.queue(checkpoint::RING_BEGUN, |_| {});
        channel.write_to_ring();
    }
    Ok(true)
}

fn watch_partner_bell(pollers: [&Poller; 2], channel: &Channel) -> std::io::Result<()> {
    let Some(bell) = channel.bell() else { return Ok(()) };
    pollers
        .iter()
        .try_for_each(|poller| poller.add(bell, TOKEN_PARTNER_RING, Interest::READ | Interest::EDGE))
}

impl Engine {
    /// Offers a ring over a path that has shown that it is used, when nobody waits for a takeover.
    pub(super) fn consider_ring(&mut self, open: OpenId) {
        let Some(path) = self.paths.get_mut(&open) else { return };
        if path.ring_offer.is_due()
            && self.answers_first_until_ns.is_none()
            && !self.acceptors.contains_key(&open)
            && path.ring_offer.make(&mut path.channel)
        {
            self.queue_on_path_done(open);
        }
    }

    /// The requester's answer to the offer. False if it makes no sense.
    pub(super) fn handle_ring_taken(&mut self, open: OpenId, taken: bool) -> Result<bool> {
        let Some(Path { channel, watched, ring_offer, .. }) = self.paths.get_mut(&open) else {
            return Ok(true);
        };
        if ring_offer.handle_answer(channel, taken).is_err() {
            return Ok(false);
        }
        if *watched {
            watch_bell(&self.poller, open, channel)?;
        }
        self.queue_on_path_done(open);
        Ok(true)
    }

    /// The pair is whole: its checkpoints need not go through the socket.
    pub(super) fn offer_partner_ring(&mut self) {
        let Some(partner) = &mut self.partner else { return };
        if partner.channel.bell().is_none()
            && let Ok(descriptors) = partner.channel.offer_ring(Among::Few)
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
