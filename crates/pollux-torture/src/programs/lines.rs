//! A TCP server with a running hash: each answer holds count and hash of all bytes that were ever sent over its connection.
//!
//! ```text
//!  message  length u32, answer u32, length bytes
//!  answer   count u64, hash u64, answer bytes of a pattern that depends on the count
//! ```
//!
//! A length of [`QUIT`] is answered and then the server closes.

use crate::random::{HASH_START, hash};
use pollux::{ConnectionId, Event, Map, Pair, ReceiveDepth, Result};
use std::io::{self, Read, Write};
use std::net::TcpStream;

/// Instead of a length: answer and close.
pub const QUIT: u32 = u32::MAX;
const HEADER_BYTES: usize = 8;

/// The byte at `at` of the answer with number `count`.
fn pattern(count: u64, at: usize) -> u8 {
    (count as usize).wrapping_mul(31).wrapping_add(at).wrapping_add(at >> 8) as u8
}

/// Serves; a request over `$RECEIVE` is `port` or `connections`.
pub fn serve(address: &str) -> Result<()> {
    let pair = Pair::join()?;
    let states: Map<u64, (u64, u64)> = pair.map("connections")?;
    let listener = pair.listen(address)?;
    let mut receive = pair.receive(ReceiveDepth::new(16)?)?;
    while let Some(event) = receive.event()? {
        match event {
            Event::Input(mut input) => {
                let ConnectionId(connection) = input.connection();
                loop {
                    let bytes = input.bytes();
                    if bytes.len() < HEADER_BYTES {
                        break;
                    }
                    let word =
                        |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
                    let (length, answer) = (word(0), word(4) as usize);
                    let total = HEADER_BYTES + if length == QUIT { 0 } else { length as usize };
                    if bytes.len() < total {
                        break;
                    }
                    let (count, sum) = states.get(&connection)?.unwrap_or((0, HASH_START));
                    let (count, sum) = (count + 1, hash(sum, &bytes[..total]));
                    states.insert(connection, (count, sum))?;
                    input.consume(total);
                    let output = input.output();
                    output.extend_from_slice(&count.to_le_bytes());
                    output.extend_from_slice(&sum.to_le_bytes());
                    output.extend((0..answer).map(|at| pattern(count, at)));
                    if length == QUIT {
                        input.close();
                        break;
                    }
                }
            }
            Event::Disconnected(ConnectionId(connection)) => drop(states.remove(&connection)?),
            Event::Request(request) => match request.text()? {
                "port" => {
                    let port = listener.local_address()?.port().to_string();
                    request.reply(port)?;
                }
                _ => {
                    let counts = format!("{} {}", states.len(), pair.counts().1);
                    request.reply(counts)?;
                }
            },
            _ => {}
        }
    }
    Ok(())
}

/// A connection to the server, with what its answers must be.
pub struct Client {
    stream: TcpStream,
    sent: u64,
    /// Hashes of the answers that are due.
    due: std::collections::VecDeque<(u64, u64, usize)>,
    sum: u64,
}

impl Client {
    /// Connects.
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(crate::PATIENCE))?;
        stream.set_write_timeout(Some(crate::PATIENCE))?;
        Ok(Self { stream, sent: 0, due: std::collections::VecDeque::new(), sum: HASH_START })
    }

    /// Sends a message.
    pub fn send(&mut self, body: &[u8], answer: usize) -> io::Result<()> {
        self.send_words(body.len() as u32, body, answer)
    }

    /// Asks the server to close.
    pub fn send_quit(&mut self, answer: usize) -> io::Result<()> {
        self.send_words(QUIT, &[], answer)
    }

    fn send_words(&mut self, length: u32, body: &[u8], answer: usize) -> io::Result<()> {
        let message = [&length.to_le_bytes()[..], &(answer as u32).to_le_bytes(), body].concat();
        self.stream.write_all(&message)?;
        self.sent += 1;
        self.sum = hash(self.sum, &message);
        self.due.push_back((self.sent, self.sum, answer));
        Ok(())
    }

    /// Sends a message in pieces; `between` is called after each with the number of bytes of the body sent so far.
    pub fn send_slowly(
        &mut self,
        body: &[u8],
        piece: usize,
        answer: usize,
        mut between: impl FnMut(usize),
    ) -> io::Result<()> {
        let head = [(body.len() as u32).to_le_bytes(), (answer as u32).to_le_bytes()].concat();
        self.stream.write_all(&head)?;
        self.sum = hash(self.sum, &head);
        let mut sent = 0;
        for piece in body.chunks(piece) {
            self.stream.write_all(piece)?;
            self.sum = hash(self.sum, piece);
            sent += piece.len();
            between(sent);
        }
        self.sent += 1;
        self.due.push_back((self.sent, self.sum, answer));
        Ok(())
    }

    /// Reads the next answer and checks every byte.
    pub fn receive(&mut self) -> io::Result<()> {
        self.receive_slowly(usize::MAX, || {})
    }

    /// Reads the next answer in pieces; `between` is called between them.
    pub fn receive_slowly(&mut self, piece: usize, mut between: impl FnMut()) -> io::Result<()> {
        let (count, sum, answer) = self.due.pop_front().expect("an answer is due");
        let mut head = [0; 16];
        self.stream.read_exact(&mut head)?;
        let word = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
        assert_eq!(
            (word(0), word(8)),
            (count, sum),
            "count and hash of answer {count}: bytes were lost, doubled or reordered"
        );
        let mut read = 0;
        let mut buffer = vec![0; answer.min(piece)];
        while read < answer {
            let size = (answer - read).min(piece);
            self.stream.read_exact(&mut buffer[..size])?;
            let wrong =
                buffer[..size].iter().enumerate().position(|(at, byte)| *byte != pattern(count, read + at));
            assert_eq!(wrong.map(|at| read + at), None, "the first wrong byte of answer {count}");
            read += size;
            between();
        }
        Ok(())
    }

    /// Ends the sending half.
    pub fn finish_sending(&self) -> io::Result<()> {
        self.stream.shutdown(std::net::Shutdown::Write)
    }

    /// The server has closed, and nothing more has come.
    pub fn expect_end(&mut self) -> io::Result<()> {
        let mut rest = [0; 16];
        assert_eq!(self.stream.read(&mut rest)?, 0, "bytes after the last answer");
        Ok(())
    }
}
