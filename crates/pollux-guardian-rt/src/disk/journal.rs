//! Each write of an open with a sync depth happens exactly once.
//!
//! Guaranteed, for every end of a process between any two instructions, `kill -9` included:
//!
//! * a write is done whole or not at all, as other Pollux programs see the file;
//! * a write that its pair repeats with the same sync id is not done again if it was done, and gives the completion that
//!   it gave; if it was not done, it is done. An append keeps its place either way;
//! * a write with an older sync id than the depth covers is refused with error 39.
//!
//! Not guaranteed: anything over a loss of the machine (the control file is void after a restart), and anything against
//! programs that write the file without Pollux. With sync depth 0 nothing is remembered: a repeated write is done twice.
//!
//! All steps are taken under the lock of the control file, which the kernel takes away from a dead process:
//!
//! ```text
//!   1. finish what a dead process left: an intent on record
//!   2. known sync id?  -> its completion, no further step
//!   3. data of the write  -> control file
//!   4. intent             -> control file     from here on the write will happen, whoever does it
//!   5. data               -> data file        repeated by step 1 of the next comer: same bytes, same place, and
//!   6. completion         -> slot             nobody can have come in between
//!   7. no intent
//! ```

use super::layout::{
    COMPLETION_BYTES, COMPLETIONS_KEPT, Completion, DATA_AT, INTENT_AT, INTENT_BYTES, Intent,
    SLOT_HEAD_BYTES, Slot, SlotNumber,
};
use pollux_wire::FileError;
use std::io;

/// FEOLDSYNC: the request is older than the saved replies.
const OLD_SYNC: u16 = FileError::OLD_SYNC.0;

/// What the journal works on. The caller holds the lock.
pub(crate) trait Media {
    /// Fills `bytes` from the control file; what lies beyond its end is zero.
    fn control_read(&mut self, at: u64, bytes: &mut [u8]) -> io::Result<()>;
    /// Size of the control file.
    fn control_size(&mut self) -> io::Result<u64>;
    /// Writes to the control file.
    fn control_write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Writes to the data file.
    fn file_write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Size of the data file.
    fn file_size(&mut self) -> io::Result<u64>;
    /// Cuts the data file.
    fn file_cut(&mut self, size: u64) -> io::Result<()>;
    /// The Guardian number of an error of the data file; `None` for one that is no answer but the end of us.
    fn error_number(&self, error: &io::Error) -> Option<u16>;
}

/// Where a write goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// There.
    At(u64),
    /// Behind the last byte.
    End,
}

/// What a sync id is to an open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not seen: the write is to be done.
    New,
    /// Done before, and so it ended.
    Saved(Completion),
    /// Older than what is remembered.
    TooOld,
}

/// The last completions of an open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Completions {
    kept: Vec<Completion>,
}

impl Completions {
    /// The sync id of the last write that is done; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.kept.iter().map(|completion| completion.sync).max().unwrap_or(0)
    }

    /// Guardian Programmer's Guide, 21-5: with S the last id done and N the new one, N > S is new, S - N < depth is a
    /// duplicate, and any other is too old.
    pub(crate) fn verdict(&self, sync: u64, depth: u16) -> Verdict {
        let last = self.last();
        if sync > last {
            return Verdict::New;
        }
        let saved = self.kept.iter().find(|completion| completion.sync == sync);
        match saved {
            Some(saved) if last - sync < u64::from(depth) => Verdict::Saved(*saved),
            _ => Verdict::TooOld,
        }
    }
}

/// A write of an open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Write<'a> {
    /// Of which open.
    pub(crate) slot: SlotNumber,
    /// Serial of the slot.
    pub(crate) serial: u64,
    /// Sync depth of the open; 0: nothing is remembered.
    pub(crate) depth: u16,
    /// Its number.
    pub(crate) sync: u64,
    /// Where.
    pub(crate) place: Place,
    /// What.
    pub(crate) data: &'a [u8],
}

