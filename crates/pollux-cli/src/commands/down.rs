//! `pollux down`

use std::process::ExitCode;

use clap::Args;

use crate::commands::domain::join;
use crate::error::{Failure, Result};
use crate::node::Node;
use crate::output::{self, CARE};
use crate::shutdown::{END_MAX, shut_down};
use crate::start;
use crate::survey::not_running;
use crate::table::{Cell, Table};

/// Stop the node with everything that runs in it; logs and events stay
#[derive(Debug, Args)]
pub(crate) struct Down {}

impl Down {
    /// Stops the node.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let nothing = || Failure {
            next: format!("nothing to do; pollux up{} starts it", node.option()),
            ..not_running(node)
        };
        if !node.directory().is_dir() {
            return Err(nothing());
        }
        let _lock = start::lock(node)?;
        join::leave(node);
        let ended = shut_down(node, END_MAX)?;
        if ended.is_empty() {
            return Err(nothing());
        }
        let mut table = Table::bare();
        for cpu in ended {
            let how =
                if cpu.killed { Cell::styled("killed: it did not end in time", CARE) } else { "down".into() };
            let place = format!("cpu {}", cpu.cpu);
            table.row([node.name().as_str().into(), place.into(), how, format!("pid {}", cpu.pid).into()]);
        }
        output::print(&table.render())?;
        Ok(ExitCode::SUCCESS)
    }
}
