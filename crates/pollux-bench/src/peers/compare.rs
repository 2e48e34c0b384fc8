//! Pollux and a peer in turn: each round visits every load on both sides, so that what disturbs one disturbs the other.

use crate::arguments::Plan;
use crate::load::{Open, Requester, Rounds};
use crate::many::{Many, PolluxLines};
use crate::node::Bench;
use crate::placement::Placement;
use crate::progress;
use crate::report::{Row, Target, Value};
use anyhow::Result;
use std::fs;
use std::path::Path;

/// Size of a request.
pub(crate) const REQUEST_BYTES: usize = 64;

/// One kind of load on both sides.
pub(crate) struct Cell {
    /// As rows say it: `64 requesters`.
    pub(crate) name: String,
    /// Requests under way on each connection.
    pub(crate) outstanding: usize,
    pub(crate) pollux: Box<dyn Requester>,
    pub(crate) peer: Box<dyn Requester>,
}

/// The name of a load of so many requesters.
pub(crate) fn name_of(requesters: usize) -> String {
    if requesters == 1 { "1 requester".to_owned() } else { format!("{requesters} requesters") }
}

/// A server of Pollux that serves while this lives.
pub(crate) struct Served<'a> {
    bench: &'a Bench,
    name: &'static str,
    pids: Vec<u32>,
}

impl<'a> Served<'a> {
    /// The bench's own server: `echo` or `store`, as a pair or alone.
    pub(crate) fn start(bench: &'a Bench, name: &'static str, pair: bool, kind: &str) -> Result<Self> {
        bench.run_server(name, pair, &[kind, "0"])?;
        Self::started(bench, name)
    }

    /// One that was started before.
    pub(crate) fn started(bench: &'a Bench, name: &'static str) -> Result<Self> {
        Ok(Self { bench, name, pids: vec![bench.primary_pid(name)?] })
    }

    /// So many requesters in one thread, each with an open of its own and room for so many requests.
    pub(crate) fn requesters(&self, count: usize, outstanding: usize) -> Result<Box<dyn Requester>> {
        let outstanding = u16::try_from(outstanding)?;
        if count == 1 {
            return Ok(Box::new(Open::new(&self.bench.requester, self.name, outstanding)?));
        }
        let names = std::iter::repeat_n(self.name, count);
        Ok(Box::new(Many::all(PolluxLines::open(&self.bench.requester, names, outstanding)?)))
    }

    /// Process ids of its primary.
    pub(crate) fn pids(&self) -> &[u32] {
        &self.pids
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        // What does not stop ends with the node.
        let _ = self.bench.stop_server(self.name);
    }
}

/// What was measured of one load.
pub(crate) struct Sides {
    name: String,
    pollux: Rounds,
    peer: Rounds,
    peer_name: &'static str,
    peer_mib: Option<f64>,
}

/// Measures all loads in turn, so many rounds. The requester runs where the scheduler puts it, as the peer does.
pub(crate) fn interleave(
    bench: &Bench,
    (plan, rounds): (&Plan, u32),
    (peer_name, peer_pids): (&'static str, &[u32]),
    mut cells: Vec<Cell>,
) -> Result<Vec<Sides>> {
    Placement::Free.enter(bench, 0)?;
    let roots = bench.roots();
    let mut results = vec![(Rounds::default(), Rounds::default()); cells.len()];
    for round in 1..=rounds {
        for (cell, (pollux, peer)) in cells.iter_mut().zip(&mut results) {
            progress::show(&format!("{peer_name}: round {round} of {rounds}: {}", cell.name));
            let load = (REQUEST_BYTES, cell.outstanding, plan.row_time);
            pollux.add(&roots, cell.pollux.as_mut(), load)?;
            peer.add(&roots, cell.peer.as_mut(), load)?;
        }
    }
    let peer_mib = resident_mib(peer_pids);
    let sides = |(cell, (pollux, peer)): (&Cell, (Rounds, Rounds))| Sides {
        name: cell.name.clone(),
        pollux,
        peer,
        peer_name,
        peer_mib,
    };
    Ok(cells.iter().zip(results).map(sides).collect())
}

impl Sides {
    /// A row of a benchmark: `replicated 1 requester, against Redis`.
    pub(crate) fn row(&self, benchmark: &str, value: Value, target: Option<Target>) -> Row {
        let mut baseline = self.peer.figure();
        baseline.memory_mib = self.peer_mib;
        Row {
            name: format!("{benchmark} {}, against {}", self.name, self.peer_name),
            value,
            figure: self.pollux.figure(),
            baseline: Some((self.peer_name, baseline)),
            target,
            noise_percent: self.pollux.noise_percent().max(self.peer.noise_percent()),
            note: None,
        }
    }
}

/// The rows of one peer, or one that says why there are none.
pub(crate) fn or_missing(benchmark: &str, peer: &str, rows: Result<Vec<Row>>) -> Vec<Row> {
    rows.unwrap_or_else(|error| {
        vec![Row::missing(format!("{benchmark}, against {peer}"), format!("{error:#}"))]
    })
}

/// Resident memory of these processes and their children.
pub(crate) fn resident_mib(pids: &[u32]) -> Option<f64> {
    let page = rustix::param::page_size() as f64;
    let pages: u64 = pids.iter().map(|pid| resident_pages(*pid)).sum();
    (pages > 0).then(|| pages as f64 * page / (1024.0 * 1024.0))
}

fn resident_pages(pid: u32) -> u64 {
    let process = Path::new("/proc").join(pid.to_string());
    let words = |file: &str| fs::read_to_string(process.join(file)).unwrap_or_default();
    let numbers =
        |text: &str| text.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u64>>();
    // Its children as its first thread knows them (proc_tid_children(5)).
    let children = numbers(&words(&format!("task/{pid}/children")));
    let own = numbers(&words("statm")).get(1).copied().unwrap_or(0);
    own + children.iter().filter_map(|child| u32::try_from(*child).ok()).map(resident_pages).sum::<u64>()
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
