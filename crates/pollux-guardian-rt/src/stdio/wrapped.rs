//! Functions of the C library that only translate `errno`: they are the library's own, and after a failure the program finds
//! the number of its own space in its own variable.
//!
//! A stream over a file of the run-time has set that variable already when it fails, in the function behind the stream, and
//! leaves the library's alone: it is cleared before each call and translated only if it was set.

#![allow(unsafe_code)]

use super::{errno, glue};
use libc::{
    FILE, c_char, c_double, c_float, c_int, c_long, c_longlong, c_ulong, c_ulonglong, c_void, size_t,
};

/// Runs a function of the C library and translates what it leaves in `errno`.
fn translated<T>(call: impl FnOnce() -> T) -> T {
    // SAFETY: the address of this thread's variable, always valid.
    let libc_errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    unsafe { *libc_errno = 0 };
    let result = call();
    // SAFETY: as above.
    let number = unsafe { *libc_errno };
    if number != 0 {
        glue::set_errno(errno::from_linux(number));
    }
    result
}

macro_rules! wraps {
    ($($wrap:ident = $path:path: ($($name:ident: $type:ty),*) -> $result:ty;)*) => {$(
        #[doc = concat!("`", stringify!($path), "`")]
        ///
        /// # Safety
        ///
        /// As the function of the C library.
        #[unsafe(no_mangle)]
        #[allow(unreachable_pub, reason = "C programs call it")]
        pub unsafe extern "C" fn $wrap($($name: $type),*) -> $result {
            // SAFETY: as the caller promises.
            translated(|| unsafe { $path($($name),*) })
        }
    )*};
}

wraps! {
    __wrap_tmpfile = libc::tmpfile: () -> *mut FILE;
    __wrap_fseek = libc::fseek: (file: *mut FILE, offset: c_long, whence: c_int) -> c_int;
    __wrap_fseeko = libc::fseeko: (file: *mut FILE, offset: libc::off_t, whence: c_int) -> c_int;
    __wrap_ftell = libc::ftell: (file: *mut FILE) -> c_long;
    __wrap_ftello = libc::ftello: (file: *mut FILE) -> libc::off_t;
    __wrap_fgetpos = libc::fgetpos: (file: *mut FILE, position: *mut libc::fpos_t) -> c_int;
    __wrap_fsetpos = libc::fsetpos: (file: *mut FILE, position: *const libc::fpos_t) -> c_int;
    __wrap_fread = libc::fread: (to: *mut c_void, size: size_t, count: size_t, file: *mut FILE) -> size_t;
    __wrap_fwrite = libc::fwrite: (from: *const c_void, size: size_t, count: size_t, file: *mut FILE) -> size_t;
    __wrap_fputs = libc::fputs: (text: *const c_char, file: *mut FILE) -> c_int;
    __wrap_fputc = libc::fputc: (character: c_int, file: *mut FILE) -> c_int;
    __wrap_fgets = libc::fgets: (to: *mut c_char, size: c_int, file: *mut FILE) -> *mut c_char;
    __wrap_strtol = libc::strtol: (text: *const c_char, end: *mut *mut c_char, base: c_int) -> c_long;
    __wrap_strtoul = libc::strtoul: (text: *const c_char, end: *mut *mut c_char, base: c_int) -> c_ulong;
    __wrap_strtoll = libc::strtoll: (text: *const c_char, end: *mut *mut c_char, base: c_int) -> c_longlong;
    __wrap_strtoull = libc::strtoull: (text: *const c_char, end: *mut *mut c_char, base: c_int) -> c_ulonglong;
    __wrap_strtod = libc::strtod: (text: *const c_char, end: *mut *mut c_char) -> c_double;
    __wrap_strtof = libc::strtof: (text: *const c_char, end: *mut *mut c_char) -> c_float;
    __wrap_malloc = libc::malloc: (size: size_t) -> *mut c_void;
    __wrap_calloc = libc::calloc: (count: size_t, size: size_t) -> *mut c_void;
    __wrap_realloc = libc::realloc: (old: *mut c_void, size: size_t) -> *mut c_void;
}
