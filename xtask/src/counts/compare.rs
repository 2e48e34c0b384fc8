//! Counts against kept counts: what has grown, as a table and as JSON.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What is counted, by the names that the kept file uses.
const KINDS: [&str; 3] = ["instructions", "system_calls", "allocations"];
/// By so much a count may grow before it must be taken down again.
const GROWTH_PERCENT_MAX: f64 = 5.0;
/// What happens once in a while (a buffer grows) is no growth where a path has few calls or none.
const GROWTH_MIN: f64 = 0.05;

/// What one pass of a path costs, in the order of [`KINDS`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Counts([f64; 3]);

impl Counts {
    /// From the counts of so many passes and of twice as many, both with the same start.
    pub(super) fn per_time(once: [u64; 3], twice: [u64; 3], times: u64) -> Self {
        let each = |kind: usize| twice[kind].saturating_sub(once[kind]) as f64 / times as f64;
        // Instructions are whole ones; of the others a hundredth can still be told from noise.
        Self([each(0).round(), (each(1) * 100.0).round() / 100.0, (each(2) * 100.0).round() / 100.0])
    }

    pub(super) fn from_json(value: &Value) -> Option<Self> {
        Some(Self([value[KINDS[0]].as_f64()?, value[KINDS[1]].as_f64()?, value[KINDS[2]].as_f64()?]))
    }

    pub(super) fn to_json(self) -> Value {
        let [instructions, system_calls, allocations] = self.0;
        json!({ KINDS[0]: instructions as u64, KINDS[1]: system_calls, KINDS[2]: allocations })
    }
}

/// What has become of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing has grown by more than is let go.
    Held,
    /// The same, and something has shrunk by as much: worth keeping.
    Shrunk,
    /// Something has grown.
    Grown,
    /// Counted, but not kept.
    New,
    /// Kept, but not counted: there is no such path any more.
    Gone,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Shrunk => "shrunk: --update keeps the gain",
            Self::Grown => "GROWN",
            Self::New => "NOT KEPT",
            Self::Gone => "GONE",
        }
    }
}

/// One path.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) path: String,
    kept: Option<Counts>,
    now: Option<Counts>,
    pub(super) verdict: Verdict,
}

impl Line {
    /// True if it may not go on so.
    pub(super) fn is_fault(&self) -> bool {
        matches!(self.verdict, Verdict::Grown | Verdict::New | Verdict::Gone)
    }
}

/// Every path that is kept or counted.
pub(super) fn compare(kept: &BTreeMap<String, Counts>, now: &BTreeMap<String, Counts>) -> Vec<Line> {
    let paths: BTreeSet<&String> = kept.keys().chain(now.keys()).collect();
    let line = |path: &String| {
        let (kept, now) = (kept.get(path).copied(), now.get(path).copied());
        let verdict = match (kept, now) {
            (Some(kept), Some(now)) => judge(kept, now),
            (None, _) => Verdict::New,
            (_, None) => Verdict::Gone,
        };
        Line { path: path.clone(), kept, now, verdict }
    };
    paths.into_iter().map(line).collect()
}

fn judge(Counts(kept): Counts, Counts(now): Counts) -> Verdict {
    let grown = |from: f64, to: f64| to > from * (1.0 + GROWTH_PERCENT_MAX / 100.0) && to - from > GROWTH_MIN;
    let pairs = || kept.into_iter().zip(now);
    if pairs().any(|(kept, now)| grown(kept, now)) {
        Verdict::Grown
    } else if pairs().any(|(kept, now)| grown(now, kept)) {
        Verdict::Shrunk
    } else {
        Verdict::Held
    }
}

/// None where there is nothing to compare with.
fn change_percent(kept: Option<f64>, now: Option<f64>) -> Option<f64> {
    let (kept, now) = (kept?, now?);
    (kept > 0.0).then(|| (now - kept) * 100.0 / kept)
}

const HEADINGS: [&str; 11] = [
    "PATH",
    "INSTRUCTIONS",
    "KEPT",
    "CHANGE",
    "CALLS",
    "KEPT",
    "CHANGE",
    "ALLOCATIONS",
    "KEPT",
    "CHANGE",
    "",
];

