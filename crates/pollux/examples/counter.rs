//! A counter that survives `kill -9`, and a requester that does not notice.
//!
//! ```text
//! cargo build --release --example counter --package pollux
//! pollux up
//! pollux run --name '$COUNT' --pair target/release/examples/counter serve
//! target/release/examples/counter add alice 100000 &
//! pollux kill '$COUNT'            # as often as you like
//! ```
//!
//! `add NAME TIMES` prints the total: it grows by exactly TIMES, however often the server was killed meanwhile.

use pollux::{FileError, Node, Pair, ReceiveDepth, Result};
use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["serve"] => serve(),
        ["add", name, times] => match times.parse() {
            Ok(times) => add(name, times),
            Err(_) => return usage(),
        },
        _ => return usage(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("counter: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: counter serve | counter add NAME TIMES");
    ExitCode::from(2)
}

/// The server. Both halves of the pair run this; the backup waits inside `join`.
fn serve() -> Result<()> {
    let pair = Pair::join()?;
    let totals = pair.map::<String, u64>("totals")?;
    let mut receive = pair.receive(ReceiveDepth::new(256)?)?;
    while let Some(request) = receive.next()? {
        // The change and the reply reach the backup together; only then does the reply leave.
        match request.text().map(str::to_owned) {
            Ok(name) => {
                let total = totals.update(name, |total| total.unwrap_or(0) + 1)?;
                request.reply(total.to_string())?;
            }
            Err(_) => request.reply_error(FileError::ILLEGAL_REQUEST)?,
        }
    }
    Ok(())
}

/// A requester: any program that can reach the node.
fn add(name: &str, times: u64) -> Result<()> {
    let node = Node::connect()?;
    let mut counter = node.open("$COUNT")?;
    let mut total = Vec::new();
    for _ in 0..times {
        total = counter.request(name.as_bytes())?;
    }
    println!("{name}: {} ({} requests were sent again)", String::from_utf8_lossy(&total), counter.resent());
    Ok(())
}
