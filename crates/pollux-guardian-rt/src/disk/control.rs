//! A disk file with its control file: the I/O behind [`super::journal`] and [`super::exclusion`].
//!
//! The control file lies in the directory `disk` of the node's run directory and is named after device, inode and birth
//! time of the data file. Its locks are those of an open file description (fcntl, `F_OFD_SETLK`): closing another
//! descriptor of the process does not lose them, and the kernel drops them when the process is gone, however it went.
//!
//! ```text
//!   lock at byte 0          held while anything is read for a decision or written
//!   lock at byte 2s+1, 2s+2 held by the one and by the other half that has the open of slot s
//! ```
//!
//! A slot whose two locks are free belongs to nobody. So an exclusive open stays exclusive from the primary to the
//! backup that takes over, without an instant in between.
//!
//! A half that was lost with its CPU may still be about to end when the other half is the primary and has a new backup: for
//! a moment it keeps its lock, and that backup waits for it.

use super::errors;
use super::exclusion::{Access, Exclusion, may_coexist};
use super::journal::{self, Media, Write};
use super::layout::{
    Completion, HEADER_BYTES, OpenKey, SLOT_BYTES, SLOT_HEAD_BYTES, SLOTS_AT, SLOTS_MAX, Slot, SlotNumber,
    header,
};
use nix::fcntl::{FcntlArg, fcntl};
use pollux_os::points::{self, Mark, Subject};
use pollux_wire::FileError;
use rustix::fs::{AtFlags, StatxFlags};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// FEOPENSTOP: more opens of one file than [`SLOTS_MAX`].
const TOO_MANY_OPENS: FileError = FileError::NO_MORE_OPENS;
/// Where the kernel tells that the machine was started anew.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const FILE_LOCK: i64 = 0;
/// How long a backup waits for the place of a half that ends.
const PLACE_WAIT: Duration = Duration::from_secs(2);
/// Between two looks at it.
const PLACE_PAUSE: Duration = Duration::from_millis(1);

/// How a disk file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opening {
    /// Of which process, as which file.
    pub(crate) key: OpenKey,
    /// True for the backup open: the primary must have the file open, and the two are one opening.
    pub(crate) backup: bool,
    /// Rights.
    pub(crate) access: Access,
    /// What others may not.
    pub(crate) exclusion: Exclusion,
    /// Sync depth.
    pub(crate) depth: u16,
}

/// How an attempt to enter an opener ended, if nothing is wrong with it.
enum Entered {
    /// It has its slot.
    Yes,
    /// Two halves hold the open already.
    NoPlace,
}

/// An open disk file.
#[derive(Debug)]
pub(crate) struct ControlledFile {
    data: File,
    control: File,
    control_path: PathBuf,
    slot: SlotNumber,
    serial: u64,
    depth: u16,
    writable: bool,
}

/// Opens the data file for the most that the user may do: whoever comes first finishes a dead writer's write, also one
/// that came to read.
pub(crate) fn open_data(path: &Path, access: Access) -> io::Result<(File, bool)> {
    let open = |read: bool, write: bool| {
        let flags = libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
        OpenOptions::new().read(read).write(write).custom_flags(flags).open(path)
    };
    match (open(true, true), access) {
        (Ok(file), _) => Ok((file, true)),
        (Err(_), Access::Read) => Ok((open(true, false)?, false)),
        (Err(_), Access::Write) => Ok((open(false, true)?, true)),
        (Err(error), Access::ReadWrite) => Err(error),
    }
}

impl ControlledFile {
    /// Enters the opener of a data file that is open.
    pub(crate) fn enter(
        directory: &Path,
        data: File,
        writable: bool,
        opening: &Opening,
    ) -> Result<Self, FileError> {
        let name = control_name(&data).map_err(|error| errors::number(&error))?;
        let control_path = directory.join(name);
        let control = open_control(&control_path).map_err(|error| errors::of_our_file(&error))?;
        let slot = SlotNumber(0);
        let mut file = Self { data, control, control_path, slot, serial: 0, depth: opening.depth, writable };
        let deadline = Instant::now() + PLACE_WAIT;
        loop {
            let entered = file.take_slot(opening);
            let unlocked =
                lock(&file.control, FILE_LOCK, libc::F_UNLCK).map_err(|_| errors::FILE_SYSTEM_ERROR);
            let entered = entered?;
            unlocked?;
            match entered {
                Entered::Yes => return Ok(file),
                Entered::NoPlace if Instant::now() >= deadline => return Err(FileError::NO_PRIMARY_OPEN),
                Entered::NoPlace => std::thread::sleep(PLACE_PAUSE),
            }
            lock(&file.control, FILE_LOCK, libc::F_WRLCK).map_err(|_| errors::FILE_SYSTEM_ERROR)?;
        }
    }

    /// Sync id of the last write that this open, or the other half's, has done.
    pub(crate) fn last_sync(&mut self) -> Result<u64, FileError> {
        self.locked(|file| {
            journal::recover(file)?;
            Ok(journal::completions(file, file.slot, file.serial)?.last())
        })
    }

