//! `cargo xtask counts`: what one pass of each hot path costs, against what it did when the numbers were last taken down.
//!
//! Instructions, system calls and allocations, counted by callgrind in one process: no clock, no scheduler, no neighbour. A path
//! is run N and 2N times; the difference, divided by N, is free of the start.

mod callgrind;
mod compare;

use crate::run::{Outcome, has, output, root, target};
use compare::{Counts, Line, compare, json, table};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const USAGE: &str = "\
usage: cargo xtask counts [--update] [--json]

  Counts the instructions, system calls and allocations of the hot paths of a request and of a checkpoint, and compares
  them with those in crates/pollux-counts/kept.json. Exit code 1: one has grown by more than 5 %, or is not kept yet.

  --update  keeps what was counted; commit the file with the change that made the difference
  --json    prints an array of objects: path, verdict, and for instructions, system_calls, allocations kept, now, change_percent
";

/// Where the counts are kept.
const KEPT: &str = "crates/pollux-counts/kept.json";

/// Counts, and compares or keeps.
pub(crate) fn all(arguments: &[&str]) -> Outcome {
    if arguments.iter().any(|word| ["--help", "-h", "help"].contains(word)) {
        print!("{USAGE}");
        return Ok(());
    }
    if let Some(word) = arguments.iter().find(|word| !["--update", "--json"].contains(word)) {
        return Err(format!("unknown argument: {word}\n\n{USAGE}"));
    }
    let (update, as_json) = (arguments.contains(&"--update"), arguments.contains(&"--json"));
    if !has("valgrind") {
        return Err("valgrind is missing: it counts\n  next: apt-get install valgrind".to_owned());
    }
    let rustc = output(Command::new("rustc").arg("--version"))?.trim().to_owned();
    let program = build()?;
    let now = count_all(&program)?;
    let kept = if update && !root().join(KEPT).is_file() { Kept::default() } else { Kept::read()? };
    let lines = compare(&kept.paths, &now);
    if as_json {
        println!("{:#}", json(&lines));
    } else {
        print!("{}", table(&lines));
    }
    if kept.rustc != rustc && !kept.paths.is_empty() && !as_json {
        println!(
            "\nThe kept counts are those of {}, these of {rustc}: the compiler alone can change them.",
            kept.rustc
        );
    }
    if update {
        Kept { rustc, paths: now }.write()?;
        if !as_json {
            println!("\n{KEPT} has these counts.");
        }
        return Ok(());
    }
    let faults: Vec<&Line> = lines.iter().filter(|line| line.is_fault()).collect();
    if faults.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = faults.iter().map(|line| line.path.as_str()).collect();
    Err(format!(
        "counts have grown by more than 5 %, or are not kept: {}\n  next: find out why; if it is worth it, run cargo xtask counts --update and commit {KEPT} with the change",
        names.join(" ")
    ))
}

/// The file of counts.
#[derive(Default)]
struct Kept {
    rustc: String,
    paths: BTreeMap<String, Counts>,
}

