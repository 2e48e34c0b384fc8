//! The load: many clients on one thread, each with a pipeline of requests of which every reply is checked.
//!
//! What is asked and what is right is decided in [`Model`]; here bytes are moved. Connections are
//! never closed on purpose before the end: a takeover that breaks one shows as a reconnect.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pollux_os::{Interest, Poller};

use super::counts::Counts;
use super::model::Model;
use super::progress::{Progress, Stage};
use super::resp::{NotResp, parse};
use crate::error::{Failure, Result};

/// Requests a client has outstanding at most.
pub(crate) const PIPELINE_MAX: usize = 16;
/// Time for a connection to be accepted.
const CONNECT_MAX: Duration = Duration::from_millis(500);
/// Pause before a broken connection is made anew.
const RECONNECT_AFTER: Duration = Duration::from_millis(10);
/// Longest sleep: orders and figures are looked at as often.
const WAIT_MAX: Duration = Duration::from_millis(5);
/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// Findings in words that are kept over all clients.
const FINDINGS_MAX: usize = 10;

/// What the load saw, in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// All clients together.
    pub(crate) counts: Counts,
    /// The first wrong things, in words.
    pub(crate) findings: Vec<String>,
}

/// The load's thread.
#[derive(Debug)]
pub(crate) struct Load {
    progress: Arc<Progress>,
    thread: JoinHandle<io::Result<Seen>>,
}

