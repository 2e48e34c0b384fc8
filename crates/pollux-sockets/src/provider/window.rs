//! The time between `accept` and the checkpoint: a connection is then in this half alone, and in its guard.
//!
//! ```text
//!  primary            its guard                     backup
//!    |-- Held: the guard's channel ------------------>|   before anything is accepted
//!  accept -------------> (has it, too)                |
//!    |-- Held: the connection ----------------------->|
//!    |<------------------------------------- ack -----|
//!  close-on-exec: known                               |
//!  dies                  |                         new primary: watches the channel
//!                        |== connections that are not known ==>|   taken in as if just accepted
//!                      ends --------------------- end of file ->|   the channel is released
//! ```
//!
//! Each half has a guard from its beginning to its end, and the channel of each is held by both halves once that half has
//! been primary. A connection may come that the backup knew of: the acknowledgement was under way, or the dead primary had
//! not read it. [`State::listener_of_saved`](crate::state::State::listener_of_saved) finds it by the kernel's cookie.

use super::{Provider, condition, far, held, near};
use pollux::{HeldId, Result, WatchId};
use pollux_os::{Guard, SAVED_PER_MESSAGE_MAX, Saved, socket_pair, take_saved, wait_gone};
use pollux_wire::SocketId;
use rustix::net::sockopt::socket_cookie;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::panic;
use std::process;
use std::time::Duration;

/// The label of a guard's channel as a held descriptor.
const LABEL: &[u8] = b"guard";
/// As a program of Rust ends that panics.
const PANIC_CODE: i32 = 101;

/// The guard of this half, and the channels of others.
pub(super) struct Window {
    guard: Option<Guard>,
    /// Tells of the guard's end.
    guard_watch: Option<WatchId>,
    /// The guard's channel as a held descriptor.
    own: Option<HeldId>,
    /// Tells when the backup holds it, too; until then nothing is accepted.
    proof: Option<WatchId>,
    /// Channels of guards of other processes, and how many connections have come from each.
    others: BTreeMap<HeldId, usize>,
}

impl Window {
    /// To be called as early as can be: see [`Guard::start`].
    pub(super) fn guarded() -> Self {
        let guard = Guard::start().inspect_err(complain).ok();
        Self { guard, guard_watch: None, own: None, proof: None, others: BTreeMap::new() }
    }

    /// Whether an accepted connection would be safe, or as safe as it can be made.
    pub(super) fn may_accept(&self) -> bool {
        self.proof.is_none()
    }

    pub(super) fn is_channel(&self, id: HeldId) -> bool {
        self.others.contains_key(&id)
    }
}

/// To unwind would close what is in hand before the guard can have it.
pub(super) fn end_at_panic() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        tell(info);
        process::exit(PANIC_CODE);
    }));
}

/// Without a guard the provider goes on as it is: a connection of which the backup has not heard dies with this half.
fn complain(error: &io::Error) {
    pollux_os::say!("pollux: TCP/IP provider: no guard for new connections: {error}");
}

impl Provider {
    /// As a new primary: waits for what was saved, and has its own guard's channel held.
    pub(super) fn open_window(&mut self) -> Result<()> {
        let channels = self.pair.held().into_iter().filter(|(_, label)| label == LABEL);
        let (own, others): (Vec<_>, Vec<_>) =
            channels.map(|(id, _)| id).partition(|id| self.window.own == Some(*id));
        self.window.others = others.iter().map(|id| (*id, 0)).collect();
        for id in others {
            self.receive.watch(id)?;
        }
        self.look_at_guard()?;
        if own.is_empty() {
            self.show_guard()?;
        }
        Ok(())
    }

    /// The backup gets the channel, and says so by way of the other end of a socket pair.
    fn show_guard(&mut self) -> Result<()> {
        let Some(guard) = &self.window.guard else { return Ok(()) };
        let made = guard.saved().try_clone_to_owned().and_then(|channel| Ok((channel, socket_pair()?)));
        match made {
            Ok((channel, (near, far))) => {
                let id = self.pair.hold(channel, LABEL)?;
                self.pair.hand_over(far, id)?;
                self.window.own = Some(id);
                self.window.proof = Some(self.receive.watch_local(near)?);
            }
            Err(error) => complain(&error),
        }
        Ok(())
    }

    /// Puts another guard in the place of one that is gone.
    fn look_at_guard(&mut self) -> Result<()> {
        let Some(guard) = &mut self.window.guard else { return Ok(()) };
        let is_gone = wait_gone(guard.process(), Duration::ZERO).unwrap_or(true);
        if is_gone || self.window.guard_watch.is_none() {
            if let Some(watch) = self.window.guard_watch.take() {
                self.receive.unwatch_local(watch);
            }
            let restarted = if is_gone { guard.restart() } else { Ok(()) };
            match restarted.and_then(|()| guard.process().try_clone_to_owned()) {
                Ok(process) => self.window.guard_watch = Some(self.receive.watch_local(process)?),
                Err(error) => {
                    complain(&error);
                    self.window.guard = None;
                }
            }
        }
        Ok(())
    }

    /// A descriptor of this half is readable.
    pub(super) fn local(&mut self, id: WatchId) -> Result<()> {
        if self.window.proof == Some(id) {
            self.window.proof = None;
            self.receive.unwatch_local(id);
            self.try_starved()
        } else {
            self.look_at_guard()
        }
    }

    /// Takes in what the guard of a dead primary has saved.
    pub(super) fn take_in_saved(&mut self, channel: HeldId) -> Result<()> {
        let is_full = self.state.len() + SAVED_PER_MESSAGE_MAX > self.sockets_max;
        if is_full || self.accepted_in_turn > 0 {
            self.starved.insert(SocketId(channel.0));
            return Ok(());
        }
        let taken = self.pair.descriptor(channel).map(take_saved);
        match taken {
            Ok(Ok(Saved::Connections(connections))) => {
                for connection in connections {
                    self.take_in_one(channel, connection)?;
                }
                self.receive.watch(channel)
            }
            Ok(Ok(Saved::Nothing)) => self.receive.watch(channel),
            // None is left for the duplicate.
            Err(_) => {
                self.starved.insert(SocketId(channel.0));
                Ok(())
            }
            Ok(Ok(Saved::End) | Err(_)) => {
                if let Some(count @ 1..) = self.window.others.remove(&channel) {
                    pollux_os::say!(
                        "pollux: TCP/IP provider: new connections saved from the dead primary: {count}"
                    );
                }
                self.pair.release(channel)
            }
        }
    }

    fn take_in_one(&mut self, channel: HeldId, connection: OwnedFd) -> Result<()> {
        let (Some(local), Some(remote)) = (near(&connection), far(&connection)) else {
            // Reset meanwhile.
            return Ok(());
        };
        let cookie = socket_cookie(&connection);
        let is_same = |id| self.pair.descriptor(held(id)).is_ok_and(|fd| socket_cookie(&fd) == cookie);
        let listener = self.state.listener_of_saved(local, remote, condition(&connection), is_same);
        if let Some(listener) = listener {
            *self.window.others.entry(channel).or_default() += 1;
            self.take_in(listener, connection)?;
        }
        Ok(())
    }
}