impl Kept {
    fn read() -> Result<Self, String> {
        let text = fs::read_to_string(root().join(KEPT)).map_err(|error| format!("{KEPT}: {error}"))?;
        Self::parse(&text).map_err(|error| format!("{KEPT}: {error}"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let rustc = file["rustc"].as_str().ok_or("no rustc")?.to_owned();
        let paths = file["paths"].as_object().ok_or("no paths")?;
        let counts = |(path, value): (&String, &Value)| {
            let counts = Counts::from_json(value).ok_or(format!("{path}: a number is missing"))?;
            Ok((path.clone(), counts))
        };
        Ok(Self { rustc, paths: paths.iter().map(counts).collect::<Result<_, String>>()? })
    }

    fn text(&self) -> String {
        let paths: serde_json::Map<String, Value> =
            self.paths.iter().map(|(path, counts)| (path.clone(), counts.to_json())).collect();
        format!("{:#}\n", json!({ "rustc": self.rustc, "paths": paths }))
    }

    fn write(&self) -> Outcome {
        fs::write(root().join(KEPT), self.text()).map_err(|error| format!("{KEPT}: {error}"))
    }
}

/// Always by itself and as it is shipped: other packages in the same build bring other features, and an incremental build other
/// instructions.
fn build() -> Result<PathBuf, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--release", "--package", "pollux-counts"]).env("CARGO_INCREMENTAL", "0");
    output(build.current_dir(root()))?;
    Ok(target().join("release/pollux-counts"))
}

fn count_all(program: &PathBuf) -> Result<BTreeMap<String, Counts>, String> {
    let directory = target().join("counts");
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let listing = output(&mut Command::new(program))?;
    let mut all = BTreeMap::new();
    for line in listing.lines() {
        let (path, times) = line.split_once(' ').ok_or("pollux-counts names its paths in another form")?;
        let times: u64 = times.parse().map_err(|_| "pollux-counts names its paths in another form")?;
        // Both at once: what one counts does not depend on the other.
        let runs = [times, 2 * times].map(|times| Run::start(program, path, times, &directory));
        let [one, two] = runs.map(|run| run.and_then(Run::finish));
        all.insert(path.to_owned(), Counts::per_time(one?, two?, times));
    }
    Ok(all)
}

/// The C library's plainest copies: the one that it would choose differs from processor to processor, and callgrind counts some of
/// them by the byte.
const PLAIN_COPIES: &str =
    "glibc.cpu.hwcaps=-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-AVX2,-EVEX,-AVX512F,-AVX512VL";

/// A run of a path under callgrind.
struct Run {
    child: std::process::Child,
    what: String,
    profile: PathBuf,
    log: PathBuf,
}

impl Run {
    fn start(program: &PathBuf, path: &str, times: u64, directory: &std::path::Path) -> Result<Self, String> {
        let file = |extension: &str| directory.join(format!("{path}-{times}.{extension}"));
        let (profile, log) = (file("out"), file("log"));
        let mut valgrind = Command::new("valgrind");
        valgrind
            .args(["--tool=callgrind", "--compress-strings=no", "--trace-syscalls=yes"])
            .arg(format!("--callgrind-out-file={}", profile.display()))
            .arg(format!("--log-file={}", log.display()))
            .arg(program)
            .args([path, &times.to_string()])
            .env("GLIBC_TUNABLES", PLAIN_COPIES)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit());
        let child = valgrind.spawn().map_err(|error| format!("cannot run valgrind: {error}"))?;
        Ok(Self { child, what: format!("{path} {times}"), profile, log })
    }

    fn finish(mut self) -> Result<[u64; 3], String> {
        let status = self.child.wait().map_err(|error| format!("wait for valgrind: {error}"))?;
        if !status.success() {
            return Err(format!("{} under valgrind: {status}; see {}", self.what, self.log.display()));
        }
        let read =
            |path: &PathBuf| fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
        let (profile, log) = (read(&self.profile)?, read(&self.log)?);
        let instructions =
            callgrind::instructions(&profile).ok_or(format!("{} has no total", self.profile.display()))?;
        Ok([instructions, callgrind::system_calls(&log), callgrind::allocations(&profile)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A file that is written in another form than it is read in would make every check fail after the next --update.
    #[test]
    fn kept_counts_are_read_as_they_were_written() {
        let counts = Counts::per_time([100, 10, 1], [1100, 30, 2], 10);
        let kept =
            Kept { rustc: "rustc 1.0".to_owned(), paths: BTreeMap::from([("request".to_owned(), counts)]) };
        let again = Kept::parse(&kept.text()).unwrap();
        assert_eq!((again.rustc.as_str(), &again.paths), ("rustc 1.0", &kept.paths));
        assert_eq!(Kept::parse("{}").err().as_deref(), Some("no rustc"));
        let short = r#"{"rustc": "", "paths": {"request": {"instructions": 1}}}"#;
        assert_eq!(Kept::parse(short).err().as_deref(), Some("request: a number is missing"));
    }

    // The file in the tree is what CI compares with.
    #[test]
    fn the_kept_counts_can_be_read() {
        assert!(!Kept::read().unwrap().paths.is_empty());
    }
}
