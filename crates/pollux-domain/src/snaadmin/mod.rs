//! The administration command: `snaadmin command, parameter=value, ...`.
//!
//! What this decides: which verb a command line means, and how a result is printed. What it does not: open files or
//! connections; it says which handle a verb needs.

use crate::name::{NameError, ServerName};
use crate::nof::engine::{Completion, Output};
use crate::nof::numbers as n;
use crate::nof::vcb::{ListQuery, Verb};
use std::fmt::Write as _;

/// Which handle the verb of a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// None.
    Null,
    /// `sna.net`, opened for writing.
    NetWrite,
    /// `sna.net`.
    Net,
    /// The domain file.
    Domain,
}

/// A parsed command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The verb.
    pub verb: Verb,
    /// Its handle.
    pub target: Target,
}

/// Why a command line is refused; exit status 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// Not a command.
    #[error("{0} is no command of the domain; commands are {COMMANDS}")]
    Command(String),
    /// Not a parameter of this command.
    #[error("{command} has no parameter {parameter}; its parameters are {known}")]
    Parameter {
        /// The command.
        command: String,
        /// What was given.
        parameter: String,
        /// What there is.
        known: String,
    },
    /// No `=`.
    #[error("{0}: write parameter=value, with commas between parameters")]
    NoValue(String),
    /// Twice the same.
    #[error("{0} is given twice")]
    Twice(String),
    /// A value that does not fit.
    #[error("{parameter}={value}: {reason}")]
    Value {
        /// The parameter.
        parameter: String,
        /// As given.
        value: String,
        /// What would fit.
        reason: String,
    },
    /// `-n` on a server.
    #[error("a domain command takes -n only on a client; leave -n out on a server")]
    NodeOnServer,
    /// A client without `-n`.
    #[error("on a client say which server carries the command out: -n SERVER")]
    NodeMissing,
}

/// The commands, for messages.
const COMMANDS: &str = "add_backup, delete_backup, query_sna_net, query_node_all, query_central_logger, query_domain_config_file";
/// Bytes of one entry in the command's own buffer; its size does not matter, entries are not printed from bytes.
const ENTRY_BYTES: usize = 1;

/// The rule for `-n`: a domain command goes to the domain, so it is meaningful on a client only.
pub fn check_node(node: Option<&ServerName>, client: bool) -> Result<(), SyntaxError> {
    match (node, client) {
        (Some(_), false) => Err(SyntaxError::NodeOnServer),
        (None, true) => Err(SyntaxError::NodeMissing),
        _ => Ok(()),
    }
}

/// Reads `command, parameter=value, ...`. Order is free, constants compare without case, numbers may be hexadecimal.
/// `all` is the flag -a.
pub fn parse(text: &str, all: bool) -> Result<Command, SyntaxError> {
    let mut parts = text.split(',').map(str::trim);
    let command = parts.next().unwrap_or_default().to_ascii_lowercase();
    let known: &[&str] = match command.as_str() {
        "add_backup" | "delete_backup" => &["backup_name"],
        "query_sna_net" => &["num_entries", "list_options", "server_name"],
        "query_node_all" => &["num_entries", "list_options", "node_name"],
        "query_central_logger" | "query_domain_config_file" => &[],
        _ => return Err(SyntaxError::Command(command)),
    };
    let mut values: Vec<(String, String)> = Vec::new();
    for part in parts.filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or_else(|| SyntaxError::NoValue(part.to_owned()))?;
        let name = name.trim().to_ascii_lowercase();
        if !known.contains(&name.as_str()) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(SyntaxError::Parameter { command, parameter: name, known });
        }
        if values.iter().any(|(other, _)| *other == name) {
            return Err(SyntaxError::Twice(name));
        }
        values.push((name, value.trim().to_owned()));
    }
    let get = |name: &str| values.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    let name = |parameter| get(parameter).map_or(Err(NameError::Empty), ServerName::new);
    let verb = match command.as_str() {
        "add_backup" => Verb::AddBackup(name("backup_name")),
        "delete_backup" => Verb::DeleteBackup(name("backup_name")),
        "query_sna_net" => {
            Verb::QuerySnaNet(list(get("num_entries"), get("list_options"), get("server_name"), all)?)
        }
        "query_node_all" => {
            Verb::QueryNodeAll(list(get("num_entries"), get("list_options"), get("node_name"), all)?)
        }
        "query_central_logger" => Verb::QueryCentralLogger,
        _ => Verb::QueryDomainConfigFile,
    };
    let target = match &verb {
        Verb::AddBackup(_) | Verb::DeleteBackup(_) => Target::NetWrite,
        Verb::QuerySnaNet(_) => Target::Net,
        Verb::QueryDomainConfigFile => Target::Domain,
        _ => Target::Null,
    };
    Ok(Command { verb, target })
}

