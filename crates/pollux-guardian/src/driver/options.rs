//! The command line: gcc's own options, understood as far as the driver must, and the few that are ours.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::find;
use super::layout::LongMode;
use super::unit::{Settings, is_ssv};

/// How far a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Goal {
    /// An executable, or with `-shared` or `-r` what these make.
    #[default]
    Program,
    /// `-c`
    Object,
    /// `-S`
    Assembly,
    /// `-E`
    Text,
    /// `-M` or `-MM`: dependencies in place of anything else.
    Dependencies,
    /// `-fsyntax-only`
    Check,
}

/// The languages that are rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    C,
    Cpp,
}

impl Language {
    /// As gcc's `-x` names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::C => "c",
            Self::Cpp => "c++",
        }
    }
}

/// What the linker gets, in the order of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LinkItem {
    /// The object of the source at this place in [`Options::sources`].
    Source(usize),
    /// An object, a library, an option.
    Other(String),
}

/// A command line, understood.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) goal: Goal,
    pub(crate) output: Option<PathBuf>,
    pub(crate) sources: Vec<(PathBuf, Language)>,
    /// For each compilation, in order.
    pub(crate) compile: Vec<String>,
    pub(crate) link: Vec<LinkItem>,
    pub(crate) settings: Settings,
    /// Pragmas from the command line, for each source.
    pub(crate) pragmas: Vec<String>,
    /// `-MD` or `-MMD`.
    pub(crate) dependencies: Option<String>,
    pub(crate) dependency_file: Option<PathBuf>,
    /// `-MT` and `-MQ`.
    pub(crate) dependency_targets: Vec<String>,
    /// The program has a language standard of its own.
    pub(crate) has_standard: bool,
    /// `-shared` or `-r`: nothing that has a `main`.
    pub(crate) has_no_main: bool,
    /// `-v` or `-###`: show the commands.
    pub(crate) verbose: bool,
    pub(crate) help: bool,
}

/// Options with their value in the next word, for the compiler.
const COMPILE_WITH_VALUE: [&str; 10] = [
    "-D",
    "-U",
    "-include",
    "-isystem",
    "-idirafter",
    "-imacros",
    "-isysroot",
    "-Xpreprocessor",
    "-Xassembler",
    "--param",
];
/// The same for the linker.
const LINK_WITH_VALUE: [&str; 8] = ["-L", "-l", "-Xlinker", "-T", "-u", "-z", "-e", "-h"];
/// Beginnings of options that the linker alone gets.
const LINK_ONLY: [&str; 17] = [
    "-L",
    "-l",
    "-Wl,",
    "-shared",
    "-rdynamic",
    "-pie",
    "-no-pie",
    "-nostdlib",
    "-nostartfiles",
    "-nodefaultlibs",
    "-s",
    "-r",
    "-T",
    "-u",
    "-z",
    "-fuse-ld",
    "-static-lib",
];
/// Beginnings of options that both get.
const BOTH: [&str; 8] = ["-f", "-m", "-O", "-g", "-pthread", "-p", "-B", "-save-temps"];

