//! `pollux-models`: explores the models, counts, and tells the way to what is broken.

use clap::Parser;
use pollux_models::explore::{Effort, Explored};
use pollux_models::suite;
use pollux_sim::kept;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Explores every order of steps of a small pair and a small domain, with the machines that run in real ones.
///
/// Exit code: 0 when every promise was kept in every state, 1 when one was broken, a check was cut off or a situation was
/// not reachable, 2 when the command is wrong.
#[derive(Parser)]
#[command(name = "pollux-models")]
struct Arguments {
    /// The larger bounds, too.
    #[arg(long)]
    large: bool,
    /// Only models with these words in their names, such as "alone" or "two crashes".
    #[arg(long, default_value = "")]
    only: String,
    /// The counts as JSON on standard output.
    #[arg(long)]
    json: bool,
    /// The file that keeps the counts; none is kept without it.
    #[arg(long)]
    tally: Option<PathBuf>,
    /// Threads; all CPUs without it.
    #[arg(long)]
    threads: Option<usize>,
    /// Minutes after which a model is cut off.
    #[arg(long, default_value_t = 60)]
    minutes: u64,
}

fn main() -> ExitCode {
    let Arguments { large, only, json, tally, threads, minutes } = Arguments::parse();
    // An assertion that fails is told with its way.
    std::panic::set_hook(Box::new(|_| {}));
    let threads = threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let effort = Effort { threads, longest: Duration::from_secs(minutes * 60), depth_first: large };
    let mut so_far = Vec::new();
    let explored = suite::all(large, &only, &effort, |one| {
        so_far.push(one.clone());
        if let Some(file) = &tally {
            kept::save(&so_far, file).unwrap_or_else(|why| eprintln!("pollux-models: {why}"));
        }
        if !json {
            show(one);
        }
    });
    if json {
        match serde_json::to_string_pretty(&explored) {
            Ok(text) => println!("{text}"),
            Err(error) => eprintln!("pollux-models: {error}"),
        }
    } else {
        let unique: usize = explored.iter().map(|one| one.unique_states).sum();
        let broken = explored.iter().filter(|one| !one.is_good()).count();
        println!("{} models, {unique} different states, {broken} not good", explored.len());
    }
    if explored.iter().all(Explored::is_good) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(one: &Explored) {
    let Explored { name, states, unique_states, depth, seconds, .. } = one;
    println!("{unique_states:>9} states of {states:>9}, depth {depth:>3}, {seconds:>7.1} s  {name}");
    if !one.complete && one.violations.is_empty() {
        println!("  cut off: not every state was visited\n  next: give it more --minutes");
    }
    for situation in one.unreached.iter().filter(|_| one.complete) {
        println!("  never reached: {situation}: the model is blind there");
    }
    for violation in &one.violations {
        println!("  broken: {}", violation.what);
        for (number, step) in violation.trace.iter().enumerate() {
            println!("  {:>4}  {step}", number + 1);
        }
        match &violation.scenario {
            Some(plan) => println!("  as a plan, for pollux-sim replay:\n{plan}"),
            None => println!("  no plan of pollux-sim was found that shows it"),
        }
    }
}
