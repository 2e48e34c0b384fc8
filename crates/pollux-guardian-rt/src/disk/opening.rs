//! Opens Linux files and enters them in the table of open files.

use super::control::Opening;
use super::errors;
use super::exclusion::{Access, Exclusion};
use super::file::DiskFile;
use super::layout::OpenKey;
use super::line_file::LineFile;
use super::names::Names;
use crate::files::table::Number;
use crate::files::{FileKind, Mode, OtherFile};
use crate::runtime::Runtime;
use pollux_wire::FileError;
use pollux_wire::startup::{DEFAULTS_VARIABLE, DEFINES_VARIABLE, VOLUMES_VARIABLE};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Control files are in this directory of the node's run directory.
const CONTROL_DIRECTORY: &str = "disk";
/// Names of the home terminal.
const HOME_TERMINAL_NAMES: [&str; 2] = ["$ZHOME", "$HOMETERM"];
/// Nowait depth of a disk file (Guardian Procedure Calls, `FILE_OPEN_`).
const NOWAIT_DEPTH_MAX: u16 = 1;

/// What file names stand for in this process: read once, before the program can change its environment.
pub(crate) fn names() -> &'static Names {
    static NAMES: OnceLock<Names> = OnceLock::new();
    NAMES.get_or_init(|| {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let node = std::env::var(pollux_wire::control::NODE_VARIABLE).unwrap_or_default();
        let defaults = variable(DEFAULTS_VARIABLE);
        Names::new(&node, &variable(VOLUMES_VARIABLE), &defaults, &variable(DEFINES_VARIABLE))
    })
}

/// True for a name that belongs to a Linux file; others are for the message system.
pub(crate) fn is_linux(name: &str) -> bool {
    let names = names();
    let Ok(name) = names.follow(name) else { return true };
    let upper = name.to_ascii_uppercase();
    HOME_TERMINAL_NAMES.contains(&upper.as_str())
        || names.is_on_a_volume(&name)
        || !(name.starts_with('$') || name.starts_with('\\'))
}

/// The Linux path of a name.
pub(crate) fn path(name: &str, home_terminal: &str) -> Result<PathBuf, FileError> {
    let name = names().follow(name)?;
    if HOME_TERMINAL_NAMES.contains(&name.to_ascii_uppercase().as_str()) {
        let terminal = if home_terminal.is_empty() { "/dev/tty" } else { home_terminal };
        return Ok(PathBuf::from(terminal));
    }
    names().path(&name, |path| path.symlink_metadata().is_ok())
}

impl Runtime {
    /// Opens a Linux file; its number. A backup open is one of a file that the primary has open under that number, with the
    /// same rights: otherwise error 17.
    pub(crate) fn open_linux(
        &mut self,
        name: &str,
        wanted: Number,
        mode: Mode,
        backup: bool,
    ) -> Result<i16, FileError> {
        let path = path(name, &self.home_terminal)?;
        if mode.nowait_depth > NOWAIT_DEPTH_MAX {
            return Err(FileError::TOO_MANY_OUTSTANDING);
        }
        let number = self.files.number(wanted)?;
        let other = self.linux_file(&path, number, mode, backup)?;
        let serial = self.next_serial();
        let full = std::path::absolute(&path).unwrap_or(path);
        self.enter(serial, number, FileKind::Other(other), full.display().to_string(), mode);
        Ok(number)
    }

    fn linux_file(
        &self,
        path: &Path,
        number: i16,
        mode: Mode,
        backup: bool,
    ) -> Result<Box<dyn OtherFile>, FileError> {
        let access = Access::from_number(u16::from(mode.access)).ok_or(errors::BAD_PARAMETER)?;
        let exclusion = Exclusion::from_number(u16::from(mode.exclusion)).ok_or(errors::BAD_PARAMETER)?;
        let kind = std::fs::metadata(path).map_err(|error| errors::number(&error))?.file_type();
        if kind.is_char_device() || kind.is_fifo() {
            return Ok(Box::new(LineFile::open(path, access.reads(), access.writes())?));
        }
        let key = OpenKey { instance: self.me.sequence, file_number: number };
        let opening = Opening { key, backup, access, exclusion, depth: mode.depth };
        let directory = control_directory().map_err(|error| errors::of_our_file(&error))?;
        Ok(Box::new(DiskFile::open(directory, path, &opening)?))
    }

    /// The disk file with this number. Error 16 if there is none, 2 if it is another kind of file.
    pub(crate) fn disk_file(&mut self, number: i16) -> Result<&mut DiskFile, FileError> {
        match &mut self.files.get_mut(number)?.kind {
            FileKind::Other(other) => other.as_any().downcast_mut().ok_or(FileError::INVALID_OPERATION),
            _ => Err(FileError::INVALID_OPERATION),
        }
    }
}

/// Where the control files of the node are. Made and looked at with the first open: that needs a descriptor.
pub(super) fn control_directory() -> std::io::Result<&'static Path> {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    if let Some(directory) = DIRECTORY.get() {
        return Ok(directory);
    }
    let directory = pollux::binding::node_directory().join(CONTROL_DIRECTORY);
    pollux_os::private_directory(&directory)?;
    Ok(DIRECTORY.get_or_init(|| directory))
}
