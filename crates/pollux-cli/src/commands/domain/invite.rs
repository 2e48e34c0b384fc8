//! `pollux domain invite NAME HOST`, and what a bundle does at its host.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use pollux_domain::name::ServerName;
use pollux_domaind::identity::{self, Bundle};
use pollux_domaind::settings::Settings;

use super::{join, link};
use crate::error::{Failure, Result};
use crate::output;

/// Make a certificate for a server of another host, as one file to carry there
///
/// Runs where pollux domain init made the domain, as its authority is there; no server need run. The file holds the
/// server's certificate and key, the domain's authority, and where the other servers are. Carry it over a safe way, for example scp, and
/// remove it when the server has joined. The same command renews a certificate.
#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// The domain
    #[arg(value_name = "NAME", value_parser = link::parse_domain)]
    domain: String,
    /// The server: its host name, or what it gives as --host
    #[arg(value_name = "HOST", value_parser = link::parse_server)]
    server: ServerName,
    /// The file; - is standard output; default HOST.bundle here
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The certificate holds so long
    #[arg(long, value_name = "DAYS", default_value_t = identity::DAYS, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Whose authority, when several servers on this host have one
    #[arg(long, value_name = "HOST", value_parser = link::parse_server)]
    by: Option<ServerName>,
    /// As pollux up --domain-dir
    #[arg(long, value_name = "DIR")]
    domain_dir: Option<PathBuf>,
}

impl Invite {
    /// Writes the bundle.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let files = join::files(self.domain_dir.as_deref(), &self.domain)?;
        let bundle = identity::invite(&files, &self.domain, self.by.as_ref(), &self.server, self.days)
            .map_err(|error| link::two_lines(&error.to_string(), "pollux domain invite --help"))?;
        let path = self.out.unwrap_or_else(|| format!("{}.bundle", self.server).into());
        if path.as_os_str() == "-" {
            output::print(&bundle.print())?;
            return Ok(ExitCode::SUCCESS);
        }
        write(&path, &bundle.print())?;
        output::line(&format!("domain {}  server {}  bundle {}", self.domain, self.server, path.display()))?;
        let mode =
            if bundle.mode == "legacy" { " --domain-mode legacy" } else { " --coordinator etcd://..." };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        output::note(&format!(
            "next: bring it to {0} (scp), and there: pollux up --domain {1} --host {0} --address ADDRESS --join {name}{mode}; then remove it",
            self.server, self.domain
        ));
        Ok(ExitCode::SUCCESS)
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot write {}: {error}", path.display()), "name another file with --out")
}

/// For its owner only: it holds a key.
fn write(path: &Path, text: &str) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::new(
            format!("{} is there already", path.display()),
            "remove it if it is an old bundle, or name another file with --out",
        ),
        _ => failed(path, &error),
    })?;
    file.write_all(text.as_bytes()).map_err(|error| failed(path, &error))
}

/// Puts the certificate of a bundle in place for the server that is about to start.
pub(super) fn install(path: &Path, settings: &Settings) -> Result<()> {
    let text = fs::read_to_string(path).map_err(|error| {
        let what = format!("cannot read the bundle {}: {error}", path.display());
        Failure::new(what, "give the path of the file that pollux domain invite made")
    })?;
    let otherwise = "pollux domain invite --help";
    let bundle = Bundle::parse(&text).map_err(|error| link::two_lines(&error.to_string(), otherwise))?;
    let (domain, host) = (&settings.domain, &settings.host);
    if bundle.domain != *domain || bundle.server != *host {
        return Err(Failure::new(
            format!(
                "{} is for server {} of domain {}, and this is server {host} of domain {domain}",
                path.display(),
                bundle.server,
                bundle.domain
            ),
            format!(
                "where the domain was made: pollux domain invite {domain} {host}; or give this server its name with --host"
            ),
        ));
    }
    bundle.check().map_err(|error| link::two_lines(&error.to_string(), otherwise))?;
    bundle.install(&settings.files).map_err(|error| link::two_lines(&error.to_string(), otherwise))?;
    Ok(())
}
