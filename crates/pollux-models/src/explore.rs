//! Runs the checker over a model: what was visited, which promise broke, and the way there.

use serde::Serialize;
use stateright::{Checker, Expectation, HasDiscoveries, Model};
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// A model whose states know what went wrong in them.
pub trait Told: Model {
    /// The promise that is broken in this state, and how.
    fn broken(state: &Self::State) -> Option<&str>;

    /// Situations that must be reachable and were not, beside the model's own properties of that kind.
    fn unreached(&self) -> Vec<&'static str> {
        Vec::new()
    }
}

/// How a model is explored.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Threads of the checker.
    pub threads: usize,
    /// Longest time; a check that is cut off says so.
    pub longest: Duration,
    /// Depth first: less memory, and the way to a broken promise is not the shortest.
    pub depth_first: bool,
}

impl Default for Effort {
    fn default() -> Self {
        Self { threads: 2, longest: Duration::from_secs(600), depth_first: false }
    }
}

/// A broken promise.
#[derive(Debug, Clone, Serialize)]
pub struct Violation {
    /// Its number, such as "S5".
    pub promise: String,
    /// What was seen.
    pub what: String,
    /// The steps that lead there, one line each.
    pub trace: Vec<String>,
    /// A plan of `pollux-sim` that breaks the same promise, if one was found.
    pub scenario: Option<String>,
}

/// What came of a check.
#[derive(Debug, Clone, Serialize)]
pub struct Explored {
    /// Which model, with which bounds.
    pub name: String,
    /// Steps that were taken.
    pub states: usize,
    /// Different states.
    pub unique_states: usize,
    /// The longest way to a state.
    pub depth: usize,
    /// Seconds it took.
    pub seconds: f64,
    /// Every state within the bounds was visited.
    pub complete: bool,
    /// The promises that were looked at in each of them.
    pub properties: Vec<&'static str>,
    /// Situations that must be reachable, or the model is blind there; those that were not.
    pub unreached: Vec<&'static str>,
    /// Promises that are broken.
    pub violations: Vec<Violation>,
}

impl Explored {
    /// Every promise is kept, everything was visited, and the model is not blind.
    pub fn is_good(&self) -> bool {
        self.complete && self.violations.is_empty() && self.unreached.is_empty()
    }
}

/// Visits every state of the model, up to the first broken promise.
#[allow(clippy::disallowed_methods, reason = "how long a check takes is for people")]
pub fn explore<M>(name: &str, model: M, effort: &Effort) -> (Explored, Option<Vec<M::Action>>)
where
    M: Told + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + Display + PartialEq + Send + Sync + 'static,
{
    let started = Instant::now();
    let builder = model.checker().threads(effort.threads).timeout(effort.longest);
    let builder = builder.finish_when(HasDiscoveries::AnyFailures);
    if effort.depth_first {
        report(name, builder.spawn_dfs().join(), started, effort)
    } else {
        report(name, builder.spawn_bfs().join(), started, effort)
    }
}

fn report<M>(
    name: &str,
    checker: impl Checker<M>,
    started: Instant,
    effort: &Effort,
) -> (Explored, Option<Vec<M::Action>>)
where
    M: Told,
    M::State: Clone + Debug + Hash + PartialEq,
    M::Action: Clone + Debug + Display + PartialEq,
{
    let spent = started.elapsed();
    let properties = checker.model().properties();
    let mut explored = Explored {
        name: name.to_owned(),
        states: checker.state_count(),
        unique_states: checker.unique_state_count(),
        depth: checker.max_depth(),
        seconds: spent.as_secs_f64(),
        complete: spent < effort.longest,
        properties: Vec::new(),
        unreached: checker.model().unreached(),
        violations: Vec::new(),
    };
    let mut way = None;
    let discoveries = checker.discoveries();
    for property in properties {
        let found = discoveries.get(property.name);
        if property.expectation == Expectation::Sometimes {
            explored.unreached.extend(found.is_none().then_some(property.name));
            continue;
        }
        explored.properties.push(property.name);
        if let Some(path) = found {
            let what = M::broken(path.last_state()).unwrap_or_default().to_owned();
            let actions = path.clone().into_actions();
            let trace = actions.iter().map(ToString::to_string).collect();
            way = Some(actions);
            explored.violations.push(Violation {
                promise: property.name.to_owned(),
                what,
                trace,
                scenario: None,
            });
        }
    }
    // A check that ended at a broken promise was not to be complete.
    explored.complete &= explored.violations.is_empty();
    (explored, way)
}

/// Does something with the machines; an assertion of theirs that fails is a broken promise like others.
pub fn guarded<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        format!("assertion: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or_default())
    })
}

/// Declares the promises of a model: each is broken in a state whose text begins with its number.
#[macro_export]
macro_rules! promises {
    ($($number:literal),* $(,)?) => {
        vec![$(::stateright::Property::always($number, |_, state| {
            !<Self as $crate::explore::Told>::broken(state)
                .is_some_and(|what| what.split(':').next() == Some($number))
        })),*]
    };
}
