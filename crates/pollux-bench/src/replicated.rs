//! `replicated` and `replicated-pipelined`: requests whose change reaches the backup before the reply leaves, against a raw
//! chain of three processes that does the same. With many requesters each has an open, or a connection, of its own.

use crate::arguments::Plan;
use crate::compare::{Cell, size_text, take_rounds};
use crate::many::{Many, PolluxLines};
use crate::node::Bench;
use crate::placement::{Placement, first, pin};
use crate::progress;
use crate::raw::RawPeer;
use crate::raw::many::RawLines;
use crate::report::{Row, Target, Value};
use crate::throughput::work_text;
use anyhow::Result;

const PAIR: &str = "$REPL";
const SINGLE: &str = "$SOLO";
const REQUEST_BYTES: usize = 64;
/// Requesters, bytes, where they are.
const WORK: [(usize, usize, Placement); 9] = [
    (1, REQUEST_BYTES, Placement::Other),
    (16, REQUEST_BYTES, Placement::Other),
    (64, REQUEST_BYTES, Placement::Other),
    (1, REQUEST_BYTES, Placement::Free),
    (64, REQUEST_BYTES, Placement::Free),
    (1, 1024, Placement::Other),
    (64, 1024, Placement::Other),
    (1, 64 * 1024, Placement::Other),
    (16, 64 * 1024, Placement::Other),
];
const ONE_RATIO_TARGET: f64 = 1.3;
const MANY: usize = 64;
const MANY_RATIO_TARGET: f64 = 0.7;

const OUTSTANDING: [u16; 2] = [16, 256];
const PLACEMENTS: [Placement; 2] = [Placement::Other, Placement::Free];
const PIPELINED_RATIO_TARGET: f64 = 0.3;
/// Of the rate without a backup, with the most requests outstanding.
const SINGLE_RATIO_TARGET: f64 = 0.5;

/// Measures 1 to 64 requesters, and their processor time.
pub(crate) fn measure(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    progress::show("replicated: starting the servers");
    bench.run_server(PAIR, true, &["store", "0"])?;
    let (primary, backup) = processors(bench);
    pin(Some(bench.primary_pid(PAIR)?), primary)?;
    let mut cells = Vec::new();
    for (requesters, bytes, placement) in WORK {
        let work = format!("{}, {}, {}", work_text(requesters, 1), size_text(bytes), placement.name());
        let names = std::iter::repeat_n(PAIR, requesters);
        let pollux = Many::all(PolluxLines::open(&bench.requester, names, 1)?);
        let raw = Many::all(RawLines::chain(requesters, primary, backup)?);
        cells.push(Cell::new(work, placement, (bytes, 1), pollux).against("raw chain", raw));
    }
    take_rounds(bench, plan, &mut cells)?;
    let mut rows = Vec::new();
    for (cell, (requesters, bytes, placement)) in cells.iter().zip(WORK) {
        let (value, target) = match requesters {
            1 => (Value::P50, Some(Target::RatioAtMost(ONE_RATIO_TARGET))),
            MANY => (Value::PerSecond, Some(Target::RatioAtLeast(MANY_RATIO_TARGET))),
            _ => (Value::PerSecond, None),
        };
        rows.push(cell.row(format!("replicated {}", cell.name), value, 1, target));
        if (requesters == 1 || requesters == MANY) && bytes == REQUEST_BYTES && placement == Placement::Other
        {
            rows.push(cell.row(format!("cpu {}", cell.name), Value::Cpu, 1, None));
        }
    }
    drop(cells);
    bench.stop_server(PAIR)?;
    Ok(rows)
}

/// Measures many outstanding requests on one open.
pub(crate) fn measure_pipelined(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    progress::show("replicated-pipelined: starting the servers");
    bench.run_server(PAIR, true, &["store", "0"])?;
    bench.run_server(SINGLE, false, &["store", "0"])?;
    let (primary, backup) = processors(bench);
    for name in [PAIR, SINGLE] {
        pin(Some(bench.primary_pid(name)?), primary)?;
    }
    let mut cells = Vec::new();
    for (outstanding, placement) in
        OUTSTANDING.iter().flat_map(|depth| PLACEMENTS.map(|place| (*depth, place)))
    {
        let name = format!(
            "replicated-pipelined {outstanding} outstanding, {REQUEST_BYTES} B, {}",
            placement.name()
        );
        // An open as wide as what is outstanding, as a program would declare it. Requests leave in groups, as those of the raw
        // requester do.
        let open = |name| PolluxLines::open(&bench.requester, [name], outstanding).map(Many::all);
        let (pair, single) = (open(PAIR)?, open(SINGLE)?);
        let cell = Cell::new(name, placement, (REQUEST_BYTES, outstanding.into()), pair);
        cells.push(cell.against("raw chain", RawPeer::chain(primary, backup)?).against("no backup", single));
    }
    take_rounds(bench, plan, &mut cells)?;
    let mut rows = Vec::new();
    for cell in &cells {
        let target = Some(Target::RatioAtLeast(PIPELINED_RATIO_TARGET));
        rows.push(cell.row(cell.name.clone(), Value::PerSecond, 1, target));
        if cell.outstanding == usize::from(OUTSTANDING[1]) {
            let target = Some(Target::RatioAtLeast(SINGLE_RATIO_TARGET));
            let name = format!("{}, against one process", cell.name);
            rows.push(cell.row(name, Value::PerSecond, 2, target));
        }
    }
    drop(cells);
    bench.stop_server(PAIR)?;
    bench.stop_server(SINGLE)?;
    Ok(rows)
}

/// Of the primary, and of the backup.
fn processors(bench: &Bench) -> (&[usize], &[usize]) {
    (first(bench.processors(0)), first(bench.processors_of_other(0)))
}
