//! The table of commands and how a name is found in it.

use super::{
    Call, Outcome, configuration, connection, hashes, keys, lists, sets, status, strings, zadd, zsets,
};

/// What a command does to the keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    Read,
    Nothing,
}

/// One command.
pub(super) struct Command {
    /// In lower case, as errors print it.
    pub(super) name: &'static str,
    /// Number of arguments with the name; negative: at least so many.
    pub(super) arity: i32,
    pub(super) access: Access,
    /// First key, last key (negative: from the end), step. Zeros: no keys.
    pub(super) keys: (i32, i32, i32),
    pub(super) run: fn(&mut Call<'_>) -> Outcome,
}

impl Command {
    pub(super) fn accepts(&self, arguments: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { arguments >= wanted } else { arguments == wanted }
    }
}

/// The command of this name, in any case.
pub(super) fn find(name: &[u8]) -> Option<&'static Command> {
    if !(2..=NAME_BYTES_MAX).contains(&name.len()) {
        return None;
    }
    let packed = pack(name);
    let mut slot = slot_of(packed);
    loop {
        let entry = INDEX[slot];
        if entry == 0 {
            return None;
        }
        let command = &COMMANDS[entry as usize - 1];
        if NAMES[entry as usize - 1] == packed && command.name.len() == name.len() {
            return Some(command);
        }
        slot = (slot + 1) % INDEX_SLOTS;
    }
}

/// Longest name: what fits in a `u128`, so that names are compared as numbers.
const NAME_BYTES_MAX: usize = 16;

/// Slots of the name index: about three times the commands, so that a search is mostly one look.
const INDEX_SLOTS: usize = 512;

/// Number of a command plus one for each slot, 0 for none; laid out by the compiler.
static INDEX: [u8; INDEX_SLOTS] = index_names();

static NAMES: [u128; COMMANDS.len()] = pack_names();

/// A name as a number, the same in upper and lower case: setting the bit 0x20 makes a letter lower, and
/// makes a letter of nothing else. Together with the length it is one name only.
const fn pack(name: &[u8]) -> u128 {
    let length = name.len();
    let (start, end) = match length {
        8.. => (word::<8>(name, 0), word::<8>(name, length - 8)),
        4.. => (word::<4>(name, 0), word::<4>(name, length - 4)),
        2.. => (word::<2>(name, 0), word::<2>(name, length - 2)),
        _ => (0, 0),
    };
    ((start as u128) << 64 | end as u128) | 0x2020_2020_2020_2020_2020_2020_2020_2020
}

const fn word<const N: usize>(name: &[u8], start: usize) -> u64 {
    let bytes = name.split_at(start).1.split_at(N).0;
    let mut padded = [0; 8];
    let mut at = 0;
    while at < N {
        padded[at] = bytes[at];
        at += 1;
    }
    u64::from_le_bytes(padded)
}

const fn slot_of(packed: u128) -> usize {
    let folded = packed as u64 ^ ((packed >> 64) as u64).wrapping_mul(0xa076_1d64_78bd_642f);
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - INDEX_SLOTS.trailing_zeros())) as usize
}

const fn pack_names() -> [u128; COMMANDS.len()] {
    let mut names = [0; COMMANDS.len()];
    let mut number = 0;
    while number < COMMANDS.len() {
        assert!(COMMANDS[number].name.len() >= 2 && COMMANDS[number].name.len() <= NAME_BYTES_MAX);
        names[number] = pack(COMMANDS[number].name.as_bytes());
        number += 1;
    }
    names
}

const fn index_names() -> [u8; INDEX_SLOTS] {
    assert!(COMMANDS.len() < u8::MAX as usize);
    let mut index = [0; INDEX_SLOTS];
    let mut number = 0;
    while number < COMMANDS.len() {
        let mut slot = slot_of(pack(COMMANDS[number].name.as_bytes()));
        while index[slot] != 0 {
            slot = (slot + 1) % INDEX_SLOTS;
        }
        index[slot] = number as u8 + 1;
        number += 1;
    }
    index
}

const fn write(name: &'static str, arity: i32, run: fn(&mut Call<'_>) -> Outcome) -> Command {
    Command { name, arity, access: Access::Write, keys: (1, 1, 1), run }
}

const fn read(name: &'static str, arity: i32, run: fn(&mut Call<'_>) -> Outcome) -> Command {
    Command { name, arity, access: Access::Read, keys: (1, 1, 1), run }
}

const fn other(name: &'static str, arity: i32, run: fn(&mut Call<'_>) -> Outcome) -> Command {
    Command { name, arity, access: Access::Nothing, keys: (0, 0, 0), run }
}

impl Command {
    const fn with_keys(self, first: i32, last: i32, step: i32) -> Self {
        Self { keys: (first, last, step), ..self }
    }
}

