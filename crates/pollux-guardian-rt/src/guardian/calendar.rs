//! Four-word timestamps: microseconds since noon of 1 January 4713 BC (Guardian Procedure Calls, `JULIANTIMESTAMP`,
//! `CONVERTTIMESTAMP`, `INTERPRETTIMESTAMP`, `COMPUTETIMESTAMP`).
//!
//! The calendar is the Gregorian one for all years, as the procedures have it. Where local time is asked for, the caller
//! hands in the offset from universal time as a function; nothing here reads a clock or a time zone.

/// The beginning of 1970 as a timestamp: noon of day 2,440,588 less half a day.
pub(crate) const UNIX_EPOCH: i64 = 210_866_760_000_000_000;
/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;
const SECOND_US: i64 = 1_000_000;
/// A timestamp's days begin at noon.
const HALF_DAY_US: i64 = DAY_US / 2;
/// The years that the procedures take.
const YEARS: std::ops::RangeInclusive<i64> = 1..=4000;
/// Day number of 31 December of the year 0.
const DAY_BEFORE_YEAR_1: i64 = 1_721_425;

/// A date and time of day: year, month, day, hour, minute, second, millisecond, microsecond.
pub(crate) type DateAndTime = [i16; 8];

/// The timestamp of a time since 1970.
pub(crate) fn from_unix_us(unix_us: i64) -> i64 {
    UNIX_EPOCH.saturating_add(unix_us)
}

/// The time since 1970 of a timestamp.
pub(crate) fn to_unix_us(timestamp: i64) -> i64 {
    timestamp.saturating_sub(UNIX_EPOCH)
}

/// The day number (that of the noon of the day) and the date; none outside the years 1 to 4000.
pub(crate) fn interpret(timestamp: i64) -> Option<(i32, DateAndTime)> {
    let since_midnight = timestamp.checked_add(HALF_DAY_US)?;
    let day = since_midnight.div_euclid(DAY_US);
    let (year, month, day_of_month) = date_of(day);
    if !YEARS.contains(&year) {
        return None;
    }
    let mut rest = since_midnight.rem_euclid(DAY_US);
    let mut next = |unit: i64| {
        let count = rest / unit;
        rest %= unit;
        count as i16
    };
    let time = [next(3600 * SECOND_US), next(60 * SECOND_US), next(SECOND_US), next(1000), next(1)];
    let [hour, minute, second, millisecond, microsecond] = time;
    let date = [year as i16, month as i16, day_of_month as i16];
    let [year, month, day_of_month] = date;
    Some((day as i32, [year, month, day_of_month, hour, minute, second, millisecond, microsecond]))
}

/// The timestamp of a date, or a mask of what is out of range: bit `<n>` (the highest is 0) for the n-th field.
pub(crate) fn compute(date: DateAndTime) -> Result<i64, u16> {
    let fields = date.map(i64::from);
    let [year, month, day, hour, minute, second, millisecond, microsecond] = fields;
    let right = [
        YEARS.contains(&year),
        (1..=12).contains(&month),
        // Without a right year and month any month's days will do: those fields are marked already.
        (1..=days_of_month(year, month)).contains(&day),
        (0..24).contains(&hour),
        (0..60).contains(&minute),
        (0..60).contains(&second),
        (0..1000).contains(&millisecond),
        (0..1000).contains(&microsecond),
    ];
    let mask = (0..).zip(right).filter(|(_, right)| !right).fold(0, |mask, (bit, _)| mask | 0x8000 >> bit);
    if mask != 0 {
        return Err(mask);
    }
    let time = ((hour * 60 + minute) * 60 + second) * SECOND_US + millisecond * 1000 + microsecond;
    Ok(day_number(year, month, day) * DAY_US - HALF_DAY_US + time)
}

/// What `CONVERTTIMESTAMP` makes of a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// 0: universal to local civil time (with daylight saving).
    ToCivil,
    /// 1: universal to local standard time.
    ToStandard,
    /// 2: local civil to universal time.
    FromCivil,
    /// 3: local standard to universal time.
    FromStandard,
}

impl Direction {
    /// The direction with this number.
    pub(crate) fn from_number(number: i16) -> Option<Self> {
        [Self::ToCivil, Self::ToStandard, Self::FromCivil, Self::FromStandard]
            .get(usize::try_from(number).ok()?)
            .copied()
    }
}

