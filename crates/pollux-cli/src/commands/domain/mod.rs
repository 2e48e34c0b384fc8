//! `pollux domain ...`: the domain of which this node is a server.

pub(crate) mod config;
pub(crate) mod init;
pub(crate) mod invite;
pub(crate) mod join;
pub(crate) mod link;
mod list;
mod recover;
mod status;

use std::process::ExitCode;

use clap::Subcommand;

use crate::error::Result;
use crate::node::Node;

/// A domain: servers under one name with one configuration, one master and ordered backup masters
///
/// A domain is made once (init), its servers join it (pollux up --domain NAME), and from then on any of them can be asked and
/// told: what a command changes is decided by the acting master and is on every server. Servers on other hosts need a certificate of the
/// domain (invite) and an address (pollux up --address).
#[derive(Debug, Subcommand)]
pub(crate) enum Domain {
    Init(init::Init),
    Invite(invite::Invite),
    Join(join::Join),
    Status(status::Status),
    List(list::List),
    AddBackup(list::AddBackup),
    RemoveBackup(list::RemoveBackup),
    MoveMaster(list::MoveMaster),
    #[command(subcommand)]
    Config(config::Config),
    Recover(recover::Recover),
}

impl Domain {
    /// Runs the command.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        match self {
            Domain::Init(init) => init.run(),
            Domain::Invite(invite) => invite.run(),
            Domain::Join(join) => join.run(node),
            Domain::Status(status) => status.run(node),
            Domain::List(list) => list.run(node),
            Domain::AddBackup(add) => add.run(node),
            Domain::RemoveBackup(remove) => remove.run(node),
            Domain::MoveMaster(to) => to.run(node),
            Domain::Config(config) => config.run(node),
            Domain::Recover(recover) => recover.run(node),
        }
    }
}
