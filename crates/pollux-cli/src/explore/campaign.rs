//! Which points are tried, and many runs side by side.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use pollux_os::StopSignals;

use super::compare::Baseline;
use super::outcome::{Exit, Outcome};
use super::progress::Progress;
use super::report::{Report, Tried, Verdict};
use super::stage::{Kills, Stage, Subject};
use crate::error::{Failure, Result};
use crate::random::Random;

/// Pause between two looks at signals.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A run that says nothing, since the node or the pair did not start, is tried again so often.
const TRIES_MAX: u32 = 3;

/// A requester that hangs is given so many times its time once more.
const HANG_FACTOR: u32 = 3;

/// How many points are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Points {
    /// Each.
    All,
    /// So many, drawn with the seed.
    Sample(u32),
}

impl Points {
    /// `all` or a number.
    pub(crate) fn parse(text: &str) -> Result<Points, String> {
        match text {
            "all" => Ok(Points::All),
            number => match number.parse() {
                Ok(count) if count > 0 => Ok(Points::Sample(count)),
                _ => Err("it is all, or how many".to_owned()),
            },
        }
    }
}

/// `K` or `K,K2`: points of the first primary and of the one after it.
pub(crate) fn parse_at(text: &str) -> Result<Kills, String> {
    let points: Option<Vec<u64>> =
        text.split(',').map(|word| word.parse().ok().filter(|point| *point > 0)).collect();
    match points {
        Some(points) if points.len() <= 2 => Ok((1..).zip(points).collect()),
        _ => Err("it is the number of a point, or of two: K,K2".to_owned()),
    }
}

/// All that is to be done.
pub(crate) struct Campaign<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) points: Points,
    pub(crate) at: Option<Kills>,
    pub(crate) double: u32,
    /// Not compared.
    pub(crate) ignored: &'a [String],
    pub(crate) jobs: usize,
    pub(crate) seed: u64,
    pub(crate) quiet: bool,
    /// The command that repeats one point, which stands for `{}`.
    pub(crate) again: String,
    /// A requester has hung, also with more time.
    pub(crate) hangs: AtomicBool,
}

impl<'a> Campaign<'a> {
    /// Runs it. An error means that nothing can be said about the program.
    pub(crate) fn run(&self) -> Result<Report> {
        let start = Instant::now();
        let progress = Progress::new(self.quiet);
        let interrupted = AtomicBool::new(false);
        let over = AtomicBool::new(false);
        let stop = StopSignals::new()
            .map_err(|error| Failure::new(format!("cannot listen for signals: {error}"), "try again"))?;
        std::thread::scope(|scope| {
            scope.spawn(|| watch(stop, &interrupted, &over));
            let done = self.explore(&progress, &interrupted);
            over.store(true, Ordering::Relaxed);
            progress.clear();
            let (baseline, tried, kept) = done?;
            Ok(Report {
                baseline,
                tried,
                seconds: start.elapsed().as_secs_f64(),
                server: self.subject.server.written.clone(),
                name: self.subject.name.to_string(),
                again: self.again.clone(),
                is_single: self.at.is_some(),
                kept,
            })
        })
    }

    fn explore(
        &self,
        progress: &Progress,
        interrupted: &AtomicBool,
    ) -> Result<(Baseline, Vec<Tried>, Vec<String>)> {
        progress.say("two runs without a fault");
        let mut stage = Stage::start(self.subject)?;
        let mut baseline = baseline(&mut stage, interrupted)?;
        baseline.ignore(self.ignored);
        let points = baseline.outcome.traces.points();
        if points == 0 {
            return Err(Failure::new(
                format!("{} has no points: nothing came to it", self.subject.server.written),
                format!(
                    "does the requester open {}? Is the server built with this version's crate or library?",
                    self.subject.name
                ),
            ));
        }
        let plans = self.plans(points)?;
        progress.say(&format!(
            "{points} points, {} runs, {} side by side",
            plans.len(),
            self.jobs.min(plans.len())
        ));
        let (tried, kept) = self.all_runs(plans, &baseline, stage, progress, interrupted)?;
        Ok((baseline, tried, if self.subject.keep { kept } else { Vec::new() }))
    }

    fn plans(&self, points: u64) -> Result<Vec<Kills>> {
        if let Some(at) = &self.at {
            if at[0].1 > points {
                return Err(Failure::new(
                    format!("there is no point {}: the first primary passes {points}", at[0].1),
                    "run without --at to see them all",
                ));
            }
            return Ok(vec![at.clone()]);
        }
        let mut random = Random::new(self.seed);
        let mut chosen: Vec<u64> = (1..=points).collect();
        if let Points::Sample(count) = self.points {
            random.shuffle(&mut chosen);
            chosen.truncate(usize::try_from(count).unwrap_or(usize::MAX));
            chosen.sort_unstable();
        }
        let mut plans: Vec<Kills> = chosen.into_iter().map(|point| vec![(1, point)]).collect();
        for _ in 0..self.double {
            // The second primary has about what the first one had not.
            let first = 1 + random.below(points);
            let second = 1 + random.below(points.saturating_sub(first).max(1));
            let plan = vec![(1, first), (2, second)];
            if !plans.contains(&plan) {
                plans.push(plan);
            }
        }
        Ok(plans)
    }

