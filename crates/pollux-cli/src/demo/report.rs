//! The verdict: figures for machines, a short page for people.

use serde::Serialize;

use super::load::Seen;
use crate::output::{BAD, GOOD, HEAD, styled};
use crate::time::grouped;

/// Columns within the frame.
const WIDTH: usize = 76;

/// What `--json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Report {
    /// `passed` or `failed`.
    pub(crate) verdict: &'static str,
    /// Faults that were done.
    pub(crate) faults: u32,
    /// Faults after which the pair was whole again.
    pub(crate) repaired: u32,
    /// Takeovers, by the node's events.
    pub(crate) takeovers: u32,
    /// Planned exchanges of the roles, by the node's events.
    pub(crate) switchovers: u32,
    /// Requests sent.
    pub(crate) requests: u64,
    /// Requests answered without an error.
    pub(crate) acknowledged: u64,
    /// Acknowledged writes that are missing.
    pub(crate) lost: u64,
    /// Effects beyond the acknowledged ones.
    pub(crate) duplicated: u64,
    /// Error replies and replies that do not fit.
    pub(crate) client_errors: u64,
    /// Connections that broke.
    pub(crate) reconnects: u64,
    /// Per fault, the longest time without any reply.
    pub(crate) pause_ms: Percentiles,
    /// Length of the load.
    pub(crate) seconds: f64,
    /// Requests acknowledged per second of the load.
    pub(crate) ops_per_second: u64,
    /// Clients.
    pub(crate) clients: u32,
    /// State filled in before.
    pub(crate) state_mib: u64,
    /// Brings the same faults back.
    pub(crate) seed: u64,
    /// The first wrong things, in words.
    pub(crate) findings: Vec<String>,
}

/// Percentiles by nearest rank, so that each is a pause that was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    /// Half of them were at most so long.
    pub(crate) p50: f64,
    /// Of 100 of them, 99 were at most so long.
    pub(crate) p99: f64,
    /// The longest.
    pub(crate) max: f64,
}

impl Percentiles {
    /// Of values in order of size; zeros without any.
    pub(crate) fn of(sorted: &[f64]) -> Percentiles {
        let rank = |percent: usize| {
            let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            round(sorted.get(index).copied().unwrap_or(0.0))
        };
        Percentiles { p50: rank(50), p99: rank(99), max: rank(100) }
    }
}

/// To the microsecond: what lies below is noise.
fn round(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}

/// How the run went, besides what the load saw.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Course {
    /// Faults done.
    pub(crate) faults: u32,
    /// Faults repaired.
    pub(crate) repaired: u32,
    /// Takeovers.
    pub(crate) takeovers: u32,
    /// Switchovers.
    pub(crate) switchovers: u32,
    /// Pauses in order of size, milliseconds.
    pub(crate) pauses_ms: Vec<f64>,
    /// Length of the load.
    pub(crate) seconds: f64,
    /// Acknowledged in that time.
    pub(crate) acknowledged_under_load: u64,
    /// What ended the run before its time.
    pub(crate) problem: Option<String>,
    /// Writes of the state that are missing.
    pub(crate) state_lost: u64,
    /// Clients.
    pub(crate) clients: u32,
    /// State filled in.
    pub(crate) state_mib: u64,
    /// The seed.
    pub(crate) seed: u64,
}

impl Report {
    /// Puts both together and judges.
    pub(crate) fn new(course: Course, seen: Seen) -> Report {
        let counts = seen.counts;
        let lost = counts.lost + course.state_lost;
        let passed = counts.wrong() == 0
            && course.state_lost == 0
            && course.repaired == course.faults
            && course.problem.is_none();
        let mut findings = seen.findings;
        if course.state_lost > 0 {
            findings.insert(0, format!("{} values of the state are missing or changed", course.state_lost));
        }
        findings.extend(course.problem);
        Report {
            verdict: if passed { "passed" } else { "failed" },
            faults: course.faults,
            repaired: course.repaired,
            takeovers: course.takeovers,
            switchovers: course.switchovers,
            requests: counts.requests,
            acknowledged: counts.acknowledged,
            lost,
            duplicated: counts.duplicated,
            client_errors: counts.client_errors,
            reconnects: counts.reconnects,
            pause_ms: Percentiles::of(&course.pauses_ms),
            seconds: round(course.seconds),
            ops_per_second: (course.acknowledged_under_load as f64 / course.seconds.max(0.001)) as u64,
            clients: course.clients,
            state_mib: course.state_mib,
            seed: course.seed,
            findings,
        }
    }

    /// True when nothing is wrong.
    pub(crate) fn passed(&self) -> bool {
        self.verdict == "passed"
    }

