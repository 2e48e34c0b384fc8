//! A TCP server that gets its connections from the TCP/IP provider, as a C program would: an open for the listener, and one
//! for each connection.

use super::enough;
use pollux::{Error, FileError, Node, Result};
use pollux_sockets::Client;
use pollux_wire::sockets::SocketRole;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// How long an accept waits before it is cancelled and begun anew.
const ACCEPT_WAIT: Duration = Duration::from_millis(200);
/// Between two words.
const BREATH: Duration = Duration::from_micros(500);

/// Says its port, and sends back what it is sent until its input ends.
pub fn echo(provider: &str) -> Result<()> {
    let enough = enough();
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let node = Node::connect()?;
    let mut client = Client::open(&node, provider, 4)?;
    let socket = client.keep(&listener, SocketRole::Listener)?;
    println!("{}", listener.local_addr().expect("it is bound").port());
    let mut connections = Vec::new();
    let mut accepted = 0;
    while !enough.load(Ordering::SeqCst) {
        let ticket = client.start_accept(socket, 128)?;
        let Some((local, remote)) = client.finish_accept(ticket, Some(ACCEPT_WAIT))? else { continue };
        accepted += 1;
        let provider = provider.to_owned();
        connections.push(thread::spawn(move || serve(&provider, local, remote)));
    }
    for connection in connections {
        connection.join().expect("no connection panics")?;
    }
    client.leave(socket)?;
    println!("{accepted} accepted");
    Ok(())
}

fn serve(provider: &str, local: SocketAddr, remote: SocketAddr) -> Result<()> {
    let node = Node::connect()?;
    let mut client = Client::open(&node, provider, 1)?;
    let claimed = match client.claim(remote, Some(local)) {
        Ok(claimed) => claimed,
        // Its client has gone.
        Err(Error::File(FileError(4120))) => return Ok(()),
        Err(error) => {
            eprintln!("{remote} cannot be claimed: {error}");
            return Err(error);
        }
    };
    let mut stream = TcpStream::from(claimed.connection);
    stream.set_nonblocking(false).expect("a socket");
    let mut buffer = [0; 4096];
    loop {
        let count = match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        if stream.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    drop(stream);
    client.leave(claimed.socket)
}

/// Sends words over a connection and reads them back, until `enough`; how many. With a breath between them: some that talk
/// without one over the loopback leave the machine to nobody else.
pub fn talk(stream: &mut TcpStream, mut enough: impl FnMut(u64) -> bool) -> io::Result<u64> {
    let mut words = 0;
    while !enough(words) {
        words += 1;
        let word = format!("{words:08}");
        stream.write_all(word.as_bytes())?;
        let mut back = [0; 8];
        stream.read_exact(&mut back)?;
        assert_eq!(back, *word.as_bytes(), "a byte is lost, doubled or in the wrong place");
        thread::park_timeout(BREATH);
    }
    Ok(words)
}
