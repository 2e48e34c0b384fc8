//! Turns, batches and outputs of a primary; the taking in of checkpoints by a backup.
//!
//! ```text
//!   turn (one event handled)  --end-->  batch (all turns since the last checkpoint)  --flush-->  CHECKPOINT n
//!   reply, connection output  ------->  outputs held under n                         <--------  ACKNOWLEDGE n
//! ```
//!
//! S4: a checkpoint is cut only between turns. S5: an output is held under the number of the checkpoint that carries
//! what it depends on.

use super::{Engine, Partner, rings};
use crate::error::{Error, Result};
use pollux_core::output::Gate;
use pollux_core::pair::{Event as PairEvent, Handled, Pair};
use pollux_core::receive::SavedReply;
use pollux_os::points::{self, Mark, Subject};
use pollux_os::{Channel, DESCRIPTORS_PER_FRAME_MAX, Fill, clock};
use pollux_wire::checkpoint::{self, Record, TurnKey};
use pollux_wire::limits::PATH_BODY_BYTES_MAX;
use pollux_wire::path::{self, OpenReply, Reply};
use pollux_wire::{
    CheckpointNumber, ConnectionId, FileError, HeldId, ObjectId, OpenId, SyncId, Wire, decode,
};
use std::os::fd::{BorrowedFd, OwnedFd};

/// Outputs that leave together though more could be gathered, where nothing has to be waited for.
const OUTPUTS_TOGETHER: usize = 64;
/// Bytes of a batch at which it is sent though more could be gathered.
const BATCH_BYTES_MAX: usize = 512 * 1024;

/// What is being handled.
pub(crate) struct Turn {
    pub(crate) key: TurnKey,
    /// Calls made so far: which of the recorded calls the next one is.
    pub(crate) calls: usize,
    /// Something in this turn made a call, so that its end must be told.
    pub(crate) has_calls: bool,
    open: bool,
}

impl Default for Turn {
    fn default() -> Self {
        Self { key: TurnKey::Own {}, calls: 0, has_calls: false, open: false }
    }
}

/// An output that waits for its checkpoint.
pub(crate) enum Output {
    /// The saved reply of a request.
    Reply { open: OpenId, sync: SyncId },
    /// A reply that is not saved: the request was not executed.
    Refusal { open: OpenId, sync: SyncId, error: FileError },
    /// The answer to an open.
    OpenReply { open: OpenId, error: FileError, label: i16 },
    /// Output of a connection up to this offset may be written, input up to that one may be discarded.
    Connection { connection: ConnectionId, made: u64, taken: u64 },
    /// The connection has ended, and the backup knows.
    Close(OwnedFd),
    /// A duplicate of a held descriptor goes to whoever holds the other end of this socket.
    HandOver { channel: OwnedFd, held: HeldId },
    /// The backup holds this descriptor.
    Mark { held: HeldId },
}

/// Completed turns, then the records of the turn that is open.
#[derive(Default)]
pub(crate) struct Batch {
    records: Vec<u8>,
    descriptors: Vec<OwnedFd>,
    pub(crate) outputs: Vec<Output>,
    turn_records_at: usize,
    turn_descriptors_at: usize,
    turn_outputs_at: usize,
    /// Something in it exists nowhere else: it is sent with the end of the turn.
    pub(super) urgent: bool,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.outputs.is_empty()
    }

    fn put(&mut self, record: &Record<'_>) {
        record.put(&mut self.records);
    }

    /// An object's change, written in place.
    pub(crate) fn put_object_change(&mut self, object: ObjectId, write: impl FnOnce(&mut Vec<u8>)) {
        Record::ObjectChanged { object, change: &[] }.put(&mut self.records);
        let start = self.records.len();
        write(&mut self.records);
        let length = u32::try_from(self.records.len() - start).expect("one change is far below 4 GiB");
        self.records[start - 4..start].copy_from_slice(&length.to_le_bytes());
    }

    /// A record that goes to the backup before what the open turn has changed so far.
    pub(crate) fn put_before_turn(&mut self, record: &Record<'_>) {
        let mut bytes = Vec::new();
        record.put(&mut bytes);
        let at = self.turn_records_at;
        self.turn_records_at += bytes.len();
        self.records.splice(at..at, bytes);
    }

    /// Bytes of the completed turns.
    pub(super) fn completed_bytes(&self) -> usize {
        self.turn_records_at
    }

    /// Descriptors of the turn that is open.
    pub(super) fn turn_descriptors(&self) -> usize {
        self.descriptors.len() - self.turn_descriptors_at
    }

    fn end_turn(&mut self) {
        self.turn_records_at = self.records.len();
        self.turn_descriptors_at = self.descriptors.len();
        self.turn_outputs_at = self.outputs.len();
    }
}

