//! Requests: an incremental RESP2 parser over the bytes that a connection has received.
//!
//! It takes arrays of bulk strings and inline commands. Arguments are slices of the input, or, for
//! inline commands with quotes, of a buffer in the parser. It refuses what Redis refuses, in Redis's
//! words; after an error the connection is closed.
//!
//! The progress inside an unfinished request is kept only to save time: a parser that begins anew with
//! the same bytes gives the same requests. So a new primary parses again what is in the socket.

use std::fmt;

use crate::number;
use crate::reply;

/// Bytes in one argument. Redis allows 512 MiB; a pair has to copy each one to its backup.
pub const BULK_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Arguments in one request.
pub const ARGUMENTS_MAX: usize = 1024 * 1024;

/// Bytes in one inline command, or in one line that announces a length.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;

/// Bytes in one request. Redis closes the connection at 1 GiB.
pub const REQUEST_BYTES_MAX: usize = 256 * 1024 * 1024;

/// One step of a parser.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// A request and how many bytes of the input it took. It has no arguments when the bytes were an
    /// empty line or an empty array, which Redis passes over without a reply.
    Request {
        /// The command name and its arguments.
        args: Args<'a>,
        /// Bytes to take off the input.
        consumed: usize,
    },
    /// The request is not complete: come again with the same bytes and more.
    Incomplete,
    /// The bytes are no request: write the error and close the connection.
    Failed(ProtocolError),
}

/// The arguments of a request, the command name first.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

/// Where an argument is in the bytes. 32 bits do, by `REQUEST_BYTES_MAX`.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

impl<'a> Args<'a> {
    /// How many there are, the name included.
    pub fn len(self) -> usize {
        self.spans.len()
    }

    /// Whether there is not even a name.
    pub fn is_empty(self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `index`, which must be below `len`.
    pub fn at(self, index: usize) -> &'a [u8] {
        let span = self.spans[index];
        &self.bytes[span.start as usize..span.end as usize]
    }

    /// The argument at `index`, if there is one.
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        (index < self.len()).then(|| self.at(index))
    }

    /// The arguments from `index` on.
    pub fn from(self, index: usize) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        self.spans[index.min(self.spans.len())..]
            .iter()
            .map(move |span| &self.bytes[span.start as usize..span.end as usize])
    }
}

/// Parses the requests of one connection.
#[derive(Debug, Default)]
pub struct Parser {
    /// Arguments found so far.
    spans: Vec<Span>,
    /// Where in the request to go on.
    position: usize,
    /// Arguments still to come; meaningful while `position` is not 0.
    missing: usize,
    /// Arguments of an inline command, without their quotes.
    unquoted: Vec<u8>,
}

/// What a line that announces a length holds.
enum Line {
    Number { number: i64, next: usize },
    NotANumber,
    Incomplete,
    TooLong,
}

impl Parser {
    /// A parser at the start of a request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets an unfinished request, for when the input begins elsewhere.
    pub fn reset(&mut self) {
        self.position = 0;
    }

    /// Looks for one request at the start of `input`.
    pub fn parse<'a>(&'a mut self, input: &'a [u8]) -> Parsed<'a> {
        if self.position == 0 {
            self.spans.clear();
            match input.first() {
                None => return Parsed::Incomplete,
                Some(b'*') => {}
                Some(_) => return self.parse_inline(input),
            }
            match read_line(input, 1) {
                Line::Incomplete => return Parsed::Incomplete,
                Line::TooLong => return Parsed::Failed(ProtocolError::TooBigCount),
                Line::NotANumber => return Parsed::Failed(ProtocolError::InvalidMultibulkLength),
                Line::Number { number, .. } if number > ARGUMENTS_MAX as i64 => {
                    return Parsed::Failed(ProtocolError::InvalidMultibulkLength);
                }
                Line::Number { number, next } if number <= 0 => {
                    return Parsed::Request { args: Args { bytes: input, spans: &[] }, consumed: next };
                }
                Line::Number { number, next } => {
                    self.missing = number as usize;
                    self.position = next;
                }
            }
        }
        while self.missing > 0 {
            if let Some(span) = short_bulk(input, self.position) {
                self.spans.push(span);
                self.position = span.end as usize + 2;
                self.missing -= 1;
                continue;
            }
            match next_bulk(input, self.position) {
                Ok(Some(span)) => {
                    self.spans.push(span);
                    self.position = span.end as usize + 2;
                    self.missing -= 1;
                }
                Ok(None) => return Parsed::Incomplete,
                Err(error) => {
                    self.position = 0;
                    return Parsed::Failed(error);
                }
            }
        }
        let consumed = std::mem::take(&mut self.position);
        Parsed::Request { args: Args { bytes: input, spans: &self.spans }, consumed }
    }

