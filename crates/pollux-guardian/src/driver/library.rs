//! Where the run-time library is.

use std::env;
use std::path::{Path, PathBuf};

/// The file name of the run-time library.
pub(crate) const NAME: &str = "libpollux_guardian.so";
/// The variable that names its directory.
const VARIABLE: &str = "POLLUX_LIBRARY_DIR";

/// The directory that holds the run-time library: from the variable, else near the running executable.
pub(crate) fn directory() -> Result<PathBuf, String> {
    if let Some(named) = env::var_os(VARIABLE).filter(|text| !text.is_empty()) {
        let named = PathBuf::from(named);
        return match absolute_with_library(&named) {
            Some(directory) => Ok(directory),
            None => Err(format!("{VARIABLE} says {}, but {NAME} is not there", named.display())),
        };
    }
    let executable =
        env::current_exe().map_err(|error| format!("cannot tell where this program is: {error}"))?;
    let beside = executable.parent().unwrap_or(Path::new("/")).to_owned();
    let places = [beside.clone(), beside.join("deps"), beside.join("../lib/pollux")];
    places.iter().find_map(|place| absolute_with_library(place)).ok_or_else(|| {
        let list: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        format!(
            "{NAME} is in none of {}\n  next: cargo build --release -p pollux-guardian-rt, or set {VARIABLE}",
            list.join(", ")
        )
    })
}

/// Programs carry the directory as their run path, so it is absolute and without detours.
fn absolute_with_library(directory: &Path) -> Option<PathBuf> {
    directory.join(NAME).is_file().then(|| directory.canonicalize().ok())?
}
