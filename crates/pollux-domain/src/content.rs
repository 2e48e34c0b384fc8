//! The content of the domain: the list and the domain file, with the stamp that says which of two is newer.
//!
//! What this decides: what a change makes of a content, whether one content contains the other's history.
//! What it does not: who may change it; that is `succession`.
//!
//! Invariant: each change adds one to the revision, and a content knows the last stamp of each epoch it
//! went through, so "older" and "of another history" can be told apart (S13).

use crate::list::{ListError, ServerList};
use crate::name::{Aliases, ServerName};
use pollux_wire::Epoch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Requests whose effect a content remembers; the oldest is forgotten. A retry that comes later than so
/// many other changes meets the conditions of its own change (duplicate, not found, other base).
pub const DONE_REQUESTS_KEPT: usize = 64;
/// Earlier epochs a content remembers; the oldest is forgotten. A copy older than that counts as of
/// another history, which costs a needless conflict copy and never a lost change.
pub const HISTORY_EPOCHS_KEPT: usize = 32;

/// Dates a content. Ordered: epoch, then revision. The writer only tells two sides of a split apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// Of the acting master that made the change.
    #[serde(with = "crate::words::epoch")]
    pub epoch: Epoch,
    /// Grows by one with each change.
    pub revision: u64,
    /// The acting master that made the change.
    pub writer: ServerName,
}

impl Stamp {
    /// Epoch and revision, without the writer.
    pub fn order(&self) -> (Epoch, u64) {
        (self.epoch, self.revision)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}@{}", self.epoch, self.revision, self.writer)
    }
}

/// Names one request of a program, so that a retry has no second effect (S3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId {
    /// Who asked: a number that no other asker has.
    pub origin: u64,
    /// Its count.
    pub number: u64,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{}", self.origin, self.number)
    }
}

/// A change of the content.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Change {
    /// ADD_BACKUP.
    AddBackup {
        /// Whom.
        name: ServerName,
    },
    /// DELETE_BACKUP.
    DeleteBackup {
        /// Whom.
        name: ServerName,
    },
    /// Puts an entry at a position.
    MoveBackup {
        /// Whom.
        name: ServerName,
        /// Where; the first is 1.
        position: usize,
    },
    /// A new text of the domain file.
    ReplaceFile {
        /// The revision whose text was edited; another one means that somebody else was faster.
        based_on: u64,
        /// The new text.
        text: Arc<str>,
    },
}

/// Why a change has no effect.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// The list says no.
    #[error(transparent)]
    List(#[from] ListError),
    /// Somebody else changed the domain in the meantime.
    #[error(
        "the domain is at revision {current}, the change was made from {based_on}; read again and repeat it"
    )]
    Outdated {
        /// What the domain has.
        current: u64,
        /// What the change was made from.
        based_on: u64,
    },
}

/// The list and the domain file at one stamp.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Content {
    /// Dates it.
    pub stamp: Stamp,
    /// The configuration servers.
    pub list: ServerList,
    /// The text of the domain file, without header.
    pub file: Arc<str>,
    /// The last stamp of each earlier epoch, oldest first.
    pub history: Vec<Stamp>,
    /// The latest requests that had an effect, oldest first.
    pub done: Vec<RequestId>,
}

impl Content {
    /// The first content of a domain.
    pub fn new(master: ServerName, file: impl Into<Arc<str>>) -> Self {
        let stamp = Stamp { epoch: Epoch(1), revision: 1, writer: master.clone() };
        let list = ServerList::of_master(master);
        Self { stamp, list, file: file.into(), history: Vec::new(), done: Vec::new() }
    }

    /// What a change makes of it when acting master `writer` does it in `epoch`.
    pub fn changed(
        &self,
        epoch: Epoch,
        writer: &ServerName,
        request: RequestId,
        change: &Change,
        view: &View<'_>,
    ) -> Result<Self, Refusal> {
        let mut next = self.clone();
        match change {
            Change::AddBackup { name } => next.list = self.list.add(name, view.aliases)?,
            Change::DeleteBackup { name } => {
                next.list = self.list.delete(name, view.aliases, view.running)?;
            }
            Change::MoveBackup { name, position } => {
                next.list = self.list.move_to(name, *position, view.aliases)?;
            }
            Change::ReplaceFile { based_on, text } => {
                if *based_on != self.stamp.revision {
                    return Err(Refusal::Outdated { current: self.stamp.revision, based_on: *based_on });
                }
                next.file = text.clone();
            }
        }
        next.stamp = Stamp { epoch, revision: self.stamp.revision + 1, writer: writer.clone() };
        if (self.stamp.epoch, &self.stamp.writer) != (epoch, writer) {
            next.history.push(self.stamp.clone());
            cut(&mut next.history, HISTORY_EPOCHS_KEPT);
        }
        next.done.push(request);
        cut(&mut next.done, DONE_REQUESTS_KEPT);
        Ok(next)
    }

