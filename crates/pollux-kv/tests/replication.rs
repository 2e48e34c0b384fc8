//! The backup equals the primary: after any commands, at any times, with a snapshot under way.

#[path = "common/commands.rs"]
mod commands;
mod common;

use commands::{Words, any_command_with_chance};
use common::Engine;
use pollux_kv::{Effect, SnapshotPosition, Store};
use proptest::prelude::*;

/// One thing that happens at a primary.
#[derive(Clone, Debug)]
enum Step {
    Command(Words),
    Advance(u64),
    Tick,
    SnapshotPart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => any_command_with_chance().prop_map(Step::Command),
        2 => (0u64..700).prop_map(Step::Advance),
        1 => Just(Step::Tick),
        4 => (1usize..120).prop_map(Step::SnapshotPart),
    ]
}

fn run(engine: &mut Engine, words: &Words) {
    engine.run(&words.iter().map(Vec::as_slice).collect::<Vec<_>>());
}

/// Takes the effects over to the backup, as the checkpoint does.
fn checkpoint(engine: &mut Engine, backup: &mut Store) {
    backup.apply_all(&engine.effects).expect("the engine's own effects");
    engine.effects.clear();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// If this fails, users see other data after a takeover (S2).
    #[test]
    fn a_store_rebuilt_from_effects_is_the_same(steps in prop::collection::vec(step(), 0..150)) {
        let mut primary = Engine::new();
        let mut backup = Store::new(42);
        for step in steps {
            match step {
                Step::Command(words) => run(&mut primary, &words),
                Step::Advance(milliseconds) => primary.context.now_ms += milliseconds,
                Step::Tick => {
                    let now_ms = primary.context.now_ms;
                    primary.store.expire_some(now_ms, 3, &mut primary.effects);
                }
                Step::SnapshotPart(_) => checkpoint(&mut primary, &mut backup),
            }
        }
        checkpoint(&mut primary, &mut backup);
        prop_assert_eq!(&primary.store, &backup);
        prop_assert_eq!(primary.store.len_expiring(), backup.len_expiring());
    }

    /// If this fails, a new backup that was brought in step under load is not in step (S4).
    #[test]
    fn a_backup_brought_in_step_under_load_is_the_same(
        before in prop::collection::vec(any_command_with_chance(), 0..100),
        stale in prop::collection::vec(any_command_with_chance(), 0..20),
        steps in prop::collection::vec(step(), 0..150),
    ) {
        let mut primary = Engine::new();
        before.iter().for_each(|words| run(&mut primary, words));
        primary.effects.clear();
        // The backup may have anything in it: the first part has to clear it.
        let mut backup = Engine::new();
        stale.iter().for_each(|words| run(&mut backup, words));
        let mut backup = backup.store;

        let mut position = Some(SnapshotPosition::default());
        let mut send_part = |primary: &mut Engine, backup: &mut Store, bytes_max: usize| {
            let Some(at) = &mut position else { return false };
            checkpoint(primary, backup);
            let mut part = Vec::new();
            let has_more = primary.store.save_part(at, bytes_max, &mut part);
            assert_eq!(backup.load_part(&part), Ok(has_more));
            if !has_more {
                position = None;
                assert_eq!(&primary.store, &*backup, "after the last part");
            }
            has_more
        };
        send_part(&mut primary, &mut backup, 1);
        for step in steps {
            match step {
                Step::Command(words) => run(&mut primary, &words),
                Step::Advance(milliseconds) => primary.context.now_ms += milliseconds,
                Step::Tick => {
                    let now_ms = primary.context.now_ms;
                    primary.store.expire_some(now_ms, 3, &mut primary.effects);
                }
                Step::SnapshotPart(bytes_max) => {
                    send_part(&mut primary, &mut backup, bytes_max);
                }
            }
        }
        while send_part(&mut primary, &mut backup, 40) {}
        checkpoint(&mut primary, &mut backup);
        prop_assert_eq!(&primary.store, &backup);
    }

    /// If this fails, a damaged checkpoint stops the backup without a word (S17).
    #[test]
    fn random_bytes_are_effects_or_an_error(
        tags in prop::collection::vec((1u8..19, prop::collection::vec(prop_oneof![0u8..5, any::<u8>()], 0..20)), 0..20),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes: Vec<u8> = tags.into_iter().flat_map(|(tag, rest)| [vec![tag], rest].concat()).collect();
        let mut store = Store::new(0);
        let _ = store.apply_all(&bytes);
        let _ = store.load_part(&bytes);
        // Nearly right bytes reach further than bytes by chance.
        let mut part = Vec::new();
        store.save_part(&mut SnapshotPosition::default(), 10_000, &mut part);
        for (at, byte) in damage {
            let index = at.index(part.len());
            part[index] = byte;
            if !bytes.is_empty() {
                let index = at.index(bytes.len());
                bytes[index] = byte;
            }
        }
        let _ = Store::new(0).load_part(&part);
        let _ = store.apply_all(&bytes);
    }
}

