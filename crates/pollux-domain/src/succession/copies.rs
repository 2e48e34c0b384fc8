//! What a server's own files hold, and the one save that may be under way.
//!
//! What this decides: whether the files are in step, when to save. Invariant: at most one save is under way, so the
//! files never go from newer to older by two saves that overtake each other (S11, S13).

use super::{Command, Save, Tick};
use crate::content::{Content, Stamp};
use pollux_wire::Epoch;
use std::sync::Arc;

/// What the files of a server hold, as the shell read them at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Copies {
    /// From `sna.net`: the content without its domain file text, and the highest epoch seen. `None`: no such file, or
    /// a damaged one.
    pub net: Option<(Arc<Content>, Epoch)>,
    /// From `sna_domn.cfg`: whole content. `None`: no such file, or a damaged one.
    pub file: Option<Arc<Content>>,
}

impl Copies {
    /// The newest content of the files, and whether it is whole: `sna.net` alone has no domain file text.
    pub fn newest(&self) -> Option<(Arc<Content>, bool)> {
        let net = self.net.as_ref().map(|(content, _)| content);
        match (&self.file, net) {
            (Some(file), net) if net.is_none_or(|net| file.stamp >= net.stamp) => Some((file.clone(), true)),
            (_, net) => net.map(|net| (net.clone(), false)),
        }
    }
}

/// Tracks the files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Saved {
    net: Option<Stamp>,
    file: Option<Stamp>,
    epoch: Epoch,
    under_way: Option<UnderWay>,
    number: u64,
    retry_at: Tick,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct UnderWay {
    number: u64,
    stamp: Stamp,
    epoch: Epoch,
    with_file: bool,
}

impl Saved {
    /// As the files are at the start.
    pub fn new(copies: &Copies) -> Self {
        Self {
            net: copies.net.as_ref().map(|(content, _)| content.stamp.clone()),
            file: copies.file.as_ref().map(|content| content.stamp.clone()),
            epoch: copies.net.as_ref().map_or(Epoch(0), |(_, epoch)| *epoch),
            under_way: None,
            number: 0,
            retry_at: Tick(0),
        }
    }

    /// The highest epoch on disk.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether the files hold this content; a peer has no domain file.
    pub fn holds(&self, stamp: &Stamp, with_file: bool) -> bool {
        self.net.as_ref() == Some(stamp) && (!with_file || self.file.as_ref() == Some(stamp))
    }

    /// Whether a save is under way.
    pub fn busy(&self) -> bool {
        self.under_way.is_some()
    }

    /// The command that brings the files to this content and epoch, if one is needed and possible at this moment.
    pub fn save(
        &mut self,
        now: Tick,
        content: &Arc<Content>,
        epoch: Epoch,
        with_file: bool,
        keep_conflict: Option<Arc<Content>>,
    ) -> Option<Command> {
        let epoch = epoch.max(self.epoch); // S11: an epoch on disk never goes back.
        let done = self.holds(&content.stamp, with_file) && self.epoch == epoch;
        if done || self.under_way.is_some() || now < self.retry_at {
            return None;
        }
        self.number += 1;
        let (number, content) = (self.number, content.clone());
        self.under_way = Some(UnderWay { number, stamp: content.stamp.clone(), epoch, with_file });
        Some(Command::Save(Save { number, content, epoch, with_file, keep_conflict }))
    }

    /// Takes in the answer; true when the files changed. After a failure both files are written again, not before
    /// `retry_at`.
    pub fn answered(&mut self, number: u64, done: bool, retry_at: Tick) -> bool {
        let Some(save) = self.under_way.take_if(|save| save.number == number) else { return false };
        if done {
            self.net = Some(save.stamp.clone());
            // A server that became a peer keeps its last domain file, which is then of an old stamp.
            if save.with_file {
                self.file = Some(save.stamp);
            }
            self.epoch = save.epoch;
        } else {
            (self.net, self.file) = (None, None);
            self.retry_at = retry_at;
        }
        done
    }
}
