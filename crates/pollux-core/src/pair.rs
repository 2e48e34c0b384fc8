//! Decides the role of one half of a process pair.
//!
//! What it decides: when to start a backup, when the backup counts, when outputs may leave, when to take over,
//! when a primary may go on alone, how roles are exchanged. What it does not: it detects nothing (deaths and
//! time are events), records nothing (a change of the record is asked for and its outcome is an event), moves no state.
//!
//! ```text
//!               start           state sent        acknowledged, recorded
//!   Alone ----------------> Syncing ----------> Joining ----------> Paired <--------+
//!     ^  ^------------------- backup dies -------'  |                 |  ^           |
//!     |                                             v                 |  | not done  | order
//!     +------------- removal recorded ---------- Removing <-----------+  |           |
//!     |                                             backup dies       v  |           |
//!     |                                                            Switching         |
//!     |    takeover recorded              primary dies                | recorded     |
//!     +-------------------- TakingOver <------------------ Following <+--------------+
//!                                                             ^ in step
//!                                                          Loading
//! ```
//!
//! Invariants kept here: S5 (the [`Gate`] is open only in states whose record has no backup), S6 (`Alone` is
//! entered only by a recorded change or by a backup that never was on record), S1 (a process that learns that the
//! record names another primary ends), S2 (`Loading` never takes over).

use crate::output::Gate;
use pollux_wire::control::{Change, PairState, Recorded};
use pollux_wire::{CheckpointNumber, Epoch, Phandle};
use std::collections::VecDeque;

/// Own ticks without progress of the acknowledgement after which a backup counts as hung. A tick is one turn of the
/// primary's own timer, so that time in which the primary itself could not run is not held against the backup.
pub const SILENT_TICKS_MAX: u32 = 25;
/// Ticks before the n-th start of a backup after failures: an incurable program must not be started in a loop (L6).
const START_PAUSE_TICKS: [u32; 6] = [0, 2, 5, 20, 50, 100];

/// What a half of a pair is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// The backup process runs and its channel is there.
    BackupStarted {
        /// The new process.
        backup: Phandle,
    },
    /// It could not be started.
    BackupFailed {
        /// True when there is no place for it until a CPU comes up.
        wait_for_cpu: bool,
    },
    /// A CPU came up.
    CpuUp,
    /// The whole state has been sent; with everything up to this checkpoint the backup is in step.
    StateSent {
        /// The last part of the state.
        number: CheckpointNumber,
    },
    /// The backup has applied everything up to this checkpoint.
    Acknowledged {
        /// The last one applied.
        number: CheckpointNumber,
    },
    /// The last checkpoint that was sent; the acknowledgement is awaited up to here.
    Sent {
        /// The last one sent.
        number: CheckpointNumber,
    },
    /// One own tick has passed.
    Tick,
    /// This process is proven dead, and everything it had sent has been taken in before this event.
    PartnerDead {
        /// Who is dead.
        partner: Phandle,
    },
    /// What became of the change asked for last.
    Recorded(Recorded),
    /// An operator wants the roles exchanged.
    SwitchWanted,
    /// Nothing is in hand, everything is acknowledged and has left: the roles can be exchanged.
    Drained,
    /// From the primary: the state is complete.
    InStep,
    /// From the primary: this backup is on record.
    OnRecord {
        /// Since when.
        epoch: Epoch,
    },
    /// From the primary: the roles are exchanged on record.
    SwitchOrdered {
        /// Since when.
        epoch: Epoch,
    },
    /// From the primary: the pair stops.
    EndOrdered,
    /// The program or an operator wants the pair to stop.
    StopWanted,
}

