//! Timers of the program (Guardian Procedure Calls, `SIGNALTIMEOUT`): which run out when.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Timers of a process; one more is refused.
pub const TIMERS_MAX: usize = 1_024;

/// The timers that run.
#[derive(Debug, Default)]
pub struct Timers {
    running: BTreeMap<(Instant, i16), (i16, i32)>,
    last: i16,
}

impl Timers {
    /// Starts a timer; its tag, or `None` if there are too many.
    pub fn start(&mut self, now: Instant, after: Duration, parameter1: i16, parameter2: i32) -> Option<i16> {
        if self.running.len() >= TIMERS_MAX {
            return None;
        }
        loop {
            self.last = if self.last == i16::MAX { 0 } else { self.last + 1 };
            if !self.running.keys().any(|(_, tag)| *tag == self.last) {
                break;
            }
        }
        self.running.insert((now + after, self.last), (parameter1, parameter2));
        Some(self.last)
    }

    /// Stops a timer; false if it does not run.
    pub fn cancel(&mut self, tag: i16) -> bool {
        let found = self.running.keys().find(|(_, running)| *running == tag).copied();
        found.is_some_and(|key| self.running.remove(&key).is_some())
    }

    /// Stops all timers.
    pub fn cancel_all(&mut self) {
        self.running.clear();
    }

    /// The parameters of those that have run out, in order.
    pub fn expire(&mut self, now: Instant) -> Vec<(i16, i32)> {
        let mut expired = Vec::new();
        while let Some(entry) = self.running.first_entry()
            && entry.key().0 <= now
        {
            expired.push(entry.remove());
        }
        expired
    }

    /// When the next one runs out.
    pub fn next(&self) -> Option<Instant> {
        self.running.first_key_value().map(|((at, _), _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A timer that fires late or twice drives a server's retries at the wrong time.
    #[test]
    fn timers_run_out_in_order_once_unless_cancelled() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut timers = Timers::default();
        let late = timers.start(start, 3 * second, 3, 30).unwrap();
        timers.start(start, second, 1, 10).unwrap();
        let gone = timers.start(start, 2 * second, 2, 20).unwrap();
        assert_eq!(timers.next(), Some(start + second));
        assert!(timers.cancel(gone));
        assert!(!timers.cancel(gone));
        assert_eq!(timers.expire(start + 2 * second), [(1, 10)]);
        assert_eq!(timers.expire(start + 4 * second), [(3, 30)]);
        assert!(!timers.cancel(late));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn they_are_bounded() {
        let mut timers = Timers::default();
        for _ in 0..TIMERS_MAX {
            assert!(timers.start(Instant::now(), Duration::from_secs(1), 0, 0).is_some());
        }
        assert_eq!(timers.start(Instant::now(), Duration::from_secs(1), 0, 0), None);
        timers.cancel_all();
        assert!(timers.start(Instant::now(), Duration::from_secs(1), 0, 0).is_some());
    }
}
