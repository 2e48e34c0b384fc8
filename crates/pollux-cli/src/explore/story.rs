//! A run as one sequence of events: what each process passed, in the order of time, cut to what matters.

use std::collections::BTreeMap;
use std::fmt;

use pollux_os::points::Mark;

use super::outcome::Operation;
use super::report::Tried;
use super::trace::Line;

/// How much of a run is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// All of it.
    Whole,
    /// From the request before the kill to the first one that is wrong.
    Violation,
}

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// A requester, from 0.
    Requester(usize),
    /// A half, by its rank: 1 is the first primary.
    Half(usize),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Who::Requester(0) => "requester".to_owned(),
            Who::Requester(other) => format!("requester {}", other + 1),
            Who::Half(1) => "primary".to_owned(),
            Who::Half(2) => "backup".to_owned(),
            Who::Half(rank) => format!("backup {}", rank - 1),
        };
        f.pad(&text)
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// Monotonic time.
    pub(crate) ns: u64,
    /// Who.
    pub(crate) who: Who,
    /// What.
    pub(crate) text: String,
    /// A kill, or a takeover.
    pub(crate) is_mark: bool,
}

/// A run, told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Story {
    /// In the order of time.
    pub(crate) events: Vec<Event>,
    /// When the first requester began.
    pub(crate) start_ns: u64,
}

impl Story {
    /// Tells a run.
    pub(crate) fn of(tried: &Tried, window: Window) -> Story {
        let traces = &tried.outcome.traces;
        let operations = tried.outcome.operations();
        let numbers: BTreeMap<(u64, u64), &Operation> = operations
            .iter()
            .map(|operation| ((operation.request.open, operation.request.sync), operation))
            .collect();
        let mut events = Vec::new();
        for (index, lines) in traces.requesters.iter().enumerate() {
            let told = lines.iter().filter_map(|line| event_of_requester(index, line, &numbers));
            events.extend(told);
        }
        for (index, lines) in traces.servers.iter().enumerate() {
            let rank = index + 1;
            let kill = tried.kills.iter().find(|(of, _)| *of as usize == rank).map(|(_, point)| *point);
            // Of a half that goes on, the ways to a reply do not matter.
            let is_short = window == Window::Violation && kill.is_none();
            for line in lines.iter().filter(|line| !is_short || matters(line.mark)) {
                let is_end = line.point > 0 && kill == Some(line.point);
                events.extend(event_of_half(rank, line, is_end, &numbers));
            }
        }
        events.sort_by_key(|event| event.ns);
        if window == Window::Violation {
            let (from, to) = window_of(tried, &operations);
            events.retain(|event| event.ns >= from && event.ns <= to);
        }
        Story { events, start_ns: traces.start_ns() }
    }

    /// Each event as a line.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |event: &Event| {
            let ms = event.ns.saturating_sub(self.start_ns) as f64 / 1e6;
            format!("{ms:.3} ms {} {}", event.who, event.text)
        };
        self.events.iter().map(line).collect()
    }
}

/// What a reader of the smallest trace wants to see of the half that has taken over.
pub(crate) fn matters(mark: Mark) -> bool {
    use Mark::{Delivered, Received, Replying, TookOver, Whole, Writing};
    matches!(mark, TookOver | Received | Delivered | Writing | Replying | Whole)
}

/// From the request that was in hand at the first kill, or the last before it, to the end of the first that is wrong.
pub(crate) fn window_of(tried: &Tried, operations: &[Operation]) -> (u64, u64) {
    let kill = tried.killed.first().map_or(0, |line| line.ns);
    let before = operations.iter().filter(|operation| operation.request.ns <= kill);
    let from = before.map(|operation| operation.request.ns).max().unwrap_or(0);
    let wrong = tried.findings().iter().filter_map(|finding| finding.request).filter_map(|key| {
        let at = |operation: &&Operation| (operation.requester, operation.number) == key;
        let operation = operations.iter().find(at)?;
        Some(operation.answer.as_ref().map_or(u64::MAX, |answer| answer.ns))
    });
    // What is no request's is seen when all of them are answered.
    let last =
        operations.iter().filter_map(|operation| operation.answer.as_ref()).map(|answer| answer.ns).max();
    let to = wrong.min().or(last).unwrap_or(u64::MAX).max(kill);
    (from, to)
}

fn event_of_requester(
    index: usize,
    line: &Line,
    numbers: &BTreeMap<(u64, u64), &Operation>,
) -> Option<Event> {
    let number = numbers.get(&(line.open, line.sync)).map_or(0, |operation| operation.number);
    let text = match line.mark {
        Mark::Request => format!("request {number} {}", line.text()),
        Mark::Answer if line.error == 0 => format!("reply to {number}: {}", line.text()),
        Mark::Answer => format!("reply to {number}: error {}", line.error),
        Mark::Cancelled => format!("gives request {number} up"),
        _ => return None,
    };
    Some(Event { ns: line.ns, who: Who::Requester(index), text, is_mark: false })
}

fn event_of_half(
    rank: usize,
    line: &Line,
    is_end: bool,
    numbers: &BTreeMap<(u64, u64), &Operation>,
) -> Option<Event> {
    let number = numbers.get(&(line.open, line.sync)).map(|operation| operation.number);
    let of_request = number.map(|number| format!(" {number}")).unwrap_or_default();
    let checkpoint = if line.sync > 0 { format!(" {}", line.sync) } else { String::new() };
    let mut text = match line.mark {
        Mark::Received => format!("has read request{of_request}"),
        Mark::Delivered => format!("hands request{of_request} to the program"),
        Mark::Told => "hands a system message to the program".to_owned(),
        Mark::CheckpointSending => format!("sends checkpoint{checkpoint} ({} bytes)", line.bytes),
        Mark::CheckpointSent => format!("has sent checkpoint{checkpoint}"),
        Mark::Acknowledged => format!("checkpoint{checkpoint} is acknowledged"),
        Mark::Replying if line.error == 0 => format!("sends the reply to{of_request} {}", line.text()),
        Mark::Replying => format!("sends the reply to{of_request}: error {}", line.error),
        Mark::Replied => format!("has sent the reply to{of_request}"),
        Mark::Writing => format!("writes to a disk file {}", line.text()),
        Mark::Journaled => "a step of the write's journal is done".to_owned(),
        Mark::Written => "the bytes are in the file".to_owned(),
        Mark::Ending => "is about to end".to_owned(),
        Mark::TookOver => "TAKES OVER".to_owned(),
        Mark::Whole if rank > 1 => "has a backup again".to_owned(),
        _ => return None,
    };
    if is_end {
        text = format!("KILLED at point {}: {text}", line.point);
    }
    let is_mark = is_end || line.mark == Mark::TookOver;
    Some(Event { ns: line.ns, who: Who::Half(rank), text, is_mark })
}