/// What the process that runs the machine must do, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// Ask the daemon for a backup process in another CPU.
    StartBackup,
    /// Begin to send the whole state to the new backup, then report [`Event::StateSent`].
    SendState {
        /// The new backup.
        backup: Phandle,
    },
    /// Tell the backup that it is in step. AFTER the last part of the state, BEFORE the record names it.
    TellInStep {
        /// The last part of the state.
        number: CheckpointNumber,
    },
    /// Ask for a change of the record; its outcome comes as [`Event::Recorded`].
    Record(Change),
    /// Ask again for the same change a little later: the coordinator could not be reached.
    RecordLater(Change),
    /// Tell the backup that it is on record.
    TellOnRecord {
        /// Since when.
        epoch: Epoch,
    },
    /// Kill the other half through its pidfd; its death comes as [`Event::PartnerDead`].
    KillPartner,
    /// Forget the other half and its channel. No checkpoint is made from here on.
    DropPartner,
    /// Stop taking input; report [`Event::Drained`] when all is acknowledged and has left.
    Quiesce,
    /// Take input again.
    Resume,
    /// Speak as primary from this epoch on: TAKEOVER on every path, streams brought to their positions.
    /// Input is taken again, also if this process was quiesced when it was demoted.
    Promote {
        /// Since when.
        epoch: Epoch,
        /// True when the other half is dead; otherwise the roles were exchanged and it is the backup.
        took_over: bool,
    },
    /// Checkpoint nothing. The acknowledgement says that the old primary is a backup that works: one that hangs before it has
    /// told its openers is found like any other that does not acknowledge (L3).
    Probe,
    /// Be a backup from here on. BEFORE the order to the other half is sent nothing of this process may leave any more.
    Demote {
        /// Since when.
        epoch: Epoch,
    },
    /// Tell the other half that it is the primary. AFTER the demotion.
    OrderSwitch {
        /// Since when.
        epoch: Epoch,
    },
    /// Tell the backup to end.
    OrderEnd,
    /// The pair is whole (for people).
    ReportPaired {
        /// Since when.
        epoch: Epoch,
        /// Which one.
        backup: Phandle,
    },
    /// The backup is removed (for people).
    ReportAlone {
        /// Since when.
        epoch: Epoch,
        /// Which one.
        backup: Phandle,
    },
    /// The exchange of roles was given up (for people).
    ReportNotSwitched {
        /// The reason, for people.
        why: &'static str,
    },
    /// End this process.
    End(End),
}

/// Why a process of a pair ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The pair was asked to stop.
    Stopped,
    /// The record does not name this process as the one that may speak: it must not speak again (S1).
    Superseded,
    /// The primary died before this backup had the whole state (S2).
    Incomplete,
}

/// What became of an event: every cell of the table says one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// It changed something or made a command.
    Acted,
    /// It has no meaning in this state and is dropped, for this reason.
    Ignored(&'static str),
    /// It cannot happen if our own code is right: the process fails fast.
    Impossible(&'static str),
}

/// Where the search for a backup stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Repair {
    /// No backup is wanted.
    NotWanted,
    /// One is being started. `cpu_came`: a CPU came up meanwhile, so "there is no CPU" may be out of date when it arrives.
    Starting { cpu_came: bool },
    /// The next start is due after so many ticks.
    Pause(u32),
    /// There is no CPU for it.
    NoCpu,
}

/// Whether the pair is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stop {
    /// It is not.
    NotWanted,
    /// It is, when the outcome of what is under way is known.
    Wanted,
    /// The other half has been told to end; this one ends when the other is off the record.
    Ordered,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum State {
    Alone {
        repair: Repair,
    },
    Syncing {
        backup: Phandle,
    },
    /// `in_step`: what must be acknowledged; `asked`: the record may name the backup already; `dead`: it died meanwhile.
    Joining {
        backup: Phandle,
        in_step: CheckpointNumber,
        asked: bool,
        dead: bool,
    },
    Paired {
        backup: Phandle,
    },
    /// The backup is dead; outputs are held until its removal is on record.
    Removing {
        backup: Phandle,
    },
    /// `asked`: the record may name the other half as primary already.
    Switching {
        backup: Phandle,
        asked: bool,
        dead: bool,
    },
    Loading {
        primary: Phandle,
    },
    Following {
        primary: Phandle,
    },
    TakingOver {
        primary: Phandle,
    },
    Ended,
}

