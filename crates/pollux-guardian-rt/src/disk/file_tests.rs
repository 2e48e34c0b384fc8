//! Disk files in a directory of their own; the two halves of a pair are two opens with the same key.

use super::*;
use crate::disk::exclusion::Exclusion;
use crate::disk::layout::OpenKey;
use std::fs;
use std::path::PathBuf;

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("disk")).unwrap();
        Self { directory }
    }

    fn control(&self) -> PathBuf {
        self.directory.path().join("disk")
    }

    fn file(&self, contents: &[u8]) -> PathBuf {
        let path = self.directory.path().join("data");
        fs::write(&path, contents).unwrap();
        path
    }

    fn open(&self, path: &Path, opening: Opening) -> Result<DiskFile, FileError> {
        DiskFile::open(&self.control(), path, &opening)
    }
}

fn of(instance: u64) -> Opening {
    let key = OpenKey { instance, file_number: 2 };
    Opening { key, backup: false, access: Access::ReadWrite, exclusion: Exclusion::Shared, depth: 0 }
}

// Every program that reads a file to its end waits for error 1.
#[test]
fn reading_ends_with_error_1_and_updates_stay_where_they_are() {
    let place = Place::new();
    let path = place.file(b"abcdef");
    let mut file = place.open(&path, of(1)).unwrap();
    assert_eq!(file.read(4).unwrap(), b"abcd");
    assert_eq!(file.read(4).unwrap(), b"ef");
    assert_eq!(file.read(4), Err(FileError::END_OF_FILE));
    file.set_position(2);
    assert_eq!(file.read_update(2).unwrap(), b"cd");
    file.write_update(b"XY").unwrap();
    assert_eq!(file.read(2).unwrap(), b"XY");
    file.set_position(AT_END);
    assert_eq!(file.write(b"end").unwrap(), 3);
    assert_eq!(fs::read(&path).unwrap(), b"abXYefend");
}

// Two programs that both believe to have a file alone.
#[test]
fn an_exclusive_open_keeps_others_out_until_it_is_closed() {
    let place = Place::new();
    let path = place.file(b"");
    let first = place.open(&path, Opening { exclusion: Exclusion::Exclusive, ..of(1) }).unwrap();
    assert_eq!(place.open(&path, of(2)).unwrap_err(), FileError::IN_USE);
    // A descriptor of the same process that is closed must not take the lock along.
    drop(fs::File::open(&path).unwrap());
    assert_eq!(place.open(&path, of(2)).unwrap_err(), FileError::IN_USE);
    drop(first);
    let reader = Opening { access: Access::Read, exclusion: Exclusion::Protected, ..of(2) };
    let second = place.open(&path, reader).unwrap();
    assert_eq!(place.open(&path, of(3)).unwrap_err(), FileError::IN_USE);
    drop(second);
    assert_eq!(fs::read_dir(place.control()).unwrap().count(), 0, "the last one removes the control file");
}

// The backup takes over with the file still its own, and repeats writes without doing them again.
#[test]
fn a_pair_is_one_opener_and_its_repeated_writes_are_done_once() {
    let place = Place::new();
    let path = place.file(b"");
    let opening = Opening { exclusion: Exclusion::Exclusive, depth: 2, ..of(7) };
    let backup_opening = Opening { backup: true, ..opening };
    assert_eq!(place.open(&path, backup_opening).unwrap_err(), FileError::NO_PRIMARY_OPEN);
    let mut primary = place.open(&path, opening).unwrap();
    let other_depth = Opening { depth: 1, ..backup_opening };
    assert_eq!(place.open(&path, other_depth).unwrap_err(), FileError::NO_PRIMARY_OPEN);
    let mut backup = place.open(&path, backup_opening).unwrap();

    primary.append(b"one\n").unwrap();
    let state = primary.sync_block();
    primary.append(b"two\n").unwrap();
    primary.append(b"three\n").unwrap();
    drop(primary);
    assert_eq!(place.open(&path, of(8)).unwrap_err(), FileError::IN_USE, "no instant without an owner");

    backup.set_sync_block(&state).unwrap();
    assert_eq!(backup.append(b"two\n").unwrap(), 4);
    assert_eq!(backup.append(b"three\n").unwrap(), 6);
    assert_eq!(backup.append(b"four\n").unwrap(), 5);
    assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\nthree\nfour\n");

    // A new backup of the survivor finds the open too.
    let mut third = place.open(&path, backup_opening).unwrap();
    drop(backup);
    assert_eq!(third.append(b"five\n").unwrap(), 5);
    assert!(fs::read(&path).unwrap().ends_with(b"four\nfive\n"));
}

