//! One server under the legacy rules: the first reachable server of the list is acting master, as each server sees it.
//!
//! What this decides: when this server acts, whose content it takes, and what must be kept aside first. What it does not:
//! prevent two acting masters in a split; these rules cannot (L7).
//!
//! Beyond the documented rules there are guards. Before a server acts it takes the newest content it can reach.
//! A server that returns after a stop with a *newer* content is listened to, whatever its rank. A content that is
//! replaced by one that does not contain it is kept as a conflict copy first. A server that slept begins anew.
//!
//! ```text
//!   a (first)          b (acting@7)              a returns after a stop
//!     | beat: fresh, stamp 5 ->|
//!     |<- beat: acting@7, stamp 9
//!     | ask ------------------>|
//!     |<------- copy stamp 9   |  saved by a
//!     | beat: ready, stamp 9 ->|  steps down: a is first and in step (L4)
//!     |<- beat: not acting     |
//!     | acts@8                 |
//! ```

use super::copies::{Copies, Saved};
use super::quorum::role;
use super::records::Incarnation;
use super::{Answer, Command, Event, Notice, Problem, REQUESTS_WAITING_MAX, Status, Tick, Timing};
use crate::content::{Change, Content, RequestId, Stamp, View};
use crate::list::ServerList;
use crate::name::{Aliases, ServerName};
use pollux_wire::Epoch;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Servers that one speaks to; of more it learns nothing until one of its list is among them.
pub const SERVERS_KNOWN_MAX: usize = 256;

/// What servers say to each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message {
    /// A sign of life.
    Beat(Box<Peer>),
    /// "Send me your content."
    Ask,
    /// The sender's content.
    Copy(Arc<Content>),
}

/// What a server says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Peer {
    /// Which life.
    pub incarnation: Incarnation,
    /// It acts, in this epoch.
    #[serde(with = "crate::words::epoch_or_none")]
    pub acting: Option<Epoch>,
    /// The highest epoch it knows of.
    #[serde(with = "crate::words::epoch")]
    pub epoch: Epoch,
    /// Its content.
    pub stamp: Option<Stamp>,
    /// The list in its content: in a split the lists may part, and all must judge rank by the same one.
    pub list: ServerList,
    /// It has the domain file of that content and can give it away.
    pub has_file: bool,
    /// It has listened long enough after its start, and its files hold its content.
    pub ready: bool,
    /// Since its start it followed no acting master: its content is as it was when it stopped.
    pub fresh: bool,
    /// Whom it hears. A link of one direction is no link.
    pub hears: Vec<ServerName>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Heard {
    peer: Peer,
    at: Tick,
}

/// A server's machine under the legacy rules.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Legacy {
    me: ServerName,
    incarnation: Incarnation,
    timing: Timing,
    aliases: Aliases,
    content: Option<Arc<Content>>,
    /// The content has its domain file text; false after the start of a peer, which keeps `sna.net` only.
    whole: bool,
    saved: Saved,
    highest_epoch: Epoch,
    acting: Option<Epoch>,
    /// An epoch that is being saved, to act in it.
    claim: Option<Epoch>,
    /// This server's content that is to be kept aside with the next save.
    conflict: Option<Arc<Content>>,
    fresh: bool,
    started: Tick,
    latest: Tick,
    heard: BTreeMap<ServerName, Heard>,
    /// Every server of which this one ever knew: each side of a split may strike the other's servers off its list, and
    /// then nobody would speak to them again.
    known: BTreeSet<ServerName>,
    vacant_since: Option<Tick>,
    yielded: Option<(ServerName, Tick)>,
    deferred_since: Option<Tick>,
    asked: Option<Tick>,
    beat_next: Tick,
    requests: VecDeque<(RequestId, Change)>,
    pending: Option<(RequestId, Arc<Content>)>,
    leaving: bool,
    told_master: Option<(ServerName, Epoch)>,
    commands: VecDeque<Command>,
}

impl Legacy {
    pub(super) fn new(
        me: ServerName,
        incarnation: Incarnation,
        timing: Timing,
        copies: Copies,
        now: Tick,
    ) -> Self {
        let saved = Saved::new(&copies);
        let highest_epoch = saved.epoch();
        let (content, whole) =
            copies.newest().map_or((None, false), |(content, whole)| (Some(content), whole));
        Self {
            me,
            incarnation,
            timing,
            aliases: Aliases::new(),
            content,
            whole,
            saved,
            highest_epoch,
            acting: None,
            claim: None,
            conflict: None,
            fresh: true,
            started: now,
            latest: now,
            heard: BTreeMap::new(),
            known: BTreeSet::new(),
            vacant_since: None,
            yielded: None,
            deferred_since: None,
            asked: None,
            beat_next: now,
            requests: VecDeque::new(),
            pending: None,
            leaving: false,
            told_master: None,
            commands: VecDeque::new(),
        }
    }

