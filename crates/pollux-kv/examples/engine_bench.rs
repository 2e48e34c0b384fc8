//! Speed of the engine alone: parse, execute, reply and effects of pipelined requests, one core.
//!
//! `cargo run --release -p pollux-kv --example engine_bench [KEYS [NAME]]`
//! prints commands per second of processor time.

use std::hint::black_box;
use std::time::{Duration, Instant};

use pollux_kv::{Context, Parsed, Parser, Store, execute};

/// Requests in one buffer, about what a busy server finds in its sockets at once.
const PIPELINE: usize = 64;

/// How long one window of a measurement is, and how many there are. The best and the middle are told:
/// on a machine that is shared, the best is what the code costs.
const WINDOW: Duration = Duration::from_millis(100);
const WINDOWS: usize = 15;

/// A generator good enough to spread keys (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

struct Bench {
    store: Store,
    parser: Parser,
    random: Random,
    input: Vec<u8>,
    reply: Vec<u8>,
    effects: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        Self {
            store: Store::new(1),
            parser: Parser::new(),
            random: Random(88_172_645_463_325_252),
            input: Vec::new(),
            reply: Vec::new(),
            effects: Vec::new(),
        }
    }

    fn fill_list(&mut self, key: &str) {
        let mut buffer = Vec::new();
        (0..1_000).for_each(|_| request(&mut buffer, &["RPUSH", key, "xxx"]));
        self.run(&buffer);
    }

    /// The keys that GET is to find.
    fn fill_keys(&mut self, keys: u64) {
        for number in 0..keys {
            let mut buffer = Vec::new();
            request(&mut buffer, &["SET", &format!("key:{number:012}"), "xxx"]);
            self.run(&buffer);
        }
    }

    fn run(&mut self, buffer: &[u8]) {
        let context = Context { now_ms: 1, ..Context::default() };
        // As a read from a socket does: the requests are parsed where they were just copied to.
        self.input.clear();
        self.input.extend_from_slice(buffer);
        let mut rest = &self.input[..];
        self.reply.clear();
        self.effects.clear();
        while let Parsed::Request { args, consumed } = self.parser.parse(rest) {
            let random = &mut || self.random.next();
            execute(&mut self.store, args, &context, random, &mut self.reply, &mut self.effects);
            rest = &rest[consumed..];
        }
        black_box((&self.reply, &self.effects));
    }
}

fn request(out: &mut Vec<u8>, words: &[&str]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
}

fn measure(bench: &mut Bench, name: &str, keys: u64, words: impl Fn(&str) -> Vec<String>) {
    if std::env::args().nth(2).is_some_and(|wanted| !name.starts_with(&wanted)) {
        return;
    }
    // Buffers are made beforehand, with keys as redis-benchmark makes them.
    let mut random = Random(1);
    let buffers: Vec<Vec<u8>> = (0..2_048)
        .map(|_| {
            let mut buffer = Vec::new();
            for _ in 0..PIPELINE {
                let number = format!("{:012}", random.next() % keys);
                let words = words(&number);
                request(&mut buffer, &words.iter().map(String::as_str).collect::<Vec<_>>());
            }
            buffer
        })
        .collect();
    let mut turns = buffers.iter().cycle();
    tell(name, || {
        turns.by_ref().take(64).for_each(|buffer| bench.run(buffer));
        64 * PIPELINE
    });
}

/// Processor time of this thread. Time on the wall would count what other programs do on the machine.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    text.split(' ').next().and_then(|field| field.parse().ok()).expect("the first field is nanoseconds")
}

