//! Frames of the raw servers, and the table in which they are stored.

use super::BUFFER_BYTES;
use crate::load::REQUEST_BYTES_MIN;
use crate::server::{TABLE_ENTRIES, slot};
use anyhow::Result;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;

/// What primary and backup keep.
pub(super) struct Table(Vec<Vec<u8>>);

impl Default for Table {
    fn default() -> Self {
        Self(vec![Vec::new(); TABLE_ENTRIES as usize])
    }
}

impl Table {
    pub(super) fn store(&mut self, mut frames: &[u8]) {
        while !frames.is_empty() {
            let (frame, rest) = frames.split_at(length_of(frames).clamp(REQUEST_BYTES_MIN, frames.len()));
            let entry = &mut self.0[slot(frame) as usize];
            entry.clear();
            entry.extend_from_slice(frame);
            frames = rest;
        }
    }
}

/// Bytes that have arrived.
#[derive(Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    end: usize,
    spare: Vec<u8>,
}

impl Frames {
    /// Reads once; false at the end of the stream.
    pub(super) fn fill(&mut self, from: &mut UnixStream) -> Result<bool> {
        if self.bytes.len() < self.end + BUFFER_BYTES {
            self.bytes.resize(self.end + BUFFER_BYTES, 0);
        }
        match from.read(&mut self.bytes[self.end..]) {
            Ok(count) => self.end += count,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(self.end > 0)
    }

    /// All frames that are complete, as one piece.
    pub(super) fn take_whole(&mut self) -> Vec<u8> {
        let whole = whole_length(&self.bytes[..self.end]);
        let mut taken = std::mem::take(&mut self.spare);
        taken.clear();
        taken.extend_from_slice(&self.bytes[..whole]);
        self.bytes.copy_within(whole..self.end, 0);
        self.end -= whole;
        taken
    }

    /// The buffer is free again.
    pub(super) fn give_back(&mut self, taken: Vec<u8>) {
        self.spare = taken;
    }
}

/// Length of the frames at the beginning that are complete.
pub(super) fn whole_length(bytes: &[u8]) -> usize {
    let mut whole = 0;
    while bytes.len() - whole >= 4 {
        let length = length_of(&bytes[whole..]).max(REQUEST_BYTES_MIN);
        if length > bytes.len() - whole {
            break;
        }
        whole += length;
    }
    whole
}

/// What a frame, or a checkpoint, says of its own length.
pub(super) fn length_of(frame: &[u8]) -> usize {
    let length = frame.get(..4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
    length as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    // A raw server that answers half a frame, or waits for one that is there, measures something else.
    #[test]
    fn only_complete_frames_are_whole() {
        let frame = |length: u32| {
            let mut frame = vec![0; length as usize];
            frame[..4].copy_from_slice(&length.to_le_bytes());
            frame
        };
        let bytes = [frame(8), frame(64), frame(100)].concat();
        assert_eq!(whole_length(&bytes), 172);
        assert_eq!(whole_length(&bytes[..171]), 72);
        assert_eq!(whole_length(&bytes[..7]), 0);
        assert_eq!(whole_length(&[]), 0);
    }
}
