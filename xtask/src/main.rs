//! `cargo xtask VERB`: everything a developer or CI runs, the same for both.

mod bench;
mod bugbank;
mod ci;
mod counts;
mod fuzz;
mod performance;
mod revisions;
mod run;
mod tidy;
mod torture;
mod trials;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask VERB

  ci             the gate: prerequisites, format, lints, tidy, tests, documentation, simulated takeovers, pairs under kills, a demo, counts
  ci --quick     the same without the last four
  fix            formats the code
  tidy           checks our own source: banned words, blobs, tabs, dead documents
  sim [ARG..]    simulated takeovers: `--takeovers N` (a million without it), adds to the tally in target/sim.json
  models [ARG..] every order of steps of small pairs and domains: `--large`, `--json`; counts in target/models.json
  torture [ARG..]  real kills and pauses: `--kills N --pauses N`, adds to the tally in target/torture.json; see `--help`
  bugbank [NAME..]  applies each patch of bugbank/ to a copy of the source: the simulator must find what it breaks
  bench [ARG..]  the benchmarks: see `cargo xtask bench --help`
  performance [FILE]  writes what the benchmarks have measured into docs/performance.md, with plots: see `--help`
  counts [ARG..] instructions of the hot paths, against those in the tree: see `cargo xtask counts --help`
  fuzz [ARG..]   libFuzzer over every decoder, adds to the tally in target/fuzz.json: see `cargo xtask fuzz --help`
  trials         writes what the campaigns have counted into docs/guarantees.md
  headers        writes docs/reference/procedures.md from the procedure table
  man DIR        writes the man pages of the pollux command
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["ci"] => ci::all(true),
        ["ci", "--quick"] => ci::all(false),
        ["fix"] => run::cargo(&["fmt", "--all"]),
        ["tidy"] => tidy::check(),
        ["sim", rest @ ..] => sim(rest),
        ["models", rest @ ..] => models(rest),
        ["torture", rest @ ..] => match torture::more(rest) {
            Ok(0) => Ok(()),
            // It has said why; its exit code tells a broken promise from a tester that failed.
            Ok(code) => return ExitCode::from(code),
            Err(error) => Err(error),
        },
        ["bugbank", names @ ..] => bugbank::all(names),
        ["bench", rest @ ..] => bench::all(rest),
        ["performance", rest @ ..] => performance::write(rest),
        ["counts", rest @ ..] => counts::all(rest),
        ["fuzz", rest @ ..] => fuzz::all(rest),
        ["trials"] => trials::write(),
        ["headers"] => headers(),
        ["man", directory] => {
            run::cargo(&["run", "--quiet", "--release", "--package", "pollux-cli", "--", "man", directory])
        }
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprintln!("xtask: unknown verb: {}\n\n{USAGE}", other.join(" "));
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Goes on with the campaign whose tally is among the build's files.
fn sim(arguments: &[&str]) -> run::Outcome {
    revisions::note("sim")?;
    let tally = run::target().join("sim.json").display().to_string();
    let package = ["run", "--quiet", "--release", "--package", "pollux-sim", "--", "run", "--tally", &tally];
    run::cargo(&[&package[..], arguments].concat())
}

/// Explores the models. Its counts are among the build's files.
fn models(arguments: &[&str]) -> run::Outcome {
    revisions::note("models")?;
    let tally = run::target().join("models.json").display().to_string();
    let package = ["run", "--quiet", "--release", "--package", "pollux-models", "--", "--tally", &tally];
    run::cargo(&[&package[..], arguments].concat())
}

/// Writes the reference page. A test of pollux-guardian says when that is due.
fn headers() -> run::Outcome {
    let package = ["run", "--quiet", "--package", "pollux-guardian", "--example", "headers"];
    run::cargo(&[&package[..], &["--", "--reference", "docs/reference/procedures.md"]].concat())
}
