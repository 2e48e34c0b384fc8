//! `pollux cc`: compiles Guardian C with gcc.
//!
//! For each source: a private copy in which the pre-pass has rewritten what no preprocessor accepts, the
//! generated headers beside it, then gcc with fixed options. A link adds the start-up object and the run-time library.
//! Everything private is in one directory that is removed on every way out.
//!
//! Messages are about the programmer's files and lines: copies say so with `#line`, and dependency files are mapped
//! back.

mod dependencies;
mod extensible;
mod find;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod gcc;
mod help;
mod known;
mod layout;
mod lex;
mod library;
mod options;
mod prepass;
mod unit;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::headers;
use crate::table::Table;
use crate::wrapped;

use gcc::Gcc;
use layout::LongMode;
use options::{Goal, Language, LinkItem, Options};
use prepass::Surroundings;
use unit::Unit;

/// Exit code for a command line that is wrong, a file that cannot be read, a library that is missing.
const FAILED: u8 = 1;

/// How the names of private directories begin.
const PRIVATE: &str = "pollux-cc-";
/// No compilation takes this long: a private directory of that age was left by a run that was killed.
const PRIVATE_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

const STARTUP: &str = include_str!("startup.c");

/// Runs the driver with these arguments, without the program's name. Gives the exit code: 0 if all is done, else gcc's
/// own or 1.
#[must_use]
pub fn run(arguments: &[String]) -> u8 {
    match drive(arguments) {
        Ok(()) => 0,
        Err(Failure::Said(code)) => code,
        Err(Failure::Ours(text)) => {
            eprintln!("pollux cc: {text}");
            FAILED
        }
    }
}

/// Why a run ends early.
enum Failure {
    /// gcc has said why.
    Said(u8),
    /// To be said in one line.
    Ours(String),
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Ours(text)
    }
}

/// What a run has in common.
struct Run {
    options: Options,
    table: Table,
    /// Removed when this is dropped, on every way out.
    private: tempfile::TempDir,
    gcc: Gcc,
}

fn drive(arguments: &[String]) -> Result<(), Failure> {
    let options = Options::parse(arguments)?;
    if options.help {
        print!("{}", help::TEXT);
        return Ok(());
    }
    let has_input = !options.sources.is_empty() || options.link.iter().any(is_file);
    if !has_input {
        return Err(Failure::Ours("no input files\n  next: pollux cc --help".to_owned()));
    }
    remove_old_copies();
    let private = tempfile::Builder::new()
        .prefix(PRIVATE)
        .tempdir()
        .map_err(|error| format!("cannot make a private directory: {error}"))?;
    let table = Table::built_in();
    let include = private.path().join("include");
    std::fs::create_dir(&include)
        .and_then(|()| headers::write_to(&include, &table))
        .map_err(|error| format!("{}: {error}", include.display()))?;
    let gcc = Gcc::new(include, options.verbose);
    Run { options, table, private, gcc }.all()
}

/// A signal ends a run before it can remove its directory; a later run does it. Directories of other users refuse.
fn remove_old_copies() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.filter_map(Result::ok) {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PRIVATE));
        // The entry itself, so that a link of this name is not followed.
        let is_old = || {
            let data = entry.metadata().ok().filter(std::fs::Metadata::is_dir)?;
            data.modified().ok()?.elapsed().ok().map(|age| age > PRIVATE_AGE_MAX)
        };
        if is_ours && is_old() == Some(true) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn is_file(item: &LinkItem) -> bool {
    matches!(item, LinkItem::Other(word) if !word.starts_with('-'))
}

