//! `pollux sockets`

use std::process::ExitCode;

use clap::Args;
use pollux_sockets::Client;
use pollux_wire::ProcessName;
use pollux_wire::sockets::SocketEntry;
use serde::Serialize;

use crate::error::{Failure, Result};
use crate::node::Node;
use crate::output;
use crate::survey::{Daemons, Survey};
use crate::table::{Cell, Table};

/// How the names of providers begin, where none is given.
const PROVIDER_PREFIX: &str = "$ZTC";

/// List the sockets that the TCP/IP providers have
///
/// A listener or connection is there as long as a process has it. One without members is a connection that waits to be
/// taken, or one whose process has died and whose other half may still come for it. The listener of a Rust pair is shown
/// with the pair's name and the process that brings its connections.
#[derive(Debug, Args)]
pub(crate) struct Sockets {
    /// Only these providers; default all whose names begin with $ZTC
    #[arg(value_name = "NAME")]
    providers: Vec<ProcessName>,
    /// Print an array of objects: provider, socket, role, local, remote, members (name, pid, phandle)
    #[arg(long)]
    json: bool,
}

/// A socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct SocketView {
    provider: String,
    socket: u64,
    role: &'static str,
    local: Option<String>,
    remote: Option<String>,
    members: Vec<MemberView>,
}

/// A process that has a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct MemberView {
    name: Option<String>,
    pid: Option<u32>,
    phandle: String,
}

impl Sockets {
    /// Lists the sockets.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let survey = Daemons::of(node).survey()?;
        let place = pollux::Node::connect_in(&node.directory()).map_err(|error| failed(&error))?;
        let mut views = Vec::new();
        for provider in self.chosen(&survey) {
            let sockets = Client::open(&place, provider.as_str(), 1)
                .and_then(|mut client| client.list())
                .map_err(|error| not_listed(&provider, &error))?;
            views.extend(sockets.iter().map(|entry| view(&survey, &provider, entry)));
        }
        if self.json {
            output::json(&views)?;
        } else {
            output::print(&render(&views))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn chosen(&self, survey: &Survey) -> Vec<ProcessName> {
        if !self.providers.is_empty() {
            return self.providers.clone();
        }
        let names = survey.status().names.iter().map(|record| record.name.clone());
        names.filter(|name| name.as_str().starts_with(PROVIDER_PREFIX)).collect()
    }
}

fn failed(error: &pollux::Error) -> Failure {
    Failure::new(format!("the node cannot be asked: {error}"), "pollux status shows how it is")
}

fn not_listed(provider: &ProcessName, error: &pollux::Error) -> Failure {
    Failure::new(
        format!("{provider} does not list its sockets: {error}"),
        format!("is it a TCP/IP provider? pollux run --name '{provider}' --pair pollux-tcp starts one"),
    )
}

fn view(survey: &Survey, provider: &ProcessName, entry: &SocketEntry) -> SocketView {
    let member = |phandle| {
        let process = survey.process(phandle);
        MemberView {
            name: process.and_then(|process| survey.name_behind(process)).map(ToString::to_string),
            pid: process.map(|process| process.pid),
            phandle: phandle.to_string(),
        }
    };
    SocketView {
        provider: provider.to_string(),
        socket: entry.socket.0,
        role: entry.role.name(),
        local: entry.local.map(|address| address.to_string()),
        remote: entry.remote.map(|address| address.to_string()),
        members: entry.members.iter().map(|(_, phandle)| member(*phandle)).collect(),
    }
}

/// The listing with its headings.
fn render(views: &[SocketView]) -> String {
    let mut table = Table::headed(&["PROVIDER", "SOCKET", "ROLE", "LOCAL", "REMOTE", "MEMBERS"]);
    for view in views {
        let members: Vec<String> = view.members.iter().map(MemberView::describe).collect();
        table.row([
            view.provider.clone().into(),
            view.socket.to_string().into(),
            view.role.into(),
            view.local.clone().map_or_else(Cell::none, Cell::from),
            view.remote.clone().map_or_else(Cell::none, Cell::from),
            if members.is_empty() { Cell::none() } else { members.join(", ").into() },
        ]);
    }
    table.render()
}

impl MemberView {
    fn describe(&self) -> String {
        let name = self.name.as_deref().unwrap_or(&self.phandle);
        self.pid.map_or_else(|| name.to_owned(), |pid| format!("{name} pid {pid}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{handle, process, record, survey};
    use pollux_wire::sockets::SocketRole;
    use pollux_wire::{OpenId, SocketId};

    // The whole output: who holds a port is looked for when something does not end.
    #[test]
    fn the_listing() {
        let (zero, gone) = (handle(0, 4), handle(1, 5));
        let mut acceptor = process(handle(0, 9), None, None);
        acceptor.accepts_for = Some(gone);
        let seen =
            survey(vec![record("$APP", zero, None)], vec![process(zero, Some("$APP"), None), acceptor]);
        let entry = |socket, role, remote: Option<&str>, members| SocketEntry {
            socket: SocketId(socket),
            role,
            local: Some("127.0.0.1:7639".parse().unwrap()),
            remote: remote.map(|text| text.parse().unwrap()),
            members,
        };
        let entries = [
            entry(3, SocketRole::Listener, None, vec![(OpenId(1), zero), (OpenId(2), gone)]),
            entry(12, SocketRole::Stream, Some("[::1]:9"), vec![]),
            entry(13, SocketRole::Listener, None, vec![(OpenId(3), handle(0, 9))]),
        ];
        let provider = ProcessName::new("$ZTC0").unwrap();
        let views: Vec<SocketView> = entries.iter().map(|entry| view(&seen, &provider, entry)).collect();
        let text = anstream::adapter::strip_str(&render(&views)).to_string();
        let pid = seen.processes[0].pid;
        let lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "PROVIDER SOCKET ROLE LOCAL REMOTE MEMBERS".to_owned(),
                format!("$ZTC0 3 listener 127.0.0.1:7639 - $APP pid {pid}, {gone}"),
                "$ZTC0 12 stream 127.0.0.1:7639 [::1]:9 -".to_owned(),
                "$ZTC0 13 listener 127.0.0.1:7639 - $APP pid 1009".to_owned(),
            ]
        );
        assert_eq!(
            serde_json::to_value(&views[0].members[1]).unwrap(),
            serde_json::json!({ "name": null, "pid": null, "phandle": gone.to_string() })
        );
    }
}
