//! Operations over a takeover: a row for each requester and each half, time from left to right.
//!
//! ```text
//!  requester   [ 1 ]  [ 2 ]   [ 3 ................ ]     a bar from request to reply
//!                |  ^                |           ^
//!  primary     ==v==|====v==|====X   |           |       its life; X where it ended itself
//!  backup      ......................T===========|==     T where it took over
//! ```
//!
//! A takeover takes a hundred times as long as a request. So the distance of two events grows with the logarithm of the time
//! between them, and each event keeps room enough to be seen.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pollux_os::points::Mark;

use super::super::outcome::Operation;
use super::super::report::Tried;
use super::super::story::{Window, matters, window_of};
use super::super::trace::Line;
use super::escaped;

/// Pixels.
const LEFT: f64 = 104.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 34.0;
const ROW: f64 = 84.0;
const BAR: f64 = 30.0;
const STEP_MIN: f64 = 7.0;
const STEP_MAX: f64 = 130.0;
/// A page stays within what a browser can draw: events behind this are left out.
const EVENTS_MAX: usize = 1500;

/// Where each time is.
struct Scale(BTreeMap<u64, f64>);

impl Scale {
    fn of(mut times: Vec<u64>) -> Scale {
        times.sort_unstable();
        times.dedup();
        times.truncate(EVENTS_MAX);
        let mut at = LEFT + 12.0;
        let mut before: Option<u64> = None;
        let mut places = BTreeMap::new();
        for time in times {
            if let Some(before) = before {
                let us = (time - before) as f64 / 1e3;
                at += (STEP_MIN + 5.0 * (1.0 + us / 4.0).log2()).min(STEP_MAX);
            }
            places.insert(time, at);
            before = Some(time);
        }
        Scale(places)
    }

    fn x(&self, ns: u64) -> f64 {
        let before = self.0.range(..=ns).next_back();
        before.or_else(|| self.0.first_key_value()).map_or(LEFT, |(_, x)| *x)
    }

    fn end(&self) -> f64 {
        self.0.last_key_value().map_or(LEFT, |(_, x)| *x)
    }
}

struct Drawing<'a> {
    tried: &'a Tried,
    operations: Vec<Operation>,
    scale: Scale,
    from: u64,
    to: u64,
    out: String,
}

/// The picture of a run.
pub(super) fn drawn(tried: &Tried, window: Window) -> String {
    let operations = tried.outcome.operations();
    let (from, to) = match window {
        Window::Whole => (0, u64::MAX),
        Window::Violation => window_of(tried, &operations),
    };
    let traces = &tried.outcome.traces;
    let start = traces.start_ns();
    let within = |line: &&Line| line.ns >= from && line.ns <= to && line.ns >= start;
    let halves = (1..).zip(&traces.servers);
    let of_halves =
        halves.flat_map(|(rank, lines)| lines.iter().filter(move |line| is_drawn(tried, rank, line)));
    let lines = traces.requesters.iter().flatten().chain(of_halves);
    let scale = Scale::of(lines.filter(within).map(|line| line.ns).collect());
    let mut drawing = Drawing { tried, operations, scale, from, to, out: String::new() };
    drawing.draw();
    drawing.out
}

/// Of a half that goes on only what makes a difference has room.
fn is_drawn(tried: &Tried, rank: usize, line: &Line) -> bool {
    line.mark == Mark::Replied || matters(line.mark) || tried.kills.iter().any(|(of, _)| *of as usize == rank)
}