/// Every command, by family.
#[rustfmt::skip]
pub(super) const COMMANDS: &[Command] = &[
    // Texts.
    read("get", 2, strings::get),
    write("set", -3, strings::set),
    write("setnx", 3, strings::setnx),
    write("setex", 4, strings::setex),
    write("psetex", 4, strings::psetex),
    write("getset", 3, strings::getset),
    write("getdel", 2, strings::getdel),
    write("getex", -2, strings::getex),
    read("mget", -2, strings::mget).with_keys(1, -1, 1),
    write("mset", -3, strings::mset).with_keys(1, -1, 2),
    write("msetnx", -3, strings::msetnx).with_keys(1, -1, 2),
    write("append", 3, strings::append),
    read("strlen", 2, strings::strlen),
    write("incr", 2, strings::incr),
    write("decr", 2, strings::decr),
    write("incrby", 3, strings::incrby),
    write("decrby", 3, strings::decrby),
    // Lists.
    write("lpush", -3, lists::lpush),
    write("rpush", -3, lists::rpush),
    write("lpushx", -3, lists::lpushx),
    write("rpushx", -3, lists::rpushx),
    write("lpop", -2, lists::lpop),
    write("rpop", -2, lists::rpop),
    read("llen", 2, lists::llen),
    read("lindex", 3, lists::lindex),
    read("lrange", 4, lists::lrange),
    // Hashes.
    write("hset", -4, hashes::hset),
    write("hmset", -4, hashes::hmset),
    write("hsetnx", 4, hashes::hsetnx),
    read("hget", 3, hashes::hget),
    read("hmget", -3, hashes::hmget),
    write("hdel", -3, hashes::hdel),
    read("hgetall", 2, hashes::hgetall),
    read("hkeys", 2, hashes::hkeys),
    read("hvals", 2, hashes::hvals),
    read("hlen", 2, hashes::hlen),
    read("hexists", 3, hashes::hexists),
    write("hincrby", 4, hashes::hincrby),
    // Sets.
    write("sadd", -3, sets::sadd),
    write("srem", -3, sets::srem),
    read("smembers", 2, sets::smembers),
    read("sismember", 3, sets::sismember),
    read("smismember", -3, sets::smismember),
    read("scard", 2, sets::scard),
    write("spop", -2, sets::spop),
    read("srandmember", -2, sets::srandmember),
    // Sorted sets.
    write("zadd", -4, zadd::zadd),
    write("zincrby", 4, zadd::zincrby),
    read("zcard", 2, zsets::zcard),
    read("zcount", 4, zsets::zcount),
    read("zscore", 3, zsets::zscore),
    read("zrank", 3, zsets::zrank),
    read("zrevrank", 3, zsets::zrevrank),
    write("zrem", -3, zsets::zrem),
    write("zpopmin", -2, zsets::zpopmin),
    write("zpopmax", -2, zsets::zpopmax),
    read("zrange", -4, zsets::zrange),
    read("zrevrange", -4, zsets::zrevrange),
    read("zrangebyscore", -4, zsets::zrangebyscore),
    read("zrevrangebyscore", -4, zsets::zrevrangebyscore),
    // Keys of any type.
    write("del", -2, keys::del).with_keys(1, -1, 1),
    write("unlink", -2, keys::del).with_keys(1, -1, 1),
    read("exists", -2, keys::exists).with_keys(1, -1, 1),
    read("type", 2, keys::kind),
    write("expire", -3, keys::expire),
    write("pexpire", -3, keys::pexpire),
    write("expireat", -3, keys::expireat),
    write("pexpireat", -3, keys::pexpireat),
    write("persist", 2, keys::persist),
    read("ttl", 2, keys::ttl),
    read("pttl", 2, keys::pttl),
    read("expiretime", 2, keys::expiretime),
    read("pexpiretime", 2, keys::pexpiretime),
    read("keys", 2, keys::keys).with_keys(0, 0, 0),
    read("scan", -2, keys::scan).with_keys(0, 0, 0),
    read("randomkey", 1, keys::randomkey).with_keys(0, 0, 0),
    read("dbsize", 1, keys::dbsize).with_keys(0, 0, 0),
    write("flushall", -1, keys::flush).with_keys(0, 0, 0),
    write("flushdb", -1, keys::flush).with_keys(0, 0, 0),
    // The connection.
    other("ping", -1, connection::ping),
    other("echo", 2, connection::echo),
    other("select", 2, connection::select),
    other("quit", -1, connection::quit),
    other("reset", 1, connection::reset),
    other("hello", -1, connection::hello),
    other("auth", -2, connection::auth),
    other("client", -2, connection::client),
    // The server.
    other("command", -1, connection::command),
    other("config", -2, configuration::config),
    other("info", -1, status::info),
    other("debug", -2, connection::debug),
    other("time", 1, connection::time),
    other("wait", 3, connection::wait),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// If this fails, a client gets "unknown command" for a command there is.
    #[test]
    fn each_name_finds_its_command_in_any_case() {
        for command in COMMANDS {
            let found = find(command.name.to_uppercase().as_bytes()).expect("it is in the table");
            assert_eq!(found.name, command.name);
        }
        for name in
            ["", "g", "ge", "gett", "\0get", "get\0", "get ", "g t", "G@T", "a name that is longer than any"]
        {
            assert!(find(name.as_bytes()).is_none(), "{name}");
        }
    }
}
