//! What every entry point goes through: no panic reaches C, a missing parameter is error 29, results have C's form.
//!
//! The entry points themselves are made from the procedure table, see `build.rs`.

#![allow(unsafe_code)]

use crate::guardian::calendar::LocalTime;
use crate::memory;
use crate::runtime;
use crate::stdio::glue;
use pollux_wire::FileError;
use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::abort;

/// Error 29: a required parameter is missing.
pub(crate) const MISSING_PARAMETER: FileError = FileError(29);

/// A place for a scalar result, as the generated text passes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Out {
    /// Where.
    pub(crate) pointer: *mut u8,
    /// The size of what is there.
    pub(crate) size: usize,
}

impl Out {
    /// Stores a value of exactly the size of the place.
    pub(crate) fn put(self, value: i64) {
        memory::Out::new(self.pointer.cast::<c_void>(), self.size).put(value);
    }
}

/// Stores a result, if it is wanted.
pub(crate) fn put(out: Option<Out>, value: i64) {
    if let Some(out) = out {
        out.put(value);
    }
}

/// Stores a number of the size of the place; nothing for an empty one.
pub(crate) fn put_sized(place: memory::Buffer, value: i64) {
    memory::Out::new(place.address() as *mut c_void, place.bytes()).put(value);
}

/// The number that stands in the place of a result that is also a parameter. Error 22 for a null address.
pub(crate) fn get(out: Out) -> Result<i64, FileError> {
    let bytes = memory::Buffer::new(out.pointer.cast::<c_void>().cast_const(), out.size)?.get();
    Ok(match *bytes.as_slice() {
        [a, b] => i64::from(i16::from_ne_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_ne_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => i64::from_ne_bytes([a, b, c, d, e, f, g, h]),
        _ => bytes.first().map_or(0, |byte| i64::from(*byte as i8)),
    })
}

/// What a procedure that gives an error number may return.
pub(crate) trait ErrorNumber {
    /// The number.
    fn error_number(self) -> i16;
}

impl ErrorNumber for i16 {
    fn error_number(self) -> i16 {
        self
    }
}

impl ErrorNumber for Result<(), FileError> {
    fn error_number(self) -> i16 {
        self.err().map_or(0, |error| error.0 as i16)
    }
}

/// What a procedure that gives a condition code may return.
pub(crate) trait ConditionCode {
    /// Below 0 an error, 0 done, above 0 a warning.
    fn condition_code(self) -> i16;
}

impl ConditionCode for i16 {
    fn condition_code(self) -> i16 {
        self
    }
}

impl ConditionCode for Result<(), FileError> {
    fn condition_code(self) -> i16 {
        match self.error_number() {
            0 => 0,
            1..=9 => 1,
            _ => -1,
        }
    }
}

/// The entry point of a procedure that gives an error number.
pub(crate) fn error_number<T: ErrorNumber>(
    name: &'static str,
    missing: u16,
    body: impl FnOnce() -> T,
) -> i16 {
    guarded(name, || if missing == 0 { body().error_number() } else { MISSING_PARAMETER.0 as i16 })
}

/// The entry point of a procedure that gives a condition code.
pub(crate) fn condition_code<T: ConditionCode>(
    name: &'static str,
    missing: u16,
    file: Option<i16>,
    body: impl FnOnce() -> T,
) -> i16 {
    guarded(name, || {
        if missing == 0 {
            return body().condition_code();
        }
        runtime::with(|runtime| runtime.note(file.unwrap_or(-1), MISSING_PARAMETER));
        -1
    })
}

/// The number of the missing parameter goes where the caller wants to be told which parameter is wrong.
pub(crate) fn detail(to: *mut i16, missing: u16) {
    memory::put_word(to, missing as i16);
}

/// The entry point of a procedure that gives nothing.
pub(crate) fn nothing(name: &'static str, missing: u16, body: impl FnOnce()) {
    guarded(name, || {
        if missing == 0 {
            body();
        }
    });
}

/// The entry point of a procedure that gives 16 bits.
pub(crate) fn int16(
    name: &'static str,
    missing: u16,
    missing_result: i16,
    body: impl FnOnce() -> i16,
) -> i16 {
    guarded(name, || if missing == 0 { body() } else { missing_result })
}

/// The entry point of a procedure that gives 32 bits.
pub(crate) fn int32(
    name: &'static str,
    missing: u16,
    missing_result: i32,
    body: impl FnOnce() -> i32,
) -> i32 {
    guarded(name, || if missing == 0 { body() } else { missing_result })
}

/// The entry point of a procedure that gives 64 bits.
pub(crate) fn int64(
    name: &'static str,
    missing: u16,
    missing_result: i64,
    body: impl FnOnce() -> i64,
) -> i64 {
    guarded(name, || if missing == 0 { body() } else { missing_result })
}

/// The entry point of a procedure that gives a stream.
pub(crate) fn stream(name: &'static str, missing: u16, body: impl FnOnce() -> *mut c_void) -> *mut c_void {
    guarded(name, || if missing == 0 { body() } else { std::ptr::null_mut() })
}

/// Runs a body; a panic in it is a fault of ours: the process ends, so that its other half takes over with good state.
fn guarded<T>(name: &'static str, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        pollux_os::say!("pollux: a fault inside {name}: {}", words_of(&*panic));
        abort()
    })
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no words")
}

