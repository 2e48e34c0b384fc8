//! One round: a node, its pairs under load and faults, and what all requesters were told.

use super::plan::{Phase, Plan, Special};
use super::strike::{Victim, strike, strike_cpu};
use super::subject::{CPUS, Kind, Programs, Subject, no_errors};
use super::tally::Tally;
use super::tools::{SmallDisk, Tools};
use super::{Problem, caught, harness, hostile, problem_of, special};
use crate::node::{Node, Settings};
use pollux_sim::app::Entry;
use pollux_sim::history::History;
use pollux_sim::judge::judge;
use pollux_sim::linear::Verdict;
use pollux_wire::record::NameRecord;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Between two looks at what is to come.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(1);
/// The pairs, and the CPUs in which they begin.
const PAIRS: [(&str, Kind, u8); 3] =
    [("$LEDA", Kind::Rust, 0), ("$LEDB", Kind::Rust, 1), ("$REC", Kind::C, 2)];
/// Requesters of each: two of the library, one in C for those in Rust, and one that asks for each reply twice.
const REQUESTERS: u64 = 4;
/// Microseconds that a requester waits at most between two requests.
const THINK_US: u64 = 2_000;
/// Bytes of a disk that is to be filled.
const DISK_BYTES: u64 = 64 << 20;
/// Openers of different pairs have numbers so far apart.
const OPENERS: u64 = 1_000_000;

/// Plays the round of a seed; what it did and what went wrong.
pub fn play(tools: &Tools, seed: u64) -> Tally {
    let begin = Instant::now();
    let mut tally = Tally { rounds: 1, ..Tally::default() };
    let outcome = caught(|| attempt(tools, &Plan::of(seed, PAIRS.len()), &mut tally));
    if let Err(problem) = outcome.unwrap_or_else(|why| Err(problem_of(why))) {
        tally.note(seed, &problem);
    }
    tally.milliseconds = begin.elapsed().as_millis() as u64;
    tally
}

/// What a round is made of.
pub struct Round<'a> {
    /// The node.
    pub node: Node,
    /// The place of the one who strikes in the node.
    pub outside: pollux::Node,
    /// The pairs that must not be lost.
    pub subjects: Vec<Subject>,
    /// What they are made of.
    pub programs: Programs,
    /// Directories of histories.
    pub place: tempfile::TempDir,
    /// The disk of the node, if it is one that can be filled.
    pub disk: Option<SmallDisk>,
    /// Why it is not.
    pub no_disk: Option<String>,
    /// What is drawn comes from it.
    pub seed: u64,
    /// What was done.
    pub tally: &'a mut Tally,
    /// Histories of pairs that are gone, for a failure.
    pub told: Vec<(&'static str, String)>,
    openers: u64,
}

fn attempt(tools: &Tools, plan: &Plan, tally: &mut Tally) -> Result<(), Problem> {
    let wants_disk = plan.special == Special::DiskFull && tools.no_mounts().is_none();
    let disk = wants_disk.then(|| SmallDisk::mount(DISK_BYTES)).transpose()?;
    let settings = Settings { cpus: CPUS, sick_after_ms: 2_000, ..Settings::default() };
    let parent = disk.as_ref().map_or_else(std::env::temp_dir, |disk| disk.path().to_owned());
    let node = Node::start_in(&tools.node, settings, &parent);
    let outside = pollux::Node::connect_in(&node.path())
        .map_err(|error| Problem::Harness(format!("cannot attach to the node: {error}")))?;
    let place = tempfile::Builder::new()
        .prefix("pollux-torture-histories.")
        .tempdir()
        .map_err(harness("a directory"))?;
    let mut round = Round {
        node,
        outside,
        subjects: Vec::new(),
        programs: Programs { server: tools.server(), recorder: tools.recorder() },
        place,
        disk,
        no_disk: tools.no_mounts().map(str::to_owned),
        seed: plan.seed,
        tally,
        told: Vec::new(),
        openers: 0,
    };
    let outcome = caught(|| round.go(plan)).unwrap_or_else(|why| Err(problem_of(why)));
    if let Err(problem) = &outcome {
        round.keep(plan, problem, &tools.failures);
    }
    let Round { node, subjects, outside, disk, .. } = round;
    drop((subjects, outside));
    let ended = caught(|| node.finish());
    drop(disk);
    outcome?;
    ended.map_err(|why| Problem::Broken(format!("L1: the node does not end: {why}")))
}

