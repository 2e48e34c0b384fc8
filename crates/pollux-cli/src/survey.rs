//! The whole node at one moment, put together from what each CPU's daemon says, and what follows from it: the
//! role of a process, the form of a pair. Asking is at the end; everything else is pure.

use std::collections::BTreeMap;

use pollux_wire::admin::{AdminReply, AdminRequest, ProcessInfo, Status};
use pollux_wire::control::{PairState, StateKeeping};
use pollux_wire::record::{CpuRecord, CpuState, NameRecord};
use pollux_wire::{CpuNumber, Phandle, ProcessName};

use crate::client::{Admin, NoAnswer};
use crate::error::{Failure, Result};
use crate::node::{Node, all_cpus};

/// What a process is within its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Serves; a backup is wanted.
    Primary,
    /// Follows, or is on its way there.
    Backup,
    /// Has and wants no other half.
    Single,
}

impl Role {
    /// The word people see.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::Primary => "primary",
            Role::Backup => "backup",
            Role::Single => "single",
        }
    }
}

/// How a name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Whole: the backup is on record and in step; any one fault is survived.
    Pair,
    /// A pair is wanted and its backup is missing or not in step yet.
    Alone,
    /// One process that wants no backup.
    Single,
    /// The record names a primary that no CPU has: an old record, or a CPU that does not answer.
    Stale,
}

impl Form {
    /// The word people see.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Form::Pair => "pair",
            Form::Alone => "alone",
            Form::Single => "single",
            Form::Stale => "stale",
        }
    }
}

/// The node at one moment. The daemons are asked one after the other, so two of them may disagree for an instant.
#[derive(Debug, Clone)]
pub(crate) struct Survey {
    /// What each CPU that answered said, lowest number first; never empty.
    pub(crate) statuses: Vec<Status>,
    /// The processes of all CPUs that answered.
    pub(crate) processes: Vec<ProcessInfo>,
    /// CPUs with a listening daemon that did not answer, and why.
    pub(crate) silent: Vec<(CpuNumber, String)>,
}

impl Survey {
    /// What the records say; all daemons read the same ones.
    pub(crate) fn status(&self) -> &Status {
        self.statuses.first().expect("a survey without any answer is an error, not a survey")
    }

    /// The record of a name.
    pub(crate) fn record(&self, name: &ProcessName) -> Option<&NameRecord> {
        self.status().names.iter().find(|record| record.name == *name)
    }

    /// The process with this handle.
    pub(crate) fn process(&self, phandle: Phandle) -> Option<&ProcessInfo> {
        self.processes.iter().find(|process| process.phandle == phandle)
    }

    /// Its name, or for an acceptor that of its pair: the halves of a pair have one sequence number, and the one that started
    /// the acceptor may be gone.
    pub(crate) fn name_behind<'a>(&'a self, process: &'a ProcessInfo) -> Option<&'a ProcessName> {
        let owner = process.accepts_for;
        let is_owner = |half: &&ProcessInfo| owner.is_some_and(|o| o.sequence == half.phandle.sequence);
        let half = self.processes.iter().find(|half| half.name.is_some() && is_owner(half));
        process.name.as_ref().or_else(|| half?.name.as_ref())
    }

    /// Numbers of the CPUs that answered.
    pub(crate) fn cpus_up(&self) -> Vec<CpuNumber> {
        self.statuses.iter().map(|status| status.cpu).collect()
    }

    /// The CPUs on record.
    pub(crate) fn cpus(&self) -> &[CpuRecord] {
        &self.status().cpus
    }

    /// True when a CPU on record failed and is not up again.
    pub(crate) fn any_cpu_failed(&self) -> bool {
        self.cpus().iter().any(|cpu| cpu.state == CpuState::Failed) || !self.silent.is_empty()
    }

    /// The role of a process.
    pub(crate) fn role(&self, process: &ProcessInfo) -> Role {
        role(process, process.name.as_ref().and_then(|name| self.record(name)))
    }

