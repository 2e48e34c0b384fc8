//! What is said in the end: a line per verdict, a table of the points, the smallest trace.

use std::collections::BTreeMap;

use pollux_os::points::Mark;
use serde::Serialize;

use super::compare::{Baseline, Finding, Kind};
use super::outcome::{Left, Outcome};
use super::stage::Kills;
use super::story::{Story, Window};
use super::trace::{Line, explain};
use crate::output::{BAD, CARE, DIM, GOOD, HEAD, styled};
use crate::table::{Cell, Table};

/// Violations that are listed one by one; the page and --json have all.
const LISTED_MAX: usize = 12;

/// What one point came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The requester noticed nothing.
    Passed,
    /// It did.
    Violation(Vec<Finding>),
    /// This run has not come to the point.
    NotReached,
}

/// A run with a kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tried {
    /// The plan.
    pub(crate) kills: Kills,
    /// Where the halves ended: those that were reached.
    pub(crate) killed: Vec<Line>,
    /// What was seen.
    pub(crate) outcome: Outcome,
    /// What it means.
    pub(crate) verdict: Verdict,
}

impl Tried {
    /// Judges a run.
    pub(crate) fn of(kills: Kills, outcome: Outcome, baseline: &Baseline) -> Tried {
        let reached = |(rank, point): &(u32, u64)| outcome.traces.at_point(*rank as usize, *point).cloned();
        let killed: Vec<Line> = kills.iter().filter_map(reached).collect();
        let verdict = if killed.is_empty() {
            Verdict::NotReached
        } else {
            match baseline.compare(&outcome) {
                findings if findings.is_empty() => Verdict::Passed,
                findings => Verdict::Violation(findings),
            }
        };
        Tried { kills, killed, outcome, verdict }
    }

    /// `17`, or `17,3` for two kills.
    pub(crate) fn number(&self) -> String {
        let points: Vec<String> = self.kills.iter().map(|(_, point)| point.to_string()).collect();
        points.join(",")
    }

    /// What is wrong; empty for nothing.
    pub(crate) fn findings(&self) -> &[Finding] {
        match &self.verdict {
            Verdict::Violation(findings) => findings,
            _ => &[],
        }
    }

    /// What kind of point it is: that of the last kill that was reached; none if none was.
    pub(crate) fn mark(&self) -> Option<Mark> {
        self.killed.last().map(|line| line.mark)
    }

    /// How much there is to read until something is wrong: requests first, then lines.
    fn size(&self) -> (usize, usize, u64) {
        let request = self.findings().iter().filter_map(|finding| finding.request).map(|key| key.1).min();
        (self.killed.len(), request.unwrap_or(usize::MAX), self.kills[0].1)
    }
}

/// All runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    pub(crate) baseline: Baseline,
    pub(crate) tried: Vec<Tried>,
    pub(crate) seconds: f64,
    pub(crate) server: String,
    pub(crate) name: String,
    /// The command that repeats a point, which stands for `{}`.
    pub(crate) again: String,
    /// One point was asked for: its whole trace is shown.
    pub(crate) is_single: bool,
    /// Directories that were left.
    pub(crate) kept: Vec<String>,
}

impl Report {
    /// Points at which something is wrong.
    pub(crate) fn violations(&self) -> usize {
        self.wrong().count()
    }

    fn wrong(&self) -> impl Iterator<Item = &Tried> {
        self.tried.iter().filter(|tried| !tried.findings().is_empty())
    }

    /// The violation with the least to read.
    pub(crate) fn smallest(&self) -> Option<&Tried> {
        self.wrong().min_by_key(|tried| tried.size())
    }

    /// The command that repeats this one.
    pub(crate) fn again(&self, tried: &Tried) -> String {
        self.again.replace("{}", &tried.number())
    }

    /// Points by their kind: tried, wrong, not reached.
    pub(crate) fn by_kind(&self) -> BTreeMap<Option<Mark>, [usize; 3]> {
        let mut kinds: BTreeMap<Option<Mark>, [usize; 3]> = BTreeMap::new();
        for tried in &self.tried {
            let counts = kinds.entry(tried.mark()).or_default();
            counts[0] += 1;
            counts[1] += usize::from(!tried.findings().is_empty());
            counts[2] += usize::from(tried.verdict == Verdict::NotReached);
        }
        kinds
    }

    /// After how many takeovers no backup was there in time: the next fault would lose the state.
    pub(crate) fn alone(&self) -> usize {
        let alone = |tried: &&Tried| !tried.killed.is_empty() && tried.outcome.left == Left::Alone;
        self.tried.iter().filter(alone).count()
    }

