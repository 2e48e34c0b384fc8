//! What both halves of a pair know besides the application's objects: opens, listeners, connections, calls, suspects.
//!
//! The primary changes its replica by the same [`Record`]s that it sends, so that the backup's replica is the
//! primary's by construction (S4). The application's objects (`Record::Object*`) and all descriptors are the shell's.

use crate::receive::Open;
use crate::stream::Stream;
use pollux_wire::checkpoint::{Record, TurnKey};
use pollux_wire::{ConnectionId, FileError, HeldId, ListenerId, OpenId, ProcessName, SyncId};
use std::collections::BTreeMap;

/// An accepted connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Connection {
    /// Through which listener.
    pub listener: ListenerId,
    /// The far address as text.
    pub peer: String,
    /// Its positions and pending output.
    pub stream: Stream,
    /// The program has ended it: it closes when its output has left.
    pub closing: bool,
}

/// An open of a server by this pair.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallOpen {
    /// The server.
    pub server: ProcessName,
    /// The next sync id to use (S3b: continued by the new primary).
    pub next_sync: SyncId,
}

/// A request that this pair sent or is about to send.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Call {
    /// For which turn.
    pub turn: TurnKey,
    /// On which open.
    pub open: OpenId,
    /// Its sync id.
    pub sync: SyncId,
    /// Most reply bytes wanted.
    pub reply_bytes_max: u32,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// The answer, if it is known.
    pub answer: Option<(FileError, Vec<u8>)>,
}

/// The bookkeeping of a pair.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Replica {
    /// Who has opened the pair.
    pub opens: BTreeMap<OpenId, Open>,
    /// Where it listens, by name.
    pub listeners: BTreeMap<ListenerId, String>,
    /// Whom it serves over TCP.
    pub connections: BTreeMap<ConnectionId, Connection>,
    /// Whom it has opened.
    pub call_opens: BTreeMap<OpenId, CallOpen>,
    /// What it has asked, in the order of asking, until the turn that asked is over.
    pub calls: Vec<Call>,
    /// Turns that were in hand when a primary crashed, and how often (L5).
    pub suspects: Vec<(TurnKey, u8)>,
    /// Descriptors that are held for the program, with what it says of them.
    pub held: BTreeMap<HeldId, Vec<u8>>,
}

/// No position of a connection, in bytes, is this large: what is kept or made behind one can be added to it.
const POSITIONS_END: u64 = 1 << 62;

/// A record that does not fit the replica: the halves differ, the backup must stop (fail fast).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit(pub &'static str);

impl Replica {
    /// Applies a record. Those about objects are not the replica's and are passed over.
    pub fn apply(&mut self, record: &Record<'_>) -> Result<(), Misfit> {
        match record {
            Record::ObjectCreated { .. } | Record::ObjectChanged { .. } | Record::ObjectPart { .. } => {}
            Record::Opened { open, opener, .. } => {
                self.opens.entry(*open).or_insert_with(|| Open::new(opener.clone()));
            }
            Record::Labelled { open, label } => {
                self.opens.get_mut(open).ok_or(Misfit("a label for an unknown open"))?.label = *label;
            }
            Record::Replied { open, sync, error, payload } => {
                let turn = TurnKey::Request { open: *open, sync: *sync };
                self.end_turn(&turn);
                self.end_turns_before(*open, *sync);
                // The opener may have gone while its request was in hand.
                if let Some(open) = self.opens.get_mut(open) {
                    open.replied_copy(*sync, *error, payload);
                }
            }
            Record::Closed { open } => {
                self.opens.remove(open);
                self.call_opens.remove(open);
                // Nor does anybody repeat the requests of an opener that is gone.
                self.calls.retain(|call| call.open != *open && !is_of(&call.turn, *open));
            }
            Record::Listening { listener, name } => {
                self.listeners.insert(*listener, (*name).to_owned());
            }
            Record::Connected { connection, listener, peer, consumed, written } => {
                if (*consumed).max(*written) >= POSITIONS_END {
                    return Err(Misfit("a connection's position is beyond all that can be sent"));
                }
                let stream = Stream::at(*consumed, *written);
                let peer = (*peer).to_owned();
                self.connections
                    .insert(*connection, Connection { listener: *listener, peer, stream, closing: false });
            }
            Record::Progress { connection, consumed, output } => {
                let stream = &mut self.connection(connection)?.stream;
                if *consumed < stream.consumed() {
                    return Err(Misfit("a connection's position goes back"));
                }
                if *consumed >= POSITIONS_END {
                    return Err(Misfit("a connection's position is beyond all that can be sent"));
                }
                stream.progress(*consumed, output);
            }
            Record::Kept { connection, input } => self.connection(connection)?.stream.keep(input),
            Record::Written { connection, written } => {
                let stream = &mut self.connection(connection)?.stream;
                if !(stream.written()..=stream.made()).contains(written) {
                    return Err(Misfit("more was written to a connection than was made"));
                }
                stream.wrote(*written);
            }
            Record::Closing { connection } => self.connection(connection)?.closing = true,
            Record::Disconnected { connection } => {
                self.connections.remove(connection);
            }
            Record::CallOpened { open, server, next_sync, .. } => {
                self.call_opens.insert(*open, CallOpen { server: server.clone(), next_sync: *next_sync });
            }
            Record::CallStarted { turn, open, sync, reply_bytes_max, payload } => {
                let call_open = self.call_opens.get_mut(open).ok_or(Misfit("a call on an unknown open"))?;
                let next = sync.0.checked_add(1).ok_or(Misfit("a call with the last sync id"))?;
                call_open.next_sync = SyncId(next);
                self.calls.push(Call {
                    turn: turn.clone(),
                    open: *open,
                    sync: *sync,
                    reply_bytes_max: *reply_bytes_max,
                    payload: payload.to_vec(),
                    answer: None,
                });
            }
            Record::CallAnswered { open, sync, error, payload } => {
                // The turn may be over already: then nobody asks for the answer.
                if let Some(call) =
                    self.calls.iter_mut().find(|call| call.open == *open && call.sync == *sync)
                {
                    call.answer = Some((*error, payload.to_vec()));
                }
            }
            Record::TurnEnded { turn } => self.end_turn(turn),
            Record::Suspected { turn, crashes } => {
                self.suspects.retain(|(suspect, _)| suspect != turn);
                self.suspects.push((turn.clone(), *crashes));
            }
            Record::Held { held, label } => {
                self.held.insert(*held, label.to_vec());
            }
            Record::Released { held } => {
                self.held.remove(held).ok_or(Misfit("an unknown descriptor is released"))?;
            }
        }
        Ok(())
    }

