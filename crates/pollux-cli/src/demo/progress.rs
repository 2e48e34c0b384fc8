//! What the load's thread and the one that kills share: orders one way, figures the other.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::counts::Counts;

/// What the load does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Writing and reading.
    Load = 0,
    /// Waiting for what is due.
    Drain = 1,
    /// Reading everything back.
    Verify = 2,
    /// Over.
    End = 3,
}

impl Stage {
    fn from_number(number: u8) -> Stage {
        match number {
            0 => Stage::Load,
            1 => Stage::Drain,
            2 => Stage::Verify,
            _ => Stage::End,
        }
    }
}

/// Shared between the threads.
#[derive(Debug)]
pub(crate) struct Progress {
    ordered: AtomicU8,
    done: AtomicU8,
    requests: AtomicU64,
    acknowledged: AtomicU64,
    lost: AtomicU64,
    duplicated: AtomicU64,
    client_errors: AtomicU64,
    reconnects: AtomicU64,
    pause: Mutex<Pause>,
}

impl Progress {
    /// Nothing has happened.
    pub(crate) fn new(now: Instant) -> Progress {
        Progress {
            ordered: AtomicU8::new(Stage::Load as u8),
            done: AtomicU8::new(Stage::Load as u8),
            requests: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            duplicated: AtomicU64::new(0),
            client_errors: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            pause: Mutex::new(Pause { last_reply: now, open: false, longest: Duration::ZERO }),
        }
    }

    /// Tells the load what to do.
    pub(crate) fn order(&self, stage: Stage) {
        self.ordered.store(stage as u8, Ordering::SeqCst);
    }

    /// What the load is told to do.
    pub(crate) fn ordered(&self) -> Stage {
        Stage::from_number(self.ordered.load(Ordering::SeqCst))
    }

    /// The load has nothing left to do in this stage.
    pub(crate) fn finish(&self, stage: Stage) {
        self.done.store(stage as u8 + 1, Ordering::SeqCst);
    }

    /// True when the load has nothing left to do in this stage.
    pub(crate) fn finished(&self, stage: Stage) -> bool {
        self.done.load(Ordering::SeqCst) > stage as u8
    }

    /// The load's figures.
    pub(crate) fn publish(&self, counts: &Counts) {
        self.requests.store(counts.requests, Ordering::Relaxed);
        self.acknowledged.store(counts.acknowledged, Ordering::Relaxed);
        self.lost.store(counts.lost, Ordering::Relaxed);
        self.duplicated.store(counts.duplicated, Ordering::Relaxed);
        self.client_errors.store(counts.client_errors, Ordering::Relaxed);
        self.reconnects.store(counts.reconnects, Ordering::Relaxed);
    }

    /// The figures last published.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            requests: self.requests.load(Ordering::Relaxed),
            acknowledged: self.acknowledged.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            duplicated: self.duplicated.load(Ordering::Relaxed),
            client_errors: self.client_errors.load(Ordering::Relaxed),
            reconnects: self.reconnects.load(Ordering::Relaxed),
        }
    }

    /// Replies came in at `now`.
    pub(crate) fn replied(&self, now: Instant) {
        self.with_pause(|pause| pause.replied(now));
    }

    /// A fault is about to happen: from here on the longest silence is kept.
    pub(crate) fn open_window(&self) {
        self.with_pause(Pause::open);
    }

    /// The window is over: the longest silence in it, one that goes on included.
    pub(crate) fn close_window(&self, now: Instant) -> Duration {
        self.with_pause(|pause| pause.close(now))
    }

    fn with_pause<T>(&self, act: impl FnOnce(&mut Pause) -> T) -> T {
        // A thread that panicked in here leaves figures that are still figures.
        act(&mut self.pause.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// The longest gap between two successive replies, of any client, that ends within a window.
#[derive(Debug, Clone, Copy)]
struct Pause {
    last_reply: Instant,
    open: bool,
    longest: Duration,
}

impl Pause {
    fn replied(&mut self, now: Instant) {
        if self.open {
            self.longest = self.longest.max(now.saturating_duration_since(self.last_reply));
        }
        self.last_reply = now;
    }

    fn open(&mut self) {
        self.open = true;
        self.longest = Duration::ZERO;
    }

    fn close(&mut self, now: Instant) -> Duration {
        self.replied_until(now);
        self.open = false;
        self.longest
    }

    fn replied_until(&mut self, now: Instant) {
        if self.open {
            self.longest = self.longest.max(now.saturating_duration_since(self.last_reply));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The pause is the figure people judge by: a silence that has not ended yet must count, one before the fault not.
    #[test]
    fn the_longest_silence_within_the_window() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let progress = Progress::new(start);
        progress.replied(at(50));
        progress.open_window();
        progress.replied(at(51));
        progress.replied(at(58));
        progress.replied(at(59));
        assert_eq!(progress.close_window(at(60)), Duration::from_millis(7));
        progress.replied(at(200));
        progress.open_window();
        assert_eq!(progress.close_window(at(1200)), Duration::from_secs(1));
    }

    #[test]
    fn stages_are_finished_in_order() {
        let progress = Progress::new(Instant::now());
        assert!(!progress.finished(Stage::Load));
        progress.order(Stage::Drain);
        assert_eq!(progress.ordered(), Stage::Drain);
        progress.finish(Stage::Drain);
        assert!(progress.finished(Stage::Drain) && !progress.finished(Stage::Verify));
    }
}
