//! Makes a plan that fails small: a person should be able to follow it with a finger.

use crate::bugs::Bug;
use crate::plan::{Plan, Schedule};
use crate::run::run;

/// The smallest plan that was found and breaks the same promise; each thing is left out that is not needed.
pub fn shrink(plan: &Plan, bug: Bug) -> Plan {
    let Some(broken) = promise(plan, bug) else { return plan.clone() };
    let mut smallest = plan.clone();
    loop {
        let smaller =
            candidates(&smallest).into_iter().find(|plan| promise(plan, bug).as_ref() == Some(&broken));
        match smaller {
            Some(plan) => smallest = plan,
            None => {
                smallest.name = format!("{broken} ({})", plan.name);
                return smallest;
            }
        }
    }
}

/// The number of the promise that the plan breaks, such as "S5".
fn promise(plan: &Plan, bug: Bug) -> Option<String> {
    let violation =
        std::panic::catch_unwind(|| run(plan, bug).violation).unwrap_or(Some("assertion: ".into()))?;
    Some(violation.split(':').next().unwrap_or_default().to_owned())
}

/// Plans that are a little smaller, the greatest steps first.
fn candidates(plan: &Plan) -> Vec<Plan> {
    let mut smaller = Vec::new();
    let mut offer = |change: &dyn Fn(&mut Plan)| {
        let mut candidate = plan.clone();
        change(&mut candidate);
        if candidate != *plan {
            smaller.push(candidate);
        }
    };
    offer(&|plan| plan.schedule = Schedule::Fixed);
    let faults = plan.faults.len();
    for width in [faults / 2, faults / 4, 1] {
        for at in (0..faults).step_by(width.max(1)).rev() {
            offer(&|plan| {
                plan.faults.drain(at..(at + width.max(1)).min(faults));
            });
        }
    }
    offer(&|plan| {
        plan.calls = 0;
        plan.faults.retain(|(_, fault)| !fault.victim.is_of_server());
    });
    offer(&|plan| plan.calls = plan.calls.min(1));
    offer(&|plan| plan.outages.clear());
    offer(&|plan| plan.orders.clear());
    offer(&|plan| plan.no_cpu = 0..0);
    for at in 0..plan.outages.len() {
        offer(&|plan| {
            plan.outages.remove(at);
        });
    }
    for at in 0..plan.orders.len() {
        offer(&|plan| {
            plan.orders.remove(at);
        });
    }
    for at in 0..plan.requesters.len() {
        if plan.requesters.len() > 1 {
            offer(&|plan| {
                plan.requesters.remove(at);
            });
        }
        offer(&|plan| plan.requesters[at].wanted = plan.requesters[at].wanted.div_ceil(2));
        offer(&|plan| plan.requesters[at].nowait_depth = 1);
        offer(&|plan| plan.requesters[at].wanted = (plan.requesters[at].wanted - 1).max(1));
    }
    for at in 0..faults {
        offer(&|plan| plan.faults[at].0.after /= 2);
        offer(&|plan| plan.faults[at].0.after = plan.faults[at].0.after.saturating_sub(1));
        offer(&|plan| plan.faults[at].0.mark = None);
    }
    offer(&|plan| plan.cpus = 2);
    offer(&|plan| plan.standby_paths = true);
    smaller
}
