//! What the domain runs: nodes with their CPUs, pairs with program, arguments, environment, restart policy.
//!
//! What this decides: whether a text describes something that can run, and how it is printed. What it does not: run it, see
//! [`crate::difference`] and [`crate::acting`].
//!
//! Invariant: a [`Configuration`] that exists is consistent: names are unique, each pair is on a node that is there, on two
//! different CPUs of it.

use crate::files::{Faults, Record, parse_records, print_record};
use crate::name::ServerName;
use crate::nof::numbers as n;
use crate::nof::view::LogTypes;
use pollux_wire::limits::CPUS_PER_NODE_MAX;
use pollux_wire::{NodeName, ProcessName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Most nodes of a domain; more is a fault of the text.
pub const NODES_MAX: usize = 255;
/// Most pairs of a domain; more is a fault of the text.
pub const PAIRS_MAX: usize = 4_096;
/// Most arguments, and most environment entries, of one pair.
pub const ARGUMENTS_MAX: usize = 64;

/// A node of the domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    #[serde(with = "crate::words::text")]
    pub name: NodeName,
    /// The server that runs it.
    pub server: ServerName,
    /// Its CPUs, numbered from 0.
    pub cpus: u8,
}

/// A process pair of the domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Its name.
    #[serde(with = "crate::words::text")]
    pub name: ProcessName,
    /// Where it runs.
    #[serde(with = "crate::words::text")]
    pub node: NodeName,
    /// The program's path.
    pub program: String,
    /// Its arguments, in order.
    pub arguments: Vec<String>,
    /// `NAME=value`, in order.
    pub environment: Vec<String>,
    /// CPU of the first primary.
    pub primary: u8,
    /// CPU of the first backup.
    pub backup: u8,
    /// What follows when both halves are gone.
    pub restart: Restart,
}

/// What follows when a pair lost both halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restart {
    /// It is started again, without its state.
    Always,
    /// So many times, then it stays down.
    AtMost(u32),
    /// It stays down.
    Never,
}

/// Everything a domain runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configuration {
    /// The nodes by name.
    pub nodes: BTreeMap<NodeName, Node>,
    /// The pairs by name.
    pub pairs: BTreeMap<ProcessName, Pair>,
    /// What is logged, and where.
    pub logging: Logging,
}

/// What the servers of a domain log, and where to: the record `[logging]`, which may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    /// Problems of all servers go to the acting master's log, too.
    pub central: bool,
    /// The domain's log switches.
    pub types: LogTypes,
}

impl Default for Logging {
    fn default() -> Self {
        Self { central: true, types: LogTypes::default() }
    }
}

impl Configuration {
    /// Reads the text of a domain file. All faults are found at once.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let records = parse_records(text, &mut faults);
        let mut configuration = Self::default();
        let mut pairs = Vec::new();
        for record in &records {
            match record.kind.as_str() {
                "node" => configuration.add_node(record, &mut faults),
                "pair" => pairs.push(record),
                "logging" => configuration.set_logging(record, &mut faults),
                kind => faults.add(
                    record.line,
                    format!("[{kind}] is not known; records are [node], [pair] and [logging]"),
                ),
            }
        }
        for record in pairs {
            configuration.add_pair(record, &mut faults);
        }
        faults.or(configuration)
    }

    /// The text that is read back as the same configuration, in the order of the names.
    pub fn print(&self) -> String {
        let mut text = String::new();
        self.nodes.values().for_each(|node| print_record(&mut text, &node.record()));
        self.pairs.values().for_each(|pair| print_record(&mut text, &pair.record()));
        if self.logging != Logging::default() {
            print_record(&mut text, &self.logging.record());
        }
        text
    }

    fn set_logging(&mut self, record: &Record, faults: &mut Faults) {
        record.check_fields(LOGGING_FIELDS, &[], faults);
        let mut value = |name: &str, default: bool| match record.one(name) {
            None => default,
            Some((_, "yes")) => true,
            Some((_, "no")) => false,
            Some((line, text)) => {
                faults.add(line, format!("{name} = {text}: neither yes nor no"));
                default
            }
        };
        let default = Logging::default();
        let yes = n::AP_YES;
        self.logging = Logging {
            central: value("central", default.central),
            types: LogTypes {
                audit: value("audit", default.types.audit == yes).into(),
                exception: value("exception", default.types.exception == yes).into(),
                succinct_audits: value("succinct_audits", default.types.succinct_audits == yes).into(),
                succinct_errors: value("succinct_errors", default.types.succinct_errors == yes).into(),
            },
        };
    }

    fn add_node(&mut self, record: &Record, faults: &mut Faults) {
        let Some(node) = Node::read(record, faults) else { return };
        let name = node.name.clone();
        if self.nodes.len() >= NODES_MAX {
            faults.add(record.line, format!("more than {NODES_MAX} nodes"));
        } else if self.nodes.insert(name.clone(), node).is_some() {
            faults.add(record.line, format!("node {name} is defined twice; keep one [node]"));
        }
    }

    fn add_pair(&mut self, record: &Record, faults: &mut Faults) {
        let Some(pair) = Pair::read(record, faults) else { return };
        match self.nodes.get(&pair.node) {
            None => faults
                .add(record.line, format!("{} is on node {}, which no [node] defines", pair.name, pair.node)),
            Some(node) => {
                for (half, cpu) in [("primary", pair.primary), ("backup", pair.backup)] {
                    if cpu >= node.cpus {
                        let line = record.one(half).map_or(record.line, |(line, _)| line);
                        let last = node.cpus.saturating_sub(1);
                        faults.add(line, format!("{half} = {cpu}: node {} has CPUs 0 to {last}", node.name));
                    }
                }
            }
        }
        if pair.primary == pair.backup {
            let reason = format!(
                "primary and backup of {} are both on CPU {}; one loss would end the pair",
                pair.name, pair.backup
            );
            faults.add(record.line, reason);
        }
        let name = pair.name.clone();
        if self.pairs.len() >= PAIRS_MAX {
            faults.add(record.line, format!("more than {PAIRS_MAX} pairs"));
        } else if self.pairs.insert(name.clone(), pair).is_some() {
            faults.add(record.line, format!("pair {name} is defined twice; keep one [pair]"));
        }
    }
}

