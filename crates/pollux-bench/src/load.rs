//! A closed loop: so many requests are outstanding, and each reply makes room for the next request.

use crate::node::Bench;
use crate::noise::{self, Measured};
use crate::numbers::{Samples, median, spread_percent};
use anyhow::{Context, Result, ensure};
use pollux::{Node, OpenOptions, Server, Ticket};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Smallest request: length and number.
pub(crate) const REQUEST_BYTES_MIN: usize = 8;

/// One run of the loop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    pub(crate) latencies: Samples,
    pub(crate) elapsed: Duration,
}

/// Who can be asked.
pub(crate) trait Requester {
    /// Asks for so long with requests of this size, so many at a time on each of its connections.
    fn run(&mut self, bytes: usize, outstanding: usize, time: Duration) -> Result<Run>;

    /// Process ids of its servers, for what they take of the memory; none if that is not told.
    fn servers(&self, _bench: &Bench) -> Result<Vec<u32>> {
        Ok(Vec::new())
    }
}

/// A request: its length, its number, and zeros.
pub(crate) fn fill(request: &mut [u8], number: u32) {
    let length = u32::try_from(request.len()).expect("requests are far below 4 GiB");
    request[..4].copy_from_slice(&length.to_le_bytes());
    request[4..REQUEST_BYTES_MIN].copy_from_slice(&number.to_le_bytes());
}

/// An open of a Pollux server.
pub(crate) struct Open {
    name: String,
    server: Server,
    number: u32,
}

impl Open {
    pub(crate) fn new(node: &Node, name: &str, outstanding: u16) -> Result<Self> {
        let server = node.open_with(name, OpenOptions::outstanding(outstanding))?;
        Ok(Self { name: name.to_owned(), server, number: 0 })
    }

    fn start(&mut self, request: &mut [u8], under_way: &mut VecDeque<(Ticket, Instant)>) -> Result<()> {
        fill(request, self.number);
        self.number = self.number.wrapping_add(1);
        let now = Instant::now();
        under_way.push_back((self.server.start(request)?, now));
        Ok(())
    }
}

impl Requester for Open {
    fn servers(&self, bench: &Bench) -> Result<Vec<u32>> {
        bench.pids(|name| name == self.name)
    }

    fn run(&mut self, bytes: usize, outstanding: usize, time: Duration) -> Result<Run> {
        let mut request = vec![0; bytes];
        let mut under_way = VecDeque::with_capacity(outstanding);
        let mut run = Run::default();
        let begin = Instant::now();
        for _ in 0..outstanding {
            self.start(&mut request, &mut under_way)?;
        }
        while let Some((ticket, started)) = under_way.pop_front() {
            let answer = self.server.finish(ticket)?;
            ensure!(answer.error.is_ok(), "the server answered {}", answer.error);
            ensure!(answer.payload.len() == bytes, "a reply of the wrong length");
            run.latencies.add(started.elapsed());
            if begin.elapsed() < time {
                self.start(&mut request, &mut under_way)?;
            }
        }
        run.elapsed = begin.elapsed();
        Ok(run)
    }
}

/// `pollux-bench ask '$NAME' BYTES OUTSTANDING SECONDS`: load on any server of the node that the environment names.
pub(crate) fn ask(name: &str, bytes: &str, outstanding: &str, seconds: &str) -> Result<()> {
    let outstanding: u16 = outstanding.parse().context("OUTSTANDING is a number")?;
    let bytes = bytes.parse::<usize>().context("BYTES is a number")?.max(REQUEST_BYTES_MIN);
    let time = Duration::from_secs(seconds.parse().context("SECONDS is a number")?);
    let run = Open::new(&Node::connect()?, name, outstanding)?.run(bytes, outstanding.into(), time)?;
    let per_second = run.latencies.len() as f64 / run.elapsed.as_secs_f64();
    let (p50, p99) = (run.latencies.quantile_us(0.5), run.latencies.quantile_us(0.99));
    println!("{per_second:.0} requests/s, p50 {p50:.1} us, p99 {p99:.1} us");
    Ok(())
}

/// Rounds of one requester.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rounds {
    rounds: Vec<Measured<Run>>,
}

impl Rounds {
    /// Takes one more round, again if it was noisy. A tenth of the time goes before it, unmeasured.
    pub(crate) fn add(
        &mut self,
        roots: &[u32],
        requester: &mut dyn Requester,
        (bytes, outstanding, time): (usize, usize, Duration),
    ) -> Result<()> {
        requester.run(bytes, outstanding, time / 10)?;
        self.rounds.push(noise::cleanest(roots, noise::TRIES_AGAIN_MAX, || {
            requester.run(bytes, outstanding, time)
        })?);
        Ok(())
    }

    /// Medians over the rounds.
    pub(crate) fn figure(&self) -> crate::report::Figure {
        let over = |value: fn(&Measured<Run>) -> f64| median(self.rounds.iter().map(value));
        crate::report::Figure {
            p50_us: over(|round| round.value.latencies.quantile_us(0.5)),
            p99_us: over(|round| round.value.latencies.quantile_us(0.99)),
            max_us: self.rounds.iter().map(|round| round.value.latencies.max_us()).fold(0.0, f64::max),
            per_second: Some(over(|round| {
                round.value.latencies.len() as f64 / round.value.elapsed.as_secs_f64()
            })),
            cpu_us: Some(over(|round| round.own_us / round.value.latencies.len().max(1) as f64)),
            spread_percent: spread_percent(
                self.rounds.iter().map(|round| {
                    round.value.elapsed.as_secs_f64() / round.value.latencies.len().max(1) as f64
                }),
            ),
            samples: self.rounds.iter().map(|round| round.value.latencies.len()).sum(),
            ..crate::report::Figure::default()
        }
    }

    pub(crate) fn noise_percent(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.noise_percent))
    }
}
