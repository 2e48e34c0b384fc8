//! A closed loop over many connections from one thread, the same for Pollux and for the raw limit: whoever is faster is so by
//! what it does with a connection, not by its loop.

use crate::load::{Requester, Run, fill};
use crate::node::Bench;
use anyhow::{Context, Result, ensure};
use pollux::{Epoch, Node, OpenNumber, OpenOptions, Opens};
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Bytes of a request of [`ask`].
const REQUEST_BYTES: usize = 64;

/// Connections to one server or to many, waited for together. Replies come in order on each.
pub(crate) trait Lines {
    /// How many there are.
    fn count(&self) -> usize;

    /// Starts a request on one of them; it may leave with the next wait.
    fn start(&mut self, line: usize, request: &[u8]) -> Result<()>;

    /// Waits for a reply on any of them: which, and its length.
    fn next(&mut self) -> Result<(usize, usize)>;

    /// Process ids of the servers, for their memory.
    fn servers(&self, _bench: &Bench) -> Result<Vec<u32>> {
        Ok(Vec::new())
    }
}

/// The same lines for loops that take turns.
impl<L: Lines> Lines for Rc<RefCell<L>> {
    fn count(&self) -> usize {
        self.borrow().count()
    }

    fn start(&mut self, line: usize, request: &[u8]) -> Result<()> {
        self.borrow_mut().start(line, request)
    }

    fn next(&mut self) -> Result<(usize, usize)> {
        self.borrow_mut().next()
    }

    fn servers(&self, bench: &Bench) -> Result<Vec<u32>> {
        self.borrow().servers(bench)
    }
}

/// The loop: some of the lines are active, the others idle.
pub(crate) struct Many<L> {
    lines: L,
    active: usize,
    number: u32,
    chance: u64,
    /// On each line, when the requests were started that have no reply yet.
    under_way: Vec<VecDeque<Instant>>,
}

impl<L: Lines> Many<L> {
    /// All lines are active at all times.
    pub(crate) fn all(lines: L) -> Self {
        let active = lines.count();
        Self::some(lines, active)
    }

    /// So many of them at a time are active, chosen anew by chance for each request.
    pub(crate) fn some(lines: L, active: usize) -> Self {
        let under_way = vec![VecDeque::new(); lines.count()];
        Self { active: active.min(lines.count()), lines, number: 0, chance: 1, under_way }
    }

    fn start(&mut self, line: usize, request: &mut [u8]) -> Result<()> {
        fill(request, self.number);
        self.number = self.number.wrapping_add(1);
        let now = Instant::now();
        self.lines.start(line, request)?;
        self.under_way[line].push_back(now);
        Ok(())
    }

    /// The line of the next request: `line`, which is free, or any other that is.
    fn choose(&mut self, line: usize) -> usize {
        let count = self.under_way.len();
        if self.active == count {
            return line;
        }
        loop {
            let chosen = (random(&mut self.chance) % count as u64) as usize;
            if self.under_way[chosen].is_empty() {
                return chosen;
            }
        }
    }
}

impl<L: Lines> Requester for Many<L> {
    fn servers(&self, bench: &Bench) -> Result<Vec<u32>> {
        self.lines.servers(bench)
    }

    fn run(&mut self, bytes: usize, outstanding: usize, time: Duration) -> Result<Run> {
        let mut request = vec![0; bytes];
        let mut run = Run::default();
        let mut waiting = 0;
        let begin = Instant::now();
        for line in 0..self.active {
            for _ in 0..outstanding {
                self.start(line, &mut request)?;
                waiting += 1;
            }
        }
        while waiting > 0 {
            let (line, length) = self.lines.next()?;
            ensure!(length == bytes, "a reply of the wrong length");
            let started = self.under_way[line].pop_front().context("more replies than requests")?;
            waiting -= 1;
            run.latencies.add(started.elapsed());
            if begin.elapsed() < time {
                let next = self.choose(line);
                self.start(next, &mut request)?;
                waiting += 1;
            }
        }
        run.elapsed = begin.elapsed();
        Ok(run)
    }
}

/// A number by chance (xorshift, 64 bits); the state must not be 0.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Opens of Pollux servers, as a program with one thread has them.
pub(crate) struct PolluxLines {
    opens: Opens,
    names: BTreeSet<String>,
    numbers: Vec<OpenNumber>,
}

