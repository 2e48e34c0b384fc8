//! RESP2 replies, appended to a buffer.

use crate::number;

/// `+OK`
pub fn ok(out: &mut Vec<u8>) {
    out.extend_from_slice(b"+OK\r\n");
}

/// A simple string: text without line ends.
pub fn simple(out: &mut Vec<u8>, text: &str) {
    out.push(b'+');
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// An error: a code word, a space and a text. Line ends in it become spaces, since clients may put
/// anything into the names that errors repeat.
pub fn error(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'-');
    out.extend(text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
    out.extend_from_slice(b"\r\n");
}

/// An integer.
pub fn integer(out: &mut Vec<u8>, number: i64) {
    header(out, b':', number);
}

/// A bulk string: any bytes.
pub fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + 16);
    header(out, b'$', bytes.len() as i64);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// A floating-point number, as RESP2 has it: a bulk string.
pub fn double(out: &mut Vec<u8>, number: f64) {
    let mut text = Vec::with_capacity(32);
    number::write_double(&mut text, number);
    bulk(out, &text);
}

/// The bulk string that is none.
pub fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"$-1\r\n");
}

/// The array that is none.
pub fn null_array(out: &mut Vec<u8>) {
    out.extend_from_slice(b"*-1\r\n");
}

/// The start of an array; its `length` items follow.
pub fn array(out: &mut Vec<u8>, length: usize) {
    header(out, b'*', length as i64);
}

fn header(out: &mut Vec<u8>, kind: u8, number: i64) {
    // Lengths and counters of one digit are most of what a server writes.
    if (0..10).contains(&number) {
        out.extend_from_slice(&[kind, b'0' + number as u8, b'\r', b'\n']);
        return;
    }
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}
