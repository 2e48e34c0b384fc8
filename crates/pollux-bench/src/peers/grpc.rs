//! Just enough HTTP/2 for a unary call of gRPC, one at a time on a connection: RFC 9113, RFC 7541, and gRPC's own framing.
//!
//! A hand-written requester costs less than a library's, which favours the peer that is asked with it.

use crate::peers::lines::{Heard, Protocol};
use anyhow::{Result, bail, ensure};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEAD_BYTES: usize = 9;
/// Added to the window of 65,535 bytes at the start: no run receives that much.
const WINDOW_BYTES: u32 = (1 << 31) - 1 - 65_535;
/// Compressed or not, and a length, before a message.
const MESSAGE_HEAD_BYTES: usize = 5;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// Calls of one method.
pub(crate) struct Calls {
    headers: Vec<u8>,
    encode: fn(&[u8], &mut Vec<u8>),
    stream: u32,
    message: Vec<u8>,
    greeted: bool,
    /// What has arrived of the reply.
    reply: Vec<u8>,
}

impl Calls {
    /// `path` is `/package.Service/Method`; `encode` makes a message of what a request carries.
    pub(crate) fn new(path: &str, encode: fn(&[u8], &mut Vec<u8>)) -> Self {
        // :method POST and :scheme http from the static table, the rest as they are, without an index.
        let mut headers = vec![0x83, 0x86, 0x04];
        text(path, &mut headers);
        headers.push(0x01);
        text("localhost", &mut headers);
        headers.extend_from_slice(&[0x0f, 0x10]);
        text("application/grpc", &mut headers);
        headers.push(0x00);
        text("te", &mut headers);
        text("trailers", &mut headers);
        Self { headers, encode, stream: 1, message: Vec::new(), greeted: false, reply: Vec::new() }
    }

    /// The message of the last reply.
    pub(crate) fn message(&self) -> Option<&[u8]> {
        self.reply.get(MESSAGE_HEAD_BYTES..)
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    // Below 127 bytes a length is one byte; the first bit would say that the text is Huffman-coded.
    out.push(u8::try_from(text.len()).expect("header texts are short"));
    out.extend_from_slice(text.as_bytes());
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).expect("requests are far below 4 GiB").to_be_bytes();
    out.extend_from_slice(&[length[1], length[2], length[3], kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

impl Protocol for Calls {
    fn ask(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        if !self.greeted {
            self.greeted = true;
            out.extend_from_slice(PREFACE);
            frame(SETTINGS, 0, 0, &[], out);
            frame(WINDOW_UPDATE, 0, 0, &WINDOW_BYTES.to_be_bytes(), out);
        }
        self.reply.clear();
        frame(HEADERS, END_HEADERS, self.stream, &self.headers, out);
        self.message.clear();
        self.message.resize(MESSAGE_HEAD_BYTES, 0);
        (self.encode)(payload, &mut self.message);
        let length = (self.message.len() - MESSAGE_HEAD_BYTES) as u32;
        self.message[1..MESSAGE_HEAD_BYTES].copy_from_slice(&length.to_be_bytes());
        frame(DATA, END_STREAM, self.stream, &self.message, out);
    }

    fn hear(&mut self, arrived: &[u8], answer: &mut Vec<u8>) -> Result<Heard> {
        let Some((head, rest)) = arrived.split_at_checked(FRAME_HEAD_BYTES) else {
            return Ok(Heard::Incomplete);
        };
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some(payload) = rest.get(..length) else { return Ok(Heard::Incomplete) };
        let (kind, flags, bytes) = (head[3], head[4], FRAME_HEAD_BYTES + length);
        match kind {
            DATA => self.reply.extend_from_slice(payload),
            HEADERS if flags & END_STREAM != 0 => {
                // A call that failed has trailers only.
                ensure!(self.reply.len() >= MESSAGE_HEAD_BYTES, "the call has failed");
                self.stream += 2;
                return Ok(Heard::Reply(bytes));
            }
            SETTINGS if flags & ACK == 0 => frame(SETTINGS, ACK, 0, &[], answer),
            PING if flags & ACK == 0 => frame(PING, ACK, 0, payload, answer),
            RST_STREAM | GOAWAY => bail!("the server gives up: {}", payload.escape_ascii()),
            _ => {}
        }
        Ok(Heard::Other(bytes))
    }
}

/// A field of a message with bytes in it.
pub(crate) fn bytes_field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

/// A field of a message: its number, and a number or the bytes in it.
pub(crate) type Field<'a> = (u64, u64, &'a [u8]);

/// The fields of a message.
pub(crate) fn fields(mut message: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let field = match key & 7 {
            0 => (key >> 3, varint(&mut message)?, &message[..0]),
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (bytes, rest) = message.split_at_checked(length)?;
                message = rest;
                (key >> 3, 0, bytes)
            }
            _ => return None,
        };
        fields.push(field);
    }
    Some(fields)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    // A call that failed must not count as a fast one.
    #[test]
    fn a_call_and_its_reply() {
        let mut calls = Calls::new("/a.B/C", |payload, out| bytes_field(1, payload, out));
        let mut out = Vec::new();
        calls.ask(b"abc", &mut out);
        assert!(out.starts_with(PREFACE));
        assert!(out.ends_with(&[0, 0, 10, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 5, 0x0a, 3, b'a', b'b', b'c']));
        let trailers = [0, 0, 0, HEADERS, END_STREAM | END_HEADERS, 0, 0, 0, 1];
        assert!(calls.hear(&trailers, &mut out).is_err());
        let reply = [0, 0, 6, DATA, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 7];
        out.clear();
        assert_eq!(calls.hear(&reply[..14], &mut out).unwrap(), Heard::Incomplete);
        assert_eq!(calls.hear(&reply, &mut out).unwrap(), Heard::Other(15));
        assert_eq!(calls.hear(&trailers, &mut out).unwrap(), Heard::Reply(9));
        assert!(out.is_empty());
        let ping = [&[0, 0, 8, PING, 0, 0, 0, 0, 0][..], b"12345678"].concat();
        assert_eq!(calls.hear(&ping, &mut out).unwrap(), Heard::Other(17));
        assert_eq!(out, [&[0, 0, 8, PING, ACK, 0, 0, 0, 0][..], b"12345678"].concat());
    }

    // The leader is found by these numbers: one that is read wrongly sends all load to a follower.
    #[test]
    fn fields_are_read() {
        let message = [0x0a, 2, 8, 1, 0x20, 0xac, 0x02];
        assert_eq!(fields(&message), Some(vec![(1, 0, &[8, 1][..]), (4, 300, &[][..])]));
        assert_eq!(fields(&[0x0a, 9, 1]), None);
        let mut out = Vec::new();
        bytes_field(2, &[7; 200], &mut out);
        assert_eq!((&out[..3], out.len()), (&[0x12, 0xc8, 0x01][..], 203));
    }
}
