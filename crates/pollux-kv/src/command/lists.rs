//! Lists.

use super::{Call, Failure, Outcome};
use crate::dict::Place;
use crate::effect::End;
use crate::reply;

pub(super) fn lpush(call: &mut Call<'_>) -> Outcome {
    push(call, End::Front, false)
}

pub(super) fn rpush(call: &mut Call<'_>) -> Outcome {
    push(call, End::Back, false)
}

pub(super) fn lpushx(call: &mut Call<'_>) -> Outcome {
    push(call, End::Front, true)
}

pub(super) fn rpushx(call: &mut Call<'_>) -> Outcome {
    push(call, End::Back, true)
}

fn push(call: &mut Call<'_>, end: End, if_present: bool) -> Outcome {
    let place = call.keys.find(call.key());
    let length = match place {
        Place::At(index) => {
            call.keys.list(index)?;
            call.keys.push(place, call.key(), end, call.args.len() - 2, call.args.from(2))
        }
        Place::Vacant(_) if if_present => 0,
        Place::Vacant(_) => call.keys.push(place, call.key(), end, call.args.len() - 2, call.args.from(2)),
    };
    reply::integer(call.reply, length as i64);
    Ok(())
}

pub(super) fn lpop(call: &mut Call<'_>) -> Outcome {
    pop(call, End::Front, "lpop")
}

pub(super) fn rpop(call: &mut Call<'_>) -> Outcome {
    pop(call, End::Back, "rpop")
}

fn pop(call: &mut Call<'_>, end: End, command: &'static str) -> Outcome {
    if call.args.len() > 3 {
        return Err(Failure::Arity(command));
    }
    let count = if call.args.len() == 3 { Some(call.count(2)?) } else { None };
    let Place::At(index) = call.keys.find(call.key()) else {
        match count {
            Some(_) => reply::null_array(call.reply),
            None => reply::null(call.reply),
        }
        return Ok(());
    };
    let length = call.keys.list(index)?.len();
    let reply = &mut *call.reply;
    let taken = count.unwrap_or(1).min(length);
    if count.is_some() {
        reply::array(reply, taken);
    }
    if taken > 0 {
        call.keys.pop(index, end, taken, |element| reply::bulk(reply, element));
    }
    Ok(())
}

pub(super) fn llen(call: &mut Call<'_>) -> Outcome {
    let length = match call.keys.find(call.key()) {
        Place::At(index) => call.keys.list(index)?.len(),
        Place::Vacant(_) => 0,
    };
    reply::integer(call.reply, length as i64);
    Ok(())
}

pub(super) fn lindex(call: &mut Call<'_>) -> Outcome {
    let Place::At(index) = call.keys.find(call.key()) else {
        reply::null(call.reply);
        return Ok(());
    };
    let list = call.keys.list(index)?;
    let position = call.integer(2)?;
    let position = if position < 0 { position.saturating_add(list.len() as i64) } else { position };
    match usize::try_from(position).ok().and_then(|position| list.get(position)) {
        Some(element) => reply::bulk(call.reply, element.as_slice()),
        None => reply::null(call.reply),
    }
    Ok(())
}

pub(super) fn lrange(call: &mut Call<'_>) -> Outcome {
    let (first, last) = (call.integer(2)?, call.integer(3)?);
    let Place::At(index) = call.keys.find(call.key()) else {
        reply::array(call.reply, 0);
        return Ok(());
    };
    let list = call.keys.list(index)?;
    let (start, count) = clamp(first, last, list.len());
    reply::array(call.reply, count);
    for element in list.range(start..start + count) {
        reply::bulk(call.reply, element.as_slice());
    }
    Ok(())
}

/// Start and count of a range whose ends count from the back when negative.
pub(super) fn clamp(first: i64, last: i64, length: usize) -> (usize, usize) {
    let length = length as i64;
    let from_back = |position: i64| if position < 0 { position.saturating_add(length) } else { position };
    let first = from_back(first).max(0);
    let last = from_back(last).min(length - 1);
    if first > last { (0, 0) } else { (first as usize, (last - first + 1) as usize) }
}
