//! What the engine must know of the domain at the moment of a verb. The shell fills it in.

use super::numbers as n;
use crate::content::Content;
use crate::name::ServerName;
use pollux_wire::Epoch;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Whether the local software runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Software {
    /// It runs.
    Running,
    /// It was never started.
    NotLoaded,
    /// It ran when this program began, and is gone.
    Abended,
}

/// Log switches of a node or of the domain; AP_YES or AP_NO each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTypes {
    /// Audit messages.
    pub audit: u8,
    /// Exception messages.
    pub exception: u8,
    /// Audit messages in their short form.
    pub succinct_audits: u8,
    /// Error messages in their short form.
    pub succinct_errors: u8,
}

impl Default for LogTypes {
    fn default() -> Self {
        Self { audit: n::AP_NO, exception: n::AP_YES, succinct_audits: n::AP_YES, succinct_errors: n::AP_YES }
    }
}

impl LogTypes {
    /// These switches where they say AP_YES or AP_NO, the old ones where they say AP_LEAVE_UNCHANGED.
    #[must_use]
    pub fn over(self, old: Self) -> Self {
        let pick = |new, old| if new == n::AP_YES || new == n::AP_NO { new } else { old };
        Self {
            audit: pick(self.audit, old.audit),
            exception: pick(self.exception, old.exception),
            succinct_audits: pick(self.succinct_audits, old.succinct_audits),
            succinct_errors: pick(self.succinct_errors, old.succinct_errors),
        }
    }
}

/// A server of the domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerView {
    /// Its name.
    pub name: ServerName,
    /// Its software runs and can be reached.
    pub running: bool,
    /// AP_NDE_*.
    pub node_status: u8,
    /// The same release as here.
    pub same_version: bool,
    /// Its own log switches, when they replace the domain's.
    pub log_override: Option<LogTypes>,
}

/// The domain as this computer sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DomainView {
    /// The local software.
    pub software: Software,
    /// This computer is a client.
    pub client: bool,
    /// The user may write: a member of the administrators' group.
    pub authorized: bool,
    /// The name of the domain.
    pub domain: String,
    /// This computer.
    pub local: ServerName,
    /// The acting master that can be reached, and its epoch.
    #[serde(with = "crate::words::server_and_epoch")]
    pub acting: Option<(ServerName, Epoch)>,
    /// The content that can be read here, and the server that holds it.
    pub content: Option<(Arc<Content>, ServerName)>,
    /// The domain file has a fault.
    pub bad_record: bool,
    /// All servers, in an order that stays the same.
    pub servers: Vec<ServerView>,
    /// Another program holds the lock of the domain file.
    pub locked_by_other: bool,
    /// Messages go to the acting master.
    pub central_logging: bool,
    /// The domain's log switches.
    pub global_log_types: LogTypes,
    /// Version, release, modification of this software.
    pub version: (u16, u16, u16),
}

impl DomainView {
    /// A server by name.
    pub fn server(&self, name: &ServerName) -> Option<&ServerView> {
        self.servers.iter().find(|server| server.name == *name)
    }

    /// AP_ROLE_* of a server.
    pub fn role(&self, name: &ServerName) -> u8 {
        let listed = self.content.as_ref().is_some_and(|(content, _)| content.list.contains(name));
        match &self.acting {
            Some((master, _)) if master == name => n::AP_ROLE_MASTER,
            _ if listed => n::AP_ROLE_BACKUP,
            _ => n::AP_ROLE_NONE,
        }
    }
}
