//! Decides which posted operation of a socket may be carried out (TCP/IP Programming Manual, nowait calls).
//!
//! Each socket has two lanes, one for what waits for input and one for what waits for room to write. In a lane operations are
//! carried out in the order in which they were posted; the lanes do not wait for one another. What is answered by somebody
//! else, the provider, stands outside of the lanes.
//!
//! ```text
//!  post --> [ c b a ] --- the poller says ready ---> a may be carried out --> done: ready is asked again for b
//!                                                                      \--> blocked: ready is asked again for a
//! ```
//!
//! Readiness is asked for only while it is not known and somebody waits: a descriptor that stays ready does not keep the
//! process awake while its operation must wait for its turn.

use pollux_wire::SyncId;
use std::collections::VecDeque;

/// What an operation waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Input.
    Input = 0,
    /// Room to write, or the end of a connection attempt.
    Output = 1,
}

/// The lanes of one socket.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    last: u64,
    lanes: [VecDeque<SyncId>; 2],
    ready: [Option<u64>; 2],
}

impl Queue {
    /// A number for an operation that stands in no lane.
    pub(crate) fn number(&mut self) -> SyncId {
        self.last += 1;
        SyncId(self.last)
    }

    /// Posts an operation.
    pub(crate) fn post(&mut self, lane: Lane) -> SyncId {
        let id = self.number();
        self.lanes[lane as usize].push_back(id);
        id
    }

    /// What the poller is to tell of: input, room to write.
    pub(crate) fn interest(&self) -> (bool, bool) {
        let wants = |lane: Lane| !self.lanes[lane as usize].is_empty() && self.ready[lane as usize].is_none();
        (wants(Lane::Input), wants(Lane::Output))
    }

    /// True if something is posted in the lane.
    pub(crate) fn is_busy(&self, lane: Lane) -> bool {
        !self.lanes[lane as usize].is_empty()
    }

    /// The poller's word, with the place in the order of events.
    pub(crate) fn handle_ready(&mut self, input: bool, output: bool, at: u64) {
        for (lane, is_ready) in [(Lane::Input, input), (Lane::Output, output)] {
            let lane = lane as usize;
            if is_ready && !self.lanes[lane].is_empty() {
                self.ready[lane].get_or_insert(at);
            }
        }
    }

    /// Since when the operation may be carried out; `None` if it may not.
    pub(crate) fn ready_at(&self, id: SyncId) -> Option<u64> {
        let lane = (0..2).find(|lane| self.lanes[*lane].front() == Some(&id))?;
        self.ready[lane]
    }

    /// The operation could not be carried out after all.
    pub(crate) fn blocked(&mut self, id: SyncId) {
        for lane in 0..2 {
            if self.lanes[lane].front() == Some(&id) {
                self.ready[lane] = None;
            }
        }
    }

    /// The operation is carried out, or given up.
    pub(crate) fn remove(&mut self, id: SyncId) {
        for lane in 0..2 {
            if self.lanes[lane].front() == Some(&id) {
                self.ready[lane] = None;
            }
            self.lanes[lane].retain(|one| *one != id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A receive that waits for a silent peer must not hold up the answers that are sent meanwhile.
    #[test]
    fn lanes_do_not_wait_for_one_another() {
        let mut queue = Queue::default();
        let receive = queue.post(Lane::Input);
        let send = queue.post(Lane::Output);
        assert_eq!(queue.interest(), (true, true));
        queue.handle_ready(false, true, 7);
        assert_eq!((queue.ready_at(receive), queue.ready_at(send)), (None, Some(7)));
        queue.remove(send);
        assert_eq!(queue.interest(), (true, false));
    }

    // Two sends in the wrong order are a broken stream.
    #[test]
    fn a_lane_keeps_its_order() {
        let mut queue = Queue::default();
        let (first, second) = (queue.post(Lane::Output), queue.post(Lane::Output));
        queue.handle_ready(false, true, 1);
        assert_eq!((queue.ready_at(first), queue.ready_at(second)), (Some(1), None));
        queue.remove(first);
        // Room for one is not room for two.
        assert_eq!(queue.ready_at(second), None);
        queue.handle_ready(false, true, 2);
        assert_eq!(queue.ready_at(second), Some(2));
    }

    // A program that does not await a ready operation yet must sleep all the same.
    #[test]
    fn known_readiness_is_not_asked_for() {
        let mut queue = Queue::default();
        assert_eq!(queue.interest(), (false, false));
        let receive = queue.post(Lane::Input);
        queue.handle_ready(true, true, 1);
        assert_eq!(queue.interest(), (false, false));
        queue.handle_ready(true, false, 9);
        assert_eq!(queue.ready_at(receive), Some(1), "the first word counts");
        queue.blocked(receive);
        assert_eq!(queue.interest(), (true, false));
    }

    #[test]
    fn a_cancelled_operation_gives_way() {
        let mut queue = Queue::default();
        let (first, second) = (queue.post(Lane::Input), queue.post(Lane::Input));
        queue.handle_ready(true, false, 1);
        queue.remove(second);
        assert_eq!(queue.ready_at(first), Some(1), "the one before it stays ready");
        queue.remove(first);
        assert!(!queue.is_busy(Lane::Input));
        // Operations without a lane have numbers of their own.
        assert_ne!(queue.number(), queue.post(Lane::Input));
    }
}
