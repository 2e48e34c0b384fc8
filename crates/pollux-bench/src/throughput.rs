//! `throughput`: requests to a single named server from 1, 16 and 64 requesters, each with an open of its own, and from one
//! with 1, 16 and 256 outstanding; against a raw epoll server with as many connections. All requesters are in one process, on
//! the processor that the server does not use.

use crate::arguments::Plan;
use crate::compare::{Cell, size_text, take_rounds};
use crate::many::{Many, PolluxLines};
use crate::node::Bench;
use crate::placement::{Placement, first, pin};
use crate::progress;
use crate::raw::many::RawLines;
use crate::report::{Row, Target, Value};
use anyhow::Result;

const NAME: &str = "$THRU";
/// Requesters, requests at a time from each, bytes. What 256 outstanding requests of 64 KiB measure is the buffers of sockets.
const WORK: [(usize, u16, usize); 9] = [
    (1, 1, 64),
    (16, 1, 64),
    (64, 1, 64),
    (1, 16, 64),
    (1, 256, 64),
    (64, 1, 1024),
    (1, 16, 1024),
    (1, 1, 64 * 1024),
    (16, 1, 64 * 1024),
];
const RATIO_TARGET: f64 = 0.8;

/// Measures all of it in turn.
pub(crate) fn measure(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    progress::show("throughput: starting the servers");
    bench.run_server(NAME, false, &["echo", "0"])?;
    let processor = first(bench.processors(0));
    pin(Some(bench.primary_pid(NAME)?), processor)?;
    let mut cells = Vec::new();
    for (requesters, outstanding, bytes) in WORK {
        let name = format!("throughput {}, {}", work_text(requesters, outstanding), size_text(bytes));
        let names = std::iter::repeat_n(NAME, requesters);
        let pollux = Many::all(PolluxLines::open(&bench.requester, names, outstanding)?);
        let raw = Many::all(RawLines::echo(requesters, processor)?);
        let cell = Cell::new(name, Placement::Other, (bytes, outstanding.into()), pollux);
        cells.push(cell.against("raw epoll server", raw));
    }
    take_rounds(bench, plan, &mut cells)?;
    let target = Some(Target::RatioAtLeast(RATIO_TARGET));
    let rows = cells.iter().map(|cell| cell.row(cell.name.clone(), Value::PerSecond, 1, target)).collect();
    drop(cells);
    bench.stop_server(NAME)?;
    Ok(rows)
}

/// How many ask, and how many requests at a time.
pub(crate) fn work_text(requesters: usize, outstanding: u16) -> String {
    match (requesters, outstanding) {
        (1, 1) => "1 requester".to_owned(),
        (1, outstanding) => format!("{outstanding} outstanding"),
        (requesters, _) => format!("{requesters} requesters"),
    }
}
