//! Where the C library meets the streams of the run-time: cookie streams, the wrapped functions of `stdio`, `errno`.
//!
//! A program is linked with `--wrap` for each `__wrap_` function here, so its own calls come here and ours, and those of
//! the C library, do not. Nothing but the conversion between C and Rust is done in this module.

#![allow(unsafe_code)]
#![allow(unreachable_pub, reason = "C programs call what is exported here")]

use super::errno;
use super::mode::Mode;
use super::state::{FILE_STATE_BYTES, FileState, OPEN_STATE_BYTES, OpenState};
use super::streams::{self, As, StreamId, Whence};
use super::{bridge, standard};
use crate::start::begin;
use crate::start::ending::{self, Ending};
use crate::{entry, runtime};
use libc::{FILE, c_char, c_int, c_void, off64_t, size_t, ssize_t};
use pollux_wire::FileError;
use pollux_wire::startup::STARTUP_VARIABLES;
use std::ffi::{CStr, CString};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

/// What Guardian programs call `errno`: the prelude gives their `errno` this symbol.
#[unsafe(no_mangle)]
pub static mut pollux_errno: c_int = 0;

/// What Guardian programs call `h_errno`; our `netdb.h` gives it this symbol.
#[unsafe(no_mangle)]
pub static mut pollux_h_errno: c_int = 0;

/// A program has its socket addresses in network order: called before `main`, by a function that our headers put into it.
#[unsafe(no_mangle)]
pub extern "C" fn pollux_use_network_order() {
    crate::sockets::address::use_network_order();
}

/// glibc: an error was met (`_IO_ERR_SEEN` of `FILE._flags`, part of its binary interface since version 2.1).
const ERROR_SEEN: c_int = 0x20;

#[repr(C)]
struct CookieFunctions {
    read: Option<extern "C" fn(*mut c_void, *mut c_char, size_t) -> ssize_t>,
    write: Option<extern "C" fn(*mut c_void, *const c_char, size_t) -> ssize_t>,
    seek: Option<extern "C" fn(*mut c_void, *mut off64_t, c_int) -> c_int>,
    close: Option<extern "C" fn(*mut c_void) -> c_int>,
}

unsafe extern "C" {
    fn fopencookie(cookie: *mut c_void, mode: *const c_char, functions: CookieFunctions) -> *mut FILE;
    fn __fbufsize(file: *mut FILE) -> size_t;
    fn __fwriting(file: *mut FILE) -> c_int;
    fn __fpurge(file: *mut FILE);
    static mut environ: *mut *mut c_char;
    #[link_name = "stdin"]
    static mut LIBC_STDIN: *mut FILE;
    #[link_name = "stdout"]
    static mut LIBC_STDOUT: *mut FILE;
    #[link_name = "stderr"]
    static mut LIBC_STDERR: *mut FILE;
}

/// True if this process is the backup of a pair.
pub(crate) fn is_backup() -> bool {
    runtime::with(|runtime| runtime.is_backup())
}

/// Ends the program: its exit functions run, its streams are flushed, then the end is told as `end` says.
pub(crate) fn terminate(end: &Ending) -> ! {
    *ENDING.lock().unwrap_or_else(PoisonError::into_inner) = Some(end.clone());
    // SAFETY: has no preconditions; no lock of ours is held.
    unsafe { libc::exit(i32::from(end.report.completion)) }
}

/// The end that `terminate_program` wants, for the handler that `exit` runs last.
static ENDING: Mutex<Option<Ending>> = Mutex::new(None);

/// The program ends with `exit` or by returning from `main`; its own exit functions have run.
pub(crate) fn ended(status: i32) {
    flush_all();
    let asked = ENDING.lock().unwrap_or_else(PoisonError::into_inner).take();
    let end = asked.unwrap_or_else(|| ending::of_status(status, is_backup()));
    runtime::with(|runtime| runtime.stopping(end.both, end.report));
}

