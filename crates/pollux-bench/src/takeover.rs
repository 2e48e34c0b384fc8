//! `takeover`: how long a requester waits when the primary is killed, with different amounts of memory to free.
//!
//! The pause runs from just before the kill to the first reply of the new primary's epoch. Kills alternate between an idle
//! server, with the request sent right after, and one that has just been sent a request; where the old primary
//! still answers, the requester goes on asking. Between two kills the pair becomes whole again, memory included.

use crate::arguments::Plan;
use crate::load::fill;
use crate::node::Bench;
use crate::noise::{self, Measured};
use crate::numbers::{Samples, median};
use crate::placement::{Placement, to_pid};
use crate::progress;
use crate::report::{Figure, Row, Target, Value};
use crate::server::{Identity, WHO};
use anyhow::{Context, Result, bail, ensure};
use pollux::Server;
use rustix::process::{Signal, kill_process};
use std::thread;
use std::time::{Duration, Instant};

/// Memory of each half besides the program's own.
pub(crate) const SIZES_MIB: [u32; 3] = [0, 256, 2048];
const NAMES: [&str; 3] = ["$TAKE0", "$TAKE1", "$TAKE2"];
/// In CPU terms: the requester on a processor of the CPU that is left, as one that itself lives in a pair would be.
const PLACEMENTS: [Placement; 2] = [Placement::Other, Placement::Free];
const P50_US_TARGET: f64 = 200.0;
const P99_US_TARGET: f64 = 1000.0;
/// With the most memory, against none.
const RATIO_TARGET: f64 = 1.2;

/// Making pairs with 2 GiB whole again takes minutes; a noisy round is taken again once.
const TRIES_AGAIN_MAX: u32 = 1;
const REQUEST_BYTES: usize = 64;
/// Requests in a tight loop before each kill.
const WARM_UP_REQUESTS: u32 = 300;
/// By then a pair is whole again, 2 GiB of memory included.
const WHOLE_WAIT: Duration = Duration::from_secs(30);
const WHOLE_PAUSE: Duration = Duration::from_millis(5);

/// Kills with each size and placement in turn.
pub(crate) fn measure(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    let mut servers = Vec::new();
    for (name, mib) in NAMES.iter().zip(SIZES_MIB) {
        progress::show(&format!("takeover: starting a pair with {mib} MiB"));
        bench.run_server(name, true, &["store", &mib.to_string()])?;
        servers.push(bench.requester.open(name).with_context(|| format!("open {name}"))?);
    }
    // Left to the scheduler, the largest says only how long its memory takes to be freed, and takes longest.
    let is_measured = |cell: &(usize, Placement)| *cell != (SIZES_MIB.len() - 1, Placement::Free);
    let cells: Vec<(usize, Placement)> = PLACEMENTS
        .iter()
        .flat_map(|placement| (0..SIZES_MIB.len()).map(|size| (size, *placement)))
        .filter(is_measured)
        .collect();
    let mut results: Vec<Vec<Measured<Samples>>> = vec![Vec::new(); cells.len()];
    let roots = bench.roots();
    for round in 1..=plan.rounds {
        for ((size, placement), result) in cells.iter().zip(&mut results) {
            let (mib, place) = (SIZES_MIB[*size], placement.name());
            progress::show(&format!("takeover: round {round} of {}: {mib} MiB, {place}", plan.rounds));
            let kills = share(plan.kills[*size], round, plan.rounds);
            if kills > 0 {
                let server = &mut servers[*size];
                result.push(noise::cleanest(&roots, TRIES_AGAIN_MAX, || {
                    kill_often(bench, server, *placement, kills)
                })?);
            }
        }
    }
    drop(servers);
    for name in NAMES {
        bench.stop_server(name)?;
    }

    Ok(cells.iter().enumerate().flat_map(|(at, _)| rows_of(&cells, &results, at)).collect())
}

