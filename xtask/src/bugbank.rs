//! The bug bank: each patch of `bugbank/` brings one realistic bug into a copy of the source, and the simulator must find it.
//!
//! A patch begins with a line that says what is wrong. A second line `Story: NAME` says that seeds meet it too seldom: all crash
//! points of that story are tried instead. The copy is among the build's files and is built incrementally, so that a patch costs
//! some seconds.

use crate::revisions;
use crate::run::{Outcome, output, root, sources, target};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const USAGE: &str = "\
usage: cargo xtask bugbank [NAME..]

  Applies each patch of bugbank/, or those named, to a copy of the source, and lets the simulator look for what it breaks.
  Exit code 1: a bug is not found, or the median of the seeds is 100 or more. All patches take about ten minutes; their sums
  are in bugbank.json among the build's files.
";

/// Seeds after which a bug counts as not found.
const SEEDS_MAX: u64 = 20_000;
/// The median of the seeds that find the bugs must be below.
const MEDIAN_MAX: u64 = 100;

/// Where a bug is looked for.
enum Look<'a> {
    /// In the plans of so many seeds.
    Seeds(u64),
    /// At all crash points of a story.
    Story(&'a str),
}

/// The story that a patch names in its second line.
fn story(patch: &str) -> Option<&str> {
    patch.lines().nth(1)?.strip_prefix("Story: ")
}

/// What became of a patch.
enum Verdict {
    Found {
        /// None if a story has found it.
        seed: Option<u64>,
        what: String,
    },
    /// The copy as it is must not be found fault with, a patched one must.
    NotFound,
}

/// Applies the patches with these names, or all.
pub(crate) fn all(names: &[&str]) -> Outcome {
    if names.iter().any(|word| ["--help", "-h", "help"].contains(word)) {
        print!("{USAGE}");
        return Ok(());
    }
    let patches = patches(names)?;
    if names.is_empty() {
        revisions::note_only("bugbank")?;
    }
    let bank = target().join("bugbank");
    let tree = bank.join("tree");
    copy_sources(&tree)?;
    if let Verdict::Found { what, .. } = look(&bank, &tree, Look::Seeds(MEDIAN_MAX))? {
        return Err(format!("without any patch a promise is broken: {what}"));
    }
    let (mut found, mut seeds) = (0, Vec::new());
    let mut missed = Vec::new();
    for patch in &patches {
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(patch).map_err(|error| format!("{}: {error}", patch.display()))?;
        apply(&tree, patch, &name)?;
        let how = story(&text).map_or(Look::Seeds(SEEDS_MAX), Look::Story);
        let verdict = look(&bank, &tree, how).map_err(|why| format!("{name}: {why}"));
        copy_sources(&tree)?;
        match verdict? {
            Verdict::Found { seed, what } => {
                let by = seed.map_or("a story".to_owned(), |seed| format!("seed {seed}"));
                println!("{name:<44} {by:>10}  {}", what.chars().take(90).collect::<String>());
                found += 1;
                seeds.extend(seed);
            }
            Verdict::NotFound => {
                println!("{name:<44} NOT FOUND  {}", text.lines().next().unwrap_or_default());
                missed.push(name);
            }
        }
    }
    seeds.sort_unstable();
    let median = seeds.get(seeds.len() / 2).copied().unwrap_or(0);
    println!("{found} of {} found, median seed {median}", patches.len());
    if names.is_empty() {
        let all = patches.len();
        let tally = serde_json::json!({ "patches": all, "found": found, "median_seed": median });
        let file = target().join("bugbank.json");
        fs::write(&file, format!("{tally:#}\n")).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if !missed.is_empty() {
        return Err(format!("{SEEDS_MAX} seeds, or its story, do not find: {}", missed.join(", ")));
    }
    if median >= MEDIAN_MAX { Err(format!("the median must be below {MEDIAN_MAX}")) } else { Ok(()) }
}

fn patches(names: &[&str]) -> Result<Vec<PathBuf>, String> {
    let directory = root().join("bugbank");
    if !names.is_empty() {
        let named = names.iter().map(|name| directory.join(format!("{name}.patch")));
        return named
            .map(|file| {
                if file.is_file() {
                    Ok(file)
                } else {
                    Err(format!("there is no {}\n\n{USAGE}", file.display()))
                }
            })
            .collect();
    }
    let entries = fs::read_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "patch"));
    files.sort();
    Ok(files)
}

/// Brings the copy to the state of the source; what is the same already is left, so that it is not built again.
fn copy_sources(tree: &Path) -> Outcome {
    for file in sources(&["crates", "xtask", "Cargo.toml", "Cargo.lock"])? {
        let (from, to) = (root().join(&file), tree.join(file));
        let Ok(bytes) = fs::read(&from) else { continue };
        if fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        let made = to.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&to, bytes));
        made.map_err(|error| format!("{}: {error}", to.display()))?;
    }
    Ok(())
}

fn apply(tree: &Path, patch: &Path, name: &str) -> Outcome {
    let mut git = Command::new("git");
    // The copy is inside of a repository's directory and no part of it.
    git.env("GIT_CEILING_DIRECTORIES", tree.parent().unwrap_or(tree))
        .current_dir(tree)
        .arg("apply")
        .arg(patch);
    output(&mut git).map(drop).map_err(|why| {
        format!("{name}: the patch does not fit the source any more: {why}\n  next: make it anew, the first line says what it does")
    })
}

/// Builds the copy and lets its simulator look.
fn look(bank: &Path, tree: &Path, how: Look<'_>) -> Result<Verdict, String> {
    let build = bank.join("build");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut make = Command::new(cargo);
    make.args(["build", "--quiet", "--package", "pollux-sim"]).current_dir(tree);
    output(make.env("CARGO_TARGET_DIR", &build).env("RUSTFLAGS", "-Awarnings"))?;
    let mut simulator = Command::new(build.join("debug/pollux-sim"));
    match how {
        Look::Seeds(seeds) => simulator.args(["find", "--seeds", &seeds.to_string()]),
        Look::Story(name) => simulator
            .arg("points")
            .arg(tree.join("crates/pollux-sim/scenarios").join(name).with_extension("txt")),
    };
    let done = simulator
        .stderr(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run the simulator: {error}"))?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    match (how, done.status.code()) {
        (Look::Seeds(_), Some(0)) => {
            let (seed, what) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
            let seed = seed.parse().map_err(|_| format!("the simulator says: {text}"))?;
            Ok(Verdict::Found { seed: Some(seed), what: what.to_owned() })
        }
        (Look::Story(_), Some(1)) => {
            Ok(Verdict::Found { seed: None, what: text.lines().next().unwrap_or_default().to_owned() })
        }
        (Look::Seeds(_), Some(1)) | (Look::Story(_), Some(0)) => Ok(Verdict::NotFound),
        _ => Err(format!("the simulator ended with {}", done.status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A patch that has lost its place in the source guards nothing, and nobody sees it before the next run of the whole bank.
    #[test]
    fn every_patch_fits_the_source() {
        for patch in patches(&[]).unwrap() {
            let mut git = Command::new("git");
            output(git.current_dir(root()).args(["apply", "--check"]).arg(&patch)).unwrap();
        }
    }
}
