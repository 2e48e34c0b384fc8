//! The streams that are laid over files of the run-time, by the number that the C library knows each by (its cookie).
//!
//! What glibc asks of a stream ends here; what happens to the file is done by [`super::bridge`]. No lock is held while
//! the C library is called: it calls back.

use super::bridge;
use super::keeper::{Keeper, Taken};
use super::mode::{Kind, Mode};
use super::state::{FileState, OpenState};
use pollux_wire::FileError;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A stream over a file of the run-time.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Number of the file.
    pub(crate) file_number: i16,
    /// Name as the program gave it.
    pub(crate) name: String,
    /// Mode as the program gave it.
    pub(crate) mode_text: String,
    /// The same, read.
    pub(crate) mode: Mode,
    /// Sync depth.
    pub(crate) depth: u16,
    /// Address of the `FILE`, once there is one.
    pub(crate) address: usize,
    /// The file is one of those that the run-time opened before `main`, and another stream may have it too.
    pub(crate) shared: bool,
    keeper: Keeper,
    error: Option<FileError>,
}

/// Number of a stream, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamId(pub(crate) usize);

#[derive(Debug, Default)]
struct Streams {
    last: usize,
    list: BTreeMap<StreamId, Stream>,
}

static STREAMS: Mutex<Streams> = Mutex::new(Streams { last: 0, list: BTreeMap::new() });

fn streams() -> MutexGuard<'static, Streams> {
    STREAMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a stream is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum As {
    /// By a program that has it alone or shares it as a primary.
    First,
    /// By the backup, with this number, beside the primary's open.
    Backup(i16),
}

/// Opens the file of a stream, and enters the stream.
pub(crate) fn open(
    name: &str,
    mode_text: &str,
    mode: Mode,
    depth: u16,
    how: As,
) -> Result<StreamId, FileError> {
    let backup = matches!(how, As::Backup(_));
    if mode.makes() && !backup {
        bridge::make(name)?;
    }
    let number = bridge::open(name, mode, depth, how)?;
    if mode.empties(backup)
        && let Err(error) = bridge::empty(number)
    {
        bridge::close(number);
        return Err(error);
    }
    Ok(enter(number, name, mode_text, mode, depth))
}

/// Enters a stream over a file that is open.
pub(crate) fn enter(number: i16, name: &str, mode_text: &str, mode: Mode, depth: u16) -> StreamId {
    let stream = Stream {
        file_number: number,
        name: name.to_owned(),
        mode_text: mode_text.to_owned(),
        mode,
        depth,
        address: 0,
        shared: false,
        keeper: Keeper::default(),
        error: None,
    };
    let mut streams = streams();
    streams.last += 1;
    let id = StreamId(streams.last);
    streams.list.insert(id, stream);
    id
}

/// Runs with a stream, if there is one of that number.
pub(crate) fn with<T>(id: StreamId, body: impl FnOnce(&mut Stream) -> T) -> Option<T> {
    streams().list.get_mut(&id).map(body)
}

/// The stream of a `FILE`, if it is one of ours.
pub(crate) fn at(address: usize) -> Option<StreamId> {
    let streams = streams();
    let found = streams.list.iter().find(|(_, stream)| stream.address == address && address != 0);
    found.map(|(id, _)| *id)
}

/// Addresses of all streams.
pub(crate) fn addresses() -> Vec<usize> {
    streams().list.values().map(|stream| stream.address).collect()
}

/// The C library wants bytes.
pub(crate) fn read(id: StreamId, room: usize) -> Result<Vec<u8>, FileError> {
    let number = with(id, |stream| stream.file_number).ok_or(FileError::NOT_OPEN)?;
    match bridge::read(number, room) {
        Err(FileError::END_OF_FILE) => Ok(Vec::new()),
        read => read,
    }
}

