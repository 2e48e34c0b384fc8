//! One run of a plan: who is next, when the faults come, when it is over, what is said of it.

use crate::bugs::Bug;
use crate::checks::{check, check_end, check_history};
use crate::history::{End, Told};
use crate::linear::Verdict;
use crate::plan::{Plan, Schedule};
use crate::sometimes::{Met, Situation};
use crate::world::{Step, World};
use pollux_domain::simulation::Random;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// A run in the fixed order that takes longer than any good one hangs.
const STEPS_MAX: u32 = 2_000;
/// And so many more for each request.
const STEPS_PER_REQUEST_MAX: u32 = 40;
/// So many steps after the last thing that was to come, a drawn order becomes the fixed one: from there on all must end.
const HEALING_STEPS: u32 = 200;
/// Steps that a drawn order may take before its plan counts as endless.
const DRAWN_STEPS_MAX: u32 = 100_000;

/// A world and who is next in it.
#[derive(Clone)]
pub struct Run {
    /// The world.
    pub world: World,
    order: Order,
    last: Option<Step>,
    faults_done: usize,
    last_fault_at: u32,
    /// Nothing was to come any more from here on.
    quiet_since: Option<u32>,
}

#[derive(Clone)]
enum Order {
    Fixed,
    Drawn { random: Random, weights: [u32; Step::KINDS] },
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The promise that was not kept.
    pub violation: Option<String>,
    /// Steps.
    pub steps: u32,
    /// Takeovers that came on record.
    pub takeovers: u64,
    /// Faults that came.
    pub faults: usize,
    /// Requests that were answered.
    pub answered: u64,
    /// Situations it was in.
    pub met: Met,
    /// Of all steps in their order: the same plan gives the same.
    pub digest: u64,
}

impl Run {
    /// The plan up to where its requesters begin.
    pub fn new(plan: &Arc<Plan>, bug: Bug) -> Result<Self, String> {
        let mut run = Self {
            world: World::new(plan.clone(), bug),
            order: Order::Fixed,
            last: None,
            faults_done: 0,
            last_fault_at: 0,
            quiet_since: None,
        };
        if plan.whole {
            while run.step()?.is_some() {}
            if !run.world.is_whole() {
                return Err("L2: a pair without faults does not become whole".to_owned());
            }
        }
        run.world.begin();
        if let Schedule::Drawn(seed) = plan.schedule {
            run.order = Order::drawn(seed);
        }
        Ok(run)
    }

    /// The next step; none when nothing is left to do.
    pub fn step(&mut self) -> Result<Option<Step>, String> {
        loop {
            let fault_to_come = self.faults_come();
            let to_come = self.world.pass_time() || fault_to_come;
            self.heal_when_quiet(to_come);
            if let Some(step) = self.next() {
                self.last = Some(step);
                self.world.perform(step);
                check(&mut self.world)?;
                let endless = self.world.now >= self.steps_max();
                return if endless { Err("L1: no end".into()) } else { Ok(Some(step)) };
            }
            if to_come {
                self.world.now += 1;
                if self.world.now >= self.steps_max() {
                    return Err("L1: no end".into());
                }
            } else if !self.world.lose_patience() {
                return Ok(None);
            }
        }
    }

    /// Puts the next fault of the plan, if it is due. Returns true while one is only a matter of time.
    fn faults_come(&mut self) -> bool {
        let next = |run: &Self| run.world.plan.faults.get(run.faults_done).copied();
        while let Some((when, fault)) = next(self).filter(|_| self.world.has_begun()) {
            if self.world.now < self.last_fault_at + when.after {
                return true;
            }
            if when.mark.is_some_and(|mark| !self.world.is_at(mark)) {
                return false;
            }
            self.world.inject(fault);
            self.faults_done += 1;
            self.last_fault_at = self.world.now;
        }
        false
    }

    /// So many steps may this run take.
    fn steps_max(&self) -> u32 {
        let wanted: u64 = self.world.plan.requesters.iter().map(|asker| asker.wanted).sum();
        let load = wanted as u32 * STEPS_PER_REQUEST_MAX;
        self.quiet_since.map_or(DRAWN_STEPS_MAX, |since| since + HEALING_STEPS + STEPS_MAX + load)
    }

