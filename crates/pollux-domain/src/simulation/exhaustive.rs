//! Every plan of a bounded size: so many failures, one change, at each of a grid of moments.

use super::plan::{Action, Plan, Wish};
use super::world::{Report, Sometimes};
use super::{Bug, run};
use crate::succession::Mode;

/// How far the enumeration goes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The rules.
    pub mode: Mode,
    /// Servers, all in the list.
    pub servers: usize,
    /// Failures per plan, 1 or 2.
    pub failures: usize,
    /// Faults begin at each multiple of this in the window.
    pub step: u64,
    /// Length of the window.
    pub window: u64,
    /// Only the plans whose number leaves `part.0` when divided by `part.1`: for several processes.
    pub part: (u64, u64),
}

/// Runs every plan within the bounds; stops at the first violation and gives its plan.
pub fn exhaustive(bounds: &Bounds, bug: Option<Bug>) -> (u64, Sometimes, Option<(Plan, Report)>) {
    const BEGIN: u64 = 60;
    let moments: Vec<u64> = (0..=bounds.window / bounds.step).map(|n| BEGIN + n * bounds.step).collect();
    let mut faults = Vec::new();
    for at in &moments {
        for server in 0..bounds.servers {
            faults.extend(kinds(bounds, server, *at));
        }
    }
    let wishes =
        [Wish::Edit, Wish::Add(0), Wish::Delete(0), Wish::Delete(1), Wish::Move(bounds.servers - 1, 0)];
    let change_at = BEGIN + bounds.window / 2;
    let (mut number, mut runs) = (0, 0);
    let mut sometimes = Sometimes::default();
    for (first, one) in faults.iter().enumerate() {
        let seconds = if bounds.failures > 1 { first..faults.len() } else { first..first + 1 };
        for two in &faults[seconds] {
            for wish in wishes {
                number += 1;
                if number % bounds.part.1 != bounds.part.0 {
                    continue;
                }
                let mut actions: Vec<(u64, Action)> = one.iter().chain(two).cloned().collect();
                actions.extend((0..bounds.servers).map(|server| (change_at, Action::Request(server, wish))));
                actions.sort_by_key(|(at, _)| *at);
                let heal_at = BEGIN + bounds.window + 160;
                let (mode, servers) = (bounds.mode, bounds.servers);
                let (listed, stays_dead, jitter, seed) = (servers, None, false, number);
                let plan = Plan { mode, seed, servers, listed, actions, heal_at, stays_dead, jitter };
                let report = run(&plan, bug);
                runs += 1;
                sometimes.add(&report.sometimes);
                if report.violation.is_some() {
                    return (runs, sometimes, Some((plan, report)));
                }
            }
        }
    }
    (runs, sometimes, None)
}

/// The failures of one server that begin at one moment.
fn kinds(bounds: &Bounds, server: usize, at: u64) -> Vec<Vec<(u64, Action)>> {
    let mut kinds = vec![
        vec![(at, Action::Crash(server)), (at + 12, Action::Restart(server))],
        vec![(at, Action::Crash(server)), (at + 100, Action::Restart(server))],
        vec![(at, Action::Pause(server, 80))],
    ];
    let cuts: [fn(usize, bool) -> Action; 2] = [Action::CutToStore, Action::CutFromStore];
    match bounds.mode {
        Mode::Quorum => {
            kinds.extend(cuts.map(|cut| vec![(at, cut(server, true)), (at + 90, cut(server, false))]));
            kinds.push(vec![(at, Action::Crash(server)), (at + 30, Action::RestartOld(server))]);
        }
        Mode::Legacy => {
            let others = || (0..bounds.servers).filter(move |other| *other != server);
            let cut = |at, on| others().map(move |other| (at, Action::CutLink(server, other, on)));
            kinds.push(cut(at, true).chain(cut(at + 90, false)).collect());
            let deaf = |at, on| others().map(move |other| (at, Action::CutLink(other, server, on)));
            kinds.push(
                cut(at, true)
                    .chain(deaf(at, true))
                    .chain(cut(at + 90, false))
                    .chain(deaf(at + 90, false))
                    .collect(),
            );
        }
    }
    kinds
}
