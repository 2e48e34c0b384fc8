//! A counter per key, and requesters that expect each reply to be one more than the one before.

use super::{enough, numbers};
use pollux::{FileError, Node, OpenOptions, Pair, ReceiveDepth, Result};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// A request is a key; the reply its new count and the count of all. An empty request counts nothing.
pub fn serve() -> Result<()> {
    let pair = Pair::join()?;
    let keys = pair.map::<String, u64>("keys")?;
    let all = pair.cell::<u64>("all")?;
    let mut receive = pair.receive(ReceiveDepth::new(256)?)?;
    while let Some(request) = receive.next()? {
        match request.text().map(str::to_owned) {
            Ok(key) if key.is_empty() => request.reply(all.get()?.unwrap_or(0).to_string())?,
            Ok(key) => {
                let own = keys.update(key, |n| n.unwrap_or(0) + 1)?;
                let all = all.update(|n| n.unwrap_or(0) + 1)?;
                request.reply(format!("{own} {all}"))?;
            }
            Err(_) => request.reply_error(FileError(300))?,
        }
    }
    Ok(())
}

/// Counts at least `times` times and until standard input ends, with `depth` requests at a time.
pub fn count(name: &str, key: &str, times: u64, depth: u16) -> Result<()> {
    let node = Node::connect()?;
    let mut server = node.open_with(name, OpenOptions::outstanding(depth))?;
    let enough = enough();
    let mut waiting = VecDeque::new();
    let (mut started, mut answered, mut total) = (0_u64, 0_u64, 0_u64);
    loop {
        let more = started < times || !enough.load(Ordering::SeqCst);
        if more && waiting.len() < usize::from(depth) {
            waiting.push_back(server.start(key.as_bytes())?);
            started += 1;
            continue;
        }
        let Some(ticket) = waiting.pop_front() else { break };
        let answer = server.finish(ticket)?;
        assert!(answer.error.is_ok(), "request {} ended with {}", answered + 1, answer.error);
        let reply = numbers(&answer.payload);
        answered += 1;
        if reply[0] != answered {
            let rest = waiting
                .into_iter()
                .map(|ticket| server.finish(ticket).map(|answer| numbers(&answer.payload)));
            let rest: Vec<_> = rest.collect();
            panic!("reply {answered} of {key} is {reply:?}: lost, doubled or reordered? Then came {rest:?}");
        }
        assert!(reply[1] > total, "the count of all went back from {total} to {}", reply[1]);
        total = reply[1];
        if answered == 1 || answered % 200 == 0 {
            println!("counted {answered}");
        }
    }
    println!("total {answered} resent {}", server.resent());
    Ok(())
}

/// As [`count`], with tasks of a tokio program that share one open; each has a key of its own.
pub fn count_tokio(name: &str, tasks: u64, times: u64) -> Result<()> {
    let enough = enough();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let total = runtime.block_on(async {
        let node = pollux::tokio::Node::connect().await?;
        let server = node.open(name).await?;
        println!("counted 0");
        let mut running = Vec::new();
        for task in 0..tasks {
            let (server, enough) = (server.clone(), enough.clone());
            running.push(tokio::spawn(async move {
                let key = format!("task {task}");
                let mut last = 0;
                while last < times || !enough.load(Ordering::SeqCst) {
                    let reply = numbers(&server.request(key.as_bytes()).await?);
                    assert_eq!(reply[0], last + 1, "a request of {key} was lost, doubled or reordered");
                    last = reply[0];
                    if last % 200 == 0 {
                        println!("counted {last} in {key}");
                    }
                }
                Ok::<u64, pollux::Error>(last)
            }));
        }
        let mut total = 0;
        for task in running {
            total += task.await.expect("no task panics")?;
        }
        Ok::<u64, pollux::Error>(total)
    })?;
    println!("total {total} resent ?");
    Ok(())
}
