//! Replaces a file so that a reader, and a start after a crash or power loss, finds the old or the new text, whole.
//!
//! The order that makes it so: write a temporary file beside it, fsync it, rename it over the old one, fsync the
//! directory. A crash before the rename leaves the old file and a leftover that [`clean`] removes; one after it the new.
//! The file's mode is 0640: who may read the domain's files is the service's group. A key's is 0600.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What could not be done, at which path.
#[derive(Debug, thiserror::Error)]
#[error("{step} {}: {source}; the file is as it was unless the step is 'sync directory'", path.display())]
pub struct WriteError {
    /// The step that failed.
    pub step: &'static str,
    /// The path it was about.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// Replaces the file at `path`. One writer at a time: the server's process holds its directory.
pub fn replace(path: &Path, text: &str) -> Result<(), WriteError> {
    replace_with(path, text, 0o640)
}

/// The same for a key: mode 0600, from the first byte on.
pub fn replace_private(path: &Path, text: &str) -> Result<(), WriteError> {
    clean(path); // A leftover keeps its own mode.
    replace_with(path, text, 0o600)
}

fn replace_with(path: &Path, text: &str, mode: u32) -> Result<(), WriteError> {
    let temporary = beside(path);
    let at = |step, path: &Path| {
        let path = path.to_owned();
        move |source| WriteError { step, path, source }
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&temporary)
        .map_err(at("create", &temporary))?;
    file.write_all(text.as_bytes()).map_err(at("write", &temporary))?;
    file.sync_all().map_err(at("sync", &temporary))?;
    fs::rename(&temporary, path).map_err(at("rename over", path))?;
    sync_directory(path).map_err(at("sync directory", path))
}

/// Keeps the file that is at `path` under another name in the same directory, durably. Nothing to do when there is none or
/// when the copy exists already: a retry must not replace a first copy by a second, newer file.
pub fn keep_aside(path: &Path, copy: &Path) -> Result<(), WriteError> {
    match fs::hard_link(path, copy) {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => {
            return Ok(());
        }
        Err(source) => return Err(WriteError { step: "link", path: copy.to_owned(), source }),
    }
    sync_directory(copy).map_err(|source| WriteError {
        step: "sync directory",
        path: copy.to_owned(),
        source,
    })
}

/// Removes what a crash left beside the file. At the start, before anything is written.
pub fn clean(path: &Path) {
    let _ = fs::remove_file(beside(path)); // Most often there is none.
}

/// The name of a conflict copy, beside the file.
pub fn conflict_path(path: &Path, stamp: &crate::content::Stamp) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.conflict.{}.{}.{}", stamp.epoch, stamp.revision, stamp.writer))
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replace_and_keep_aside() {
        let directory = tempfile::tempdir().unwrap();
        let (path, copy) =
            (directory.path().join("sna.net"), directory.path().join("sna.net.conflict.1.1.a"));
        keep_aside(&path, &copy).unwrap();
        replace(&path, "one").unwrap();
        keep_aside(&path, &copy).unwrap();
        replace(&path, "two").unwrap();
        keep_aside(&path, &copy).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_to_string(&copy).unwrap(), "one", "the first copy stays");
        fs::write(beside(&path), "left by a crash").unwrap();
        clean(&path);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
        assert!(replace(&directory.path().join("no/such"), "x").is_err());
    }
}
