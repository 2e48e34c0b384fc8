//! Disk files by a pattern (Guardian Procedure Calls, `FILENAME_FINDSTART_`).
//!
//! A pattern is a file name in whose volume, subvolume and file `*` stands for any characters and `?` for one. What it
//! lacks is taken from the defaults, as for a name. Found are the files below the directories of the volumes whose names
//! are names of Guardian; others cannot be named by the program.

use super::names::Names;
use crate::guardian::file_name::{Defaults, FileName, Level, Object};
use pollux_wire::{FileError, NodeName};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

/// The name has no place where the procedure looks (FENOSUCHSYS).
const UNKNOWN_NODE: FileError = FileError(18);

/// A search that is under way. One subvolume is read at a time.
#[derive(Debug)]
pub(crate) struct Search {
    node: NodeName,
    file_pattern: String,
    /// Volume, subvolume and directory of those that are still to be read.
    subvolumes: VecDeque<(String, String, PathBuf)>,
    /// What was found in the one that was read last.
    found: VecDeque<FileName>,
    /// Names before this one are passed over.
    first: String,
    level: Level,
}

impl Search {
    /// Begins a search. `level` is the part with which the names that are found begin.
    pub(crate) fn begin(
        names: &Names,
        pattern: &str,
        defaults: &Defaults,
        first: Option<FileName>,
        level: Level,
    ) -> Result<Self, FileError> {
        let [volume_pattern, subvolume_pattern, file_pattern] = parts(pattern, defaults)?;
        let mut subvolumes = VecDeque::new();
        for (volume, directory) in names.volumes().filter(|(name, _)| matches(&volume_pattern, name)) {
            for subvolume in
                entries(directory, true).iter().filter(|name| matches(&subvolume_pattern, name.0))
            {
                subvolumes.push_back((volume.to_owned(), subvolume.0.clone(), directory.join(subvolume.1)));
            }
        }
        let has_volume = names.volumes().any(|(name, _)| matches(&volume_pattern, name));
        if !has_volume && !is_wild(&volume_pattern) {
            return Err(FileError::NO_SUCH_PROCESS);
        }
        let first = first.map(|name| name.to_string()).unwrap_or_default();
        let node = defaults.node.clone();
        Ok(Self { node, file_pattern, subvolumes, found: VecDeque::new(), first, level })
    }

    /// The next name, as far as it was asked for.
    pub(crate) fn next(&mut self) -> Option<String> {
        loop {
            while let Some(name) = self.found.pop_front() {
                if name.to_string() >= self.first {
                    return Some(self.shown(&name));
                }
            }
            let (volume, subvolume, directory) = self.subvolumes.pop_front()?;
            let files = entries(&directory, false);
            self.found = files
                .iter()
                .filter(|file| matches(&self.file_pattern, file.0))
                .map(|file| FileName {
                    node: Some(self.node.clone()),
                    object: Object::Disk {
                        volume: Some(volume.clone()),
                        subvolume: Some(subvolume.clone()),
                        file: file.0.clone(),
                    },
                })
                .collect();
        }
    }

    fn shown(&self, name: &FileName) -> String {
        let levels = [Level::Node, Level::Destination, Level::First, Level::Second];
        let parts = levels.into_iter().filter(|level| *level >= self.level).map(|level| name.part(level));
        parts.collect::<Vec<_>>().join(".")
    }
}

/// Volume, subvolume and file of a pattern, in capitals.
pub(crate) fn parts(pattern: &str, defaults: &Defaults) -> Result<[String; 3], FileError> {
    let pattern = pattern.trim_end_matches(' ').to_ascii_uppercase();
    let local = match pattern.strip_prefix('\\') {
        None => pattern.as_str(),
        Some(rest) => {
            let (node, rest) = rest.split_once('.').ok_or(FileError::BAD_NAME)?;
            if !matches(&format!("\\{node}"), defaults.node.as_str()) {
                return Err(UNKNOWN_NODE);
            }
            rest
        }
    };
    let given: Vec<&str> = local.split('.').collect();
    let (volume, subvolume, file) = match given[..] {
        [volume, subvolume, file] if volume.starts_with(['$', '*']) => (volume, subvolume, file),
        [subvolume, file] if !subvolume.starts_with('$') => (defaults.volume.as_str(), subvolume, file),
        [file] if !file.starts_with('$') => (defaults.volume.as_str(), defaults.subvolume.as_str(), file),
        _ => return Err(FileError::BAD_NAME),
    };
    let letters = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'?');
        !part.is_empty() && part.bytes().all(plain)
    };
    if !letters(volume.strip_prefix('$').unwrap_or(volume)) || !letters(subvolume) || !letters(file) {
        return Err(FileError::BAD_NAME);
    }
    Ok([volume, subvolume, file].map(str::to_owned))
}

