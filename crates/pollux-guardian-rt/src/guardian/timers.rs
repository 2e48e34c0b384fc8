//! Timers that end in a message on `$RECEIVE`: -22 for elapsed time, -26 for processor time (Guardian Procedure Calls,
//! `SIGNALTIMEOUT`, `SIGNALPROCESSTIMEOUT`, `TIMER_START_`).
//!
//! A pure table, one for each of the two clocks: it is told the time and says which timers have expired, in the order of
//! their times. A timer that has expired is out of the table: cancelling it then does not take its message back.

use std::collections::BTreeMap;

/// Timers a process may have running on one clock; above: no timer element is free (error 3600).
pub(crate) const TIMERS_PER_CLOCK_MAX: usize = 4096;

/// Names a running timer. Never negative, and not given again soon after its timer has expired, so that a cancel that
/// comes late does not hit another timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerTag(pub(crate) i16);

/// What the message of a timer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerParameters {
    /// First parameter, 0 if it was left out.
    pub(crate) first: i16,
    /// Second parameter, 0 if it was left out.
    pub(crate) second: i32,
}

/// The running timers of one clock. All times are microseconds on it.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// By time and by the order in which they were started.
    running: BTreeMap<(u64, u64), (TimerTag, TimerParameters)>,
    started: u64,
    last_tag: i16,
}

impl Timers {
    /// Starts a timer that expires `after_us` from now; none if there are too many.
    pub(crate) fn start(
        &mut self,
        now_us: u64,
        after_us: u64,
        parameters: TimerParameters,
    ) -> Option<TimerTag> {
        if self.running.len() >= TIMERS_PER_CLOCK_MAX {
            return None;
        }
        let tag = self.free_tag();
        self.started += 1;
        self.running.insert((now_us.saturating_add(after_us), self.started), (tag, parameters));
        Some(tag)
    }

    /// Ends a timer without a message; false if it does not run.
    pub(crate) fn cancel(&mut self, tag: TimerTag) -> bool {
        let found = self.running.iter().find(|(_, (running, _))| *running == tag).map(|(key, _)| *key);
        found.is_some_and(|key| self.running.remove(&key).is_some())
    }

    /// Ends all timers without messages.
    pub(crate) fn cancel_all(&mut self) {
        self.running.clear();
    }

    /// Takes out the timers whose time has come, the earliest first.
    pub(crate) fn expire(&mut self, now_us: u64) -> Vec<TimerParameters> {
        let rest = self.running.split_off(&(now_us.saturating_add(1), 0));
        std::mem::replace(&mut self.running, rest).into_values().map(|(_, parameters)| parameters).collect()
    }

    /// When the next timer expires.
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.running.keys().next().map(|(at, _)| *at)
    }

    fn free_tag(&mut self) -> TimerTag {
        loop {
            self.last_tag = self.last_tag.checked_add(1).unwrap_or(0);
            let tag = TimerTag(self.last_tag);
            if self.running.values().all(|(running, _)| *running != tag) {
                return tag;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbered(first: i16) -> TimerParameters {
        TimerParameters { first, second: 0 }
    }

    // A timer that comes out of order or twice makes a program give up a request that was answered.
    #[test]
    fn timers_expire_in_the_order_of_their_times() {
        let mut timers = Timers::default();
        timers.start(100, 50, numbered(1)).unwrap();
        timers.start(100, 20, numbered(2)).unwrap();
        timers.start(100, 50, numbered(3)).unwrap();
        assert_eq!(timers.next_at(), Some(120));
        assert_eq!(timers.expire(119), []);
        assert_eq!(timers.expire(120), [numbered(2)]);
        assert_eq!(timers.expire(500), [numbered(1), numbered(3)]);
        assert_eq!((timers.expire(500), timers.next_at()), (vec![], None));
    }

    #[test]
    fn a_cancelled_timer_is_silent_and_an_expired_one_is_unknown() {
        let mut timers = Timers::default();
        let first = timers.start(0, 10, numbered(1)).unwrap();
        let second = timers.start(0, 20, numbered(2)).unwrap();
        assert!(timers.cancel(first));
        assert!(!timers.cancel(first));
        assert_eq!(timers.expire(30), [numbered(2)]);
        assert!(!timers.cancel(second));
        timers.start(0, 20, numbered(3)).unwrap();
        timers.cancel_all();
        assert_eq!(timers.expire(u64::MAX), []);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut timers = Timers::default();
        for _ in 0..TIMERS_PER_CLOCK_MAX {
            timers.start(0, 1, numbered(0)).unwrap();
        }
        assert_eq!(timers.start(0, 1, numbered(0)), None);
    }

    proptest! {
        #[test]
        fn tags_of_running_timers_differ_and_are_not_negative(ends in proptest::collection::vec(0u64..3, 1..300)) {
            let mut timers = Timers { last_tag: i16::MAX - 100, ..Timers::default() };
            let mut running = Vec::new();
            for after in ends {
                let tag = timers.start(0, after, numbered(0)).unwrap();
                prop_assert!(tag.0 >= 0 && !running.contains(&tag));
                running.push(tag);
            }
        }
    }
}
