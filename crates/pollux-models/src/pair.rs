//! A pair with its requesters and the record: every order of steps, with up to so many faults at any place.
//!
//! The state is the world of `pollux-sim` without its clock: the production machines of both halves (`Pair`, `Replica`,
//! `Open`, `OutputQueue`), of the requesters (`Requester`) and of the record (`directory::rule`), and the channels between them.
//!
//! What the channels permit is what the product's do. A channel between two processes is a socket of one host: it keeps the
//! order and loses and repeats nothing, and ends when a process dies, after what the dead one had sent. Between channels there
//! is no order. The words that can be lost are the coordinator's: it is away, or it writes and its answer is lost; then it is
//! asked again, so that it sees questions twice. A requester sends again what it has no answer for, so that a server sees
//! requests twice. A pause ends at any moment, a timer runs out at any moment.

use crate::explore::{Told, guarded};
use pollux_sim::bugs::Bug;
use pollux_sim::checks::{check, check_end, check_history};
use pollux_sim::plan::{Fault, Harm, OutageIs, Plan, Victim};
use pollux_sim::run::Run;
use pollux_sim::sometimes::Situation;
use pollux_sim::world::{Step, Who, World};
use stateright::{Model, Property};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many faults of each kind may come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Halves that are killed.
    pub kills: u8,
    /// Halves that stand still for a while, or are so slow that their primary loses its patience.
    pub pauses: u8,
    /// Questions to which the coordinator is away, or whose answer is lost.
    pub outages: u8,
    /// Requesters that ask for a path though a half is about to speak.
    pub impatience: u8,
}

/// What is explored.
#[derive(Debug, Clone)]
pub struct PairModel {
    /// Who asks for what, how it begins, what the operator orders; no faults.
    pub plan: Plan,
    /// The faults.
    pub budget: Budget,
    /// An error that is put in.
    pub bug: Bug,
    /// Each step is taken by itself, also one that nobody else can see. More states, no more promises.
    pub apart: bool,
    /// Situations that must be reachable.
    pub reaches: &'static [Situation],
    /// Situations that were reached, a bit each. Two ways to one state are one way for the checker, so that a state does not
    /// tell through what it came.
    pub reached: Arc<AtomicU64>,
}

/// The world, the faults that may still come, and what went wrong.
#[derive(Clone)]
pub struct State {
    world: World,
    left: Budget,
    broken: Option<String>,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A step of the world.
    Step(Step),
    /// A fault.
    Fault(Fault),
    /// A pause is over.
    Wake(Who),
    /// A half has waited too long for the other one, or long enough to start one.
    Wait(Who),
    /// The coordinator rules badly on what this half asked for.
    Outage(Who, OutageIs),
    /// A requester has waited too long for a half to speak.
    Impatience,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step) => write!(f, "{step}"),
            Self::Fault(fault) => write!(f, "FAULT: {fault}"),
            Self::Wake(who) => write!(f, "half {who}: its pause is over"),
            Self::Wait(who) => write!(f, "half {who}: its timer runs out"),
            Self::Outage(who, OutageIs::Unavailable) => {
                write!(f, "FAULT: the coordinator is away when half {who} asks")
            }
            Self::Outage(who, OutageIs::AnswersLost) => {
                write!(f, "FAULT: the coordinator rules on what half {who} asked, its answer is lost")
            }
            Self::Impatience => write!(f, "requesters without a path lose their patience"),
        }
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.world.identity(hasher);
        (self.left, &self.broken).hash(hasher);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        let identity = |state: &Self| {
            let mut hasher = DefaultHasher::new();
            state.hash(&mut hasher);
            hasher.finish()
        };
        identity(self) == identity(other)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let halves = self.world.processes.iter().map(|process| (process.alive, process.pair.state()));
        f.debug_struct("State")
            .field("halves", &halves.collect::<Vec<_>>())
            .field("left", &self.left)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

impl PairModel {
    /// True when nothing moves any more unless a fault comes.
    fn is_quiet(world: &World) -> bool {
        let mut moves = false;
        world.each_possible(|_| moves = true);
        !moves
            && world.sleepers().next().is_none()
            && world.waiters().next().is_none()
            && !world.someone_is_stuck()
    }

