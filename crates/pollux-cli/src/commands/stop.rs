//! `pollux stop NAME`

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use pollux_os::Signal;
use pollux_wire::ProcessName;
use pollux_wire::admin::AdminRequest;

use crate::error::{Failure, Result};
use crate::node::Node;
use crate::order::{find_primary, find_record, record_now, wait_name_gone};
use crate::output;
use crate::survey::Daemons;

/// A pair that was asked to stop is gone by then.
const STOP_MAX: Duration = Duration::from_secs(10);
/// Pause between two rounds of killing: a new half may have been started meanwhile.
/// A request to stop can meet a half that is just handing its role over: the primary of the next moment is asked again.
const ASK_AGAIN_EVERY: Duration = Duration::from_millis(500);
const KILL_AGAIN_EVERY: Duration = Duration::from_millis(100);

/// Stop a named process, both halves of a pair
#[derive(Debug, Args)]
pub(crate) struct Stop {
    /// The name
    #[arg(value_name = "NAME")]
    name: ProcessName,
    /// Kill both halves rather than ask; what only they know is lost
    #[arg(long)]
    force: bool,
}

impl Stop {
    /// The command for this name.
    pub(crate) fn of(name: ProcessName) -> Stop {
        Stop { name, force: false }
    }

    /// Stops it.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let mut daemons = Daemons::of(node);
        let survey = daemons.survey()?;
        find_record(&survey, &self.name)?;
        let gone = if self.force {
            kill_all(&mut daemons, &self.name)?
        } else {
            ask_until_gone(&mut daemons, &self.name, STOP_MAX)?
        };
        if !gone {
            return Err(Failure::new(
                format!("{} did not stop within {} s", self.name, STOP_MAX.as_secs()),
                if self.force {
                    "pollux ps shows what is left; pollux events shows why".to_owned()
                } else {
                    format!("pollux stop '{}' --force{} kills both halves", self.name, node.option())
                },
            ));
        }
        output::line(&format!("{}  stopped", self.name))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Ends a named process of a node of our own: asks it first, and kills what does not listen.
pub(crate) fn end_name(daemons: &mut Daemons, name: &ProcessName) -> Result<()> {
    /// Nobody needs it any more.
    const ASK_MAX: Duration = Duration::from_secs(1);
    let gone = record_now(daemons, name)?.is_none()
        || ask_until_gone(daemons, name, ASK_MAX).unwrap_or(false)
        || kill_all(daemons, name)?;
    if gone { Ok(()) } else { Err(Failure::new(format!("{name} does not end"), "try again")) }
}

fn ask_until_gone(daemons: &mut Daemons, name: &ProcessName, limit: Duration) -> Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        let survey = daemons.survey()?;
        if let Ok(primary) = find_primary(&survey, name) {
            let phandle = primary.phandle;
            daemons.order(phandle.cpu, &AdminRequest::Stop { phandle })?;
        }
        if wait_name_gone(daemons, name, ASK_AGAIN_EVERY)? {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
    }
}

/// Kills every process of a name, backups first so that none takes over, until the name is gone.
fn kill_all(daemons: &mut Daemons, name: &ProcessName) -> Result<bool> {
    let deadline = Instant::now() + STOP_MAX;
    while Instant::now() < deadline {
        let survey = daemons.survey()?;
        let Some(record) = survey.record(name) else { return Ok(true) };
        let mut halves: Vec<_> =
            survey.processes.iter().filter(|process| process.name.as_ref() == Some(name)).collect();
        halves.sort_by_key(|process| process.phandle == record.primary);
        for half in halves {
            let order = AdminRequest::Signal { phandle: half.phandle, signal: Signal::KILL.as_raw() };
            // It may have ended in between; the next round looks again.
            let _ = daemons.order(half.phandle.cpu, &order);
        }
        if wait_name_gone(daemons, name, KILL_AGAIN_EVERY)? {
            return Ok(true);
        }
    }
    Ok(false)
}
