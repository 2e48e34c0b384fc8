//! NATS 2.9: a request over a broker, and JetStream with three replicas.
//!
//! `roundtrip`: a requester, one `nats-server` and a responder, which sends 64 bytes back, against a requester and a Pollux
//! server: NATS is asked for its own request and reply (`PUB` with an inbox), over TCP on the loopback, the only transport it
//! has. The broker in the middle is what it is made of; a reader should know that it costs a hop. `replicated`: a message of
//! 64 bytes is published to a stream with `num_replicas` 3, kept in memory, and the publisher waits for the
//! acknowledgement, which JetStream gives when two of three have it; Pollux has two copies. Three is the least that JetStream
//! replicates to and loses no writes with; the publishers are connected to the stream's leader, its best case. A stream
//! appends where Pollux replaces an entry. The client is this thread: the text protocol over a socket for each requester,
//! blocking with one, epoll with more, nothing between.

use crate::arguments::Plan;
use crate::many::Many;
use crate::node::Bench;
use crate::peers::home::{Home, Process, Store, dies_with_us, free_port, free_ports};
use crate::peers::lines::{Heard, Line, PeerLines, Protocol};
use crate::peers::packages;
use crate::peers::served::Served;
use crate::report::Row;
use anyhow::{Context, Result, bail, ensure};
use std::env;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

pub(crate) const NAME: &str = "NATS";
pub(crate) const STREAM_NAME: &str = "JetStream R3, memory";
const SUBJECT: &str = "bench";
/// What a server that is not ready is given for an answer outside of measurements.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
const BUFFER_BYTES: usize = 64 * 1024;

/// Measures request and reply.
pub(crate) fn measure_messages(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    let (program, home, port) = (program()?, Home::new(Store::Memory)?, free_port()?);
    let mut server = home.start(&program, &["-a", "127.0.0.1", "-p", &port.to_string()])?;
    server.wait_until("answers", || Link::connect(port, "ready"))?;
    let mut responder = dies_with_us(None);
    responder.arg(env::current_exe()?).args(["peer", "nats-responder", &port.to_string()]);
    let responder = responder.stdin(Stdio::null()).spawn().context("start the responder")?;
    let mut responder = Process::of(responder, "the responder");
    responder.wait_until("answers", || {
        let mut link = Link::connect(port, "probe")?;
        link.request(SUBJECT, b"probe").map(|_| ())
    })?;
    let pids = [server.pid(), responder.pid()];
    let taken = Served::echo(bench)?.compare(plan, (NAME, &pids), |count| connect(count, port, |_| true))?;
    Ok(taken.messages())
}

/// Measures a stream of three replicas.
pub(crate) fn measure_replicated(bench: &Bench, plan: &Plan) -> Result<Vec<Row>> {
    let mut cluster = Cluster::start()?;
    let leader = cluster.make_stream()?;
    let is_stored = |reply: &[u8]| reply.windows(6).any(|word| word == b"\"seq\":");
    let pids: Vec<u32> = cluster.servers.iter().map(Process::pid).collect();
    let connect = |count| connect(count, leader, is_stored);
    Ok(Served::pair(bench)?.compare(plan, (STREAM_NAME, &pids), connect)?.replicated())
}

fn connect(count: usize, port: u16, accept: fn(&[u8]) -> bool) -> Result<Many<PeerLines<Requests>>> {
    let lines = (0..count).map(|number| {
        let link = Link::connect(port, &format!("inbox.{count}.{number}"))?;
        Line::over_tcp(link.socket, Requests { inbox: link.inbox, accept })
    });
    Ok(Many::all(PeerLines::new(lines.collect::<Result<_>>()?)?))
}

fn program() -> Result<PathBuf> {
    packages::program("nats-server", "nats-server")
}

/// Three servers that know each other.
struct Cluster {
    servers: Vec<Process>,
    ports: [u16; 3],
    _home: Home,
}

