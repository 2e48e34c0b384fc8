//! What must be true after each event, and at the end.
//!
//! The checks know the whole world and nothing of the machines' insides: what is on record, on disks, who acts, what
//! programs were told.

use super::plan::Plan;
use crate::content::{Change, Content, RequestId, Stamp, View};
use crate::name::{Aliases, ServerName};
use crate::succession::{Acting, Answer, Mode, Proposal, Records};
use pollux_wire::Epoch;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its number in the style guide's list, or L for liveness.
    pub promise: &'static str,
    /// What was seen.
    pub text: String,
}

/// The observer of a run.
#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) violation: Option<Violation>,
    /// Requests and what they want.
    wishes: BTreeMap<RequestId, Change>,
    committed: BTreeSet<RequestId>,
    not_done: BTreeSet<RequestId>,
    unknown: BTreeSet<RequestId>,
    /// Legacy: changes that were answered "done", by the content that had them.
    done: Vec<(RequestId, Arc<Content>)>,
    /// Who acted in an epoch.
    actors: BTreeMap<Epoch, BTreeSet<(ServerName, u64)>>,
    /// When a server's latest sign of life was committed.
    beats: BTreeMap<ServerName, u64>,
    disk_epochs: BTreeMap<ServerName, Epoch>,
    stamps: BTreeMap<Stamp, Arc<Content>>,
    pub(super) conflict_copies: Vec<Arc<Content>>,
}

impl Checks {
    pub(super) fn fail(&mut self, promise: &'static str, text: impl Into<String>) {
        self.violation.get_or_insert(Violation { promise, text: text.into() });
    }

    pub(super) fn requested(&mut self, request: RequestId, change: Change) {
        self.not_done.remove(&request);
        self.wishes.insert(request, change);
    }

    /// A proposal went through.
    pub(super) fn committed(
        &mut self,
        now: u64,
        old: &Records,
        new: &Records,
        proposal: &Proposal,
        plan: &Plan,
        disk_in_step: bool,
    ) {
        let (was, is) = (epoch_of(&old.acting), epoch_of(&new.acting));
        if is < was {
            self.fail("S11", format!("the epoch on record went from {was} to {is}"));
        }
        if old.acting != new.acting {
            let handed_then_taken = old.acting.as_ref().is_some_and(|acting| acting.incarnation.is_none());
            if is == was && !handed_then_taken {
                self.fail("S11", format!("another acting master in the same epoch {is}"));
            }
            self.takeover(now, old, new, plan, disk_in_step);
        }
        if old.content != new.content {
            self.content_changed(old, new);
        }
        if let Some((name, Some(_))) = &proposal.beat {
            self.beats.insert(name.clone(), now);
        }
    }

    fn takeover(&mut self, now: u64, old: &Records, new: &Records, plan: &Plan, disk_in_step: bool) {
        let Some(acting) = new.acting.as_ref().filter(|acting| acting.incarnation.is_some()) else { return };
        let Some(content) = &new.content else { return };
        if !disk_in_step {
            self.fail("S13", format!("{} took the mastership with an older file", acting.server));
        }
        if old.acting.as_ref().is_some_and(|old| old.server == acting.server) {
            return; // It was handed to it, or it came back: nobody was passed over.
        }
        let rank = content.list.position(&acting.server).unwrap_or(usize::MAX);
        // Clocks differ by at most a tenth; beyond that nobody may be passed over who gave a sign of life.
        let recent = super::TIMING.deadline * if plan.jitter { 8 } else { 9 } / 10;
        let stamp = Some(&content.stamp);
        for name in content.list.entries().iter().take(rank) {
            let able = old.beats.get(name).is_some_and(|beat| beat.in_step.as_ref() == stamp);
            let lives =
                self.beats.get(name).is_some_and(|at| now - at < recent) && old.beats.contains_key(name);
            if able && lives {
                self.fail(
                    "S13",
                    format!("{} passed over {name}, which is live and comes first", acting.server),
                );
            }
        }
    }

    fn content_changed(&mut self, old: &Records, new: &Records) {
        let (Some(before), Some(after)) = (&old.content, &new.content) else { return };
        let Some(request) = after.done.last().copied() else {
            return self.fail("S2", "the content changed without a request");
        };
        let Some(change) = self.wishes.get(&request) else {
            return self.fail("S2", format!("nobody asked for {request}"));
        };
        let acting = old.acting.clone();
        let writer = acting.as_ref().map(|acting| (&acting.server, acting.epoch));
        if writer != Some((&after.stamp.writer, after.stamp.epoch)) {
            let text = format!("{} was written, but acting is {:?}", after.stamp, writer);
            return self.fail("S13", text);
        }
        let everybody = before.list.entries().iter().cloned().collect();
        let aliases = Aliases::new();
        let view = View { aliases: &aliases, running: &everybody };
        match before.changed(after.stamp.epoch, &after.stamp.writer, request, change, &view) {
            Ok(expected) if expected == **after && !before.has_done(request) => {}
            _ => {
                let text = format!("{} does not follow from {} by {request}", after.stamp, before.stamp);
                self.fail("S2", text);
            }
        }
        let still = new.acting.as_ref().map(|acting| &acting.server);
        if still.is_some_and(|server| !after.list.contains(server)) {
            self.fail("S13", format!("acting master {still:?} is not in the list any more"));
        }
        if self.not_done.contains(&request) && !self.unknown.contains(&request) {
            self.fail("S14", format!("{request} was answered \"not done\" and is done"));
        }
        self.committed.insert(request);
    }

