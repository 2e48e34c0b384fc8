//! The run directory: who may enter, whether its store is of this boot, and room for its files.
//!
//! What this decides: whether a store is opened, created, begun anew or refused. What it does not: what
//! is in the store.
//!
//! Invariants:
//! * A store of an earlier boot is never mapped. It was not synced, so a crash of the machine may have
//!   torn it, and LMDB trusts its pages. Hence the boot id stands in a file of its own.
//! * S9, S11: the generation grows with each new beginning and is on disk before the new store exists.
//!   Revisions and counters begin at `generation * 2^40`, above all that earlier stores gave out.
//! * Files in use are never replaced: that would make two stores of one. A store in state `ready` that
//!   lacks a file is refused.
//!
//! ```text
//! no boot file, no store ----> creating g=0 ---+--> reserve and create files --> ready g
//! boot file of another boot -> creating g+1 ---+            |
//!                                   ^---- killed meanwhile -+
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::Error;

/// The version of everything in the run directory: file sizes, boot file and byte layout.
pub(super) const FORMAT_VERSION: u32 = 1;

/// Size of the map and of the space reserved for it. Data (4 MiB) and change log (2 MiB) in half-full
/// pages take 12 MiB, a largest transaction 2 MiB more. The rest, over half, is for the pages that
/// a reader stopped in mid-read keeps alive until regroup kills it: about 1,000 commits.
pub(super) const MAP_BYTES: u64 = 32 * 1024 * 1024;

/// Size of LMDB's lock file: room for about 250 reading threads, several for each of 16 CPUs.
/// LMDB maps it for writing, so a page it lacks on a full disk would be a SIGBUS, not an error.
const LOCK_BYTES: u64 = 16 * 1024;

/// So much at the beginning of the map, where a small store lives, is in memory from the start.
const WARM_BYTES: u64 = 1024 * 1024;

const DATA_FILE: &str = "data.mdb";
const LOCK_FILE: &str = "lock.mdb";
const BOOT_FILE: &str = "coordinator.boot";
const BOOT_FILE_NEW: &str = "coordinator.boot.new";
const BOOT_FILE_BYTES_MAX: u64 = 4096;
const BOOT_FILE_TITLE: &str = "pollux-coordinator";

/// Rights that a run directory must not give: writing to the group, anything to others.
const FORBIDDEN_MODE: u32 = 0o027;

const KERNEL_BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Device and inode: the same directory under every path.
pub(super) type DirectoryIdentity = (u64, u64);

/// What `begin` found, or made, with the generation of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The files are reserved and empty; after filling them call `finish`.
    Fresh(u64),
    /// The store is there.
    Existing(u64),
}

/// A run directory that was entered and found safe.
pub(super) struct RunDirectory {
    path: PathBuf,
    handle: File,
    identity: DirectoryIdentity,
}

/// The right to open or create, one process at a time; given back when dropped, or by the kernel.
pub(super) struct Turn<'a>(&'a File);