    /// Does a write once.
    pub(crate) fn write(
        &mut self,
        sync: u64,
        place: journal::Place,
        data: &[u8],
    ) -> Result<Completion, FileError> {
        let (slot, serial, depth) = (self.slot, self.serial, self.depth);
        self.locked(|file| journal::write(file, &Write { slot, serial, depth, sync, place, data }))
    }

    /// Reads; fewer bytes than asked for only at the end of the file.
    pub(crate) fn read(&mut self, at: u64, bytes: &mut [u8]) -> Result<usize, FileError> {
        // A dead writer's write comes before what is read after it: a record must not change under its next owner.
        if self.writable && journal::pending(self).map_err(|_| errors::FILE_SYSTEM_ERROR)?.is_some() {
            self.locked(journal::recover)?;
        }
        let mut read = 0;
        while read < bytes.len() {
            match self.data.read_at(&mut bytes[read..], at.saturating_add(read as u64)) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(errors::number(&error)),
            }
        }
        Ok(read)
    }

    /// Size of the data file.
    pub(crate) fn size(&self) -> Result<u64, FileError> {
        self.data.metadata().map(|facts| facts.len()).map_err(|error| errors::number(&error))
    }

    /// Cuts or extends the data file.
    pub(crate) fn set_size(&mut self, size: u64) -> Result<(), FileError> {
        self.locked(|file| {
            journal::recover(file)?;
            file.data.set_len(size)
        })
    }

    /// Makes the bytes safe from a loss of the machine.
    pub(crate) fn refresh(&self) -> Result<(), FileError> {
        self.data.sync_all().map_err(|error| errors::number(&error))
    }

    fn locked<T>(&mut self, work: impl FnOnce(&mut Self) -> io::Result<T>) -> Result<T, FileError> {
        lock(&self.control, FILE_LOCK, libc::F_WRLCK).map_err(|_| errors::FILE_SYSTEM_ERROR)?;
        let done = work(self).map_err(|error| errors::number(&error));
        lock(&self.control, FILE_LOCK, libc::F_UNLCK).map_err(|_| errors::FILE_SYSTEM_ERROR)?;
        done
    }

    /// With the lock held: finds that nobody is in the way, and takes a slot.
    fn take_slot(&mut self, opening: &Opening) -> Result<Entered, FileError> {
        let broken = |_| errors::FILE_SYSTEM_ERROR;
        if self.writable {
            journal::recover(self).map_err(broken)?;
        }
        let mut free = None;
        let mut shared = None;
        for (number, slot) in self.slots().map_err(broken)? {
            let held = holders(&self.control, number).map_err(broken)?;
            match slot.filter(|_| held.iter().any(|held| *held)) {
                None if held == [false, false] => free = free.or(Some(number)),
                None => {}
                Some(slot) if opening.backup && slot.key == opening.key => {
                    shared = Some((number, slot, held))
                }
                Some(slot) => {
                    let other = (slot.access, slot.exclusion);
                    if !may_coexist((opening.access, opening.exclusion), other) {
                        return Err(FileError::IN_USE);
                    }
                }
            }
        }
        if opening.backup {
            let (number, slot, held) = shared.ok_or(FileError::NO_PRIMARY_OPEN)?;
            let same = slot.access == opening.access
                && slot.exclusion == opening.exclusion
                && slot.depth == opening.depth;
            if !same {
                return Err(FileError::NO_PRIMARY_OPEN);
            }
            let Some(place) = held.iter().position(|held| !held) else { return Ok(Entered::NoPlace) };
            (self.slot, self.serial) = (number, slot.serial);
            lock(&self.control, holder_lock(number, place), libc::F_WRLCK).map_err(broken)?;
            return Ok(Entered::Yes);
        }
        let number = free.ok_or(TOO_MANY_OPENS)?;
        lock(&self.control, holder_lock(number, 0), libc::F_WRLCK).map_err(broken)?;
        (self.slot, self.serial) = (number, self.next_serial().map_err(broken)?);
        let Opening { key, access, exclusion, depth, .. } = *opening;
        let slot = Slot { serial: self.serial, key, access, exclusion, depth };
        self.control.write_all_at(&slot.encode(), number.at()).map_err(broken)?;
        Ok(Entered::Yes)
    }

    fn slots(&self) -> io::Result<Vec<(SlotNumber, Option<Slot>)>> {
        let mut bytes = vec![0; SLOTS_MAX * SLOT_BYTES as usize];
        read_or_zero(&self.control, SLOTS_AT, &mut bytes)?;
        let heads =
            bytes.chunks_exact(SLOT_BYTES as usize).map(|slot| Slot::decode(&slot[..SLOT_HEAD_BYTES]));
        Ok(heads.enumerate().map(|(number, slot)| (SlotNumber(number as u16), slot)).collect())
    }

    /// Serials only have to differ among the opens of one control file, and grow with each.
    fn next_serial(&self) -> io::Result<u64> {
        Ok(self.slots()?.iter().filter_map(|(_, slot)| slot.map(|slot| slot.serial)).max().unwrap_or(0) + 1)
    }
}

