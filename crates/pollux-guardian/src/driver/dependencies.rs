//! Dependency files: gcc names our copies, make needs the originals.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rewrites the file that gcc made to `target`, or to the standard output.
pub(crate) fn map_back(
    made: &Path,
    target: Option<&Path>,
    originals: &BTreeMap<PathBuf, PathBuf>,
    private: &Path,
) -> Result<(), String> {
    let text = fs::read_to_string(made).map_err(|error| format!("{}: {error}", made.display()))?;
    let text = mapped(&text, originals, private);
    match target {
        Some(target) => fs::write(target, text).map_err(|error| format!("{}: {error}", target.display())),
        None => {
            print!("{text}");
            Ok(())
        }
    }
}

/// One rule a line: the target, then what it depends on. Generated headers are left out, since they go away with us.
fn mapped(text: &str, originals: &BTreeMap<PathBuf, PathBuf>, private: &Path) -> String {
    let joined = text.replace("\\\n", " ");
    let mut rules = String::new();
    for rule in joined.lines() {
        let Some((target, list)) = rule.split_once(": ") else {
            // A rule without dependencies, as -MP makes them for headers.
            let name = rule.trim_end_matches(':');
            match originals.get(Path::new(name)) {
                Some(original) => rules.push_str(&format!("{}:\n", original.display())),
                None if Path::new(name).starts_with(private) => {}
                None => rules.push_str(&format!("{rule}\n")),
            }
            continue;
        };
        rules.push_str(target);
        rules.push(':');
        let mut seen = Vec::new();
        for word in list.split_whitespace() {
            let path = Path::new(word);
            let name = match originals.get(path) {
                Some(original) => original.display().to_string(),
                None if path.starts_with(private) => continue,
                None => word.to_owned(),
            };
            if !seen.contains(&name) {
                seen.push(name);
            }
        }
        for name in seen {
            rules.push_str(" \\\n ");
            rules.push_str(&name);
        }
        rules.push('\n');
    }
    rules
}
