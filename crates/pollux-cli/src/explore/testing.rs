//! Runs made by hand, for the tests of what is made of them.

use std::collections::BTreeMap;

use pollux_os::points::Mark;

use super::outcome::{Exit, Left, Outcome};
use super::trace::{Line, Traces};

/// A line of a trace at so many microseconds.
pub(crate) fn line(us: u64, what: &str, point: u64, sync: u64, error: u16, text: &str) -> Line {
    let hash = text.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mark = Mark::from_name(what).unwrap();
    let (bytes, shown) = (text.len() as u64, text.as_bytes().to_vec());
    Line { ns: us * 1000, mark, point, open: 9, sync, error, bytes, hash, shown }
}

/// A run of one requester: each request with its reply or error, or without any.
pub(crate) fn run(requests: &[(&str, Option<Result<&str, u16>>)]) -> Outcome {
    let mut lines = Vec::new();
    for (sync, (request, answer)) in (1..).zip(requests) {
        lines.push(line(100 * sync, "request", 0, sync, 0, request));
        match answer {
            Some(Ok(text)) => lines.push(line(100 * sync + 40, "answer", 0, sync, 0, text)),
            Some(Err(error)) => lines.push(line(100 * sync + 40, "answer", 0, sync, *error, "")),
            None => {}
        }
    }
    let traces = Traces { servers: Vec::new(), requesters: vec![lines] };
    let (exit, stdout) = (Exit::Code(0), b"done\n".to_vec());
    Outcome { traces, exit, stdout, stderr: Vec::new(), left: Left::Whole, files: BTreeMap::new() }
}

/// The same as a pair that was killed at point 2, while request 2 was in hand.
pub(crate) fn killed(mut outcome: Outcome) -> Outcome {
    let first = vec![
        line(110, "received", 1, 1, 0, "add"),
        line(130, "replied", 0, 1, 0, ""),
        line(210, "received", 2, 2, 0, "<add>"),
    ];
    let second = vec![
        line(215, "took-over", 0, 5, 0, ""),
        line(220, "received", 0, 2, 0, "<add>"),
        line(230, "replied", 0, 2, 0, ""),
    ];
    outcome.traces.servers = vec![first, second];
    outcome
}