/// The path to the left, numbers to the right.
pub(super) fn table(lines: &[Line]) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
    for line in lines {
        let mut row = vec![line.path.clone()];
        for kind in 0..KINDS.len() {
            let of = |counts: Option<Counts>| counts.map(|Counts(counts)| counts[kind]);
            let (kept, now) = (of(line.kept), of(line.now));
            let number = |count: Option<f64>| match count {
                None => "-".to_owned(),
                Some(count) if kind == 0 => format!("{count:.0}"),
                Some(count) => format!("{count:.2}"),
            };
            let change = change_percent(kept, now).map_or("-".to_owned(), |change| format!("{change:+.1} %"));
            row.extend([number(now), number(kept), change]);
        }
        row.push(line.verdict.word().to_owned());
        rows.push(row);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let text = |row: &Vec<String>| {
        let cell = |(column, cell): (usize, &String)| {
            let width = widths[column];
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        };
        let (verdict, numbers) = row.split_last().expect("a row has cells");
        let cells: Vec<String> = numbers.iter().enumerate().map(cell).collect();
        format!("{}  {verdict}", cells.join("  ")).trim_end().to_owned() + "\n"
    };
    rows.iter().map(text).collect()
}

/// The same for programs.
pub(super) fn json(lines: &[Line]) -> Value {
    let line = |line: &Line| {
        let mut object =
            json!({ "path": line.path, "verdict": format!("{:?}", line.verdict).to_lowercase() });
        for (at, kind) in KINDS.iter().enumerate() {
            let of = |counts: Option<Counts>| counts.map(|Counts(counts)| counts[at]);
            let (kept, now) = (of(line.kept), of(line.now));
            object[*kind] = json!({ "kept": kept, "now": now, "change_percent": change_percent(kept, now) });
        }
        object
    };
    Value::Array(lines.iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(path: &str, counts: [f64; 3]) -> BTreeMap<String, Counts> {
        BTreeMap::from([(path.to_owned(), Counts(counts))])
    }

    fn verdict(kept: [f64; 3], now: [f64; 3]) -> Verdict {
        compare(&counts("a", kept), &counts("a", now))[0].verdict
    }

    // The check is what keeps a hot path from becoming slower by a little with each change.
    #[test]
    fn growth_beyond_five_percent_is_told() {
        assert_eq!(verdict([1000.0, 4.0, 2.0], [1050.0, 4.0, 2.0]), Verdict::Held);
        assert_eq!(verdict([1000.0, 4.0, 2.0], [1051.0, 4.0, 2.0]), Verdict::Grown);
        assert_eq!(verdict([1000.0, 4.0, 2.0], [1000.0, 5.0, 2.0]), Verdict::Grown);
        assert_eq!(verdict([1000.0, 4.0, 0.0], [1000.0, 4.0, 0.05]), Verdict::Held);
        assert_eq!(verdict([1000.0, 4.0, 0.0], [1000.0, 4.0, 0.06]), Verdict::Grown);
        assert_eq!(verdict([1000.0, 4.0, 2.0], [900.0, 4.0, 2.0]), Verdict::Shrunk);
        assert_eq!(verdict([1000.0, 4.0, 2.0], [900.0, 4.0, 3.0]), Verdict::Grown);
    }

    // A path that is renamed must not leave the check unseen.
    #[test]
    fn paths_come_and_go_with_a_word() {
        let lines = compare(&counts("a", [1.0; 3]), &counts("b", [1.0; 3]));
        let told: Vec<_> =
            lines.iter().map(|line| (line.path.as_str(), line.verdict, line.is_fault())).collect();
        assert_eq!(told, [("a", Verdict::Gone, true), ("b", Verdict::New, true)]);
    }

    #[test]
    fn the_start_falls_out() {
        let counts = Counts::per_time([10_000, 107, 55], [12_000, 114, 56], 10);
        assert_eq!(counts, Counts([200.0, 0.7, 0.1]));
        assert_eq!(Counts::from_json(&counts.to_json()), Some(counts));
    }

    #[test]
    fn the_table() {
        let lines = compare(&counts("request", [1000.0, 4.0, 0.0]), &counts("request", [1100.0, 4.0, 0.0]));
        assert_eq!(
            table(&lines),
            "\
PATH     INSTRUCTIONS  KEPT   CHANGE  CALLS  KEPT  CHANGE  ALLOCATIONS  KEPT  CHANGE
request          1100  1000  +10.0 %   4.00  4.00  +0.0 %         0.00  0.00       -  GROWN
"
        );
        let value = json(&lines);
        assert_eq!(value[0]["verdict"], "grown");
        assert_eq!(value[0]["instructions"]["change_percent"], 10.0);
        assert_eq!(value[0]["allocations"]["change_percent"], Value::Null);
    }
}
