//! Keys of any type: removal, expiry, iteration.

use std::num::NonZeroU64;

use super::{Call, Failure, Outcome};
use crate::dict::Place;
use crate::glob;
use crate::reply;

pub(super) fn del(call: &mut Call<'_>) -> Outcome {
    let mut count = 0;
    for key in call.args.from(1) {
        if let Place::At(index) = call.keys.find(key) {
            call.keys.delete(index);
            count += 1;
        }
    }
    reply::integer(call.reply, count);
    Ok(())
}

pub(super) fn exists(call: &mut Call<'_>) -> Outcome {
    let count = call.args.from(1).filter(|key| call.keys.find(key).index().is_some()).count();
    reply::integer(call.reply, count as i64);
    Ok(())
}

pub(super) fn kind(call: &mut Call<'_>) -> Outcome {
    let name = match call.keys.find(call.key()) {
        Place::At(index) => call.keys.entry(index).value.kind().name(),
        Place::Vacant(_) => "none",
    };
    reply::simple(call.reply, name);
    Ok(())
}

pub(super) fn dbsize(call: &mut Call<'_>) -> Outcome {
    reply::integer(call.reply, call.keys.store().len() as i64);
    Ok(())
}

pub(super) fn flush(call: &mut Call<'_>) -> Outcome {
    let is_plain = call.args.len() == 1;
    if !is_plain && !(call.args.len() == 2 && (call.is_word(1, "ASYNC") || call.is_word(1, "SYNC"))) {
        return Err(Failure::Syntax);
    }
    call.keys.flush();
    reply::ok(call.reply);
    Ok(())
}

pub(super) fn keys(call: &mut Call<'_>) -> Outcome {
    let pattern = call.args.at(1);
    let found: Vec<usize> = (0..call.keys.store().len())
        .filter(|index| !call.keys.is_expired(*index) && glob::matches(pattern, call.keys.key(*index)))
        .collect();
    reply::array(call.reply, found.len());
    found.into_iter().for_each(|index| reply::bulk(call.reply, call.keys.key(index)));
    Ok(())
}

pub(super) fn randomkey(call: &mut Call<'_>) -> Outcome {
    // A few draws, as in Redis: a store full of expired keys must not hold up the server.
    for _ in 0..100 {
        let length = call.keys.store().len();
        if length == 0 {
            break;
        }
        let index = super::below(call.random, length);
        if !call.keys.is_expired(index) {
            reply::bulk(call.reply, call.keys.key(index));
            return Ok(());
        }
    }
    reply::null(call.reply);
    Ok(())
}

pub(super) fn scan(call: &mut Call<'_>) -> Outcome {
    /// Buckets looked at for each key asked for, so that a call in an almost empty table ends.
    const BUCKETS_PER_KEY: u64 = 10;
    let cursor = std::str::from_utf8(call.args.at(1)).ok().and_then(|text| text.parse::<u64>().ok());
    let cursor = cursor.ok_or(Failure::Fixed("ERR invalid cursor"))?;
    let (mut pattern, mut kind, mut count) = (None, None, 10u64);
    let mut index = 2;
    while index < call.args.len() {
        if index + 1 == call.args.len() {
            return Err(Failure::Syntax);
        }
        if call.is_word(index, "MATCH") {
            pattern = Some(call.args.at(index + 1));
        } else if call.is_word(index, "TYPE") {
            kind = Some(call.args.at(index + 1));
        } else if call.is_word(index, "COUNT") {
            count = u64::try_from(call.integer(index + 1)?).map_err(|_| Failure::Syntax)?;
            if count == 0 {
                return Err(Failure::Syntax);
            }
        } else {
            return Err(Failure::Syntax);
        }
        index += 2;
    }
    let mut found: Vec<usize> = Vec::new();
    // Positions are 32 bits; a larger cursor was never given out and any answer to it is allowed.
    let mut position = cursor as u32;
    let mut met = 0;
    for _ in 0..count.saturating_mul(BUCKETS_PER_KEY) {
        position = call.keys.store().entries.scan(position, |index| {
            met += 1;
            found.push(index);
        });
        if position == 0 || met >= count {
            break;
        }
    }
    found.retain(|index| {
        !call.keys.is_expired(*index)
            && pattern.is_none_or(|pattern| glob::matches(pattern, call.keys.key(*index)))
            && kind.is_none_or(|kind| {
                kind.eq_ignore_ascii_case(call.keys.entry(*index).value.kind().name().as_bytes())
            })
    });
    reply::array(call.reply, 2);
    reply::bulk(call.reply, itoa::Buffer::new().format(position).as_bytes());
    reply::array(call.reply, found.len());
    found.into_iter().for_each(|index| reply::bulk(call.reply, call.keys.key(index)));
    Ok(())
}

