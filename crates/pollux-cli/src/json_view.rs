//! What `--json` prints: the fields are a promise to scripts, so they are declared here and nowhere else.

use pollux_wire::admin::ProcessInfo;
use pollux_wire::control::PairState;
use pollux_wire::record::{CpuState, NameRecord};
use serde::Serialize;

use crate::survey::{Form, Role, Survey};

/// One process, as `ps` and `run` show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ProcessView {
    /// Its name, if it has one.
    pub(crate) name: Option<String>,
    /// `primary`, `backup` or `single`.
    pub(crate) role: &'static str,
    /// Its CPU.
    pub(crate) cpu: u8,
    /// Its process id.
    pub(crate) pid: u32,
    /// Its process handle.
    pub(crate) phandle: String,
    /// Its epoch.
    pub(crate) epoch: u64,
    /// Its program.
    pub(crate) program: String,
    /// Where it stands; none before it joined the node.
    pub(crate) state: Option<&'static str>,
    /// Checkpoint bytes its backup has not acknowledged.
    pub(crate) lag_bytes: u64,
    /// When it was started.
    pub(crate) started_unix_ms: u64,
    /// The program that it keeps running; none for a process that is no keeper.
    pub(crate) kept: Option<KeptView>,
    #[serde(skip)]
    order: (bool, Role),
}

/// A program under a keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct KeptView {
    /// Its path.
    pub(crate) program: String,
    /// Its process id; none while it does not run, and for a backup, which has no program.
    pub(crate) pid: Option<u32>,
    /// How often it was started again.
    pub(crate) restarts: u64,
}

impl ProcessView {
    /// The view of a process within the node.
    pub(crate) fn new(survey: &Survey, process: &ProcessInfo) -> ProcessView {
        let role = survey.role(process);
        ProcessView {
            name: process.name.as_ref().map(ToString::to_string),
            role: role.name(),
            cpu: process.phandle.cpu.get(),
            pid: process.pid,
            phandle: process.phandle.to_string(),
            epoch: process.epoch.0,
            program: process.program.clone(),
            state: process.state.map(PairState::name),
            lag_bytes: process.lag_bytes,
            started_unix_ms: process.started_unix_ms,
            kept: kept(survey, process),
            order: (process.name.is_none(), role),
        }
    }

    /// All processes but acceptors, which come and go with their pairs: names first in their order, primary before backup,
    /// then the unnamed ones.
    pub(crate) fn all(survey: &Survey) -> Vec<ProcessView> {
        let shown = survey.processes.iter().filter(|process| process.accepts_for.is_none());
        let mut views: Vec<ProcessView> = shown.map(|process| ProcessView::new(survey, process)).collect();
        views.sort_by(|a, b| {
            (a.order.0, &a.name, a.order.1, a.cpu, a.pid).cmp(&(b.order.0, &b.name, b.order.1, b.cpu, b.pid))
        });
        views
    }
}

/// What the process keeps running. The backup says nothing of its own: it keeps what its primary keeps.
fn kept(survey: &Survey, process: &ProcessInfo) -> Option<KeptView> {
    let name = process.name.as_ref()?;
    let primary = survey.record(name)?.primary;
    let kept = survey.process(primary)?.kept.as_ref()?;
    let pid = kept.pid.filter(|_| process.phandle == primary);
    Some(KeptView { program: kept.program.clone(), pid, restarts: kept.restarts })
}

/// The node, as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct StatusView {
    /// The node's name.
    pub(crate) node: String,
    /// Version of its daemons.
    pub(crate) version: String,
    /// Its directory.
    pub(crate) run_directory: String,
    /// Its CPUs.
    pub(crate) cpus: Vec<CpuView>,
    /// The names on record.
    pub(crate) names: Vec<NameView>,
    /// Events that could not be written.
    pub(crate) events_lost: u64,
    /// Whether the kernel keeps a peek offset for TCP.
    pub(crate) peek_offset: bool,
}

/// One CPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CpuView {
    /// Its number.
    pub(crate) cpu: u8,
    /// `up`, `down`, `failed`, or `silent` when its daemon runs and does not answer.
    pub(crate) state: &'static str,
    /// Counts its starts.
    pub(crate) epoch: u64,
    /// Process id of its daemon.
    pub(crate) pid: u32,
    /// When it entered the state.
    pub(crate) since_unix_ms: u64,
    /// Processors its processes are bound to; empty = all.
    pub(crate) processors: Vec<u16>,
}

