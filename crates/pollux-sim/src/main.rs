//! `pollux-sim`: plays simulated pairs until so many takeovers were seen, replays what failed, cuts plans at every point.

use clap::{Parser, Subcommand};
use pollux_sim::bugs::Bug;
use pollux_sim::campaign::{Tally, first_that_finds, run_until};
use pollux_sim::enumerate::enumerate;
use pollux_sim::kept;
use pollux_sim::plan::Plan;
use pollux_sim::run::{Place, traced};
use pollux_sim::shrink::shrink;
use pollux_sim::sometimes::Situation;
use pollux_sim::swarm;
use pollux_sim::world::World;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Plays process pairs in a simulated world, with the machines that run in real ones.
///
/// Exit code: 0 when every promise was kept, 1 when one was broken or a situation was never met, 2 when the command is wrong.
#[derive(Parser)]
#[command(name = "pollux-sim")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Plays seed after seed until so many takeovers were seen; goes on where the last campaign ended.
    Run {
        /// Takeovers in all, those of earlier campaigns in the same tally counted.
        #[arg(long, default_value_t = 1_000_000)]
        takeovers: u64,
        /// The file that keeps the tally; none is kept without it.
        #[arg(long)]
        tally: Option<PathBuf>,
        /// The first seed of a new tally.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Threads; all CPUs without it.
        #[arg(long)]
        threads: Option<usize>,
        /// The tally as JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Plays one seed, or one plan from a file, and shows every step.
    Replay {
        /// A seed, or the file of a plan.
        what: String,
        /// Shows only the outcome and what the requesters saw.
        #[arg(long)]
        quiet: bool,
    },
    /// Makes the plan of a seed or a file that breaks a promise small, and prints it.
    Shrink {
        /// A seed, or the file of a plan.
        what: String,
        /// With this error put in; their names are those that `bugs` prints.
        #[arg(long)]
        bug: Option<Bug>,
    },
    /// Puts every single fault and every pair of faults at every place of each plan.
    Points {
        /// Files of plans, or directories with them.
        #[arg(required = true)]
        plans: Vec<PathBuf>,
        /// Faults in one run at most.
        #[arg(long, default_value_t = 2)]
        faults: u32,
    },
    /// Plays seeds until one breaks a promise: exit code 0 when one does, 1 when none does.
    Find {
        /// Seeds to try.
        #[arg(long, default_value_t = 10_000)]
        seeds: u64,
    },
    /// Looks for each error that can be put in on purpose, and says which seed finds it.
    Bugs {
        /// Seeds to try for each.
        #[arg(long, default_value_t = 10_000)]
        seeds: u64,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().verb {
        Verb::Run { takeovers, tally, seed, threads, json } => {
            campaign(takeovers, tally.as_deref(), seed, threads, json)
        }
        Verb::Replay { what, quiet } => plan_of(&what).map(|plan| replay(&plan, quiet)),
        Verb::Shrink { what, bug } => {
            plan_of(&what).and_then(|plan| smaller(&plan, bug.unwrap_or(Bug::None)))
        }
        Verb::Points { plans, faults } => points(&plans, faults),
        Verb::Find { seeds } => Ok(find(seeds)),
        Verb::Bugs { seeds } => Ok(bugs(seeds)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("pollux-sim: {why}");
            ExitCode::from(2)
        }
    }
}

/// A seed's plan, or that of a file.
fn plan_of(what: &str) -> Result<Plan, String> {
    if let Ok(seed) = what.parse() {
        return Ok(swarm::plan(seed));
    }
    read(Path::new(what))
}

fn read(path: &Path) -> Result<Plan, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{}: {error}\n  next: give a seed or the file of a plan", path.display()))?;
    text.parse().map_err(|why| format!("{}: {why}", path.display()))
}

fn campaign(
    takeovers: u64,
    file: Option<&Path>,
    seed: u64,
    threads: Option<usize>,
    json: bool,
) -> Result<bool, String> {
    let mut tally = kept::load(file)?.unwrap_or_else(|| Tally { next_seed: seed, ..Tally::default() });
    let threads = threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let shows = std::io::stderr().is_terminal();
    run_until(&mut tally, takeovers, Bug::None, threads, |tally| {
        if shows {
            let share = 100 * tally.takeovers.min(takeovers) / takeovers.max(1);
            eprint!("\r{share:>3} %  {} runs, {} takeovers", tally.runs, tally.takeovers);
            let _ = std::io::stderr().flush();
        }
        if let Some(file) = file {
            save(tally, file);
        }
    });
    if shows {
        eprintln!();
    }
    if let Some(file) = file {
        save(&tally, file);
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&tally).map_err(|error| error.to_string())?);
    } else {
        report(&tally);
    }
    Ok(tally.violations.is_empty() && tally.sometimes.never().is_empty())
}