pub(super) fn expire(call: &mut Call<'_>) -> Outcome {
    set_expiry(call, 1000, true, "expire")
}

pub(super) fn pexpire(call: &mut Call<'_>) -> Outcome {
    set_expiry(call, 1, true, "pexpire")
}

pub(super) fn expireat(call: &mut Call<'_>) -> Outcome {
    set_expiry(call, 1000, false, "expireat")
}

pub(super) fn pexpireat(call: &mut Call<'_>) -> Outcome {
    set_expiry(call, 1, false, "pexpireat")
}

/// When an expiry time may be replaced.
#[derive(Clone, Copy, Default)]
struct Conditions {
    if_none: bool,
    if_some: bool,
    if_later: bool,
    if_earlier: bool,
}

fn set_expiry(call: &mut Call<'_>, unit_ms: i64, is_relative: bool, command: &'static str) -> Outcome {
    let conditions = parse_conditions(call)?;
    let base_ms = if is_relative { call.keys.now_ms() as i64 } else { 0 };
    let at_ms = call.integer(2)?.checked_mul(unit_ms).and_then(|time| time.checked_add(base_ms));
    let at_ms = at_ms.ok_or(Failure::ExpireTime(command))?;
    let Place::At(index) = call.keys.find(call.key()) else {
        reply::integer(call.reply, 0);
        return Ok(());
    };
    let before = call.keys.expires_at_ms(index).map(|at_ms| at_ms.get() as i64);
    let is_refused = match before {
        // A key without expiry lives for ever, so nothing is later.
        None => conditions.if_some || conditions.if_later,
        Some(before) => {
            conditions.if_none
                || (conditions.if_later && at_ms <= before)
                || (conditions.if_earlier && at_ms >= before)
        }
    };
    if is_refused {
        reply::integer(call.reply, 0);
        return Ok(());
    }
    match u64::try_from(at_ms).ok().filter(|at_ms| *at_ms > call.keys.now_ms()).and_then(NonZeroU64::new) {
        Some(at_ms) => call.keys.set_expiry(index, Some(at_ms)),
        None => call.keys.delete(index),
    }
    reply::integer(call.reply, 1);
    Ok(())
}

fn parse_conditions(call: &Call<'_>) -> Result<Conditions, Failure> {
    let mut conditions = Conditions::default();
    for index in 3..call.args.len() {
        let condition = if call.is_word(index, "NX") {
            &mut conditions.if_none
        } else if call.is_word(index, "XX") {
            &mut conditions.if_some
        } else if call.is_word(index, "GT") {
            &mut conditions.if_later
        } else if call.is_word(index, "LT") {
            &mut conditions.if_earlier
        } else {
            return Err(Failure::Composed([b"ERR Unsupported option ", call.args.at(index)].concat()));
        };
        *condition = true;
    }
    if conditions.if_none && (conditions.if_some || conditions.if_later || conditions.if_earlier) {
        return Err(Failure::Fixed("ERR NX and XX, GT or LT options at the same time are not compatible"));
    }
    if conditions.if_later && conditions.if_earlier {
        return Err(Failure::Fixed("ERR GT and LT options at the same time are not compatible"));
    }
    Ok(conditions)
}

pub(super) fn persist(call: &mut Call<'_>) -> Outcome {
    let index = call.keys.find(call.key()).index();
    let expiring = index.filter(|index| call.keys.expires_at_ms(*index).is_some());
    if let Some(index) = expiring {
        call.keys.set_expiry(index, None);
    }
    reply::integer(call.reply, i64::from(expiring.is_some()));
    Ok(())
}

pub(super) fn ttl(call: &mut Call<'_>) -> Outcome {
    tell_expiry(call, |at_ms, now_ms| (at_ms.saturating_sub(now_ms) + 500) / 1000)
}

pub(super) fn pttl(call: &mut Call<'_>) -> Outcome {
    tell_expiry(call, |at_ms, now_ms| at_ms.saturating_sub(now_ms))
}

pub(super) fn expiretime(call: &mut Call<'_>) -> Outcome {
    tell_expiry(call, |at_ms, _| at_ms.saturating_add(500) / 1000)
}

pub(super) fn pexpiretime(call: &mut Call<'_>) -> Outcome {
    tell_expiry(call, |at_ms, _| at_ms)
}

/// Answers -2 for no key, -1 for no expiry.
fn tell_expiry(call: &mut Call<'_>, shown: impl Fn(u64, u64) -> u64) -> Outcome {
    let number = match call.keys.find(call.key()) {
        Place::At(index) => match call.keys.expires_at_ms(index) {
            Some(at_ms) => shown(at_ms.get(), call.keys.now_ms()) as i64,
            None => -1,
        },
        Place::Vacant(_) => -2,
    };
    reply::integer(call.reply, number);
    Ok(())
}