/// The fields of `[logging]`, each `yes` or `no`.
const LOGGING_FIELDS: &[&str] = &["central", "audit", "exception", "succinct_audits", "succinct_errors"];

impl Logging {
    fn record(&self) -> Record {
        let word = |yes: bool| if yes { "yes" } else { "no" };
        let types = &self.types;
        Record::new("logging")
            .with("central", word(self.central))
            .with("audit", word(types.audit == n::AP_YES))
            .with("exception", word(types.exception == n::AP_YES))
            .with("succinct_audits", word(types.succinct_audits == n::AP_YES))
            .with("succinct_errors", word(types.succinct_errors == n::AP_YES))
    }

    /// The same text of a domain file with these rules; everything else in it stays as people wrote it.
    pub fn put_into(&self, text: &str) -> String {
        let mut out = String::new();
        let mut inside = false;
        for line in text.lines() {
            if line.trim().starts_with('[') {
                inside = line.trim() == "[logging]";
            }
            if !inside {
                out.push_str(line);
                out.push('\n');
            }
        }
        if *self != Logging::default() {
            if !out.is_empty() && !out.ends_with("\n\n") {
                out.push('\n');
            }
            print_record(&mut out, &self.record());
        }
        out
    }
}

impl Node {
    pub(crate) fn read(record: &Record, faults: &mut Faults) -> Option<Self> {
        if record.kind != "node" {
            faults.add(record.line, format!("[{}] where only [node] may stand", record.kind));
            return None;
        }
        record.check_fields(&["name", "server", "cpus"], &[], faults);
        let name = record.parsed("name", "\\ and 1 to 7 letters and digits", faults);
        let server: Option<String> = record.parsed("server", "the name of a server", faults);
        let server = server.and_then(|text| {
            let line = record.one("server").map_or(record.line, |(line, _)| line);
            ServerName::new(&text).map_err(|error| faults.add(line, error.to_string())).ok()
        });
        let cpus: Option<u8> = record.parsed("cpus", "a number", faults);
        if let Some(cpus) = cpus.filter(|cpus| !(2..=CPUS_PER_NODE_MAX).contains(cpus)) {
            faults.add(record.line, format!("cpus = {cpus}: a node has 2 to {CPUS_PER_NODE_MAX} CPUs"));
        }
        Some(Self { name: name?, server: server?, cpus: cpus? })
    }

    pub(crate) fn record(&self) -> Record {
        Record::new("node").with("name", &self.name).with("server", &self.server).with("cpus", self.cpus)
    }
}