    /// How a name stands.
    pub(crate) fn form(&self, record: &NameRecord) -> Form {
        let Some(primary) = self.process(record.primary) else { return Form::Stale };
        let backup = record.backup.and_then(|backup| self.process(backup));
        match primary.state {
            Some(PairState::Paired) if backup.is_some_and(|backup| in_step(record, backup)) => Form::Pair,
            // It has lost a backup, and its program makes another one.
            Some(PairState::Single) if record.keeps == StateKeeping::Active && record.had_backup() => {
                Form::Alone
            }
            Some(PairState::Single) => Form::Single,
            None if record.backup.is_none() => Form::Single,
            _ => Form::Alone,
        }
    }

    /// Primary and backup of a whole pair, or why it is not whole.
    pub(crate) fn whole(
        &self,
        name: &ProcessName,
    ) -> std::result::Result<(&ProcessInfo, &ProcessInfo), String> {
        let record = self.record(name).ok_or_else(|| format!("there is no process named {name}"))?;
        let primary = self.process(record.primary).ok_or_else(|| {
            format!("its primary {} is on record but on no CPU that answers", record.primary)
        })?;
        let state = primary.state.map_or("starting", PairState::name);
        let handle =
            record.backup.ok_or_else(|| format!("it has no backup on record; its primary is {state}"))?;
        let backup = self
            .process(handle)
            .ok_or_else(|| format!("its backup {handle} is on record but on no CPU that answers"))?;
        if !in_step(record, backup) {
            let state = backup.state.map_or("starting", PairState::name);
            return Err(format!("its backup is {state}, not in step yet"));
        }
        if primary.state != Some(PairState::Paired) {
            return Err(format!("its primary is {state}"));
        }
        Ok((primary, backup))
    }
}

/// What a program that keeps its state itself has sent to its backup only the program knows: on record is enough.
fn in_step(record: &NameRecord, backup: &ProcessInfo) -> bool {
    record.keeps == StateKeeping::Active || backup.state == Some(PairState::Following)
}

/// The role of a process, by the record of its name first: that is where it is decided who is what.
fn role(process: &ProcessInfo, record: Option<&NameRecord>) -> Role {
    use PairState::{Following, Loading, Single, TakingOver};
    let Some(record) = record else {
        return match process.state {
            _ if process.backup => Role::Backup,
            Some(Loading | Following | TakingOver) => Role::Backup,
            None | Some(Single) => Role::Single,
            Some(_) => Role::Primary,
        };
    };
    if record.backup == Some(process.phandle) {
        return Role::Backup;
    }
    if record.primary == process.phandle {
        let pair = record.backup.is_some() || !matches!(process.state, None | Some(Single));
        return if pair { Role::Primary } else { Role::Single };
    }
    // On no record: a backup that is still loading, or a leftover that will be told to end.
    match process.state {
        Some(Single) => Role::Single,
        _ => Role::Backup,
    }
}

/// Connections to the daemons of a node, kept between questions.
#[derive(Debug)]
pub(crate) struct Daemons {
    node: Node,
    connections: BTreeMap<CpuNumber, Admin>,
}

impl Daemons {
    /// No connection is made before the first question.
    pub(crate) fn of(node: &Node) -> Daemons {
        Daemons { node: node.clone(), connections: BTreeMap::new() }
    }

    /// The node.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// Asks the daemon of a CPU. Connects anew once if a kept connection is broken: its daemon may have been
    /// started again.
    pub(crate) fn ask(&mut self, cpu: CpuNumber, request: &AdminRequest) -> Result<AdminReply, NoAnswer> {
        if let Some(admin) = self.connections.get_mut(&cpu) {
            match admin.ask(request) {
                Err(NoAnswer::Gone) if is_read(request) => {}
                other => return self.keep_if_whole(cpu, other),
            }
            self.connections.remove(&cpu);
        }
        let admin = Admin::connect(&self.node.socket(cpu))?;
        let answer = self.connections.entry(cpu).or_insert(admin).ask(request);
        self.keep_if_whole(cpu, answer)
    }

