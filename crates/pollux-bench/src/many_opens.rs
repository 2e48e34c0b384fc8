//! Many opens of one server: what each costs (`footprint`), and what those that are idle cost the others (`scale`), against a raw
//! epoll server with as many sockets.

use crate::arguments::{Benchmark, Plan};
use crate::compare::{Cell, counted, take_rounds};
use crate::load::{Requester, fill};
use crate::many::{Lines as _, Many, PolluxLines};
use crate::memory;
use crate::node::Bench;
use crate::noise::Others;
use crate::placement::{Placement, first, pin};
use crate::progress;
use crate::raw::many::RawLines;
use crate::report::{Figure, Row, Target, Value};
use anyhow::{Context, Result};
use rustix::process::{Resource, getrlimit};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

const PAIR: &str = "$FOOT";
const SINGLE: &str = "$WIDE";
const REQUEST_BYTES: usize = 64;
/// Opens that are active at a time, among many that are not.
const ACTIVE: usize = 64;
/// An open takes so many descriptors of its requester: the paths to both halves, or to a single process and beside it the
/// socket to the raw server.
const DESCRIPTORS_PER_OPEN: u64 = 2;
/// Time for some twenty requests.
const WARM_UP_PER_OPEN: Duration = Duration::from_micros(300);
/// For all else in this process.
const DESCRIPTORS_ELSE: u64 = 2_000;

const PRIVATE_MIB_TARGET: f64 = 3.0;
/// What "flat" means: the last opens against the first.
const FLAT_TARGET: f64 = 1.2;
const RATIO_TARGET: f64 = 0.9;

/// Measures what is wanted of it.
pub(crate) fn measure(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    let limit = getrlimit(Resource::Nofile).current;
    let mut rows = Vec::new();
    let mut add = |measured: Vec<Row>, note: Option<String>| {
        rows.extend(measured.into_iter().map(|row| Row { note: note.clone(), ..row }));
    };
    if plan.wants(Benchmark::Footprint) {
        let (opens, note) = opens_allowed(plan.opens, limit);
        add(footprint(bench, opens)?, note);
    }
    if plan.wants(Benchmark::Scale) {
        // Rings take a quarter of the descriptors at most.
        let (opens, note) = opens_allowed(plan.opens, limit.map(|limit| limit - limit / 4));
        add(scale(bench, plan, opens)?, note);
    }
    Ok(rows)
}

/// So many as this number of descriptors allows, and a word about it if it is fewer than wanted.
fn opens_allowed(wanted: usize, descriptors: Option<u64>) -> (usize, Option<String>) {
    let room =
        descriptors.map_or(u64::MAX, |limit| limit.saturating_sub(DESCRIPTORS_ELSE) / DESCRIPTORS_PER_OPEN);
    let opens = usize::try_from(room).unwrap_or(usize::MAX).min(wanted);
    let note = (opens < wanted).then(|| format!("{wanted} opens need more descriptors than are allowed"));
    (opens, note)
}

/// An idle pair, and one with many opens.
fn footprint(bench: &Bench, opens: usize) -> Result<Vec<Row>> {
    progress::show("footprint: an idle pair");
    bench.run_server(PAIR, true, &["echo", "0"])?;
    bench.requester.open(PAIR)?.request(&request())?;
    let (primary, backup) = (bench.primary_pid(PAIR)?, bench.backup_pid(PAIR)?);
    let private = |pid| Ok::<f64, anyhow::Error>(memory::of(pid)?.private_kib as f64);
    let half = private(primary)?.max(private(backup)?) / 1024.0;
    let mut rows = vec![row(
        "footprint, private memory of the larger half of an idle pair".to_owned(),
        ("MiB", half, 1),
        None,
        Some(Target::ValueAtMost(PRIVATE_MIB_TARGET)),
    )];

    let first_opens = opens / 10;
    let halves_kib = || Ok::<f64, anyhow::Error>(private(primary)? + private(backup)?);
    let none_kib = halves_kib()?;
    progress::show(&format!("footprint: {first_opens} opens"));
    let (few, first_time) = open_often(bench, first_opens)?;
    let first_kib = halves_kib()?;
    progress::show(&format!("footprint: {opens} opens"));
    let (more, _) = open_often(bench, opens - 2 * first_opens)?;
    let more_kib = halves_kib()?;
    let others = Others::begin(&bench.roots())?;
    let (last, last_time) = open_often(bench, first_opens)?;
    let noise_percent = others.percent()?;
    let last_kib = halves_kib()?;
    drop((few, more, last));
    bench.stop_server(PAIR)?;

    let each = first_opens.max(1) as f64;
    let kib = |before: f64, after: f64| (after - before) / each;
    let us = |time: Duration| time.as_secs_f64() * 1e6 / each;
    let flat = Some(Target::RatioAtMost(FLAT_TARGET));
    rows.push(row(
        format!("footprint, private memory of both halves for each of the last of {opens} opens"),
        ("KiB", kib(more_kib, last_kib), first_opens),
        Some(("the first tenth", kib(none_kib, first_kib))),
        flat,
    ));
    let time = row(
        format!("footprint, time of each of the last of {opens} opens, with a request"),
        ("us", us(last_time), first_opens),
        Some(("the first tenth", us(first_time))),
        flat,
    );
    rows.push(Row { noise_percent, ..time });
    Ok(rows)
}

