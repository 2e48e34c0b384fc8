//! RESP2, as much of it as the load needs: requests out, replies in.

/// Levels of arrays within arrays that are followed; deeper ones are not ours.
const DEPTH_MAX: u32 = 4;
/// Digits of the longest number.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// A reply, borrowed from the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply<'a> {
    /// `+OK`
    Simple(&'a [u8]),
    /// `-ERR ...`
    Error(&'a [u8]),
    /// `:1`
    Integer(i64),
    /// `$3 abc`; none for the null.
    Bulk(Option<&'a [u8]>),
    /// `*2 ...`; the null array is an empty one.
    Array(Vec<Reply<'a>>),
}

/// The input is not RESP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotResp;

/// Appends a request.
pub(crate) fn put_request(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// The reply at the front of `input` and its length; none while it is incomplete.
pub(crate) fn parse(input: &[u8]) -> Result<Option<(Reply<'_>, usize)>, NotResp> {
    let mut at = 0;
    let reply = parse_at(input, &mut at, DEPTH_MAX)?;
    Ok(reply.map(|reply| (reply, at)))
}

fn parse_at<'a>(input: &'a [u8], at: &mut usize, depth: u32) -> Result<Option<Reply<'a>>, NotResp> {
    let Some((kind, line)) = take_line(input, at)? else { return Ok(None) };
    Ok(Some(match kind {
        b'+' => Reply::Simple(line),
        b'-' => Reply::Error(line),
        b':' => Reply::Integer(number(line)?),
        b'$' => match number(line)? {
            -1 => Reply::Bulk(None),
            length => {
                let length = usize::try_from(length).map_err(|_| NotResp)?;
                let end = at.checked_add(length).ok_or(NotResp)?;
                if input.len() < end + 2 {
                    return Ok(None);
                }
                if &input[end..end + 2] != b"\r\n" {
                    return Err(NotResp);
                }
                let bytes = &input[*at..end];
                *at = end + 2;
                Reply::Bulk(Some(bytes))
            }
        },
        b'*' => {
            let count = number(line)?;
            if depth == 0 || count < -1 {
                return Err(NotResp);
            }
            let mut items = Vec::new();
            for _ in 0..count {
                match parse_at(input, at, depth - 1)? {
                    Some(item) => items.push(item),
                    None => return Ok(None),
                }
            }
            Reply::Array(items)
        }
        _ => return Err(NotResp),
    }))
}

/// The kind byte and the rest of the line.
fn take_line<'a>(input: &'a [u8], at: &mut usize) -> Result<Option<(u8, &'a [u8])>, NotResp> {
    let rest = &input[(*at).min(input.len())..];
    let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else {
        return if rest.len() > LINE_BYTES_MAX { Err(NotResp) } else { Ok(None) };
    };
    let (kind, line) = rest[..end].split_first().ok_or(NotResp)?;
    *at += end + 2;
    Ok(Some((*kind, line)))
}

fn number(text: &[u8]) -> Result<i64, NotResp> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(NotResp)
}

#[cfg(test)]
mod tests {
    use super::*;

    // A reply misread by the checker would report a loss that never was, or hide one.
    #[test]
    fn replies_and_their_lengths() {
        let cases: [(&[u8], Reply<'_>); 7] = [
            (b"+OK\r\n", Reply::Simple(b"OK")),
            (b"-ERR no\r\n", Reply::Error(b"ERR no")),
            (b":-7\r\n", Reply::Integer(-7)),
            (b"$4\r\na\r\nb\r\n", Reply::Bulk(Some(b"a\r\nb"))),
            (b"$-1\r\n", Reply::Bulk(None)),
            (b"*2\r\n:1\r\n$1\r\nx\r\n", Reply::Array(vec![Reply::Integer(1), Reply::Bulk(Some(b"x"))])),
            (b"*0\r\n", Reply::Array(vec![])),
        ];
        for (bytes, reply) in cases {
            let mut input = bytes.to_vec();
            input.extend_from_slice(b"+next");
            assert_eq!(parse(&input), Ok(Some((reply, bytes.len()))));
            for cut in 0..bytes.len() {
                assert_eq!(parse(&bytes[..cut]), Ok(None), "{cut} of {bytes:?}");
            }
        }
    }

    #[test]
    fn what_is_not_resp_is_refused() {
        for wrong in [&b"hello\r\n"[..], b"\r\n", b":x\r\n", b"$-2\r\n", b"$1\r\nabc", b"*-2\r\n"] {
            assert_eq!(parse(wrong), Err(NotResp), "{wrong:?}");
        }
        assert_eq!(parse(&b"*1\r\n".repeat(9)), Err(NotResp), "a stack must not be filled by a peer");
    }

    #[test]
    fn requests() {
        let mut out = Vec::new();
        put_request(&mut out, &[b"SET", b"k", b""]);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
    }
}
