//! `pollux cpu down|up|kill N`

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use pollux_os::Signal;
use pollux_wire::CpuNumber;
use pollux_wire::admin::AdminRequest;

use crate::client::daemon_handle;
use crate::commands::parse_cpu;
use crate::error::{Failure, Result};
use crate::node::Node;
use crate::order::{pairs_in, wait_whole};
use crate::output;
use crate::shutdown::END_MAX;
use crate::survey::{Daemons, Survey, cpu_failure};
use crate::time::wait_until;

/// A CPU that was told to come up answers by then.
const UP_MAX: Duration = Duration::from_secs(15);

/// Stop, start or kill one CPU of the node
#[derive(Debug, Subcommand)]
pub(crate) enum Cpu {
    /// Stop a CPU; the primaries in it are taken over by their backups
    Down(Which),
    /// Start a CPU that is down or failed
    Up(Up),
    /// Kill a CPU as a fault would (SIGKILL to its daemon)
    Kill(Which),
}

/// A CPU that is to go.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Number of the CPU
    #[arg(value_name = "N", value_parser = parse_cpu)]
    cpu: CpuNumber,
    /// Do it even if a pair with a half there is not whole, which loses its only copy
    #[arg(long)]
    force: bool,
}

/// A CPU that is to come.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Number of the CPU
    #[arg(value_name = "N", value_parser = parse_cpu)]
    cpu: CpuNumber,
}

impl Cpu {
    /// Carries it out.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let mut daemons = Daemons::of(node);
        let survey = daemons.survey()?;
        match self {
            Cpu::Down(which) => down(&mut daemons, &survey, &which)?,
            Cpu::Up(up) => start(&mut daemons, &survey, up.cpu)?,
            Cpu::Kill(which) => kill(&mut daemons, &survey, &which)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn down(daemons: &mut Daemons, survey: &Survey, which: &Which) -> Result<()> {
    check(daemons, survey, which, "cpu down")?;
    let node = daemons.node().clone();
    let (pid, handle) =
        daemon_handle(&node.socket(which.cpu)).map_err(|why| cpu_failure(&node, which.cpu, &why))?;
    daemons.order(which.cpu, &AdminRequest::CpuDown { node: false })?;
    let gone = pollux_os::wait_gone(&handle, END_MAX).map_err(|error| {
        Failure::new(format!("cannot wait for CPU {}: {error}", which.cpu), "pollux status")
    })?;
    if !gone {
        return Err(Failure::new(
            format!("CPU {} (pid {pid}) did not end within {} s", which.cpu, END_MAX.as_secs()),
            format!("pollux cpu kill {}{}", which.cpu, node.option()),
        ));
    }
    output::line(&format!("{}  cpu {}  down  pid {pid}", node.name(), which.cpu))
}

fn kill(daemons: &mut Daemons, survey: &Survey, which: &Which) -> Result<()> {
    check(daemons, survey, which, "cpu kill")?;
    let node = daemons.node();
    let failed = |why: String| Failure::new(format!("cannot kill CPU {}: {why}", which.cpu), "pollux status");
    let (pid, handle) =
        daemon_handle(&node.socket(which.cpu)).map_err(|why| cpu_failure(node, which.cpu, &why))?;
    pollux_os::signal(&handle, Signal::KILL).map_err(|error| failed(error.to_string()))?;
    if !pollux_os::wait_gone(&handle, END_MAX).map_err(|error| failed(error.to_string()))? {
        return Err(failed(format!("pid {pid} was killed and does not end")));
    }
    output::line(&format!("{}  cpu {}  killed  pid {pid}", node.name(), which.cpu))
}

/// Refuses to take away the only copy of a pair, or the last CPU.
fn check(daemons: &mut Daemons, survey: &Survey, which: &Which, order: &str) -> Result<()> {
    let up = survey.cpus_up();
    let hung = survey.silent.iter().any(|(cpu, _)| *cpu == which.cpu);
    if which.force || hung {
        return Ok(());
    }
    let option = daemons.node().option();
    if !up.contains(&which.cpu) {
        return Err(Failure::new(
            format!("CPU {} of {} is not up", which.cpu, daemons.node().name()),
            format!("pollux status{option}; pollux cpu up {}{option} starts it", which.cpu),
        ));
    }
    if up.len() == 1 {
        return Err(Failure::new(
            format!("{order} refused: CPU {} is the last one of {}", which.cpu, daemons.node().name()),
            format!("pollux down{option} stops the whole node; --force does it all the same"),
        ));
    }
    for name in pairs_in(survey, which.cpu) {
        wait_whole(daemons, &name, order)?;
    }
    Ok(())
}

fn start(daemons: &mut Daemons, survey: &Survey, cpu: CpuNumber) -> Result<()> {
    let node = daemons.node().clone();
    if survey.cpus_up().contains(&cpu) {
        return Err(Failure::new(format!("CPU {cpu} of {} is up already", node.name()), "pollux status"));
    }
    if cpu.get() >= survey.status().settings.cpus {
        return Err(Failure::new(
            format!(
                "{} was started with {} CPUs; there is no CPU {cpu}",
                node.name(),
                survey.status().settings.cpus
            ),
            format!("choose a lower number, or start the node again with pollux up --cpus {}", cpu.get() + 1),
        ));
    }
    let others = survey.cpus_up();
    daemons.order(others[0], &AdminRequest::CpuUp { cpu })?;
    let found = wait_until(UP_MAX, || {
        let survey = daemons.survey()?;
        let status = survey.statuses.into_iter().find(|status| status.cpu == cpu);
        Ok(status.filter(|status| others.iter().all(|other| status.connected.contains(other))))
    })?;
    let Some(status) = found else {
        return Err(Failure::new(
            format!("CPU {cpu} did not come up within {} s", UP_MAX.as_secs()),
            format!("look at {}", node.daemon_log(cpu).display()),
        ));
    };
    output::line(&format!("{}  cpu {cpu}  up  pid {}", node.name(), status.pid))
}