/// What the C library passes to `main`, changed to what the start messages say. Ends the process if it cannot begin.
///
/// # Safety
///
/// `arguments` holds `count` texts that end with null bytes.
pub(crate) unsafe fn begin(count: c_int, arguments: *mut *mut c_char) -> (c_int, *mut *mut c_char) {
    // A file that may not grow is error 45 and not the end of the program.
    // SAFETY: sets the disposition of one signal, before the program's own code runs.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let given = (0..usize::try_from(count).unwrap_or(0)).map(|at| {
        // SAFETY: as the caller promises.
        let text = unsafe { CStr::from_ptr(*arguments.add(at)) };
        text.to_string_lossy().into_owned()
    });
    let begun = match begin::begin(given.collect()) {
        Ok(begun) => begun,
        Err(number) => {
            eprintln!("pollux: the program cannot begin: {}", errno::text(number));
            entry::end_now(1)
        }
    };
    for name in STARTUP_VARIABLES {
        if let Ok(name) = CString::new(name) {
            // SAFETY: a C text; no other thread runs.
            unsafe { libc::unsetenv(name.as_ptr()) };
        }
    }
    for (name, value) in &begun.variables {
        if let (Ok(name), Ok(value)) = (CString::new(name.as_str()), CString::new(value.as_str())) {
            // SAFETY: two C texts, which are copied; no other thread runs.
            unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) };
        }
    }
    let count = begun.arguments.len() as c_int;
    let texts = begun.arguments.into_iter().map(|text| CString::new(text).unwrap_or_default().into_raw());
    // The program may keep and change them until it ends.
    let list: Vec<*mut c_char> = texts.chain(std::iter::once(null_mut())).collect();
    (count, Vec::leak(list).as_mut_ptr())
}

/// The environment as it is.
pub(crate) fn environment() -> *mut *mut c_char {
    // SAFETY: a pointer that the C library keeps; no other thread changes it.
    unsafe { environ }
}

/// Sets the program's `errno`.
pub(crate) fn set_errno(number: i32) {
    // SAFETY: one aligned word of ours; C programs have one thread (the reference forbids others), which is in this call.
    unsafe { pollux_errno = number };
}

/// Sets the program's `h_errno`.
pub(crate) fn set_h_errno(number: i32) {
    // SAFETY: as above.
    unsafe { pollux_h_errno = number };
}

fn translate_errno() {
    set_errno(errno::from_linux(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)));
}

/// A text of the program.
pub(crate) fn c_text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null; the program passes texts that end with a null byte, as C functions want them.
    unsafe { CStr::from_ptr(text) }.to_str().ok().map(str::to_owned)
}

fn stream_of(file: *mut FILE) -> Option<StreamId> {
    streams::at(file as usize)
}

// --- The functions behind a cookie stream; the cookie is the number of the stream.

extern "C" fn cookie_read(cookie: *mut c_void, buffer: *mut c_char, size: size_t) -> ssize_t {
    match streams::read(StreamId(cookie as usize), size) {
        Ok(bytes) => {
            let count = bytes.len().min(size);
            // SAFETY: the C library passes a buffer of `size` bytes; `count` is within it.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.cast(), count) };
            count as ssize_t
        }
        Err(error) => {
            set_errno(i32::from(error.0));
            -1
        }
    }
}

extern "C" fn cookie_write(cookie: *mut c_void, buffer: *const c_char, size: size_t) -> ssize_t {
    let id = StreamId(cookie as usize);
    let file = streams::with(id, |stream| stream.address).unwrap_or(0) as *mut FILE;
    // SAFETY: the C library passes `size` readable bytes, which may be none.
    let data = if size == 0 { &[] } else { unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), size) } };
    // SAFETY: the address of a stream is that of its open `FILE` while the stream is in the registry.
    let buffered = file.is_null() || unsafe { __fbufsize(file) } > 1;
    let taken = streams::write(id, data, buffered);
    if let Some(error) = taken.error {
        set_errno(i32::from(error.0));
        if !file.is_null() {
            // SAFETY: as above; `_flags` is the first member of glibc's `FILE`, and the C library, which calls us, holds
            // its lock.
            unsafe { *file.cast::<c_int>() |= ERROR_SEEN };
        }
    }
    taken.count as ssize_t
}

extern "C" fn cookie_seek(cookie: *mut c_void, offset: *mut off64_t, whence: c_int) -> c_int {
    let from = match whence {
        libc::SEEK_SET => Whence::Start,
        libc::SEEK_CUR => Whence::Current,
        _ => Whence::End,
    };
    // SAFETY: the C library passes the address of the offset.
    match streams::seek(StreamId(cookie as usize), unsafe { *offset }, from) {
        Ok(at) => {
            // SAFETY: as above.
            unsafe { *offset = at };
            0
        }
        Err(error) => {
            set_errno(i32::from(error.0));
            -1
        }
    }
}

extern "C" fn cookie_close(cookie: *mut c_void) -> c_int {
    match streams::close(StreamId(cookie as usize)) {
        Ok(()) => 0,
        Err(error) => {
            set_errno(i32::from(error.0));
            -1
        }
    }
}

