//! Redis 7: `SET` + `WAIT 1 0`, the same promise as a checkpointed request.
//!
//! What is compared: a requester changes 64 bytes and has its reply when a second process has the change. Redis: one
//! `SET key value` and one `WAIT 1 0` (one replica, no time-out) in one write, over a unix socket; the requester goes on when
//! both replies are there and `WAIT` has told one replica. Pollux: one request to a pair that stores it in a replicated
//! table and replies. Copies: two on each side, both in memory; Redis without RDB and without AOF. Master and replica are
//! joined over TCP on the loopback, the only way Redis offers. Pipelined: k `SET`s and one `WAIT` in one write on one
//! connection, the cheapest form that Redis has for it, against k requests under way on one open. The requesters of
//! both sides are one thread of one process: blocking with one connection, epoll (Redis) or `Opens` (Pollux) with
//! more, a connection or open for each requester. The scheduler places both servers and requesters of Redis and the
//! requesters of Pollux; Pollux binds its own servers, as it does for its users. Keys go round 16,384 entries on both sides.
//! Redis keeps its defaults else (one thread, no I/O threads: they are slower with two processors).

use crate::arguments::Plan;
use crate::load::{Requester, Run, fill};
use crate::many::Many;
use crate::node::Bench;
use crate::peers::home::{Home, Process, Store, free_port, free_ports};
use crate::peers::lines::{Heard, Line, PeerLines, Protocol};
use crate::peers::packages;
use crate::peers::served::Served;
use crate::report::{Row, Target, Value};
use crate::server::slot;
use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(crate) const NAME: &str = "Redis + WAIT";
const REQUESTERS: [usize; 3] = [1, 16, 64];
const PIPELINED: [u16; 2] = [16, 256];

const P50_RATIO_TARGET: f64 = 0.65;
const RATE_RATIO_TARGET: f64 = 3.0;
const CPU_RATIO_TARGET_1: f64 = 0.6;
const CPU_RATIO_TARGET_64: f64 = 0.4;
const PIPELINED_RATIO_TARGET: f64 = 5.0;

/// One replica, no time-out.
const WAIT: &[u8] = b"*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n";
const STORED: &[u8] = b"+OK\r\n";
const COPIED: &[u8] = b":1\r\n";
/// Longest line of a reply that is not one of these.
const REFUSAL_BYTES_MAX: usize = 512;

/// Measures one requester, several, and one that pipelines.
pub(crate) fn measure(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    let redis = Pair::start()?;
    let mut pollux = Served::pair(bench)?;
    for count in REQUESTERS {
        let lines = (0..count).map(|_| Ok(Line::over_unix(redis.connect()?, SetAndWait)));
        let lines = PeerLines::new(lines.collect::<Result<_>>()?)?;
        pollux.add((count, 1), NAME, Many::all(lines))?;
    }
    for outstanding in PIPELINED {
        pollux.add((1, outstanding), NAME, Batches::new(redis.connect()?))?;
    }
    let taken = pollux.take_rounds(plan, &redis.pids())?;
    let at_most = |ratio| Some(Target::RatioAtMost(ratio));
    let at_least = |ratio| Some(Target::RatioAtLeast(ratio));
    Ok(vec![
        taken.row("replicated", 0, Value::P50, at_most(P50_RATIO_TARGET)),
        taken.row("replicated", 1, Value::PerSecond, None),
        taken.row("replicated", 2, Value::PerSecond, at_least(RATE_RATIO_TARGET)),
        taken.row("cpu", 0, Value::Cpu, at_most(CPU_RATIO_TARGET_1)),
        taken.row("cpu", 2, Value::Cpu, at_most(CPU_RATIO_TARGET_64)),
        taken.row("replicated-pipelined", 3, Value::PerSecond, at_least(PIPELINED_RATIO_TARGET)),
        taken.row("replicated-pipelined", 4, Value::PerSecond, at_least(PIPELINED_RATIO_TARGET)),
    ])
}

/// The program, from its package.
pub(crate) fn program() -> Result<PathBuf> {
    packages::program("redis-server", "redis-server")
}

/// A master and its replica in memory. Fields end in this order.
struct Pair {
    replica: Process,
    master: Process,
    home: Home,
}

impl Pair {
    fn start() -> Result<Self> {
        let (program, home) = (program()?, Home::new(Store::Memory)?);
        let [port, replica_port] = free_ports()?.map(|port: u16| port.to_string());
        let socket = home.text("master");
        let common = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"];
        let directory = home.make_directory("master.files")?.display().to_string();
        let arguments = [&common[..], &["--port", &port, "--unixsocket", &socket, "--dir", &directory]];
        // The replica's first copy goes out at once instead of waiting for others that might want one, too.
        let arguments = [&arguments.concat()[..], &["--repl-diskless-sync-delay", "0"]].concat();
        let mut master = home.start(&program, &arguments)?;
        master.wait_until("answers", || connect(&home.path("master")))?;
        let directory = home.make_directory("replica.files")?.display().to_string();
        let arguments = ["--port", &replica_port, "--dir", &directory, "--replicaof", "127.0.0.1", &port];
        let replica = home.start(&program, &[&common[..], &arguments].concat())?;
        let mut pair = Self { replica, master, home };
        let master = pair.home.path("master");
        pair.replica.wait_until("is in step", || {
            let text = ask(&mut connect(&master)?, &["INFO", "replication"])?;
            ensure!(text.contains("state=online"), "the replica is not online");
            Ok(())
        })?;
        Ok(pair)
    }

