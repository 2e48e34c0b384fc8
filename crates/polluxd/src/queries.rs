//! Questions about the node: names, processes, CPUs, and what became of a process.
//!
//! What is on record the clerk reads; what a CPU knows its daemon answers, asked over the mesh if it is another one.
//! `Fate` is answered only when it is known: a CPU that does not answer may be dead or merely late, and whoever is told
//! too early that a process is lost would act beside it.

use crate::backups::Wanted;
use crate::clerk::Job;
use crate::daemon::Daemon;
use crate::limits::{ASKED_MAX, FATES_WAITING_MAX};
use crate::process::{Origin, Process, Request};
use pollux_coordinator::Error;
use pollux_wire::control::{Answer, Fate, Query, ToProcess};
use pollux_wire::mesh::ToPeer;
use pollux_wire::{CpuNumber, FileError, Phandle};

impl Daemon {
    /// A process, or a peer for one of its own, asks something.
    pub(crate) fn handle_query(&mut self, origin: Origin, query: Query) {
        let of = match &query {
            Query::Process { phandle } | Query::Fate { phandle } => phandle.cpu,
            Query::Place { cpu, .. } => *cpu,
            Query::Cpus {} => {
                let answer = self.cpus_answer();
                return self.answer(origin, answer);
            }
            Query::Name { .. } | Query::NextName { .. } | Query::PairOf { .. } | Query::NewName { .. } => {
                if self.clerk.is_full() {
                    return self.answer_error(origin, FileError::NO_BUFFER_SPACE);
                }
                return self.clerk.ask(Job::Query { origin, query });
            }
        };
        if of == self.cpu() {
            let answer = self.answer_about_own(&query);
            self.answer(origin, answer);
        } else if let Origin::Process(asker) = origin {
            self.ask_peer(asker, of, query);
        } else {
            self.answer_error(origin, FileError::PATH_DOWN);
        }
    }

    /// The records have answered.
    pub(crate) fn handle_queried(&mut self, origin: Origin, answer: Result<Answer, Error>) {
        match answer {
            Ok(answer) => self.answer(origin, answer),
            Err(error) => {
                tracing::error!("a question cannot be answered: {error}");
                self.answer_error(origin, FileError::PATH_DOWN);
            }
        }
    }

    /// Gives an answer to whoever asked.
    pub(crate) fn answer(&mut self, origin: Origin, answer: Answer) {
        match origin {
            Origin::Process(Request { process, request }) => {
                self.tell(process, &ToProcess::Answer { request, answer });
            }
            Origin::Peer { cpu, request } => {
                self.send_peer(cpu, Vec::new(), &ToPeer::Answer { request, answer });
            }
            Origin::Dismissal(_) | Origin::Nobody => {}
        }
    }

    /// A peer has answered.
    pub(crate) fn handle_answer(&mut self, from: CpuNumber, request: u32, answer: Answer) {
        match self.answered(from, request) {
            Some(Wanted::Answer { asker, .. }) => self.answer(Origin::Process(asker), answer),
            Some(_) => tracing::warn!(cpu = %from, "answered something else than it was asked"),
            None => {}
        }
    }

    /// The CPU that was asked is gone, or its connection is.
    pub(crate) fn fail_query(&mut self, request: u32) {
        let Some(Wanted::Answer { asker, query }) = self.answered(self.cpu(), request) else { return };
        match query {
            Some(Query::Fate { phandle }) => self.ask_peer(asker, phandle.cpu, Query::Fate { phandle }),
            _ => self.answer_error(Origin::Process(asker), FileError::PATH_DOWN),
        }
    }

    /// A CPU is lost, and what follows for the names is on record.
    pub(crate) fn tell_fates(&mut self, cpu: CpuNumber) {
        for (asker, _) in self.fates_waiting.remove(&cpu).unwrap_or_default() {
            self.answer(Origin::Process(asker), Answer::Fate { fate: Fate::CpuLost });
        }
    }

    /// A CPU can be asked again.
    pub(crate) fn ask_fates_again(&mut self, cpu: CpuNumber) {
        for (asker, phandle) in self.fates_waiting.remove(&cpu).unwrap_or_default() {
            self.ask_peer(asker, cpu, Query::Fate { phandle });
        }
    }

    /// A process adopts another one: it is told of its end.
    pub(crate) fn handle_become_mom(&mut self, asker: Request, child: Phandle) {
        if child.cpu == self.cpu() {
            let error = self.take_mom(child, asker.process);
            return self.answer_error(Origin::Process(asker), error);
        }
        let request = self.ask(child.cpu, Wanted::Answer { asker, query: None });
        let message = ToPeer::BecomeMomOf { request, child, mom: asker.process };
        if !self.send_peer(child.cpu, Vec::new(), &message) {
            self.fail_query(request);
        }
    }

    /// A process of this CPU gets a new mom.
    pub(crate) fn take_mom(&mut self, child: Phandle, mom: Phandle) -> FileError {
        match self.processes.get_mut(child) {
            Some(process) => {
                process.family.mom = Some(mom);
                FileError::OK
            }
            None => FileError::NOT_FOUND,
        }
    }

    fn ask_peer(&mut self, asker: Request, cpu: CpuNumber, query: Query) {
        if self.asked.len() >= ASKED_MAX {
            return self.answer_error(Origin::Process(asker), FileError::NO_BUFFER_SPACE);
        }
        if self.peers.get(&cpu).is_some_and(|peer| peer.link.is_some()) {
            let request = self.ask(cpu, Wanted::Answer { asker, query: Some(query.clone()) });
            self.send_peer(cpu, Vec::new(), &ToPeer::Query { request, query });
            return;
        }
        let Query::Fate { phandle } = query else {
            return self.answer_error(Origin::Process(asker), FileError::PATH_DOWN);
        };
        let undecided = self.peers.contains_key(&cpu)
            || self.calls.contains_key(&cpu)
            || self.lost_epochs.contains_key(&cpu)
            || self.announcing.contains_key(&cpu);
        if !undecided {
            return self.answer(Origin::Process(asker), Answer::Fate { fate: Fate::CpuLost });
        }
        let waiting = self.fates_waiting.entry(cpu).or_default();
        if waiting.len() < FATES_WAITING_MAX {
            waiting.push((asker, phandle));
        } else {
            self.answer_error(Origin::Process(asker), FileError::NO_BUFFER_SPACE);
        }
    }

    fn answer_about_own(&self, query: &Query) -> Answer {
        let process = match query {
            Query::Process { phandle } => self.processes.get(*phandle),
            Query::Place { pin, next: true, .. } => self.processes.from(*pin),
            Query::Place { pin, next: false, .. } => self.processes.at(*pin),
            Query::Fate { phandle } => return Answer::Fate { fate: self.fate(*phandle) },
            _ => return Answer::Done { error: FileError::INVALID_OPERATION },
        };
        Answer::Process { process: process.map(Process::facts) }
    }

    fn fate(&self, phandle: Phandle) -> Fate {
        if self.processes.get(phandle).is_some() {
            Fate::Alive
        } else if self.processes.ended(phandle).is_none() && phandle.sequence < self.first_number {
            // It is older than this epoch of the CPU, and ended with the one before.
            Fate::CpuLost
        } else {
            Fate::Ended
        }
    }

    fn cpus_answer(&self) -> Answer {
        let up = self.peers.keys().chain([&self.arguments.cpu]).fold(0, |up, cpu| up | 1 << cpu.get());
        Answer::Cpus { up, count: self.arguments.cpus }
    }
}
