//! `pollux-kv`: what clients send, what a primary sends to its backup; and the replies that the demo's load reads.

use pollux_kv::{Context, Flow, Parsed, Parser, SnapshotPosition, Store, execute};

// The command is a program without a library; the file stands for itself.
#[path = "../../../pollux-cli/src/demo/resp.rs"]
#[allow(dead_code, unreachable_pub, reason = "the demo writes requests, too")]
mod resp;

const SEED: u64 = 42;

/// Words of the requests in `input`, given to the parser in pieces of so many bytes; and whether it failed.
fn requests_in(input: &[u8], piece: usize) -> (Vec<Vec<Vec<u8>>>, bool) {
    let (mut parser, mut found) = (Parser::new(), Vec::new());
    let (mut start, mut end) = (0, 0);
    loop {
        match parser.parse(&input[start..end]) {
            Parsed::Request { args, consumed } => {
                assert!(consumed > 0 && start + consumed <= end, "a request is what was there");
                found.push(args.from(0).map(<[u8]>::to_vec).collect());
                start += consumed;
            }
            Parsed::Incomplete if end == input.len() => return (found, false),
            Parsed::Incomplete => end = (end + piece).min(input.len()),
            Parsed::Failed(_) => return (found, true),
        }
    }
}

/// A stream of requests in RESP or by hand: the same are found in pieces of any length. The first byte is that length.
pub(super) fn requests(bytes: &[u8]) {
    let Some((&piece, input)) = bytes.split_first() else { return };
    assert_eq!(requests_in(input, usize::from(piece) + 1), requests_in(input, input.len().max(1)));
}

/// The same, executed: each request has one reply, and a backup that applies the effects is the same store (S2, S4).
pub(super) fn commands(bytes: &[u8]) {
    let (mut primary, mut backup) = (Store::new(SEED), Store::new(SEED));
    let (mut parser, mut start, mut chance) = (Parser::new(), 0, 7_u64);
    let mut context = Context { now_ms: 1_700_000_000_000, ..Context::default() };
    while let Parsed::Request { args, consumed } = parser.parse(&bytes[start..]) {
        let (mut reply, mut effects) = (Vec::new(), Vec::new());
        let mut random = || {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            chance
        };
        let is_empty = args.is_empty();
        let flow = execute(&mut primary, args, &context, &mut random, &mut reply, &mut effects);
        assert!(
            is_empty || matches!(resp::parse(&reply), Ok(Some((_, length))) if length == reply.len()),
            "one reply"
        );
        backup.apply_all(&effects).expect("the engine's own effects");
        context.now_ms += 1;
        start += consumed;
        if flow == Flow::Quit {
            break;
        }
    }
    assert_eq!(primary, backup);
    assert_eq!(primary.len_expiring(), backup.len_expiring());
}

/// A run of effects as a backup applies them: none of it fails half way that has been decoded, and the store that is made has a
/// snapshot that makes the same.
pub(super) fn effects(bytes: &[u8]) {
    let mut store = Store::new(SEED);
    let _ = store.apply_all(bytes);
    copy_of(&store);
}

/// Parts of a snapshot, each with a length of 16 bits.
pub(super) fn snapshot(bytes: &[u8]) {
    let mut store = Store::new(SEED);
    let mut rest = bytes;
    while let Some((length, tail)) = rest.split_first_chunk::<2>() {
        let (part, tail) = tail.split_at(usize::from(u16::from_le_bytes(*length)).min(tail.len()));
        rest = tail;
        if store.load_part(part).is_err() {
            // Neither old nor new: thrown away.
            return;
        }
    }
    copy_of(&store);
}

fn copy_of(store: &Store) {
    let mut copy = Store::new(0);
    let mut position = SnapshotPosition::default();
    loop {
        let mut part = Vec::new();
        let more = store.save_part(&mut position, 64, &mut part);
        assert_eq!(copy.load_part(&part), Ok(more));
        if !more {
            break;
        }
    }
    assert_eq!(&copy, store);
}

/// Replies of a server, as the demo's load reads them.
pub(super) fn replies(bytes: &[u8]) {
    if let Ok(Some((reply, length))) = resp::parse(bytes) {
        assert!(length <= bytes.len());
        assert_eq!(
            resp::parse(&bytes[..length]),
            Ok(Some((reply, length))),
            "a reply needs no more than itself"
        );
    }
}

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut all: Vec<(&'static str, Vec<u8>)> = Vec::new();
    let scripts: [&[&str]; 7] = [
        &[
            "SET k v EX 10",
            "GET k",
            "APPEND k w",
            "INCR n",
            "GETDEL k",
            "MSET a 1 b 2",
            "EXPIRE a 5 NX",
            "TTL a",
        ],
        &["LPUSH l 1 2 3", "RPOP l 2", "LRANGE l 0 -1", "LINDEX l 0"],
        &["HSET h f v g w", "HGETALL h", "HDEL h f", "HINCRBY h n 3"],
        &["SADD s a b c", "SREM s a", "SPOP s", "SMEMBERS s", "SRANDMEMBER s -2"],
        &["ZADD z NX 1 a 2.5 b", "ZRANGE z (1 inf BYSCORE LIMIT 0 1", "ZREM z a", "ZINCRBY z 1e3 b"],
        &[
            "KEYS k?*[a-c]",
            "SCAN 0 MATCH * COUNT 10",
            "TYPE k",
            "RENAME k l",
            "FLUSHALL",
            "INFO",
            "CONFIG GET *",
        ],
        &["HELLO 2", "CLIENT SETNAME x", "PING", "ECHO x", "WAIT 1 0", "COMMAND DOCS GET", "DBSIZE", "QUIT"],
    ];
    for script in scripts {
        let mut stream = Vec::new();
        for line in script {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            resp::put_request(&mut stream, &words);
        }
        let (mut store, mut parser, mut start) = (Store::new(SEED), Parser::new(), 0);
        let (mut made, mut replies) = (Vec::new(), Vec::new());
        while let Parsed::Request { args, consumed } = parser.parse(&stream[start..]) {
            execute(&mut store, args, &Context::default(), &mut || 7, &mut replies, &mut made);
            start += consumed;
        }
        let mut part = Vec::new();
        store.save_part(&mut SnapshotPosition::default(), 4000, &mut part);
        all.push(("resp", [vec![7], stream.clone()].concat()));
        all.push(("kv-commands", stream));
        all.push(("kv-effects", made));
        all.push(("kv-snapshot", [(part.len() as u16).to_le_bytes().to_vec(), part].concat()));
        all.push(("resp-replies", replies));
    }
    all.push(("resp", b"\x00SET k 'a \\'b' \"\\x41\\n\"\r\nGET k\n\r\n".to_vec()));
    all.push(("resp-replies", b"*2\r\n*1\r\n:1\r\n$-1\r\n".to_vec()));
    all
}
