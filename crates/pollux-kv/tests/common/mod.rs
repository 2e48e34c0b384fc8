//! What the tests share: an engine with its own clock and chance, requests, replies as redis-cli shows them.

#![allow(dead_code, reason = "each test binary uses a part")]

use pollux_kv::{BackupState, Context, Flow, Parsed, Parser, Role, Status, Store, execute};

/// A time in 2023, so that relative and absolute times are both possible.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

/// A primary without anything around it.
pub(crate) struct Engine {
    pub(crate) store: Store,
    pub(crate) context: Context,
    pub(crate) effects: Vec<u8>,
    random: u64,
}

impl Engine {
    pub(crate) fn new() -> Self {
        let status = Status {
            pair: "$KV".to_string(),
            role: Role::Primary,
            backup: BackupState::InStep,
            epoch: 3,
            takeovers: 2,
            tcp_port: 6379,
            ..Status::default()
        };
        let context = Context { now_ms: START_MS, client_id: 7, backups_in_step: 1, status };
        Self { store: Store::new(42), context, effects: Vec::new(), random: 1 }
    }

    /// Runs one request; effects pile up.
    pub(crate) fn run(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let request = request(words);
        let mut reply = Vec::new();
        let mut parser = Parser::new();
        let Parsed::Request { args, consumed } = parser.parse(&request) else {
            panic!("not a request: {}", request.escape_ascii());
        };
        assert_eq!(consumed, request.len());
        let random = &mut || {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            self.random
        };
        let flow = execute(&mut self.store, args, &self.context, random, &mut reply, &mut self.effects);
        assert_eq!(flow == Flow::Quit, words[0].eq_ignore_ascii_case(b"QUIT"));
        reply
    }
}

/// An array of bulk strings.
pub(crate) fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// A reply as a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Simple(Vec<u8>),
    Error(Vec<u8>),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    NullArray,
    Array(Vec<Reply>),
}

impl Reply {
    /// Takes one reply off `input`; none if it is not complete.
    pub(crate) fn take(input: &mut &[u8]) -> Option<Reply> {
        let end = input.windows(2).position(|pair| pair == b"\r\n")?;
        let (line, mut rest) = (&input[1..end], &input[end + 2..]);
        let number = || std::str::from_utf8(line).ok()?.parse::<i64>().ok();
        let reply = match input[0] {
            b'+' => Reply::Simple(line.to_vec()),
            b'-' => Reply::Error(line.to_vec()),
            b':' => Reply::Integer(number().expect("an integer")),
            b'$' => match usize::try_from(number().expect("a length")) {
                Err(_) => Reply::Null,
                Ok(length) => {
                    let bytes = rest.get(..length)?.to_vec();
                    rest = rest.get(length + 2..)?;
                    Reply::Bulk(bytes)
                }
            },
            b'*' => match usize::try_from(number().expect("a length")) {
                Err(_) => Reply::NullArray,
                Ok(length) => {
                    Reply::Array((0..length).map(|_| Reply::take(&mut rest)).collect::<Option<_>>()?)
                }
            },
            other => panic!("no reply begins with {other}"),
        };
        *input = rest;
        Some(reply)
    }

    /// The lines that redis-cli would print.
    pub(crate) fn lines(&self) -> Vec<String> {
        match self {
            Reply::Simple(text) => vec![text.escape_ascii().to_string()],
            Reply::Error(text) => vec![format!("(error) {}", String::from_utf8_lossy(text))],
            Reply::Integer(number) => vec![format!("(integer) {number}")],
            Reply::Bulk(bytes) => {
                vec![format!("\"{}\"", bytes.escape_ascii().to_string().replace("\\'", "'"))]
            }
            Reply::Null => vec!["(nil)".to_string()],
            Reply::NullArray => vec!["(nil array)".to_string()],
            Reply::Array(items) if items.is_empty() => vec!["(empty array)".to_string()],
            Reply::Array(items) => {
                let mut lines = Vec::new();
                for (number, item) in items.iter().enumerate() {
                    let head = format!("{}) ", number + 1);
                    for (at, line) in item.lines().into_iter().enumerate() {
                        let indent = if at == 0 { head.clone() } else { " ".repeat(head.len()) };
                        lines.push(indent + &line);
                    }
                }
                lines
            }
        }
    }
}
