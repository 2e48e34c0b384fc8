//! The other CPUs: connecting to them, watching that they live, and what they say.
//!
//! A CPU that comes up calls all that were up before it; those that come later call it. So each two CPUs have one
//! connection, and when a race makes two, both sides keep the one that the higher number has made.
//!
//! A peer is dead when its life page or its pidfd says so, and only then ([`pollux_core::regroup`]). An older CPU that
//! cannot be reached because nobody listens is dead, too: a daemon listens before it is on record as up. One that lets
//! us connect and says nothing is hung: nobody else may be there to find out, so we kill it.

use crate::children::StartFailure;
use crate::daemon::{CLOSED, Daemon, peer_token};
use crate::endings::Stopper;
use crate::limits::{CALL_RETRY_TICKS, CALL_TICKS_MIN, LOST_LINK_TICKS_MAX, TICK_MS};
use crate::links::{LinkId, Role};
use crate::opens::PathOrigin;
use crate::process::{Origin, WaitingPath};
use pollux_core::regroup::{Command, Event};
use pollux_os::clock::monotonic_ns;
use pollux_os::{Interest, LifeWatch, Pid, Signal, connect_unix, peer_credentials, signal, wait_gone};
use pollux_wire::control::ToProcess;
use pollux_wire::event::EventKind;
use pollux_wire::limits::PROTOCOL_VERSION;
use pollux_wire::mesh::{MESH, ToPeer};
use pollux_wire::record::{CpuRecord, CpuState};
use pollux_wire::system::SystemMessage;
use pollux_wire::{CpuNumber, Epoch, Phandle};
use rustix::process::{PidfdFlags, pidfd_open};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// A CPU that is up.
#[derive(Debug)]
pub(crate) struct Peer {
    /// None after its connection broke, until its death is proven.
    pub(crate) link: Option<LinkId>,
    pub(crate) epoch: Epoch,
    /// True when it said that it goes down.
    pub(crate) leaving: bool,
    /// When it said hello.
    pub(crate) up_ns: u64,
    /// Which of the two made the connection.
    caller: CpuNumber,
    life: Arc<LifeWatch>,
    pidfd: OwnedFd,
    /// Own tick in which its connection broke.
    lost_tick: Option<u64>,
}

impl Peer {
    /// True when processes can be started there.
    pub(crate) fn is_usable(&self) -> bool {
        self.link.is_some() && !self.leaving
    }
}

/// An older CPU that is being called.
#[derive(Debug)]
pub(crate) struct Call {
    epoch: Epoch,
    link: Option<LinkId>,
    since_tick: u64,
    retry_tick: u64,
    failures: u64,
}

impl Daemon {
    /// The own CPU is on record as up: `older` were before it.
    pub(crate) fn come_up(&mut self, older: &[CpuRecord]) {
        let (cpu, epoch) = (self.cpu(), self.epoch);
        let processors = &self.own_processors;
        tracing::info!(%cpu, epoch = epoch.0, ?processors, "{} up", self.arguments.node);
        self.report(EventKind::CpuUp, (None, None), (Epoch(epoch.0 - 1), epoch), "started");
        self.survey();
        for record in older {
            let call = Call { epoch: record.epoch, link: None, since_tick: 0, retry_tick: 0, failures: 0 };
            self.calls.insert(record.cpu, call);
        }
        self.make_calls();
    }

    /// Connects to the older CPUs that have not said hello.
    pub(crate) fn make_calls(&mut self) {
        let (ticks, mut due, mut mute) = (self.ticks, Vec::new(), Vec::new());
        let patience = (u64::from(self.arguments.sick_after_ms) / TICK_MS).max(CALL_TICKS_MIN);
        for (cpu, call) in &self.calls {
            match call.link {
                None if ticks >= call.retry_tick => due.push(*cpu),
                Some(link) if ticks - call.since_tick > patience => mute.push((*cpu, link)),
                _ => {}
            }
        }
        for cpu in due {
            self.call(cpu);
        }
        for (cpu, link) in mute {
            self.kill_mute(cpu, link);
        }
    }

