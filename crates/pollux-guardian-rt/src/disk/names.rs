//! From the names that programs give to files to Linux paths.
//!
//! | Name | Path |
//! | --- | --- |
//! | with a `/` | as it is given |
//! | `$vol.subvol.file`, `$vol.#1234` | in the directory of the volume (`POLLUX_VOLUMES`), `subvol/file`, `#1234` |
//! | `\node.$vol...` | the same, for the own node; error 18 for another one |
//! | `subvol.file`, `file` | in the default volume and subvolume (`POLLUX_DEFAULTS`) |
//! | the same without defaults | in the working directory: the name as it is given or, if there is a directory `subvol`, `subvol/file` |
//! | `=NAME` | what the DEFINE stands for (`POLLUX_DEFINES`); error 198 if there is none |
//!
//! Case: Guardian names have none, Linux names have. Each part of a name that is mapped to a volume is taken as it is
//! written if such an entry exists, else in lower case if that exists, else in upper case if that exists; a part that
//! exists in no form is made in lower case. Names that are not mapped to a volume are taken as they are written.

use pollux_wire::FileError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// DEFINEs that stand for one another, before it counts as a circle.
const DEFINES_DEEP_MAX: usize = 8;
/// FENOSUCHSYS.
const UNKNOWN_NODE: FileError = FileError(18);
/// FEMISSDEF.
const NO_DEFINE: FileError = FileError(198);

/// What a program's file names stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    node: String,
    volumes: BTreeMap<String, PathBuf>,
    defaults: Option<(String, String)>,
    defines: BTreeMap<String, String>,
}

impl Names {
    /// From the variables of the environment; entries that say nothing are left out.
    pub(crate) fn new(node: &str, volumes: &str, defaults: &str, defines: &str) -> Self {
        let volume = |entry: &str| {
            let (name, directory) = entry.split_once('=')?;
            name.starts_with('$').then(|| (name.to_ascii_uppercase(), PathBuf::from(directory)))
        };
        let define = |line: &str| {
            let (name, file) = line.strip_prefix('=')?.split_once('=')?;
            Some((name.trim().to_ascii_uppercase(), file.trim().to_owned()))
        };
        let default = |text: &str| {
            let (volume, subvolume) = text.split_once('.')?;
            volume.starts_with('$').then(|| (volume.to_ascii_uppercase(), subvolume.to_owned()))
        };
        Self {
            node: node.to_ascii_uppercase(),
            volumes: volumes.split(':').filter_map(volume).collect(),
            defaults: default(defaults.trim()),
            defines: defines.lines().filter_map(define).collect(),
        }
    }

    /// The name with its DEFINE replaced by what it stands for.
    pub(crate) fn follow(&self, name: &str) -> Result<String, FileError> {
        let mut name = name.trim_end_matches([' ', '\0']).to_owned();
        for _ in 0..DEFINES_DEEP_MAX {
            let Some(define) = name.strip_prefix('=') else { return Ok(name) };
            name = self.defines.get(&define.to_ascii_uppercase()).ok_or(NO_DEFINE)?.clone();
        }
        Err(NO_DEFINE)
    }

    /// True for a name of a disk file on a volume of the map; others with a `$` are processes and devices.
    pub(crate) fn is_on_a_volume(&self, name: &str) -> bool {
        let local = self.local(name).unwrap_or(name);
        let volume = local.split('.').next().unwrap_or(local);
        volume.starts_with('$') && self.volumes.contains_key(&volume.to_ascii_uppercase())
    }

    /// The path of a disk file whose DEFINE has been followed. `exists` tells whether a path is there.
    pub(crate) fn path(&self, name: &str, exists: impl Fn(&Path) -> bool) -> Result<PathBuf, FileError> {
        if name.is_empty() {
            return Err(FileError::BAD_NAME);
        }
        if name.contains('/') {
            return Ok(PathBuf::from(name));
        }
        let name = self.local(name)?;
        if name.starts_with('$') {
            let (volume, rest) = name.split_once('.').ok_or(FileError::BAD_NAME)?;
            return self.on_volume(volume, rest, exists);
        }
        match &self.defaults {
            Some((volume, subvolume)) if !name.contains('.') => {
                self.on_volume(volume, &format!("{subvolume}.{name}"), exists)
            }
            Some((volume, _)) => self.on_volume(volume, name, exists),
            None => Ok(in_working_directory(name, exists)),
        }
    }

    /// The volumes of the map with their directories.
    pub(crate) fn volumes(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.volumes.iter().map(|(name, directory)| (name.as_str(), directory.as_path()))
    }

    /// The directory of a name that is a volume of the map and nothing else.
    pub(crate) fn volume(&self, name: &str) -> Option<&Path> {
        let name = self.local(name).ok()?;
        self.volumes.get(&name.to_ascii_uppercase()).map(PathBuf::as_path)
    }

    /// The default volume and subvolume as a program reads them.
    pub(crate) fn defaults(&self) -> Option<String> {
        self.defaults.as_ref().map(|(volume, subvolume)| format!("{volume}.{subvolume}"))
    }

