//! The C programs of `c-roundtrip`: compiled with `pollux cc` from the sources in `c/`, and how the requester is told to run.

use crate::load::{Requester, Run};
use crate::node::pollux_program;
use crate::numbers::Samples;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

const SERVER: (&str, &str) = ("echo_server", include_str!("../c/echo_server.c"));
const REQUESTER: (&str, &str) = ("requester", include_str!("../c/requester.c"));

/// The compiled programs, in a directory of their own.
pub(crate) struct Programs {
    directory: tempfile::TempDir,
}

impl Programs {
    pub(crate) fn compile() -> Result<Self> {
        let directory =
            tempfile::Builder::new().prefix("pollux-bench-c.").tempdir().context("make a directory")?;
        let programs = Self { directory };
        for (name, text) in [SERVER, REQUESTER] {
            let source = programs.path(name).with_extension("c");
            fs::write(&source, text).with_context(|| format!("write {}", source.display()))?;
            let mut compiler = Command::new(pollux_program()?);
            compiler.args(["cc", "-O2", "-o"]).arg(programs.path(name)).arg(&source).stdin(Stdio::null());
            let output = compiler.output().context("run pollux cc")?;
            if !output.status.success() {
                bail!("{name}.c does not compile: {}", String::from_utf8_lossy(&output.stderr).trim());
            }
        }
        Ok(programs)
    }

    /// The server.
    pub(crate) fn server(&self) -> PathBuf {
        self.path(SERVER.0)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// The C requester; it ends with its input.
pub(crate) struct CRequester {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
}

impl CRequester {
    pub(crate) fn start(programs: &Programs, server: &str) -> Result<Self> {
        let mut command = Command::new(programs.path(REQUESTER.0));
        command.arg(server).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("start the C requester")?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("the output of the C requester")?;
        Ok(Self { child, input, output })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.output.read_exact(&mut bytes).context("hear from the C requester")?;
        Ok(bytes)
    }
}

impl Requester for CRequester {
    fn run(&mut self, bytes: usize, outstanding: usize, time: Duration) -> Result<Run> {
        ensure!(outstanding == 1, "the C requester waits for each reply");
        let wanted = [u32::try_from(bytes)?, u32::try_from(time.as_millis())?];
        let input = self.input.as_mut().context("the C requester has ended")?;
        input.write_all(&wanted.map(u32::to_ne_bytes).concat()).context("tell the C requester")?;
        let elapsed = Duration::from_nanos(u64::from_ne_bytes(self.number()?));
        let requests = u32::from_ne_bytes(self.number()?) as usize;
        let mut all = vec![0; requests * size_of::<u32>()];
        self.output.read_exact(&mut all).context("hear from the C requester")?;
        let mut latencies = Samples::default();
        for one in all.chunks_exact(size_of::<u32>()) {
            let nanoseconds = u32::from_ne_bytes(one.try_into().expect("the chunks have this size"));
            latencies.add(Duration::from_nanos(nanoseconds.into()));
        }
        Ok(Run { latencies, elapsed })
    }
}

impl Drop for CRequester {
    fn drop(&mut self) {
        // The end of its input is its end.
        self.input = None;
        let _ = self.child.wait();
    }
}
