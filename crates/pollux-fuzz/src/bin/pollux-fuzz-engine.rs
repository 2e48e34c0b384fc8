//! libFuzzer around one target, chosen by the environment variable `POLLUX_FUZZ_TARGET`. `cargo xtask fuzz` builds it with
//! coverage counters and the cfg `fuzzing`; a build without them says so.

#![cfg_attr(fuzzing, no_main)]

#[global_allocator]
static ALLOCATOR: pollux_fuzz::allocator::Counting = pollux_fuzz::allocator::Counting;

#[cfg(fuzzing)]
mod engine {
    use pollux_fuzz::meter::Meter;
    use pollux_fuzz::{Target, targets};
    use std::sync::OnceLock;

    static TARGET: OnceLock<Target> = OnceLock::new();
    static METER: OnceLock<Meter> = OnceLock::new();

    fn begin() {
        if std::env::var_os("POLLUX_FUZZ_LIST").is_some() {
            for target in targets::all() {
                println!("{} {} {} {}", target.name, target.limits.input_bytes_max, target.group, target.of);
            }
            std::process::exit(0);
        }
        let name = std::env::var("POLLUX_FUZZ_TARGET").unwrap_or_default();
        let target =
            targets::named(&name).unwrap_or_else(|| panic!("POLLUX_FUZZ_TARGET={name} is no target"));
        TARGET.get_or_init(|| target);
        METER.get_or_init(|| Meter::new(std::env::var_os("POLLUX_FUZZ_METER").map(Into::into)));
    }

    libfuzzer_sys::fuzz_target!(init: begin(), |bytes: &[u8]| {
        let target = TARGET.get().expect("it was chosen before the first input");
        if let Err(excess) = target.check(bytes) {
            panic!("{}: {excess}", target.name);
        }
        METER.get().expect("it was made before the first input").count();
    });
}

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    eprintln!("this build has no engine: use cargo xtask fuzz");
    std::process::ExitCode::from(2)
}
