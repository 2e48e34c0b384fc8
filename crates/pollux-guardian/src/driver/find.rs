//! Where the files of include lines are: Guardian names on a file system of directories.
//!
//! `$vol.subvol.file` is `subvol/file` below the directory that the volume map gives for `$vol`; `/G/vol/subvol/file`
//! means the same. A name may lack or have the `h` that Guardian puts in place of `.h`, be cut to seven characters, and
//! be in another case.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which directory stands for which volume; names without `$`, in lower case.
pub(crate) type Volumes = BTreeMap<String, PathBuf>;

/// Reads `$vol=directory`.
pub(crate) fn volume(text: &str) -> Result<(String, PathBuf), String> {
    let (name, directory) =
        text.split_once('=').ok_or_else(|| format!("{text:?} is not of the form $volume=directory"))?;
    let name = name.trim().trim_start_matches('$').to_ascii_lowercase();
    if name.is_empty() || directory.is_empty() {
        return Err(format!("{text:?} is not of the form $volume=directory"));
    }
    Ok((name, PathBuf::from(directory)))
}

/// A name with a volume in front: the volume, and the components below it.
pub(crate) fn volume_path(name: &str) -> Option<(String, Vec<String>)> {
    let lower = name.to_ascii_lowercase();
    if let Some(rest) = lower.strip_prefix("/g/") {
        let mut parts = rest.split('/').map(str::to_owned);
        let volume = parts.next()?;
        let below: Vec<String> = parts.collect();
        return (!below.is_empty()).then_some((volume, below));
    }
    // \node.$volume.subvolume.file: the node says nothing here.
    let start = match lower.strip_prefix('\\') {
        Some(rest) => rest.trim_start_matches('\\').split_once('.')?.1.to_owned(),
        None => lower,
    };
    let mut parts = start.strip_prefix('$')?.split('.').map(str::to_owned);
    let volume = parts.next()?;
    let below: Vec<String> = parts.collect();
    (!below.is_empty()).then_some((volume, below))
}

/// A directory for the text of a pragma or option: a volume path that the map knows, or a path of the host.
pub(crate) fn directory(text: &str, volumes: &Volumes) -> PathBuf {
    let text = text.trim().trim_matches('"');
    let lower = text.to_ascii_lowercase();
    // `$vol` alone, too.
    let (volume, below) = match volume_path(text) {
        Some(parts) => parts,
        None => match lower.strip_prefix('$') {
            Some(volume) => (volume.to_owned(), Vec::new()),
            None => return PathBuf::from(text),
        },
    };
    match volumes.get(&volume) {
        Some(root) => {
            below.iter().fold(root.clone(), |path, part| entry(&path, part).unwrap_or(path.join(part)))
        }
        None => PathBuf::from(text),
    }
}

/// Looks for the file of a volume path.
pub(crate) fn on_volume(name: &str, volumes: &Volumes) -> Option<PathBuf> {
    let (volume, below) = volume_path(name)?;
    let (file, directories) = below.split_last()?;
    let mut path = volumes.get(&volume)?.clone();
    for part in directories {
        path = entry(&path, part)?;
    }
    in_directory(&path, file)
}

/// Looks for a file in a directory, by its name and then by the names Guardian would have given it.
pub(crate) fn in_directory(directory: &Path, name: &str) -> Option<PathBuf> {
    let exact = directory.join(name);
    if exact.is_file() {
        return Some(exact);
    }
    let (above, file) = match name.rsplit_once('/') {
        Some((above, file)) => (directory.join(above), file),
        None => (directory.to_owned(), name),
    };
    let others = names(file);
    if let Some(found) = others.iter().map(|other| above.join(other)).find(|path| path.is_file()) {
        return Some(found);
    }
    std::iter::once(file.to_owned())
        .chain(others)
        .find_map(|other| entry(&above, &other))
        .filter(|path| path.is_file())
}

/// The other names of a header: `xh` for `x.h`, `x.h` for `xh`, seven characters and an `h`.
fn names(file: &str) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(stem) = file.strip_suffix(".h").or_else(|| file.strip_suffix(".H")) {
        names.push(format!("{stem}h"));
        let short: String = stem.chars().take(7).collect();
        names.push(format!("{short}h"));
    } else if let Some(stem) = file.strip_suffix(['h', 'H']) {
        names.push(format!("{stem}.h"));
    }
    names
}

/// The entry of a directory with this name in any case.
fn entry(directory: &Path, name: &str) -> Option<PathBuf> {
    let exact = directory.join(name);
    if exact.exists() {
        return Some(exact);
    }
    // The directory of a file that was named without one.
    let listed = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let mut found: Vec<PathBuf> = fs::read_dir(listed)
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(|other| other.eq_ignore_ascii_case(name)))
        .map(|entry| entry.path())
        .collect();
    // Directories list in any order; a choice between two spellings is the same each time.
    found.sort();
    found.into_iter().next()
}
