//! One translation unit: its source and the headers it includes, each as a private copy that gcc reads.
//!
//! A copy begins with a `#line` that names the original, so messages and debug information are about that. A header is
//! copied once per section list; the entry is made before the header is read, so headers that include each other end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::table::Table;

use super::extensible::{self, Declared};
use super::find::{self, Volumes};
use super::known::{self, Known};
use super::layout::LongMode;
use super::prepass::{self, Include, Surroundings, Wanted, word_of};

/// Include files within include files.
const DEPTH_MAX: usize = 200;

/// What holds for every unit of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// `-I` and `-iquote`, and what pragmas add, in order.
    pub(crate) directories: Vec<PathBuf>,
    pub(crate) volumes: Volumes,
    pub(crate) long: LongMode,
    pub(crate) columns: Option<usize>,
    /// The sources are C++, where `<string>` is not `<string.h>`.
    pub(crate) is_cpp: bool,
    /// Other names of headers: `mapinclude`.
    pub(crate) names: BTreeMap<String, String>,
}

/// The copies of one unit.
pub(crate) struct Unit<'a> {
    settings: Settings,
    table: &'a Table,
    /// Where copies go.
    directory: PathBuf,
    copies: BTreeMap<(PathBuf, Option<Vec<String>>), PathBuf>,
    /// Copy to original, for dependency files.
    pub(crate) originals: BTreeMap<PathBuf, PathBuf>,
    /// Pragmas that the run-time library wants to know of.
    pub(crate) marks: Vec<String>,
    /// Libraries that `#pragma search` names.
    pub(crate) libraries: Vec<PathBuf>,
    /// Functions of the program whose arguments may be left out.
    extensible: BTreeSet<String>,
    /// What goes to the head of each copy that is being made, the innermost last.
    heads: Vec<String>,
    /// Files whose copies are being made, the innermost last, and the line of the include that is looked at.
    open: Vec<(PathBuf, usize)>,
    /// The first thing that went wrong.
    error: Option<String>,
    count: usize,
}

impl<'a> Unit<'a> {
    pub(crate) fn new(settings: Settings, table: &'a Table, directory: PathBuf) -> Self {
        Self {
            settings,
            table,
            directory,
            copies: BTreeMap::new(),
            originals: BTreeMap::new(),
            marks: Vec::new(),
            libraries: Vec::new(),
            extensible: BTreeSet::new(),
            heads: Vec::new(),
            open: Vec::new(),
            error: None,
            count: 0,
        }
    }

    /// Makes the copy of the unit's main source.
    pub(crate) fn source(&mut self, path: &Path) -> Result<PathBuf, String> {
        let copy = self.copy(path, None);
        match self.error.take() {
            Some(error) => Err(error),
            None => copy.ok_or_else(|| format!("cannot copy {}", path.display())),
        }
    }

