//! Device-style control: `SETMODE`, `CONTROL`, `CONTROLBUF`, `SETPARAM`, `CONTROLMESSAGESYSTEM`, `MESSAGESYSTEMINFO` (Guardian Procedure Calls).
//!
//! Some functions of `SETMODE` are switches of this process's own open; all others go to the server as a message.

use super::buffer;
use crate::args;
use crate::entry::put;
use crate::files::FileKind;
use crate::memory::{self, Buffer};
use crate::receive::layout::{Words, word_at};
use crate::runtime::{self, Runtime};
use crate::transfer::BAD_VALUE;
use pollux_wire::FileError;

/// Bytes of a CONTROLBUF or SETPARAM message.
const CONTROL_BYTES_MAX: usize = 244;
/// Bytes of a SETPARAM reply's data.
const PARAMETER_BYTES_MAX: usize = 256;
/// `ZSYS_MSK_SETMD_PARM1_VALID`, `_PARM2_VALID`, `_LPARM_VALID`.
const PARAMETER1_GIVEN: i16 = 4;
const PARAMETER2_GIVEN: i16 = 2;
const LAST_WANTED: i16 = 1;
/// Actions of CONTROLMESSAGESYSTEM: limit of incoming and of outgoing messages, and how high each may be.
const MESSAGE_LIMITS_MAX: [i16; 2] = [4_095, 16_383];

/// Function 30: the order in which operations finish.
const MODE_ANY_ORDER: i16 = 30;
/// Function 36: the order of `$RECEIVE`.
const MODE_PRIORITY: i16 = 36;
/// Function 80: which extra messages `$RECEIVE` takes.
const MODE_EXTRAS: i16 = 80;
/// Functions that are remembered and have no other effect here.
const MODES_WITHOUT_EFFECT: [i16; 5] = [71, 72, 117, 141, 149];

struct Mode {
    function: i16,
    parameter1: Option<i16>,
    parameter2: Option<i16>,
    last: Option<*mut i16>,
}

fn setmode(filenum: Option<i16>, mode: &Mode) -> Result<(), FileError> {
    let number = filenum.unwrap_or(-1);
    runtime::with(|runtime| {
        let result = set_mode(runtime, number, mode);
        runtime.noted(number, result)
    })
}

fn set_mode(runtime: &mut Runtime, number: i16, mode: &Mode) -> Result<(), FileError> {
    let file = runtime.files.get_mut(number)?;
    let is_receive = matches!(file.kind, FileKind::Receive);
    let is_local = match mode.function {
        MODE_ANY_ORDER => true,
        MODE_PRIORITY | MODE_EXTRAS => is_receive,
        function => MODES_WITHOUT_EFFECT.contains(&function),
    };
    if !is_local {
        return send_mode(runtime, number, mode);
    }
    let old = file.modes.get(&mode.function).copied().unwrap_or((0, 0));
    let new = (mode.parameter1.unwrap_or(old.0), mode.parameter2.unwrap_or(old.1));
    match mode.function {
        MODE_ANY_ORDER if !matches!(new.0, 0 | 1 | 3) => return Err(FileError::INVALID_OPERATION),
        MODE_ANY_ORDER => file.operations.set_any_order(new.0 != 0),
        MODE_PRIORITY => runtime.server.queue.order_by_priority(new.0 & 1 != 0),
        MODE_EXTRAS => runtime.server.extras = new.0,
        _ => {}
    }
    runtime.files.get_mut(number)?.modes.insert(mode.function, new);
    if let Some(to) = mode.last {
        memory::put_words(to, &[old.0, old.1]);
    }
    Ok(())
}

/// -33. Error 2 if the last parameters are asked for and do not come back.
fn send_mode(runtime: &mut Runtime, number: i16, mode: &Mode) -> Result<(), FileError> {
    let flag = |given: bool, bit| if given { bit } else { 0 };
    let flags = flag(mode.parameter1.is_some(), PARAMETER1_GIVEN)
        | flag(mode.parameter2.is_some(), PARAMETER2_GIVEN)
        | flag(mode.last.is_some(), LAST_WANTED);
    let message = Words::message(-33)
        .word(mode.function)
        .word(mode.parameter1.unwrap_or(0))
        .word(mode.parameter2.unwrap_or(0))
        .word(flags)
        .bytes();
    let reply = runtime.manage(number, message, 6, 0, true)?.unwrap_or_default();
    if let Some(to) = mode.last {
        match (word_at(&reply, 0), word_at(&reply, 1), word_at(&reply, 2)) {
            (Some(-33), Some(last1), Some(last2)) => memory::put_words(to, &[last1, last2]),
            _ => return Err(FileError::INVALID_OPERATION),
        }
    }
    Ok(())
}

pub(crate) fn SETMODE(args: args::SETMODE) -> Result<(), FileError> {
    let mode = Mode {
        function: args.function.unwrap_or(0),
        parameter1: args.param1,
        parameter2: args.param2,
        last: args.last_params,
    };
    setmode(args.filenum, &mode)
}

