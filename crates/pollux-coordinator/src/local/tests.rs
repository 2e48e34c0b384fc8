//! Tests of `Local` that need its insides: another boot id, a cut creation, a lost file.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// A directory that `Local` accepts, whatever the umask.
fn private_directory() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o700)).tempdir().unwrap()
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn put(store: &mut Local, name: &str, value: &str) -> Revision {
    match store.commit(&Transaction::new().put(key(name), value)).unwrap() {
        Outcome::Committed(revision) => revision,
        Outcome::Conflict { .. } => panic!("no compare, no conflict"),
    }
}

#[test]
fn a_new_boot_begins_anew_above_all_old_numbers() {
    // After a reboot a name would seem to have an owner that died with the machine (S10), or a phandle
    // or epoch would be given out a second time (S9, S11).
    let directory = private_directory();
    let counter = Key::counter("phandle").unwrap();
    let mut last_number = 0;
    let mut last_revision = Revision::NEVER;
    for boot in ["one", "two", "three"] {
        let mut store = Local::open_for_boot(directory.path(), boot).unwrap();
        assert_eq!(store.get(&key("name/$KV")).unwrap(), None);
        assert_eq!(store.list("").unwrap(), vec![]);
        assert_eq!(store.counter_floor().unwrap(), store.revision().unwrap().0);
        if boot != "one" {
            assert_eq!(store.changes("", last_revision).unwrap(), Changes::Compacted);
        }
        let number = store.next_number(&counter).unwrap();
        assert!(number > last_number, "{boot}: {number} after {last_number}");
        assert!(store.next_number(&counter).unwrap() > number);
        let revision = put(&mut store, "name/$KV", boot);
        assert!(revision > last_revision);
        drop(store);
        let store = Local::open_for_boot(directory.path(), boot).unwrap();
        assert_eq!(store.get(&key("name/$KV")).unwrap().unwrap().value, boot.as_bytes());
        last_number = number + 1;
        last_revision = revision;
    }
}

#[test]
fn a_creation_that_was_cut_is_done_again() {
    // A daemon killed while it creates the store would leave a node that can never start.
    let directory = private_directory();
    let run_directory = RunDirectory::enter(directory.path()).unwrap();
    assert_eq!(run_directory.begin("boot").unwrap(), Stage::Fresh(0));
    fs::write(directory.path().join("data.mdb"), [0; 4096]).unwrap(); // half of LMDB's first write
    let mut store = Local::open_for_boot(directory.path(), "boot").unwrap();
    put(&mut store, "name/$KV", "cpu 0");
}

#[test]
fn a_store_that_lost_a_file_is_refused() {
    // A cleaner of old files in /tmp would make the next daemon create a second store beside the one its
    // neighbours use, and each name would have two owners (S10).
    for lost in ["coordinator.boot", "data.mdb", "lock.mdb"] {
        let directory = private_directory();
        drop(Local::open_for_boot(directory.path(), "boot").unwrap());
        fs::remove_file(directory.path().join(lost)).unwrap();
        let error = Local::open_for_boot(directory.path(), "boot").unwrap_err();
        assert!(matches!(&error, Error::Corrupt { reason } if reason.contains(lost)), "{lost}: {error}");
    }
}

#[test]
fn another_format_is_refused_by_name() {
    // A daemon of another version would read the records of this one as something else.
    let directory = private_directory();
    fs::write(directory.path().join("coordinator.boot"), "pollux-coordinator 2\nanything\n").unwrap();
    let error = Local::open_for_boot(directory.path(), "boot").unwrap_err();
    assert_eq!(error, Error::Version { found: "2".to_owned(), expected: 1 });
    for damaged in
        ["", "pollux-coordinator 1\n", "pollux-coordinator 1\nboot b\ngeneration -1\nstate ready\n"]
    {
        fs::write(directory.path().join("coordinator.boot"), damaged).unwrap();
        assert!(
            matches!(Local::open_for_boot(directory.path(), "boot"), Err(Error::Corrupt { .. })),
            "{damaged:?}"
        );
    }
}

#[test]
fn a_directory_open_to_others_is_refused() {
    // Any user of the machine could make himself primary of a pair.
    let directory = private_directory();
    for (mode, allowed) in
        [(0o777, false), (0o770, false), (0o755, false), (0o1777, false), (0o750, true), (0o700, true)]
    {
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
        match Local::create_or_open(directory.path()) {
            Ok(_) => assert!(allowed, "{mode:o}"),
            Err(error) => {
                assert!(!allowed, "{mode:o}: {error}");
                assert!(error.to_string().contains("chmod 700"), "{error}");
            }
        }
    }
    for file in ["data.mdb", "lock.mdb", "coordinator.boot"] {
        let mode = fs::metadata(directory.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o177, 0, "{file}");
    }
    let missing = directory.path().join("missing");
    assert!(Local::create_or_open(&missing).unwrap_err().to_string().contains("mkdir -m 700"));
}

#[test]
fn the_files_are_reserved_and_lmdb_uses_the_reserved_lock_file() {
    // A full disk would stop a node that runs, or kill its daemons by SIGBUS.
    use std::os::unix::fs::MetadataExt;
    let directory = private_directory();
    let store = Local::create_or_open(directory.path()).unwrap();
    let reserved = fs::metadata(directory.path().join("data.mdb")).unwrap().blocks() * 512;
    assert!(reserved >= run_directory::MAP_BYTES, "{reserved}");
    assert!(store.shared().env.max_readers() > 200);
}

#[test]
fn a_handle_can_go_to_another_thread() {
    // The daemon keeps its store on a thread of its own.
    fn is_send<T: Send>(_: &T) {}
    let directory = private_directory();
    is_send(&Local::create_or_open(directory.path()).unwrap());
}

#[test]
fn a_reader_stopped_in_mid_read_leaves_time_to_kill_it() {
    // A daemon frozen inside a read keeps old pages alive: its neighbours must be able to regroup without
    // it before the map is full, be told "not done" when it is, and go on once the reader is gone.
    let directory = private_directory();
    let mut store = Local::create_or_open(directory.path()).unwrap();
    for n in 0..1_000 {
        put(&mut store, &format!("pair/${n:04}"), &"x".repeat(200));
    }
    let reader = store.clone();
    let held = reader.shared().begin_read().unwrap();
    let update =
        |n: usize| Transaction::new().put(key(&format!("pair/${:04}", n * 37 % 1_000)), vec![1; 200]);
    let (commits, error) = (0..100_000)
        .find_map(|n| store.commit(&update(n)).err().map(|error| (n, error)))
        .expect("the map has an end");
    assert!(commits > 400, "only {commits} commits");
    assert!(matches!(&error, Error::Unavailable { reason } if reason.contains("stopped")), "{error}");
    drop(held);
    for n in 0..1_000 {
        store.commit(&update(n)).unwrap();
    }
    println!("{commits} commits beyond a stopped reader");
}