/// The list parameters: without number and name all entries, with a name and without number one.
fn list(
    entries: Option<&str>,
    options: Option<&str>,
    name: Option<&str>,
    all: bool,
) -> Result<ListQuery, SyntaxError> {
    let value = |parameter: &str, value: &str, reason: &str| SyntaxError::Value {
        parameter: parameter.to_owned(),
        value: value.to_owned(),
        reason: reason.to_owned(),
    };
    let entries = match entries {
        _ if all => 0,
        Some(text) => {
            number(text).ok_or_else(|| value("num_entries", text, "a number from 0 to 65535, or 0x..."))?
        }
        None => u16::from(name.is_some()),
    };
    let options = match options.map(str::to_ascii_uppercase).as_deref() {
        Some("FIRST_IN_LIST") => n::AP_FIRST_IN_LIST,
        Some("LIST_FROM_NEXT") => n::AP_LIST_FROM_NEXT,
        Some("LIST_INCLUSIVE") => n::AP_LIST_INCLUSIVE,
        Some(other) => {
            return Err(value("list_options", other, "FIRST_IN_LIST, LIST_INCLUSIVE or LIST_FROM_NEXT"));
        }
        None => n::AP_LIST_INCLUSIVE,
    };
    // An inclusive list without a name begins at the beginning.
    let options = if name.is_none() || all { n::AP_FIRST_IN_LIST } else { options };
    let name = name.map_or(Err(NameError::Empty), ServerName::new);
    Ok(ListQuery { options, name, entries, buffer: u32::MAX, entry_size: ENTRY_BYTES })
}

fn number(text: &str) -> Option<u16> {
    match text.to_ascii_lowercase().strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// What is printed where, and the exit status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// 0, or 1 when a code was returned.
    pub status: u8,
}

/// Prints a result: `name = value` lines with an empty line between entries, or the codes without their AP_.
pub fn print(completion: &Completion) -> Printed {
    if completion.primary != n::AP_OK {
        let primary = symbol(n::PRIMARY.1, u64::from(completion.primary));
        let secondary = if completion.primary == n::AP_UNEXPECTED_SYSTEM_ERROR {
            completion.secondary.to_string()
        } else {
            symbol(n::SECONDARY.1, u64::from(completion.secondary))
        };
        let mut err = format!("primary_rc = {primary}\n");
        if completion.secondary != 0 {
            let _ = writeln!(err, "secondary_rc = {secondary}");
        }
        return Printed { out: String::new(), err, status: 1 };
    }
    let entries: Vec<String> = match &completion.output {
        Output::Servers { names, domain, .. } => std::iter::once(format!("domain_name = {domain}\n"))
            .chain(names.iter().map(|name| format!("server_name = {name}\n")))
            .collect(),
        Output::Nodes { nodes, .. } => nodes
            .iter()
            .map(|(name, role)| {
                let role = ["NONE", "BACKUP", "MASTER"].get(usize::from(*role)).unwrap_or(&"NONE");
                format!("node_name = {name}\nconfig_role = {role}\n")
            })
            .collect(),
        Output::Logger(name) => vec![format!("node_name = {name}\n")],
        Output::FileHeader { version, revision, comment } => {
            let (major, minor, update) = version;
            vec![format!(
                "major_version = {major}\nminor_version = {minor}\nupdate_release = {update}\nrevision_level = {revision}\ncomment = {comment}\n"
            )]
        }
        _ => Vec::new(),
    };
    Printed { out: entries.join("\n"), err: String::new(), status: 0 }
}

fn symbol(table: &[(&str, u64)], value: u64) -> String {
    let found = table.iter().find(|(_, number)| *number == value);
    found.map_or(format!("0x{value:X}"), |(name, _)| name.trim_start_matches("AP_").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nof::engine::{Effect, Page};

    fn completion(primary: u16, secondary: u32, output: Output) -> Completion {
        Completion { primary, secondary, output, effect: Effect::None }
    }

    #[test]
    fn commands() {
        let add = parse("ADD_BACKUP, backup_name = Beta", false).unwrap();
        assert_eq!((add.verb, add.target), (Verb::AddBackup(ServerName::new("beta")), Target::NetWrite));
        let entries = |text: &str, all| match parse(text, all).unwrap().verb {
            Verb::QuerySnaNet(list) | Verb::QueryNodeAll(list) => (list.options, list.entries),
            other => panic!("{other:?}"),
        };
        assert_eq!(entries("query_sna_net", false), (n::AP_FIRST_IN_LIST, 0), "name only: all");
        assert_eq!(entries("query_sna_net, server_name=a", false), (n::AP_LIST_INCLUSIVE, 1));
        let next = "query_node_all, list_options=list_from_next, node_name=a, num_entries=0x10";
        assert_eq!(entries(next, false), (n::AP_LIST_FROM_NEXT, 16));
        assert_eq!(entries(next, true), (n::AP_FIRST_IN_LIST, 0));
        for wrong in [
            "fly",
            "add_backup, name=x",
            "add_backup, x",
            "add_backup, backup_name=a, backup_name=b",
            "query_sna_net, num_entries=x",
            "query_sna_net, list_options=x",
        ] {
            assert!(parse(wrong, false).is_err(), "{wrong}");
        }
        assert_eq!(check_node(None, true), Err(SyntaxError::NodeMissing));
        assert_eq!(check_node(ServerName::new("a").ok().as_ref(), false), Err(SyntaxError::NodeOnServer));
    }

    #[test]
    fn results() {
        let page = Page { entries: 2, entries_total: 2, bytes: 0, bytes_total: 0 };
        let names = vec![ServerName::new("a").unwrap(), ServerName::new("b").unwrap()];
        let servers = Output::Servers { names, page, domain: "plant".to_owned() };
        let printed = print(&completion(n::AP_OK, 0, servers));
        assert_eq!(printed.out, "domain_name = plant\n\nserver_name = a\n\nserver_name = b\n");
        let failed = print(&completion(n::AP_STATE_CHECK, n::AP_DUPLICATE_RECORD, Output::None));
        assert_eq!(
            (failed.err.as_str(), failed.status),
            ("primary_rc = STATE_CHECK\nsecondary_rc = DUPLICATE_RECORD\n", 1)
        );
    }
}
