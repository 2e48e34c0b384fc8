//! What requesters asked and what they were told: one line each time they ask and each time they are told, the same for simulated
//! and for real runs.
//!
//! ```text
//!  time  verb    opener.sync  action                outcome
//!   120  invoke  3.17         write 5 99
//!   431  ok      3.17         write 5 99            place 40 value 7 epoch 2
//!   440  invoke  3.18         append
//!   446  fault   kill the primary of $A
//!   518  role    $A primary 1,44 backup none epoch 3
//!   530  unknown 3.18         append                error 201 epoch 3
//! ```
//!
//! The unit of time is the run's own: steps of a simulated one, nanoseconds of a real one.

use crate::app::{Answer, Entry, Operation};
use pollux_wire::{Epoch, FileError, OpenId, SyncId};
use std::fmt;
use std::str::{FromStr, SplitWhitespace};

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Takes a place in the log, and nothing else.
    Append,
    /// Takes none, and is told how many are taken.
    Count,
    /// Takes a place in the log, and does something with a register.
    Register(u64, Operation),
}

impl Action {
    /// True if the request stands in the log when it was done.
    pub fn takes_place(self) -> bool {
        self != Self::Count
    }
}

/// What a requester is told of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// It is done.
    Ok(Answer),
    /// It is not done, and never will be.
    Fail(FileError),
    /// It may be done, or not.
    Unknown(FileError),
}

/// The end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: u64,
    /// How.
    pub told: Told,
    /// The epoch of the server as its requester knows it then.
    pub epoch: Epoch,
}

/// One request as its requester saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Which.
    pub entry: Entry,
    /// What it does.
    pub action: Action,
    /// When it began.
    pub began: u64,
    /// When it ended, and how; none while it is open.
    pub ended: Option<End>,
}

/// A line of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A request begins.
    Invoke(u64, Entry, Action),
    /// A request ends; the same request may end again when its reply was asked for again.
    End(Entry, Action, End),
    /// Something was done to the pair.
    Fault(u64, String),
    /// The record of the pair has changed.
    Role(u64, String),
}

impl Line {
    /// When.
    pub fn at(&self) -> u64 {
        match self {
            Self::Invoke(at, ..) | Self::Fault(at, _) | Self::Role(at, _) => *at,
            Self::End(_, _, end) => end.at,
        }
    }
}

/// All requests of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    calls: Vec<Call>,
    again: Vec<(Entry, End)>,
    /// Faults and roles.
    notes: Vec<Line>,
}

impl History {
    /// From the lines of all requesters, each of them in its order. An error is a line that cannot follow those before it.
    pub fn of(lines: impl IntoIterator<Item = Line>) -> Result<Self, String> {
        let mut history = Self::default();
        let mut open = std::collections::BTreeMap::new();
        for line in lines {
            match line {
                Line::Invoke(began, entry, action) => {
                    if open.insert(entry, history.calls.len()).is_some() {
                        return Err(format!("{line}: it began before"));
                    }
                    history.calls.push(Call { entry, action, began, ended: None });
                }
                Line::End(entry, action, end) => {
                    let Some(call) = open.get(&entry).map(|at| &mut history.calls[*at]) else {
                        return Err(format!("{line}: it never began"));
                    };
                    if call.action != action || end.at < call.began {
                        return Err(format!("{line}: that is not what began: {call:?}"));
                    }
                    match call.ended {
                        None => call.ended = Some(end),
                        Some(_) => history.again.push((entry, end)),
                    }
                }
                note => history.notes.push(note),
            }
        }
        history.calls.sort_by_key(|call| (call.began, call.entry));
        Ok(history)
    }

    /// All requests, in the order of their begin.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// What requesters were told of requests that had ended already.
    pub fn again(&self) -> &[(Entry, End)] {
        &self.again
    }

    /// All lines, in the order of time.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = self.notes.clone();
        for call in &self.calls {
            lines.push(Line::Invoke(call.began, call.entry, call.action));
            lines.extend(call.ended.map(|end| Line::End(call.entry, call.action, end)));
        }
        for (entry, end) in &self.again {
            let call = self.calls.iter().find(|call| call.entry == *entry);
            lines.extend(call.map(|call| Line::End(*entry, call.action, *end)));
        }
        lines.sort_by_key(Line::at);
        lines
    }
}

impl FromIterator<Call> for History {
    fn from_iter<T: IntoIterator<Item = Call>>(calls: T) -> Self {
        let mut calls: Vec<Call> = calls.into_iter().collect();
        calls.sort_by_key(|call| (call.began, call.entry));
        Self { calls, again: Vec::new(), notes: Vec::new() }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append => f.write_str("append"),
            Self::Count => f.write_str("count"),
            Self::Register(key, Operation::Read) => write!(f, "read {key}"),
            Self::Register(key, Operation::Write(value)) => write!(f, "write {key} {value}"),
            Self::Register(key, Operation::Swap { expected, new }) => {
                write!(f, "swap {key} {expected} {new}")
            }
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |entry: &Entry| format!("{}.{}", entry.0, entry.1);
        match self {
            Self::Fault(at, text) => write!(f, "{at} fault {text}"),
            Self::Role(at, text) => write!(f, "{at} role {text}"),
            Self::Invoke(at, entry, action) => write!(f, "{at} invoke {} {action}", of(entry)),
            Self::End(entry, action, End { at, told, epoch }) => {
                let (verb, outcome) = match told {
                    Told::Ok(Answer { place, value }) => ("ok", format!("place {place} value {value}")),
                    Told::Fail(error) => ("fail", format!("error {}", error.0)),
                    Told::Unknown(error) => ("unknown", format!("error {}", error.0)),
                };
                write!(f, "{at} {verb} {} {action} {outcome} epoch {epoch}", of(entry))
            }
        }
    }
}

