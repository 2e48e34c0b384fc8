//! Reads our own source: what no compiler complains about and a reader stumbles over.

use crate::run::{Outcome, root, sources};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a source file above which there is surely a second idea in it.
const LINES_MAX: usize = 900;
/// Bytes of a file that is not generated.
const BYTES_MAX: u64 = 512 * 1024;

/// Checks every file that git knows.
pub(crate) fn check() -> Outcome {
    println!("--- tidy");
    let files = sources(&[])?;
    let mut faults = Vec::new();
    for file in &files {
        check_file(file, &mut faults);
    }
    check_links(&files, &mut faults);
    if faults.is_empty() { Ok(()) } else { Err(format!("tidy:\n  {}", faults.join("\n  "))) }
}

fn check_file(file: &Path, faults: &mut Vec<String>) {
    let name = file.display();
    let path = root().join(file);
    let is_lock = file.ends_with("Cargo.lock");
    if fs::metadata(&path).is_ok_and(|data| data.len() > BYTES_MAX) {
        faults.push(format!("{name}: larger than {BYTES_MAX} bytes"));
    }
    let Ok(text) = fs::read_to_string(&path) else { return };
    if file.extension().is_some_and(|extension| extension == "rs") {
        if text.lines().count() > LINES_MAX {
            faults.push(format!("{name}: more than {LINES_MAX} lines; look for the second idea in it"));
        }
        let unfinished =
            [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("FIX", "ME"), concat!("XX", "X")];
        for word in unfinished {
            if text.contains(word) {
                faults.push(format!("{name}: {word} is left in it"));
            }
        }
        if text.contains('\t') {
            faults.push(format!("{name}: a tab"));
        }
        let its_place = name.to_string().starts_with("crates/pollux-os/src/raw")
            || name.to_string().starts_with("crates/pollux-coordinator/src/local/")
            // Where the memory of a C program is touched, and its calls come in.
            || ["entry.rs", "memory.rs", "stdio/glue.rs", "stdio/wrapped.rs"]
                .iter()
                .any(|place| name.to_string() == format!("crates/pollux-guardian-rt/src/{place}"))
            || ["entry.rs", "memory.rs"]
                .iter()
                .any(|place| name.to_string() == format!("crates/pollux-nof/src/{place}"))
            // Writes the text of entry points; its own crate forbids unsafe code.
            || name.to_string().starts_with("crates/pollux-guardian/src/entry");
        if text.contains(concat!("unsafe", " {")) && !its_place {
            faults.push(format!("{name}: unsafe code outside its places"));
        }
    }
    // The expected replies of a story are what they are.
    let is_story = name.to_string().contains("/tests/stories/");
    // An empty line of a patch's surroundings is a space.
    let is_patch = file.extension().is_some_and(|extension| extension == "patch");
    if !is_lock && !is_story && !is_patch && text.lines().any(|line| line.ends_with(' ')) {
        faults.push(format!("{name}: a line ends with a space"));
    }
}

/// Every relative link in a document leads somewhere.
fn check_links(files: &[PathBuf], faults: &mut Vec<String>) {
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "md")) {
        let Ok(text) = fs::read_to_string(root().join(file)) else { continue };
        let directory = file.parent().unwrap_or(Path::new(""));
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            if !root().join(directory).join(target).exists() {
                faults.push(format!("{}: the link to {target} leads nowhere", file.display()));
            }
        }
    }
}
