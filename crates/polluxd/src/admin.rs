//! What commands ask: one request, one answer, in turn.

use crate::clerk::Job;
use crate::daemon::{Daemon, label};
use crate::ledger::Contents;
use crate::limits::WAITERS_MAX;
use crate::links::LinkId;
use crate::process::Process;
use pollux_coordinator::Error;
use pollux_os::{Signal, signal};
use pollux_wire::admin::{ADMIN, AdminReply, AdminRequest, ProcessInfo, Status};
use pollux_wire::control::ToProcess;
use pollux_wire::limits::CONTROL_BODY_BYTES_MAX;
use pollux_wire::record::NameRecord;
use pollux_wire::{CpuNumber, Phandle, encode};
use std::os::fd::OwnedFd;

impl Daemon {
    /// A request of a command.
    pub(crate) fn handle_admin(&mut self, link: LinkId, request: AdminRequest, descriptors: Vec<OwnedFd>) {
        match request {
            AdminRequest::Status {} => self.clerk.ask(Job::Contents { link }),
            AdminRequest::Processes {} => {
                let processes: Vec<ProcessInfo> = self.processes.iter().map(Process::info).collect();
                self.reply(link, &AdminReply::Processes { processes });
            }
            AdminRequest::Run { name, spec } => self.handle_run(link, name, spec, descriptors),
            AdminRequest::Wait { phandle } => self.handle_wait(link, phandle),
            AdminRequest::Signal { phandle, signal } => self.handle_signal(link, phandle, signal),
            AdminRequest::Switch { phandle } => self.handle_switch(link, phandle),
            AdminRequest::Stop { phandle } => self.handle_stop(link, phandle),
            AdminRequest::CpuDown { node } => {
                self.reply(link, &AdminReply::Done {});
                self.go_down(node, "a command asked for it");
            }
            AdminRequest::CpuUp { cpu } => self.handle_cpu_up(link, cpu),
            AdminRequest::Name { name } => self.clerk.ask(Job::FindForCommand { link, name }),
        }
    }