// A half that was lost with its CPU holds its lock until its process is gone. The new primary's new backup comes sooner: refused,
// it would be on record and know nothing, and the next loss would end the pair.
#[test]
fn a_new_backup_waits_for_the_place_of_a_half_that_ends() {
    let place = Place::new();
    let path = place.file(b"");
    let opening = Opening { depth: 2, ..of(7) };
    let backup_opening = Opening { backup: true, ..opening };
    let mut ending = place.open(&path, opening).unwrap();
    ending.append(b"one\n").unwrap();
    let mut primary = place.open(&path, backup_opening).unwrap();
    std::thread::scope(|threads| {
        let backup = threads.spawn(|| place.open(&path, backup_opening));
        // The primary goes on while it waits.
        primary.append(b"two\n").unwrap();
        drop(ending);
        let mut backup = backup.join().unwrap().unwrap();
        primary.append(b"three\n").unwrap();
        drop(primary);
        assert_eq!(backup.read(100).unwrap(), b"one\ntwo\nthree\n");
    });
}

// A third half of a pair does not exist; it is told so, and not kept for ever.
#[test]
fn an_open_has_two_places() {
    let place = Place::new();
    let path = place.file(b"");
    let backup_opening = Opening { backup: true, ..of(7) };
    let _primary = place.open(&path, of(7)).unwrap();
    let _backup = place.open(&path, backup_opening).unwrap();
    assert_eq!(place.open(&path, backup_opening).unwrap_err(), FileError::NO_PRIMARY_OPEN);
}

// A new primary that writes something else must not have it swallowed as a repetition.
#[test]
fn after_resetsync_other_writes_are_done() {
    let place = Place::new();
    let path = place.file(b"");
    let opening = Opening { depth: 1, ..of(7) };
    let mut primary = place.open(&path, opening).unwrap();
    let mut backup = place.open(&path, Opening { backup: true, ..opening }).unwrap();
    primary.append(b"a").unwrap();
    drop(primary);
    backup.reset_sync().unwrap();
    backup.append(b"b").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"ab");
}

// Errors that programs branch on.
#[test]
fn errors_have_their_numbers() {
    let place = Place::new();
    assert_eq!(place.open(Path::new("/no/such/file"), of(1)).unwrap_err(), FileError::NOT_FOUND);
    assert_eq!(place.open(&place.control(), of(1)).unwrap_err(), errors::NOT_FOR_THIS_FILE);
    let path = place.file(b"");
    let too_deep = Opening { depth: 16, ..of(1) };
    assert_eq!(place.open(&path, too_deep).unwrap_err(), FileError::TOO_MANY_OUTSTANDING);
    let mut reader = place.open(&path, Opening { access: Access::Read, ..of(1) }).unwrap();
    assert_eq!(reader.write(b"x"), Err(errors::ACCESS_VIOLATION));
    let mut writer = place.open(&path, Opening { access: Access::Write, ..of(1) }).unwrap();
    assert_eq!(writer.read(1), Err(errors::ACCESS_VIOLATION));
    let block = SyncBlock { file_number: 3, ..writer.sync_block() };
    assert_eq!(writer.set_sync_block(&block), Err(FileError(41)));
}