impl Drop for ControlledFile {
    /// Clears the slot if the other half has it not, and the control file if nobody has the file open.
    fn drop(&mut self) {
        if lock(&self.control, FILE_LOCK, libc::F_WRLCK).is_err() || journal::recover(self).is_err() {
            return;
        }
        // Locks of our own are no hindrance to us: only those of others are seen.
        let Ok(slots) = self.slots() else { return };
        let held = |number| holders(&self.control, number).is_ok_and(|held| held != [false, false]);
        if !slots.iter().any(|(number, slot)| slot.is_some() && held(*number)) {
            let _ = std::fs::remove_file(&self.control_path);
        } else if !held(self.slot) {
            let _ = self.control.write_all_at(&[0; SLOT_HEAD_BYTES], self.slot.at());
        }
    }
}

impl Media for ControlledFile {
    fn control_read(&mut self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        read_or_zero(&self.control, at, bytes)
    }
    fn control_size(&mut self) -> io::Result<u64> {
        Ok(self.control.metadata()?.len())
    }
    fn control_write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.control.write_all_at(bytes, at)?;
        points::pass(Mark::Journaled, Subject::default());
        Ok(())
    }
    fn file_write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.data.write_all_at(bytes, at)?;
        points::pass(Mark::Written, Subject::default());
        Ok(())
    }
    fn file_size(&mut self) -> io::Result<u64> {
        Ok(self.data.metadata()?.len())
    }
    fn file_cut(&mut self, size: u64) -> io::Result<()> {
        self.data.set_len(size)
    }
    fn error_number(&self, error: &io::Error) -> Option<u16> {
        errors::is_an_answer(error).then(|| errors::number(error).0)
    }
}

/// The control file, locked. One that was removed between its open and its lock is not the one others will see.
fn open_control(path: &Path) -> io::Result<File> {
    loop {
        let control = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW)
            .open(path)?;
        lock(&control, FILE_LOCK, libc::F_WRLCK)?;
        if control.metadata()?.nlink() > 0 {
            prepare(&control)?;
            return Ok(control);
        }
    }
}

/// A control file from before a restart of the machine is void: its intents may lack their data.
fn prepare(control: &File) -> io::Result<()> {
    let wanted = header(boot_id());
    let mut found = [0; HEADER_BYTES];
    read_or_zero(control, 0, &mut found)?;
    if found != wanted {
        control.set_len(0)?;
        control.write_all_at(&wanted, 0)?;
    }
    Ok(())
}

fn boot_id() -> [u8; 16] {
    let text = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
    let mut id = [0; 16];
    let digits = text.bytes().filter(u8::is_ascii_hexdigit);
    for (index, digit) in digits.enumerate().take(32) {
        let value = (digit as char).to_digit(16).unwrap_or(0) as u8;
        id[index / 2] = id[index / 2] << 4 | value;
    }
    id
}

/// Device and inode are used again for other files; with the birth time they are not.
fn control_name(data: &File) -> io::Result<String> {
    let facts = rustix::fs::statx(data, "", AtFlags::EMPTY_PATH, StatxFlags::INO | StatxFlags::BTIME)?;
    let born = facts.stx_btime;
    Ok(format!(
        "{:x}-{:x}-{:x}-{:x}.{:x}",
        facts.stx_dev_major, facts.stx_dev_minor, facts.stx_ino, born.tv_sec, born.tv_nsec
    ))
}

fn read_or_zero(file: &File, at: u64, bytes: &mut [u8]) -> io::Result<()> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], at + read as u64) {
            Ok(0) => {
                bytes[read..].fill(0);
                break;
            }
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn holder_lock(slot: SlotNumber, half: usize) -> i64 {
    1 + i64::from(slot.0) * 2 + half as i64
}

/// Whether others hold the one and the other half of a slot.
fn holders(control: &File, slot: SlotNumber) -> io::Result<[bool; 2]> {
    let mut held = [false; 2];
    for (half, held) in held.iter_mut().enumerate() {
        let mut asked = range(holder_lock(slot, half), libc::F_WRLCK);
        fcntl(control, FcntlArg::F_OFD_GETLK(&mut asked))?;
        *held = i32::from(asked.l_type) != libc::F_UNLCK;
    }
    Ok(held)
}

/// Locks or unlocks one byte; waits for it.
fn lock(control: &File, byte: i64, kind: i32) -> io::Result<()> {
    loop {
        match fcntl(control, FcntlArg::F_OFD_SETLKW(&range(byte, kind))) {
            Ok(_) => return Ok(()),
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn range(byte: i64, kind: i32) -> libc::flock {
    libc::flock { l_type: kind as i16, l_whence: libc::SEEK_SET as i16, l_start: byte, l_len: 1, l_pid: 0 }
}