/// The role of one half of a pair.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pair {
    state: State,
    epoch: Epoch,
    pair_wanted: bool,
    stop: Stop,
    sent: CheckpointNumber,
    acknowledged: CheckpointNumber,
    silent_ticks: u32,
    killing: bool,
    starts_failed: usize,
    commands: VecDeque<Command>,
}

impl Pair {
    /// The first process of a name.
    pub fn primary(epoch: Epoch, pair_wanted: bool) -> Self {
        let mut pair = Self::new(State::Alone { repair: Repair::NotWanted }, epoch, pair_wanted);
        pair.become_alone();
        pair
    }

    /// A new backup.
    pub fn backup(epoch: Epoch, primary: Phandle) -> Self {
        Self::new(State::Loading { primary }, epoch, true)
    }

    fn new(state: State, epoch: Epoch, pair_wanted: bool) -> Self {
        Self {
            state,
            epoch,
            pair_wanted,
            stop: Stop::NotWanted,
            sent: CheckpointNumber(0),
            acknowledged: CheckpointNumber(0),
            silent_ticks: 0,
            killing: false,
            starts_failed: 0,
            commands: VecDeque::new(),
        }
    }

    /// Takes in an event.
    pub fn handle(&mut self, event: Event) -> Handled {
        if self.state == State::Ended {
            return Handled::Ignored("the process ends");
        }
        match event {
            Event::BackupStarted { backup } => self.handle_backup_started(backup),
            Event::BackupFailed { wait_for_cpu } => self.handle_backup_failed(wait_for_cpu),
            Event::CpuUp => self.handle_cpu_up(),
            Event::StateSent { number } => self.handle_state_sent(number),
            Event::Acknowledged { number } => self.handle_acknowledged(number),
            Event::Sent { number } => self.handle_sent(number),
            Event::Tick => self.handle_tick(),
            Event::PartnerDead { partner } => self.handle_partner_dead(partner),
            Event::Recorded(outcome) => self.handle_recorded(outcome),
            Event::SwitchWanted => self.handle_switch_wanted(),
            Event::Drained => self.handle_drained(),
            Event::InStep => self.handle_in_step(),
            Event::OnRecord { epoch } => self.handle_on_record(epoch),
            Event::SwitchOrdered { epoch } => self.handle_switch_ordered(epoch),
            Event::EndOrdered => self.handle_end_ordered(),
            Event::StopWanted => self.handle_stop_wanted(),
        }
    }

    /// The next thing to do.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// How far outputs may leave (S5).
    pub fn gate(&self) -> Gate {
        match self.state {
            State::Alone { .. } | State::Syncing { .. } => Gate::Open,
            // S6: no checkpoint is made while the removal of a dead backup is due, so what is made now depends on
            // none, and must not leave for that reason.
            State::Joining { dead: true, .. }
            | State::Switching { dead: true, .. }
            | State::Removing { .. } => Gate::Closed,
            State::Joining { .. } | State::Paired { .. } | State::Switching { .. } => {
                Gate::UpTo(self.acknowledged)
            }
            State::Loading { .. } | State::Following { .. } | State::TakingOver { .. } | State::Ended => {
                Gate::Closed
            }
        }
    }

    /// True while this half takes input and answers.
    pub fn is_primary(&self) -> bool {
        matches!(
            self.state,
            State::Alone { .. }
                | State::Syncing { .. }
                | State::Joining { .. }
                | State::Paired { .. }
                | State::Removing { .. }
                | State::Switching { .. }
        )
    }

    /// True while changes must be sent to another half.
    pub fn checkpoints(&self) -> bool {
        match self.state {
            State::Syncing { .. } | State::Paired { .. } => true,
            State::Joining { dead, .. } | State::Switching { dead, .. } => !dead,
            _ => false,
        }
    }

    /// True while ticks are needed to find a hung backup or to start one later.
    pub fn wants_ticks(&self) -> bool {
        match self.state {
            State::Alone { repair: Repair::Pause(_) } => true,
            _ => self.awaits_backup(),
        }
    }

    /// The epoch this half knows.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The change that a backup asks for when its primary dies.
    pub fn takeover(&self) -> Option<Change> {
        let State::Following { primary } = &self.state else { return None };
        Some(Change::TakeOver { epoch: self.epoch, dead: *primary })
    }