impl Load {
    /// Connects the clients and starts.
    pub(crate) fn start(
        address: SocketAddr,
        clients: u32,
        seed: u64,
        progress: Arc<Progress>,
    ) -> Result<Load> {
        let failed = |error: io::Error| {
            Failure::new(
                format!("cannot connect {clients} clients to {address}: {error}"),
                "try fewer: --clients N",
            )
        };
        let mut streams = Vec::new();
        for _ in 0..clients {
            streams.push(connect(address).map_err(failed)?);
        }
        let shared = Arc::clone(&progress);
        // A poller belongs to the thread that waits in it, so that it is made there.
        let thread = std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || Engine::new(address, seed, streams, shared)?.run())
            .map_err(failed)?;
        Ok(Load { progress, thread })
    }

    /// False when the thread has ended, which it does not do before it is told.
    pub(crate) fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Ends the load.
    pub(crate) fn end(self) -> Result<Seen> {
        self.progress.order(Stage::End);
        let failed =
            |what: String| Failure::new(format!("the load failed: {what}"), "try again with fewer clients");
        match self.thread.join() {
            Ok(Ok(seen)) => Ok(seen),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed("its thread panicked".to_owned())),
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// One client's connection.
#[derive(Debug)]
struct Client {
    model: Model,
    stream: Option<TcpStream>,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
}

impl Client {
    fn new(client: u32, seed: u64) -> Client {
        Client {
            model: Model::new(client, seed),
            stream: None,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
        }
    }

    /// Fills the pipeline up.
    fn ask(&mut self) {
        while self.model.due() < PIPELINE_MAX && self.model.next_request(&mut self.output) {}
    }

    /// Sends what the socket takes.
    fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = &self.stream else { return Ok(()) };
        while self.sent < self.output.len() {
            match pollux_os::write(stream, &self.output[self.sent..]) {
                Ok(taken) => self.sent += taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(())
    }

    /// Reads and checks everything that is there; true if there was a reply.
    fn read(&mut self, piece: &mut [u8]) -> io::Result<bool> {
        let mut any = false;
        while let Some(stream) = &mut self.stream {
            match stream.read(piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(taken) => self.input.extend_from_slice(&piece[..taken]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            any |= self.check()?;
        }
        Ok(any)
    }

    fn check(&mut self) -> io::Result<bool> {
        let mut at = 0;
        loop {
            match parse(&self.input[at..]) {
                Ok(Some((reply, length))) => {
                    self.model.handle_reply(&reply);
                    at += length;
                }
                Ok(None) => break,
                Err(NotResp) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        self.input.drain(..at);
        Ok(at > 0)
    }

    fn disconnect(&mut self) {
        self.stream = None;
        self.input.clear();
        self.output.clear();
        self.sent = 0;
        self.model.connection_broke();
    }
}

/// The loop of the load's thread.
#[derive(Debug)]
struct Engine {
    address: SocketAddr,
    progress: Arc<Progress>,
    poller: Poller,
    clients: Vec<Client>,
    broken: BTreeMap<usize, Instant>,
    stage: Stage,
}

impl Engine {
    fn new(
        address: SocketAddr,
        seed: u64,
        streams: Vec<TcpStream>,
        progress: Arc<Progress>,
    ) -> io::Result<Engine> {
        let poller = Poller::new()?;
        let clients = (0..).map(|client| Client::new(client, seed)).take(streams.len()).collect();
        let mut engine =
            Engine { address, progress, poller, clients, broken: BTreeMap::new(), stage: Stage::Load };
        for (client, stream) in streams.into_iter().enumerate() {
            engine.attach(client, stream)?;
        }
        Ok(engine)
    }

    fn attach(&mut self, client: usize, stream: TcpStream) -> io::Result<()> {
        self.poller.add(&stream, client as u64, Interest::EDGE_READ_WRITE)?;
        self.clients[client].stream = Some(stream);
        Ok(())
    }

    fn run(mut self) -> io::Result<Seen> {
        let mut piece = vec![0; READ_BYTES];
        for client in 0..self.clients.len() {
            self.step(client, &mut piece);
        }
        while self.stage != Stage::End {
            let ready: Vec<usize> =
                self.poller.wait(Some(WAIT_MAX))?.iter().map(|event| event.token as usize).collect();
            for client in ready {
                self.step(client, &mut piece);
            }
            self.reconnect(&mut piece);
            self.follow_orders(&mut piece);
            self.progress.publish(&self.counts());
        }
        let findings = self.clients.iter().flat_map(|client| client.model.findings().iter().cloned());
        Ok(Seen { counts: self.counts(), findings: findings.take(FINDINGS_MAX).collect() })
    }

    /// Reads, checks, asks and sends for one client.
    fn step(&mut self, client: usize, piece: &mut [u8]) {
        let one = &mut self.clients[client];
        if one.stream.is_none() {
            return;
        }
        let read = one.read(piece);
        if matches!(read, Ok(true)) {
            self.progress.replied(Instant::now());
        }
        let done = read.and_then(|_| {
            one.ask();
            one.flush()
        });
        if done.is_err() {
            one.disconnect();
            self.broken.insert(client, Instant::now() + RECONNECT_AFTER);
        }
    }

    fn reconnect(&mut self, piece: &mut [u8]) {
        let now = Instant::now();
        let due: Vec<usize> =
            self.broken.iter().filter(|(_, at)| **at <= now).map(|(client, _)| *client).collect();
        for client in due {
            let attached = connect(self.address).and_then(|stream| self.attach(client, stream));
            if attached.is_ok() {
                self.broken.remove(&client);
                self.step(client, piece);
            } else {
                self.broken.insert(client, now + RECONNECT_AFTER);
            }
        }
    }

    fn follow_orders(&mut self, piece: &mut [u8]) {
        let ordered = self.progress.ordered();
        if ordered != self.stage {
            self.stage = ordered;
            for client in 0..self.clients.len() {
                let model = &mut self.clients[client].model;
                match ordered {
                    Stage::Drain => model.quiet(),
                    Stage::Verify => model.verify(),
                    Stage::Load | Stage::End => {}
                }
                self.step(client, piece);
            }
        }
        let idle = self.broken.is_empty() && self.clients.iter().all(|client| client.model.due() == 0);
        if matches!(self.stage, Stage::Drain | Stage::Verify) && idle {
            self.progress.finish(self.stage);
        }
    }

    fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.clients.iter().for_each(|client| sum += client.model.counts());
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::fake::{FakeStore, serve};
    use std::sync::Mutex;

    const LIMIT: Duration = Duration::from_secs(20);

    fn wait(what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !condition() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Runs a load until `enough` requests are acknowledged, calls `sabotage`, and verifies.
    fn run(address: SocketAddr, enough: u64, sabotage: impl FnOnce()) -> Seen {
        let progress = Arc::new(Progress::new(Instant::now()));
        let load = Load::start(address, 8, 1, Arc::clone(&progress)).unwrap();
        wait("load", || progress.counts().acknowledged > enough);
        for stage in [Stage::Drain, Stage::Verify] {
            progress.order(stage);
            wait("stage", || progress.finished(stage) || !load.is_running());
            if stage == Stage::Drain {
                break;
            }
        }
        sabotage();
        progress.order(Stage::Verify);
        wait("verify", || progress.finished(Stage::Verify));
        load.end().unwrap()
    }

    // The whole way over TCP: a right server passes, and one lost key of one client is found.
    #[test]
    fn a_right_server_passes_and_a_lost_write_is_found() {
        let store = Arc::new(Mutex::new(FakeStore::default()));
        let seen = run(serve(Arc::clone(&store), usize::MAX), 20_000, || {});
        assert_eq!(seen.findings, Vec::<String>::new());
        assert_eq!(seen.counts.requests, seen.counts.acknowledged);

        let store = Arc::new(Mutex::new(FakeStore::default()));
        let sabotaged = Arc::clone(&store);
        let seen = run(serve(store, usize::MAX), 20_000, || sabotaged.lock().unwrap().lose("u:3:1"));
        assert_eq!((seen.counts.lost, seen.counts.duplicated), (1, 0), "{:?}", seen.findings);
        assert!(seen.findings[0].contains("u:3:1"), "{:?}", seen.findings);
    }

    // A server that closes connections must show as reconnects, without inventing losses.
    #[test]
    fn closed_connections_are_counted_and_made_anew() {
        let store = Arc::new(Mutex::new(FakeStore::default()));
        let seen = run(serve(store, 5_000), 60_000, || {});
        assert!(seen.counts.reconnects > 0);
        assert_eq!((seen.counts.lost, seen.counts.duplicated), (0, 0), "{:?}", seen.findings);
    }

    // The checker against a server that others wrote: what it calls right is what Redis does.
    #[test]
    #[ignore = "needs redis-server; run: cargo test -p pollux-cli -- --ignored redis"]
    fn a_real_redis_passes() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = std::process::Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        wait("redis", || TcpStream::connect(address).is_ok());
        let start = Instant::now();
        let seen = run(address, 1_000_000, || {});
        eprintln!("{} requests in {:?}", seen.counts.requests, start.elapsed());
        server.kill().unwrap();
        server.wait().unwrap();
        assert_eq!(seen.findings, Vec::<String>::new());
        assert_eq!(seen.counts.requests, seen.counts.acknowledged);
    }
}
