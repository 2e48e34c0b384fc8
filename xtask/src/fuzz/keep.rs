//! Takes over into the tree what reaches something that nothing in the tree reaches: few and small inputs.

use super::engine::{Engine, files};
use crate::run::{Outcome, root};
use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};

/// The engine's inputs in one corpus of the tree, at most. The largest come first: they reach most of what smaller ones reach.
const FOUND_FILES_MAX: usize = 40;
/// Bytes of all of them.
const FOUND_BYTES_MAX: u64 = 4 << 10;
/// Bytes of one.
const FOUND_EACH_BYTES_MAX: u64 = 512;
/// Letters of the content's hash in a name.
const NAME_LETTERS: usize = 12;

/// Merges the inputs of a target: seeds and regressions stay; of the others, in the tree and among the build's files, those stay
/// that reach a branch of their own.
pub(super) fn merge(engine: &Engine, name: &str) -> Outcome {
    let tree = root().join("fuzz/corpus").join(name);
    let working = engine.working_corpus(name)?;
    let merged = working.with_extension("merged");
    let failed = |error: std::io::Error| format!("{name}: cannot merge: {error}");
    let _ = fs::remove_dir_all(&merged);
    fs::create_dir_all(&merged).map_err(failed)?;
    fs::create_dir_all(&tree).map_err(failed)?;
    let (found, kept): (Vec<PathBuf>, Vec<PathBuf>) =
        files(&tree).into_iter().partition(|path| is_found(path));
    for path in &kept {
        fs::copy(path, merged.join(path.file_name().unwrap_or_default())).map_err(failed)?;
    }
    // Branches only, without how often: else there would be ten times as many inputs.
    let status =
        engine.command(name)?.args(["-merge=1", "-use_counters=0"]).args([&merged, &tree, &working]).status();
    if !status.map_err(failed)?.success() {
        return Err(format!("{name}: the engine cannot merge its inputs; see its log"));
    }
    for path in found {
        fs::remove_file(path).map_err(failed)?;
    }
    let known =
        kept.iter().filter_map(|path| path.file_name()).map(|name| name.to_owned()).collect::<Vec<_>>();
    let mut new = files(&merged);
    new.retain(|path| path.file_name().is_some_and(|name| !known.iter().any(|known| known == name)));
    new.retain(|path| size(path) <= FOUND_EACH_BYTES_MAX);
    new.sort_by_key(|path| (Reverse(size(path)), path.clone()));
    let mut bytes = 0;
    for path in new.into_iter().take(FOUND_FILES_MAX) {
        bytes += size(&path);
        if bytes > FOUND_BYTES_MAX {
            break;
        }
        let hash = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let hash = hash.trim_start_matches("found-").chars().take(NAME_LETTERS).collect::<String>();
        fs::copy(&path, tree.join(format!("found-{hash}"))).map_err(failed)?;
    }
    fs::remove_dir_all(&merged).map_err(failed)
}

fn is_found(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("found-"))
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |data| data.len())
}
