//! One run of a plan: who is next, when the faults come, when it is over, what is said of it.

use crate::bugs::Bug;
use crate::checks::{check, check_end, check_history, check_pair};
use crate::history::{End, Told};
use crate::linear::Verdict;
use crate::plan::{Fault, Harm, Plan, Schedule, Victim};
use crate::server::Server;
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

/// In which world a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// That of the pair.
    Pair,
    /// That of the server that the pair calls.
    Server,
}

/// The worlds, and who is next in them.
#[derive(Clone)]
pub struct Run {
    /// The world of the pair.
    pub world: World,
    /// The server that it calls.
    pub server: Option<Server>,
    order: Order,
    last: Option<(Place, Step)>,
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
            server: Server::new(plan, bug),
            order: Order::Fixed,
            last: None,
            faults_done: 0,
            last_fault_at: 0,
            quiet_since: None,
        };
        if plan.whole {
            while run.step()?.is_some() {}
            if !run.worlds().all(World::is_whole) {
                return Err("L2: a pair without faults does not become whole".to_owned());
            }
        }
        run.worlds_mut().for_each(World::begin);
        if let Schedule::Drawn(seed) = plan.schedule {
            run.order = Order::drawn(seed);
        }
        Ok(run)
    }

    /// The next step; none when nothing is left to do.
    pub fn step(&mut self) -> Result<Option<(Place, Step)>, String> {
        loop {
            let fault_to_come = self.faults_come();
            let to_come = self.worlds_mut().fold(fault_to_come, |to_come, world| world.pass_time() | to_come);
            self.heal_when_quiet(to_come);
            if let Some(server) = &mut self.server {
                server.exchange(&mut self.world)?;
            }
            if let Some(step) = self.next() {
                self.last = Some(step);
                self.perform(step)?;
                let endless = self.world.now >= self.steps_max();
                return if endless { Err("L1: no end".into()) } else { Ok(Some(step)) };
            }
            if to_come {
                self.worlds_mut().for_each(|world| world.now += 1);
                if self.world.now >= self.steps_max() {
                    return Err("L1: no end".into());
                }
            } else if !self.worlds_mut().fold(false, |asks, world| world.lose_patience() | asks) {
                return Ok(None);
            }
        }
    }

    fn worlds(&self) -> impl Iterator<Item = &World> {
        [Some(&self.world), self.server.as_ref().map(|server| &server.world)].into_iter().flatten()
    }

    fn worlds_mut(&mut self) -> impl Iterator<Item = &mut World> {
        [Some(&mut self.world), self.server.as_mut().map(|server| &mut server.world)].into_iter().flatten()
    }

    fn world_of(&self, victim: Victim) -> Option<&World> {
        if victim.is_of_server() {
            self.server.as_ref().map(|server| &server.world)
        } else {
            Some(&self.world)
        }
    }

    fn perform(&mut self, (place, step): (Place, Step)) -> Result<(), String> {
        match (&mut self.server, place) {
            (Some(server), Place::Server) => {
                server.world.perform(step);
                self.world.now = server.world.now;
            }
            (server, _) => {
                self.world.perform(step);
                if let Some(server) = server {
                    server.world.now = self.world.now;
                }
            }
        }
        check(&mut self.world)?;
        self.server.as_mut().map_or(Ok(()), |server| check(&mut server.world))
    }

    /// Puts a fault here. Returns false if there is nobody to have it.
    pub fn inject(&mut self, fault: Fault) -> bool {
        let server = self.server.as_mut().map(|server| &mut server.world);
        let (world, other) = match (fault.victim.is_of_server(), server) {
            (true, None) => return false,
            (true, Some(server)) => (server, Some(&mut self.world)),
            (false, server) => (&mut self.world, server),
        };
        let Some(victim) = world.inject(fault) else { return false };
        if let (Harm::LoseCpu, Some(other)) = (fault.harm, other) {
            other.share_cpu_loss(world.processes[victim].cpu());
        }
        true
    }

    /// The promises that hold when nothing moves any more.
    pub fn check_end(&self) -> Result<(), String> {
        check_end(&self.world)?;
        match &self.server {
            None => Ok(()),
            // Nobody is left to wait for the answers to its calls.
            Some(server) if self.world.record.is_none() => check_pair(&server.world),
            Some(server) => check_end(&server.world),
        }
        .map_err(|what| format!("{what} (the server)"))
    }

    /// Puts the next fault of the plan, if it is due. Returns true while one is only a matter of time.
    fn faults_come(&mut self) -> bool {
        let next = |run: &Self| run.world.plan.faults.get(run.faults_done).copied();
        while let Some((when, fault)) = next(self).filter(|_| self.world.has_begun()) {
            if self.world.now < self.last_fault_at + when.after {
                return true;
            }
            let is_at = |mark| self.world_of(fault.victim).is_some_and(|world| world.is_at(mark));
            if when.mark.is_some_and(|mark| !is_at(mark)) {
                return false;
            }
            self.inject(fault);
            self.faults_done += 1;
            self.last_fault_at = self.world.now;
        }
        false
    }

    /// So many steps may this run take.
    fn steps_max(&self) -> u32 {
        let wanted: u64 = self.world.plan.requesters.iter().map(|asker| asker.wanted).sum();
        let load = wanted as u32 * (1 + u32::from(self.world.plan.calls)) * STEPS_PER_REQUEST_MAX;
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

    fn next(&mut self) -> Option<(Place, Step)> {
        let Self { world, server, order, .. } = self;
        match order {
            Order::Fixed => self.next_in_turn(),
            Order::Drawn { random, weights } => {
                let (mut total, mut chosen) = (0_u64, None);
                // One pass: each step takes the place of the chosen one with its share of the weight so far.
                each_possible(world, server.as_ref(), |(place, step)| {
                    let weight = u64::from(weights[step.kind()]);
                    total += weight;
                    if random.below(total) < weight {
                        chosen = Some((place, step));
                    }
                });
                chosen
            }
        }
    }

    /// The first possible step after the last one, in the order of [`Step`], or else the first of all.
    fn next_in_turn(&self) -> Option<(Place, Step)> {
        let (mut first, mut after) = (None, None);
        each_possible(&self.world, self.server.as_ref(), |step| {
            let slot = if Some(step) > self.last { &mut after } else { &mut first };
            if slot.is_none_or(|found| step < found) {
                *slot = Some(step);
            }
        });
        after.or(first)
    }
}