impl Options {
    /// Understands a command line.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        if let Ok(text) = std::env::var("POLLUX_VOLUMES") {
            for part in text.split([':', ';', ',']).filter(|part| !part.trim().is_empty()) {
                let (name, path) = find::volume(part).map_err(|error| format!("POLLUX_VOLUMES: {error}"))?;
                options.settings.volumes.insert(name, path);
            }
        }
        let mut words = Words { list: arguments, at: 0 };
        let mut language = None;
        while let Some(word) = words.next() {
            options.word(&word, &mut words, &mut language)?;
        }
        if options.output.is_some() && options.goal != Goal::Program && options.sources.len() > 1 {
            return Err("-o names one file, but there are several sources and no link".to_owned());
        }
        options.command_line_pragmas();
        Ok(options)
    }

    fn word(
        &mut self,
        word: &str,
        words: &mut Words<'_>,
        language: &mut Option<String>,
    ) -> Result<(), String> {
        match word {
            "--help" | "-help" => self.help = true,
            "-c" => self.goal = Goal::Object,
            "-S" => self.goal = Goal::Assembly,
            "-E" => self.goal = Goal::Text,
            "-fsyntax-only" => self.goal = Goal::Check,
            "-M" | "-MM" => {
                self.goal = Goal::Dependencies;
                self.dependencies = Some(word.to_owned());
            }
            "-MD" | "-MMD" => self.dependencies = Some(word.to_owned()),
            "-MF" => self.dependency_file = Some(words.value(word)?.into()),
            "-MT" | "-MQ" => {
                let value = words.value(word)?;
                self.dependency_targets.extend([word.to_owned(), value]);
            }
            "-v" | "-###" => self.verbose = true,
            "-static" => {
                return Err(
                    "-static: the run-time library is shared, or a program's own read or open would \
                            capture its calls"
                        .to_owned(),
                );
            }
            "--volume" => self.volume(&words.value(word)?)?,
            "--pragma" => self.pragmas.push(words.value(word)?),
            "--columns" => self.columns(&words.value(word)?)?,
            "-mlong=auto" => self.settings.long = LongMode::Auto,
            "-mlong=32" => self.settings.long = LongMode::Always32,
            "-mlong=64" => self.settings.long = LongMode::Always64,
            _ if word.starts_with("-mlong=") => {
                return Err(format!("{word}: the modes are auto, 32 and 64"));
            }
            _ if word.starts_with("--volume=") => self.volume(&word["--volume=".len()..])?,
            _ if word.starts_with("--pragma=") => self.pragmas.push(word["--pragma=".len()..].to_owned()),
            _ if word.starts_with("--columns=") => self.columns(&word["--columns=".len()..])?,
            "-iquote" | "-I" => self.directory(words.value(word)?, word),
            _ if word.starts_with("-I") => self.directory(word[2..].to_owned(), "-I"),
            "-o" => self.output = Some(words.value(word)?.into()),
            _ if word.starts_with("-o") => self.output = Some(word[2..].into()),
            "-x" => {
                let value = words.value(word)?;
                *language = (value != "none").then_some(value);
            }
            _ if word.starts_with("-x") => *language = Some(word[2..].to_owned()),
            _ if word.starts_with("-MF") => self.dependency_file = Some(word[3..].into()),
            "-" => return Err("- (standard input) has no name for messages; give a file".to_owned()),
            _ if word.starts_with('-') => self.passed_on(word, words)?,
            _ => self.input(word, language.as_deref()),
        }
        Ok(())
    }

    fn passed_on(&mut self, word: &str, words: &mut Words<'_>) -> Result<(), String> {
        if COMPILE_WITH_VALUE.contains(&word) {
            let value = words.value(word)?;
            self.compile.extend([word.to_owned(), value]);
        } else if LINK_WITH_VALUE.contains(&word) {
            let value = words.value(word)?;
            self.link.extend([word.to_owned(), value].map(LinkItem::Other));
        } else if word.starts_with("-std") || word == "-ansi" {
            self.has_standard = true;
            self.compile.push(word.to_owned());
        } else if LINK_ONLY.iter().any(|one| word.starts_with(one)) && !word.starts_with("-save-temps") {
            self.has_no_main |= matches!(word, "-shared" | "-r");
            self.link.push(LinkItem::Other(word.to_owned()));
        } else {
            self.compile.push(word.to_owned());
            if BOTH.iter().any(|one| word.starts_with(one)) {
                self.link.push(LinkItem::Other(word.to_owned()));
            }
        }
        Ok(())
    }

    fn directory(&mut self, text: String, option: &str) {
        let path = find::directory(&text, &self.settings.volumes);
        self.compile.extend([option.to_owned(), path.display().to_string()]);
        self.settings.directories.push(path);
    }

    fn volume(&mut self, text: &str) -> Result<(), String> {
        let (name, path) = find::volume(text).map_err(|error| format!("--volume: {error}"))?;
        self.settings.volumes.insert(name, path);
        Ok(())
    }

    fn columns(&mut self, text: &str) -> Result<(), String> {
        let number = text.parse().ok().filter(|&number: &usize| number > 0);
        self.settings.columns = Some(number.ok_or_else(|| format!("--columns: {text:?} is not a column"))?);
        Ok(())
    }

    fn input(&mut self, word: &str, language: Option<&str>) {
        match language_of(Path::new(word), language) {
            Some(language) => {
                self.link.push(LinkItem::Source(self.sources.len()));
                self.sources.push((PathBuf::from(word), language));
            }
            None => {
                // Assembler and preprocessed text are gcc's business alone; the language holds for this file.
                if let Some(language) = language {
                    self.link.extend(
                        ["-x", language, word, "-x", "none"].map(|one| LinkItem::Other(one.to_owned())),
                    );
                } else {
                    self.link.push(LinkItem::Other(word.to_owned()));
                }
            }
        }
    }

    /// `define X` is `-DX`, `columns N` is `--columns N`; the rest waits for the sources.
    fn command_line_pragmas(&mut self) {
        let mut waiting = Vec::new();
        for pragma in std::mem::take(&mut self.pragmas) {
            for part in pragma.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                let mut words = part.split_whitespace();
                match (words.next().map(str::to_ascii_lowercase).as_deref(), words.next()) {
                    (Some("define"), Some(name)) => {
                        let value = words.next().map(|value| format!("={value}")).unwrap_or_default();
                        self.compile.push(format!("-D{name}{value}"));
                    }
                    (Some("columns"), Some(number)) => self.settings.columns = number.parse().ok(),
                    (Some(word), Some(path)) if is_ssv(word) => {
                        let path = find::directory(path, &self.settings.volumes);
                        self.settings.directories.push(path);
                    }
                    _ => waiting.push(part.to_owned()),
                }
            }
        }
        self.pragmas = waiting;
    }
}

/// The words of a command line, one after the other.
struct Words<'a> {
    list: &'a [String],
    at: usize,
}

impl Words<'_> {
    fn next(&mut self) -> Option<String> {
        let word = self.list.get(self.at)?.clone();
        self.at += 1;
        Some(word)
    }

    fn value(&mut self, option: &str) -> Result<String, String> {
        self.next().ok_or_else(|| format!("{option} needs a value"))
    }
}

/// The language of an input, if it is one that is rewritten. A name without an extension is C, as Guardian sources have
/// none, unless the file says that it is an object or a library.
fn language_of(path: &Path, option: Option<&str>) -> Option<Language> {
    match option {
        Some("c") => return Some(Language::C),
        Some("c++") => return Some(Language::Cpp),
        Some(_) => return None,
        None => {}
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("c" | "h") => Some(Language::C),
        Some("C" | "cc" | "cpp" | "cxx" | "c++" | "cp" | "CPP") => Some(Language::Cpp),
        None => (!is_binary(path)).then_some(Language::C),
        Some(_) => None,
    }
}

fn is_binary(path: &Path) -> bool {
    let mut begin = [0; 8];
    let read = File::open(path).and_then(|mut file| file.read(&mut begin)).unwrap_or(0);
    begin[..read].starts_with(b"\x7fELF") || begin[..read].starts_with(b"!<arch>")
}
