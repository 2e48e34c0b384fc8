//! What a stream asks of its file, done by the run-time. Each function holds the run-time for its own time only.

use super::mode::Mode as StreamMode;
use super::streams::As;
use crate::disk::entries;
use crate::disk::file::DiskFile;
use crate::disk::opening;
use crate::disk::sync_block::SyncBlock;
use crate::files::operations::Kind;
use crate::files::{FileKind, Mode, Transfer, sync_block};
use crate::memory::Buffer;
use crate::runtime::{self, Runtime};
use crate::transfer::OpenRequest;
use pollux_wire::control::StartAs;
use pollux_wire::{FileError, Phandle};

/// Bytes of one write or read of a stream over a process.
pub(crate) const MESSAGE_BYTES_MAX: usize = 32_000;

/// True if `fopen` of this name is for the run-time: names of Guardian, and regular files, which exist or do not yet.
/// Devices, pipes and directories are the C library's.
pub(crate) fn is_ours(name: &str) -> bool {
    if !opening::is_linux(name) {
        return true;
    }
    match linux_path(name).map(std::fs::metadata) {
        Ok(Ok(facts)) => facts.is_file(),
        Ok(Err(_)) | Err(_) => true,
    }
}

/// The Linux path of a name.
pub(crate) fn linux_path(name: &str) -> Result<String, FileError> {
    let path = opening::path(name, "")?;
    path.into_os_string().into_string().map_err(|_| FileError::BAD_NAME)
}

/// Makes a file that is not there.
pub(crate) fn make(name: &str) -> Result<(), FileError> {
    if !opening::is_linux(name) {
        return Ok(());
    }
    entries::make(name, false).map(drop)
}

/// Opens a file for a stream; its number.
pub(crate) fn open(name: &str, mode: StreamMode, depth: u16, how: As) -> Result<i16, FileError> {
    let mode = Mode {
        access: mode.access().number() as u8,
        exclusion: mode.exclusion().number() as u8,
        nowait_depth: 0,
        depth,
        options: 0,
    };
    runtime::with(|runtime| runtime.open_for_stream(name, mode, how))
}

/// Makes a file empty.
pub(crate) fn empty(number: i16) -> Result<(), FileError> {
    on_disk(number, |file| file.cut(0)).unwrap_or(Ok(()))
}

/// Closes a file; nothing is told of a number that is not open.
pub(crate) fn close(number: i16) {
    let _ = runtime::with(|runtime| runtime.close(number, 0));
}

