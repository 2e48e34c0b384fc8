//! `pollux-counts PATH N` runs a hot path N times; without arguments it names the paths, one a line, each with an N that is
//! enough to count with.
#![forbid(unsafe_code)]

use pollux_counts::{Result, paths::PATHS};
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pollux-counts: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    match words {
        [] => {
            PATHS.iter().for_each(|path| println!("{} {}", path.name, path.times));
            Ok(())
        }
        [name, times] => {
            let path = PATHS.iter().find(|path| path.name == *name).ok_or("there is no such path")?;
            (path.run)(times.parse()?)
        }
        _ => Err("usage: pollux-counts [PATH N]".into()),
    }
}
