//! Which environments this process has open.
//!
//! What this decides: whether an open shares an environment or makes one. What it does not: anything
//! about other processes.
//!
//! Invariant: at most one environment per run directory and process, and none is opened while another
//! of the same directory closes. Two would break LMDB: closing either drops the `fcntl` locks of both,
//! and the next process to open would reset the locks under the feet of everyone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::Shared;
use super::run_directory::DirectoryIdentity;
use crate::Error;

static OPENED: Mutex<BTreeMap<DirectoryIdentity, Weak<Shared>>> = Mutex::new(BTreeMap::new());

pub(super) fn get_or_open(
    identity: DirectoryIdentity,
    open: impl FnOnce() -> Result<Shared, Error>,
) -> Result<Arc<Shared>, Error> {
    let mut opened = opened();
    if let Some(shared) = opened.get(&identity).and_then(Weak::upgrade) {
        return Ok(shared);
    }
    let shared = Arc::new(open()?);
    opened.insert(identity, Arc::downgrade(&shared));
    Ok(shared)
}

/// Lets go of one handle's share. The last one closes the environment, here, under the lock.
pub(super) fn release(shared: Arc<Shared>) {
    let mut opened = opened();
    drop(shared);
    opened.retain(|_, shared| shared.strong_count() > 0);
}

fn opened() -> MutexGuard<'static, BTreeMap<DirectoryIdentity, Weak<Shared>>> {
    // The map is whole at every point that can panic.
    OPENED.lock().unwrap_or_else(PoisonError::into_inner)
}
