//! `c-roundtrip`: `FILE_WRITEREAD64_` from a C program to another that reads `$RECEIVE` and replies, against the same between two
//! Rust programs. Both servers are single named processes in the same CPU.

use crate::arguments::Plan;
use crate::c_programs::{CRequester, Programs};
use crate::load::{Open, Rounds};
use crate::node::Bench;
use crate::placement::{Placement, first, pin};
use crate::progress;
use crate::report::{Row, Target, Value};
use anyhow::Result;

const C_NAME: &str = "$CECHO";
const RUST_NAME: &str = "$ECHO";
const BYTES: usize = 64;
const PLACEMENTS: [Placement; 2] = [Placement::Same, Placement::Other];
const RATIO_TARGET: f64 = 1.3;

/// Measures both placements in turn.
pub(crate) fn measure(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    progress::show("c-roundtrip: compiling the programs");
    let programs = Programs::compile()?;
    progress::show("c-roundtrip: starting the servers");
    bench.run_server(RUST_NAME, false, &["echo", "0"])?;
    bench.run_program(C_NAME, false, &programs.server(), &[])?;
    let processor = first(bench.processors(0));
    for name in [C_NAME, RUST_NAME] {
        pin(Some(bench.primary_pid(name)?), processor)?;
    }
    let mut of_rust = Open::new(&bench.requester, RUST_NAME, 1)?;
    let mut of_c = CRequester::start(&programs, C_NAME)?;

    let mut results = vec![(Rounds::default(), Rounds::default()); PLACEMENTS.len()];
    let roots = bench.roots();
    for round in 1..=plan.rounds {
        for (placement, (c, rust)) in PLACEMENTS.iter().zip(&mut results) {
            progress::show(&format!("c-roundtrip: round {round} of {}: {}", plan.rounds, placement.name()));
            placement.enter(bench, 0)?;
            pin(Some(of_c.pid()), placement.processors(bench, 0))?;
            c.add(&roots, &mut of_c, (BYTES, 1, plan.row_time))?;
            rust.add(&roots, &mut of_rust, (BYTES, 1, plan.row_time))?;
        }
    }
    drop((of_rust, of_c));
    bench.stop_server(RUST_NAME)?;
    bench.stop_server(C_NAME)?;

    let row = |(placement, (c, rust)): (&Placement, &(Rounds, Rounds))| Row {
        name: format!("c-roundtrip {BYTES} B, {}", placement.name()),
        value: Value::P50,
        figure: c.figure(),
        baseline: Some(("the same in Rust", rust.figure())),
        target: Some(Target::RatioAtMost(RATIO_TARGET)),
        noise_percent: c.noise_percent().max(rust.noise_percent()),
        note: None,
    };
    Ok(PLACEMENTS.iter().zip(&results).map(row).collect())
}