    /// Makes the copy of a file, or finds the one that is there. None after an error.
    fn copy(&mut self, path: &Path, sections: Option<Vec<String>>) -> Option<PathBuf> {
        let identity = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let key = (identity, sections.clone());
        if let Some(copy) = self.copies.get(&key) {
            return Some(copy.clone());
        }
        if self.open.len() >= DEPTH_MAX {
            self.fail(format!("{}: includes are nested more than {DEPTH_MAX} deep", path.display()));
            return None;
        }
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) => {
                self.fail(format!("{}: {error}", path.display()));
                return None;
            }
        };
        let copy = self.place(path)?;
        self.copies.insert(key, copy.clone());
        self.originals.insert(copy.clone(), path.to_owned());
        let wanted = Wanted { sections, long: self.settings.long, columns: self.settings.columns };
        self.open.push((path.to_owned(), 1));
        self.heads.push(String::new());
        let rewritten = prepass::rewrite(&text, &wanted, self);
        self.open.pop();
        let head = self.heads.pop().unwrap_or_default();
        let mut text = format!("{head}#line 1 \"{}\"\n", escaped(path)).into_bytes();
        text.extend(rewritten);
        if self.open.is_empty() {
            text.extend(self.mark_text().into_bytes());
        }
        self.write(&copy, &text)?;
        Some(copy)
    }

    /// A new file of our own with lines of includes.
    fn collection(&mut self, lines: &str) -> Option<PathBuf> {
        let path = self.place(Path::new("list.h"))?;
        self.write(&path, lines.as_bytes())?;
        Some(path)
    }

    /// A new path that keeps the file's own name, for the few messages in which gcc names the copy.
    fn place(&mut self, path: &Path) -> Option<PathBuf> {
        let directory = self.directory.join(self.count.to_string());
        self.count += 1;
        if let Err(error) = fs::create_dir_all(&directory) {
            self.fail(format!("{}: {error}", directory.display()));
            return None;
        }
        Some(directory.join(path.file_name().unwrap_or_default()))
    }

    fn write(&mut self, path: &Path, text: &[u8]) -> Option<()> {
        match fs::write(path, text) {
            Ok(()) => Some(()),
            Err(error) => {
                self.fail(format!("{}: {error}", path.display()));
                None
            }
        }
    }

    fn fail(&mut self, text: String) {
        let place = self.open.last().map(|(path, line)| format!("{}:{line}: ", path.display()));
        let place = place.unwrap_or_default();
        self.error.get_or_insert(format!("{place}{text}"));
    }

    fn note(&self, line: usize, text: &str) {
        let path = self.open.last().map(|(path, _)| path.display().to_string()).unwrap_or_default();
        eprintln!("pollux cc: note: {path}:{line}: {text}");
    }

    /// A file of the program that an include line means.
    fn user_file(&self, include: &Include) -> Option<PathBuf> {
        let name = self.settings.names.get(&include.name.to_ascii_lowercase()).unwrap_or(&include.name);
        if find::volume_path(name).is_some() {
            if let Some(path) = find::on_volume(name, &self.settings.volumes) {
                return Some(path);
            }
            // The last component alone, as if it had been copied beside the program; but not a header that is known.
            if known::known(name).is_some() {
                return None;
            }
            let (_, below) = find::volume_path(name)?;
            let last = below.last()?.clone();
            return self.search(&last, include.quoted, false);
        }
        self.search(name, include.quoted, !include.quoted && known::known(name).is_some())
    }

    /// Searches the directories; `exactly`: no other spelling of the name will do.
    fn search(&self, name: &str, quoted: bool, exactly: bool) -> Option<PathBuf> {
        let own = self.open.last().and_then(|(path, _)| path.parent()).filter(|_| quoted);
        let exactly = exactly || known::is_standard(name);
        for directory in own.into_iter().chain(self.settings.directories.iter().map(PathBuf::as_path)) {
            let found = if exactly {
                Some(directory.join(name)).filter(|path| path.is_file())
            } else {
                find::in_directory(directory, name)
            };
            if let Some(path) = found {
                // `./x.h` and `x.h` are one name in messages, and the shorter one is how gcc writes it.
                return Some(path.strip_prefix(".").map(Path::to_owned).unwrap_or(path));
            }
        }
        Path::new(name).is_absolute().then(|| PathBuf::from(name)).filter(|path| path.is_file())
    }

    /// The procedures that a section list names.
    fn procedures(&mut self, include: &Include) -> String {
        let mut lines = String::from("#pragma GCC system_header\n#include <pollux/types.h>\n");
        for name in &include.sections {
            match known::section(self.table, name) {
                Some(procedure) => {
                    let _ = writeln!(lines, "#include <pollux/proc/{}.h>", procedure.name);
                }
                None => self.note(include.line, &format!("no procedure {name} is known")),
            }
        }
        lines
    }

    /// What the end of a source says to the start-up object.
    fn mark_text(&self) -> String {
        let line = |mark: &String| format!("\n__attribute__((weak)) char pollux_pragma_{mark} = 1;");
        self.marks.iter().map(line).collect()
    }
}

