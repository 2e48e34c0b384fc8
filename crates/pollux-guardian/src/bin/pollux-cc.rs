//! `pollux cc` as a program of its own: what the tests run, and a name for makefiles that want one word.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Option<Vec<String>> =
        std::env::args_os().skip(1).map(|word| word.into_string().ok()).collect();
    match arguments {
        Some(arguments) => ExitCode::from(guardian_cc::driver::run(&arguments)),
        None => {
            eprintln!("pollux cc: an argument is not UTF-8");
            ExitCode::FAILURE
        }
    }
}
