//! Files by their names, and what the older procedures tell of open ones (Guardian Procedure Calls, `FILE_CREATE_`,
//! `FILE_PURGE_`, `FILE_RENAME_`, `FILE_GETINFOBYNAME_`, `FILE_SETPOSITION_`, `FILEINFO`, `CLOSE`).

use super::handles::process_named;
use super::open::type_words;
use crate::args;
use crate::disk::entries::{self, DISK_TYPE_WORDS};
use crate::disk::file::AT_END;
use crate::disk::line_file::TERMINAL_TYPE_WORDS;
use crate::disk::{errors, opening};
use crate::entry::put;
use crate::guardian::file_name::FileName;
use crate::guardian::old_file_name::{self, OLD_NAME_BYTES};
use crate::guardian::parameters::{self, BAD_VALUE, TextPlace};
use crate::memory::{self, Buffer};
use crate::node::asking;
use crate::runtime::{self, Runtime};
use pollux_wire::FileError;
use std::os::unix::fs::FileTypeExt;

/// File type: unstructured. The others (relative, entry-sequenced, key-sequenced) are Enscribe's.
const UNSTRUCTURED: i16 = 0;
/// Bytes of a block of a disk, and of what is written to other files at once.
const BLOCK_BYTES: i16 = 4096;
/// Where `FILEINFO` has the device type in its word; the subtype is below.
const DEVICE_TYPE_SHIFT: u32 = 6;
/// `FILEINFO` of no open file.
const NO_FILE: i16 = -1;

fn name(from: Option<*const u8>, length: Option<i16>) -> Result<String, FileError> {
    parameters::text(from, length)?.ok_or(FileError::BAD_NAME)
}

fn remembered(result: Result<(), FileError>) -> Result<(), FileError> {
    runtime::with(|runtime| runtime.last_error = result.err().unwrap_or(FileError::OK));
    result
}

pub(crate) fn FILE_CREATE_(a: args::FILE_CREATE_) -> Result<(), FileError> {
    remembered(create(&a))
}

fn create(a: &args::FILE_CREATE_) -> Result<(), FileError> {
    let place = TextPlace { to: a.filename, maxlen: a.maxlen, length: a.filename_length };
    let length = memory::word(parameters::place(a.filename_length)?)?;
    let name = name(a.filename.map(<*mut u8>::cast_const), Some(length))?;
    if a.file_type.unwrap_or(UNSTRUCTURED) != UNSTRUCTURED {
        return Err(errors::NOT_FOR_THIS_FILE);
    }
    match entries::make(&name, true)? {
        Some(temporary) => place.put(&temporary),
        None => Ok(()),
    }
}

pub(crate) fn FILE_PURGE_(a: args::FILE_PURGE_) -> Result<(), FileError> {
    remembered(name(a.filename, a.length).and_then(|name| runtime::with(|runtime| runtime.purge(&name))))
}

pub(crate) fn FILE_RENAME_(a: args::FILE_RENAME_) -> Result<(), FileError> {
    let number = a.filenum.unwrap_or(NO_FILE);
    let name = name(a.newname, a.length);
    runtime::with(|runtime| {
        let result = name.and_then(|name| runtime.rename(number, &name));
        runtime.noted(number, result)
    })
}

pub(crate) fn FILE_GETINFOBYNAME_(a: args::FILE_GETINFOBYNAME_) -> Result<(), FileError> {
    if a.options.unwrap_or(0) != 0 {
        return Err(BAD_VALUE);
    }
    let words = name(a.filename, a.length).and_then(|name| words_of_name(&name))?;
    if let Some(to) = a.type_info {
        memory::put_words(to, &words);
    }
    parameters::put_word(a.physical_recordlen, BLOCK_BYTES);
    Ok(())
}

/// The five words of type information of what a name names.
fn words_of_name(name: &str) -> Result<[i16; 5], FileError> {
    if opening::is_linux(name) {
        let terminal = runtime::with(|runtime| runtime.home_terminal.clone());
        let path = opening::path(name, &terminal)?;
        let kind = std::fs::metadata(path).map_err(|error| errors::number(&error))?.file_type();
        return match kind {
            kind if kind.is_file() => Ok(DISK_TYPE_WORDS),
            kind if kind.is_char_device() || kind.is_fifo() => Ok(TERMINAL_TYPE_WORDS),
            _ => Err(errors::NOT_FOR_THIS_FILE),
        };
    }
    let followed = opening::names().follow(name)?;
    let name = FileName::parse(&followed).map_err(|_| FileError::BAD_NAME)?;
    if name.object.is_receive() {
        return Ok([2, 0, -1, -1, -1]);
    }
    asking(|node| process_named(node, &name))?;
    Ok([0, 0, -1, -1, -1])
}