    /// The other half, if one is known.
    pub fn partner(&self) -> Option<Phandle> {
        match &self.state {
            State::Alone { .. } | State::Ended => None,
            State::Syncing { backup }
            | State::Joining { backup, .. }
            | State::Paired { backup }
            | State::Removing { backup }
            | State::Switching { backup, .. } => Some(*backup),
            State::Loading { primary } | State::Following { primary } | State::TakingOver { primary } => {
                Some(*primary)
            }
        }
    }

    /// What people see.
    pub fn state(&self) -> PairState {
        match self.state {
            State::Alone { repair: Repair::NotWanted } | State::Ended => PairState::Single,
            State::Alone { .. } => PairState::Alone,
            State::Syncing { .. } | State::Joining { .. } => PairState::Syncing,
            State::Paired { .. } => PairState::Paired,
            State::Removing { .. } => PairState::Removing,
            State::Switching { .. } => PairState::Switching,
            State::Loading { .. } => PairState::Loading,
            State::Following { .. } => PairState::Following,
            State::TakingOver { .. } => PairState::TakingOver,
        }
    }

    fn handle_backup_started(&mut self, backup: Phandle) -> Handled {
        match self.state {
            State::Alone { repair: Repair::Starting { .. } } => {
                self.watch_anew();
                self.state = State::Syncing { backup };
                self.command(Command::SendState { backup })
            }
            _ => Handled::Impossible("a backup was started that nobody asked for"),
        }
    }

    fn handle_backup_failed(&mut self, wait_for_cpu: bool) -> Handled {
        match self.state {
            State::Alone { repair: Repair::Starting { cpu_came } } => {
                if wait_for_cpu && cpu_came {
                    return self.start_backup();
                }
                // That there is no CPU says nothing against the program.
                self.starts_failed += usize::from(!wait_for_cpu);
                self.state =
                    State::Alone { repair: if wait_for_cpu { Repair::NoCpu } else { self.next_pause() } };
                Handled::Acted
            }
            _ => Handled::Impossible("a start failed that nobody asked for"),
        }
    }

    fn handle_cpu_up(&mut self) -> Handled {
        match self.state {
            State::Alone { repair: Repair::NoCpu | Repair::Pause(_) } => self.start_backup(),
            State::Alone { repair: Repair::Starting { .. } } => {
                self.state = State::Alone { repair: Repair::Starting { cpu_came: true } };
                Handled::Acted
            }
            _ => Handled::Ignored("no backup waits for a CPU"),
        }
    }

    fn handle_state_sent(&mut self, number: CheckpointNumber) -> Handled {
        match self.state {
            State::Syncing { backup } => {
                self.state = State::Joining { backup, in_step: number, asked: false, dead: false };
                self.commands.push_back(Command::TellInStep { number });
                self.ask_to_join_when_in_step();
                Handled::Acted
            }
            _ => Handled::Impossible("state was sent though no backup is being brought in step"),
        }
    }

    fn handle_sent(&mut self, number: CheckpointNumber) -> Handled {
        if !self.checkpoints() {
            return Handled::Impossible("a checkpoint was sent though there is nobody to take it");
        }
        if matches!(self.state, State::Switching { asked: true, .. }) {
            // Its acknowledgement would reach a half that is the backup by then.
            return Handled::Impossible("a checkpoint was sent after all was drained");
        }
        assert!(number >= self.sent, "S4: checkpoints are numbered upwards");
        self.sent = number;
        Handled::Acted
    }

    fn handle_acknowledged(&mut self, number: CheckpointNumber) -> Handled {
        if !self.is_primary() {
            return Handled::Impossible("only a primary is acknowledged to");
        }
        if !self.checkpoints() {
            return Handled::Ignored("it comes from a backup that is gone");
        }
        if number < self.acknowledged || number > self.sent {
            return Handled::Impossible("an acknowledgement outside of what was sent");
        }
        if number > self.acknowledged {
            self.acknowledged = number;
            self.silent_ticks = 0;
        }
        self.ask_to_join_when_in_step();
        Handled::Acted
    }

