//! A half of a pair that its owner drives by hand, so that both halves and their requester run in one thread, in an order that
//! no scheduler decides: `pollux-counts` counts what one operation costs. Behind the feature `counts`; no product calls it.

use crate::daemon::Daemon;
use crate::engine::{Engine, Handle};
use crate::error::Result;
use crate::objects::Objects;
use crate::pair::Pair;
use crate::receive::{Event, Receive};
use std::os::fd::OwnedFd;

/// One half, over a control channel whose other end somebody plays who has sent the welcome already.
pub struct Half {
    pair: Pair,
    receive: Receive,
}

impl Half {
    /// Attaches, and becomes what the welcome says. Nothing happens to it by the clock.
    pub fn attach(control: OwnedFd) -> Result<Self> {
        let handle = Handle::new(Engine::attach_to(Daemon::over(control), Objects::default())?);
        handle.engine().stop_the_clock();
        Ok(Self { receive: Receive::new(handle.clone()), pair: Pair { handle } })
    }

    /// What comes next, as [`Receive::event`]; `None` where that would wait. Then this half is asleep, and whoever sends it
    /// something rings.
    pub fn step(&self) -> Result<Option<Event>> {
        let delivery = self.pair.handle.engine().next_or_asleep()?;
        Ok(delivery.map(|delivery| self.receive.event_of(delivery)))
    }

    /// The wait is over: takes in what has come.
    pub fn wake(&self) -> Result<()> {
        self.pair.handle.engine().wake()
    }

    /// The pair, for its objects and its state.
    pub fn pair(&self) -> &Pair {
        &self.pair
    }
}
