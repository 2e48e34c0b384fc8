//! An allocator that counts: what this thread has allocated now, and the most since a mark.
//!
//! It is the system's allocator with two numbers per thread. Memory that one thread allocates and another gives back would be
//! counted wrongly; targets run on one thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The allocator, for `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;

/// An allocation of more bytes than any limit allows is refused, which ends the process with a message: a length that was believed must
/// not cost the machine its memory.
const ALLOCATION_BYTES_MAX: usize = 1 << 30;

fn count(bytes: isize) {
    // A thread that ends has no numbers any more.
    let _ = NOW.try_with(|now| {
        now.set(now.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now.get())));
    });
}

// JUSTIFICATION: only a global allocator sees all that a decoder allocates.
// SAFETY: each call goes to the system's allocator as it came; counting touches no memory but two numbers of the thread.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > ALLOCATION_BYTES_MAX {
            return std::ptr::null_mut();
        }
        count(layout.size() as isize);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() > ALLOCATION_BYTES_MAX {
            return std::ptr::null_mut();
        }
        count(layout.size() as isize);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > ALLOCATION_BYTES_MAX {
            return std::ptr::null_mut();
        }
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(place, layout, size) }
    }
}

/// A moment from which on is counted.
#[derive(Debug)]
pub(crate) struct Mark {
    before: isize,
}

impl Mark {
    /// Counts from here on.
    pub(crate) fn set() -> Self {
        let before = NOW.get();
        PEAK.set(before);
        Self { before }
    }

    /// The most bytes at one moment since then, and those that are left.
    pub(crate) fn look(&self) -> (usize, isize) {
        ((PEAK.get() - self.before).unsigned_abs(), NOW.get() - self.before)
    }
}