impl Engine {
    pub(super) fn begin_turn(&mut self, key: TurnKey) {
        let mark = match &key {
            TurnKey::Own {} => pollux_os::Turn { kind: 0, a: 0, b: 0 },
            TurnKey::Request { open, sync } => pollux_os::Turn { kind: 1, a: open.0, b: sync.0 },
            TurnKey::Input { connection, offset } => pollux_os::Turn { kind: 2, a: connection.0, b: *offset },
        };
        self.life.set_turn(mark);
        self.turn = Turn { key, calls: 0, has_calls: false, open: true };
    }

    /// What the turn has changed is complete: it may go to the backup.
    pub(super) fn end_turn(&mut self) {
        if self.turn.has_calls {
            self.turn.has_calls = false;
            let turn = self.turn.key.clone();
            self.record(&Record::TurnEnded { turn }, None);
        }
        if self.turn.open {
            self.turn.open = false;
            self.life.set_turn(pollux_os::Turn { kind: 0, a: 0, b: 0 });
        }
        self.batch.end_turn();
    }

    /// A change that belongs to no turn of the program is complete, unless such a turn is open: then it goes with it.
    pub(super) fn settle(&mut self) {
        if !self.turn.open {
            self.batch.end_turn();
        }
    }

    /// Changes the replica and says so to the backup.
    pub(super) fn record(&mut self, record: &Record<'_>, descriptor: Option<BorrowedFd<'_>>) {
        self.replica.apply(record).expect("a primary's own records fit its replica");
        self.tell(record, descriptor);
    }

    /// Says to the backup what is changed here already.
    pub(super) fn tell(&mut self, record: &Record<'_>, descriptor: Option<BorrowedFd<'_>>) {
        if self.pair.checkpoints() {
            self.batch.put(record);
            if let Some(fd) = descriptor {
                match fd.try_clone_to_owned() {
                    Ok(fd) => self.batch.descriptors.push(fd),
                    // Without a descriptor the backup could not keep its promise: fail fast, it takes over with what it has.
                    Err(error) => panic!("no descriptor is left to tell the backup: {error}"),
                }
            }
        }
    }

    /// Sends the completed turns as one checkpoint and holds their outputs under its number.
    pub(super) fn flush_batch(&mut self) -> Result<()> {
        self.send_completed();
        self.flush_partner();
        self.release_outputs();
        Ok(())
    }

    pub(super) fn flush_partner(&mut self) {
        if let Some(partner) = &mut self.partner
            && partner.channel.is_blocked()
        {
            // A failed send means that it dies: the bell tells.
            let _ = partner.channel.flush();
            points::pass_sent(Mark::CheckpointSent);
        }
    }

    /// Sends completed turns early when they have grown large.
    pub(super) fn relieve_batch(&mut self) {
        let many = self.batch.descriptors.len() + 2 >= DESCRIPTORS_PER_FRAME_MAX;
        let urgent = !self.turn.open && std::mem::take(&mut self.batch.urgent);
        if many || urgent || self.batch.turn_records_at > BATCH_BYTES_MAX {
            self.send_completed();
            self.flush_partner();
        }
        // What depends on no backup leaves while more is worked on: its requester works beside us.
        if self.batch.turn_outputs_at >= OUTPUTS_TOGETHER && self.pair.gate() == Gate::Open && !self.turn.open
        {
            self.send_completed();
            self.flush_partner();
            self.release_outputs();
        }
    }

    fn send_completed(&mut self) {
        let bytes_before = if self.awaiting() { self.unacknowledged_bytes } else { 0 };
        self.unacknowledged_bytes = bytes_before + self.batch.completed_bytes();
        let Batch {
            records,
            descriptors,
            outputs,
            turn_records_at,
            turn_descriptors_at,
            turn_outputs_at,
            ..
        } = &mut self.batch;
        if *turn_records_at > 0 {
            let fds = descriptors.drain(..*turn_descriptors_at).collect();
            if self.pair.checkpoints()
                && let Some(partner) = &mut self.partner
            {
                self.number = self.number.next();
                let records = &records[..*turn_records_at];
                send_checkpoint(partner, &mut self.pair, self.number, records, fds);
            }
            records.drain(..*turn_records_at);
        }
        self.outputs.hold_all(self.number, outputs.drain(..*turn_outputs_at));
        (*turn_records_at, *turn_descriptors_at, *turn_outputs_at) = (0, 0, 0);
    }

    /// A checkpoint of nothing.
    pub(super) fn probe_partner(&mut self) {
        if let Some(partner) = &mut self.partner {
            self.number = self.number.next();
            send_checkpoint(partner, &mut self.pair, self.number, &[], Vec::new());
        }
    }