    /// How many points have a finding of this kind first.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.wrong().filter(|tried| tried.findings().iter().any(|finding| finding.kind == kind)).count()
    }

    /// For a terminal.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        for note in &self.baseline.unsteady {
            text += &format!("{} {note}\n", styled(CARE, "unsteady:"));
        }
        if self.baseline.says_little() {
            text += &format!(
                "{} errors and the requester's end are all that is compared\n",
                styled(CARE, "little to see:")
            );
        }
        let alone = self.alone();
        if alone > 0 {
            text += &format!(
                "{} after {alone} of these takeovers the pair had no backup again within 3 s\n",
                styled(CARE, "alone:")
            );
        }
        text += &self.table();
        text += &self.list();
        let shown = if self.is_single { self.tried.first() } else { self.smallest() };
        if let Some(tried) = shown {
            text += &self.trace(tried);
        }
        for directory in &self.kept {
            text += &format!("kept: {directory}\n");
        }
        text + &self.verdict()
    }

    fn table(&self) -> String {
        let mut table = Table::headed(&["POINT", "TRIED", "WRONG", "WHERE THE PRIMARY ENDED"]);
        for (mark, [tried, wrong, missed]) in self.by_kind() {
            let count = wrong.to_string();
            let (name, place) = match mark {
                None => ("-", format!("{missed} not reached: this run was shorter")),
                Some(mark) => (mark.name(), explain(mark).to_owned()),
            };
            table.row([
                name.to_owned().into(),
                tried.to_string().into(),
                if wrong == 0 { count.into() } else { Cell::styled(count, BAD) },
                place.into(),
            ]);
        }
        table.render()
    }

    fn list(&self) -> String {
        let mut text = String::new();
        for tried in self.wrong().take(LISTED_MAX) {
            let Some(finding) = tried.findings().first() else { continue };
            text += &format!(
                "{} {} {}: {}: expected {}, came {}\n",
                styled(BAD, finding.kind.name()),
                styled(HEAD, &format!("point {}", tried.number())),
                tried.mark().map_or("", Mark::name),
                finding.of,
                finding.expected,
                finding.came
            );
        }
        let more = self.violations().saturating_sub(LISTED_MAX);
        if more > 0 {
            text += &format!("... and {more} more: see --html or --json\n");
        }
        text
    }

    fn trace(&self, tried: &Tried) -> String {
        let window = if self.is_single { Window::Whole } else { Window::Violation };
        let story = Story::of(tried, window);
        let head = if self.is_single { "trace" } else { "smallest trace" };
        let mut text = format!("\n{}, point {}:\n", styled(HEAD, head), tried.number());
        for event in &story.events {
            let at = format!("{:>9.3} ms", event.ns.saturating_sub(story.start_ns) as f64 / 1e6);
            let line = format!("  {}  {:<11} {}", styled(DIM, &at), event.who, event.text);
            text += &if event.is_mark { styled(BAD, &line) } else { line };
            text += "\n";
        }
        for finding in tried.findings() {
            text += &format!(
                "  {} {}: expected {}, came {}\n",
                styled(BAD, finding.kind.name()),
                finding.of,
                finding.expected,
                finding.came
            );
        }
        text + &format!("\n{} {}\n", styled(HEAD, "again:"), self.again(tried))
    }

    fn verdict(&self) -> String {
        let tried = self.tried.len();
        let reached = self.tried.iter().filter(|tried| tried.verdict != Verdict::NotReached).count();
        let requests = self.baseline.operations.len();
        let twice = self.tried.iter().filter(|tried| tried.killed.len() == 2).count();
        let twice = if twice > 0 { format!(" ({twice} with both kills)") } else { String::new() };
        let course = format!(
            "{reached} of {tried} points{twice}, {requests} requests in each run, {:.1} s",
            self.seconds
        );
        match self.violations() {
            0 if reached == 0 => {
                styled(CARE, "nothing was tried: no point was reached") + &format!("; {course}\n")
            }
            0 => format!("{} {course}\n", styled(GOOD, "nothing is lost, doubled or diverged:")),
            _ => format!(
                "{} {course}\n",
                styled(
                    BAD,
                    &format!(
                        "{} (lost {}, doubled {}, diverged {}):",
                        wrong_points(self.violations()),
                        self.count(Kind::Lost),
                        self.count(Kind::Doubled),
                        self.count(Kind::Diverged)
                    )
                )
            ),
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> impl Serialize {
        let all = |tried: &Tried| ViewOfPoint {
            point: tried.number(),
            kind: tried.mark().map_or("", Mark::name).to_owned(),
            verdict: match &tried.verdict {
                Verdict::Passed => "passed",
                Verdict::Violation(findings) => findings.first().map_or("", |finding| finding.kind.name()),
                Verdict::NotReached => "not-reached",
            },
            findings: tried.findings().to_vec(),
            again: self.again(tried),
        };
        ViewOfReport {
            server: self.server.clone(),
            name: self.name.clone(),
            requests: self.baseline.operations.len(),
            replies_compared: self.baseline.steady_replies(),
            unsteady: self.baseline.unsteady.clone(),
            points: self.baseline.outcome.traces.points(),
            tried: self.tried.len(),
            violations: self.violations(),
            alone: self.alone(),
            lost: self.count(Kind::Lost),
            doubled: self.count(Kind::Doubled),
            diverged: self.count(Kind::Diverged),
            seconds: self.seconds,
            smallest: self.smallest().map(|tried| ViewOfTrace {
                point: tried.number(),
                again: self.again(tried),
                trace: Story::of(tried, Window::Violation).lines(),
            }),
            kept: self.kept.clone(),
            runs: self.tried.iter().map(all).collect(),
        }
    }
}

/// `3 points are wrong`.
pub(crate) fn wrong_points(count: usize) -> String {
    if count == 1 { "1 point is wrong".to_owned() } else { format!("{count} points are wrong") }
}

#[derive(Serialize)]
struct ViewOfReport {
    server: String,
    name: String,
    requests: usize,
    replies_compared: usize,
    unsteady: Vec<String>,
    points: u64,
    tried: usize,
    violations: usize,
    alone: usize,
    lost: usize,
    doubled: usize,
    diverged: usize,
    seconds: f64,
    smallest: Option<ViewOfTrace>,
    kept: Vec<String>,
    runs: Vec<ViewOfPoint>,
}

#[derive(Serialize)]
struct ViewOfTrace {
    point: String,
    again: String,
    trace: Vec<String>,
}

#[derive(Serialize)]
struct ViewOfPoint {
    point: String,
    kind: String,
    verdict: &'static str,
    findings: Vec<Finding>,
    again: String,
}

#[cfg(test)]
#[path = "report_tests.rs"]
pub(crate) mod tests;
