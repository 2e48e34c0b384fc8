//! Decides what a daemon does when another CPU of its node is lost, hung or back.
//!
//! On one host a daemon's death is a kernel fact (its life page), so no quorum is needed: each survivor acts on its own
//! processes, and what must happen once for the node (the CPU's record, its restart) is done by whoever wins the
//! compare-and-set on that record (S12). A daemon that lives but does not beat is *hung*: it is killed first, then counts
//! as dead. Silence is counted in the watcher's own ticks, so that a stalled machine fools nobody.

use pollux_wire::CpuNumber;
use std::collections::{BTreeMap, VecDeque};

/// What a daemon is told about its peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The peer is connected and alive.
    PeerUp {
        /// Which one.
        cpu: CpuNumber,
    },
    /// The peer's beat counter, read at one own tick.
    Beat {
        /// Which one.
        cpu: CpuNumber,
        /// Its counter.
        count: u64,
    },
    /// The peer is proven dead.
    PeerDead {
        /// Which one.
        cpu: CpuNumber,
    },
    /// The peer says that it goes down on purpose.
    PeerLeaving {
        /// Which one.
        cpu: CpuNumber,
    },
}

/// What the daemon must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Kill the peer through its pidfd; its death comes as [`Event::PeerDead`].
    Kill {
        /// Which one.
        cpu: CpuNumber,
    },
    /// Tell own processes that the CPU is up.
    AnnounceUp {
        /// Which one.
        cpu: CpuNumber,
    },
    /// Tell own processes that the CPU is down, and the halves here whose partner was there.
    AnnounceDown {
        /// Which one.
        cpu: CpuNumber,
    },
    /// Try to record the loss; who wins ends the names that lost their last process and starts the CPU again if wanted.
    RecordLoss {
        /// Which one.
        cpu: CpuNumber,
        /// True when it said so before.
        on_purpose: bool,
    },
}

#[derive(Debug, Clone, Copy)]
struct Peer {
    beats: u64,
    silent_ticks: u32,
    killed: bool,
    leaving: bool,
}

/// A daemon's view of the other CPUs.
#[derive(Debug)]
pub struct Regroup {
    sick_after_ticks: u32,
    peers: BTreeMap<CpuNumber, Peer>,
    commands: VecDeque<Command>,
}

impl Regroup {
    /// A view that holds no peer yet. A peer counts as hung after so many own ticks without a beat.
    pub fn new(sick_after_ticks: u32) -> Self {
        Self { sick_after_ticks, peers: BTreeMap::new(), commands: VecDeque::new() }
    }

    /// Takes in an event.
    pub fn handle(&mut self, event: Event) {
        match event {
            Event::PeerUp { cpu } => {
                let peer = Peer { beats: 0, silent_ticks: 0, killed: false, leaving: false };
                self.peers.insert(cpu, peer);
                self.commands.push_back(Command::AnnounceUp { cpu });
            }
            Event::Beat { cpu, count } => self.handle_beat(cpu, count),
            Event::PeerDead { cpu } => {
                if let Some(peer) = self.peers.remove(&cpu) {
                    self.commands.push_back(Command::AnnounceDown { cpu });
                    self.commands.push_back(Command::RecordLoss { cpu, on_purpose: peer.leaving });
                }
            }
            Event::PeerLeaving { cpu } => {
                if let Some(peer) = self.peers.get_mut(&cpu) {
                    peer.leaving = true;
                }
            }
        }
    }

    /// The next thing to do.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// The CPUs that are up, this one not counted.
    pub fn up(&self) -> impl Iterator<Item = CpuNumber> + '_ {
        self.peers.keys().copied()
    }

    fn handle_beat(&mut self, cpu: CpuNumber, count: u64) {
        let Some(peer) = self.peers.get_mut(&cpu) else { return };
        if count != peer.beats {
            peer.beats = count;
            peer.silent_ticks = 0;
            return;
        }
        peer.silent_ticks += 1;
        if peer.silent_ticks >= self.sick_after_ticks && !peer.killed {
            peer.killed = true;
            self.commands.push_back(Command::Kill { cpu });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(regroup: &mut Regroup) -> Vec<Command> {
        std::iter::from_fn(|| regroup.poll_command()).collect()
    }

    // A hung CPU would keep its primaries silent for ever: it must be killed, and only then be taken for lost.
    #[test]
    fn a_silent_peer_is_killed_before_it_counts_as_lost() {
        let cpu = CpuNumber::new(1).unwrap();
        let mut regroup = Regroup::new(3);
        regroup.handle(Event::PeerUp { cpu });
        for count in [1, 2, 2, 2] {
            regroup.handle(Event::Beat { cpu, count });
        }
        assert_eq!(drain(&mut regroup), [Command::AnnounceUp { cpu }]);
        regroup.handle(Event::Beat { cpu, count: 2 });
        regroup.handle(Event::Beat { cpu, count: 2 });
        assert_eq!(drain(&mut regroup), [Command::Kill { cpu }], "killed once, not yet announced");
        regroup.handle(Event::PeerDead { cpu });
        regroup.handle(Event::PeerDead { cpu });
        let expected = [Command::AnnounceDown { cpu }, Command::RecordLoss { cpu, on_purpose: false }];
        assert_eq!(drain(&mut regroup), expected, "once");
    }

    // A CPU that an operator takes down must not be started again behind his back.
    #[test]
    fn leaving_is_not_failing() {
        let cpu = CpuNumber::new(2).unwrap();
        let mut regroup = Regroup::new(3);
        regroup.handle(Event::PeerUp { cpu });
        regroup.handle(Event::PeerLeaving { cpu });
        regroup.handle(Event::PeerDead { cpu });
        assert!(drain(&mut regroup).contains(&Command::RecordLoss { cpu, on_purpose: true }));
        assert_eq!(regroup.up().count(), 0);
    }
}