    pub(super) fn handle(&mut self, now: Tick, event: Event) {
        self.look_at_the_clock(now);
        match event {
            Event::Message { from, message } => self.handle_message(now, from, message),
            Event::Known { name } => self.know(&name),
            Event::Saved { number, done } => self.handle_saved(now, number, done),
            Event::Request { request, epoch, change } => self.handle_request(request, epoch, change),
            Event::Leave => {
                self.leaving = true;
                self.step_down();
                self.beat_next = now;
            }
            Event::Tick | Event::Read { .. } | Event::Proposed { .. } | Event::Create { .. } => {}
        }
        self.decide(now);
    }

    pub(super) fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    pub(super) fn status(&self, now: Tick) -> Status {
        let mut running: Vec<ServerName> = self.reached(now).map(|(name, _)| name.clone()).collect();
        running.push(self.me.clone());
        running.sort();
        Status {
            role: role(self.content.as_ref(), &self.me),
            acting: self.master(now),
            acts: self.acting.is_some(),
            in_step: self.files_in_step(),
            running,
        }
    }

    pub(super) fn acts_in(&self) -> Option<Epoch> {
        self.acting
    }

    pub(super) fn content(&self) -> Option<&Arc<Content>> {
        self.content.as_ref()
    }

    /// What DNS said about names; used by changes from the next on.
    pub fn set_aliases(&mut self, aliases: Aliases) {
        self.aliases = aliases;
    }

    // ---- views ----

    fn heard_at(&self, now: Tick) -> impl Iterator<Item = (&ServerName, &Peer)> {
        let deadline = self.timing.deadline;
        self.heard
            .iter()
            .filter(move |(_, heard)| now.since(heard.at) < deadline)
            .map(|(name, heard)| (name, &heard.peer))
    }

    fn reached(&self, now: Tick) -> impl Iterator<Item = (&ServerName, &Peer)> {
        self.heard_at(now).filter(|(_, peer)| peer.hears.contains(&self.me))
    }

    /// The rank of a server in the newest list within reach; an unlisted one comes last. Two servers that reach each
    /// other judge by the same list, so they agree on who yields, also after each side of a split has changed its own.
    fn rank(&self, now: Tick, name: &ServerName) -> usize {
        let mut newest =
            self.content.as_ref().filter(|_| self.whole).map(|content| (&content.stamp, &content.list));
        for (_, peer) in self.reached(now) {
            // A list whose domain file nobody has any more cannot come into force.
            let theirs = peer.stamp.as_ref().filter(|_| peer.has_file).map(|stamp| (stamp, &peer.list));
            if theirs.map(|(stamp, _)| stamp) > newest.map(|(stamp, _)| stamp) {
                newest = theirs;
            }
        }
        newest.and_then(|(_, list)| list.position(name)).unwrap_or(usize::MAX)
    }

    fn rival(&self, now: Tick) -> Option<(ServerName, Epoch, Peer)> {
        let acting = self.reached(now).filter_map(|(name, peer)| Some((name, peer.acting?, peer)));
        // The better rank wins (L8). Among unlisted ones (a list that is out of date) the newer epoch.
        let best = acting.min_by_key(|(name, epoch, _)| (self.rank(now, name), u64::MAX - epoch.0))?;
        Some((best.0.clone(), best.1, best.2.clone()))
    }

    fn master(&self, now: Tick) -> Option<(ServerName, Epoch)> {
        match self.acting {
            Some(epoch) => Some((self.me.clone(), epoch)),
            None => self.rival(now).map(|(name, epoch, _)| (name, epoch)),
        }
    }

    fn files_in_step(&self) -> bool {
        self.content.as_ref().is_some_and(|content| {
            self.conflict.is_none() && self.saved.holds(&content.stamp, self.keeps_file(content))
        })
    }

    /// Configuration servers keep the domain file. So does who wrote the content, listed or not: when it struck itself off
    /// and stops, its file may be the only one.
    fn keeps_file(&self, content: &Content) -> bool {
        content.list.contains(&self.me) || content.stamp.writer == self.me
    }

    fn settled(&self, now: Tick) -> bool {
        now.since(self.started) >= self.timing.deadline
    }

    fn listed(&self) -> bool {
        self.content.as_ref().is_some_and(|content| content.list.contains(&self.me))
    }