    /// The same content as the first of a new epoch, by an operator's order.
    pub fn recovered(&self, epoch: Epoch, writer: &ServerName) -> Self {
        let mut next = self.clone();
        next.history.push(self.stamp.clone());
        cut(&mut next.history, HISTORY_EPOCHS_KEPT);
        next.stamp = Stamp { epoch, revision: self.stamp.revision + 1, writer: writer.clone() };
        next
    }

    /// Whether the request had its effect already.
    pub fn has_done(&self, request: RequestId) -> bool {
        self.done.contains(&request)
    }

    /// Whether everything that stood in a content of that stamp went into this one. When the history does
    /// not reach back far enough the answer is no.
    pub fn contains(&self, stamp: &Stamp) -> bool {
        let covers = |mine: &Stamp| {
            mine.epoch == stamp.epoch && mine.writer == stamp.writer && mine.revision >= stamp.revision
        };
        covers(&self.stamp) || self.history.iter().any(covers)
    }
}

/// What a change must know beside the content.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What DNS said.
    pub aliases: &'a Aliases,
    /// The servers whose software runs.
    pub running: &'a BTreeSet<ServerName>,
}

fn cut<T>(list: &mut Vec<T>, keep: usize) {
    if list.len() > keep {
        list.drain(..list.len() - keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ServerName {
        ServerName::new(text).unwrap()
    }

    fn add(content: &Content, epoch: u64, writer: &str, number: u64) -> Content {
        let aliases = Aliases::new();
        let running = BTreeSet::from([name("a")]);
        let request = RequestId { origin: 1, number };
        let change = Change::AddBackup { name: name(&format!("s{number}")) };
        let view = View { aliases: &aliases, running: &running };
        content.changed(Epoch(epoch), &name(writer), request, &change, &view).unwrap()
    }

    // An older copy must be told from one of another history: the first is replaced, the second saved first (S13).
    #[test]
    fn older_and_different_are_two_things() {
        let first = Content::new(name("a"), "");
        let base = add(&first, 1, "a", 1);
        let left = add(&add(&base, 2, "a", 2), 2, "a", 3);
        let right = add(&base, 2, "b", 4);
        assert!(left.contains(&base.stamp) && right.contains(&first.stamp));
        assert!(!base.contains(&left.stamp));
        assert!(!left.contains(&right.stamp) && !right.contains(&left.stamp), "same epoch, other writer");
        assert!(left.stamp.order() > right.stamp.order());
        assert!(left.has_done(RequestId { origin: 1, number: 3 }));
    }

    // Two administrators who edit the same text: the second must not wipe out the first.
    #[test]
    fn an_edit_of_an_old_text_is_refused() {
        let content = Content::new(name("a"), "old");
        let running = BTreeSet::new();
        let aliases = Aliases::new();
        let view = View { aliases: &aliases, running: &running };
        let change = Change::ReplaceFile { based_on: 0, text: "new".into() };
        let request = RequestId { origin: 1, number: 1 };
        let refused = content.changed(Epoch(1), &name("a"), request, &change, &view).unwrap_err();
        assert_eq!(refused, Refusal::Outdated { current: 1, based_on: 0 });
    }

    #[test]
    fn memory_is_bounded() {
        let mut content = Content::new(name("a"), "");
        for number in 0..200 {
            let change = Change::ReplaceFile { based_on: content.stamp.revision, text: "x".into() };
            let (aliases, running) = (Aliases::new(), BTreeSet::new());
            let view = View { aliases: &aliases, running: &running };
            let request = RequestId { origin: 1, number };
            content = content.changed(Epoch(number + 2), &name("a"), request, &change, &view).unwrap();
        }
        assert_eq!((content.done.len(), content.history.len()), (DONE_REQUESTS_KEPT, HISTORY_EPOCHS_KEPT));
    }
}