pub(crate) fn SETMODENOWAIT(args: args::SETMODENOWAIT) -> Result<(), FileError> {
    let mode = Mode {
        function: args.function.unwrap_or(0),
        parameter1: args.param1,
        parameter2: args.param2,
        last: args.last_params,
    };
    setmode(args.filenum, &mode)
}

/// Sends a message that may be nowait.
fn send(
    filenum: Option<i16>,
    message: Result<Vec<u8>, FileError>,
    tag: Option<i32>,
) -> Result<(), FileError> {
    let number = filenum.unwrap_or(-1);
    runtime::with(|runtime| {
        let result = message
            .and_then(|message| runtime.manage(number, message, 0, tag.map_or(0, i64::from), false))
            .map(|_| ());
        runtime.noted(number, result)
    })
}

pub(crate) fn CONTROL(args: args::CONTROL) -> Result<(), FileError> {
    let message = Words::message(-32).word(args.operation.unwrap_or(0)).word(args.param.unwrap_or(0)).bytes();
    send(args.filenum, Ok(message), args.tag)
}

pub(crate) fn CONTROLBUF(args: args::CONTROLBUF) -> Result<(), FileError> {
    let count = args.count.unwrap_or(0);
    let data = buffer(args.buffer, i64::from(count), CONTROL_BYTES_MAX);
    let message = data.map(|data| {
        Words::message(-35).word(args.operation.unwrap_or(0)).word(count).raw(&data.get()).bytes()
    });
    let sent = send(args.filenum, message, args.tag);
    if sent.is_ok() {
        put(args.count_transferred, i64::from(count));
    }
    sent
}

pub(crate) fn SETPARAM(args: args::SETPARAM) -> Result<(), FileError> {
    let number = args.filenum.unwrap_or(-1);
    let count = args.param_count.unwrap_or(0);
    let data = match args.param_array {
        None => Ok(Buffer::NONE),
        Some(array) => buffer(Some(array.cast_const().cast()), i64::from(count), CONTROL_BYTES_MAX),
    };
    runtime::with(|runtime| {
        let result = (|| {
            let (given, wanted) = (args.param_array.is_some(), args.last_param_array.is_some());
            let flags = if given { 2 } else { 0 } | if wanted { 1 } else { 0 };
            let message = Words::message(-37)
                .word(args.function.unwrap_or(0))
                .word(flags)
                .word(count)
                .raw(&data?.get())
                .bytes();
            let room = (PARAMETER_BYTES_MAX + 4) as u32;
            let reply = runtime.manage(number, message, room, 0, true)?.unwrap_or_default();
            let Some(to) = args.last_param_array else { return Ok(()) };
            put_last_parameters(&reply, to, args.last_param_max, args.last_param_count)
        })();
        runtime.noted(number, result)
    })
}

/// The reply to -37: `{-37, byte count, data}`. Error 2 for any other.
fn put_last_parameters(
    reply: &[u8],
    to: *mut i16,
    room: Option<i16>,
    count: Option<*mut i16>,
) -> Result<(), FileError> {
    let (Some(-37), Some(bytes)) = (word_at(reply, 0), word_at(reply, 1)) else {
        return Err(FileError::INVALID_OPERATION);
    };
    let length = usize::try_from(bytes).map_err(|_| FileError::INVALID_OPERATION)?;
    let data = reply.get(4..4 + length).ok_or(FileError::INVALID_OPERATION)?;
    let room = room.map_or(Ok(length), usize::try_from).map_err(|_| BAD_VALUE)?;
    if length > room {
        return Err(FileError(563));
    }
    Buffer::new(to.cast_const().cast(), room)?.put(data);
    memory::put_word(count.unwrap_or(std::ptr::null_mut()), bytes);
    Ok(())
}

pub(crate) fn CONTROLMESSAGESYSTEM(args: args::CONTROLMESSAGESYSTEM) -> Result<(), FileError> {
    let (action, value) = (args.actioncode.unwrap_or(-1), args.value.unwrap_or(-1));
    let at = usize::try_from(action).ok().filter(|at| *at < MESSAGE_LIMITS_MAX.len()).ok_or(BAD_VALUE)?;
    if !(1..=MESSAGE_LIMITS_MAX[at]).contains(&value) {
        return Err(BAD_VALUE);
    }
    runtime::with(|runtime| runtime.message_limits[at] = value);
    Ok(())
}

pub(crate) fn MESSAGESYSTEMINFO(args: args::MESSAGESYSTEMINFO) -> Result<(), FileError> {
    let item = usize::try_from(args.itemcode.unwrap_or(-1)).ok();
    let limit = runtime::with(|runtime| item.and_then(|item| runtime.message_limits.get(item).copied()));
    memory::put_word(args.value.unwrap_or(std::ptr::null_mut()), limit.ok_or(BAD_VALUE)?);
    Ok(())
}
