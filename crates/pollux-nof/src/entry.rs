//! The way in from C. No panic reaches the program: it ends the verb with AP_UNEXPECTED_SYSTEM_ERROR.

#![allow(unsafe_code)]

use crate::calls::{self, Async};
use crate::memory::{Callback, Correlator};
use pollux_domain::nof::layout::Profile;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn guarded(profile: Profile, target: u32, block: *mut c_void, how: Option<Async>) -> u16 {
    // What a panic leaves behind is a poisoned lock, which every user of the state takes over.
    let call = AssertUnwindSafe(|| calls::call(profile, target, block, how));
    catch_unwind(call).unwrap_or_else(|_| calls::failed(block))
}

/// `nof`: carries a verb out and returns when it is finished.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn nof(target_handle: u32, nofvcb: *mut c_void) {
    guarded(Profile::N128, target_handle, nofvcb, None);
}

/// `nof_async`: begins a verb; the callback is called with its end. A null callback: as `nof`.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn nof_async(
    target_handle: u32,
    nofvcb: *mut c_void,
    comp_proc: Option<Callback>,
    corr: Correlator,
) -> u16 {
    let how = Async { callback: comp_proc, token: corr };
    guarded(Profile::N128, target_handle, nofvcb, Some(how))
}

/// `nof` for programs with computer names of 64 bytes.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn nof_n64(target_handle: u32, nofvcb: *mut c_void) {
    guarded(Profile::N64, target_handle, nofvcb, None);
}

/// `nof_async` for programs with computer names of 64 bytes.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn nof_async_n64(
    target_handle: u32,
    nofvcb: *mut c_void,
    comp_proc: Option<Callback>,
    corr: Correlator,
) -> u16 {
    let how = Async { callback: comp_proc, token: corr };
    guarded(Profile::N64, target_handle, nofvcb, Some(how))
}
