//! Requesters side by side: each cell is the same work done by Pollux and by what it is compared with, and rounds visit all
//! cells in turn.

use crate::arguments::Plan;
use crate::load::{Requester, Rounds};
use crate::node::Bench;
use crate::placement::Placement;
use crate::progress;
use crate::report::{Row, Target, Value};
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
        self.sides.push(Side { name, requester: Box::new(requester), rounds: Rounds::default() });
        self
    }

    /// A row: Pollux against the side of that number, from 1.
    pub(crate) fn row(&self, name: String, value: Value, side: usize, target: Option<Target>) -> Row {
        let (pollux, other) = (&self.sides[0].rounds, &self.sides[side]);
        Row {
            name,
            value,
            figure: pollux.figure(),
            baseline: Some((other.name, other.rounds.figure())),
            target,
            noise_percent: pollux.noise_percent().max(other.rounds.noise_percent()),
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
    Ok(())
}

/// A size as a row is named by it.
pub(crate) fn size_text(bytes: usize) -> String {
    if bytes >= 1024 { format!("{} KiB", bytes / 1024) } else { format!("{bytes} B") }
}
