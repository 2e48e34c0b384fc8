//! The commands of the pair machine: a backup is asked for, roles are taken and given away, the process ends.

use super::{Engine, FIRST_ANSWERS_NS, Promoted, TOKEN_LINE, rings};
use crate::error::{Context, Result};
use pollux_core::pair::{Command, End, Event as PairEvent, Handled};
use pollux_os::points::{self, Mark, Subject};
use pollux_os::{Interest, Signal, clock};
use pollux_wire::checkpoint;
use pollux_wire::control::{Change, ToDaemon};
use pollux_wire::{CheckpointNumber, Epoch, Wire};
use std::os::fd::OwnedFd;
use std::process;

impl Engine {
    pub(super) fn ask_for_backup(&mut self) -> Result<()> {
        let request = self.daemon.next_request();
        self.daemon.send(&ToDaemon::StartBackup { request, cpu: None }, Vec::new())
    }

    pub(super) fn ask_to_stop(&mut self) -> Result<()> {
        self.pair_event(PairEvent::StopWanted)?;
        self.run_commands()
    }

    /// Feeds the pair machine; what cannot happen stops the process, so that the other half goes on with good state.
    pub(super) fn pair_event(&mut self, event: PairEvent) -> Result<()> {
        if let Handled::Impossible(why) = self.pair.handle(event) {
            panic!("the pair is {}: {why}", self.pair.state());
        }
        Ok(())
    }

    pub(super) fn run_commands(&mut self) -> Result<()> {
        while let Some(command) = self.pair.poll_command() {
            match command {
                Command::StartBackup if self.answers_first_until_ns.is_some() => self.backup_wanted = true,
                Command::StartBackup => self.ask_for_backup()?,
                Command::SendState { .. } => self.begin_state()?,
                Command::TellInStep { number } => {
                    self.tell_partner(checkpoint::IN_STEP, |out| number.put(out))
                }
                Command::Record(change) => self.ask_for_change(change)?,
                Command::RecordLater(change) => self.change_later = Some(change),
                Command::TellOnRecord { epoch } => {
                    self.tell_partner(checkpoint::ON_RECORD, |out| epoch.put(out))
                }
                Command::KillPartner => self.kill_partner()?,
                Command::DropPartner => self.drop_partner(),
                Command::Quiesce => self.quiesce(),
                Command::Resume => self.resume()?,
                Command::Promote { epoch, took_over } => self.promote(epoch, took_over)?,
                Command::Probe => self.probe_partner(),
                Command::Demote { .. } => self.demote(),
                Command::OrderSwitch { epoch } => {
                    self.tell_partner(checkpoint::SWITCH, |out| epoch.put(out));
                    self.say_demoted();
                }
                Command::OrderEnd => self.tell_partner(checkpoint::END, |_| {}),
                Command::ReportPaired { epoch, backup } => {
                    points::pass(Mark::Whole, Subject::of(0, epoch.0, &[]));
                    self.report_paired(epoch, backup)?;
                    self.offer_partner_ring();
                }
                Command::ReportAlone { epoch, backup } => {
                    points::pass(Mark::Alone, Subject::of(0, epoch.0, &[]));
                    self.report_alone(epoch, backup)?;
                }
                Command::ReportNotSwitched { why } => {
                    pollux_os::say!("pollux: {}: not switched: {why}", self.name)
                }
                Command::End(End::Stopped) => self.stopped = true,
                Command::End(why) => self.end_process(why),
            }
        }
        Ok(())
    }

    pub(super) fn end_process(&self, why: End) -> ! {
        let text = match why {
            End::Superseded => "the record names another primary",
            End::Incomplete => "the primary ended before this backup had the whole state",
            End::Stopped => "the pair has stopped",
        };
        pollux_os::say!("pollux: {} ({}): {text}; this process ends", self.name, self.me);
        process::exit(1);
    }

    pub(super) fn ask_for_change(&mut self, change: Change) -> Result<()> {
        let request = self.daemon.next_request();
        self.pending_change = Some((request, change.clone()));
        self.daemon.ask_for_change(request, change)
    }

    /// This half may have to take over from here on: what can be done now need not be done while a requester waits.
    pub(super) fn prepare_takeover(&mut self) {
        if let Some(change) = self.pair.takeover() {
            self.daemon.prepare(change);
        }
        // Without that it takes longer.
        let _ = pollux_os::make_code_present();
    }

