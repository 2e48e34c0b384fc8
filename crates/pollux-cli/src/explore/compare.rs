//! The verdict: a run with a kill against the runs without.
//!
//! A requester must not notice a takeover. So each of its requests has the same reply and error as without a fault, the
//! program ends the same way and prints the same, and the files in the working directory are the same. What differs between two
//! runs without a fault says nothing, and is left out.
//!
//! | Kind | Means |
//! | --- | --- |
//! | lost | a request has no reply or an error in its place, or the effect of an earlier one is missing |
//! | doubled | an effect is there twice |
//! | diverged | anything else that differs |
//!
//! That something differs is a fact. Which kind it is, is read from the difference: a reply that the server gave earlier, or with
//! a smaller number in it, has forgotten something; one that it gave later, or with a larger number, has done something twice.

use super::outcome::{Exit, Left, Operation, Outcome};
use super::trace::{Line, readable};
use serde::Serialize;
use std::collections::BTreeMap;

/// What stands for the requester's output among the names that are not compared.
const OUTPUT: &str = "output";

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Something is missing.
    Lost,
    /// Something is there twice.
    Doubled,
    /// Something is different.
    Diverged,
}

impl Kind {
    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Lost => "lost",
            Kind::Doubled => "doubled",
            Kind::Diverged => "diverged",
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What kind.
    pub(crate) kind: Kind,
    /// The requester, from 0, and the number of its request, if it is one that differs.
    pub(crate) request: Option<(usize, usize)>,
    /// What differs: a request, a file, the output.
    pub(crate) of: String,
    /// What it is without a fault.
    pub(crate) expected: String,
    /// What it is in this run.
    pub(crate) came: String,
}

/// What runs without a fault show, and what of it is the same in each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Baseline {
    /// The first of them.
    pub(crate) outcome: Outcome,
    /// Its requests.
    pub(crate) operations: Vec<Operation>,
    /// Whether each one's reply was the same in the other.
    steady: Vec<bool>,
    has_several: bool,
    output_is_steady: bool,
    files: BTreeMap<String, Vec<u8>>,
    /// What was not the same, for people.
    pub(crate) unsteady: Vec<String>,
}

impl Baseline {
    /// What two runs have in common.
    pub(crate) fn of(first: Outcome, second: &Outcome) -> Baseline {
        let (operations, others) = (first.operations(), second.operations());
        let has_several = first.traces.requesters.len() > 1;
        let mut unsteady = Vec::new();
        let other = |one: &Operation| {
            others.iter().find(|other| (other.requester, other.number) == (one.requester, one.number))
        };
        let is_steady = |one: &Operation| !has_several && other(one).is_some_and(|other| is_same(one, other));
        let steady: Vec<bool> = operations.iter().map(is_steady).collect();
        let differ = steady.iter().filter(|same| !**same).count();
        if has_several {
            unsteady.push(
                "there are several requesters, whose requests may come in any order: of replies only errors are compared, of files and output the lines"
                    .to_owned(),
            );
        } else if differ > 0 || operations.len() != others.len() {
            unsteady.push(format!(
                "{differ} of {} requests or replies differ between two runs without a fault: of these only errors are compared",
                operations.len()
            ));
        }
        let mut baseline = Baseline {
            operations,
            steady,
            has_several,
            output_is_steady: true,
            files: BTreeMap::new(),
            unsteady,
            outcome: first,
        };
        let of =
            |text: String| format!("{text} differs between two runs without a fault: it is not compared");
        if !baseline.is_equal(&baseline.outcome.stdout, &second.stdout) {
            baseline.output_is_steady = false;
            baseline.unsteady.push(of("the requester's output".to_owned()));
        }
        for (name, bytes) in &baseline.outcome.files {
            if second.files.get(name).is_some_and(|other| baseline.is_equal(bytes, other)) {
                baseline.files.insert(name.clone(), bytes.clone());
            } else {
                baseline.unsteady.push(of(format!("the file {name}")));
            }
        }
        baseline
    }

    /// With several requesters the order of lines says nothing.
    fn is_equal(&self, one: &[u8], other: &[u8]) -> bool {
        one == other || self.has_several && counts(one) == counts(other)
    }

