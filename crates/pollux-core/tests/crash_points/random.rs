//! Any step may come next, and up to three faults may come at any place: schedules that the fixed order never plays.
//!
//! For more than the small number of runs that CI can afford: `PROPTEST_CASES=100000`.

use crate::checks::{check, check_end};
use crate::enumerate::Run;
use crate::scenario::{Bug, FAULTS, scenarios};
use crate::world::{Step, World};
use proptest::prelude::*;

const CHOICES: usize = 120;

/// The step that this choice means among the possible ones. A tick is chosen seldom: its time is long beside a delivery.
fn choose(world: &World, choice: u16) -> Option<Step> {
    let mut possible = Vec::new();
    world.each_possible(|step| possible.push(step));
    if !choice.is_multiple_of(16) {
        let (ticks, others): (Vec<Step>, Vec<Step>) =
            possible.iter().partition(|step| matches!(step, Step::Tick(_)));
        possible = if others.is_empty() { ticks } else { others };
    }
    possible.sort();
    possible.get(usize::from(choice / 16) % possible.len().max(1)).copied()
}

proptest! {
    // The network and the scheduler owe nobody an order; the promises must hold all the same.
    #[test]
    fn any_schedule(
        which in 0..scenarios().len(),
        choices in proptest::collection::vec(any::<u16>(), CHOICES),
        faults in proptest::collection::vec((0..CHOICES, 0..FAULTS.len()), 0..4),
    ) {
        let scenario = &scenarios()[which];
        let mut run = Run::new(scenario, Bug::None).map_err(TestCaseError::fail)?;
        for (at, choice) in choices.into_iter().enumerate() {
            for (_, fault) in faults.iter().filter(|(place, _)| *place == at) {
                run.world.inject(FAULTS[*fault]);
            }
            run.world.pass_time();
            match choose(&run.world, choice) {
                Some(step) => run.world.perform(step),
                None => run.world.now += 1,
            }
            check(&run.world).map_err(TestCaseError::fail)?;
        }
        while run.step().map_err(TestCaseError::fail)? {}
        check_end(&run.world).map_err(TestCaseError::fail)?;
    }
}
