//! Brings a new backup in step while the service goes on.
//!
//! First everything but the program's objects, in one go between two turns; then the objects, part by part, a part per
//! turn of the loop; changes go with the same stream, so that each part meets the changes before and after it in order.

use super::Engine;
use crate::error::Result;
use crate::objects::Position;
use pollux_core::pair::Event as PairEvent;
use pollux_wire::checkpoint::Record;
use pollux_wire::{ObjectId, OpenId};
use std::collections::VecDeque;
use std::os::fd::AsFd;

/// Unsent bytes in the pair channel up to which more state is added: what is queued there delays the next checkpoint.
const QUEUED_BYTES_MAX: usize = 64 * 1024;

/// What is still to be sent.
pub(super) struct StateToSend {
    objects: VecDeque<ObjectId>,
    position: Position,
}

impl Engine {
    /// Sends all bookkeeping; lines the objects up.
    pub(super) fn begin_state(&mut self) -> Result<()> {
        let opens: Vec<OpenId> = self.replica.opens.keys().copied().collect();
        for open in opens {
            self.send_open(open)?;
        }
        self.send_listeners_and_connections();
        self.send_all_held();
        self.send_calls();
        let mut objects = VecDeque::new();
        let mut created = Vec::new();
        for (id, slot) in self.objects.iter_mut() {
            slot.sent = false;
            objects.push_back(*id);
            created.push((*id, slot.kind, slot.name.clone()));
        }
        for (object, kind, name) in created {
            self.tell(&Record::ObjectCreated { object, kind, name: &name }, None);
        }
        self.settle();
        self.state_to_send = Some(StateToSend { objects, position: Position::default() });
        self.flush_batch()
    }

    /// Sends the next part of the state, if the channel has room.
    pub(super) fn send_state_parts(&mut self) -> Result<()> {
        let Some(mut state) = self.state_to_send.take() else { return Ok(()) };
        if self.partner.as_ref().is_some_and(|partner| partner.channel.queued_bytes() > QUEUED_BYTES_MAX) {
            self.state_to_send = Some(state);
            return Ok(());
        }
        if let Some(object) = state.objects.front().copied() {
            let mut part = Vec::new();
            let mut more = false;
            if let Some(slot) = self.objects.get_mut(object) {
                more = slot.object.save_part(&mut state.position, &mut part);
                slot.sent = true;
            }
            self.tell(&Record::ObjectPart { object, part: &part }, None);
            if !more {
                state.objects.pop_front();
                state.position = Position::default();
            }
            self.settle();
            self.flush_batch()?;
        }
        if state.objects.is_empty() {
            let number = self.number;
            self.pair_event(PairEvent::StateSent { number })?;
            self.run_commands()
        } else {
            self.state_to_send = Some(state);
            Ok(())
        }
    }

    fn send_open(&mut self, open: OpenId) -> Result<()> {
        let Some(state) = self.replica.opens.get(&open).cloned() else { return Ok(()) };
        if self.paths.contains_key(&open) {
            self.give_standby(open, state.opener.clone())?;
        } else {
            self.tell(&Record::Opened { open, opener: state.opener.clone(), standby: false }, None);
        }
        if state.label != -1 {
            self.tell(&Record::Labelled { open, label: state.label }, None);
        }
        for reply in state.saved() {
            let (sync, error) = (reply.sync, reply.error);
            self.tell(&Record::Replied { open, sync, error, payload: &reply.payload }, None);
        }
        self.settle();
        Ok(())
    }

    fn send_listeners_and_connections(&mut self) {
        let listeners: Vec<_> = self.replica.listeners.iter().map(|(id, name)| (*id, name.clone())).collect();
        for (listener, name) in listeners {
            let Some(fd) = self.listeners.get(&listener).and_then(|fd| fd.try_clone().ok()) else { continue };
            self.tell(&Record::Listening { listener, name: &name }, Some(fd.as_fd()));
        }
        let connections: Vec<_> =
            self.replica.connections.iter().map(|(id, state)| (*id, state.clone())).collect();
        for (connection, state) in connections {
            let Some(fd) = self.sockets.get(&connection).and_then(|socket| socket.fd().try_clone().ok())
            else {
                continue;
            };
            let stream = &state.stream;
            let (consumed, written, peer) = (stream.consumed(), stream.written(), state.peer.as_str());
            self.tell(
                &Record::Connected { connection, listener: state.listener, peer, consumed, written },
                Some(fd.as_fd()),
            );
            let (front, back) = stream.pending(u64::MAX);
            let output = [front, back].concat();
            if !output.is_empty() {
                self.tell(&Record::Progress { connection, consumed, output: &output }, None);
            }
            if !stream.kept().is_empty() {
                self.tell(&Record::Kept { connection, input: stream.kept() }, None);
            }
            if state.closing {
                self.tell(&Record::Closing { connection }, None);
            }
            if let Some(socket) = self.sockets.get_mut(&connection) {
                socket.backup_knows_written(written);
            }
            self.settle();
            self.relieve_batch();
        }
    }

    fn send_all_held(&mut self) {
        let labels: Vec<_> = self.replica.held.iter().map(|(id, label)| (*id, label.clone())).collect();
        for (held, label) in labels {
            let Some(fd) = self.held.get(&held).map(|held| held.fd.clone()) else { continue };
            self.tell(&Record::Held { held, label: &label }, Some(fd.as_fd()));
            self.settle();
            self.relieve_batch();
        }
    }

    fn send_calls(&mut self) {
        let replica = self.replica.calls_only();
        replica.call_records().for_each(|record| self.tell(&record, None));
    }
}