impl PolluxLines {
    /// Opens each of these names once, with room for so many requests at a time.
    pub(crate) fn open<'a>(
        node: &Node,
        names: impl IntoIterator<Item = &'a str>,
        outstanding: u16,
    ) -> Result<Self> {
        let mut opens = Opens::new()?;
        let (mut numbers, mut known) = (Vec::new(), BTreeSet::new());
        for name in names {
            known.insert(name.to_owned());
            let server = node.open_with(name, OpenOptions::outstanding(outstanding));
            numbers.push(opens.add(server.with_context(|| format!("open {name}"))?)?);
        }
        Ok(Self { opens, names: known, numbers })
    }

    /// The opens themselves.
    pub(crate) fn opens(&mut self) -> &mut Opens {
        &mut self.opens
    }

    /// Epoch of the server's primary, as an open knows it.
    pub(crate) fn epoch(&self, number: OpenNumber) -> Epoch {
        self.opens.server(number).map_or(Epoch(0), pollux::Server::epoch)
    }

    /// Their numbers, in the order of the names.
    pub(crate) fn numbers(&self) -> &[OpenNumber] {
        &self.numbers
    }
}

impl Lines for PolluxLines {
    fn servers(&self, bench: &Bench) -> Result<Vec<u32>> {
        bench.pids(|name| self.names.contains(name))
    }

    fn count(&self) -> usize {
        self.numbers.len()
    }

    fn start(&mut self, line: usize, request: &[u8]) -> Result<()> {
        self.opens.start(self.numbers[line], request)?;
        Ok(())
    }

    fn next(&mut self) -> Result<(usize, usize)> {
        let (number, _, answer) = self.opens.next(None)?.context("nothing is outstanding")?;
        ensure!(answer.error.is_ok(), "the server answered {}", answer.error);
        // Opens are numbered from 0 in the order in which they were added.
        Ok((number.index(), answer.payload.len()))
    }
}

/// `pollux-bench ask-many '$NAME' OPENS ACTIVE SECONDS`: so many opens of one server, of which so many are active.
pub(crate) fn ask(name: &str, opens: &str, active: &str, seconds: &str) -> Result<()> {
    let opens = opens.parse().context("OPENS is a number")?;
    let active = active.parse().context("ACTIVE is a number")?;
    let time = Duration::from_secs(seconds.parse().context("SECONDS is a number")?);
    let lines = PolluxLines::open(&Node::connect()?, std::iter::repeat_n(name, opens), 1)?;
    let run = Many::some(lines, active).run(REQUEST_BYTES, 1, time)?;
    let per_second = run.latencies.len() as f64 / run.elapsed.as_secs_f64();
    let (p50, p99) = (run.latencies.quantile_us(0.5), run.latencies.quantile_us(0.99));
    println!("{per_second:.0} requests/s, p50 {p50:.1} us, p99 {p99:.1} us");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replies at once, oldest first, and knows how often each line was used.
    #[derive(Default)]
    struct Echo {
        waiting: VecDeque<(usize, usize)>,
        used: Vec<u32>,
        most: usize,
    }

    impl Lines for Echo {
        fn count(&self) -> usize {
            self.used.len()
        }

        fn start(&mut self, line: usize, request: &[u8]) -> Result<()> {
            self.used[line] += 1;
            self.waiting.push_back((line, request.len()));
            self.most = self.most.max(self.waiting.len());
            Ok(())
        }

        fn next(&mut self) -> Result<(usize, usize)> {
            self.waiting.pop_front().context("nothing is outstanding")
        }
    }

    // A loop that has more or fewer requests outstanding than its row says compares unlike things.
    #[test]
    fn so_many_are_outstanding_and_none_is_left() {
        let mut many = Many::some(Echo { used: vec![0; 100], ..Echo::default() }, 8);
        let run = many.run(64, 2, Duration::from_millis(20)).unwrap();
        let Echo { waiting, used, most } = &many.lines;
        assert_eq!((waiting.len(), *most), (0, 16));
        assert_eq!(run.latencies.len(), used.iter().sum::<u32>() as usize);
        // All lines get their turn.
        assert!(run.latencies.len() < 5000 || used.iter().all(|used| *used > 0));
    }
}
