//! Timers of the program (Guardian Procedure Calls, `SIGNALTIMEOUT`, `SIGNALTIMEOUT_`, `CANCELTIMEOUT`, `SIGNALPROCESSTIMEOUT`,
//! `CANCELPROCESSTIMEOUT`, `TIMER_START_`, `TIMER_STOP_`).
//!
//! The clock of processor time is told to the table of timers as an instant, too: the start of the process and the
//! processor time it has used since. While the process waits that clock stands still, so those timers are looked at when
//! the process comes into a procedure.

use super::time::process_time_us;
use crate::args;
use crate::entry;
use crate::guardian::parameters;
use crate::runtime::{self, Runtime};
use crate::timers::Timers;
use pollux_wire::FileError;
use std::time::{Duration, Instant};

/// A timer is running.
const STARTED: i16 = 0;
/// Condition code: no timer element is free.
const NONE_FREE: i16 = -1;
/// Condition code: a wrong value, a null address, or an unknown tag.
const WRONG: i16 = 1;
/// `TIMER_START_`: no timer element is free.
const TIMER_NONE_FREE: i32 = 3600;
/// The tag that stands for all timers.
const ALL: i16 = -1;

pub(crate) fn SIGNALTIMEOUT(a: args::SIGNALTIMEOUT) -> i16 {
    runtime::with(|runtime| {
        let now = Instant::now();
        signal(&mut runtime.timers, now, a.timeout, a.param1, a.param2, a.tag)
    })
}

pub(crate) fn SIGNALTIMEOUT_(a: args::SIGNALTIMEOUT_) -> Result<(), FileError> {
    // The message has room for 32 bits.
    let param2 = a.param2.map(|value| value as i32);
    let started = runtime::with(|runtime| {
        signal(&mut runtime.timers, Instant::now(), a.timeout, a.param1, param2, a.tag)
    });
    match started {
        STARTED => Ok(()),
        NONE_FREE => Err(FileError::NO_BUFFER_SPACE),
        _ => Err(parameters::BAD_VALUE),
    }
}

pub(crate) fn SIGNALPROCESSTIMEOUT(a: args::SIGNALPROCESSTIMEOUT) -> i16 {
    runtime::with(|runtime| {
        let now = processor_now(runtime);
        signal(&mut runtime.process_timers, now, a.timeout, a.param1, a.param2, a.tag)
    })
}

fn signal(
    timers: &mut Timers,
    now: Instant,
    centiseconds: Option<i32>,
    param1: Option<i16>,
    param2: Option<i32>,
    tag: Option<*mut i16>,
) -> i16 {
    let Some(after) = centiseconds.and_then(|count| u64::try_from(count).ok()).filter(|count| *count > 0)
    else {
        return WRONG;
    };
    if tag.is_some_and(<*mut i16>::is_null) {
        return WRONG;
    }
    let after = Duration::from_millis(after * 10);
    match timers.start(now, after, param1.unwrap_or(0), param2.unwrap_or(0)) {
        Some(started) => {
            parameters::put_word(tag, started);
            STARTED
        }
        None => NONE_FREE,
    }
}

pub(crate) fn CANCELTIMEOUT(a: args::CANCELTIMEOUT) -> i16 {
    runtime::with(|runtime| cancel(&mut runtime.timers, a.tag))
}

pub(crate) fn CANCELPROCESSTIMEOUT(a: args::CANCELPROCESSTIMEOUT) -> i16 {
    runtime::with(|runtime| cancel(&mut runtime.process_timers, a.tag))
}

fn cancel(timers: &mut Timers, tag: Option<i16>) -> i16 {
    match tag {
        Some(ALL) => {
            timers.cancel_all();
            STARTED
        }
        Some(tag) if timers.cancel(tag) => STARTED,
        _ => WRONG,
    }
}

pub(crate) fn TIMER_START_(a: args::TIMER_START_) -> i32 {
    let wrong = i32::from(parameters::BAD_VALUE.0);
    let after = a.microseconds.and_then(|count| u64::try_from(count).ok()).filter(|count| *count > 0);
    let (Some(after), Some(id)) = (after, a.tle_id) else { return wrong };
    if id.pointer.is_null() {
        return i32::from(crate::memory::BAD_ADDRESS.0);
    }
    // The parameters keep what the message has room for.
    let (param1, param2) = (a.param1.unwrap_or(0) as i16, a.param2.unwrap_or(0) as i32);
    runtime::with(|runtime| {
        match runtime.timers.start(Instant::now(), Duration::from_micros(after), param1, param2) {
            Some(tag) => {
                entry::put(Some(id), i64::from(tag));
                0
            }
            None => TIMER_NONE_FREE,
        }
    })
}

pub(crate) fn TIMER_STOP_(a: args::TIMER_STOP_) -> i32 {
    let tag = a.tle_id.and_then(|id| i16::try_from(id).ok()).filter(|tag| *tag >= 0);
    let stopped = tag.is_some_and(|tag| runtime::with(|runtime| runtime.timers.cancel(tag)));
    if stopped { 0 } else { i32::from(parameters::BAD_VALUE.0) }
}

/// The processor time of this process as an instant.
pub(crate) fn processor_now(runtime: &Runtime) -> Instant {
    runtime.attached_at + Duration::from_micros(process_time_us().unsigned_abs())
}
