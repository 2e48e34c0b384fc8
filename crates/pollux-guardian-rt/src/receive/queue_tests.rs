//! What a server may rely on when it reads `$RECEIVE`.

use super::layout::word_at;
use super::queue::*;
use pollux_wire::path::IoType;
use pollux_wire::{CpuNumber, FileError, OpenId, Phandle, Pin, SyncId};
use std::time::{Duration, Instant};

fn cpu(number: u8) -> CpuNumber {
    CpuNumber::new(number).unwrap()
}

fn request(open: u64, sync: u64) -> Message {
    from(open, sync, 0, 100)
}

fn from(open: u64, sync: u64, of_cpu: u8, priority: u8) -> Message {
    let phandle = Phandle {
        named: false,
        cpu: cpu(of_cpu),
        pin: Pin(open as u16),
        node: 0,
        incarnation: 0,
        sequence: open,
    };
    Message {
        body: vec![open as u8, sync as u8],
        origin: Origin::Request {
            open: OpenId(open),
            sync: SyncId(sync),
            io: IoType::WriteRead,
            reply_bytes_max: 10,
        },
        sender: Sender {
            phandle: Some(phandle),
            name: None,
            file_number: 1,
            sync: sync as u32,
            label: 3,
            priority,
        },
    }
}

fn queue(depth: u16) -> Queue {
    let mut queue = Queue::default();
    queue.open(depth);
    queue
}

fn read_all(queue: &mut Queue, now: Instant) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| queue.read(now)).map(|message| message.body).collect()
}

// Updates and the requests behind them must be read as they were sent.
#[test]
fn messages_come_in_the_order_of_arrival() {
    let now = Instant::now();
    let mut queue = queue(1);
    for sync in 1..=3 {
        queue.push(0, request(1, sync));
    }
    assert_eq!(read_all(&mut queue, now), [[1, 1], [1, 2], [1, 3]]);
    assert_eq!(queue.last().map(|last| (last.io_type, last.sender.sync)), Some((3, 3)));
}

#[test]
fn by_priority_the_highest_comes_first_and_the_older_of_two_alike() {
    let now = Instant::now();
    let mut queue = queue(1);
    queue.order_by_priority(true);
    for (sync, priority) in [(1, 10), (2, 150), (3, 150)] {
        queue.push(0, from(1, sync, 0, priority));
    }
    assert_eq!(read_all(&mut queue, now), [[1, 2], [1, 3], [1, 1]]);
}

// The loss of a CPU is urgent, but an update that its primary had sent must be applied before the takeover.
#[test]
fn a_cpu_message_goes_ahead_but_not_of_what_that_cpu_had_sent() {
    let now = Instant::now();
    let mut queue = queue(1);
    queue.push(0, from(1, 1, 0, 1));
    queue.push(0, from(2, 1, 1, 1));
    queue.push(0, from(1, 2, 0, 1));
    queue.push_cpu(now, 0, -2, cpu(1));
    let order: Vec<i16> = std::iter::from_fn(|| queue.read(now))
        .map(|m| if m.origin.is_system() { -2 } else { m.body[0].into() })
        .collect();
    assert_eq!(order, [1, 2, -2, 1]);
    queue.push(0, from(1, 1, 0, 1));
    queue.push_cpu(now, 0, -2, cpu(1));
    queue.push_cpu(now, 0, -3, cpu(1));
    let order: Vec<Option<i16>> =
        std::iter::from_fn(|| queue.read(now)).map(|m| word_at(&m.body, 0)).collect();
    assert_eq!(order[..2], [Some(-2), Some(-3)]);
}

