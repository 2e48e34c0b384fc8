//! Texts and counters.

use std::num::NonZeroU64;

use super::{Call, Failure, Outcome};
use crate::dict::Place;
use crate::effect::Expiry;
use crate::number;
use crate::reply;
use crate::resp::BULK_BYTES_MAX;

pub(super) fn get(call: &mut Call<'_>) -> Outcome {
    match call.keys.find(call.key()) {
        Place::At(index) => reply::bulk(call.reply, call.keys.text(index)?),
        Place::Vacant(_) => reply::null(call.reply),
    }
    Ok(())
}

/// How an option gives a time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds,
}

fn unit(call: &Call<'_>, index: usize) -> Option<Unit> {
    let units = [
        ("EX", Unit::Seconds),
        ("PX", Unit::Milliseconds),
        ("EXAT", Unit::UnixSeconds),
        ("PXAT", Unit::UnixMilliseconds),
    ];
    units.into_iter().find(|(word, _)| call.is_word(index, word)).map(|(_, unit)| unit)
}

/// The time in the argument at `index`, as milliseconds of the Unix clock.
fn expire_time(
    call: &Call<'_>,
    index: usize,
    unit: Unit,
    command: &'static str,
) -> Result<NonZeroU64, Failure> {
    let number = call.integer(index)?;
    if number <= 0 {
        return Err(Failure::ExpireTime(command));
    }
    let milliseconds = match unit {
        Unit::Seconds | Unit::UnixSeconds => number.checked_mul(1000),
        Unit::Milliseconds | Unit::UnixMilliseconds => Some(number),
    };
    let base = match unit {
        Unit::Seconds | Unit::Milliseconds => call.keys.now_ms() as i64,
        Unit::UnixSeconds | Unit::UnixMilliseconds => 0,
    };
    milliseconds
        .and_then(|milliseconds| milliseconds.checked_add(base))
        .and_then(|at_ms| NonZeroU64::new(at_ms as u64))
        .ok_or(Failure::ExpireTime(command))
}

pub(super) fn set(call: &mut Call<'_>) -> Outcome {
    let (key, value) = (call.key(), call.args.at(2));
    if call.args.len() == 3 {
        let place = call.keys.find(key);
        call.keys.set(place, key, value, Expiry::Clear);
        reply::ok(call.reply);
        return Ok(());
    }
    set_with_options(call, key, value)
}

fn set_with_options(call: &mut Call<'_>, key: &[u8], value: &[u8]) -> Outcome {
    let (mut if_absent, mut if_present, mut keeps_expiry, mut gives_old) = (false, false, false, false);
    let mut time: Option<(Unit, usize)> = None;
    let mut index = 3;
    while index < call.args.len() {
        let unit = unit(call, index);
        if call.is_word(index, "NX") && !if_present {
            if_absent = true;
        } else if call.is_word(index, "XX") && !if_absent {
            if_present = true;
        } else if call.is_word(index, "GET") {
            gives_old = true;
        } else if call.is_word(index, "KEEPTTL") && time.is_none() {
            keeps_expiry = true;
        } else if let Some(unit) = unit
            && !keeps_expiry
            && time.is_none_or(|(before, _)| before == unit)
            && index + 1 < call.args.len()
        {
            index += 1;
            time = Some((unit, index));
        } else {
            return Err(Failure::Syntax);
        }
        index += 1;
    }
    let expiry = match time {
        Some((unit, index)) => Expiry::At(expire_time(call, index, unit, "set")?),
        None if keeps_expiry => Expiry::Keep,
        None => Expiry::Clear,
    };
    let place = call.keys.find(key);
    if gives_old {
        match place {
            Place::At(index) => reply::bulk(call.reply, call.keys.text(index)?),
            Place::Vacant(_) => reply::null(call.reply),
        }
    }
    let is_present = place.index().is_some();
    if (if_absent && is_present) || (if_present && !is_present) {
        if !gives_old {
            reply::null(call.reply);
        }
        return Ok(());
    }
    call.keys.set(place, key, value, expiry);
    if !gives_old {
        reply::ok(call.reply);
    }
    Ok(())
}

pub(super) fn setnx(call: &mut Call<'_>) -> Outcome {
    let place = call.keys.find(call.key());
    let is_absent = place.index().is_none();
    if is_absent {
        call.keys.set(place, call.key(), call.args.at(2), Expiry::Clear);
    }
    reply::integer(call.reply, i64::from(is_absent));
    Ok(())
}

pub(super) fn setex(call: &mut Call<'_>) -> Outcome {
    set_expiring(call, Unit::Seconds, "setex")
}

pub(super) fn psetex(call: &mut Call<'_>) -> Outcome {
    set_expiring(call, Unit::Milliseconds, "psetex")
}

fn set_expiring(call: &mut Call<'_>, unit: Unit, command: &'static str) -> Outcome {
    let at_ms = expire_time(call, 2, unit, command)?;
    let place = call.keys.find(call.key());
    call.keys.set(place, call.key(), call.args.at(3), Expiry::At(at_ms));
    reply::ok(call.reply);
    Ok(())
}