    /// A program got its answer.
    pub(super) fn answered(
        &mut self,
        mode: Mode,
        request: RequestId,
        answer: &Answer,
        content: Option<&Arc<Content>>,
    ) {
        match answer {
            Answer::Done(_) if mode == Mode::Legacy => {
                if let Some(content) = content.filter(|content| content.has_done(request)) {
                    self.done.push((request, content.clone()));
                } else {
                    self.fail("S2", format!("{request} is answered \"done\" and is not in the content"));
                }
            }
            Answer::Done(_) => {
                if !self.committed.contains(&request) {
                    self.fail("S2", format!("{request} is answered \"done\" and never happened"));
                }
            }
            Answer::Unknown => drop(self.unknown.insert(request)),
            Answer::NotMaster | Answer::Busy | Answer::Refused(_) => {
                if self.committed.contains(&request) && !self.unknown.contains(&request) {
                    self.fail("S14", format!("{request} is done and answered {answer:?}"));
                }
                self.not_done.insert(request);
            }
        }
    }

    /// A server acts at this moment.
    pub(super) fn acts(&mut self, server: &ServerName, life: u64, epoch: Epoch) {
        let actors = self.actors.entry(epoch).or_default();
        let fresh = actors.insert((server.clone(), life));
        if fresh && actors.iter().any(|(other, earlier)| other == server && *earlier != life) {
            self.fail("S11", format!("{server} acts in epoch {epoch} in two lives"));
        }
    }

    /// Quorum mode: at most one acts, and nobody else ever acted in its epoch.
    pub(super) fn one_acts(&mut self, acting: &[(ServerName, u64, Epoch)]) {
        if let [(one, _, e1), (two, _, e2), ..] = acting {
            self.fail("S13", format!("{one} acts in {e1} while {two} acts in {e2}"));
        }
        for (_, _, epoch) in acting {
            if self.actors.get(epoch).is_some_and(|actors| actors.len() > 1) {
                self.fail("S13", format!("two servers acted in epoch {epoch}"));
            }
        }
    }

    /// The epoch on a disk. `reset`: files of an old tape were put there.
    pub(super) fn disk_epoch(&mut self, server: &ServerName, epoch: Epoch, reset: bool) {
        let known = self.disk_epochs.insert(server.clone(), epoch);
        if !reset && known.is_some_and(|known| epoch < known) {
            self.fail("S11", format!("the epoch on the disk of {server} went back to {epoch}"));
        }
    }

    /// A content goes to a disk: a stamp names one content, for ever.
    pub(super) fn stamped(&mut self, content: &Arc<Content>) {
        let known = self.stamps.entry(content.stamp.clone()).or_insert_with(|| content.clone());
        if (&known.list, &known.file) != (&content.list, &content.file) {
            self.fail("S3", format!("two contents have the stamp {}", content.stamp));
        }
    }

    /// The domain file on a disk is replaced.
    pub(super) fn replaced(&mut self, server: &ServerName, old: &Arc<Content>, new: &Arc<Content>) {
        let kept = || self.conflict_copies.iter().any(|copy| copy.stamp == old.stamp);
        if !new.contains(&old.stamp) && !kept() {
            let text = format!("{server} replaced {} by {} without a conflict copy", old.stamp, new.stamp);
            self.fail("S7 legacy", text);
        }
    }

    /// Legacy: each change that was answered "done" is in the content of the end or in a conflict copy.
    pub(super) fn nothing_lost(&mut self, end: &Arc<Content>) {
        let lost = self.done.iter().find(|(_, content)| {
            let stamp = &content.stamp;
            !end.contains(stamp) && !self.conflict_copies.iter().any(|copy| copy.contains(stamp))
        });
        if let Some((request, content)) = lost {
            let text =
                format!("{request} ({}) is in no file any more; the end is {}", content.stamp, end.stamp);
            self.fail("S7 legacy", text);
        }
    }
}

fn epoch_of(acting: &Option<Acting>) -> Epoch {
    acting.as_ref().map_or(Epoch(0), |acting| acting.epoch)
}
