//! Pollux' side of a comparison with a peer: a server, and the cells in which both do the same work.

use crate::arguments::Plan;
use crate::compare::{Cell, take_rounds};
use crate::load::{Open, Requester};
use crate::many::{Many, PolluxLines};
use crate::memory;
use crate::node::Bench;
use crate::placement::Placement;
use crate::progress;
use crate::report::{Row, Target, Value};
use crate::throughput::work_text;
use anyhow::Result;
use std::fs;

/// Size of a request.
const REQUEST_BYTES: usize = 64;
/// What most peers are asked by.
const REQUESTERS: [usize; 2] = [1, 64];
const ROUNDS_MAX: u32 = 3;
/// Rate with 64 requesters, against those that replicate.
const RATE_RATIO_TARGET: f64 = 10.0;

/// A server of Pollux that serves while this lives, and the cells that ask it.
pub(crate) struct Served<'a> {
    bench: &'a Bench,
    name: &'static str,
    cells: Vec<Cell>,
}

impl<'a> Served<'a> {
    /// The bench's own server, which sends back what it gets.
    pub(crate) fn echo(bench: &'a Bench) -> Result<Self> {
        Self::start(bench, "$ECHO", false, "echo")
    }

    /// The same, which first stores it in a replicated table; a pair.
    pub(crate) fn pair(bench: &'a Bench) -> Result<Self> {
        Self::start(bench, "$REPL", true, "store")
    }

    fn start(bench: &'a Bench, name: &'static str, pair: bool, kind: &str) -> Result<Self> {
        progress::show("starting the servers");
        bench.run_server(name, pair, &[kind, "0"])?;
        Ok(Self::started(bench, name))
    }

    /// One that runs already.
    pub(crate) fn started(bench: &'a Bench, name: &'static str) -> Self {
        Self { bench, name, cells: Vec::new() }
    }

    /// Adds requesters, with so many requests at a time on an open of each, and a peer that is asked as much. The scheduler
    /// places the requesters, as it places the peer.
    pub(crate) fn add(
        &mut self,
        (requesters, outstanding): (usize, u16),
        peer_name: &'static str,
        peer: impl Requester + 'static,
    ) -> Result<()> {
        let name = work_text(requesters, outstanding);
        let work = (REQUEST_BYTES, usize::from(outstanding));
        let cell = if (requesters, outstanding) == (1, 1) {
            let open = Open::new(&self.bench.requester, self.name, outstanding)?;
            Cell::new(name, Placement::Free, work, open)
        } else {
            let names = std::iter::repeat_n(self.name, requesters);
            let opens = PolluxLines::open(&self.bench.requester, names, outstanding)?;
            Cell::new(name, Placement::Free, work, Many::all(opens))
        };
        self.cells.push(cell.against(peer_name, peer));
        Ok(())
    }

    /// Adds one requester and many, and takes few rounds: the peer is so far away that more would say nothing new.
    pub(crate) fn compare<R: Requester + 'static>(
        mut self,
        plan: &Plan,
        (peer_name, peer_pids): (&'static str, &[u32]),
        mut connect: impl FnMut(usize) -> Result<R>,
    ) -> Result<Taken> {
        for count in REQUESTERS {
            self.add((count, 1), peer_name, connect(count)?)?;
        }
        let mut plan = plan.clone();
        plan.rounds = plan.rounds.min(ROUNDS_MAX);
        self.take_rounds(&plan, peer_pids)
    }

    /// Takes all rounds of all cells in turn.
    pub(crate) fn take_rounds(mut self, plan: &Plan, peer_pids: &[u32]) -> Result<Taken> {
        take_rounds(self.bench, plan, &mut self.cells)?;
        let memory = [resident_mib(&self.bench.pids(|name| name == self.name)?), resident_mib(peer_pids)];
        Ok(Taken { cells: std::mem::take(&mut self.cells), memory })
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.cells.clear();
        // What does not stop ends with the node.
        let _ = self.bench.stop_server(self.name);
    }
}

/// What was measured.
pub(crate) struct Taken {
    cells: Vec<Cell>,
    memory: [Option<f64>; 2],
}

impl Taken {
    /// The rows of a peer that replicates.
    pub(crate) fn replicated(&self) -> Vec<Row> {
        let target = Some(Target::RatioAtLeast(RATE_RATIO_TARGET));
        let benchmark = "replicated";
        vec![self.row(benchmark, 0, Value::P50, None), self.row(benchmark, 1, Value::PerSecond, target)]
    }

    /// The rows of a peer that does not.
    pub(crate) fn messages(&self) -> Vec<Row> {
        vec![self.row("roundtrip", 0, Value::P50, None), self.row("throughput", 1, Value::PerSecond, None)]
    }

    /// The row of a cell: `replicated 1 requester, against Redis`.
    pub(crate) fn row(&self, benchmark: &str, cell: usize, value: Value, target: Option<Target>) -> Row {
        let cell = &self.cells[cell];
        let mut row = cell.row(String::new(), value, 1, target);
        row.figure.memory_mib = self.memory[0];
        let mut peer = "";
        if let Some((name, figure)) = &mut row.baseline {
            (peer, figure.memory_mib) = (name, self.memory[1]);
        }
        row.name = format!("{benchmark} {}, against {peer}", cell.name);
        row
    }
}

/// The rows of one peer, or one that says why there are none.
pub(crate) fn or_missing(benchmark: &str, peer: &str, rows: Result<Vec<Row>>) -> Vec<Row> {
    rows.unwrap_or_else(|error| {
        vec![Row::missing(format!("{benchmark}, against {peer}"), format!("{error:#}"))]
    })
}

/// Memory of these processes and their children, shared pages in equal parts.
pub(crate) fn resident_mib(pids: &[u32]) -> Option<f64> {
    let kib: u64 = pids.iter().map(|pid| tree_kib(*pid)).sum();
    (kib > 0).then(|| kib as f64 / 1024.0)
}

fn tree_kib(pid: u32) -> u64 {
    // Its children as its first thread knows them (proc_tid_children(5)).
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|word| word.parse().ok());
    memory::of(pid).map_or(0, |memory| memory.proportional_kib) + children.map(tree_kib).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Memory that is not seen makes a peer look small.
    #[test]
    fn resident_memory_is_seen() {
        let held = vec![1_u8; 64 * 1024 * 1024];
        let mib = resident_mib(&[std::process::id()]).unwrap();
        assert!(mib > 64.0, "{mib} MiB with {} bytes held", held.len());
        assert_eq!(resident_mib(&[]), None);
    }
}
