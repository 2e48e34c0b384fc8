//! A command of a test: run within bounds, and what it said.

use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// Nothing here may take so long, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// It was done.
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// It was done, and said this.
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.done()).unwrap()
    }

    /// It was refused in two lines with these words.
    pub(crate) fn failed(self, words: &[&str]) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(self.err.starts_with("pollux: ") && self.err.contains("\n  next: "), "{self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
        words.iter().for_each(|word| assert!(self.err.contains(word), "{word:?} is not said: {self:?}"));
        self.err
    }
}

/// Runs a command. Its output goes through files of the directory: daemons that it starts may keep a pipe open.
pub(crate) fn said(mut command: Command, directory: &Path, what: &[&str]) -> Said {
    let output = |name: &str| directory.join(format!("{name}-{:?}", thread::current().id()));
    let (out, err) = (output("out"), output("err"));
    command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
    let mut child = command.spawn().unwrap();
    let code = wait_end(&mut child, what, || fs::read_to_string(&err).unwrap());
    let read = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    Said { code, out: read(out), err: read(err) }
}

/// The exit code of a command that ends within bounds; `explain` is for one that does not.
pub(crate) fn wait_end(child: &mut Child, what: &[&str], explain: impl Fn() -> String) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if Instant::now() >= deadline {
            child.kill().unwrap();
            panic!("{what:?} hangs: {}", explain());
        }
        thread::sleep(Duration::from_millis(5));
    }
}