/// Ends the process at once: no handler of the program runs.
pub(crate) fn end_now(code: i32) -> ! {
    // SAFETY: has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Ends the process as a trap does: what the program does cannot be answered with an error number.
pub(crate) fn trap(why: &str) -> ! {
    pollux_os::say!("pollux: {why}");
    abort()
}

/// The local time at a moment in seconds since 1970, as the C library knows it (`TZ`, or the machine's zone).
pub(crate) fn local_time(unix_s: i64) -> LocalTime {
    // SAFETY: all bytes 0 are a valid value; the C library fills it in.
    let mut fields: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both addresses are of variables of ours.
    let known = unsafe { libc::localtime_r(&raw const unix_s, &raw mut fields) };
    if known.is_null() {
        return LocalTime { ahead_s: 0, saving_s: 0 };
    }
    // How much the clocks are put forward the C library does not say; it is an hour nearly everywhere.
    LocalTime { ahead_s: fields.tm_gmtoff, saving_s: if fields.tm_isdst > 0 { 3600 } else { 0 } }
}

/// The program's `main`.
type Main = unsafe extern "C" fn(i32, *mut *mut i8, *mut *mut i8) -> i32;

/// Runs a program: the start-up object calls this in place of `main`.
///
/// # Safety
///
/// The parameters are those that the C library passes to `main`, and `main` is the program's.
#[unsafe(no_mangle)]
#[allow(unreachable_pub)] // A C program calls it.
pub unsafe extern "C" fn pollux_main(
    main: Main,
    count: i32,
    arguments: *mut *mut i8,
    _environment: *mut *mut i8,
) -> i32 {
    // SAFETY: as the caller promises.
    let (count, arguments) = guarded("start-up", || {
        runtime::with(runtime::Runtime::report_state);
        unsafe { glue::begin(count, arguments) }
    });
    // SAFETY: registers a function of ours; it runs after the program's own exit functions.
    unsafe { libc_on_exit(stopped, std::ptr::null_mut()) };
    // SAFETY: as the caller promises; the environment is that of this moment.
    unsafe { main(count, arguments, glue::environment()) }
}

unsafe extern "C" {
    #[link_name = "on_exit"]
    fn libc_on_exit(function: extern "C" fn(i32, *mut c_void), argument: *mut c_void) -> i32;
}

/// The program ends with `exit` or by returning from `main`.
extern "C" fn stopped(status: i32, _: *mut c_void) {
    guarded("exit", || glue::ended(status));
}