/// The next bytes; of a terminal the next line, with its end.
pub(crate) fn read(number: i16, room: usize) -> Result<Vec<u8>, FileError> {
    if let Some(read) = on_disk(number, |file| file.read(room)) {
        return read;
    }
    let by_lines = has_lines(number);
    let room = room.min(MESSAGE_BYTES_MAX).saturating_sub(usize::from(by_lines));
    let mut bytes = runtime::with(|runtime| runtime.read_for_stream(number, room))?;
    if by_lines {
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// Writes bytes, to the end of the file for a stream that appends; how many.
pub(crate) fn write(number: i16, bytes: &[u8], append: bool) -> Result<usize, FileError> {
    let written = on_disk(number, |file| if append { file.append(bytes) } else { file.write(bytes) });
    if let Some(written) = written {
        return written;
    }
    if has_lines(number) {
        // A line file ends the line itself.
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let end = usize::from(line.len() < bytes.len());
        runtime::with(|runtime| runtime.write_for_stream(number, line))?;
        return Ok(line.len() + end);
    }
    let message = &bytes[..bytes.len().min(MESSAGE_BYTES_MAX)];
    runtime::with(|runtime| runtime.write_for_stream(number, message))?;
    Ok(message.len())
}

/// True if the file has positions.
pub(crate) fn seeks(number: i16) -> bool {
    on_disk(number, |_| ()).is_some()
}

/// True if the file is read and written by lines.
pub(crate) fn has_lines(number: i16) -> bool {
    runtime::with(|runtime| match &mut runtime.files.get_mut(number).map(|file| &mut file.kind) {
        Ok(FileKind::Other(other)) => other.as_any().downcast_ref::<DiskFile>().is_none(),
        _ => false,
    })
}

/// The position of a disk file.
pub(crate) fn position(number: i16) -> Result<u64, FileError> {
    on_disk(number, |file| file.position()).unwrap_or(Err(FileError::INVALID_OPERATION))
}

/// The size of a disk file.
pub(crate) fn size(number: i16) -> Result<u64, FileError> {
    on_disk(number, |file| file.size()).unwrap_or(Err(FileError::INVALID_OPERATION))
}

/// Moves the position of a disk file.
pub(crate) fn set_position(number: i16, at: u64) -> Result<(), FileError> {
    on_disk(number, |file| file.set_position(at)).ok_or(FileError::INVALID_OPERATION)
}

/// The sync block of a file; empty for one that has none.
pub(crate) fn sync_block(number: i16) -> Result<Vec<u8>, FileError> {
    match on_disk(number, |file| file.sync_block().encode().to_vec()) {
        Some(block) => Ok(block),
        None => runtime::with(|runtime| runtime.process_sync_block(number)),
    }
}

/// Sets the sync block of a file.
pub(crate) fn set_sync_block(number: i16, block: &[u8]) -> Result<(), FileError> {
    match on_disk(number, |file| file.set_sync_block(&SyncBlock::decode(block)?)) {
        Some(set) => set,
        None => runtime::with(|runtime| runtime.set_process_sync_block(number, block)),
    }
}

fn on_disk<T>(number: i16, body: impl FnOnce(&mut DiskFile) -> T) -> Option<T> {
    runtime::with(|runtime: &mut Runtime| runtime.disk_file(number).ok().map(body))
}

/// True for the name of a process.
pub(crate) fn is_process(name: &str) -> bool {
    !opening::is_linux(name)
}

impl Runtime {
    fn open_for_stream(&mut self, name: &str, mode: Mode, how: As) -> Result<i16, FileError> {
        let backup = match how {
            As::First => None,
            As::Backup(number) => Some((self.primary_of_the_pair()?, number)),
        };
        let request = OpenRequest { name: name.to_owned(), mode, backup, internal: false };
        self.open(request).map(|(number, _)| number)
    }

    /// The primary, for its backup. Error 17 in any other process.
    fn primary_of_the_pair(&self) -> Result<Phandle, FileError> {
        let recorded = self.record.as_ref().map(|record| record.primary);
        let started = match &self.start {
            StartAs::ActiveBackup { primary, .. } => Some(*primary),
            _ => None,
        };
        recorded.or(started).filter(|primary| *primary != self.me).ok_or(FileError::NO_PRIMARY_OPEN)
    }

    fn read_for_stream(&mut self, number: i16, room: usize) -> Result<Vec<u8>, FileError> {
        let mut bytes = vec![0_u8; room];
        let read = Buffer::new(bytes.as_mut_ptr().cast_const().cast(), room)?;
        let transfer = Transfer { kind: Kind::Read, write: Buffer::NONE, read, tag: 0 };
        let (count, read) = self.transfer(number, &transfer);
        read?;
        bytes.truncate(count.unwrap_or(0));
        Ok(bytes)
    }

    fn write_for_stream(&mut self, number: i16, bytes: &[u8]) -> Result<(), FileError> {
        let write = Buffer::new(bytes.as_ptr().cast(), bytes.len())?;
        let transfer = Transfer { kind: Kind::Write, write, read: Buffer::NONE, tag: 0 };
        self.transfer(number, &transfer).1
    }

    fn process_sync_block(&mut self, number: i16) -> Result<Vec<u8>, FileError> {
        match &mut self.files.get_mut(number)?.kind {
            FileKind::Process(process) => Ok(sync_block::make(process.next_sync()?).to_vec()),
            _ => Ok(Vec::new()),
        }
    }

    fn set_process_sync_block(&mut self, number: i16, block: &[u8]) -> Result<(), FileError> {
        match &mut self.files.get_mut(number)?.kind {
            FileKind::Process(process) => process.set_next(sync_block::read(block)?),
            _ => Ok(()),
        }
    }
}
