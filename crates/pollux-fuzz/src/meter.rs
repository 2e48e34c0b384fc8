//! How long an engine has run, for the tally of the campaign: a file with the process's processor microseconds and its
//! executions, written now and then, so that a run that is killed counts, too.

use rustix::time::{ClockId, clock_gettime};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds of processor time between two writes.
const WRITE_EVERY_MS: u64 = 100;
/// Executions between two looks at the clock.
const LOOK_EVERY: u64 = 64;

/// Counts executions.
#[derive(Debug)]
pub struct Meter {
    file: Option<PathBuf>,
    executions: AtomicU64,
    written_ms: AtomicU64,
}

impl Meter {
    /// One that writes to this file, or nowhere.
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { file, executions: AtomicU64::new(0), written_ms: AtomicU64::new(0) }
    }

    /// One more execution.
    pub fn count(&self) {
        let executions = self.executions.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(file) = &self.file else { return };
        if !executions.is_multiple_of(LOOK_EVERY) {
            return;
        }
        let now = clock_gettime(ClockId::ProcessCPUTime);
        let us = u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000
            + u64::try_from(now.tv_nsec).unwrap_or(0) / 1000;
        if us / 1000 >= self.written_ms.load(Ordering::Relaxed) + WRITE_EVERY_MS {
            self.written_ms.store(us / 1000, Ordering::Relaxed);
            // A write that fails makes the tally smaller than it could be, no more.
            let _ = std::fs::write(file, format!("{us} {executions}\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A campaign of hours that is cut would count for nothing.
    #[test]
    fn a_meter_says_what_was_done() {
        let file = std::env::temp_dir().join(format!("pollux-fuzz-meter-{}", std::process::id()));
        let meter = Meter::new(Some(file.clone()));
        while !file.exists() {
            meter.count();
        }
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert!(numbers[0] >= WRITE_EVERY_MS * 1000 && numbers[1] >= LOOK_EVERY, "{text}");
    }
}
