//! The memory of the C program: the one place where it is read and written, and where its callbacks are called.
//!
//! Nothing here can know whether an address is good. What can be checked is checked: null, and sizes that no block has. A
//! bad address ends the program, as it does in C.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::mem::MaybeUninit;

/// What a program gives to an asynchronous verb and gets back with its end: a union of a pointer, a number of 32 bits and an
/// `int`, passed as C passes it. Its bytes are handed back and never looked at; a smaller member leaves some of them unset.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Correlator(pub(crate) MaybeUninit<u64>);

/// A callback of the C program: handle, block, correlator, length of an indication.
pub(crate) type Callback = extern "C" fn(u32, *mut c_void, Correlator, u32);

/// A stretch of the C program's memory that it keeps in place while a verb runs: the contract of both entry points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    address: usize,
    bytes: usize,
}

impl Stretch {
    /// `None` for null.
    pub(crate) fn new(address: *mut c_void, bytes: usize) -> Option<Self> {
        let address = address as usize;
        (address != 0 && bytes <= isize::MAX as usize).then_some(Self { address, bytes })
    }

    /// The same address with another length.
    pub(crate) fn with_length(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// A copy of what is in it.
    pub(crate) fn get(self) -> Vec<u8> {
        // SAFETY: not null; the C program passes it as readable for so many bytes.
        unsafe { std::slice::from_raw_parts(self.address as *const u8, self.bytes) }.to_vec()
    }

    /// Writes at its beginning; bytes that have no room are dropped.
    pub(crate) fn put(self, bytes: &[u8]) {
        let count = bytes.len().min(self.bytes);
        // SAFETY: not null, `count` bytes are within what the C program passes as writable; `bytes` is memory of ours.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.address as *mut u8, count) };
    }

    /// Calls a callback with the program's own block.
    pub(crate) fn call(self, callback: Callback, handle: u32, token: Correlator) {
        callback(handle, self.address as *mut c_void, token, 0);
    }
}

/// Calls a callback with a block of ours, which is valid until it returns.
pub(crate) fn call_with(callback: Callback, handle: u32, block: &mut [u8], token: Correlator) {
    let length = u32::try_from(block.len()).unwrap_or(u32::MAX);
    callback(handle, block.as_mut_ptr().cast::<c_void>(), token, length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    static SEEN: AtomicU64 = AtomicU64::new(0);

    fn seen(corr: Correlator) -> u64 {
        // SAFETY: the test has set all of it.
        unsafe { corr.0.assume_init() }
    }

    extern "C" fn note(handle: u32, block: *mut c_void, corr: Correlator, length: u32) {
        let first = Stretch::new(block, 1).map_or(0, |stretch| stretch.get()[0]);
        SEEN.store(u64::from(handle) + u64::from(first) + seen(corr) + u64::from(length), Ordering::SeqCst);
    }

    #[test]
    fn what_goes_in_comes_back() {
        let mut block = [1_u8, 2, 3];
        let stretch = Stretch::new(block.as_mut_ptr().cast(), 3).unwrap();
        assert_eq!(stretch.get(), [1, 2, 3]);
        stretch.with_length(2).put(&[7, 8, 9]);
        assert_eq!(stretch.get(), [7, 8, 3]);
        assert_eq!(Stretch::new(std::ptr::null_mut(), 3), None);
        let token = Correlator(MaybeUninit::new(1_000));
        stretch.call(note, 10, token);
        assert_eq!(SEEN.load(Ordering::SeqCst), 10 + 7 + 1_000);
        call_with(note, 20, &mut block, token);
        assert_eq!(SEEN.load(Ordering::SeqCst), 20 + 7 + 1_000 + 3);
    }
}