    /// Leaves out what differs for a reason: `output`, or names of files.
    pub(crate) fn ignore(&mut self, names: &[String]) {
        self.output_is_steady &= !names.iter().any(|name| name == OUTPUT);
        self.files.retain(|file, _| !names.contains(file));
    }

    /// True if nothing but errors, the requester's end and presence can be compared.
    pub(crate) fn says_little(&self) -> bool {
        !self.output_is_steady && self.files.is_empty() && !self.steady.iter().any(|steady| *steady)
    }

    /// How many replies are compared byte by byte.
    pub(crate) fn steady_replies(&self) -> usize {
        self.steady.iter().filter(|steady| **steady).count()
    }

    /// What differs in a run; the worst first of what differs in the requests.
    pub(crate) fn compare(&self, run: &Outcome) -> Vec<Finding> {
        let mut findings = self.compare_operations(&run.operations());
        for (name, wanted) in &self.files {
            findings.extend(self.compare_file(name, wanted, run.files.get(name).map(Vec::as_slice)));
        }
        if run.left == Left::Gone && self.outcome.left != Left::Gone {
            findings.push(Finding {
                kind: Kind::Lost,
                request: None,
                of: "the pair's state".to_owned(),
                expected: "one half is left".to_owned(),
                came: "both halves are gone".to_owned(),
            });
        }
        if run.exit != self.outcome.exit {
            // A request that failed says more than the end that followed from it.
            let kind = if run.exit == Exit::TimedOut { Kind::Lost } else { Kind::Diverged };
            if findings.is_empty() || kind == Kind::Lost {
                findings.push(Finding {
                    kind,
                    request: None,
                    of: "the requester's end".to_owned(),
                    expected: self.outcome.exit.describe(),
                    came: format!("{}{}", run.exit.describe(), run.last_words("; it said: ")),
                });
            }
        } else if findings.is_empty()
            && self.output_is_steady
            && !self.is_equal(&self.outcome.stdout, &run.stdout)
        {
            let show = |bytes: &[u8]| readable(bytes, bytes.len() as u64);
            findings.push(Finding {
                kind: Kind::Diverged,
                request: None,
                of: "the requester's output".to_owned(),
                expected: show(&self.outcome.stdout),
                came: show(&run.stdout),
            });
        }
        findings
    }

