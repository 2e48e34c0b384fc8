//! The node's records as a daemon keeps them: a store that serves it no more ends it.

use pollux_coordinator::{Changes, Coordinator, Error, Key, Outcome, Revision, Transaction, Versioned};

/// A store whose loss ends this process.
///
/// An error of the disk in the middle of a commit leaves the process that made it with a store it cannot use any more.
/// A daemon that went on would stand in the way: nobody else takes over what it has to record. Its death is a loss of
/// its CPU like any other: the others act upon it and start it again, and then it opens the store anew.
pub(crate) struct OrEnd<C>(pub(crate) C);

impl<C: Coordinator> Coordinator for OrEnd<C> {
    fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        or_end(self.0.get(key))
    }

    fn list(&self, prefix: &str) -> Result<Vec<(Key, Versioned)>, Error> {
        or_end(self.0.list(prefix))
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Outcome, Error> {
        or_end(self.0.commit(transaction))
    }

    fn revision(&self) -> Result<Revision, Error> {
        or_end(self.0.revision())
    }

    fn changes(&self, prefix: &str, after: Revision) -> Result<Changes, Error> {
        or_end(self.0.changes(prefix, after))
    }

    fn counter_floor(&self) -> Result<u64, Error> {
        or_end(self.0.counter_floor())
    }

    fn next_number(&mut self, counter: &Key) -> Result<u64, Error> {
        or_end(self.0.next_number(counter))
    }
}

fn or_end<T>(result: Result<T, Error>) -> Result<T, Error> {
    if let Err(error @ Error::Lost { .. }) = &result {
        pollux_os::say!("polluxd: {error}; this daemon ends, to be started again");
        std::process::exit(1);
    }
    result
}