    /// All records are there.
    pub(crate) fn handle_contents(&mut self, link: LinkId, contents: Result<Contents, Error>) {
        let contents = match contents {
            Ok(contents) => contents,
            Err(error) => return self.refuse(link, error.to_string()),
        };
        let mut status = Status {
            node: self.arguments.node.clone(),
            cpu: self.cpu(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            settings: contents.node.unwrap_or_else(|| self.arguments.node_record()),
            cpus: contents.cpus,
            names: contents.names,
            connected: self
                .peers
                .iter()
                .filter(|(_, peer)| peer.link.is_some())
                .map(|(cpu, _)| *cpu)
                .collect(),
            processors: self.own_processors.iter().filter_map(|one| u16::try_from(*one).ok()).collect(),
            events_lost: self.events.lost(),
            peek_offset: pollux_os::peek_offset_supported(),
        };
        fit(&mut status);
        self.reply(link, &AdminReply::Status { status });
    }

    /// The record of a name is there, or is not.
    pub(crate) fn handle_found_for_command(
        &mut self,
        link: LinkId,
        found: Result<Option<NameRecord>, Error>,
    ) {
        match found {
            Ok(record) => self.reply(link, &AdminReply::Name { record }),
            Err(error) => self.refuse(link, error.to_string()),
        }
    }

    fn reply(&mut self, link: LinkId, reply: &AdminReply) {
        self.links.send(link, ADMIN, Vec::new(), reply);
    }

    fn handle_wait(&mut self, link: LinkId, phandle: Phandle) {
        if let Some((code, signal)) = self.processes.ended(phandle) {
            return self.reply(link, &AdminReply::Ended { phandle, code, signal });
        }
        let Some(process) = self.processes.get_mut(phandle) else {
            return self.refuse_unknown(link, phandle);
        };
        // Commands that went away meanwhile make room.
        process.waiters.retain(|waiter| self.links.get_mut(*waiter).is_some());
        if process.waiters.len() < WAITERS_MAX {
            process.waiters.push(link);
        } else {
            self.refuse(link, format!("{WAITERS_MAX} commands wait for process {phandle} already"));
        }
    }

    fn handle_signal(&mut self, link: LinkId, phandle: Phandle, number: i32) {
        let Some(name) = Signal::from_named_raw(number) else {
            return self.refuse(link, format!("there is no signal {number}"));
        };
        let Some(process) = self.processes.get(phandle) else { return self.refuse_unknown(link, phandle) };
        let sent = match &process.pidfd {
            Some(pidfd) => signal(pidfd, name).map_err(|error| error.to_string()),
            None => Err("it was not started by its CPU, or does not run yet".to_owned()),
        };
        match sent {
            Ok(()) => {
                tracing::info!(process = label(process), "signal {number} sent for a command");
                self.reply(link, &AdminReply::Done {});
            }
            Err(why) => self.refuse(link, format!("process {phandle} gets no signal: {why}")),
        }
    }

    fn handle_switch(&mut self, link: LinkId, phandle: Phandle) {
        let Some(process) = self.processes.get(phandle) else { return self.refuse_unknown(link, phandle) };
        if !process.is_attached() || process.name.is_none() || process.is_backup() {
            let text = format!("process {phandle} is not a primary: look with `pollux status`");
            return self.refuse(link, text);
        }
        if process.is_active() {
            if process.partner().is_none() {
                let text = format!("process {phandle} has no backup that could be the primary");
                return self.refuse(link, text);
            }
            self.switch_active(phandle);
            return self.reply(link, &AdminReply::Done {});
        }
        tracing::info!(
            process = label(process),
            epoch = process.epoch.0,
            "switchover asked for by a command"
        );
        self.tell(phandle, &ToProcess::SwitchOver {});
        self.reply(link, &AdminReply::Done {});
    }

    fn handle_stop(&mut self, link: LinkId, phandle: Phandle) {
        let Some(process) = self.processes.get(phandle) else { return self.refuse_unknown(link, phandle) };
        tracing::info!(process = label(process), epoch = process.epoch.0, "stop asked for by a command");
        if process.is_active() && process.name.is_some() {
            self.stop_active(phandle);
        } else if process.is_attached() && process.link.is_some() {
            self.tell(phandle, &ToProcess::Stop {});
        } else if let Some(Err(error)) = process.pidfd.as_ref().map(|pidfd| signal(pidfd, Signal::TERM)) {
            return self.refuse(link, format!("process {phandle} cannot be stopped: {error}"));
        }
        self.reply(link, &AdminReply::Done {});
    }

    fn handle_cpu_up(&mut self, link: LinkId, cpu: CpuNumber) {
        let cpus = self.arguments.cpus;
        if cpu.get() >= cpus {
            self.refuse(link, format!("the CPUs of this node are 0 to {}", cpus - 1));
        } else if cpu == self.cpu() {
            self.refuse(link, format!("CPU {cpu} is up"));
        } else if self.peers.contains_key(&cpu) {
            self.refuse(link, format!("CPU {cpu} is up, or not quite down yet: look with `pollux status`"));
        } else if self.leaving.is_some() {
            self.refuse(link, "this CPU goes down: ask another one");
        } else {
            self.start_cpu(cpu);
            self.reply(link, &AdminReply::Done {});
        }
    }

    fn refuse_unknown(&mut self, link: LinkId, phandle: Phandle) {
        let cpu = self.cpu();
        self.refuse(link, format!("CPU {cpu} has no process {phandle}: look with `pollux ps`"));
    }
}

/// Cuts a status that would not fit into a frame: the programs first, then the last names.
fn fit(status: &mut Status) {
    // Room for the tag and for what stands around the status.
    const BYTES_MAX: usize = CONTROL_BODY_BYTES_MAX - 64;
    if encode(status).len() <= BYTES_MAX {
        return;
    }
    for record in &mut status.names {
        record.program.clear();
    }
    while encode(status).len() > BYTES_MAX && !status.names.is_empty() {
        let half = status.names.len() / 2;
        status.names.truncate(half);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollux_wire::record::NodeRecord;
    use pollux_wire::{Epoch, NodeName, Pin, ProcessName};

    // A node with very many names must still tell how it is.
    #[test]
    fn a_status_fits_into_a_frame() {
        let cpu = CpuNumber::new(0).unwrap();
        let phandle = Phandle { named: true, cpu, pin: Pin(1), node: 0, incarnation: 1, sequence: 1 };
        let record = |number: u32| NameRecord {
            name: ProcessName::new(&format!("$A{number:04}")).unwrap(),
            epoch: Epoch(1),
            primary: phandle,
            backup: Some(phandle),
            ancestor: None,
            program: "/p".repeat(100),
            keeps: pollux_wire::control::StateKeeping::Managed,
        };
        let settings = NodeRecord {
            node: "\\A".to_owned(),
            cpus: 1,
            unbound: false,
            sick_after_ms: 1,
            hang_after_ms: 1,
            reload_after_ms: 1,
        };
        let mut status = Status {
            node: NodeName::new("\\A").unwrap(),
            cpu,
            version: String::new(),
            pid: 1,
            settings,
            cpus: Vec::new(),
            names: (0..10_000).map(record).collect(),
            connected: Vec::new(),
            processors: Vec::new(),
            events_lost: 0,
            peek_offset: true,
        };
        fit(&mut status);
        assert_eq!(status.names.len(), 10_000, "without programs they fit");
        assert!(encode(&AdminReply::Status { status }).len() <= CONTROL_BODY_BYTES_MAX);
    }
}
