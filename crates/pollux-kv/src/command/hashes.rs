//! Hashes.

use super::{Call, Failure, Outcome};
use crate::bytes::Bytes;
use crate::dict::{Dict, Place};
use crate::number;
use crate::reply;

pub(super) fn hset(call: &mut Call<'_>) -> Outcome {
    let count_new = put(call, "hset")?;
    reply::integer(call.reply, count_new as i64);
    Ok(())
}

pub(super) fn hmset(call: &mut Call<'_>) -> Outcome {
    put(call, "hmset")?;
    reply::ok(call.reply);
    Ok(())
}

fn put(call: &mut Call<'_>, command: &'static str) -> Result<usize, Failure> {
    if !call.args.len().is_multiple_of(2) {
        return Err(Failure::Arity(command));
    }
    let place = call.keys.find(call.key());
    if let Place::At(index) = place {
        call.keys.hash(index)?;
    }
    Ok(call.keys.hash_put(place, call.key(), call.args.len() - 2, call.args.from(2)))
}

pub(super) fn hsetnx(call: &mut Call<'_>) -> Outcome {
    let place = call.keys.find(call.key());
    let is_absent = match place {
        Place::At(index) => call.keys.hash(index)?.get(call.args.at(2)).is_none(),
        Place::Vacant(_) => true,
    };
    if is_absent {
        call.keys.hash_put(place, call.key(), 2, call.args.from(2));
    }
    reply::integer(call.reply, i64::from(is_absent));
    Ok(())
}

pub(super) fn hget(call: &mut Call<'_>) -> Outcome {
    let value = match call.keys.find(call.key()) {
        Place::At(index) => call.keys.hash(index)?.get(call.args.at(2)),
        Place::Vacant(_) => None,
    };
    match value {
        Some(value) => reply::bulk(call.reply, value.as_slice()),
        None => reply::null(call.reply),
    }
    Ok(())
}

pub(super) fn hmget(call: &mut Call<'_>) -> Outcome {
    let hash = match call.keys.find(call.key()) {
        Place::At(index) => Some(call.keys.hash(index)?),
        Place::Vacant(_) => None,
    };
    reply::array(call.reply, call.args.len() - 2);
    for field in call.args.from(2) {
        match hash.and_then(|hash| hash.get(field)) {
            Some(value) => reply::bulk(call.reply, value.as_slice()),
            None => reply::null(call.reply),
        }
    }
    Ok(())
}

pub(super) fn hdel(call: &mut Call<'_>) -> Outcome {
    let count = match call.keys.find(call.key()) {
        Place::At(index) => {
            call.keys.hash(index)?;
            call.keys.hash_remove(index, call.key(), call.args.from(2))
        }
        Place::Vacant(_) => 0,
    };
    reply::integer(call.reply, count as i64);
    Ok(())
}

pub(super) fn hgetall(call: &mut Call<'_>) -> Outcome {
    list(call, 2, |reply, field, value| {
        reply::bulk(reply, field);
        reply::bulk(reply, value);
    })
}

pub(super) fn hkeys(call: &mut Call<'_>) -> Outcome {
    list(call, 1, |reply, field, _| reply::bulk(reply, field))
}

pub(super) fn hvals(call: &mut Call<'_>) -> Outcome {
    list(call, 1, |reply, _, value| reply::bulk(reply, value))
}

fn list(call: &mut Call<'_>, items_each: usize, show: impl Fn(&mut Vec<u8>, &[u8], &[u8])) -> Outcome {
    match call.keys.find(call.key()) {
        Place::At(index) => {
            let hash = call.keys.hash(index)?;
            reply::array(call.reply, hash.len() * items_each);
            hash.iter().for_each(|(field, value)| show(call.reply, field, value.as_slice()));
        }
        Place::Vacant(_) => reply::array(call.reply, 0),
    }
    Ok(())
}

pub(super) fn hlen(call: &mut Call<'_>) -> Outcome {
    number_of(call, Dict::len)
}

pub(super) fn hexists(call: &mut Call<'_>) -> Outcome {
    let field = call.args.at(2);
    number_of(call, |hash| usize::from(hash.get(field).is_some()))
}

fn number_of(call: &mut Call<'_>, count: impl Fn(&Dict<Bytes>) -> usize) -> Outcome {
    let number = match call.keys.find(call.key()) {
        Place::At(index) => count(call.keys.hash(index)?),
        Place::Vacant(_) => 0,
    };
    reply::integer(call.reply, number as i64);
    Ok(())
}

pub(super) fn hincrby(call: &mut Call<'_>) -> Outcome {
    let amount = call.integer(3)?;
    let field = call.args.at(2);
    let place = call.keys.find(call.key());
    let before = match place {
        Place::At(index) => match call.keys.hash(index)?.get(field) {
            Some(value) => number::parse_integer(value.as_slice())
                .ok_or(Failure::Fixed("ERR hash value is not an integer"))?,
            None => 0,
        },
        Place::Vacant(_) => 0,
    };
    let after = before.checked_add(amount).ok_or(Failure::Overflow)?;
    let mut digits = itoa::Buffer::new();
    let pair = [field, digits.format(after).as_bytes()];
    call.keys.hash_put(place, call.key(), 2, pair.into_iter());
    reply::integer(call.reply, after);
    Ok(())
}