impl Cluster {
    fn start() -> Result<Self> {
        let (program, home) = (program()?, Home::new(Store::Memory)?);
        let [a, b, c, d, e, f] = free_ports()?;
        let (ports, routes) = ([a, b, c], [d, e, f]);
        let all = routes.map(|port| format!("nats://127.0.0.1:{port}")).join(", ");
        let mut servers = Vec::new();
        for (number, (port, route)) in ports.iter().zip(routes).enumerate() {
            let store = home.text(&format!("store{number}"));
            let text = format!(
                "server_name: n{number}\nlisten: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{store}\" }}\n\
                 cluster {{ name: bench, listen: \"127.0.0.1:{route}\", routes: [{all}] }}\n"
            );
            let configuration = home.write(&format!("n{number}.conf"), &text)?;
            servers.push(home.start(&program, &["-c", &configuration.display().to_string()])?);
        }
        Ok(Self { servers, ports, _home: home })
    }

    /// Makes the stream: the port of the server that leads it.
    fn make_stream(&mut self) -> Result<u16> {
        let (port, ports) = (self.ports[0], self.ports);
        let wanted = r#"{"name":"S","subjects":["bench"],"num_replicas":3,"storage":"memory"}"#;
        self.servers[0].wait_until("makes a stream", || {
            let made =
                Link::connect(port, "setup")?.request_json("$JS.API.STREAM.CREATE.S", wanted.as_bytes())?;
            ensure!(made["error"].is_null(), "JetStream says {}", made["error"]);
            Ok(())
        })?;
        self.servers[0].wait_until("has three replicas in step", || {
            let stream = Link::connect(port, "setup")?.request_json("$JS.API.STREAM.INFO.S", b"")?;
            let leader = stream["cluster"]["leader"].as_str().context("the stream has no leader")?;
            let replicas = stream["cluster"]["replicas"].as_array().context("it has no replicas")?;
            let in_step = replicas.iter().filter(|replica| replica["current"] == true).count();
            ensure!(in_step == 2, "{in_step} of 2 replicas are in step");
            let at = leader.strip_prefix('n').and_then(|number| number.parse::<usize>().ok());
            ports.get(at.context("a leader with a strange name")?).copied().context("an unknown leader")
        })
    }
}

/// A connection that is greeted and hears an inbox.
struct Link {
    socket: TcpStream,
    inbox: String,
}

impl Link {
    fn connect(port: u16, inbox: &str) -> Result<Self> {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("connect to NATS")?;
        socket.set_read_timeout(Some(ANSWER_WAIT))?;
        let greeting = format!(
            "CONNECT {{\"verbose\":false,\"pedantic\":false,\"protocol\":1}}\r\nSUB {inbox} 1\r\nPING\r\n"
        );
        socket.write_all(greeting.as_bytes()).context("greet NATS")?;
        let mut said = Vec::new();
        while !said.ends_with(b"PONG\r\n") {
            read_more(&mut socket, &mut said)?;
        }
        socket.set_read_timeout(None)?;
        Ok(Self { socket, inbox: inbox.to_owned() })
    }

    fn request(&mut self, subject: &str, payload: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        publish(subject, Some(&self.inbox), payload, &mut out);
        self.socket.set_read_timeout(Some(ANSWER_WAIT))?;
        self.socket.write_all(&out).context("ask NATS")?;
        let mut arrived = Vec::new();
        loop {
            read_more(&mut self.socket, &mut arrived)?;
            if let Some(Said::Message { payload, .. }) = parse(&arrived)? {
                return Ok(payload.to_vec());
            }
        }
    }

    fn request_json(&mut self, subject: &str, payload: &[u8]) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.request(subject, payload)?).context("read what JetStream says")
    }
}

fn read_more(socket: &mut TcpStream, arrived: &mut Vec<u8>) -> Result<()> {
    let mut part = [0; BUFFER_BYTES];
    let count = socket.read(&mut part).context("hear NATS")?;
    ensure!(count > 0, "NATS has closed the connection");
    arrived.extend_from_slice(&part[..count]);
    Ok(())
}

/// What NATS says at the beginning of a stream.
#[derive(Debug, PartialEq, Eq)]
enum Said<'a> {
    /// So many bytes with a message.
    Message { bytes: usize, reply_to: Option<&'a [u8]>, payload: &'a [u8] },
    /// It wants a `PONG`.
    Ping { bytes: usize },
    /// What needs no answer.
    Other { bytes: usize },
}