impl Surroundings for Unit<'_> {
    fn include(&mut self, include: &Include) -> String {
        if let Some((_, line)) = self.open.last_mut() {
            *line = include.line;
        }
        if let Some(path) = self.user_file(include) {
            let sections = (!include.sections.is_empty()).then(|| include.sections.clone());
            return match self.copy(&path, sections) {
                Some(copy) => format!("\"{}\"", copy.display()),
                None => format!("\"{}\"", include.name),
            };
        }
        let name = self.settings.names.get(&include.name.to_ascii_lowercase()).unwrap_or(&include.name);
        let is_of_cpp = self.settings.is_cpp && !include.quoted && !include.name.contains('.');
        let lines =
            match known::known(name).filter(|_| !(is_of_cpp && known::is_standard(&format!("{name}.h")))) {
                Some(Known::Procedures) if !include.sections.is_empty() => self.procedures(include),
                Some(Known::Procedures) => "#include <cextdecs.h>\n".to_owned(),
                Some(Known::Header(header)) => format!("#include <{header}>\n"),
                // gcc says that there is no such file, on the programmer's line.
                None if include.quoted => return format!("\"{}\"", include.name),
                None if include.packed => format!("#include <{}>\n", include.name),
                None => return format!("<{}>", include.name),
            };
        let is_one_line = lines.lines().count() == 1;
        let lines = if include.packed {
            format!("#pragma pack(push)\n#pragma pack()\n{lines}#pragma pack(pop)\n")
        } else if is_one_line {
            return lines.trim_start_matches("#include ").trim_end().to_owned();
        } else {
            lines
        };
        match self.collection(&lines) {
            Some(path) => format!("\"{}\"", path.display()),
            None => format!("\"{}\"", include.name),
        }
    }

    fn is_extensible(&self, name: &str) -> bool {
        self.extensible.contains(name)
    }

    fn extensible(&mut self, name: &str, parameters: usize) -> Declared {
        let procedure = known::section(self.table, name).filter(|one| one.name == name);
        let head = self.heads.last_mut().expect("a copy is being made");
        if procedure.is_some() {
            let _ = writeln!(head, "#include <pollux/proc/{name}.h>");
            return Declared::Procedure;
        }
        if head.is_empty() {
            head.push_str("#include <pollux/macros.h>\n");
        }
        // A second declaration of the same shape is the same macro, which C allows.
        head.push_str(&extensible::macro_of(name, parameters));
        self.extensible.insert(name.to_owned());
        Declared::Own
    }

    fn pragma(&mut self, _line: usize, text: &str) {
        if word_of(text).eq_ignore_ascii_case("function") {
            self.extensible.extend(extensible::of_pragma(&text["function".len()..]));
            return;
        }
        // Several may stand in one line, as in the command line of the original compiler.
        for part in text.split(',') {
            let part = part.trim();
            let word = word_of(part).to_ascii_lowercase();
            let rest = part[word.len()..].trim();
            match word.as_str() {
                "mapinclude" => {
                    let mut names = rest.split('=').map(|name| name.trim().trim_matches('"').to_owned());
                    if let (Some(from), Some(to)) = (names.next(), names.next()) {
                        self.settings.names.insert(from.to_ascii_lowercase(), to);
                    }
                }
                "nostdfiles" | "ansistreams" if !self.marks.contains(&word) => self.marks.push(word),
                "search" => {
                    let path = find::directory(rest, &self.settings.volumes);
                    if path.is_dir() {
                        self.settings.directories.push(path);
                    } else if path.is_file() {
                        self.libraries.push(path);
                    }
                }
                _ if is_ssv(&word) => {
                    let path = find::directory(rest, &self.settings.volumes);
                    self.settings.directories.push(path);
                }
                _ => {}
            }
        }
    }
}

/// `ssv0` to `ssv49`.
pub(crate) fn is_ssv(word: &str) -> bool {
    word.strip_prefix("ssv").and_then(|number| number.parse::<u8>().ok()).is_some_and(|number| number < 50)
}

/// A path as it stands in a C string.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace('\\', "\\\\").replace('"', "\\\"")
}
