//! `pollux run PROGRAM ARG...`
//!
//! ```text
//! run --name '$KV' --pair P    ends when the pair is whole, or P is killed and the reason shown
//! run --name '$KV' P           ends when P has joined the node
//! run P                        ends at once
//! run --restart P              ends when the keeper of P is there, for a node of several CPUs as a pair
//! run --wait ...               ends with the program (with the name, for a pair), with its exit code
//! ```

mod keep;
mod ready;
mod startup;
mod wait;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use pollux_wire::admin::{AdminReply, AdminRequest};
use pollux_wire::{CpuNumber, Phandle, ProcessName};

use crate::client::Admin;
use crate::commands::parse_cpu;
use crate::error::{Failure, Result};
use crate::json_view::ProcessView;
use crate::node::Node;
use crate::output;
use crate::program::{Program, Streams};
use crate::survey::{Daemons, Survey, cpu_failure, refused};
use crate::table::Table;

/// The daemon has started the program, or said why not, by then.
const RUN_ANSWER_MAX: Duration = Duration::from_secs(15);

/// Run a program in the node, alone or as a pair
///
/// With --name it returns when the program has joined the node, with --pair when the backup is in step (for a program
/// that keeps its state itself: when the backup is on record). Its output goes to a log (pollux logs NAME), or with
/// --wait to this terminal.
///
/// The options under "Startup of a C program" are for programs written against the Guardian procedures: their run-time
/// library makes the startup, ASSIGN and PARAM messages of them. Other programs find the environment variables
/// POLLUX_STARTUP, POLLUX_IN, POLLUX_OUT, POLLUX_TERM, POLLUX_ASSIGNS and POLLUX_PARAMS.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The name under which others find it; needed for a pair
    #[arg(long, value_name = "$NAME")]
    name: Option<ProcessName>,
    /// The CPU of the primary; default the lowest one that is up
    #[arg(long, value_name = "N", value_parser = parse_cpu)]
    cpu: Option<CpuNumber>,
    /// Run it as a pair: a backup in another CPU takes over when the primary fails
    #[arg(long, requires = "name")]
    pair: bool,
    /// Hand over this terminal's input and output, wait for the end, and exit with the program's code
    #[arg(long, short)]
    wait: bool,
    /// A named program that has not joined the node by then is killed
    #[arg(long, value_name = "SECS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    ready_timeout: u64,
    /// Print an array with the processes as `ps --json` does
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    keep: keep::Keep,
    #[command(flatten)]
    startup: startup::Startup,
    /// The program, looked up in PATH (pollux-kv is built in), and its arguments: all that follows is the program's
    #[arg(value_name = "PROGRAM", required = true, trailing_var_arg = true)]
    command: Vec<OsString>,
}

/// A program that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    /// Its handle.
    pub(crate) phandle: Phandle,
    /// Its process id.
    pub(crate) pid: u32,
}

impl Run {
    /// Runs the program.
    pub(crate) fn run(mut self, node: &Node) -> Result<ExitCode> {
        let mut daemons = Daemons::of(node);
        let survey = daemons.survey()?;
        let cpu = choose_cpu(node, &survey, self.cpu)?;
        let (written, arguments) = self.command.split_first().expect("the command line has a program");
        let mut program = Program::find(written, arguments, self.pair)?;
        if self.keep.is_wanted() {
            // Its keeper is a pair wherever it can be one.
            self.pair |= survey.cpus_up().len() > 1;
            self.name = Some(self.name.take().unwrap_or_else(|| keep::free_name(&survey, &program.written)));
            program.spec = self.keep.keeper_of(program.spec, self.pair)?;
        }
        self.startup.tell(&mut program.spec.environment)?;
        let streams = if self.wait {
            Streams::own()?
        } else {
            Streams::to_log(node, self.name.as_ref(), &program.written)?
        };
        let log = streams.log.clone();
        let what = What { program: &program, name: self.name.as_ref(), log: log.as_deref() };
        let running = launch(node, cpu, &what, streams)?;
        if self.wait {
            return wait::until_end(&mut daemons, &what, &running);
        }
        if self.name.is_some() {
            let limit = Duration::from_secs(self.ready_timeout);
            ready::until_joined(&mut daemons, &what, &running, limit)?;
        }
        self.show(&daemons.survey()?, &running, log.as_deref())?;
        Ok(ExitCode::SUCCESS)
    }

