//! Files by their names: made, removed, renamed, looked at.

use super::control::Opening;
use super::errors::{self, number};
use super::exclusion::{Access, Exclusion};
use super::file::DiskFile;
use super::layout::OpenKey;
use super::opening::{control_directory, names, path};
use crate::runtime::Runtime;
use pollux_wire::FileError;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Device type, subtype, object type, file type (unstructured) and file code (a C binary file) of every disk file.
pub(crate) const DISK_TYPE_WORDS: [i16; 5] = [3, 0, 0, 0, 180];
/// The file number of no open: under it the remover of a file is its only opener for a moment.
const NO_NUMBER: i16 = -1;
/// Names of temporary files: `#` and digits.
const TEMPORARY_FILES_MAX: u32 = 10_000_000;

/// Makes a file; the name of a volume alone makes a temporary file, whose name is the result. Error 10 if it exists and
/// must be new.
pub(crate) fn make(name: &str, must_be_new: bool) -> Result<Option<String>, FileError> {
    let followed = names().follow(name)?;
    if let Some(directory) = names().volume(&followed) {
        return make_temporary(directory).map(|file| Some(format!("{followed}.{file}")));
    }
    let path = path(name, "")?;
    make_subvolume(&followed, &path)?;
    create(&path, must_be_new).map_err(|error| number(&error))?;
    Ok(None)
}

fn make_temporary(directory: &Path) -> Result<String, FileError> {
    // Two processes begin at different numbers, so that they seldom meet.
    let first = std::process::id();
    for at in 0..TEMPORARY_FILES_MAX {
        let file = format!("#{:07}", first.wrapping_add(at) % TEMPORARY_FILES_MAX);
        match create(&directory.join(&file), true).map_err(|error| number(&error)) {
            Ok(()) => return Ok(file),
            Err(FileError::EXISTS) => {}
            Err(error) => return Err(error),
        }
    }
    Err(FileError::DIRECTORY_FULL)
}

/// A subvolume is there as soon as it has a file.
fn make_subvolume(name: &str, path: &Path) -> Result<(), FileError> {
    let parent = path.parent().filter(|parent| !name.contains('/') && !parent.as_os_str().is_empty());
    match parent.map(std::fs::create_dir) {
        Some(Err(error)) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(number(&error)),
        _ => Ok(()),
    }
}

fn create(path: &Path, must_be_new: bool) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).create_new(must_be_new).truncate(false).mode(0o666);
    options.open(path).map(drop)
}

impl Runtime {
    /// Removes a disk file. Error 12 while any process of the node has it open.
    pub(crate) fn purge(&mut self, name: &str) -> Result<(), FileError> {
        let path = path(name, "")?;
        let key = OpenKey { instance: self.me.sequence, file_number: NO_NUMBER };
        let (access, exclusion) = (Access::Read, Exclusion::Exclusive);
        let opening = Opening { key, backup: false, access, exclusion, depth: 0 };
        let directory = control_directory().map_err(|_| errors::FILE_SYSTEM_ERROR)?;
        // Nobody can open it between the look at its openers and its removal.
        let _alone = DiskFile::open(directory, &path, &opening)?;
        std::fs::remove_file(&path).map_err(|error| number(&error))
    }

    /// Gives an open disk file another name. Error 10 if there is a file of that name, 13 for a name on another Linux file
    /// system.
    pub(crate) fn rename(&mut self, file_number: i16, new: &str) -> Result<(), FileError> {
        self.disk_file(file_number)?;
        let to = path(new, "")?;
        make_subvolume(&names().follow(new)?, &to)?;
        let file = self.files.get_mut(file_number)?;
        renameat_with(CWD, &file.name, CWD, &to, RenameFlags::NOREPLACE).map_err(|error| match error {
            rustix::io::Errno::XDEV => FileError::BAD_NAME,
            error => number(&error.into()),
        })?;
        file.name = std::path::absolute(&to).unwrap_or(to).display().to_string();
        Ok(())
    }
}
