//! What `run` hands to the daemon: which program, with what around it, and where its output goes.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use pollux_wire::ProcessName;
use pollux_wire::admin::ProgramSpec;
use rustix::fs::Access;

use crate::error::{Failure, Result};
use crate::hidden;
use crate::node::Node;
use crate::start::own_program;
use crate::time::unix_ms;

/// The key-value server that is built into this program.
pub(crate) const BUILT_IN_KV: &str = "pollux-kv";
/// The TCP/IP provider that is built into this program.
pub(crate) const BUILT_IN_PROVIDER: &str = "pollux-tcp";

/// The hidden command of a program that is built in.
fn built_in(written: &OsStr) -> Option<&'static str> {
    match written.to_str()? {
        BUILT_IN_KV => Some(hidden::KV),
        BUILT_IN_PROVIDER => Some(hidden::PROVIDER),
        _ => None,
    }
}

/// What to run, and what to call it in messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// For the daemon.
    pub(crate) spec: ProgramSpec,
    /// As the user wrote it.
    pub(crate) written: String,
}

impl Program {
    /// Finds the program and collects what it is started with: our environment and our directory.
    pub(crate) fn find(written: &OsStr, arguments: &[OsString], pair: bool) -> Result<Program> {
        let search = std::env::var_os("PATH").unwrap_or_default();
        let directory = std::env::current_dir().map_err(|error| {
            Failure::new(format!("the working directory cannot be used: {error}"), "cd to another directory")
        })?;
        let found = resolve(written, &search, &directory);
        let (path, first) = match found {
            Err(Missing::Nowhere) if built_in(written).is_some() => (own_program()?, built_in(written)),
            found => (found.map_err(|missing| missing.failure(written))?, None),
        };
        let mut words: Vec<String> = first.into_iter().map(str::to_owned).collect();
        for argument in arguments {
            words.push(text(argument, "an argument")?);
        }
        let spec = ProgramSpec {
            program: text(path.as_os_str(), "the program's path")?,
            arguments: words,
            environment: environment(std::env::vars_os()),
            directory: text(directory.as_os_str(), "the working directory")?,
            pair,
        };
        Ok(Program { spec, written: written.to_string_lossy().into_owned() })
    }

    /// The domain server of a node with these words.
    pub(crate) fn domain_server(words: &[OsString]) -> Result<Program> {
        let mut spec = ProgramSpec::none();
        spec.program = text(own_program()?.as_os_str(), "the path of pollux")?;
        spec.arguments = vec![hidden::DOMAIN.to_owned()];
        for word in words {
            spec.arguments.push(text(word, "an argument")?);
        }
        spec.environment = environment(std::env::vars_os());
        spec.directory = "/".to_owned();
        spec.pair = true;
        Ok(Program { spec, written: "the domain server".to_owned() })
    }

    /// The built-in key-value server with these arguments.
    pub(crate) fn built_in_kv(arguments: &[String], pair: bool) -> Result<Program> {
        Program::of_this_binary(hidden::KV, arguments, BUILT_IN_KV, pair)
    }

    /// The built-in TCP/IP provider.
    pub(crate) fn built_in_provider(pair: bool) -> Result<Program> {
        Program::of_this_binary(hidden::PROVIDER, &[], BUILT_IN_PROVIDER, pair)
    }

    fn of_this_binary(command: &str, arguments: &[String], written: &str, pair: bool) -> Result<Program> {
        let mut spec = ProgramSpec::none();
        spec.program = text(own_program()?.as_os_str(), "the path of pollux")?;
        spec.arguments = std::iter::once(command.to_owned()).chain(arguments.iter().cloned()).collect();
        spec.environment = environment(std::env::vars_os());
        spec.directory = "/".to_owned();
        spec.pair = pair;
        Ok(Program { spec, written: written.to_owned() })
    }
}

/// Why there is no program to run.
#[derive(Debug, PartialEq, Eq)]
enum Missing {
    /// No file of that name in `PATH`.
    Nowhere,
    /// The path does not lead to a file.
    NoFile(PathBuf),
    /// The file may not be executed.
    NotExecutable(PathBuf),
}

impl Missing {
    fn failure(self, written: &OsStr) -> Failure {
        let written = written.to_string_lossy();
        match self {
            Missing::Nowhere => Failure::new(
                format!("there is no program {written} in PATH"),
                "check the spelling, or give its path: ./PROGRAM",
            ),
            Missing::NoFile(path) => Failure::new(
                format!("{} is not a file", path.display()),
                "check the path; relative ones count from the working directory",
            ),
            Missing::NotExecutable(path) => Failure::new(
                format!("{} may not be executed", path.display()),
                format!("chmod +x {}", path.display()),
            ),
        }
    }
}

