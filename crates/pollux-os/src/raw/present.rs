//! Mapping in what is mapped already.

use std::ffi::c_void;
use std::io;

use rustix::mm::{Advice, madvise};

/// Makes the pages of these addresses present as a read of each would. Addresses without memory are an error.
pub(crate) fn map_in(start: usize, bytes: usize) -> io::Result<()> {
    // JUSTIFICATION: madvise takes an address, and rustix has no safe face for it.
    // SAFETY: this advice only reads; it changes neither what the memory holds nor who may use it.
    Ok(unsafe { madvise(start as *mut c_void, bytes, Advice::LinuxPopulateRead) }?)
}
