//! `Memory` passes the suite.

use pollux_coordinator::{Coordinator, Memory};

fn fresh() -> impl Fn() -> Box<dyn Coordinator> {
    let store = Memory::new();
    move || Box::new(store.clone())
}

pollux_coordinator::conformance_suite!(fresh());
