//! Time and numbers as digits (Guardian Procedure Calls, `JULIANTIMESTAMP`, `CONVERTTIMESTAMP`, `INTERPRETTIMESTAMP`,
//! `COMPUTETIMESTAMP`, `MYPROCESSTIME`, `NUMIN`, `NUMOUT`, `DNUMIN`, `DNUMOUT`).

use crate::args;
use crate::entry;
use crate::guardian::calendar::{self, DateAndTime, Direction, Remark};
use crate::guardian::digits::{self, Reading};
use crate::guardian::parameters;
use crate::memory::{self, Buffer};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// No timestamp.
const NO_TIMESTAMP: i64 = -1;
/// The node of a call that is for the own one.
const OWN_NODE: i32 = -1;
/// An error number for a node that is not the own one.
const NO_SUCH_NODE: i16 = 18;
/// `CONVERTTIMESTAMP`, error: the local civil time was shown twice.
const AMBIGUOUS: i16 = -1;
/// `CONVERTTIMESTAMP`, error: the local civil time was never shown.
const IMPOSSIBLE: i16 = -2;

pub(crate) fn JULIANTIMESTAMP(a: args::JULIANTIMESTAMP) -> i64 {
    if !is_own_node(a.node) {
        parameters::put_word(a.error, NO_SUCH_NODE);
        return NO_TIMESTAMP;
    }
    // The clock is not set by processes of the node, so there is one update of it.
    parameters::put_word(a.tuid, 0);
    parameters::put_word(a.error, 0);
    let now = || calendar::from_unix_us(clock_us(ClockId::Realtime));
    let since_start = || clock_us(ClockId::Boottime);
    match a.form.unwrap_or(0) {
        0 => now(),
        // The machine was started, and its system made, as far as a program can tell, at the same time.
        1 | 2 => now().saturating_sub(since_start()),
        3 => since_start(),
        _ => {
            parameters::put_word(a.error, parameters::BAD_VALUE.0 as i16);
            NO_TIMESTAMP
        }
    }
}

pub(crate) fn CONVERTTIMESTAMP(a: args::CONVERTTIMESTAMP) -> i64 {
    let timestamp = a.juliantimestamp.unwrap_or(NO_TIMESTAMP);
    if !is_own_node(a.node) {
        parameters::put_word(a.error, NO_SUCH_NODE);
        return NO_TIMESTAMP;
    }
    let Some(direction) = Direction::from_number(a.direction.unwrap_or(0)) else {
        parameters::put_word(a.error, parameters::BAD_VALUE.0 as i16);
        return NO_TIMESTAMP;
    };
    let converted = calendar::convert(timestamp, direction, entry::local_time);
    parameters::put_word(
        a.error,
        match converted.remark {
            Remark::None => 0,
            Remark::Ambiguous => AMBIGUOUS,
            Remark::Impossible => IMPOSSIBLE,
        },
    );
    converted.timestamp
}

pub(crate) fn INTERPRETTIMESTAMP(a: args::INTERPRETTIMESTAMP) -> i32 {
    let (Some(timestamp), Ok(to)) = (a.juliantimestamp, parameters::place(a.date_n_time)) else { return -1 };
    match calendar::interpret(timestamp) {
        Some((day, date)) => {
            memory::put_words(to, &date);
            day
        }
        None => -1,
    }
}

pub(crate) fn COMPUTETIMESTAMP(a: args::COMPUTETIMESTAMP) -> i64 {
    let words = parameters::place(a.date_n_time).and_then(|from| memory::words(from, 8));
    let Ok(words) = words else {
        parameters::put_word(a.errormask, -1);
        return NO_TIMESTAMP;
    };
    let date: DateAndTime = words.try_into().expect("as many words as were asked for");
    match calendar::compute(date) {
        Ok(timestamp) => {
            parameters::put_word(a.errormask, 0);
            timestamp
        }
        Err(mask) => {
            parameters::put_word(a.errormask, mask as i16);
            NO_TIMESTAMP
        }
    }
}

