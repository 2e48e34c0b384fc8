//! What an operator learns: states for `ps`, one event per change.

use super::Engine;
use crate::error::Result;
use pollux_os::clock;
use pollux_wire::admin::Kept;
use pollux_wire::checkpoint::{Record, TurnKey};
use pollux_wire::control::{PairState, ToDaemon};
use pollux_wire::event::{Event, EventKind, Handover as Figures};
use pollux_wire::{ConnectionId, Epoch, OpenId, Phandle, SyncId};

/// How long after a new primary has spoken its event is written: requests sent again are counted until then.
const COUNT_RESENT_NS: u64 = 10_000_000;

/// A takeover or exchange of roles under way.
pub(super) struct Handover {
    cause: String,
    noticed_ns: u64,
    heard_ns: u64,
    pub(super) recorded_ns: Option<u64>,
    pub(super) requests_resent: u32,
    spoken: Option<Spoken>,
}

struct Spoken {
    at_ns: u64,
    epoch_before: Epoch,
    took_over: bool,
}

impl Engine {
    /// The other half is proven dead: the clock of a takeover starts, if this is a backup.
    pub(super) fn note_death(&mut self) {
        let Some(partner) = &self.partner else { return };
        if self.pair.is_primary() || self.handover.is_some() {
            return;
        }
        let (crashed, turn) = (partner.watch.crashed(), partner.watch.turn());
        let cause = if crashed { "the primary crashed" } else { "the primary is gone" };
        self.begin_handover(cause);
        if crashed && let Some(turn) = partner_turn(turn) {
            let crashes = self.replica.crashes_of(&turn).saturating_add(1);
            self.replica.apply(&Record::Suspected { turn, crashes }).expect("a suspect always fits");
        }
    }

    pub(super) fn note_switch(&mut self) {
        self.begin_handover("exchange of roles on request");
    }

    fn begin_handover(&mut self, cause: &str) {
        self.handover = Some(Handover {
            cause: cause.to_owned(),
            noticed_ns: clock::monotonic_ns(),
            heard_ns: self.partner_heard_ns,
            recorded_ns: None,
            requests_resent: 0,
            spoken: None,
        });
    }

    /// The new primary has spoken on every path.
    pub(super) fn note_speaking(&mut self, epoch: Epoch, took_over: bool) {
        if let Some(handover) = &mut self.handover {
            let epoch_before = Epoch(epoch.0 - 1);
            handover.spoken = Some(Spoken { at_ns: clock::monotonic_ns(), epoch_before, took_over });
        }
    }

    pub(super) fn report_handover(&mut self, now: u64) -> Result<()> {
        let due = |handover: &mut Handover| {
            handover.spoken.as_ref().is_some_and(|s| now >= s.at_ns + COUNT_RESENT_NS)
        };
        let Some(handover) = self.handover.take_if(due) else { return Ok(()) };
        let Some(spoken) = handover.spoken else { return Ok(()) };
        let since = |from: u64, to: u64| to.saturating_sub(from) / 1000;
        let figures = Figures {
            requests_resent: handover.requests_resent,
            openers: self.replica.opens.len() as u32,
            connections_kept: self.replica.connections.len() as u32,
            recorded_us: since(handover.noticed_ns, handover.recorded_ns.unwrap_or(handover.noticed_ns)),
            speaking_us: since(handover.noticed_ns, spoken.at_ns),
            silent_us: since(handover.heard_ns, spoken.at_ns),
        };
        let kind = if spoken.took_over { EventKind::Takeover } else { EventKind::Switchover };
        let epoch_after = spoken.epoch_before.next();
        self.report(kind, handover.cause, spoken.epoch_before, epoch_after, Some(figures))
    }

    pub(super) fn report_paired(&mut self, epoch: Epoch, backup: Phandle) -> Result<()> {
        let cause = format!("backup {backup} is in step");
        self.report(EventKind::Paired, cause, Epoch(epoch.0 - 1), epoch, None)
    }

    pub(super) fn report_alone(&mut self, epoch: Epoch, backup: Phandle) -> Result<()> {
        let cause = format!("backup {backup} is gone");
        self.report(EventKind::BackupRemoved, cause, Epoch(epoch.0 - 1), epoch, None)
    }

    pub(super) fn report_backup_failed(
        &mut self,
        error: u16,
        detail: u16,
        why: &str,
        waits: bool,
    ) -> Result<()> {
        if waits {
            // Known to everybody who looks at the CPUs; it is tried again when one comes up.
            return Ok(());
        }
        let epoch = self.pair.epoch();
        let cause = format!("{why} (error {error}, detail {detail})");
        pollux_os::say!("pollux: {}: no backup could be started: {cause}", self.name);
        self.report(EventKind::BackupFailed, cause, epoch, epoch, None)
    }

    pub(super) fn report_hung(&mut self, cause: String) -> Result<()> {
        let epoch = self.pair.epoch();
        self.report(EventKind::HungKilled, cause, epoch, epoch, None)
    }

    pub(super) fn report_quarantined(&mut self, cause: &str) -> Result<()> {
        let epoch = self.pair.epoch();
        pollux_os::say!("pollux: {}: {cause}; it is set aside", self.name);
        self.report(EventKind::Quarantined, cause.to_owned(), epoch, epoch, None)
    }

    /// Reports an event of the program's own.
    pub(crate) fn report_own(&mut self, kind: EventKind, cause: String) -> Result<()> {
        let epoch = self.pair.epoch();
        self.report(kind, cause, epoch, epoch, None)
    }

    /// Tells the daemon what this half supervises.
    pub(crate) fn report_kept(&mut self, kept: Kept) -> Result<()> {
        self.daemon.send(&ToDaemon::Keeps { kept }, Vec::new())
    }

    fn report(
        &mut self,
        kind: EventKind,
        cause: String,
        epoch_before: Epoch,
        epoch_after: Epoch,
        handover: Option<Figures>,
    ) -> Result<()> {
        let event = Event {
            at_unix_ms: 0,
            kind,
            cpu: self.me.cpu,
            name: Some(self.name.clone()),
            phandle: Some(self.me),
            epoch_before,
            epoch_after,
            cause,
            handover,
        };
        self.daemon.send(&ToDaemon::Report { event }, Vec::new())
    }

    /// Tells the daemon where this half stands, when that has changed.
    pub(super) fn report_state(&mut self) {
        let (state, epoch) = (self.pair.state(), self.pair.epoch());
        // A takeover is over before anybody could look, and its daemon has better to do meanwhile.
        if self.reported == Some((state, epoch))
            || state == PairState::TakingOver
            || self.answers_first_until_ns.is_some()
        {
            return;
        }
        self.reported = Some((state, epoch));
        let backup = match state {
            PairState::Paired | PairState::Syncing | PairState::Switching => self.pair.partner(),
            _ => None,
        };
        let lag_bytes = self.partner.as_ref().map_or(0, |partner| partner.channel.queued_bytes() as u64);
        // A daemon that is gone is noticed by the loop.
        let _ = self.daemon.send(&ToDaemon::State { state, epoch, backup, lag_bytes }, Vec::new());
    }
}

fn partner_turn(turn: pollux_os::Turn) -> Option<TurnKey> {
    match turn.kind {
        1 => Some(TurnKey::Request { open: OpenId(turn.a), sync: SyncId(turn.b) }),
        2 => Some(TurnKey::Input { connection: ConnectionId(turn.a), offset: turn.b }),
        _ => None,
    }
}
