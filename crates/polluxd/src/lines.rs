//! Takeover lines: where the clerk hears the halves of pairs itself.
//!
//! ```text
//!  half                     loop                     clerk                    ledger
//!    <-- TakeoverLine ------ at the welcome -------->
//!    Prepare, when it becomes a backup ------------> read and ruling ---------->
//!    Change TakeOver ------------------------------> commit ------------------->
//!    <-- Recorded ------------------------------------
//!                            <------- Changed, later -
//! ```
//!
//! A requester waits for a takeover; over the control channel the question would first wake the loop, which has nothing
//! to decide about it. And what is done once in the life of a pair is done by code that nobody has run for long: some 0.1
//! microseconds for each line of the cache. So all but the compare-and-set is done beforehand.
//!
//! A line carries one question at a time, what prepares for it, and nothing else. Whoever breaks that loses it, and asks
//! over the control channel.
//!
//! Invariant: what a process has asked before its end is answered before its end is put on record ([`Lines::finish`]).

use crate::ledger::Prepared;
use pollux_os::{Channel, Doorbell, Fill, Flush, Interest, Poller};
use pollux_wire::control::{CONTROL, Change, Recorded, ToDaemon, ToProcess};
use pollux_wire::limits::CONTROL_BODY_BYTES_MAX;
use pollux_wire::{Phandle, ProcessName, Wire as _, decode};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Token of the bell that tells of orders; lines count from 1.
const BELL: u64 = 0;

/// The lines of all halves of this CPU, and the bell of its orders: what the clerk waits for.
#[derive(Debug)]
pub(crate) struct Lines {
    poller: Poller,
    lines: BTreeMap<u64, Line>,
    last: u64,
    /// That have something, as the last wait has told.
    told: Vec<u64>,
}

#[derive(Debug)]
struct Line {
    channel: Channel,
    process: Phandle,
    name: ProcessName,
    prepared: Option<Box<Prepared>>,
}

/// Names a line; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineNumber(u64);

/// What a process has said on its line, about a takeover.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) line: LineNumber,
    pub(crate) process: Phandle,
    pub(crate) name: ProcessName,
    pub(crate) change: Change,
    pub(crate) kind: Kind,
}

/// What a [`Word`] means.
#[derive(Debug)]
pub(crate) enum Kind {
    /// It will be asked for: [`Lines::keep`] takes what was prepared.
    Prepare,
    /// It is asked for, and [`Lines::answer`] is due. With what was prepared for it.
    Ask { request: u32, prepared: Option<Box<Prepared>> },
}

impl Lines {
    /// No lines yet.
    pub(crate) fn new(bell: &Doorbell) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(bell, BELL, Interest::READ)?;
        Ok(Self { poller, lines: BTreeMap::new(), last: 0, told: Vec::new() })
    }

    /// Listens to a process. A line for which there is no room is closed, which its process sees.
    pub(crate) fn add(&mut self, process: Phandle, name: ProcessName, socket: OwnedFd) {
        self.last += 1;
        let mut channel = Channel::new(socket, CONTROL_BODY_BYTES_MAX);
        channel.set_stop_at_short_read(true);
        if self.poller.add(channel.as_fd(), self.last, Interest::READ).is_ok() {
            self.lines.insert(self.last, Line { channel, process, name, prepared: None });
        }
    }

    /// Waits for orders and words, which [`Lines::next_word`] gives.
    pub(crate) fn wait(&mut self, bell: &Doorbell, timeout: Option<Duration>) -> io::Result<()> {
        for event in self.poller.wait(timeout)? {
            if event.token == BELL {
                bell.quiet();
            } else {
                self.told.push(event.token);
            }
        }
        Ok(())
    }

    /// What has been said.
    pub(crate) fn next_word(&mut self) -> Option<Word> {
        while let Some(line) = self.told.pop() {
            let word = self.hear(line);
            if word.is_some() {
                return word;
            }
        }
        None
    }

    /// A process is proven gone: the last it had said. Its line ends.
    pub(crate) fn finish(&mut self, process: Phandle) -> Option<Word> {
        let line = self.lines.iter().find(|(_, line)| line.process == process).map(|(number, _)| *number)?;
        let word = self.hear(line);
        self.lines.remove(&line);
        word
    }

    /// Ends all lines.
    pub(crate) fn clear(&mut self) {
        self.lines.clear();
    }

    /// Keeps what was prepared for the takeover that a line has told of.
    pub(crate) fn keep(&mut self, line: LineNumber, prepared: Option<Box<Prepared>>) {
        if let Some(line) = self.lines.get_mut(&line.0) {
            line.prepared = prepared;
        }
    }

    /// Answers. The frame is short, and no other one waits: it goes into the socket, or the line is of no use.
    pub(crate) fn answer(&mut self, number: LineNumber, request: u32, outcome: &Recorded) {
        let Some(line) = self.lines.get_mut(&number.0) else { return };
        let message = ToProcess::Recorded { request, outcome: outcome.clone() };
        line.channel.queue(CONTROL, |out| message.put(out));
        if !matches!(line.channel.flush(), Ok(Flush::Done)) {
            self.lines.remove(&number.0);
        }
    }

    fn hear(&mut self, number: u64) -> Option<Word> {
        let line = self.lines.get_mut(&number)?;
        match line.hear() {
            Ok(heard) => {
                let (request, change) = heard?;
                let kind = match request {
                    None => Kind::Prepare,
                    Some(request) => {
                        let prepared = line.prepared.take().filter(|prepared| prepared.change == change);
                        Kind::Ask { request, prepared }
                    }
                };
                let (process, name) = (line.process, line.name.clone());
                Some(Word { line: LineNumber(number), process, name, change, kind })
            }
            Err(why) => {
                if let Some(why) = why {
                    tracing::warn!(process = %line.process, "its takeover line was closed: {why}");
                }
                self.lines.remove(&number);
                None
            }
        }
    }
}

impl Line {
    /// The takeover that is asked for, with the number of the question; or else the one to prepare for. An error ends the
    /// line; one without a reason is its other end's.
    fn hear(&mut self) -> Result<Option<(Option<u32>, Change)>, Option<String>> {
        let filled = self.channel.fill().map_err(|error| Some(error.to_string()))?;
        let garbage = |error: &dyn std::error::Error| Some(format!("it sent garbage: {error}"));
        let mut heard = None;
        while let Some(frame) = self.channel.next_frame().map_err(|error| garbage(&error))? {
            let message = match frame.kind {
                CONTROL => decode(frame.body).map_err(|error| garbage(&error))?,
                kind => return Err(Some(format!("a frame of the unknown kind {kind}"))),
            };
            heard = match (heard, message) {
                (None, ToDaemon::Prepare { change: change @ Change::TakeOver { .. } }) => {
                    Some((None, change))
                }
                (
                    None | Some((None, _)),
                    ToDaemon::Change { request, change: change @ Change::TakeOver { .. } },
                ) => Some((Some(request), change)),
                _ => return Err(Some("it said something else than one takeover".to_owned())),
            };
        }
        if heard.is_none() && filled == Fill::Closed { Err(None) } else { Ok(heard) }
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
