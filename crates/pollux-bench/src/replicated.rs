//! `replicated`: requests whose change reaches the backup before the reply leaves, against the same server without a
//! backup, and against a raw chain of three processes.

use crate::arguments::Plan;
use crate::load::{Open, Requester, Rounds};
use crate::node::Bench;
use crate::placement::{Placement, first, pin};
use crate::progress;
use crate::raw::RawPeer;
use crate::report::{Row, Target, Value};
use anyhow::Result;

const PAIR: &str = "$REPL";
const SINGLE: &str = "$SOLO";
const REQUEST_BYTES: usize = 64;
const OUTSTANDING: [u16; 3] = [1, 16, 256];
const PLACEMENTS: [Placement; 2] = [Placement::Other, Placement::Free];
/// Of the rate without a backup, with the most requests outstanding.
const RATIO_TARGET: f64 = 0.5;

/// Measures all depths and placements in turn.
pub(crate) fn measure(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    progress::show("replicated: starting the servers");
    bench.run_server(PAIR, true, &["store", "0"])?;
    bench.run_server(SINGLE, false, &["store", "0"])?;
    let (primary, backup) = (first(bench.processors(0)), first(bench.processors_of_other(0)));
    for name in [PAIR, SINGLE] {
        pin(Some(bench.primary_pid(name)?), primary)?;
    }
    let open = |name, outstanding| Open::new(&bench.requester, name, outstanding);
    let mut raw = RawPeer::chain(primary, backup)?;

    let cells: Vec<(u16, Placement)> = PLACEMENTS
        .iter()
        .flat_map(|placement| OUTSTANDING.map(|outstanding| (outstanding, *placement)))
        .collect();
    let mut results = vec![[Rounds::default(), Rounds::default(), Rounds::default()]; cells.len()];
    let roots = bench.roots();
    for round in 1..=plan.rounds {
        for ((outstanding, placement), rounds) in cells.iter().zip(&mut results) {
            let place = placement.name();
            progress::show(&format!(
                "replicated: round {round} of {}: {outstanding} outstanding, {place}",
                plan.rounds
            ));
            placement.enter(bench, 0)?;
            // An open as wide as what is outstanding, as a program would declare it.
            let (mut pair, mut single) = (open(PAIR, *outstanding)?, open(SINGLE, *outstanding)?);
            let requesters: [&mut dyn Requester; 3] = [&mut pair, &mut single, &mut raw];
            for (requester, rounds) in requesters.into_iter().zip(rounds) {
                rounds.add(&roots, requester, (REQUEST_BYTES, usize::from(*outstanding), plan.row_time))?;
            }
        }
    }
    bench.stop_server(PAIR)?;
    bench.stop_server(SINGLE)?;

    let rows = |((outstanding, placement), [pair, single, raw]): (&(u16, Placement), &[Rounds; 3])| {
        let name = format!("replicated {outstanding} outstanding, {}", placement.name());
        let row = |name, baseline, other: &Rounds, target| Row {
            name,
            value: Value::PerSecond,
            figure: pair.figure(),
            baseline: Some((baseline, other.figure())),
            target,
            noise_percent: pair.noise_percent().max(other.noise_percent()),
            note: None,
        };
        let target = (*outstanding == OUTSTANDING[2]).then_some(Target::RatioAtLeast(RATIO_TARGET));
        let against_raw = format!("{name}, against raw");
        [row(name, "no backup", single, target), row(against_raw, "raw chain", raw, None)]
    };
    Ok(cells.iter().zip(&results).flat_map(rows).collect())
}