// A program that does not read must neither be flooded nor hear of failures that are long over.
#[test]
fn unread_cpu_messages_expire_and_are_bounded() {
    let now = Instant::now();
    let mut queue = queue(1);
    queue.push_cpu(now, 0, -2, cpu(1));
    assert!(queue.has_message(now + CPU_MESSAGE_KEPT - Duration::from_secs(1)));
    assert!(!queue.has_message(now + CPU_MESSAGE_KEPT));
    for _ in 0..3 * STATUS_UNREAD_MAX {
        queue.push_cpu(now, 0, -3, cpu(1));
    }
    let numbers: Vec<_> = read_all(&mut queue, now).iter().map(|body| word_at(body, 0).unwrap()).collect();
    assert_eq!(numbers.len(), STATUS_UNREAD_MAX + 1);
    assert_eq!(numbers.iter().filter(|number| **number == -13).count(), 1);
}

// A reply under a wrong tag would answer another requester.
#[test]
fn tags_are_given_used_once_and_given_again() {
    let now = Instant::now();
    let mut queue = queue(2);
    for sync in 1..=3 {
        queue.push(0, request(1, sync));
    }
    queue.read_update(now).unwrap().unwrap();
    assert_eq!(queue.last().unwrap().tag, 0);
    queue.read_update(now).unwrap().unwrap();
    assert_eq!(queue.last().unwrap().tag, 1);
    assert_eq!(queue.read_update(now), Err(FileError::BAD_REPLY), "two are held");
    assert_eq!(queue.reply(None), Err(FileError::BAD_REPLY), "which of the two?");
    assert_eq!(queue.reply(Some(2)), Err(FileError::BAD_REPLY));
    assert_eq!(queue.reply(Some(-1)), Err(FileError::BAD_REPLY));
    let replied = queue.reply(Some(0)).unwrap().unwrap();
    assert_eq!(replied, request(1, 1).origin);
    assert_eq!(queue.reply(Some(0)), Err(FileError::BAD_REPLY), "replied to already");
    queue.read_update(now).unwrap().unwrap();
    assert_eq!(queue.last().unwrap().tag, 0, "the free tag");
    queue.reply(Some(0)).unwrap();
    assert_eq!(queue.reply(None), Ok(Some(request(1, 2).origin)), "the only one left");
}

#[test]
fn receive_depth_zero_allows_read_only() {
    let now = Instant::now();
    let mut queue = queue(0);
    queue.push(0, request(1, 1));
    assert_eq!(queue.read_update(now), Err(FileError::INVALID_OPERATION));
    assert_eq!(queue.reply(None), Err(FileError::INVALID_OPERATION));
    assert_eq!(queue.read(now), Some(request(1, 1)));
}

// Guardian Procedure Calls, MESSAGESTATUS: a server finds out that nobody wants its answer, and must reply all the same.
#[test]
fn a_cancelled_request_is_gone_or_its_reply_has_no_effect() {
    let now = Instant::now();
    let mut queue = queue(2);
    queue.push(0, request(1, 1));
    queue.push(0, request(1, 2));
    queue.read_update(now).unwrap().unwrap();
    assert_eq!(queue.cancel(OpenId(1), SyncId(2)), Cancelled::Unread);
    assert_eq!((queue.unread(), queue.status(None)), (0, 0));
    assert_eq!(queue.cancel(OpenId(1), SyncId(1)), Cancelled::Held(0));
    assert_eq!(queue.cancel(OpenId(1), SyncId(1)), Cancelled::Unknown);
    assert_eq!((queue.status(Some(0)), queue.status(Some(1)), queue.status(None)), (1, -1, 1));
    assert_eq!(queue.reply(Some(0)), Ok(None));
    assert_eq!(queue.status(Some(0)), -1);
}

// The requests of a dead sender stay if unread (the updates of a dead primary), those in hand are cancelled.
#[test]
fn an_open_that_ends_cancels_what_is_in_hand() {
    let now = Instant::now();
    let mut queue = queue(3);
    for (open, sync) in [(1, 1), (2, 1), (1, 2)] {
        queue.push(0, request(open, sync));
    }
    queue.read_update(now).unwrap().unwrap();
    assert_eq!(queue.cancel_all(OpenId(1), false), [0]);
    assert_eq!(queue.unread(), 2);
    assert_eq!(queue.cancel_all(OpenId(1), true), [] as [i16; 0]);
    assert_eq!(queue.unread(), 1);
}