    fn call(&mut self, cpu: CpuNumber) {
        let Some(epoch) = self.calls.get(&cpu).map(|call| call.epoch) else { return };
        let connected = connect_unix(&self.arguments.socket_of(cpu)).and_then(|fd| {
            let who = peer_credentials(&fd)?;
            self.add_link(fd, Role::Called(cpu), (who.uid, who.pid.cast_unsigned()))
        });
        match connected {
            Ok(link) => {
                let ticks = self.ticks;
                if let Some(call) = self.calls.get_mut(&cpu) {
                    (call.link, call.since_tick) = (Some(link), ticks);
                }
                self.say_hello(link);
            }
            // It listens before it is on record: so it is dead, and with it the processes of that epoch.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                tracing::warn!(%cpu, epoch = epoch.0, "on record as up, but nobody listens: {error}");
                self.calls.remove(&cpu);
                self.record_loss(cpu, epoch, false);
            }
            Err(error) => {
                tracing::error!(%cpu, "cannot be called: {error}");
                self.call_later(cpu);
            }
        }
    }

    fn call_later(&mut self, cpu: CpuNumber) {
        let ticks = self.ticks;
        if let Some(call) = self.calls.get_mut(&cpu) {
            call.link = None;
            call.failures = (call.failures + 1).min(50);
            call.retry_tick = ticks + CALL_RETRY_TICKS * call.failures;
        }
    }

    /// A called CPU ended the connection before it said hello.
    pub(crate) fn handle_call_ended(&mut self, cpu: CpuNumber, link: LinkId, why: &str) {
        if self.calls.get(&cpu).is_none_or(|call| call.link != Some(link)) {
            return;
        }
        tracing::info!(%cpu, "said no hello: {why}");
        self.call_later(cpu);
        self.clerk.ask(crate::clerk::Job::LookAtCpu { cpu });
    }

    /// What a CPU that said no hello is on record as.
    pub(crate) fn handle_cpu_looked_at(
        &mut self,
        cpu: CpuNumber,
        found: Result<Option<CpuRecord>, pollux_coordinator::Error>,
    ) {
        let Some(call) = self.calls.get(&cpu) else { return };
        if let Ok(found) = found {
            let same = found.is_some_and(|record| record.state == CpuState::Up && record.epoch == call.epoch);
            if !same {
                // Down, or up again: then it is the younger one and calls us.
                self.calls.remove(&cpu);
            }
        }
    }

    /// A called CPU accepts and says nothing: it is hung, and holds its names.
    fn kill_mute(&mut self, cpu: CpuNumber, link: LinkId) {
        let Some(found) = self.links.get_mut(link) else { return };
        let pid = i32::try_from(found.pid).ok().and_then(Pid::from_raw);
        let pidfd = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        // As long as the connection is open its process lives, so the number is still its own.
        if self.read_link(link).is_some() {
            return self.close_link(link, CLOSED);
        }
        if let Some(pidfd) = pidfd {
            tracing::error!(%cpu, ?pid, "says no hello and counts as hung: killed");
            if let Err(error) = signal(pidfd, Signal::KILL) {
                tracing::error!(%cpu, "cannot be killed: {error}");
            }
        }
        self.close_link(link, "it was killed as hung");
    }

    fn say_hello(&mut self, link: LinkId) {
        let descriptors = self.life_page.share().and_then(|page| Ok(vec![page, self.own_pidfd.try_clone()?]));
        match descriptors {
            Ok(descriptors) => {
                let (cpu, epoch) = (self.cpu(), self.epoch);
                let hello = ToPeer::Hello { version: PROTOCOL_VERSION, cpu, epoch };
                self.links.send(link, MESH, descriptors, &hello);
            }
            Err(error) => self.fail_link(link, format!("hello cannot be said: {error}")),
        }
    }

    /// A frame of a peer.
    pub(crate) fn handle_mesh(&mut self, link: LinkId, message: ToPeer, mut descriptors: Vec<OwnedFd>) {
        let Some(role) = self.links.get_mut(link).map(|link| &link.role) else { return };
        let from = match (role, &message) {
            (Role::Unknown | Role::Called(_), ToPeer::Hello { version, cpu, epoch }) => {
                let (version, cpu, epoch) = (*version, *cpu, *epoch);
                let called = match role {
                    Role::Called(called) => Some(*called),
                    _ => None,
                };
                if let Err(why) = self.handle_hello(link, called, version, cpu, epoch, descriptors) {
                    self.fail_link(link, why);
                }
                return;
            }
            (Role::Peer(cpu), message) if !matches!(message, ToPeer::Hello { .. }) => *cpu,
            _ => return self.fail_link(link, "it said hello twice, or something else first"),
        };
        match message {
            ToPeer::Hello { .. } => {}
            ToPeer::StartBackup { request, name, primary, epoch, incarnation, spec } => {
                let order = crate::backups::BackupOrder { request, name, primary, epoch, incarnation, spec };
                self.handle_backup_order(from, order, descriptors);
            }
            ToPeer::BackupStarted { request, backup, error, detail, why } => {
                let failure = StartFailure { error, detail, why };
                self.handle_backup_started(from, request, backup, failure, descriptors);
            }
            ToPeer::Path { request, to, open, opener, again, epoch } => match descriptors.pop() {
                Some(path) => {
                    let origin = PathOrigin::Peer { cpu: from, request };
                    self.take_path(to, WaitingPath { origin, open, opener, again, epoch, path });
                }
                None => self.fail_link(link, "it sent a path without its descriptor"),
            },
            ToPeer::PathDone { request, error } => self.handle_path_done(from, request, error),
            ToPeer::PartnerGone { to, dead, cause } => self.handle_partner_gone(to, dead, &cause),
            ToPeer::System { to, message } => self.tell_or_keep(to, ToProcess::System { message }),
            ToPeer::GoingDown {} => {
                tracing::info!(cpu = %from, "goes down on purpose");
                if let Some(peer) = self.peers.get_mut(&from) {
                    peer.leaving = true;
                }
                self.regroup.handle(Event::PeerLeaving { cpu: from });
                self.go_on_leaving();
            }
            ToPeer::Changed { name, change } => tracing::debug!(%name, cpu = %from, "changed: {change:?}"),
            ToPeer::StartProcess { request, order } => {
                self.handle_start_order(from, request, order, descriptors);
            }
            ToPeer::ProcessStarted { request, process, error, detail, why } => {
                let failure = StartFailure { error, detail, why };
                self.handle_process_started(from, request, process, failure);
            }
            ToPeer::RecordChanged { to, record } => self.take_record(to, &record),
            ToPeer::StopProcess { request, target, abend, by, quietly } => {
                let why = match by {
                    Some(by) => format!("stopped by process {by}"),
                    None => "stopped by a command".to_owned(),
                };
                let stopper = Stopper { abend, killer: by, switch: false, why };
                self.take_stop(target, stopper, quietly, Origin::Peer { cpu: from, request });
            }
            ToPeer::ProcessStopped { request, error } => self.handle_process_stopped(from, request, error),
            ToPeer::Query { request, query } => {
                self.handle_query(Origin::Peer { cpu: from, request }, query);
            }
            ToPeer::Answer { request, answer } => self.handle_answer(from, request, answer),
            ToPeer::BecomeMomOf { request, child, mom } => {
                let error = self.take_mom(child, mom);
                self.answer_error(Origin::Peer { cpu: from, request }, error);
            }
        }
    }

    fn handle_hello(
        &mut self,
        link: LinkId,
        called: Option<CpuNumber>,
        version: u16,
        cpu: CpuNumber,
        epoch: Epoch,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), String> {
        if version != PROTOCOL_VERSION {
            return Err(format!(
                "CPU {cpu} speaks version {version} of the protocol, this one {PROTOCOL_VERSION}: run the same Pollux in all CPUs"
            ));
        }
        if cpu == self.cpu() || cpu.get() >= self.arguments.cpus || called.is_some_and(|called| called != cpu)
        {
            return Err(format!("it says that it is CPU {cpu}, which it cannot be"));
        }
        let [life_page, pidfd] =
            <[OwnedFd; 2]>::try_from(descriptors).map_err(|_| "Hello carries two descriptors".to_owned())?;
        let caller = if called.is_some() { self.cpu() } else { cpu };
        match self.peers.get_mut(&cpu) {
            Some(known) if known.epoch > epoch => return Err(format!("CPU {cpu} has a newer epoch")),
            Some(known) if known.epoch < epoch => self.peer_dead(cpu),
            Some(known) => {
                if let Some(other) = known.link {
                    let higher = cpu.max(self.arguments.cpu);
                    if caller != higher || known.caller == higher {
                        return Err(format!("CPU {cpu} is connected already"));
                    }
                    self.links.close(&self.poller, other);
                }
                known.link = Some(link);
                known.caller = caller;
                known.lost_tick = None;
                self.keep_peer_link(link, cpu, called.is_none());
                self.ask_fates_again(cpu);
                return Ok(());
            }
            None => {}
        }
        let error = |what: &str| {
            let what = what.to_owned();
            move |error: io::Error| format!("the {what} of CPU {cpu} cannot be watched: {error}")
        };
        let life = Arc::new(LifeWatch::open(life_page).map_err(error("life page"))?);
        self.poller.add(&pidfd, peer_token(cpu), Interest::READ).map_err(error("pidfd"))?;
        let bell = Arc::clone(&self.deaths);
        Arc::clone(&life).on_death(&format!("watch-{cpu}"), bell).map_err(error("life page"))?;
        let (link, up_ns) = (Some(link), monotonic_ns());
        let peer = Peer { link, epoch, leaving: false, up_ns, caller, life, pidfd, lost_tick: None };
        self.peers.insert(cpu, peer);
        if let Some(link) = link {
            self.keep_peer_link(link, cpu, called.is_none());
        }
        tracing::info!(%cpu, epoch = epoch.0, "connected");
        self.calls.remove(&cpu);
        for start in self.cpu_starts.iter_mut().filter(|start| start.cpu == cpu) {
            start.was_up = true;
        }
        self.regroup.handle(Event::PeerUp { cpu });
        if self.leaving.is_some() {
            self.send_peer(cpu, Vec::new(), &ToPeer::GoingDown {});
        }
        self.ask_fates_again(cpu);
        // Names whose other half was in an earlier epoch of that CPU.
        self.survey();
        self.look_for_dead_peers();
        Ok(())
    }

    fn keep_peer_link(&mut self, link: LinkId, cpu: CpuNumber, answer: bool) {
        if let Some(found) = self.links.get_mut(link) {
            found.role = Role::Peer(cpu);
        }
        if answer {
            self.say_hello(link);
        }
    }

    /// The connection of a peer broke. That proves nothing: its death does.
    pub(crate) fn handle_peer_unlinked(&mut self, cpu: CpuNumber, link: LinkId, why: &str) {
        let ticks = self.ticks;
        match self.peers.get_mut(&cpu) {
            Some(peer) if peer.link == Some(link) => {
                tracing::debug!(%cpu, epoch = peer.epoch.0, "its connection broke: {why}");
                peer.link = None;
                peer.lost_tick = Some(ticks);
                self.fail_requests_to(cpu);
            }
            _ => {}
        }
        self.look_for_dead_peers();
    }

    /// A watch thread rang.
    pub(crate) fn look_for_dead_peers(&mut self) {
        let dead: Vec<CpuNumber> =
            self.peers.iter().filter(|(_, peer)| peer.life.is_dead()).map(|(cpu, _)| *cpu).collect();
        for cpu in dead {
            self.peer_dead(cpu);
        }
    }

    /// The pidfd of a peer is readable.
    pub(crate) fn handle_peer_pidfd(&mut self, cpu: CpuNumber) {
        let gone = |peer: &Peer| wait_gone(&peer.pidfd, Duration::ZERO).unwrap_or(false);
        if self.peers.get(&cpu).is_some_and(gone) {
            self.peer_dead(cpu);
        }
    }

    /// A peer is proven dead.
    fn peer_dead(&mut self, cpu: CpuNumber) {
        // What it had said is taken in first: that it goes on purpose, for one thing.
        if let Some(link) = self.peers.get(&cpu).and_then(|peer| peer.link) {
            let _ = self.read_link(link);
        }
        let Some(peer) = self.peers.remove(&cpu) else { return };
        if peer.leaving {
            tracing::info!(%cpu, epoch = peer.epoch.0, "gone on purpose");
        } else {
            tracing::warn!(%cpu, epoch = peer.epoch.0, "dead");
        }
        // Its other threads may have a moment left.
        let _ = signal(&peer.pidfd, Signal::KILL);
        let _ = self.poller.remove(&peer.pidfd);
        if let Some(link) = peer.link {
            self.links.close(&self.poller, link);
        }
        self.lost_epochs.insert(cpu, peer.epoch);
        self.fail_requests_to(cpu);
        self.note_uptime(cpu, monotonic_ns().saturating_sub(peer.up_ns) / 1_000_000);
        self.regroup.handle(Event::PeerDead { cpu });
    }

    /// Counts the peers' beats and looks after broken connections; once per tick.
    pub(crate) fn watch_peers(&mut self) {
        let ticks = self.ticks;
        let mut lost = Vec::new();
        for (cpu, peer) in &self.peers {
            self.regroup.handle(Event::Beat { cpu: *cpu, count: peer.life.beats() });
            let broken = peer.lost_tick.is_some_and(|since| ticks - since > LOST_LINK_TICKS_MAX);
            // One of the two, or each would kill the other.
            if broken && *cpu > self.arguments.cpu {
                lost.push(*cpu);
            }
        }
        for cpu in lost {
            self.kill_peer(cpu, "lives without a connection");
        }
    }

    /// Does what the regroup has decided.
    pub(crate) fn follow_regroup(&mut self) {
        while let Some(command) = self.regroup.poll_command() {
            match command {
                Command::Kill { cpu } => self.kill_peer(cpu, "does not beat and counts as hung"),
                Command::AnnounceUp { cpu } => self.announce_up(cpu),
                Command::AnnounceDown { cpu } => self.announce_down_later(cpu),
                Command::RecordLoss { cpu, on_purpose } => match self.lost_epochs.remove(&cpu) {
                    Some(epoch) => self.record_loss(cpu, epoch, on_purpose),
                    None => self.announce_down(cpu),
                },
            }
        }
    }

    fn kill_peer(&mut self, cpu: CpuNumber, why: &str) {
        let Some(peer) = self.peers.get(&cpu) else { return };
        tracing::error!(%cpu, epoch = peer.epoch.0, "{why}: killed");
        if let Err(error) = signal(&peer.pidfd, Signal::KILL) {
            tracing::error!(%cpu, "cannot be killed: {error}");
        }
    }

    pub(crate) fn tell_all(&mut self, message: &SystemMessage) {
        let handles: Vec<Phandle> = self.processes.handles().into_iter().collect();
        for process in handles {
            let message = ToProcess::System { message: message.clone() };
            // A created process is waited for; other programs may never attach.
            match self.processes.get(process).is_some_and(|process| process.family.creator.is_some()) {
                true => self.tell_or_keep(process, message),
                false => self.tell(process, &message),
            }
        }
    }
}