/// The place's time at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LocalTime {
    /// Seconds that its clocks are ahead of universal time.
    pub(crate) ahead_s: i64,
    /// How much of that is daylight saving.
    pub(crate) saving_s: i64,
}

/// A converted timestamp and what is remarkable about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Converted {
    /// The timestamp.
    pub(crate) timestamp: i64,
    /// See [`Remark`].
    pub(crate) remark: Remark,
}

/// A local civil time need not be exactly one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remark {
    /// It is.
    None,
    /// The clocks showed it twice; the earlier moment is given.
    Ambiguous,
    /// The clocks never showed it; the moment by the offset before the change is given.
    Impossible,
}

/// Converts; `local` tells the place's time at a moment in seconds since 1970.
pub(crate) fn convert(timestamp: i64, direction: Direction, local: impl Fn(i64) -> LocalTime) -> Converted {
    let second = |timestamp: i64| to_unix_us(timestamp).div_euclid(SECOND_US);
    let plain = |timestamp| Converted { timestamp, remark: Remark::None };
    let here = local(second(timestamp));
    match direction {
        Direction::ToCivil => plain(timestamp.saturating_add(here.ahead_s * SECOND_US)),
        Direction::ToStandard => plain(timestamp.saturating_add((here.ahead_s - here.saving_s) * SECOND_US)),
        Direction::FromStandard => {
            // The standard offset changes so seldom that the one of the same number read as universal time will do.
            plain(timestamp.saturating_sub((here.ahead_s - here.saving_s) * SECOND_US))
        }
        Direction::FromCivil => from_civil(timestamp, |timestamp| local(second(timestamp)).ahead_s),
    }
}