    fn stamp(&self) -> Option<&Stamp> {
        self.content.as_ref().map(|content| &content.stamp)
    }

    // ---- events ----

    fn look_at_the_clock(&mut self, now: Tick) {
        if now.since(self.latest) >= self.timing.fence {
            // This server slept: what it knew of the others is worth nothing, and another one may act by now.
            self.step_down();
            self.started = now;
            self.heard.clear();
        }
        self.latest = now;
    }

    fn handle_message(&mut self, now: Tick, from: ServerName, message: Message) {
        match message {
            Message::Beat(peer) => {
                let known = self.heard.get(&from);
                let older = known.is_some_and(|heard| peer.incarnation < heard.peer.incarnation);
                if older {
                    return; // A word of an earlier life that was delayed.
                }
                let was_there = known.is_some_and(|heard| now.since(heard.at) < self.timing.deadline);
                self.highest_epoch = self.highest_epoch.max(peer.epoch);
                for name in peer.hears.iter().chain(peer.list.entries()).chain([&from]) {
                    self.know(name);
                }
                self.heard.insert(from.clone(), Heard { peer: *peer, at: now });
                if !was_there {
                    self.notice(Notice::Server { name: from, running: true });
                }
            }
            Message::Ask => {
                // Only what is on disk is given away: a copy must not be newer than its source after a crash.
                if let Some(content) = self.content.clone().filter(|_| self.whole && self.files_in_step()) {
                    self.commands.push_back(Command::Send { to: from, message: Message::Copy(content) });
                }
            }
            Message::Copy(copy) => self.handle_copy(now, &from, copy),
        }
    }

    fn know(&mut self, name: &ServerName) {
        if self.known.len() < SERVERS_KNOWN_MAX && *name != self.me && !self.known.contains(name) {
            self.known.insert(name.clone());
        }
    }

    fn handle_copy(&mut self, now: Tick, from: &ServerName, copy: Arc<Content>) {
        self.asked = None;
        if self.wants(now).as_ref() != Some(from) || (self.whole && self.stamp() == Some(&copy.stamp)) {
            return;
        }
        // One change of the files at a time, so that there is at most one content to keep aside.
        if let Some(mine) = self.content.clone().filter(|mine| mine.stamp != copy.stamp) {
            // Without its domain file a listed server is never in step, and has nothing to save either.
            let lacks_file = !self.whole && !self.saved.busy();
            if !lacks_file && (!self.files_in_step() || self.saved.busy() || self.pending.is_some()) {
                return;
            }
            if !copy.contains(&mine.stamp) {
                let problem = Problem::ConflictCopy { lost: mine.stamp.clone(), by: copy.stamp.clone() };
                self.notice(Notice::Problem(problem));
                self.conflict = Some(mine);
            }
        }
        self.notice(Notice::Content { stamp: copy.stamp.clone(), by: copy.done.last().copied() });
        self.highest_epoch = self.highest_epoch.max(copy.stamp.epoch);
        self.content = Some(copy);
        self.whole = true;
        self.claim = None;
    }

    fn handle_saved(&mut self, now: Tick, number: u64, done: bool) {
        if !self.saved.answered(number, done, Tick(now.0 + self.timing.beat)) {
            if !done {
                if let Some((request, content)) = self.pending.take() {
                    // It may be on disk. To go on with the old content would replace it without a copy.
                    self.content = Some(content);
                    self.answer(request, Answer::Unknown);
                }
                self.claim = None;
                self.notice(Notice::Problem(Problem::CannotSave));
            }
            return;
        }
        self.conflict = None;
        if let Some((request, content)) = self.pending.take() {
            let stamp = content.stamp.clone();
            self.content = Some(content);
            self.notice(Notice::Content { stamp: stamp.clone(), by: Some(request) });
            self.answer(request, if self.acting.is_some() { Answer::Done(stamp) } else { Answer::Unknown });
        }
        if let Some(epoch) = self.claim.take_if(|epoch| *epoch == self.saved.epoch()) {
            // What was heard in the meantime decides again: somebody better may be there.
            if self.may_act(now) && self.highest_epoch == epoch {
                self.acting = Some(epoch);
                self.fresh = false;
            } else if self.acting.is_some() {
                self.step_down();
            }
        }
        self.beat_next = now;
    }

    fn handle_request(&mut self, request: RequestId, epoch: Epoch, change: Change) {
        let waits = self.requests.iter().any(|(waiting, _)| *waiting == request);
        if waits || self.pending.as_ref().is_some_and(|(waiting, _)| *waiting == request) {
            return;
        }
        if self.acting != Some(epoch) {
            self.answer(request, Answer::NotMaster);
        } else if self.requests.len() >= REQUESTS_WAITING_MAX {
            self.answer(request, Answer::Busy);
        } else {
            self.requests.push_back((request, change));
        }
    }