pub(crate) fn FILE_SETPOSITION_(a: args::FILE_SETPOSITION_) -> Result<(), FileError> {
    set_position(a.filenum, a.position.unwrap_or(0))
}

/// Unstructured disk files: the position is a byte address, -1 the end.
pub(crate) fn POSITION(a: args::POSITION) -> Result<(), FileError> {
    set_position(a.filenum, i64::from(a.record_specifier.unwrap_or(0)))
}

fn set_position(number: Option<i16>, at: i64) -> Result<(), FileError> {
    let number = number.unwrap_or(NO_FILE);
    let at = match at {
        -1 => Ok(AT_END),
        at => u64::try_from(at).map_err(|_| errors::BAD_DISK_ADDRESS),
    };
    runtime::with(|runtime| {
        let result = at.and_then(|at| {
            runtime.disk_file(number)?.set_position(at);
            Ok(())
        });
        runtime.noted(number, result)
    })
}

pub(crate) fn CLOSE(a: args::CLOSE) -> Result<(), FileError> {
    let number = a.filenum.unwrap_or(NO_FILE);
    runtime::with(|runtime| runtime.close(number, a.tape_disposition.unwrap_or(0)))
}

pub(crate) fn FILEINFO(a: args::FILEINFO) -> Result<(), FileError> {
    let number = a.filenum.unwrap_or(NO_FILE);
    let result = runtime::with(|runtime| {
        if number == NO_FILE {
            parameters::put_word(a.last_error, runtime.last_error.0 as i16);
            return Ok(());
        }
        file_info(runtime, number, &a)
    });
    if let Err(error) = result {
        parameters::put_word(a.last_error, error.0 as i16);
    }
    result
}

fn file_info(runtime: &mut Runtime, number: i16, a: &args::FILEINFO) -> Result<(), FileError> {
    let file = runtime.files.get(number)?;
    parameters::put_word(a.last_error, file.last_error.0 as i16);
    let types = type_words(&file.kind);
    parameters::put_word(a.device_type, types[0] << DEVICE_TYPE_SHIFT | types[1]);
    // A Linux path has no such form: blanks.
    let old = FileName::parse(&file.name).ok().and_then(|name| old_file_name::from_name(&name, None).ok());
    if let Some(to) = a.file_name {
        let old = old.unwrap_or([b' '; OLD_NAME_BYTES]);
        Buffer::new(to.cast_const().cast(), OLD_NAME_BYTES)?.put(&old);
    }
    parameters::put_word(a.sync_depth, file.mode.depth as i16);
    let (disk, unknown) = (runtime.disk_file(number).ok(), 0);
    let pointers = match &disk {
        Some(file) => {
            let block = file.sync_block();
            // The position "at the end" is -1.
            [file.size()? as i64, block.next as i64, block.current as i64]
        }
        None => [unknown; 3],
    };
    put(a.eof_pointer, pointers[0]);
    put(a.next_record_pointer, pointers[1]);
    put(a.current_record_pointer, pointers[2]);
    let code = if disk.is_some() { types[4] } else { 0 };
    parameters::put_word(a.file_code, code);
    parameters::put_word(a.file_type, UNSTRUCTURED);
    for place in [a.ldevnum, a.extent_size, a.secondary_extent_size, a.open_flags, a.subdevice, a.owner] {
        parameters::put_word(place, 0);
    }
    for place in [a.security, a.extents_allocated, a.partition_size, a.partitions, a.maximum_extents] {
        parameters::put_word(place, 0);
    }
    for place in [a.unstructured_buffer_size, a.more_open_flags] {
        parameters::put_word(place, 0);
    }
    put(a.max_file_size, 0);
    if let Some(to) = a.last_mod_time {
        memory::put_words(to, &[0; 3]);
    }
    let next = runtime.files.iter().map(|(open, _)| open).filter(|open| *open > number).min();
    parameters::put_word(a.next_open_filenum, next.unwrap_or(NO_FILE));
    Ok(())
}
