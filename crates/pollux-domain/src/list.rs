//! The ordered list of configuration servers: what `sna.net` is about.
//!
//! What this decides: what ADD_BACKUP, DELETE_BACKUP and a move make of a list, or why they are refused.
//! What it does not: who is running; that comes in.
//!
//! Invariant: no computer stands in the list twice, and a list that had an entry keeps one.

use crate::name::{Aliases, ServerName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most entries of a list; one more is refused ([`ListError::Full`]). A takeover compares a record for
/// each, and the coordinator allows 128 operations in one transaction.
pub const LIST_ENTRIES_MAX: usize = 64;

/// Why a change of the list is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
pub enum ListError {
    /// AP_DUPLICATE_RECORD.
    #[error("{name} is already in the list as {listed}; nothing to add")]
    Duplicate {
        /// The name to add.
        name: ServerName,
        /// The entry that is there.
        listed: ServerName,
    },
    /// AP_RECORD_NOT_FOUND.
    #[error("{name} is not in the list; query the list for its entries")]
    NotFound {
        /// The name looked for.
        name: ServerName,
    },
    /// AP_CANT_DELETE_LAST_BACKUP.
    #[error(
        "no running server would be left in the list without {name}; start another listed server, or add and start one, then delete again"
    )]
    LastBackup {
        /// The name to delete.
        name: ServerName,
    },
    /// No place for one more.
    #[error("the list has its limit of {LIST_ENTRIES_MAX} entries; delete a server that does not come back")]
    Full,
    /// A position past the end.
    #[error("position {position} is outside the list of {entries}; the first is 1")]
    Position {
        /// The position asked for.
        position: usize,
        /// How many entries there are.
        entries: usize,
    },
}

/// Servers in the order of succession; the first is *the* master.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<ServerName>", into = "Vec<ServerName>")]
pub struct ServerList {
    entries: Arc<[ServerName]>,
}

impl TryFrom<Vec<ServerName>> for ServerList {
    type Error = ListError;

    fn try_from(entries: Vec<ServerName>) -> Result<Self, ListError> {
        Self::from_entries(entries)
    }
}

impl From<ServerList> for Vec<ServerName> {
    fn from(list: ServerList) -> Self {
        list.entries.to_vec()
    }
}

impl ServerList {
    /// A list of one: what the installation of the master makes.
    pub fn of_master(master: ServerName) -> Self {
        Self { entries: [master].into() }
    }

    /// A list from a file or record. A computer that stands in it twice is refused, and so is a long list.
    pub fn from_entries(entries: Vec<ServerName>) -> Result<Self, ListError> {
        // First, so that the look for duplicates is short whatever a file holds.
        if entries.len() > LIST_ENTRIES_MAX {
            return Err(ListError::Full);
        }
        for (position, name) in entries.iter().enumerate() {
            if entries[..position].contains(name) {
                return Err(ListError::Duplicate { listed: name.clone(), name: name.clone() });
            }
        }
        Ok(Self { entries: entries.into() })
    }

    /// ADD_BACKUP: the name at the end, so that it becomes master only when all others are away.
    pub fn add(&self, name: &ServerName, aliases: &Aliases) -> Result<Self, ListError> {
        if let Some(listed) = self.find(name, aliases) {
            return Err(ListError::Duplicate { name: name.clone(), listed: listed.clone() });
        }
        if self.entries.len() == LIST_ENTRIES_MAX {
            return Err(ListError::Full);
        }
        let mut entries = self.entries.to_vec();
        entries.push(aliases.canonical(name));
        Ok(Self { entries: entries.into() })
    }

    /// DELETE_BACKUP: any entry, the acting master too, if a running one remains.
    ///
    /// Not found is tested before last backup.
    pub fn delete(
        &self,
        name: &ServerName,
        aliases: &Aliases,
        running: &BTreeSet<ServerName>,
    ) -> Result<Self, ListError> {
        let position = self.the_one(name, aliases)?;
        let mut entries = self.entries.to_vec();
        entries.remove(position);
        if !entries.iter().any(|left| running.contains(left)) {
            return Err(ListError::LastBackup { name: name.clone() });
        }
        Ok(Self { entries: entries.into() })
    }

    /// The friendly twin of delete-and-add-again: puts an entry at a position, the first is 1.
    pub fn move_to(&self, name: &ServerName, position: usize, aliases: &Aliases) -> Result<Self, ListError> {
        let from = self.the_one(name, aliases)?;
        if position == 0 || position > self.entries.len() {
            return Err(ListError::Position { position, entries: self.entries.len() });
        }
        let mut entries = self.entries.to_vec();
        let name = entries.remove(from);
        entries.insert(position - 1, name);
        Ok(Self { entries: entries.into() })
    }