    fn act(&self, state: &mut State, action: Action) -> Result<bool, String> {
        let world = &mut state.world;
        match action {
            Action::Step(step) if self.apart => world.perform(step),
            Action::Step(step) => world.perform_as_one(step)?,
            Action::Fault(fault) => {
                match fault.harm {
                    Harm::Kill => state.left.kills -= 1,
                    _ => state.left.pauses -= 1,
                }
                return Ok(world.inject(fault).is_some());
            }
            Action::Wake(who) => world.wake(who),
            Action::Wait(who) => {
                if !world.waiters().any(|(waits, excused)| waits == who && excused) {
                    state.left.pauses -= 1;
                }
                world.wait_long(who);
            }
            Action::Outage(who, outage) => {
                state.left.outages -= 1;
                world.rule_badly(who, outage);
            }
            Action::Impatience => {
                let mut moves = false;
                world.each_possible(|_| moves = true);
                if moves {
                    state.left.impatience -= 1;
                }
                world.lose_patience();
            }
        }
        Ok(true)
    }

    /// Looks at the promises, and at those of the end when nothing moves any more.
    fn judge(world: &mut World) -> Result<(), String> {
        check(world)?;
        if Self::is_quiet(world) {
            check_end(world)?;
            check_history(world)?;
        }
        Ok(())
    }
}

impl Told for PairModel {
    fn broken(state: &State) -> Option<&str> {
        state.broken.as_deref()
    }

    fn unreached(&self) -> Vec<&'static str> {
        let reached = self.reached.load(Ordering::Relaxed);
        let missing = self.reaches.iter().filter(|situation| reached >> **situation as u64 & 1 == 0);
        missing.map(|situation| situation.text()).collect()
    }
}

impl Model for PairModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let run = Run::new(&Arc::new(self.plan.clone()), self.bug).expect("a pair without faults begins");
        let mut world = run.world;
        world.without_time();
        vec![State { world, left: self.budget, broken: None }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() {
            return;
        }
        let (world, left) = (&state.world, state.left);
        world.each_possible(|step| {
            if let Step::Rule(who) = step
                && left.outages > 0
            {
                actions.push(Action::Outage(who, OutageIs::Unavailable));
                actions.push(Action::Outage(who, OutageIs::AnswersLost));
            }
            // Timers run out as a whole.
            if !matches!(step, Step::Tick(_)) {
                actions.push(Action::Step(step));
            }
        });
        let moves = !actions.is_empty();
        let mut fault = |harm, victim| actions.push(Action::Fault(Fault { harm, victim }));
        if left.kills > 0 {
            fault(Harm::Kill, Victim::Primary);
            fault(Harm::Kill, Victim::Backup);
        }
        if left.pauses > 0 {
            // A primary that stands still is killed in the end, or goes on in time; a backup goes on unless its primary kills it.
            fault(Harm::Pause, Victim::Primary);
            fault(Harm::Stall, Victim::Primary);
            fault(Harm::Stall, Victim::Backup);
        }
        actions.extend(world.sleepers().map(Action::Wake));
        let waits = world.waiters().filter(|(_, excused)| *excused || left.pauses > 0);
        actions.extend(waits.map(|(who, _)| Action::Wait(who)));
        if world.someone_is_stuck() && (!moves || left.impatience > 0) {
            actions.push(Action::Impatience);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let played = guarded(|| {
            let acted = self.act(&mut state, action)?;
            if acted { Self::judge(&mut state.world).map(|()| true) } else { Ok(false) }
        });
        match played {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return None,
            Ok(Err(what)) => state.broken = Some(what),
            // The half whose assertion fails is in the middle of a change.
            Err(what) => state = State { broken: Some(what), ..last.clone() },
        }
        let met = state.world.met.bits();
        if met & !self.reached.load(Ordering::Relaxed) != 0 {
            self.reached.fetch_or(met, Ordering::Relaxed);
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        crate::promises![
            "S1",
            "S2",
            "S3",
            "S4",
            "S5",
            "S6",
            "S7",
            "S8",
            "S11",
            "L1",
            "L2",
            "L3",
            "T1",
            "assertion"
        ]
    }
}