    fn show(&self, survey: &Survey, running: &Running, log: Option<&std::path::Path>) -> Result<()> {
        let phandle = running.phandle.to_string();
        let mut views = ProcessView::all(survey);
        views.retain(|view| match &self.name {
            Some(name) => view.name.as_deref() == Some(name.as_str()),
            None => view.phandle == phandle,
        });
        if self.json {
            return output::json(&views);
        }
        let mut table = Table::bare();
        for view in views {
            table.row([
                view.name.clone().unwrap_or_else(|| "-".to_owned()).into(),
                view.role.into(),
                format!("cpu {}", view.cpu).into(),
                format!("pid {}", view.pid).into(),
                view.phandle.clone().into(),
                format!("epoch {}", view.epoch).into(),
                view.state.map_or("".into(), |state| super::ps::state(Some(state))),
            ]);
        }
        if table.is_empty() {
            table.row([
                "-".into(),
                "ended".into(),
                "".into(),
                format!("pid {}", running.pid).into(),
                phandle.into(),
            ]);
        }
        output::print(&table.render())?;
        if let Some(log) = log {
            output::note(&format!("log: {}", log.display()));
        }
        Ok(())
    }
}

/// What is being run, for messages.
pub(crate) struct What<'a> {
    /// The program.
    pub(crate) program: &'a Program,
    /// Its name.
    pub(crate) name: Option<&'a ProcessName>,
    /// Its log.
    pub(crate) log: Option<&'a std::path::Path>,
}

impl What<'_> {
    /// The program and its name.
    pub(crate) fn describe(&self) -> String {
        match self.name {
            Some(name) => format!("{} ({name})", self.program.written),
            None => self.program.written.clone(),
        }
    }
}

fn choose_cpu(node: &Node, survey: &Survey, wanted: Option<CpuNumber>) -> Result<CpuNumber> {
    let up = survey.cpus_up();
    match wanted {
        None => Ok(up[0]),
        Some(cpu) if up.contains(&cpu) => Ok(cpu),
        Some(cpu) => {
            let list: Vec<String> = up.iter().map(ToString::to_string).collect();
            Err(Failure::new(
                format!("CPU {cpu} of {} is not up", node.name()),
                format!("choose one that is: {}; or pollux cpu up {cpu}{}", list.join(" "), node.option()),
            ))
        }
    }
}

/// Starts the program in a CPU. It may not have joined the node yet.
pub(crate) fn launch(node: &Node, cpu: CpuNumber, what: &What<'_>, streams: Streams) -> Result<Running> {
    let request = AdminRequest::Run { name: what.name.cloned(), spec: what.program.spec.clone() };
    let answer = Admin::connect(&node.socket(cpu))
        .and_then(|mut admin| admin.ask_with(&request, streams.descriptors, RUN_ANSWER_MAX))
        .map_err(|why| cpu_failure(node, cpu, &why))?;
    match answer {
        AdminReply::Started { phandle, pid } => Ok(Running { phandle, pid }),
        AdminReply::Ended { code, signal, .. } => Err(ready::ended_early(what, code, signal)),
        other => Err(refused(other)),
    }
}

/// Starts the program and waits until it has joined the node, and for a pair until it is whole.
pub(crate) fn launch_and_join(
    daemons: &mut Daemons,
    cpu: CpuNumber,
    what: &What<'_>,
    streams: Streams,
    limit: Duration,
) -> Result<Running> {
    let node = daemons.node().clone();
    let running = launch(&node, cpu, what, streams)?;
    ready::until_joined(daemons, what, &running, limit)?;
    Ok(running)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cpu, survey};
    use pollux_wire::NodeName;

    // A program started in a CPU that is not up would wait for an answer that never comes.
    #[test]
    fn the_cpu_is_the_one_asked_for_or_the_lowest() {
        let node = Node::within("/r".into(), NodeName::new("\\N").unwrap());
        let seen = survey(vec![], vec![]);
        assert_eq!(choose_cpu(&node, &seen, None), Ok(cpu(0)));
        assert_eq!(choose_cpu(&node, &seen, Some(cpu(1))), Ok(cpu(1)));
        let failure = choose_cpu(&node, &seen, Some(cpu(5))).unwrap_err();
        assert_eq!(failure.next, "choose one that is: 0 1; or pollux cpu up 5 --node '\\N'");
    }
}
