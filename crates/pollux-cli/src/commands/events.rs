//! `pollux events`

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use pollux_wire::ProcessName;

use crate::error::{Failure, Result};
use crate::events::{EventLine, Follower};
use crate::node::Node;
use crate::output;
use crate::survey::not_running;

/// Pause between two looks with `--follow`.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Show what happened: takeovers, switchovers, starts, ends, CPUs up and down
///
/// Every takeover is one event: its cause, the epochs, how long no one answered, the requests re-sent and the
/// connections kept. Times are in UTC. Works also while the node is down.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Go on with new events until interrupted
    #[arg(long, short)]
    follow: bool,
    /// Only events of this name
    #[arg(long, value_name = "NAME")]
    name: Option<ProcessName>,
    /// Print an array of objects; with --follow one object per line
    #[arg(long)]
    json: bool,
}

impl Events {
    /// Shows the events.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        if !node.directory().is_dir() {
            return Err(not_running(node));
        }
        let newest = node.events();
        let failed = |error| Failure::file("read", &newest, &error);
        // The newer file is opened first: if it is renamed in between, it is then seen twice rather than missed.
        let mut follower = Follower::new(&newest);
        let new = follower.lines().map_err(failed)?;
        let old = Follower::new(&node.events_older()).lines().map_err(failed)?;
        let old = if old.ends_with(&new) && !new.is_empty() { Vec::new() } else { old };
        let all: Vec<String> = old.into_iter().chain(new).collect();
        if self.json && !self.follow {
            let values: Vec<serde_json::Value> = self.chosen(&all).map(|(_, value)| value).collect();
            output::json(&values)?;
            return Ok(ExitCode::SUCCESS);
        }
        self.show(&all)?;
        if !self.follow {
            return Ok(ExitCode::SUCCESS);
        }
        loop {
            std::thread::sleep(LOOK_EVERY);
            self.show(&follower.lines().map_err(failed)?)?;
        }
    }

    fn show(&self, lines: &[String]) -> Result<()> {
        for (event, value) in self.chosen(lines) {
            if self.json {
                output::json_line(&value)?;
            } else {
                output::line(&event.render())?;
            }
        }
        Ok(())
    }

    /// The events that are asked for, also as the values that stand in the file.
    fn chosen<'a>(
        &'a self,
        lines: &'a [String],
    ) -> impl Iterator<Item = (EventLine, serde_json::Value)> + 'a {
        lines
            .iter()
            .filter_map(|line| Some((EventLine::parse(line)?, serde_json::from_str(line).ok()?)))
            .filter(|(event, _)| {
                self.name.as_ref().is_none_or(|name| event.name.as_deref() == Some(name.as_str()))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::name;

    // A filter that lets others through hides the one event that was asked for.
    #[test]
    fn only_events_of_the_name_and_no_torn_lines() {
        let lines: Vec<String> = [
            r#"{"kind":"paired","name":"$A","new_field":1}"#,
            r#"{"kind":"paired","name":"$B"}"#,
            r#"{"kind":"cpu-up"}"#,
            r#"{"kind":"#,
        ]
        .map(str::to_owned)
        .to_vec();
        let events = |of: Option<&str>| Events { follow: false, name: of.map(name), json: false };
        let chosen =
            |events: Events| events.chosen(&lines).map(|(_, value)| value.to_string()).collect::<Vec<_>>();
        assert_eq!(chosen(events(None)).len(), 3);
        assert_eq!(chosen(events(Some("$A"))), [r#"{"kind":"paired","name":"$A","new_field":1}"#]);
    }
}
