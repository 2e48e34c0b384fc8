//! What Pollux's processes say to each other: the bodies of all frames, the coordinator's records, the provider's words.

use pollux_wire::admin::{AdminReply, AdminRequest};
use pollux_wire::checkpoint::{Record, TurnKey, epoch_body, open_checkpoint};
use pollux_wire::control::{Fate, PairState, StateKeeping, ToDaemon, ToProcess};
use pollux_wire::event::EventKind;
use pollux_wire::mesh::ToPeer;
use pollux_wire::path::{IoType, KnownOpen, OpenReply, Reply, Request};
use pollux_wire::record::{CpuRecord, CpuState, NameRecord, NodeRecord};
use pollux_wire::sockets::{SocketReply, SocketRequest};
use pollux_wire::{
    CheckpointNumber, CpuNumber, Epoch, NodeName, OpenId, Phandle, ProcessName, SyncId, Wire, decode, encode,
};
use std::fmt::Debug;

/// What decodes encodes to as many bytes, which decode to the same: only small letters in names become capitals.
fn comes_back<T: Wire + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(value) = decode::<T>(bytes) else { return };
    let again = encode(&value);
    assert!(again.eq_ignore_ascii_case(bytes), "{value:?} has another form");
    assert_eq!(decode::<T>(&again), Ok(value));
}

/// One or the other: the first byte chooses.
fn either<A: Wire + PartialEq + Debug, B: Wire + PartialEq + Debug>(bytes: &[u8]) {
    match bytes.split_first() {
        Some((0, body)) => comes_back::<A>(body),
        Some((_, body)) => comes_back::<B>(body),
        None => {}
    }
}

/// Frames on the path of an open: the first byte is the kind.
pub(super) fn path_frames(bytes: &[u8]) {
    let Some((&kind, body)) = bytes.split_first() else { return };
    use pollux_wire::path as p;
    let mut again = Vec::new();
    match kind {
        p::REQUEST => {
            if let Ok(request) = Request::decode(body) {
                request.put(&mut again);
                assert_eq!(again, body);
            }
        }
        p::REPLY => {
            if let Ok(reply) = Reply::decode(body) {
                reply.put(&mut again);
                assert_eq!(again, body);
                let _ = reply.error.to_string();
            }
        }
        p::CANCEL => comes_back::<SyncId>(body),
        p::OPEN_REPLY => comes_back::<OpenReply>(body),
        p::RESUMED | p::TAKEOVER | p::STANDBY => comes_back::<Epoch>(body),
        p::RING_TAKEN => comes_back::<bool>(body),
        p::OPEN_KNOWN => comes_back::<KnownOpen>(body),
        p::OPEN_OVER => comes_back::<OpenId>(body),
        _ => {}
    }
}

/// The body of a checkpoint, and the other bodies of the pair channel.
pub(super) fn checkpoint_records(bytes: &[u8]) {
    comes_back::<CheckpointNumber>(bytes);
    comes_back::<TurnKey>(bytes);
    if let Ok(epoch) = epoch_body(bytes) {
        assert_eq!(encode(&epoch), bytes);
    }
    let Ok((number, mut reader)) = open_checkpoint(bytes) else { return };
    let mut again = encode(&number);
    while !reader.is_empty() {
        let Ok(record) = Record::take(&mut reader) else { return };
        record.put(&mut again);
    }
    assert!(again.eq_ignore_ascii_case(bytes));
}

/// A process and its daemon: the first byte chooses the direction.
pub(super) fn control(bytes: &[u8]) {
    either::<ToDaemon, ToProcess>(bytes);
}

/// Daemons among themselves.
pub(super) fn mesh(bytes: &[u8]) {
    comes_back::<ToPeer>(bytes);
}

/// The command and a daemon: the first byte chooses the direction.
pub(super) fn admin(bytes: &[u8]) {
    either::<AdminRequest, AdminReply>(bytes);
}

/// The coordinator's records: the first byte chooses the kind.
pub(super) fn records(bytes: &[u8]) {
    let Some((&kind, value)) = bytes.split_first() else { return };
    match kind % 4 {
        0 => comes_back::<NameRecord>(value),
        1 => comes_back::<CpuRecord>(value),
        2 => comes_back::<NodeRecord>(value),
        _ => comes_back::<Phandle>(value),
    }
}

/// Requests to the TCP/IP provider and its replies: the first byte chooses.
pub(super) fn socket_provider(bytes: &[u8]) {
    either::<SocketRequest, SocketReply>(bytes);
}

/// Names and words as people write them.
pub(super) fn names(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    if let Ok(name) = ProcessName::new(text) {
        assert_eq!(ProcessName::new(name.as_str()), Ok(name.clone()));
        assert!(name.as_str().eq_ignore_ascii_case(text) && name.as_str().len() <= 6);
    }
    if let Ok(name) = NodeName::new(text) {
        assert_eq!(NodeName::new(name.as_str()), Ok(name.clone()));
        assert!(name.as_str().len() <= 8);
    }
    comes_back::<ProcessName>(bytes);
    comes_back::<NodeName>(bytes);
    comes_back::<CpuNumber>(bytes);
    assert!(PairState::from_name(text).is_none_or(|state| state.name() == text));
    assert!(StateKeeping::from_name(text).is_none_or(|keeping| keeping.name() == text));
    assert!(EventKind::from_name(text).is_none_or(|kind| kind.name() == text));
    assert!(CpuState::from_name(text).is_none_or(|state| state.name() == text));
    assert!(IoType::from_name(text).is_none_or(|io| io.name() == text));
    assert!(Fate::from_name(text).is_none_or(|fate| fate.name() == text));
}