/// The C library has bytes to write. They are taken out of the registry's lock: a write may wait for long.
pub(crate) fn write(id: StreamId, data: &[u8], buffered: bool) -> Taken {
    let lost = Taken { count: 0, error: Some(FileError::NOT_OPEN) };
    let Some((number, mode, mut keeper)) = borrow_keeper(id) else { return lost };
    let taken = keeper.write(data, buffered, |bytes| put(number, mode, bytes));
    return_keeper(id, keeper, taken.error);
    taken
}

/// Writes what is kept.
pub(crate) fn drain(id: StreamId) -> Result<(), FileError> {
    let (number, mode, mut keeper) = borrow_keeper(id).ok_or(FileError::NOT_OPEN)?;
    let drained = keeper.drain(|bytes| put(number, mode, bytes));
    return_keeper(id, keeper, drained.err());
    drained
}

/// Moves the position; the new one.
pub(crate) fn seek(id: StreamId, offset: i64, from: Whence) -> Result<i64, FileError> {
    drain(id)?;
    let number = with(id, |stream| stream.file_number).ok_or(FileError::NOT_OPEN)?;
    let base = match from {
        Whence::Start => 0,
        Whence::Current => bridge::position(number)?,
        Whence::End => bridge::size(number)?,
    };
    let at = i64::try_from(base).ok().and_then(|base| base.checked_add(offset));
    let at = at.filter(|at| *at >= 0).ok_or(FileError(23))?;
    bridge::set_position(number, at as u64)?;
    Ok(at)
}

/// From where a seek counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whence {
    /// Beginning of the file.
    Start,
    /// The current position.
    Current,
    /// End of the file.
    End,
}

/// The stream ends. What cannot be written is lost, and told.
pub(crate) fn close(id: StreamId) -> Result<(), FileError> {
    let drained = drain(id);
    let Some(stream) = streams().list.remove(&id) else { return Err(FileError::NOT_OPEN) };
    if !stream.shared {
        bridge::close(stream.file_number);
    }
    drained
}

/// What a backup needs to open the stream beside this process.
pub(crate) fn open_state(id: StreamId) -> Option<OpenState> {
    with(id, |stream| OpenState {
        file_number: stream.file_number,
        depth: stream.depth,
        mode: stream.mode_text.clone(),
        name: stream.name.clone(),
    })
}

/// Where the stream stands. `behind`: so many bytes before the file's position the program is (it has them in the C
/// library's buffer, unread); what is not yet written does not count.
pub(crate) fn file_state(id: StreamId, behind: u64) -> Result<FileState, FileError> {
    let number = with(id, |stream| stream.file_number).ok_or(FileError::NOT_OPEN)?;
    let position = bridge::position(number).unwrap_or(0).saturating_sub(behind);
    let sync_block = bridge::sync_block(number)?;
    Ok(FileState { position: i64::try_from(position).unwrap_or(i64::MAX), file_number: number, sync_block })
}

/// The sync block of a state, and nothing kept: the position is set by a seek of the C library, which knows its buffer.
pub(crate) fn set_file_state(id: StreamId, state: &FileState) -> Result<(), FileError> {
    let number = with(id, |stream| {
        stream.keeper.forget();
        stream.error = None;
        stream.file_number
    });
    let number = number.ok_or(FileError::NOT_OPEN)?;
    if state.file_number != number {
        return Err(FileError(41));
    }
    if state.sync_block.is_empty() { Ok(()) } else { bridge::set_sync_block(number, &state.sync_block) }
}

fn put(number: i16, mode: Mode, bytes: &[u8]) -> Result<usize, FileError> {
    bridge::write(number, bytes, mode.kind == Kind::Append)
}

fn borrow_keeper(id: StreamId) -> Option<(i16, Mode, Keeper)> {
    with(id, |stream| (stream.file_number, stream.mode, std::mem::take(&mut stream.keeper)))
}

fn return_keeper(id: StreamId, keeper: Keeper, error: Option<FileError>) {
    with(id, |stream| {
        stream.keeper = keeper;
        stream.error = error;
    });
}
