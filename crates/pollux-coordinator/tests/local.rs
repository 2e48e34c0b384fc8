//! `Local` passes the suite.

#![allow(clippy::unwrap_used)]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use pollux_coordinator::{Coordinator, Local};

fn fresh() -> impl Fn() -> Box<dyn Coordinator> {
    let directory = tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap();
    move || Box::new(Local::create_or_open(directory.path()).unwrap())
}

pollux_coordinator::conformance_suite!(fresh());
