//! The acting master brings the domain to its configuration: apply, refuse with a reason, or roll back.
//!
//! What this decides: the order of the steps and what follows from a step that fails. What it does not: carry one out.
//!
//! Invariant: after the end either all steps of the change are done, or all that were done are taken back, or the report
//! says which could be neither; a step whose outcome is unknown is asked for before anything else happens (S14).
//!
//! ```text
//!   Idle --apply--> Applying --last step done--> Idle (applied)
//!                      | a step fails
//!                      v
//!                  RollingBack --last undone--> Idle (rolled back)
//! ```

use crate::configuration::Configuration;
use crate::difference::{Action, difference};
use crate::files::Faults;
use pollux_wire::Epoch;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepOutcome {
    /// Done, or it was so already.
    Done,
    /// Surely not done.
    Failed {
        /// Why.
        reason: String,
    },
    /// Nobody can tell; the machine asks again with the same step, which must be repeatable.
    Unknown,
}

/// What the shell must do or say.
#[allow(clippy::large_enum_variant, reason = "there is one order at a time")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Carry out this step, in this epoch: an older one is refused by whoever carries it out.
    Step {
        /// For the answer.
        number: u64,
        /// The epoch of the acting master.
        epoch: Epoch,
        /// What to do; repeating it has no second effect.
        action: Action,
    },
    /// The change has ended.
    Ended(End),
}

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// All steps are done.
    Applied,
    /// A step failed and all earlier ones are taken back.
    RolledBack {
        /// Of the step that failed.
        reason: String,
    },
    /// A step failed, and these could not be taken back; an operator must look.
    Stuck {
        /// Of the step that failed.
        reason: String,
        /// What could not be taken back, and why.
        left: Vec<(Action, String)>,
    },
    /// This server does not act any more; the next acting master goes on from the configuration on record.
    Abandoned,
}

/// Why a change is not even begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// This server does not act.
    #[error("this server is not the acting master; ask the acting master")]
    NotMaster,
    /// One at a time.
    #[error("another change is being applied; wait for its end")]
    Busy,
    /// The text has faults.
    #[error("the configuration has faults:\n{0}")]
    Faults(Faults),
    /// Pairs would lose their state and nobody agreed.
    #[error("these steps lose the state of pairs; say so with the change, or take them out:\n{}", .0.iter().map(|action| format!("  {action}")).collect::<Vec<_>>().join("\n"))]
    LosesState(Vec<Action>),
}

#[derive(Debug)]
enum State {
    Idle,
    Applying { steps: VecDeque<Action>, done: Vec<Action> },
    RollingBack { steps: VecDeque<Action>, reason: String, left: Vec<(Action, String)> },
}

/// The machine of the acting master.
#[derive(Debug)]
pub struct Acting {
    epoch: Option<Epoch>,
    state: State,
    number: u64,
    waiting: Option<(u64, Action)>,
    orders: VecDeque<Order>,
}

impl Default for Acting {
    fn default() -> Self {
        Self { epoch: None, state: State::Idle, number: 0, waiting: None, orders: VecDeque::new() }
    }
}

impl Acting {
    /// A server that does not act yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// This server acts in that epoch, or no longer. A change that is under way is given up: steps of an older epoch are
    /// refused where they are carried out.
    pub fn handle_mastership(&mut self, epoch: Option<Epoch>) {
        if epoch != self.epoch && !matches!(self.state, State::Idle) {
            self.end(End::Abandoned);
        }
        self.epoch = epoch;
    }

    /// Begins to bring the domain from what runs to what the text says. Returns the plan.
    pub fn apply(
        &mut self,
        runs: &Configuration,
        text: &str,
        may_lose_state: bool,
    ) -> Result<Vec<Action>, Refused> {
        if self.epoch.is_none() {
            return Err(Refused::NotMaster);
        }
        if !matches!(self.state, State::Idle) {
            return Err(Refused::Busy);
        }
        let new = Configuration::parse(text).map_err(Refused::Faults)?;
        let plan = difference(runs, &new);
        let losing: Vec<Action> = plan.iter().filter(|action| action.loses_state()).cloned().collect();
        if !may_lose_state && !losing.is_empty() {
            return Err(Refused::LosesState(losing));
        }
        self.state = State::Applying { steps: plan.clone().into(), done: Vec::new() };
        self.next();
        Ok(plan)
    }

