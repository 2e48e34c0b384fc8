//! Percentiles and medians.

use std::time::Duration;

/// Durations of one row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    nanoseconds: Vec<u64>,
}

impl Samples {
    pub(crate) fn add(&mut self, duration: Duration) {
        self.nanoseconds.push(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn append(&mut self, other: &Samples) {
        self.nanoseconds.extend_from_slice(&other.nanoseconds);
    }

    pub(crate) fn len(&self) -> usize {
        self.nanoseconds.len()
    }

    /// The value below which this share of the samples is, in microseconds; 0 without samples.
    pub(crate) fn quantile_us(&self, share: f64) -> f64 {
        let mut sorted = self.nanoseconds.clone();
        if sorted.is_empty() {
            return 0.0;
        }
        let at = ((sorted.len() as f64 * share) as usize).min(sorted.len() - 1);
        let (_, value, _) = sorted.select_nth_unstable(at);
        *value as f64 / 1000.0
    }

    pub(crate) fn max_us(&self) -> f64 {
        self.nanoseconds.iter().max().map_or(0.0, |max| *max as f64 / 1000.0)
    }
}

impl std::fmt::Display for Samples {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let us: Vec<String> = self.nanoseconds.iter().map(|ns| (ns / 1000).to_string()).collect();
        write!(formatter, "{}", us.join(" "))
    }
}

/// The middle value; 0 without values.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

/// The range of the values as a share of their median; none where that says nothing.
pub(crate) fn spread_percent(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.into_iter().collect();
    let middle = median(values.iter().copied());
    let most = values.iter().copied().fold(f64::MIN, f64::max);
    let least = values.iter().copied().fold(f64::MAX, f64::min);
    (values.len() > 1 && middle > 0.0).then(|| (most - least) * 100.0 / middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    // A percentile that is one off makes a row with few kills say the wrong thing.
    #[test]
    fn quantiles_and_medians() {
        let mut samples = Samples::default();
        for us in [5, 1, 4, 2, 3] {
            samples.add(Duration::from_micros(us));
        }
        assert_eq!((samples.quantile_us(0.5), samples.quantile_us(0.99), samples.max_us()), (3.0, 5.0, 5.0));
        assert_eq!(Samples::default().quantile_us(0.5), 0.0);
        assert_eq!((spread_percent([9.0, 10.0, 12.0]), spread_percent([1.0])), (Some(30.0), None));
        assert_eq!((median([3.0, 1.0, 2.0]), median([4.0, 1.0, 2.0, 3.0]), median([])), (2.0, 2.5, 0.0));
    }
}