pub(crate) fn MYPROCESSTIME(_: args::MYPROCESSTIME) -> i64 {
    process_time_us()
}

/// Processor time that this process has used, microseconds.
pub(crate) fn process_time_us() -> i64 {
    clock_us(ClockId::ProcessCPUTime)
}

fn clock_us(clock: ClockId) -> i64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
    tv_sec * 1_000_000 + tv_nsec / 1_000
}

fn is_own_node(node: Option<i32>) -> bool {
    let number = node.unwrap_or(OWN_NODE);
    number == OWN_NODE || crate::runtime::with(|runtime| i64::from(runtime.me.node) == i64::from(number))
}

pub(crate) fn NUMOUT(a: args::NUMOUT) {
    let (base, width) = (a.base.unwrap_or(10), a.width.unwrap_or(0));
    write(a.ascii_result, u32::from(a.unsigned_integer.unwrap_or(0)), base, width);
}

/// Nothing is written for a base or width that means nothing.
fn write(to: Option<*mut u8>, value: u32, base: i16, width: i16) {
    let (Ok(base), Ok(width)) = (u32::try_from(base), usize::try_from(width)) else { return };
    let Some(to) = to.filter(|_| digits::BASES.contains(&base)) else { return };
    if let Ok(place) = Buffer::new(to.cast_const().cast(), width) {
        place.put(&digits::write(value, base, width));
    }
}

pub(crate) fn DNUMOUT(a: args::DNUMOUT) -> i16 {
    let (value, base) = (a.signed_doubleword.unwrap_or(0), a.base.unwrap_or(10));
    // A negative base asks for a sign.
    let (sign, magnitude) = match base < 0 && value < 0 {
        true => ("-", value.unsigned_abs()),
        false => ("", value as u32),
    };
    let base = base.saturating_abs();
    if !digits::BASES.contains(&u32::from(base.unsigned_abs())) {
        return 0;
    }
    if let Some(width) = a.width {
        write(a.ascii_result, magnitude, base, width);
        return width;
    }
    let all = digits::write(magnitude, u32::from(base.unsigned_abs()), u32::BITS as usize);
    let first = all.iter().position(|digit| *digit != b'0').unwrap_or(all.len() - 1);
    let text = [sign.as_bytes(), &all[first..]].concat();
    let Some(to) = a.ascii_result else { return 0 };
    match Buffer::new(to.cast_const().cast(), text.len()) {
        Ok(place) => place.put(&text) as i16,
        Err(_) => 0,
    }
}

pub(crate) fn NUMIN(a: args::NUMIN) -> i64 {
    let (reading, end) = read(a.ascii_num, a.base, 16);
    if let (Some(to), Reading::Number(value)) = (a.signed_result, reading) {
        memory::put_word(to, value as i16);
    }
    parameters::put_word(a.status, reading.status());
    end
}

pub(crate) fn DNUMIN(a: args::DNUMIN) -> i64 {
    let (reading, end) = read(a.ascii_num, a.base, 32);
    if let (Some(to), Reading::Number(value)) = (a.signed_result, reading) {
        to.put(i64::from(value));
    }
    parameters::put_word(a.status, reading.status());
    end
}

/// Bytes of the longest text that can be a number: a sign, a base and 32 binary digits, and one byte behind them.
const NUMBER_BYTES_MAX: usize = 40;

/// Reads a number and gives the address of what is behind it.
fn read(from: Option<*const u8>, base: Option<i16>, bits: u32) -> (Reading, i64) {
    let from = from.unwrap_or(std::ptr::null());
    let text =
        memory::prefix(from, NUMBER_BYTES_MAX, |byte| byte.is_ascii_alphanumeric() || b"+-%".contains(&byte));
    let base = u32::try_from(base.unwrap_or(10)).unwrap_or(0);
    let (reading, length) = digits::read(&text, base, bits);
    (reading, from as i64 + length as i64)
}
