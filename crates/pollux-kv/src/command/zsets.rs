//! Sorted sets: everything but setting scores.

use super::lists::clamp;
use super::{Call, Failure, Outcome};
use crate::dict::Place;
use crate::number;
use crate::reply;
use crate::sorted::{Ranked, SortedSet};

pub(super) fn zcard(call: &mut Call<'_>) -> Outcome {
    let count = match call.keys.find(call.key()) {
        Place::At(index) => call.keys.sorted(index)?.len(),
        Place::Vacant(_) => 0,
    };
    reply::integer(call.reply, count as i64);
    Ok(())
}

pub(super) fn zscore(call: &mut Call<'_>) -> Outcome {
    let score = match call.keys.find(call.key()) {
        Place::At(index) => call.keys.sorted(index)?.score(call.args.at(2)),
        Place::Vacant(_) => None,
    };
    match score {
        Some(score) => reply::double(call.reply, score),
        None => reply::null(call.reply),
    }
    Ok(())
}

pub(super) fn zrank(call: &mut Call<'_>) -> Outcome {
    rank(call, |rank, _| rank)
}

pub(super) fn zrevrank(call: &mut Call<'_>) -> Outcome {
    rank(call, |rank, length| length - 1 - rank)
}

fn rank(call: &mut Call<'_>, seen: impl Fn(usize, usize) -> usize) -> Outcome {
    let rank = match call.keys.find(call.key()) {
        Place::At(index) => {
            let sorted = call.keys.sorted(index)?;
            sorted.rank(call.args.at(2)).map(|rank| seen(rank, sorted.len()))
        }
        Place::Vacant(_) => None,
    };
    match rank {
        Some(rank) => reply::integer(call.reply, rank as i64),
        None => reply::null(call.reply),
    }
    Ok(())
}

pub(super) fn zrem(call: &mut Call<'_>) -> Outcome {
    let count = match call.keys.find(call.key()) {
        Place::At(index) => {
            call.keys.sorted(index)?;
            call.keys.scores_remove(index, call.key(), call.args.from(2))
        }
        Place::Vacant(_) => 0,
    };
    reply::integer(call.reply, count as i64);
    Ok(())
}

pub(super) fn zpopmin(call: &mut Call<'_>) -> Outcome {
    pop(call, |sorted| sorted.ascending(0).next())
}

pub(super) fn zpopmax(call: &mut Call<'_>) -> Outcome {
    pop(call, |sorted| sorted.descending(0).next())
}

fn pop(call: &mut Call<'_>, end: impl Fn(&SortedSet) -> Option<&Ranked>) -> Outcome {
    if call.args.len() > 3 {
        return Err(Failure::Syntax);
    }
    let count = if call.args.len() == 3 { call.count(2)? } else { 1 };
    let Place::At(index) = call.keys.find(call.key()) else {
        reply::array(call.reply, 0);
        return Ok(());
    };
    let count = count.min(call.keys.sorted(index)?.len());
    reply::array(call.reply, 2 * count);
    for _ in 0..count {
        let ranked = end(call.keys.sorted(index)?).expect("the set has as many members as are popped");
        let (member, score) = (ranked.member.clone(), ranked.score);
        reply::bulk(call.reply, member.as_slice());
        reply::double(call.reply, score);
        call.keys.scores_remove(index, call.key(), std::iter::once(member.as_slice()));
    }
    Ok(())
}

/// One end of a range of scores.
#[derive(Clone, Copy)]
struct Bound {
    score: f64,
    is_exclusive: bool,
}

fn bound(text: &[u8]) -> Option<Bound> {
    // No digits at all read as 0, as with the C function that Redis uses here.
    let score = |text: &[u8]| if text.is_empty() { Some(0.0) } else { number::parse_double(text) };
    match text {
        [b'(', text @ ..] => Some(Bound { score: score(text)?, is_exclusive: true }),
        text => Some(Bound { score: score(text)?, is_exclusive: false }),
    }
}

/// Start and count, in ascending ranks, of the members whose scores are between two bounds.
fn between(sorted: &SortedSet, low: Bound, high: Bound) -> (usize, usize) {
    let start = sorted.count_below(low.score, low.is_exclusive);
    let end = sorted.count_below(high.score, !high.is_exclusive);
    (start, end.saturating_sub(start))
}

pub(super) fn zcount(call: &mut Call<'_>) -> Outcome {
    let (low, high) = bounds(call, 2, 3)?;
    let count = match call.keys.find(call.key()) {
        Place::At(index) => between(call.keys.sorted(index)?, low, high).1,
        Place::Vacant(_) => 0,
    };
    reply::integer(call.reply, count as i64);
    Ok(())
}

