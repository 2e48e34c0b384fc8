//! A node that fills with pairs: what a request costs among them (`scale`), what they take of the memory (`footprint`), and how
//! long all are silent when the CPU of their primaries is lost (`cpu-loss`).

use crate::arguments::{Benchmark, Plan};
use crate::compare::counted;
use crate::cpu_loss;
use crate::load::Rounds;
use crate::many::{Many, PolluxLines};
use crate::memory;
use crate::node::Bench;
use crate::numbers::median;
use crate::placement::Placement;
use crate::progress;
use crate::report::{Figure, Row, Target, Value};
use anyhow::Result;

const REQUEST_BYTES: usize = 64;
const WANTS: [(Benchmark, &str); 3] =
    [(Benchmark::Scale, "scale"), (Benchmark::Footprint, "footprint"), (Benchmark::CpuLoss, "cpu-loss")];

/// Among the most pairs, against one alone.
const FLAT_TARGET: f64 = 1.2;
const PRIVATE_MIB_TARGET: f64 = 3.0;
const LOSS_MS_TARGET: f64 = 1000.0;
/// For each pair, against fewer of them.
const LOSS_FLAT_TARGET: f64 = 1.1;
/// Fewer are not a node that is full.
const PAIRS_FULL: usize = 1_000;

/// What the smaller numbers of pairs have shown.
#[derive(Default)]
struct Before {
    one: Option<Rounds>,
    one_in_turn: Option<Rounds>,
    loss_us_per_pair: Option<f64>,
}

/// Measures with more and more pairs, which stay. What fails is a row, and ends it.
pub(crate) fn measure(bench: &Bench, plan: &Plan) -> Vec<Row> {
    let wanted: Vec<&str> =
        WANTS.iter().filter(|(benchmark, _)| plan.wants(*benchmark)).map(|(_, name)| *name).collect();
    let (mut rows, mut before, mut running) = (Vec::new(), Before::default(), 0);
    if wanted.is_empty() {
        return rows;
    }
    progress::begin(&format!("{} with many pairs", wanted.join(", ")));
    for pairs in plan.pairs {
        if let Err(error) = measure_with(bench, plan, &mut running, *pairs, &mut before, &mut rows) {
            let name = format!("{} with {pairs} pairs", wanted.join(", "));
            rows.push(Row::missing(name, format!("{error:#}")));
            break;
        }
    }
    rows
}

fn measure_with(
    bench: &Bench,
    plan: &Plan,
    running: &mut usize,
    pairs: usize,
    before: &mut Before,
    rows: &mut Vec<Row>,
) -> Result<()> {
    Placement::Free.enter(bench, 0)?;
    while *running < pairs {
        progress::show(&format!("{running} of {pairs} pairs run"));
        bench.run_server(&name(*running), true, &["echo", "0"])?;
        *running += 1;
    }
    let names: Vec<String> = (0..pairs).map(name).collect();
    cpu_loss::wait_until_whole(&mut cpu_loss::lines(bench, &names)?)?;
    if plan.wants(Benchmark::Scale) {
        rows.extend(scale(bench, plan, &names, before)?);
    }
    if plan.wants(Benchmark::Footprint) && pairs > 1 {
        rows.extend(footprint(bench, pairs)?);
    }
    if plan.wants(Benchmark::CpuLoss) {
        rows.extend(loss(bench, plan, &names, before)?);
    }
    Ok(())
}

fn name(number: usize) -> String {
    format!("$F{number}")
}

fn primaries(count: usize) -> String {
    if count == 1 { "1 primary".to_owned() } else { format!("{count} primaries") }
}