    fn parse_inline<'a>(&'a mut self, input: &'a [u8]) -> Parsed<'a> {
        let Some(end) = input.iter().take(INLINE_BYTES_MAX + 1).position(|byte| *byte == b'\n') else {
            if input.len() > INLINE_BYTES_MAX {
                return Parsed::Failed(ProtocolError::TooBigInline);
            }
            return Parsed::Incomplete;
        };
        let line = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]);
        // Redis reads an inline command as a C string.
        let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
        self.unquoted.clear();
        let mut rest = line;
        loop {
            rest = rest.trim_ascii_start();
            if rest.is_empty() {
                break;
            }
            let start = self.unquoted.len() as u32;
            match unquote(rest, &mut self.unquoted) {
                Some(taken) => rest = &rest[taken..],
                None => return Parsed::Failed(ProtocolError::UnbalancedQuotes),
            }
            self.spans.push(Span { start, end: self.unquoted.len() as u32 });
        }
        Parsed::Request { args: Args { bytes: &self.unquoted, spans: &self.spans }, consumed: end + 1 }
    }
}

/// The bulk string whose header starts at `position`, if its length has one or two digits, as most have.
/// None says nothing: `next_bulk` decides.
#[inline(always)]
fn short_bulk(input: &[u8], position: usize) -> Option<Span> {
    let digit = |byte: u8| {
        let value = usize::from(byte.wrapping_sub(b'0'));
        (value <= 9).then_some(value)
    };
    let (length, header) = match input.get(position..)? {
        [b'$', ones, b'\r', _, ..] => (digit(*ones)?, 4),
        [b'$', tens @ b'1'..=b'9', ones, b'\r', _, ..] => (digit(*tens)? * 10 + digit(*ones)?, 5),
        _ => return None,
    };
    let start = position + header;
    let end = start + length;
    (end + 2 <= input.len() && end <= REQUEST_BYTES_MAX)
        .then_some(Span { start: start as u32, end: end as u32 })
}

/// The bulk string whose header starts at `position`.
fn next_bulk(input: &[u8], position: usize) -> Result<Option<Span>, ProtocolError> {
    match input.get(position) {
        None => return Ok(None),
        Some(b'$') => {}
        Some(byte) => {
            // Redis looks for the end of the line before it looks at the line.
            return match read_line(input, position) {
                Line::Incomplete => Ok(None),
                Line::TooLong => Err(ProtocolError::TooBigBulkCount),
                _ => Err(ProtocolError::ExpectedDollar(*byte)),
            };
        }
    }
    let (number, next) = match read_line(input, position + 1) {
        Line::Incomplete => return Ok(None),
        Line::TooLong => return Err(ProtocolError::TooBigBulkCount),
        Line::NotANumber => return Err(ProtocolError::InvalidBulkLength),
        Line::Number { number, next } => (number, next),
    };
    if !(0..=BULK_BYTES_MAX as i64).contains(&number) {
        return Err(ProtocolError::InvalidBulkLength);
    }
    let end = next + number as usize;
    if end > REQUEST_BYTES_MAX {
        return Err(ProtocolError::TooBigRequest);
    }
    Ok((end + 2 <= input.len()).then_some(Span { start: next as u32, end: end as u32 }))
}