    fn handle_tick(&mut self) -> Handled {
        if let State::Alone { repair: Repair::Pause(ticks) } = self.state {
            if ticks <= 1 {
                return self.start_backup();
            }
            self.state = State::Alone { repair: Repair::Pause(ticks - 1) };
            return Handled::Acted;
        }
        if !self.awaits_backup() {
            return Handled::Ignored("nothing is awaited");
        }
        self.silent_ticks += 1;
        if self.silent_ticks >= SILENT_TICKS_MAX && !self.killing {
            // Kill before going on: a backup that wakes up later must not take over from an old epoch.
            self.killing = true;
            if let State::Switching { backup, .. } = self.state {
                self.give_up_switch("the backup does not answer");
                self.state = State::Paired { backup };
            }
            return self.command(Command::KillPartner);
        }
        Handled::Acted
    }

    fn handle_partner_dead(&mut self, partner: Phandle) -> Handled {
        if self.partner() != Some(partner) {
            return Handled::Ignored("not the other half that is known now");
        }
        match &mut self.state {
            State::Alone { .. } | State::Ended => unreachable!("these states have no partner"),
            State::Syncing { .. } => {
                self.starts_failed += 1;
                self.drop_backup_off_record()
            }
            State::Joining { asked: false, .. } => {
                self.starts_failed += 1;
                self.drop_backup_off_record()
            }
            // The record may name the backup already: only its outcome tells whether a removal is due (S6).
            State::Joining { dead, .. } | State::Switching { asked: true, dead, .. } => {
                *dead = true;
                Handled::Acted
            }
            State::Paired { backup } => {
                let backup = *backup;
                self.remove(backup)
            }
            State::Switching { backup, .. } => {
                let backup = *backup;
                self.give_up_switch("the backup died");
                self.remove(backup)
            }
            State::Removing { .. } => Handled::Ignored("its removal is being recorded"),
            State::Loading { .. } => self.end(End::Incomplete),
            State::Following { primary } => {
                let primary = *primary;
                self.take_over(primary)
            }
            State::TakingOver { .. } => Handled::Ignored("the takeover is being recorded"),
        }
    }

    fn handle_recorded(&mut self, outcome: Recorded) -> Handled {
        match (&self.state, outcome) {
            (State::Joining { asked: true, backup, dead, .. }, Recorded::Done { epoch }) => {
                let (backup, dead) = (*backup, *dead);
                self.epoch = epoch;
                self.starts_failed = 0;
                if dead {
                    return self.remove(backup);
                }
                self.state = State::Paired { backup };
                self.commands.push_back(Command::TellOnRecord { epoch });
                self.commands.push_back(Command::ReportPaired { epoch, backup });
                self.go_on_stopping()
            }
            // S6: a refusal does not say that the record still names this process; the removal asks just that.
            (State::Joining { asked: true, dead: true, backup, .. }, Recorded::Refused { .. }) => {
                let backup = *backup;
                self.remove(backup)
            }
            (State::Joining { asked: true, .. }, Recorded::Refused { .. }) => self.end(End::Superseded),
            (State::Joining { asked: true, backup, .. }, Recorded::Unavailable { .. }) => {
                let change = Change::Join { epoch: self.epoch, backup: *backup };
                self.command(Command::RecordLater(change))
            }
            (State::Removing { backup }, Recorded::Done { epoch }) => {
                let backup = *backup;
                self.epoch = epoch;
                self.commands.push_back(Command::DropPartner);
                self.commands.push_back(Command::ReportAlone { epoch, backup });
                self.become_alone()
            }
            (State::Removing { .. }, Recorded::Refused { .. }) => self.end(End::Superseded),
            (State::Removing { backup }, Recorded::Unavailable { .. }) => {
                let change = Change::RemoveBackup { epoch: self.epoch, backup: *backup };
                self.command(Command::RecordLater(change))
            }
            (State::Switching { asked: true, backup, dead }, Recorded::Done { epoch }) => {
                let (backup, dead) = (*backup, *dead);
                self.epoch = epoch;
                self.state = State::Following { primary: backup };
                self.commands.push_back(Command::Demote { epoch });
                if dead {
                    self.take_over(backup)
                } else if self.stop == Stop::Wanted {
                    // The other half is primary on record but has not heard of it: it ends, this one takes over and ends.
                    self.order_end()
                } else {
                    self.command(Command::OrderSwitch { epoch })
                }
            }
            (State::Switching { asked: true, .. }, Recorded::Refused { .. }) => self.end(End::Superseded),
            (State::Switching { asked: true, backup, dead }, Recorded::Unavailable { .. }) => {
                let (backup, dead) = (*backup, *dead);
                self.give_up_switch("the coordinator cannot be reached");
                if dead {
                    return self.remove(backup);
                }
                self.state = State::Paired { backup };
                self.go_on_stopping()
            }
            (State::TakingOver { .. }, Recorded::Done { epoch }) => {
                self.epoch = epoch;
                self.commands.push_back(Command::DropPartner);
                if self.stop == Stop::NotWanted {
                    self.commands.push_back(Command::Promote { epoch, took_over: true });
                }
                self.become_alone()
            }
            (State::TakingOver { .. }, Recorded::Refused { .. }) => self.end(End::Superseded),
            (State::TakingOver { primary }, Recorded::Unavailable { .. }) => {
                let change = Change::TakeOver { epoch: self.epoch, dead: *primary };
                self.command(Command::RecordLater(change))
            }
            _ => Handled::Impossible("an outcome of a change that was not asked for"),
        }
    }

