//! The live table, on standard error: drawn in place on a terminal, a line per second elsewhere.

use std::collections::VecDeque;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::output::{CARE, DIM, HEAD, styled};
use crate::table::{Cell, Table};
use crate::time::{grouped, span};

/// Between two drawings on a terminal.
const REDRAW_EVERY: Duration = Duration::from_millis(100);
/// Between two lines elsewhere.
const LINE_EVERY: Duration = Duration::from_secs(1);
/// The rate shown is that of the last so long.
const RATE_OVER: Duration = Duration::from_secs(1);

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Quiet,
    Lines,
    InPlace,
}

/// What is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// What the demo is doing.
    pub(crate) phase: &'static str,
    /// Requests acknowledged.
    pub(crate) acknowledged: u64,
    /// Faults done.
    pub(crate) faults: u32,
    /// Faults to do.
    pub(crate) faults_wanted: u32,
    /// Takeovers.
    pub(crate) takeovers: u32,
    /// Switchovers.
    pub(crate) switchovers: u32,
    /// The longest pause so far.
    pub(crate) pause: Duration,
    /// Anything that is wrong so far.
    pub(crate) wrong: u64,
    /// The last fault.
    pub(crate) last_fault: String,
}

/// The table and what was drawn of it.
#[derive(Debug)]
pub(crate) struct Live {
    manner: Manner,
    start: Instant,
    drawn: Option<Instant>,
    lines_drawn: usize,
    samples: VecDeque<(Instant, u64)>,
}

impl Live {
    /// Nothing is drawn yet.
    pub(crate) fn new(quiet: bool) -> Live {
        let manner = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Manner::Quiet,
            (false, true) => Manner::InPlace,
            (false, false) => Manner::Lines,
        };
        Live { manner, start: Instant::now(), drawn: None, lines_drawn: 0, samples: VecDeque::new() }
    }

    /// Says one thing, above the table.
    pub(crate) fn say(&mut self, text: &str) {
        if self.manner != Manner::Quiet {
            self.clear();
            crate::output::note(text);
        }
    }

    /// Draws, if it is time.
    pub(crate) fn show(&mut self, now: Instant, snapshot: &Snapshot) {
        let rate = self.rate(now, snapshot.acknowledged);
        let every = if self.manner == Manner::InPlace { REDRAW_EVERY } else { LINE_EVERY };
        let due = self.drawn.is_none_or(|drawn| now.saturating_duration_since(drawn) >= every);
        if self.manner == Manner::Quiet || !due {
            return;
        }
        self.drawn = Some(now);
        let elapsed = now.saturating_duration_since(self.start);
        if self.manner == Manner::Lines {
            crate::output::note(&line(elapsed, rate, snapshot));
            return;
        }
        self.clear();
        let text = table(elapsed, rate, snapshot);
        self.lines_drawn = text.lines().count();
        // Nobody is left to look if standard error is closed.
        let _ = anstream::stderr().lock().write_all(text.as_bytes());
    }

    /// Takes the table away, for the verdict.
    pub(crate) fn clear(&mut self) {
        if self.lines_drawn > 0 {
            // Up to the first line of the table, and erase from there on.
            let _ = write!(std::io::stderr().lock(), "\x1b[{}A\x1b[J", self.lines_drawn);
            self.lines_drawn = 0;
        }
    }

    fn rate(&mut self, now: Instant, acknowledged: u64) -> u64 {
        self.samples.push_back((now, acknowledged));
        while self.samples.len() > 2
            && self.samples.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= RATE_OVER)
        {
            self.samples.pop_front();
        }
        let Some((since, before)) = self.samples.front().copied() else { return 0 };
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        if seconds > 0.0 { (acknowledged.saturating_sub(before) as f64 / seconds) as u64 } else { 0 }
    }
}

fn table(elapsed: Duration, rate: u64, snapshot: &Snapshot) -> String {
    let headings = ["OPS/S", "ACKNOWLEDGED", "FAULTS", "TAKEOVERS", "SWITCHOVERS", "LONGEST PAUSE", "WRONG"];
    let mut table = Table::headed(&headings);
    let wrong = snapshot.wrong.to_string();
    table.row([
        grouped(rate).into(),
        grouped(snapshot.acknowledged).into(),
        format!("{} of {}", snapshot.faults, snapshot.faults_wanted).into(),
        snapshot.takeovers.to_string().into(),
        snapshot.switchovers.to_string().into(),
        pause(snapshot).into(),
        if snapshot.wrong == 0 { wrong.into() } else { Cell::styled(wrong, CARE) },
    ]);
    let head = format!("{}  {:.1} s  {}", styled(HEAD, "pollux demo"), elapsed.as_secs_f64(), snapshot.phase);
    let last = if snapshot.last_fault.is_empty() {
        String::new()
    } else {
        styled(DIM, &format!("last: {}", snapshot.last_fault))
    };
    format!("{head}\n{}{last}\n", table.render())
}

fn line(elapsed: Duration, rate: u64, snapshot: &Snapshot) -> String {
    format!(
        "{:>6.1} s  {:<9}  {:>9} ops/s  faults {} of {}  takeovers {}  switchovers {}  longest pause {}  wrong {}  {}",
        elapsed.as_secs_f64(),
        snapshot.phase,
        grouped(rate),
        snapshot.faults,
        snapshot.faults_wanted,
        snapshot.takeovers,
        snapshot.switchovers,
        pause(snapshot),
        snapshot.wrong,
        snapshot.last_fault
    )
    .trim_end()
    .to_owned()
}

fn pause(snapshot: &Snapshot) -> String {
    span(u64::try_from(snapshot.pause.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        Snapshot {
            phase: "load",
            acknowledged: 1_234_567,
            faults: 3,
            faults_wanted: 10,
            takeovers: 2,
            switchovers: 1,
            pause: Duration::from_micros(1_250),
            wrong: 0,
            last_fault: "primary 12 killed".to_owned(),
        }
    }

    // The picture of the README, and of a log without a terminal.
    #[test]
    fn the_table_and_the_line() {
        let elapsed = Duration::from_millis(4_250);
        let text = anstream::adapter::strip_str(&table(elapsed, 98_765, &snapshot())).to_string();
        assert_eq!(
            text,
            "\
pollux demo  4.2 s  load
OPS/S   ACKNOWLEDGED  FAULTS   TAKEOVERS  SWITCHOVERS  LONGEST PAUSE  WRONG
98,765  1,234,567     3 of 10  2          1            1.25 ms        0
last: primary 12 killed
"
        );
        assert_eq!(
            line(elapsed, 98_765, &snapshot()),
            "   4.2 s  load          98,765 ops/s  faults 3 of 10  takeovers 2  switchovers 1  longest pause 1.25 ms  \
             wrong 0  primary 12 killed"
        );
    }

    // A rate over the whole run would hide that nothing moves any more.
    #[test]
    fn the_rate_is_that_of_the_last_second() {
        let mut live = Live::new(true);
        let start = Instant::now();
        let mut rate = |ms, count| live.rate(start + Duration::from_millis(ms), count);
        assert_eq!(rate(0, 0), 0);
        assert_eq!(rate(500, 500), 1_000);
        assert_eq!(rate(1_000, 1_000), 1_000);
        assert_eq!(rate(2_000, 1_000), 0);
    }
}