    fn heal_when_quiet(&mut self, to_come: bool) {
        let all_came = self.faults_done == self.world.plan.faults.len();
        if to_come || !all_came {
            self.quiet_since = None;
        } else {
            let since = *self.quiet_since.get_or_insert(self.world.now);
            if self.world.now >= since + HEALING_STEPS {
                self.order = Order::Fixed;
            }
        }
    }

    fn next(&mut self) -> Option<Step> {
        match &mut self.order {
            Order::Fixed => self.next_in_turn(),
            Order::Drawn { random, weights } => {
                let (mut total, mut chosen) = (0_u64, None);
                // One pass: each step takes the place of the chosen one with its share of the weight so far.
                self.world.each_possible(|step| {
                    let weight = u64::from(weights[step.kind()]);
                    total += weight;
                    if random.below(total) < weight {
                        chosen = Some(step);
                    }
                });
                chosen
            }
        }
    }

    /// The first possible step after the last one, in the order of [`Step`], or else the first of all.
    fn next_in_turn(&self) -> Option<Step> {
        let (mut first, mut after) = (None, None);
        self.world.each_possible(|step| {
            let slot = if Some(step) > self.last { &mut after } else { &mut first };
            if slot.is_none_or(|found| step < found) {
                *slot = Some(step);
            }
        });
        after.or(first)
    }
}

impl Order {
    /// Some kinds of steps are quick and some slow, differently for each seed: a slow disk, a slow network, a busy half.
    fn drawn(seed: u64) -> Self {
        let mut random = Random::new(seed, 1);
        let mut weights = [0; Step::KINDS];
        for (kind, weight) in weights.iter_mut().enumerate() {
            *weight = 1 << (2 + random.below(6) as u32);
            if kind == Step::TICK {
                // Its time is long beside a delivery.
                *weight = 1;
            }
        }
        Self::Drawn { random: Random::new(seed, 2), weights }
    }
}

/// Plays a plan to its end.
pub fn run(plan: &Plan, bug: Bug) -> Outcome {
    traced(plan, bug, |_, _| {})
}

/// Plays a plan to its end and shows each step.
pub fn traced(plan: &Plan, bug: Bug, mut show: impl FnMut(Step, &World)) -> Outcome {
    let mut hasher = DefaultHasher::new();
    let begun = match Run::new(&Arc::new(plan.clone()), bug) {
        Ok(run) => run,
        Err(why) => return Outcome::of_nothing(why),
    };
    let mut run = begun;
    let mut violation = None;
    loop {
        match run.step() {
            Ok(None) => break,
            Ok(Some(step)) => {
                step.hash(&mut hasher);
                show(step, &run.world);
            }
            Err(why) => {
                violation = Some(why);
                break;
            }
        }
    }
    let mut met = run.world.met;
    if violation.is_none() {
        violation = check_end(&run.world).err();
        match check_history(&run.world) {
            Ok(Verdict::Linear) if plan.requesters.len() > 1 => met.note(Situation::Linearizable),
            Ok(Verdict::TooLong) => met.note(Situation::TooLongToExplain),
            Ok(_) => {}
            Err(why) => violation = violation.or(Some(why)),
        }
    }
    let calls = run.world.clients.iter().flat_map(|client| &client.calls);
    let answers: Vec<_> = calls.filter_map(|call| call.ended).collect();
    if plan.requesters.iter().any(|asker| asker.sync_depth == 0)
        && answers.iter().any(|end| !matches!(end.told, Told::Ok(_)))
    {
        met.note(Situation::NothingSentAgain);
    }
    for End { at, told, .. } in &answers {
        let told = match told {
            Told::Ok(answer) => (0, answer.place, answer.value),
            Told::Fail(error) => (1, u64::from(error.0), 0),
            Told::Unknown(error) => (2, u64::from(error.0), 0),
        };
        (at, told).hash(&mut hasher);
    }
    Outcome {
        violation,
        steps: run.world.now,
        takeovers: run.world.takeovers,
        faults: run.faults_done,
        answered: answers.iter().filter(|end| matches!(end.told, Told::Ok(_))).count() as u64,
        met,
        digest: hasher.finish(),
    }
}

impl Outcome {
    fn of_nothing(why: String) -> Self {
        Self {
            violation: Some(why),
            steps: 0,
            takeovers: 0,
            faults: 0,
            answered: 0,
            met: Met::default(),
            digest: 0,
        }
    }
}
