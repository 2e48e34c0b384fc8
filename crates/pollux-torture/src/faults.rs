//! Faults, in an order that a seed gives, each when the pair is whole: then every single one must be invisible.

use crate::node::Node;
use crate::random::Random;
use pollux_os::Signal;
use pollux_wire::admin::AdminRequest;
use pollux_wire::record::NameRecord;

/// What is done to a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The primary is killed.
    KillPrimary,
    /// The backup is killed.
    KillBackup,
    /// The daemon of the primary's CPU is killed.
    KillPrimaryCpu,
    /// The daemon of the backup's CPU is killed.
    KillBackupCpu,
    /// The primary is stopped, as if it hung.
    StopPrimary,
    /// The backup is stopped.
    StopBackup,
    /// The roles are exchanged on request.
    Switch,
}

/// How many of each kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// `KillPrimary`.
    pub primary: usize,
    /// `KillBackup`.
    pub backup: usize,
    /// `KillPrimaryCpu` and `KillBackupCpu` in turn.
    pub cpu: usize,
    /// `StopPrimary` and `StopBackup` in turn.
    pub stop: usize,
    /// `Switch`.
    pub switch: usize,
}

/// A plan of faults for some pairs.
pub struct Faults {
    plan: Vec<(String, Fault)>,
}

impl Faults {
    /// A plan for each name, all mixed.
    pub fn plan(seed: u64, names: &[&str], counts: Counts) -> Self {
        let mut plan = Vec::new();
        for name in names {
            let mut add = |fault, count| plan.extend(std::iter::repeat_n(((*name).to_owned(), fault), count));
            add(Fault::KillPrimary, counts.primary);
            add(Fault::KillBackup, counts.backup);
            add(Fault::KillPrimaryCpu, counts.cpu.div_ceil(2));
            add(Fault::KillBackupCpu, counts.cpu / 2);
            add(Fault::StopPrimary, counts.stop / 2);
            add(Fault::StopBackup, counts.stop.div_ceil(2));
            add(Fault::Switch, counts.switch);
        }
        Random::new(seed).shuffle(&mut plan);
        Self { plan }
    }

    /// Carries the plan out. `others` are further pairs of the node that must be whole before a CPU is killed.
    pub fn inflict(&self, node: &Node, others: &[&str]) {
        let names: Vec<&str> =
            self.plan.iter().map(|(name, _)| name.as_str()).chain(others.iter().copied()).collect();
        for (name, fault) in &self.plan {
            // A CPU takes the halves of all pairs along.
            if matches!(fault, Fault::KillPrimaryCpu | Fault::KillBackupCpu) {
                let mut seen = Vec::new();
                for name in &names {
                    if !seen.contains(name) {
                        seen.push(name);
                        node.wait_whole(name);
                    }
                }
            }
            inflict(node, name, *fault);
        }
        for name in names {
            node.wait_whole(name);
        }
    }
}

/// Waits until the pair is whole, does it, and waits until the pair has noticed: its record has another epoch.
pub fn inflict(node: &Node, name: &str, fault: Fault) {
    let record = node.wait_whole(name);
    let backup = record.backup.expect("a whole pair has a backup");
    let done = match fault {
        Fault::KillPrimary => node.signal(record.primary, Signal::KILL),
        Fault::KillBackup => node.signal(backup, Signal::KILL),
        Fault::KillPrimaryCpu => node.signal_cpu(record.primary.cpu, Signal::KILL),
        Fault::KillBackupCpu => node.signal_cpu(backup.cpu, Signal::KILL),
        Fault::StopPrimary => node.signal(record.primary, Signal::STOP),
        Fault::StopBackup => node.signal(backup, Signal::STOP),
        Fault::Switch => {
            node.order(record.primary.cpu, &AdminRequest::Switch { phandle: record.primary });
            true
        }
    };
    assert!(done, "{fault:?} of {name} could not be done\n{}", node.logs());
    let noticed = |now: NameRecord| now.epoch > record.epoch;
    node.wait_until(&format!("{name} has noticed {fault:?}"), || {
        let now = node.record(name);
        assert!(now.is_some(), "{name} is gone after {fault:?} of {record:?}\n{}", node.logs());
        now.is_some_and(noticed)
    });
}