impl Run {
    fn all(&self) -> Result<(), Failure> {
        // A missing library is said before minutes of compiling, not after.
        let library = match self.options.goal {
            Goal::Program => Some(library::directory()?),
            _ => None,
        };
        let mut objects = Vec::new();
        let mut libraries = Vec::new();
        let mut failure = None;
        for (at, (source, language)) in self.options.sources.iter().enumerate() {
            // As gcc does: each source is looked at, so that one run shows the faults of all.
            match self.compile(at, source, *language, &mut libraries) {
                Ok(object) => objects.push(object),
                Err(one) => {
                    if let Failure::Ours(text) = &one {
                        eprintln!("pollux cc: {text}");
                    }
                    failure.get_or_insert(match one {
                        Failure::Said(code) => code,
                        Failure::Ours(_) => FAILED,
                    });
                }
            }
        }
        if let Some(code) = failure {
            return Err(Failure::Said(code));
        }
        match library {
            Some(library) => self.link(&objects, &libraries, &library),
            None => self.other_inputs(),
        }
    }

    /// Compiles one source and gives the file that was made.
    fn compile(
        &self,
        at: usize,
        source: &Path,
        language: Language,
        libraries: &mut Vec<PathBuf>,
    ) -> Result<PathBuf, Failure> {
        let copies = self.private.path().join(format!("unit{at}"));
        let mut settings = self.options.settings.clone();
        settings.is_cpp = language == Language::Cpp;
        let mut unit = Unit::new(settings, &self.table, copies);
        for pragma in &self.options.pragmas {
            unit.pragma(0, pragma);
        }
        let copy = unit.source(source)?;
        libraries.append(&mut unit.libraries);
        let output = self.output_of(at, source);
        let mut command = self.gcc.compile(language, self.options.has_standard);
        let directory =
            source.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        command.arg("-iquote").arg(directory);
        if let Some(place) = copy.parent() {
            // Debug information names the file that was compiled: the copy's directory is not to be seen in it.
            command.arg(format!("-fdebug-prefix-map={}={}", place.display(), directory.display()));
        }
        if self.options.settings.long == LongMode::Always32 && language == Language::C {
            command.arg("-DPOLLUX_LONG_32");
        }
        command.args(&self.options.compile);
        match self.options.goal {
            Goal::Program | Goal::Object => command.arg("-c"),
            Goal::Assembly => command.arg("-S"),
            Goal::Text => command.arg("-E"),
            Goal::Check => command.arg("-fsyntax-only"),
            Goal::Dependencies => &mut command,
        };
        let dependency_file = self.private.path().join(format!("unit{at}.d"));
        if let Some(option) = &self.options.dependencies {
            command.arg(option).arg("-MF").arg(&dependency_file);
            if self.options.dependency_targets.is_empty() {
                command.arg("-MT").arg(self.dependency_target(source, &output));
            }
            command.args(&self.options.dependency_targets);
        }
        let makes_a_file = !matches!(self.options.goal, Goal::Check | Goal::Dependencies);
        if let (true, Some(output)) = (makes_a_file, &output) {
            command.arg("-o").arg(output);
        }
        command.arg("-x").arg(language.name()).arg(&copy);
        self.gcc.run(command).map_err(Failure::Said)?;
        if self.options.dependencies.is_some() {
            let target = self.dependency_output(source, &output);
            dependencies::map_back(
                &dependency_file,
                target.as_deref(),
                &unit.originals,
                self.private.path(),
            )?;
        }
        Ok(output.unwrap_or_default())
    }

    /// Where the result of one compilation goes; None is the standard output.
    fn output_of(&self, at: usize, source: &Path) -> Option<PathBuf> {
        let stem = source.file_stem().unwrap_or_default().to_os_string();
        let here = |extension: &str| {
            let mut name = stem.clone();
            name.push(extension);
            PathBuf::from(name)
        };
        match self.options.goal {
            Goal::Program => Some(self.private.path().join(format!("unit{at}.o"))),
            Goal::Object => Some(self.options.output.clone().unwrap_or_else(|| here(".o"))),
            Goal::Assembly => Some(self.options.output.clone().unwrap_or_else(|| here(".s"))),
            Goal::Text | Goal::Dependencies | Goal::Check => self.options.output.clone(),
        }
    }

