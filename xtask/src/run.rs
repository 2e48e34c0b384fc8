//! Running commands, with words that say which one failed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a verb failed, for people.
pub(crate) type Outcome = Result<(), String>;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lives in the workspace").to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Runs cargo in the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Outcome {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    program(&cargo, arguments)
}

/// Runs a program in the workspace, its output on ours.
pub(crate) fn program(program: &str, arguments: &[&str]) -> Outcome {
    let text =
        format!("{} {}", Path::new(program).file_name().unwrap_or_default().display(), arguments.join(" "));
    println!("--- {text}");
    let status = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("cannot run {text}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{text}: {status}")) }
}

/// True if the program can be found.
pub(crate) fn has(program: &str) -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&paths).any(|directory| directory.join(program).is_file())
}

/// Runs a command to its end; its output, or what it had to say against it.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let done = command.output().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&done.stderr).trim().to_owned())
}

/// The files of the source below these paths, of all without any, relative to the root; new ones too.
pub(crate) fn sources(paths: &[&str]) -> Result<Vec<PathBuf>, String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"]).args(paths).current_dir(root());
    let files = output(&mut git)?;
    Ok(files.lines().map(PathBuf::from).filter(|file| root().join(file).is_file()).collect())
}
