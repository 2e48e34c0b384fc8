//! A pair for `pollux explore`, right and with the mistakes that people make.
//!
//! ```text
//! pollux explore target/debug/examples/explored --name '$SUM' \
//!   --requester target/debug/examples/explored ask 3 -- serve right
//! ```
//!
//! | `serve` | The mistake |
//! | --- | --- |
//! | `right` | none |
//! | `forgets` | the sum is an ordinary variable, so a new primary begins at 0 |
//! | `early` | it replies first and changes the state in the next turn: the reply leaves before its checkpoint |
//! | `writes` | it appends to a file by itself, so what is done again is there twice |
//! | `chats` | its reply tells whether this process has seen the requester before |
//! | `hangs` | after a takeover it does not reply |
//! | `random` | its reply has a number that differs each time: nothing to compare |

use pollux::{Error, FileError, Node, Pair, ReceiveDepth, Result};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::ExitCode;

/// Each request adds this.
const AMOUNT: u64 = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["serve", how] => serve(how),
        ["ask", times] => ask(times.parse().unwrap_or(0)),
        ["ask", times, "fail"] => ask(times.parse().unwrap_or(0)).and(Err(Error::Misuse("as it was told"))),
        _ => {
            eprintln!(
                "usage: explored serve right|forgets|early|writes|chats|hangs|random | explored ask TIMES"
            );
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("explored: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(how: &str) -> Result<()> {
    let pair = Pair::join()?;
    let sum = pair.cell::<u64>("sum")?;
    let (mut ordinary, mut late, mut seen) = (0, 0, 0);
    let mut held = Vec::new();
    let mut receive = pair.receive(ReceiveDepth::ONE)?;
    while let Some(request) = receive.next()? {
        let Ok(amount) = request.parse::<u64>() else { continue };
        if late > 0 {
            sum.update(|sum| sum.unwrap_or(0) + std::mem::take(&mut late))?;
        }
        seen += 1;
        match how {
            "forgets" => {
                ordinary += amount;
                request.reply(ordinary.to_string())?;
            }
            "hangs" if pair.promotions().1 => held.push(request),
            "early" => {
                late = amount;
                request.reply((sum.get()?.unwrap_or(0) + amount).to_string())?;
            }
            _ => {
                if how == "writes" && append(sum.get()?.unwrap_or(0) + amount).is_err() {
                    request.reply_error(FileError(45))?;
                    continue;
                }
                let total = sum.update(|sum| sum.unwrap_or(0) + amount)?;
                let text = match how {
                    "chats" if seen == 1 => format!("{total}, and welcome"),
                    "random" => format!("{total} at {:?}", std::time::SystemTime::now()),
                    _ => total.to_string(),
                };
                request.reply(text)?;
            }
        }
    }
    Ok(())
}

fn append(total: u64) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open("totals")?;
    file.write_all(format!("total {total}\n").as_bytes())
}

fn ask(times: u64) -> Result<()> {
    let node = Node::connect()?;
    let mut server = node.open("$SUM")?;
    for _ in 0..times {
        server.request(AMOUNT.to_string().as_bytes())?;
    }
    println!("{times} requests answered");
    Ok(())
}
