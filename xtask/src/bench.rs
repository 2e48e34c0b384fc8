//! `cargo xtask bench`: builds the benchmarks and runs them; the figures are ratios taken in one run.

use crate::run::{Outcome, cargo};

/// Passes its arguments on.
pub(crate) fn all(arguments: &[&str]) -> Outcome {
    let mut build = vec!["build", "--quiet", "--release"];
    // The library is what C programs run with.
    for package in ["pollux-cli", "pollux-bench", "pollux-kv", "pollux-guardian-rt"] {
        build.extend(["--package", package]);
    }
    build.extend(["--features", "pollux-bench/grpc"]);
    cargo(&build)?;
    let mut words =
        vec!["run", "--quiet", "--release", "--package", "pollux-bench", "--features", "grpc", "--"];
    words.extend(arguments);
    cargo(&words)
}
