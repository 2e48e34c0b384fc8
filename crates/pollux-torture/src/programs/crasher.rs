//! A server whose requests can kill it.

use pollux::{FileError, Pair, ReceiveDepth, Result};
use std::process;

/// Counts `count`; `panic`, `abort` and `exit` do what they say, `drop` is not answered, `error` is answered with error 300, `big` with 1 MiB.
pub fn serve() -> Result<()> {
    let pair = Pair::join()?;
    let all = pair.cell::<u64>("all")?;
    let mut receive = pair.receive(ReceiveDepth::new(16)?)?;
    while let Some(request) = receive.next()? {
        match request.text()? {
            "panic" => panic!("as requested"),
            "abort" => process::abort(),
            // The program returns from main without an answer.
            "return" => {
                std::mem::forget(request);
                return Ok(());
            }
            "stop" => {
                request.reply("stopping")?;
                pair.stop()?;
                return Ok(());
            }
            "drop" => {}
            "error" => request.reply_error(FileError(300))?,
            "big" => request.reply(vec![7; 1024 * 1024])?,
            "pid" => request.reply(process::id().to_string())?,
            _ => {
                let all = all.update(|n| n.unwrap_or(0) + 1)?;
                request.reply(all.to_string())?;
            }
        }
    }
    Ok(())
}