    fn dependency_target(&self, source: &Path, output: &Option<PathBuf>) -> PathBuf {
        match (self.options.goal, output) {
            (Goal::Object | Goal::Assembly, Some(output)) => output.clone(),
            _ => PathBuf::from(source.file_stem().unwrap_or_default()).with_extension("o"),
        }
    }

    /// Where the dependency file goes; None is the standard output.
    fn dependency_output(&self, source: &Path, output: &Option<PathBuf>) -> Option<PathBuf> {
        if let Some(file) = &self.options.dependency_file {
            return Some(file.clone());
        }
        match self.options.goal {
            Goal::Dependencies => output.clone(),
            Goal::Program => Some(PathBuf::from(source.file_stem().unwrap_or_default()).with_extension("d")),
            _ => Some(self.dependency_target(source, output).with_extension("d")),
        }
    }

    /// Inputs that need no rewriting, when nothing is linked: gcc alone.
    fn other_inputs(&self) -> Result<(), Failure> {
        let files: Vec<&String> = self
            .options
            .link
            .iter()
            .filter_map(|item| match item {
                LinkItem::Other(word) if !word.starts_with('-') => Some(word),
                _ => None,
            })
            .filter(|word| {
                matches!(
                    Path::new(word).extension().and_then(|one| one.to_str()),
                    Some("s" | "S" | "i" | "ii")
                )
            })
            .collect();
        if files.is_empty() {
            return Ok(());
        }
        let mut command = self.gcc.plain(Language::C);
        command.args(&self.options.compile);
        match self.options.goal {
            Goal::Assembly => command.arg("-S"),
            Goal::Text => command.arg("-E"),
            _ => command.arg("-c"),
        };
        if let Some(output) = &self.options.output {
            command.arg("-o").arg(output);
        }
        command.args(files);
        self.gcc.run(command).map_err(Failure::Said)
    }

    fn link(&self, objects: &[PathBuf], libraries: &[PathBuf], library: &Path) -> Result<(), Failure> {
        let language = match self.options.sources.iter().any(|(_, language)| *language == Language::Cpp) {
            true => Language::Cpp,
            false => Language::C,
        };
        let mut command = self.gcc.plain(language);
        let mut inputs = Vec::new();
        for item in &self.options.link {
            match item {
                LinkItem::Source(at) => {
                    command.arg(&objects[*at]);
                    inputs.push(objects[*at].clone());
                }
                LinkItem::Other(word) => {
                    command.arg(word);
                    if is_file(item) {
                        inputs.push(PathBuf::from(word));
                    }
                }
            }
        }
        command.args(libraries);
        if !self.options.has_no_main {
            command.arg(self.startup()?).arg("-Wl,--wrap=main");
        }
        let own = self.gcc.defined(&inputs);
        let exported = gcc::exported(&library.join(library::NAME));
        // What the library does not take over stays the C library's.
        let is_taken =
            |name: &str| exported.as_ref().is_none_or(|all| all.contains(&format!("__wrap_{name}")));
        for name in wrapped::all().filter(|name| !own.contains(*name) && is_taken(name)) {
            command.arg(format!("-Wl,--wrap={name}"));
        }
        command
            .arg("-L")
            .arg(library)
            .arg(format!("-Wl,-rpath,{}", library.display()))
            .arg("-lpollux_guardian");
        let output = self.options.output.clone().unwrap_or_else(|| PathBuf::from("a.out"));
        command.arg("-o").arg(output);
        self.gcc.run(command).map_err(Failure::Said)
    }

    /// The start-up object.
    fn startup(&self) -> Result<PathBuf, Failure> {
        let source = self.private.path().join("startup.c");
        let object = self.private.path().join("startup.o");
        std::fs::write(&source, STARTUP).map_err(|error| format!("{}: {error}", source.display()))?;
        let mut command = self.gcc.plain(Language::C);
        command.args(["-O1", "-fPIC", "-c", "-o"]).arg(&object).arg(&source);
        self.gcc.run(command).map_err(Failure::Said)?;
        Ok(object)
    }
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
