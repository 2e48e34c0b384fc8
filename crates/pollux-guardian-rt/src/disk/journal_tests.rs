//! A pair that writes a file through the journal, killed at every step of it.

use super::*;
use crate::disk::exclusion::{Access, Exclusion};
use crate::disk::layout::OpenKey;
use proptest::prelude::*;

const SERIAL: u64 = 5;
const SLOT: SlotNumber = SlotNumber(3);

/// Files in memory, and a process that dies after so many writes, in the middle of the last one.
struct Simulated {
    control: Vec<u8>,
    file: Vec<u8>,
    /// Writes until the kill; none: no kill.
    left: Option<usize>,
    /// Of the write that is cut short, so much is done, in 1/256.
    torn: u8,
    /// Bytes that the data file may have.
    room: usize,
    /// Writes so far.
    steps: usize,
}

impl Simulated {
    fn new() -> Self {
        let mut simulated =
            Self { control: Vec::new(), file: Vec::new(), left: None, torn: 0, room: usize::MAX, steps: 0 };
        let slot = Slot {
            serial: SERIAL,
            key: OpenKey { instance: 1, file_number: 1 },
            access: Access::ReadWrite,
            exclusion: Exclusion::Shared,
            depth: 15,
        };
        simulated.control_write(SLOT.at(), &slot.encode()).unwrap();
        simulated.steps = 0;
        simulated
    }

    fn store(&mut self, control: bool, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.steps += 1;
        let (bytes, killed) = match &mut self.left {
            Some(0) => (&bytes[..bytes.len() * usize::from(self.torn) / 256], true),
            Some(left) => {
                *left -= 1;
                (bytes, false)
            }
            None => (bytes, false),
        };
        let (store, room) =
            if control { (&mut self.control, usize::MAX) } else { (&mut self.file, self.room) };
        let at = at as usize;
        let fits = bytes.len().min(room.saturating_sub(at));
        if fits > 0 {
            store.resize(store.len().max(at + fits), 0);
            store[at..at + fits].copy_from_slice(&bytes[..fits]);
        }
        if killed {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        if fits < bytes.len() { Err(io::Error::from(io::ErrorKind::FileTooLarge)) } else { Ok(()) }
    }
}

impl Media for Simulated {
    fn control_read(&mut self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = self.control.get(at as usize + index).copied().unwrap_or(0);
        }
        Ok(())
    }
    fn control_size(&mut self) -> io::Result<u64> {
        Ok(self.control.len() as u64)
    }
    fn control_write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.store(true, at, bytes)
    }
    fn file_write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.store(false, at, bytes)
    }
    fn file_size(&mut self) -> io::Result<u64> {
        Ok(self.file.len() as u64)
    }
    fn file_cut(&mut self, size: u64) -> io::Result<()> {
        if self.left == Some(0) {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        self.left = self.left.map(|left| left - 1);
        self.file.truncate(size as usize);
        Ok(())
    }
    fn error_number(&self, error: &io::Error) -> Option<u16> {
        (error.kind() == io::ErrorKind::FileTooLarge).then_some(45)
    }
}

fn request(sync: u64, place: Place, data: &[u8], depth: u16) -> Write<'_> {
    Write { slot: SLOT, serial: SERIAL, depth, sync, place, data }
}

/// What the program does: from its last update it repeats the writes behind it.
fn place_of(kind: u8) -> Place {
    if kind < 128 { Place::End } else { Place::At(u64::from(kind) - 128) }
}