fn is_wild(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

/// True if the pattern stands for the name; both in capitals.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut of) = (0, 0);
    // Where the last star is, and up to where it has eaten: the only place to go back to.
    let mut star: Option<(usize, usize)> = None;
    while of < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[of] => (at, of) = (at + 1, of + 1),
            _ => match &mut star {
                None => return false,
                Some((place, eaten)) => {
                    *eaten += 1;
                    (at, of) = (*place + 1, *eaten);
                }
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// The names in a directory that are parts of a Guardian name, in capitals and in order, with what they are called.
fn entries(directory: &Path, directories: bool) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let Ok(list) = std::fs::read_dir(directory) else { return found };
    for entry in list.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_wanted = entry.path().metadata().is_ok_and(|facts| match directories {
            true => facts.is_dir(),
            false => facts.is_file(),
        });
        // A name of one part is a file's.
        let is_part = FileName::parse(&name)
            .is_ok_and(|name| matches!(name.object, Object::Disk { volume: None, subvolume: None, .. }));
        if is_wanted && is_part {
            found.insert(name.to_ascii_uppercase(), name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Defaults {
        let node = NodeName::new("\\HERE").unwrap();
        Defaults { node, volume: "$DATA".to_owned(), subvolume: "WORK".to_owned() }
    }

    // A pattern that matches too much hands a program files to purge that it does not mean.
    #[test]
    fn patterns() {
        for (pattern, name, is) in [
            ("*", "ANY", true),
            ("A?C", "ABC", true),
            ("A?C", "AC", false),
            ("A*C", "AC", true),
            ("A*B*C", "AXBBYC", true),
            ("A*B*C", "AXYC", false),
            ("ABC", "ABCD", false),
            ("*D", "ABCD", true),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} and {name}");
        }
    }

    #[test]
    fn what_a_pattern_lacks_comes_from_the_defaults() {
        let of = |pattern: &str| parts(pattern, &defaults());
        let strings = |parts: [&str; 3]| Ok(parts.map(str::to_owned));
        assert_eq!(of("f*"), strings(["$DATA", "WORK", "F*"]));
        assert_eq!(of("sub.*"), strings(["$DATA", "SUB", "*"]));
        assert_eq!(of("\\here.$*.sub.f?"), strings(["$*", "SUB", "F?"]));
        assert_eq!(of("\\there.$d.s.f"), Err(UNKNOWN_NODE));
        for wrong in ["", "$d", "$d.s", "a.b.c", "$d..f", "$d.s.f-1"] {
            assert_eq!(of(wrong), Err(FileError::BAD_NAME), "{wrong}");
        }
    }

    // Each file once, in order, by a name that opens it.
    #[test]
    fn files_are_found_in_order_from_the_first_on() {
        let place = tempfile::tempdir().unwrap();
        for subvolume in ["work", "OTHER", "not-one"] {
            std::fs::create_dir(place.path().join(subvolume)).unwrap();
            for file in ["b", "A", "c1", "much-too-long-a-name"] {
                std::fs::write(place.path().join(subvolume).join(file), "").unwrap();
            }
        }
        let names = Names::new("\\HERE", &format!("$DATA={}", place.path().display()), "", "");
        let all = |pattern: &str, first: Option<&str>, level| {
            let first = first.map(|text| FileName::parse(text).unwrap().resolve(&defaults()));
            let mut search = Search::begin(&names, pattern, &defaults(), first, level).unwrap();
            std::iter::from_fn(|| search.next()).collect::<Vec<_>>()
        };
        assert_eq!(all("*", None, Level::Second), ["A", "B", "C1"]);
        assert_eq!(all("$data.*.?", None, Level::First), ["OTHER.A", "OTHER.B", "WORK.A", "WORK.B"]);
        let from = all("*.*", Some("$data.other.c1"), Level::Node);
        assert_eq!(
            from,
            ["\\HERE.$DATA.OTHER.C1", "\\HERE.$DATA.WORK.A", "\\HERE.$DATA.WORK.B", "\\HERE.$DATA.WORK.C1"]
        );
        let none = Search::begin(&names, "$NONE.A.*", &defaults(), None, Level::Node);
        assert_eq!(none.err(), Some(FileError::NO_SUCH_PROCESS));
    }
}
