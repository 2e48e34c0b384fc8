//! Buffers of channels that hold nothing: the next channel that needs one uses it, while it is in the processor's cache.

use std::cell::RefCell;
use std::thread::LocalKey;

/// Those of a thread.
pub(super) type Spares = RefCell<Vec<Vec<u8>>>;

/// None as well while the thread ends: a C program talks to its daemon from `exit`, when the thread's variables are gone.
#[inline]
pub(super) fn take(spares: &'static LocalKey<Spares>) -> Option<Vec<u8>> {
    spares.try_with(|spares| spares.borrow_mut().pop()).ok().flatten()
}

/// Kept unless there are so many already.
#[inline]
pub(super) fn keep(spares: &'static LocalKey<Spares>, most: usize, bytes: Vec<u8>) {
    let _ = spares.try_with(|spares| {
        let mut spares = spares.borrow_mut();
        if spares.len() < most {
            spares.push(bytes);
        }
    });
}
