//! `roundtrip`: one request at a time to a single named server, against the same bytes over a raw unix socket.

use crate::arguments::Plan;
use crate::load::{Open, Rounds};
use crate::node::Bench;
use crate::placement::{Placement, first, pin};
use crate::progress;
use crate::raw::RawPeer;
use crate::report::{Row, Target, Value};
use anyhow::Result;

const NAME: &str = "$ECHO";
const SIZES: [usize; 3] = [64, 1024, 64 * 1024];
const PLACEMENTS: [Placement; 2] = [Placement::Same, Placement::Other];
/// At the smallest size.
const RATIO_TARGET: f64 = 1.15;

/// Measures all sizes and placements in turn.
pub(crate) fn measure(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    progress::show("roundtrip: starting the servers");
    bench.run_server(NAME, false, &["echo", "0"])?;
    let processor = first(bench.processors(0));
    pin(Some(bench.primary_pid(NAME)?), processor)?;
    let mut pollux = Open::new(&bench.requester, NAME, 1)?;
    let mut raw = RawPeer::echo(processor)?;

    let cells: Vec<(usize, Placement)> =
        SIZES.iter().flat_map(|size| PLACEMENTS.map(|placement| (*size, placement))).collect();
    let mut results = vec![(Rounds::default(), Rounds::default()); cells.len()];
    let roots = bench.roots();
    for round in 1..=plan.rounds {
        for ((size, placement), (of_pollux, of_raw)) in cells.iter().zip(&mut results) {
            progress::show(&format!(
                "roundtrip: round {round} of {}: {size} B, {}",
                plan.rounds,
                placement.name()
            ));
            placement.enter(bench, 0)?;
            of_pollux.add(&roots, &mut pollux, (*size, 1, plan.row_time))?;
            of_raw.add(&roots, &mut raw, (*size, 1, plan.row_time))?;
        }
    }
    drop(pollux);
    bench.stop_server(NAME)?;

    let row = |((size, placement), (pollux, raw)): (&(usize, Placement), &(Rounds, Rounds))| Row {
        name: format!("roundtrip {} B, {}", size, placement.name()),
        value: Value::P50,
        figure: pollux.figure(),
        baseline: Some(("raw unix socket", raw.figure())),
        target: (*size == SIZES[0]).then_some(Target::RatioAtMost(RATIO_TARGET)),
        noise_percent: pollux.noise_percent().max(raw.noise_percent()),
        note: None,
    };
    Ok(cells.iter().zip(&results).map(row).collect())
}
