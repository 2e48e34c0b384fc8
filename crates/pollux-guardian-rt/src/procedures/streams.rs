//! The C extension functions for streams and process pairs (TNSC 3-127 to 3-135; NATC).

use crate::args;
use crate::disk::file::SYNC_DEPTH_MAX;
use crate::memory::{self, Buffer};
use crate::start::backup::{self, BackupCall, Failure};
use crate::start::ending;
use crate::stdio::streams::As;
use crate::stdio::{errno, glue};
use std::ffi::c_void;
use std::ptr::null_mut;

fn text(pointer: Option<*const u8>) -> Option<String> {
    glue::c_text(pointer?.cast())
}

fn open(name: Option<*const u8>, mode: Option<*const u8>, depth: i16) -> *mut c_void {
    let (Some(name), Some(mode)) = (text(name), text(mode)) else { return invalid() };
    match u16::try_from(depth) {
        Ok(depth) if depth <= SYNC_DEPTH_MAX => {
            glue::open(&glue::assigned(name), &mode, depth, As::First).cast()
        }
        _ => invalid(),
    }
}

fn invalid() -> *mut c_void {
    glue::set_errno(errno::EINVAL);
    null_mut()
}

pub(crate) fn __ns_fopen_special(args: args::__ns_fopen_special) -> *mut c_void {
    open(args.file_name, args.access_mode, args.sync_depth.unwrap_or(-1))
}

pub(crate) fn __ns_fopen64_special(args: args::__ns_fopen64_special) -> *mut c_void {
    open(args.file_name, args.access_mode, args.sync_depth.unwrap_or(-1))
}

pub(crate) fn fopen_guardian(args: args::fopen_guardian) -> *mut c_void {
    open(args.name, args.mode, 0)
}

pub(crate) fn fopen_std_file(args: args::fopen_std_file) -> *mut c_void {
    // The standard files are open before `main`; a program cannot ask for another time.
    glue::standard_stream(args.file.unwrap_or(-1))
}

pub(crate) fn __ns_fget_file_open_state(args: args::__ns_fget_file_open_state) -> i64 {
    glue::get_open_state(args.stream.unwrap_or(null_mut()), args.file_open_state.unwrap_or(null_mut()))
}

pub(crate) fn __ns_backup_fopen(args: args::__ns_backup_fopen) -> *mut c_void {
    glue::backup_open(args.file_open_state.unwrap_or(null_mut()))
}

pub(crate) fn __ns_backup_fopen64(args: args::__ns_backup_fopen64) -> *mut c_void {
    glue::backup_open(args.file_open_state.unwrap_or(null_mut()))
}

pub(crate) fn __ns_fget_file_state(args: args::__ns_fget_file_state) -> i64 {
    glue::get_file_state(args.stream.unwrap_or(null_mut()), args.file_state.unwrap_or(null_mut()))
}

pub(crate) fn __ns_fset_file_state(args: args::__ns_fset_file_state) -> i64 {
    glue::set_file_state(args.stream.unwrap_or(null_mut()), args.file_state.unwrap_or(null_mut()))
}

pub(crate) fn __ns_start_backup(args: args::__ns_start_backup) -> i64 {
    let detail = args.error_detail.unwrap_or(null_mut());
    memory::put_word(detail, 0);
    let call = BackupCall {
        cpu: args.backup_cpu,
        home_terminal: text(args.backup_hometerm),
        program: text(args.backup_program_file),
    };
    match backup::start(&call) {
        Ok(handle) => {
            if let Some(to) = args.backup_process_handle {
                memory::put_phandle(to, Some(handle));
            }
            0
        }
        Err(Failure::NotCreated(error, number)) => {
            memory::put_word(detail, number);
            i64::from(error)
        }
        Err(Failure::NotBegun(number)) => {
            glue::set_errno(number);
            -1
        }
    }
}

pub(crate) fn terminate_program(args: args::terminate_program) {
    const SUBSYSTEM_WORDS: usize = 6;
    let abend = args.options.unwrap_or(0) & 1 != 0;
    let mut end = ending::of_terminate(abend, args.completion_code, glue::is_backup());
    end.report.information = args.termination_info.unwrap_or(0);
    if let Some(Ok(words)) = args.spi_ssid.map(|words| memory::words(words, SUBSYSTEM_WORDS)) {
        end.report.subsystem = words.into_iter().map(|word| word as u16).collect();
    }
    if let Some(pointer) = args.text {
        let length = usize::try_from(args.text_length.unwrap_or(0)).unwrap_or(0);
        let bytes = Buffer::new(pointer.cast(), length.min(ending::TEXT_BYTES_MAX)).map(Buffer::get);
        end.report.text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
    }
    glue::terminate(&end);
}