    fn handle_switch_wanted(&mut self) -> Handled {
        let why = match self.state {
            State::Switching { .. } => return Handled::Ignored("the roles are being exchanged already"),
            State::Paired { .. } if self.stop != Stop::NotWanted => "the pair stops",
            State::Paired { .. } if self.killing => "the backup does not answer",
            State::Paired { backup } => {
                self.state = State::Switching { backup, asked: false, dead: false };
                return self.command(Command::Quiesce);
            }
            _ if self.is_primary() => "the pair is not whole",
            _ => "this half is not the primary",
        };
        self.command(Command::ReportNotSwitched { why })
    }

    fn handle_drained(&mut self) -> Handled {
        match self.state {
            State::Switching { backup, asked: false, .. } => {
                assert_eq!(self.sent, self.acknowledged, "S5: drained means that all is acknowledged");
                self.state = State::Switching { backup, asked: true, dead: false };
                self.command(Command::Record(Change::Switch { epoch: self.epoch, to: backup }))
            }
            _ => Handled::Ignored("no exchange of roles waits for it"),
        }
    }

    fn handle_in_step(&mut self) -> Handled {
        match self.state {
            State::Loading { primary } => {
                self.state = State::Following { primary };
                Handled::Acted
            }
            _ => Handled::Impossible("only a backup that loads is brought in step"),
        }
    }

    fn handle_on_record(&mut self, epoch: Epoch) -> Handled {
        match self.state {
            State::Following { .. } => {
                assert!(epoch >= self.epoch, "S11: epochs never go back");
                self.epoch = epoch;
                Handled::Acted
            }
            _ => Handled::Impossible("only a backup in step is put on record"),
        }
    }

    fn handle_switch_ordered(&mut self, epoch: Epoch) -> Handled {
        match self.state {
            State::Following { primary } => {
                assert!(epoch > self.epoch, "S11: an exchange of roles is a newer epoch");
                self.epoch = epoch;
                self.watch_anew();
                self.state = State::Paired { backup: primary };
                self.commands.push_back(Command::Promote { epoch, took_over: false });
                self.command(Command::Probe)
            }
            _ => Handled::Impossible("only a backup in step is ordered to be primary"),
        }
    }

    fn handle_end_ordered(&mut self) -> Handled {
        match self.state {
            State::Loading { .. } | State::Following { .. } | State::TakingOver { .. } => {
                self.end(End::Stopped)
            }
            _ => Handled::Impossible("only a backup is ordered to end"),
        }
    }

