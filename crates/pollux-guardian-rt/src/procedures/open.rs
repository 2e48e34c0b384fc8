//! `FILE_OPEN_`, `FILE_CLOSE_`, `FILE_GETINFO_` (Guardian Procedure Calls).

use crate::args;
use crate::files::{FileKind, Mode};
use crate::memory::{self, Buffer};
use crate::runtime;
use crate::transfer::{BAD_VALUE, OpenRequest};
use pollux_wire::FileError;

/// Error 563: the program's buffer is too small.
const BUFFER_TOO_SMALL: FileError = FileError(563);

/// Device type 48: TCP/IP.
const SOCKET_TYPE: [i16; 5] = [48, 0, -1, -1, -1];

pub(crate) fn FILE_OPEN_(args: args::FILE_OPEN_) -> i16 {
    let filenum = args.filenum.unwrap_or(std::ptr::null_mut());
    let opened = request(&args).and_then(|request| runtime::with(|runtime| runtime.open(request)));
    match opened {
        Ok((number, warning)) => {
            memory::put_word(filenum, number);
            runtime::with(|runtime| {
                runtime.last_error = warning;
                runtime.note(number, warning);
            });
            warning.0 as i16
        }
        Err(error) => {
            memory::put_word(filenum, -1);
            runtime::with(|runtime| runtime.last_error = error);
            error.0 as i16
        }
    }
}

fn request(args: &args::FILE_OPEN_) -> Result<OpenRequest, FileError> {
    let filenum = args.filenum.unwrap_or(std::ptr::null_mut());
    let number = memory::word(filenum)?;
    let name = memory::text(args.filename.unwrap_or(std::ptr::null()).cast(), args.length.unwrap_or(0))?;
    let small = |value: Option<i16>, max: u16| match u16::try_from(value.unwrap_or(0)) {
        Ok(value) if value <= max => Ok(value),
        _ => Err(BAD_VALUE),
    };
    let mode = Mode {
        access: small(args.access, 3)? as u8,
        exclusion: small(args.exclusion, 3)? as u8,
        nowait_depth: small(args.nowait_depth, i16::MAX as u16)?,
        depth: small(args.sync_or_receive_depth, i16::MAX as u16)?,
        options: args.options.unwrap_or(0) as u16,
    };
    let backup = match args.primary_processhandle {
        None => None,
        Some(handle) => memory::phandle(handle)?.map(|primary| (primary, number)),
    };
    Ok(OpenRequest { name, mode, backup, internal: false })
}

pub(crate) fn FILE_CLOSE_(args: args::FILE_CLOSE_) -> Result<(), FileError> {
    let number = args.filenum.unwrap_or(-1);
    runtime::with(|runtime| runtime.close(number, args.tape_disposition.unwrap_or(0)))
}

pub(crate) fn FILE_GETINFO_(args: args::FILE_GETINFO_) -> Result<(), FileError> {
    let number = args.filenum.unwrap_or(-1);
    runtime::with(|runtime| {
        if number == -1 {
            put_word(args.last_error, runtime.last_error.0 as i16);
            return Ok(());
        }
        let file = runtime.files.get(number)?;
        put_word(args.last_error, file.last_error.0 as i16);
        let types = type_words(&file.kind);
        if let Some(to) = args.type_info {
            memory::put_words(to, &types);
        }
        put_word(args.flags, 0);
        let name = file.name.as_bytes();
        put_word(args.filename_length, 0);
        if let Some(to) = args.filename {
            let room = usize::try_from(args.maxlen.unwrap_or(0)).map_err(|_| BAD_VALUE)?;
            if name.len() > room {
                return Err(BUFFER_TOO_SMALL);
            }
            Buffer::new(to.cast(), room)?.put(name);
            put_word(args.filename_length, name.len() as i16);
        } else {
            put_word(args.filename_length, name.len() as i16);
        }
        Ok(())
    })
}

/// Device type, subtype, object type, file type and file code.
pub(super) fn type_words(kind: &FileKind) -> [i16; 5] {
    match kind {
        FileKind::Process(_) => [0, 0, -1, -1, -1],
        FileKind::Receive => [2, 0, -1, -1, -1],
        FileKind::Socket(_) => SOCKET_TYPE,
        FileKind::Other(other) => other.type_words(),
    }
}

fn put_word(to: Option<*mut i16>, value: i16) {
    memory::put_word(to.unwrap_or(std::ptr::null_mut()), value);
}
