//! Clients with ordinary sockets: each reply shows whether every request before it was executed exactly once.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A reply that takes longer is lost.
const PATIENCE: Duration = Duration::from_secs(40);
const FIRST_HASH: u64 = 14_695_981_039_346_656_037;
const FACTOR: u64 = 1_099_511_628_211;
/// The longest reply.
const LARGE: u32 = 16 << 20;

/// Clients at work.
pub(crate) struct Clients {
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Clients {
    /// So many of them ask a server until they are stopped.
    pub(crate) fn start(port: u16, count: usize) -> Self {
        let (stop, requests) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = |index: usize| {
            let (stop, requests) = (stop.clone(), requests.clone());
            std::thread::spawn(move || work(port, index as u64 + 1, &stop, &requests))
        };
        let threads = (0..count).map(client).collect();
        Self { stop, requests, threads }
    }

    /// True when one has given up.
    pub(crate) fn has_failed(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Requests that were answered.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// They finish what they are at; the faults they have met.
    pub(crate) fn finish(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.threads.into_iter().map(|thread| thread.join().unwrap());
        ended.filter_map(|result| result.err().map(|error| error.to_string())).collect()
    }
}

/// Clients that make a new connection for each request, and go on when one has failed.
pub(crate) struct FreshClients {
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicU64>,
    faults: Arc<Mutex<Vec<String>>>,
    threads: Vec<JoinHandle<Duration>>,
}

impl FreshClients {
    pub(crate) fn start(port: u16, count: usize) -> Self {
        let (stop, requests) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let faults = Arc::new(Mutex::new(Vec::new()));
        let client = |index: usize| {
            let (stop, requests, faults) = (stop.clone(), requests.clone(), faults.clone());
            std::thread::spawn(move || {
                let mut sequence = Sequence(index as u64 + 1);
                let mut longest = Duration::ZERO;
                while !stop.load(Ordering::Relaxed) {
                    let begin = Instant::now();
                    match connect(port).and_then(|connection| ask_once(connection, &mut sequence)) {
                        Ok(()) => drop(requests.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => {
                            faults.lock().unwrap().push(format!("{error} after {:?}", begin.elapsed()))
                        }
                    }
                    longest = longest.max(begin.elapsed());
                }
                longest
            })
        };
        let threads = (0..count).map(client).collect();
        Self { stop, requests, faults, threads }
    }

    /// Connections that were served.
    pub(crate) fn served(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// They finish what they are at; the faults they have met, and how long the slowest connection took.
    pub(crate) fn finish(self) -> (Vec<String>, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let longest = self.threads.into_iter().map(|thread| thread.join().unwrap()).max();
        (std::mem::take(&mut *self.faults.lock().unwrap()), longest.unwrap_or_default())
    }
}

/// One short request.
fn ask_once(mut connection: TcpStream, sequence: &mut Sequence) -> Result<()> {
    ask(&mut connection, sequence, 1, FIRST_HASH, 10, 0).map(drop)
}

/// A sequence without pattern.
pub(crate) struct Sequence(pub(crate) u64);

impl Sequence {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn work(port: u16, seed: u64, stop: &AtomicBool, requests: &AtomicU64) -> Result<()> {
    let mut sequence = Sequence(seed);
    while !stop.load(Ordering::Relaxed) {
        let mut connection = connect(port)?;
        let (mut hash, requests_of_one) = (FIRST_HASH, 1 + sequence.below(40));
        for count in 1..=requests_of_one {
            let length = 10 + sequence.below(40_000) as usize;
            let fill = match sequence.below(200) {
                0 => LARGE,
                _ => sequence.below(3_000) as u32,
            };
            hash = ask(&mut connection, &mut sequence, count as u32, hash, length, fill)?;
            requests.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

fn connect(port: u16) -> Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let connection = TcpStream::connect_timeout(&address, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    Ok(connection)
}

/// The request of this number on its connection, behind others with this hash: so many bytes, and as many for the reply to be
/// filled with. The hash of all.
fn ask(
    connection: &mut TcpStream,
    sequence: &mut Sequence,
    count: u32,
    mut hash: u64,
    length: usize,
    fill: u32,
) -> Result<u64> {
    let mut body: Vec<u8> = (0..length).map(|_| sequence.below(256) as u8).collect();
    body[..4].copy_from_slice(&fill.to_be_bytes());
    for byte in &body {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(FACTOR);
    }
    let mut message = (length as u32).to_be_bytes().to_vec();
    message.extend_from_slice(&body);
    connection.write_all(&message)?;
    check(connection, count, hash, fill)?;
    Ok(hash)
}

fn check(connection: &mut TcpStream, count: u32, hash: u64, fill: u32) -> Result<()> {
    let mut head = [0; 16];
    connection.read_exact(&mut head)?;
    let mut wanted = (12 + fill).to_be_bytes().to_vec();
    wanted.extend_from_slice(&count.to_be_bytes());
    wanted.extend_from_slice(&hash.to_be_bytes());
    let wrong = |what: String| Error::new(ErrorKind::InvalidData, what);
    if head[..] != wanted[..] {
        return Err(wrong(format!("the reply to request {count} is {head:?}, wanted {wanted:?}")));
    }
    let mut part = vec![0; 64 << 10];
    let mut at = 16u64;
    let end = 16 + u64::from(fill);
    while at < end {
        let room = part.len().min((end - at) as usize);
        let bytes = connection.read(&mut part[..room])?;
        if bytes == 0 {
            return Err(wrong(format!("the reply to request {count} ends at {at} of {end}")));
        }
        let is_right = |(offset, byte): (usize, &u8)| {
            *byte == (hash as u8).wrapping_add(((at + offset as u64) as u8).wrapping_mul(31))
        };
        if let Some(offset) = part[..bytes].iter().enumerate().position(|pair| !is_right(pair)) {
            return Err(wrong(format!(
                "byte {} of the reply to request {count} is wrong",
                at + offset as u64
            )));
        }
        at += bytes as u64;
    }
    Ok(())
}