/// The C library's stream over one of ours; null and `errno` if it has no memory.
pub(crate) fn attach(id: StreamId, mode: Mode, seeks: bool) -> *mut FILE {
    let functions = CookieFunctions {
        read: Some(cookie_read),
        write: Some(cookie_write),
        seek: if seeks { Some(cookie_seek) } else { None },
        close: Some(cookie_close),
    };
    let text = CString::new(mode.for_the_c_library()).unwrap_or_default();
    // SAFETY: the mode is a C text that outlives the call; the functions have the types that the C library documents.
    let file = unsafe { fopencookie(id.0 as *mut c_void, text.as_ptr(), functions) };
    if file.is_null() {
        let _ = streams::close(id);
        set_errno(errno::ENOIMEM);
    }
    streams::with(id, |stream| stream.address = file as usize);
    file
}

/// Lines of this stream are written when they are whole (a terminal).
pub(crate) fn by_lines(file: *mut FILE) {
    // SAFETY: an open stream that nothing was done to yet.
    unsafe { libc::setvbuf(file, null_mut(), libc::_IOLBF, 0) };
}

/// Nothing is buffered.
pub(crate) fn unbuffered(file: *mut FILE) {
    // SAFETY: as above.
    unsafe { libc::setvbuf(file, null_mut(), libc::_IONBF, 0) };
}

/// Replaces one of the three standard streams.
pub(crate) fn set_standard(which: standard::Which, file: *mut FILE) {
    // SAFETY: the C library says that these may be assigned; the program does not run yet.
    unsafe {
        match which {
            standard::Which::Input => LIBC_STDIN = file,
            standard::Which::Output => LIBC_STDOUT = file,
            standard::Which::Error => LIBC_STDERR = file,
        }
    }
}

/// The file for which a name stands in an `fopen`: that of an ASSIGN, if the name is a logical name.
pub(crate) fn assigned(name: String) -> String {
    begin::assigned_file(&name).unwrap_or(name)
}

/// One of the standard streams as it is, by its descriptor's number.
pub(crate) fn standard_stream(number: i16) -> *mut c_void {
    // SAFETY: pointers that the C library keeps; no other thread changes them.
    let file = unsafe {
        match number {
            0 => LIBC_STDIN,
            1 => LIBC_STDOUT,
            2 => LIBC_STDERR,
            _ => null_mut(),
        }
    };
    if file.is_null() {
        set_errno(errno::EINVAL);
    }
    file.cast()
}

/// Opens a stream over a file of the run-time; null and `errno` if that fails.
pub(crate) fn open(name: &str, mode_text: &str, depth: u16, how: As) -> *mut FILE {
    let Some(mode) = Mode::parse(mode_text) else {
        set_errno(errno::EINVAL);
        return null_mut();
    };
    match streams::open(name, mode_text, mode, depth, how) {
        Ok(id) => attach(id, mode, streams::with(id, |s| bridge::seeks(s.file_number)).unwrap_or(false)),
        Err(error) => {
            set_errno(errno::of_open(error));
            null_mut()
        }
    }
}

fn open_any(name: *const c_char, mode: *const c_char) -> *mut FILE {
    let (Some(name_text), Some(mode_text)) = (c_text(name), c_text(mode)) else {
        set_errno(errno::EINVAL);
        return null_mut();
    };
    let name_text = assigned(name_text);
    if bridge::is_ours(&name_text) {
        return open(&name_text, &mode_text, 0, As::First);
    }
    let Ok(name) = CString::new(name_text) else {
        set_errno(errno::EINVAL);
        return null_mut();
    };
    // SAFETY: two C texts, of which one was just read and the other is ours.
    let file = unsafe { libc::fopen(name.as_ptr(), mode) };
    if file.is_null() {
        translate_errno();
    }
    file
}

// --- The wrapped functions of <stdio.h>.

/// `fopen`.
///
/// # Safety
///
/// As `fopen`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_fopen(name: *const c_char, mode: *const c_char) -> *mut FILE {
    open_any(name, mode)
}

/// `fopen64`.
///
/// # Safety
///
/// As `fopen64`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_fopen64(name: *const c_char, mode: *const c_char) -> *mut FILE {
    open_any(name, mode)
}

/// `freopen`: the C library's own over the Linux path of a disk file; the stream then has no file number.
///
/// # Safety
///
/// As `freopen`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_freopen(
    name: *const c_char,
    mode: *const c_char,
    file: *mut FILE,
) -> *mut FILE {
    let path = c_text(name).map(|name| bridge::linux_path(&assigned(name)));
    let path = match path {
        None => None,
        Some(Ok(path)) => CString::new(path).ok(),
        Some(Err(error)) => {
            set_errno(errno::of_open(error));
            return null_mut();
        }
    };
    let path = path.as_ref().map_or(std::ptr::null(), |path| path.as_ptr());
    // SAFETY: as the caller promises; the path is a C text that outlives the call, or null as the C library allows.
    let file = unsafe { libc::freopen(path, mode, file) };
    if file.is_null() {
        translate_errno();
    }
    file
}

