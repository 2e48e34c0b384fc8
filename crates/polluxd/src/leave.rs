//! How a CPU goes down on purpose.
//!
//! ```text
//!  Switching -- no primary of a pair left, or out of patience --\
//!                                                                +--> Killing -- all reaped --> Recording --> exit
//!  Gathering -- all peers go down, too, or out of patience ------/
//! ```
//!
//! With the whole node there is no one to exchange roles with. Then it waits for the others to have heard of it, so that
//! no half takes over from one that was killed a moment before it.

use crate::clerk::Job;
use crate::daemon::Daemon;
use crate::ledger::Survey;
use crate::limits::{
    LEAVE_GATHER_TICKS_MAX, LEAVE_KILL_TICKS_MAX, LEAVE_RECORD_TICKS_MAX, LEAVE_SWITCH_TICKS_MAX,
};
use crate::process::Process;
use pollux_coordinator::Error;
use pollux_wire::Phandle;
use pollux_wire::control::ToProcess;
use pollux_wire::event::EventKind;
use pollux_wire::mesh::ToPeer;
use std::collections::BTreeSet;

/// SIGHUP: the terminal of whoever started us is gone, which is no reason to end.
const HANGUP: i32 = 1;

/// A CPU on its way down.
#[derive(Debug)]
pub(crate) struct Leaving {
    /// True when all CPUs go.
    node: bool,
    stage: Stage,
    /// Own tick in which the stage began.
    since_tick: u64,
    /// Primaries that were asked to exchange roles.
    asked: BTreeSet<Phandle>,
    why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Switching,
    Gathering,
    Killing,
    Recording,
}

impl Daemon {
    /// Somebody wants the daemon to end.
    pub(crate) fn handle_stop_signal(&mut self, signal: i32) {
        if signal == HANGUP {
            return;
        }
        if self.leaving.is_some() {
            // Asked twice: no more patience.
            self.enter(Stage::Killing);
        } else {
            self.go_down(false, &format!("signal {signal}"));
        }
    }

    /// Takes this CPU down; with `node` all others go, too.
    pub(crate) fn go_down(&mut self, node: bool, why: &str) {
        if let Some(leaving) = &mut self.leaving {
            if node && !leaving.node {
                // There is nobody left to exchange roles with.
                leaving.node = true;
                // Takeovers are for the loop to refuse from here on.
                self.clerk.hang_up();
                self.enter(Stage::Killing);
            }
            return;
        }
        tracing::info!(cpu = %self.cpu(), epoch = self.epoch.0, node, "goes down: {why}");
        let peers: Vec<_> = self.peers.keys().copied().collect();
        for cpu in &peers {
            self.send_peer(*cpu, Vec::new(), &ToPeer::GoingDown {});
        }
        let stage = if node { Stage::Gathering } else { Stage::Switching };
        let (since_tick, asked, why) = (self.ticks, BTreeSet::new(), why.to_owned());
        self.leaving = Some(Leaving { node, stage, since_tick, asked, why });
        if node {
            self.clerk.hang_up();
        }
        if peers.is_empty() {
            self.enter(Stage::Killing);
        }
        self.go_on_leaving();
    }

    /// Goes on with going down; once per tick.
    pub(crate) fn go_on_leaving(&mut self) {
        let Some(leaving) = &self.leaving else { return };
        let waited = self.ticks - leaving.since_tick;
        match leaving.stage {
            Stage::Switching => {
                let primaries = self.primaries_of_pairs();
                if primaries.is_empty() || waited > LEAVE_SWITCH_TICKS_MAX {
                    if !primaries.is_empty() {
                        tracing::warn!("{} pairs did not exchange their roles in time", primaries.len());
                    }
                    return self.enter(Stage::Killing);
                }
                for phandle in primaries {
                    let asked = self.leaving.as_mut().is_some_and(|leaving| leaving.asked.insert(phandle));
                    if asked {
                        self.tell(phandle, &ToProcess::SwitchOver {});
                    }
                }
            }
            Stage::Gathering => {
                let all_go = self.peers.values().all(|peer| peer.leaving);
                if all_go || waited > LEAVE_GATHER_TICKS_MAX {
                    self.enter(Stage::Killing);
                }
            }
            Stage::Killing => {
                let running = self.processes.iter().any(|process| !matches!(process.link_only(), Some(true)));
                if !running || waited > LEAVE_KILL_TICKS_MAX {
                    self.enter(Stage::Recording);
                }
            }
            Stage::Recording => {
                if waited > LEAVE_RECORD_TICKS_MAX {
                    // Then the peers record it, who know that it was on purpose.
                    tracing::error!("the coordinator does not answer: gone without a record");
                    self.finish();
                }
            }
        }
    }

    /// True when this CPU goes down with all others.
    pub(crate) fn node_goes_down(&self) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| leaving.node)
    }

    fn enter(&mut self, stage: Stage) {
        let ticks = self.ticks;
        let Some(leaving) = &mut self.leaving else { return };
        if leaving.stage == Stage::Recording || leaving.stage == stage {
            return;
        }
        (leaving.stage, leaving.since_tick) = (stage, ticks);
        match stage {
            Stage::Switching | Stage::Gathering => {}
            Stage::Killing => self.kill_all("its CPU goes down"),
            Stage::Recording => {
                let (cpu, epoch) = (self.cpu(), self.epoch);
                self.clerk.ask(Job::Leave { cpu, epoch });
            }
        }
    }

    /// The own CPU is on record as down.
    pub(crate) fn handle_left(&mut self, result: Result<Survey, Error>) {
        let why = self.leaving.as_ref().map(|leaving| leaving.why.clone()).unwrap_or_default();
        match result {
            Ok(survey) => {
                let (cpu, epoch) = (self.cpu(), self.epoch);
                let text = format!("CPU {cpu}: stopped on purpose, {why}");
                self.report(EventKind::CpuDown, (None, None), (epoch, epoch), text);
                self.follow_corrections(&survey, "its CPU went down");
                self.follow_survey(&survey, "the node went down");
            }
            Err(error) => tracing::error!("gone without a record: {error}"),
        }
        self.finish();
    }

    fn finish(&mut self) {
        let socket = self.arguments.socket_of(self.cpu());
        if let Err(error) = std::fs::remove_file(&socket) {
            tracing::warn!("{} cannot be removed: {error}", socket.display());
        }
        tracing::info!(cpu = %self.cpu(), epoch = self.epoch.0, "down");
        self.finished = true;
    }

    fn primaries_of_pairs(&self) -> Vec<Phandle> {
        let primaries = self.processes.iter().filter(|process| process.is_primary_of_pair());
        primaries.map(|process| process.phandle).collect()
    }
}

impl Process {
    /// True for a process that is known by its connection alone: it ends with that.
    fn link_only(&self) -> Option<bool> {
        self.is_attached().then(|| self.pidfd.is_none())
    }
}