impl Drawing<'_> {
    fn draw(&mut self) {
        let requesters = self.tried.outcome.traces.requesters.len().max(1);
        let halves = self.halves();
        let width = self.scale.end() + RIGHT;
        let height = TOP + ROW * (requesters + halves) as f64;
        let name = escaped(&format!("operations over the takeover at point {}", self.tried.number()));
        let _ = writeln!(
            self.out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{name}\">"
        );
        for row in 0..requesters {
            let name = if row == 0 { "requester".to_owned() } else { format!("requester {}", row + 1) };
            self.row(self.y(row), &name);
        }
        for rank in 1..=halves {
            let name = match rank {
                1 => "primary".to_owned(),
                2 => "backup".to_owned(),
                other => format!("backup {}", other - 1),
            };
            self.row(self.y_of_half(rank), &name);
            self.life(rank);
        }
        for operation in std::mem::take(&mut self.operations) {
            self.operation(&operation);
        }
        self.out += "</svg>\n";
    }

    /// The halves that have a row: a backup that comes later and only waits says nothing.
    fn halves(&self) -> usize {
        let servers = &self.tried.outcome.traces.servers;
        let took_over = |lines: &Vec<Line>| lines.iter().any(|line| line.mark == Mark::TookOver);
        let last = servers.iter().rposition(took_over).map_or(0, |index| index + 1);
        last.max(2).min(servers.len())
    }

    fn y(&self, row: usize) -> f64 {
        TOP + ROW * row as f64 + 22.0
    }

    fn y_of_half(&self, rank: usize) -> f64 {
        self.y(self.tried.outcome.traces.requesters.len().max(1) + rank - 1)
    }

    fn row(&mut self, y: f64, name: &str) {
        let end = self.scale.end() + 20.0;
        let _ = writeln!(
            self.out,
            "<line class=\"row\" x1=\"{LEFT}\" y1=\"{y}\" x2=\"{end:.1}\" y2=\"{y}\"/><text class=\"who\" x=\"4\" y=\"{:.1}\">{name}</text>",
            y + 4.0
        );
    }

    /// Since the first request.
    fn time(&self, ns: u64) -> String {
        format!("{:.2} ms", ns.saturating_sub(self.tried.outcome.traces.start_ns()) as f64 / 1e6)
    }

    fn is_within(&self, ns: u64) -> bool {
        ns >= self.from && ns <= self.to
    }

    /// From when on a half speaks as the primary, and until when.
    fn life(&mut self, rank: usize) {
        let lines = &self.tried.outcome.traces.servers[rank - 1];
        let took = lines.iter().find(|line| line.mark == Mark::TookOver).map(|line| line.ns);
        let point = self.tried.kills.iter().find(|(of, _)| *of as usize == rank).map(|(_, point)| *point);
        let kill = lines.iter().find(|line| point.is_some_and(|point| line.point == point)).cloned();
        let y = self.y_of_half(rank);
        let begin = if rank == 1 {
            Some(LEFT)
        } else {
            took.filter(|at| self.is_within(*at)).map(|at| self.scale.x(at))
        };
        let end = kill.as_ref().map_or(self.scale.end() + 16.0, |line| self.scale.x(line.ns));
        let standby_end = begin.unwrap_or(end).min(end);
        if rank > 1 {
            let _ = writeln!(
                self.out,
                "<line class=\"standby\" x1=\"{LEFT}\" y1=\"{y}\" x2=\"{standby_end:.1}\" y2=\"{y}\"/>"
            );
        }
        if let Some(begin) = begin {
            let _ = writeln!(
                self.out,
                "<line class=\"life\" x1=\"{begin:.1}\" y1=\"{y}\" x2=\"{end:.1}\" y2=\"{y}\"/>"
            );
            if rank > 1 {
                let _ = writeln!(
                    self.out,
                    "<line class=\"rise\" x1=\"{begin:.1}\" y1=\"{TOP}\" x2=\"{begin:.1}\" y2=\"{y}\"/><circle class=\"took\" cx=\"{begin:.1}\" cy=\"{y}\" r=\"7\"/><text class=\"took\" x=\"{:.1}\" y=\"{:.1}\">takes over</text><text class=\"small\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    begin + 2.0,
                    y + 24.0,
                    begin + 3.0,
                    TOP - 4.0,
                    self.time(took.unwrap_or(0))
                );
            }
        }
        self.marks(rank);
        if let Some(line) = kill {
            let (x, text) = (end, escaped(&format!("SIGKILL at point {}: {}", line.point, line.mark.name())));
            let _ = writeln!(
                self.out,
                "<line class=\"fall\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{y}\"/><path class=\"kill\" d=\"M{:.1} {:.1}l14 14m0 -14l-14 14\"/><text class=\"killed\" x=\"{:.1}\" y=\"{:.1}\">{text}</text><text class=\"small\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                x - 7.0,
                y - 7.0,
                x - 7.0,
                y + 24.0,
                x - 3.0,
                TOP - 4.0,
                self.time(line.ns)
            );
        }
    }

    /// What a half passes: checkpoints, writes, and a dot for the rest.
    fn marks(&mut self, rank: usize) {
        let y = self.y_of_half(rank);
        let lines = &self.tried.outcome.traces.servers[rank - 1];
        let start = self.tried.outcome.traces.start_ns();
        let mut drawn = String::new();
        for line in lines
            .iter()
            .filter(|line| line.ns >= start && self.is_within(line.ns) && is_drawn(self.tried, rank, line))
        {
            let x = self.scale.x(line.ns);
            let title = escaped(&format!(
                "{:.3} ms  {} {}",
                (line.ns - start) as f64 / 1e6,
                line.mark.name(),
                line.text()
            ));
            let _ = match line.mark {
                Mark::CheckpointSent if rank < self.halves() => writeln!(
                    drawn,
                    "<path class=\"check\" d=\"M{x:.1} {y}l6 {:.1}m-5 -6l5 6l3 -7\"><title>{title}</title></path>",
                    ROW - 12.0
                ),
                Mark::Writing | Mark::Written => writeln!(
                    drawn,
                    "<rect class=\"file\" x=\"{:.1}\" y=\"{:.1}\" width=\"6\" height=\"6\"><title>{title}</title></rect>",
                    x - 3.0,
                    y - 3.0
                ),
                Mark::Request | Mark::Answer | Mark::Whole | Mark::Alone | Mark::TookOver => Ok(()),
                _ => writeln!(
                    drawn,
                    "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y}\" r=\"3.5\"><title>{title}</title></circle>"
                ),
            };
        }
        self.out += &drawn;
    }

    fn operation(&mut self, operation: &Operation) {
        let (begin, end) = (operation.request.ns, operation.answer.as_ref().map(|answer| answer.ns));
        if begin > self.to || end.is_some_and(|end| end < self.from) {
            return;
        }
        let y = self.y(operation.requester);
        let x1 = self.scale.x(begin.max(self.from));
        let x2 = end
            .filter(|end| *end <= self.to)
            .map_or(self.scale.end() + 16.0, |end| self.scale.x(end))
            .max(x1 + 16.0);
        let key = (operation.requester, operation.number);
        let finding = self.tried.findings().iter().find(|finding| finding.request == Some(key));
        let class = if finding.is_some() { "op bad" } else { "op" };
        let answer = operation.answer.as_ref();
        let title = escaped(&format!(
            "{} {}: {}",
            operation.name(),
            operation.request.text(),
            answer.map_or("no reply".to_owned(), |answer| match answer.error {
                0 => answer.text(),
                error => format!("error {error}"),
            })
        ));
        self.arrows(operation, y);
        let label = label(operation, x2 - x1);
        let _ = writeln!(
            self.out,
            "<g class=\"{class}\"><title>{title}</title><rect x=\"{x1:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"5\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text></g>",
            y - BAR / 2.0,
            x2 - x1,
            f64::midpoint(x1, x2),
            y + 4.0
        );
        if let Some(finding) = finding {
            let _ = writeln!(
                self.out,
                "<text class=\"came\" x=\"{x2:.1}\" y=\"{:.1}\" dx=\"6\">{}</text><text class=\"expected\" x=\"{x2:.1}\" y=\"{:.1}\" dx=\"6\">expected {}</text>",
                y - 3.0,
                escaped(&finding.came),
                y + 12.0,
                escaped(&finding.expected)
            );
        }
    }

    /// To each half that read the request, and back from each that replied.
    fn arrows(&mut self, operation: &Operation, y: f64) {
        let key = (operation.request.open, operation.request.sync);
        let mut drawn = String::new();
        for (index, lines) in self.tried.outcome.traces.servers.iter().enumerate().take(self.halves()) {
            let bottom = self.y_of_half(index + 1);
            let its = lines.iter().filter(|line| (line.open, line.sync) == key && self.is_within(line.ns));
            for line in its {
                let x = self.scale.x(line.ns);
                let _ = match line.mark {
                    Mark::Received => writeln!(
                        drawn,
                        "<path class=\"ask\" d=\"M{x:.1} {:.1}V{:.1}m-3.5 -6l3.5 6l3.5 -6\"/>",
                        y + BAR / 2.0,
                        bottom - 4.0
                    ),
                    Mark::Replied => writeln!(
                        drawn,
                        "<path class=\"answer\" d=\"M{x:.1} {:.1}V{:.1}m-3.5 6l3.5 -6l3.5 6\"/>",
                        bottom - 4.0,
                        y + BAR / 2.0
                    ),
                    _ => Ok(()),
                };
            }
        }
        self.out += &drawn;
    }
}

/// The number of an operation, and its request and reply where they fit.
fn label(operation: &Operation, width: f64) -> String {
    /// Pixels of a character.
    const CHARACTER: f64 = 7.4;
    let reply = operation.answer.as_ref().map_or("?".to_owned(), |answer| match answer.error {
        0 => answer.text(),
        error => format!("error {error}"),
    });
    let number = operation.number.to_string();
    let long = format!("{number}: {} \u{2192} {reply}", operation.request.text());
    let fits = |text: &str| text.chars().count() as f64 * CHARACTER + 10.0 <= width;
    escaped(if fits(&long) { &long } else { &number })
}
