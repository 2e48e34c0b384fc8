//! The engine: its build, and its runs.

use super::tally::Tally;
use crate::run::{output, root, target};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Coverage counters and the comparisons that a program makes: all with flags of the stable compiler. Overflow and the program's own
/// assertions are looked for as well.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks=on";
/// An input that takes longer, in seconds of the clock, hangs: so long that a busy machine, or one whose fuzzing somebody holds up, is not
/// taken for it. The target's own limit is much lower, and of processor time.
const HANG_SECONDS: u64 = 300;
/// Bytes of an input that a message shows; all of it is in the file.
const SHOWN_BYTES_MAX: usize = 512;
/// Lines of the engine's log that a message shows.
const SHOWN_LINES_MAX: usize = 12;

/// The program, and where it works.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    program: PathBuf,
    place: PathBuf,
    targets: Vec<Known>,
}

/// A target as the engine tells of it.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Its name.
    pub(super) name: String,
    /// The decoders that it belongs to.
    pub(super) group: String,
    /// Longest input.
    pub(super) input_bytes_max: u64,
    /// Whose bytes.
    pub(super) of: String,
}

/// Groups of decoders, with the names of their targets.
pub(super) type Groups = BTreeMap<String, Vec<String>>;

/// What came of a run.
#[derive(Debug)]
pub(super) struct Slice {
    /// Processor time.
    pub(super) processor_us: u64,
    /// Inputs.
    pub(super) executions: u64,
    /// For people: the input and how to repeat it.
    pub(super) crash: Option<String>,
}