/// Tries the offsets in force a day before and after: each moment that shows the wanted civil time is an answer.
fn from_civil(civil: i64, ahead_s: impl Fn(i64) -> i64) -> Converted {
    let before = ahead_s(civil.saturating_sub(DAY_US));
    let after = ahead_s(civil.saturating_add(DAY_US));
    let moment = |ahead: i64| civil.saturating_sub(ahead * SECOND_US);
    let shows = |ahead: i64| ahead_s(moment(ahead)) == ahead;
    match (shows(before), shows(after)) {
        (true, true) if before != after => {
            Converted { timestamp: moment(before.max(after)), remark: Remark::Ambiguous }
        }
        (true, _) => Converted { timestamp: moment(before), remark: Remark::None },
        (false, true) => Converted { timestamp: moment(after), remark: Remark::None },
        (false, false) => Converted { timestamp: moment(before), remark: Remark::Impossible },
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from the beginning of the year to that of the month.
fn days_before_month(year: i64, month: i64) -> i64 {
    (1..month).map(|month| days_of_month(year, month)).sum()
}

/// Days from the beginning of the year 1 to that of the year.
fn days_before_year(year: i64) -> i64 {
    let years = year - 1;
    years * 365 + years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400)
}

fn day_number(year: i64, month: i64, day: i64) -> i64 {
    DAY_BEFORE_YEAR_1 + days_before_year(year) + days_before_month(year, month) + day
}

fn date_of(day_number: i64) -> (i64, i64, i64) {
    let day = day_number - DAY_BEFORE_YEAR_1;
    // 146,097 days are 400 years; the estimate is off by one year at most.
    let mut year = (day - 1).div_euclid(146_097) * 400 + (day - 1).rem_euclid(146_097) * 400 / 146_097 + 1;
    if days_before_year(year + 1) < day {
        year += 1;
    }
    if days_before_year(year) >= day {
        year -= 1;
    }
    let mut rest = day - days_before_year(year);
    let mut month = 1;
    while rest > days_of_month(year, month) {
        rest -= days_of_month(year, month);
        month += 1;
    }
    (year, month, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // A timestamp that is off by half a day (days begin at noon) would date every record of a log wrongly.
    #[test]
    fn known_moments() {
        for (timestamp, day, date) in [
            (UNIX_EPOCH, 2_440_588, [1970, 1, 1, 0, 0, 0, 0, 0]),
            (UNIX_EPOCH + HALF_DAY_US, 2_440_588, [1970, 1, 1, 12, 0, 0, 0, 0]),
            (UNIX_EPOCH - 1, 2_440_587, [1969, 12, 31, 23, 59, 59, 999, 999]),
            (UNIX_EPOCH + 951_827_696_123_456, 2_451_604, [2000, 2, 29, 12, 34, 56, 123, 456]),
            (2_451_545 * DAY_US, 2_451_545, [2000, 1, 1, 12, 0, 0, 0, 0]),
        ] {
            assert_eq!(interpret(timestamp), Some((day, date)));
            assert_eq!(compute(date), Ok(timestamp));
        }
    }

    #[test]
    fn the_first_and_the_last_year() {
        let first = compute([1, 1, 1, 0, 0, 0, 0, 0]).unwrap();
        let last = compute([4000, 12, 31, 23, 59, 59, 999, 999]).unwrap();
        assert!(interpret(first).is_some() && interpret(last).is_some());
        for outside in [first - 1, last + 1, 0, -1, i64::MAX, i64::MIN] {
            assert_eq!(interpret(outside), None);
        }
    }

    #[test]
    fn each_field_has_its_bit() {
        let right = [2001, 2, 28, 23, 59, 59, 999, 999];
        for (field, wrong) in [0, 13, 29, 24, 60, 60, 1000, -1].into_iter().enumerate() {
            let mut date = right;
            date[field] = wrong;
            assert_eq!(compute(date), Err(0x8000 >> field));
        }
        assert_eq!(compute([0, 0, 0, -1, -1, -1, -1, -1]), Err(0xff00));
        assert!(compute([2000, 2, 29, 0, 0, 0, 0, 0]).is_ok());
        assert_eq!(compute([1900, 2, 29, 0, 0, 0, 0, 0]), Err(0x2000));
    }

    /// One hour ahead, two from second 1,000,000 to 2,000,000.
    fn place(second: i64) -> LocalTime {
        let saving_s = if (1_000_000..2_000_000).contains(&second) { 3600 } else { 0 };
        LocalTime { ahead_s: 3600 + saving_s, saving_s }
    }

    #[test]
    fn the_hours_around_the_changes_of_the_clock() {
        let at = |second: i64| UNIX_EPOCH + second * SECOND_US;
        let from = |second| convert(at(second), Direction::FromCivil, place);
        assert_eq!(convert(at(500), Direction::ToCivil, place).timestamp, at(4_100));
        assert_eq!(convert(at(1_500_000), Direction::ToCivil, place).timestamp, at(1_507_200));
        assert_eq!(convert(at(1_500_000), Direction::ToStandard, place).timestamp, at(1_503_600));
        assert_eq!(convert(at(1_503_600), Direction::FromStandard, place).timestamp, at(1_500_000));
        assert_eq!(from(1_507_200), Converted { timestamp: at(1_500_000), remark: Remark::None });
        // The clocks jump from 1,003,600 to 1,007,200.
        assert_eq!(from(1_005_000), Converted { timestamp: at(1_001_400), remark: Remark::Impossible });
        // They go back from 2,007,200 to 2,003,600.
        assert_eq!(from(2_005_000), Converted { timestamp: at(1_997_800), remark: Remark::Ambiguous });
    }

    #[test]
    fn directions_by_number() {
        assert_eq!(Direction::from_number(3), Some(Direction::FromStandard));
        assert_eq!([-1, 4].map(Direction::from_number), [None; 2]);
    }

    proptest! {
        #[test]
        fn timestamps_and_dates_come_back(timestamp in 148_731_120_000_000_000i64..274_958_690_000_000_000) {
            let (day, date) = interpret(timestamp).expect("between the years 1 and 4000");
            prop_assert_eq!(compute(date), Ok(timestamp));
            prop_assert_eq!(i64::from(day), (timestamp + HALF_DAY_US) / DAY_US);
        }

        #[test]
        fn civil_time_comes_back_but_for_the_repeated_hour(second in 0i64..3_000_000) {
            let moment = UNIX_EPOCH + second * SECOND_US;
            let civil = convert(moment, Direction::ToCivil, place).timestamp;
            let back = convert(civil, Direction::FromCivil, place);
            prop_assert_ne!(back.remark, Remark::Impossible);
            if back.remark == Remark::None {
                prop_assert_eq!(back.timestamp, moment);
            }
        }

        #[test]
        fn no_timestamp_stops_the_process(timestamp: i64, direction in 0i16..4) {
            let _ = interpret(timestamp);
            convert(timestamp, Direction::from_number(direction).unwrap(), place);
        }
    }
}
