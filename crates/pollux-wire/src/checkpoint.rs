//! Frames on the pair channel: how a primary's state moves to its backup.
//!
//! A CHECKPOINT frame is a number and a run of [`Record`]s. One frame is applied whole or not at all, and
//! frames are cut only between *turns* (a turn: what a primary does for one event), so that the backup's state
//! is always the primary's state between two turns (S4). A new backup receives the full state as the same records.

use crate::codec::{DecodeError, Reader, Wire, put_prefixed, wire_enum, wire_struct};
use crate::control::OpenDetails;
use crate::{
    CheckpointNumber, ConnectionId, Epoch, FileError, HeldId, ListenerId, ObjectId, OpenId, Phandle,
    ProcessName, SyncId,
};

/// Primary to backup: a [`CheckpointNumber`] and records; descriptors in the order of the records that need one.
pub const CHECKPOINT: u8 = 33;
/// Primary to backup: a [`CheckpointNumber`]; with everything up to it the backup is in step.
pub const IN_STEP: u8 = 34;
/// Primary to backup: an [`Epoch`]; the backup's place is on record.
pub const ON_RECORD: u8 = 35;
/// Primary to backup: an [`Epoch`]; the roles are exchanged on record, the receiver is the primary.
pub const SWITCH: u8 = 36;
/// Primary to backup, empty: the pair stops; the receiver ends and does not take over.
pub const END: u8 = 37;
/// Primary to backup: three descriptors that make up a ring; empty.
pub const RING_OFFER: u8 = 38;
/// The answer to RING_TAKEN(true): empty. It is the sender's last frame in the socket.
pub const RING_BEGUN: u8 = 39;
/// The answer to RING_OFFER: a bool. True: this is the sender's last frame in the socket, the next ones come through the
/// ring. False: it does not take the ring.
pub const RING_TAKEN: u8 = 50;
/// Backup to primary: the [`CheckpointNumber`] up to which everything is applied.
pub const ACKNOWLEDGE: u8 = 49;

wire_struct! {
    /// Who opened a server, as vouched for by the daemons (S16).
    pub struct Opener {
        /// The requester.
        pub phandle: Phandle,
        /// Its name, if it has one.
        pub name: Option<ProcessName>,
        /// User id the kernel reported.
        pub uid: u32,
        /// Replies it wants to be kept (`FILE_OPEN_`, sync depth).
        pub sync_depth: u16,
        /// Requests it may have outstanding (`FILE_OPEN_`, nowait depth; at least 1).
        pub nowait_depth: u16,
        /// What else `FILE_OPEN_` says.
        pub details: OpenDetails,
    }
}

wire_enum! {
    /// What a turn is about: the key under which its calls are found again after a takeover.
    pub enum TurnKey {
        /// None of the others: start-up, a timer.
        0 => Own {},
        /// A request of an opener.
        1 => Request { open: OpenId, sync: SyncId },
        /// Input of a connection, from this offset on.
        2 => Input { connection: ConnectionId, offset: u64 },
    }
}

