//! The launcher as a program of its own, for programs that use `pollux-os` without being a `polluxd`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.split_first() {
        Some((command, rest)) if command == pollux_os::LAUNCHER_COMMAND => pollux_os::launcher_main(rest),
        _ => {
            eprintln!(
                "pollux-launch: started by pollux itself with \"{} ...\"; not for use by hand",
                pollux_os::LAUNCHER_COMMAND
            );
            ExitCode::from(2)
        }
    }
}
