//! The sample programs: servers that run as pairs, and requesters that check them.

pub mod counter;
pub mod crasher;
#[path = "../../../pollux/examples/http_server/service.rs"]
pub mod http;
pub mod ledger;
pub mod lines;
pub mod objects;
pub mod puppet;
pub mod repeater;
pub mod shelf;
pub mod sockets;
pub mod tiers;

use pollux::{Error, Node, Result};
use std::io::Read as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Runs a sample program; none if there is none of that name.
pub fn run(words: &[&str]) -> Option<ExitCode> {
    let outcome = match *words {
        ["counter"] => counter::serve(),
        ["count", name, key, times, depth] => counter::count(name, key, number(times), number(depth) as u16),
        ["count-tokio", name, tasks, times] => counter::count_tokio(name, number(tasks), number(times)),
        ["bank"] => tiers::bank(),
        ["shop"] => tiers::shop(),
        ["buy", times] => tiers::buy(number(times)),
        ["objects"] => objects::serve(),
        ["change", name, seed, times] => objects::change(name, number(seed), number(times)),
        ["http", address] => http::serve(address),
        ["ledger"] => ledger::serve(),
        ["record", ref words @ ..] => ledger::record(words),
        ["repeat", ref words @ ..] => repeater::repeat(words),
        ["lines", address] => lines::serve(address),
        ["shelf"] => shelf::serve(),
        ["shelve", name, times] => shelf::shelve(name, number(times)),
        ["waste", name, times] => shelf::waste(name, number(times)),
        ["puppet", directory] => puppet::serve(directory),
        ["echo", provider] => sockets::echo(provider),
        ["crasher"] => crasher::serve(),
        ["ask", name, payload] => ask(name, payload),
        _ => return None,
    };
    Some(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", words.join(" "));
            // What a test looks for: the number of a file error.
            match error {
                Error::File(error) => ExitCode::from(u8::try_from(error.0 % 200).unwrap_or(1).max(1)),
                _ => ExitCode::FAILURE,
            }
        }
    })
}

/// One request; prints `OK reply` or `ERROR number`.
fn ask(name: &str, payload: &str) -> Result<()> {
    let node = Node::connect()?;
    let answer = node.open(name)?.request_for_answer(payload.as_bytes())?;
    if answer.error.is_ok() {
        println!("{}", String::from_utf8_lossy(&answer.payload));
    } else {
        println!("error {}", answer.error.0);
    }
    Ok(())
}

/// Turns true when standard input ends: the test has seen enough.
pub(crate) fn enough() -> Arc<AtomicBool> {
    let enough = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&enough);
    thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        told.store(true, Ordering::SeqCst);
    });
    enough
}

/// A number from text.
pub(crate) fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or_else(|_| panic!("{text:?} is not a number"))
}

/// The numbers in a reply.
pub(crate) fn numbers(reply: &[u8]) -> Vec<u64> {
    String::from_utf8_lossy(reply).split_whitespace().map(number).collect()
}
