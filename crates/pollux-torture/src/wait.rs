//! Waiting for a condition, never for a time.

use std::thread;
use std::time::{Duration, Instant};

/// A condition that does not hold by then never will. Long, because a machine that builds beside the tests is slow.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How the words of a wait begin that was in vain.
pub const NOT_IN_TIME: &str = "not within";
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Looks until there is a value; panics with `what` and the words of `explain` after the time.
pub fn wait_for<T>(
    patience: Duration,
    what: &str,
    explain: impl Fn() -> String,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(Instant::now() < deadline, "{NOT_IN_TIME} {patience:?}: {what}\n{}", explain());
        thread::sleep(LOOK_EVERY);
    }
}

/// Looks until a condition holds, for [`PATIENCE`].
pub fn wait_until(what: &str, explain: impl Fn() -> String, mut condition: impl FnMut() -> bool) {
    wait_for(PATIENCE, what, explain, || condition().then_some(()));
}

/// Waits a time that is shorter than what a sleep can do.
pub fn spin(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        std::hint::spin_loop();
    }
}
