//! What a primary sends of its objects, for the fuzz targets: any bytes are taken in or are a misfit, and what was taken in is
//! sent on as something that is taken in (S4, S17). Behind the feature `fuzz`; no product calls it.

use crate::objects::{Objects, Position};
use pollux_core::replica::Replica;
use pollux_wire::checkpoint::{Record, open_checkpoint};
use pollux_wire::{ObjectId, Reader, Wire as _};

/// Parts of a state that are sent on before a save is given up.
const PARTS_MAX: usize = 64;

/// Changes and parts of an object. The first byte is its kind; then, each with a length of 16 bits, changes and parts in turn,
/// as bit 7 of the length says.
pub fn object(bytes: &[u8]) {
    let Some((&kind, rest)) = bytes.split_first() else { return };
    let mut objects = Objects::default();
    let id = ObjectId(1);
    if objects.create(id, kind % 5, "object").is_err() {
        return;
    }
    let mut reader = Reader::new(rest);
    while let Ok(head) = u16::take(&mut reader) {
        let length = usize::from(head & 0x7fff);
        let Ok(piece) = reader.bytes(length) else { break };
        let object = &objects.get(id).expect("it was made").object;
        let done = if head & 0x8000 == 0 { object.apply(piece) } else { object.load_part(piece) };
        if done.is_err() {
            break;
        }
    }
    let parts = saved(&objects, id);
    let mut copy = Objects::default();
    copy.create(id, kind % 5, "object").expect("a kind that was made before");
    for part in &parts {
        copy.get(id).expect("it was made").object.load_part(part).expect("what an object saved");
    }
    assert_eq!(saved(&copy, id), parts, "S4: a new backup has what the old one had");
    let _ = objects.next_id();
}

fn saved(objects: &Objects, id: ObjectId) -> Vec<Vec<u8>> {
    let object = &objects.get(id).expect("it was made").object;
    let (mut position, mut parts) = (Position::default(), Vec::new());
    loop {
        let mut part = Vec::new();
        let more = object.save_part(&mut position, &mut part);
        parts.push(part);
        if !more || parts.len() == PARTS_MAX {
            return parts;
        }
    }
}

/// The body of a checkpoint, as a backup applies it: records of the state and of objects. A record that is taken encodes to its
/// own bytes.
pub fn checkpoint(bytes: &[u8]) {
    let Ok((_, mut reader)) = open_checkpoint(bytes) else { return };
    let (mut replica, mut objects) = (Replica::default(), Objects::default());
    while !reader.is_empty() {
        let before = reader.clone().remainder();
        let Ok(record) = Record::take(&mut reader) else { return };
        let taken = before.len() - reader.clone().remainder().len();
        let mut again = Vec::new();
        record.put(&mut again);
        assert!(again.eq_ignore_ascii_case(&before[..taken]), "only small letters in names become capitals");
        let done = match &record {
            Record::ObjectCreated { object, kind, name } => objects.create(*object, *kind, name),
            Record::ObjectChanged { object, change } => match objects.get(*object) {
                Some(slot) => slot.object.apply(change),
                None => return,
            },
            Record::ObjectPart { object, part } => match objects.get(*object) {
                Some(slot) => slot.object.load_part(part),
                None => return,
            },
            record => replica.apply(record),
        };
        if done.is_err() {
            return;
        }
    }
    let _ = replica.calls_only();
}