/// Without its file a campaign goes on, and says so.
fn save(tally: &Tally, file: &Path) {
    if let Err(why) = kept::save(tally, file) {
        eprintln!("pollux-sim: {why}");
    }
}

fn report(tally: &Tally) {
    let Tally { runs, steps, faults, takeovers, answered, .. } = tally;
    println!("{runs} runs, {steps} steps, {faults} faults, {answered} requests answered");
    println!("{takeovers} takeovers, {} broken promises", tally.violations.len());
    if tally.violations.is_empty() {
        println!("at 95 % confidence fewer than {:.1e} per takeover", tally.bound());
    }
    for (seed, what) in &tally.violations {
        println!("seed {seed}: {what}\n  next: pollux-sim shrink {seed}");
    }
    for situation in Situation::ALL {
        println!("  {:<70} {:>10}", situation.text(), tally.sometimes.count(*situation));
    }
    for situation in tally.sometimes.never() {
        println!("never met: {}: the campaign is blind there", situation.text());
    }
}

fn replay(plan: &Plan, quiet: bool) -> bool {
    print!("{plan}");
    let mut history = String::new();
    let mut states = Vec::new();
    let outcome = traced(plan, Bug::None, |(place, step), run| {
        let world = &run.world;
        history = world.history().to_string();
        let mut now = states_of(world, "");
        if let Some(server) = &run.server {
            now.extend(states_of(&server.world, "server "));
        }
        if !quiet {
            let changed = if now == states { String::new() } else { now.join(" ") };
            let whose = if place == Place::Server { "server " } else { "" };
            println!("{:>6}  {:<24} {changed}", world.now, format!("{whose}{step:?}"));
        }
        states = now;
    });
    print!("{history}");
    println!(
        "{} steps, {} faults, {} takeovers, {} requests answered, digest {:016x}",
        outcome.steps, outcome.faults, outcome.takeovers, outcome.answered, outcome.digest
    );
    match &outcome.violation {
        None => println!("every promise was kept"),
        Some(what) => println!("broken: {what}"),
    }
    outcome.violation.is_none()
}

/// The live halves of a world and their states.
fn states_of(world: &World, whose: &str) -> Vec<String> {
    let live = world.processes.iter().enumerate().filter(|(_, process)| process.alive);
    live.map(|(who, process)| format!("{whose}{who}={}", process.pair.state())).collect()
}

fn smaller(plan: &Plan, bug: Bug) -> Result<bool, String> {
    if pollux_sim::run::run(plan, bug).violation.is_none() {
        return Err(format!("{}: it breaks no promise, so there is nothing to make small", plan.name));
    }
    print!("{}", shrink(plan, bug));
    Ok(true)
}

fn points(paths: &[PathBuf], faults: u32) -> Result<bool, String> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))?;
            files.extend(entries.flatten().map(|entry| entry.path()));
        } else {
            files.push(path.clone());
        }
    }
    files.sort();
    let (mut runs, mut all_faults, mut kept) = (0, 0, true);
    for file in &files {
        let plan = read(file)?;
        match enumerate(&plan, Bug::None, faults) {
            Ok(count) => {
                println!(
                    "{:>4} steps {:>8} runs {:>8} faults  {}",
                    count.steps, count.runs, count.faults, plan.name
                );
                runs += count.runs;
                all_faults += count.faults;
            }
            Err(violation) => {
                kept = false;
                println!("broken: {}\n{}", violation.what, violation.plan);
            }
        }
    }
    println!("{} plans, {runs} runs, {all_faults} faults", files.len());
    Ok(kept)
}

fn find(seeds: u64) -> bool {
    std::panic::set_hook(Box::new(|_| {}));
    let found = first_that_finds(Bug::None, 0..seeds);
    match &found {
        Some((seed, what)) => println!("{seed} {what}"),
        None => println!("no promise is broken by {seeds} seeds"),
    }
    found.is_some()
}

fn bugs(seeds: u64) -> bool {
    // The assertions that a bug breaks speak for themselves.
    std::panic::set_hook(Box::new(|_| {}));
    let mut found = Vec::new();
    for bug in Bug::ALL {
        match first_that_finds(bug, 0..seeds) {
            Some((seed, what)) => {
                println!("{:<28} seed {seed:>6}  {what}", format!("{bug:?}"));
                found.push(seed);
            }
            None => println!("{:<28} not found by {seeds} seeds", format!("{bug:?}")),
        }
    }
    found.sort_unstable();
    println!(
        "{} of {} found, median seed {}",
        found.len(),
        Bug::ALL.len(),
        found.get(found.len() / 2).unwrap_or(&0)
    );
    found.len() == Bug::ALL.len()
}