/// Calls `run`, which gives the number of commands it ran, and prints commands per second of processor time.
fn tell(name: &str, mut run: impl FnMut() -> usize) {
    let mut rates: Vec<f64> = (0..WINDOWS)
        .map(|_| {
            let (start, start_cpu_ns) = (Instant::now(), cpu_ns());
            let mut count = 0;
            while start.elapsed() < WINDOW {
                count += run();
            }
            count as f64 * 1e9 / (cpu_ns() - start_cpu_ns) as f64
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    let (best, middle) = (rates[WINDOWS - 1], rates[WINDOWS / 2]);
    println!("{name:<20} best {best:>12.0}/s {:>7.1} ns   middle {middle:>12.0}/s", 1e9 / best);
}

fn main() {
    let keys = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    println!("{keys} keys, pipelines of {PIPELINE}");
    let bench = &mut Bench::new();
    let list = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<_>>();
    let key = |number: &str| format!("key:{number}");
    measure(bench, "PING", keys, |_| list(&["PING"]));
    measure(bench, "SET", keys, |n| list(&["SET", &key(n), "xxx"]));
    bench.fill_keys(keys);
    measure(bench, "GET", keys, |n| list(&["GET", &key(n)]));
    measure(bench, "SET 100 bytes", keys, |n| list(&["SET", &key(n), &"x".repeat(100)]));
    measure(bench, "INCR", keys, |n| list(&["INCR", &format!("counter:{n}")]));
    measure(bench, "LPUSH", keys, |_| list(&["LPUSH", "mylist", "xxx"]));
    measure(bench, "RPUSH", keys, |_| list(&["RPUSH", "mylist", "xxx"]));
    measure(bench, "LPOP", keys, |_| list(&["LPOP", "mylist"]));
    measure(bench, "RPOP", keys, |_| list(&["RPOP", "mylist"]));
    measure(bench, "SADD", keys, |n| list(&["SADD", "myset", &format!("element:{n}")]));
    measure(bench, "HSET", keys, |n| list(&["HSET", "myhash", &format!("element:{n}"), "xxx"]));
    measure(bench, "ZADD", keys, |n| list(&["ZADD", "myzset", n, &format!("element:{n}")]));
    bench.fill_list("longlist");
    measure(bench, "LRANGE 100", keys, |_| list(&["LRANGE", "longlist", "0", "99"]));
    measure(bench, "MSET 10", keys, |n| {
        let mut words = list(&["MSET"]);
        (0..10).for_each(|i| words.extend([format!("key:{i}{}", &n[1..]), "xxx".to_string()]));
        words
    });
    if std::env::args().len() > 2 {
        return;
    }
    measure_pops(bench, keys);
    measure_apply();
}

/// SPOP and ZPOPMIN, each with the SADD or ZADD that gives it something to take.
fn measure_pops(bench: &mut Bench, keys: u64) {
    let mut store_turn = |name: &str, words: [&[&str]; 2]| {
        let mut random = Random(3);
        let mut buffer = Vec::new();
        for _ in 0..PIPELINE / 2 {
            let number = format!("{:012}", random.next() % keys);
            for part in words {
                let part: Vec<_> = part.iter().map(|word| word.replace('#', &number)).collect();
                request(&mut buffer, &part.iter().map(String::as_str).collect::<Vec<_>>());
            }
        }
        tell(name, || {
            (0..64).for_each(|_| bench.run(&buffer));
            64 * PIPELINE
        });
    };
    store_turn("SADD + SPOP", [&["SADD", "myset", "element:#"], &["SPOP", "myset"]]);
    store_turn("ZADD + ZPOPMIN", [&["ZADD", "myzset", "#", "element:#"], &["ZPOPMIN", "myzset"]]);
}

/// What the same SETs cost the backup.
fn measure_apply() {
    let mut bench = Bench::new();
    let mut random = Random(5);
    let mut buffer = Vec::new();
    for _ in 0..100_000 {
        let key = format!("key:{:012}", random.next() % 100_000);
        request(&mut buffer, &["SET", &key, "xxx"]);
    }
    bench.run(&buffer);
    let mut backup = Store::new(1);
    tell("apply SET (backup)", || backup.apply_all(&bench.effects).expect("the engine's own effects"));
}
