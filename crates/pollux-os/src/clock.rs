//! The two clocks Pollux reads, as nanoseconds. The pure crates are handed these numbers; they never look.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Nanoseconds since boot, sleep included: for deadlines that must hold over a suspend (fencing).
pub fn boottime_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::Boottime))
}

/// Nanoseconds of the monotonic clock, sleep not included: for measuring.
pub fn monotonic_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

fn nanoseconds(time: Timespec) -> u64 {
    // Both clocks count up from boot, so neither part is ever negative.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