/// A request to one of the pairs, and requests to all of them in turn.
fn scale(bench: &Bench, plan: &Plan, names: &[String], before: &mut Before) -> Result<Vec<Row>> {
    let open = |names: &[String]| PolluxLines::open(&bench.requester, names.iter().map(String::as_str), 1);
    let (mut one, mut in_turn) = (Many::all(open(&names[..1])?), Many::some(open(names)?, 1));
    let (mut of_one, mut of_all) = (Rounds::default(), Rounds::default());
    let roots = bench.roots();
    for round in 1..=plan.rounds {
        progress::show(&format!("scale: round {round} of {}: {} pairs", plan.rounds, names.len()));
        Placement::Other.enter(bench, 0)?;
        of_one.add(&roots, &mut one, (REQUEST_BYTES, 1, plan.row_time))?;
        of_all.add(&roots, &mut in_turn, (REQUEST_BYTES, 1, plan.row_time))?;
    }
    let row = |name, now: &Rounds, before: Option<&Rounds>, target| Row {
        name,
        value: Value::P50,
        figure: now.figure(),
        baseline: before.map(|before| ("one pair in the node", before.figure())),
        target: before.and(target),
        noise_percent: before.map_or(0.0, Rounds::noise_percent).max(now.noise_percent()),
        note: None,
    };
    let pairs = names.len();
    let flat = Some(Target::RatioAtMost(FLAT_TARGET));
    let rows = vec![
        row(format!("scale {}, requests to one", counted(pairs, "pair")), &of_one, before.one.as_ref(), flat),
        row(
            format!("scale {}, requests to all by chance", counted(pairs, "pair")),
            &of_all,
            before.one_in_turn.as_ref(),
            None,
        ),
    ];
    before.one.get_or_insert(of_one);
    before.one_in_turn.get_or_insert(of_all);
    Ok(rows)
}

/// What the halves, and what the whole node, take.
fn footprint(bench: &Bench, pairs: usize) -> Result<Vec<Row>> {
    progress::show(&format!("footprint: {pairs} pairs"));
    let halves: Vec<memory::Memory> =
        bench.pids(|name| name.starts_with("$F"))?.into_iter().map(memory::of).collect::<Result<_>>()?;
    let mut node_kib: u64 = halves.iter().map(|half| half.proportional_kib).sum();
    for (_, daemon) in bench.daemons()? {
        node_kib += memory::of(daemon)?.proportional_kib;
    }
    let row = |what: &str, mib: f64, target| Row {
        name: format!("footprint {pairs} pairs, {what}"),
        value: Value::Amount("MiB"),
        figure: Figure::of_amount(mib, halves.len()),
        baseline: None,
        target,
        noise_percent: 0.0,
        note: None,
    };
    let private = median(halves.iter().map(|half| half.private_kib as f64)) / 1024.0;
    Ok(vec![
        row("private memory of a half", private, Some(Target::ValueAtMost(PRIVATE_MIB_TARGET))),
        row("memory of the node for each pair", node_kib as f64 / 1024.0 / pairs as f64, None),
    ])
}

/// Losses of the CPU that has all primaries.
fn loss(bench: &Bench, plan: &Plan, names: &[String], before: &mut Before) -> Result<Vec<Row>> {
    let pairs = names.len();
    let (mut all_ms, mut noise) = (Vec::new(), Vec::new());
    for round in 1..=plan.losses {
        progress::show(&format!("cpu-loss: {round} of {}: {pairs} primaries", plan.losses));
        let loss = cpu_loss::measure(bench, names)?;
        all_ms.push(loss.until_all.as_secs_f64() * 1e3);
        noise.push(loss.noise_percent);
    }
    let figure = |scale: f64| Figure {
        spread_percent: crate::numbers::spread_percent(all_ms.iter().copied()),
        ..Figure::of_amount(median(all_ms.iter().copied()) * scale, all_ms.len())
    };
    let row = |name, unit, figure, baseline, target| Row {
        name,
        value: Value::Amount(unit),
        figure,
        baseline,
        target,
        noise_percent: median(noise.iter().copied()),
        note: None,
    };
    let per_pair = figure(1e3 / pairs as f64);
    let fewer = before.loss_us_per_pair.replace(per_pair.amount.unwrap_or_default());
    let fewer = fewer.map(|us| ("fewer primaries", Figure::of_amount(us, all_ms.len())));
    let flat = fewer.as_ref().map(|_| Target::RatioAtMost(LOSS_FLAT_TARGET));
    let all_target = (pairs >= PAIRS_FULL).then_some(Target::ValueAtMost(LOSS_MS_TARGET));
    Ok(vec![
        row(format!("cpu-loss {}, until all answer", primaries(pairs)), "ms", figure(1.0), None, all_target),
        row(format!("cpu-loss {}, for each", primaries(pairs)), "us", per_pair, fewer, flat),
    ])
}
