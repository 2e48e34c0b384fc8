//! ZADD and ZINCRBY: what becomes of a score.

use super::{Call, Failure, Outcome};
use crate::dict::Place;
use crate::number;
use crate::reply;

#[derive(Clone, Copy, Default)]
struct Options {
    if_absent: bool,
    if_present: bool,
    if_greater: bool,
    if_less: bool,
    counts_changed: bool,
    is_increment: bool,
}

/// What one pair of score and member did.
enum Change {
    None { score: f64 },
    Refused,
    Added { score: f64 },
    Updated { score: f64 },
}

pub(super) fn zadd(call: &mut Call<'_>) -> Outcome {
    let (options, first) = parse_options(call);
    let pairs = call.args.len() - first;
    if pairs == 0 || !pairs.is_multiple_of(2) {
        return Err(Failure::Syntax);
    }
    check(options, pairs)?;
    for index in (first..call.args.len()).step_by(2) {
        // All scores are checked before any is set. Parsing twice costs less than keeping them.
        score(call, index)?;
    }
    let mut place = call.keys.find(call.key());
    if let Place::At(index) = place {
        call.keys.sorted(index)?;
    }
    let (mut added, mut updated) = (0, 0);
    for index in (first..call.args.len()).step_by(2) {
        let change = put(call, &mut place, options, score(call, index)?, call.args.at(index + 1))?;
        if options.is_increment {
            match change {
                Change::Refused => reply::null(call.reply),
                Change::None { score } | Change::Added { score } | Change::Updated { score } => {
                    reply::double(call.reply, score);
                }
            }
            return Ok(());
        }
        added += i64::from(matches!(change, Change::Added { .. }));
        updated += i64::from(matches!(change, Change::Updated { .. }));
    }
    reply::integer(call.reply, if options.counts_changed { added + updated } else { added });
    Ok(())
}

pub(super) fn zincrby(call: &mut Call<'_>) -> Outcome {
    let amount = score(call, 2)?;
    let mut place = call.keys.find(call.key());
    if let Place::At(index) = place {
        call.keys.sorted(index)?;
    }
    let options = Options { is_increment: true, ..Options::default() };
    match put(call, &mut place, options, amount, call.args.at(3))? {
        Change::None { score } | Change::Added { score } | Change::Updated { score } => {
            reply::double(call.reply, score);
        }
        Change::Refused => unreachable!("no option refuses"),
    }
    Ok(())
}

fn parse_options(call: &Call<'_>) -> (Options, usize) {
    let mut options = Options::default();
    let mut index = 2;
    while index < call.args.len() {
        let option = match call.args.at(index).len() {
            2 if call.is_word(index, "NX") => &mut options.if_absent,
            2 if call.is_word(index, "XX") => &mut options.if_present,
            2 if call.is_word(index, "GT") => &mut options.if_greater,
            2 if call.is_word(index, "LT") => &mut options.if_less,
            2 if call.is_word(index, "CH") => &mut options.counts_changed,
            4 if call.is_word(index, "INCR") => &mut options.is_increment,
            _ => break,
        };
        *option = true;
        index += 1;
    }
    (options, index)
}

fn check(options: Options, pairs: usize) -> Outcome {
    if options.if_absent && options.if_present {
        return Err(Failure::Fixed("ERR XX and NX options at the same time are not compatible"));
    }
    let contradictions = [
        options.if_greater && options.if_absent,
        options.if_less && options.if_absent,
        options.if_greater && options.if_less,
    ];
    if contradictions.contains(&true) {
        return Err(Failure::Fixed("ERR GT, LT, and/or NX options at the same time are not compatible"));
    }
    if options.is_increment && pairs > 2 {
        return Err(Failure::Fixed("ERR INCR option supports a single increment-element pair"));
    }
    Ok(())
}

fn score(call: &Call<'_>, index: usize) -> Result<f64, Failure> {
    let text = call.args.at(index);
    // Most scores are integers that a float holds exactly, which read much faster than fractions.
    if (1..=15).contains(&text.len()) && text.iter().all(u8::is_ascii_digit) {
        let number = text.iter().fold(0u64, |number, digit| number * 10 + u64::from(digit - b'0'));
        return Ok(number as f64);
    }
    // Adding zero makes minus zero zero: Redis forgets that sign in small sets.
    number::parse_double(text).map(|score| score + 0.0).ok_or(Failure::NotAFloat)
}

fn put(
    call: &mut Call<'_>,
    place: &mut Place,
    options: Options,
    given: f64,
    member: &[u8],
) -> Result<Change, Failure> {
    let before = match *place {
        Place::At(index) => call.keys.sorted(index)?.score(member),
        Place::Vacant(_) => None,
    };
    let score = match before {
        None if options.if_present => return Ok(Change::Refused),
        None => given,
        Some(_) if options.if_absent => return Ok(Change::Refused),
        Some(before) => {
            let score = if options.is_increment { before + given } else { given };
            if score.is_nan() {
                return Err(Failure::Fixed("ERR resulting score is not a number (NaN)"));
            }
            if (options.if_greater && score <= before) || (options.if_less && score >= before) {
                return Ok(Change::Refused);
            }
            if score == before {
                return Ok(Change::None { score: before });
            }
            score
        }
    };
    *place = Place::At(call.keys.score_put(*place, call.key(), member, score));
    Ok(if before.is_none() { Change::Added { score } } else { Change::Updated { score } })
}