    /// One worker for each node; each takes the next plan when it is done with one.
    fn all_runs(
        &self,
        plans: Vec<Kills>,
        baseline: &Baseline,
        first: Stage<'a>,
        progress: &Progress,
        interrupted: &AtomicBool,
    ) -> Result<(Vec<Tried>, Vec<String>)> {
        let count = plans.len();
        let workers = self.jobs.min(count).max(1);
        let queue: Mutex<VecDeque<(usize, Kills)>> = Mutex::new(plans.into_iter().enumerate().collect());
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            let stages = std::iter::once(Some(first)).chain(std::iter::repeat_with(|| None));
            let workers: Vec<_> = stages
                .take(workers)
                .map(|stage| {
                    let (queue, sender) = (&queue, sender.clone());
                    scope.spawn(move || self.work(stage, queue, baseline, &sender, interrupted))
                })
                .collect();
            drop(sender);
            let mut tried = BTreeMap::new();
            let mut wrong = 0;
            progress.show(0, count, 0);
            for (index, one) in receiver {
                let one: Tried = one;
                wrong += usize::from(matches!(one.verdict, Verdict::Violation(_)));
                tried.insert(index, one);
                progress.show(tried.len(), count, wrong);
            }
            let mut kept = Vec::new();
            for worker in workers {
                kept.push(worker.join().expect("a worker does not panic")?);
            }
            Ok((tried.into_values().collect(), kept))
        })
    }

    fn work(
        &self,
        stage: Option<Stage<'a>>,
        queue: &Mutex<VecDeque<(usize, Kills)>>,
        baseline: &Baseline,
        done: &mpsc::Sender<(usize, Tried)>,
        interrupted: &AtomicBool,
    ) -> Result<String> {
        let mut stage = match stage {
            Some(stage) => stage,
            None => Stage::start(self.subject)?,
        };
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((index, kills)) = next else { return Ok(stage.directory().display().to_string()) };
            let outcome = self.run_for_sure(&mut stage, &kills, interrupted).inspect_err(|_| {
                // The others need not begin what nobody will see.
                queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
            })?;
            if done.send((index, Tried::of(kills, outcome, baseline))).is_err() {
                return Ok(String::new());
            }
        }
    }

    fn run_for_sure(
        &self,
        stage: &mut Stage<'a>,
        kills: &Kills,
        interrupted: &AtomicBool,
    ) -> Result<Outcome> {
        let mut timeout = self.subject.timeout;
        let mut tries = 0;
        loop {
            tries += 1;
            match stage.run(kills, timeout, interrupted) {
                Err(failure) if tries < TRIES_MAX && failure != Failure::interrupted() => {
                    // Whatever is wrong with that node, a new one does not have it.
                    *stage = Stage::start(self.subject)?;
                }
                // The machine may have stood still. One that hangs twice hangs; the next ones are believed at once.
                Ok(outcome) if outcome.exit == Exit::TimedOut && !self.hangs.load(Ordering::Relaxed) => {
                    if timeout > self.subject.timeout {
                        self.hangs.store(true, Ordering::Relaxed);
                        return Ok(outcome);
                    }
                    timeout *= HANG_FACTOR;
                }
                other => return other,
            }
        }
    }
}

fn watch(stop: StopSignals, interrupted: &AtomicBool, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        if stop.take().is_some() {
            interrupted.store(true, Ordering::Relaxed);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn baseline(stage: &mut Stage<'_>, interrupted: &AtomicBool) -> Result<Baseline> {
    let none = Kills::new();
    let first = stage.run(&none, stage.timeout(), interrupted)?;
    check(&first)?;
    let second = stage.run(&none, stage.timeout(), interrupted)?;
    check(&second)?;
    Ok(Baseline::of(first, &second))
}

fn check(outcome: &Outcome) -> Result<()> {
    let said = outcome.last_words(": ");
    match outcome.exit {
        Exit::Code(0) => Ok(()),
        Exit::TimedOut => Err(Failure::new(
            format!("the requester does not end by itself, also without faults{said}"),
            "give it fewer requests, or a longer --timeout",
        )),
        exit => Err(Failure::new(
            format!("the requester fails without faults ({}){said}", exit.describe()),
            "make it end with exit code 0 first; does it open the name that --name gives?",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The forms that the help promises, and that the reproduce command uses.
    #[test]
    fn points_and_places() {
        assert_eq!(Points::parse("all"), Ok(Points::All));
        assert_eq!(Points::parse("12"), Ok(Points::Sample(12)));
        assert!(Points::parse("0").is_err() && Points::parse("some").is_err());
        assert_eq!(parse_at("17"), Ok(vec![(1, 17)]));
        assert_eq!(parse_at("17,3"), Ok(vec![(1, 17), (2, 3)]));
        assert!(parse_at("0").is_err() && parse_at("1,2,3").is_err() && parse_at("x").is_err());
    }
}