    /// The daemon has given a line for takeovers.
    pub(super) fn take_takeover_line(&mut self, descriptors: Vec<OwnedFd>) -> Result<()> {
        let Some(socket) = descriptors.into_iter().next() else { return Ok(()) };
        let line = self.daemon.take_line(socket);
        self.poller.add(line, TOKEN_LINE, Interest::READ).context("watch the takeover line")
    }

    /// Takes in what has come over it. When it ends without an answer the question is asked again where the others are.
    pub(super) fn read_takeover_line(&mut self) {
        if !self.daemon.fill_line()
            && let Some((_, change)) =
                self.pending_change.take_if(|(_, change)| matches!(change, Change::TakeOver { .. }))
        {
            self.change_later = Some(change);
        }
    }

    pub(super) fn tell_partner(&mut self, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(partner) = &mut self.partner {
            partner.channel.queue(kind, write);
            // A failed send means that it dies: the bell tells.
            let _ = partner.channel.flush();
        }
    }

    pub(super) fn kill_partner(&mut self) -> Result<()> {
        let Some(partner) = &self.partner else { return Ok(()) };
        let cause = format!("the other half ({}) does not acknowledge; it is killed", partner.phandle);
        pollux_os::signal(&partner.pidfd, Signal::KILL).context("kill the other half")?;
        pollux_os::say!("pollux: {}: {cause}", self.name);
        self.report_hung(cause)
    }

    pub(super) fn drop_partner(&mut self) {
        if let Some(partner) = self.partner.take() {
            if !partner.watch.is_dead() {
                // Off record and not wanted any more: it must not linger.
                let _ = pollux_os::signal(&partner.pidfd, Signal::KILL);
                partner.watch.retire();
            }
            // What it leaves is cleared away when there is time: what follows may be a takeover.
            self.dropped = Some(partner);
        }
        self.state_to_send = None;
    }

    /// Looks no more at the channel of the other half that was dropped. Its memory and descriptors go later.
    pub(super) fn bury_dropped(&mut self) {
        if let Some(partner) = self.dropped.take() {
            rings::unwatch(&self.poller, &partner.channel);
            rings::unwatch(&self.backup_poller, &partner.channel);
            self.buried.push(partner);
        }
    }

    /// Takes nothing in any more, so that no checkpoint is made until the roles are exchanged; what is in hand is finished.
    pub(super) fn quiesce(&mut self) {
        self.quiescing = true;
        self.unwatch_paths();
    }

    /// The roles stay as they are: takes in what has come meanwhile.
    pub(super) fn resume(&mut self) -> Result<()> {
        self.quiescing = false;
        self.watch_paths()?;
        self.read_all_sockets();
        Ok(())
    }

    /// Begins to speak as the primary.
    pub(super) fn promote(&mut self, epoch: Epoch, took_over: bool) -> Result<()> {
        (self.number, self.applied) = (CheckpointNumber(0), CheckpointNumber(0));
        self.quiescing = false;
        self.speak_on_all_paths(epoch)?;
        self.resume_connections();
        self.resume_links()?;
        self.learn_acceptors();
        self.start_missing_acceptors()?;
        self.watch_all_local()?;
        self.note_speaking(epoch, took_over);
        if took_over {
            points::pass(Mark::TookOver, Subject::of(0, epoch.0, &[]));
        }
        let now = clock::monotonic_ns();
        self.promoted = Some(Promoted { at_ns: now, took_over });
        self.answers_first_until_ns = Some(now + FIRST_ANSWERS_NS);
        self.promotions += 1;
        // A program that wants ticks learns with the first one that it is the primary again.
        self.next_user_tick_ns = now;
        Ok(())
    }

    /// Falls silent: the other half is the primary on record.
    pub(super) fn demote(&mut self) {
        assert!(self.outputs.is_empty(), "S5: nothing is held when the roles are exchanged");
        (self.number, self.applied) = (CheckpointNumber(0), CheckpointNumber(0));
        self.ready.clear();
        self.quiescing = false;
        self.silence_paths();
        self.silence_connections();
        self.unwatch_held();
        self.unwatch_all_local();
        self.links.clear();
        self.prepare_takeover();
    }

    pub(super) fn tell_when_drained(&mut self) -> Result<()> {
        if self.quiescing
            && self.in_hand == 0
            && self.batch.is_empty()
            && self.outputs.is_empty()
            && !self.awaiting()
        {
            self.pair_event(PairEvent::Drained)?;
            self.run_commands()?;
        }
        Ok(())
    }

    pub(super) fn awaiting(&self) -> bool {
        self.pair.checkpoints() && !self.pair.gate().admits(self.number)
    }
}
