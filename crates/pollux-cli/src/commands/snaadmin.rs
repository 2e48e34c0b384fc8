//! `pollux snaadmin ...`, and the same under the name `snaadmin`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use pollux_domain::nof::engine::{Call, Completion, Output};
use pollux_domain::nof::numbers as n;
use pollux_domain::nof::vcb::{Decoded, Verb};
use pollux_domain::snaadmin::{self, Command, Printed, Target};
use pollux_domaind::place::Doors;
use pollux_domaind::program::Program;

use super::domain::link;
use crate::error::{Failure, Result};
use crate::node::Node;
use crate::output;

/// Commands of the domain in the form of the SNA products: snaadmin add_backup, backup_name=HOST
///
/// add_backup and delete_backup with backup_name; query_sna_net and query_node_all with num_entries, list_options and server_name
/// or node_name; query_central_logger; query_domain_config_file. Parameters in any order, with commas between them; constants
/// in any case; numbers decimal or 0x. A query with neither a number nor a name lists all entries.
///
/// Prints 'name = value' lines. Exit codes: 0 AP_OK; 1 another code, as primary_rc and secondary_rc on standard error;
/// 2 wrong command line.
#[derive(Debug, Args)]
pub(crate) struct Snaadmin {
    /// The server that carries the command out; for clients only
    #[arg(short = 'n', value_name = "SERVER")]
    server: Option<String>,
    /// All entries
    #[arg(short = 'a')]
    all: bool,
    /// Detail; the commands of the domain have no more to show
    #[arg(short = 'd')]
    detail: bool,
    /// Commands from a file, one on each line; # begins a comment
    #[arg(short = 'i', value_name = "FILE", conflicts_with = "command")]
    input: Option<PathBuf>,
    /// Command and parameters
    #[arg(value_name = "COMMAND, PARAMETER=VALUE", required_unless_present = "input")]
    command: Vec<String>,
}

impl Snaadmin {
    /// Carries the commands out; ends with the first that fails.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let wrong = |error: &dyn std::fmt::Display| Failure {
            code: 2,
            ..Failure::new(format!("snaadmin: {error}"), "pollux snaadmin --help")
        };
        let server = self.server.as_deref().map(pollux_domain::name::ServerName::new).transpose();
        let server = server.map_err(|error| wrong(&format!("-n: {error}")))?;
        snaadmin::check_node(server.as_ref(), false).map_err(|error| wrong(&error))?;
        let lines = match &self.input {
            None => vec![self.command.join(" ")],
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| Failure::file("read", path, &error))?
                .lines()
                .map(|line| line.trim().to_owned())
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .collect(),
        };
        let commands: std::result::Result<Vec<Command>, _> =
            lines.iter().map(|line| snaadmin::parse(line, self.all)).collect();
        let program = Arc::new(Program::new(Doors::Node(link::socket(node))));
        for command in commands.map_err(|error| wrong(&error))? {
            let Printed { out, err, status } = snaadmin::print(&execute(&program, &command));
            output::print(&out)?;
            if status != 0 {
                output::note(err.trim_end());
                return Ok(ExitCode::from(status));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The verb with the handle that it needs.
fn execute(program: &Program, command: &Command) -> Completion {
    let role = match command.target {
        Target::Null => return verb(program, 0, command.verb.clone()),
        Target::Net | Target::NetWrite => n::AP_SNA_NET,
        Target::Domain => n::AP_BACKUP,
    };
    let opened = verb(program, 0, Verb::OpenFile(role));
    let Output::Opened { handle, .. } = opened.output else { return opened };
    if command.target == Target::NetWrite {
        let mode = verb(program, handle, Verb::SetProcessingMode(n::AP_MODE_READ_WRITE));
        if mode.primary != n::AP_OK {
            return mode;
        }
    }
    let done = verb(program, handle, command.verb.clone());
    // The session ends with this process; a close that fails changes nothing.
    drop(verb(program, handle, Verb::CloseFile));
    done
}

fn verb(program: &Program, target: u32, verb: Verb) -> Completion {
    let call = Call { callback: None, entry_async: false, in_callback: false, target };
    program.execute(call, &Decoded { format: 0, verb })
}

/// The command line when this program is called by the name `snaadmin`.
pub(crate) fn as_alias(name: &std::ffi::OsStr, arguments: &[OsString]) -> Option<Vec<OsString>> {
    let base = std::path::Path::new(name).file_name()?;
    (base == "snaadmin").then(|| {
        let words = [name.to_owned(), "snaadmin".into()];
        words.into_iter().chain(arguments.iter().cloned()).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // An installation links snaadmin to pollux: the scripts of the products call it so.
    #[test]
    fn the_name_decides() {
        let words = [OsString::from("query_sna_net")];
        let line = as_alias("/opt/bin/snaadmin".as_ref(), &words).unwrap();
        assert_eq!(line[1..], [OsString::from("snaadmin"), "query_sna_net".into()]);
        assert_eq!(as_alias("/opt/bin/pollux".as_ref(), &words), None);
    }
}
