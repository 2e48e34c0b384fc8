//! `pollux domain status`

use std::process::ExitCode;

use clap::Args;
use pollux_domain::succession::Mode;
use pollux_domaind::words::{Reply, ServerReport, StatusReport, Word};

use super::link;
use crate::error::{Failure, Result, code};
use crate::node::Node;
use crate::output::{self, BAD, CARE, GOOD, HEAD, styled};
use crate::table::{Cell, Table};
use crate::time::{unix_ms, utc};

/// Show the list in order: who is up, who acts and why, since when, who lags
///
/// Exit codes: 0 all servers of the list are up and hold the newest content; 3 one is not; 4 no master acts.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Print an object: domain, mode, coordinator, host, role, stamp, acting, no_acting_because, servers, problems
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Shows it.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let report = ask(node)?;
        if self.json {
            output::json(&report)?;
        } else {
            output::print(&render(&report, unix_ms()))?;
        }
        let whole =
            report.servers.iter().all(|server| server.position.is_none() || (server.up && !server.lags));
        Ok(match (&report.acting, whole) {
            (None, _) => ExitCode::from(code::CPU_FAILED),
            (Some(_), false) => ExitCode::from(code::NOT_WHOLE),
            (Some(_), true) => ExitCode::SUCCESS,
        })
    }
}

/// Asks the node's domain server.
pub(crate) fn ask(node: &Node) -> Result<StatusReport> {
    match link::connect(node)?.ask(Word::Status) {
        Ok(Reply::Status(report)) => Ok(*report),
        Ok(_) => Err(Failure::new("the domain server gave another answer", "use one version of Pollux")),
        Err(error) => Err(link::failure(&error, node)),
    }
}

fn render(report: &StatusReport, now_unix_ms: u64) -> String {
    let mode = match report.mode {
        Mode::Quorum => format!("quorum mode, records in {}", report.coordinator),
        Mode::Legacy => "legacy mode".to_owned(),
    };
    let content = report.stamp.as_ref().map_or("no content".to_owned(), |stamp| format!("content {stamp}"));
    let mut out =
        format!("domain {}  {mode}  {content}  asked {}\n", styled(HEAD, &report.domain), report.host);
    match (&report.acting, &report.no_acting_because) {
        (Some(acting), _) => {
            let for_s = now_unix_ms.saturating_sub(acting.since_unix_ms) / 1000;
            out += &format!(
                "acting master {}  epoch {}  since {} ({for_s} s)  because {}\n\n",
                styled(GOOD, acting.server.as_str()),
                acting.epoch,
                utc(acting.since_unix_ms),
                acting.because
            );
        }
        (None, because) => {
            let because = because.as_deref().unwrap_or("it is not known why");
            out += &format!("{}: {because}\n\n", styled(BAD, "no master acts"));
        }
    }
    let several = report.servers.iter().any(|server| server.address.is_some());
    let heads = ["POS", "SERVER", "ROLE", "STATE", "HOLDS", "ADDRESS"];
    let mut table = Table::headed(&heads[..if several { 6 } else { 5 }]);
    for server in &report.servers {
        let cells = [
            server.position.map_or_else(Cell::none, |position| position.to_string().into()),
            server.name.as_str().into(),
            role(server).into(),
            state(server),
            server.holds.as_ref().map_or_else(Cell::none, |stamp| stamp.to_string().into()),
        ];
        let address = server.address.as_ref().map_or_else(Cell::none, |address| address.to_string().into());
        table.row(cells.into_iter().chain(several.then_some(address)));
    }
    out += &table.render();
    for problem in &report.problems {
        out += &format!("{} {problem}\n", styled(CARE, "problem:"));
    }
    out
}

fn role(server: &ServerReport) -> &'static str {
    match server.position {
        Some(1) => "master",
        Some(_) => "backup",
        None => "peer",
    }
}

fn state(server: &ServerReport) -> Cell {
    match (server.up, server.acts, server.lags) {
        (false, ..) => Cell::styled("away", BAD),
        (true, true, _) => Cell::styled("up, acts", GOOD),
        (true, false, true) => Cell::styled("up, lags", CARE),
        (true, false, false) => Cell::styled("up", GOOD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollux_domain::name::ServerName;
    use pollux_domain::succession::Role;
    use pollux_domaind::words::ActingReport;

    // An operator at night must see at one look who acts, why, and who is missing.
    #[test]
    fn the_list_in_order_with_what_is_wrong() {
        let name = |text: &str| ServerName::new(text).unwrap();
        let server = |text: &str, position, up, acts, lags: bool| ServerReport {
            name: name(text),
            position,
            up,
            acts,
            holds: (up && !lags).then(|| "2.4@beta".parse().unwrap()),
            lags,
            address: None,
        };
        let report = StatusReport {
            domain: "plant".to_owned(),
            mode: Mode::Quorum,
            coordinator: "local".to_owned(),
            host: name("gamma"),
            role: Role::Backup,
            stamp: "2.4@beta".parse().ok(),
            acting: Some(ActingReport {
                server: name("beta"),
                epoch: 2,
                because: "alpha is not up".to_owned(),
                since_unix_ms: 1_000,
            }),
            no_acting_because: None,
            servers: vec![
                server("alpha", Some(1), false, false, false),
                server("beta", Some(2), true, true, false),
                server("gamma", Some(3), true, false, true),
                server("delta", None, true, false, false),
            ],
            problems: vec!["disk".to_owned()],
        };
        let shown = anstream::adapter::strip_str(&render(&report, 6_000)).to_string();
        assert_eq!(
            shown,
            "domain plant  quorum mode, records in local  content 2.4@beta  asked gamma\n\
             acting master beta  epoch 2  since 1970-01-01 00:00:01.000 (5 s)  because alpha is not up\n\n\
             POS  SERVER  ROLE    STATE     HOLDS\n\
             1    alpha   master  away      -\n\
             2    beta    backup  up, acts  2.4@beta\n\
             3    gamma   backup  up, lags  -\n\
             -    delta   peer    up        2.4@beta\n\
             problem: disk\n"
        );
        let mut far = report.clone();
        far.servers[1].address = "10.0.0.2".parse().ok();
        let shown = anstream::adapter::strip_str(&render(&far, 6_000)).to_string();
        assert!(
            shown.contains(
                "POS  SERVER  ROLE    STATE     HOLDS     ADDRESS\n\
                 1    alpha   master  away      -         -\n\
                 2    beta    backup  up, acts  2.4@beta  10.0.0.2:1553\n"
            ),
            "{shown}"
        );
        let nobody = StatusReport { acting: None, no_acting_because: Some("x".to_owned()), ..report };
        assert!(
            anstream::adapter::strip_str(&render(&nobody, 0)).to_string().contains("no master acts: x\n")
        );
    }
}