impl Round<'_> {
    fn go(&mut self, plan: &Plan) -> Result<(), Problem> {
        for what in PAIRS {
            let first = self.next_opener();
            let subject = Subject::start(&self.node, what, &self.programs, self.place.path(), first)?;
            self.subjects.push(subject);
        }
        self.wait_all()?;
        for subject in &mut self.subjects {
            subject.begin_load(&self.node, &self.programs, plan.seed, REQUESTERS, THINK_US);
        }
        self.subjects.iter().try_for_each(Subject::wait_begun)?;
        // The one who acts beside this borrows the node's directory only.
        let stop = AtomicBool::new(false);
        let names: Vec<&str> = self.subjects.iter().map(|subject| subject.name).collect();
        let place = self.node.path();
        let seed = plan.seed;
        let (outcome, acts) = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name(hostile::THREAD.to_owned());
            let acting = thread.spawn_scoped(scope, || hostile::act_until(&place, &names, CPUS, seed, &stop));
            let outcome = caught(|| self.faults(plan)).unwrap_or_else(|why| Err(problem_of(why)));
            stop.store(true, Ordering::SeqCst);
            let acts = acting.map(|thread| thread.join().unwrap_or(Ok(0))).unwrap_or(Ok(0));
            (outcome, acts)
        });
        outcome?;
        self.tally.hostile += acts?;
        self.verify()
    }

    fn faults(&mut self, plan: &Plan) -> Result<(), Problem> {
        for phase in &plan.phases {
            self.phase(phase)?;
        }
        special::special(self, plan.special)?;
        special::double_failures(self, plan)?;
        self.wait_all().map(drop)
    }

    /// All strikes of a phase: each pair suffers its next one as soon as it is whole.
    fn phase(&mut self, phase: &Phase) -> Result<(), Problem> {
        let mut done = vec![0; self.subjects.len()];
        loop {
            let mut any = false;
            for (at, done) in done.iter_mut().enumerate() {
                let Some(next) = phase.of_pair[at].get(*done).copied() else { continue };
                if let Some(record) = self.look(at)? {
                    strike(&self.node, &self.outside, &mut self.subjects[at], &record, next, self.tally)?;
                    *done += 1;
                    any = true;
                }
            }
            if phase.of_pair.iter().zip(&done).all(|(strikes, done)| strikes.len() == *done) {
                break;
            }
            if !any {
                std::thread::sleep(LOOK_EVERY);
            }
        }
        let records = self.wait_all()?;
        if let Some(cpu) = phase.cpu {
            self.node.wait_until("all CPUs are up", || self.node.is_connected(CPUS));
            let victims = strike_cpu(&self.node, &records, cpu, self.tally);
            for (subject, victim) in self.subjects.iter_mut().zip(victims) {
                if let Some(victim) = victim {
                    subject.note(format!("its CPU is killed: {victim:?}"));
                    subject.struck(victim);
                }
            }
            self.wait_all()?;
        }
        Ok(())
    }

    fn look(&mut self, at: usize) -> Result<Option<NameRecord>, Problem> {
        let look = self.subjects[at].look(&self.node)?;
        self.tally.takeovers += u64::from(look.takeover);
        Ok(look.record)
    }

    /// Waits until a pair may be struck.
    pub fn wait_whole(&mut self, at: usize) -> Result<NameRecord, Problem> {
        let tally = &mut *self.tally;
        self.subjects[at].wait_whole(&self.node, || tally.takeovers += 1)
    }

    fn wait_all(&mut self) -> Result<Vec<NameRecord>, Problem> {
        (0..self.subjects.len()).map(|at| self.wait_whole(at)).collect()
    }

    /// The first number of the openers of the next pair.
    pub fn next_opener(&mut self) -> u64 {
        self.openers += OPENERS;
        self.openers
    }

    /// Ends the load, and holds what was told against what is there: in the primary, and in the one after it.
    fn verify(&mut self) -> Result<(), Problem> {
        for subject in &mut self.subjects {
            subject.end_load()?;
        }
        for at in 0..self.subjects.len() {
            let record = self.wait_whole(at)?;
            let subject = &mut self.subjects[at];
            let name = subject.name;
            let history = subject.history()?;
            no_errors(&history, name)?;
            let log = subject.log(&self.outside)?;
            judged(&history, Some(&log), name, self.tally)?;
            if subject.kind == Kind::Rust {
                self.node.signal(record.primary, pollux_os::Signal::KILL);
                subject.struck(Victim::killed(&record, record.primary));
                *self.tally.kills.entry("primary".to_owned()).or_default() += 1;
                self.tally.takeovers_due += 1;
                self.wait_whole(at)?;
                let later = self.subjects[at].log(&self.outside)?;
                if later != log {
                    return Err(Problem::Broken(format!(
                        "S4: {name}: the backup had {} requests, the primary {}",
                        later.len(),
                        log.len()
                    )));
                }
            }
        }
        Ok(())
    }

    /// Keeps everything that tells what happened.
    fn keep(&self, plan: &Plan, problem: &Problem, failures: &Path) {
        let place = failures.join(format!("seed-{}", plan.seed));
        let write = |name: &str, text: &str| {
            if let Err(error) = std::fs::write(place.join(name), text) {
                eprintln!("pollux-torture: cannot keep {name}: {error}");
            }
        };
        if let Err(error) = std::fs::create_dir_all(&place) {
            eprintln!("pollux-torture: cannot keep what has failed in {}: {error}", place.display());
            return;
        }
        write("verdict.txt", &format!("{problem}\nagain: cargo xtask torture --replay {}\n", plan.seed));
        write("plan.txt", &plan.to_string());
        for subject in &self.subjects {
            write(&format!("history-{}.txt", &subject.name[1..]), &subject.told());
        }
        for (name, told) in &self.told {
            write(&format!("history-{}.txt", &name[1..]), told);
        }
        write("node.txt", &caught(|| self.node.logs()).unwrap_or_default());
        for entry in std::fs::read_dir(self.node.path()).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".log") || name.ends_with(".jsonl") {
                let _ = std::fs::copy(entry.path(), place.join(name));
            }
        }
    }
}

/// Counts a history and holds it to all that it must keep.
pub(super) fn judged(
    history: &History,
    log: Option<&[Entry]>,
    name: &str,
    tally: &mut Tally,
) -> Result<(), Problem> {
    tally.requests += history.calls().len() as u64;
    tally.histories += 1;
    match judge(history, log) {
        Ok(verdict) => {
            tally.too_long += u64::from(verdict == Verdict::TooLong);
            Ok(())
        }
        Err(why) => Err(Problem::Broken(format!("{why}; of {name}"))),
    }
}
