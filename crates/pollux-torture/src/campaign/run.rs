//! Round after round, until the tally is full.

use super::options::Options;
use super::tally::Tally;
use super::tools::{Tools, take_own_mounts};
use super::{Problem, harness, round};
use clap::Parser as _;
use pollux_sim::kept;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Failures after which it is pointless to go on.
const FAILURES_MAX: u64 = 5;
/// Between two lines where nobody watches.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A promise was broken, or nothing was tested.
const BROKEN: u8 = 1;
/// The command is wrong.
const WRONG: u8 = 2;
/// The tester has failed.
const HARNESS: u8 = 3;

/// The whole command.
pub fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { WRONG } else { 0 });
        }
    };
    if let Err(error) = take_own_mounts() {
        return failed(&format!("cannot start itself again: {error}"), HARNESS);
    }
    quiet();
    let file = options.tally.as_deref().filter(|_| options.replay.is_none());
    let tally = match Tally::load(file, options.seed) {
        Ok(tally) => tally,
        Err(why) => return failed(&why, WRONG),
    };
    match campaign(&options, tally, file) {
        Ok(tally) => ExitCode::from(verdict(&tally)),
        Err(Problem::Harness(why)) => failed(&why, HARNESS),
        Err(Problem::Broken(why)) => failed(&why, BROKEN),
    }
}

fn failed(why: &str, code: u8) -> ExitCode {
    eprintln!("pollux-torture: {why}");
    ExitCode::from(code)
}

/// What panics is caught, and told in the verdict of its round; hostile clients stumble over CPUs that are down, which is nobody's
/// concern.
fn quiet() {
    std::panic::set_hook(Box::new(|_| {}));
}

/// A broken promise before all else.
fn verdict(tally: &Tally) -> u8 {
    match tally {
        tally if tally.broken() > 0 => BROKEN,
        tally if tally.harness > 0 => HARNESS,
        tally if tally.is_blind() => BROKEN,
        _ => 0,
    }
}

fn campaign(options: &Options, mut tally: Tally, file: Option<&Path>) -> Result<Tally, Problem> {
    let tools = Tools::make(&options.failures)?;
    if let Some(seed) = options.replay {
        tally.add(&round::play(&tools, seed));
        show(&tally, options.json)?;
        return Ok(tally);
    }
    let mut progress = Progress { shown: Instant::now(), watched: std::io::stderr().is_terminal() };
    let full = |tally: &Tally| tally.all_kills() >= options.kills && tally.pauses >= options.pauses;
    // Asked to end it plays its round to the end: that is the harm of a few seconds, and the tally is whole.
    let stop = pollux_os::StopSignals::new().map_err(harness("listen for signals"))?;
    while stop.take().is_none() && !full(&tally) && tally.broken() + tally.harness < FAILURES_MAX {
        let seed = tally.next_seed;
        tally.add(&round::play(&tools, seed));
        tally.next_seed = seed + 1;
        if let Some(file) = file {
            kept::save(&tally, file).map_err(Problem::Harness)?;
        }
        progress.show(&tally, options);
    }
    if progress.watched {
        eprintln!();
    }
    show(&tally, options.json)?;
    Ok(tally)
}

fn show(tally: &Tally, json: bool) -> Result<(), Problem> {
    if json {
        let text =
            serde_json::to_string_pretty(tally).map_err(|error| Problem::Harness(error.to_string()))?;
        println!("{text}");
    } else {
        print!("{tally}");
    }
    Ok(())
}

struct Progress {
    shown: Instant,
    watched: bool,
}

impl Progress {
    fn show(&mut self, tally: &Tally, options: &Options) {
        if !self.watched && self.shown.elapsed() < LINE_EVERY {
            return;
        }
        self.shown = Instant::now();
        let share = |done: u64, wanted: u64| 100 * done.min(wanted) / wanted.max(1);
        let percent = share(tally.all_kills(), options.kills).min(share(tally.pauses, options.pauses));
        let bar = "#".repeat(percent as usize / 5);
        let line = format!(
            "[{bar:<20}] {percent:>3} %  {} of {} kills, {} of {} pauses, {} takeovers, {} requests, {} broken",
            tally.all_kills(),
            options.kills,
            tally.pauses,
            options.pauses,
            tally.takeovers,
            tally.requests,
            tally.broken()
        );
        if self.watched {
            eprint!("\r{line}");
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A tester that fails must not look like a pair that fails, nor like one that passes.
    #[test]
    fn verdicts_are_told_apart() {
        let with = |change: fn(&mut Tally)| {
            let mut tally = Tally { takeovers: 10, takeovers_due: 10, ..Tally::default() };
            change(&mut tally);
            verdict(&tally)
        };
        assert_eq!(with(|_| ()), 0);
        assert_eq!(with(|tally| tally.lost = 1), BROKEN);
        assert_eq!(with(|tally| tally.harness = 1), HARNESS);
        assert_eq!(with(|tally| (tally.harness, tally.stale) = (1, 1)), BROKEN);
        assert_eq!(with(|tally| tally.takeovers = 0), BROKEN);
    }
}
