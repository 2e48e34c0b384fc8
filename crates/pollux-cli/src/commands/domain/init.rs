//! `pollux domain init NAME`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use pollux_domain::configuration::Configuration;
use pollux_domain::name::ServerName;
use pollux_domain::succession::Mode;
use pollux_domaind::settings;

use super::{join, link};
use crate::error::{Failure, Result};
use crate::output;

/// Make a new domain: writes the files of its master, which is started afterwards with pollux up --domain
///
/// It makes the domain's authority for certificates, too, and the certificate of this server (ca.key, ca.crt, server.key,
/// server.crt): with them servers of several hosts prove who they are. Keep a copy of ca.key in a safe place.
///
/// Nothing runs yet when this is done. The list of the domain has one entry, this server; the others join it as peers and
/// become backup masters with pollux domain add-backup.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The domain: letters, digits, '-', '_', '.'
    #[arg(value_name = "NAME", value_parser = link::parse_domain)]
    domain: String,
    /// The master; default the machine's host name
    #[arg(long, value_name = "HOST", value_parser = link::parse_server)]
    host: Option<ServerName>,
    /// quorum or legacy, as pollux up --domain-mode
    #[arg(long, value_name = "MODE", default_value = "quorum", value_parser = settings::mode)]
    domain_mode: Mode,
    /// As pollux up --domain-dir
    #[arg(long, value_name = "DIR")]
    domain_dir: Option<PathBuf>,
    /// What the domain runs from its first start: records of nodes and pairs
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Init {
    /// Writes the files.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let host = join::host(self.host.as_ref())?;
        let files = join::files(self.domain_dir.as_deref(), &self.domain)?;
        let text = match &self.config {
            None => String::new(),
            Some(path) => {
                std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?
            }
        };
        if let Err(faults) = Configuration::parse(&text) {
            return Err(Failure::new(
                format!("the configuration has faults:\n{faults}"),
                "mend them, then try again",
            ));
        }
        let directory = pollux_domaind::initialize(&files, &host, &self.domain, self.domain_mode, &text)
            .map_err(|error| link::two_lines(&error.to_string(), "pollux domain init --help"))?;
        output::line(&format!("domain {}  master {host}  files {}", self.domain, directory.display()))?;
        let mode = if self.domain_mode == Mode::Legacy { " --domain-mode legacy" } else { "" };
        let of = |option: Option<String>| option.unwrap_or_default();
        let host = of(self.host.map(|host| format!(" --host {host}")));
        let place = of(self.domain_dir.map(|path| format!(" --domain-dir {}", path.display())));
        output::note(&format!("next: pollux up --domain {}{host}{mode}{place}", self.domain));
        Ok(ExitCode::SUCCESS)
    }
}
