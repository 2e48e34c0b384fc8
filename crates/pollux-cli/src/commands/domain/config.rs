//! `pollux domain config show|edit|apply`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Subcommand};
use pollux_domain::configuration::Configuration;
use pollux_domain::content::RequestId;
use pollux_domaind::client::Client;
use pollux_domaind::words::{Applied, Apply as ApplyWord, Reply, Word};
use serde::Serialize;

use super::link;
use crate::error::{Failure, Result};
use crate::node::Node;
use crate::output;

/// What the domain runs: nodes with their CPUs, pairs with program, arguments, environment, restart policy
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    Show(Show),
    Edit(Edit),
    Apply(Apply),
}

impl Config {
    /// Runs the command.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        match self {
            Config::Show(show) => show.run(node),
            Config::Edit(edit) => edit.run(node),
            Config::Apply(apply) => apply.run(node),
        }
    }
}

/// Print the configuration on record
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Print an object: domain, stamp, list, text, nodes, pairs
    #[arg(long)]
    json: bool,
}

/// The configuration for scripts.
#[derive(Debug, Serialize)]
struct ConfigView<'a> {
    domain: &'a str,
    stamp: String,
    list: &'a [pollux_domain::name::ServerName],
    text: &'a str,
    nodes: Vec<pollux_domain::configuration::Node>,
    pairs: Vec<pollux_domain::configuration::Pair>,
}

impl Show {
    fn run(self, node: &Node) -> Result<ExitCode> {
        let client = link::connect(node)?;
        let view = link::view(&client, node)?;
        let content = link::content(&view, node)?;
        if !self.json {
            output::print(&content.file)?;
            return Ok(ExitCode::SUCCESS);
        }
        let parsed = Configuration::parse(&content.file).unwrap_or_default();
        output::json(&ConfigView {
            domain: &view.domain,
            stamp: content.stamp.to_string(),
            list: content.list.entries(),
            text: &content.file,
            nodes: parsed.nodes.into_values().collect(),
            pairs: parsed.pairs.into_values().collect(),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What may be said about a change.
#[derive(Debug, Args)]
struct Consent {
    /// Agree to steps by which pairs lose their state (stop, restart)
    #[arg(long)]
    lose_state: bool,
    /// Only print the steps
    #[arg(long)]
    dry_run: bool,
}

/// Edit the configuration in $EDITOR, then apply it
///
/// A change that somebody else made meanwhile is not overwritten: the edit is kept in a file and can be applied again.
#[derive(Debug, Args)]
pub(crate) struct Edit {
    #[command(flatten)]
    consent: Consent,
}

impl Edit {
    fn run(self, node: &Node) -> Result<ExitCode> {
        let client = link::connect(node)?;
        let view = link::view(&client, node)?;
        let content = link::content(&view, node)?;
        let path = node.directory().join(format!("domain-edit-{}.cfg", std::process::id()));
        fs::write(&path, content.file.as_bytes()).map_err(|error| Failure::file("write", &path, &error))?;
        edit(&path)?;
        let text = fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
        if *text == *content.file {
            drop(fs::remove_file(&path));
            output::line("nothing changed")?;
            return Ok(ExitCode::SUCCESS);
        }
        let applied = apply(&client, node, content.stamp.revision, text, &self.consent);
        match applied {
            Ok(code) => {
                drop(fs::remove_file(&path));
                Ok(code)
            }
            Err(failure) => {
                let next = format!("{}; your edit is kept in {}", failure.next, path.display());
                Err(Failure { next, ..failure })
            }
        }
    }
}

fn edit(path: &Path) -> Result<()> {
    let editor = ["VISUAL", "EDITOR"].iter().find_map(std::env::var_os).unwrap_or_else(|| "vi".into());
    // An editor may be named with options: a shell splits the unquoted word, as users expect, and keeps the path whole.
    let status = Command::new("sh").arg("-c").arg("$0 \"$1\"").arg(&editor).arg(path).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(
            format!("the editor {} ended with {status}; nothing was changed", editor.to_string_lossy()),
            "set EDITOR to another one, or use pollux domain config apply FILE",
        )),
        Err(error) => Err(Failure::file("run the editor on", path, &error)),
    }
}

/// Bring the domain to the configuration in a file: all steps, or none
///
/// The acting master checks the whole text, works out the steps, and has each carried out by the server it belongs to. If a
/// step fails, those before it are taken back. The text is on record only when all are done.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The whole text, as pollux domain config show prints it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Refuse unless the domain is at this revision (the number before the @ of a stamp, behind the point)
    #[arg(long, value_name = "REVISION")]
    based_on: Option<u64>,
    #[command(flatten)]
    consent: Consent,
}

impl Apply {
    fn run(self, node: &Node) -> Result<ExitCode> {
        let text =
            fs::read_to_string(&self.file).map_err(|error| Failure::file("read", &self.file, &error))?;
        let client = link::connect(node)?;
        let view = link::view(&client, node)?;
        let revision = self.based_on.unwrap_or(link::content(&view, node)?.stamp.revision);
        apply(&client, node, revision, text, &self.consent)
    }
}

fn apply(client: &Client, node: &Node, based_on: u64, text: String, consent: &Consent) -> Result<ExitCode> {
    let request = RequestId { origin: client.origin(), number: 1 };
    let word =
        ApplyWord { request, based_on, text, may_lose_state: consent.lose_state, dry_run: consent.dry_run };
    let applied = match client.ask(Word::Apply(word)) {
        Ok(Reply::Applied(applied)) => applied,
        Ok(_) => Applied::Unknown,
        Err(error) => return Err(link::failure(&error, node)),
    };
    let status = format!("pollux domain status{}", node.option());
    match applied {
        Applied::Plan { steps } => {
            steps.iter().try_for_each(|step| output::line(&format!("would {step}")))?;
            output::note(&format!("{} steps; nothing was done", steps.len()));
            Ok(ExitCode::SUCCESS)
        }
        Applied::Done { steps, stamp } => {
            steps.iter().try_for_each(|step| output::line(step))?;
            output::line(&format!("applied  content {stamp}"))?;
            Ok(ExitCode::SUCCESS)
        }
        Applied::Refused { reason } => {
            let next = if reason.contains("lose the state") {
                "add --lose-state to agree to these steps".to_owned()
            } else {
                "mend that, then apply again".to_owned()
            };
            Err(Failure::new(format!("refused, nothing was changed: {reason}"), next))
        }
        Applied::RolledBack { reason } => Err(Failure::new(
            format!("rolled back, the domain is as it was: {reason}"),
            "mend that, then apply again",
        )),
        Applied::Stuck { reason, left } => Err(Failure::new(
            format!("a step failed: {reason}\nand these could not be taken back:\n  {}", left.join("\n  ")),
            format!("look at those by hand; {status}"),
        )),
        Applied::Unknown => Err(Failure::new(
            "the acting master was lost meanwhile: the change may be on record or not",
            format!("{status}, then pollux domain config show{}", node.option()),
        )),
    }
}