    fn handle_stop_wanted(&mut self) -> Handled {
        if self.stop != Stop::NotWanted {
            return Handled::Ignored("the pair stops already");
        }
        match self.state {
            State::Alone { .. } | State::Ended => self.end(End::Stopped),
            State::Syncing { .. } | State::Joining { asked: false, .. } | State::Paired { .. } => {
                self.order_end()
            }
            State::Switching { backup, asked: false, .. } => {
                self.give_up_switch("the pair stops");
                self.state = State::Paired { backup };
                self.order_end()
            }
            // These end when the outcome of what is under way is known: see `go_on_stopping` and `become_alone`.
            State::Joining { .. }
            | State::Removing { .. }
            | State::Switching { .. }
            | State::TakingOver { .. } => {
                self.stop = Stop::Wanted;
                Handled::Acted
            }
            State::Loading { .. } | State::Following { .. } => {
                Handled::Ignored("a pair is stopped through its primary")
            }
        }
    }

    /// A pair that became whole while it was asked to stop ends its backup first, so that nothing takes over.
    fn go_on_stopping(&mut self) -> Handled {
        if self.stop == Stop::Wanted { self.order_end() } else { Handled::Acted }
    }

    fn order_end(&mut self) -> Handled {
        self.stop = Stop::Ordered;
        self.silent_ticks = 0;
        self.command(Command::OrderEnd)
    }

    fn give_up_switch(&mut self, why: &'static str) {
        self.commands.push_back(Command::ReportNotSwitched { why });
        self.commands.push_back(Command::Resume);
    }

    /// The other half is a new backup: nothing was sent to it.
    fn watch_anew(&mut self) {
        (self.sent, self.acknowledged) = (CheckpointNumber(0), CheckpointNumber(0));
        (self.silent_ticks, self.killing) = (0, false);
    }

    fn ask_to_join_when_in_step(&mut self) {
        if let State::Joining { backup, in_step, asked: asked @ false, .. } = &mut self.state
            && self.acknowledged >= *in_step
            && self.stop == Stop::NotWanted
        {
            *asked = true;
            let change = Change::Join { epoch: self.epoch, backup: *backup };
            self.commands.push_back(Command::Record(change));
        }
    }

    /// An acknowledgement is due, or the end that was ordered.
    fn awaits_backup(&self) -> bool {
        self.checkpoints() && (self.acknowledged < self.sent || self.stop == Stop::Ordered)
    }

    fn remove(&mut self, backup: Phandle) -> Handled {
        self.state = State::Removing { backup };
        self.command(Command::Record(Change::RemoveBackup { epoch: self.epoch, backup }))
    }

    fn take_over(&mut self, primary: Phandle) -> Handled {
        self.state = State::TakingOver { primary };
        self.command(Command::Record(Change::TakeOver { epoch: self.epoch, dead: primary }))
    }

    /// The backup never was on record, so nobody has to consent (S6).
    fn drop_backup_off_record(&mut self) -> Handled {
        self.commands.push_back(Command::DropPartner);
        self.become_alone()
    }

    fn become_alone(&mut self) -> Handled {
        self.state = State::Alone { repair: Repair::NotWanted };
        if self.stop != Stop::NotWanted {
            self.end(End::Stopped)
        } else if self.pair_wanted {
            match self.next_pause() {
                Repair::Pause(0) => self.start_backup(),
                pause => {
                    self.state = State::Alone { repair: pause };
                    Handled::Acted
                }
            }
        } else {
            Handled::Acted
        }
    }

    fn next_pause(&self) -> Repair {
        Repair::Pause(START_PAUSE_TICKS[self.starts_failed.min(START_PAUSE_TICKS.len() - 1)])
    }

    fn start_backup(&mut self) -> Handled {
        self.state = State::Alone { repair: Repair::Starting { cpu_came: false } };
        self.command(Command::StartBackup)
    }

    fn end(&mut self, why: End) -> Handled {
        self.state = State::Ended;
        self.command(Command::End(why))
    }

    fn command(&mut self, command: Command) -> Handled {
        self.commands.push_back(command);
        Handled::Acted
    }
}