    /// The page.
    pub(crate) fn render(&self) -> String {
        let pause = &self.pause_ms;
        let mut lines = vec![
            (format!("{} faults, {} repaired", self.faults, self.repaired), None),
            (format!("{} takeovers, {} switchovers", self.takeovers, self.switchovers), None),
            (
                format!(
                    "{} requests of {} clients in {:.1} s, {} per second",
                    grouped(self.requests),
                    self.clients,
                    self.seconds,
                    grouped(self.ops_per_second)
                ),
                None,
            ),
            (format!("{} acknowledged, each checked", grouped(self.acknowledged)), None),
            (
                format!(
                    "longest silence per fault: median {:.2} ms, p99 {:.2} ms, max {:.2} ms",
                    pause.p50, pause.p99, pause.max
                ),
                None,
            ),
            (String::new(), None),
            (
                format!(
                    "lost {}   doubled {}   refused {}   connections broken {}",
                    self.lost, self.duplicated, self.client_errors, self.reconnects
                ),
                Some(HEAD),
            ),
        ];
        lines.push(if self.passed() {
            ("PASSED: every acknowledged write is there, exactly once".to_owned(), Some(GOOD))
        } else {
            ("FAILED".to_owned(), Some(BAD))
        });
        let mut text = format!("╭─ pollux demo {}╮\n", "─".repeat(WIDTH - 12));
        for (line, style) in lines {
            let padding = " ".repeat(WIDTH.saturating_sub(line.chars().count()));
            let shown = style.map_or_else(|| line.clone(), |style| styled(style, &line));
            text.push_str(&format!("│ {shown}{padding} │\n"));
        }
        text.push_str(&format!("╰{}╯\n", "─".repeat(WIDTH + 2)));
        for finding in &self.findings {
            text.push_str(&format!("  {finding}\n"));
        }
        if !self.passed() {
            text.push_str(&format!("  the same faults again: --seed {}\n", self.seed));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::counts::Counts;

    fn course() -> Course {
        Course {
            faults: 10,
            repaired: 10,
            takeovers: 8,
            switchovers: 2,
            pauses_ms: vec![1.0, 2.0, 3.5],
            seconds: 10.0,
            acknowledged_under_load: 1_000_000,
            clients: 50,
            seed: 42,
            ..Course::default()
        }
    }

    fn seen(counts: Counts) -> Seen {
        Seen { counts: Counts { requests: 1_100_000, acknowledged: 1_100_000, ..counts }, findings: vec![] }
    }

    // A percentile that is no measured value, or off by one rank, hides the one bad takeover.
    #[test]
    fn percentiles_are_measured_values() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(Percentiles::of(&hundred), Percentiles { p50: 50.0, p99: 99.0, max: 100.0 });
        assert_eq!(Percentiles::of(&[0.123_456]), Percentiles { p50: 0.123, p99: 0.123, max: 0.123 });
        assert_eq!(Percentiles::of(&[1.0, 2.0, 3.0]).p50, 2.0);
        assert_eq!(Percentiles::of(&[]), Percentiles::default());
    }

    // Exit code 1 hangs on this: each single wrong thing must fail the run.
    #[test]
    fn any_wrong_thing_fails() {
        assert!(Report::new(course(), seen(Counts::default())).passed());
        for counts in [
            Counts { lost: 1, ..Counts::default() },
            Counts { duplicated: 1, ..Counts::default() },
            Counts { client_errors: 1, ..Counts::default() },
            Counts { reconnects: 1, ..Counts::default() },
        ] {
            assert!(!Report::new(course(), seen(counts.clone())).passed(), "{counts:?}");
        }
        let broken = [
            Course { repaired: 9, ..course() },
            Course { state_lost: 1, ..course() },
            Course { problem: Some("the daemon went away".to_owned()), ..course() },
        ];
        for course in broken {
            let report = Report::new(course, seen(Counts::default()));
            assert!(!report.passed());
            assert!(report.findings.len() <= 1);
        }
    }

    // The page in the README is this one.
    #[test]
    fn the_page() {
        let report = Report::new(course(), seen(Counts::default()));
        let text = anstream::adapter::strip_str(&report.render()).to_string();
        assert_eq!(
            text,
            "\
╭─ pollux demo ────────────────────────────────────────────────────────────────╮
│ 10 faults, 10 repaired                                                       │
│ 8 takeovers, 2 switchovers                                                   │
│ 1,100,000 requests of 50 clients in 10.0 s, 100,000 per second               │
│ 1,100,000 acknowledged, each checked                                         │
│ longest silence per fault: median 2.00 ms, p99 3.50 ms, max 3.50 ms          │
│                                                                              │
│ lost 0   doubled 0   refused 0   connections broken 0                        │
│ PASSED: every acknowledged write is there, exactly once                      │
╰──────────────────────────────────────────────────────────────────────────────╯
"
        );
        let failed = Report::new(
            course(),
            Seen { findings: vec!["x".to_owned()], ..seen(Counts { lost: 1, ..Counts::default() }) },
        );
        assert!(failed.render().ends_with("  x\n  the same faults again: --seed 42\n"));
    }

    // The fields that scripts and the issue name.
    #[test]
    fn json_fields() {
        let value = serde_json::to_value(Report::new(course(), seen(Counts::default()))).unwrap();
        for field in [
            "takeovers",
            "requests",
            "acknowledged",
            "lost",
            "duplicated",
            "client_errors",
            "reconnects",
            "repaired",
        ] {
            assert!(value[field].is_u64(), "{field}");
        }
        for field in ["p50", "p99", "max"] {
            assert!(value["pause_ms"][field].is_f64(), "{field}");
        }
    }
}
