//! Data transfers (Guardian Procedure Calls): the many forms are one transfer with other types of counts and tags.

use super::buffer;
use crate::args;
use crate::entry::{Out, put};
use crate::files::operations::Kind;
use crate::files::{LONG_TRANSFER_BYTES_MAX, SHORT_TRANSFER_BYTES_MAX, Transfer};
use crate::memory::Buffer;
use crate::runtime;
use pollux_wire::FileError;

/// What all forms have in common, with the widest types.
struct Call {
    filenum: Option<i16>,
    kind: Kind,
    write: Option<*const u8>,
    read: Option<*mut u8>,
    write_count: i64,
    read_count: i64,
    transferred: Option<Out>,
    tag: i64,
    bytes_max: usize,
}

fn transfer(call: Call) -> Result<(), FileError> {
    let number = call.filenum.unwrap_or(-1);
    let transfer = || {
        let write = buffer(call.write, call.write_count, call.bytes_max)?;
        let read = buffer(call.read.map(<*mut u8>::cast_const), call.read_count, call.bytes_max)?;
        Ok(Transfer { kind: call.kind, write, read, tag: call.tag })
    };
    runtime::with(|runtime| {
        let transfer = match transfer() {
            Ok(transfer) => transfer,
            Err(error) => return runtime.noted(number, Err(error)),
        };
        let (count, result) = runtime.transfer(number, &transfer);
        if let Some(count) = count {
            put(call.transferred, count as i64);
        }
        result
    })
}

macro_rules! reads {
    ($($name:ident: $kind:ident, $bytes_max:ident;)*) => {$(
        pub(crate) fn $name(args: args::$name) -> Result<(), FileError> {
            transfer(Call {
                filenum: args.filenum,
                kind: Kind::$kind,
                write: None,
                read: args.buffer,
                write_count: 0,
                read_count: args.read_count.map_or(0, i64::from),
                transferred: args.count_read,
                tag: args.tag.map_or(0, i64::from),
                bytes_max: $bytes_max,
            })
        }
    )*};
}

reads! {
    READ: Read, SHORT_TRANSFER_BYTES_MAX;
    READX: Read, SHORT_TRANSFER_BYTES_MAX;
    FILE_READ64_: Read, LONG_TRANSFER_BYTES_MAX;
    READUPDATE: ReadUpdate, SHORT_TRANSFER_BYTES_MAX;
    READUPDATEX: ReadUpdate, SHORT_TRANSFER_BYTES_MAX;
    READUPDATEXL: ReadUpdate, LONG_TRANSFER_BYTES_MAX;
    FILE_READUPDATE64_: ReadUpdate, LONG_TRANSFER_BYTES_MAX;
}

macro_rules! writes {
    ($($name:ident: $kind:ident, $bytes_max:ident;)*) => {$(
        pub(crate) fn $name(args: args::$name) -> Result<(), FileError> {
            transfer(Call {
                filenum: args.filenum,
                kind: Kind::$kind,
                write: args.buffer,
                read: None,
                write_count: args.write_count.map_or(0, i64::from),
                read_count: 0,
                transferred: args.count_written,
                tag: args.tag.map_or(0, i64::from),
                bytes_max: $bytes_max,
            })
        }
    )*};
}

writes! {
    WRITE: Write, SHORT_TRANSFER_BYTES_MAX;
    WRITEX: Write, SHORT_TRANSFER_BYTES_MAX;
    FILE_WRITE64_: Write, LONG_TRANSFER_BYTES_MAX;
    WRITEUPDATEX: WriteUpdate, SHORT_TRANSFER_BYTES_MAX;
    FILE_WRITEUPDATE64_: WriteUpdate, LONG_TRANSFER_BYTES_MAX;
}

macro_rules! write_reads {
    ($($name:ident: $write:ident, $read:ident, $bytes_max:ident;)*) => {$(
        pub(crate) fn $name(args: args::$name) -> Result<(), FileError> {
            transfer(Call {
                filenum: args.filenum,
                kind: Kind::WriteRead,
                write: args.$write.map(|pointer| pointer.cast_const()),
                read: args.$read,
                write_count: args.write_count.map_or(0, i64::from),
                read_count: args.read_count.map_or(0, i64::from),
                transferred: args.count_read,
                tag: args.tag.map_or(0, i64::from),
                bytes_max: $bytes_max,
            })
        }
    )*};
}

write_reads! {
    WRITEREAD: buffer, buffer, SHORT_TRANSFER_BYTES_MAX;
    WRITEREADX: buffer, buffer, SHORT_TRANSFER_BYTES_MAX;
}

macro_rules! write_reads_with_two_buffers {
    ($($name:ident;)*) => {$(
        pub(crate) fn $name(args: args::$name) -> Result<(), FileError> {
            transfer(Call {
                filenum: args.filenum,
                kind: Kind::WriteRead,
                write: args.write_buffer,
                read: args.read_buffer,
                write_count: args.write_count.map_or(0, i64::from),
                read_count: args.read_count.map_or(0, i64::from),
                transferred: args.count_read,
                tag: args.tag.map_or(0, i64::from),
                bytes_max: LONG_TRANSFER_BYTES_MAX,
            })
        }
    )*};
}

write_reads_with_two_buffers! {
    FILE_WRITEREAD_;
    FILE_WRITEREAD64_;
}

/// What all forms of REPLY have in common.
struct ReplyCall {
    data: Option<*const u8>,
    count: i64,
    written: Option<Out>,
    tag: Option<i16>,
    error: i16,
    bytes_max: usize,
}

fn reply(call: ReplyCall) -> Result<(), FileError> {
    let data = if call.count == 0 { Ok(Buffer::NONE) } else { buffer(call.data, call.count, call.bytes_max) };
    runtime::with(|runtime| {
        let result = (|| {
            runtime.files.get(0)?;
            let data = data?;
            // Error numbers are 0 to 32767.
            let error = u16::try_from(call.error).map_err(|_| FileError(590))?;
            let origin = runtime.server.queue.reply(call.tag)?;
            put(call.written, data.bytes() as i64);
            if let Some(origin) = origin {
                data.view(|data| runtime.respond(origin, FileError(error), data));
            }
            Ok(())
        })();
        runtime.noted(0, result)
    })
}

macro_rules! replies {
    ($($name:ident: $bytes_max:ident;)*) => {$(
        pub(crate) fn $name(args: args::$name) -> Result<(), FileError> {
            reply(ReplyCall {
                data: args.buffer,
                count: args.write_count.map_or(0, i64::from),
                written: args.count_written,
                tag: args.message_tag,
                error: args.error_return.unwrap_or(0),
                bytes_max: $bytes_max,
            })
        }
    )*};
}

replies! {
    REPLY: SHORT_TRANSFER_BYTES_MAX;
    REPLYX: SHORT_TRANSFER_BYTES_MAX;
    REPLYXL: LONG_TRANSFER_BYTES_MAX;
    FILE_REPLY64_: LONG_TRANSFER_BYTES_MAX;
}