/// `freopen64`.
///
/// # Safety
///
/// As `freopen64`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_freopen64(
    name: *const c_char,
    mode: *const c_char,
    file: *mut FILE,
) -> *mut FILE {
    // SAFETY: as the caller promises; offsets have 64 bits in both.
    unsafe { __wrap_freopen(name, mode, file) }
}

/// `fclose`.
///
/// # Safety
///
/// As `fclose`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_fclose(file: *mut FILE) -> c_int {
    let ours = stream_of(file).is_some();
    // SAFETY: as the caller promises.
    let closed = unsafe { libc::fclose(file) };
    if closed != 0 && !ours {
        translate_errno();
    }
    closed
}

/// `fflush`: what is kept counts as not written.
///
/// # Safety
///
/// As `fflush`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_fflush(file: *mut FILE) -> c_int {
    if file.is_null() {
        return flush_all();
    }
    let ours = stream_of(file);
    // SAFETY: as the caller promises.
    let flushed = unsafe { libc::fflush(file) };
    match ours {
        Some(id) => match streams::drain(id) {
            Ok(()) => flushed,
            Err(error) => {
                set_errno(i32::from(error.0));
                libc::EOF
            }
        },
        None if flushed != 0 => {
            translate_errno();
            flushed
        }
        None => flushed,
    }
}

/// Flushes every stream; the first error counts.
pub(crate) fn flush_all() -> c_int {
    // SAFETY: null means all streams.
    let mut result = unsafe { libc::fflush(null_mut()) };
    for address in streams::addresses() {
        if let Some(id) = streams::at(address)
            && let Err(error) = streams::drain(id)
        {
            set_errno(i32::from(error.0));
            result = libc::EOF;
        }
    }
    result
}

/// `fileno`: the number of the file for a stream over a file of the run-time.
///
/// # Safety
///
/// As `fileno`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_fileno(file: *mut FILE) -> c_int {
    if let Some(id) = stream_of(file) {
        return streams::with(id, |stream| c_int::from(stream.file_number)).unwrap_or(-1);
    }
    // SAFETY: as the caller promises.
    let number = unsafe { libc::fileno(file) };
    if number < 0 {
        translate_errno();
    }
    number
}

/// `remove`.
///
/// # Safety
///
/// As `remove`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_remove(name: *const c_char) -> c_int {
    let Some(path) = c_text(name).and_then(|name| bridge::linux_path(&name).ok()) else {
        set_errno(errno::EINVAL);
        return -1;
    };
    answered(std::fs::remove_file(path))
}

/// `unlink`.
///
/// # Safety
///
/// As `unlink`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_unlink(name: *const c_char) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { __wrap_remove(name) }
}

/// `rename`.
///
/// # Safety
///
/// As `rename`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_rename(old: *const c_char, new: *const c_char) -> c_int {
    let path = |name| c_text(name).and_then(|name| bridge::linux_path(&name).ok());
    let (Some(old), Some(new)) = (path(old), path(new)) else {
        set_errno(errno::EINVAL);
        return -1;
    };
    answered(std::fs::rename(old, new))
}

fn answered(done: std::io::Result<()>) -> c_int {
    match done {
        Ok(()) => 0,
        Err(error) => {
            set_errno(errno::from_linux(error.raw_os_error().unwrap_or(libc::EIO)));
            -1
        }
    }
}

/// The text that `strerror` last gave.
static ERROR_TEXT: AtomicPtr<c_char> = AtomicPtr::new(null_mut());

/// `strerror`, for numbers of either space. The text stays until the next call.
#[unsafe(no_mangle)]
pub extern "C" fn __wrap_strerror(number: c_int) -> *mut c_char {
    let text = CString::new(errno::text(number)).unwrap_or_default().into_raw();
    let old = ERROR_TEXT.swap(text, Ordering::AcqRel);
    if !old.is_null() {
        // SAFETY: made by `into_raw` in an earlier call, and taken out of its place just above.
        drop(unsafe { CString::from_raw(old) });
    }
    text
}

