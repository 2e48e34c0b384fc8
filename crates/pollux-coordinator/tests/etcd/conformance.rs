//! `Etcd` passes the suite, with one member and with three.

use std::sync::Arc;

use pollux_coordinator::{Coordinator, Etcd};

use crate::cluster::{Shared, Turn, Turns, fresh_prefix};

/// Opens handles to one fresh store; nobody else writes to the cluster meanwhile.
fn fresh(shared: &'static Shared) -> Option<impl Fn() -> Box<dyn Coordinator>> {
    let turns: Arc<Turns> = shared.get()?;
    let place = turns.cluster.place(&fresh_prefix(), "limit-ms=20000");
    let turn = Turn::take(turns);
    Some(move || {
        let _held = &turn;
        Box::new(Etcd::open(&place).unwrap()) as Box<dyn Coordinator>
    })
}

mod one_member {
    use super::fresh;
    use crate::cluster::Shared;

    static SHARED: Shared = Shared::new(1);
    pollux_coordinator::conformance_suite!(where available: fresh(&SHARED));
}

mod three_members {
    use super::fresh;
    use crate::cluster::Shared;

    static SHARED: Shared = Shared::new(3);
    pollux_coordinator::conformance_suite!(where available: fresh(&SHARED));
}
