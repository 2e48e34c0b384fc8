//! The corpora: `fuzz/corpus/TARGET/`, one input a file.
//!
//! `seed-*` are made by encoders ([`write_seeds`]); `found-*`, named after their content, are inputs of the engine that reach
//! something of their own; any other name is a regression: an input that once broke a promise, named after what it broke.

use crate::Target;
use crate::targets;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Where the corpora are: at the root of the source.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

/// The inputs of a target, in the order of their names.
///
/// # Errors
///
/// A corpus that is there and cannot be read.
pub fn inputs(target: &Target) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let directory = root().join(target.name);
    let entries = match fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    paths.into_iter().map(|path| fs::read(&path).map(|bytes| (path, bytes))).collect()
}

/// Writes the seeds, in place of those that were there. The same encoders give the same files.
///
/// # Errors
///
/// A file that cannot be written; a seed for a target that is none.
pub fn write_seeds() -> io::Result<usize> {
    let mut count = 0;
    for target in targets::all() {
        let directory = root().join(target.name);
        fs::create_dir_all(&directory)?;
        for (path, _) in inputs(&target)? {
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("seed-")) {
                fs::remove_file(path)?;
            }
        }
        let seeds = targets::seeds().into_iter().filter(|(name, _)| *name == target.name);
        for (number, (_, bytes)) in seeds.enumerate() {
            fs::write(directory.join(format!("seed-{number:02}")), bytes)?;
            count += 1;
        }
    }
    Ok(count)
}