/// One change of a pair's replicated state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record<'a> {
    /// A replicated object exists; its kind and name are the application's.
    ObjectCreated {
        /// The object.
        object: ObjectId,
        /// What it is.
        kind: u8,
        /// Its name.
        name: &'a str,
    },
    /// An object changes.
    ObjectChanged {
        /// The object.
        object: ObjectId,
        /// The change, in the object's own form.
        change: &'a [u8],
    },
    /// A part of an object's whole state, for a new backup.
    ObjectPart {
        /// The object.
        object: ObjectId,
        /// The part, in the object's own form.
        part: &'a [u8],
    },
    /// A requester has opened the pair. Carries the standby path if `standby`.
    Opened {
        /// The open.
        open: OpenId,
        /// Who.
        opener: Opener,
        /// True when a descriptor belongs to this record.
        standby: bool,
    },
    /// The server has answered the open with this label.
    Labelled {
        /// The open.
        open: OpenId,
        /// The label.
        label: i16,
    },
    /// A request has this reply.
    Replied {
        /// The open.
        open: OpenId,
        /// The request.
        sync: SyncId,
        /// Error number of the reply.
        error: FileError,
        /// Bytes of the reply.
        payload: &'a [u8],
    },
    /// An open has ended.
    Closed {
        /// The open.
        open: OpenId,
    },
    /// The pair listens. Carries the socket.
    Listening {
        /// The listener.
        listener: ListenerId,
        /// Its name in the program.
        name: &'a str,
    },
    /// A connection was accepted. Carries the socket.
    Connected {
        /// The connection.
        connection: ConnectionId,
        /// Through which listener.
        listener: ListenerId,
        /// The far address as text.
        peer: &'a str,
        /// Input bytes whose effect is in the state.
        consumed: u64,
        /// Output bytes known to have left.
        written: u64,
    },
    /// Input was used and output made.
    Progress {
        /// The connection.
        connection: ConnectionId,
        /// Input bytes whose effect is in the state, since the connection began.
        consumed: u64,
        /// Output that follows what was made before.
        output: &'a [u8],
    },
    /// Input that no turn could use yet is kept in the state, so that it can be discarded from the socket:
    /// a message larger than the socket's buffer could otherwise never become whole.
    Kept {
        /// The connection.
        connection: ConnectionId,
        /// Bytes that follow what was consumed and kept before.
        input: &'a [u8],
    },
    /// Output up to this offset is in the kernel's hands; the backup may forget it.
    Written {
        /// The connection.
        connection: ConnectionId,
        /// Offset since the connection began.
        written: u64,
    },
    /// The program has ended a connection: it closes when all its output has left.
    Closing {
        /// The connection.
        connection: ConnectionId,
    },
    /// A connection has ended.
    Disconnected {
        /// The connection.
        connection: ConnectionId,
    },
    /// The pair, as a requester, opened a server. A new primary asks for a path of its own.
    CallOpened {
        /// The open.
        open: OpenId,
        /// The server.
        server: ProcessName,
        /// The next sync id that the open will use.
        next_sync: SyncId,
    },
    /// A request the pair is about to send (S3b: sent only when this is acknowledged).
    CallStarted {
        /// For which turn.
        turn: TurnKey,
        /// On which open.
        open: OpenId,
        /// Its sync id.
        sync: SyncId,
        /// Most reply bytes wanted.
        reply_bytes_max: u32,
        /// Its bytes.
        payload: &'a [u8],
    },
    /// The answer to such a request.
    CallAnswered {
        /// On which open.
        open: OpenId,
        /// Its sync id.
        sync: SyncId,
        /// Error number of the answer.
        error: FileError,
        /// Its bytes.
        payload: &'a [u8],
    },
    /// A turn is over; its calls can be forgotten.
    TurnEnded {
        /// The turn.
        turn: TurnKey,
    },
    /// This turn was in hand when a primary crashed, so many times (L5).
    Suspected {
        /// The turn.
        turn: TurnKey,
        /// Crashes so far.
        crashes: u8,
    },
    /// The pair holds a descriptor for its program. Carries it.
    Held {
        /// Its number.
        held: HeldId,
        /// What the program says of it.
        label: &'a [u8],
    },
    /// The pair holds it no more.
    Released {
        /// Its number.
        held: HeldId,
    },
}

macro_rules! records {
    ($($tag:literal => $variant:ident { $($field:ident : $how:ident),* }),* $(,)?) => {
        impl<'a> Record<'a> {
            /// Appends the record.
            pub fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $( Self::$variant { $($field),* } => { out.push($tag); $( records!(@put $how, $field, out); )* } )*
                }
            }

            /// Takes the next record.
            pub fn take(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
                match u8::take(reader)? {
                    $( $tag => Ok(Self::$variant { $( $field: records!(@take $how, reader) ),* }), )*
                    _ => Err(DecodeError::BadValue("checkpoint record")),
                }
            }
        }
    };
    (@put bytes, $field:ident, $out:ident) => { put_prefixed($out, $field) };
    (@put text, $field:ident, $out:ident) => { put_prefixed($out, $field.as_bytes()) };
    (@put value, $field:ident, $out:ident) => { $field.put($out) };
    (@take bytes, $reader:ident) => { $reader.prefixed()? };
    (@take text, $reader:ident) => { std::str::from_utf8($reader.prefixed()?).map_err(|_| DecodeError::NotUtf8)? };
    (@take value, $reader:ident) => { Wire::take($reader)? };
}