/// Reads the number from `start` to the end of the line.
fn read_line(input: &[u8], start: usize) -> Line {
    // Short numbers in canonical form, which is what clients send.
    let mut number = 0;
    let mut at = start;
    while let Some(digit) = input.get(at).map(|byte| byte.wrapping_sub(b'0'))
        && digit <= 9
        && at - start < 10
    {
        number = number * 10 + i64::from(digit);
        at += 1;
    }
    let is_canonical = at > start && (input[start] != b'0' || at == start + 1);
    if is_canonical && input.get(at) == Some(&b'\r') {
        return if at + 1 < input.len() { Line::Number { number, next: at + 2 } } else { Line::Incomplete };
    }
    let rest = input.get(start..).unwrap_or_default();
    match rest.iter().take(INLINE_BYTES_MAX + 1).position(|byte| *byte == b'\r') {
        None if rest.len() > INLINE_BYTES_MAX => Line::TooLong,
        None => Line::Incomplete,
        Some(length) if length + 1 >= rest.len() => Line::Incomplete,
        Some(length) => match number::parse_integer(&rest[..length]) {
            Some(number) => Line::Number { number, next: start + length + 2 },
            None => Line::NotANumber,
        },
    }
}

/// Appends the first word of `text` without its quotes; gives the bytes it took, or none if a quote is
/// left open or is followed by something else than a space.
fn unquote(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            _ if byte.is_ascii_whitespace() => break,
            b'"' => return unquote_double(text, at + 1, out),
            b'\'' => return unquote_single(text, at + 1, out),
            _ => out.push(byte),
        }
        at += 1;
    }
    Some(at)
}

fn unquote_double(text: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    loop {
        match text.get(at..)? {
            [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let value = |digit: u8| (digit as char).to_digit(16).unwrap_or(0) as u8;
                out.push(value(*high) << 4 | value(*low));
                at += 4;
            }
            [b'\\', byte, ..] => {
                out.push(match byte {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    byte => *byte,
                });
                at += 2;
            }
            [b'"', rest @ ..] => return closes(rest).then_some(at + 1),
            [byte, ..] => {
                out.push(*byte);
                at += 1;
            }
            [] => return None,
        }
    }
}

fn unquote_single(text: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    loop {
        match text.get(at..)? {
            [b'\\', b'\'', ..] => {
                out.push(b'\'');
                at += 2;
            }
            [b'\'', rest @ ..] => return closes(rest).then_some(at + 1),
            [byte, ..] => {
                out.push(*byte);
                at += 1;
            }
            [] => return None,
        }
    }
}

/// Whether a closing quote may stand before `rest`.
fn closes(rest: &[u8]) -> bool {
    rest.first().is_none_or(u8::is_ascii_whitespace)
}

/// Why bytes are no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The line with the number of arguments does not end.
    TooBigCount,
    /// The number of arguments is no number or is above `ARGUMENTS_MAX`.
    InvalidMultibulkLength,
    /// The line with the length of an argument does not end.
    TooBigBulkCount,
    /// The length of an argument is no number or is above `BULK_BYTES_MAX`.
    InvalidBulkLength,
    /// An argument that does not begin with `$`.
    ExpectedDollar(u8),
    /// An inline command above `INLINE_BYTES_MAX`.
    TooBigInline,
    /// An inline command with an open quote.
    UnbalancedQuotes,
    /// A request above `REQUEST_BYTES_MAX`.
    TooBigRequest,
}

impl ProtocolError {
    /// Appends the error as a reply.
    pub fn write(self, out: &mut Vec<u8>) {
        let mut text = b"ERR Protocol error: ".to_vec();
        match self {
            // The byte may be any, so it does not go through a string.
            ProtocolError::ExpectedDollar(byte) => {
                text.extend_from_slice(b"expected '$', got '");
                text.extend_from_slice(&[byte, b'\'']);
            }
            other => text.extend_from_slice(other.text().as_bytes()),
        }
        reply::error(out, &text);
    }

    fn text(self) -> &'static str {
        match self {
            ProtocolError::TooBigCount => "too big mbulk count string",
            ProtocolError::InvalidMultibulkLength => "invalid multibulk length",
            ProtocolError::TooBigBulkCount => "too big bulk count string",
            ProtocolError::InvalidBulkLength => "invalid bulk length",
            ProtocolError::ExpectedDollar(_) => "expected '$'",
            ProtocolError::TooBigInline => "too big inline request",
            ProtocolError::UnbalancedQuotes => "unbalanced quotes in request",
            ProtocolError::TooBigRequest => "too big request",
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

impl std::error::Error for ProtocolError {}
