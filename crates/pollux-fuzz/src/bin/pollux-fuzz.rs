//! Lists the targets, writes the seeds, runs files through a target.

use pollux_fuzz::{allocator, corpus, targets};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

const USAGE: &str = "\
usage: pollux-fuzz list                    the targets, their groups, and whose bytes they decode
       pollux-fuzz list --limits           name, longest input and group, for programs
       pollux-fuzz seeds                   writes fuzz/corpus/*/seed-* anew from the encoders
       pollux-fuzz replay TARGET FILE..    runs each file through the target, with its limits";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list"] => {
            for target in targets::all() {
                println!("{:<20} {:<14} {}", target.name, target.group, target.of);
            }
            ExitCode::SUCCESS
        }
        ["list", "--limits"] => {
            for target in targets::all() {
                println!("{} {} {}", target.name, target.limits.input_bytes_max, target.group);
            }
            ExitCode::SUCCESS
        }
        ["seeds"] => match corpus::write_seeds() {
            Ok(count) => {
                println!("{count} seeds");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("pollux-fuzz: {error}");
                ExitCode::FAILURE
            }
        },
        ["replay", target, files @ ..] if !files.is_empty() => replay(target, files),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn replay(name: &str, files: &[&str]) -> ExitCode {
    let Some(target) = targets::named(name) else {
        eprintln!("pollux-fuzz: {name} is no target; see pollux-fuzz list");
        return ExitCode::from(2);
    };
    let mut code = ExitCode::SUCCESS;
    for file in files {
        let bytes = match std::fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) => {
                eprintln!("pollux-fuzz: {file}: {error}");
                return ExitCode::FAILURE;
            }
        };
        match target.check(&bytes) {
            Ok(cost) => println!("{file}: right; {} bytes of memory, {} us", cost.peak_bytes, cost.time_us),
            Err(excess) => {
                eprintln!("{file}: {excess}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}
