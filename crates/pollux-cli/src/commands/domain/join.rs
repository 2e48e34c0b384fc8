//! How a node becomes a server of a domain: `pollux up --domain NAME`, or `pollux domain join NAME` in a running node.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use pollux_domain::name::ServerName;
use pollux_domain::succession::Mode;
use pollux_domaind::address::{Address, AddressError};
use pollux_domaind::client::Client;
use pollux_domaind::identity::Identity;
use pollux_domaind::settings::{self, Settings};
use pollux_domaind::words::{Reply, Word};
use pollux_domaind::{place, server};
use pollux_wire::ProcessName;

use super::{invite, link};
use crate::commands::run::{self, What};
use crate::error::{Failure, Result};
use crate::node::Node;
use crate::output;
use crate::program::{Program, Streams};
use crate::start::last_lines;
use crate::survey::Daemons;
use crate::time::wait_until;

/// The domain server has joined the node by then.
const JOIN_MAX: Duration = Duration::from_secs(15);
/// It answers by then.
const ANSWER_MAX: Duration = Duration::from_secs(10);
const LOG_LINES_SHOWN: usize = 5;

/// What a server of a domain is started with, beside the domain's name.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server of a domain")]
pub(crate) struct Options {
    /// The name of this server in the domain; default the machine's host name
    #[arg(long, value_name = "HOST", value_parser = link::parse_server)]
    host: Option<ServerName>,
    /// quorum: never two writers, changes need the coordinator. legacy: each side of a split has a master of its own
    #[arg(long, value_name = "MODE", default_value = "quorum", value_parser = settings::mode)]
    domain_mode: Mode,
    /// Where the records of the domain are: local (this host) or etcd://HOST:PORT,...
    #[arg(long, value_name = "PLACE", default_value = settings::LOCAL)]
    coordinator: String,
    /// Where servers of other hosts reach this one, over TLS: HOST or HOST:PORT, port 1553 if none is said. Without it a server speaks
    /// to those of its own host only
    #[arg(long, value_name = "HOST[:PORT]", value_parser = parse_address)]
    address: Option<Address>,
    /// Take the certificate of this server from a bundle first: pollux domain invite
    #[arg(long, value_name = "FILE")]
    join: Option<PathBuf>,
    /// Keeps the servers' files, each in DIR/HOST; default below $POLLUX_STATE_DIR, /var/lib/pollux (root) or ~/.local/state
    #[arg(long, value_name = "DIR")]
    domain_dir: Option<PathBuf>,
    /// Changes a time: beat, fence, deadline, rank, stable or answer, in milliseconds; may be repeated
    #[arg(long, value_name = "NAME=MS", value_parser = settings::time)]
    domain_time: Vec<(String, u64)>,
}

impl Options {
    /// The settings of the server, checked. With a bundle its certificate is put in place.
    pub(crate) fn settings(&self, node: &Node, domain: &str) -> Result<Settings> {
        let settings = self.described(node, domain)?;
        settings.check().map_err(|error| Failure::new(error.to_string(), "pollux up --help"))?;
        if let Some(path) = &self.join {
            invite::install(path, &settings)?;
        }
        if settings.address.is_some() {
            let directory = settings.files.join(settings.host.as_str());
            Identity::load(&directory, domain, &settings.host)
                .map_err(|error| link::two_lines(&error.to_string(), "pollux domain invite --help"))?;
        }
        Ok(settings)
    }

    fn described(&self, node: &Node, domain: &str) -> Result<Settings> {
        Ok(Settings {
            domain: domain.to_owned(),
            host: host(self.host.as_ref())?,
            mode: self.domain_mode,
            coordinator: self.coordinator.clone(),
            address: self.address.clone(),
            times: self.domain_time.clone(),
            files: files(self.domain_dir.as_deref(), domain)?,
            run_root: node.root().to_owned(),
            node: node.name().clone(),
            node_directory: node.directory(),
        })
    }
}

fn parse_address(text: &str) -> std::result::Result<Address, String> {
    text.parse().map_err(|error: AddressError| error.to_string())
}