/// The words of a line that are still to come.
struct Words<'a>(SplitWhitespace<'a>);

impl Words<'_> {
    fn number<T: FromStr>(&mut self) -> Result<T, String> {
        let word = self.0.next().ok_or("it ends too early")?;
        word.parse().map_err(|_| format!("{word:?} is not a number"))
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        match self.0.next() {
            Some(word) if word == wanted => Ok(()),
            other => Err(format!("{wanted:?} is expected, not {other:?}")),
        }
    }

    fn action(&mut self) -> Result<Action, String> {
        Ok(match self.0.next() {
            Some("append") => Action::Append,
            Some("count") => Action::Count,
            Some("read") => Action::Register(self.number()?, Operation::Read),
            Some("write") => Action::Register(self.number()?, Operation::Write(self.number()?)),
            Some("swap") => {
                let (key, expected, new) = (self.number()?, self.number()?, self.number()?);
                Action::Register(key, Operation::Swap { expected, new })
            }
            other => return Err(format!("{other:?} is no action")),
        })
    }

    fn entry(&mut self) -> Result<Entry, String> {
        let word = self.0.next().ok_or("it ends too early")?;
        let numbers =
            word.split_once('.').and_then(|(open, sync)| Some((open.parse().ok()?, sync.parse().ok()?)));
        let (open, sync) = numbers.ok_or_else(|| format!("{word:?} is not an opener and a sync id"))?;
        Ok((OpenId(open), SyncId(sync)))
    }

    fn told(&mut self, verb: &str) -> Result<Told, String> {
        if verb == "ok" {
            self.expect("place")?;
            let place = self.number()?;
            self.expect("value")?;
            return Ok(Told::Ok(Answer { place, value: self.number()? }));
        }
        self.expect("error")?;
        let error = FileError(self.number()?);
        Ok(if verb == "fail" { Told::Fail(error) } else { Told::Unknown(error) })
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Words(text.split_whitespace()).action()
    }
}

impl FromStr for Line {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let wrong = |why: String| format!("{line:?}: {why}");
        let mut words = Words(line.split_whitespace());
        let at = words.number().map_err(wrong)?;
        let verb = words.0.next().unwrap_or_default();
        let rest = || line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
        match verb {
            "fault" => return Ok(Self::Fault(at, rest())),
            "role" => return Ok(Self::Role(at, rest())),
            "invoke" | "ok" | "fail" | "unknown" => {}
            other => return Err(wrong(format!("{other:?} is no verb"))),
        }
        let entry = words.entry().map_err(wrong)?;
        let action = words.action().map_err(wrong)?;
        if verb == "invoke" {
            return Ok(Self::Invoke(at, entry, action));
        }
        let told = words.told(verb).map_err(wrong)?;
        words.expect("epoch").map_err(wrong)?;
        let epoch = Epoch(words.number().map_err(wrong)?);
        Ok(Self::End(entry, action, End { at, told, epoch }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
120 invoke 3.17 write 5 99
431 ok 3.17 write 5 99 place 40 value 7 epoch 2
440 invoke 3.18 swap 5 99 100
446 fault kill the primary of $A
518 role $A primary 1,44 backup none epoch 3
530 unknown 3.18 swap 5 99 100 error 201 epoch 3
531 ok 3.17 write 5 99 place 40 value 7 epoch 3
540 invoke 4.1 count
550 fail 4.1 count error 14 epoch 3
560 invoke 4.2 append
";

    fn lines() -> impl Iterator<Item = Line> {
        TEXT.lines().map(|line| line.parse().unwrap())
    }

    // A history that comes out of a file as another one is judged for what nobody saw.
    #[test]
    fn a_history_is_read_as_it_was_written() {
        let history = History::of(lines()).unwrap();
        assert_eq!(history.calls().len(), 4);
        assert_eq!(history.again().len(), 1);
        assert_eq!(history.to_string(), TEXT);
    }

    // A requester that writes nonsense has failed, and not the pair.
    #[test]
    fn lines_that_cannot_be_are_refused() {
        for text in
            ["", "x invoke 1.1 append", "1 invoke 1 append", "1 done 1.1 append", "1 invoke 1.1 write 3"]
        {
            assert!(text.parse::<Line>().is_err(), "{text:?}");
        }
        let parsed = |text: &str| History::of(text.lines().map(|line| line.parse().unwrap()));
        assert!(parsed("1 ok 1.1 append place 0 value 0 epoch 1").is_err(), "it never began");
        assert!(parsed("1 invoke 1.1 append\n2 invoke 1.1 append").is_err(), "it began twice");
        assert!(parsed("5 invoke 1.1 append\n4 ok 1.1 append place 0 value 0 epoch 1").is_err(), "backwards");
        assert!(
            parsed("1 invoke 1.1 append\n4 ok 1.1 count place 0 value 0 epoch 1").is_err(),
            "another action"
        );
    }
}
