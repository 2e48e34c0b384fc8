//! A number that only one client raises, so that every reply says exactly which steps were carried out.
//!
//! The reply to the n-th step must be n. A lower one means that an acknowledged step is missing, a higher one that a
//! step was carried out twice. Steps whose reply never came (a broken connection) may or may not count; once a later
//! reply shows which, the doubt is over.

/// No load gets so far; a higher number is nonsense, and must not overflow the sums.
const VALUE_MAX: i64 = 1 << 48;

/// What a reply says about the steps before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Each acknowledged step counts once.
    Right,
    /// So many acknowledged steps are missing.
    Lost(u64),
    /// So many steps count twice.
    Doubled(u64),
}

/// Steps issued, and what is known of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    issued: i64,
    /// Added to the ordinal of a step to get the reply that is right.
    shift: i64,
    /// Steps of which nobody knows whether they count, on top of that.
    doubtful: i64,
}

impl Tally {
    /// A step is sent; gives its ordinal.
    pub(crate) fn issue(&mut self) -> i64 {
        self.issued += 1;
        self.issued
    }

    /// Steps sent.
    pub(crate) fn issued(&self) -> i64 {
        self.issued
    }

    /// The number begins at zero again, `issued` steps ago.
    pub(crate) fn restarted(self, issued: u64) -> Tally {
        let issued_before = self.issued.saturating_sub(i64::try_from(issued).unwrap_or(i64::MAX));
        Tally { issued: self.issued, shift: -issued_before, doubtful: 0 }
    }

    /// A step was refused with an error: it does not count.
    pub(crate) fn refused(&mut self) {
        self.shift -= 1;
    }

    /// The connection broke before the reply.
    pub(crate) fn unknown(&mut self) {
        self.shift -= 1;
        self.doubtful += 1;
    }

    /// The value after the step with this ordinal. What is wrong is counted once: later replies are measured from here.
    pub(crate) fn check(&mut self, ordinal: i64, value: i64) -> Verdict {
        let off = value.clamp(0, VALUE_MAX) - (ordinal + self.shift);
        let doubtful = std::mem::take(&mut self.doubtful);
        self.shift += off;
        match off {
            0 => Verdict::Right,
            off if off < 0 => Verdict::Lost(off.unsigned_abs()),
            off if off <= doubtful => Verdict::Right,
            off => Verdict::Doubled((off - doubtful).unsigned_abs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The whole demo stands on this arithmetic: a loss it does not see is a loss nobody sees.
    #[test]
    fn every_wrong_step_is_counted_once() {
        let mut tally = Tally::default();
        let mut step = |value| {
            let ordinal = tally.issue();
            tally.check(ordinal, value)
        };
        assert_eq!(step(1), Verdict::Right);
        assert_eq!(step(3), Verdict::Doubled(1));
        assert_eq!(step(4), Verdict::Right);
        assert_eq!(step(2), Verdict::Lost(3));
        assert_eq!(step(3), Verdict::Right);
        assert_eq!(step(i64::MIN), Verdict::Lost(4));
        assert_eq!(step(i64::MAX), Verdict::Doubled((1 << 48) - 1));
    }

    #[test]
    fn refused_and_unknown_steps() {
        let mut tally = Tally::default();
        for _ in 0..3 {
            tally.issue();
        }
        tally.refused();
        tally.unknown();
        tally.unknown();
        let next = tally.issue();
        // One step counts for sure; of the two unknown ones none, one or both may count.
        for (value, verdict) in
            [(0, Verdict::Lost(1)), (1, Verdict::Right), (3, Verdict::Right), (4, Verdict::Doubled(1))]
        {
            assert_eq!(tally.clone().check(next, value), verdict, "{value}");
        }
        assert_eq!(tally.check(next, 2), Verdict::Right);
        let next = tally.issue();
        assert_eq!(tally.clone().check(next, 4), Verdict::Doubled(1), "the doubt is over");
        assert_eq!(tally.check(next, 3), Verdict::Right);
    }
}
