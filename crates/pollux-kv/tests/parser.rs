//! The request parser against bytes that come in pieces, wrong, or by chance.

mod common;

use common::request;
use pollux_kv::{Parsed, Parser};
use proptest::prelude::*;

/// All requests in `input` as lists of words, and the error that ended it, if one did.
fn parse_all(input: &[u8]) -> (Vec<Vec<Vec<u8>>>, Option<String>) {
    parse_in_pieces(input, &[input.len()])
}

/// As `parse_all`, with the bytes arriving up to each of `ends` in turn.
fn parse_in_pieces(input: &[u8], ends: &[usize]) -> (Vec<Vec<Vec<u8>>>, Option<String>) {
    let mut parser = Parser::new();
    let (mut requests, mut start) = (Vec::new(), 0);
    for end in ends {
        loop {
            match parser.parse(&input[start..*end]) {
                Parsed::Incomplete => break,
                Parsed::Failed(error) => {
                    let mut reply = Vec::new();
                    error.write(&mut reply);
                    return (requests, Some(String::from_utf8_lossy(&reply).into_owned()));
                }
                Parsed::Request { args, consumed } => {
                    assert!(consumed > 0 && start + consumed <= *end);
                    requests.push(args.from(0).map(<[u8]>::to_vec).collect());
                    start += consumed;
                }
            }
        }
    }
    (requests, None)
}

/// If this fails, a request that arrives in two segments is misread.
#[test]
fn a_request_split_at_any_byte_is_the_same() {
    let mut input = request(&[b"SET", b"key", &[0, 13, 10, 255]]);
    input.extend_from_slice(b"PING  'a b'\r\n*0\r\n*-1\r\n\r\nGET \"x\\x41\\n\"\n");
    input.extend(request(&[b"", &b"v".repeat(300)]));
    let whole = parse_all(&input);
    assert_eq!(whole.1, None);
    assert_eq!(whole.0.len(), 7);
    assert_eq!(whole.0[1], [&b"PING"[..], b"a b"]);
    assert!(whole.0[2].is_empty() && whole.0[3].is_empty() && whole.0[4].is_empty());
    assert_eq!(whole.0[5], [&b"GET"[..], b"xA\n"]);
    for split in 0..input.len() {
        assert_eq!(parse_in_pieces(&input, &[split, input.len()]), whole, "split at {split}");
    }
    let single_bytes: Vec<usize> = (0..=input.len()).collect();
    assert_eq!(parse_in_pieces(&input, &single_bytes), whole);
}

/// If this fails, a new primary reads the bytes in the socket otherwise than the old one.
#[test]
fn a_new_parser_continues_where_requests_were_left() {
    let input = request(&[b"MSET", b"a", b"1", b"b", b"2"]);
    for split in 0..input.len() {
        let mut parser = Parser::new();
        assert!(matches!(parser.parse(&input[..split]), Parsed::Incomplete));
        parser.reset();
        assert!(matches!(parser.parse(&input), Parsed::Request { consumed, .. } if consumed == input.len()));
    }
}

/// If this fails, broken clients get other words than from Redis, or hang.
#[test]
fn protocol_errors_use_the_words_of_redis() {
    let long = [b"*3\r\n".to_vec(), b"$".to_vec(), b"1".repeat(70_000)].concat();
    for (input, words) in [
        (&b"*x\r\n"[..], "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (b"*1048577\r\n", "invalid multibulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*1\r\n+1\r\n", "expected '$', got '+'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$x\r\n", "invalid bulk length"),
        (b"*1\r\n$67108865\r\n", "invalid bulk length"),
        (b"SET \"a\r\n", "unbalanced quotes in request"),
        (b"SET 'a'b\r\n", "unbalanced quotes in request"),
        (&b"x".repeat(65_537), "too big inline request"),
        (&[b"*".to_vec(), b"1".repeat(70_000)].concat(), "too big mbulk count string"),
        (&long, "too big bulk count string"),
    ] {
        let (_, error) = parse_all(input);
        assert_eq!(
            error,
            Some(format!("-ERR Protocol error: {words}\r\n")),
            "{}",
            input[..8.min(input.len())].escape_ascii()
        );
    }
}

/// If this fails, requests at the limits are refused, or requests above them are not.
#[test]
fn requests_above_the_limit_of_bytes_are_refused() {
    // Only the header of the argument that would pass the limit has to arrive.
    let mut input = b"*9\r\n".to_vec();
    for _ in 0..4 {
        input.extend_from_slice(format!("${}\r\n", 60 << 20).as_bytes());
        input.resize(input.len() + (60 << 20), b'x');
        input.extend_from_slice(b"\r\n");
    }
    input.extend_from_slice(format!("${}\r\n", 60 << 20).as_bytes());
    assert_eq!(parse_all(&input).1.as_deref(), Some("-ERR Protocol error: too big request\r\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// If this fails, a stranger can stop the server with a few bytes.
    #[test]
    fn random_bytes_never_panic(
        input in prop::collection::vec(prop_oneof![
            any::<u8>(),
            prop::sample::select(b"*$\r\n-0123456789'\"\\x ".to_vec()),
        ], 0..200),
        split in any::<prop::sample::Index>(),
    ) {
        let split = split.index(input.len() + 1);
        prop_assert_eq!(parse_in_pieces(&input, &[split, input.len()]), parse_all(&input));
    }

    /// If this fails, some arguments do not arrive as they were sent.
    #[test]
    fn arguments_arrive_as_sent(
        requests in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6), 0..6),
        split in any::<prop::sample::Index>(),
    ) {
        let mut input = Vec::new();
        for words in &requests {
            input.extend(request(&words.iter().map(Vec::as_slice).collect::<Vec<_>>()));
        }
        let split = split.index(input.len() + 1);
        prop_assert_eq!(parse_in_pieces(&input, &[split, input.len()]), (requests, None));
    }
}