    /// Lets go what the gate admits.
    pub(super) fn release_outputs(&mut self) {
        let gate = self.pair.gate();
        while let Some(output) = self.outputs.release(gate) {
            self.emit(gate, output);
        }
        self.flush_paths();
        self.write_connections();
        points::pass_sent(Mark::Replied);
    }

    /// Queues the saved reply of a request, and those directly behind it that go to the same opener.
    fn emit_replies(&mut self, gate: Gate, open: OpenId, first: SyncId) {
        let (Some(state), Some(path)) = (self.replica.opens.get(&open), self.paths.get_mut(&open)) else {
            return;
        };
        let epoch = self.pair.epoch();
        let mut next = Some(first);
        while let Some(sync) = next {
            // Gone from the window only if the opener has gone on, which it does only with the reply.
            if let Some(SavedReply { error, payload, .. }) = state.saved_reply(sync) {
                let subject = Subject { open: open.0, sync: sync.0, error: error.0, bytes: payload };
                points::pass_before(Mark::Replying, Mark::Replied, subject);
                let reply = Reply { sync, error: *error, epoch, payload };
                path.channel.queue_parts(path::REPLY, &reply.head(), payload);
                path.note_dirty(open, &mut self.dirty_paths);
            }
            next = self.outputs.release_as(gate, |output| match output {
                Output::Reply { open: other, sync } if *other == open => Some(*sync),
                _ => None,
            });
        }
    }

    fn emit(&mut self, gate: Gate, output: Output) {
        let epoch = self.pair.epoch();
        match output {
            Output::Reply { open, sync } => self.emit_replies(gate, open, sync),
            Output::Refusal { open, sync, error } => {
                let reply = Reply { sync, error, epoch, payload: &[] };
                self.queue_on_path(open, path::REPLY, |out| reply.put(out));
            }
            Output::OpenReply { open, error, label } => {
                self.queue_on_path(open, path::OPEN_REPLY, |out| OpenReply { error, label, epoch }.put(out));
            }
            Output::Connection { connection, made, taken } => {
                points::pass_before(Mark::Replying, Mark::Replied, Subject::of(connection.0, made, &[]));
                self.release_connection(connection, made, taken)
            }
            Output::Close(fd) => {
                let _ = rustix::net::shutdown(&fd, rustix::net::Shutdown::Both);
            }
            Output::HandOver { channel, held } => self.send_held(&channel, held),
            Output::Mark { held } => self.mark_held(held),
        }
    }

    /// Reads the pair channel: acknowledgements as a primary, checkpoints as a backup.
    pub(super) fn read_partner(&mut self) -> Result<()> {
        loop {
            let Some(partner) = &mut self.partner else { return Ok(()) };
            let filled = partner.channel.fill();
            self.partner_heard_ns = clock::monotonic_ns();
            let before = self.applied;
            let turned = self.take_frames()?;
            if self.applied > before {
                let applied = self.applied;
                self.tell_partner(checkpoint::ACKNOWLEDGE, |out| applied.put(out));
            }
            match filled {
                // What the socket still holds, or has ended with, is told beside the ring.
                _ if turned => {}
                Ok(Fill::Full) => {}
                Ok(Fill::Open) => break,
                Ok(Fill::Closed) | Err(_) => {
                    // No proof of death: the life page gives that. But nothing more will come this way.
                    if let Some(partner) = &mut self.partner
                        && !partner.closed
                    {
                        partner.closed = true;
                        rings::unwatch(&self.poller, &partner.channel);
                        rings::unwatch(&self.backup_poller, &partner.channel);
                    }
                    break;
                }
            }
        }
        self.flush_partner();
        Ok(())
    }

    /// Takes in what was read; true if what comes next comes through the ring.
    fn take_frames(&mut self) -> Result<bool> {
        // The channel is lent out of the engine while its frames are applied to the rest of it.
        let Some(mut partner) = self.partner.take() else { return Ok(false) };
        let mut outcome = Ok(false);
        loop {
            match partner.channel.next_frame() {
                Ok(None) => break,
                Err(error) => {
                    outcome = Err(Error::Refused(format!("the pair channel is damaged: {error}")));
                    break;
                }
                Ok(Some(frame)) if is_about_ring(frame.kind) => {
                    let step = (frame.kind, frame.body == [1]);
                    let descriptors = frame.descriptors;
                    let pollers = [&self.poller, &self.backup_poller];
                    outcome = rings::turn_pair_channel(pollers, &mut partner.channel, step, descriptors);
                    if !matches!(outcome, Ok(false)) {
                        break;
                    }
                }
                Ok(Some(frame)) => {
                    if let Err(error) = self.take_frame(frame.kind, frame.body, frame.descriptors) {
                        outcome = Err(error);
                        break;
                    }
                }
            }
        }
        self.partner = Some(partner);
        outcome
    }

