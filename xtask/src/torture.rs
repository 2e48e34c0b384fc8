//! `cargo xtask torture`: builds the campaign of real kills and runs it.

use crate::revisions;
use crate::run::{Outcome, cargo, root, target};
use std::process::Command;

/// Builds what it needs: the campaign, the programs of its nodes, the library of C programs.
pub(crate) fn build() -> Outcome {
    cargo(&[
        "build",
        "--quiet",
        "--release",
        "--package",
        "pollux-torture",
        "--package",
        "pollux-guardian-rt",
    ])
}

/// Goes on with the campaign whose tally is among the build's files; its exit code.
pub(crate) fn more(arguments: &[&str]) -> Result<u8, String> {
    build()?;
    revisions::note("torture")?;
    let tally = target().join("torture.json").display().to_string();
    run(&[&["--tally", &tally], arguments].concat())
}

/// Runs it; its exit code.
pub(crate) fn run(arguments: &[&str]) -> Result<u8, String> {
    let program = target().join("release/pollux-torture");
    let failures = target().join("torture-failures").display().to_string();
    println!("--- pollux-torture {}", arguments.join(" "));
    let status = Command::new(&program)
        .args(["--failures", &failures])
        .args(arguments)
        .current_dir(root())
        .status()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    // Ended by a signal: it has not come to a verdict.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(3))
}
