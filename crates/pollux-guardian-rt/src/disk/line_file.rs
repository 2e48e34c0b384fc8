//! Terminals, pipes and devices as files that are read and written by lines.
//!
//! READ gives the next line without its end, error 1 at the end of the input. WRITE writes the bytes and ends the line.
//! WRITEREAD writes a prompt, does not end the line, and reads one. A line that is longer than the read goes on with the
//! next read.

use super::errors;
use crate::files::operations::{Kind, Outcome};
use crate::files::{Mode, OtherFile, Transfer};
use crate::memory::Buffer;
use pollux_os::Interest;
use pollux_wire::FileError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::any::Any;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Bytes of input that wait for a read; a line without an end is given out in pieces of this size.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Device type of a terminal, and no other words (`FILE_GETINFO_`).
pub(crate) const TERMINAL_TYPE_WORDS: [i16; 5] = [6, 0, -1, -1, -1];

/// Lines of input that have arrived.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    /// Those before were taken. They go when more comes.
    start: usize,
    /// No end of a line is before.
    searched: usize,
    ended: bool,
}

impl Lines {
    /// More input; none means its end.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.ended |= bytes.is_empty();
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next line, at most so many bytes of it. Error 1 at the end of the input; nothing while the line is not whole.
    pub(crate) fn take(&mut self, room: usize) -> Option<Result<Vec<u8>, FileError>> {
        let end =
            self.bytes[self.searched..].iter().position(|byte| *byte == b'\n').map(|at| self.searched + at);
        self.searched = end.unwrap_or(self.bytes.len());
        let waiting = self.bytes.len() - self.start;
        let whole = end.is_some() || self.ended || waiting >= LINE_BYTES_MAX;
        if !whole {
            return None;
        }
        if waiting == 0 {
            // A terminal can be read again after its end-of-file key.
            self.ended = false;
            return Some(Err(FileError::END_OF_FILE));
        }
        let length = self.searched - self.start;
        let taken = length.min(room);
        let mut line = self.bytes[self.start..self.start + taken].to_vec();
        self.start += taken;
        if taken == length && end.is_some() {
            self.start += 1;
            self.searched = self.start;
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Some(Ok(line))
    }
}

/// An open terminal, pipe or device.
#[derive(Debug)]
pub(crate) struct LineFile {
    file: File,
    lines: Lines,
    reads: VecDeque<Buffer>,
}

impl LineFile {
    /// Opens one; `reads` and `writes` as the access mode says.
    pub(crate) fn open(path: &Path, reads: bool, writes: bool) -> Result<Self, FileError> {
        let mut options = OpenOptions::new();
        options.read(reads).write(writes).custom_flags(libc::O_CLOEXEC | libc::O_NOCTTY);
        let file = options.open(path).map_err(|error| errors::number(&error))?;
        Ok(Self { file, lines: Lines::default(), reads: VecDeque::new() })
    }

    fn write(&mut self, bytes: &[u8], end: &[u8]) -> Result<(), FileError> {
        self.file.write_all(&[bytes, end].concat()).map_err(|error| errors::number(&error))
    }

    /// Takes in what is there, without waiting.
    fn fill(&mut self) -> Result<(), FileError> {
        let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        if !matches!(poll(&mut fds, Some(&now)), Ok(count) if count > 0) {
            return Ok(());
        }
        let mut bytes = [0; 4096];
        match self.file.read(&mut bytes) {
            Ok(count) => self.lines.feed(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(error) => return Err(errors::number(&error)),
        }
        Ok(())
    }
}

impl OtherFile for LineFile {
    fn type_words(&self) -> [i16; 5] {
        TERMINAL_TYPE_WORDS
    }

    fn start(&mut self, transfer: &Transfer, _mode: Mode) -> Result<Option<Outcome>, FileError> {
        match transfer.kind {
            Kind::Write => {
                self.write(&transfer.write.get(), b"\n")?;
                let count = transfer.write.bytes();
                return Ok(Some(Outcome { error: FileError::OK, data: Vec::new(), count }));
            }
            Kind::WriteRead => self.write(&transfer.write.get(), b"")?,
            Kind::Read => {}
            _ => return Err(FileError::INVALID_OPERATION),
        }
        self.reads.push_back(transfer.read);
        Ok(self.poll())
    }

    fn poll(&mut self) -> Option<Outcome> {
        let room = self.reads.front()?.bytes();
        let mut line = self.lines.take(room);
        if line.is_none() {
            if let Err(error) = self.fill() {
                self.reads.pop_front();
                return Some(Outcome::failed(error));
            }
            line = self.lines.take(room);
        }
        let line = line?;
        self.reads.pop_front();
        Some(match line {
            Ok(data) => Outcome { error: FileError::OK, count: data.len(), data },
            Err(error) => Outcome::failed(error),
        })
    }

    fn waits_for(&self) -> Option<(BorrowedFd<'_>, Option<Interest>)> {
        Some((self.file.as_fd(), (!self.reads.is_empty()).then_some(Interest::READ)))
    }

    fn control(&mut self, _message: &[u8]) -> Result<Vec<u8>, FileError> {
        Ok(Vec::new())
    }

    fn cancel(&mut self) {
        self.reads.pop_front();
    }

    fn close(&mut self) {
        self.reads.clear();
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A dialogue that loses a line, or waits for ever at the end of its input.
    #[test]
    fn lines_come_whole_and_the_end_is_error_1() {
        let mut lines = Lines::default();
        lines.feed(b"one\r\ntw");
        assert_eq!(lines.take(80), Some(Ok(b"one".to_vec())));
        assert_eq!(lines.take(80), None);
        lines.feed(b"o\n\nlonger\nrest");
        assert_eq!(lines.take(80), Some(Ok(b"two".to_vec())));
        assert_eq!(lines.take(80), Some(Ok(Vec::new())));
        assert_eq!(lines.take(4), Some(Ok(b"long".to_vec())));
        assert_eq!(lines.take(4), Some(Ok(b"er".to_vec())));
        lines.feed(b"");
        assert_eq!(lines.take(80), Some(Ok(b"rest".to_vec())));
        assert_eq!(lines.take(80), Some(Err(FileError::END_OF_FILE)));
        assert_eq!(lines.take(80), None, "a terminal can be read again");
    }
}
