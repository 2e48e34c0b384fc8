//! `pollux domain list`, `add-backup`, `remove-backup`, `move-master`

use std::process::ExitCode;

use clap::Args;
use pollux_domain::content::Change;
use pollux_domain::name::ServerName;
use serde::Serialize;

use super::link;
use crate::error::{Failure, Result};
use crate::node::Node;
use crate::output;

/// Print the configuration servers in order, the master first
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print an object: domain, stamp, servers
    #[arg(long)]
    json: bool,
}

/// The list for scripts.
#[derive(Debug, Serialize)]
struct ListView<'a> {
    domain: &'a str,
    stamp: String,
    servers: &'a [ServerName],
}

impl List {
    /// Prints it.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let client = link::connect(node)?;
        let view = link::view(&client, node)?;
        let content = link::content(&view, node)?;
        let servers = content.list.entries();
        if self.json {
            output::json(&ListView { domain: &view.domain, stamp: content.stamp.to_string(), servers })?;
        } else {
            servers.iter().try_for_each(|server| output::line(server.as_str()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Put a server at the end of the list: it becomes master when all before it are away
///
/// It need not run at this moment. To put it elsewhere: pollux domain move-master.
#[derive(Debug, Args)]
pub(crate) struct AddBackup {
    /// Its name, as its --host
    #[arg(value_name = "HOST", value_parser = link::parse_server)]
    host: ServerName,
}

impl AddBackup {
    /// Adds it.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let client = link::connect(node)?;
        let stamp = link::change(&client, node, Change::AddBackup { name: self.host.clone() })?;
        output::line(&format!("{}  added at the end of the list  content {stamp}", self.host))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Take a server off the list, also the acting master: the next running server of the list takes over
///
/// Refused when no running server would be left in the list.
#[derive(Debug, Args)]
pub(crate) struct RemoveBackup {
    /// Its name
    #[arg(value_name = "HOST", value_parser = link::parse_server)]
    host: ServerName,
}

impl RemoveBackup {
    /// Removes it.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let client = link::connect(node)?;
        let stamp = link::change(&client, node, Change::DeleteBackup { name: self.host.clone() })?;
        output::line(&format!("{}  taken off the list  content {stamp}", self.host))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Put a server of the list first, or at another position: the order says who should be master
///
/// The acting master changes when the new first server has been up for the stable time (30 s unless it was set).
#[derive(Debug, Args)]
pub(crate) struct MoveMaster {
    /// Its name
    #[arg(value_name = "HOST", value_parser = link::parse_server)]
    host: ServerName,
    /// Its new position; the first is 1
    #[arg(long, value_name = "N", default_value_t = 1)]
    position: usize,
}

impl MoveMaster {
    /// Moves it.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        if self.position == 0 {
            return Err(Failure::new("position 0: the first position is 1", "give a position from 1 on"));
        }
        let client = link::connect(node)?;
        let change = Change::MoveBackup { name: self.host.clone(), position: self.position };
        let stamp = link::change(&client, node, change)?;
        output::line(&format!("{}  at position {}  content {stamp}", self.host, self.position))?;
        Ok(ExitCode::SUCCESS)
    }
}
