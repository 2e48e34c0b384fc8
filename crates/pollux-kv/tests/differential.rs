//! The engine against a real redis-server: the same random commands, the same replies.
//!
//! `cargo test -p pollux-kv --test differential -- --ignored` needs `redis-server` (7.0) in the path.

#[path = "common/commands.rs"]
mod commands;
mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{Engine, Reply, request};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A redis-server that ends with the test.
struct Redis {
    child: Child,
    connection: TcpStream,
}

impl Redis {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(port.to_string())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let deadline = Instant::now() + Duration::from_secs(10);
        let connection = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(connection) => break connection,
                Err(error) => assert!(Instant::now() < deadline, "redis-server does not listen: {error}"),
            }
            std::thread::yield_now();
        };
        connection.set_nodelay(true).expect("a TCP socket");
        Self { child, connection }
    }

    fn run(&mut self, words: &[&[u8]]) -> Reply {
        self.connection.write_all(&request(words)).expect("redis-server runs");
        let mut received = Vec::new();
        loop {
            if !received.is_empty()
                && let Some(reply) = Reply::take(&mut &received[..])
            {
                return reply;
            }
            let mut buffer = [0; 65_536];
            let length = self.connection.read(&mut buffer).expect("redis-server runs");
            assert!(length > 0, "redis-server closed the connection after {words:?}");
            received.extend_from_slice(&buffer[..length]);
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Replies in which the order is not promised are put in order.
fn normalise(name: &[u8], reply: Reply) -> Reply {
    let Reply::Array(mut items) = reply else { return reply };
    let width = if name == b"HGETALL" { 2 } else { 1 };
    if [&b"HGETALL"[..], b"HKEYS", b"HVALS", b"SMEMBERS", b"KEYS"].contains(&name) {
        let mut groups: Vec<Vec<Reply>> = items.chunks(width).map(<[Reply]>::to_vec).collect();
        groups.sort_by_key(|group| format!("{group:?}"));
        items = groups.concat();
    }
    Reply::Array(items)
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

/// If this fails, a program that works with Redis may not work with Pollux.
#[test]
#[ignore = "needs redis-server"]
fn random_commands_get_the_replies_of_redis() {
    let rounds: u32 = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let mut redis = Redis::start();
    let strategy = commands::any_command();
    for round in 0..rounds {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&round.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let mut engine = Engine::new();
        redis.run(&[b"FLUSHALL"]);
        let mut history = Vec::new();
        for _ in 0..500 {
            let words = strategy.new_tree(&mut runner).expect("no filter rejects").current();
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            history
                .push(words.iter().map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>().join(" "));
            engine.context.now_ms = now_ms();
            let reply = engine.run(&words);
            let ours = normalise(words[0], Reply::take(&mut &reply[..]).expect("a reply"));
            let theirs = normalise(words[0], redis.run(&words));
            // Redis removes expired keys in the background; the count shows when.
            assert!(
                ours == theirs || words[0] == b"DBSIZE",
                "round {round}, after:\n{}\nours:\n{}\nRedis:\n{}",
                history[history.len().saturating_sub(30)..].join("\n"),
                ours.lines().join("\n"),
                theirs.lines().join("\n"),
            );
        }
    }
}

/// If this fails, errors have other words than those of Redis, which programs look for.
#[test]
#[ignore = "needs redis-server"]
fn errors_have_the_words_of_redis() {
    let mut redis = Redis::start();
    let mut engine = Engine::new();
    let lines = [
        "NOSUCH",
        "nosuch a b",
        "GET",
        "get a b",
        "SELECT 99",
        "SELECT x",
        "SELECT 0",
        "PING a b",
        "ECHO",
        "QUIT2 'x",
        "SET a",
        "SET a b EX",
        "SET a b EX 0",
        "SET a b EX x",
        "SET a b NX XX",
        "SET a b EX 1 PX 1",
        "SET a b BAD",
        "SET a b EX 9223372036854775807",
        "SET a b PX 9223372036854775807",
        "SETEX a 0 b",
        "SETEX a x b",
        "PSETEX a -1 b",
        "GETEX a EX 0",
        "SET t v",
        "GETEX t EX 0",
        "GETEX t BAD",
        "GETEX t EX",
        "GETEX t PERSIST EX 1",
        "LPUSH t a",
        "EXPIRE t x",
        "EXPIRE t 9223372036854775807",
        "EXPIRE t 1 BAD",
        "EXPIRE t 1 NX XX",
        "EXPIRE t 1 GT LT",
        "EXPIRE nokey 9223372036854775807",
        "PEXPIRE t 9223372036854775807",
        "EXPIREAT t 9223372036854775807",
        "PERSIST",
        "TTL",
        "INCR t",
        "INCRBY t x",
        "DECRBY t -9223372036854775808",
        "SET n 9223372036854775807",
        "INCR n",
        "DECRBY n -1",
        "HSET t a b",
        "HSET h a",
        "HSET h a b c",
        "HMSET h a b c",
        "HSET h a b",
        "HINCRBY h a 1",
        "HINCRBY h b x",
        "HINCRBY h n 9223372036854775807",
        "HINCRBY h n 1",
        "INCR h",
        "APPEND h x",
        "STRLEN h",
        "GETSET h x",
        "GETDEL h",
        "SADD h x",
        "ZADD h 1 x",
        "LPOP h",
        "LPOP l -1",
        "LPOP l x",
        "LPOP l 1 2",
        "RPOP l 1",
        "LRANGE l a b",
        "LRANGE h 0 1",
        "LINDEX l x",
        "LINDEX h x",
        "SPOP s -1",
        "SPOP s x",
        "SPOP s 1 2",
        "SPOP s",
        "SPOP s 1",
        "SPOP h",
        "SRANDMEMBER s x",
        "SRANDMEMBER s 1 2",
        "SRANDMEMBER s 2",
        "SRANDMEMBER s",
        "SRANDMEMBER s -9223372036854775808",
        "SADD s a",
        "SPOP s 0",
        "SRANDMEMBER s 0",
        "SRANDMEMBER s -2",
        "SRANDMEMBER s 5",
        "SPOP s 5",
        "EXISTS s",
        "ZADD z x a",
        "ZADD z 1",
        "ZADD z 1 a 2",
        "ZADD z NX XX 1 a",
        "ZADD z GT NX 1 a",
        "ZADD z GT LT 1 a",
        "ZADD z INCR 1 a 2 b",
        "ZADD z nan a",
        "ZADD z 1e400 a",
        "ZADD z inf a",
        "ZINCRBY z -inf a",
        "ZINCRBY z x a",
        "ZADD z INCR -inf a",
        "ZADD z XX INCR 1 q",
        "ZRANGE z a b",
        "ZRANGE z 0 -1 BAD",
        "ZRANGE z 0 -1 LIMIT 0 1",
        "ZRANGE z 0 -1 LIMIT 0 -1",
        "ZRANGE z a b BYSCORE",
        "ZRANGE z 0 1 BYSCORE LIMIT x y",
        "ZRANGE z 0 1 BYSCORE LIMIT 0",
        "ZRANGEBYSCORE z ( 1",
        "ZCOUNT z x 1",
        "ZPOPMIN z -1",
        "ZPOPMIN z x",
        "ZPOPMIN z 1 2",
        "ZPOPMIN no",
        "ZSCORE z no",
        "ZRANK z no",
        "ZSCORE no no",
        "SCAN x",
        "SCAN 0 COUNT 0",
        "SCAN 0 COUNT x",
        "SCAN 0 MATCH",
        "SCAN 0 BAD x",
        "SCAN 0 TYPE nothing COUNT 1000",
        "FLUSHALL BAD",
        "FLUSHALL ASYNC",
        "FLUSHDB SYNC",
        "TYPE none",
        "CLIENT",
        "CLIENT NOSUCH",
        "CLIENT SETNAME",
        "CLIENT SETNAME 'a b'",
        "CLIENT GETNAME",
        "CLIENT ID x",
        "CLIENT NO-EVICT BAD",
        "CONFIG",
        "CONFIG GET",
        "CONFIG GET save",
        "CONFIG GET appendonly",
        "CONFIG GET nosuch*",
        "CONFIG SET nosuch 1",
        "CONFIG SET a",
        "CONFIG RESETSTAT",
        "CONFIG REWRITE",
        "CONFIG NOSUCH",
        "COMMAND NOSUCH",
        "COMMAND COUNT x",
        "COMMAND INFO nosuch",
        "HELLO 4",
        "HELLO x",
        "HELLO 2 BAD",
        "HELLO 2 AUTH x y",
        "AUTH x",
        "AUTH default x",
        "AUTH x y",
        "AUTH x y z",
        "WAIT x 0",
        "WAIT 0 x",
        "WAIT 0 -1",
        "RESET",
        "TIME x",
        "DBSIZE x",
        "MSET a",
        "MSET a b c",
        "MSETNX a",
        "MSETNX a b c",
        "MGET",
        "DEL",
        "EXISTS",
        "UNLINK",
        "KEYS",
        "INCRBY a",
        "APPEND a",
        "HGET a",
        "HMGET a",
        "HDEL a",
        "HGETALL",
        "LLEN",
        "SISMEMBER a",
        "SCARD",
        "ZCARD",
        "ZSCORE a",
        "ZREM a",
        "ZADD a",
        "EXPIRETIME",
        "PEXPIRETIME a b",
        "RANDOMKEY",
        "RANDOMKEY x",
        "'long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long' x",
        "nosuch aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccccccccccccccccc dddddddddddd",
        "\"no\\r\\nsuch\" \"a\\x00b\"",
    ];
    let mut differences = String::new();
    for line in lines {
        let input = format!("{line}\r\n").into_bytes();
        let mut parser = pollux_kv::Parser::new();
        let pollux_kv::Parsed::Request { args, .. } = parser.parse(&input) else { continue };
        let words: Vec<&[u8]> = args.from(0).collect();
        engine.context.now_ms = now_ms();
        let reply = engine.run(&words);
        let ours = Reply::take(&mut &reply[..]).expect("a reply");
        let theirs = redis.run(&words);
        if ours != theirs {
            differences += &format!(
                "{line}\n  ours:  {}\n  Redis: {}\n",
                ours.lines().join(" "),
                theirs.lines().join(" ")
            );
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

/// If this fails, a story tells something else than Redis would.
#[test]
#[ignore = "needs redis-server"]
fn stories_are_true_of_redis() {
    let mut redis = Redis::start();
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut differences = String::new();
    for path in std::fs::read_dir(directory).expect("stories").map(|entry| entry.expect("a file").path()) {
        let story = std::fs::read_to_string(&path).expect("a text file");
        // The clock of a story cannot be moved in Redis.
        if story.contains("# redis: no") || story.contains("@ advance") {
            continue;
        }
        redis.run(&[b"FLUSHALL"]);
        let mut engine = Engine::new();
        for line in story.lines().filter_map(|line| line.strip_prefix("> ")) {
            let input = format!("{line}\r\n").into_bytes();
            let mut parser = pollux_kv::Parser::new();
            let pollux_kv::Parsed::Request { args, .. } = parser.parse(&input) else { panic!("{line}") };
            let words: Vec<&[u8]> = args.from(0).collect();
            if words[0] == b"QUIT" {
                continue;
            }
            engine.context.now_ms = now_ms();
            let reply = engine.run(&words);
            let ours = normalise(words[0], Reply::take(&mut &reply[..]).expect("a reply"));
            let theirs = normalise(words[0], redis.run(&words));
            if ours != theirs {
                let (ours, theirs) = (ours.lines().join(" "), theirs.lines().join(" "));
                differences += &format!("{}: {line}\n  ours:  {ours}\n  Redis: {theirs}\n", path.display());
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
}
