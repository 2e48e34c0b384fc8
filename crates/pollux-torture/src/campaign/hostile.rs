//! Programs that mean harm, beside the faults: nobody may notice them, and nothing of theirs may be done.

use super::{Problem, caught};
use crate::random::Random;
use crate::visitor::Visitor;
use crate::wild;
use pollux_os::{Channel, connect_unix};
use pollux_wire::limits::PATH_BODY_BYTES_MAX;
use pollux_wire::path;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The name of the thread: what it stumbles over is not told.
pub const THREAD: &str = "hostile";
/// Between two acts.
const PAUSE: Duration = Duration::from_millis(20);
/// Requests of a flood.
const FLOOD: u64 = 60;
/// Visits that are held without being read.
const HELD_MAX: usize = 8;

/// Acts in the node of that directory until it is told to stop; how often it did. A CPU that is down at that moment is no act.
pub fn act_until(
    node: &Path,
    names: &[&str],
    cpus: u8,
    seed: u64,
    stop: &AtomicBool,
) -> Result<u64, Problem> {
    let mut random = Random::new(seed ^ 0x0BAD);
    let mut held: Vec<Channel> = Vec::new();
    let mut acts = 0;
    while !stop.load(Ordering::SeqCst) {
        std::thread::sleep(PAUSE);
        let name = names[random.below(names.len() as u64) as usize];
        let socket = &node.join(format!("cpu-{}.sock", random.below(u64::from(cpus))));
        let done = match random.below(4) {
            0 => caught(|| garbage(socket, &mut random)),
            1 => caught(|| wild_frame(socket, name, &mut random)),
            2 => caught(|| flood(socket, name).map(|channel| held.push(channel)).is_some()),
            _ => match caught(|| forged(socket, name, &mut random)) {
                Ok(true) => return Err(Problem::Broken(format!("S9: a forged handle opens {name}"))),
                refused => refused.map(|_| true),
            },
        };
        acts += u64::from(done == Ok(true));
        if held.len() > HELD_MAX {
            held.remove(0);
        }
    }
    Ok(acts)
}

/// Bytes that are no frame, to a daemon.
fn garbage(socket: &Path, random: &mut Random) -> bool {
    let Ok(socket) = connect_unix(socket) else { return false };
    let round = random.next();
    UnixStream::from(socket).write_all(&wild::garbage(random, round)).is_ok()
}

/// A frame that is no request, to a server.
fn wild_frame(socket: &Path, name: &str, random: &mut Random) -> bool {
    let Ok(path) = Visitor::attach_to(socket).open(name, 4) else { return false };
    let mut channel = Channel::new(path, PATH_BODY_BYTES_MAX);
    let (kind, body) = &wild::wild_frames()[random.below(6) as usize];
    channel.queue(*kind, |out| out.extend_from_slice(body));
    channel.flush().is_ok()
}

/// Requests that make no sense, more than may be outstanding, whose replies are never read.
fn flood(socket: &Path, name: &str) -> Option<Channel> {
    let path = Visitor::attach_to(socket).open(name, 4).ok()?;
    let mut channel = Channel::new(path, PATH_BODY_BYTES_MAX);
    for sync in 1..=FLOOD {
        channel.queue(path::REQUEST, |out| out.extend(wild::request(sync, b"wild")));
    }
    channel.flush().is_ok().then_some(channel)
}

/// True if a handle that is not the pair's opens it.
fn forged(socket: &Path, name: &str, random: &mut Random) -> bool {
    Visitor::attach_to(socket).open_instance(name, 1 << 40 | random.next() >> 32).is_ok()
}