pub(super) fn getset(call: &mut Call<'_>) -> Outcome {
    let place = call.keys.find(call.key());
    match place {
        Place::At(index) => reply::bulk(call.reply, call.keys.text(index)?),
        Place::Vacant(_) => reply::null(call.reply),
    }
    call.keys.set(place, call.key(), call.args.at(2), Expiry::Clear);
    Ok(())
}

pub(super) fn getdel(call: &mut Call<'_>) -> Outcome {
    match call.keys.find(call.key()) {
        Place::At(index) => {
            reply::bulk(call.reply, call.keys.text(index)?);
            call.keys.delete(index);
        }
        Place::Vacant(_) => reply::null(call.reply),
    }
    Ok(())
}

pub(super) fn getex(call: &mut Call<'_>) -> Outcome {
    let mut time: Option<(Unit, usize)> = None;
    let mut is_persist = false;
    let mut index = 2;
    while index < call.args.len() {
        if call.is_word(index, "PERSIST") && time.is_none() {
            is_persist = true;
        } else if let Some(unit) = unit(call, index)
            && !is_persist
            && time.is_none_or(|(before, _)| before == unit)
            && index + 1 < call.args.len()
        {
            index += 1;
            time = Some((unit, index));
        } else {
            return Err(Failure::Syntax);
        }
        index += 1;
    }
    let Place::At(index) = call.keys.find(call.key()) else {
        reply::null(call.reply);
        return Ok(());
    };
    call.keys.text(index)?;
    let at_ms = match time {
        Some((unit, argument)) => Some(expire_time(call, argument, unit, "getex")?),
        None => None,
    };
    reply::bulk(call.reply, call.keys.text(index)?);
    match at_ms {
        Some(at_ms) if at_ms.get() <= call.keys.now_ms() => call.keys.delete(index),
        Some(at_ms) => call.keys.set_expiry(index, Some(at_ms)),
        None if is_persist && call.keys.expires_at_ms(index).is_some() => call.keys.set_expiry(index, None),
        None => {}
    }
    Ok(())
}

pub(super) fn mget(call: &mut Call<'_>) -> Outcome {
    reply::array(call.reply, call.args.len() - 1);
    for key in call.args.from(1) {
        let text = call.keys.find(key).index().and_then(|index| call.keys.text(index).ok());
        match text {
            Some(text) => reply::bulk(call.reply, text),
            None => reply::null(call.reply),
        }
    }
    Ok(())
}

pub(super) fn mset(call: &mut Call<'_>) -> Outcome {
    if call.args.len().is_multiple_of(2) {
        return Err(Failure::Arity("mset"));
    }
    set_all(call);
    reply::ok(call.reply);
    Ok(())
}

pub(super) fn msetnx(call: &mut Call<'_>) -> Outcome {
    if call.args.len().is_multiple_of(2) {
        return Err(Failure::Arity("msetnx"));
    }
    let is_any_present = call.args.from(1).step_by(2).any(|key| call.keys.find(key).index().is_some());
    if !is_any_present {
        set_all(call);
    }
    reply::integer(call.reply, i64::from(!is_any_present));
    Ok(())
}

fn set_all(call: &mut Call<'_>) {
    for index in (1..call.args.len()).step_by(2) {
        let key = call.args.at(index);
        let place = call.keys.find(key);
        call.keys.set(place, key, call.args.at(index + 1), Expiry::Clear);
    }
}

pub(super) fn append(call: &mut Call<'_>) -> Outcome {
    let suffix = call.args.at(2);
    let place = call.keys.find(call.key());
    let length = match place {
        Place::At(index) => call.keys.text(index)?.len(),
        Place::Vacant(_) => 0,
    };
    if length + suffix.len() > BULK_BYTES_MAX {
        return Err(Failure::Fixed("ERR string exceeds maximum allowed size (proto-max-bulk-len)"));
    }
    call.keys.append(place, call.key(), suffix);
    reply::integer(call.reply, (length + suffix.len()) as i64);
    Ok(())
}

pub(super) fn strlen(call: &mut Call<'_>) -> Outcome {
    let length = match call.keys.find(call.key()) {
        Place::At(index) => call.keys.text(index)?.len(),
        Place::Vacant(_) => 0,
    };
    reply::integer(call.reply, length as i64);
    Ok(())
}

pub(super) fn incr(call: &mut Call<'_>) -> Outcome {
    increment(call, 1)
}

pub(super) fn decr(call: &mut Call<'_>) -> Outcome {
    increment(call, -1)
}

pub(super) fn incrby(call: &mut Call<'_>) -> Outcome {
    increment(call, call.integer(2)?)
}

pub(super) fn decrby(call: &mut Call<'_>) -> Outcome {
    let amount = call.integer(2)?;
    increment(call, amount.checked_neg().ok_or(Failure::Fixed("ERR decrement would overflow"))?)
}

fn increment(call: &mut Call<'_>, amount: i64) -> Outcome {
    let place = call.keys.find(call.key());
    let before = match place {
        Place::At(index) => number::parse_integer(call.keys.text(index)?).ok_or(Failure::NotAnInteger)?,
        Place::Vacant(_) => 0,
    };
    let after = before.checked_add(amount).ok_or(Failure::Overflow)?;
    call.keys.set(place, call.key(), itoa::Buffer::new().format(after).as_bytes(), Expiry::Keep);
    reply::integer(call.reply, after);
    Ok(())
}
