//! The end of nowait operations: AWAITIO, CANCEL, `MESSAGESTATUS` (Guardian Procedure Calls).

use crate::args;
use crate::entry::{Out, put};
use crate::files::operations::{Limit, Which};
use crate::memory;
use crate::runtime;
use pollux_wire::FileError;

/// What all forms of AWAITIO have in common.
struct Call {
    filenum: Option<*mut i16>,
    address: Option<Out>,
    transferred: Option<Out>,
    tag: Option<Out>,
    limit: Option<i32>,
    segment: Option<*mut i16>,
}

fn await_io(call: Call) -> Result<(), FileError> {
    let filenum = call.filenum.unwrap_or(std::ptr::null_mut());
    let given = memory::word(filenum);
    runtime::with(|runtime| {
        let given = runtime.noted(-1, given)?;
        let wanted = Which::of(given).and_then(|which| Ok((which, Limit::of(call.limit)?)));
        let finished = match wanted {
            Ok((which, limit)) => runtime.await_io(which, limit),
            Err(error) => {
                runtime.last_error = error;
                runtime.note(given, error);
                Err(error)
            }
        };
        if let Some(segment) = call.segment {
            // Not in a selectable segment.
            memory::put_word(segment, -1);
        }
        let finished = finished?;
        memory::put_word(filenum, finished.number);
        put(call.address, finished.address as i64);
        put(call.transferred, finished.count as i64);
        put(call.tag, finished.tag);
        if finished.error.is_ok() { Ok(()) } else { Err(finished.error) }
    })
}

macro_rules! awaits {
    ($($name:ident;)*) => {$(
        pub(crate) fn $name(args: args::$name) -> Result<(), FileError> {
            await_io(Call {
                filenum: args.filenum,
                address: args.buffer_addr,
                transferred: args.count_transferred,
                tag: args.tag,
                limit: args.timelimit,
                segment: args.segment_id,
            })
        }
    )*};
}

awaits! {
    AWAITIOX;
    AWAITIOXL;
    FILE_AWAITIO64_;
}

pub(crate) fn AWAITIO(args: args::AWAITIO) -> Result<(), FileError> {
    await_io(Call {
        filenum: args.filenum,
        address: args.buffer_addr,
        transferred: args.count_transferred,
        tag: args.tag,
        limit: args.timelimit,
        segment: None,
    })
}

fn cancel(filenum: Option<i16>, tag: Option<i64>) -> Result<(), FileError> {
    let number = filenum.unwrap_or(-1);
    runtime::with(|runtime| {
        // Tag 0 is like no tag.
        let cancelled = runtime.cancel(number, tag.filter(|tag| *tag != 0)).map(|_| ());
        runtime.noted(number, cancelled)
    })
}

pub(crate) fn CANCEL(args: args::CANCEL) -> Result<(), FileError> {
    cancel(args.filenum, None)
}

pub(crate) fn CANCELREQ(args: args::CANCELREQ) -> Result<(), FileError> {
    cancel(args.filenum, args.tag.map(i64::from))
}

pub(crate) fn CANCELREQL(args: args::CANCELREQL) -> Result<(), FileError> {
    cancel(args.filenum, args.tag)
}

pub(crate) fn MESSAGESTATUS(args: args::MESSAGESTATUS) -> i16 {
    runtime::with(|runtime| {
        runtime.look();
        runtime.server.queue.status(args.message_tag)
    })
}