/// The rows of one cell. Where the requester is on the processor on which the primary dies, it waits until the memory is free:
/// such rows have no target.
fn rows_of(cells: &[(usize, Placement)], results: &[Vec<Measured<Samples>>], at: usize) -> Vec<Row> {
    let (size, placement) = cells[at];
    let name = format!("takeover {} MiB, {}", SIZES_MIB[size], place(placement));
    let row = |name, value, baseline, target| Row {
        name,
        value,
        figure: figure(&results[at]),
        baseline,
        target: Some(target).filter(|_| placement == Placement::Other),
        noise_percent: median(results[at].iter().map(|measured| measured.noise_percent)),
        note: None,
    };
    let mut rows = vec![
        row(name.clone(), Value::P50, None, Target::ValueAtMost(P50_US_TARGET)),
        row(format!("{name}, p99"), Value::P99, None, Target::ValueAtMost(P99_US_TARGET)),
    ];
    if size + 1 == SIZES_MIB.len()
        && let Some(nothing) = cells.iter().position(|cell| *cell == (0, placement))
    {
        let baseline = Some(("0 MiB", figure(&results[nothing])));
        rows.push(row(
            format!("{name}, against 0 MiB"),
            Value::P50,
            baseline,
            Target::RatioAtMost(RATIO_TARGET),
        ));
    }
    rows
}

fn place(placement: Placement) -> &'static str {
    match placement {
        Placement::Other => "with survivor",
        other => other.name(),
    }
}

/// This round's part of a number of kills.
fn share(kills: u32, round: u32, rounds: u32) -> u32 {
    kills * round / rounds - kills * (round - 1) / rounds
}

/// All kills together: a round has too few for a percentile of its own.
fn figure(rounds: &[Measured<Samples>]) -> Figure {
    Figure::of_samples(rounds.iter().map(|round| &round.value))
}

/// `pollux-bench kill MIB KILLS`: kills so many primaries of a pair in the node that the environment names, with the requester
/// on the survivor's processor.
pub(crate) fn kill(mib: &str, kills: &str) -> Result<()> {
    let bench = Bench::find()?;
    let kills = kills.parse().context("KILLS is a number")?;
    bench.run_server(NAMES[0], true, &["store", mib])?;
    let mut server = bench.requester.open(NAMES[0])?;
    let pauses = kill_often(&bench, &mut server, Placement::Other, kills)?;
    bench.stop_server(NAMES[0])?;
    let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| pauses.quantile_us(share));
    println!("{pauses}\np50 {p50:.0} us, p90 {p90:.0} us, p99 {p99:.0} us, most {:.0} us", pauses.max_us());
    Ok(())
}

/// Kills so many primaries of a pair, which is whole before each: the pauses.
pub(crate) fn kill_often(
    bench: &Bench,
    server: &mut Server,
    placement: Placement,
    kills: u32,
) -> Result<Samples> {
    let mut pauses = Samples::default();
    for kill in 0..kills {
        Placement::Free.enter(bench, 0)?;
        let primary = wait_until_whole(server)?;
        // For the primary's CPU: "other" is where the backup is.
        placement.enter(bench, primary.cpu)?;
        pauses.add(kill_once(server, primary, kill % 2 == 0)?);
    }
    Ok(pauses)
}

fn kill_once(server: &mut Server, primary: Identity, idle: bool) -> Result<Duration> {
    let mut request = [0; REQUEST_BYTES];
    for number in 0..WARM_UP_REQUESTS {
        fill(&mut request, number);
        server.request(&request)?;
    }
    let (pid, epoch) = (to_pid(primary.pid)?, server.epoch());
    let outstanding = if idle { None } else { Some(server.start(&request)?) };
    let killed = Instant::now();
    kill_process(pid, Signal::KILL).context("kill the primary")?;
    if let Some(ticket) = outstanding {
        ensure!(server.finish(ticket)?.error.is_ok(), "a request failed");
    }
    while server.epoch() == epoch {
        server.request(&request)?;
        ensure!(killed.elapsed() < WHOLE_WAIT, "nobody has taken over");
    }
    Ok(killed.elapsed())
}

fn wait_until_whole(server: &mut Server) -> Result<Identity> {
    let begin = Instant::now();
    loop {
        let identity: Identity = serde_json::from_slice(&server.request(WHO)?).context("read who serves")?;
        if identity.whole {
            return Ok(identity);
        }
        if begin.elapsed() > WHOLE_WAIT {
            bail!("the pair is not whole after {} s", WHOLE_WAIT.as_secs());
        }
        thread::sleep(WHOLE_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The number of kills asked for is the number made, however many rounds they are spread over.
    #[test]
    fn shares_add_up() {
        for (kills, rounds) in [(100, 7), (10, 3), (10, 30)] {
            assert_eq!((1..=rounds).map(|round| share(kills, round, rounds)).sum::<u32>(), kills);
        }
    }
}
