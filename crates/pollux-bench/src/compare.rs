//! Requesters side by side: each cell is the same work done by Pollux and by what it is compared with, and rounds visit all
//! cells in turn.

use crate::arguments::Plan;
use crate::load::{Requester, Rounds};
use crate::memory;
use crate::node::Bench;
use crate::placement::Placement;
use crate::progress;
use crate::report::{Figure, Row, Target, Value};
use anyhow::Result;

/// One kind of work.
pub(crate) struct Cell {
    /// Name of its rows.
    pub(crate) name: String,
    /// Where the requester runs.
    pub(crate) placement: Placement,
    /// Size of requests and replies.
    pub(crate) bytes: usize,
    /// Requests at a time on each connection.
    pub(crate) outstanding: usize,
    sides: Vec<Side>,
}

struct Side {
    name: &'static str,
    requester: Box<dyn Requester>,
    rounds: Rounds,
    /// Of its servers, after the rounds.
    memory_mib: Option<f64>,
}

impl Side {
    fn figure(&self) -> Figure {
        Figure { memory_mib: self.memory_mib, ..self.rounds.figure() }
    }
}

impl Cell {
    /// A cell in which only Pollux is measured so far.
    pub(crate) fn new(
        name: String,
        placement: Placement,
        (bytes, outstanding): (usize, usize),
        pollux: impl Requester + 'static,
    ) -> Self {
        Self { name, placement, bytes, outstanding, sides: Vec::new() }.against("Pollux", pollux)
    }

    /// Adds something that does the same work.
    pub(crate) fn against(mut self, name: &'static str, requester: impl Requester + 'static) -> Self {
        let requester = Box::new(requester);
        self.sides.push(Side { name, requester, rounds: Rounds::default(), memory_mib: None });
        self
    }

    /// A row: Pollux against the side of that number, from 1.
    pub(crate) fn row(&self, name: String, value: Value, side: usize, target: Option<Target>) -> Row {
        let (pollux, other) = (&self.sides[0], &self.sides[side]);
        Row {
            name,
            value,
            figure: pollux.figure(),
            baseline: Some((other.name, other.figure())),
            target,
            noise_percent: pollux.rounds.noise_percent().max(other.rounds.noise_percent()),
            note: None,
        }
    }
}

/// Takes all rounds. The servers' primaries are in CPU 0.
pub(crate) fn take_rounds(bench: &Bench, plan: &Plan, cells: &mut [Cell]) -> Result<()> {
    let roots = bench.roots();
    for round in 1..=plan.rounds {
        for cell in &mut *cells {
            progress::show(&format!("{}: round {round} of {}", cell.name, plan.rounds));
            cell.placement.enter(bench, 0)?;
            for side in &mut cell.sides {
                side.rounds.add(
                    &roots,
                    side.requester.as_mut(),
                    (cell.bytes, cell.outstanding, plan.row_time),
                )?;
            }
        }
    }
    for side in cells.iter_mut().flat_map(|cell| &mut cell.sides) {
        side.memory_mib = memory_mib(&side.requester.servers(bench)?)?;
    }
    Ok(())
}

/// What these processes take together, shared memory once; none if there are none.
fn memory_mib(pids: &[u32]) -> Result<Option<f64>> {
    let mut kib = 0;
    for pid in pids {
        kib += memory::of(*pid)?.proportional_kib;
    }
    Ok(Some(kib as f64 / 1024.0).filter(|_| !pids.is_empty()))
}

/// One of them, or several.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A size as a row is named by it.
pub(crate) fn size_text(bytes: usize) -> String {
    if bytes >= 1024 { format!("{} KiB", bytes / 1024) } else { format!("{bytes} B") }
}
