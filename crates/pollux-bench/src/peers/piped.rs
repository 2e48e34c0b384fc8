//! Requesters of a peer in a program of their own, in the peer's own language: they measure themselves, with the bench at
//! their standard input and output.
//!
//! ```text
//!  in   length of the requests, how many are under way, milliseconds          32 bits each, this machine's order
//!  out  nanoseconds (64 bits), number of requests (32 bits), nanoseconds of each of them (32 bits each)
//! ```

use crate::load::{Requester, Run};
use crate::numbers::Samples;
use crate::peers::home::{Process, dies_with_us};
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

/// The program; it ends with this.
pub(crate) struct Piped {
    process: Process,
}

impl Piped {
    pub(crate) fn start<Word: AsRef<OsStr>>(
        name: &str,
        words: impl IntoIterator<Item = Word>,
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let mut command = dies_with_us(None);
        command.args(words).envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command.spawn().with_context(|| format!("start {name}"))?;
        Ok(Self { process: Process::of(child, name) })
    }

    fn read<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        let output = self.process.child().stdout.as_mut().context("a requester has no output")?;
        output.read_exact(&mut bytes).context("hear from a requester")?;
        Ok(bytes)
    }
}

impl Requester for Piped {
    fn run(&mut self, bytes: usize, outstanding: usize, time: Duration) -> Result<Run> {
        let milliseconds = u32::try_from(time.as_millis())?;
        let wanted = [u32::try_from(bytes)?, u32::try_from(outstanding)?, milliseconds];
        let input = self.process.child().stdin.as_mut().context("a requester has no input")?;
        input.write_all(&wanted.map(u32::to_ne_bytes).concat()).context("tell a requester")?;
        let elapsed = Duration::from_nanos(u64::from_ne_bytes(self.read()?));
        let requests = u32::from_ne_bytes(self.read()?);
        let mut all = vec![0; requests as usize * size_of::<u32>()];
        let output = self.process.child().stdout.as_mut().context("a requester has no output")?;
        output.read_exact(&mut all).context("hear from a requester")?;
        let mut latencies = Samples::default();
        for one in all.chunks_exact(size_of::<u32>()) {
            let nanoseconds = u32::from_ne_bytes(one.try_into().expect("the chunks have this size"));
            latencies.add(Duration::from_nanos(nanoseconds.into()));
        }
        Ok(Run { latencies, elapsed })
    }
}
