//! From the end of a service to the next reply, of Pollux and of what is used for it today.

use crate::arguments::Plan;
use crate::node::Bench;
use crate::noise::{self, Measured};
use crate::numbers::{Samples, median};
use crate::peers::served::or_missing;
use crate::peers::supervisors::Supervisor;
use crate::peers::{keepalived, sentinel, supervisors};
use crate::placement::Placement;
use crate::progress;
use crate::report::{Figure, Row, Value};
use crate::takeover;
use anyhow::{Context, Result};

const NAME: &str = "$TAKE0";
/// Of Pollux and of each peer in turn.
const ROUNDS: u32 = 2;
/// Of Pollux in each round.
const KILLS: u32 = 20;
/// Of a peer in each round: most need a second or more to be whole again.
const SUPERVISOR_KILLS: u32 = 5;
const SENTINEL_KILLS: u32 = 4;
const KEEPALIVED_FAILS: u32 = 10;

/// Measures each peer in turn with Pollux.
pub(crate) fn measure(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    if plan.quick {
        return Ok(Vec::new());
    }
    bench.run_server(NAME, true, &["store", "0"])?;
    let mut rows = Vec::new();
    let mut add = |name: &'static str, peer: &mut dyn FnMut() -> Result<Samples>| {
        progress::show(&format!("takeover: {name}"));
        let row = compare(bench, name, peer).map(|row| vec![row]);
        rows.extend(or_missing("takeover 0 MiB", name, row));
    };
    for supervisor in Supervisor::ALL {
        add(supervisor.name(), &mut || supervisors::kill_often(supervisor, SUPERVISOR_KILLS));
    }
    add(sentinel::NAME, &mut || sentinel::kill_often(SENTINEL_KILLS));
    add(keepalived::NAME, &mut || keepalived::fail_often(KEEPALIVED_FAILS));
    bench.stop_server(NAME)?;
    Ok(rows)
}

fn compare(bench: &Bench, name: &'static str, peer: &mut dyn FnMut() -> Result<Samples>) -> Result<Row> {
    let mut server = bench.requester.open(NAME).with_context(|| format!("open {NAME}"))?;
    let (roots, mut ours, mut theirs) = (bench.roots(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(noise::cleanest(&roots, 0, || {
            takeover::kill_often(bench, &mut server, Placement::Other, KILLS)
        })?);
        Placement::Free.enter(bench, 0)?;
        theirs.push(noise::cleanest(&roots, 0, &mut *peer)?);
    }
    let noise = |rounds: &[Measured<Samples>]| median(rounds.iter().map(|round| round.noise_percent));
    Ok(Row {
        name: format!("takeover 0 MiB, against {name}"),
        value: Value::P50,
        figure: figure(&ours),
        baseline: Some((name, figure(&theirs))),
        target: None,
        noise_percent: noise(&ours).max(noise(&theirs)),
        note: None,
    })
}

/// All together: a round has too few for a percentile of its own.
fn figure(rounds: &[Measured<Samples>]) -> Figure {
    Figure::of_samples(rounds.iter().map(|round| &round.value))
}
