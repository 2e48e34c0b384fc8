//! Decides when an output may leave (S5, output commit).
//!
//! Every reply, every byte to a connection and every request that a pair sends is queued here under the number of
//! the checkpoint it depends on, and comes out when the [`Gate`] has opened that far. The queue does not know
//! what an output is and does not send.

use pollux_wire::CheckpointNumber;
use std::collections::VecDeque;

/// How far outputs may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Nothing leaves: this half is not the one that speaks, or the record still names a backup that is dead.
    Closed,
    /// The backup has nothing to say: the pair is on record as single.
    Open,
    /// Only what depends on checkpoints up to this one.
    UpTo(CheckpointNumber),
}

impl Gate {
    /// True when an output that depends on checkpoint `number` may leave.
    pub fn admits(self, number: CheckpointNumber) -> bool {
        match self {
            Self::Closed => false,
            Self::Open => true,
            Self::UpTo(limit) => number <= limit,
        }
    }
}

/// Outputs in the order in which they were made, each under its checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OutputQueue<T> {
    held: VecDeque<(CheckpointNumber, T)>,
}

impl<T> Default for OutputQueue<T> {
    fn default() -> Self {
        Self { held: VecDeque::new() }
    }
}

impl<T> OutputQueue<T> {
    /// Holds `output` until the gate admits `number`. Numbers never go back while anything is held.
    pub fn hold(&mut self, number: CheckpointNumber, output: T) {
        self.hold_all(number, std::iter::once(output));
    }

    /// Holds all of these until the gate admits `number`.
    pub fn hold_all(&mut self, number: CheckpointNumber, outputs: impl Iterator<Item = T>) {
        if let Some((last, _)) = self.held.back() {
            assert!(*last <= number, "S5: outputs are queued in checkpoint order");
        }
        self.held.extend(outputs.map(|output| (number, output)));
    }

    /// The next output that may leave.
    pub fn release(&mut self, gate: Gate) -> Option<T> {
        if self.has_ready(gate) { self.held.pop_front().map(|(_, output)| output) } else { None }
    }

    /// The next output if it may leave and is one of those that `wanted` takes, as what it makes of it.
    pub fn release_as<R>(&mut self, gate: Gate, wanted: impl FnOnce(&T) -> Option<R>) -> Option<R> {
        let (number, output) = self.held.front()?;
        let taken = if gate.admits(*number) { wanted(output) } else { None };
        if taken.is_some() {
            self.held.pop_front();
        }
        taken
    }

    /// Forgets all outputs: the process is no longer the one that speaks.
    pub fn clear(&mut self) {
        self.held.clear();
    }

    /// True when an output may leave.
    pub fn has_ready(&self, gate: Gate) -> bool {
        self.held.front().is_some_and(|(number, _)| gate.admits(*number))
    }

    /// How many outputs wait.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A reply that leaves before its checkpoint is acknowledged is lost at a takeover though the requester has it.
    #[test]
    fn nothing_leaves_before_its_checkpoint() {
        let mut queue = OutputQueue::default();
        for (number, output) in [(1, "a"), (2, "b"), (2, "c"), (3, "d")] {
            queue.hold(CheckpointNumber(number), output);
        }
        let mut released = |upto| {
            let mut out = Vec::new();
            while let Some(output) = queue.release(Gate::UpTo(CheckpointNumber(upto))) {
                out.push(output);
            }
            out
        };
        assert_eq!(released(0), Vec::<&str>::new());
        assert_eq!(released(2), ["a", "b", "c"]);
        assert_eq!(released(2), Vec::<&str>::new());
        assert_eq!(queue.release(Gate::Closed), None);
        assert_eq!(queue.release_as(Gate::UpTo(CheckpointNumber(2)), |output| Some(*output)), None);
        assert_eq!(queue.release_as(Gate::Open, |_| None::<()>), None);
        assert_eq!(queue.release(Gate::Open), Some("d"));
        assert!(queue.is_empty());
    }

    // Releasing out of order would let a reply overtake the checkpoint it depends on.
    #[test]
    #[should_panic(expected = "checkpoint order")]
    fn numbers_do_not_go_back() {
        let mut queue = OutputQueue::default();
        queue.hold(CheckpointNumber(2), ());
        queue.hold(CheckpointNumber(1), ());
    }
}
