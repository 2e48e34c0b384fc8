//! What the libraries wrote down while they were explored: [`pollux_os::points`] read back.

use std::fs;
use std::path::{Path, PathBuf};

use pollux_os::points::Mark;

/// A line of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Monotonic time.
    pub(crate) ns: u64,
    /// What was passed.
    pub(crate) mark: Mark,
    /// Number of the point; 0 for none.
    pub(crate) point: u64,
    /// The open, or the connection.
    pub(crate) open: u64,
    /// Sync id, or number of the checkpoint.
    pub(crate) sync: u64,
    /// Error number.
    pub(crate) error: u16,
    /// Bytes of the payload.
    pub(crate) bytes: u64,
    /// FNV-1a of all of them.
    pub(crate) hash: u64,
    /// The first of them.
    pub(crate) shown: Vec<u8>,
}

impl Line {
    /// Reads a line; `None` for one that was torn by the end of its process.
    pub(crate) fn parse(text: &str) -> Option<Line> {
        let mut words = text.split(' ');
        let mut number = || words.next()?.parse::<u64>().ok();
        let ns = number()?;
        let mark = Mark::from_name(words.next()?)?;
        let mut number = || words.next()?.parse::<u64>().ok();
        let (point, open, sync) = (number()?, number()?, number()?);
        let error = u16::try_from(number()?).ok()?;
        let bytes = number()?;
        let hash = u64::from_str_radix(words.next()?, 16).ok()?;
        let shown = unhex(words.next()?)?;
        Some(Line { ns, mark, point, open, sync, error, bytes, hash, shown })
    }

    /// The payload as people read it.
    pub(crate) fn text(&self) -> String {
        readable(&self.shown, self.bytes)
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text == "-" {
        return Some(Vec::new());
    }
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Bytes in quotes, those that are no text as `\xNN`, cut where it gets long.
pub(crate) fn readable(shown: &[u8], bytes: u64) -> String {
    /// More does not help to tell two payloads apart at a glance.
    const CHARACTERS_MAX: usize = 48;
    let text: String = match std::str::from_utf8(shown) {
        Ok(text) if !text.chars().any(|c| c.is_control() && c != '\n') => text.replace('\n', "\\n"),
        _ => shown.iter().flat_map(|byte| byte.escape_ascii()).map(char::from).collect(),
    };
    let short: String = text.chars().take(CHARACTERS_MAX).collect();
    let cut = short.len() < text.len() || (shown.len() as u64) < bytes;
    if cut { format!("\"{short}...\" ({bytes} bytes)") } else { format!("\"{short}\"") }
}

/// All traces of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Traces {
    /// Of the halves, in the order in which they came.
    pub(crate) servers: Vec<Vec<Line>>,
    /// Of the requesters, in an order that is the same in each run if their first requests differ.
    pub(crate) requesters: Vec<Vec<Line>>,
}

impl Traces {
    /// Reads what there is in a directory.
    pub(crate) fn read(directory: &Path) -> Traces {
        let mut servers: Vec<(u32, Vec<Line>)> = Vec::new();
        let mut requesters = Vec::new();
        for path in files(directory) {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if let Some(rank) = name.strip_prefix("server-").and_then(|rank| rank.parse().ok()) {
                servers.push((rank, lines(&path)));
            } else if name.starts_with("requester-") {
                requesters.push(lines(&path));
            }
        }
        servers.sort_by_key(|(rank, _)| *rank);
        requesters.retain(|lines| !lines.is_empty());
        // By what they ask: of two that begin at once either may be the first.
        requesters.sort_by_key(|lines| lines.first().map(|line| (line.hash, line.ns)));
        Traces { servers: servers.into_iter().map(|(_, lines)| lines).collect(), requesters }
    }

    /// Bytes written so far: when they grow no more, all is quiet.
    pub(crate) fn size(directory: &Path) -> u64 {
        files(directory).iter().filter_map(|path| Some(fs::metadata(path).ok()?.len())).sum()
    }

    /// How many points the first primary passed.
    pub(crate) fn points(&self) -> u64 {
        self.servers.first().and_then(|lines| lines.iter().map(|line| line.point).max()).unwrap_or(0)
    }

    /// Where a half ended, if it passed its point.
    pub(crate) fn at_point(&self, rank: usize, point: u64) -> Option<&Line> {
        self.servers.get(rank.checked_sub(1)?)?.iter().find(|line| line.point == point)
    }

    /// The first time in all traces.
    pub(crate) fn start_ns(&self) -> u64 {
        let firsts = self.requesters.iter().filter_map(|lines| lines.first());
        firsts.map(|line| line.ns).min().unwrap_or(0)
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).map(|all| all.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

fn lines(path: &Path) -> Vec<Line> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(Line::parse).collect()
}

/// What a point is, for people.
pub(crate) fn explain(mark: Mark) -> &'static str {
    match mark {
        Mark::Received => "request read from its path, not yet handed to the program",
        Mark::Delivered => "request handed to the program",
        Mark::Told => "system message handed to the program",
        Mark::CheckpointSending => "before a checkpoint is sent",
        Mark::CheckpointSent => "after a checkpoint was sent",
        Mark::Acknowledged => "after a checkpoint was acknowledged",
        Mark::Replying => "before a reply leaves",
        Mark::Replied => "after a reply has left",
        Mark::Writing => "before a disk file is written",
        Mark::Journaled => "within a write: a step of its journal is done",
        Mark::Written => "within a write: the bytes are in the file",
        Mark::Ending => "before an orderly end",
        Mark::TookOver | Mark::Whole | Mark::Alone | Mark::Request | Mark::Answer | Mark::Cancelled => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The two ends of the file format are in two crates; a torn last line is what a kill leaves.
    #[test]
    fn lines_are_read_back_and_torn_ones_left_out() {
        let line = Line::parse("12 replying 7 3 4 60 5 00000000000000ff 4f4b2033").unwrap();
        assert_eq!((line.ns, line.mark, line.point, line.open, line.sync), (12, Mark::Replying, 7, 3, 4));
        assert_eq!(
            (line.error, line.bytes, line.hash, line.shown.as_slice()),
            (60, 5, 255, b"OK 3".as_slice())
        );
        assert_eq!(line.text(), "\"OK 3...\" (5 bytes)");
        assert_eq!(Line::parse("12 replying 7 3 4 60 5"), None);
    }

    // Bytes of a struct must not break a terminal or a page.
    #[test]
    fn payloads_are_readable() {
        assert_eq!(readable(b"a\nb", 3), "\"a\\nb\"");
        assert_eq!(readable(b"\x01\xff", 2), "\"\\x01\\xff\"");
        assert_eq!(readable("für".as_bytes(), 4), "\"für\"");
    }
}