    /// After an error the next answer on the connection may belong to an older question.
    fn keep_if_whole<T>(&mut self, cpu: CpuNumber, answer: Result<T, NoAnswer>) -> Result<T, NoAnswer> {
        if answer.is_err() {
            self.connections.remove(&cpu);
        }
        answer
    }

    /// Asks for an order to be carried out: done, or the daemon's own words of refusal.
    pub(crate) fn order(&mut self, cpu: CpuNumber, request: &AdminRequest) -> Result<()> {
        match self.ask(cpu, request) {
            Ok(AdminReply::Done {}) => Ok(()),
            Ok(other) => Err(refused(other)),
            Err(no_answer) => Err(cpu_failure(&self.node, cpu, &no_answer)),
        }
    }

    /// Asks every CPU. An error if none answers.
    pub(crate) fn survey(&mut self) -> Result<Survey> {
        let mut survey = Survey { statuses: Vec::new(), processes: Vec::new(), silent: Vec::new() };
        for cpu in all_cpus() {
            match self.survey_cpu(cpu) {
                Ok((status, processes)) => {
                    survey.statuses.push(status);
                    survey.processes.extend(processes);
                }
                Err(NoAnswer::NotRunning | NoAnswer::Gone) => {}
                Err(other) => survey.silent.push((cpu, other.to_string())),
            }
        }
        if !survey.statuses.is_empty() {
            return Ok(survey);
        }
        Err(match survey.silent.first() {
            Some((cpu, why)) => Failure::new(
                format!("node {} does not answer: CPU {cpu}: {why}", self.node.name()),
                format!("pollux down{} ends it, whatever state it is in", self.node.option()),
            ),
            None => not_running(&self.node),
        })
    }

    fn survey_cpu(&mut self, cpu: CpuNumber) -> Result<(Status, Vec<ProcessInfo>), NoAnswer> {
        let unexpected = |reply: AdminReply| NoAnswer::Broken(refused(reply).what);
        let status = match self.ask(cpu, &AdminRequest::Status {})? {
            AdminReply::Status { status } => status,
            other => return Err(unexpected(other)),
        };
        match self.ask(cpu, &AdminRequest::Processes {})? {
            AdminReply::Processes { processes } => Ok((status, processes)),
            other => Err(unexpected(other)),
        }
    }
}

/// Asking these twice changes nothing; an order asked twice might be carried out twice.
fn is_read(request: &AdminRequest) -> bool {
    matches!(request, AdminRequest::Status {} | AdminRequest::Processes {} | AdminRequest::Name { .. })
}

/// The node does not run.
pub(crate) fn not_running(node: &Node) -> Failure {
    Failure::new(
        format!("node {} is not running (run directory {})", node.name(), node.root().display()),
        format!("pollux up{}", node.option()),
    )
}

/// A CPU gave no answer.
pub(crate) fn cpu_failure(node: &Node, cpu: CpuNumber, why: &NoAnswer) -> Failure {
    let next = match why {
        NoAnswer::NotRunning => {
            format!("pollux cpu up {cpu}{0}, or pollux up{0} if no CPU is up", node.option())
        }
        _ => format!("look at {}", node.daemon_log(cpu).display()),
    };
    Failure::new(format!("CPU {cpu} of {}: {why}", node.name()), next)
}

/// The daemon said no, or something that does not answer the question.
pub(crate) fn refused(reply: AdminReply) -> Failure {
    match reply {
        AdminReply::Refused { text } => Failure::new(text, ""),
        other => Failure::new(
            format!("the daemon gave an answer that does not fit: {other:?}"),
            "is it of another version? pollux down, then pollux up",
        ),
    }
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
