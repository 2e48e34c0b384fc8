//! `pollux explore`: the user's own pair, killed at each point of its course, with the requester's view compared.
//!
//! | Part | Does |
//! | --- | --- |
//! | [`stage`] | one run: pair, requester, kill |
//! | [`trace`], [`outcome`] | what a run has shown |
//! | [`compare`] | the verdict |
//! | [`campaign`] | which points, and many runs side by side |
//! | [`report`], [`picture`] | what people see |
//!
//! The points are in the libraries: see [`pollux_os::points`].

mod campaign;
mod compare;
mod outcome;
mod picture;
mod progress;
mod report;
mod stage;
mod story;
#[cfg(test)]
mod testing;
mod trace;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use pollux_wire::ProcessName;

use crate::error::{Failure, Result, code};
use crate::output;
use crate::program::Program;
use campaign::{Campaign, Points};
use stage::Subject;

const AFTER_HELP: &str = "\
Points:
  received, delivered               a request is read, is handed to the program
  told                              a system message is handed to the program (C)
  checkpoint-sending, -sent         before and after a checkpoint is sent to the backup
  acknowledged                      the backup has it
  replying, replied                 before and after a reply leaves
  writing, journaled, written       before, within and after a write to a disk file (C)
  ending                            before an orderly end of the server

Verdicts:
  lost      a request has no reply or an error, or the effect of an earlier one is gone
  doubled   an effect is there twice
  diverged  a reply, the output, the end or a file differs in another way

Each run has a directory of its own, empty but for --copy, which is the working directory of the server and the
requester: give their files relative paths, and they are compared, too.

Exit codes: 0 nothing is wrong, 1 something is, 2 wrong command line, 3 it could not be explored, 130 Ctrl-C.

Examples:
  pollux explore target/debug/examples/counter --name '$COUNT' --ignore output --requester target/debug/examples/counter add x 5 -- serve
  pollux explore ./pair_server --html run.html --requester ./pair_requester '$SRV' 5 -- records
  pollux explore ./server --requester sh -c './client first & ./client second & wait'";

/// Kill your own pair at every point of its course, and see what its requester notices
///
/// Runs SERVER as a pair in a private node, with the requester's program, first without faults. Then it runs both again for each
/// point that the primary has passed: before and after each message, checkpoint, reply and file write the primary ends itself
/// with SIGKILL, the backup takes over, and the requests, replies, errors, output and files are compared with those of the
/// first runs. Any difference is a bug in the pair: a field that is not checkpointed, a reply that leaves too early, a sync id that
/// is forgotten. Works for Rust programs with the crate pollux and for C programs compiled by pollux cc.
#[derive(Debug, Args)]
#[command(
    after_help = AFTER_HELP,
    override_usage = "pollux explore [OPTIONS] SERVER --requester PROGRAM [ARG]... [-- SERVER_ARG...]"
)]
pub(crate) struct Explore {
    /// The server's program, as for pollux run
    #[arg(value_name = "SERVER")]
    server: OsString,
    /// The requester's program: all that follows is its own, up to `--` and the server's arguments. It ends by itself, with
    /// exit code 0 when all is well
    #[arg(long, required = true, num_args = 1.., allow_hyphen_values = true, value_names = ["PROGRAM", "ARG"])]
    requester: Vec<OsString>,
    /// The name of the server in the node
    #[arg(long, value_name = "$NAME", default_value = "$SRV")]
    name: ProcessName,
    /// Copy a file into the directory of each run
    #[arg(long, value_name = "FILE")]
    copy: Vec<PathBuf>,
    /// Do not compare this file, or the requester's standard output if it is `output`
    #[arg(long, value_name = "output|FILE")]
    ignore: Vec<String>,
    /// How many points: all of them, or a sample
    #[arg(long, value_name = "all|N", default_value = "all", value_parser = Points::parse)]
    points: Points,
    /// Only this point, with its whole trace
    #[arg(long, value_name = "K[,K2]", value_parser = campaign::parse_at, conflicts_with_all = ["points", "double"])]
    at: Option<stage::Kills>,
    /// Pairs of points, too: the second kill hits the new primary when it has a backup again
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "20")]
    double: Option<u32>,
    /// Runs side by side, each in a node of its own; default one for each processor
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: Option<u8>,
    /// Draws the same sample again
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// A requester that has not ended by then has lost a request
    #[arg(long, value_name = "SECS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Write a page with a picture of each violation; it needs nothing else to be read
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print one object: points, verdicts, violations, traces
    #[arg(long)]
    json: bool,
    /// Leave the directories of all runs, with their traces, logs and files
    #[arg(long)]
    keep: bool,
}

