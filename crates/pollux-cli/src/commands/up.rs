//! `pollux up`

use std::process::ExitCode;

use clap::Args;

use crate::commands::domain::{join, link};
use crate::error::{Failure, Result};
use crate::node::Node;
use crate::output::{self, GOOD};
use crate::start::{self, Settings};
use crate::table::{Cell, Table};

/// Start a node on this machine; returns when it is ready
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// CPUs of the node; each is a daemon with a share of the machine's processors
    #[arg(long, default_value_t = 2, value_name = "1..16", value_parser = clap::value_parser!(u8).range(1..=16))]
    cpus: u8,
    /// Let processes run on any processor; by default each CPU has its own share, which keeps takeovers short
    #[arg(long)]
    no_bind: bool,
    /// A process that does not move for so long counts as hung and is killed; 0 = never
    #[arg(long, default_value_t = Settings::DEFAULT.hang_after_ms, value_name = "MS")]
    hang_after_ms: u32,
    /// A CPU whose daemon is silent for so long counts as failed
    #[arg(long, default_value_t = Settings::DEFAULT.sick_after_ms, value_name = "MS", value_parser = clap::value_parser!(u32).range(1..))]
    sick_after_ms: u32,
    /// A failed CPU is started again after so long; 0 = never
    #[arg(long, default_value_t = Settings::DEFAULT.reload_after_ms, value_name = "MS")]
    reload_after_ms: u32,
    #[command(flatten)]
    tcp: crate::tcp::Tcp,
    /// Make the node a server of this domain: pollux domain --help
    #[arg(long, value_name = "NAME", value_parser = link::parse_domain)]
    domain: Option<String>,
    #[command(flatten)]
    server: join::Options,
}

impl Up {
    /// Starts the node.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let settings = Settings {
            cpus: self.cpus,
            unbound: self.no_bind,
            sick_after_ms: self.sick_after_ms,
            hang_after_ms: self.hang_after_ms,
            reload_after_ms: self.reload_after_ms,
        };
        let domain = self.domain.map(|domain| self.server.settings(node, &domain)).transpose()?;
        let started = start::start(node, &settings)?;
        let providers = self.tcp.start(node, self.cpus)?;
        if let Some(domain) = &domain {
            join::join(node, domain).map_err(|failure| {
                let again = format!("pollux domain join {}{}", domain.domain, node.option());
                let next = format!(
                    "{}; the node is up without its domain server: {again}, or pollux down",
                    failure.next
                );
                Failure { next, ..failure }
            })?;
        }
        let mut table = Table::bare();
        for status in &started.survey.statuses {
            let processors = processors(&status.processors);
            table.row([
                node.name().as_str().into(),
                format!("cpu {}", status.cpu).into(),
                Cell::styled("up", GOOD),
                format!("pid {}", status.pid).into(),
                format!("processors {processors}").into(),
            ]);
        }
        for name in providers {
            table.row([node.name().as_str().into(), name.as_str().into(), Cell::styled("up", GOOD)]);
        }
        output::print(&table.render())?;
        if let Some(domain) = domain {
            output::line(&format!("{}  server {} of domain {}", node.name(), domain.host, domain.domain))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// `0-3,6`, or `all`.
pub(crate) fn processors(list: &[u16]) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for &processor in list {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == processor => *last = processor,
            _ => runs.push((processor, processor)),
        }
    }
    let text = |(first, last): &(u16, u16)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    if runs.is_empty() { "all".to_owned() } else { runs.iter().map(text).collect::<Vec<_>>().join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A list of 128 processors must fit in a column.
    #[test]
    fn processors_are_shown_as_runs() {
        assert_eq!(processors(&[]), "all");
        assert_eq!(processors(&[3]), "3");
        assert_eq!(processors(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
    }
}
