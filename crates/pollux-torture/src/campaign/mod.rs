//! `cargo xtask torture`: thousands of real kills and pauses, and what every requester was told, judged by the judge of the
//! simulator.
//!
//! A campaign is rounds; a round is a node, some pairs with their requesters, and a list of faults, all of it drawn from a seed.
//!
//! | File | What it does |
//! | --- | --- |
//! | [`options`] | what the command takes |
//! | [`plan`] | the faults that a seed stands for |
//! | [`tools`] | programs and directories that all rounds use |
//! | [`round`] | plays one round |
//! | [`subject`] | a pair under faults: who asks it, when it is in step, what it must hold in the end |
//! | [`strike`] | does a fault to a pair |
//! | [`special`] | full disks, disk errors, limits, and the loss of both halves |
//! | [`hostile`] | programs that mean harm, beside all that |
//! | [`tally`] | counts that add up over campaigns |
//! | [`run`] | round after round, what is kept of one that failed, and the verdict |
//!
//! A promise that is broken is one thing, a tester that fails another: [`Problem`] tells them apart.

pub mod hostile;
pub mod options;
pub mod plan;
pub mod round;
pub mod run;
pub mod special;
pub mod strike;
pub mod subject;
pub mod tally;
pub mod tools;

use crate::wait::NOT_IN_TIME;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a round is no good one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A promise was broken; the words begin with its number.
    Broken(String),
    /// The round could not be played, which says nothing of the pairs.
    Harness(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(what) => write!(f, "broken: {what}"),
            Self::Harness(what) => write!(f, "the tester has failed: {what}"),
        }
    }
}

/// Something went wrong in the tester itself.
pub(crate) fn harness(what: impl fmt::Display) -> impl FnOnce(std::io::Error) -> Problem {
    move |error| Problem::Harness(format!("{what}: {error}"))
}

/// What a panic says: a condition of the node that never came true is the node's, anything else the tester's.
pub(crate) fn problem_of(panic: String) -> Problem {
    if panic.starts_with(NOT_IN_TIME) {
        Problem::Broken(format!("L1: {panic}"))
    } else {
        Problem::Harness(panic)
    }
}

/// Runs what may panic as tests do.
pub(crate) fn caught<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(what)).map_err(|panic| words_of(panic.as_ref()))
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}
