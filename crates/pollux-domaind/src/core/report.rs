//! What a server shows of the domain: to the engine of NOF verbs, and to people.

use super::{Core, ProgramId, Tick};
use crate::words::{ActingReport, ServerReport, StatusReport};
use pollux_domain::configuration::{Configuration, Logging};
use pollux_domain::content::{Content, Stamp};
use pollux_domain::name::ServerName;
use pollux_domain::nof::numbers as n;
use pollux_domain::nof::view::{DomainView, ServerView, Software};
use pollux_domain::succession::{Mode, Status};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Core {
    /// The domain's rules for logging, from its file.
    pub(super) fn logging(&self) -> Logging {
        let file = self.machine.content().map(|content| content.file.clone()).unwrap_or_default();
        Configuration::parse(&file).map(|all| all.logging).unwrap_or_default()
    }

    /// For the engine of NOF verbs.
    pub(super) fn view(&self, now: Tick, for_whom: Option<ProgramId>, locked_by_other: bool) -> DomainView {
        let program = for_whom.and_then(|id| self.programs.get(&id));
        let status = self.status(now);
        let content = self.machine.content().cloned();
        let parsed = content.as_ref().map(|content| Configuration::parse(&content.file));
        let bad_record = matches!(parsed, Some(Err(_)));
        let logging = parsed.and_then(Result::ok).map(|all| all.logging).unwrap_or_default();
        let servers = self.names(content.as_ref(), &status).into_iter().map(|name| {
            let running = status.running.contains(&name);
            ServerView {
                running,
                node_status: if running { n::AP_NDE_STARTED } else { n::AP_NDE_STOPPED },
                same_version: true, // Servers of other versions do not understand each other's records at all.
                log_override: self.start.log_override.filter(|_| name == self.start.host),
                name,
            }
        });
        DomainView {
            software: Software::Running,
            client: program.is_some_and(|program| program.client),
            authorized: program.is_some_and(|program| program.authorized),
            domain: self.start.domain.clone(),
            local: self.start.host.clone(),
            servers: servers.collect(),
            acting: status.acting,
            content: content.map(|content| (content, self.start.host.clone())),
            bad_record,
            locked_by_other,
            central_logging: logging.central,
            global_log_types: logging.types,
            version: version(),
        }
    }

    /// All servers: the list in its order, then the others by name.
    fn names(&self, content: Option<&Arc<Content>>, status: &Status) -> Vec<ServerName> {
        let mut names: Vec<ServerName> =
            content.map(|content| content.list.entries().to_vec()).unwrap_or_default();
        let others: BTreeSet<&ServerName> =
            status.running.iter().chain(self.beats.keys()).chain(self.heard.keys()).collect();
        for name in others {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// For people.
    pub(super) fn report(&self, now: Tick) -> StatusReport {
        let status = self.status(now);
        let content = self.machine.content().cloned();
        let stamp = content.as_ref().map(|content| content.stamp.clone());
        let names = self.names(content.as_ref(), &status);
        let servers: Vec<ServerReport> = names
            .iter()
            .map(|name| {
                let position = content.as_ref().and_then(|content| content.list.position(name));
                let up = status.running.contains(name);
                let holds = self.holds(name, &status, stamp.as_ref());
                ServerReport {
                    position: position.map(|rank| rank + 1),
                    acts: status.acting.as_ref().is_some_and(|(master, _)| master == name),
                    lags: up && position.is_some() && (holds.is_none() || holds != stamp),
                    up,
                    holds,
                    address: self.addresses.get(name).cloned(),
                    name: name.clone(),
                }
            })
            .collect();
        let acting = status.acting.as_ref().map(|(server, epoch)| ActingReport {
            server: server.clone(),
            epoch: epoch.0,
            because: because(server, &servers),
            since_unix_ms: self.master_since_unix_ms,
        });
        let no_acting_because = acting.is_none().then(|| self.nobody_because(&servers));
        StatusReport {
            domain: self.start.domain.clone(),
            mode: self.start.mode,
            coordinator: self.start.coordinator.clone(),
            host: self.start.host.clone(),
            role: status.role,
            stamp,
            acting,
            no_acting_because,
            servers,
            problems: self.problems.iter().cloned().collect(),
        }
    }

    fn holds(&self, name: &ServerName, status: &Status, newest: Option<&Stamp>) -> Option<Stamp> {
        if *name == self.start.host {
            return newest.filter(|_| status.in_step).cloned();
        }
        match self.start.mode {
            Mode::Quorum => self.beats.get(name).and_then(|beat| beat.in_step.clone()),
            Mode::Legacy => {
                self.heard.get(name).filter(|(_, ready)| *ready).and_then(|(stamp, _)| stamp.clone())
            }
        }
    }

    fn nobody_because(&self, servers: &[ServerReport]) -> String {
        if let Some(problem) = &self.store_problem {
            return format!("the coordinator cannot be read: {problem}");
        }
        if servers.iter().all(|server| server.position.is_none()) {
            return "this server knows no list of configuration servers yet".to_owned();
        }
        if !servers.iter().any(|server| server.up && server.position.is_some()) {
            return "no server of the list is up".to_owned();
        }
        "a takeover is under way, or the servers of the list that are up do not hold the newest content"
            .to_owned()
    }
}

/// Why this one acts.
fn because(master: &ServerName, servers: &[ServerReport]) -> String {
    let before: Vec<&ServerReport> =
        servers.iter().take_while(|server| server.name != *master).filter(|s| s.position.is_some()).collect();
    if before.is_empty() {
        return "it is the first of the list".to_owned();
    }
    let reasons = before.iter().map(|server| {
        let why = match (server.up, server.lags) {
            (false, _) => "is not up",
            (true, true) => "lags behind",
            (true, false) => "is back and must be up for a while first",
        };
        format!("{} {why}", server.name)
    });
    reasons.collect::<Vec<_>>().join(", ")
}

/// Version, release, modification of this software.
fn version() -> (u16, u16, u16) {
    let mut parts = env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}
