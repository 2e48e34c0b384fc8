//! Text files that tell stories: commands and the replies a user sees, as redis-cli prints them.
//!
//! ```text
//! # why this story is told
//! > SET greeting "hello world"
//! OK
//! @ advance 1500
//! ```
//!
//! `@ advance N` moves the clock by N milliseconds. A line `...` stands for any further lines of the
//! reply. `POLLUX_KV_WRITE_STORIES=1` writes the replies into the files, to be read before they are kept.

mod common;

use std::fs;
use std::path::Path;

use common::{Engine, Reply};
use pollux_kv::{Args, Parsed, Parser};

/// If this fails, a client gets another answer than from Redis.
#[test]
fn every_story_goes_as_told() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut paths: Vec<_> =
        fs::read_dir(directory).expect("stories").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    assert!(paths.len() >= 8, "the stories are missing");
    for path in paths {
        let told = fs::read_to_string(&path).expect("a text file");
        let happened = play(&told);
        if std::env::var_os("POLLUX_KV_WRITE_STORIES").is_some() {
            fs::write(&path, happened).expect("the sources can be written");
        } else {
            compare(&path, &told, &happened);
        }
    }
}

/// The story with the replies of the engine.
fn play(story: &str) -> String {
    let mut engine = Engine::new();
    let mut out = String::new();
    let mut lines = story.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(command) = line.strip_prefix("> ") {
            let mut told = Vec::new();
            while let Some(line) =
                lines.next_if(|line| !line.is_empty() && !line.starts_with(['>', '#', '@']))
            {
                told.push(line);
            }
            let reply = with_words(command, |args| engine.run(&args.from(0).collect::<Vec<_>>()));
            let mut rest = &reply[..];
            let mut happened = Reply::take(&mut rest).expect("a whole reply").lines();
            assert!(rest.is_empty(), "{command}: more than one reply");
            if told.last() == Some(&"...") {
                happened.truncate(told.len() - 1);
                happened.push("...".to_string());
            }
            out += &format!("{line}\n{}\n", happened.join("\n"));
            continue;
        }
        if let Some(number) = line.strip_prefix("@ advance ") {
            engine.context.now_ms += number.parse::<u64>().expect("milliseconds");
        }
        out += &format!("{line}\n");
    }
    out
}

/// Splits a line as the server splits inline commands.
fn with_words<T>(command: &str, run: impl FnOnce(Args<'_>) -> T) -> T {
    let line = format!("{command}\r\n").into_bytes();
    match Parser::new().parse(&line) {
        Parsed::Request { args, .. } => run(args),
        other => panic!("{command}: {other:?}"),
    }
}

fn compare(path: &Path, told: &str, happened: &str) {
    for (number, (told, happened)) in told.lines().zip(happened.lines()).enumerate() {
        assert_eq!(told, happened, "{}, line {}: told left, happened right", path.display(), number + 1);
    }
    assert_eq!(told.lines().count(), happened.lines().count(), "{}", path.display());
}
