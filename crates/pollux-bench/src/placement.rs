//! Where requester and server run: on a machine with few processors this decides more than the transport does.

use crate::node::Bench;
use anyhow::{Context, Result};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Where the requester runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// On the server's processor.
    Same,
    /// On a processor of the CPU that the server (the primary) is not in.
    Other,
    /// Wherever the scheduler puts it.
    Free,
}

impl Placement {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Placement::Same => "same processor",
            Placement::Other => "other processor",
            Placement::Free => "unpinned",
        }
    }

    /// Puts the calling thread there, with the server in CPU `cpu`.
    pub(crate) fn enter(self, bench: &Bench, cpu: u8) -> Result<()> {
        pin(None, self.processors(bench, cpu))
    }

    /// The processors of it, with the server in CPU `cpu`; none for all.
    pub(crate) fn processors(self, bench: &Bench, cpu: u8) -> &[usize] {
        match self {
            Placement::Same => first(bench.processors(cpu)),
            Placement::Other => first(bench.processors_of_other(cpu)),
            Placement::Free => &[],
        }
    }
}

/// The first one, or none if there are none.
pub(crate) fn first(processors: &[usize]) -> &[usize] {
    processors.get(..1).unwrap_or_default()
}

/// Binds a process (`None`: the calling thread) to these processors; to all of them if none is named.
pub(crate) fn pin(pid: Option<u32>, processors: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    if processors.is_empty() {
        // The kernel takes away what this process may not have.
        for processor in 0..CpuSet::MAX_CPU {
            set.set(processor);
        }
    }
    for processor in processors {
        set.set(*processor);
    }
    sched_setaffinity(pid.map(to_pid).transpose()?, &set).context("bind to processors")
}

/// Processors that this process may use.
pub(crate) fn processors_allowed() -> usize {
    sched_getaffinity(None).map_or(1, |set| set.count() as usize)
}

/// A process id as the kernel takes it.
pub(crate) fn to_pid(pid: u32) -> Result<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw).with_context(|| format!("{pid} is no process id"))
}