    // ---- decisions ----

    fn decide(&mut self, now: Tick) {
        match self.acting {
            Some(epoch) => self.decide_as_master(now, epoch),
            None => self.decide_as_follower(now),
        }
        if let Some(source) = self.wants(now)
            && self.asked.is_none_or(|asked| now.since(asked) >= self.timing.answer)
        {
            self.asked = Some(now);
            self.commands.push_back(Command::Send { to: source, message: Message::Ask });
        }
        self.work(now);
        self.keep_files(now);
        self.tell_master(now);
        if now >= self.beat_next {
            self.beat(now);
        }
    }

    fn decide_as_master(&mut self, now: Tick, epoch: Epoch) {
        let my_rank = self.rank(now, &self.me);
        if let Some((rival, theirs, _)) = self.rival(now) {
            if self.rank(now, &rival) < my_rank {
                self.step_down(); // L8
                self.beat_next = now;
                return;
            }
            // The winner's epoch must be the greater one, or its later changes would look older.
            if theirs >= epoch {
                self.claim_epoch();
            }
        }
        if self.outgrown(epoch) {
            self.claim_epoch();
        }
        let in_step =
            |peer: &Peer| peer.ready && peer.acting.is_none() && peer.stamp.as_ref() == self.stamp();
        let heir = self.reached(now).find(|(name, peer)| self.rank(now, name) < my_rank && in_step(peer));
        if let Some(heir) = heir.map(|(name, _)| name.clone())
            && self.pending.is_none()
            && self.files_in_step()
        {
            self.step_down(); // L4
            self.yielded = Some((heir, now));
            self.beat_next = now;
        }
    }

    fn decide_as_follower(&mut self, now: Tick) {
        if let Some((_, _, master)) = self.rival(now) {
            self.vacant_since = None;
            self.yielded = None;
            self.claim = None;
            if master.stamp.as_ref() == self.stamp() {
                self.fresh = false;
                self.deferred_since = None;
            }
            return;
        }
        self.deferred_since = None;
        if !self.may_act(now) {
            self.vacant_since = None;
            return;
        }
        let since = *self.vacant_since.get_or_insert(now);
        let wait = (self.rank(now, &self.me) as u64).saturating_mul(self.timing.rank);
        if now.since(since) >= wait && self.claim.is_none() && !self.saved.busy() {
            // Saved before it is used: an epoch must not come twice (S11).
            self.claim_epoch();
        }
    }

    /// Whether the content is of a later epoch than this server acts in, or of another writer of the same one: it was taken
    /// from a server that returned. To write on in the old epoch would give two contents one stamp.
    fn outgrown(&self, epoch: Epoch) -> bool {
        self.stamp()
            .is_some_and(|stamp| stamp.epoch > epoch || (stamp.epoch == epoch && stamp.writer != self.me))
    }

    fn claim_epoch(&mut self) {
        if self.claim.is_none() {
            self.highest_epoch = self.highest_epoch.next();
            self.claim = Some(self.highest_epoch);
        }
    }

    /// L1, as far as this server sees.
    fn may_act(&self, now: Tick) -> bool {
        let my_rank = self.rank(now, &self.me);
        let yields = self.yielded.as_ref().is_some_and(|(_, since)| now.since(*since) < self.timing.deadline);
        my_rank != usize::MAX
            && !self.leaving
            && !yields
            && self.settled(now)
            && self.files_in_step()
            && self.wants(now).is_none()
            && self.reached(now).all(|(name, peer)| {
                (!peer.ready || self.rank(now, name) > my_rank)
                    && (peer.acting.is_none() || self.acting.is_some())
            })
    }

    /// Whose content this server must take, if anybody's.
    fn wants(&self, now: Tick) -> Option<ServerName> {
        // A content without its file is of no use when no acting master is there to complete it: any whole one is better.
        let mine = self.content.as_ref().filter(|_| self.whole || !self.settled(now));
        let newer = |peer: &Peer| {
            let theirs = peer.stamp.as_ref();
            // The writer breaks a tie: two sides of a split may count alike.
            theirs > mine.map(|mine| &mine.stamp)
                && theirs.is_some_and(|stamp| mine.is_none_or(|mine| !mine.contains(stamp)))
        };
        let newest = |only_fresh: bool| {
            self.reached(now)
                .filter(|(_, peer)| (peer.fresh || !only_fresh) && newer(peer) && peer.has_file)
                .max_by_key(|(_, peer)| peer.stamp.as_ref().map(Stamp::order))
                .map(|(name, _)| name.clone())
        };
        if self.acting.is_some() {
            return newest(true).filter(|_| self.pending.is_none());
        }
        let Some((master, _, peer)) = self.rival(now) else { return newest(false) };
        if peer.stamp.as_ref() == self.stamp() && (self.whole || !self.listed()) {
            return None;
        }
        // A returning server with the newer content waits for the acting master to ask for it, but not for ever: the
        // master may have struck it off the list.
        let mine_is_newer =
            self.fresh && self.stamp().map(Stamp::order) > peer.stamp.as_ref().map(Stamp::order);
        let waited = self.deferred_since.is_some_and(|since| now.since(since) >= self.timing.deadline);
        (!mine_is_newer || waited).then_some(master)
    }