proptest! {
    // S3 for files: a pair whose primary is killed anywhere leaves the file of an undisturbed run, byte for byte.
    #[test]
    fn a_killed_pair_writes_the_same_file(
        writes in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 1..12),
        updates in 1usize..8,
        kills in prop::collection::vec((0usize..40, any::<u8>()), 0..6),
        room in prop_oneof![Just(usize::MAX), 40usize..300],
    ) {
        let depth = updates as u16;
        let mut calm = Simulated::new();
        calm.room = room;
        let mut expected = Vec::new();
        for (index, (kind, data)) in writes.iter().enumerate() {
            let done = write(&mut calm, &request(index as u64 + 1, place_of(*kind), data, depth)).unwrap();
            expected.push(done);
        }

        let mut stormy = Simulated::new();
        stormy.room = room;
        let mut kills = kills.into_iter();
        let mut updated = 0;
        'life: loop {
            let kill = kills.next();
            stormy.left = kill.map(|kill| kill.0);
            stormy.torn = kill.map_or(0, |kill| kill.1);
            let first = updated;
            for index in first..writes.len() {
                let (kind, data) = &writes[index];
                // An update every `updates` writes: what is behind it is repeated by the next primary.
                if index % updates == 0 {
                    updated = index;
                }
                match write(&mut stormy, &request(index as u64 + 1, place_of(*kind), data, depth)) {
                    Ok(done) => prop_assert_eq!((done.count, done.error), (expected[index].count, expected[index].error)),
                    Err(_) => continue 'life,
                }
            }
            break;
        }
        prop_assert_eq!(&stormy.file, &calm.file);
    }

    // A record that announces data which nobody has written would be believed with as much memory, and written as zeros.
    #[test]
    fn an_intent_without_its_data_is_none(length in 6_u32.., offset: u64) {
        let mut files = Simulated::new();
        files.control_write(DATA_AT, b"short").unwrap();
        let intent = Intent { slot: SLOT, serial: SERIAL, sync: 1, offset, length, size_before: 0 };
        files.control_write(INTENT_AT, &intent.encode()).unwrap();
        recover(&mut files).unwrap();
        prop_assert_eq!(files.file.len(), 0);
        prop_assert_eq!(pending(&mut files).unwrap(), None);
    }

    // Another program that appends to the same file must neither lose its bytes nor take the place of ours.
    #[test]
    fn a_stranger_between_kill_and_repetition_changes_nothing(
        data in prop::collection::vec(1u8..200, 1..20),
        torn: u8,
    ) {
        let mut probe = Simulated::new();
        write(&mut probe, &request(1, Place::End, &data, 1)).unwrap();
        for step in 0..probe.steps {
            let mut media = Simulated::new();
            (media.left, media.torn) = (Some(step), torn);
            prop_assert!(write(&mut media, &request(1, Place::End, &data, 1)).is_err());
            media.left = None;
            write(&mut media, &Write { slot: SlotNumber(9), serial: 1, depth: 0, sync: 1, place: Place::End, data: &[255; 3] }).unwrap();
            write(&mut media, &request(1, Place::End, &data, 1)).unwrap();
            let (mut before, mut after) = (data.clone(), vec![255; 3]);
            before.extend([255; 3]);
            after.extend(&data);
            prop_assert!(media.file == before || media.file == after, "{:?} at step {step}", media.file);
        }
    }
}

// A write that is done came back with the bytes of the next one: its intent was cleared in part, and the beginning of the next
// intent, which is the same, was all that came of that.
#[test]
fn a_torn_clearing_and_a_torn_intent_make_no_whole_one() {
    for torn in 0..=u8::MAX {
        let mut media = Simulated::new();
        write(&mut media, &request(1, Place::End, b"a", 1)).unwrap();
        let steps = media.steps;
        let mut media = Simulated::new();
        (media.left, media.torn) = (Some(steps - 1), torn);
        assert!(write(&mut media, &request(1, Place::End, b"a", 1)).is_err());
        for step in 0..3 {
            let mut media = Simulated {
                control: media.control.clone(),
                file: media.file.clone(),
                left: Some(step),
                torn,
                ..Simulated::new()
            };
            assert!(write(&mut media, &request(2, Place::End, b"b", 1)).is_err());
            media.left = None;
            write(&mut media, &request(2, Place::End, b"b", 1)).unwrap();
            assert_eq!(media.file, b"ab", "{torn} at step {step}");
        }
    }
}

// What the promise is worth: without a sync depth the same kill doubles the bytes.
#[test]
fn with_depth_0_a_repeated_append_is_done_twice() {
    let mut media = Simulated::new();
    write(&mut media, &request(1, Place::End, b"ab", 0)).unwrap();
    write(&mut media, &request(1, Place::End, b"ab", 0)).unwrap();
    assert_eq!(media.file, b"abab");
}

// A program that makes more writes than its depth between two updates must hear of it when it repeats them.
#[test]
fn more_writes_than_the_depth_are_too_old_when_repeated() {
    let mut media = Simulated::new();
    for sync in 1..=4 {
        assert_eq!(write(&mut media, &request(sync, Place::End, b"x", 3)).unwrap().error, 0);
    }
    assert_eq!(write(&mut media, &request(1, Place::End, b"x", 3)).unwrap().error, 39);
    assert_eq!(write(&mut media, &request(2, Place::End, b"x", 3)).unwrap().error, 0);
    assert_eq!(media.file, b"xxxx");
}

// A failed write that is repeated after a takeover gives the same error although there may be room again.
#[test]
fn a_saved_error_comes_back() {
    let mut media = Simulated::new();
    media.room = 3;
    assert_eq!(write(&mut media, &request(1, Place::End, b"abcd", 1)).unwrap().error, 45);
    assert!(media.file.is_empty());
    media.room = usize::MAX;
    assert_eq!(write(&mut media, &request(1, Place::End, b"abcd", 1)).unwrap().error, 45);
    assert_eq!(write(&mut media, &request(2, Place::End, b"abcd", 1)).unwrap().error, 0);
    assert_eq!(media.file, b"abcd");
}