    fn take_frame(&mut self, kind: u8, body: &[u8], descriptors: Vec<OwnedFd>) -> Result<()> {
        let malformed = |source| Error::Malformed { from: "the other half", source };
        match kind {
            checkpoint::ACKNOWLEDGE => {
                let number: CheckpointNumber = decode(body).map_err(malformed)?;
                // Words from before an exchange of roles mean nothing any more.
                if self.pair.is_primary() && number <= self.number {
                    self.pair_event(PairEvent::Acknowledged { number })?;
                    points::pass(Mark::Acknowledged, Subject::of(0, number.0, &[]));
                }
                Ok(())
            }
            checkpoint::CHECKPOINT => {
                let (number, mut reader) = checkpoint::open_checkpoint(body).map_err(malformed)?;
                assert_eq!(number, self.applied.next(), "S4: checkpoints arrive without a gap");
                let mut descriptors = descriptors.into_iter();
                while !reader.is_empty() {
                    let record = Record::take(&mut reader).map_err(malformed)?;
                    self.apply(&record, &mut descriptors)?;
                }
                self.applied = number;
                Ok(())
            }
            checkpoint::IN_STEP => self.pair_event(PairEvent::InStep),
            checkpoint::ON_RECORD => {
                let epoch = checkpoint::epoch_body(body).map_err(malformed)?;
                self.pair_event(PairEvent::OnRecord { epoch })?;
                self.prepare_takeover();
                Ok(())
            }
            checkpoint::SWITCH => {
                let epoch = checkpoint::epoch_body(body).map_err(malformed)?;
                self.note_switch();
                self.pair_event(PairEvent::SwitchOrdered { epoch })
            }
            checkpoint::END => self.pair_event(PairEvent::EndOrdered),
            _ => Err(Error::Refused(format!("an unknown frame {kind} on the pair channel"))),
        }
    }

    /// Applies a record of the primary.
    fn apply(&mut self, record: &Record<'_>, descriptors: &mut impl Iterator<Item = OwnedFd>) -> Result<()> {
        let misfit = |misfit: pollux_core::replica::Misfit| {
            Error::Refused(format!("a checkpoint does not fit: {}", misfit.0))
        };
        let missing = || Error::Refused("a checkpoint lacks a descriptor".to_owned());
        match record {
            Record::ObjectCreated { object, kind, name } => {
                self.objects.create(*object, *kind, name).map_err(misfit)?
            }
            Record::ObjectChanged { object, change } => {
                let slot = self.objects.get(*object).ok_or_else(missing)?;
                slot.object.apply(change).map_err(misfit)?;
            }
            Record::ObjectPart { object, part } => {
                let slot = self.objects.get(*object).ok_or_else(missing)?;
                slot.object.load_part(part).map_err(misfit)?;
            }
            Record::Opened { open, standby: true, .. } => {
                let fd = descriptors.next().ok_or_else(missing)?;
                self.paths.insert(*open, super::paths::Path::standby(Channel::new(fd, PATH_BODY_BYTES_MAX)));
            }
            Record::Closed { open } => {
                self.paths.remove(open);
            }
            Record::Listening { listener, .. } => {
                self.listeners.insert(*listener, descriptors.next().ok_or_else(missing)?);
            }
            Record::Connected { connection, .. } => {
                let fd = descriptors.next().ok_or_else(missing)?;
                self.hold_socket(*connection, fd);
            }
            Record::Disconnected { connection } => {
                drop(self.forget_socket(*connection));
            }
            Record::Held { held, .. } => {
                let fd = descriptors.next().ok_or_else(missing)?;
                self.held.insert(*held, super::held::Held::new(fd));
            }
            Record::Released { held } => {
                self.held.remove(held);
            }
            _ => {}
        }
        self.replica.apply(record).map_err(misfit)
    }
}

fn is_about_ring(kind: u8) -> bool {
    matches!(kind, checkpoint::RING_OFFER | checkpoint::RING_TAKEN | checkpoint::RING_BEGUN)
}

fn send_checkpoint(
    partner: &mut Partner,
    pair: &mut Pair,
    number: CheckpointNumber,
    records: &[u8],
    descriptors: Vec<OwnedFd>,
) {
    let subject = Subject::of(0, number.0, records);
    points::pass_before(Mark::CheckpointSending, Mark::CheckpointSent, subject);
    if descriptors.is_empty() {
        partner.channel.queue_parts(checkpoint::CHECKPOINT, &checkpoint::head(number), records);
    } else {
        partner.channel.queue_with(checkpoint::CHECKPOINT, descriptors, |out| {
            checkpoint::begin_checkpoint(number, out);
            out.extend_from_slice(records);
        });
    }
    let handled = pair.handle(PairEvent::Sent { number });
    assert_eq!(handled, Handled::Acted, "a checkpoint is made only where one is expected");
}
