//! `cargo xtask fuzz`: libFuzzer over the targets of `pollux-fuzz`, each for its share of processor time.
//!
//! ```text
//!   for the target with the least time in this run, again and again:
//!     engine (coverage counters, one target) --- reads  fuzz/corpus/TARGET and BUILD/fuzz/corpus/TARGET
//!            |                               --- writes new inputs there, crashes to BUILD/fuzz/crashes/
//!            +--- says ten times a second how long it ran: BUILD/fuzz/meters/TARGET.JOB
//!     the meter is added to BUILD/fuzz.json, which is written at once
//! ```
//!
//! A run may be cut at any time: what a meter holds is added by the next run.

mod engine;
mod keep;
mod options;
mod tally;

use crate::revisions;
use crate::run::{Outcome, target};
use engine::{Engine, Slice};
use options::Options;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use tally::Tally;

/// Seconds that an engine runs before the next target has its turn.
const SLICE_SECONDS: u64 = 30;

const USAGE: &str = "\
usage: cargo xtask fuzz [OPTION..] [TARGET..]

  --seconds N     processor seconds for each target in this run; 60 without it
  --cpu-hours H   processor hours for all targets together, in equal shares
  --group-hours H until each group of decoders has had so many processor hours, those of earlier runs included
  --jobs N        targets at the same time; 1 without it
  --keep          afterwards (with --seconds 0: only this) merges what reached something new into fuzz/corpus, minimised
  --list          the targets, their groups, and whose bytes they decode
  --json          prints the tally of all runs (with --list: the targets) as JSON

The tally is fuzz.json among the build's files. Exit code 1 after a crash: its input and the command that repeats it are printed.
A run first tries the inputs of earlier crashes again; those that keep every promise by now are no longer counted.";

/// What several jobs share.
struct Campaign {
    engine: Engine,
    tally: Tally,
    /// Processor microseconds of this run that each target still has.
    left: BTreeMap<String, u64>,
    /// Targets that an engine runs at the moment.
    busy: Vec<String>,
    crashes: Vec<String>,
}

/// Runs what the arguments say.
pub(crate) fn all(arguments: &[&str]) -> Outcome {
    if arguments.iter().any(|word| matches!(*word, "--help" | "-h" | "help")) {
        println!("{USAGE}");
        return Ok(());
    }
    let options = Options::parse(arguments).map_err(|why| format!("fuzz: {why}\n\n{USAGE}"))?;
    let engine = Engine::build(options.json)?;
    let known = engine.targets();
    if let Some(unknown) =
        options.targets.iter().find(|name| !known.iter().any(|target| target.name == **name))
    {
        return Err(format!("fuzz: {unknown} is no target; see cargo xtask fuzz --list"));
    }
    if options.list {
        options::print_list(known, options.json);
        return Ok(());
    }
    revisions::note("fuzz")?;
    let chosen: Vec<String> = known
        .iter()
        .map(|target| target.name.clone())
        .filter(|name| options.targets.is_empty() || options.targets.contains(name))
        .collect();
    let mut tally = Tally::read(file())?;
    engine.collect_meters(&mut tally)?;
    engine.retry_crashes(&mut tally)?;
    let groups = engine.groups();
    let mut left = BTreeMap::new();
    for members in groups.values() {
        let here = members.iter().filter(|name| chosen.contains(name));
        let share_us = options.share_us(chosen.len(), here.clone().count(), tally.processor_us(members));
        left.extend(here.filter(|_| share_us > 0).map(|name| (name.clone(), share_us)));
    }
    let campaign = Mutex::new(Campaign { engine, tally, left, busy: Vec::new(), crashes: Vec::new() });
    let outcomes: Vec<Outcome> = thread::scope(|scope| {
        let jobs: Vec<_> = (0..options.jobs)
            .map(|job| {
                scope.spawn({
                    let campaign = &campaign;
                    let quiet = options.json;
                    move || work(campaign, job, quiet)
                })
            })
            .collect();
        jobs.into_iter().map(|job| job.join().unwrap_or_else(|_| Err("a job panicked".to_owned()))).collect()
    });
    let campaign = campaign.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.into_iter().collect::<Result<Vec<()>, String>>()?;
    if options.keep && campaign.crashes.is_empty() {
        for name in &chosen {
            keep::merge(&campaign.engine, name)?;
        }
    }
    print!(
        "{}",
        if options.json {
            campaign.tally.to_json(&groups)
        } else {
            campaign.tally.to_table(&chosen, &groups)
        }
    );
    match &campaign.crashes[..] {
        [] => Ok(()),
        crashes => Err(format!("fuzz: a promise is broken\n\n{}", crashes.join("\n\n"))),
    }
}

/// Where the tally is.
fn file() -> PathBuf {
    target().join("fuzz.json")
}

fn lock(campaign: &Mutex<Campaign>) -> MutexGuard<'_, Campaign> {
    campaign.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One job: slices of the target that has the most time left, until none has any.
fn work(campaign: &Mutex<Campaign>, job: usize, quiet: bool) -> Outcome {
    loop {
        let (engine, name, left_us) = {
            let mut campaign = lock(campaign);
            let free =
                campaign.left.iter().filter(|(name, left)| **left > 0 && !campaign.busy.contains(name));
            let Some((name, left_us)) = free.max_by_key(|(_, left)| **left) else { return Ok(()) };
            let (name, left_us) = (name.clone(), *left_us);
            campaign.busy.push(name.clone());
            (campaign.engine.clone(), name, left_us)
        };
        let seconds = left_us.div_ceil(1_000_000).min(SLICE_SECONDS);
        let slice = engine.run(&name, job, seconds);
        let mut campaign = lock(campaign);
        campaign.busy.retain(|busy| *busy != name);
        let Slice { processor_us, executions, crash } = slice?;
        campaign.tally.add(&name, processor_us, executions, u64::from(crash.is_some()));
        campaign.tally.write(file(), &campaign.engine.groups())?;
        // A slice that did nothing counts, too: else a target that cannot start would go on for ever.
        let left = left_us.saturating_sub(processor_us.max(1_000_000));
        campaign.left.insert(name.clone(), if crash.is_some() { 0 } else { left });
        if !quiet {
            println!(
                "{name:<20} {:>7.1} s {executions:>10} inputs{}",
                processor_us as f64 / 1e6,
                if crash.is_some() { "  CRASH" } else { "" }
            );
        }
        campaign.crashes.extend(crash);
    }
}