/// The name of this server.
pub(crate) fn host(given: Option<&ServerName>) -> Result<ServerName> {
    if let Some(name) = given {
        return Ok(name.clone());
    }
    let path = std::path::Path::new("/proc/sys/kernel/hostname");
    let name = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    let name = name.trim();
    ServerName::new(name).map_err(|error| {
        Failure::new(
            format!("the machine's host name {name:?} is no server name: {error}"),
            "give one with --host",
        )
    })
}

/// Where the files of a domain's servers are.
pub(crate) fn files(given: Option<&std::path::Path>, domain: &str) -> Result<PathBuf> {
    let root = rustix::process::geteuid().is_root();
    let directory = match given {
        Some(directory) => directory.join(domain),
        None => place::files_directory(|name| std::env::var_os(name), root, domain),
    };
    std::path::absolute(&directory).map_err(|error| Failure::file("find the directory", &directory, &error))
}

/// Make a running node a server of a domain: pollux up --domain does it at the start
#[derive(Debug, Args)]
pub(crate) struct Join {
    /// The domain
    #[arg(value_name = "NAME", value_parser = link::parse_domain)]
    domain: String,
    #[command(flatten)]
    options: Options,
}

impl Join {
    /// Starts the domain server.
    pub(crate) fn run(self, node: &Node) -> Result<ExitCode> {
        let settings = self.options.settings(node, &self.domain)?;
        join(node, &settings)?;
        output::line(&format!("{}  server {} of domain {}", node.name(), settings.host, settings.domain))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Starts the domain server as a pair of the running node and waits until it answers.
pub(crate) fn join(node: &Node, settings: &Settings) -> Result<()> {
    let name = ProcessName::new(server::PROCESS_NAME).expect("a process name");
    let mut daemons = Daemons::of(node);
    let survey = daemons.survey()?;
    if survey.record(&name).is_some() {
        return Err(Failure::new(
            format!("node {} has a domain server already", node.name()),
            format!("pollux domain status{0} shows it; pollux stop '{name}'{0} ends it", node.option()),
        ));
    }
    let cpu = survey.cpus_up()[0];
    let program = Program::domain_server(&settings.words())?;
    let streams = Streams::to_log(node, Some(&name), &program.written)?;
    let log = streams.log.clone().unwrap_or_default();
    let what = What { program: &program, name: Some(&name), log: Some(&log) };
    run::launch_and_join(&mut daemons, cpu, &what, streams, JOIN_MAX)?;
    let answers = wait_until(ANSWER_MAX, || {
        let client = Client::connect(&link::socket(node)).ok();
        Ok(client
            .and_then(|client| client.ask(Word::Status).ok())
            .filter(|it| matches!(it, Reply::Status(_))))
    })?;
    if answers.is_some() {
        return Ok(());
    }
    // A pair that serves nobody keeps its name from one that could.
    let stop = crate::commands::stop::Stop::of(name).run(node);
    let stopped = if stop.is_ok() { "" } else { "; it could not be stopped" };
    Err(Failure::new(
        format!(
            "the domain server did not answer within {} s{stopped}{}",
            ANSWER_MAX.as_secs(),
            last_lines(&log, LOG_LINES_SHOWN)
        ),
        format!("mend what its log says, then: pollux domain join {}{}", settings.domain, node.option()),
    ))
}

/// Tells the domain server of a node that is about to stop to hand over; best effort, within its own time.
pub(crate) fn leave(node: &Node) {
    /// By then another server acts, or nobody can.
    const LEFT_MAX: Duration = Duration::from_secs(1);
    let Ok(client) = Client::connect(&link::socket(node)) else { return };
    if client.ask(Word::Leave).is_err() {
        return;
    }
    let gone = wait_until(LEFT_MAX, || {
        let Ok(Reply::Status(status)) = client.ask(Word::Status) else { return Ok(Some(())) };
        let acts = status.acting.is_some_and(|acting| acting.server == status.host);
        Ok((!acts).then_some(()))
    });
    drop(gone);
}
