//! What the coordinator holds of a domain, and what a proposal makes of it.
//!
//! What this decides: when a proposal's compares hold. What it does not: bytes and keys, see [`crate::store`].
//!
//! Invariant: compares are judged before any write, and all writes happen together or none.

use crate::content::{Content, Stamp};
use crate::name::ServerName;
use pollux_wire::Epoch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One life of a server's software; a later life has a greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub u64);

/// The acting master on record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acting {
    /// Who.
    pub server: ServerName,
    /// In which of its lives; `None`: it was handed the mastership and did not take it yet.
    pub incarnation: Option<Incarnation>,
    /// Grows with each change of the acting master.
    pub epoch: Epoch,
}

/// A server's sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Beat {
    /// Which life.
    pub incarnation: Incarnation,
    /// Grows with each sign.
    pub count: u64,
    /// The server is able to act: its files hold that content.
    pub in_step: Option<Stamp>,
}

/// All records of a domain at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Records {
    /// The acting master.
    pub acting: Option<Acting>,
    /// List and domain file.
    pub content: Option<Arc<Content>>,
    /// The signs of life.
    pub beats: Arc<BTreeMap<ServerName, Beat>>,
}

/// A condition on a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Expect<T> {
    /// None.
    #[default]
    Any,
    /// It is exactly this, or absent.
    Is(Option<T>),
}

/// Compares and writes that happen together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Proposal {
    /// Condition on the acting master.
    pub acting_is: Expect<Acting>,
    /// Condition on the stamp of the content.
    pub stamp_is: Expect<Stamp>,
    /// Conditions on signs of life.
    pub beats_are: Vec<(ServerName, Option<Beat>)>,
    /// The new acting master.
    pub acting: Option<Acting>,
    /// The new content.
    pub content: Option<Arc<Content>>,
    /// The new sign of life; `None` removes it: the server leaves.
    pub beat: Option<(ServerName, Option<Beat>)>,
}

impl Records {
    /// Whether all compares hold.
    pub fn allow(&self, proposal: &Proposal) -> bool {
        let acting = match &proposal.acting_is {
            Expect::Any => true,
            Expect::Is(wanted) => *wanted == self.acting,
        };
        let stamp = match &proposal.stamp_is {
            Expect::Any => true,
            Expect::Is(wanted) => wanted.as_ref() == self.content.as_ref().map(|content| &content.stamp),
        };
        acting && stamp && proposal.beats_are.iter().all(|(name, beat)| self.beats.get(name) == beat.as_ref())
    }

    /// Judges a proposal and, when all compares hold, does it.
    pub fn commit(&mut self, proposal: &Proposal) -> bool {
        let allowed = self.allow(proposal);
        if allowed {
            if let Some(acting) = &proposal.acting {
                self.acting = Some(acting.clone());
            }
            if let Some(content) = &proposal.content {
                self.content = Some(content.clone());
            }
            match &proposal.beat {
                Some((name, Some(beat))) => {
                    drop(Arc::make_mut(&mut self.beats).insert(name.clone(), beat.clone()))
                }
                Some((name, None)) => drop(Arc::make_mut(&mut self.beats).remove(name)),
                None => {}
            }
        }
        allowed
    }
}
