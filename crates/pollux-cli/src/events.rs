//! The events of a node as they stand in its files, and how people see them.
//!
//! A daemon appends one JSON object per line to `events.jsonl` and renames it to `events.1.jsonl` when it is full.
//! Fields this version does not know are passed on by `--json` and left out of the lines for people, so that an
//! older command reads a newer node's events.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use pollux_wire::event::EventKind;
use serde::Deserialize;

use crate::output::{BAD, CARE, DIM, GOOD, styled};
use crate::time::{span, utc};

/// An event as read from a line. What is missing is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct EventLine {
    pub(crate) at_unix_ms: u64,
    pub(crate) kind: String,
    pub(crate) cpu: u8,
    pub(crate) name: Option<String>,
    pub(crate) phandle: Option<String>,
    pub(crate) epoch_before: u64,
    pub(crate) epoch_after: u64,
    pub(crate) cause: String,
    pub(crate) handover: Option<HandoverLine>,
}

/// The figures of a takeover or switchover.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct HandoverLine {
    pub(crate) requests_resent: u32,
    pub(crate) openers: u32,
    pub(crate) connections_kept: u32,
    pub(crate) recorded_us: u64,
    pub(crate) speaking_us: u64,
    pub(crate) silent_us: u64,
}

impl EventLine {
    /// Reads a line; none if it is not an event (a line torn by a full disk).
    pub(crate) fn parse(line: &str) -> Option<EventLine> {
        serde_json::from_str(line).ok()
    }

    /// The kind, if this version knows it.
    pub(crate) fn kind(&self) -> Option<EventKind> {
        EventKind::from_name(&self.kind)
    }

    /// One line for people; the columns line up from event to event.
    pub(crate) fn render(&self) -> String {
        let style = match self.kind() {
            Some(EventKind::Started | EventKind::Paired | EventKind::CpuUp | EventKind::ProgramStarted) => {
                GOOD
            }
            Some(EventKind::BackupFailed | EventKind::Quarantined) => BAD,
            Some(EventKind::Ended | EventKind::Listener) => DIM,
            _ => CARE,
        };
        let mut line = format!(
            "{}  {}  {}  cpu {:<2}  epoch {:>10}  {}",
            utc(self.at_unix_ms),
            styled(style, &format!("{:<14}", self.kind)),
            format_args!("{:<6}", self.name.as_deref().unwrap_or("-")),
            self.cpu,
            self.epochs(),
            self.cause
        );
        if let Some(handover) = &self.handover {
            line.push_str(&format!(
                "; no answer for {} (recorded {}, speaking {}), {} requests re-sent, {} opens and {} connections kept",
                span(handover.silent_us),
                span(handover.recorded_us),
                span(handover.speaking_us),
                handover.requests_resent,
                handover.openers,
                handover.connections_kept
            ));
        }
        line.trim_end().to_owned()
    }

    /// `3 -> 4`, or `3` when nothing changed.
    fn epochs(&self) -> String {
        if self.epoch_before == self.epoch_after {
            self.epoch_after.to_string()
        } else {
            format!("{} -> {}", self.epoch_before, self.epoch_after)
        }
    }
}

/// Follows a file that grows and is renamed away when it is full: whole lines, each once, in order.
#[derive(Debug)]
pub(crate) struct Follower {
    path: PathBuf,
    open: Option<File>,
    rest: Vec<u8>,
}

impl Follower {
    /// Starts at the beginning of what is in the file.
    pub(crate) fn new(path: &Path) -> Follower {
        Follower { path: path.to_owned(), open: None, rest: Vec::new() }
    }

    /// The lines that came since the last call; a file that does not exist yet has none.
    pub(crate) fn lines(&mut self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        if self.open.is_none() {
            self.open = open_if_there(&self.path)?;
        }
        while let Some(file) = &mut self.open {
            // Looked at before reading: what the writer appended before it renamed is read from the old file.
            let next = open_if_there(&self.path)?;
            file.read_to_end(&mut self.rest)?;
            let renamed = match &next {
                Some(next) => identity(next)? != identity(file)?,
                None => false,
            };
            take_lines(&mut self.rest, &mut lines);
            if !renamed {
                break;
            }
            // A last line without its end will not get one any more.
            self.rest.clear();
            self.open = next;
        }
        Ok(lines)
    }
}

fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn identity(file: &File) -> io::Result<(u64, u64)> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Moves whole lines out of `bytes`.
fn take_lines(bytes: &mut Vec<u8>, lines: &mut Vec<String>) {
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else { return };
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    lines.extend(text.split('\n').map(str::to_owned));
    bytes.drain(..=end);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, OpenOptions};
    use std::io::Write as _;

    const TAKEOVER: &str = r#"{"at_unix_ms":1700000000250,"kind":"takeover","cpu":1,"name":"$KV","phandle":"1,5:7.1","epoch_before":3,"epoch_after":4,"cause":"primary 0,4:7.1 killed by signal 9","handover":{"requests_resent":12,"openers":2,"connections_kept":50,"recorded_us":310,"speaking_us":480,"silent_us":1250},"later":true}"#;

    // The line an operator reads after a takeover: every figure that the issue promises is on it.
    #[test]
    fn a_takeover_on_one_line() {
        let event = EventLine::parse(TAKEOVER).unwrap();
        assert_eq!(event.kind(), Some(EventKind::Takeover));
        let text = anstream::adapter::strip_str(&event.render()).to_string();
        assert_eq!(
            text,
            "2023-11-14 22:13:20.250  takeover        $KV     cpu 1   epoch     3 -> 4  primary 0,4:7.1 killed by \
             signal 9; no answer for 1.25 ms (recorded 310 us, speaking 480 us), 12 requests re-sent, 2 opens and \
             50 connections kept"
        );
    }

    // Events of a later version must not break the listing of an older command.
    #[test]
    fn unknown_kinds_and_missing_fields_are_shown_torn_lines_are_not() {
        let event = EventLine::parse(r#"{"kind":"moved","at_unix_ms":0}"#).unwrap();
        let text = anstream::adapter::strip_str(&event.render()).to_string();
        assert_eq!(text, "1970-01-01 00:00:00.000  moved           -       cpu 0   epoch          0");
        assert_eq!(EventLine::parse(r#"{"kind":"ta"#), None);
    }

    // A follower that misses the lines around a rotation hides exactly the busy moments.
    #[test]
    fn lines_survive_a_rename() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        let mut follower = Follower::new(&path);
        assert!(follower.lines().unwrap().is_empty());

        let append = |text: &str| {
            let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        append("a\nb");
        assert_eq!(follower.lines().unwrap(), ["a"]);
        append("c\nd\n");
        fs::rename(&path, directory.path().join("events.1.jsonl")).unwrap();
        append("e\n");
        assert_eq!(follower.lines().unwrap(), ["bc", "d", "e"]);
        assert!(follower.lines().unwrap().is_empty());
    }
}