    fn connect(&self) -> Result<UnixStream> {
        connect(&self.home.path("master"))
    }

    fn pids(&self) -> [u32; 2] {
        [self.master.pid(), self.replica.pid()]
    }
}

fn connect(path: &std::path::Path) -> Result<UnixStream> {
    UnixStream::connect(path).context("connect to Redis")
}

/// A server without a replica that keeps nothing on disk.
pub(crate) struct Single {
    process: Process,
    port: u16,
    _home: Home,
}

impl Single {
    pub(crate) fn start() -> Result<Self> {
        let (program, home, port) = (program()?, Home::new(Store::Memory)?, free_port()?);
        let directory = home.text("");
        let port_text = port.to_string();
        let arguments = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--port", &port_text];
        let mut process = home.start(&program, &[&arguments[..], &["--dir", &directory]].concat())?;
        process.wait_until("answers", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("connect to Redis")
        })?;
        Ok(Self { process, port, _home: home })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pids(&self) -> [u32; 1] {
        [self.process.pid()]
    }
}

/// Appends a command as Redis takes it.
pub(crate) fn command(words: &[&[u8]], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// One command outside of a measurement: its reply, a simple one or a bulk string, as it came.
pub(crate) fn ask(stream: &mut (impl Read + Write), words: &[&str]) -> Result<String> {
    let mut out = Vec::new();
    command(&words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>(), &mut out);
    stream.write_all(&out).context("ask Redis")?;
    let mut reply = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).context("hear Redis")?;
        ensure!(count > 0, "Redis has closed the connection");
        reply.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&reply);
        if let Some((head, rest)) = text.split_once("\r\n") {
            let bulk = head.strip_prefix('$').and_then(|length| length.parse::<usize>().ok());
            if bulk.is_none_or(|length| rest.len() >= length + 2) {
                ensure!(!head.starts_with('-'), "Redis says {head}");
                return Ok(text.into_owned());
            }
        }
    }
}

fn set(payload: &[u8], out: &mut Vec<u8>) {
    let key = format!("key:{:05}", slot(payload));
    command(&[b"SET", key.as_bytes(), payload], out);
}

/// This line, if it has arrived; anything else there is a refusal.
fn expect(line: &[u8], arrived: &[u8]) -> Result<bool> {
    if arrived.len() >= line.len() {
        let said = &arrived[..arrived.len().min(REFUSAL_BYTES_MAX)];
        ensure!(arrived.starts_with(line), "Redis says {}", said.escape_ascii());
        return Ok(true);
    }
    Ok(false)
}

/// One change and the wait for its copy.
struct SetAndWait;

impl Protocol for SetAndWait {
    fn ask(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        set(payload, out);
        out.extend_from_slice(WAIT);
    }

    fn hear(&mut self, arrived: &[u8], _answer: &mut Vec<u8>) -> Result<Heard> {
        let whole = expect(STORED, arrived)? && expect(COPIED, &arrived[STORED.len()..])?;
        Ok(if whole { Heard::Reply(STORED.len() + COPIED.len()) } else { Heard::Incomplete })
    }
}

/// Many changes, and one wait for all of them: each has its reply when the wait has.
struct Batches {
    socket: UnixStream,
    number: u32,
}

impl Batches {
    fn new(socket: UnixStream) -> Self {
        Self { socket, number: 0 }
    }
}

impl Requester for Batches {
    fn run(&mut self, bytes: usize, outstanding: usize, time: Duration) -> Result<Run> {
        let (mut run, mut payload, mut out) = (Run::default(), vec![0; bytes], Vec::new());
        let mut replies = vec![0; STORED.len() * outstanding + COPIED.len()];
        let expected = [STORED.repeat(outstanding), COPIED.to_vec()].concat();
        let begin = Instant::now();
        while begin.elapsed() < time {
            let started = Instant::now();
            out.clear();
            for _ in 0..outstanding {
                fill(&mut payload, self.number);
                self.number = self.number.wrapping_add(1);
                set(&payload, &mut out);
            }
            out.extend_from_slice(WAIT);
            self.socket.write_all(&out).context("ask Redis")?;
            self.socket.read_exact(&mut replies).context("hear Redis")?;
            ensure!(replies == expected, "Redis refuses a change or has no copy of it");
            let latency = started.elapsed();
            (0..outstanding).for_each(|_| run.latencies.add(latency));
        }
        run.elapsed = begin.elapsed();
        Ok(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Without its copy a change of Redis is not what a checkpointed request is.
    #[test]
    fn a_reply_is_a_change_and_its_copy() {
        let mut out = Vec::new();
        let mut payload = [b'x'; 10];
        fill(&mut payload, 16 * 1024 + 7);
        SetAndWait.ask(&payload, &mut out);
        let expected = b"*3\r\n$3\r\nSET\r\n$9\r\nkey:00007\r\n$10\r\n\n\0\0\0\x07\x40\0\0xx\r\n*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n";
        assert_eq!(out, expected);
        let hear = |bytes: &[u8]| SetAndWait.hear(bytes, &mut Vec::new());
        assert_eq!(hear(b"+OK\r\n:1\r").unwrap(), Heard::Incomplete);
        assert_eq!(hear(b"+OK\r\n:1\r\n+OK\r\n").unwrap(), Heard::Reply(9));
        assert!(hear(b"+OK\r\n:0\r\n").is_err());
        assert!(hear(b"-NOREPLICAS no\r\n").is_err());
    }
}
