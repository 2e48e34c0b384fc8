//! Random commands over a few keys, so that types collide and keys come and go.

#![allow(dead_code, reason = "each test binary uses a part")]

use proptest::prelude::*;

pub(crate) type Words = Vec<Vec<u8>>;

fn word(text: impl Into<String>) -> Vec<u8> {
    text.into().into_bytes()
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    (0..12).prop_map(|number| word(format!("key{number}")))
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (0..20).prop_map(|number| word(format!("m{number}"))),
        1 => (0..5).prop_map(|number| word(format!("a member too long to be kept in place {number}"))),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (-5i64..100).prop_map(|number| word(number.to_string())),
        Just(word(i64::MAX.to_string())),
        (0usize..60).prop_map(|length| vec![b'v'; length]),
        prop::collection::vec(any::<u8>(), 0..30),
    ]
}

/// Scores that Redis 7.0 (17 digits) and shortest-digit printing show alike.
fn score() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (-10i32..10).prop_map(|number| word((f64::from(number) / 4.0).to_string())),
        prop::sample::select(vec![word("inf"), word("-inf"), word("nan"), word("x"), word("1e3")]),
    ]
}

fn count() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (-12i32..12).prop_map(|number| word(number.to_string())),
        1 => prop::sample::select(vec![word("x"), word(""), word("9223372036854775807"), word("-0")]),
    ]
}

fn option(words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(words).prop_map(word)
}

fn fixed(name: &'static str, parts: Vec<BoxedStrategy<Vec<u8>>>) -> BoxedStrategy<Words> {
    parts.prop_map(move |parts| [vec![word(name)], parts].concat()).boxed()
}

fn many(
    name: &'static str,
    parts: Vec<BoxedStrategy<Vec<u8>>>,
    rest: BoxedStrategy<Vec<u8>>,
    rest_count: std::ops::Range<usize>,
) -> BoxedStrategy<Words> {
    (parts, prop::collection::vec(rest, rest_count))
        .prop_map(move |(parts, rest)| [vec![word(name)], parts, rest].concat())
        .boxed()
}