impl RunDirectory {
    pub(super) fn enter(path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let handle = File::open(path).map_err(|error| {
            Error::unavailable(format!("cannot open {shown}: {error}; mkdir -m 700 {shown}"))
        })?;
        let metadata = handle
            .metadata()
            .map_err(|error| Error::unavailable(format!("cannot look at {shown}: {error}")))?;
        if !metadata.is_dir() {
            return Err(Error::invalid(format!("{shown} is no directory; give the node's run directory")));
        }
        let user = rustix::process::geteuid().as_raw();
        if metadata.uid() != user {
            return Err(Error::invalid(format!(
                "{shown} belongs to uid {}, not to uid {user} who asks; give a directory of your own",
                metadata.uid()
            )));
        }
        let mode = metadata.mode() & 0o7777;
        if mode & FORBIDDEN_MODE != 0 {
            return Err(Error::invalid(format!(
                "{shown} is open to others (mode {mode:04o}); chmod 700 {shown}"
            )));
        }
        Ok(Self { path: path.to_owned(), handle, identity: (metadata.dev(), metadata.ino()) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn identity(&self) -> DirectoryIdentity {
        self.identity
    }

    /// Waits until no other process opens or creates here.
    pub(super) fn take_turn(&self) -> Result<Turn<'_>, Error> {
        self.handle.lock().map_err(|error| self.failed("lock", "the run directory", &error))?;
        Ok(Turn(&self.handle))
    }

    /// Finds the store of this boot, or clears the way for a new one. Needs the turn.
    pub(super) fn begin(&self, boot_id: &str) -> Result<Stage, Error> {
        let generation = match self.read_boot_file()? {
            Some(found) if found.boot_id != boot_id => found
                .generation
                .checked_add(1)
                .ok_or_else(|| self.damaged("the generation in coordinator.boot is out of range"))?,
            Some(found) if found.ready => {
                self.check_files()?;
                return Ok(Stage::Existing(found.generation));
            }
            Some(found) => found.generation,
            None if self.path.join(DATA_FILE).exists() || self.path.join(LOCK_FILE).exists() => {
                return Err(self.damaged("the store has lost its coordinator.boot"));
            }
            None => 0,
        };
        self.write_boot_file(boot_id, generation, false)?;
        self.remove(DATA_FILE)?;
        self.remove(LOCK_FILE)?;
        // LMDB takes the lock file as it finds it, but would take a data file that has a size for a
        // store: so only the blocks are reserved there. Both before LMDB sees the directory, because on
        // a full disk it would leave half a data file.
        self.reserve(LOCK_FILE, FallocateFlags::empty(), LOCK_BYTES)?;
        self.reserve(DATA_FILE, FallocateFlags::KEEP_SIZE, MAP_BYTES)?;
        Ok(Stage::Fresh(generation))
    }

    /// Writes zeros behind what a store that was just created has written. The kernel maps pages that are in memory with their
    /// neighbours; of others each first use is a fault of its own, and a takeover met two or three of some ten microseconds.
    /// Needs the turn, so that nobody else has the store open.
    pub(super) fn warm(&self) -> Result<(), Error> {
        let written = || {
            let file = OpenOptions::new().append(true).open(self.path.join(DATA_FILE))?;
            let left = WARM_BYTES.saturating_sub(file.metadata()?.len());
            io::copy(&mut io::repeat(0).take(left), &mut &file)
        };
        written().map(drop).map_err(|error| self.failed("write", DATA_FILE, &error))
    }

    /// Records that the store of `generation` is whole. Needs the turn.
    pub(super) fn finish(&self, boot_id: &str, generation: u64) -> Result<(), Error> {
        self.write_boot_file(boot_id, generation, true)
    }

    fn check_files(&self) -> Result<(), Error> {
        let length = |name| fs::metadata(self.path.join(name)).map(|metadata| metadata.len()).ok();
        if length(DATA_FILE).is_none() {
            return Err(self.damaged("the store has lost its data.mdb"));
        }
        if length(LOCK_FILE) != Some(LOCK_BYTES) {
            return Err(self.damaged("the store has lost its lock.mdb, or it has a wrong size"));
        }
        Ok(())
    }

    fn reserve(&self, name: &str, flags: FallocateFlags, bytes: u64) -> Result<(), Error> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path.join(name))
            .map_err(|error| self.failed("create", name, &error))?;
        match rustix::fs::fallocate(&file, flags, 0, bytes) {
            Ok(()) => Ok(()),
            Err(Errno::NOSPC | Errno::DQUOT) => Err(Error::unavailable(format!(
                "{} has no room for the {bytes} bytes of {name}; free some, or give another run directory",
                self.path.display()
            ))),
            Err(Errno::OPNOTSUPP) => Err(Error::unavailable(format!(
                "the file system of {} cannot reserve space; give a run directory on tmpfs, ext4 or xfs",
                self.path.display()
            ))),
            Err(error) => Err(self.failed("reserve", name, &error.into())),
        }
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed("remove", name, &error)),
            _ => Ok(()),
        }
    }

    fn read_boot_file(&self) -> Result<Option<BootFile>, Error> {
        let file = match File::open(self.path.join(BOOT_FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("open", BOOT_FILE, &error)),
        };
        let mut text = String::new();
        match file.take(BOOT_FILE_BYTES_MAX).read_to_string(&mut text) {
            Ok(_) => BootFile::parse(&text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(self.damaged("coordinator.boot is no text"))
            }
            Err(error) => Err(self.failed("read", BOOT_FILE, &error)),
        }
    }

    /// Replaces the boot file as a whole, and has it on disk before it returns: the one file here that
    /// must outlive a crash of the machine.
    fn write_boot_file(&self, boot_id: &str, generation: u64, ready: bool) -> Result<(), Error> {
        let text = BootFile { boot_id: boot_id.to_owned(), generation, ready }.format();
        let write = || -> io::Result<()> {
            let new = self.path.join(BOOT_FILE_NEW);
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, self.path.join(BOOT_FILE))?;
            self.handle.sync_all()
        };
        write().map_err(|error| self.failed("write", BOOT_FILE, &error))
    }

    fn failed(&self, verb: &str, name: &str, error: &io::Error) -> Error {
        Error::unavailable(format!("cannot {verb} {name} in {}: {error}", self.path.display()))
    }

    fn damaged(&self, what: &str) -> Error {
        Error::corrupt(format!("{what}; stop the node and empty {}", self.path.display()))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Cannot fail for a lock that is held; if it did, closing the directory gives it back.
        let _ = self.0.unlock();
    }
}

/// What parses formats to a text that parses to the same; for the fuzz target.
#[cfg(feature = "fuzz")]
pub(super) fn fuzz_boot_file(text: &str) {
    if let Ok(file) = BootFile::parse(text) {
        assert_eq!(BootFile::parse(&file.format()).ok(), Some(file));
    }
}

#[derive(Debug, PartialEq, Eq)]
struct BootFile {
    boot_id: String,
    generation: u64,
    ready: bool,
}

impl BootFile {
    fn format(&self) -> String {
        let Self { boot_id, generation, ready } = self;
        let state = if *ready { "ready" } else { "creating" };
        format!(
            "{BOOT_FILE_TITLE} {FORMAT_VERSION}\nboot {boot_id}\ngeneration {generation}\nstate {state}\n"
        )
    }

    fn parse(text: &str) -> Result<Self, Error> {
        let damaged =
            || Error::corrupt("coordinator.boot is damaged; stop the node and empty its run directory");
        let mut lines = text.lines();
        let mut field = |name: &str| {
            lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' ')).ok_or_else(damaged)
        };
        let version = field(BOOT_FILE_TITLE)?;
        if version != FORMAT_VERSION.to_string() {
            return Err(Error::Version { found: version.to_owned(), expected: FORMAT_VERSION });
        }
        let boot_id = field("boot")?.to_owned();
        let generation = field("generation")?.parse().map_err(|_| damaged())?;
        let ready = match field("state")? {
            "ready" => true,
            "creating" => false,
            _ => return Err(damaged()),
        };
        Ok(Self { boot_id, generation, ready })
    }
}

/// Names the present boot of the machine.
pub(super) fn boot_id() -> Result<String, Error> {
    match fs::read_to_string(KERNEL_BOOT_ID) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) => Err(Error::unavailable(format!("cannot read {KERNEL_BOOT_ID}: {error}; mount /proc"))),
    }
}
