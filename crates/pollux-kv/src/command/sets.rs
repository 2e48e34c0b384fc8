//! Sets. SPOP is where chance is decided: its effects name the members that were chosen.

use super::{Call, Failure, Outcome, below};
use crate::dict::Place;
use crate::reply;

/// Members that SRANDMEMBER gives with repetition. The count is the client's and costs it nothing, so
/// without a limit one short command could fill the memory.
const REPEATED_MEMBERS_MAX: u64 = 1024 * 1024;

pub(super) fn sadd(call: &mut Call<'_>) -> Outcome {
    let place = call.keys.find(call.key());
    if let Place::At(index) = place {
        call.keys.members(index)?;
    }
    let count = call.keys.members_add(place, call.key(), call.args.len() - 2, call.args.from(2));
    reply::integer(call.reply, count as i64);
    Ok(())
}

pub(super) fn srem(call: &mut Call<'_>) -> Outcome {
    let count = match call.keys.find(call.key()) {
        Place::At(index) => {
            call.keys.members(index)?;
            call.keys.members_remove(index, call.key(), call.args.from(2))
        }
        Place::Vacant(_) => 0,
    };
    reply::integer(call.reply, count as i64);
    Ok(())
}

pub(super) fn smembers(call: &mut Call<'_>) -> Outcome {
    match call.keys.find(call.key()) {
        Place::At(index) => show_all(call, index)?,
        Place::Vacant(_) => reply::array(call.reply, 0),
    }
    Ok(())
}

fn show_all(call: &mut Call<'_>, index: usize) -> Outcome {
    let members = call.keys.members(index)?;
    reply::array(call.reply, members.len());
    members.iter().for_each(|(member, ())| reply::bulk(call.reply, member));
    Ok(())
}

pub(super) fn sismember(call: &mut Call<'_>) -> Outcome {
    let is_member = match call.keys.find(call.key()) {
        Place::At(index) => call.keys.members(index)?.get(call.args.at(2)).is_some(),
        Place::Vacant(_) => false,
    };
    reply::integer(call.reply, i64::from(is_member));
    Ok(())
}

pub(super) fn smismember(call: &mut Call<'_>) -> Outcome {
    let members = match call.keys.find(call.key()) {
        Place::At(index) => Some(call.keys.members(index)?),
        Place::Vacant(_) => None,
    };
    reply::array(call.reply, call.args.len() - 2);
    for member in call.args.from(2) {
        let is_member = members.is_some_and(|members| members.get(member).is_some());
        reply::integer(call.reply, i64::from(is_member));
    }
    Ok(())
}

pub(super) fn scard(call: &mut Call<'_>) -> Outcome {
    let count = match call.keys.find(call.key()) {
        Place::At(index) => call.keys.members(index)?.len(),
        Place::Vacant(_) => 0,
    };
    reply::integer(call.reply, count as i64);
    Ok(())
}

pub(super) fn spop(call: &mut Call<'_>) -> Outcome {
    if call.args.len() > 3 {
        return Err(Failure::Syntax);
    }
    let count = if call.args.len() == 3 { Some(call.count(2)?) } else { None };
    let Place::At(index) = call.keys.find(call.key()) else {
        match count {
            Some(_) => reply::array(call.reply, 0),
            None => reply::null(call.reply),
        }
        return Ok(());
    };
    let length = call.keys.members(index)?.len();
    if count.is_some_and(|count| count >= length) {
        show_all(call, index)?;
        call.keys.delete(index);
        return Ok(());
    }
    if let Some(count) = count {
        reply::array(call.reply, count);
    }
    let (random, reply) = (&mut *call.random, &mut *call.reply);
    let choose = |length| below(random, length);
    call.keys.members_take(index, call.args.at(1), count.unwrap_or(1), choose, |member| {
        reply::bulk(reply, member);
    });
    Ok(())
}

pub(super) fn srandmember(call: &mut Call<'_>) -> Outcome {
    if call.args.len() > 3 {
        return Err(Failure::Syntax);
    }
    let count = if call.args.len() == 3 { Some(call.integer(2)?) } else { None };
    if count == Some(i64::MIN) {
        return Err(Failure::Fixed(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let Place::At(index) = call.keys.find(call.key()) else {
        match count {
            Some(_) => reply::array(call.reply, 0),
            None => reply::null(call.reply),
        }
        return Ok(());
    };
    let members = call.keys.members(index)?;
    let length = members.len();
    let show = |reply: &mut Vec<u8>, index: usize| reply::bulk(reply, members.at(index).key.as_slice());
    match count {
        None => show(call.reply, below(call.random, length)),
        Some(count) if count < 0 => {
            if count.unsigned_abs() > REPEATED_MEMBERS_MAX {
                return Err(Failure::Fixed(
                    "ERR value is out of range, at most 1048576 members are repeated",
                ));
            }
            reply::array(call.reply, count.unsigned_abs() as usize);
            (0..count.unsigned_abs()).for_each(|_| show(call.reply, below(call.random, length)));
        }
        Some(count) if count as usize >= length => return show_all(call, index),
        Some(count) => {
            // The first places of a shuffle: distinct members, each choice as likely as the other.
            let mut order: Vec<u32> = (0..length as u32).collect();
            reply::array(call.reply, count as usize);
            for place in 0..count as usize {
                order.swap(place, place + below(call.random, length - place));
                show(call.reply, order[place] as usize);
            }
        }
    }
    Ok(())
}