impl Engine {
    /// Builds it, in a place of its own among the build's files.
    pub(super) fn build(quiet: bool) -> Result<Self, String> {
        let place = target().join("fuzz");
        let triple = host()?;
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut command = Command::new(cargo);
        command
            .args(["build", "--release", "--package", "pollux-fuzz", "--bin", "pollux-fuzz-engine"])
            // With a target triple of its own, flags are not for build scripts and macros.
            .args(["--target", &triple])
            .env("CARGO_TARGET_DIR", &place)
            .env("CARGO_INCREMENTAL", "0")
            .env("RUSTFLAGS", FLAGS)
            .current_dir(root());
        if quiet {
            command.arg("--quiet");
        }
        let status = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
        if !status.success() {
            return Err("the engine does not build; it needs a C++ compiler (g++)".to_owned());
        }
        let program = place.join(&triple).join("release/pollux-fuzz-engine");
        for directory in ["corpus", "crashes", "meters", "logs"] {
            let path = place.join(directory);
            fs::create_dir_all(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        }
        let targets = known(&program)?;
        Ok(Self { program, place, targets })
    }

    /// The names of the targets of each group.
    pub(super) fn groups(&self) -> Groups {
        let mut groups = Groups::new();
        for Known { name, group, .. } in &self.targets {
            groups.entry(group.clone()).or_default().push(name.clone());
        }
        groups
    }

    /// The targets.
    pub(super) fn targets(&self) -> &[Known] {
        &self.targets
    }

    /// Adds what runs that were cut have left in their meters.
    pub(super) fn collect_meters(&self, tally: &mut Tally) -> Result<(), String> {
        let meters = self.place.join("meters");
        let entries =
            fs::read_dir(&meters).map_err(|error| format!("cannot read {}: {error}", meters.display()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let (processor_us, executions) = read_meter(&path);
            tally.add(&name, processor_us, executions, 0);
            tally.write(super::file(), &self.groups())?;
            let _ = fs::remove_file(&path);
        }
        Ok(())
    }

    /// Where a target's inputs are that are not in the tree.
    pub(super) fn working_corpus(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.place.join("corpus").join(name);
        fs::create_dir_all(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        Ok(path)
    }

    /// A command of the engine for a target, its words into the target's log.
    pub(super) fn command(&self, name: &str) -> Result<Command, String> {
        let path = self.log(name);
        let log =
            fs::File::create(&path).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        let mut command = Command::new(&self.program);
        command.env("POLLUX_FUZZ_TARGET", name).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Ok(command)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.place.join("logs").join(format!("{name}.log"))
    }

    /// Runs a target for so many seconds.
    pub(super) fn run(&self, name: &str, job: usize, seconds: u64) -> Result<Slice, String> {
        let meter = self.place.join("meters").join(format!("{name}.{job}"));
        let crashes = self.place.join("crashes");
        let prefix = crashes.join(format!("{name}-"));
        let before = files(&crashes);
        let bytes_max = self
            .targets
            .iter()
            .find(|target| target.name == name)
            .map_or(4096, |target| target.input_bytes_max);
        let status = self
            .command(name)?
            .env("POLLUX_FUZZ_METER", &meter)
            .arg(format!("-artifact_prefix={}", prefix.display()))
            .args([
                format!("-max_total_time={seconds}"),
                format!("-max_len={bytes_max}"),
                format!("-timeout={HANG_SECONDS}"),
            ])
            .args(["-rss_limit_mb=2048", "-print_final_stats=1"])
            .arg(self.working_corpus(name)?)
            .arg(root().join("fuzz/corpus").join(name))
            .status()
            .map_err(|error| format!("cannot run the engine: {error}"))?;
        let (processor_us, executions) = read_meter(&meter);
        let _ = fs::remove_file(&meter);
        let crash = (!status.success()).then(|| {
            let file = files(&crashes).into_iter().find(|file| !before.contains(file));
            self.describe(name, file.as_deref())
        });
        Ok(Slice { processor_us, executions, crash })
    }

    /// Tries the inputs of earlier crashes again. One that keeps every promise now is mended: it is no longer counted as a crash,
    /// and runs begin with it.
    pub(super) fn retry_crashes(&self, tally: &mut Tally) -> Result<(), String> {
        for file in files(&self.place.join("crashes")) {
            let called = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(name) = input_of(&called, self.targets.iter().map(|target| target.name.as_str())) else {
                continue;
            };
            let status = self
                .command(name)?
                .arg(format!("-timeout={HANG_SECONDS}"))
                .arg(&file)
                .status()
                .map_err(|error| format!("cannot run the engine: {error}"))?;
            if status.success() {
                let kept = self.working_corpus(name)?.join(&called);
                fs::rename(&file, &kept)
                    .map_err(|error| format!("cannot move {}: {error}", file.display()))?;
                // What was only slow was no crash.
                if !called[name.len()..].starts_with("-slow-unit-") {
                    tally.mended(name);
                    tally.write(super::file(), &self.groups())?;
                }
            }
        }
        Ok(())
    }

    fn describe(&self, name: &str, file: Option<&Path>) -> String {
        let log = String::from_utf8_lossy(&fs::read(self.log(name)).unwrap_or_default()).into_owned();
        let told = |line: &&str| ["panicked", "ERROR", "SUMMARY"].iter().any(|word| line.contains(word));
        let lines: Vec<&str> = log.lines().collect();
        let first = lines.iter().position(told).unwrap_or(lines.len().saturating_sub(SHOWN_LINES_MAX));
        let shown = lines[first..]
            .iter()
            .take(SHOWN_LINES_MAX)
            .map(|line| format!("    {line}\n"))
            .collect::<String>();
        let Some(file) = file else {
            return format!("{name}: the engine ended without an input\n{shown}");
        };
        let bytes = fs::read(file).unwrap_or_default();
        let mut hex = String::new();
        for byte in bytes.iter().take(SHOWN_BYTES_MAX) {
            let _ = write!(hex, "{byte:02x}");
        }
        let more = if bytes.len() > SHOWN_BYTES_MAX { ".." } else { "" };
        format!(
            "{name}:\n{shown}  input of {} bytes: {hex}{more}\n  file:   {}\n  repeat: cargo run -p pollux-fuzz -- replay {name} {}",
            bytes.len(),
            file.display(),
            file.display()
        )
    }
}

/// The files of a directory; none of one that is not there.
pub(super) fn files(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).map(|all| all.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

/// The target whose input a file is: the engine names files `TARGET-KIND-HASH`, and names of targets have hyphens, too.
fn input_of<'a>(file: &str, mut targets: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let kinds = ["-crash-", "-timeout-", "-oom-", "-leak-", "-slow-unit-"];
    let of = |name: &str| {
        file.strip_prefix(name).is_some_and(|rest| kinds.iter().any(|kind| rest.starts_with(kind)))
    };
    targets.find(|name| of(name))
}

/// What the engine says of its targets.
fn known(program: &Path) -> Result<Vec<Known>, String> {
    let text = output(Command::new(program).env("POLLUX_FUZZ_LIST", "1"))?;
    let known = |line: &str| {
        let mut words = line.splitn(4, ' ');
        let (name, bytes, group, of) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let (name, group, of) = (name.to_owned(), group.to_owned(), of.to_owned());
        Some(Known { name, group, input_bytes_max: bytes.parse().ok()?, of })
    };
    text.lines()
        .map(|line| known(line).ok_or_else(|| format!("the engine says {line:?} of its targets")))
        .collect()
}

/// Processor microseconds and executions.
fn read_meter(path: &Path) -> (u64, u64) {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut numbers = text.split_whitespace().map(|word| word.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The triple of this machine.
fn host() -> Result<String, String> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let text = output(Command::new(rustc).arg("-vV"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).ok_or_else(|| "rustc does not tell its host".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_inputs_name_their_target() {
        let of = |file| input_of(file, ["disk", "disk-names", "sna-net"].into_iter());
        assert_eq!(of("disk-names-timeout-f4d0"), Some("disk-names"));
        assert_eq!(of("disk-crash-f4d0"), Some("disk"));
        assert_eq!(of("sna-net-slow-unit-788c"), Some("sna-net"));
        assert_eq!(of("other-crash-788c"), None);
        assert_eq!(of("disk-names"), None);
    }
}
