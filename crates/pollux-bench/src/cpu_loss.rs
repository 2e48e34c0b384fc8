//! One loss of a CPU: its daemon is killed, and with it all primaries in it; how long until each of them answers from the other CPU.

use crate::load::fill;
use crate::many::PolluxLines;
use crate::node::Bench;
use crate::noise;
use crate::placement::{Placement, to_pid};
use crate::server::{Identity, WHO};
use anyhow::{Context, Result, bail, ensure};
use pollux::Epoch;
use rustix::process::{Signal, kill_process};
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

const REQUEST_BYTES: usize = 64;
/// By then a CPU has come back and all its backups are in step.
const WHOLE_WAIT: Duration = Duration::from_secs(120);
const WHOLE_PAUSE: Duration = Duration::from_millis(20);
/// By then all primaries answer, or something is broken.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// What one loss took.
pub(crate) struct Loss {
    /// From just before the kill to the first answer of the last new primary.
    pub(crate) until_all: Duration,
    /// What others took of the machine meanwhile.
    pub(crate) noise_percent: f64,
}

/// An open of each of the pairs.
pub(crate) fn lines(bench: &Bench, names: &[String]) -> Result<PolluxLines> {
    PolluxLines::open(&bench.requester, names.iter().map(String::as_str), 1)
}

/// Kills the CPU that has the primaries of all these pairs, when they are whole.
pub(crate) fn measure(bench: &Bench, names: &[String]) -> Result<Loss> {
    Placement::Free.enter(bench, 0)?;
    let mut lines = lines(bench, names)?;
    let cpu = wait_until_whole(&mut lines)?;
    let daemons = bench.daemons()?;
    ensure!(daemons.len() > 1, "the other CPU is not up");
    let daemon = daemons.iter().find(|(number, _)| *number == cpu).context("no CPU has the primaries")?.1;
    // As one who lives in the CPU that is left.
    Placement::Other.enter(bench, cpu)?;
    let epochs: Vec<Epoch> = lines.numbers().iter().map(|number| lines.epoch(*number)).collect();

    let mut request = [0; REQUEST_BYTES];
    fill(&mut request, 0);
    let mut left = names.len();
    let others = noise::Others::begin(&bench.roots())?;
    let killed = Instant::now();
    kill_process(to_pid(daemon)?, Signal::KILL).context("kill a CPU")?;
    for number in lines.numbers().to_vec() {
        lines.opens().start(number, &request)?;
    }
    while left > 0 {
        let Some((number, _, answer)) = lines.opens().next(Some(ANSWER_WAIT))? else {
            bail!("{left} of {} pairs do not answer", names.len());
        };
        ensure!(answer.error.is_ok(), "a request failed with {}", answer.error);
        if lines.epoch(number) > epochs[number.index()] {
            left -= 1;
        } else {
            // The old primary, which is not dead yet.
            lines.opens().start(number, &request)?;
        }
    }
    Ok(Loss { until_all: killed.elapsed(), noise_percent: others.percent()? })
}

/// Waits until all pairs are whole, with all primaries in one CPU: which.
pub(crate) fn wait_until_whole(lines: &mut PolluxLines) -> Result<u8> {
    let begin = Instant::now();
    let mut cpus = BTreeSet::new();
    let mut left = lines.numbers().to_vec();
    while !left.is_empty() {
        for number in std::mem::take(&mut left) {
            lines.opens().start(number, WHO)?;
        }
        while let Some((number, _, answer)) = lines.opens().next(Some(ANSWER_WAIT))? {
            let identity: Identity = serde_json::from_slice(&answer.payload).context("read who serves")?;
            if identity.whole {
                cpus.insert(identity.cpu);
            } else {
                left.push(number);
            }
        }
        ensure!(
            begin.elapsed() < WHOLE_WAIT,
            "{} pairs are not whole after {} s",
            left.len(),
            WHOLE_WAIT.as_secs()
        );
        if !left.is_empty() {
            thread::sleep(WHOLE_PAUSE);
        }
    }
    ensure!(cpus.len() == 1, "the primaries are not all in one CPU");
    cpus.pop_first().context("no pairs")
}