    fn compare_operations(&self, found: &[Operation]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, wanted) in self.operations.iter().enumerate() {
            let key = (wanted.requester, wanted.number);
            let Some(came) = found.iter().find(|came| (came.requester, came.number) == key) else {
                // Its requester has stopped earlier; the request at which it did is told already.
                continue;
            };
            if self.steady[index] && came.request.hash != wanted.request.hash {
                // What a requester asks follows from what it was told: the reply before this one is told already.
                break;
            }
            if let Some((kind, text)) = self.judge(index, wanted, came) {
                let expected = wanted.answer.as_ref().map_or("no reply".to_owned(), describe);
                let of = format!("{} {}", wanted.name(), wanted.request.text());
                findings.push(Finding { kind, request: Some(key), of, expected, came: text });
            }
        }
        findings
    }

    fn judge(&self, index: usize, wanted: &Operation, came: &Operation) -> Option<(Kind, String)> {
        let expected = wanted.answer.as_ref()?;
        let Some(answer) = &came.answer else { return Some((Kind::Lost, "no reply".to_owned())) };
        if answer.error != expected.error {
            let kind = if expected.error == 0 { Kind::Lost } else { Kind::Diverged };
            return Some((kind, describe(answer)));
        }
        if !self.steady[index] || answer.hash == expected.hash {
            return None;
        }
        Some((self.kind_of_reply(index, expected, answer), describe(answer)))
    }

    fn kind_of_reply(&self, index: usize, expected: &Line, came: &Line) -> Kind {
        let same =
            |operation: &Operation| operation.answer.as_ref().is_some_and(|answer| answer.hash == came.hash);
        let (before, after) = (&self.operations[..index], &self.operations[index + 1..]);
        let (earlier, later) = (before.iter().any(same), after.iter().any(same));
        match (earlier, later, last_number(&expected.shown).cmp(&last_number(&came.shown))) {
            (true, false, _) => Kind::Lost,
            (false, true, _) => Kind::Doubled,
            _ if last_number(&expected.shown).is_none() || last_number(&came.shown).is_none() => {
                Kind::Diverged
            }
            (_, _, std::cmp::Ordering::Greater) => Kind::Lost,
            (_, _, std::cmp::Ordering::Less) => Kind::Doubled,
            (_, _, std::cmp::Ordering::Equal) => Kind::Diverged,
        }
    }

    fn compare_file(&self, name: &str, wanted: &[u8], came: Option<&[u8]>) -> Vec<Finding> {
        let of = format!("the file {name}");
        let Some(came) = came else {
            let (expected, came) = (format!("{} bytes", wanted.len()), "there is none".to_owned());
            return vec![Finding { kind: Kind::Lost, request: None, of, expected, came }];
        };
        if self.is_equal(wanted, came) {
            return Vec::new();
        }
        let (before, after) = (counts(wanted), counts(came));
        let times = |line: &[u8], map: &BTreeMap<&[u8], usize>| map.get(line).copied().unwrap_or(0);
        let mut findings: Vec<Finding> = Vec::new();
        for line in wanted.split(|byte| *byte == b'\n') {
            let (expected, found) = (times(line, &before), times(line, &after));
            let kind = match found.cmp(&expected) {
                std::cmp::Ordering::Less => Kind::Lost,
                std::cmp::Ordering::Greater => Kind::Doubled,
                std::cmp::Ordering::Equal => continue,
            };
            let text = format!("{of}, line {}", readable(line, line.len() as u64));
            if findings.iter().any(|finding| finding.of == text) {
                continue;
            }
            findings.push(Finding {
                kind,
                request: self.request_of(line),
                of: text,
                expected: times_text(expected),
                came: times_text(found),
            });
        }
        if findings.is_empty() {
            let strange = after.keys().find(|line| !before.contains_key(**line));
            let came = match strange {
                Some(line) => format!("a line {}", readable(line, line.len() as u64)),
                None => "the same lines in another order".to_owned(),
            };
            let expected = format!("{} lines", before.values().sum::<usize>());
            findings.push(Finding { kind: Kind::Diverged, request: None, of, expected, came });
        }
        findings
    }

    /// The request that brought a line of a file, as far as its bytes tell.
    fn request_of(&self, line: &[u8]) -> Option<(usize, usize)> {
        let has = |operation: &&Operation| {
            let shown = &operation.request.shown;
            !line.is_empty() && shown.windows(line.len()).any(|part| part == line)
        };
        self.operations.iter().find(has).map(|operation| (operation.requester, operation.number))
    }
}

fn is_same(one: &Operation, other: &Operation) -> bool {
    let answer = |operation: &Operation| operation.answer.as_ref().map(|line| (line.error, line.hash));
    one.request.hash == other.request.hash && answer(one) == answer(other)
}

fn describe(answer: &Line) -> String {
    match (answer.error, answer.bytes) {
        (0, _) => answer.text(),
        (error, 0) => format!("error {error}"),
        (error, _) => format!("error {error} with {}", answer.text()),
    }
}

fn times_text(count: usize) -> String {
    match count {
        0 => "not there".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}

fn counts(bytes: &[u8]) -> BTreeMap<&[u8], usize> {
    let mut counts = BTreeMap::new();
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    for line in text.split(|byte| *byte == b'\n') {
        *counts.entry(line).or_insert(0) += 1;
    }
    counts
}

/// The last number in a text.
fn last_number(bytes: &[u8]) -> Option<i128> {
    let end = bytes.iter().rposition(u8::is_ascii_digit)? + 1;
    let start = bytes[..end].iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
    let minus = start > 0 && bytes[start - 1] == b'-' && (start == 1 || bytes[start - 2] == b' ');
    let number: i128 = std::str::from_utf8(&bytes[start..end]).ok()?.parse().ok()?;
    Some(if minus { -number } else { number })
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
