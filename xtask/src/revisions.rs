//! On which commits a campaign was run: a tally goes on over many.
//!
//! `CAMPAIGN.commits` among the build's files, a commit a line, in the order of the runs. A `+` says that the source was
//! changed since that commit.

use crate::run::{Outcome, output, root, target};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Takes down that a campaign goes on with the source as it is.
pub(crate) fn note(campaign: &str) -> Outcome {
    let lines = fs::read_to_string(file(campaign)).unwrap_or_default();
    match commit() {
        Some(line) if !lines.ends_with(&line) => write(campaign, &(lines + &line)),
        _ => Ok(()),
    }
}

/// Takes down that a campaign, which keeps no earlier counts, is run on the source as it is.
pub(crate) fn note_only(campaign: &str) -> Outcome {
    write(campaign, &commit().unwrap_or_default())
}

/// A line for the source as it is. A source that came without its history has no commit to name.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| output(Command::new("git").args(arguments).current_dir(root())).ok();
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(format!("{}{}\n", commit.trim(), if changed { "+" } else { "" }))
}

fn file(campaign: &str) -> PathBuf {
    target().join(format!("{campaign}.commits"))
}

fn write(campaign: &str, lines: &str) -> Outcome {
    let file = file(campaign);
    fs::create_dir_all(target()).map_err(|error| format!("{}: {error}", target().display()))?;
    fs::write(&file, lines).map_err(|error| format!("{}: {error}", file.display()))
}

/// The commits of a campaign, for people; none if nobody took them down.
pub(crate) fn of(campaign: &str) -> Option<String> {
    let lines = fs::read_to_string(file(campaign)).ok()?;
    shown(&lines.lines().collect::<Vec<_>>())
}

/// The first and the last one, and how many are between.
fn shown(commits: &[&str]) -> Option<String> {
    match commits {
        [] => None,
        [one] => Some((*one).to_owned()),
        [first, last] => Some(format!("{first}, {last}")),
        [first, between @ .., last] => Some(format!("{first}, {} others, {last}", between.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_commits_are_a_few_words() {
        assert_eq!(shown(&[]), None);
        assert_eq!(shown(&["a"]).unwrap(), "a");
        assert_eq!(shown(&["a", "b+"]).unwrap(), "a, b+");
        assert_eq!(shown(&["a", "b", "c", "d"]).unwrap(), "a, 2 others, d");
    }
}
