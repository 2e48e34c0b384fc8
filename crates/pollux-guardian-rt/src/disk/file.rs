//! An open disk file as the Guardian procedures see it: positions, sync ids, error numbers.
//!
//! Unstructured files only. Of the two pointers (Guardian Procedure Calls, `POSITION`) the *next record* is where READ and
//! WRITE begin and is moved by them; the *current record* is where the last of them began, and where READUPDATE and
//! WRITEUPDATE work without moving anything.

use super::control::{ControlledFile, Opening, open_data};
use super::errors;
use super::exclusion::Access;
use super::journal::Place;
use super::sync_block::SyncBlock;
use pollux_os::points::{self, Mark, Subject};
use pollux_wire::FileError;
use std::path::Path;

/// Position "at the end of the file" (`POSITION`, -1).
pub(crate) const AT_END: u64 = u64::MAX;
/// Largest sync depth of a disk file (Guardian Procedure Calls, `FILE_OPEN_`).
pub(crate) const SYNC_DEPTH_MAX: u16 = 15;

/// An open disk file.
#[derive(Debug)]
pub(crate) struct DiskFile {
    file: ControlledFile,
    file_number: i16,
    access: Access,
    depth: u16,
    /// Sync id of the last write that was asked for.
    sync: u64,
    current: u64,
    next: u64,
}

impl DiskFile {
    /// Opens an existing regular file; `directory` is where the control files of the node are.
    pub(crate) fn open(directory: &Path, path: &Path, opening: &Opening) -> Result<Self, FileError> {
        if opening.depth > SYNC_DEPTH_MAX {
            return Err(FileError::TOO_MANY_OUTSTANDING);
        }
        let (data, writable) = open_data(path, opening.access).map_err(|error| errors::number(&error))?;
        if !data.metadata().map_err(|error| errors::number(&error))?.is_file() {
            return Err(errors::NOT_FOR_THIS_FILE);
        }
        let Opening { key, backup, access, depth, .. } = *opening;
        let mut file = ControlledFile::enter(directory, data, writable, opening)?;
        // A backup that is never told a state goes on behind all that was written when it opened the file.
        let sync = if backup { file.last_sync()? } else { 0 };
        let file_number = key.file_number;
        Ok(Self { file, file_number, access, depth, sync, current: 0, next: 0 })
    }

    /// READX: from the next record on. Error 1 at the end.
    pub(crate) fn read(&mut self, count: usize) -> Result<Vec<u8>, FileError> {
        let at = self.next;
        let bytes = self.read_from(at, count)?;
        self.current = at;
        self.next = at + bytes.len() as u64;
        Ok(bytes)
    }

    /// READUPDATEX: from the current record on.
    pub(crate) fn read_update(&mut self, count: usize) -> Result<Vec<u8>, FileError> {
        self.read_from(self.current, count)
    }

    /// WRITEX: at the next record. Returns how many bytes.
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<usize, FileError> {
        let place = if self.next == AT_END { Place::End } else { Place::At(self.next) };
        let end = self.put(place, data)?;
        // The count is that of the first time, should this be a repetition: the position follows it.
        self.current = end.0.saturating_sub(end.1 as u64);
        self.next = if place == Place::End { AT_END } else { end.0 };
        Ok(end.1)
    }

    /// A write at the end, whatever the position: streams that append.
    pub(crate) fn append(&mut self, data: &[u8]) -> Result<usize, FileError> {
        let (end, count) = self.put(Place::End, data)?;
        self.current = end.saturating_sub(count as u64);
        self.next = end;
        Ok(count)
    }

    /// WRITEUPDATEX: at the current record, within the file.
    pub(crate) fn write_update(&mut self, data: &[u8]) -> Result<usize, FileError> {
        if self.current == AT_END || self.current >= self.file.size()? {
            return Err(FileError::END_OF_FILE);
        }
        Ok(self.put(Place::At(self.current), data)?.1)
    }

    /// POSITION and `FILE_SETPOSITION_`.
    pub(crate) fn set_position(&mut self, at: u64) {
        (self.current, self.next) = (at, at);
    }

    /// The next record, or the size for a position at the end.
    pub(crate) fn position(&self) -> Result<u64, FileError> {
        if self.next == AT_END { self.file.size() } else { Ok(self.next) }
    }

    /// Size in bytes.
    pub(crate) fn size(&self) -> Result<u64, FileError> {
        self.file.size()
    }

    /// Makes the file end at the current position (CONTROL 2, and streams of mode `w`).
    pub(crate) fn cut(&mut self, size: u64) -> Result<(), FileError> {
        if !self.access.writes() {
            return Err(errors::ACCESS_VIOLATION);
        }
        self.file.set_size(size)
    }

    /// CONTROL 27 and `FILE_REFRESH_`: the bytes are on the disk afterwards.
    pub(crate) fn refresh(&self) -> Result<(), FileError> {
        self.file.refresh()
    }

    /// `FILE_GETSYNCINFO_`.
    pub(crate) fn sync_block(&self) -> SyncBlock {
        SyncBlock {
            file_number: self.file_number,
            depth: self.depth,
            sync: self.sync,
            current: self.current,
            next: self.next,
        }
    }

    /// `FILE_SETSYNCINFO_`: the writes behind the block are repeated from here on. Error 41 for the block of another file.
    pub(crate) fn set_sync_block(&mut self, block: &SyncBlock) -> Result<(), FileError> {
        if block.file_number != self.file_number || block.depth != self.depth {
            return Err(FileError(41));
        }
        (self.sync, self.current, self.next) = (block.sync, block.current, block.next);
        Ok(())
    }

    /// RESETSYNC: the writes from here on are other ones than those of the primary.
    pub(crate) fn reset_sync(&mut self) -> Result<(), FileError> {
        self.sync = self.file.last_sync()?.max(self.sync);
        Ok(())
    }

    fn read_from(&mut self, at: u64, count: usize) -> Result<Vec<u8>, FileError> {
        if !self.access.reads() {
            return Err(errors::ACCESS_VIOLATION);
        }
        if at == AT_END {
            return Err(FileError::END_OF_FILE);
        }
        let left = usize::try_from(self.file.size()?.saturating_sub(at)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; count.min(left)];
        let read = self.file.read(at, &mut bytes)?;
        bytes.truncate(read);
        if read == 0 && count > 0 { Err(FileError::END_OF_FILE) } else { Ok(bytes) }
    }

    /// Where the written bytes end, and how many they are.
    fn put(&mut self, place: Place, data: &[u8]) -> Result<(u64, usize), FileError> {
        if !self.access.writes() {
            return Err(errors::ACCESS_VIOLATION);
        }
        let sync = self.sync + 1;
        points::pass(Mark::Writing, Subject::of(0, sync, data));
        let completion = self.file.write(sync, place, data)?;
        // A request that was answered has used up its number, also if the answer was an error.
        self.sync = sync;
        match completion.error {
            0 => Ok((completion.end, completion.count as usize)),
            error => Err(FileError(error)),
        }
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