records! {
    1 => ObjectCreated { object: value, kind: value, name: text },
    2 => ObjectChanged { object: value, change: bytes },
    3 => ObjectPart { object: value, part: bytes },
    4 => Opened { open: value, opener: value, standby: value },
    5 => Labelled { open: value, label: value },
    6 => Replied { open: value, sync: value, error: value, payload: bytes },
    7 => Closed { open: value },
    8 => Listening { listener: value, name: text },
    9 => Connected { connection: value, listener: value, peer: text, consumed: value, written: value },
    10 => Progress { connection: value, consumed: value, output: bytes },
    11 => Written { connection: value, written: value },
    12 => Disconnected { connection: value },
    13 => CallOpened { open: value, server: value, next_sync: value },
    14 => CallStarted { turn: value, open: value, sync: value, reply_bytes_max: value, payload: bytes },
    15 => CallAnswered { open: value, sync: value, error: value, payload: bytes },
    16 => TurnEnded { turn: value },
    17 => Suspected { turn: value, crashes: value },
    18 => Kept { connection: value, input: bytes },
    19 => Closing { connection: value },
    20 => Held { held: value, label: bytes },
    21 => Released { held: value },
}

/// Starts the body of a CHECKPOINT frame; the records follow.
pub fn begin_checkpoint(number: CheckpointNumber, out: &mut Vec<u8>) {
    out.extend_from_slice(&head(number));
}

/// What stands before the records of a CHECKPOINT frame.
pub fn head(number: CheckpointNumber) -> [u8; size_of::<CheckpointNumber>()] {
    number.0.to_le_bytes()
}

/// The number and the undecoded records of a CHECKPOINT frame.
pub fn open_checkpoint(body: &[u8]) -> Result<(CheckpointNumber, Reader<'_>), DecodeError> {
    let mut reader = Reader::new(body);
    Ok((CheckpointNumber::take(&mut reader)?, reader))
}

/// The epoch that is the whole body of ON_RECORD and SWITCH.
pub fn epoch_body(body: &[u8]) -> Result<Epoch, DecodeError> {
    crate::decode(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // A record that changes between primary and backup makes the halves differ.
    #[test]
    fn records_come_back_in_order() {
        let records = [
            Record::ObjectCreated { object: ObjectId(1), kind: 2, name: "accounts" },
            Record::ObjectChanged { object: ObjectId(1), change: b"x" },
            Record::Replied { open: OpenId(4), sync: SyncId(9), error: FileError(0), payload: b"done" },
            Record::Progress { connection: ConnectionId(3), consumed: 1 << 40, output: b"+OK\r\n" },
            Record::CallStarted {
                turn: TurnKey::Request { open: OpenId(4), sync: SyncId(10) },
                open: OpenId(8),
                sync: SyncId(1),
                reply_bytes_max: 9,
                payload: b"",
            },
        ];
        let mut body = Vec::new();
        begin_checkpoint(CheckpointNumber(7), &mut body);
        for record in &records {
            record.put(&mut body);
        }
        let (number, mut reader) = open_checkpoint(&body).expect("a body we made");
        assert_eq!(number, CheckpointNumber(7));
        for record in records {
            assert_eq!(Record::take(&mut reader), Ok(record));
        }
        assert!(reader.is_empty());
    }

    proptest! {
        // S17: a torn or hostile checkpoint is refused, it does not stop the backup.
        #[test]
        fn any_bytes_decode_or_are_refused(body: Vec<u8>) {
            if let Ok((_, mut reader)) = open_checkpoint(&body) {
                while !reader.is_empty() && Record::take(&mut reader).is_ok() {}
            }
        }
    }
}