    fn local<'a>(&self, name: &'a str) -> Result<&'a str, FileError> {
        if !name.starts_with('\\') {
            return Ok(name);
        }
        let (node, rest) = name.split_once('.').ok_or(FileError::BAD_NAME)?;
        if node.eq_ignore_ascii_case(&self.node) { Ok(rest) } else { Err(UNKNOWN_NODE) }
    }

    fn on_volume(
        &self,
        volume: &str,
        rest: &str,
        exists: impl Fn(&Path) -> bool,
    ) -> Result<PathBuf, FileError> {
        let directory = self.volumes.get(&volume.to_ascii_uppercase()).ok_or(FileError::NO_SUCH_PROCESS)?;
        let parts: Vec<&str> = rest.split('.').collect();
        let temporary = parts.len() == 1 && parts[0].starts_with('#');
        // A subvolume and a file; parts that are empty or go up have no place below a volume.
        if !(parts.len() == 2 || temporary) || parts.iter().any(|part| !is_part(part)) {
            return Err(FileError::BAD_NAME);
        }
        Ok(parts.iter().fold(directory.clone(), |path, part| join(&path, part, &exists)))
    }
}

fn is_part(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'#');
    !part.is_empty() && part.bytes().all(plain)
}

fn in_working_directory(name: &str, exists: impl Fn(&Path) -> bool) -> PathBuf {
    match name.split_once('.') {
        Some((subvolume, file))
            if is_part(subvolume)
                && is_part(file)
                && !exists(Path::new(name))
                && exists(Path::new(subvolume)) =>
        {
            Path::new(subvolume).join(file)
        }
        _ => PathBuf::from(name),
    }
}

fn join(directory: &Path, part: &str, exists: &impl Fn(&Path) -> bool) -> PathBuf {
    let forms = [part.to_owned(), part.to_ascii_lowercase(), part.to_ascii_uppercase()];
    let found = forms.iter().map(|form| directory.join(form)).find(|path| exists(path));
    found.unwrap_or_else(|| directory.join(part.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(defaults: &str) -> Names {
        Names::new(
            "\\HERE",
            "$DATA=/srv/data:$system=/srv/sys:junk",
            defaults,
            "=CFG=$DATA.CONF.MAIN\n=LOOP==LOOP\n=server=$SRV\nnothing",
        )
    }

    fn path(names: &Names, name: &str, there: &[&str]) -> Result<String, FileError> {
        let exists = |path: &Path| there.iter().any(|known| Path::new(known) == path);
        names.path(name, exists).map(|path| path.display().to_string())
    }

    // A program that opens another file than the one it names.
    #[test]
    fn names_are_mapped_through_volumes_and_defaults() {
        let names = names("$SYSTEM.TESTS");
        let data = ["/srv/data/CONF", "/srv/data/CONF/main"];
        assert_eq!(path(&names, "$data.conf.main", &data), Ok("/srv/data/CONF/main".into()));
        assert_eq!(path(&names, "\\here.$data.conf.NEW", &data), Ok("/srv/data/CONF/new".into()));
        assert_eq!(path(&names, "\\there.$data.conf.main", &data), Err(UNKNOWN_NODE));
        assert_eq!(path(&names, "FILE1", &[]), Ok("/srv/sys/tests/file1".into()));
        assert_eq!(path(&names, "other.file1", &[]), Ok("/srv/sys/other/file1".into()));
        assert_eq!(path(&names, "/tmp/Mixed.Case", &[]), Ok("/tmp/Mixed.Case".into()));
        assert_eq!(path(&names, "./x", &[]), Ok("./x".into()));
        assert_eq!(path(&names, "$data.#0001", &[]), Ok("/srv/data/#0001".into()));
        assert_eq!(path(&names, "$none.a.b", &[]), Err(FileError::NO_SUCH_PROCESS));
        for bad in ["", "$data", "$data.a", "$data.a.b.c", "$data..b", "$data.a. b"] {
            assert_eq!(path(&names, bad, &[]), Err(FileError::BAD_NAME), "{bad}");
        }
    }

    // Without a volume map a program works on the files of its directory like any Linux program.
    #[test]
    fn without_defaults_the_working_directory_is_meant() {
        let names = Names::new("\\HERE", "", "", "");
        assert_eq!(path(&names, "Output.txt", &[]), Ok("Output.txt".into()));
        assert_eq!(path(&names, "sub.file", &["sub"]), Ok("sub/file".into()));
        assert_eq!(path(&names, "sub.file", &["sub", "sub.file"]), Ok("sub.file".into()));
    }

    #[test]
    fn defines_are_followed_or_missing() {
        let names = names("");
        assert_eq!(names.follow("=cfg"), Ok("$DATA.CONF.MAIN".into()));
        assert_eq!(names.follow("plain  "), Ok("plain".into()));
        assert_eq!(names.follow("=none"), Err(NO_DEFINE));
        assert_eq!(names.follow("=loop"), Err(NO_DEFINE));
        assert!(names.is_on_a_volume("$DATA.#1"));
        assert!(!names.is_on_a_volume("$SRV.#1"));
    }
}