/// Does the write, or finds that it was done. An error is one of the media, after which the outcome is unknown.
pub(crate) fn write(media: &mut impl Media, write: &Write<'_>) -> io::Result<Completion> {
    recover(media)?;
    let Write { slot, serial, sync, data, .. } = *write;
    if write.depth == 0 {
        let size_before = media.file_size()?;
        let offset = start(write.place, size_before);
        return put(media, offset, size_before, data, sync, serial);
    }
    match completions(media, slot, serial)?.verdict(sync, write.depth) {
        Verdict::Saved(completion) => return Ok(completion),
        Verdict::TooOld => return Ok(Completion { sync, serial, end: 0, count: 0, error: OLD_SYNC }),
        Verdict::New => {}
    }
    let size_before = media.file_size()?;
    let offset = start(write.place, size_before);
    let length = u32::try_from(data.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    media.control_write(DATA_AT, data)?;
    let intent = Intent { slot, serial, sync, offset, length, size_before };
    media.control_write(INTENT_AT, &intent.encode())?;
    carry_out(media, &intent, data)
}

/// Finishes the write that a dead process has left under way, if there is one.
pub(crate) fn recover(media: &mut impl Media) -> io::Result<()> {
    let bytes = intent_bytes(media)?;
    // The data is there before the intent. One that announces more was made by nobody's write; believed, it would cost as
    // much memory as it says, and fill the data file with zeros.
    let data_bytes = media.control_size()?.saturating_sub(DATA_AT);
    let intent = Intent::decode(&bytes).filter(|intent| u64::from(intent.length) <= data_bytes);
    let Some(intent) = intent else {
        // What a torn clearing has left must not become whole again by the torn intent of the next write.
        if bytes.iter().any(|byte| *byte != 0) {
            media.control_write(INTENT_AT, &[0; INTENT_BYTES])?;
        }
        return Ok(());
    };
    let mut data = vec![0; intent.length as usize];
    media.control_read(DATA_AT, &mut data)?;
    carry_out(media, &intent, &data)?;
    Ok(())
}

/// The write that is under way.
pub(crate) fn pending(media: &mut impl Media) -> io::Result<Option<Intent>> {
    Ok(Intent::decode(&intent_bytes(media)?))
}

fn intent_bytes(media: &mut impl Media) -> io::Result<[u8; INTENT_BYTES]> {
    let mut bytes = [0; INTENT_BYTES];
    media.control_read(INTENT_AT, &mut bytes)?;
    Ok(bytes)
}

/// The completions that a slot's open remembers.
pub(crate) fn completions(media: &mut impl Media, slot: SlotNumber, serial: u64) -> io::Result<Completions> {
    let mut bytes = vec![0; COMPLETIONS_KEPT * COMPLETION_BYTES];
    media.control_read(slot.completion_at(0), &mut bytes)?;
    let kept = bytes.chunks_exact(COMPLETION_BYTES);
    Ok(Completions { kept: kept.filter_map(|bytes| Completion::decode(bytes, serial)).collect() })
}

fn start(place: Place, size: u64) -> u64 {
    match place {
        Place::At(offset) => offset,
        Place::End => size,
    }
}

fn carry_out(media: &mut impl Media, intent: &Intent, data: &[u8]) -> io::Result<Completion> {
    let Intent { slot, serial, sync, offset, size_before, .. } = *intent;
    let completion = put(media, offset, size_before, data, sync, serial)?;
    // A slot that another open has meanwhile is not ours to write in; that open could only be made after step 1.
    let mut head = [0; SLOT_HEAD_BYTES];
    media.control_read(slot.at(), &mut head)?;
    if Slot::decode(&head).is_some_and(|head| head.serial == serial) {
        media.control_write(slot.completion_at(sync), &completion.encode())?;
    }
    media.control_write(INTENT_AT, &[0; INTENT_BYTES])?;
    Ok(completion)
}

/// Writes all of it or, when that fails, leaves nothing of it behind the old end.
fn put(
    media: &mut impl Media,
    offset: u64,
    size_before: u64,
    data: &[u8],
    sync: u64,
    serial: u64,
) -> io::Result<Completion> {
    match media.file_write(offset, data) {
        Ok(()) => Ok(Completion {
            sync,
            serial,
            end: offset.saturating_add(data.len() as u64),
            count: data.len() as u32,
            error: 0,
        }),
        Err(error) => {
            let number = media.error_number(&error).ok_or(error)?;
            if media.file_size()? > size_before {
                media.file_cut(size_before)?;
            }
            Ok(Completion { sync, serial, end: offset, count: 0, error: number })
        }
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
