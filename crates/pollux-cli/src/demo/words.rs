//! Requests written as a line of words.

use std::fmt::{Arguments, Write as _};

use super::resp::put_request;

/// Appends the request that has these words, separated by single spaces. None of the load's words contains a space.
pub(crate) fn put(out: &mut Vec<u8>, line: Arguments<'_>) {
    let mut text = String::with_capacity(96);
    text.write_fmt(line).expect("writing to memory");
    let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
    put_request(out, &words);
}
