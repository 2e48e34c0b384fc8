//! What a run showed to the outside: the requesters' view, the files, the end.

use std::collections::BTreeMap;

use pollux_os::points::Mark;

use super::trace::{Line, Traces};

/// How the requester's program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Not within its time.
    TimedOut,
}

impl Exit {
    /// For people.
    pub(crate) fn describe(self) -> String {
        match self {
            Exit::Code(code) => format!("exit code {code}"),
            Exit::Signal(signal) => format!("signal {signal}"),
            Exit::TimedOut => "no end within --timeout".to_owned(),
        }
    }
}

/// What was left of the pair when the requester had ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Both halves, in step.
    Whole,
    /// One of them.
    Alone,
    /// Nothing.
    Gone,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What the libraries wrote down.
    pub(crate) traces: Traces,
    /// The requester's end.
    pub(crate) exit: Exit,
    /// The requester's standard output.
    pub(crate) stdout: Vec<u8>,
    /// The requester's standard error.
    pub(crate) stderr: Vec<u8>,
    /// What was left of the pair.
    pub(crate) left: Left,
    /// The files in the working directory, by their relative paths.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

/// A request of a requester, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Which requester, from 0.
    pub(crate) requester: usize,
    /// Which of its requests, from 1.
    pub(crate) number: usize,
    /// The request.
    pub(crate) request: Line,
    /// What the program got.
    pub(crate) answer: Option<Line>,
}

impl Operation {
    /// Its name in a report.
    pub(crate) fn name(&self) -> String {
        match self.requester {
            0 => format!("request {}", self.number),
            other => format!("request {} of requester {}", self.number, other + 1),
        }
    }
}

impl Outcome {
    /// The requests of all requesters: those of the first, then those of the second...
    pub(crate) fn operations(&self) -> Vec<Operation> {
        let all = self.traces.requesters.iter().enumerate();
        all.flat_map(|(requester, lines)| operations_of(requester, lines)).collect()
    }

    /// The last line of the requester's standard error, behind `between`; empty if it has said nothing.
    pub(crate) fn last_words(&self, between: &str) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        text.trim_end().lines().last().map(|line| format!("{between}{line}")).unwrap_or_default()
    }
}

fn operations_of(requester: usize, lines: &[Line]) -> Vec<Operation> {
    let mut operations: Vec<Operation> = Vec::new();
    for line in lines {
        match line.mark {
            Mark::Request => operations.push(Operation {
                requester,
                number: operations.len() + 1,
                request: line.clone(),
                answer: None,
            }),
            Mark::Answer => {
                let key = (line.open, line.sync);
                let asked = operations
                    .iter_mut()
                    .rev()
                    .find(|operation| (operation.request.open, operation.request.sync) == key);
                if let Some(operation) = asked {
                    operation.answer.get_or_insert_with(|| line.clone());
                }
            }
            _ => {}
        }
    }
    operations
}