/// The absolute path of a program, as a shell would find it.
fn resolve(written: &OsStr, search: &OsStr, directory: &Path) -> std::result::Result<PathBuf, Missing> {
    if written.as_encoded_bytes().contains(&b'/') {
        let path = directory.join(written);
        return match (path.is_file(), executable(&path)) {
            (false, _) => Err(Missing::NoFile(path)),
            (true, false) => Err(Missing::NotExecutable(path)),
            (true, true) => Ok(path),
        };
    }
    let candidates: Vec<PathBuf> = std::env::split_paths(search)
        .map(|entry| directory.join(entry).join(written))
        .filter(|path| path.is_file())
        .collect();
    match candidates.iter().find(|path| executable(path)) {
        Some(path) => Ok(path.clone()),
        None => Err(candidates.into_iter().next().map_or(Missing::Nowhere, Missing::NotExecutable)),
    }
}

fn executable(path: &Path) -> bool {
    rustix::fs::access(path, Access::EXEC_OK).is_ok()
}

fn text(value: &OsStr, what: &str) -> Result<String> {
    value
        .to_str()
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(format!("{what} is not UTF-8: {}", value.to_string_lossy()), "rename it"))
}

/// What can be passed on: a variable that is not UTF-8 is left out, as no Pollux program could read it by name.
fn environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<(String, String)> {
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The part of a log's name before the time: without the `$`, which a shell would read as a variable.
pub(crate) fn log_stem(name: &str) -> String {
    let base = Path::new(name).file_name().and_then(OsStr::to_str).unwrap_or("program");
    base.trim_start_matches('$').to_owned()
}

/// Standard input, output and error of a program.
#[derive(Debug)]
pub(crate) struct Streams {
    /// In the order the daemon takes them.
    pub(crate) descriptors: Vec<OwnedFd>,
    /// The log, unless the streams are our own.
    pub(crate) log: Option<PathBuf>,
}

impl Streams {
    /// Our own, for `--wait`.
    pub(crate) fn own() -> Result<Streams> {
        let copies = [
            std::io::stdin().as_fd().try_clone_to_owned(),
            std::io::stdout().as_fd().try_clone_to_owned(),
            std::io::stderr().as_fd().try_clone_to_owned(),
        ];
        let descriptors = copies.into_iter().collect::<std::io::Result<_>>().map_err(|error| {
            Failure::new(
                format!("standard input, output and error cannot be passed on: {error}"),
                "try again",
            )
        })?;
        Ok(Streams { descriptors, log: None })
    }

    /// No input, and a new log for the rest.
    pub(crate) fn to_log(node: &Node, name: Option<&ProcessName>, program: &str) -> Result<Streams> {
        let stem = log_stem(name.map_or(program, ProcessName::as_str));
        let path = node.log_directory().join(format!("{stem}-{}.log", unix_ms()));
        let failed = |error| Failure::file("write the log", &path, &error);
        let null = File::open("/dev/null").map_err(failed)?;
        let log = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        let copy = log.try_clone().map_err(failed)?;
        Ok(Streams { descriptors: vec![null.into(), log.into(), copy.into()], log: Some(path) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    // A daemon runs elsewhere than the user typed: only an absolute path means the same to both.
    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        let base = tempfile::tempdir().unwrap();
        let make = |path: &str, mode: u32| {
            let path = base.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        };
        let plain = make("a/tool", 0o644);
        let tool = make("b/tool", 0o755);
        make("b/other", 0o755);
        let search = std::env::join_paths([base.path().join("a"), base.path().join("b")]).unwrap();
        let find = |written: &str| resolve(written.as_ref(), &search, base.path());

        assert_eq!(find("tool"), Ok(tool.clone()));
        assert_eq!(find("b/tool"), Ok(tool));
        assert_eq!(find("nothing"), Err(Missing::Nowhere));
        assert_eq!(find("a/tool"), Err(Missing::NotExecutable(plain.clone())));
        assert_eq!(find("./a"), Err(Missing::NoFile(base.path().join("./a"))));
        let only_plain = resolve("tool".as_ref(), base.path().join("a").as_os_str(), base.path());
        assert_eq!(only_plain, Err(Missing::NotExecutable(plain)));
    }

    // The showcase must run from a fresh checkout, where no pollux-kv is installed.
    #[test]
    fn the_built_in_server_is_this_program() {
        let program = Program::built_in_kv(&["--port".to_owned(), "1".to_owned()], true).unwrap();
        assert_eq!(program.spec.arguments, ["__kv", "--port", "1"]);
        assert!(program.spec.pair && program.spec.program.starts_with('/'));
    }

    // A `$` in a file name is read by the next shell it is pasted into.
    #[test]
    fn log_names() {
        assert_eq!(log_stem("$KV"), "KV");
        assert_eq!(log_stem("/usr/bin/sleep"), "sleep");
        assert_eq!(log_stem("/"), "program");
    }
}