fn parse(arrived: &[u8]) -> Result<Option<Said<'_>>> {
    let Some(line) = arrived.windows(2).position(|end| end == b"\r\n") else { return Ok(None) };
    let (words, bytes) = (&arrived[..line], line + 2);
    if words.starts_with(b"-ERR") {
        bail!("NATS says {}", words.escape_ascii());
    }
    if words == b"PING" {
        return Ok(Some(Said::Ping { bytes }));
    }
    if !words.starts_with(b"MSG ") {
        return Ok(Some(Said::Other { bytes }));
    }
    // MSG subject number [reply-to] length
    let words: Vec<&[u8]> = words.split(|byte| *byte == b' ').collect();
    let length = words.last().and_then(|word| std::str::from_utf8(word).ok()?.parse::<usize>().ok());
    let end = bytes + length.context("a message without a length")?;
    if arrived.len() < end + 2 {
        return Ok(None);
    }
    let reply_to = (words.len() == 5).then(|| words[3]);
    Ok(Some(Said::Message { bytes: end + 2, reply_to, payload: &arrived[bytes..end] }))
}

fn publish(subject: &str, reply_to: Option<&str>, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"PUB ");
    out.extend_from_slice(subject.as_bytes());
    if let Some(word) = reply_to {
        out.push(b' ');
        out.extend_from_slice(word.as_bytes());
    }
    out.extend_from_slice(format!(" {}\r\n", payload.len()).as_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

/// Requests to the subject, with replies to an inbox.
struct Requests {
    inbox: String,
    /// Whether a reply says that it was done.
    accept: fn(&[u8]) -> bool,
}

impl Protocol for Requests {
    fn ask(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        publish(SUBJECT, Some(&self.inbox), payload, out);
    }

    fn hear(&mut self, arrived: &[u8], answer: &mut Vec<u8>) -> Result<Heard> {
        Ok(match parse(arrived)? {
            None => Heard::Incomplete,
            Some(Said::Message { bytes, payload, .. }) => {
                ensure!((self.accept)(payload), "NATS replies {}", payload.escape_ascii());
                Heard::Reply(bytes)
            }
            Some(Said::Ping { bytes }) => {
                answer.extend_from_slice(b"PONG\r\n");
                Heard::Other(bytes)
            }
            Some(Said::Other { bytes }) => Heard::Other(bytes),
        })
    }
}

/// The responder: sends back what it hears on the subject, all that has arrived with one write.
pub(crate) fn respond(port: &str) -> Result<()> {
    let port = port.parse().context("PORT is a number")?;
    let mut socket = Link::connect(port, SUBJECT)?.socket;
    socket.set_nodelay(true)?;
    let (mut arrived, mut out) = (Vec::new(), Vec::new());
    loop {
        read_more(&mut socket, &mut arrived)?;
        let mut used = 0;
        while let Some(said) = parse(&arrived[used..])? {
            used += match said {
                Said::Message { bytes, reply_to, payload } => {
                    if let Some(inbox) = reply_to {
                        publish(std::str::from_utf8(inbox)?, None, payload, &mut out);
                    }
                    bytes
                }
                Said::Ping { bytes } => {
                    out.extend_from_slice(b"PONG\r\n");
                    bytes
                }
                Said::Other { bytes } => bytes,
            };
        }
        arrived.drain(..used);
        socket.write_all(&out).context("reply over NATS")?;
        out.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A length that is read wrongly loses the next reply, and the loop waits for ever.
    #[test]
    fn messages_are_found_in_the_stream() {
        let bytes = b"MSG bench 1 inbox.0 3\r\na\r\n\r\nPING\r\n";
        let message = Said::Message { bytes: 28, reply_to: Some(b"inbox.0"), payload: b"a\r\n" };
        assert_eq!(parse(bytes).unwrap(), Some(message));
        assert_eq!(parse(&bytes[..27]).unwrap(), None);
        assert_eq!(parse(&bytes[28..]).unwrap(), Some(Said::Ping { bytes: 6 }));
        assert_eq!(parse(b"+OK\r\n").unwrap(), Some(Said::Other { bytes: 5 }));
        assert!(parse(b"-ERR 'no'\r\n").is_err());
        let mut out = Vec::new();
        publish("bench", Some("inbox.0"), b"abc", &mut out);
        assert_eq!(out, b"PUB bench inbox.0 3\r\nabc\r\n");
    }
}