/// One name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct NameView {
    /// The name.
    pub(crate) name: String,
    /// `pair` (whole), `alone` (the backup is missing or not in step), `single` (none is wanted) or `stale`.
    pub(crate) form: &'static str,
    /// Its epoch.
    pub(crate) epoch: u64,
    /// Handle of the primary.
    pub(crate) primary: String,
    /// Handle of the backup on record.
    pub(crate) backup: Option<String>,
    /// The program.
    pub(crate) program: String,
}

impl StatusView {
    /// The view of a node; `only` limits the names.
    pub(crate) fn new(survey: &Survey, run_directory: String, only: Option<&NameRecord>) -> StatusView {
        let status = survey.status();
        let names = status.names.iter().filter(|record| only.is_none_or(|only| only.name == record.name));
        StatusView {
            node: status.node.to_string(),
            version: status.version.clone(),
            run_directory,
            cpus: cpus(survey),
            names: names.map(|record| name(survey, record)).collect(),
            events_lost: survey.statuses.iter().map(|status| status.events_lost).sum(),
            peek_offset: status.peek_offset,
        }
    }

    /// True when every name that wants a backup has it in step.
    pub(crate) fn all_whole(&self) -> bool {
        !self.names.iter().any(|name| [Form::Alone.name(), Form::Stale.name()].contains(&name.form))
    }
}

fn cpus(survey: &Survey) -> Vec<CpuView> {
    let view = |record: &pollux_wire::record::CpuRecord| {
        let own = survey.statuses.iter().find(|status| status.cpu == record.cpu);
        let silent = survey.silent.iter().any(|(cpu, _)| *cpu == record.cpu);
        CpuView {
            cpu: record.cpu.get(),
            state: if silent && record.state == CpuState::Up { "silent" } else { record.state.name() },
            epoch: record.epoch.0,
            pid: record.pid,
            since_unix_ms: record.since_unix_ms,
            processors: own.map(|status| status.processors.clone()).unwrap_or_default(),
        }
    };
    survey.cpus().iter().map(view).collect()
}

fn name(survey: &Survey, record: &NameRecord) -> NameView {
    NameView {
        name: record.name.to_string(),
        form: survey.form(record).name(),
        epoch: record.epoch.0,
        primary: record.primary.to_string(),
        backup: record.backup.map(|backup| backup.to_string()),
        program: record.program.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{handle, process, record, survey};
    use pollux_wire::control::PairState::{Alone, Following, Paired};

    // Scripts read these fields by name: none may change or go.
    #[test]
    fn ps_has_the_promised_fields() {
        let (zero, one) = (handle(0, 4), handle(1, 5));
        let mut unnamed = process(handle(0, 9), None, None);
        unnamed.phandle.named = false;
        let seen = survey(
            vec![record("$KV", one, Some(zero))],
            vec![
                unnamed,
                process(zero, Some("$KV"), Some(Following)),
                process(one, Some("$KV"), Some(Paired)),
            ],
        );
        let views = ProcessView::all(&seen);
        assert_eq!(views.iter().map(|view| view.role).collect::<Vec<_>>(), ["primary", "backup", "single"]);
        assert_eq!(
            serde_json::to_string(&views[0]).unwrap(),
            r#"{"name":"$KV","role":"primary","cpu":1,"pid":1005,"phandle":"1,5:7.1","epoch":3,"program":"/bin/server","state":"paired","lag_bytes":0,"started_unix_ms":1700000000000,"kept":null}"#
        );
        assert_eq!(views[2].name, None);
    }

    #[test]
    fn status_has_the_promised_fields() {
        let zero = handle(0, 4);
        let seen = survey(vec![record("$KV", zero, None)], vec![process(zero, Some("$KV"), Some(Alone))]);
        let view = StatusView::new(&seen, "/r/N".to_owned(), None);
        assert!(!view.all_whole());
        let text = serde_json::to_string(&view).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"node":"\\N","version":"0.1.0","run_directory":"/r/N","cpus":["#,
                r#"{"cpu":0,"state":"up","epoch":1,"pid":500,"since_unix_ms":1700000000000,"processors":[0]},"#,
                r#"{"cpu":1,"state":"up","epoch":1,"pid":501,"since_unix_ms":1700000000000,"processors":[1]}],"#,
                r#""names":[{"name":"$KV","form":"alone","epoch":3,"primary":"0,4:7.1","backup":null,"program":"/bin/server"}],"#,
                r#""events_lost":0,"peek_offset":true}"#
            )
        );
    }
}
