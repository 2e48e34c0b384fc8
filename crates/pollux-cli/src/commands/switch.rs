//! `pollux switch NAME`

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use pollux_wire::ProcessName;
use pollux_wire::admin::AdminRequest;

use crate::error::{Failure, Result};
use crate::node::Node;
use crate::order::{WHOLE_MAX, record_now, wait_whole};
use crate::output;
use crate::survey::Daemons;
use crate::time::wait_until;

/// Roles are exchanged by then.
const SWITCH_MAX: Duration = Duration::from_secs(5);

/// Exchange the roles of a pair, planned and without loss; returns when the other half serves
#[derive(Debug, Args)]
pub(crate) struct Switch {
    /// The name
    #[arg(value_name = "NAME")]
    name: ProcessName,
    /// Wait also until the pair is whole again
    #[arg(long)]
    wait: bool,
}

impl Switch {
    /// Exchanges the roles.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let mut daemons = Daemons::of(node);
        let survey = wait_whole(&mut daemons, &self.name, "switch")?;
        let Ok((primary, _)) = survey.whole(&self.name) else {
            return Err(Failure::new(
                format!("{} is a single process: it has no other half to switch to", self.name),
                format!("pollux stop '{0}', then pollux run --name '{0}' --pair PROGRAM", self.name),
            ));
        };
        daemons.order(primary.phandle.cpu, &AdminRequest::Switch { phandle: primary.phandle })?;
        let switched = wait_until(SWITCH_MAX, || {
            let record = record_now(&mut daemons, &self.name)?;
            Ok(record.filter(|record| record.primary != primary.phandle))
        })?;
        let Some(record) = switched else {
            return Err(Failure::new(
                format!("{} did not switch within {} s", self.name, SWITCH_MAX.as_secs()),
                "pollux ps shows its state; pollux events shows why",
            ));
        };
        if self.wait {
            self.wait_whole_again(&mut daemons)?;
        }
        output::line(&format!(
            "{}  primary  cpu {}  {}  epoch {}  (before: cpu {}  {})",
            self.name, record.primary.cpu, record.primary, record.epoch, primary.phandle.cpu, primary.phandle
        ))?;
        Ok(ExitCode::SUCCESS)
    }

    fn wait_whole_again(&self, daemons: &mut Daemons) -> Result<()> {
        let whole = wait_until(WHOLE_MAX, || Ok(daemons.survey()?.whole(&self.name).ok().map(|_| ())))?;
        whole.ok_or_else(|| {
            Failure::new(
                format!("{} switched, but was not whole again within {} s", self.name, WHOLE_MAX.as_secs()),
                "pollux events shows why",
            )
        })
    }
}
