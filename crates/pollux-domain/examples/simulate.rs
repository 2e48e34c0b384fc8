//! Runs many schedules of faults against the domain's succession and prints what was seen.
//!
//! ```text
//! simulate quorum|legacy COUNT [SEED] [THREADS]     random schedules, seeds SEED to SEED + COUNT
//! simulate exhaustive quorum|legacy [STEP] [WINDOW] [PART/PARTS]   4 servers, 2 failures, 1 change
//! simulate bugs [COUNT]                             each planted bug must be found within COUNT seeds
//! simulate seed quorum|legacy SEED                  one schedule, with its plan
//! ```
#![allow(clippy::disallowed_methods, reason = "a command measures its own time and uses all CPUs")]

use pollux_domain::simulation::{Bounds, Bug, Plan, Sometimes, exhaustive, run_seed, trace};
use pollux_domain::succession::Mode;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = |index: usize| arguments.get(index).map_or("", String::as_str);
    let number = |index: usize, default: u64| text(index).parse().unwrap_or(default);
    let mode = |index: usize| match text(index) {
        "quorum" => Some(Mode::Quorum),
        "legacy" => Some(Mode::Legacy),
        _ => None,
    };
    match (text(0), mode(0), mode(1)) {
        (_, Some(mode), _) => random(mode, number(1, 10_000), number(2, 0), number(3, 1)),
        ("exhaustive", _, Some(mode)) => {
            let (part, parts) = text(4).split_once('/').unwrap_or(("0", "1"));
            let part = (part.parse().unwrap_or(0), parts.parse().unwrap_or(1));
            let (step, window) = (number(2, 6), number(3, 60));
            all(&Bounds { mode, servers: 4, failures: 2, step, window, part })
        }
        ("bugs", ..) => bugs(number(1, 20_000)),
        ("seed", _, Some(mode)) => {
            println!("{:#?}", Plan::random(mode, number(2, 0)));
            let (report, lines) = trace(&Plan::random(mode, number(2, 0)), None);
            lines.iter().for_each(|line| println!("{line}"));
            println!("{:?}\n{} events", report.violation, report.events);
            ExitCode::from(u8::from(report.violation.is_some()))
        }
        _ => {
            eprintln!(
                "simulate quorum|legacy COUNT [SEED] [THREADS] | exhaustive quorum|legacy [STEP] [WINDOW] [PART/PARTS] | bugs [COUNT] | seed quorum|legacy SEED"
            );
            ExitCode::from(2)
        }
    }
}

fn random(mode: Mode, count: u64, seed: u64, threads: u64) -> ExitCode {
    let started = Instant::now();
    let results: Vec<(u64, u64, Sometimes, Vec<u64>)> = std::thread::scope(|scope| {
        let work = |thread: u64| {
            let (mut runs, mut events, mut sometimes, mut failed) = (0, 0, Sometimes::default(), Vec::new());
            for seed in (seed..seed + count).filter(|seed| seed % threads.max(1) == thread) {
                let report = run_seed(mode, seed, None);
                runs += 1;
                events += report.events;
                sometimes.add(&report.sometimes);
                if let Some(violation) = report.violation {
                    println!("seed {seed}: {}: {}", violation.promise, violation.text);
                    println!("  again with: simulate seed {} {seed}", format!("{mode:?}").to_lowercase());
                    failed.push(seed);
                }
            }
            (runs, events, sometimes, failed)
        };
        let handles: Vec<_> = (0..threads.max(1)).map(|thread| scope.spawn(move || work(thread))).collect();
        handles.into_iter().map(|handle| handle.join().expect("a run does not panic")).collect()
    });
    let mut sometimes = Sometimes::default();
    results.iter().for_each(|(_, _, seen, _)| sometimes.add(seen));
    let runs: u64 = results.iter().map(|(runs, ..)| runs).sum();
    let events: u64 = results.iter().map(|(_, events, ..)| events).sum();
    let failed: usize = results.iter().map(|(.., failed)| failed.len()).sum();
    println!("{mode:?}: {runs} schedules, {events} events, {failed} violations, {:.1?}", started.elapsed());
    report(mode, &sometimes);
    ExitCode::from(u8::from(failed > 0))
}

fn report(mode: Mode, sometimes: &Sometimes) {
    for (what, count) in &sometimes.counts {
        println!("  {what:<42} {count:>12}");
    }
    for what in Sometimes::expected(mode).iter().filter(|what| !sometimes.counts.contains_key(*what)) {
        println!("  {what:<42} {:>12}", "NEVER");
    }
}

fn all(bounds: &Bounds) -> ExitCode {
    let started = Instant::now();
    let (runs, sometimes, found) = exhaustive(bounds, None);
    println!("{bounds:?}: {runs} schedules, {:.1?}", started.elapsed());
    report(bounds.mode, &sometimes);
    match found {
        None => ExitCode::SUCCESS,
        Some((plan, report)) => {
            println!("{:?}\n{plan:#?}", report.violation);
            ExitCode::FAILURE
        }
    }
}

fn bugs(count: u64) -> ExitCode {
    let mut missed = 0;
    for (bug, legacy) in Bug::ALL {
        let mode = if legacy { Mode::Legacy } else { Mode::Quorum };
        let found = (0..count)
            .find_map(|seed| run_seed(mode, seed, Some(bug)).violation.map(|violation| (seed, violation)));
        match found {
            Some((seed, violation)) => {
                println!(
                    "{:<24} seed {seed:>6}  {}: {}",
                    format!("{bug:?}"),
                    violation.promise,
                    violation.text
                );
            }
            None => {
                missed += 1;
                println!("{:<24} MISSED in {count} seeds", format!("{bug:?}"));
            }
        }
    }
    ExitCode::from(u8::from(missed > 0))
}