    /// The next change of a program.
    fn work(&mut self, now: Tick) {
        if self.acting.is_none() {
            let waits = self.fresh && self.rival(now).is_some();
            if waits && self.deferred_since.is_none() {
                self.deferred_since = Some(now);
            }
            return;
        }
        if self.pending.is_some() || self.claim.is_some() || self.saved.busy() || !self.files_in_step() {
            return;
        }
        let (Some(epoch), Some(old)) = (self.acting, self.content.clone()) else { return };
        if self.outgrown(epoch) {
            return;
        }
        let Some((request, change)) = self.requests.pop_front() else { return };
        if old.has_done(request) {
            return self.answer(request, Answer::Done(old.stamp.clone()));
        }
        let mut running: BTreeSet<ServerName> = self.reached(now).map(|(name, _)| name.clone()).collect();
        running.insert(self.me.clone());
        let view = View { aliases: &self.aliases, running: &running };
        match old.changed(epoch, &self.me, request, &change, &view) {
            Ok(new) => self.pending = Some((request, Arc::new(new))),
            Err(refusal) => self.answer(request, Answer::Refused(refusal)),
        }
    }

    fn keep_files(&mut self, now: Tick) {
        let pending = self.pending.as_ref().map(|(_, content)| content);
        let Some(content) = pending.or(self.content.as_ref()).cloned() else { return };
        let epoch = self.claim.unwrap_or(self.saved.epoch()).max(self.acting.unwrap_or(Epoch(0)));
        let with_file = self.keeps_file(&content);
        if with_file && !self.whole {
            return; // It has no text to write.
        }
        let save = self.saved.save(now, &content, epoch, with_file, self.conflict.clone());
        self.commands.extend(save);
        // The acting master that was struck off by its own change stops when the change is safe.
        if self.acting.is_some() && self.pending.is_none() && !self.listed() {
            self.step_down();
            self.beat_next = now;
        }
    }

    fn beat(&mut self, now: Tick) {
        self.beat_next = Tick(now.0 + self.timing.beat);
        let hears = self.heard_at(now).map(|(name, _)| name.clone()).collect();
        let peer = Peer {
            incarnation: self.incarnation,
            acting: self.acting,
            epoch: self.highest_epoch,
            stamp: self.stamp().cloned(),
            list: self.content.as_ref().map(|content| content.list.clone()).unwrap_or_default(),
            has_file: self.whole && self.files_in_step(),
            ready: self.whole && self.settled(now) && self.files_in_step() && !self.leaving,
            fresh: self.fresh,
            hears,
        };
        let listed = self.content.iter().flat_map(|content| content.list.entries());
        self.known.extend(listed.filter(|name| **name != self.me).cloned());
        let to = self.known.clone();
        for to in to {
            self.commands.push_back(Command::Send { to, message: Message::Beat(Box::new(peer.clone())) });
        }
    }

    // ---- small steps ----

    fn step_down(&mut self) {
        self.acting = None;
        self.claim = None;
        self.vacant_since = None;
        for (request, _) in std::mem::take(&mut self.requests) {
            self.answer(request, Answer::NotMaster);
        }
    }

    fn answer(&mut self, request: RequestId, answer: Answer) {
        self.commands.push_back(Command::Answer { request, answer });
    }

    fn notice(&mut self, notice: Notice) {
        self.commands.push_back(Command::Notice(notice));
    }

    fn tell_master(&mut self, now: Tick) {
        let gone: Vec<ServerName> = self
            .heard
            .iter()
            .filter(|(_, heard)| now.since(heard.at) >= self.timing.deadline)
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            self.heard.remove(&name);
            self.notice(Notice::Server { name, running: false });
        }
        let acting = self.master(now);
        if acting != self.told_master {
            self.told_master.clone_from(&acting);
            self.notice(Notice::Master { acting });
        }
    }
}
