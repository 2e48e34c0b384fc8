//! The edge to LMDB: opening an environment, and what its errors mean for the caller.
//!
//! What this decides: the flags, and the class of each LMDB error. What it does not: what is stored.
//!
//! Invariant (S14): an error of the commit itself is `Unknown` unless LMDB raises it only before it
//! writes; an error before the commit is never `Unknown`.

use std::path::Path;

use heed::{Env, EnvFlags, EnvOpenOptions, MdbError, WithTls};

use super::run_directory::MAP_BYTES;
use crate::Error;

/// data, log and meta.
const DATABASES: u32 = 3;

/// Opens the environment in `directory`, whose files `RunDirectory::begin` has made ready.
#[allow(unsafe_code)]
pub(super) fn open(directory: &Path) -> Result<Env<WithTls>, Error> {
    let mut options = EnvOpenOptions::new();
    options.map_size(MAP_BYTES as usize).max_dbs(DATABASES);
    // Not synced: what the store must survive is the death of processes, and written pages belong to the
    // kernel, not to the process that wrote them. Only a crash of the machine loses or tears them, and
    // then the boot id differs and `RunDirectory::begin` throws the file away before anyone maps it.
    // No WRITE_MAP: a stray pointer in a daemon must not be able to damage the node's store.
    // No NO_LOCK: the locks are what makes several processes one store.
    let flags = EnvFlags::NO_SYNC | EnvFlags::NO_META_SYNC;
    // JUSTIFICATION: heed offers no safe way to open an environment.
    // SAFETY: heed asks that nobody but LMDB changes the files while they are mapped, and that the locks
    // work. The run directory is closed to other users (`RunDirectory::enter`); within Pollux only this
    // crate touches the files, and it resizes or removes them only at creation, under the directory's
    // lock, before the first open; the registry keeps one environment per process; the file is of this
    // boot, so it is not torn; unsynced flags weaken only what a machine crash leaves.
    let result = unsafe { options.flags(flags).open(directory) };
    result.map_err(|error| refused("open data.mdb", &error))
}

/// The class of an error raised before a commit wrote anything.
pub(super) fn refused(doing: &str, error: &heed::Error) -> Error {
    let text = format!("cannot {doing}: {error}");
    match error {
        heed::Error::Mdb(error) if is_damage(*error) => {
            Error::corrupt(format!("{text}; stop the node and empty its run directory"))
        }
        heed::Error::Mdb(MdbError::Panic) => {
            Error::Lost { reason: format!("{text}; an earlier commit failed with an error of the disk") }
        }
        heed::Error::Mdb(MdbError::MapFull) => {
            Error::unavailable(format!("{text}; a stopped process may hold old pages, continue or kill it"))
        }
        heed::Error::Encoding(_) | heed::Error::Decoding(_) => Error::corrupt(text),
        heed::Error::Mdb(_) | heed::Error::Io(_) | heed::Error::EnvAlreadyOpened => Error::unavailable(text),
    }
}

/// The class of an error of the commit itself.
pub(super) fn commit_failed(error: &heed::Error) -> Error {
    match error {
        heed::Error::Mdb(MdbError::MapFull | MdbError::TxnFull | MdbError::BadTxn) => {
            refused("commit", error)
        }
        // A failed write may have been the one of the meta page, the last and decisive one.
        _ => Error::unknown(format!("commit failed: {error}")),
    }
}

fn is_damage(error: MdbError) -> bool {
    matches!(
        error,
        MdbError::Corrupted
            | MdbError::PageNotFound
            | MdbError::Invalid
            | MdbError::VersionMismatch
            | MdbError::Incompatible
            | MdbError::MapResized
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Effect;

    fn io(number: i32) -> heed::Error {
        heed::Error::Io(std::io::Error::from_raw_os_error(number))
    }

    #[test]
    fn a_failed_commit_is_unknown_and_a_failed_write_is_not_done() {
        // A primary told "not done" about a removal that did happen would serve in an epoch that has
        // ended (S14).
        const EIO: i32 = 5;
        const ENOSPC: i32 = 28;
        for number in [EIO, ENOSPC] {
            assert_eq!(commit_failed(&io(number)).effect(), Effect::Unknown);
            assert_eq!(refused("write", &io(number)).effect(), Effect::NotDone);
        }
        let full = heed::Error::Mdb(MdbError::MapFull);
        assert!(matches!(commit_failed(&full), Error::Unavailable { .. }));
        assert!(matches!(refused("write", &full), Error::Unavailable { .. }));
        assert!(matches!(refused("read", &heed::Error::Mdb(MdbError::Corrupted)), Error::Corrupt { .. }));
        // Whoever tries again must know that it is in vain.
        assert!(matches!(refused("read", &heed::Error::Mdb(MdbError::Panic)), Error::Lost { .. }));
    }
}
