//! Makes the entry points of the procedures from the procedure table.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let directory = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for a build script");
    let text = guardian_cc::entry::source(&guardian_cc::Table::built_in());
    fs::write(Path::new(&directory).join("entry_points.rs"), text).expect("OUT_DIR can be written to");
}
