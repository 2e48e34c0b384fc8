//! Frames on the path of an open: between a requester and one half of a server.
//!
//! ```text
//!  requester                     primary                      backup
//!      |<------- OPEN_REPLY --------|                            |
//!      |<------- STANDBY + fd ------|   (other end goes to the backup with the open's record)
//!      |-------- REQUEST ---------->|                            |
//!      |<------- REPLY -------------|                            |
//!      |                         (dies)                          |
//!      |<------- TAKEOVER(epoch) --------------------------------|
//!      |-------- REQUEST again, same sync id ------------------->|
//! ```
//!
//! The two hot bodies, REQUEST and REPLY, are a fixed header and the payload as the rest of the frame,
//! so that they can be written and read without a copy of their own.

use crate::checkpoint::Opener;
use crate::codec::{DecodeError, decode, wire_flat_enum, wire_struct};
use crate::{Epoch, FileError, OpenId, SyncId};

/// Requester to server: a [`Request`].
pub const REQUEST: u8 = 1;
/// Requester to server: a [`SyncId`] whose reply is no longer wanted.
pub const CANCEL: u8 = 2;
/// Requester to server: the open ends. The end of the path means the same.
pub const CLOSE: u8 = 3;
/// Requester to server: an [`Epoch`], the one of a TAKEOVER it has heard over this path. Requests and cancellations that
/// came over the path before are void, and sent again behind this: a half that was primary before may still hold some
/// that it has never read, and would execute them ahead of earlier ones (S8).
pub const RESUMED: u8 = 4;
/// Requester to server, the answer to RING_OFFER: a bool. True: this is the requester's last frame in the socket, the next
/// ones come through the ring. False: it does not take the ring.
pub const RING_TAKEN: u8 = 5;
/// Primary to backup of a pair that keeps its state itself, over an open that the program has made: what was said with
/// OPEN_KNOWN before is void; empty.
pub const OPENS_BEGIN: u8 = 6;
/// The same: a [`KnownOpen`] that the program knows, or is about to be told of. It may come again.
pub const OPEN_KNOWN: u8 = 7;
/// The same: an [`OpenId`] that has ended, and the program has replied to the news of it.
pub const OPEN_OVER: u8 = 8;
/// Server to requester: an [`OpenReply`].
pub const OPEN_REPLY: u8 = 17;
/// Server to requester: a [`Reply`].
pub const REPLY: u8 = 18;
/// Server to requester: an [`Epoch`]; this half is the primary from that epoch on.
pub const TAKEOVER: u8 = 19;
/// Server to requester: an [`Epoch`] and one descriptor, the path to the backup that joins with or after that epoch.
pub const STANDBY: u8 = 20;
/// Server to requester: three descriptors that make up a ring; empty. A requester that does not know the frame skips it.
pub const RING_OFFER: u8 = 21;
/// Server to requester, the answer to RING_TAKEN(true): empty. It is the server's last frame in the socket.
pub const RING_BEGUN: u8 = 22;
/// Server to requester: empty; this half is the primary no longer. Who has a path to the other half hears a TAKEOVER there;
/// who has none asks for one. A requester that does not know the frame skips it.
pub const DEMOTED: u8 = 23;

wire_flat_enum! {
    /// What the sender of a request did (Guardian Procedure Calls, `FILE_GETRECEIVEINFO_`, I/O type).
    pub enum IoType {
        /// It writes and takes no data back.
        1 => Write = "write",
        /// It only takes data.
        2 => Read = "read",
        /// It writes and takes data back.
        3 => WriteRead = "writeread",
        /// It did something to the file as such: the payload is a file-management message, -32 to -37, as the server reads
        /// it (Guardian Procedure Errors and Messages). A server that takes none answers 7.
        4 => Management = "management",
    }
}

/// Bytes of a [`Request`] before its payload.
pub const REQUEST_HEADER_BYTES: usize = 14;
/// Bytes of a [`Reply`] before its payload.
pub const REPLY_HEADER_BYTES: usize = 18;

/// A request as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// Its number in the open.
    pub sync: SyncId,
    /// Most reply bytes the sender takes.
    pub reply_bytes_max: u32,
    /// What the sender did.
    pub io: IoType,
    /// True when the requester sends it again after a takeover or a lost path.
    pub again: bool,
    /// Its bytes.
    pub payload: &'a [u8],
}