/// If this fails, some effect means something else to the backup than to the primary.
#[test]
fn every_effect_survives_encoding() {
    let mut engine = Engine::new();
    let commands = [
        "SET a 1",
        "INCR a",
        "SET a 2 PX 5",
        "APPEND a x",
        "EXPIRE a 9",
        "PERSIST a",
        "DEL a",
        "LPUSH l a b",
        "RPUSH l c d",
        "LPOP l",
        "RPOP l 2",
        "HSET h f v g w",
        "HDEL h f",
        "SADD s a b c",
        "SREM s a",
        "SPOP s",
        "ZADD z 1.5 a -inf b",
        "ZREM z a",
        "FLUSHALL",
    ];
    for command in commands {
        engine.run(&command.split(' ').map(str::as_bytes).collect::<Vec<_>>());
    }
    let mut rest = &engine.effects[..];
    let mut again = Vec::new();
    let mut count = 0;
    while !rest.is_empty() {
        Effect::decode(&mut rest).expect("the engine's own effects").encode(&mut again);
        count += 1;
    }
    assert_eq!(again, engine.effects);
    assert_eq!(count, commands.len() + 1, "one each; ZADD two");
    for length in 0..engine.effects.len() {
        let mut store = Store::new(0);
        // A torn checkpoint is an error, unless it is torn between two effects.
        let _ = store.apply_all(&engine.effects[..length]);
    }
}

/// If this fails, a SCAN that was under way at a takeover misses keys that were there all the time.
#[test]
fn a_scan_goes_on_at_a_backup_that_was_filled_by_a_snapshot() {
    let mut engine = Engine::new();
    for number in 0..5_000 {
        engine.run(&[b"SET", format!("key:{number}").as_bytes(), b"v"]);
    }
    for number in (0..5_000).step_by(3) {
        engine.run(&[b"DEL", format!("key:{number}").as_bytes()]);
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut cursor = b"0".to_vec();
    let mut takeovers = 0;
    loop {
        let reply = engine.run(&[b"SCAN", &cursor, b"COUNT", b"100"]);
        let Some(common::Reply::Array(mut parts)) = common::Reply::take(&mut &reply[..]) else { panic!() };
        let (Some(common::Reply::Array(keys)), Some(common::Reply::Bulk(next))) = (parts.pop(), parts.pop())
        else {
            panic!("SCAN answers a cursor and keys")
        };
        seen.extend(keys.into_iter().map(|key| match key {
            common::Reply::Bulk(key) => key,
            other => panic!("{other:?}"),
        }));
        if next == b"0" {
            break;
        }
        cursor = next;
        let mut backup = Store::new(0);
        let mut position = SnapshotPosition::default();
        loop {
            let mut part = Vec::new();
            engine.store.save_part(&mut position, 1_000, &mut part);
            if !backup.load_part(&part).expect("a part of the engine") {
                break;
            }
        }
        engine.store = backup;
        takeovers += 1;
    }
    assert!(takeovers > 10);
    for number in 0..5_000 {
        let key = format!("key:{number}").into_bytes();
        assert_eq!(seen.contains(&key), number % 3 != 0, "key:{number}");
    }
}

/// If this fails, a snapshot that meets FLUSHALL never ends or brings old keys back.
#[test]
fn a_flush_ends_a_snapshot() {
    let mut engine = Engine::new();
    for number in 0..100 {
        engine.run(&[b"SET", format!("key:{number}").as_bytes(), b"v"]);
    }
    engine.effects.clear();
    let mut backup = Store::new(0);
    let mut position = SnapshotPosition::default();
    let mut part = Vec::new();
    assert!(engine.store.save_part(&mut position, 200, &mut part));
    assert_eq!(backup.load_part(&part), Ok(true));
    engine.run(&[b"FLUSHALL"]);
    engine.run(&[b"SET", b"new", b"v"]);
    checkpoint(&mut engine, &mut backup);
    part.clear();
    assert!(!engine.store.save_part(&mut position, 200, &mut part));
    assert_eq!(backup.load_part(&part), Ok(false));
    assert_eq!(backup, engine.store);
    assert_eq!(backup.len(), 1);
}
