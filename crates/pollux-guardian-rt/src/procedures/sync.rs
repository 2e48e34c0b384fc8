//! Sync blocks (Guardian Procedure Calls, `FILE_GETSYNCINFO_`; Guardian Programmer's Guide, chapter 21).

use crate::args;
use crate::disk::sync_block::{SYNC_BLOCK_BYTES as DISK_SYNC_BLOCK_BYTES, SyncBlock};
use crate::files::FileKind;
use crate::files::process::ProcessFile;
use crate::files::sync_block::{self, SYNC_BLOCK_BYTES};
use crate::memory::{self, Buffer};
use crate::receive::layout::Words;
use crate::runtime::{self, Runtime};
use crate::transfer::OPERATIONS_PENDING;
use pollux_wire::FileError;

/// Error 563: the program's buffer is too small.
const BUFFER_TOO_SMALL: FileError = FileError(563);

/// The process file with this number. Error 2 for a file of another kind.
fn process(runtime: &mut Runtime, number: i16) -> Result<&mut ProcessFile, FileError> {
    match &mut runtime.files.get_mut(number)?.kind {
        FileKind::Process(process) => Ok(process),
        _ => Err(FileError::INVALID_OPERATION),
    }
}

fn on_file(
    filenum: Option<i16>,
    body: impl FnOnce(&mut Runtime, i16) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let number = filenum.unwrap_or(-1);
    runtime::with(|runtime| {
        let result = body(runtime, number);
        runtime.noted(number, result)
    })
}

fn get(
    number: Option<i16>,
    to: Option<*mut i16>,
    room: i64,
    size: Option<*mut i16>,
) -> Result<(), FileError> {
    on_file(number, |runtime, number| {
        let block = match runtime.disk_file(number) {
            Ok(file) => file.sync_block().encode().to_vec(),
            Err(_) => sync_block::make(process(runtime, number)?.next_sync()?).to_vec(),
        };
        if room < block.len() as i64 {
            return Err(BUFFER_TOO_SMALL);
        }
        Buffer::new(to.unwrap_or(std::ptr::null_mut()).cast(), block.len())?.put(&block);
        memory::put_word(size.unwrap_or(std::ptr::null_mut()), block.len() as i16);
        Ok(())
    })
}

fn set(number: Option<i16>, from: Option<*mut i16>, size: i64) -> Result<(), FileError> {
    on_file(number, |runtime, number| {
        let is_disk = runtime.disk_file(number).is_ok();
        let wanted = if is_disk { DISK_SYNC_BLOCK_BYTES } else { SYNC_BLOCK_BYTES };
        if size < wanted as i64 {
            return Err(FileError(41));
        }
        let block = Buffer::new(from.unwrap_or(std::ptr::null_mut()).cast(), wanted)?.get();
        if is_disk {
            return runtime.disk_file(number)?.set_sync_block(&SyncBlock::decode(&block)?);
        }
        process(runtime, number)?.set_next(sync_block::read(&block)?)
    })
}

pub(crate) fn FILE_GETSYNCINFO_(args: args::FILE_GETSYNCINFO_) -> Result<(), FileError> {
    get(args.filenum, args.infobuf, args.infomax.map_or(0, i64::from), args.infosize)
}

pub(crate) fn FILE_SETSYNCINFO_(args: args::FILE_SETSYNCINFO_) -> Result<(), FileError> {
    set(args.filenum, args.infobuf, args.infosize.map_or(0, i64::from))
}

pub(crate) fn GETSYNCINFO(args: args::GETSYNCINFO) -> Result<(), FileError> {
    get(args.filenum, args.sync_block, DISK_SYNC_BLOCK_BYTES as i64, args.sync_block_size)
}

pub(crate) fn SETSYNCINFO(args: args::SETSYNCINFO) -> Result<(), FileError> {
    set(args.filenum, args.sync_block, DISK_SYNC_BLOCK_BYTES as i64)
}

pub(crate) fn RESETSYNC(args: args::RESETSYNC) -> Result<(), FileError> {
    on_file(args.filenum, |runtime, number| {
        if runtime.files.get(number)?.operations.outstanding() > 0 {
            return Err(OPERATIONS_PENDING);
        }
        if let Ok(file) = runtime.disk_file(number) {
            return file.reset_sync();
        }
        let process = process(runtime, number)?;
        let next = process.next_sync()?;
        process.set_next(sync_block::after_reset(next))?;
        runtime.manage(number, Words::message(-34).bytes(), 0, 0, true).map(|_| ())
    })
}
