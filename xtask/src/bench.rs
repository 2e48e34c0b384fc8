//! `cargo xtask bench`: builds the benchmarks and runs them; the figures are ratios taken in one run.

use crate::run::{Outcome, cargo};

/// Passes its arguments on.
pub(crate) fn all(arguments: &[&str]) -> Outcome {
    cargo(&["build", "--quiet", "--release", "--package", "pollux-cli", "--package", "pollux-bench"])?;
    let mut words = vec!["run", "--quiet", "--release", "--package", "pollux-bench", "--"];
    words.extend(arguments);
    cargo(&words)
}