impl Explore {
    /// Explores.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let report = self.explore().map_err(|failure| match failure.code {
            code::FAILED => Failure { code: code::NOT_EXPLORED, ..failure },
            _ => failure,
        })?;
        if let Some(path) = &self.html {
            let page = picture::page(&report);
            std::fs::write(path, page).map_err(|error| Failure {
                code: code::NOT_EXPLORED,
                ..Failure::file("write", path, &error)
            })?;
        }
        if self.json {
            output::json(&report.json())?;
        } else {
            output::print(&report.render())?;
            if let Some(path) = &self.html {
                output::note(&format!("picture: {}", path.display()));
            }
        }
        Ok(ExitCode::from(if report.violations() == 0 { 0 } else { code::FAILED }))
    }

    fn explore(&self) -> Result<report::Report> {
        let (requester, server_arguments) = self.words();
        let Some((written, arguments)) = requester.split_first() else {
            return Err(Failure::new("--requester has no program", "pollux explore --help"));
        };
        let requester = Program::find(written, &[], false)?;
        let mut copied = Vec::new();
        for path in &self.copy {
            copied.push(std::path::absolute(path).map_err(|error| Failure::file("find", path, &error))?);
        }
        let subject = Subject {
            server: Program::find(&self.server, server_arguments, true)?,
            name: self.name.clone(),
            requester: PathBuf::from(requester.spec.program),
            arguments: arguments.to_vec(),
            copied,
            timeout: Duration::from_secs(self.timeout),
            keep: self.keep,
        };
        let jobs = self.jobs.map_or_else(
            || std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8),
            usize::from,
        );
        let campaign = Campaign {
            subject: &subject,
            points: self.points,
            at: self.at.clone(),
            double: self.double.unwrap_or(0),
            ignored: &self.ignore,
            jobs,
            seed: self.seed,
            quiet: self.json,
            again: self.command_line(),
            hangs: false.into(),
        };
        campaign.run()
    }

    /// The command that repeats this, up to the point.
    fn command_line(&self) -> String {
        let mut words = vec!["pollux explore".to_owned(), quoted(&self.server)];
        words.push(format!("--name {}", quoted(self.name.as_str().as_ref())));
        words.extend(self.copy.iter().map(|path| format!("--copy {}", quoted(path.as_os_str()))));
        words.extend(self.ignore.iter().map(|name| format!("--ignore {}", quoted(name.as_ref()))));
        words.push("--at {} --requester".to_owned());
        words.extend(self.requester.iter().map(|word| quoted(word)));
        words.join(" ")
    }

    /// The words of the requester, and those of the server.
    fn words(&self) -> (&[OsString], &[OsString]) {
        match self.requester.iter().position(|word| word == "--") {
            Some(at) => (&self.requester[..at], &self.requester[at + 1..]),
            None => (&self.requester, &[]),
        }
    }
}

/// A word as a shell takes it.
fn quoted(word: &std::ffi::OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        explore: Explore,
    }

    fn parsed(words: &[&str]) -> Explore {
        Line::try_parse_from([&["explore"], words].concat()).unwrap().explore
    }

    // An option of the requester that is one of ours, too, must reach the requester.
    #[test]
    fn what_follows_requester_is_its_own_up_to_the_dashes() {
        let explore = parsed(&[
            "./s",
            "--json",
            "--requester",
            "sh",
            "-c",
            "./a --json",
            "--keep",
            "--",
            "-x",
            "--",
            "y",
        ]);
        let (requester, server) = explore.words();
        assert_eq!(requester, ["sh", "-c", "./a --json", "--keep"]);
        assert_eq!(server, ["-x", "--", "y"]);
        assert!(explore.json && !explore.keep);
        assert_eq!(parsed(&["./s", "--requester", "./a"]).words().1, <[OsString; 0]>::default());
    }

    // The command that is printed must be one that can be pasted into a shell.
    #[test]
    fn the_command_that_repeats_a_point() {
        let line = parsed(&[
            "./s",
            "--name",
            "$KV",
            "--ignore",
            "a b",
            "--requester",
            "sh",
            "-c",
            "it's",
            "--",
            "x",
        ]);
        assert_eq!(
            line.command_line(),
            "pollux explore ./s --name '$KV' --ignore 'a b' --at {} --requester sh -c 'it'\\''s' -- x"
        );
    }
}
