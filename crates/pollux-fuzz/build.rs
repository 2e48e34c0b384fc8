//! Makes the cfg known that `cargo xtask fuzz` sets, so that the compiler does not take it for a mistyped one.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(fuzzing)");
}