    /// A step ended.
    pub fn handle_step(&mut self, number: u64, outcome: StepOutcome) {
        let Some((_, action)) = self.waiting.take_if(|(waiting, _)| *waiting == number) else { return };
        match (&mut self.state, outcome) {
            (_, StepOutcome::Unknown) => return self.order(action),
            (State::Applying { done, .. }, StepOutcome::Done) => done.push(action),
            (State::Applying { done, .. }, StepOutcome::Failed { reason }) => {
                let steps = done.iter().rev().map(Action::undo).collect();
                self.state = State::RollingBack { steps, reason, left: Vec::new() };
            }
            (State::RollingBack { left, .. }, StepOutcome::Failed { reason }) => left.push((action, reason)),
            (State::RollingBack { .. }, StepOutcome::Done) | (State::Idle, _) => {}
        }
        self.next();
    }

    /// The next thing to do.
    pub fn poll_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    fn next(&mut self) {
        let step = match &mut self.state {
            State::Idle => return,
            State::Applying { steps, .. } | State::RollingBack { steps, .. } => steps.pop_front(),
        };
        if let Some(action) = step {
            return self.order(action);
        }
        let end = match std::mem::replace(&mut self.state, State::Idle) {
            State::RollingBack { reason, left, .. } if left.is_empty() => End::RolledBack { reason },
            State::RollingBack { reason, left, .. } => End::Stuck { reason, left },
            State::Applying { .. } | State::Idle => End::Applied,
        };
        self.end(end);
    }

    fn order(&mut self, action: Action) {
        let Some(epoch) = self.epoch else { return };
        self.number += 1;
        self.waiting = Some((self.number, action.clone()));
        self.orders.push_back(Order::Step { number: self.number, epoch, action });
    }

    fn end(&mut self, end: End) {
        self.state = State::Idle;
        self.waiting = None;
        self.orders.push_back(Order::Ended(end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::tests::TEXT;

    fn step(acting: &mut Acting) -> (u64, String) {
        match acting.poll_order() {
            Some(Order::Step { number, action, .. }) => (number, action.to_string()),
            other => panic!("{other:?}"),
        }
    }

    fn master() -> Acting {
        let mut acting = Acting::new();
        acting.handle_mastership(Some(Epoch(3)));
        acting
    }

    #[test]
    fn a_change_is_applied_step_by_step() {
        let mut acting = master();
        acting.apply(&Configuration::default(), TEXT, false).unwrap();
        assert_eq!(acting.apply(&Configuration::default(), TEXT, false), Err(Refused::Busy));
        let (one, node) = step(&mut acting);
        assert_eq!(node, "start node \\A on alpha with 4 CPUs");
        assert_eq!(acting.poll_order(), None, "one step at a time");
        acting.handle_step(one, StepOutcome::Unknown);
        let (again, same) = step(&mut acting);
        assert_eq!(same, node, "unknown is asked again, never guessed");
        acting.handle_step(again, StepOutcome::Done);
        let (two, _) = step(&mut acting);
        acting.handle_step(two, StepOutcome::Done);
        assert_eq!(acting.poll_order(), Some(Order::Ended(End::Applied)));
    }

    // A domain that is left half changed is worse than one that refused.
    #[test]
    fn a_failed_step_takes_the_others_back() {
        for undone in [StepOutcome::Done, StepOutcome::Failed { reason: "gone".to_owned() }] {
            let mut acting = master();
            acting.apply(&Configuration::default(), TEXT, false).unwrap();
            let (one, _) = step(&mut acting);
            acting.handle_step(one, StepOutcome::Done);
            let (two, _) = step(&mut acting);
            acting.handle_step(two, StepOutcome::Failed { reason: "no such program".to_owned() });
            let (back, words) = step(&mut acting);
            assert_eq!(words, "stop node \\A on alpha");
            acting.handle_step(back, undone.clone());
            match (undone, acting.poll_order()) {
                (StepOutcome::Done, Some(Order::Ended(End::RolledBack { reason }))) => {
                    assert_eq!(reason, "no such program")
                }
                (StepOutcome::Failed { .. }, Some(Order::Ended(End::Stuck { left, .. }))) => {
                    assert_eq!(left.len(), 1)
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_is_refused() {
        let runs = Configuration::parse(TEXT).unwrap();
        assert_eq!(Acting::new().apply(&runs, "", true), Err(Refused::NotMaster));
        let mut acting = master();
        assert!(matches!(acting.apply(&runs, "x", true), Err(Refused::Faults(_))));
        assert!(
            matches!(acting.apply(&runs, "", false), Err(Refused::LosesState(steps)) if steps.len() == 2)
        );
        acting.apply(&runs, "", true).unwrap();
        acting.handle_mastership(None);
        step(&mut acting);
        assert_eq!(acting.poll_order(), Some(Order::Ended(End::Abandoned)));
    }
}
