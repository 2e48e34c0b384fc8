//! When the input of connections is looked at, and when their output leaves. Both halves run in this thread, so each moment can be
//! looked at.

use pollux_counts::connections::Connections;

// A reply that leaves before the backup has it is lost to a takeover (S5).
#[test]
fn no_reply_leaves_before_the_backup_has_it() {
    let mut pair = Connections::start(1).expect("a pair");
    pair.send(0, b"one").expect("sent");
    assert_eq!(pair.node.turn_primary(true).expect("a turn"), 1);
    assert!(!pair.has(0, b"one").expect("a socket"));
    pair.node.turn_backup().expect("a turn");
    assert!(!pair.has(0, b"one").expect("a socket"));
    pair.node.turn_primary(true).expect("a turn");
    assert!(pair.has(0, b"one").expect("a socket"));
}

// Few clients: one that waits for the backup must not make the others wait, too.
#[test]
fn few_inputs_do_not_wait_for_each_other() {
    let mut pair = Connections::start(4).expect("a pair");
    for client in 0..4 {
        pair.send(client, b"x").expect("sent");
        assert_eq!(pair.node.turn_primary(true).expect("a turn"), 1, "client {client}");
    }
}

// Many clients: if each input had its own checkpoint, each would cost wake-ups on both sides.
#[test]
fn input_that_comes_while_many_wait_shares_the_next_checkpoint() {
    let mut pair = Connections::start(8).expect("a pair");
    for client in 0..4 {
        pair.send(client, b"x").expect("sent");
    }
    assert_eq!(pair.node.turn_primary(true).expect("a turn"), 4);
    for client in 4..8 {
        pair.send(client, b"y").expect("sent");
        assert_eq!(pair.node.turn_primary(true).expect("a turn"), 0, "client {client} came too late");
    }
    pair.node.turn_backup().expect("a turn");
    // The acknowledgement, then what has gathered.
    let inputs = (0..3).map(|_| pair.node.turn_primary(true).expect("a turn")).sum::<usize>();
    assert_eq!(inputs, 4);
    for client in 0..4 {
        assert!(pair.has(client, b"x").expect("a socket"), "client {client}");
    }
    pair.node.turn_backup().expect("a turn");
    pair.node.turn_primary(true).expect("a turn");
    for client in 4..8 {
        assert!(pair.has(client, b"y").expect("a socket"), "client {client}");
    }
}
