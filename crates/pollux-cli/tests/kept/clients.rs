//! Clients that connect all the time, and count what becomes of it.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A connection that waits in a queue longer than this will never be served.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Clients at a time: less than the queue of any of the servers holds.
const CLIENTS: usize = 3;

/// Where a server is, and what is said to it.
#[derive(Clone)]
pub(crate) enum To {
    Tcp(u16, &'static str),
    Unix(PathBuf),
}

/// What became of connections.
#[derive(Default)]
struct Counts {
    stop: AtomicBool,
    refused: AtomicUsize,
    answered: AtomicUsize,
    lost: AtomicUsize,
}

pub(crate) struct Clients {
    counts: Arc<Counts>,
    threads: Vec<JoinHandle<()>>,
}

/// One connection: the answer, `None` if the connection was made and lost. The error: it was not made.
pub(crate) fn ask(to: &To) -> io::Result<Option<String>> {
    match to {
        To::Tcp(port, words) => {
            let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, *port))?;
            connection.set_read_timeout(Some(ANSWER_MAX)).unwrap();
            let said = connection.write_all(words.as_bytes());
            Ok(said.ok().and_then(|()| answer(connection)))
        }
        To::Unix(path) => {
            let connection = UnixStream::connect(path)?;
            connection.set_read_timeout(Some(ANSWER_MAX)).unwrap();
            Ok(answer(connection))
        }
    }
}

fn answer(mut connection: impl io::Read) -> Option<String> {
    let mut text = String::new();
    match connection.by_ref().take(4096).read_to_string(&mut text) {
        Ok(_) if !text.is_empty() => Some(text),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("a connection is never served"),
        _ => None,
    }
}

impl Clients {
    pub(crate) fn start(to: &To) -> Self {
        let counts = Arc::new(Counts::default());
        let run = |to: To, counts: Arc<Counts>| {
            while !counts.stop.load(Ordering::SeqCst) {
                let counter = match ask(&to) {
                    Err(error) => {
                        println!("refused: {error}");
                        &counts.refused
                    }
                    Ok(Some(_)) => &counts.answered,
                    Ok(None) => &counts.lost,
                };
                counter.fetch_add(1, Ordering::SeqCst);
            }
        };
        let threads = (0..CLIENTS)
            .map(|_| {
                let (to, counts) = (to.clone(), Arc::clone(&counts));
                thread::spawn(move || run(to, counts))
            })
            .collect();
        Self { counts, threads }
    }

    pub(crate) fn answered(&self) -> usize {
        self.counts.answered.load(Ordering::SeqCst)
    }

    /// Ends them: how many were refused, answered, and lost while they were served.
    pub(crate) fn finish(self) -> (usize, usize, usize) {
        self.counts.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let read = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        (read(&self.counts.refused), read(&self.counts.answered), read(&self.counts.lost))
    }
}