fn bounds(call: &Call<'_>, low: usize, high: usize) -> Result<(Bound, Bound), Failure> {
    let parse = |index| bound(call.args.at(index)).ok_or(Failure::Fixed("ERR min or max is not a float"));
    Ok((parse(low)?, parse(high)?))
}

/// How a command of the ZRANGE family reads its arguments.
#[derive(Clone, Copy, Default)]
struct Form {
    is_by_score: bool,
    is_reverse: bool,
    has_scores: bool,
    limit: Option<(i64, i64)>,
}

pub(super) fn zrange(call: &mut Call<'_>) -> Outcome {
    range(call, Form::default(), true)
}

pub(super) fn zrevrange(call: &mut Call<'_>) -> Outcome {
    range(call, Form { is_reverse: true, ..Form::default() }, false)
}

pub(super) fn zrangebyscore(call: &mut Call<'_>) -> Outcome {
    range(call, Form { is_by_score: true, ..Form::default() }, false)
}

pub(super) fn zrevrangebyscore(call: &mut Call<'_>) -> Outcome {
    range(call, Form { is_by_score: true, is_reverse: true, ..Form::default() }, false)
}

/// `takes_form` says whether BYSCORE and REV may be given.
fn range(call: &mut Call<'_>, mut form: Form, takes_form: bool) -> Outcome {
    let mut index = 4;
    while index < call.args.len() {
        if call.is_word(index, "WITHSCORES") {
            form.has_scores = true;
        } else if call.is_word(index, "LIMIT") && index + 2 < call.args.len() {
            form.limit = Some((call.integer(index + 1)?, call.integer(index + 2)?));
            index += 2;
        } else if call.is_word(index, "REV") && takes_form && !form.is_reverse {
            form.is_reverse = true;
        } else if call.is_word(index, "BYSCORE") && takes_form && !form.is_by_score {
            form.is_by_score = true;
        } else {
            return Err(Failure::Syntax);
        }
        index += 1;
    }
    // A count of -1 is what Redis takes for "no LIMIT given".
    let has_limit = form.limit.is_some_and(|(_, count)| count != -1);
    if has_limit && !form.is_by_score {
        return Err(Failure::Fixed(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        ));
    }
    if form.is_by_score { range_by_score(call, form) } else { range_by_rank(call, form) }
}

fn range_by_rank(call: &mut Call<'_>, form: Form) -> Outcome {
    let (first, last) = (call.integer(2)?, call.integer(3)?);
    let Place::At(index) = call.keys.find(call.key()) else {
        reply::array(call.reply, 0);
        return Ok(());
    };
    let sorted = call.keys.sorted(index)?;
    let (start, count) = clamp(first, last, sorted.len());
    show(call.reply, sorted, form, start, count);
    Ok(())
}

fn range_by_score(call: &mut Call<'_>, form: Form) -> Outcome {
    let (low, high) = if form.is_reverse { bounds(call, 3, 2)? } else { bounds(call, 2, 3)? };
    let Place::At(index) = call.keys.find(call.key()) else {
        reply::array(call.reply, 0);
        return Ok(());
    };
    let sorted = call.keys.sorted(index)?;
    let (start, count) = between(sorted, low, high);
    let start = if form.is_reverse { sorted.len() - start - count } else { start };
    let (start, count) = match form.limit {
        None => (start, count),
        Some((offset, _)) if offset < 0 => (start, 0),
        Some((offset, limit)) => {
            let skipped = (offset as usize).min(count);
            let rest = count - skipped;
            (start + skipped, usize::try_from(limit).map_or(rest, |limit| rest.min(limit)))
        }
    };
    show(call.reply, sorted, form, start, count);
    Ok(())
}

/// Appends `count` members from the rank `start`, counted from the end that the form begins with.
fn show(reply: &mut Vec<u8>, sorted: &SortedSet, form: Form, start: usize, count: usize) {
    reply::array(reply, if form.has_scores { 2 * count } else { count });
    let mut show_one = |ranked: &Ranked| {
        reply::bulk(reply, ranked.member.as_slice());
        if form.has_scores {
            reply::double(reply, ranked.score);
        }
    };
    if form.is_reverse {
        sorted.descending(start).take(count).for_each(&mut show_one);
    } else {
        sorted.ascending(start).take(count).for_each(&mut show_one);
    }
}