impl<'a> Request<'a> {
    /// The part of the body before the payload.
    #[inline]
    pub fn head(&self) -> [u8; REQUEST_HEADER_BYTES] {
        let mut header = [0; REQUEST_HEADER_BYTES];
        header[..8].copy_from_slice(&self.sync.0.to_le_bytes());
        header[8..12].copy_from_slice(&self.reply_bytes_max.to_le_bytes());
        header[12] = self.io.tag();
        header[13] = u8::from(self.again);
        header
    }

    /// Appends the body.
    #[inline]
    pub fn put(&self, out: &mut Vec<u8>) {
        out.reserve(REQUEST_HEADER_BYTES + self.payload.len());
        out.extend_from_slice(&self.head());
        out.extend_from_slice(self.payload);
    }

    /// The request that is this body.
    #[inline]
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let (&header, payload) =
            body.split_first_chunk::<REQUEST_HEADER_BYTES>().ok_or(DecodeError::Short)?;
        let [s0, s1, s2, s3, s4, s5, s6, s7, m0, m1, m2, m3, io, again] = header;
        Ok(Self {
            sync: SyncId(u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7])),
            reply_bytes_max: u32::from_le_bytes([m0, m1, m2, m3]),
            io: decode(&[io])?,
            again: decode(&[again])?,
            payload,
        })
    }
}

/// A reply as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The request it answers.
    pub sync: SyncId,
    /// Error number given by the server; data may accompany it.
    pub error: FileError,
    /// Epoch of the half that speaks (S1).
    pub epoch: Epoch,
    /// Its bytes.
    pub payload: &'a [u8],
}

impl<'a> Reply<'a> {
    /// The part of the body before the payload.
    #[inline]
    pub fn head(&self) -> [u8; REPLY_HEADER_BYTES] {
        let mut header = [0; REPLY_HEADER_BYTES];
        header[..8].copy_from_slice(&self.sync.0.to_le_bytes());
        header[8..10].copy_from_slice(&self.error.0.to_le_bytes());
        header[10..].copy_from_slice(&self.epoch.0.to_le_bytes());
        header
    }

    /// Appends the body.
    #[inline]
    pub fn put(&self, out: &mut Vec<u8>) {
        out.reserve(REPLY_HEADER_BYTES + self.payload.len());
        out.extend_from_slice(&self.head());
        out.extend_from_slice(self.payload);
    }

    /// The reply that is this body.
    #[inline]
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let (&header, payload) = body.split_first_chunk::<REPLY_HEADER_BYTES>().ok_or(DecodeError::Short)?;
        let [s0, s1, s2, s3, s4, s5, s6, s7, error, class, e0, e1, e2, e3, e4, e5, e6, e7] = header;
        Ok(Self {
            sync: SyncId(u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7])),
            error: FileError(u16::from_le_bytes([error, class])),
            epoch: Epoch(u64::from_le_bytes([e0, e1, e2, e3, e4, e5, e6, e7])),
            payload,
        })
    }
}

wire_struct! {
    /// The server's answer to an open (system message -103; Guardian Procedure Errors and Messages Manual).
    pub struct OpenReply {
        /// Zero, or why the open is refused.
        pub error: FileError,
        /// What the server wants to see with each request of this open; -1 if nothing.
        pub label: i16,
        /// The server's epoch.
        pub epoch: Epoch,
    }
}

wire_struct! {
    /// An open of a pair that keeps its state itself, as its primary tells its backup.
    pub struct KnownOpen {
        /// Which open.
        pub open: OpenId,
        /// Who made it; with the label that the program gave to it.
        pub opener: Opener,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        // A request or reply that changes on its way breaks every server.
        #[test]
        fn requests_and_replies_come_back(sync: u64, max: u32, again: bool, error: u16, epoch: u64, payload: Vec<u8>) {
            let request = Request { sync: SyncId(sync), reply_bytes_max: max, io: IoType::WriteRead, again, payload: &payload };
            let mut body = Vec::new();
            request.put(&mut body);
            prop_assert_eq!(Request::decode(&body), Ok(request));
            let reply = Reply { sync: SyncId(sync), error: FileError(error), epoch: Epoch(epoch), payload: &payload };
            body.clear();
            reply.put(&mut body);
            prop_assert_eq!(Reply::decode(&body), Ok(reply));
        }

        // S17: a peer that sends garbage must not be able to stop a server.
        #[test]
        fn any_bytes_decode_or_are_refused(body: Vec<u8>) {
            let _ = Request::decode(&body);
            let _ = Reply::decode(&body);
            let _ = crate::decode::<OpenReply>(&body);
        }
    }
}
