//! `repair`: the backup is killed, and a new one is created and gets the state, while requests go on. Against a copy of as many
//! bytes through a unix socket, and against the requests before.
//!
//! The time runs from just before the kill until the primary says that its backup is in step.

use crate::arguments::Plan;
use crate::load::fill;
use crate::node::Bench;
use crate::noise::{self, Measured};
use crate::numbers::{Samples, median, spread_percent};
use crate::placement::{Placement, first, to_pid};
use crate::progress;
use crate::raw::RawCopy;
use crate::report::{Figure, Row, Target, Value};
use crate::server::{GROW, Identity, WHO};
use anyhow::{Context, Result, ensure};
use pollux::Server;
use rustix::process::{Signal, kill_process};
use std::thread;
use std::time::{Duration, Instant};

const NAME: &str = "$MEND";
const REQUEST_BYTES: usize = 64;
/// A state grows by so much with each request.
const GROW_MIB: u32 = 16;
/// After so many requests the primary is asked how its pair is.
const REQUESTS_BETWEEN_LOOKS: u32 = 16;
/// By then a pair is whole, whatever its state.
const WHOLE_WAIT: Duration = Duration::from_secs(60);
const WHOLE_PAUSE: Duration = Duration::from_millis(5);
const TRIES_AGAIN_MAX: u32 = 1;

const COPY_RATIO_TARGET: f64 = 2.0;
const REQUESTS_RATIO_TARGET: f64 = 3.0;

/// One repair, and what was measured beside it.
struct Repair {
    time: Duration,
    before: Samples,
    meanwhile: Samples,
}

/// Repairs of each size in turn.
pub(crate) fn measure(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for mib in plan.repair_mib {
        progress::show(&format!("repair: making a pair with {mib} MiB of state"));
        bench.run_server(NAME, true, &["store", "0"])?;
        let mut server = bench.requester.open(NAME)?;
        grow(&mut server, *mib)?;
        // As the checkpoints go: from the primary's processor to the backup's.
        let mut copy = RawCopy::new(*mib as usize * 1024 * 1024, first(bench.processors_of_other(0)))?;
        let roots = bench.roots();
        let (mut repairs, mut copies) = (Vec::new(), Vec::new());
        for round in 1..=plan.repairs {
            progress::show(&format!("repair: {mib} MiB, {round} of {}", plan.repairs));
            repairs.push(noise::cleanest(&roots, TRIES_AGAIN_MAX, || repair(bench, &mut server, plan))?);
            Placement::Same.enter(bench, 0)?;
            copies.push(noise::cleanest(&roots, TRIES_AGAIN_MAX, || copy.run())?);
        }
        drop(server);
        bench.stop_server(NAME)?;
        rows.extend(rows_of(*mib, &repairs, &copies));
    }
    Ok(rows)
}

fn rows_of(mib: u32, repairs: &[Measured<Repair>], copies: &[Measured<Duration>]) -> [Row; 2] {
    let noise_percent = median(repairs.iter().map(|repair| repair.noise_percent));
    let of_times = |times: &[Duration]| {
        let ms = || times.iter().map(|time| time.as_secs_f64() * 1e3);
        Figure { spread_percent: spread_percent(ms()), ..Figure::of_amount(median(ms()), times.len()) }
    };
    let times: Vec<Duration> = repairs.iter().map(|repair| repair.value.time).collect();
    let copies: Vec<Duration> = copies.iter().map(|copy| copy.value).collect();
    let name = format!("repair {mib} MiB");
    let time = Row {
        name: name.clone(),
        value: Value::Amount("ms"),
        figure: of_times(&times),
        baseline: (mib > 0).then(|| ("copy through a unix socket", of_times(&copies))),
        target: (mib > 0).then_some(Target::RatioAtMost(COPY_RATIO_TARGET)),
        noise_percent,
        note: None,
    };
    let requests = |samples: fn(&Repair) -> &Samples| {
        Figure::of_samples(repairs.iter().map(|repair| samples(&repair.value)))
    };
    let meanwhile = Row {
        name: format!("{name}, p99 of requests meanwhile"),
        value: Value::P99,
        figure: requests(|repair| &repair.meanwhile),
        baseline: Some(("requests before", requests(|repair| &repair.before))),
        target: Some(Target::RatioAtMost(REQUESTS_RATIO_TARGET)),
        noise_percent,
        note: None,
    };
    [time, meanwhile]
}

fn grow(server: &mut Server, mib: u32) -> Result<()> {
    let mut left = mib;
    while left > 0 {
        let piece = left.min(GROW_MIB);
        server.request(&[GROW, &piece.to_le_bytes()].concat()).context("make the state larger")?;
        left -= piece;
    }
    Ok(())
}

fn repair(bench: &Bench, server: &mut Server, plan: &Plan) -> Result<Repair> {
    Placement::Free.enter(bench, 0)?;
    wait_until_whole(server)?;
    let backup = to_pid(bench.backup_pid(NAME)?)?;
    // With the primary's processor left to the primary, and the copy to both halves.
    Placement::Other.enter(bench, 0)?;
    let (mut before, mut meanwhile) = (Samples::default(), Samples::default());
    let begin = Instant::now();
    while begin.elapsed() < plan.row_time {
        ask_often(server, &mut before)?;
        server.request(WHO)?;
    }
    let epoch = who(server)?.epoch;
    let killed = Instant::now();
    kill_process(backup, Signal::KILL).context("kill the backup")?;
    loop {
        ask_often(server, &mut meanwhile)?;
        // Until the loss is noticed the pair says that it is whole.
        let now = who(server)?;
        if now.whole && now.epoch > epoch {
            return Ok(Repair { time: killed.elapsed(), before, meanwhile });
        }
        ensure!(killed.elapsed() < WHOLE_WAIT, "the pair is not whole after {} s", WHOLE_WAIT.as_secs());
    }
}

fn ask_often(server: &mut Server, samples: &mut Samples) -> Result<()> {
    let mut request = [0; REQUEST_BYTES];
    for number in 0..REQUESTS_BETWEEN_LOOKS {
        fill(&mut request, number);
        let started = Instant::now();
        server.request(&request)?;
        samples.add(started.elapsed());
    }
    Ok(())
}

fn who(server: &mut Server) -> Result<Identity> {
    serde_json::from_slice(&server.request(WHO)?).context("read who serves")
}

fn wait_until_whole(server: &mut Server) -> Result<()> {
    let begin = Instant::now();
    while !who(server)?.whole {
        ensure!(begin.elapsed() < WHOLE_WAIT, "the pair is not whole after {} s", WHOLE_WAIT.as_secs());
        thread::sleep(WHOLE_PAUSE);
    }
    Ok(())
}
