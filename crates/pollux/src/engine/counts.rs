//! The loop by hand: the same steps as [`Engine::next_delivery`], cut where it would wait.

use super::{Delivery, Engine, Place};
use crate::error::{Error, Result};
use std::time::Duration;

impl Engine {
    /// What is due by the clock is never due: how often it would be depends on how fast this runs.
    pub(crate) fn stop_the_clock(&mut self) {
        (self.next_tick_ns, self.next_housekeeping_ns) = (u64::MAX, u64::MAX);
    }

    /// Runs until there is something for the program, or until it would wait: then this half is asleep, and whoever sends it
    /// something rings.
    pub(crate) fn next_or_asleep(&mut self) -> Result<Option<Delivery>> {
        loop {
            self.end_turn();
            self.relieve_batch();
            if self.stopped {
                return Err(Error::Misuse("the pair has stopped"));
            }
            if let Some(delivery) = self.deliver_next()? {
                return Ok(Some(delivery));
            }
            if self.more_may_share() {
                self.wake()?;
                continue;
            }
            self.finish_turns()?;
            if self.fall_asleep()? != Some(Duration::ZERO) {
                return Ok(None);
            }
            self.wake()?;
        }
    }

    /// The wait is over: takes in what has come.
    pub(crate) fn wake(&mut self) -> Result<()> {
        self.wake_up(Place::Between, Some(Duration::ZERO))
    }
}