/// Calls `f` with every step that could come next, in no order.
fn each_possible(world: &World, server: Option<&Server>, mut f: impl FnMut((Place, Step))) {
    world.each_possible(|step| f((Place::Pair, step)));
    if let Some(server) = server {
        server.world.each_possible(|step| f((Place::Server, step)));
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
pub fn traced(plan: &Plan, bug: Bug, mut show: impl FnMut((Place, Step), &Run)) -> Outcome {
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
                hash_step(step, &mut hasher);
                show(step, &run);
            }
            Err(why) => {
                violation = Some(why);
                break;
            }
        }
    }
    let mut met = run.worlds().fold(Met::default(), |met, world| met.and(world.met));
    if violation.is_none() {
        violation = run.check_end().err();
        if let Some(server) = &run.server {
            violation = violation.or(check_history(&server.world).err());
        }
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
        takeovers: run.worlds().map(|world| world.takeovers).sum(),
        faults: run.faults_done,
        answered: answers.iter().filter(|end| matches!(end.told, Told::Ok(_))).count() as u64,
        met,
        digest: hasher.finish(),
    }
}

/// Those of the pair alone as they always were: a seed without a server keeps its digest.
fn hash_step((place, step): (Place, Step), hasher: &mut impl Hasher) {
    if place == Place::Server {
        place.hash(hasher);
    }
    step.hash(hasher);
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