/// So many more opens, each with one request, and how long that took.
fn open_often(bench: &Bench, count: usize) -> Result<(PolluxLines, Duration)> {
    let begin = Instant::now();
    let mut lines = PolluxLines::open(&bench.requester, std::iter::repeat_n(PAIR, count), 1)?;
    for line in 0..count {
        lines.start(line, &request())?;
        lines.next()?;
    }
    Ok((lines, begin.elapsed()))
}

fn request() -> [u8; REQUEST_BYTES] {
    let mut request = [0; REQUEST_BYTES];
    fill(&mut request, 0);
    request
}

fn row(
    name: String,
    (unit, value, samples): (&'static str, f64, usize),
    baseline: Option<(&'static str, f64)>,
    target: Option<Target>,
) -> Row {
    Row {
        name,
        value: Value::Amount(unit),
        figure: Figure::of_amount(value, samples),
        baseline: baseline.map(|(name, value)| (name, Figure::of_amount(value, samples))),
        target,
        noise_percent: 0.0,
        note: None,
    }
}

/// Some opens of many are active.
fn scale(bench: &Bench, plan: &Plan, opens: usize) -> Result<Vec<Row>> {
    progress::show(&format!("scale: {opens} opens"));
    bench.run_server(SINGLE, false, &["echo", "0"])?;
    let processor = first(bench.processors(0));
    pin(Some(bench.primary_pid(SINGLE)?), processor)?;
    let lines = |count: usize| -> Result<_> {
        let names = std::iter::repeat_n(SINGLE, count);
        let pollux = PolluxLines::open(&bench.requester, names, 1)?;
        Ok((Rc::new(RefCell::new(pollux)), Rc::new(RefCell::new(RawLines::echo(count, processor)?))))
    };
    let cell = |(pollux, raw): &(Rc<RefCell<PolluxLines>>, Rc<RefCell<RawLines>>), active: usize| {
        let count = pollux.borrow().count();
        let mut pollux = Many::some(pollux.clone(), active);
        let mut raw = Many::some(raw.clone(), active);
        // The first request on a connection is not the hundredth: an open that is used gets a ring.
        for requester in [&mut pollux as &mut dyn Requester, &mut raw] {
            requester.run(REQUEST_BYTES, 1, WARM_UP_PER_OPEN * u32::try_from(count)?)?;
        }
        let name = format!("scale {}, {active} active", counted(count, "open"));
        let cell = Cell::new(name, Placement::Other, (REQUEST_BYTES, 1), pollux);
        Ok::<Cell, anyhow::Error>(cell.against("raw epoll server", raw))
    };
    let (one, some, all) = (lines(1)?, lines(ACTIVE)?, lines(opens)?);
    let mut cells = vec![cell(&one, 1)?, cell(&some, ACTIVE)?, cell(&all, 1)?, cell(&all, ACTIVE)?];
    take_rounds(bench, plan, &mut cells)?;
    let mut rows: Vec<Row> = cells
        .iter()
        .map(|cell| {
            let value = if cell.name.ends_with(" 1 active") { Value::P50 } else { Value::PerSecond };
            cell.row(cell.name.clone(), value, 1, None)
        })
        .collect();
    let (few, many) = (&rows[1], &rows[3]);
    rows.push(share_row(few, many).context("a rate without a number")?);
    drop((cells, one, some, all));
    bench.stop_server(SINGLE)?;
    Ok(rows)
}

/// What is left of the rate when most opens are idle, against what is left of the raw server's.
fn share_row(few: &Row, many: &Row) -> Option<Row> {
    let share = |many: &Figure, few: &Figure| Some(many.per_second? / few.per_second?);
    let pollux = share(&many.figure, &few.figure)?;
    let raw = share(&many.baseline.as_ref()?.1, &few.baseline.as_ref()?.1)?;
    let name = format!("{}, rate against that of {ACTIVE} opens", many.name);
    let samples = few.figure.samples + many.figure.samples;
    let baseline = Some(("the same of a raw epoll server", raw));
    let row = row(name, ("x", pollux, samples), baseline, Some(Target::RatioAtLeast(RATIO_TARGET)));
    Some(Row { noise_percent: few.noise_percent.max(many.noise_percent), ..row })
}

#[cfg(test)]
mod tests {
    use super::*;

    // With a number too large the measurement ends in the middle, without a word of why.
    #[test]
    fn no_more_opens_than_descriptors() {
        assert_eq!(opens_allowed(10_000, Some(40_000)), (10_000, None));
        assert_eq!(opens_allowed(10_000, None), (10_000, None));
        let (opens, note) = opens_allowed(10_000, Some(20_000));
        assert_eq!((opens, note.is_some()), (9_000, true));
        assert_eq!(opens_allowed(10_000, Some(100)).0, 0);
    }

    // The ratio of ratios is what the target is about.
    #[test]
    fn what_is_left_is_compared() {
        let of = |pollux, raw| {
            let figure = |rate| Figure { per_second: Some(rate), ..Figure::default() };
            Row { figure: figure(pollux), baseline: Some(("raw", figure(raw))), ..Row::missing("scale", "") }
        };
        let row = share_row(&of(100.0, 200.0), &of(80.0, 100.0)).unwrap();
        assert_eq!((row.figure.amount, row.baseline.unwrap().1.amount), (Some(0.8), Some(0.5)));
    }
}