    /// The entries in order.
    pub fn entries(&self) -> &[ServerName] {
        &self.entries
    }

    /// The rank of a server, 0 for the first; `None` for a peer.
    pub fn position(&self, name: &ServerName) -> Option<usize> {
        self.entries.iter().position(|entry| entry == name)
    }

    /// Whether the server is a configuration server.
    pub fn contains(&self, name: &ServerName) -> bool {
        self.position(name).is_some()
    }

    /// The first entry that may mean the same computer.
    pub fn find(&self, name: &ServerName, aliases: &Aliases) -> Option<&ServerName> {
        self.entries.iter().find(|entry| aliases.same(entry, name))
    }

    /// The one entry that a name means. A short name that could mean two entries means none: to delete the
    /// wrong server is worse than to ask for the long name.
    fn the_one(&self, name: &ServerName, aliases: &Aliases) -> Result<usize, ListError> {
        if let Some(exact) = self.position(&aliases.canonical(name)) {
            return Ok(exact);
        }
        let not_found = || ListError::NotFound { name: name.clone() };
        let mut matches = self.entries.iter().enumerate().filter(|(_, entry)| aliases.same(entry, name));
        let (first, _) = matches.next().ok_or_else(not_found)?;
        if matches.next().is_some() { Err(not_found()) } else { Ok(first) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ServerName {
        ServerName::new(text).unwrap()
    }

    fn list(names: &[&str]) -> ServerList {
        ServerList::from_entries(names.iter().map(|n| name(n)).collect()).unwrap()
    }

    fn running(names: &[&str]) -> BTreeSet<ServerName> {
        names.iter().map(|n| name(n)).collect()
    }

    // A backup that is added must not jump the queue.
    #[test]
    fn add_goes_to_the_end_and_only_once() {
        let aliases = Aliases::new();
        let two = list(&["a"]).add(&name("B"), &aliases).unwrap();
        assert_eq!(two, list(&["a", "b"]));
        assert!(matches!(two.add(&name("b.example"), &aliases), Err(ListError::Duplicate { .. })));
        let full = list(
            &(0..64)
                .map(|n| format!("s{n}"))
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        );
        assert_eq!(full.add(&name("one-more"), &aliases), Err(ListError::Full));
    }

    // A domain without a running server in its list cannot be changed any more.
    #[test]
    fn the_last_running_server_stays() {
        let aliases = Aliases::new();
        let three = list(&["a", "b", "c"]);
        let delete = |who: &str, up: &[&str]| three.delete(&name(who), &aliases, &running(up));
        assert_eq!(delete("a", &["a", "b"]).unwrap(), list(&["b", "c"]), "the acting master too");
        assert_eq!(delete("c", &["a"]).unwrap(), list(&["a", "b"]), "a stopped one too");
        assert!(matches!(delete("a", &["a"]), Err(ListError::LastBackup { .. })));
        assert!(matches!(delete("x", &[]), Err(ListError::NotFound { .. })), "tested first");
        let one = list(&["a"]);
        assert!(matches!(
            one.delete(&name("a"), &aliases, &running(&["a"])),
            Err(ListError::LastBackup { .. })
        ));
    }

    // A short name that fits two entries must not delete a guess.
    #[test]
    fn an_ambiguous_name_deletes_nothing() {
        let aliases = Aliases::new();
        let both = list(&["a.one", "a.two", "b"]);
        assert!(matches!(
            both.delete(&name("a"), &aliases, &running(&["b"])),
            Err(ListError::NotFound { .. })
        ));
        assert_eq!(
            both.delete(&name("b.x"), &aliases, &running(&["a.one"])).unwrap(),
            list(&["a.one", "a.two"])
        );
    }

    #[test]
    fn a_move_keeps_the_others_in_order() {
        let aliases = Aliases::new();
        let three = list(&["a", "b", "c"]);
        assert_eq!(three.move_to(&name("c"), 1, &aliases).unwrap(), list(&["c", "a", "b"]));
        assert_eq!(three.move_to(&name("a"), 3, &aliases).unwrap(), list(&["b", "c", "a"]));
        assert!(matches!(three.move_to(&name("a"), 4, &aliases), Err(ListError::Position { .. })));
        assert!(matches!(three.move_to(&name("a"), 0, &aliases), Err(ListError::Position { .. })));
    }
}