/// `perror`.
///
/// # Safety
///
/// As `perror`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_perror(prefix: *const c_char) {
    // SAFETY: one aligned word of ours.
    let text = errno::text(unsafe { pollux_errno });
    let line = match c_text(prefix).filter(|prefix| !prefix.is_empty()) {
        Some(prefix) => format!("{prefix}: {text}\n"),
        None => format!("{text}\n"),
    };
    let Ok(line) = CString::new(line) else { return };
    // SAFETY: a C text, and the standard stream that the program has.
    unsafe { libc::fputs(line.as_ptr(), LIBC_STDERR) };
}

/// `setnbuf`: no buffer for this stream (TNSC 3-131; the result follows `setvbuf`).
///
/// # Safety
///
/// `file` is an open stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn setnbuf(file: *mut FILE) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { libc::setvbuf(file, null_mut(), libc::_IONBF, 0) }
}

// --- States of streams.

/// `__ns_fget_file_open_state`: 0, or -1 and `errno`.
pub(crate) fn get_open_state(file: *mut c_void, state: *mut u8) -> i64 {
    let Some(open) = stream_of(file.cast()).and_then(streams::open_state).filter(|_| !state.is_null()) else {
        return failed(errno::ENONSTOP);
    };
    match open.encode() {
        Some(bytes) => store_state(state, &bytes),
        None => failed(i32::from(FileError::BAD_NAME.0)),
    }
}

/// `__ns_backup_fopen`: the stream, or null and `errno`.
pub(crate) fn backup_open(state: *const u8) -> *mut c_void {
    let Some(open) = load_state::<OPEN_STATE_BYTES>(state).and_then(|bytes| OpenState::decode(&bytes)) else {
        set_errno(errno::EINVAL);
        return null_mut();
    };
    self::open(&open.name, &open.mode, open.depth, As::Backup(open.file_number)).cast()
}

/// `__ns_fget_file_state`: 0, or -1 and `errno`. Nothing is flushed.
pub(crate) fn get_file_state(file: *mut c_void, state: *mut u8) -> i64 {
    let file: *mut FILE = file.cast();
    let Some(id) = stream_of(file).filter(|_| !state.is_null()) else { return failed(errno::ENONSTOP) };
    // SAFETY: a stream in the registry is open. Of a stream that writes, what is buffered is not part of the state; of one
    // that reads, the bytes that the C library has read ahead are still to be read.
    let behind = unsafe {
        if __fwriting(file) != 0 {
            0
        } else {
            let read_ahead = bridge_position(id).saturating_sub(libc::ftello(file));
            u64::try_from(read_ahead).unwrap_or(0)
        }
    };
    match streams::file_state(id, behind).map(|state| state.encode()) {
        Ok(Some(bytes)) => store_state(state, &bytes),
        Ok(None) => failed(i32::from(FileError(563).0)),
        Err(error) => failed(i32::from(error.0)),
    }
}

/// `__ns_fset_file_state`: 0, or -1 and `errno`.
pub(crate) fn set_file_state(file: *mut c_void, state: *const u8) -> i64 {
    let file: *mut FILE = file.cast();
    let Some(id) = stream_of(file) else { return failed(errno::ENONSTOP) };
    let Some(state) = load_state::<FILE_STATE_BYTES>(state).and_then(|bytes| FileState::decode(&bytes))
    else {
        return failed(errno::EINVAL);
    };
    if let Err(error) = streams::set_file_state(id, &state) {
        return failed(i32::from(error.0));
    }
    // SAFETY: a stream in the registry is open. What is in the C library's buffer belongs to another state.
    unsafe {
        __fpurge(file);
        libc::clearerr(file);
        if libc::fseeko(file, state.position, libc::SEEK_SET) != 0 && bridge::seeks(state.file_number) {
            return -1;
        }
    }
    0
}

fn bridge_position(id: StreamId) -> i64 {
    let number = streams::with(id, |stream| stream.file_number);
    let position = number.and_then(|number| bridge::position(number).ok());
    position.and_then(|position| i64::try_from(position).ok()).unwrap_or(0)
}

fn failed(number: i32) -> i64 {
    set_errno(number);
    -1
}

fn store_state<const N: usize>(to: *mut u8, bytes: &[u8; N]) -> i64 {
    // SAFETY: not null; the header declares the state types with these sizes.
    unsafe { std::ptr::copy(bytes.as_ptr(), to, N) };
    0
}

fn load_state<const N: usize>(from: *const u8) -> Option<Vec<u8>> {
    if from.is_null() {
        return None;
    }
    // SAFETY: not null; the header declares the state types with these sizes.
    Some(unsafe { std::slice::from_raw_parts(from, N) }.to_vec())
}