impl Pair {
    fn read(record: &Record, faults: &mut Faults) -> Option<Self> {
        let once = ["name", "node", "program", "primary", "backup", "restart"];
        record.check_fields(&once, &["argument", "environment"], faults);
        let name = record.parsed("name", "$ and 1 to 5 letters and digits", faults);
        let node = record.parsed("node", "\\ and 1 to 7 letters and digits", faults);
        let program: Option<String> = record.parsed("program", "an absolute path", faults);
        if let Some((line, path)) = record.one("program").filter(|(_, path)| !path.starts_with('/')) {
            faults.add(
                line,
                format!("program = {path}: not an absolute path; each server must find the same program"),
            );
        }
        let primary = record.parsed("primary", "the number of a CPU", faults);
        let backup = record.parsed("backup", "the number of a CPU", faults);
        let restart = match record.one("restart") {
            None => Restart::Always,
            Some((line, text)) => text.parse().unwrap_or_else(|()| {
                faults.add(line, format!("restart = {text}: not always, never or 'at most N'"));
                Restart::Always
            }),
        };
        let texts = |name| record.all(name).map(|(_, text)| text.to_owned()).collect::<Vec<_>>();
        let (arguments, environment) = (texts("argument"), texts("environment"));
        if arguments.len() > ARGUMENTS_MAX || environment.len() > ARGUMENTS_MAX {
            faults.add(record.line, format!("more than {ARGUMENTS_MAX} arguments or environment entries"));
        }
        for (line, entry) in record.all("environment") {
            if entry.split_once('=').is_none_or(|(name, _)| name.trim().is_empty()) {
                faults.add(line, format!("environment = {entry}: not NAME=value"));
            }
        }
        Some(Self {
            name: name?,
            node: node?,
            program: program?,
            arguments,
            environment,
            primary: primary?,
            backup: backup?,
            restart,
        })
    }

    fn record(&self) -> Record {
        let mut record = Record::new("pair")
            .with("name", &self.name)
            .with("node", &self.node)
            .with("program", &self.program)
            .with("primary", self.primary)
            .with("backup", self.backup)
            .with("restart", self.restart);
        for argument in &self.arguments {
            record = record.with("argument", argument);
        }
        for entry in &self.environment {
            record = record.with("environment", entry);
        }
        record
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::AtMost(count) => write!(f, "at most {count}"),
            Self::Never => f.write_str("never"),
        }
    }
}

impl std::str::FromStr for Restart {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => {
                text.strip_prefix("at most ").and_then(|n| n.trim().parse().ok()).map(Self::AtMost).ok_or(())
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const TEXT: &str = "[node]\nname = \\A\nserver = alpha\ncpus = 4\n\n[pair]\nname = $KV\nnode = \\A\n\
        program = /opt/pollux-kv\nargument = --listen\nargument = 127.0.0.1:7\nenvironment = RUST_LOG=info\n\
        primary = 0\nbackup = 1\nrestart = at most 3\n";

    #[test]
    fn what_is_printed_is_read_back() {
        let configuration = Configuration::parse(TEXT).unwrap();
        assert_eq!(configuration.pairs.len(), 1);
        assert_eq!(Configuration::parse(&configuration.print()), Ok(configuration));
    }

    // SET_CENTRAL_LOGGING must not rewrite what an administrator has typed.
    #[test]
    fn logging_is_put_into_a_text_and_taken_out() {
        let text = format!("# mine\n{TEXT}");
        let off = Logging { central: false, ..Logging::default() };
        let with = off.put_into(&text);
        assert!(with.starts_with("# mine\n[node]") && with.contains("[logging]\ncentral = no\n"), "{with}");
        assert_eq!(Configuration::parse(&with).unwrap().logging, off);
        let again = Logging { central: true, types: LogTypes { audit: 1, ..LogTypes::default() } };
        let both = again.put_into(&with);
        assert_eq!(both.matches("[logging]").count(), 1);
        assert_eq!(Configuration::parse(&both).unwrap().logging, again);
        assert_eq!(Logging::default().put_into(&both).trim_end(), text.trim_end());
        let faults = Configuration::parse("[logging]\ncentral = maybe\n").unwrap_err().to_string();
        assert_eq!(faults, "line 2: central = maybe: neither yes nor no");
    }

    // An administrator who gets one fault per try gives up.
    #[test]
    fn all_faults_of_a_text_at_once() {
        let text = "[node]\nname = A\ncpus = 1\n[pair]\nname = $KV\nnode = \\B\nprogram = kv\nprimary = 1\nbackup = 1\n\
            restart = sometimes\nenvironment = x\ncolour = red\n[thing]\n";
        let faults = Configuration::parse(text).unwrap_err().to_string();
        for part in [
            "line 2: name = A",
            "line 1: [node] needs a line 'server",
            "cpus = 1",
            "which no [node] defines",
            "not an absolute path",
            "both on CPU 1",
            "restart = sometimes",
            "not NAME=value",
            "no field colour",
            "[thing] is not known",
        ] {
            assert!(faults.contains(part), "{part} in:\n{faults}");
        }
    }
}