/// Commands whose replies and effects depend on nothing but the state.
pub(crate) fn any_command() -> BoxedStrategy<Words> {
    let (k, m, v, s, n) =
        (key().boxed(), member().boxed(), value().boxed(), score().boxed(), count().boxed());
    let set_option = option(&["NX", "XX", "GET", "KEEPTTL"]).boxed();
    let expire_option = option(&["NX", "XX", "GT", "LT"]).boxed();
    let zadd_option = option(&["NX", "XX", "GT", "LT", "CH", "INCR"]).boxed();
    let range_option = option(&["REV", "BYSCORE", "WITHSCORES"]).boxed();
    let bound = prop_oneof![s.clone(), s.clone().prop_map(|score| [b"(".to_vec(), score].concat())].boxed();
    let zadd = (
        k.clone(),
        prop::collection::vec(zadd_option, 0..3),
        prop::collection::vec((s.clone(), m.clone()), 1..4),
    )
        .prop_map(|(key, options, pairs)| {
            let pairs = pairs.into_iter().flat_map(|(score, member)| [score, member]);
            [vec![word("ZADD"), key], options, pairs.collect()].concat()
        })
        .boxed();
    let limited =
        (fixed("ZRANGE", vec![k.clone(), bound.clone(), bound.clone()]), n.clone(), n.clone(), any::<bool>())
            .prop_map(|(words, offset, limit, is_reverse)| {
                let reverse = if is_reverse { vec![word("REV")] } else { vec![] };
                [words, reverse, vec![word("BYSCORE"), word("LIMIT"), offset, limit]].concat()
            })
            .boxed();
    prop::strategy::Union::new(vec![
        fixed("GET", vec![k.clone()]),
        many("SET", vec![k.clone(), v.clone()], set_option, 0..3),
        fixed("SETNX", vec![k.clone(), v.clone()]),
        fixed("GETSET", vec![k.clone(), v.clone()]),
        fixed("GETDEL", vec![k.clone()]),
        many("MGET", vec![], k.clone(), 0..4),
        many("MSET", vec![], k.clone(), 0..5),
        many("MSETNX", vec![], k.clone(), 1..5),
        fixed("APPEND", vec![k.clone(), v.clone()]),
        fixed("STRLEN", vec![k.clone()]),
        fixed("INCR", vec![k.clone()]),
        fixed("DECR", vec![k.clone()]),
        fixed("INCRBY", vec![k.clone(), n.clone()]),
        fixed("DECRBY", vec![k.clone(), n.clone()]),
        many("LPUSH", vec![k.clone()], m.clone(), 0..5),
        many("RPUSH", vec![k.clone()], m.clone(), 0..5),
        many("LPUSHX", vec![k.clone()], m.clone(), 1..3),
        many("RPUSHX", vec![k.clone()], m.clone(), 1..3),
        many("LPOP", vec![k.clone()], n.clone(), 0..2),
        many("RPOP", vec![k.clone()], n.clone(), 0..3),
        fixed("LLEN", vec![k.clone()]),
        fixed("LINDEX", vec![k.clone(), n.clone()]),
        fixed("LRANGE", vec![k.clone(), n.clone(), n.clone()]),
        many("HSET", vec![k.clone()], m.clone(), 0..7),
        many("HMSET", vec![k.clone()], m.clone(), 2..5),
        fixed("HSETNX", vec![k.clone(), m.clone(), v.clone()]),
        fixed("HGET", vec![k.clone(), m.clone()]),
        many("HMGET", vec![k.clone()], m.clone(), 0..4),
        many("HDEL", vec![k.clone()], m.clone(), 0..4),
        fixed("HGETALL", vec![k.clone()]),
        fixed("HKEYS", vec![k.clone()]),
        fixed("HVALS", vec![k.clone()]),
        fixed("HLEN", vec![k.clone()]),
        fixed("HEXISTS", vec![k.clone(), m.clone()]),
        fixed("HINCRBY", vec![k.clone(), m.clone(), n.clone()]),
        many("SADD", vec![k.clone()], m.clone(), 0..16),
        many("SREM", vec![k.clone()], m.clone(), 0..4),
        fixed("SMEMBERS", vec![k.clone()]),
        fixed("SISMEMBER", vec![k.clone(), m.clone()]),
        many("SMISMEMBER", vec![k.clone()], m.clone(), 1..4),
        fixed("SCARD", vec![k.clone()]),
        zadd,
        fixed("ZINCRBY", vec![k.clone(), s.clone(), m.clone()]),
        fixed("ZCARD", vec![k.clone()]),
        fixed("ZCOUNT", vec![k.clone(), bound.clone(), bound.clone()]),
        fixed("ZSCORE", vec![k.clone(), m.clone()]),
        fixed("ZRANK", vec![k.clone(), m.clone()]),
        fixed("ZREVRANK", vec![k.clone(), m.clone()]),
        many("ZREM", vec![k.clone()], m.clone(), 0..4),
        many("ZPOPMIN", vec![k.clone()], n.clone(), 0..3),
        many("ZPOPMAX", vec![k.clone()], n.clone(), 0..2),
        many("ZRANGE", vec![k.clone(), n.clone(), n.clone()], range_option.clone(), 0..3),
        many("ZREVRANGE", vec![k.clone(), n.clone(), n.clone()], range_option.clone(), 0..2),
        many("ZRANGEBYSCORE", vec![k.clone(), bound.clone(), bound.clone()], range_option.clone(), 0..2),
        many("ZREVRANGEBYSCORE", vec![k.clone(), bound.clone(), bound.clone()], range_option, 0..2),
        limited,
        many("DEL", vec![], k.clone(), 0..4),
        many("UNLINK", vec![], k.clone(), 1..3),
        many("EXISTS", vec![], k.clone(), 0..4),
        fixed("TYPE", vec![k.clone()]),
        many("EXPIREAT", vec![k.clone(), absolute_s()], expire_option.clone(), 0..3),
        many("PEXPIREAT", vec![k.clone(), n.clone()], expire_option, 0..3),
        fixed("EXPIRETIME", vec![k.clone()]),
        fixed("PEXPIRETIME", vec![k.clone()]),
        fixed("PERSIST", vec![k.clone()]),
        fixed("SET", vec![k.clone(), v.clone(), option(&["EXAT", "PXAT"]).boxed(), n.clone()]),
        fixed("SET", vec![k.clone(), v, Just(word("EXAT")).boxed(), absolute_s()]),
        fixed("GETEX", vec![k.clone(), Just(word("EXAT")).boxed(), absolute_s()]),
        many("GETEX", vec![k], option(&["PERSIST", "EX", "nonsense"]).boxed(), 0..2),
        Just(vec![word("DBSIZE")]).boxed(),
        fixed("KEYS", vec![option(&["*", "key?", "key1*", "k[a-e]y[^0-4]", "none"]).boxed()]),
    ])
    .boxed()
}

/// Commands that depend on chance or on the clock, besides those of `any_command`.
pub(crate) fn any_command_with_chance() -> BoxedStrategy<Words> {
    let (k, n) = (key().boxed(), count().boxed());
    prop_oneof![
        80 => any_command(),
        1 => Just(vec![word("FLUSHALL")]),
        20 => prop::strategy::Union::new(vec![
            many("SPOP", vec![k.clone()], n.clone(), 0..2),
            many("SRANDMEMBER", vec![k.clone()], n.clone(), 0..2),
            fixed("EXPIRE", vec![k.clone(), n.clone()]),
            fixed("PEXPIRE", vec![k.clone(), milliseconds()]),
            fixed("PSETEX", vec![k.clone(), milliseconds(), value().boxed()]),
            fixed("TTL", vec![k.clone()]),
            fixed("PTTL", vec![k.clone()]),
            fixed("GETEX", vec![k, Just(word("PX")).boxed(), milliseconds()]),
            Just(vec![word("RANDOMKEY")]).boxed(),
            Just(vec![word("SCAN"), word("0")]).boxed(),
        ]),
    ]
    .boxed()
}

fn milliseconds() -> BoxedStrategy<Vec<u8>> {
    (1u32..2_000).prop_map(|number| word(number.to_string())).boxed()
}

/// Seconds far in the future.
fn absolute_s() -> BoxedStrategy<Vec<u8>> {
    (4_000_000_000u64..4_000_000_003).prop_map(|number| word(number.to_string())).boxed()
}
