//! gcc: the options that Guardian C needs, and running it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::options::Language;

/// Options of every compilation, each for a reason; the program's own come later and so win.
const FIXED: [&str; 21] = [
    // Plain char has no sign.
    "-funsigned-char",
    // Buffers are overlaid with structures everywhere, and old code relies on wrap-around.
    "-fno-strict-aliasing",
    "-fwrapv",
    // Globals stay in source order: real programs run over the end of one into the next and never noticed.
    "-fno-toplevel-reorder",
    // A program's own read, write or open stays out of the dynamic symbol table, so libraries keep theirs.
    "-fvisibility=hidden",
    // A program's log, index or send is not the C library's, and printf stays a call.
    "-fno-builtin",
    // Fortified variants abort on such over-runs and go past the wrappers.
    "-U_FORTIFY_SOURCE",
    // All of this is normal in Guardian C. Incompatible pointers are not: that warning finds real errors of width.
    "-Wno-unknown-pragmas",
    "-Wno-pointer-sign",
    "-Wno-int-conversion",
    "-Wno-overflow",
    "-Wno-main",
    // Old style is warned of, with later compilers too, where it would be an error.
    "-Wno-error=implicit-int",
    "-Wno-error=implicit-function-declaration",
    "-Wno-error=incompatible-pointer-types",
    // Programs choose their Guardian branch with these; -U switches one off.
    "-D__TANDEM",
    "-D_TANDEM_SOURCE",
    "-D_GUARDIAN_TARGET",
    "-D_GUARDIAN_HOST",
    "-D_TNS_X_TARGET",
    "-D_TANDEM_ARCH_=3",
];
/// Not known to the C++ compiler, which says so in each run.
const C_ONLY: [&str; 5] = [
    "-Wno-pointer-sign",
    "-Wno-int-conversion",
    "-Wno-error=implicit-int",
    "-Wno-error=implicit-function-declaration",
    "-Wno-error=incompatible-pointer-types",
];

/// The C compiler with our headers.
pub(crate) struct Gcc {
    include: PathBuf,
    verbose: bool,
}

impl Gcc {
    pub(crate) fn new(include: PathBuf, verbose: bool) -> Self {
        Self { include, verbose }
    }

    /// A compilation: the compiler and the fixed options.
    pub(crate) fn compile(&self, language: Language, has_standard: bool) -> Command {
        let mut command = self.plain(language);
        if !has_standard {
            command.arg(match language {
                Language::C => "-std=gnu17",
                Language::Cpp => "-std=gnu++17",
            });
        }
        command.args(FIXED.iter().filter(|option| language == Language::C || !C_ONLY.contains(option)));
        command.arg("-isystem").arg(&self.include).args(["-include", "pollux/prelude.h"]);
        command
    }

    /// The compiler alone.
    pub(crate) fn plain(&self, language: Language) -> Command {
        Command::new(match language {
            Language::C => "gcc",
            Language::Cpp => "g++",
        })
    }

    /// Runs it; what it says goes where our own output goes. The error is its exit code.
    pub(crate) fn run(&self, mut command: Command) -> Result<(), u8> {
        if self.verbose {
            let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
            eprintln!("{} {}", command.get_program().to_string_lossy(), words.join(" "));
        }
        match command.stdin(Stdio::null()).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
            Err(error) => {
                let program = command.get_program().to_string_lossy().into_owned();
                eprintln!("pollux cc: cannot run {program}: {error}\n  next: apt-get install {program}");
                Err(1)
            }
        }
    }

    /// The global names that some objects define. A program's own `remove` is not to be taken for the C library's; if
    /// nm is missing, that is as good as no such name.
    pub(crate) fn defined(&self, inputs: &[PathBuf]) -> BTreeSet<String> {
        let objects = inputs.iter().filter(|path| is_object(path));
        let output = Command::new("nm")
            .args(["--defined-only", "--extern-only", "--format=posix"])
            .args(objects)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        let text = output.map(|output| output.stdout).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
    }
}

/// The dynamic names that a shared library defines; None if nm cannot say.
pub(crate) fn exported(library: &Path) -> Option<BTreeSet<String>> {
    let output = Command::new("nm")
        .args(["--dynamic", "--defined-only", "--format=posix"])
        .arg(library)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    // A name may carry its version: `name@@VERSION`.
    let name = |line: &str| line.split([' ', '@']).next().map(str::to_owned);
    Some(text.lines().filter_map(name).collect())
}

fn is_object(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "o" || extension == "a")
}
