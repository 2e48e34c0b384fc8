//! When a program is started again, and after which pause.
//!
//! Pure: times come in, an answer goes out. The pause doubles from 0.1 s to 10 s with each run that ended early; a run of
//! 10 s or more forgets the earlier ones.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Pause before the first restart.
pub(crate) const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause.
pub(crate) const PAUSE_MAX: Duration = Duration::from_secs(10);
/// A program that ran so long had started well.
pub(crate) const SETTLED_AFTER: Duration = Duration::from_secs(10);

/// After which ends a program is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// After each.
    Always,
    /// After a signal and a code other than 0.
    OnFailure,
    /// After none. The loss of a keeper's half or CPU is no end: the program is started again.
    Never,
}

impl Restart {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Restart::Always => "always",
            Restart::OnFailure => "on-failure",
            Restart::Never => "never",
        }
    }
}

impl FromStr for Restart {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Restart::Always, Restart::OnFailure, Restart::Never]
            .into_iter()
            .find(|policy| policy.name() == text)
            .ok_or_else(|| "choose always, on-failure or never".to_owned())
    }
}

/// How a run of the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It ended by itself, with this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It could not be started; the error number.
    NotStarted(i32),
}

impl End {
    /// What a shell would say of it.
    pub(crate) fn exit_code(self) -> u8 {
        let code = match self {
            End::Code(code) => code,
            End::Signal(signal) => 128 + signal,
            // As shells do: 127 for a program that is not there, 126 for one that cannot be executed.
            End::NotStarted(errno) if errno == rustix::io::Errno::NOENT.raw_os_error() => 127,
            End::NotStarted(_) => 126,
        };
        (code & 0xff) as u8
    }
}

impl fmt::Display for End {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Code(code) => write!(formatter, "ended with code {code}"),
            End::Signal(signal) => write!(formatter, "was ended by signal {signal}"),
            End::NotStarted(errno) => {
                let error = std::io::Error::from_raw_os_error(*errno);
                write!(formatter, "could not be started: {error}")
            }
        }
    }
}

/// What both halves of the keeper know of the runs so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Runs {
    /// Runs begun.
    pub(crate) begun: u64,
    /// Runs in a row that ended early.
    pub(crate) early: u32,
}

/// What follows from an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is started again after a pause.
    Again(Duration),
    /// It is not started again: the policy says so.
    Finished,
    /// It is not started again: it ended early too often in a row.
    GivenUp,
}

/// Decides what follows from the end of a run that took `ran`; `limit` restarts in a row are the last, 0 = no limit.
pub(crate) fn after(policy: Restart, limit: u32, runs: &mut Runs, end: End, ran: Duration) -> Next {
    if ran >= SETTLED_AFTER {
        runs.early = 0;
    }
    let wanted = match policy {
        Restart::Always => true,
        Restart::OnFailure => end != End::Code(0),
        Restart::Never => false,
    };
    // What never ran will not run the next time: a wrong file, not a fault.
    let never_ran = runs.begun <= 1 && matches!(end, End::NotStarted(_));
    if !wanted || never_ran {
        return Next::Finished;
    }
    if limit > 0 && runs.early >= limit {
        return Next::GivenUp;
    }
    let pause = PAUSE_MAX.min(PAUSE_MIN.saturating_mul(1 << runs.early.min(16)));
    runs.early = runs.early.saturating_add(1);
    Next::Again(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(runs: &mut Runs, ran: Duration, count: usize) -> Vec<u64> {
        (0..count)
            .map(|_| match after(Restart::Always, 0, runs, End::Code(1), ran) {
                Next::Again(pause) => pause.as_millis() as u64,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    // A program that crashes at once must not take the whole machine; one that ran well must not wait long.
    #[test]
    fn the_pause_doubles_to_its_limit_and_is_forgotten_after_a_good_run() {
        let mut runs = Runs { begun: 1, early: 0 };
        let early = Duration::from_millis(9_999);
        assert_eq!(pauses(&mut runs, early, 9), [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(pauses(&mut runs, SETTLED_AFTER, 1), [100]);
        assert_eq!(pauses(&mut runs, early, 1), [200]);
        let mut worn = Runs { begun: 1, early: u32::MAX };
        assert_eq!(pauses(&mut worn, early, 1), [10_000]);
    }

    // The policy decides about ends, not about faults of the keeper.
    #[test]
    fn each_policy_with_each_end() {
        let ran = Duration::from_secs(60);
        let of = |policy, end| {
            let mut runs = Runs { begun: 5, early: 0 };
            matches!(after(policy, 0, &mut runs, end, ran), Next::Again(_))
        };
        for (end, expected) in [
            (End::Code(0), [true, false, false]),
            (End::Code(1), [true, true, false]),
            (End::Signal(9), [true, true, false]),
            (End::NotStarted(2), [true, true, false]),
        ] {
            let seen = [Restart::Always, Restart::OnFailure, Restart::Never].map(|policy| of(policy, end));
            assert_eq!(seen, expected, "{end:?}");
        }
    }

    // A crash loop that somebody limited ends; a restart now and then does not count.
    #[test]
    fn the_limit_counts_early_ends_in_a_row() {
        let mut runs = Runs { begun: 1, early: 0 };
        let mut next = |ran| after(Restart::Always, 2, &mut runs, End::Signal(11), ran);
        let early = Duration::from_secs(1);
        assert!(matches!(next(early), Next::Again(_)));
        assert!(matches!(next(SETTLED_AFTER), Next::Again(_)));
        assert!(matches!(next(early), Next::Again(_)));
        assert_eq!(next(early), Next::GivenUp);
    }

    // A file that cannot be executed is the user's mistake: waiting for it to mend itself would hide it.
    #[test]
    fn a_program_that_never_ran_is_not_started_again() {
        let mut runs = Runs { begun: 1, early: 0 };
        assert_eq!(after(Restart::Always, 0, &mut runs, End::NotStarted(8), Duration::ZERO), Next::Finished);
        assert_eq!([End::NotStarted(2), End::NotStarted(13)].map(End::exit_code), [127, 126]);
        assert_eq!([End::Code(0), End::Code(7), End::Signal(9)].map(End::exit_code), [0, 7, 137]);
        assert_eq!(
            End::NotStarted(2).to_string(),
            "could not be started: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn policies_by_name() {
        for policy in [Restart::Always, Restart::OnFailure, Restart::Never] {
            assert_eq!(policy.name().parse(), Ok(policy));
        }
        assert_eq!("often".parse::<Restart>(), Err("choose always, on-failure or never".to_owned()));
    }
}
