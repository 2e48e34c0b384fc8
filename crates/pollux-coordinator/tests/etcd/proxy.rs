//! A proxy that cuts a connection after a chosen number of bytes.
//!
//! What this decides: after how many bytes, in which direction. What it does not: what the bytes are.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

/// More bytes than any test sends.
const NEVER: i64 = i64::MAX / 2;

/// Which bytes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Answer,
}

/// A proxy before one server; it ends with the process.
pub(crate) struct Proxy {
    pub(crate) address: String,
    limits: Arc<[AtomicI64; 2]>,
    has_cut: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let limits = Arc::new([AtomicI64::new(NEVER), AtomicI64::new(NEVER)]);
        let has_cut = Arc::new(AtomicBool::new(false));
        let (shared, cut, server) = (Arc::clone(&limits), Arc::clone(&has_cut), server.to_owned());
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&server)) else { continue };
                // A cut is a cut of what was sent so far, not of what the kernel still collects.
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                for direction in [Direction::Request, Direction::Answer] {
                    let (from, to) = match direction {
                        Direction::Request => (&client, &server),
                        Direction::Answer => (&server, &client),
                    };
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let (limits, cut) = (Arc::clone(&shared), Arc::clone(&cut));
                    thread::spawn(move || carry(from, to, &limits[direction as usize], &cut));
                }
            }
        });
        Self { address, limits, has_cut }
    }

    /// Lets so many more bytes through in this direction, then cuts that connection.
    pub(crate) fn cut_after(&self, bytes: i64, direction: Direction) {
        self.has_cut.store(false, Ordering::SeqCst);
        self.limits[direction as usize].store(bytes, Ordering::SeqCst);
    }

    /// Lets everything through; true if a connection was cut since the order.
    pub(crate) fn heal(&self) -> bool {
        for limit in self.limits.iter() {
            limit.store(NEVER, Ordering::SeqCst);
        }
        self.has_cut.load(Ordering::SeqCst)
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, limit: &AtomicI64, has_cut: &AtomicBool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let left = limit.fetch_sub(i64::try_from(length).unwrap(), Ordering::SeqCst);
        let passes = usize::try_from(left).unwrap_or(0).min(length);
        if to.write_all(&buffer[..passes]).is_err() {
            break;
        }
        if passes < length {
            has_cut.store(true, Ordering::SeqCst);
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