    /// A copy of what concerns calls and suspects, for a new backup.
    pub fn calls_only(&self) -> Self {
        let Self { call_opens, calls, suspects, .. } = self;
        Self {
            call_opens: call_opens.clone(),
            calls: calls.clone(),
            suspects: suspects.clone(),
            ..Self::default()
        }
    }

    /// How often a primary crashed while this turn was in hand.
    pub fn crashes_of(&self, turn: &TurnKey) -> u8 {
        self.suspects.iter().find(|(suspect, _)| suspect == turn).map_or(0, |(_, crashes)| *crashes)
    }

    /// True when a primary crashed with a request of this open in hand: none of that open may be handled before it (S8).
    pub fn suspects_open(&self, open: OpenId) -> bool {
        self.suspects.iter().any(|(turn, _)| is_of(turn, open))
    }

    /// True when a primary crashed with input of this connection in hand.
    pub fn suspects_connection(&self, connection: ConnectionId) -> bool {
        self.suspects
            .iter()
            .any(|(turn, _)| matches!(turn, TurnKey::Input { connection: c, .. } if *c == connection))
    }

    /// A request that is further back than the opener's window is over, also if it was never answered because its opener gave it
    /// up. Its calls are not sent again.
    fn end_turns_before(&mut self, open: OpenId, sync: SyncId) {
        if self.calls.is_empty() {
            return;
        }
        let Some(span) = self.opens.get(&open).map(Open::window) else { return };
        self.calls.retain(|call| {
            !matches!(call.turn, TurnKey::Request { open: of, sync: old } if of == open && old.0 + span <= sync.0)
        });
    }

    fn end_turn(&mut self, turn: &TurnKey) {
        self.calls.retain(|call| call.turn != *turn);
        self.suspects.retain(|(suspect, _)| suspect != turn);
    }

    fn connection(&mut self, connection: &ConnectionId) -> Result<&mut Connection, Misfit> {
        self.connections.get_mut(connection).ok_or(Misfit("progress of an unknown connection"))
    }
}

/// True if it is the turn of a request over this open.
fn is_of(turn: &TurnKey, open: OpenId) -> bool {
    matches!(turn, TurnKey::Request { open: of, .. } if *of == open)
}

#[cfg(test)]
mod tests {
    use super::*;

    // A backup that panics over its primary's words dies in the middle of a record; one that refuses them says why.
    #[test]
    fn numbers_that_cannot_be_counted_on_from_are_misfits() {
        let (connection, listener) = (ConnectionId(1), ListenerId(1));
        let connected =
            |consumed, written| Record::Connected { connection, listener, peer: "", consumed, written };
        let mut replica = Replica::default();
        for record in [connected(u64::MAX, 0), connected(0, u64::MAX - 1)] {
            assert_eq!(
                replica.apply(&record),
                Err(Misfit("a connection's position is beyond all that can be sent"))
            );
        }
        replica.apply(&connected(5, 5)).expect("a usual one");
        let progress = Record::Progress { connection, consumed: u64::MAX, output: b"x" };
        assert!(replica.apply(&progress).is_err());
        let server = ProcessName::new("$KV").expect("a right name");
        let (open, sync) = (OpenId(1), SyncId(u64::MAX));
        replica.apply(&Record::CallOpened { open, server, next_sync: sync }).expect("a number is only kept");
        let started =
            Record::CallStarted { turn: TurnKey::Own {}, open, sync, reply_bytes_max: 0, payload: b"" };
        assert_eq!(replica.apply(&started), Err(Misfit("a call with the last sync id")));
    }
}
